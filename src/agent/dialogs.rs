//! The dialogs that agents begin with, by the words on their screens, and which of their rows is highlighted. Pure; presses nothing.

use super::recognise::Words;
use crate::core::lead::{DialogSubject, TypedKey};

/// The dialogs of one agent.
#[derive(Debug)]
pub enum Dialogs {
    /// Those that were measured.
    Own(&'static [StartDialog]),
    /// Those that a manifest declares.
    Declared(Vec<StartDialog>),
}

impl Dialogs {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &StartDialog> {
        let all: &[StartDialog] = match self {
            Self::Own(dialogs) => dialogs,
            Self::Declared(dialogs) => dialogs,
        };
        all.iter()
    }
}

/// A dialog that an agent may show before it takes prompts.
#[derive(Debug)]
pub struct StartDialog {
    /// What it is about.
    pub subject: DialogSubject,
    /// What its screen shows, all of it.
    pub shows: Words,
    /// How a person who permits it has it answered; `None`: never by headcount.
    pub answer: Option<DialogAnswer>,
}

/// How a dialog is answered: the highlighted row is moved to one of its rows, and that is confirmed by Enter.
#[derive(Debug)]
pub struct DialogAnswer {
    /// What stands in front of the highlighted row.
    pub mark: &'static str,
    /// How its rows begin, in order.
    pub rows: &'static [&'static str],
    /// Which of them says yes.
    pub yes: usize,
}

/// The lowest line of a screen that holds one of these, if all of them are there.
pub(super) fn lowest<'a>(screen: &str, words: impl Iterator<Item = &'a str>) -> Option<usize> {
    let line_of = |word: &str| screen.lines().enumerate().filter(|(_, line)| line.contains(word)).map(|(at, _)| at).last();
    words.map(line_of).try_fold(None, |lowest, line| Some(lowest.max(Some(line?))))?
}

impl StartDialog {
    /// The line in which it ends, if a screen shows it.
    pub(super) fn line(&self, screen: &str) -> Option<usize> {
        lowest(screen, self.shows.iter())
    }
}

impl DialogAnswer {
    /// Which row is highlighted; `None` unless all rows stand there in order and just one is.
    pub fn highlighted(&self, screen: &str) -> Option<usize> {
        let lines: Vec<&str> = screen.lines().map(|line| line.trim_matches(|c: char| c.is_whitespace() || c == '│')).collect();
        let mut below = lines.len();
        let mut highlighted = Vec::new();
        for (row, text) in self.rows.iter().enumerate().rev() {
            let bare = |line: &str| line.strip_prefix(self.mark).map_or(line, str::trim_start).starts_with(text);
            below = lines[..below].iter().rposition(|line| bare(line))?;
            if lines[below].starts_with(self.mark) {
                highlighted.push(row);
            }
        }
        // A row that is not one of these may be the highlighted one.
        let is_alone = lines[below..].iter().filter(|line| line.starts_with(self.mark)).count() == 1;
        highlighted.pop().filter(|_| highlighted.is_empty() && is_alone)
    }

    /// The key that brings a dialog with this row highlighted nearer to its yes.
    pub fn key(&self, highlighted: usize) -> TypedKey {
        match highlighted.cmp(&self.yes) {
            std::cmp::Ordering::Less => TypedKey::Down,
            std::cmp::Ordering::Equal => TypedKey::Enter,
            std::cmp::Ordering::Greater => TypedKey::Up,
        }
    }

    /// What the highlighted row looks like.
    pub fn shown(&self, row: usize) -> Option<String> {
        Some(format!("{} {}", self.mark, self.rows.get(row)?))
    }
}

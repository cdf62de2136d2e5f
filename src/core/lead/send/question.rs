//! A question that an agent asks on its screen: what it says, what can be chosen, and which choice is highlighted. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::screen::{PaneScreen, ScreenRow};

/// How an agent draws its questions.
#[derive(Debug)]
pub struct QuestionTable {
    /// What stands before the choice that Enter would take.
    pub marker: &'static str,
    /// Where the question begins.
    pub begins: QuestionEdge,
    /// What the first choice begins with where that grants what was asked for, once.
    pub grants: &'static [&'static str],
}

/// What a question begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionEdge {
    /// Below a rule from side to side.
    Rule,
    /// Below the upper edge of a box.
    Box,
    /// At a row that begins with this. Its choices are not numbered where the marker is empty.
    Words(&'static str),
}

/// A question as it stands on a screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AgentQuestion {
    /// What it says, a line for each row.
    pub text: String,
    /// What can be chosen, in order; nothing where it is not a numbered list.
    pub choices: Vec<String>,
    /// The number of the one that Enter would take, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highlighted: Option<usize>,
}

impl AgentQuestion {
    /// Whether it is the same one, whichever choice is highlighted.
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.text, &self.choices) == (&other.text, &other.choices)
    }

    /// All that is compared of it.
    pub fn whole(&self) -> String {
        format!("{}\n{}", self.text, self.choices.join("\n"))
    }

    /// Its longest line as a pattern in which a question mark stands for whatever is neither a letter nor a digit.
    pub fn pattern(&self) -> String {
        let line = self.text.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
        let safe = |it: char| if it.is_ascii_alphanumeric() || it == ' ' { it } else { '?' };
        line.chars().take(60).map(safe).collect::<String>().trim().to_owned()
    }
}

/// The rows without the edges of boxes around them.
fn inside(row: &ScreenRow) -> String {
    row.text().trim_matches([' ', '│']).to_owned()
}

/// A row of a numbered list: its number, whether it is highlighted, and what it says.
fn choice(row: &ScreenRow, marker: &str) -> Option<(usize, bool, String)> {
    let text = inside(row);
    let (is_highlighted, rest) = text.strip_prefix(marker).map_or((false, text.as_str()), |rest| (true, rest));
    let (number, label) = rest.trim_start().split_once(". ")?;
    let number = number.parse().ok().filter(|number| (1..=20).contains(number))?;
    Some((number, is_highlighted, label.trim().to_owned()))
}

/// The question on a screen; `None`: none is there, or not as it was measured.
pub(super) fn question(screen: &PaneScreen, questions: &QuestionTable) -> Option<AgentQuestion> {
    let rows = &screen.rows;
    let has_list = !questions.marker.is_empty();
    let list = || {
        let last = rows.iter().rposition(|row| choice(row, questions.marker).is_some_and(|(_, is, _)| is))?;
        // Lines that were wrapped stand between.
        let mut first = last;
        while choice(rows.get(first)?, questions.marker).is_none_or(|(number, ..)| number != 1) {
            first = first.checked_sub(1)?;
        }
        Some(first)
    };
    let first = if has_list { list()? } else { rows.len() };
    let begin = match questions.begins {
        QuestionEdge::Rule => rows.iter().take(first).rposition(ScreenRow::is_rule)? + 1,
        QuestionEdge::Box => rows.iter().take(first).rposition(|row| row.text().trim_start().starts_with('╭'))? + 1,
        QuestionEdge::Words(words) => rows.iter().take(first).rposition(|row| row.text().contains(words))?,
    };
    let is_drawn = |it: char| " ╌─━╭╮╰╯│┃▔▁═".contains(it);
    let lines = rows.get(begin..first)?.iter().map(inside).filter(|line| !line.chars().all(is_drawn));
    let text = lines.collect::<Vec<_>>().join("\n");
    let (mut choices, mut highlighted) = (Vec::<String>::new(), None);
    for row in rows.get(first..).unwrap_or_default() {
        match choice(row, questions.marker) {
            Some((number, is_highlighted, label)) if number == choices.len() + 1 => {
                choices.push(label);
                if is_highlighted {
                    highlighted = Some(number);
                }
            }
            _ => {
                let line = inside(row);
                let (Some(last), false) = (choices.last_mut(), line.is_empty() || line.chars().all(is_drawn)) else { break };
                *last = format!("{last} {line}");
            }
        }
    }
    let is_whole = !text.is_empty() && (!has_list || highlighted.is_some());
    is_whole.then_some(AgentQuestion { text, choices, highlighted })
}

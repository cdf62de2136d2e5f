//! From values to text for people. Pure: takes values and a [`Terminal`], gives text; never prints and never decides anything.

pub(crate) mod answer;
pub(crate) mod asked;
pub(crate) mod crew;
pub(crate) mod describe;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod event;
pub(crate) mod explain;
pub(crate) mod fleet;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod json;
pub(crate) mod lead;
pub(crate) mod patch;
pub(crate) mod queue;
pub(crate) mod said;
pub(crate) mod screen;
pub(crate) mod send;
pub(crate) mod status;
pub(crate) mod table;
#[cfg(test)]
mod tests;
pub(crate) mod turn;
pub(crate) mod wait;
pub(crate) mod yaml;

use anstyle::{AnsiColor, Effects};
use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr;

use crate::core::drift::Class;
use crate::core::text::printable;

/// What the place the text goes to is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Whether to colour.
    pub(crate) color: bool,
    /// Its width in columns, if it has one.
    pub(crate) width: Option<usize>,
    /// Whether it is a terminal.
    pub(crate) tty: bool,
    /// The time ages are counted from.
    pub(crate) now: DateTime<Utc>,
}

impl Terminal {
    /// `text` in a style, if this place has colours.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        style.paint(text, self.color)
    }
}

/// `text` from outside, made safe, styled and, where the place has a width, broken between words; further lines begin
/// `indent` columns in, where the first one is taken to begin.
pub(crate) fn hanging(text: &str, indent: usize, style: Style, look: &Terminal) -> String {
    let safe = printable(text);
    let room = look.width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(NARROWEST));
    let mut lines: Vec<String> = vec![String::new()];
    for word in safe.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let painted: Vec<String> = lines.iter().map(|line| look.paint(style, line)).collect();
    painted.join(&format!("\n{}", " ".repeat(indent)))
}

/// Text is not broken into anything narrower.
const NARROWEST: usize = 24;

/// The few styles there are, by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// As it comes.
    #[default]
    Plain,
    /// Headings and names.
    Strong,
    /// What is there for completeness.
    Dim,
    /// In order; added.
    Good,
    /// Wrong; removed.
    Bad,
    /// Look here; changed.
    Warn,
    /// A word that points at something. No whole sentence: on a light terminal this colour is weak.
    Note,
}

impl Style {
    /// `text` in this style, or as it is if `on` is false.
    pub(crate) fn paint(self, text: &str, on: bool) -> String {
        let style = match self {
            Self::Plain => return text.to_owned(),
            Self::Strong => anstyle::Style::new().effects(Effects::BOLD),
            Self::Dim => anstyle::Style::new().effects(Effects::DIMMED),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default(),
            Self::Note => AnsiColor::Cyan.on_default(),
        };
        if on && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// `count` and the noun, in the number the count asks for.
pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How long ago, in one unit: `12s`, `5m`, `3h`, `8d`; a time to come is `now`.
pub(crate) fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    lasted((now - at).num_seconds())
}

/// A number of seconds in its largest whole unit.
pub(crate) fn lasted(seconds: i64) -> String {
    match seconds {
        i64::MIN..=0 => "now".to_owned(),
        1..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The same as an answer to when: `5m ago`, `now`.
pub(crate) fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let age = age(at, now);
    if age == "now" { age } else { format!("{age} ago") }
}

/// `2 dead, 1 new-id`: how many of each class, in the order of the codes.
pub(crate) fn by_class(classes: impl Iterator<Item = Class> + Clone) -> String {
    let count = |class: Class| classes.clone().filter(|other| *other == class).count();
    let parts: Vec<String> = Class::ALL
        .into_iter()
        .map(|class| (class, count(class)))
        .filter(|(_, n)| *n > 0)
        .map(|(class, n)| format!("{n} {class}"))
        .collect();
    parts.join(", ")
}

/// The style a drift class is shown in: red if something is gone, yellow otherwise.
pub(crate) const fn class_style(class: Class) -> Style {
    match class {
        Class::Dead | Class::AgentGone | Class::StaleId => Style::Bad,
        Class::Unregistered | Class::Revived | Class::Delegated => Style::Good,
        Class::NewId | Class::Moved | Class::Ambiguous => Style::Warn,
    }
}

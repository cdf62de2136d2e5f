//! `history` for people: a row and a message per entry. Never reads the journal.

use chrono::{DateTime, Utc};

use super::table::{Cell, Column};
use super::{Style, Terminal, class_style, hanging, table};
use crate::core::drift::Class;
use crate::core::text::{printable, stamp};

/// One entry, as shown.
#[derive(Debug, Clone)]
pub(crate) struct HistoryLine {
    /// Its number in the journal.
    pub(crate) id: String,
    /// When it was recorded.
    pub(crate) at: DateTime<Utc>,
    /// What kind of change it is.
    pub(crate) change: ShownChange,
    /// The session; empty if it is about none.
    pub(crate) session: String,
    /// Its message.
    pub(crate) message: String,
}

/// What an entry changed.
#[derive(Debug, Clone)]
pub(crate) enum ShownChange {
    /// It recorded a drift of this class.
    Of(Class),
    /// It took this entry back.
    Undo(String),
    /// Nothing in the manifest; the kind of the entry.
    None(String),
}

/// The table, or a sentence if there is nothing to show: of everything, or of the sessions of these `names`.
pub(crate) fn render(lines: &[HistoryLine], names: &[String], look: &Terminal) -> String {
    if lines.is_empty() {
        return match names {
            [] => "Nothing has been recorded.\n".to_owned(),
            names => format!("Nothing has been recorded for {}.\n", printable(&names.join(" or "))),
        };
    }
    let columns = [
        Column::new("ENTRY"),
        Column::new("RECORDED").may_go(1),
        Column::new("CHANGE"),
        Column::new("SESSION").shrinks_to(24, 1).cut_in_the_middle(),
    ];
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| {
            let (change, style) = match &line.change {
                ShownChange::Of(class) => (class.to_string(), class_style(*class)),
                ShownChange::Undo(entry) => (format!("undo {entry}"), Style::Note),
                ShownChange::None(kind) => (printable(kind).into_owned(), Style::Note),
            };
            vec![
                Cell::new(&line.id, Style::Strong),
                Cell::new(&stamp(line.at), Style::Dim),
                Cell::new(&change, style),
                Cell::plain(&line.session),
            ]
        })
        .collect();
    let indent = lines.iter().map(|line| line.id.len()).max().unwrap_or(0).max("ENTRY".len()) + 2;
    let table = table::render(&columns, &rows, look);
    // The message goes below its row, whole: it is what history is read for.
    let mut text = String::new();
    for (row, message) in table.split_inclusive('\n').zip(std::iter::once(None).chain(lines.iter().map(Some))) {
        text.push_str(row);
        if let Some(line) = message {
            let message = match line.message.as_str() {
                "" => "A newer headcount wrote this entry; this one cannot say more about it.",
                message => message.strip_prefix(&format!("{}: ", printable(&line.session))).unwrap_or(message),
            };
            text.push_str(&format!("{:indent$}{}\n", "", hanging(message, indent, Style::Plain, look)));
        }
    }
    text
}

//! `history` for people: a row and a message per recorded change. Never reads the journal.

use chrono::{DateTime, Utc};

use super::table::{Cell, Column};
use super::{Look, Style, class_style, hanging, table};
use crate::core::drift::Class;
use crate::core::text::{printable, stamp};

/// One recorded change, as shown.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Its number in the journal.
    pub(crate) id: String,
    /// When it was recorded.
    pub(crate) at: DateTime<Utc>,
    /// The class of the drift it answered.
    pub(crate) class: Class,
    /// The session.
    pub(crate) session: String,
    /// Its message.
    pub(crate) message: String,
    /// The entry it took back, if it is an `undo`.
    pub(crate) undoes: Option<String>,
}

/// The table, or a sentence if there is nothing to show: of everything, or of the sessions of these `names`.
pub(crate) fn render(lines: &[Line], names: &[String], look: &Look) -> String {
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
            let (change, style) = match &line.undoes {
                Some(entry) => (format!("undo {entry}"), Style::Note),
                None => (line.class.to_string(), class_style(line.class)),
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
            let message = line.message.strip_prefix(&format!("{}: ", printable(&line.session))).unwrap_or(&line.message);
            text.push_str(&format!("{:indent$}{}\n", "", hanging(message, indent, Style::Plain, look)));
        }
    }
    text
}

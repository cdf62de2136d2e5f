//! `history` for people: one row per recorded change. Never reads the journal.

use chrono::{DateTime, Utc};

use super::table::{Cell, Column};
use super::{Look, Style, class_style, stamp, table};
use crate::core::drift::Class;

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

/// The table, or a sentence if there is nothing to show.
pub(crate) fn render(lines: &[Line], look: &Look) -> String {
    if lines.is_empty() {
        return "Nothing has been recorded.\n".to_owned();
    }
    let columns = [
        Column::new("ENTRY"),
        Column::new("RECORDED"),
        Column::new("CHANGE"),
        Column::new("SESSION").shrinks_to(16).cut_in_the_middle(),
        Column::new("MESSAGE").shrinks_to(20).may_go(1),
    ];
    let rows: Vec<Vec<Cell>> = lines
        .iter()
        .map(|line| {
            let (change, style) = match &line.undoes {
                Some(entry) => (format!("undo {entry}"), Style::Note),
                None => (line.class.to_string(), class_style(line.class)),
            };
            let message = line.message.strip_prefix(&format!("{}: ", line.session)).unwrap_or(&line.message);
            vec![
                Cell::new(&line.id, Style::Strong),
                Cell::new(&stamp(line.at), Style::Dim),
                Cell::new(&change, style),
                Cell::plain(&line.session),
                Cell::plain(message),
            ]
        })
        .collect();
    table::render(&columns, &rows, look)
}

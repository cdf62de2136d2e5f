//! The table, for a terminal and for a document. Pure: outcomes in, text out.

use std::fmt::Write as _;

use super::verb::Verb;
use super::{Fault, Outcome};

/// A row that was run.
pub(crate) struct Row {
    pub(crate) fault: Fault,
    pub(crate) group: &'static str,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Row {
    /// The cells that are not as the contract asks, each in one line.
    pub(crate) fn surprises(&self, verbs: &[Verb]) -> Vec<String> {
        let is_surprise = |(verb, outcome): &(&Verb, &Outcome)| {
            !matches!(outcome, Outcome::Skipped(_)) && !self.fault.allows(**verb, outcome)
        };
        let cells = verbs.iter().zip(&self.outcomes).filter(is_surprise);
        cells
            .map(|(verb, outcome)| {
                let (name, expected) = (self.fault.name, self.fault.expects(*verb));
                let more = if let Outcome::Lost(what) = outcome { format!(": {what}") } else { String::new() };
                format!("{name} × {}: {outcome}, expected {expected}{more}", verb.as_str())
            })
            .collect()
    }
}

/// Aligned columns.
pub(crate) fn text(rows: &[Row], verbs: &[Verb]) -> String {
    let widest = rows.iter().map(|row| row.fault.name.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = verbs.iter().map(|verb| verb.as_str().len().max(7)).collect();
    let line = |first: &str, cells: &[String]| {
        let mut line = format!("{first:widest$}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "  {cell:width$}");
        }
        format!("{}\n", line.trim_end())
    };
    let mut text = line("", &verbs.iter().map(|verb| verb.as_str().to_owned()).collect::<Vec<_>>());
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            let _ = writeln!(text, "{group}");
        }
        text += &line(row.fault.name, &row.outcomes.iter().map(Outcome::to_string).collect::<Vec<_>>());
    }
    text
}

/// A table for a document, one for each group.
pub(crate) fn markdown(rows: &[Row], verbs: &[Verb]) -> String {
    let mut text = String::new();
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            let heads: Vec<&str> = verbs.iter().map(|verb| verb.as_str()).collect();
            let _ = write!(text, "\n| {group} | {} |\n| --- |{}\n", heads.join(" | "), " --- |".repeat(heads.len()));
        }
        let cells: Vec<String> = row.outcomes.iter().map(Outcome::to_string).collect();
        let _ = writeln!(text, "| {} | {} |", row.fault.name.replace('|', "\\|"), cells.join(" | "));
    }
    text
}

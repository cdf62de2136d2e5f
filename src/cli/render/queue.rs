//! The texts that wait, for people. Only words and colours.

use std::fmt::Write as _;

use super::{Style, Terminal, plural, send};
use crate::core::lead::send::QueueReport;
use crate::core::text::{printable, stamp};

/// What was done, and what waits.
pub(crate) fn report(report: &QueueReport, look: &Terminal) -> String {
    let mut text = String::new();
    for receipt in &report.receipts {
        text.push_str(&send::receipt(receipt, look));
    }
    for id in &report.dropped {
        let _ = writeln!(text, "{} {id} was taken back", look.paint(Style::Good, "✓"));
    }
    let has_acted = !text.is_empty();
    if report.texts.is_empty() {
        return if has_acted { text } else { "No text waits.\n".to_owned() };
    }
    if has_acted {
        let _ = writeln!(text, "\n{} still waiting:", plural(report.texts.len(), "text is", "texts are"));
    }
    for row in &report.texts {
        let name = look.paint(Style::Strong, &printable(&row.session.to_string()));
        let (since, until, bytes) = (stamp(row.since), stamp(row.until), plural(row.bytes, "byte", "bytes"));
        let _ = writeln!(text, "{}  {name}  since {since}, until {until}, {bytes}", row.id);
        let _ = writeln!(text, "    {}", printable(&row.begins));
        if let (Some(code), Some(message)) = (row.code, &row.message) {
            let _ = writeln!(text, "    {}: {}", look.paint(Style::Warn, code.as_str()), printable(message));
        }
    }
    text
}

//! What was imported from other tools, as text. Owns the layout; decides nothing.

use super::{Style, Terminal, plural};
use crate::core::import::{ImportReport, ImportedSession};
use crate::core::text::printable;

/// Each session, what was left out, and the count.
pub(crate) fn render(report: &ImportReport, look: &Terminal) -> String {
    let mut text = String::new();
    for session in &report.imported {
        text.push_str(&imported(session, look));
    }
    for left in &report.left_out {
        let line = format!("- {} ({})", printable(&left.what), left.tool.as_str());
        text.push_str(&format!("{}: {}\n", look.paint(Style::Dim, &line), printable(&left.why)));
    }
    text.push_str(&count(report));
    text
}

fn imported(session: &ImportedSession, look: &Terminal) -> String {
    let mut line = look.paint(Style::Good, "+ ");
    line.push_str(&look.paint(Style::Strong, &printable(&session.session.name)));
    line.push_str(&format!("  {}", session.agent));
    if let Some(cwd) = &session.cwd {
        line.push_str(&format!("  {}", printable(cwd)));
    }
    let title = if session.title == session.session.name { String::new() } else { format!(" {:?}", session.title) };
    line.push_str(&format!("\n    from {}{}", session.tool.as_str(), printable(&title)));
    match &session.conversation {
        Some(id) => line.push_str(&format!(", conversation {}\n", printable(id))),
        None => line.push_str(", conversation unknown\n"),
    }
    if !session.not_taken.is_empty() {
        let all: Vec<_> = session.not_taken.iter().map(|what| printable(what)).collect();
        line.push_str(&format!("    not taken: {}\n", all.join(", ")));
    }
    line
}

fn count(report: &ImportReport) -> String {
    let manifest = report.manifest.display().to_string();
    let manifest = printable(&manifest);
    let sessions = plural(report.imported.len(), "session", "sessions");
    let left = match report.left_out.len() {
        0 => String::new(),
        count => format!(" {} left out.", plural(count, "line", "lines").replace("line", "thing")),
    };
    match (report.imported.is_empty(), report.dry_run) {
        (true, _) => format!("Nothing to import into {manifest}.{left}\n"),
        (false, true) => format!("Would import {sessions} into {manifest}.{left}\n"),
        (false, false) => format!("Imported {sessions} into {manifest}. Nothing was started.{left}\n"),
    }
}

//! `explain` for people: from what was looked at to what follows from it. Never weighs evidence itself.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::{Look, Style, hanging};
use crate::core::report::status::{Explanation, RungLine};
use crate::core::text::{printable, stamp};

/// Where the second column begins.
const LABEL: usize = 14;

/// All explanations, a blank line between two.
pub(crate) fn render(explanations: &[Explanation], look: &Look) -> String {
    explanations.iter().map(|explanation| one(explanation, look)).collect::<Vec<_>>().join("\n")
}

fn one(explanation: &Explanation, look: &Look) -> String {
    let row = &explanation.row;
    let mut text = format!("{}\n", look.paint(Style::Strong, &printable(&row.session.to_string())));
    field(&mut text, "agent", row.agent.as_str());
    field(&mut text, "declared", if row.declared == "-" { "nothing" } else { &row.declared });
    let observed = row
        .note
        .as_ref()
        .map_or_else(|| row.observed.as_str().to_owned(), |note| format!("{} ({note})", row.observed.as_str()));
    field(&mut text, "observed", &observed);
    if let Some(cwd) = &row.cwd {
        field(&mut text, "workspace", cwd);
    }
    if let Some(id) = &row.session_id {
        let rung = row.id_rung.as_deref().unwrap_or("no proof");
        field(&mut text, "conversation", &format!("{id} ({rung})"));
    }
    match (row.transcript, row.last_activity) {
        (Some(true), Some(at)) => field(&mut text, "transcript", &format!("on disk, last written {}", stamp(at))),
        (Some(true), None) => field(&mut text, "transcript", "on disk"),
        (Some(false), _) => field(&mut text, "transcript", "not on disk"),
        (None, _) => {}
    }
    if let Some(job) = &explanation.job {
        field(&mut text, "job", job);
    }
    list(&mut text, "The manifest says", &explanation.manifest, look);
    list(&mut text, "Observed", &explanation.observed, look);
    rungs(&mut text, &explanation.rungs, look);
    heading(&mut text, "Verdict", look);
    let _ = writeln!(text, "  {}", hanging(&explanation.verdict, 2, Style::Plain, look));
    list(&mut text, "Drift", &explanation.drifts, look);
    list(&mut text, "What would change headcount's mind", &explanation.would_change, look);
    if let Some(resume) = &row.resume {
        heading(&mut text, "To resume it by hand", look);
        let _ = writeln!(text, "  {}", printable(resume));
    }
    text
}

fn field(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:LABEL$}{}", printable(value));
}

fn heading(text: &mut String, title: &str, look: &Look) {
    let _ = writeln!(text, "\n{}", look.paint(Style::Strong, title));
}

fn list(text: &mut String, title: &str, lines: &[String], look: &Look) {
    if lines.is_empty() {
        return;
    }
    heading(text, title, look);
    for line in lines {
        let _ = writeln!(text, "  {}", hanging(line, 2, Style::Plain, look));
    }
}

/// The ladder, strongest first; the rung that decided is marked.
fn rungs(text: &mut String, rungs: &[RungLine], look: &Look) {
    if rungs.is_empty() {
        return;
    }
    heading(text, "Evidence for its conversation, strongest first", look);
    let widest = rungs.iter().map(|rung| printable(&rung.name).width()).max().unwrap_or(0);
    let indent = widest + 6;
    for rung in rungs {
        let (mark, style) = if rung.decided { ("►", Style::Good) } else { (" ", Style::Plain) };
        let name = printable(&rung.name);
        let padding = " ".repeat(widest.saturating_sub(name.width()));
        let _ = writeln!(
            text,
            "{} {} {}{padding}  {}",
            look.paint(style, mark),
            rung.number,
            look.paint(style, &name),
            hanging(&rung.found, indent, style, look)
        );
        if !matches!(rung.looked_at.as_str(), "" | "-") {
            let _ = writeln!(text, "{:indent$}{}", "", hanging(&rung.looked_at, indent, Style::Dim, look));
        }
    }
}

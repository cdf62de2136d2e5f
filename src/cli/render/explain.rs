//! `explain` for people: from what was looked at to what follows from it. Never weighs evidence itself.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::{Style, Terminal, hanging, status};
use crate::core::lead::Outcome;
use crate::core::report::history::HistoryOperation;
use crate::core::report::status::{Explanation, LadderLines, SessionRow};
use crate::core::text::{printable, stamp};

/// Where the second column begins.
const LABEL: usize = 14;

/// All explanations, a blank line between two.
pub(crate) fn render(explanations: &[Explanation], look: &Terminal) -> String {
    explanations.iter().map(|explanation| one(explanation, look)).collect::<Vec<_>>().join("\n")
}

fn one(explanation: &Explanation, look: &Terminal) -> String {
    let row = &explanation.row;
    let mut text = format!("{}\n", look.paint(Style::Strong, &printable(&row.session.to_string())));
    field(&mut text, look, "agent", row.agent.as_str());
    field(&mut text, look, "declared", if row.declared == "-" { "nothing" } else { &row.declared });
    field(&mut text, look, "observed", &observed(row));
    if let Some(held) = &row.hold {
        let (since, until) = (stamp(held.since), stamp(held.until));
        field(&mut text, look, "held", &format!("{} has it in hand since {since}, until {until}", held.holder));
    }
    if let Some(cwd) = &row.cwd {
        field(&mut text, look, "workspace", cwd);
    }
    if let Some(id) = &row.session_id {
        let rung = row.id_rung.as_deref().unwrap_or("no proof");
        field(&mut text, look, "conversation", &format!("{id} ({rung})"));
    }
    match (row.transcript, row.last_activity) {
        (Some(true), Some(at)) => field(&mut text, look, "transcript", &format!("on disk, last written {}", stamp(at))),
        (Some(true), None) => field(&mut text, look, "transcript", "on disk"),
        (Some(false), _) => field(&mut text, look, "transcript", "not on disk"),
        (None, _) => {}
    }
    if let Some(job) = &explanation.job {
        field(&mut text, look, "job", job);
    }
    list(&mut text, "The manifest says", &explanation.manifest, look);
    list(&mut text, "Observed", &explanation.observed, look);
    evidence(&mut text, &explanation.ladders, look);
    heading(&mut text, "Verdict", look);
    let _ = writeln!(text, "  {}", hanging(&explanation.verdict, 2, Style::Plain, look));
    list(&mut text, "Drift", &explanation.drifts, look);
    operations(&mut text, &explanation.operations, look);
    list(&mut text, "What would change headcount's mind", &explanation.would_change, look);
    if let Some(why) = &row.no_resume {
        heading(&mut text, "To resume it by hand", look);
        let _ = writeln!(text, "  {}", hanging(&format!("no command does: {why}"), 2, Style::Plain, look));
    }
    if let Some(resume) = &row.resume {
        heading(&mut text, "To resume it by hand", look);
        let _ = writeln!(text, "  {}", printable(resume));
        if let Some(doubt) = &row.doubt {
            let _ = writeln!(text, "  {}", hanging(&format!("doubtful: {doubt}"), 2, Style::Warn, look));
        }
    }
    text
}

pub(super) fn field(text: &mut String, look: &Terminal, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:LABEL$}{}", hanging(value, LABEL + 2, Style::Plain, look));
}

pub(super) fn heading(text: &mut String, title: &str, look: &Terminal) {
    let _ = writeln!(text, "\n{}", look.paint(Style::Strong, title));
}

pub(super) fn list(text: &mut String, title: &str, lines: &[String], look: &Terminal) {
    if lines.is_empty() {
        return;
    }
    heading(text, title, look);
    for line in lines {
        let _ = writeln!(text, "  {}", hanging(line, 2, Style::Plain, look));
    }
}

/// What was done to it, newest first.
pub(super) fn operations(text: &mut String, operations: &[HistoryOperation], look: &Terminal) {
    if operations.is_empty() {
        return;
    }
    heading(text, "What headcount did", look);
    for operation in operations {
        let (outcome, style) = match operation.outcome {
            Some(Outcome::Done) => ("done", Style::Good),
            Some(Outcome::Skipped) => ("skipped", Style::Dim),
            Some(Outcome::Failed) => ("failed", Style::Bad),
            Some(outcome) => (outcome.as_str(), Style::Warn),
            None => ("open", Style::Warn),
        };
        let head = format!("{} {outcome}", operation.action.as_str());
        let by = format!("by {}, operation {}", printable(&operation.by), operation.id);
        let _ = writeln!(
            text,
            "  {}  {}  {}",
            look.paint(Style::Dim, &stamp(operation.at)),
            look.paint(style, &format!("{head:16}")),
            look.paint(Style::Dim, &by)
        );
        if !operation.message.is_empty() {
            let _ = writeln!(text, "    {}", hanging(&operation.message, 4, Style::Plain, look));
        }
    }
}

/// The word, what the agent is doing, and what there is to say beside it.
pub(super) fn observed(row: &SessionRow) -> String {
    let mut text = row.observed.as_str().to_owned();
    if let Some(turn) = row.turn {
        let _ = write!(text, ", {}", turn.as_str());
    }
    if let Some(note) = status::note(row) {
        let _ = write!(text, " ({note})");
    }
    text
}

/// The ladder of each process that is or could be the agent.
fn evidence(text: &mut String, ladders: &[LadderLines], look: &Terminal) {
    heading(text, "Evidence for its conversation, strongest first", look);
    if ladders.is_empty() {
        let none = "none: every rung needs a live process of the agent, and headcount knows none here";
        let _ = writeln!(text, "  {}", hanging(none, 2, Style::Plain, look));
    }
    for ladder in ladders {
        if ladders.len() > 1 {
            let _ = writeln!(text, "  {}", hanging(&ladder.of, 2, Style::Strong, look));
        }
        rungs(text, ladder, look);
    }
}

/// A ladder; the rung that decided is marked.
fn rungs(text: &mut String, ladder: &LadderLines, look: &Terminal) {
    let rungs = &ladder.rungs;
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

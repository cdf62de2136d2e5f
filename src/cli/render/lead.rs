//! `plan`, `apply` and their kin for people: a line per session. Pure.

use super::{Style, Terminal, hanging, plural};
use crate::core::ids::ConversationId;
use crate::core::lead::plan::{LeadPlan, LeadRow, RowState};
use crate::core::lead::{ActionKind, OperationReport, Outcome};
use crate::core::text::{printable, stamp};

/// The plan: what would be done, what may not, and how many of each.
pub(crate) fn plan(plan: &LeadPlan, look: &Terminal) -> String {
    let width = plan.actions.iter().map(|row| word(row).len()).max().unwrap_or(0);
    let mut text = String::new();
    for row in &plan.actions {
        let (sign, style) = sign(row);
        let name = printable(&row.session.to_string()).into_owned();
        let head = format!("{sign} {:width$}  ", word(row));
        let indent = head.chars().count();
        text.push_str(&look.paint(style, &head));
        text.push_str(&look.paint(Style::Strong, &name));
        text.push_str(&look.paint(Style::Dim, &about(row)));
        text.push('\n');
        if let Some(blocked) = &row.blocked {
            let message = format!("{}: {}", blocked.code.as_str(), blocked.message);
            text.push_str(&format!("{:indent$}{}\n", "", hanging(&message, indent, Style::Plain, look)));
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&summary(plan));
    text
}

fn word(row: &LeadRow) -> &'static str {
    match (row.state, row.action) {
        (RowState::Planned, Some(action)) => action.as_str(),
        (RowState::Planned, None) => "",
        (RowState::Blocked, _) => "blocked",
        (RowState::Differs, _) => "differs",
        (RowState::Held, _) => "held",
    }
}

fn sign(row: &LeadRow) -> (&'static str, Style) {
    match (row.state, row.action) {
        (RowState::Planned, Some(ActionKind::Start)) => ("+", Style::Good),
        (RowState::Planned, Some(ActionKind::Stop)) => ("-", Style::Bad),
        (RowState::Planned, _) => ("↻", Style::Good),
        (RowState::Differs, _) => ("~", Style::Warn),
        (RowState::Held, _) => ("=", Style::Note),
        (RowState::Blocked, _) => ("!", Style::Warn),
    }
}

fn about(row: &LeadRow) -> String {
    let mut parts = vec![row.agent.to_string()];
    if let (Some(id), Some(rung)) = (&row.conversation, &row.rung) {
        parts.push(format!("{} ({rung})", short(id)));
    }
    if row.place.as_deref() == Some("window") {
        parts.push("in a new window".to_owned());
    }
    if !row.differs.is_empty() {
        parts.push(format!("differs since its start: {}", row.differs.join(", ")));
    }
    if let Some(held) = row.hold.as_ref().filter(|_| row.state != RowState::Blocked) {
        parts.push(format!("{} has it in hand until {}", printable(&held.holder), stamp(held.until)));
    }
    format!("  {}", parts.join(", "))
}

/// The beginning of an id, as far as it tells conversations apart.
fn short(id: &ConversationId) -> String {
    let text = printable(id.as_str());
    match text.char_indices().nth(13) {
        Some((end, _)) if text.len() > 16 => text[..end].to_owned(),
        _ => text.into_owned(),
    }
}

fn summary(plan: &LeadPlan) -> String {
    let counts = &plan.counts;
    let of = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let parts: Vec<String> = [
        of(counts.start, "to start"),
        of(counts.resume, "to resume"),
        of(counts.stop, "to stop"),
        of(counts.restart, "to restart"),
        of(counts.differs, "running with other settings than at the start"),
        of(counts.blocked, "blocked"),
        of(counts.met, "as wanted"),
        of(counts.held, "in somebody's hands"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.as_slice() {
        [] => "No entry has a `desired`: there is nothing to do.\n".to_owned(),
        parts => format!("{}.\n", parts.join(", ")),
    }
}

/// One operation as it has ended: a line, and below it why it was not done.
pub(crate) fn operation(report: &OperationReport, look: &Terminal) -> String {
    let (sign, style) = match report.outcome {
        Outcome::Done => ("✓", Style::Good),
        Outcome::Skipped => ("·", Style::Dim),
        Outcome::Failed => ("✗", Style::Bad),
        Outcome::Refused => ("!", Style::Warn),
        Outcome::Unverified => ("?", Style::Warn),
    };
    let name = printable(&report.session.to_string()).into_owned();
    let took = match report.outcome {
        Outcome::Refused | Outcome::Skipped => String::new(),
        _ => format!("  {:.1} s", report.took_ms as f64 / 1000.0),
    };
    let id = report.conversation.as_ref().map(|id| format!("  {}", short(id))).unwrap_or_default();
    let mut text = format!(
        "{} {} {}{}\n",
        look.paint(style, sign),
        look.paint(style, &said(report)),
        look.paint(Style::Strong, &name),
        look.paint(Style::Dim, &format!("{id}{took}")),
    );
    if let Some(why) = &report.why {
        let code = report.code.map(|code| format!("{}: ", code.as_str())).unwrap_or_default();
        text.push_str(&format!("  {}\n", hanging(&format!("{code}{why}"), 2, Style::Plain, look)));
    }
    for line in report.screen_tail.iter().flat_map(|tail| tail.lines()) {
        text.push_str(&format!("  {} {}\n", look.paint(Style::Dim, "│"), printable(line)));
    }
    text
}

fn said(report: &OperationReport) -> String {
    let word = match (report.action, report.outcome) {
        (ActionKind::Start, Outcome::Done) => "started",
        (ActionKind::Resume, Outcome::Done) => "resumed",
        (ActionKind::Stop, Outcome::Done) => "stopped",
        (ActionKind::Restart, Outcome::Done) => "restarted",
        (ActionKind::Remove, Outcome::Done) => "removed",
        (ActionKind::Rename, Outcome::Done) => "renamed it to",
        (ActionKind::Move, Outcome::Done) => "moved",
        (ActionKind::Handoff, Outcome::Done) => "handed over",
        (ActionKind::Release, Outcome::Done) => "released",
        (ActionKind::Handoff, Outcome::Failed) => "could not hand over",
        (ActionKind::Handoff, Outcome::Refused) => "did not hand over",
        (ActionKind::Send, Outcome::Done) => "sent to",
        (ActionKind::Answer, Outcome::Done) => "answered",
        (ActionKind::Forget, Outcome::Done) => "forgot the conversation of",
        (_, Outcome::Skipped) => "nothing to do for",
        (ActionKind::Forget, Outcome::Failed) => "could not forget the conversation of",
        (ActionKind::Forget, Outcome::Refused) => "did not forget the conversation of",
        (action, Outcome::Failed) => return format!("could not {}", action.as_str()),
        (action, Outcome::Refused) => return format!("did not {}", action.as_str()),
        (action, Outcome::Unverified) => return format!("could not verify the {} of", action.as_str()),
    };
    word.to_owned()
}

/// How many operations ended how; nothing for a single one.
pub(crate) fn count(reports: &[OperationReport]) -> String {
    if reports.len() < 2 {
        return String::new();
    }
    let of = |outcome: Outcome| reports.iter().filter(|report| report.outcome == outcome).count();
    let all = [Outcome::Done, Outcome::Failed, Outcome::Unverified, Outcome::Refused, Outcome::Skipped];
    let parts: Vec<String> =
        all.into_iter().map(|it| (of(it), it)).filter(|(n, _)| *n > 0).map(|(n, it)| format!("{n} {}", it.as_str())).collect();
    format!("\n{}: {}.\n", plural(reports.len(), "session", "sessions"), parts.join(", "))
}

//! `describe` for people: one page about one session, what matters most first. Pure.

use std::fmt::Write as _;

use super::explain::{field, list, observed, operations};
use super::{Style, Terminal, plural};
use crate::core::lead::conditions::ConditionReport;
use crate::core::report::describe::{Description, LastTurn, LedgerReport, NextStep};
use crate::core::text::{printable, stamp};

/// The page.
pub(crate) fn render(description: &Description, look: &Terminal) -> String {
    let row = &description.row;
    let mut text = format!("{}\n", look.paint(Style::Strong, &printable(&row.session.to_string())));
    field(&mut text, look, "agent", row.agent.as_str());
    field(&mut text, look, "observed", &observed(row));
    for held in &row.conditions {
        field(&mut text, look, held.condition.as_str(), &condition(held));
    }
    let desired = description.desired.as_deref().unwrap_or("nothing in particular");
    field(&mut text, look, "wanted", desired);
    field(&mut text, look, "next", &next(&description.next));
    if let Some(held) = &row.hold {
        let (since, until) = (stamp(held.since), stamp(held.until));
        field(&mut text, look, "held", &format!("by {} since {since}, until {until}", held.holder));
    }
    if let (Some(pid), Some(pane)) = (row.pid, &row.pane) {
        field(&mut text, look, "process", &format!("{pid} in pane {pane}"));
    }
    let place = [("workspace", row.cwd.clone()), ("conversation", conversation(description))];
    let tabs = (!description.tabs.is_empty()).then(|| description.tabs.join(", "));
    let waiting = match description.waiting_texts {
        0 => None,
        count => Some(format!("{} (`headcount queue` shows what)", plural(count, "text", "texts"))),
    };
    let known = [
        ("task", description.task.clone()),
        ("tabs", tabs),
        ("job", description.job.clone()),
        ("waiting", waiting),
        ("attach", description.attach.clone()),
    ];
    for (label, value) in place.into_iter().chain(known) {
        if let Some(value) = value {
            field(&mut text, look, label, &value);
        }
    }
    match (&row.resume, &row.no_resume) {
        (Some(command), _) => {
            // Left whole, so that it can be copied.
            let _ = writeln!(text, "  {:14}{}", "by hand", printable(command));
        }
        (None, Some(why)) => field(&mut text, look, "by hand", &format!("no command resumes it: {why}")),
        (None, None) => {}
    }
    if let Some(doubt) = &row.doubt {
        field(&mut text, look, "doubtful", doubt);
    }
    list(&mut text, "Task", &task(description), look);
    list(&mut text, "Its entry says", &description.entry, look);
    list(&mut text, "Observed", &description.observed, look);
    list(&mut text, "Conversation", std::slice::from_ref(&description.verdict), look);
    list(&mut text, "Drift", &description.drifts, look);
    list(&mut text, "Last turn", &last_turn(description.last_turn.as_ref()), look);
    list(&mut text, "Headcount remembers", &remembered(&description.ledger), look);
    operations(&mut text, &description.operations, look);
    text
}

/// Since when a condition holds, and what says so.
fn condition(held: &ConditionReport) -> String {
    let since = held.since.map(|since| format!("since {}: ", stamp(since))).unwrap_or_default();
    format!("{since}{} ({})", printable(&held.evidence), held.source.as_str())
}

/// What is known of the work: where it is, and how it stands by the newest of its folders.
fn task(description: &Description) -> Vec<String> {
    let Some(about) = &description.about else { return Vec::new() };
    let named = about.slug.as_ref().map(|slug| format!("name: {slug}"));
    let issue = about.id.as_ref().zip(about.tracker.as_ref()).map(|(id, tracker)| format!("{tracker} issue: {id}"));
    let url = about.url.as_ref().map(|url| format!("address: {url}"));
    let mut lines: Vec<String> = [issue, url, named].into_iter().flatten().collect();
    let Some((newest, others)) = about.homes.split_first() else {
        lines.push("no project has a folder for it yet".to_owned());
        return lines;
    };
    lines.push(format!("folder: {}", newest.folder));
    lines.extend(newest.recap.iter().cloned());
    let told =
        ["tracker_title", "machine", "coding_agent", "agent_session_id", "zellij_session", "workspace_path", "last_synced_at"];
    let said = told.iter().filter_map(|name| Some(format!("{}: {}", name.replace('_', " "), newest.says.get(*name)?)));
    lines.extend(said);
    lines.extend(others.iter().map(|other| format!("also: {}", other.folder)));
    lines
}

/// What was said last, so much that one knows it again.
fn last_turn(turn: Option<&LastTurn>) -> Vec<String> {
    const MOST: usize = 300;
    let Some(turn) = turn else { return Vec::new() };
    let short = |text: &str| {
        let words = printable(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned();
        let cut: String = words.chars().take(MOST).collect();
        if cut.len() < words.len() { format!("{cut} …") } else { cut }
    };
    let end = turn.ended_at.map_or_else(|| turn.end.clone(), |at| format!("{} {}", turn.end, stamp(at)));
    let said = (!turn.text.is_empty()).then(|| format!("said: {}", short(&turn.text)));
    let asked = turn.prompt.as_ref().map(|prompt| format!("asked: {}", short(prompt)));
    [asked, said, Some(end)].into_iter().flatten().collect()
}

/// What `apply` would do, and why.
fn next(step: &NextStep) -> String {
    let Some(row) = &step.plan else {
        return format!("nothing: {}", step.nothing.as_deref().unwrap_or("it is not judged"));
    };
    if let Some(blocked) = &row.blocked {
        let until = blocked.until.map(|until| format!(" (until {})", stamp(until))).unwrap_or_default();
        return format!("blocked, {}: {}{until}", blocked.code.as_str(), blocked.message);
    }
    let differs = match row.differs.as_slice() {
        [] => String::new(),
        fields => format!("; it was started with other {}, which `headcount restart` changes", fields.join(", ")),
    };
    match row.action {
        Some(action) => {
            let id = row.conversation.as_ref().zip(row.rung.as_ref());
            let into = id.map(|(id, rung)| format!(" in conversation {id} ({rung})")).unwrap_or_default();
            let place = if row.place.as_deref() == Some("window") { ", in a new window" } else { "" };
            format!("{}{into}{place}{differs}", action.as_str())
        }
        None => format!("nothing: {}{differs}", step.nothing.as_deref().unwrap_or("it runs")),
    }
}

fn conversation(description: &Description) -> Option<String> {
    let row = &description.row;
    let rung = row.id_rung.as_deref().unwrap_or("no proof");
    let transcript = match (row.transcript, row.last_activity) {
        (Some(true), Some(at)) => format!(", last written {}", stamp(at)),
        (Some(true), None) | (None, _) => String::new(),
        (Some(false), _) => ", no transcript".to_owned(),
    };
    row.session_id.as_ref().map(|id| format!("{id} ({rung}){transcript}"))
}

fn remembered(ledger: &LedgerReport) -> Vec<String> {
    let mark = |what: &str, mark: &crate::core::report::describe::LedgerMark| {
        let pane = mark.pane.as_deref().map(|pane| format!(" in pane {pane}")).unwrap_or_default();
        format!("last {what}: {}{pane} (operation {})", stamp(mark.at), mark.operation)
    };
    let lines = [
        ledger.led_by.as_ref().map(|manifest| format!("led by {manifest}")),
        ledger.wanted_since.map(|since| format!("what it wants now was first seen {}", stamp(since))),
        ledger.assigned.as_ref().map(|id| format!("began conversation {id} itself")),
        ledger.started.as_ref().map(|it| mark("start", it)),
        ledger.stopped.as_ref().map(|it| mark("stop", it)),
    ];
    lines.into_iter().flatten().collect()
}

//! One event of `watch` as one line for people. Decides nothing.

use super::{Style, Terminal, class_style, plural};
use crate::core::crew::TaskState;
use crate::core::events::{BlockedEvent, Event};
use crate::core::job::JobStatus;
use crate::core::lead::Outcome;
use crate::core::lead::conditions::Condition;
use crate::core::lead::send::SendOutcome;
use crate::core::report::DriftState;
use crate::core::text::{printable, stamp};

/// The line, with its newline.
pub(crate) fn line(event: &Event, look: &Terminal) -> String {
    let (style, text) = match event {
        Event::Started(event) => {
            let note = if event.dry_run { ", recording nothing" } else { "" };
            (Style::Strong, format!("watching {} on {}{note}", printable(&event.manifest), printable(&event.host)))
        }
        Event::Drift(event) => {
            let drift = &event.drift;
            let refusal = drift.refusal.as_ref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
            let state = match drift.state {
                DriftState::Applied => String::new(),
                state => format!(", {}{refusal}", word(state)),
            };
            let held = held(event.left_out, event.muted_until.map(stamp));
            (class_style(drift.class), format!("{} ({}{state}){held}", drift.message, drift.class))
        }
        Event::Resolved(event) => {
            (Style::Good, format!("{}{}", event.message, held(event.left_out, event.muted_until.map(stamp))))
        }
        Event::Job(event) => {
            let style = match (event.status, event.timed_out) {
                (JobStatus::Error, _) | (_, Some(_)) => Style::Warn,
                (JobStatus::Completed, _) => Style::Good,
                _ => Style::Note,
            };
            (style, printable(&event.message).into_owned())
        }
        Event::Condition(event) => {
            use Condition::{AuthFailed, Crashed, Error, NeedsInput, RateLimited};
            let style = match event.report.condition {
                AuthFailed | Crashed | Error | RateLimited => Style::Bad,
                NeedsInput => Style::Warn,
                _ => Style::Note,
            };
            (style, printable(&event.message).into_owned())
        }
        Event::Planned(event) => (Style::Note, printable(&event.message).into_owned()),
        Event::Operation(event) => {
            let style = if matches!(event.report.outcome, Outcome::Done | Outcome::Skipped) { Style::Good } else { Style::Bad };
            (style, printable(&event.message).into_owned())
        }
        Event::Blocked(event) => (Style::Warn, blocked(event)),
        Event::GaveUp(event) => (Style::Bad, blocked(event)),
        Event::Back(event) => (Style::Good, printable(&event.message).into_owned()),
        Event::Sent(event) => {
            let is_there = matches!(event.outcome, SendOutcome::Delivered | SendOutcome::Queued | SendOutcome::Duplicate);
            (if is_there { Style::Good } else { Style::Bad }, printable(&event.message).into_owned())
        }
        Event::Task(event) => {
            let style = match event.state {
                TaskState::Done => Style::Good,
                TaskState::Failed => Style::Bad,
                TaskState::Blocked | TaskState::RetryWait => Style::Warn,
                _ => Style::Note,
            };
            (style, printable(&event.message).into_owned())
        }
        Event::Broker(event) => (Style::Good, printable(&event.message).into_owned()),
        Event::Heartbeat(event) => {
            let last = event.last_pass.map_or_else(|| "never".to_owned(), stamp);
            let (passes, drifts) = (count(event.passes, "pass", "passes"), count(event.drifts, "drift", "drifts"));
            (Style::Dim, format!("{passes}, {drifts} reported, {} open, last pass {last}", event.open))
        }
        Event::Error(event) => (Style::Bad, format!("{}: {}", event.source, printable(&event.message))),
        Event::Stopped(event) => (
            Style::Strong,
            format!(
                "{} after {}, {} reported",
                event.reason,
                count(event.passes, "pass", "passes"),
                count(event.drifts, "drift", "drifts")
            ),
        ),
    };
    let word = format!("{:<9}", event.word());
    format!("{} {} {text}\n", look.paint(Style::Dim, &stamp(event.at())), look.paint(style, &word))
}

fn blocked(event: &BlockedEvent) -> String {
    let until = event.until.map(|until| format!(" [until {}]", stamp(until))).unwrap_or_default();
    format!("{} ({}){until}", printable(&event.message), event.code.as_str())
}

fn count(count: u64, one: &str, many: &str) -> String {
    plural(usize::try_from(count).unwrap_or(usize::MAX), one, many)
}

const fn word(state: DriftState) -> &'static str {
    match state {
        DriftState::Pending => "not recorded",
        DriftState::Settling => "settling",
        DriftState::Applied => "recorded",
        DriftState::Flagged => "only flagged",
        DriftState::Refused => "refused",
        DriftState::Ignored => "ignored",
    }
}

/// What was, or will be, left out because the session caused too many events.
fn held(left_out: usize, muted_until: Option<String>) -> String {
    let mut text = String::new();
    if left_out > 0 {
        text.push_str(&format!(" [{} of this session dropped]", plural(left_out, "event", "events")));
    }
    if let Some(until) = muted_until {
        text.push_str(&format!(" [too many events: silent until {until}]"));
    }
    text
}

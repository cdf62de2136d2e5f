//! What a live Copilot is doing, by its event log and its list of open conversations. Counts only what was written since the
//! process started.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::event::CopilotEvent;
use super::{files, tail};
use crate::agent::LiveConversation;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Activity;

/// The list of open conversations, below the home.
pub(super) const OPEN: &str = "open-sessions-state.json";
/// The most it may hold.
pub(super) const MOST: u64 = 1 << 20;

/// One conversation of the list.
#[derive(Deserialize)]
struct Open {
    #[serde(rename = "refreshedAt")]
    refreshed_at: DateTime<Utc>,
    working: bool,
}

pub(super) fn of(scene: &LiveConversation<'_>, list: &Path) -> Fact<Activity> {
    let Some(transcript) = scene.transcript else { return Fact::Absent };
    let events = match tail::records::<CopilotEvent>(&transcript.path) {
        Ok(events) => events,
        Err(why) => return Fact::Unknown(why),
    };
    let since = scene.process.started;
    match told(events.iter().filter(|event| event.timestamp >= since)) {
        // A second witness: the log is cut at its window, and may hold what this does not know.
        Some(Activity::Idle) if is_at_work(list, scene.id, since) => Fact::Seen(Activity::Working),
        told => told.map_or(Fact::Absent, Fact::Seen),
    }
}

/// What events in order come to. Before the first prompt they do not tell: a dialog may be up.
fn told<'a>(events: impl Iterator<Item = &'a CopilotEvent>) -> Option<Activity> {
    let mut turn = None;
    let mut goes_on = None;
    let (mut running, mut permissions, mut other_questions) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in events {
        match event.kind.as_str() {
            "permission.requested" => permissions.extend(event.id("requestId")),
            "permission.completed" => drop(event.id("requestId").map(|id| permissions.remove(&id))),
            kind if kind.ends_with(".requested") => other_questions.extend(event.id("requestId")),
            kind if kind.ends_with(".completed") => drop(event.id("requestId").map(|id| other_questions.remove(&id))),
            "tool.execution_start" => running.extend(event.id("toolCallId")),
            "tool.execution_complete" => drop(event.id("toolCallId").map(|id| running.remove(&id))),
            "abort" | "session.error" | "session.shutdown" => {
                (turn, goes_on) = (Some(Activity::Idle), None);
                running.clear();
                permissions.clear();
                other_questions.clear();
            }
            _ if event.is_of_a_helper() => {}
            "user.message" => turn = Some(Activity::Working),
            "assistant.turn_start" => (turn, goes_on) = (Some(Activity::Working), Some(false)),
            // A prompt has one turn for each call of the model; one that asks for tools is followed by another.
            "assistant.message" => {
                goes_on = Some(event.data.get("toolRequests").and_then(Value::as_array).is_some_and(|it| !it.is_empty()));
            }
            "assistant.turn_end" => {
                turn = goes_on.map(|goes_on: bool| if goes_on { Activity::Working } else { Activity::Idle });
            }
            _ => {}
        }
    }
    if !permissions.is_empty() {
        return Some(Activity::Waiting);
    }
    match turn {
        _ if !other_questions.is_empty() => None,
        Some(Activity::Idle) if !running.is_empty() => Some(Activity::Working),
        turn => turn,
    }
}

/// Whether the list says, since then, that this conversation is worked on. It is stale after a `kill -9`.
fn is_at_work(list: &Path, id: &ConversationId, since: DateTime<Utc>) -> bool {
    let Fact::Seen(text) = files::small(list, MOST) else { return false };
    let Ok(mut open) = serde_json::from_slice::<HashMap<String, Value>>(&text) else { return false };
    let ours = open.remove(id.as_str()).and_then(|it| serde_json::from_value::<Open>(it).ok());
    ours.is_some_and(|it| it.working && it.refreshed_at >= since)
}

#[cfg(test)]
#[path = "turn_tests.rs"]
mod tests;

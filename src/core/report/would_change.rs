//! What would change headcount's mind about a session, in lines for people. Pure; says nothing that no pass would do.

use super::rows::StatusRow;
use super::status::Observed;
use crate::core::drift::LiveAgent;
use crate::core::fact::Fact;
use crate::core::manifest::Status;
use crate::core::observe::identity::Rung;

/// The lines. `live` is the session's only agent, `decided` the rung that proves its conversation.
pub(super) fn lines(row: &StatusRow<'_>, live: Option<&LiveAgent>, decided: Option<Rung>) -> Vec<String> {
    let mut lines = vec![about_session(row)];
    if let Some(live) = live {
        lines.extend(about_conversation(row, live, decided));
    }
    let is_archived = row.row.declared == Status::Archived.as_str();
    if row.entry.is_some() && row.row.transcript == Some(true) && !is_archived {
        lines.push("its transcript gone from everywhere the agent keeps them: stale-id".to_owned());
    }
    lines
}

fn about_session(row: &StatusRow<'_>) -> String {
    let (agent, name) = (row.row.agent, &row.row.session.name);
    let is_running = row.row.declared == Status::Running.as_str();
    let renamed = row.entry.is_some_and(|(_, entry)| entry.renamed_to.is_some());
    match row.row.observed {
        Observed::Gone if is_running => format!("a session of this name with {agent} in it: not dead"),
        Observed::Gone => format!("a session of this name with {agent} in it: revived"),
        Observed::NoAgent => format!("{agent} started in any pane of the session"),
        Observed::Unknown if row.entry.is_some_and(|(entry, _)| entry.doubt.is_some()) => {
            "that key corrected in the manifest: then it is looked for where it is".to_owned()
        }
        Observed::Unknown => "an answer to what is unknown now".to_owned(),
        Observed::Elsewhere => format!("running headcount on host {}", row.row.session.host),
        Observed::Suspended => "removing `suspend: true`".to_owned(),
        Observed::Ambiguous if row.entry.is_none() => format!("all but one of its {agent} processes ending"),
        Observed::Ambiguous => "a recorded pane (id and pid) that holds one of them, or only one working in `cwd`".to_owned(),
        Observed::Alive if renamed => "the new name in the entry, or the session renamed back".to_owned(),
        Observed::Alive if row.entry.is_none() => {
            format!("an entry named {name}: it is judged by that; the end of {agent}: nothing to register")
        }
        Observed::Alive => format!("the end of the session: dead; the end of {agent} alone: agent-gone"),
    }
}

/// What would change the conversation that is believed, or make one believed.
fn about_conversation(row: &StatusRow<'_>, live: &LiveAgent, decided: Option<Rung>) -> Vec<String> {
    if row.found.is_some_and(|found| found.view_of.is_some()) {
        return vec!["an agent of its own in the session".to_owned()];
    }
    match (decided, live.agent.ladder.proof()) {
        (Some(Rung::Registry), _) => {
            vec!["another id in the agent's registry, for instance after a new conversation was begun: new-id".to_owned()]
        }
        (Some(rung), _) => vec![format!("another id on a rung above {} ({})", rung.number(), rung.as_str())],
        (None, Fact::Unknown(why)) => vec![format!("an answer to what is unknown now: {why}")],
        // It names an id, and that was not taken: somebody else claims it, or the record is newer than the start.
        (None, Fact::Seen((id, Rung::Start))) => {
            vec![format!("an id on any of rungs 1 to 3, or {id} recorded, or nobody else in it")]
        }
        (None, Fact::Seen((id, _))) => vec![format!("nobody else in {id}")],
        (None, Fact::Absent) => {
            let mut lines = vec!["an id on any of rungs 1 to 4".to_owned()];
            if row.row.session_id.is_none() {
                lines.push(
                    "exactly one unclaimed conversation on rung 5 or 6, and no other such agent in its workspace".to_owned(),
                );
            }
            lines
        }
    }
}

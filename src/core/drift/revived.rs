//! Class F: ended or never seen in the manifest, alive with its agent.

use serde_json::json;

use super::dead::BY_HEADCOUNT;
use super::settle::contradict;
use super::{Class, Disposition, Drift, Evidence, Inputs, Recording, Remedy};
use crate::core::manifest::names::Field;
use crate::core::manifest::{Session, Status};
use crate::core::observe::MuxSession;

/// The drift of an entry that does not say running while its session is alive with its agent.
pub(super) fn judge(world: &Inputs<'_>, entry: &Session, session: &MuxSession) -> Option<Drift> {
    let (matter, wanted) = match entry.recorded.status {
        Some(Status::Running) => return None,
        None => ("first seen alive".to_owned(), Disposition::Record),
        Some(Status::Archived) => ("alive though archived".to_owned(), Disposition::Flag),
        Some(ended @ (Status::Stopped | Status::Terminated)) => {
            (format!("alive again (was {})", ended.as_str()), Disposition::Record)
        }
    };
    let remedy = if wanted == Disposition::Record {
        let edits = [
            entry.entry.set(Field::Status, entry.agent, json!(Status::Running.as_str())),
            entry.entry.null_if_there(Field::TerminatedAt),
            entry.entry.null_if_there(Field::TerminationMode),
            // A person's own reason stays.
            entry.entry.null_if_there(Field::StopReason).filter(|edit| edit.from == Some(json!(BY_HEADCOUNT))),
        ];
        Remedy::Record { edits: edits.into_iter().flatten().collect(), how: Recording::Mark(Status::Running) }
    } else {
        Remedy::Flag
    };
    let until = entry.recorded.status.and_then(|_| world.fresh_until(entry.recorded.terminated_at));
    let contradicts = match &remedy {
        Remedy::Record { edits, .. } => contradict(edits),
        Remedy::Flag => true,
    };
    Some(Drift {
        class: Class::Revived,
        session: entry.key.clone(),
        agent: entry.agent,
        matter,
        remedy,
        detail: String::new(),
        evidence: vec![Evidence::new(entry.key.mux.as_str(), format!("session {} is alive with {}", session.id, entry.agent))],
        disposition: world.disposition(entry, Class::Revived, wanted, contradicts, until),
    })
}

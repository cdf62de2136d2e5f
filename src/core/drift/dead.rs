//! Class A: running in the manifest, absent from the multiplexer.

use serde_json::{Value, json};

use super::settle::contradict;
use super::{Class, Disposition, Drift, Evidence, Inputs, Recording, Remedy};
use crate::core::manifest::names::Field;
use crate::core::manifest::{Recorded, Session, Status};
use crate::core::text::stamp;

/// Why a session was stopped that headcount stopped.
pub(super) const BY_HEADCOUNT: &str = "headcount stop";

/// The drift of an entry whose session is absent; `how` is what the multiplexer said.
pub(super) fn judge(world: &Inputs<'_>, entry: &Session, how: &str) -> Drift {
    let was = match &entry.recorded.pane {
        Some(pane) => {
            let pid = pane.pid.map(|pid| format!(" {pid}")).unwrap_or_default();
            let cmd = pane.cmd.as_deref().map(|cmd| format!(", cmd {cmd}")).unwrap_or_default();
            format!(" (was pane{pid}{cmd})")
        }
        None => String::new(),
    };
    let mut evidence = vec![Evidence::new(entry.key.mux.as_str(), how)];
    evidence.extend(reboot(world, entry));
    let cause = if evidence.len() > 1 { " since the host rebooted" } else { "" };
    let set = |field, value: Value| entry.entry.set(field, entry.agent, value);
    let stopped = world.stopped_at(entry);
    evidence.extend(stopped.map(|at| Evidence::new("operation", format!("headcount stopped it at {}", stamp(at)))));
    let status = if stopped.is_some() { Status::Stopped } else { Status::Terminated };
    // What headcount ended itself needs no word on how that was found out.
    let how_it_ended = match stopped {
        Some(_) => set(Field::StopReason, json!(BY_HEADCOUNT)),
        None => set(Field::TerminationMode, json!(Recorded::AUTO_DETECTED)),
    };
    let edits: Vec<_> = [
        set(Field::Status, json!(status.as_str())),
        set(Field::TerminatedAt, json!(stamp(stopped.unwrap_or(world.observation.at)))),
        how_it_ended,
    ]
    .into_iter()
    .flatten()
    .collect();
    let disposition = world.disposition(entry, Class::Dead, Disposition::Record, contradict(&edits), None);
    Drift {
        class: Class::Dead,
        session: entry.key.clone(),
        agent: entry.agent,
        matter: match stopped {
            Some(_) => format!("stopped by headcount{was}"),
            None => format!("{} gone{cause}{was}", entry.key.mux),
        },
        remedy: Remedy::Record { edits, how: Recording::Mark(status) },
        detail: String::new(),
        evidence,
        disposition,
    }
}

/// Says that the host was booted after the session was last known to live.
fn reboot(world: &Inputs<'_>, entry: &Session) -> Option<Evidence> {
    let boot = world.observation.boot.seen()?;
    let memory = world.remembered(entry);
    let other_boot = memory.and_then(|memory| memory.boot_id.as_deref()).is_some_and(|id| id != boot.id);
    other_boot.then(|| Evidence::new("host", format!("rebooted since it was last seen alive: booted {}", stamp(boot.at))))
}

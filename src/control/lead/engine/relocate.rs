//! A session moves to another server, in its conversation: judged, stopped, declared there, resumed. Killed in between it is where
//! its entry says, and the next start goes on in it.

use std::time::Instant;

use super::report::OperationDraft;
use super::{Engine, Progress, Shown, Tell, about, entry_of, line, plan_patiently};
use crate::control::lead::{LeadRequest, Planned, amend, startable, unfit_name};
use crate::control::observe::Observer;
use crate::core::drift::Presence;
use crate::core::ids::{MuxKind, SessionKey};
use crate::core::lead::{ActionKind, BlockCode, OperationReport, Outcome, Standing, Wish, kept_from, lead_fields};
use crate::core::manifest::Session;
use crate::core::text::printable;
use crate::mux;

/// Moves a session to another server.
pub fn relocate(
    world: &Observer,
    request: &LeadRequest,
    planned: &Planned,
    (session, to): (&Session, (MuxKind, &str)),
    tell: Tell<'_>,
) -> OperationReport {
    let report = Engine::new(world, request, planned, tell).relocate(session, to);
    tell(Progress::Ended(&report));
    report
}

impl Engine<'_> {
    fn relocate(&self, session: &Session, (mux, server): (MuxKind, &str)) -> OperationReport {
        let key = &session.key;
        let new = SessionKey { mux, server: server.to_owned(), ..key.clone() };
        let draft = OperationDraft::of(key, session.agent, ActionKind::Move);
        if *key == new {
            return draft.skipped("it is there already");
        }
        if let Some(blocked) = unfit_name(self.world, &new) {
            return draft.refused(blocked.code, blocked.message);
        }
        if let Some(blocked) = self.held(key) {
            return draft.refused(blocked.code, blocked.message);
        }
        // What it goes on in has to be recorded before it ends.
        self.record(key);
        let planned = match plan_patiently(self.world, &about(self.request, key, Wish::Restart)) {
            Ok(planned) => planned,
            Err(error) => return draft.failed(Outcome::Failed, line(&error)),
        };
        let Some((session, verdict)) = entry_of(&planned.pass, key) else {
            return draft.failed(Outcome::Failed, "its entry is gone".to_owned());
        };
        let there = mux::of(new.mux).list(self.world.host.as_ref(), &self.world.env, &new.server);
        let manifest = planned.pass.manifest();
        if let Some(blocked) = kept_from(manifest, self.world.host.name(), session, &new, &there) {
            return draft.refused(blocked.code, blocked.message);
        }
        if let Err(error) = amend::try_rekey(self.world, &self.request.pass, key, &new) {
            return draft.failed(Outcome::Refused, line(&error));
        }
        let standing = planned.judged.iter().find(|one| one.index == session.index).map(|one| &one.standing);
        let action = match (&verdict.presence, standing) {
            (Presence::Unknown(why), _) => return draft.refused(BlockCode::Unknown, why.clone()),
            (Presence::Absent { .. } | Presence::NoAgent { .. }, _) => None,
            (_, Some(Standing::Planned(action))) => Some(action),
            (_, Some(Standing::Blocked(blocked))) => return draft.refused(blocked.code, blocked.message.clone()),
            (_, Some(Standing::Unled | Standing::Met(_)) | None) => {
                return draft.refused(BlockCode::Unknown, "how it would be restarted is not known".to_owned());
            }
        };
        let Some(action) = action else {
            return match self.declare_there(key, &new) {
                Ok(()) => {
                    let mut draft = draft;
                    draft.report.session = new;
                    draft.failed(Outcome::Done, "it does not run; its next start is there".to_owned())
                }
                Err(why) => draft.failed(Outcome::Failed, why),
            };
        };
        // What could not go on there is not stopped here.
        let moved = Session { key: new.clone(), ..session.clone() };
        if let Some(blocked) = startable(self.world, self.request, &planned, &moved) {
            return draft.refused(blocked.code, blocked.message);
        }
        let begun = Instant::now();
        let shown = Shown { action, fields: lead_fields(session) };
        let mux_back = if mux == key.mux { String::new() } else { format!(" --mux {}", key.mux) };
        let (name, server) = (shell_words::quote(&key.name), shell_words::quote(&key.server));
        let (agent, back) =
            (session.agent, printable(&format!("`headcount move {name}{mux_back} --server {server}`")).into_owned());
        let stopped = self.step((key, agent), ActionKind::Stop, Wish::Restart, Some(&shown));
        let report = match stopped.outcome {
            Outcome::Failed | Outcome::Refused | Outcome::Unverified => stopped,
            Outcome::Done | Outcome::Skipped => match self.declare_there(key, &new) {
                Ok(()) => {
                    let report = self.start_again((&new, agent));
                    match report.outcome {
                        Outcome::Done | Outcome::Skipped => report,
                        Outcome::Failed | Outcome::Refused | Outcome::Unverified => {
                            let why = report.why.clone().unwrap_or_default();
                            OperationReport { why: Some(format!("{why}; {back} takes it back")), ..report }
                        }
                    }
                }
                Err(why) => {
                    let again = self.start_again((key, agent));
                    let how = if again.outcome == Outcome::Done { "it goes on where it was" } else { "it is stopped" };
                    OperationReport { outcome: Outcome::Failed, why: Some(format!("{why}; {how}")), ..again }
                }
            },
        };
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        OperationReport { action: ActionKind::Move, took_ms, ..report }
    }

    /// Writes into the entry where its session is from now on; what is known of it follows.
    fn declare_there(&self, key: &SessionKey, new: &SessionKey) -> Result<(), String> {
        match amend::rekey(self.world, &self.request.pass, (key, new), &self.request.by) {
            Ok(amended) if amended.entry.is_some() => {
                for path in &amended.saved {
                    let path = path.display();
                    let note = format!("another program saved the manifest meanwhile; its version is kept in {path}");
                    (self.tell)(Progress::Note(&note));
                }
                self.note(self.ledger.change(|ledger| ledger.rename(key, new)));
                Ok(())
            }
            Ok(_) => Err("its entry is gone".to_owned()),
            Err(error) => Err(line(&error)),
        }
    }
}

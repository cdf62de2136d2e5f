//! A session gets another name: where it runs, by its immutable id, and then in the manifest. Nothing is stopped. Killed between the
//! two it leaves a session that the next pass shows as renamed, and that the next rename to the same name finishes.

use super::report::OperationDraft;
use super::{Engine, Progress, Tell, about, effects, entry_of, line, plan_patiently, recover};
use crate::control::lead::{LeadRequest, Planned, amend, unfit_name};
use crate::control::observe::Observer;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::{
    ActionKind, OperationReport, Outcome, Permit, RenameScene, Renaming, Standing, Target, Wish, judge_rename,
};
use crate::core::manifest::Session;
use crate::core::text::printable;

/// Gives a session and its entry another name.
pub fn rename(
    world: &Observer,
    request: &LeadRequest,
    planned: &Planned,
    (session, to): (&Session, &str),
    tell: Tell<'_>,
) -> OperationReport {
    let report = Engine::new(world, request, planned, tell).rename((&session.key, session.agent), to);
    tell(Progress::Ended(&report));
    report
}

impl Engine<'_> {
    fn rename(&self, (key, agent): (&SessionKey, AgentKind), to: &str) -> OperationReport {
        let new = SessionKey { name: to.to_owned(), ..key.clone() };
        let mut draft = OperationDraft::of(key, agent, ActionKind::Rename);
        if *key == new {
            return draft.skipped("it is called so already");
        }
        if let Some(blocked) = unfit_name(self.world, &new) {
            return draft.refused(blocked.code, blocked.message);
        }
        let mut locks = Vec::new();
        let is_apart = key.mux.spelling(&key.name) != key.mux.spelling(to);
        for one in [Some(key), Some(&new).filter(|_| is_apart)].into_iter().flatten() {
            match self.lock(one) {
                Ok(lock) => locks.push(lock),
                Err((code, why)) => return draft.refused(code, why),
            }
        }
        let open = self.operations.open().into_iter().map(|past| past.operation);
        let begun: Option<Renaming> =
            open.filter(|it| it.session == *key).filter_map(|it| it.renaming).find(|renaming| renaming.to == to);
        for one in [key, &new] {
            if let Err(blocked) = recover::resolve(self.world, &self.operations, one, false) {
                return draft.refused(blocked.code, blocked.message);
            }
        }
        if let Some(blocked) = self.held(key) {
            return draft.refused(blocked.code, blocked.message);
        }
        let planned = match plan_patiently(self.world, &about(self.request, key, Wish::Manifest)) {
            Ok(planned) => planned,
            Err(error) => return draft.failed(Outcome::Failed, line(&error)),
        };
        let Some((session, _)) = entry_of(&planned.pass, key) else {
            return draft.failed(Outcome::Failed, "its entry is gone".to_owned());
        };
        let ledger = match self.ledger.read() {
            Ok(ledger) => ledger,
            Err(error) => return draft.failed(Outcome::Failed, line(&error)),
        };
        let scene = RenameScene {
            inputs: planned.pass.inputs(),
            verdict: planned.pass.verdict(),
            ledger: &ledger,
            manifest: &self.manifest,
            take: self.request.take,
            begun: begun.as_ref(),
        };
        let action = match judge_rename(&scene, session, to) {
            Ok(action) => action,
            Err(blocked) => return draft.refused(blocked.code, blocked.message),
        };
        if let Err(error) = amend::try_rekey(self.world, &self.request.pass, key, &new) {
            return draft.failed(Outcome::Refused, line(&error));
        }
        let operation = self.operation(session, &action);
        let files = match self.operations.begin(&operation) {
            Ok(files) => files,
            Err(error) => return draft.failed(Outcome::Failed, line(&error)),
        };
        draft.report.id = Some(operation.id.clone());
        let target = action.target.clone();
        let Some(permit) = Permit::new(&operation, &Standing::Planned(action)) else {
            return draft.failed(Outcome::Failed, "internal error: nothing was permitted".to_owned());
        };
        if let Target::Renamed(renaming) = &target {
            let said = effects::rename(self.world, &permit, to);
            if let Err((outcome, why)) = self.is_called(key, renaming, &new, said.err()) {
                return self.end(&files, draft.failed(outcome, why));
            }
            draft.report.verified_by.push(format!("{} calls session {} so", key.mux, renaming.session));
        }
        // Before its entry, so that a rename that is finished later finds it done.
        let (take, manifest) = (self.request.take, &self.manifest);
        self.note(self.ledger.change(|ledger| {
            ledger.rename(key, &new);
            if take {
                ledger.entry(&new).led_by = Some(manifest.clone());
            }
        }));
        let written = amend::rekey(self.world, &self.request.pass, (key, &new), &self.request.by);
        let report = match written {
            Ok(amended) if amended.entry.is_some() => {
                for path in &amended.saved {
                    let path = path.display();
                    let note = format!("another program saved the manifest meanwhile; its version is kept in {path}");
                    (self.tell)(Progress::Note(&note));
                }
                draft.report.verified_by.push("its entry says so".to_owned());
                draft.report.session = new.clone();
                draft.failed(Outcome::Done, format!("it was called {} before", printable(&key.name)))
            }
            Ok(_) => draft.failed(Outcome::Failed, "its entry is gone".to_owned()),
            Err(error) => {
                let mut why = line(&error);
                self.note(self.ledger.change(|ledger| ledger.rename(&new, key)));
                if let Target::Renamed(renaming) = &target {
                    let said = effects::rename(self.world, &permit, &key.name);
                    why.push_str(match self.is_called(&new, renaming, key, said.err()) {
                        Ok(()) => "; the session has its old name again",
                        Err(_) => "; the session keeps the new name: `headcount rename` finishes it",
                    });
                }
                draft.failed(Outcome::Failed, why)
            }
        };
        let is_done = report.outcome == Outcome::Done;
        let report = self.end(&files, report);
        if is_done {
            self.record(&new);
        }
        report
    }

    /// Looks whether a session has its new name: what a multiplexer says of a command is no proof.
    fn is_called(
        &self,
        old: &SessionKey,
        renaming: &Renaming,
        new: &SessionKey,
        said: Option<String>,
    ) -> Result<(), (Outcome, String)> {
        let planned = plan_patiently(self.world, &about(self.request, old, Wish::Manifest));
        let planned = planned.map_err(|error| (Outcome::Unverified, line(&error)))?;
        let server = match planned.pass.observation().servers.get(&old.server_key()) {
            Some(Fact::Seen(server)) => server,
            Some(Fact::Unknown(why)) => return Err((Outcome::Unverified, why.clone())),
            Some(Fact::Absent) | None => return Err((Outcome::Failed, "its server has ended".to_owned())),
        };
        let session = server.sessions.iter().find(|it| renaming.is_of(server, it));
        match session {
            Some(session) if new.names().any(|name| name == session.name.as_str()) => Ok(()),
            Some(_) => Err((Outcome::Failed, said.unwrap_or_else(|| "it still has its old name".to_owned()))),
            None => Err((Outcome::Failed, "its session has ended".to_owned())),
        }
    }
}

//! The part of a pass that writes: manifest, journal, memory, in that order of trust. Plans again on whatever text it finds
//! under the lock.

use std::collections::HashMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::control::observe::Observer;
use crate::control::timing::timed;
use crate::core::drift::{Drift, Fingerprint, Verdict, note_written, remember};
use crate::core::manifest::Dialect;
use crate::core::memory::Memory;
use crate::core::observe::Boot;
use crate::core::plan::{Plan, Step};
use crate::core::report::{DriftReport, DriftState};
use crate::store::journal::{Intent, Journal, NewEntry, NewNote, Note};
use crate::store::manifest::{LockedManifest, ManifestFile, Snapshot, TextChange, database_beside};

use super::{Draft, Judged, Pass, PassError, PassOptions, Stage, state_file};

/// Records what drifted and remembers what was seen.
pub(super) fn record(world: &Observer, options: &PassOptions, file: &ManifestFile, stage: Stage) -> Result<Pass, PassError> {
    let judged = stage.judge(options, false);
    let memory = timed("remember", || memory_after(&stage, &judged, options));
    let writes = !judged.draft.plan.steps.is_empty();
    if !writes && memory == stage.memory {
        return Ok(stage.finish(world, options, judged, Vec::new()));
    }
    let mut locked = match file.lock(&options.update) {
        Ok(locked) => locked,
        Err(error) if writes => return Err(error.into()),
        Err(error) => {
            let mut stage = stage;
            stage.notes.push(format!("cannot save which drifts were reported: {}", PassError::line(&error)));
            return Ok(stage.finish(world, options, judged, Vec::new()));
        }
    };
    let directory = options.state_home.of_manifest(locked.path());
    let journal = Journal::new(&directory).waiting(options.update.lock_wait);
    let mut attempt = Attempt { world, options, journal: &journal, stage, judged, memory, intent: None };
    let outcome = timed("write the manifest", || locked.update(|snapshot| attempt.plan(snapshot)))?;
    let Attempt { mut stage, judged, memory, intent, .. } = attempt;
    let is_written = matches!(outcome.change, TextChange::Written { .. });
    if is_written {
        world.cache.keep_edition(&judged.draft.edition);
        if let Some(versions) = &options.versions {
            versions.wrote(&judged.draft.edition);
        }
        stage.notes.extend(overwriter(&stage, locked.path()));
    }
    if let Some(intent) = intent {
        let decided = if is_written { journal.commit(intent) } else { journal.abort(intent) };
        stage.notes.extend(decided.err().map(|error| PassError::line(&error)));
    }
    let noted = journal.note(kept(&outcome.saved, stage.observation.at, stage.observation.boot.seen()));
    stage.notes.extend(noted.err().map(|error| PassError::line(&error)));
    timed("save the memory", || save_memory(&mut stage, world, options, (&judged, is_written), memory, &locked));
    Ok(stage.finish(world, options, judged, outcome.saved))
}

/// What the journal says of versions of the manifest that were kept beside it.
pub(in crate::control) fn kept(saved: &[PathBuf], at: DateTime<Utc>, boot: Option<&Boot>) -> Vec<NewNote> {
    let note = |path: &PathBuf| NewNote {
        kind: Note::KEPT,
        at,
        boot: boot.map(|boot| boot.id.clone()),
        session: None,
        message: format!("Another program saved the manifest meanwhile. Its version is kept in {}.", path.display()),
        undoes: None,
        former: None,
    };
    saved.iter().map(note).collect()
}

/// What may take back what was written just now.
fn overwriter(stage: &Stage, manifest: &std::path::Path) -> Option<String> {
    let database = database_beside(manifest).filter(|_| stage.manifest().dialect == Dialect::MultiAgentMux)?;
    Some(format!("multi-agent-mux keeps its sessions in {}; its next write may overwrite this edit", database.display()))
}

/// One try after another to plan on the text that is really there.
struct Attempt<'a> {
    world: &'a Observer,
    options: &'a PassOptions,
    journal: &'a Journal,
    stage: Stage,
    judged: Judged,
    memory: Memory,
    intent: Option<Intent>,
}

impl Attempt<'_> {
    /// The new text for this version of the manifest. What was observed for another version is not carried over: the manifest
    /// decides what has to be looked at.
    fn plan(&mut self, snapshot: &Snapshot) -> Result<Option<Vec<u8>>, PassError> {
        if snapshot.hash != self.stage.edition.hash() {
            self.stage = Stage::load(self.world, self.options, snapshot)?;
            self.judged = self.stage.judge(self.options, false);
            self.memory = memory_after(&self.stage, &self.judged, self.options);
        }
        let Judged { verdict, draft: Draft { plan, edition }, .. } = &self.judged;
        if plan.steps.is_empty() || edition.hash() == self.stage.edition.hash() {
            return Ok(None);
        }
        self.intent = Some(self.journal.begin(entries(&self.stage, verdict, plan), snapshot.hash, edition.hash())?);
        Ok(Some(edition.text().as_bytes().to_vec()))
    }
}

/// The journal's entries for a plan.
fn entries(stage: &Stage, verdict: &Verdict, plan: &Plan) -> Vec<NewEntry> {
    let drifts: HashMap<Fingerprint, &Drift> = verdict.drifts.iter().map(|drift| (drift.fingerprint(), drift)).collect();
    let entry = |step: &Step| {
        let drift = drifts.get(step.cause.drift()?)?;
        Some(NewEntry {
            at: stage.observation.at,
            boot: stage.observation.boot.seen().map(|boot| boot.id.clone()),
            manifest: stage.path.clone(),
            class: drift.class,
            session: drift.session.clone(),
            agent: drift.agent,
            message: drift.message(true),
            evidence: drift.evidence.clone(),
            edits: step.edits().to_vec(),
            undoes: None,
        })
    };
    plan.steps.iter().filter_map(entry).collect()
}

/// What is remembered after a report was given.
fn memory_after(stage: &Stage, judged: &Judged, options: &PassOptions) -> Memory {
    let Judged { verdict, report, .. } = judged;
    let is_told = |drift: &&DriftReport| options.tells_settling || drift.state != DriftState::Settling;
    let told: Vec<&DriftReport> = report.drifts.iter().filter(is_told).collect();
    let told = match &options.held {
        Some(held) => held.told(told),
        None => told,
    };
    let mut memory = remember(&stage.world(), verdict, told.iter().map(|drift| drift.id.as_str()), options.consumer.as_deref());
    // Jobs that could not be read are as they were told.
    if let (true, Some(consumer), Some(jobs)) = (options.tells_jobs, &options.consumer, stage.jobs.as_deref()) {
        memory.note_jobs(consumer, jobs, report.observed_at);
    }
    memory
}

/// Saves what was seen and told. A memory that cannot be saved stops nothing: it is said, and drifts may be announced again.
fn save_memory(
    stage: &mut Stage,
    world: &Observer,
    options: &PassOptions,
    (judged, is_written): (&Judged, bool),
    memory: Memory,
    locked: &LockedManifest,
) {
    let state = state_file(world, &options.state_home.of_manifest(locked.path()));
    let current = state.load().memory;
    let mut after = if current == stage.memory {
        memory
    } else {
        // Another pass has noted something since: what it knows is kept.
        let before = std::mem::replace(&mut stage.memory, current);
        let after = memory_after(stage, judged, options);
        stage.memory = before;
        after
    };
    if is_written {
        let given = judged.draft.plan.given_ids(stage.manifest(), &judged.verdict);
        note_written(&mut after, &stage.world(), &judged.verdict, &given);
    }
    if let Err(error) = state.save(&after, locked) {
        stage.notes.push(PassError::line(&error));
    }
}

//! The part of a pass that writes: manifest, journal, memory, in that order of trust. Plans again on whatever text it finds
//! under the lock.

use crate::control::observe::World;
use crate::control::timing::timed;
use crate::core::drift::{self, Verdict, classify, remember};
use crate::core::job::Job;
use crate::core::memory::Memory;
use crate::core::plan::Plan;
use crate::core::report::{DriftReport, Report, State};
use crate::store::journal::{Intent, Journal, NewEntry};
use crate::store::manifest::{Change, LockedManifest, ManifestFile, Snapshot};

use super::{Draft, Judged, Options, Pass, PassError, Stage, state_file};

/// Records what drifted and remembers what was seen.
pub(super) fn record(world: &World, options: &Options, file: &ManifestFile, stage: Stage) -> Result<Pass, PassError> {
    let (judged, more) = judge(&stage, options);
    let writes = !judged.draft.plan.steps.is_empty();
    if !writes && more.memory == stage.memory {
        return Ok(stage.finish(world, options, judged, Vec::new()));
    }
    let mut locked = match file.lock(&options.update) {
        Ok(locked) => locked,
        Err(error) if writes => return Err(error.into()),
        Err(error) => {
            let mut stage = stage;
            stage.notes.push(format!("what was reported cannot be remembered: {}", PassError::line(&error)));
            return Ok(stage.finish(world, options, judged, Vec::new()));
        }
    };
    let directory = options.state_home.of_manifest(locked.path());
    let journal = Journal::new(&directory);
    let mut attempt = Attempt { world, options, journal: &journal, stage, judged, more, intent: None };
    let outcome = timed("write the manifest", || locked.update(|snapshot| attempt.plan(snapshot)))?;
    let Attempt { mut stage, judged, more, intent, .. } = attempt;
    if let Change::Written { .. } = outcome.change {
        world.recall.keep_edition(&judged.draft.edition);
        if let Some(versions) = &options.versions {
            versions.wrote(&judged.draft.edition);
        }
    }
    if let Some(intent) = intent {
        let decided = match outcome.change {
            Change::Written { .. } => journal.commit(intent),
            Change::Unchanged => journal.abort(intent),
        };
        stage.notes.extend(decided.err().map(|error| PassError::line(&error)));
    }
    timed("save the memory", || save_memory(&mut stage, world, options, (&judged, more), &locked));
    Ok(stage.finish(world, options, judged, outcome.saved))
}

/// What recording needs of a verdict beside the draft and the report.
struct More {
    entries: Vec<NewEntry>,
    memory: Memory,
}

fn judge(stage: &Stage, options: &Options) -> (Judged, More) {
    stage.judge(options, false, |world, verdict, judged| More {
        entries: entries(stage, verdict, &judged.draft.plan),
        memory: timed("remember", || memory_after(world, verdict, &judged.report, options, stage.jobs.as_deref())),
    })
}

/// One try after another to plan on the text that is really there.
struct Attempt<'a> {
    world: &'a World,
    options: &'a Options,
    journal: &'a Journal,
    stage: Stage,
    judged: Judged,
    more: More,
    intent: Option<Intent>,
}

impl Attempt<'_> {
    /// The new text for this version of the manifest. What was observed for another version is not carried over: the manifest
    /// decides what has to be looked at.
    fn plan(&mut self, snapshot: &Snapshot) -> Result<Option<Vec<u8>>, PassError> {
        if snapshot.hash != self.stage.edition.hash() {
            self.stage = Stage::load(self.world, self.options, snapshot)?;
            (self.judged, self.more) = judge(&self.stage, self.options);
        }
        let Draft { plan, edition } = &self.judged.draft;
        if plan.steps.is_empty() || edition.hash() == self.stage.edition.hash() {
            return Ok(None);
        }
        self.intent = Some(self.journal.begin(self.more.entries.clone(), snapshot.hash, edition.hash())?);
        Ok(Some(edition.text().as_bytes().to_vec()))
    }
}

/// The journal's entries for a plan.
fn entries(stage: &Stage, verdict: &Verdict<'_>, plan: &Plan) -> Vec<NewEntry> {
    let entry = |step: &crate::core::plan::Step| {
        let drift = verdict.drifts.get(step.drift)?;
        Some(NewEntry {
            at: stage.observation.at,
            manifest: stage.path.clone(),
            class: drift.class,
            session: drift.session.clone(),
            agent: drift.agent,
            message: drift.message(true),
            evidence: drift.evidence.clone(),
            edits: step.edits.clone(),
            undoes: None,
        })
    };
    plan.steps.iter().filter_map(entry).collect()
}

/// What is remembered after a report was given.
fn memory_after(
    world: &drift::World<'_>,
    verdict: &Verdict<'_>,
    report: &Report,
    options: &Options,
    jobs: Option<&[Job]>,
) -> Memory {
    let is_told = |drift: &&DriftReport| options.tells_settling || drift.state != State::Settling;
    let told: Vec<&DriftReport> = report.drifts.iter().filter(is_told).collect();
    let told = match &options.held {
        Some(held) => held.told(told),
        None => told,
    };
    let mut memory = remember(world, verdict, told.iter().map(|drift| drift.id.as_str()), options.consumer.as_deref());
    // Jobs that could not be read are as they were told.
    if let (true, Some(consumer), Some(jobs)) = (options.tells_jobs, &options.consumer, jobs) {
        memory.note_jobs(consumer, jobs, report.observed_at);
    }
    memory
}

/// Saves what was seen and told. A memory that cannot be saved stops nothing: it is said, and drifts may be announced again.
fn save_memory(stage: &mut Stage, world: &World, options: &Options, (judged, more): (&Judged, More), locked: &LockedManifest) {
    let state = state_file(world, &options.state_home.of_manifest(locked.path()));
    let current = state.load().memory;
    let after = if current == stage.memory {
        more.memory
    } else {
        // Another pass has noted something since: what it knows is kept.
        let before = std::mem::replace(&mut stage.memory, current);
        let judged_by = stage.world();
        let after = memory_after(&judged_by, &classify(&judged_by), &judged.report, options, stage.jobs.as_deref());
        stage.memory = before;
        after
    };
    if let Err(error) = state.save(&after, locked) {
        stage.notes.push(PassError::line(&error));
    }
}

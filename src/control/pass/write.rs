//! The part of a pass that writes: manifest, journal, memory, in that order of trust. Plans again on whatever text it finds
//! under the lock.

use crate::control::observe::World;
use crate::core::drift::{classify, remember};
use crate::core::memory::Memory;
use crate::core::plan::Plan;
use crate::core::report::State;
use crate::store::TextHash;
use crate::store::journal::{Intent, Journal, NewEntry};
use crate::store::manifest::{Change, LockedManifest, ManifestFile, Snapshot};
use crate::store::paths::ManifestDir;
use crate::store::state::StateFile;

use super::{Draft, Options, Pass, PassError, Stage, environment};
use crate::yaml;

/// Records what drifted and remembers what was seen.
pub(super) fn record(world: &World, options: &Options, file: &ManifestFile, stage: Stage) -> Result<Pass, PassError> {
    let draft = stage.draft(&classify(&stage.world()), &options.selection);
    if draft.plan.steps.is_empty() && memory_after(&stage, &draft, options) == stage.memory {
        return Ok(stage.finish(world, options, Some(draft), Vec::new()));
    }
    let writes = !draft.plan.steps.is_empty();
    let mut locked = match file.lock(&options.update) {
        Ok(locked) => locked,
        Err(error) if writes => return Err(error.into()),
        Err(error) => {
            let mut stage = stage;
            stage.notes.push(format!("what was reported cannot be remembered: {}", PassError::line(&error)));
            return Ok(stage.finish(world, options, Some(draft), Vec::new()));
        }
    };
    let directory = options.state_home.of_manifest(locked.path());
    let journal = Journal::new(&directory);
    let mut attempt = Attempt { world, options, journal: &journal, stage, draft, intent: None };
    let outcome = locked.update(|snapshot| attempt.plan(snapshot))?;
    let Attempt { mut stage, draft, intent, .. } = attempt;
    if let (Some(versions), Change::Written { new, .. }) = (&options.versions, outcome.change)
        && let Ok(loaded) = yaml::load(&draft.text, &environment(world))
    {
        versions.wrote(new, loaded.manifest);
    }
    if let Some(intent) = intent {
        let decided = match outcome.change {
            Change::Written { .. } => journal.commit(intent),
            Change::Unchanged => journal.abort(intent),
        };
        stage.notes.extend(decided.err().map(|error| PassError::line(&error)));
    }
    save_memory(&mut stage, &draft, options, &directory, &locked);
    Ok(stage.finish(world, options, Some(draft), outcome.saved))
}

/// One try after another to plan on the text that is really there.
struct Attempt<'a> {
    world: &'a World,
    options: &'a Options,
    journal: &'a Journal,
    stage: Stage,
    draft: Draft,
    intent: Option<Intent>,
}

impl Attempt<'_> {
    /// The new text for this version of the manifest. What was observed for another version is not carried over: the manifest
    /// decides what has to be looked at.
    fn plan(&mut self, snapshot: &Snapshot) -> Result<Option<Vec<u8>>, PassError> {
        if snapshot.hash != self.stage.hash {
            self.stage = Stage::load(self.world, self.options, snapshot)?;
            self.draft = self.stage.draft(&classify(&self.stage.world()), &self.options.selection);
        }
        if self.draft.plan.steps.is_empty() || self.draft.text == self.stage.text {
            return Ok(None);
        }
        let text = self.draft.text.clone().into_bytes();
        let after = TextHash::of(&text);
        self.intent = Some(self.journal.begin(entries(&self.stage, &self.draft.plan), snapshot.hash, after)?);
        Ok(Some(text))
    }
}

/// The journal's entries for a plan.
fn entries(stage: &Stage, plan: &Plan) -> Vec<NewEntry> {
    let verdict = classify(&stage.world());
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

fn memory_after(stage: &Stage, draft: &Draft, options: &Options) -> Memory {
    let judged = stage.world();
    let verdict = classify(&judged);
    // What is remembered does not depend on the diff, which is dear.
    let mut told = stage.report(&judged, &verdict, (&draft.plan, ""), options, false);
    if !options.tells_settling {
        told.drifts.retain(|drift| drift.state != State::Settling);
    }
    remember(&judged, &verdict, &told, options.consumer.as_deref())
}

/// Saves what was seen and told. A memory that cannot be saved stops nothing: it is said, and drifts may be announced again.
fn save_memory(stage: &mut Stage, draft: &Draft, options: &Options, directory: &ManifestDir, locked: &LockedManifest) {
    let state = StateFile::new(directory);
    let memory = std::mem::replace(&mut stage.memory, state.load().memory);
    let after = memory_after(stage, draft, options);
    stage.memory = memory;
    if let Err(error) = state.save(&after, locked) {
        stage.notes.push(PassError::line(&error));
    }
}

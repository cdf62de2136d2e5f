//! One pass: load, observe, classify, plan, apply, report. Owns the order of the stages; decides nothing itself.

mod error;
mod held;
mod jobs;
mod options;
mod passer;
mod past;
mod versions;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

use super::cache::edition::ParsedManifest;
use super::observe::{self, Observer};
use super::timing::timed;
use crate::agent::{Agents, resume};
use crate::core::drift::{self, Fingerprint, Verdict, classify};
use crate::core::ids::SessionKey;
use crate::core::job::{Job, JobId};
use crate::core::manifest::select::Selection;
use crate::core::manifest::{Environment, Manifest};
use crate::core::memory::{JobTold, Memory};
use crate::core::observe::Observation;
use crate::core::plan::{self, Plan, Step};
use crate::core::report::Report;
use crate::core::report::explain::explain;
use crate::core::report::make::{self, ReportInputs};
use crate::core::report::rows;
use crate::core::report::status::{Explanation, StatusReport};
use crate::host::Environ;
use crate::host::parallel::alongside;
use crate::store::TextHash;
use crate::store::manifest::{ManifestFile, Pace, Snapshot};
use crate::store::paths::ManifestDir;
use crate::store::state::StateFile;
use crate::yaml::{self, Diagnostic, LoadedManifest};
pub use error::PassError;
pub use held::{MuteBudget, note_told};
pub use options::{Mode, PassOptions};
pub use passer::PassRunner;
use past::PastActs;
pub use versions::{ManifestHistory, SuddenShrink};
pub(in crate::control) use write::kept;

/// The consumer whose "already reported" set commands that only look compare with.
pub const DEFAULT_CONSUMER: &str = "reconcile";

/// What a pass gives back.
pub struct Pass {
    /// The report.
    pub report: Report,
    /// Versions of the manifest that were kept beside it because someone saved during the write.
    pub saved: Vec<PathBuf>,
    written: Option<Arc<ParsedManifest>>,
    verdict: Verdict,
    stage: Stage,
    consumer: Option<String>,
    env: Environ,
}

impl Pass {
    /// The text of the manifest the pass was planned on.
    pub fn text(&self) -> &str {
        self.stage.edition.text()
    }

    /// What it left as the manifest.
    pub fn left(&self) -> ManifestVersion {
        let Stage { edition, modified, path, .. } = &self.stage;
        ManifestVersion {
            edition: Arc::clone(self.written.as_ref().unwrap_or(edition)),
            modified: *modified,
            path: path.clone(),
        }
    }

    /// What was seen.
    pub fn observation(&self) -> &Observation {
        &self.stage.observation
    }

    /// The file the manifest is in, symlinks resolved.
    pub fn path(&self) -> &Path {
        &self.stage.path
    }

    /// What it was planned on, as a value.
    pub fn manifest(&self) -> &Manifest {
        self.stage.manifest()
    }

    /// Warnings about the manifest; they point into its text.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.stage.loaded.warnings
    }

    /// The delegated jobs; `None` if there is no registry or it could not be read.
    pub fn jobs(&self) -> Option<&[Job]> {
        self.stage.jobs.as_deref()
    }

    /// How the jobs were when the consumer was last told of them by an earlier pass; `None` if it never was.
    pub fn jobs_told(&self) -> Option<&BTreeMap<JobId, JobTold>> {
        self.stage.memory.jobs.get(self.consumer.as_deref()?)
    }

    /// Things that went wrong without stopping the pass, one line each.
    pub fn notes(&self) -> &[String] {
        &self.stage.notes
    }

    /// The names asked for, without wildcards, that no session has: none that is declared, none that was found to be ours.
    pub fn missing(&self) -> Vec<&str> {
        let declared = |name: &str| self.stage.manifest().sessions.iter().any(|session| session.key.name == name);
        let drifted = |name: &str| self.report.drifts.iter().any(|drift| drift.session.name == name);
        let names = self.stage.selection.names.iter().map(String::as_str).filter(|name| !name.contains(['*', '?']));
        let mut missing: Vec<&str> = names.filter(|name| !declared(name) && !drifted(name)).collect();
        if !missing.is_empty() {
            missing.retain(|name| !self.verdict.found.iter().any(|found| found.key.name == *name));
        }
        missing
    }

    /// The rows of `status`, for the selected sessions.
    pub fn status(&self) -> StatusReport {
        rows::status(&self.report, &self.rows())
    }

    /// One explanation per row of [`Pass::status`], in the same order.
    pub fn explanations(&self) -> Vec<Explanation> {
        let judged = self.stage.world();
        self.rows().iter().map(|row| explain(&judged, row, &self.report)).collect()
    }

    /// What was judged.
    pub(in crate::control) fn inputs(&self) -> drift::Inputs<'_> {
        self.stage.world()
    }

    /// What was concluded.
    pub(in crate::control) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    fn rows(&self) -> Vec<rows::StatusRow<'_>> {
        let agents = Agents::with(&self.manifest().agents);
        let resume = |conversation: &rows::Resumable<'_>| resume::command(&agents, conversation, &self.env);
        rows::rows(&self.stage.world(), &self.verdict, &self.report, &self.stage.selection, &resume)
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass").field("report", &self.report).field("saved", &self.saved).finish_non_exhaustive()
    }
}

/// Runs a pass.
///
/// # Errors
/// The manifest cannot be read, does not load, or (with [`Mode::Record`]) cannot be locked or written.
pub fn run(world: &Observer, options: &PassOptions) -> Result<Pass, PassError> {
    let known = options.versions.as_ref().and_then(ManifestHistory::last);
    let file = ManifestFile::open(&options.manifest)?.with_pace(Pace { known, ..Pace::default() });
    let stage = Stage::load(world, options, &file.read()?)?;
    match options.mode {
        Mode::Look => Ok(stage.look_only(world, options)),
        Mode::Record => write::record(world, options, &file, stage),
    }
}

/// Looks at the world for the text that another pass left as the manifest, whatever the file says now. Records nothing.
///
/// # Errors
/// None that the earlier pass did not have.
pub fn look_again(world: &Observer, options: &PassOptions, earlier: &ManifestVersion) -> Result<Pass, PassError> {
    let ManifestVersion { edition, modified, path } = earlier;
    let read = || Ok(Arc::clone(edition));
    let mut stage = Stage::look(world, options, &read, *modified, path).map_err(|all| invalid(options, edition.text(), all))?;
    if let Some(versions) = &options.versions {
        stage.touched = versions.touched(stage.observation.at, stage.settle);
    }
    Ok(stage.look_only(world, options))
}

/// What a pass left as the manifest.
#[derive(Debug, Clone)]
pub struct ManifestVersion {
    edition: Arc<ParsedManifest>,
    modified: DateTime<Utc>,
    path: PathBuf,
}

impl ManifestVersion {
    /// The hash of the text.
    pub(in crate::control) fn hash(&self) -> TextHash {
        self.edition.hash()
    }

    /// Reads ahead what the next pass over it needs. Its mistakes are that pass's to tell.
    pub(in crate::control) fn read_ahead(&self) {
        let _ = self.edition.loaded();
    }

    /// The file it was left in, symlinks resolved.
    pub(in crate::control) fn path(&self) -> &Path {
        &self.path
    }
}

/// One version of the manifest with everything that was seen about it.
struct Stage {
    edition: Arc<ParsedManifest>,
    loaded: Arc<LoadedManifest>,
    modified: DateTime<Utc>,
    path: PathBuf,
    observation: Observation,
    memory: Memory,
    jobs: Option<Vec<Job>>,
    notes: Vec<String>,
    settle: TimeDelta,
    touched: BTreeMap<SessionKey, DateTime<Utc>>,
    past: PastActs,
    selection: Selection,
}

/// What would be, or was, written.
struct Draft {
    plan: Plan,
    /// The new text; the old one if nothing changes.
    edition: Arc<ParsedManifest>,
}

/// What one classification of a world comes to: everything that a pass needs of it.
struct Judged {
    verdict: Verdict,
    draft: Draft,
    report: Report,
}

impl Stage {
    /// Loads a version of the manifest and looks at the world for it.
    fn load(world: &Observer, options: &PassOptions, snapshot: &Snapshot) -> Result<Self, PassError> {
        if !snapshot.settled {
            return Err(PassError::BeingWritten { path: snapshot.path.clone() });
        }
        let text = yaml::decode(&snapshot.bytes).map_err(|diagnostic| PassError::Invalid {
            path: options.manifest.clone(),
            text: String::from_utf8_lossy(&snapshot.bytes).into_owned(),
            diagnostics: vec![diagnostic],
        })?;
        let read = || world.cache.edition(snapshot.hash, || ParsedManifest::read(snapshot.hash, text, environment(world)));
        let mut stage = Self::look(world, options, &read, snapshot.modified, &snapshot.path)
            .map_err(|diagnostics| invalid(options, text, diagnostics))?;
        // The command line's names may be aliases that only this manifest knows.
        for wanted in &mut stage.selection.agents {
            let agents = &stage.loaded.manifest.agents;
            let unknown = || PassError::UnknownAgent { agent: *wanted, known: agents.kinds().collect() };
            *wanted = agents.find(wanted.as_str()).ok_or_else(unknown)?;
        }
        if let Some(versions) = &options.versions {
            let seen = versions.see(&stage.edition, stage.manifest(), stage.observation.at, stage.settle);
            stage.touched = seen.map_err(|shrunken| PassError::Shrunken { path: snapshot.path.clone(), shrunken })?;
        }
        Ok(stage)
    }

    /// Loads a text, wherever it comes from, and looks at the world for it.
    fn look(
        world: &Observer,
        options: &PassOptions,
        read: &(dyn Fn() -> Result<Arc<ParsedManifest>, Vec<Diagnostic>> + Sync),
        modified: DateTime<Utc>,
        path: &Path,
    ) -> Result<Self, Vec<Diagnostic>> {
        let enough = &AtomicBool::new(false);
        let (edition, loaded, state, mut observation) = std::thread::scope(|scope| -> Result<_, Vec<Diagnostic>> {
            // The default server is asked in any case, so it may think while the manifest is read.
            let ahead = alongside(scope, move || observe::look_ahead(world, enough));
            let read = || {
                let edition = read()?;
                let loaded = past::with_workers(edition.loaded()?, &options.state_home, path);
                Ok::<_, Vec<Diagnostic>>((edition, loaded))
            };
            let read = timed("read the manifest", read);
            enough.store(true, Ordering::Relaxed);
            let (edition, loaded) = read?;
            let state = timed("load the memory", || state_file(world, &options.state_home.of_manifest(path)).load());
            let observation =
                timed("look at the world", || observe::observe_with(world, &loaded.manifest, &state.memory, Some(ahead)));
            Ok((edition, loaded, state, observation))
        })?;
        observation.vantage.is_guest = observe::vantage::is_guest(path);
        if options.strict && !loaded.warnings.is_empty() {
            let fatal = loaded.warnings.iter().map(|diagnostic| Diagnostic { fatal: true, ..diagnostic.clone() });
            return Err(fatal.collect());
        }
        let mut notes: Vec<String> = state.warning.iter().map(|warning| PassError::line(warning)).collect();
        let past = PastActs::of(&options.state_home, path, (&loaded.manifest, &observation), &mut notes);
        let jobs = timed("read the jobs", || jobs::read(options.jobs.as_ref(), &mut notes));
        Ok(Self {
            edition,
            loaded,
            modified,
            path: path.to_owned(),
            observation,
            memory: state.memory,
            jobs,
            notes,
            settle: TimeDelta::from_std(options.settle).unwrap_or(TimeDelta::MAX),
            touched: BTreeMap::new(),
            past,
            selection: options.selection.clone(),
        })
    }

    fn manifest(&self) -> &Manifest {
        &self.loaded.manifest
    }

    fn world(&self) -> drift::Inputs<'_> {
        drift::Inputs {
            manifest: self.manifest(),
            manifest_modified: Some(self.modified),
            observation: &self.observation,
            memory: &self.memory,
            jobs: self.jobs.as_deref().unwrap_or_default(),
            settle: self.settle,
            touched: &self.touched,
            stops: &self.past.stops,
            left: &self.past.left,
        }
    }

    /// What a pass that records would write: the plan less the steps whose edits are refused, and the text they make.
    fn draft(&self, verdict: &Verdict) -> Draft {
        let mut plan = plan::make(self.manifest(), verdict, &self.selection);
        while !plan.steps.is_empty() {
            match self.edition.edited(&plan.edits()) {
                Ok(edition) => return Draft { plan, edition: Arc::new(edition) },
                Err(_) => plan = plan.without(self.manifest(), &verdict.drifts, &refused(&self.edition, &plan.steps)),
            }
        }
        Draft { plan, edition: Arc::clone(&self.edition) }
    }

    /// Judges, drafts and reports; nothing is written.
    fn look_only(self, world: &Observer, options: &PassOptions) -> Pass {
        let judged = self.judge(options, true);
        self.finish(world, options, judged, Vec::new())
    }

    /// Classifies, once a pass, and drafts what follows from it.
    fn judge(&self, options: &PassOptions, dry_run: bool) -> Judged {
        let world = self.world();
        let verdict = timed("classify", || classify(&world));
        let draft = timed("draft the edits", || self.draft(&verdict));
        let label = options.manifest.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let report = timed("report", || {
            let diff =
                yaml::unified_diff_between(self.edition.text(), draft.edition.text(), &label, ["(declared)", "(observed)"]);
            self.report(&world, &verdict, (&draft.plan, &diff), options, dry_run)
        });
        Judged { verdict, draft, report }
    }

    /// The pass that this was.
    fn finish(self, world: &Observer, options: &PassOptions, judged: Judged, saved: Vec<PathBuf>) -> Pass {
        let Judged { verdict, draft, report } = judged;
        let written = (!report.dry_run).then_some(draft.edition);
        Pass { report, saved, written, verdict, stage: self, consumer: options.consumer.clone(), env: world.env.clone() }
    }

    fn report(
        &self,
        judged: &drift::Inputs<'_>,
        verdict: &Verdict,
        (plan, diff): (&Plan, &str),
        options: &PassOptions,
        dry_run: bool,
    ) -> Report {
        let none = BTreeSet::new();
        let name = std::path::absolute(&options.manifest).unwrap_or_else(|_| options.manifest.clone());
        let outcome = ReportInputs {
            manifest: &name.to_string_lossy(),
            dry_run,
            plan,
            diff,
            reported: self.memory.reported.get(options.consumer.as_deref().unwrap_or(DEFAULT_CONSUMER)).unwrap_or(&none),
            first_seen: &self.memory.first_seen,
            selection: &self.selection,
        };
        make::make(judged, verdict, &outcome)
    }
}

/// The state file in this directory, with what is known of it.
pub(in crate::control) fn state_file(world: &Observer, directory: &ManifestDir) -> StateFile {
    StateFile::new(directory).with_known(world.cache.known_state())
}

fn invalid(options: &PassOptions, text: &str, diagnostics: Vec<Diagnostic>) -> PassError {
    PassError::Invalid { path: options.manifest.clone(), text: text.to_owned(), diagnostics }
}

/// What `~` and the default host of a manifest stand for in this world.
pub fn environment(world: &Observer) -> Environment {
    Environment { home: world.env.path("HOME").unwrap_or_default(), host: world.host.name().to_owned() }
}

/// The drifts whose steps cannot be applied to a text, and why: by halving, so that one bad step among a thousand costs ten
/// tries.
fn refused(edition: &ParsedManifest, steps: &[Step]) -> BTreeMap<Fingerprint, String> {
    let mut found = BTreeMap::new();
    halve(edition, steps, &mut found);
    if found.is_empty() {
        // No part is bad by itself: the last step is the one that does not go with the others.
        let why = "it conflicts with the other changes of this pass; headcount retries it in the next one".to_owned();
        found.extend(steps.last().and_then(|step| Some((step.cause.drift()?.clone(), why))));
    }
    found
}

fn halve(edition: &ParsedManifest, steps: &[Step], found: &mut BTreeMap<Fingerprint, String>) {
    let edits: Vec<_> = steps.iter().flat_map(|step| step.edits().iter().cloned()).collect();
    let Err(refusal) = edition.edited(&edits) else { return };
    match steps {
        [] => {}
        [step] => {
            found.extend(step.cause.drift().map(|drift| (drift.clone(), refusal.why())));
        }
        _ => {
            let (left, right) = steps.split_at(steps.len() / 2);
            halve(edition, left, found);
            halve(edition, right, found);
        }
    }
}

//! One turn of the loop, on a thread of its own: a pass, or, while the manifest cannot be used, a look for the last good one.
//! Owns what is kept between passes; never sleeps and never prints.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::due::until;
use super::queue::WakeBatch;
use super::retry::Retry;
use super::sources::Watched;
use super::wake::{Reason, Scope};
use super::watched::watched;
use crate::control::lead::{self, Gaps, LeadError, SessionConditions};
use crate::control::observe::{self, Observer};
use crate::control::pass::{self, ManifestVersion, Mode, Pass, PassError, PassOptions, PassRunner};
use crate::control::timing::timed;
use crate::core::drift::Class;
use crate::core::ids::SessionKey;
use crate::core::job::JobId;
use crate::core::manifest::Session;
use crate::core::memory::JobTold;
use crate::core::report::status::StatusReport;
use crate::core::report::{DriftReport, DriftState, Report};
use crate::store::manifest::{ManifestError, ManifestFile, Pace};

/// What is kept between turns.
pub(super) struct Cycles {
    world: Arc<Observer>,
    options: PassOptions,
    passer: PassRunner,
    last_good: Option<ManifestVersion>,
    /// What is still to be told about the text that the last pass left; `None` if it left none.
    untold: Option<Scope>,
    warned: Vec<String>,
    /// Whether the rows of `status` are wanted as well.
    with_status: bool,
    /// Whether what the manifest wants is looked for as well.
    is_enforcing: bool,
    /// Whether the conditions of sessions are wanted as well.
    with_conditions: bool,
    is_first: bool,
    /// Writes that failed in a row.
    failures: Retry,
}

/// What a turn gives back.
#[derive(Default)]
pub(super) struct Cycle {
    /// The pass, unless not even the last good manifest could be judged.
    pub(super) pass: Option<Pass>,
    /// Why the manifest as it is now could not be used.
    pub(super) error: Option<PassError>,
    /// The rows of `status`, if they are wanted.
    pub(super) status: Option<StatusReport>,
    /// The conditions of the sessions that the turn was about, if they are wanted.
    pub(super) conditions: Option<BTreeMap<SessionKey, SessionConditions>>,
    /// What there is to do, if that is looked for.
    pub(super) gaps: Option<Result<Gaps, LeadError>>,
    /// How the jobs were told to be by an earlier run; only the first turn that made a pass knows.
    pub(super) jobs_told: Option<BTreeMap<JobId, JobTold>>,
    /// When to try again, if not at the next resync.
    pub(super) again: Option<Duration>,
    /// What was asked for and is still to be looked at.
    pub(super) rest: Option<WakeBatch>,
}

impl Cycle {
    /// The report of the pass.
    pub(super) fn report(&self) -> Option<&Report> {
        self.pass.as_ref().map(|pass| &pass.report)
    }
}

/// A manifest that is being written, or locked, is tried again so soon.
const SOON: Duration = Duration::from_secs(1);

impl Cycles {
    pub(super) fn new(
        world: Arc<Observer>,
        options: PassOptions,
        (with_status, is_enforcing, with_conditions): (bool, bool, bool),
    ) -> Self {
        let versions = Some(options.versions.clone().unwrap_or_default());
        let options = PassOptions { versions, tells_settling: false, tells_jobs: true, ..options };
        let passer = PassRunner::new(Arc::clone(&world), options.clone());
        Self {
            world,
            options,
            passer,
            last_good: None,
            untold: None,
            warned: Vec::new(),
            with_status,
            is_enforcing,
            with_conditions,
            is_first: true,
            failures: Retry::default(),
        }
    }

    /// Makes a pass about what a batch asks for; none if that is only the manifest, and it is what the last pass left, or only
    /// that a server changed, and it is what the last pass saw.
    pub(super) fn answer(&mut self, batch: WakeBatch) -> Option<Cycle> {
        // Whose processes have ended is known before the server has listed what is left.
        let ended = observe::ended(&self.world, batch.scope.iter().flat_map(Scope::servers));
        if !ended.is_empty() {
            let turn = self.next(&Scope::sessions(ended));
            if turn.pass.is_some() {
                return Some(Cycle { rest: Some(batch), ..turn });
            }
        }
        if let Some(scope) = self.news(batch) {
            return Some(self.next(&scope));
        }
        // Mostly our own writing, heard of. Nobody waits now, and whoever does next will not for this.
        if let Some(left) = &self.last_good {
            left.read_ahead();
        }
        None
    }

    /// What of a batch has to be looked at.
    fn news(&self, batch: WakeBatch) -> Option<Scope> {
        let WakeBatch { scope, if_manifest_changed, reasons } = batch;
        if self.is_echo(scope.as_ref(), &reasons) {
            return None;
        }
        let changed = if_manifest_changed.and_then(|all| match self.left_untold() {
            Some(untold) => (!untold.is_empty()).then(|| untold.clone()),
            None => Some(all),
        });
        match (scope, changed) {
            (Some(mut scope), Some(changed)) => {
                scope.unite(changed);
                Some(scope)
            }
            (scope, changed) => scope.or(changed),
        }
    }

    /// Whether all that happened is what the last pass saw.
    fn is_echo(&self, scope: Option<&Scope>, reasons: &[Reason]) -> bool {
        let Some(scope) = scope.filter(|scope| !scope.is_all()) else { return false };
        let is_old = |reason: &Reason| match reason {
            Reason::Manifest => true,
            Reason::Mux(server) => scope.servers().contains(server),
            Reason::Process(pid) => self.world.cache.is_known_gone(*pid, scope.keys()),
            _ => false,
        };
        let is_as_seen = |server| timed("compare the list", || observe::is_as_seen(&self.world, server));
        let is_as_listed = || scope.servers().iter().all(is_as_seen);
        reasons.iter().all(is_old) && self.left_untold().is_some_and(Scope::is_empty) && is_as_listed()
    }

    /// Makes a pass.
    fn next(&mut self, scope: &Scope) -> Cycle {
        tracing::debug!(?scope, "pass");
        self.untold = None;
        match self.passer.pass(scope) {
            Ok(pass) => {
                // New ids and new entries change what the sources have to watch, which only a pass over the new text can tell.
                let is_other = |drift: &&DriftReport| {
                    drift.state == DriftState::Applied && matches!(drift.class, Class::NewId | Class::Unregistered)
                };
                let others = pass.report.drifts.iter().filter(is_other).map(|drift| drift.session.clone());
                self.untold = Some(Scope::sessions(others.collect()));
                self.last_good = Some(pass.left());
                self.warn(&pass);
                // What an old manifest wanted is nobody's wish any more, so this is asked of the one that is there alone.
                let gaps = self.is_enforcing.then(|| timed("find what to do", || self.gaps(&pass)));
                let conditions = self.with_conditions.then(|| timed("look at conditions", || self.conditions(&pass, scope)));
                let settles = conditions.iter().flatten().filter_map(|(_, seen)| seen.settles_in).min();
                let turn = self.turn(pass);
                self.is_first = false;
                self.failures.succeeded();
                Cycle { gaps, conditions, again: settles, ..turn }
            }
            Err(error) => self.last_good_one(error),
        }
    }

    /// What is still to be told about the manifest, if it is what the last pass left, byte for byte and in the same file.
    fn left_untold(&self) -> Option<&Scope> {
        let (left, untold) = self.last_good.as_ref().zip(self.untold.as_ref())?;
        let pace = Pace { known: Some(left.hash()), ..Pace::default() };
        let now = ManifestFile::open(&self.options.manifest).and_then(|file| file.with_pace(pace).read()).ok()?;
        (now.settled && now.hash == left.hash() && now.path == left.path()).then_some(untold)
    }

    /// The last good manifest stays in force: it is judged, and nothing is recorded.
    fn last_good_one(&mut self, error: PassError) -> Cycle {
        let looking = PassOptions { mode: Mode::Look, ..self.options.clone() };
        let judged = self.last_good.as_ref().map(|earlier| pass::look_again(&self.world, &looking, earlier));
        let mut turn = match judged {
            Some(Ok(pass)) => self.turn(pass),
            // Where it never was any good, whoever mends it is heard of.
            Some(Err(_)) | None => Cycle::default(),
        };
        turn.again = match &error {
            PassError::Shrunken { shrunken, .. } => Some(until(shrunken.until, self.world.host.now())),
            PassError::BeingWritten { .. } => Some(SOON),
            PassError::Manifest(error) if error.is_busy() => Some(SOON),
            PassError::Journal(error) if error.is_busy() => Some(SOON),
            // Whoever puts it there, or mends it, is heard of.
            PassError::Manifest(
                ManifestError::Missing { .. } | ManifestError::Directory { .. } | ManifestError::NotRegular { .. },
            )
            | PassError::Invalid { .. }
            | PassError::UnknownAgent { .. } => None,
            // Nobody says that a disk has room again, or that a file system may be written to.
            PassError::Manifest(_) | PassError::Journal(_) => Some(self.failures.after_failure()),
        };
        turn.error = Some(error);
        turn
    }

    /// What matters to the sources after a turn; `None` if that is what mattered before.
    pub(super) fn watched(&self, pass: Option<&Pass>) -> Option<Watched> {
        let manifest = &self.options.manifest;
        match pass {
            Some(pass) => {
                let registry = self.options.jobs.as_ref().map(|registry| registry.path());
                Some(timed("gather what matters", || {
                    watched(&self.world, (manifest, &self.options.state_home), registry, pass)
                }))
            }
            None if self.last_good.is_some() => None,
            // Nothing is known but where the manifest is.
            None => {
                let resolved = manifest.canonicalize().unwrap_or_else(|_| manifest.clone());
                Some(Watched { manifest: manifest.clone(), resolved, ..Watched::default() })
            }
        }
    }

    fn turn(&self, pass: Pass) -> Cycle {
        let mut status = self.with_status.then(|| pass.status());
        if let Some(status) = &mut status {
            lead::note_operations(&self.options.state_home, status.sessions.iter_mut());
            lead::complete_crews(&self.options.state_home, pass.path(), status.sessions.iter_mut());
        }
        let jobs_told = pass.jobs_told().filter(|_| self.is_first).cloned();
        Cycle { pass: Some(pass), status, jobs_told, ..Cycle::default() }
    }

    /// The conditions of the selected sessions that a scope holds.
    fn conditions(&self, pass: &Pass, scope: &Scope) -> BTreeMap<SessionKey, SessionConditions> {
        let selection = &self.options.selection;
        let is_meant = |key: &SessionKey| {
            let is_woken = scope.is_all() || !scope.servers().is_empty() || scope.keys().contains(key);
            is_woken && pass.manifest().find(key).is_some_and(|it| selection.covers(&key.name, it.agent, &it.labels))
        };
        lead::conditions_of(&self.world, &self.options.state_home, pass, &is_meant)
    }

    fn gaps(&self, pass: &Pass) -> Result<Gaps, LeadError> {
        let selection = &self.options.selection;
        let is_meant = |session: &Session| selection.covers(&session.key.name, session.agent, &session.labels);
        lead::gaps(self.world.host.as_ref(), &self.options.state_home, pass, is_meant)
    }

    /// Warnings about a manifest are logged once.
    fn warn(&mut self, pass: &Pass) {
        let warnings: Vec<String> = pass.warnings().iter().map(|warning| warning.message.clone()).collect();
        for warning in warnings.iter().filter(|warning| !self.warned.contains(warning)) {
            tracing::warn!(target: "headcount", "manifest: {}", crate::core::text::printable(warning));
        }
        self.warned = warnings;
    }
}

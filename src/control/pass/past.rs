//! What headcount itself did to sessions, as far as a pass judges by it. Reads the ledger; writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::PassError;
use crate::core::ids::{MuxKind, SessionKey};
use crate::core::lead::{ActedOn, Ledger, LeftRunning};
use crate::core::manifest::Manifest;
use crate::core::manifest::pattern::NamePattern;
use crate::core::observe::Observation;
use crate::store::job_files::JobFiles;
use crate::store::operations::LedgerFile;
use crate::store::paths::StateHome;
use crate::yaml::LoadedManifest;

/// What was done to sessions, as far as a pass judges by it.
#[derive(Default)]
pub(super) struct PastActs {
    /// When headcount stopped each session of the manifest last.
    pub(super) stops: BTreeMap<SessionKey, DateTime<Utc>>,
    /// Those that run and were left running when their entries were taken out, and those that jobs are done in.
    pub(super) left: BTreeSet<SessionKey>,
}

impl PastActs {
    pub(super) fn of(
        state_home: &StateHome,
        path: &Path,
        (manifest, observation): (&Manifest, &Observation),
        notes: &mut Vec<String>,
    ) -> Self {
        let ledger = match LedgerFile::new(state_home).read() {
            Ok(ledger) => ledger,
            Err(error) => {
                notes.push(PassError::line(&error));
                return Self::default();
            }
        };
        // What headcount runs a job in has no entry, and gets none.
        let is_there = |(files, _): &(JobFiles, _)| files.done().is_none() || files.launcher().is_some();
        let jobs = JobFiles::all(state_home).into_iter().filter(is_there);
        let of_jobs: BTreeSet<SessionKey> = jobs.map(|(_, spec)| spec.session).collect();
        if ledger.sessions.is_empty() {
            return Self { left: of_jobs, ..Self::default() };
        }
        let sessions = manifest.sessions.iter().map(|session| &session.key);
        let now = observation.at;
        let stopped = |key| ledger.of(key)?.stopped.as_ref().filter(|stopped| !stopped.is_restart);
        let stops = sessions.filter_map(|key| Some((key.clone(), stopped(key)?.until(now)))).collect();
        let name = path.to_string_lossy();
        let left = ledger.sessions.values().filter_map(|acted| acted.left.as_ref()).filter(|left| left.manifest == name);
        let runs = |left: &&LeftRunning| {
            let server = observation.servers.get(&left.session.server_key()).and_then(|server| server.seen());
            server.is_some_and(|server| left.is_in(server))
        };
        Self { stops, left: left.filter(runs).map(|left| left.session.clone()).chain(of_jobs).collect() }
    }
}

/// The same manifest that discovers workers of front ends too, whatever they are called: headcount has started them. One that discovers
/// nothing stays so, and that of a front end has entries for its own.
pub(super) fn with_workers(loaded: Arc<LoadedManifest>, state_home: &StateHome, path: &Path) -> Arc<LoadedManifest> {
    let frontends = state_home.frontends();
    if loaded.manifest.discovery.is_empty() || path.starts_with(&frontends) {
        return loaded;
    }
    // One that cannot be read is told of by whoever reads all of it.
    let ledger = LedgerFile::new(state_home).read().unwrap_or_default();
    let is_worker = |acted: &ActedOn| {
        acted.started.is_some() && acted.led_by.as_deref().map(Path::new).is_some_and(|it| it.starts_with(&frontends))
    };
    let workers = ledger.sessions.iter().filter(|(_, acted)| is_worker(acted));
    let names: Vec<NamePattern> =
        workers.filter_map(|(key, _)| Some(NamePattern::new(MuxKind::Tmux.spelling(Ledger::plain_name(key)?)))).collect();
    if names.is_empty() {
        return loaded;
    }
    let mut loaded = Arc::unwrap_or_clone(loaded);
    loaded.manifest.discovery.extend(names);
    Arc::new(loaded)
}

//! What headcount itself did to sessions, as far as a pass judges by it. Reads the ledger; writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::PassError;
use crate::core::ids::SessionKey;
use crate::core::lead::LeftRunning;
use crate::core::manifest::Manifest;
use crate::core::observe::Observation;
use crate::store::operations::LedgerFile;
use crate::store::paths::StateHome;

/// What was done to sessions, as far as a pass judges by it.
#[derive(Default)]
pub(super) struct PastActs {
    /// When headcount stopped each session of the manifest last.
    pub(super) stops: BTreeMap<SessionKey, DateTime<Utc>>,
    /// Those that run and were left running when their entries were taken out.
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
        if ledger.sessions.is_empty() {
            return Self::default();
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
        Self { stops, left: left.filter(runs).map(|left| left.session.clone()).collect() }
    }
}

//! Delegated jobs: the registry's files under writers that race, are killed and are not ours, and the verbs as they are typed.
// Printing: a child test tells its parent how far it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod foreign;
mod kill;
mod link;
#[allow(dead_code, reason = "shared with the tests of the command line")]
#[path = "../cli/support.rs"]
mod place;
mod registry;
mod verbs;
mod watch;

use std::path::Path;

use chrono::Utc;
use headcount::core::job::{EventKind, Job, NewJob};
use headcount::store::jobs::{NewEvent, Registry};

/// A job in a registry.
fn submitted(registry: &Registry, authenticated: bool) -> Job {
    registry
        .add(authenticated, |id, auth_token| {
            Job::new(NewJob {
                id,
                at: Utc::now(),
                prompt: Some("do it".to_owned()),
                agent: Some("claude".to_owned()),
                agent_session: None,
                timeout: None,
                idle_timeout: None,
                expected_artifacts: Vec::new(),
                auth_token,
                root: None,
                broker: None,
            })
        })
        .unwrap()
}

fn event(kind: EventKind) -> NewEvent {
    NewEvent { kind, detail: String::new(), data: None }
}

/// The numbers of a job's logged events.
fn numbers(registry: &Registry, job: &Job) -> Vec<u64> {
    registry.events(&job.id).news().unwrap().events.iter().map(|logged| logged.event.seq).collect()
}

/// Every file below a directory with its content; links are not followed.
fn contents(dir: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            found.extend(contents(&path));
        } else if kind.is_file() {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        } else {
            found.insert(path.clone(), format!("{kind:?}").into_bytes());
        }
    }
    found
}

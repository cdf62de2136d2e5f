//! The registry of delegated jobs and the broker their events go through: whether both can be used, and by whom else.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use super::files::lock_row;
use super::{Examiner, Finding};
use crate::bus;
use crate::cli::broker::{self, Named};
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::plural;
use crate::cli::{Context, registry};
use crate::core::mqtt::Broker;
use crate::store::jobs::Registry;
use crate::store::paths::StateHome;

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn rows(examiner: &Examiner, context: &Context) -> Vec<Finding> {
    let manifest = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real()).ok().map(|found| found.path);
    let manifest = manifest.as_deref();
    let mut rows = Vec::new();
    // Without a place for state there is a row about that already.
    if let Ok(state) = StateHome::from_environment(|name| examiner.variable(name)) {
        let registry = registry::find(None, manifest, &state);
        rows.push(match registry::Missing::find(None) {
            Some(missing) => Finding::warn("job registry", missing.told(), "check the name; `headcount job submit` creates it"),
            None => jobs(&registry),
        });
        if registry.path().join(".lock").exists() {
            rows.push(lock_row("job lock", &registry.path().join(".lock")));
        }
    }
    rows.push(mqtt(manifest));
    rows
}

fn jobs(registry: &Registry) -> Finding {
    const WHAT: &str = "job registry";
    let path = registry.path();
    let shown = path.display();
    let Ok(metadata) = path.metadata() else {
        return Finding::fine(WHAT, format!("{shown}, which headcount creates when you submit a job"));
    };
    let listing = match registry.list() {
        Ok(listing) => listing,
        Err(error) => {
            let why = CliError::caused_by(Exit::Failure, &error).message();
            return Finding::fail(WHAT, why, "make it a directory that you can read, or name another with HEADCOUNT_JOBS");
        }
    };
    if rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_err() {
        return Finding::fail(WHAT, format!("{shown} cannot be written"), "events cannot be recorded; make it writable");
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        let found = format!("{shown} belongs to user {}", metadata.uid());
        return Finding::warn(WHAT, found, "its owner can change every job in it; name your own with HEADCOUNT_JOBS");
    }
    if metadata.permissions().mode() & 0o022 != 0 {
        let found = format!("other users can write to {shown} (mode {:03o})", metadata.permissions().mode() & 0o777);
        return Finding::warn(WHAT, found, format!("they can report any job as completed; chmod go-w {shown}"));
    }
    if let Some(first) = listing.problems.first() {
        let why = CliError::caused_by(Exit::Failure, &first.why).message();
        let found = format!("{shown}: {}: {why}", plural(listing.problems.len(), "broken record", "broken records"));
        return Finding::warn(WHAT, found, "its events are dropped; repair it, or move it away");
    }
    let open = listing.jobs.iter().filter(|job| is_open_to_others(&path.join(format!("{}.json", job.id)))).count();
    if open > 0 {
        let found = format!("{shown}: other users can read {}", plural(open, "record", "records"));
        return Finding::warn(WHAT, found, format!("a record may hold a token; chmod go= {shown}/*.json"));
    }
    Finding::fine(WHAT, format!("{shown}, {}", plural(listing.jobs.len(), "job", "jobs")))
}

fn is_open_to_others(record: &Path) -> bool {
    record.symlink_metadata().is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

fn mqtt(manifest: Option<&Path>) -> Finding {
    const WHAT: &str = "broker";
    let broker = match Named::of(broker::section(manifest)) {
        Ok(Named { broker: Some(broker), .. }) => broker,
        Ok(Named { broker: None, .. }) => {
            return Finding::fine(WHAT, "none is configured: headcount reports jobs and drifts on this machine only");
        }
        Err(error) => return Finding::fail(WHAT, error.message(), "see docs/mqtt.md; `mqtt:` in the manifest or MQTT_…"),
    };
    let Broker { tls, username, .. } = &broker;
    let how = format!(
        "{} {} TLS, {}",
        broker.address(),
        if *tls { "with" } else { "without" },
        if username.is_some() { "with a user" } else { "without a user" },
    );
    if let Err(error) = bus::once(&broker, &broker::one_shot_client_id(&broker), None, PATIENCE) {
        let why = CliError::caused_by(Exit::Failure, &error).message();
        return Finding::warn(
            WHAT,
            format!("{how}: {why}"),
            "`headcount watch` works without it; check that it runs and accepts your user",
        );
    }
    match broker::dangers(&broker).first() {
        Some(danger) => Finding::warn(WHAT, danger.clone(), "use TLS and a user; `job submit --auth` gives a job a token"),
        None => Finding::fine(WHAT, format!("{how}, answers")),
    }
}

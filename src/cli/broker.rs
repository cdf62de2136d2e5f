//! Which broker is meant, and what has to be said about it before it is used. Never connects.

use std::path::Path;

use crate::bus;
use crate::core::mqtt::{Broker, Section};
use crate::store::manifest::ManifestFile;
use crate::yaml;

use super::error::{CliError, Exit};
use super::{Context, session};

/// The broker that the environment and the manifest name, with the warnings about it said.
///
/// # Errors
/// None is named, or what names it cannot be used.
pub(crate) fn find(manifest: &Path, context: &Context) -> Result<Broker, CliError> {
    let variable = |name: &str| std::env::var(name).ok();
    let broker = Broker::resolve(&section(manifest), variable)
        .map_err(|error| CliError::caused_by(Exit::Failure, &error))?
        .ok_or_else(|| {
            CliError::new(Exit::Failure, "no MQTT broker is named")
                .hint("set MQTT_BROKER (and MQTT_PORT, MQTT_TLS, MQTT_USERNAME, MQTT_PASSWORD), or `mqtt: { broker: … }` in the manifest")
        })?;
    if broker.tls && !cfg!(feature = "tls") {
        return Err(CliError::new(
            Exit::Failure,
            "the broker is to be spoken to through TLS, and this headcount was built without it",
        )
        .hint("build it with the feature `tls`"));
    }
    for danger in broker.dangers().into_iter().chain(bus::exposed_secret(&broker)) {
        context.out.note(&danger);
    }
    Ok(broker)
}

/// What the manifest says of it. One that cannot be used says nothing: a watch waits until it can be.
fn section(manifest: &Path) -> Section {
    let read = || {
        let snapshot = ManifestFile::open(manifest).ok()?.read().ok()?;
        let text = yaml::decode(&snapshot.bytes).ok()?;
        Some(yaml::load(text, &session::surroundings()).ok()?.manifest.mqtt)
    };
    let mut section = read().unwrap_or_default();
    // A relative file lies beside the manifest that names it.
    let beside = manifest.parent().unwrap_or(Path::new(""));
    let Section { password_file, ca_certs, certfile, keyfile, .. } = &mut section;
    for path in [password_file, ca_certs, certfile, keyfile].into_iter().flatten() {
        *path = beside.join(&*path);
    }
    section
}

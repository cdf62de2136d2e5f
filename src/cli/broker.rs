//! Which broker is meant, and what has to be said about it before it is used. Never connects.

use std::path::Path;

use crate::bus;
use crate::core::manifest::Manifest;
use crate::core::mqtt::{Broker, BrokerError, Section};

use super::error::{CliError, Exit};
use super::{Context, run_pass};

/// The broker that the environment and the manifest name, with the warnings about it said.
///
/// # Errors
/// None is named, or what names it cannot be used.
pub(crate) fn find(manifest: Option<&Path>, context: &Context) -> Result<Broker, CliError> {
    let broker = Named::of(section(manifest))?.broker.ok_or_else(|| {
        let error = CliError::new(Exit::Failure, "no MQTT broker is configured").hint(
            "set MQTT_BROKER (and MQTT_PORT, MQTT_TLS, MQTT_USERNAME, MQTT_PASSWORD), or `mqtt: { broker: … }` in the manifest",
        );
        match manifest.and_then(|path| Some((path.display(), why_unsaid(path)?))) {
            Some((path, why)) => error.hint(format!("the manifest {path} {why}; run `headcount check {path}`")),
            None => error,
        }
    })?;
    if broker.tls && !cfg!(feature = "tls") {
        return Err(CliError::new(Exit::Failure, "the broker is set to use TLS, and this headcount was built without it")
            .hint("reinstall headcount without `--no-default-features`"));
    }
    for danger in dangers(&broker) {
        context.out.note(&danger);
    }
    Ok(broker)
}

/// Why a manifest may say nothing of a broker although somebody wrote one into it.
fn why_unsaid(manifest: &Path) -> Option<&'static str> {
    match run_pass::loaded(manifest) {
        None => Some("is not valid, so headcount ignores its `mqtt:`"),
        Some(loaded) => (!loaded.warnings.is_empty()).then_some("has warnings, perhaps a mistyped key"),
    }
}

/// What is unsafe about a broker, one line each.
pub(crate) fn dangers(broker: &Broker) -> Vec<String> {
    broker.dangers().into_iter().chain(bus::exposed_secret(broker)).collect()
}

/// What the environment and the manifest name.
pub(crate) struct Named {
    pub(crate) broker: Option<Broker>,
    /// Where the topics of jobs begin, broker or not.
    pub(crate) root: String,
}

impl Named {
    /// What the environment and this section name. Nothing is said about it.
    ///
    /// # Errors
    /// What names it cannot be used.
    pub(crate) fn of(section: Section) -> Result<Self, CliError> {
        let unusable = |error: BrokerError| {
            CliError::caused_by(Exit::Failure, &error).hint(
                "correct it in the environment (MQTT_…) or under `mqtt:` in the manifest; the environment takes precedence",
            )
        };
        let broker = Broker::resolve(&section, |name| std::env::var(name).ok()).map_err(unusable)?;
        Ok(Self { broker, root: section.root().map_err(unusable)? })
    }
}

/// A client that comes once and is nobody else.
pub(crate) fn one_shot_client_id(broker: &Broker) -> String {
    let now = chrono::Utc::now().timestamp_micros();
    format!("{}-{}-{now}", broker.client_id_prefix, std::process::id())
}

/// What the manifest says of it. One that is not there or cannot be used says nothing: a watch waits until it can be.
pub(crate) fn section(manifest: Option<&Path>) -> Section {
    manifest.map(|path| at(path, run_pass::declared(path))).unwrap_or_default()
}

/// What this manifest, read from `path`, says of it.
pub(crate) fn at(path: &Path, manifest: Option<Manifest>) -> Section {
    manifest.map(|manifest| manifest.mqtt).unwrap_or_default().beside(path)
}

//! One pass on behalf of a verb: finds the manifest, runs the pass, says what has to be said about it on stderr. Makes the
//! options of the passes of `watch` too; never renders an answer.

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use crate::control::lead;
use crate::control::lead::workers::WorkerFleet;
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, Pass, PassOptions};
use crate::core::fact::Fact;
use crate::core::lead::LeadProfile;
use crate::core::manifest::select::Selection;
use crate::core::manifest::{Environment, Manifest};
use crate::core::observe::identity::RungValue;
use crate::core::report::status::SessionRow;
use crate::host::Environ;
use crate::store::hooks;
use crate::store::manifest::{ManifestFile, UpdateOptions};
use crate::store::paths::StateHome;
use crate::store::terminal_path::TerminalPath;
use crate::yaml;

use super::args::JudgeArgs;
use super::asker::is_person;
use super::error::{CliError, Exit};
use super::manifest_path::{self, Surroundings};
use super::{Context, heap, registry, signals};

/// What a verb wants of a pass.
pub(crate) struct PassRequest<'a> {
    pub(crate) selection: Selection,
    pub(crate) judge: &'a JudgeArgs,
    pub(crate) mode: Mode,
    /// Who reads the report.
    pub(crate) consumer: Option<String>,
    pub(crate) update: UpdateOptions,
    /// Whether every rung of the evidence is read to the end.
    pub(crate) every_rung: bool,
    /// Whether live agents are asked what they are doing.
    pub(crate) activity: bool,
}

impl<'a> PassRequest<'a> {
    /// A look at these sessions.
    pub(crate) fn look(selection: Selection, judge: &'a JudgeArgs) -> Self {
        let update = UpdateOptions::default();
        Self { selection, judge, mode: Mode::Look, consumer: None, update, every_rung: false, activity: false }
    }
}

/// Runs one pass over the manifest the global options name.
///
/// What it gives is never dropped: taking a thousand sessions apart one by one, just before the program ends and its memory with
/// it, would be the last thing a person waits for.
///
/// # Errors
/// No manifest, a pass that failed, or a session asked for by its full name that is not there.
pub(crate) fn pass(request: PassRequest<'_>, context: &Context) -> Result<ManuallyDrop<Pass>, CliError> {
    let (every_rung, activity) = (request.every_rung, request.activity);
    heap::expand();
    let options = options(request, context)?;
    signals::end_on_interrupt();
    let world = Observer { every_rung, activity, ..world(&options.state_home) };
    let color = context.out.color_errors;
    let pass = pass::run(&world, &options).map_err(|error| CliError::from_pass(error, color))?;
    let pass = ManuallyDrop::new(pass);
    say(&pass, &options, context);
    missing(&pass)?;
    Ok(pass)
}

/// What a pass over the manifest the global options name is run with.
///
/// # Errors
/// There is no manifest, or no place for state.
pub(crate) fn options(request: PassRequest<'_>, context: &Context) -> Result<PassOptions, CliError> {
    let PassRequest { selection, judge, mode, consumer, update, .. } = request;
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    tracing::info!(manifest = %found.path.display(), source = found.source, "using this manifest");
    let state_home = StateHome::from_environment(|name| std::env::var_os(name))?;
    if let Some(missing) = registry::Missing::find(None) {
        context.out.note(&format!("{}, so headcount knows no jobs", missing.told()));
    }
    let jobs = registry::find(None, Some(&found.path), &state_home);
    Ok(PassOptions {
        manifest: found.path,
        state_home,
        selection,
        settle: judge.settle,
        strict: judge.strict,
        mode,
        consumer,
        update,
        versions: None,
        jobs: Some(jobs),
        tells_settling: true,
        tells_jobs: false,
        held: None,
    })
}

/// The manifest, if there is one. One that was named must be there.
pub(crate) fn manifest(context: &Context) -> Result<Option<Manifest>, CliError> {
    let named = context.globals.manifest.as_deref();
    match manifest_path::find(named, &Surroundings::real()) {
        Ok(found) => load(&found.path, context).map(Some),
        Err(error) if named.is_some() || error.exit() != Exit::Failure => Err(error),
        Err(_) => Ok(None),
    }
}

/// A manifest as it stands, if it can be used; nothing is said about one that cannot.
pub(crate) fn declared(manifest: &Path) -> Option<Manifest> {
    loaded(manifest).map(|loaded| loaded.manifest)
}

/// The same with what is odd about it.
pub(crate) fn loaded(manifest: &Path) -> Option<yaml::LoadedManifest> {
    let snapshot = ManifestFile::open(manifest).ok()?.read().ok()?;
    let text = yaml::decode(&snapshot.bytes).ok()?;
    yaml::load(text, &surroundings()).ok()
}

/// The manifest as it stands.
///
/// # Errors
/// It cannot be read, or cannot be used.
pub(crate) fn load(path: &Path, context: &Context) -> Result<Manifest, CliError> {
    let snapshot = ManifestFile::open(path)?.read()?;
    let text = String::from_utf8_lossy(&snapshot.bytes).into_owned();
    let invalid = |all: Vec<_>| CliError::invalid_manifest(path, &all, &text, context.out.color_errors);
    let decoded = yaml::decode(&snapshot.bytes).map_err(|one| invalid(vec![one]))?;
    yaml::load(decoded, &surroundings()).map(|loaded| loaded.manifest).map_err(invalid)
}

/// This machine, with the hook events in our state directory.
pub(crate) fn world(state: &StateHome) -> Observer {
    let terminal_path = TerminalPath::of(state, is_person());
    let state = state.clone();
    let world = Observer { terminal_path, ..Observer::local(Environ::of_this_process()) };
    world.with_hooks(Box::new(move |kind, pid, start_ticks| match hooks::newest_binding(&state, pid, start_ticks) {
        Ok(Some(binding)) if binding.agent == kind => Fact::Seen(RungValue::Id(binding.session_id)),
        Ok(_) => Fact::Absent,
        Err(error) => Fact::Unknown(CliError::caused_by(Exit::Failure, &error).message()),
    }))
}

/// This machine, and where its state is.
///
/// # Errors
/// There is no place for state.
pub(crate) fn here() -> Result<(Observer, StateHome), CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    Ok((world(&state), state))
}

/// The workers of a front end of another tool.
///
/// # Errors
/// One line: there is no place for state.
pub(crate) fn workers(profile: LeadProfile) -> Result<WorkerFleet, String> {
    let state = StateHome::from_environment(|name| std::env::var_os(name));
    let state = state.map_err(|error| CliError::caused_by(Exit::Failure, &error).message())?;
    WorkerFleet::new(world(&state), state, profile, profile.name.to_owned())
}

/// Puts into rows who has their sessions in hand, and which conditions hold.
///
/// # Errors
/// There is no place for state.
pub(crate) fn complete_rows<'a>(pass: &Pass, rows: impl Iterator<Item = &'a mut SessionRow>) -> Result<(), CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    lead::complete_rows(&world(&state), &state, pass, rows);
    Ok(())
}

/// What a person should know beside the answer: warnings about the manifest, things that went wrong, versions that were kept.
fn say(pass: &Pass, options: &PassOptions, context: &Context) {
    if !pass.warnings().is_empty() {
        let name = options.manifest.display().to_string();
        context.out.picture(&yaml::render(pass.warnings(), &name, pass.text(), context.out.color_errors));
    }
    for note in pass.notes() {
        context.out.note(note);
    }
    say_saved(&pass.saved, context);
}

/// Names the versions that were kept because somebody saved while the manifest was written.
pub(crate) fn say_saved(saved: &[PathBuf], context: &Context) {
    for path in saved {
        let path = path.display();
        context.out.note(&format!("another program saved the manifest meanwhile; its version is kept in {path}"));
    }
}

/// How it is said that there is no session of a name.
pub(crate) const NO_SESSION: &str = "no session named";

/// A name without wildcards that selects nothing is a mistake worth saying, not an empty answer.
fn missing(pass: &Pass) -> Result<(), CliError> {
    match pass.missing().first() {
        Some(name) => Err(CliError::new(Exit::Failure, format!("{NO_SESSION} {name}"))
            .hint("`headcount status -o name` lists the names; `*` and `?` are wildcards")),
        None => Ok(()),
    }
}

/// What reading a manifest needs to know of this machine.
pub(crate) fn surroundings() -> Environment {
    pass::environment(&Observer::local(Environ::of_this_process()))
}

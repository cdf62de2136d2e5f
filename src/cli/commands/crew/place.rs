//! Which crew a word means: a directory, or a name that entries of the manifest have. Makes one that is declared and not there yet, for
//! its manager; never for a look.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{failed, now, own_home, state};
use crate::cli::Context;
use crate::cli::asker::{self, asker};
use crate::cli::commands::lead::letter;
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::run_pass;
use crate::control::lead::{CrewRound, WorkerReach, WorkerStanding, crew_token};
use crate::control::observe::Observer;
use crate::core::crew::CrewTask;
use crate::core::ids::SessionKey;
use crate::core::lead::send::SendReceipt;
use crate::core::manifest::Manifest;
use crate::core::manifest::lead::CrewRole;
use crate::core::text::printable;
use crate::store::crew::{CrewHome, CrewManifest};
use crate::store::paths::StateHome;

/// A crew, and how its workers are reached.
pub(super) struct CrewPlace {
    pub(super) home: CrewHome,
    pub(super) state: StateHome,
    world: Observer,
    context: Context,
    /// Whether the manifest acts only as it was allowed, where somebody found out before.
    is_found: Option<bool>,
    /// The sessions that are declared to be in it, with their parts; empty: none is.
    members: BTreeMap<SessionKey, CrewRole>,
}

/// The sessions that a manifest declares to be in a crew.
fn members(manifest: &Manifest, name: &str) -> BTreeMap<SessionKey, CrewRole> {
    let of = |session: &crate::core::manifest::Session| {
        let crew = session.lead.crew.as_ref().filter(|crew| crew.name == name)?;
        Some((session.key.clone(), crew.role))
    };
    manifest.sessions.iter().filter_map(|session| of(session)).collect()
}

/// The manifest that is meant, resolved, and whether it was only found.
fn meant(context: &Context) -> Option<CrewManifest> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real()).ok()?;
    Some(CrewManifest { path: found.path.canonicalize().ok()?, is_found: found.is_found_here })
}

/// Whether somebody names the manifest that is meant.
fn is_named(context: &Context) -> bool {
    manifest_path::is_named(context.globals.manifest.as_deref(), &Surroundings::real())
}

/// Makes a crew that this manifest declares, unless it is there.
fn make(state: &StateHome, manifest: CrewManifest, name: &str) -> Result<CrewHome, CliError> {
    let directory = CrewHome::declared_at(state, &manifest.path, name);
    create(&directory, name, Some(manifest), state).or_else(|error| CrewHome::open(&directory).map_err(|_| error))
}

fn create(directory: &Path, name: &str, manifest: Option<CrewManifest>, state: &StateHome) -> Result<CrewHome, CliError> {
    let key = crew_token().ok_or_else(|| CliError::new(Exit::Failure, "the system gives no random numbers"))?;
    CrewHome::create(directory, (name, &key), manifest, state, now()).map_err(failed)
}

/// Makes a crew in a directory. Its workers are those of the manifest that is meant now.
pub(super) fn init(directory: &Path, name: &str, context: &Context) -> Result<CrewHome, CliError> {
    create(directory, name, meant(context), &state()?)
}

/// Makes the crews that a manifest declares.
pub(in crate::cli::commands) fn make_all(manifest: &Manifest, context: &Context) -> Result<(), CliError> {
    let names = manifest.sessions.iter().filter_map(|session| Some(session.lead.crew.as_ref()?.name.as_str()));
    let names: BTreeSet<&str> = names.collect();
    let (state, Some(path)) = (state()?, meant(context)) else { return Ok(()) };
    for name in names {
        if CrewHome::open(&CrewHome::declared_at(&state, &path.path, name)).is_err() {
            make(&state, path.clone(), name)?;
        }
    }
    Ok(())
}

impl CrewPlace {
    /// The crew of a word.
    pub(super) fn open(word: &Path, context: &Context) -> Result<Self, CliError> {
        Self::find(word, false, context)
    }

    /// The same for its manager.
    pub(super) fn managed(word: &Path, context: &Context) -> Result<Self, CliError> {
        let place = Self::find(word, true, context)?;
        place.home.is_managed_here(&place.state).map_err(failed)?;
        if let Some(worker) = place.own_worker()? {
            let why = format!("a worker of the crew does not manage it, and {} is one", printable(&worker));
            return Err(CliError::new(Exit::Refused, why).hint("`headcount crew reply` is for workers"));
        }
        Ok(place)
    }

    fn find(word: &Path, makes: bool, context: &Context) -> Result<Self, CliError> {
        let state = state()?;
        let is_directory = word.join("crew.json").symlink_metadata().is_ok();
        let manifest = meant(context);
        let name = word.to_str().unwrap_or_default();
        let declared = manifest.as_ref().and_then(|manifest| run_pass::declared(&manifest.path));
        let known = declared.map(|declared| members(&declared, name)).unwrap_or_default();
        let home = match (manifest, known.is_empty(), is_directory) {
            (_, false, true) => {
                let why = format!("{} is a crew of the manifest, and a directory here holds another", printable(name));
                let hint = format!("./{} means the directory", printable(name));
                return Err(CliError::new(Exit::Refused, why).hint(hint));
            }
            (Some(manifest), false, false) => {
                let directory = CrewHome::declared_at(&state, &manifest.path, name);
                let is_made = directory.join("crew.json").symlink_metadata().is_ok();
                match (is_made, makes) {
                    (true, _) => CrewHome::open(&directory).map_err(failed)?,
                    (false, true) => make(&state, manifest, name)?,
                    (false, false) => {
                        let why = format!("the crew {} of the manifest was not made yet", printable(name));
                        return Err(CliError::new(Exit::Failure, why).hint("`headcount apply` makes it"));
                    }
                }
            }
            (_, true, false) => Self::named(word, &state, context)?,
            _ => CrewHome::open(word).map_err(failed)?,
        };
        Self::of(home, state, context)
    }

    /// The crew that a manifest declares under a name, whatever directory this runs in: its agents need not know the manifest.
    fn named(word: &Path, state: &StateHome, context: &Context) -> Result<CrewHome, CliError> {
        let open = || CrewHome::open(word).map_err(failed);
        let Some(name) = word.to_str().filter(|_| !is_named(context)) else { return open() };
        let mut crews = CrewHome::all_named(state, name);
        if crews.len() > 1 {
            let manifests = crews.iter().filter_map(|crew| Some(crew.manifest(state)?.path.display().to_string()));
            let manifests: Vec<String> = manifests.map(|path| printable(&path).into_owned()).collect();
            let why = format!("{} is the name of several crews", printable(name));
            return Err(CliError::new(Exit::Refused, why).hint(format!("-f names its manifest: {}", manifests.join(", "))));
        }
        crews.pop().map_or_else(open, Ok)
    }

    fn of(home: CrewHome, state: StateHome, context: &Context) -> Result<Self, CliError> {
        let mut globals = context.globals.clone();
        let mut is_found = None;
        // Its own manifest, whatever directory this runs in; one that somebody names comes first.
        if !is_named(context)
            && let Some(its) = home.manifest(&state).filter(|its| its.path.exists())
        {
            (globals.manifest, is_found) = (Some(its.path), Some(its.is_found));
        }
        let context = Context { globals, out: context.out.clone() };
        let is_declared = |manifest: &CrewManifest| {
            CrewHome::declared_at(&state, &manifest.path, &home.name).canonicalize().is_ok_and(|path| path == home.path())
        };
        let declared = meant(&context).filter(is_declared).and_then(|manifest| run_pass::declared(&manifest.path));
        let members = declared.map(|manifest| members(&manifest, &home.name)).unwrap_or_default();
        let world = Observer { activity: true, ..run_pass::world(&state) };
        Ok(Self { home, state, world, context, is_found, members })
    }

    /// The worker in whose session this runs, as far as headcount started that.
    fn own_worker(&self) -> Result<Option<String>, CliError> {
        let Some(session) = asker::session(&self.state) else { return Ok(None) };
        if self.members.get(&session) == Some(&CrewRole::Worker) {
            return Ok(Some(session.name));
        }
        let tasks = self.home.tasks().map_err(failed)?;
        let names = [session.name.clone(), session.to_string()];
        Ok(tasks.tasks.values().map(|task| &task.worker).find(|worker| names.contains(worker)).cloned())
    }

    /// How a worker is reached. One that is declared to be somebody else's is refused.
    pub(super) fn worker(&self, reference: &str) -> Result<WorkerReach, CliError> {
        let reach = letter::reach(reference, self.is_found, &self.context)?;
        if !self.members.is_empty() && self.members.get(&reach.session) != Some(&CrewRole::Worker) {
            let workers = self.members.iter().filter(|(_, role)| **role == CrewRole::Worker);
            let names: Vec<String> = workers.map(|(key, _)| printable(&key.name).into_owned()).collect();
            let why = format!("{} is no worker of the crew {}", printable(reference), printable(&self.home.name));
            return Err(CliError::new(Exit::Refused, why).hint(format!("its workers are: {}", names.join(", "))));
        }
        Ok(reach)
    }

    /// How a worker stands.
    pub(super) fn standing(&self, reach: &WorkerReach) -> Result<WorkerStanding, CliError> {
        letter::standing(&self.world, reach, &self.context)
    }

    /// Sends a text to a worker, under a key.
    pub(super) fn send(&self, worker: &str, text: String, key: String) -> Result<SendReceipt, CliError> {
        letter::send(&self.world, &self.worker(worker)?, (text, key), &self.context)
    }

    /// Makes a round.
    pub(super) fn round(&self) -> Result<(), CliError> {
        let notes = std::cell::RefCell::new(Vec::new());
        let look = |workers: &BTreeSet<String>| {
            let (looks, missed) = letter::look(&self.world, workers, self.is_found, &self.context);
            notes.borrow_mut().extend(missed);
            looks
        };
        let pane = std::env::var("TMUX_PANE").ok().filter(|pane| crate::core::crew::is_token(pane));
        let (home, by, user_home) = (&self.home, asker(), own_home());
        let (reply, user_home) = (pane.as_deref(), user_home.as_deref());
        let round = CrewRound { world: &self.world, home, look: &look, by: &by, reply, user_home };
        let end = round.run().map_err(failed)?;
        notes.into_inner().iter().chain(&end.notes).for_each(|note| self.context.out.note(note));
        Ok(())
    }

    /// Takes a text back that still waits for the worker of a task.
    pub(super) fn take_back(&self, task: &CrewTask) {
        let Ok(reach) = letter::reach(&task.worker, self.is_found, &self.context) else { return };
        let why = crate::control::lead::take_back(&self.world, task, &reach);
        why.iter().for_each(|why| self.context.out.note(why));
    }
}

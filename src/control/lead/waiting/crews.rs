//! Handing out the tasks of crews, beside a watch: looks when something may have happened, and tells of each task once what became of it.
//! What may happen to a task is decided in `core::crew`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::SPACING;
use super::background::Background;
use super::deliver::{AGAIN, IDLE};
use super::wakes::{LookPlaces, LookWakes};
use crate::control::context::{GuardError, guard};
use crate::control::lead::worker::standings_in;
use crate::control::lead::{CREW_MANAGER, CrewRound, LeadRequest, RoundEnd, WorkerLook, WorkerReach};
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, PassError, PassOptions};
use crate::core::crew::guard::GuardRequest;
use crate::core::crew::{CrewEvent, CrewTasks, CrewVerb};
use crate::core::events::TaskChange;
use crate::core::ids::SessionKey;
use crate::core::lead::referred;
use crate::core::manifest::select::Selection;
use crate::core::text::printable;
use crate::host::Environ;
use crate::store::crew::CrewHome;

/// Hands out the tasks of the crews whose workers the manifest declares, until it is told to end.
///
/// # Errors
/// The directory of crews cannot be made.
pub(in crate::control) fn dispatch_crews(
    world: &Arc<Observer>,
    request: &LeadRequest,
    background: &Background,
    tell: &dyn Fn(Result<TaskChange, String>),
) -> Result<(), String> {
    let state = &request.pass.state_home;
    let place = CrewHome::make_place(state).map_err(|error| PassError::line(&error))?;
    let mut wakes = LookWakes::new();
    background.wakes_by(wakes.waker());
    let manifest = request.pass.manifest.canonicalize().unwrap_or_else(|_| request.pass.manifest.clone());
    let user_home = Environ::of_this_process().path("HOME").map(|home| home.to_string_lossy().into_owned());
    let dispatcher = Dispatcher { world, request, user_home };
    let (mut told, mut said, mut again, mut is_first) = (BTreeMap::new(), BTreeSet::new(), AGAIN.0, true);
    while !background.is_over() {
        let looked = Instant::now();
        let mut listened = LookPlaces { directories: [place.clone()].into(), ..LookPlaces::default() };
        let (mut notes, mut at_most) = (BTreeSet::new(), IDLE);
        let crews = CrewHome::all_of(state, &manifest);
        told.retain(|path: &PathBuf, _| crews.iter().any(|home| home.path() == path));
        for home in &crews {
            if background.is_over() {
                return Ok(());
            }
            // What was so before the watch began is no news.
            let told = told.entry(home.path().to_owned()).or_insert_with(|| CrewNews {
                log: if is_first { home.tasks().unwrap_or_default() } else { CrewTasks::default() },
                found: BTreeMap::new(),
            });
            listened.directories.insert(home.path().to_owned());
            let ended = dispatcher.round(home);
            if let Err(why) = told.tell(home, tell) {
                notes.insert(about(home, &why));
            }
            match ended {
                Ok(end) => {
                    notes.extend(end.notes.iter().map(|note| about(home, note)));
                    listened.processes.extend(end.processes);
                    let due = end.due.map(|due| (due - world.host.now()).to_std().unwrap_or_default());
                    at_most = at_most.min(due.unwrap_or(IDLE));
                    if end.is_waiting {
                        at_most = at_most.min(again);
                    }
                }
                Err(why) => {
                    notes.insert(about(home, &why));
                    at_most = at_most.min(again);
                }
            }
        }
        notes.difference(&said).for_each(|note| tell(Err(note.clone())));
        (said, is_first) = (notes, false);
        // What happened before it was listened to was not heard.
        let at_most = if wakes.watch(listened) { SPACING } else { at_most };
        again = if wakes.rest(at_most, looked) { AGAIN.0 } else { (again * 2).min(AGAIN.1) };
    }
    Ok(())
}

fn about(home: &CrewHome, what: &str) -> String {
    format!("crew {}: {what}", printable(&home.name))
}

/// What was told of a crew.
struct CrewNews {
    /// Its tasks, as they were told.
    log: CrewTasks,
    /// What the drift guard said of a task last, and of how sure it was.
    found: BTreeMap<String, (String, &'static str)>,
}

impl CrewNews {
    /// Tells what has happened since.
    fn tell(&mut self, home: &CrewHome, tell: &dyn Fn(Result<TaskChange, String>)) -> Result<(), String> {
        let directory = home.path().to_string_lossy();
        let whose = (home.name.as_str(), directory.as_ref());
        let last = self.log.last;
        for record in home.records().map_err(|error| PassError::line(&error))?.iter().filter(|record| record.n > last) {
            self.log.apply(record);
            let Some(task) = self.log.tasks.get(&record.task) else { continue };
            TaskChange::of(whose, record, task).into_iter().for_each(|change| tell(Ok(change)));
            if !is_substance(&record.event) {
                continue;
            }
            let kept = match guard(home.path(), &GuardRequest::of(task, CREW_MANAGER), None) {
                Ok(kept) => kept,
                // Nothing that it could look at.
                Err(GuardError::Refused(_) | GuardError::NoContext(_)) => continue,
                Err(GuardError::Files(error)) => return Err(PassError::line(&error)),
            };
            let atlas = &kept.report.diagnosis.atlas;
            let now = (atlas.primary_family.clone(), atlas.confidence);
            let change = TaskChange::found(whose, (record, task), &kept.report, &kept.paths[1].to_string_lossy());
            if let Some(change) = change.filter(|_| self.found.get(&record.task) != Some(&now)) {
                self.found.insert(record.task.clone(), now);
                tell(Ok(change));
            }
        }
        Ok(())
    }
}

/// Whether a worker said something that can show how far it is from its task.
const fn is_substance(event: &CrewEvent) -> bool {
    use CrewVerb::{Ask, Fail, Result, Status};
    matches!(event, CrewEvent::Reply { verb: Ask | Fail | Result | Status, .. })
}

/// What all rounds have in common.
struct Dispatcher<'a> {
    world: &'a Arc<Observer>,
    request: &'a LeadRequest,
    user_home: Option<String>,
}

impl Dispatcher<'_> {
    fn round(&self, home: &CrewHome) -> Result<RoundEnd, String> {
        let notes = std::cell::RefCell::new(Vec::new());
        let look = |workers: &BTreeSet<String>| {
            let (looks, missed) = self.look(workers);
            notes.borrow_mut().extend(missed);
            looks
        };
        let user_home = self.user_home.as_deref();
        let round = CrewRound { world: self.world, home, look: &look, by: &self.request.by, reply: None, user_home };
        let mut end = round.run().map_err(|error| PassError::line(&error))?;
        end.notes.extend(notes.into_inner());
        Ok(end)
    }

    /// Looks at all workers at once. Gives also what is wrong with the others.
    fn look(&self, workers: &BTreeSet<String>) -> (BTreeMap<String, WorkerLook>, Vec<String>) {
        let options = PassOptions { mode: Mode::Look, selection: Selection::default(), ..self.request.pass.clone() };
        let pass = match pass::run(self.world, &options) {
            Ok(pass) => pass,
            Err(error) => return (BTreeMap::new(), vec![PassError::line(&error)]),
        };
        let (mut reached, mut missed) = (BTreeMap::new(), Vec::new());
        let selection = &self.request.pass.selection;
        for worker in workers {
            let meant = referred(pass.manifest(), worker);
            let name = printable(worker);
            match meant.as_slice() {
                // Another watch hands out to those that are not selected.
                [entry] if !selection.covers(&entry.key.name, entry.agent, &entry.labels) => {}
                [entry] => drop(reached.insert(worker.clone(), WorkerReach::of(self.request, entry))),
                [] => missed.push(format!("no session {name} is in the manifest; `headcount crew dispatch` may know it")),
                _ => missed.push(format!("{name} means several sessions of the manifest")),
            }
        }
        let keys: BTreeSet<SessionKey> = reached.values().map(|reach| reach.session.clone()).collect();
        let standings = standings_in(self.world, self.request, &pass, &keys);
        let looks = reached.into_iter().filter_map(|(worker, reach)| {
            let standing = standings.get(&reach.session).cloned()?;
            Some((worker, WorkerLook { reach, standing }))
        });
        (looks.collect(), missed)
    }
}

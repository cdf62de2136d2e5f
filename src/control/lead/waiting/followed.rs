//! Telling of jobs by the turns of the agents that do them: looks when something may have happened, and publishes what is new. What that
//! is, `core::job` decides. One headcount of a user does it at a time; nothing is typed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::UnlistedManifest;
use super::background::{Background, BackgroundThread};
use super::deliver::STANDBY;
use super::wakes::{LookPlaces, LookWakes};
use super::{POLL, SPACING, TURNS, about, conditions_of, places};
use crate::agent::TurnQuery;
use crate::control::job_ends;
use crate::control::lead::reading;
use crate::control::observe::Observer;
use crate::control::pass::{Pass, PassError, PassOptions, PassRunner};
use crate::control::watch::wake::Scope;
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::job::{FollowNews, FollowScene, FollowedJob, Job, JobId, follow};
use crate::core::lead::conditions::{Condition, ConditionSource};
use crate::core::lead::turns::AnswerSeen;
use crate::store::claim::Claim;
use crate::store::followed_jobs::FollowedJobs;
use crate::store::jobs::{JobsError, Registry};
use crate::store::paths::StateHome;

/// What its claim is called.
const CLAIM: &str = "follow jobs";

/// How long nothing may happen before the sessions are looked at again.
const AGAIN: Duration = Duration::from_secs(5);

/// Follows jobs in a thread of its own until that is ended. The world must ask agents what they are doing.
pub fn follow_jobs(world: Arc<Observer>, state: StateHome) -> Option<BackgroundThread> {
    let warn = |why: String| tracing::warn!(why, "jobs are not followed");
    let act = move |background: &Background| go_on(&world, &state, background, &warn);
    let thread = BackgroundThread::start("no job is followed", act, warn);
    thread.inspect_err(|error| tracing::warn!(%error, "jobs are not followed")).ok()
}

/// Follows jobs until it is told to end. `tell` gets what goes wrong, once.
fn go_on(world: &Arc<Observer>, state: &StateHome, background: &Background, tell: &dyn Fn(String)) -> Result<(), String> {
    let jobs = FollowedJobs::new(state);
    jobs.create().map_err(|error| PassError::line(&error))?;
    let (mut wakes, mut claim, mut follower, mut failure) = (None, None, None, None);
    while !background.is_over() {
        let looked = Instant::now();
        let open = open(&jobs);
        // Where none is followed nothing is kept open, and whether there is one is looked up.
        if open.is_empty() {
            background.wakes_by(None);
            (wakes, claim, follower, failure) = (None, None, None, None);
            std::thread::park_timeout(POLL);
            continue;
        }
        let wakes = wakes.get_or_insert_with(|| {
            let wakes = LookWakes::new();
            background.wakes_by(wakes.waker());
            wakes
        });
        let mut listened = LookPlaces { directories: [jobs.path().to_owned()].into(), ..LookPlaces::default() };
        claim = claim.or_else(|| Claim::take(state, CLAIM).ok());
        let (mut said, mut settles) = (None, None);
        if claim.is_some() {
            let looked = Follower::of(follower.take(), (world, state), &open).and_then(|it| {
                let it = follower.insert(it);
                it.look(&jobs, &open, &mut listened)
            });
            match looked {
                Ok(wait) => settles = wait,
                Err(why) => said = Some(why),
            }
        } else {
            follower = None;
        }
        if let Some(why) = said.clone().filter(|why| failure.as_ref() != Some(why)) {
            tell(why);
        }
        failure = said;
        let is_new = wakes.watch(listened);
        let at_most = match (claim.is_some(), is_new) {
            (false, _) => STANDBY,
            // What happened before it was listened to was not heard.
            (true, true) => SPACING,
            (true, false) => settles.unwrap_or(AGAIN),
        };
        if background.is_over() {
            break;
        }
        wakes.rest(at_most, looked);
    }
    Ok(())
}

/// Looks once at the jobs that are followed, unless somebody else does it all the time. The world must ask agents what they are doing.
///
/// # Errors
/// One line.
pub fn follow_jobs_once(world: &Arc<Observer>, state: &StateHome) -> Result<(), String> {
    let jobs = FollowedJobs::new(state);
    let open = open(&jobs);
    if open.is_empty() {
        return Ok(());
    }
    let Ok(_claim) = Claim::take(state, CLAIM) else { return Ok(()) };
    let mut follower = Follower::of(None, (world, state), &open)?;
    if let Some(settles) = follower.look(&jobs, &open, &mut LookPlaces::default())? {
        std::thread::sleep(settles);
        let open = self::open(&jobs);
        Follower::of(Some(follower), (world, state), &open)?.look(&jobs, &open, &mut LookPlaces::default())?;
    }
    Ok(())
}

/// The jobs that are not over; those that are need no following any more.
fn open(jobs: &FollowedJobs) -> Vec<(FollowedJob, Job)> {
    let with_record = |followed: FollowedJob| match Registry::at(&followed.registry).find(&followed.job) {
        Ok(Some(job)) if !job.status.is_final() => Some((followed, job)),
        Ok(_) => {
            // It may be taken out by somebody else at this moment.
            let _ = jobs.take(&followed.job);
            None
        }
        Err(_) => None,
    };
    jobs.all().into_iter().filter_map(with_record).collect()
}

/// What is kept between two looks at the same sessions.
struct Follower {
    world: Arc<Observer>,
    state: StateHome,
    _manifest: UnlistedManifest,
    entries: BTreeMap<SessionKey, Value>,
    sessions: BTreeSet<SessionKey>,
    runner: PassRunner,
    scope: Scope,
    settling: BTreeMap<JobId, AnswerSeen>,
}

impl Follower {
    /// One for these jobs: the same as before, if it was for the same.
    fn of(
        before: Option<Self>,
        (world, state): (&Arc<Observer>, &StateHome),
        open: &[(FollowedJob, Job)],
    ) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        for (followed, _) in open {
            let SessionKey { name, mux, server, host } = &followed.session;
            let entry = json!({
                "name": name, "agent": followed.agent.as_str(), "mux": mux.as_str(), "server": server, "host": host,
                "session_id": followed.conversation.as_ref().map(|id| id.as_str()),
            });
            entries.insert(followed.session.clone(), entry);
        }
        if let Some(before) = before.filter(|before| before.entries == entries) {
            return Ok(before);
        }
        let unwritten = |error: std::io::Error| format!("cannot write what jobs are followed in: {error}");
        let all: Vec<Value> = entries.values().cloned().collect();
        let manifest = UnlistedManifest::of_entries(state, &all).map_err(unwritten)?;
        let sessions = entries.keys().cloned().collect();
        let options = PassOptions::look(manifest.path().to_owned(), state.clone());
        let runner = PassRunner::new(Arc::clone(world), options);
        let (world, state, scope, settling) = (Arc::clone(world), state.clone(), Scope::ALL, BTreeMap::new());
        Ok(Self { world, state, _manifest: manifest, entries, sessions, runner, scope, settling })
    }

    /// Looks, and publishes what is new. Gives how long until an end that was seen may be believed.
    fn look(
        &mut self,
        jobs: &FollowedJobs,
        open: &[(FollowedJob, Job)],
        listened: &mut LookPlaces,
    ) -> Result<Option<Duration>, String> {
        let pass = self.runner.pass(&self.scope).map_err(|error| PassError::line(&error))?;
        self.scope = about(&self.sessions);
        let ours = places(&self.world, &self.state, &pass, &self.sessions);
        listened.directories.extend(ours.directories);
        listened.processes = ours.processes;
        let mut failure = None;
        for (followed, job) in open {
            if let Err(why) = self.tell(&pass, jobs, followed, job) {
                failure = Some(format!("job {}: {why}", followed.job));
            }
        }
        let settles = (!self.settling.is_empty()).then_some(SPACING * 2);
        failure.map_or(Ok(settles), Err)
    }

    fn tell(&mut self, pass: &Pass, jobs: &FollowedJobs, followed: &FollowedJob, job: &Job) -> Result<(), String> {
        let Some(subject) = reading::of_entry(pass, &followed.session) else { return Ok(()) };
        if let Fact::Seen((id, Fact::Seen(_))) = &subject.conversation
            && subject.is_alive
            && followed.conversation.as_ref() != Some(id)
        {
            jobs.note(&FollowedJob { conversation: Some(id.clone()), ..followed.clone() });
        }
        let now = self.world.host.now();
        let query = TurnQuery { last: TURNS, after: None, now };
        let page = reading::turns(&pass.manifest().agents, &subject, &query).into_seen();
        let all = conditions_of(&self.world, &self.state, pass, &|key| *key == followed.session);
        let conditions = all.get(&followed.session).map_or(&[][..], |seen| seen.conditions.as_slice());
        let one = |wanted: &[Condition]| conditions.iter().find(|it| wanted.contains(&it.condition));
        let is_idle = one(&[Condition::Idle, Condition::TurnEnded]).is_some_and(|it| it.source != ConditionSource::Transcript);
        let scene = FollowScene {
            page: page.as_ref(),
            asks: one(&[Condition::NeedsInput]).map(|it| it.evidence.as_str()),
            is_idle,
            ended: one(&[Condition::Ended, Condition::Crashed]).map(|it| it.evidence.as_str()),
            before: self.settling.get(&followed.job),
            now,
        };
        let news = follow(followed, job.last_event, &scene);
        self.settling.remove(&followed.job);
        let (kind, detail) = match news {
            FollowNews::Nothing => return Ok(()),
            FollowNews::Settling(seen) => {
                self.settling.insert(followed.job.clone(), seen);
                return Ok(());
            }
            FollowNews::Event(kind, detail) => (kind, detail),
        };
        let data = json!({ "session": followed.session, "session_id": followed.conversation });
        let data = data.as_object().cloned().unwrap_or_default();
        let registry = Registry::at(&followed.registry);
        match job_ends::publish((&registry, &followed.job), kind, &detail, data) {
            Ok(event) => followed.bus.as_ref().map_or(Ok(()), |bus| job_ends::send(bus, &followed.job, &event)),
            // Somebody was quicker.
            Err(JobsError::Ended { .. } | JobsError::NoSuchJob { .. }) => Ok(()),
            Err(error) => Err(PassError::line(&error)),
        }
    }
}

//! Attending an agent that does a job at a terminal: gives it the prompt, and writes down what its turns tell, as an agent without a
//! terminal writes it itself. What that is, `core::job` decides. Begins and ends no agent.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::{FrontRequest, LeadRequest, Queueing, SendRequest, SentText, UnlistedManifest, facts, send};
use super::background::{Background, BackgroundThread};
use super::wakes::{LookPlaces, LookWakes};
use super::{SPACING, TURNS, about, conditions_of, places};
use crate::agent::TurnQuery;
use crate::control::job_ends;
use crate::control::lead::reading::{self, ReadSubject};
use crate::control::observe::Observer;
use crate::control::pass::{Pass, PassError, PassOptions, PassRunner};
use crate::control::watch::wake::Scope;
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, SessionKey};
use crate::core::job::run::{AttemptBegun, AttendedLine, JobSpec};
use crate::core::job::{EventKind, FollowNews, FollowScene, FollowedJob, follow, turn_of};
use crate::core::lead::Wish;
use crate::core::lead::conditions::{Condition, ConditionReport, ConditionSource};
use crate::core::lead::send::{SendOutcome, TextOptions};
use crate::core::lead::turns::{AnswerSeen, Turn, TurnPage};
use crate::store::job_files::{JobFiles, LineReader};
use crate::store::paths::StateHome;

/// How long nothing may happen before its session is looked at again.
const AGAIN: Duration = Duration::from_secs(5);
/// The time between two tries to give an agent its prompt.
const TRIES: Duration = Duration::from_millis(500);
/// How long a prompt may not be given before somebody is told why.
const HELD: Duration = Duration::from_secs(15);
/// How often it is looked after the end of the agent, if that goes wrong.
const LAST_LOOKS: usize = 3;

/// An attempt at a job whose agent is at a terminal.
#[derive(Debug, Clone)]
pub struct AttendedJob {
    /// The state directory.
    pub state: StateHome,
    /// Its files.
    pub files: JobFiles,
    /// What was asked for.
    pub spec: JobSpec,
    /// The attempt.
    pub begun: AttemptBegun,
    /// The program that panes are given.
    pub launcher: PathBuf,
}

/// Attends it in a thread of its own until its turn is over. Ended before, it looks once more.
///
/// # Errors
/// There is no room for another thread.
pub fn attend_job(world: Arc<Observer>, job: AttendedJob) -> std::io::Result<BackgroundThread> {
    let act = move |background: &Background| Attendant::new(&world, &job).map(|mut it| it.go_on(background));
    let failed = |why: String| tracing::warn!(why, "a job is not attended");
    BackgroundThread::start("the job is not attended", act, failed)
}

/// Looks once at an attempt whose agent has ended.
pub fn look_at_attended(world: &Arc<Observer>, job: &AttendedJob) {
    if let Ok(mut attendant) = Attendant::new(world, job) {
        attendant.is_given = true;
        attendant.look_at_the_end();
    }
}

/// When the agent of a job that is over was used last. `None`: it is in use, as far as anybody can tell: it works, it asks, somebody is at
/// its terminal or has it in hand, or a draft stands there.
pub fn last_use(world: &Arc<Observer>, job: &AttendedJob) -> Option<DateTime<Utc>> {
    let mut attendant = Attendant::new(world, job).ok()?;
    let pass = attendant.see(&mut LookPlaces::default()).ok()?;
    let entry = pass.verdict().entries.first()?;
    if !entry.presence.live().is_some_and(|live| facts::is_idle(&pass, live, entry)) {
        return None;
    }
    let subject = reading::of_entry(&pass, attendant.key())?;
    let query = TurnQuery { last: 1, after: None, now: world.host.now() };
    let turn = reading::turns(&pass.manifest().agents, &subject, &query).into_seen()?.turns.pop()?;
    let manifest = attendant.sight.as_ref()?.manifest.path().to_owned();
    let request = LeadRequest { is_automatic: true, ..attendant.request(manifest) };
    let letter = attendant.letter("Are you in use?".to_owned());
    // What would get a text now is nobody's.
    let receipt = send(world, &request, &SendRequest { is_preview: true, key: None, ..letter }).ok()?;
    turn.ended_at.filter(|_| receipt.outcome == SendOutcome::Preview)
}

/// What looks at one session.
struct Sight {
    manifest: UnlistedManifest,
    runner: PassRunner,
    scope: Scope,
}

/// Whoever attends one attempt.
struct Attendant<'a> {
    world: &'a Arc<Observer>,
    job: &'a AttendedJob,
    followed: FollowedJob,
    sight: Option<Sight>,
    /// Whether the agent was given its prompt.
    is_given: bool,
    /// Whether its conversation was written down.
    is_named: bool,
    /// Since when the prompt cannot be given.
    held: Instant,
    /// The turn whose steps were written down, and how many.
    steps: (Option<String>, usize),
    settling: Option<AnswerSeen>,
    last: EventKind,
}

/// What a look comes to.
enum Looked {
    /// Its turn is over.
    Over,
    /// It is to be looked at again, after this time at the latest.
    Again(Duration),
}

impl<'a> Attendant<'a> {
    fn new(world: &'a Arc<Observer>, job: &'a AttendedJob) -> Result<Self, String> {
        let AttendedJob { spec, begun, files, .. } = job;
        let prompt = files.prompt(begun.continues()).ok_or("its prompt cannot be read")?;
        // What was written down before is not written down again.
        let lines = LineReader::new(files.output(), begun.from).lines(true);
        let lines: Vec<AttendedLine> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let followed = FollowedJob {
            version: FollowedJob::VERSION,
            job: spec.job.clone(),
            registry: spec.registry.clone(),
            session: spec.session.clone(),
            agent: spec.agent,
            prompt,
            since: begun.at,
            conversation: begun
                .resumes
                .clone()
                .or_else(|| begun.assigned.clone())
                .or_else(|| files.session_id())
                .map(ConversationId),
            bus: None,
        };
        Ok(Self {
            world,
            job,
            followed,
            sight: None,
            is_given: false,
            is_named: lines.iter().any(|line| matches!(line, AttendedLine::Conversation(_))),
            held: Instant::now(),
            steps: (None, lines.iter().filter(|line| line.is_step()).count()),
            settling: None,
            last: EventKind::Started,
        })
    }

    fn key(&self) -> &SessionKey {
        &self.job.spec.session
    }

    fn go_on(&mut self, background: &Background) {
        let mut wakes = LookWakes::new();
        background.wakes_by(wakes.waker());
        let mut failure = None;
        while !background.is_over() {
            let looked = Instant::now();
            let mut listened = LookPlaces::default();
            let at_most = match self.look(&mut listened) {
                Ok(Looked::Over) => return,
                Ok(Looked::Again(at_most)) => at_most,
                Err(why) => {
                    if failure.as_ref() != Some(&why) {
                        tracing::warn!(why, "a job cannot be looked at");
                    }
                    failure = Some(why);
                    self.sight = None;
                    AGAIN
                }
            };
            // What happened before it was listened to was not heard.
            let at_most = if wakes.watch(listened) { SPACING } else { at_most };
            wakes.rest(at_most, looked);
        }
        self.look_at_the_end();
    }

    /// What its agent did last is told after its end.
    fn look_at_the_end(&mut self) {
        // Nothing is typed to whoever is in its place.
        self.is_given = true;
        for _ in 0..LAST_LOOKS {
            match self.look(&mut LookPlaces::default()) {
                Ok(Looked::Again(_)) if self.settling.is_some() => std::thread::sleep(SPACING * 2),
                Ok(_) => return,
                Err(why) => {
                    tracing::warn!(why, "a job cannot be looked at");
                    self.sight = None;
                }
            }
        }
    }

    fn sight(&mut self) -> Result<Sight, String> {
        if let Some(sight) = self.sight.take() {
            return Ok(sight);
        }
        let SessionKey { name, mux, server, host } = self.key();
        let entry = json!({
            "name": name, "agent": self.job.spec.agent.as_str(), "mux": mux.as_str(), "server": server, "host": host,
            "cwd": self.job.spec.cwd, "session_id": self.followed.conversation.as_ref().map(|id| id.as_str()),
        });
        let unwritten = |error: std::io::Error| format!("cannot write what a job is looked at in: {error}");
        let manifest = UnlistedManifest::new(&self.job.state, &entry).map_err(unwritten)?;
        let options = PassOptions::look(manifest.path().to_owned(), self.job.state.clone());
        Ok(Sight { manifest, runner: PassRunner::new(Arc::clone(self.world), options), scope: Scope::ALL })
    }

    fn see(&mut self, listened: &mut LookPlaces) -> Result<Pass, String> {
        let mut sight = self.sight()?;
        let pass = sight.runner.pass(&sight.scope).map_err(|error| PassError::line(&error))?;
        let sessions = BTreeSet::from([self.key().clone()]);
        sight.scope = about(&sessions);
        *listened = places(self.world, &self.job.state, &pass, &sessions);
        self.sight = Some(sight);
        Ok(pass)
    }

    fn look(&mut self, listened: &mut LookPlaces) -> Result<Looked, String> {
        let pass = self.see(listened)?;
        let subject = reading::of_entry(&pass, self.key()).ok_or("its entry is gone")?;
        let all = conditions_of(self.world, &self.job.state, &pass, &|key| *key == self.job.spec.session);
        let conditions = all.get(self.key()).map_or(&[][..], |seen| seen.conditions.as_slice());
        let asks = conditions.iter().find(|it| it.condition == Condition::NeedsInput).map(|it| it.evidence.clone());
        if !self.is_given {
            if let Some(asks) = &asks {
                self.happens(EventKind::PermissionRequired, asks);
            }
            return self.give();
        }
        self.tell(&pass, &subject, conditions, asks.as_deref())
    }

    /// Writes down what its turn tells.
    fn tell(
        &mut self,
        pass: &Pass,
        subject: &ReadSubject,
        conditions: &[ConditionReport],
        asks: Option<&str>,
    ) -> Result<Looked, String> {
        let now = self.world.host.now();
        let query = TurnQuery { last: TURNS, after: None, now };
        let page = reading::turns(&pass.manifest().agents, subject, &query).into_seen();
        if let (Some(page), Fact::Seen((id, _))) = (&page, &subject.conversation) {
            self.write_turn(page, id)?;
        }
        let is_idle = |it: &ConditionReport| {
            matches!(it.condition, Condition::Idle | Condition::TurnEnded) && it.source != ConditionSource::Transcript
        };
        let before = self.settling.take();
        let scene = FollowScene {
            page: page.as_ref(),
            asks,
            is_idle: conditions.iter().any(is_idle),
            // What comes after its end is for its launcher to say.
            ended: None,
            before: before.as_ref(),
            now,
        };
        match follow(&self.followed, Some(self.last), &scene) {
            FollowNews::Nothing => Ok(Looked::Again(AGAIN)),
            FollowNews::Settling(seen) => {
                self.settling = Some(seen);
                Ok(Looked::Again(SPACING * 2))
            }
            FollowNews::Event(EventKind::Completed, _) => self.is_over(&AttendedLine::Done {}),
            FollowNews::Event(EventKind::Error, why) => self.is_over(&AttendedLine::Failed(why)),
            FollowNews::Event(kind, what) => {
                self.happens(kind, &what);
                Ok(Looked::Again(AGAIN))
            }
        }
    }

    fn write_turn(&mut self, page: &TurnPage, id: &ConversationId) -> Result<(), String> {
        let Some(turn) = turn_of(&self.followed, page) else { return Ok(()) };
        if !self.is_named {
            self.write(&AttendedLine::Conversation(id.as_str().to_owned()))?;
            self.is_named = true;
        }
        let name = named(turn);
        if self.steps.0.as_ref().is_some_and(|known| *known != name) {
            self.steps.1 = 0;
        }
        self.steps.0 = Some(name);
        let lines: Vec<AttendedLine> = turn.steps.iter().filter_map(AttendedLine::of_step).collect();
        for line in lines.iter().skip(self.steps.1) {
            self.write(line)?;
            self.steps.1 += 1;
        }
        Ok(())
    }

    fn write(&self, line: &AttendedLine) -> Result<(), String> {
        let text = serde_json::to_vec(line).map_err(|error| error.to_string())?;
        self.job.files.add_output(&text).map_err(|error| PassError::line(&error))
    }

    fn is_over(&mut self, line: &AttendedLine) -> Result<Looked, String> {
        self.write(line)?;
        self.job.files.note_asks(None);
        Ok(Looked::Over)
    }

    /// Tells of something on the way, once.
    fn happens(&mut self, kind: EventKind, what: &str) {
        if self.last == kind {
            return;
        }
        self.last = kind;
        self.job.files.note_asks((kind == EventKind::PermissionRequired).then_some(what));
        let data = json!({ "session": self.key(), "session_id": self.followed.conversation });
        let data = data.as_object().cloned().unwrap_or_default();
        if let Err(why) = job_ends::tell(&self.job.spec, kind, what, data) {
            tracing::warn!(why, "what happens to a job is not told");
        }
    }

    /// Gives the agent its prompt, as soon as it takes one.
    fn give(&mut self) -> Result<Looked, String> {
        let manifest = self.sight.as_ref().map(|sight| sight.manifest.path().to_owned()).ok_or("it was not looked at")?;
        let letter = self.letter(self.followed.prompt.clone());
        let receipt = send(self.world, &self.request(manifest), &letter).map_err(|error| PassError::line(&error))?;
        let soon = Ok(Looked::Again(Duration::ZERO));
        match receipt.outcome {
            SendOutcome::Held => {
                if self.held.elapsed() > HELD {
                    self.happens(EventKind::PermissionRequired, &format!("its prompt waits: {}", receipt.message));
                }
                return Ok(Looked::Again(TRIES));
            }
            SendOutcome::Refused => return self.is_over(&AttendedLine::Failed(format!("its prompt: {}", receipt.message))),
            // What becomes of a turn that was refused is seen as that of any other.
            SendOutcome::Delivered
            | SendOutcome::Rejected
            | SendOutcome::Queued
            | SendOutcome::Waiting
            | SendOutcome::Preview => {}
            SendOutcome::Staged | SendOutcome::Unverified | SendOutcome::Duplicate => {
                self.happens(
                    EventKind::PermissionRequired,
                    &format!("its prompt is {}: {}", receipt.outcome.as_str(), receipt.message),
                );
            }
        }
        self.is_given = true;
        if receipt.outcome.is_said()
            && let Some(id) = receipt.conversation.filter(|_| !self.is_named)
        {
            self.write(&AttendedLine::Conversation(id.as_str().to_owned()))?;
            (self.is_named, self.followed.conversation) = (true, Some(id));
        }
        if self.last == EventKind::PermissionRequired && receipt.outcome.is_said() {
            self.happens(EventKind::Progress, "it was given its prompt");
        }
        soon
    }

    fn letter(&self, text: String) -> SendRequest {
        SendRequest {
            session: self.key().clone(),
            agent: self.job.spec.agent,
            what: SentText::New(text, TextOptions::default()),
            key: Some(format!("job {} {}", self.job.spec.job, self.job.begun.number)),
            is_preview: false,
            submits: true,
            interrupts: false,
            mid_turn: false,
            queueing: Queueing::Never,
        }
    }

    fn request(&self, manifest: PathBuf) -> LeadRequest {
        let by = format!("job {}", self.job.spec.job);
        LeadRequest {
            pass: PassOptions::look(manifest, self.job.state.clone()),
            only: Some(BTreeSet::from([self.key().clone()])),
            wish: Wish::Manifest,
            take: false,
            reuse: false,
            fork: None,
            says_prompt: false,
            now: false,
            kill: false,
            timeout: Duration::from_secs(30),
            // This process is its launcher.
            own: true,
            // Somebody has just asked for the first one.
            is_automatic: self.job.begun.resumes.is_some(),
            is_found: false,
            holder: by.clone(),
            by,
            passes_hold: false,
            cause: None,
            parallel: 1,
            aim: None,
            launcher: self.job.launcher.clone(),
            front: FrontRequest::default(),
        }
    }
}

/// What tells one turn from another.
fn named(turn: &Turn) -> String {
    json!([turn.started_at, turn.prompt]).to_string()
}

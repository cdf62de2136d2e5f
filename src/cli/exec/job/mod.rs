//! The launcher of a job: begins its agent, attempt after attempt, reads what that says, and writes down how it ended. It alone does that,
//! for as long as it holds the job's lock. What comes next is for `core::job::run` to say.

mod agent_run;
mod at_terminal;
mod living;
mod output;

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::process::Signal;
use serde_json::{Map, Value, json};

use self::living::{Asked, LivingAgent};
use self::output::JobOutput;
use super::{End, ended, say, signals};
use crate::agent;
use crate::agent::drive::LaunchTable;
use crate::agent::headless::HeadlessTable;
use crate::control::job_agent::AgentGroup;
use crate::control::job_ends;
use crate::core::job::EventKind;
use crate::core::job::run::{
    Attempt, AttemptBegun, AttemptEnded, AttemptEnding, AttemptNote, AttemptStream, JobEnd, JobNext, JobOpening, JobOutcome,
    JobSpec, StreamEnd, StreamNews, may_pass, next_attempt, read_attended,
};
use crate::core::text::printable;
use crate::fault;
use crate::host::{Environ, Host as _, LocalHost};
use crate::store::job_files::{JobClaim, JobFiles, StopNote};
use crate::store::operations::{EndedRecord, LaunchSpec, LaunchedRecord, LockError};

/// How long another launcher may take to go, and whoever only looks.
const TAKES: Duration = Duration::from_secs(5);
/// The time between two tries to tell somebody of the end.
const AGAIN: Duration = Duration::from_secs(60);

/// What a launcher waits for.
enum JobWake {
    /// A signal, or the end of a child.
    Signal(i32),
    /// The agent has written something.
    Output,
}

/// A job that this process runs.
struct JobLauncher<'a> {
    files: JobFiles,
    spec: JobSpec,
    launch: &'a LaunchSpec,
    doing: JobDoing,
    host: LocalHost,
    wakes: Receiver<JobWake>,
    wake: SyncSender<JobWake>,
    /// What is told while the agent works.
    tellers: Vec<std::thread::JoinHandle<()>>,
    /// The agent, where it goes on although the job is over.
    living: Option<LivingAgent>,
    _claim: JobClaim,
}

/// How its agent is run.
#[derive(Clone, Copy)]
enum JobDoing {
    /// Without a terminal.
    Headless(&'static HeadlessTable),
    /// At the terminal of the pane.
    AtTerminal(&'static LaunchTable),
}

impl JobDoing {
    fn of(spec: &JobSpec) -> Option<Self> {
        let adapter = agent::of(spec.agent)?;
        match spec.is_interactive {
            true => adapter.drive().map(Self::AtTerminal),
            false => adapter.headless().map(Self::Headless),
        }
    }

    /// How a line of its output is read.
    fn read(self) -> fn(&Value) -> StreamNews {
        match self {
            Self::Headless(table) => table.read,
            Self::AtTerminal(_) => read_attended,
        }
    }

    const fn takes_id(self) -> bool {
        match self {
            Self::Headless(table) => table.id_flag.is_some(),
            Self::AtTerminal(table) => table.id_flag.is_some(),
        }
    }
}

/// Runs the job to its end, or until its pane is taken from it.
pub(super) fn run(directory: &Path, launch: &LaunchSpec) -> EndedRecord {
    let not_begun = |why: String| {
        say(&format!("headcount: {}", printable(&why)));
        ended(End::default(), Some(why))
    };
    let files = JobFiles::at(directory);
    let Some(spec) = files.spec() else { return not_begun("the files of this job are gone".to_owned()) };
    let Some(doing) = JobDoing::of(&spec) else {
        return not_begun(format!("how {} does such a job is not known", spec.agent));
    };
    let host = LocalHost::new(Environ::of_this_process());
    let claim = match claim(&files, &LaunchedRecord::of(host.own_process())) {
        Ok(claim) => claim,
        Err(error) => return not_begun(format!("{error}")),
    };
    signals::block();
    let (wake, wakes) = sync_channel(64);
    let of_signals = wake.clone();
    let listen = move || {
        while let Some(signal) = signals::wait() {
            if of_signals.send(JobWake::Signal(signal)).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let listening = fault::around("listen for signals", || thread.spawn(listen));
    if let Err(error) = listening {
        return not_begun(format!("cannot listen for signals: {error}"));
    }
    let mut launcher =
        JobLauncher { files, spec, launch, doing, host, wakes, wake, tellers: Vec::new(), living: None, _claim: claim };
    let (code, told) = launcher.go();
    ended(End { code: Some(code), signal: None, told }, None)
}

/// Whoever only looks whether somebody runs it stands in the way for a moment.
fn claim(files: &JobFiles, own: &LaunchedRecord) -> Result<JobClaim, LockError> {
    let until = Instant::now() + TAKES;
    loop {
        match files.claim(own) {
            Err(LockError::Taken) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            other => return other,
        }
    }
}

impl JobLauncher<'_> {
    /// Gives the code to end with, and the signal by which somebody ended this before the job was over.
    fn go(&mut self) -> (i32, Option<i32>) {
        say(&format!(
            "headcount: job {} in {}; its output is in {}",
            self.spec.job,
            printable(&self.spec.session.name),
            printable(&self.files.output().display().to_string()),
        ));
        let end = match self.files.done() {
            Some(end) => end,
            None => match self.work() {
                Ok(end) => end,
                Err(signal) => return (128 + signal, Some(signal)),
            },
        };
        for teller in std::mem::take(&mut self.tellers) {
            let _ = teller.join();
        }
        let mut told = job_ends::conclude(&self.files, &self.spec, &end, signals::unblock);
        if let Some(living) = self.living.take()
            && let Some(signal) = self.stay_with(living, &end, &mut told)
        {
            return (128 + signal, Some(signal));
        }
        say(&format!("headcount: {}: {}", end.outcome.as_str(), printable(&end.reason)));
        println(&end.marker());
        let code = end.code.unwrap_or_default();
        // Whoever stopped it wants its pane gone.
        if end.outcome == JobOutcome::Stopped {
            return (code, None);
        }
        self.stay(&end, told);
        (code, None)
    }

    /// One attempt after another. An error is the signal that took the pane from us.
    fn work(&mut self) -> Result<JobEnd, i32> {
        self.take_over()?;
        loop {
            if let Some(note) = self.files.stopped_by() {
                return self.finish(JobOutcome::Stopped, format!("{} stopped it", note.by));
            }
            match next_attempt(&self.spec, &self.files.attempts(), Utc::now()) {
                JobNext::Over(outcome, reason) => return self.finish(outcome, reason),
                JobNext::Begin(opening, at) => {
                    if self.waits_until(at, &opening)? {
                        self.attempt(&opening)?;
                    }
                }
            }
        }
    }

    /// Takes over an attempt whose launcher was killed: its agent may go on, and what it said meanwhile stands in its output.
    fn take_over(&mut self) -> Result<(), i32> {
        let Some(Attempt { begun, ended: None }) = self.files.attempts().pop() else { return Ok(()) };
        let Some(group) = self.files.agent(begun.number).and_then(|leader| AgentGroup::new(leader, &self.spec.job)) else {
            self.look_at_the_end(&begun);
            let mut output = JobOutput::silent(&self.files, self.doing, begun.from);
            output.drain(true);
            return self.note_end(&begun, output.stream(), None, Some(Asked::Lost(libc::SIGKILL)));
        };
        let mut output = JobOutput::new(&self.files, self.doing, begun.from, &self.wake);
        if group.lives(&self.host) {
            match self.doing {
                JobDoing::Headless(_) => say("headcount: the agent of the last attempt still works; waiting for it"),
                // Its terminal is gone, and nobody reaches it any more.
                JobDoing::AtTerminal(_) => group.signal(Signal::TERM),
            }
        }
        let asked = self.outlive(&group, &mut output);
        self.look_at_the_end(&begun);
        output.drain(true);
        // Of an agent that nobody saw end, only its own words say how.
        let asked = asked.or(Some(Asked::Lost(libc::SIGKILL)));
        self.note_end(&begun, output.stream(), None, asked)
    }

    /// Waits until an attempt may begin; `false`: look again.
    fn waits_until(&mut self, at: DateTime<Utc>, opening: &JobOpening) -> Result<bool, i32> {
        let at = at.min(self.spec.ends_at());
        let wait = at - Utc::now();
        if let Ok(wait) = wait.to_std()
            && !wait.is_zero()
        {
            let how = match opening {
                JobOpening::New => "begins again",
                JobOpening::Resumed(_) => "goes on",
            };
            say(&format!("headcount: it {how} in {} s", wait.as_secs() + 1));
            let mut output = JobOutput::none(&self.files, self.doing);
            return match self.listen(Some(wait), &mut output) {
                Some(Asked::Lost(signal)) => Err(signal),
                // It may have been anything: what is so is looked at again.
                _ => Ok(false),
            };
        }
        Ok(true)
    }

    /// Waits for something to happen, at most so long.
    fn listen(&self, at_most: Option<Duration>, output: &mut JobOutput) -> Option<Asked> {
        let left = (self.spec.ends_at() - Utc::now()).to_std().unwrap_or_default();
        // Once its time is over, only what was asked for is waited for.
        let wait = match left.is_zero() {
            true => at_most.unwrap_or(Duration::from_millis(20)),
            false => at_most.unwrap_or(Duration::MAX).min(left),
        };
        let asked = match self.wakes.recv_timeout(wait) {
            Ok(JobWake::Output) | Err(RecvTimeoutError::Disconnected) => None,
            Ok(JobWake::Signal(signal)) => match signal {
                libc::SIGHUP | libc::SIGTERM => match self.files.stopped_by() {
                    Some(_) => Some(Asked::Stop),
                    None => Some(Asked::Lost(signal)),
                },
                libc::SIGINT | libc::SIGQUIT => {
                    let note = StopNote { by: "somebody in its pane".to_owned(), kill: false };
                    if let Err(error) = self.files.ask_to_stop(&note) {
                        say(&format!("headcount: {error}"));
                    }
                    Some(Asked::Stop)
                }
                _ => None,
            },
            Err(RecvTimeoutError::Timeout) => None,
        };
        output.drain(false);
        asked.or_else(|| (Utc::now() >= self.spec.ends_at()).then_some(Asked::Deadline))
    }

    /// Writes down how an attempt ended. An error is the signal that took the pane from us.
    fn note_end(
        &mut self,
        begun: &AttemptBegun,
        stream: &AttemptStream,
        code: Option<i32>,
        asked: Option<Asked>,
    ) -> Result<(), i32> {
        let how = |code: Option<i32>| match code {
            Some(code) if code > 128 => format!("signal {} ended it", code - 128),
            Some(code) => format!("it ended with exit code {code}"),
            None => "it ended unseen".to_owned(),
        };
        let said = stream.plain.as_deref().map(|plain| format!(": {plain}")).unwrap_or_default();
        let (ending, reason) = match (&stream.end, &asked) {
            (Some(StreamEnd::Done), _) if code.is_none_or(|code| code == 0) => {
                (AttemptEnding::Completed, "the agent said that it is done".to_owned())
            }
            (_, Some(Asked::Stop)) => (AttemptEnding::Stopped, "it was stopped".to_owned()),
            (_, Some(Asked::Deadline)) => (AttemptEnding::Deadline, "its time is over".to_owned()),
            (Some(StreamEnd::Failed(why)), _) => (AttemptEnding::Failed, why.clone()),
            (_, Some(Asked::Lost(_))) => (AttemptEnding::Lost, "its pane, its server or its launcher was lost".to_owned()),
            (_, None) if self.was_quit(stream, code) => {
                (AttemptEnding::Quit, format!("somebody ended its agent before its turn was over: {}", how(code)))
            }
            (_, None) => (AttemptEnding::Crashed, format!("{}{said}", how(code))),
        };
        let assigned = begun.assigned.clone().or_else(|| begun.resumes.clone()).filter(|_| stream.is_begun);
        let note = AttemptEnded {
            number: begun.number,
            at: Utc::now(),
            ending,
            code,
            is_passing: may_pass(&reason),
            reason,
            id: stream.id.clone().or(assigned),
            is_heard: stream.is_heard,
        };
        if let Some(id) = note.id.as_ref().filter(|id| self.files.session_id().as_ref() != Some(*id)) {
            self.insist(|files| files.note_session_id(id))?;
        }
        if !matches!(ending, AttemptEnding::Completed) {
            say(&format!("headcount: attempt {}: {}", begun.number, printable(&note.reason)));
        }
        self.insist(|files| files.note(&AttemptNote::Ended(note.clone())))?;
        match asked {
            Some(Asked::Lost(signal)) if ending == AttemptEnding::Lost && signal != libc::SIGKILL => Err(signal),
            _ => Ok(()),
        }
    }

    /// Tries until it works: a disk that is full is emptied some time.
    fn insist<T, E: std::fmt::Display>(&mut self, act: impl Fn(&JobFiles) -> Result<T, E>) -> Result<T, i32> {
        loop {
            match act(&self.files) {
                Ok(value) => return Ok(value),
                Err(error) => say(&format!("headcount: {error}; trying again")),
            }
            let until = Instant::now() + Duration::from_secs(5);
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                match self.wakes.recv_timeout(left) {
                    Ok(JobWake::Signal(signal @ (libc::SIGHUP | libc::SIGTERM))) => return Err(signal),
                    Err(RecvTimeoutError::Disconnected) => std::thread::sleep(left),
                    _ => {}
                }
            }
        }
    }

    /// Writes down how the job ended.
    fn finish(&mut self, outcome: JobOutcome, reason: String) -> Result<JobEnd, i32> {
        let attempts = self.files.attempts();
        let last = attempts.last();
        let mut output = JobOutput::silent(&self.files, self.doing, last.map_or(0, |last| last.begun.from));
        output.drain(true);
        let stream = output.stream();
        let code = last.and_then(|last| last.ended.as_ref()).and_then(|end| end.code);
        let end = JobEnd {
            schema: JobEnd::SCHEMA.to_owned(),
            job: self.spec.job.clone(),
            outcome,
            code,
            reason,
            session_id: self.files.session_id(),
            attempts: last.map_or(0, |last| last.begun.number),
            submitted_at: self.spec.at,
            started_at: attempts.first().map(|first| first.begun.at),
            ended_at: Utc::now(),
            last_message: stream.message.clone(),
            denied: stream.denied,
        };
        self.insist(|files| files.end(&end))
    }

    /// Tells the registry and the broker of something on the way, without holding the agent up.
    fn tell(&mut self, kind: EventKind, text: String, data: Map<String, Value>) {
        // One after another.
        let before = self.tellers.pop();
        let spec = self.spec.clone();
        let tell = move || {
            if let Some(before) = before {
                let _ = before.join();
            }
            if let Err(why) = job_ends::tell(&spec, kind, &text, data) {
                say(&format!("headcount: not told: {}", printable(&why)));
            }
        };
        let thread = std::thread::Builder::new().name("teller".to_owned());
        let teller = fault::around("tell of the job", || thread.spawn(tell));
        self.tellers.extend(teller.ok());
    }

    /// Says that an attempt begins.
    fn tell_beginning(&mut self, begun: &AttemptBegun) {
        let (kind, text) = match (begun.number, &begun.resumes) {
            (1, _) => (EventKind::Started, "the agent was begun".to_owned()),
            (number, Some(_)) => (EventKind::Progress, format!("resumed: attempt {number}")),
            (number, None) => (EventKind::Progress, format!("begun again: attempt {number}")),
        };
        let data = json!({"attempt": begun.number, "lifecycle": if begun.resumes.is_some() { "resume" } else { "create" }});
        self.tell(kind, text, data.as_object().cloned().unwrap_or_default());
    }

    /// Stays in its pane, for whoever wants to look, and tells those who could not be told.
    fn stay(&mut self, end: &JobEnd, mut told: Result<(), String>) {
        let name = printable(self.spec.job.as_str()).into_owned();
        let until = self.spec.kept_until(end.ended_at);
        if until > Utc::now() {
            let at = until.format("%Y-%m-%d %H:%M UTC");
            say(&format!("headcount: this pane stays until {at}; `headcount job stop {name}` or Ctrl-C closes it"));
        }
        loop {
            if let Err(why) = &told {
                say(&format!("headcount: {}", printable(why)));
            }
            let Ok(left) = (until - Utc::now()).to_std() else { return };
            let wait = if told.is_err() { AGAIN.min(left) } else { left };
            match self.wakes.recv_timeout(wait) {
                Ok(JobWake::Signal(libc::SIGHUP | libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)) => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if told.is_err() => {
                    told = job_ends::conclude(&self.files, &self.spec, end, signals::unblock);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// Writes a line to the pane, which may be gone.
fn println(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

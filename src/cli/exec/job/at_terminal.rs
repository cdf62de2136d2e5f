//! One attempt at a job whose agent is at the pane's own terminal: how it is begun there and waited for, and what becomes of its pane. What
//! its turns tell is written down by whoever attends it (`control::lead`), and read here like the output of any other.

use std::io;
use std::os::fd::AsFd as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rustix::process::Signal;
use rustix::termios::{Termios, tcgetattr};

use super::super::{restore, say, signals};
use super::living::{Asked, GRACE, LivingAgent};
use super::output::JobOutput;
use super::{AGAIN, JobDoing, JobLauncher, JobWake};
use crate::agent;
use crate::agent::drive::Opening;
use crate::cli::run_pass;
use crate::control::job_agent::AgentGroup;
use crate::control::job_ends;
use crate::control::lead::{self, AttendedJob, BackgroundThread};
use crate::control::observe::Observer;
use crate::core::ids::ConversationId;
use crate::core::job::run::{AttemptBegun, AttemptStream, JobEnd, JobOpening, StreamEnd};
use crate::core::text::printable;
use crate::store::paths::StateHome;

/// How long after the end of an agent the news may come that its terminal was closed.
const NEWS: Duration = Duration::from_millis(300);
/// When it is asked again whether an agent is used that is.
const IN_USE: Duration = Duration::from_secs(10 * 60);
/// How long the last look at an attempt may take.
const LAST_LOOK: Duration = Duration::from_secs(20);

impl JobLauncher<'_> {
    /// The arguments of an attempt.
    pub(super) fn arguments(&self, opening: &JobOpening, begun: &AttemptBegun) -> Result<Vec<String>, String> {
        let (permissions, own) = (self.spec.permissions(), self.spec.args.as_slice());
        let table = match self.doing {
            JobDoing::Headless(table) => return Ok(table.arguments(opening, begun.assigned.as_deref(), permissions, own)),
            JobDoing::AtTerminal(table) => table,
        };
        let assigned = begun.assigned.clone().map(ConversationId);
        let resumed = match opening {
            JobOpening::New => None,
            JobOpening::Resumed(id) => {
                let args = agent::of(self.spec.agent).and_then(|adapter| adapter.resume_args(&ConversationId(id.clone())));
                Some(args.ok_or_else(|| format!("how {} goes on in a conversation is not known", self.spec.agent))?)
            }
        };
        let opening = resumed.as_deref().map_or(Opening::New(assigned.as_ref()), Opening::Resumed);
        Ok(table.arguments(opening, own, Some(permissions), None))
    }

    /// It has the terminal of the pane, as if somebody had begun it there.
    pub(super) fn wire_to_terminal(&self, command: &mut Command, begun: &AttemptBegun) -> io::Result<()> {
        let own = self.files.agent_file(begun.number).map_err(io::Error::other)?;
        signals::note_itself(command, own.into());
        signals::take_foreground(command);
        Ok(())
    }

    /// What attends an attempt.
    fn attended(&self, begun: &AttemptBegun) -> Result<(Arc<Observer>, AttendedJob), String> {
        let state = self.files.path().parent().and_then(|jobs| jobs.parent()).ok_or("its files are nowhere")?;
        let state = StateHome::at(state);
        let world = Arc::new(Observer { activity: true, ..run_pass::world(&state) });
        let launcher = lead::launcher()?;
        Ok((world, AttendedJob { state, files: self.files.clone(), spec: self.spec.clone(), begun: begun.clone(), launcher }))
    }

    fn attendant(&self, begun: &AttemptBegun) -> Option<BackgroundThread> {
        let attendant = self.attended(begun).and_then(|(world, job)| lead::attend_job(world, job).map_err(|it| it.to_string()));
        attendant.inspect_err(|why| say(&format!("headcount: its agent is not attended: {}", printable(why)))).ok()
    }

    /// Looks once more at an attempt whose launcher was killed.
    pub(super) fn look_at_the_end(&self, begun: &AttemptBegun) {
        if matches!(self.doing, JobDoing::AtTerminal(_))
            && let Ok((world, job)) = self.attended(begun)
        {
            lead::look_at_attended(&world, &job);
        }
    }

    /// Waits for the end of the turn, or of the agent, and tells it to end where that is asked. One that is done goes on at its terminal.
    pub(super) fn attend_at_terminal(
        &mut self,
        agent: LivingAgent,
        output: &mut JobOutput,
        begun: &AttemptBegun,
    ) -> (Option<i32>, Option<Asked>) {
        let Some(group) = AgentGroup::new(agent.child.id(), &self.spec.job) else { return (None, None) };
        let terminal = tcgetattr(io::stdin().as_fd()).ok();
        let attendant = self.attendant(begun);
        let (mut asked, mut since) = (None, None::<Instant>);
        let code = loop {
            if let Some(code) = agent.ended() {
                break code;
            }
            match &output.stream().end {
                Some(StreamEnd::Done) if asked.is_none() => {
                    self.living = Some(agent);
                    return (None, None);
                }
                // It is begun again later.
                Some(StreamEnd::Failed(_)) if since.is_none() => {
                    since = Some(Instant::now());
                    group.signal(Signal::TERM);
                }
                _ => {}
            }
            asked = asked.or(self.listen(since.map(|_| Duration::from_millis(250)), output));
            if asked.is_some() && since.is_none() {
                since = Some(Instant::now());
                group.signal(Signal::TERM);
            }
            if since.is_some_and(|since| since.elapsed() > GRACE) {
                self.kill_if_asked(&group);
            }
        };
        restore(terminal.as_ref());
        if asked.is_none() {
            asked = self.closed(output);
        }
        if group.lives(&self.host) {
            group.signal(Signal::TERM);
            asked = asked.or(self.outlive(&group, output));
        }
        if let Some(attendant) = attendant {
            attendant.end_within(LAST_LOOK);
        }
        output.drain(true);
        // How it ended after it was done is no matter.
        let is_done = output.stream().end == Some(StreamEnd::Done);
        (code.filter(|_| !is_done), asked)
    }

    /// Whether the terminal was closed, which ends the agent as well, and may end it first.
    fn closed(&self, output: &mut JobOutput) -> Option<Asked> {
        let until = Instant::now() + NEWS;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if let Some(asked) = self.listen(Some(left), output) {
                return Some(asked);
            }
        }
        tcgetattr(io::stdin().as_fd()).is_err().then_some(Asked::Lost(libc::SIGHUP))
    }

    /// Whether somebody ended the agent at its terminal: it was in its conversation, and left that in order, or was told to end.
    pub(super) fn was_quit(&self, stream: &AttemptStream, code: Option<i32>) -> bool {
        const TOLD: [i32; 3] = [128 + libc::SIGHUP, 128 + libc::SIGINT, 128 + libc::SIGTERM];
        let is_so = code.is_some_and(|code| TOLD.contains(&code) || code == 0 && stream.is_begun);
        matches!(self.doing, JobDoing::AtTerminal(_)) && is_so
    }

    /// When its agent was used last; `None`: it is in use, or that cannot be told.
    fn used(&self) -> Option<DateTime<Utc>> {
        let begun = self.files.attempts().pop()?.begun;
        let (world, job) = self.attended(&begun).ok()?;
        lead::last_use(&world, &job)
    }

    /// Leaves the terminal to the agent of a job that is over, until it ends. `Some`: the signal by which the pane was taken from us.
    pub(super) fn stay_with(&mut self, agent: LivingAgent, end: &JobEnd, told: &mut Result<(), String>) -> Option<i32> {
        let terminal: Option<Termios> = tcgetattr(io::stdin().as_fd()).ok();
        let group = AgentGroup::new(agent.child.id(), &self.spec.job)?;
        let (mut since, mut taken) = (None::<Instant>, None);
        let mut kept = self.spec.kept_until(end.ended_at);
        while agent.ended().is_none() {
            let left = (kept - Utc::now()).to_std().unwrap_or_default();
            let wait = match (since, told.is_err()) {
                (Some(_), _) => Duration::from_millis(250),
                (None, true) => AGAIN.min(left),
                (None, false) => left,
            };
            match self.wakes.recv_timeout(wait) {
                Ok(JobWake::Signal(signal @ (libc::SIGHUP | libc::SIGTERM))) => {
                    taken = Some(signal);
                    since.get_or_insert_with(Instant::now);
                    group.signal(Signal::TERM);
                }
                Err(RecvTimeoutError::Timeout) if since.is_none() => {
                    if told.is_err() {
                        *told = job_ends::conclude(&self.files, &self.spec, end, signals::unblock);
                    }
                    let now = Utc::now();
                    if now >= kept {
                        kept = self.used().map_or((now + IN_USE).min(self.spec.kept_until(now)), |used| {
                            self.spec.kept_until(used.max(end.ended_at))
                        });
                    }
                    // Nobody has used it for so long, and nobody does.
                    if now >= kept {
                        since = Some(Instant::now());
                        group.signal(Signal::TERM);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return taken,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
            if since.is_some_and(|since| since.elapsed() > GRACE) {
                self.kill_if_asked(&group);
            }
        }
        restore(terminal.as_ref());
        taken
    }
}

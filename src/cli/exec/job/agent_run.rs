//! One attempt: the agent's process from its beginning to its end, and what it leaves. Judges nothing.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::super::signals;
use super::living::{Asked, GRACE, LivingAgent};
use super::output::JobOutput;
use super::{JobDoing, JobLauncher, say};
use crate::agent;
use crate::control::job_agent::AgentGroup;
use crate::control::job_talk::JobTalk;
use crate::control::lead::{lock_name, new_id};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::job::run::{AttemptBegun, AttemptEnded, AttemptEnding, AttemptNote, JobOpening, is_prompt_due};
use crate::core::text::printable;
use crate::fault;
use crate::host::{Environ, Host as _};
use crate::store::operations::{ConversationLock, LockError};

impl JobLauncher<'_> {
    /// Begins the agent and waits for its end. An error is the signal that took the pane from us.
    pub(super) fn attempt(&mut self, opening: &JobOpening) -> Result<(), i32> {
        let number = self.files.attempts().last().map_or(0, |last| last.begun.number) + 1;
        let is_assigned = matches!(opening, JobOpening::New) && self.doing.takes_id();
        let assigned = if is_assigned { new_id().map(|id| id.0) } else { None };
        let resumes = match opening {
            JobOpening::Resumed(id) => Some(id.clone()),
            JobOpening::New => None,
        };
        let begun = AttemptBegun {
            number,
            at: Utc::now(),
            boot: self.host.boot().into_seen().map(|boot| boot.id),
            from: self.files.output().metadata().map_or(0, |metadata| metadata.len()),
            is_prompted: resumes.as_deref().is_some_and(|id| self.is_prompt_due(id)),
            resumes,
            assigned,
        };
        self.insist(|files| files.note(&AttemptNote::Begun(begun.clone())))?;
        let mut output = JobOutput::new(&self.files, self.doing, begun.from, &self.wake);
        let (mut child, lock) = match self.begin(opening, &begun) {
            Ok(begun) => begun,
            Err((ending, reason)) => {
                let ended = AttemptEnded {
                    number,
                    at: Utc::now(),
                    ending,
                    code: Some(127),
                    reason: reason.clone(),
                    id: begun.resumes.clone().filter(|_| ending == AttemptEnding::Claimed),
                    is_heard: false,
                    is_passing: false,
                };
                say(&format!("headcount: attempt {number}: {}", printable(&reason)));
                return self.insist(|files| files.note(&AttemptNote::Ended(ended.clone())));
            }
        };
        self.tell_beginning(&begun);
        let (code, asked) = match self.doing {
            JobDoing::Headless(_) => self.attend(&mut child, &mut output),
            JobDoing::AtTerminal(_) => self.attend_at_terminal(LivingAgent { child, _lock: lock }, &mut output, &begun),
        };
        let stream = output.stream().clone();
        self.note_end(&begun, &stream, code, asked)
    }

    /// Whether its agent was ended before the conversation that it named held the prompt.
    fn is_prompt_due(&self, id: &str) -> bool {
        let asked = || {
            let program = std::slice::from_ref(&self.spec.program);
            let command = super::super::command(program, &self.spec.cwd, self.launch).map_err(Fact::<()>::Unknown);
            let asked = command.map(|command| {
                let (agent, cwd, env) = (self.spec.agent, &self.spec.cwd, &surroundings(&command));
                let continuing = self.files.prompt(true).unwrap_or_default();
                JobTalk { agent, env, cwd, id }.asked(&continuing, Utc::now())
            });
            asked.unwrap_or_else(|unknown| unknown)
        };
        is_prompt_due(&self.files.attempts(), id, asked)
    }

    /// Starts the agent, if nobody else is in its conversation.
    fn begin(
        &self,
        opening: &JobOpening,
        begun: &AttemptBegun,
    ) -> Result<(Child, Option<ConversationLock>), (AttemptEnding, String)> {
        let crashed = |why: String| (AttemptEnding::Crashed, why);
        let argv = [vec![self.spec.program.clone()], self.arguments(opening, begun).map_err(crashed)?].concat();
        let mut command = super::super::command(&argv, &self.spec.cwd, self.launch).map_err(crashed)?;
        command.env(AgentGroup::MARK, self.spec.job.as_str());
        let lock = begun.resumes.as_ref().or(begun.assigned.as_ref()).map(|id| self.lock(&command, id)).transpose()?;
        let wired = match self.doing {
            JobDoing::Headless(_) => self.wire(&mut command, begun),
            JobDoing::AtTerminal(_) => self.wire_to_terminal(&mut command, begun),
        };
        wired.map_err(|error| crashed(format!("its files cannot be used: {error}")))?;
        let child = fault::around("begin the agent", || command.spawn());
        let child = child.map_err(|error| crashed(format!("cannot start {}: {error}", printable(&self.spec.program))))?;
        Ok((child, lock))
    }

    /// Its input is the prompt, its output goes into the file: what it says is not lost with this process.
    fn wire(&self, command: &mut Command, begun: &AttemptBegun) -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let output = options.open(self.files.output())?;
        command.stdin(File::open(self.files.input(begun.continues()))?);
        command.stdout(Stdio::from(output.try_clone()?)).stderr(Stdio::from(output));
        let own = self.files.agent_file(begun.number).map_err(std::io::Error::other)?;
        signals::note_itself(command, own.into());
        signals::unblock(command);
        Ok(())
    }

    /// Makes sure that nobody else is in the conversation, and keeps them out.
    fn lock(&self, command: &Command, id: &str) -> Result<ConversationLock, (AttemptEnding, String)> {
        let claimed = |who: String| (AttemptEnding::Claimed, format!("its conversation is open elsewhere: {who}"));
        let home = match command.get_envs().find(|(name, _)| *name == "HOME") {
            Some((_, home)) => home.map(PathBuf::from),
            None => std::env::var_os("HOME").map(PathBuf::from),
        };
        let home = home.unwrap_or_else(|| PathBuf::from("/"));
        let env = surroundings(command);
        let id = ConversationId(id.to_owned());
        let name = agent::of(self.spec.agent).and_then(|adapter| {
            let files = adapter.home(&env)?;
            Some((adapter, lock_name(self.spec.agent, &files, &id), files))
        });
        let Some((adapter, name, files)) = name else {
            return Err((AttemptEnding::Crashed, "where its agent keeps its files is not known".to_owned()));
        };
        let lock = ConversationLock::take(&home, &name).map_err(|error| match error {
            LockError::Taken => claimed("another headcount runs it".to_owned()),
            error => (AttemptEnding::Crashed, error.to_string()),
        })?;
        match adapter.holder(&self.host, &files, &id) {
            Fact::Seen(who) => Err(claimed(who)),
            Fact::Unknown(why) => Err(claimed(why)),
            Fact::Absent => Ok(lock),
        }
    }

    /// Waits for the end of the agent, and tells it to end where that is asked.
    fn attend(&mut self, child: &mut Child, output: &mut JobOutput) -> (Option<i32>, Option<Asked>) {
        let Some(group) = AgentGroup::new(child.id(), &self.spec.job) else { return (None, None) };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (mut asked, mut since) = (None, None::<Instant>);
        let code = loop {
            match waitpid(pid, WaitOptions::NOHANG) {
                Ok(Some((_, status))) => {
                    break status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break None,
            }
            let wait = since.map(|_| Duration::from_millis(250));
            asked = asked.or(self.listen(wait, output));
            if asked.is_some() && since.is_none() {
                since = Some(Instant::now());
                group.signal(Signal::TERM);
            }
            if since.is_some_and(|since| since.elapsed() > GRACE) {
                self.kill_if_asked(&group);
            }
        };
        output.drain(true);
        // What it leaves behind when it is done is its own affair. Else it may be the agent itself, below what started it.
        let is_done = output.stream().end.is_some() && asked.is_none();
        if !is_done && group.lives(&self.host) {
            group.signal(Signal::TERM);
            asked = asked.or(self.outlive(&group, output));
        }
        output.drain(true);
        (code, asked)
    }

    /// Waits until nothing is left of a group, and tells it to end where that is asked.
    pub(super) fn outlive(&self, group: &AgentGroup, output: &mut JobOutput) -> Option<Asked> {
        let (mut asked, mut since) = (None, None::<Instant>);
        while group.lives(&self.host) {
            asked = asked.or(self.listen(Some(Duration::from_millis(250)), output));
            if asked.is_some() && since.is_none() {
                since = Some(Instant::now());
                group.signal(Signal::TERM);
            }
            if since.is_some_and(|since| since.elapsed() > GRACE) {
                self.kill_if_asked(group);
            }
        }
        asked
    }

    /// Kills a group where whoever stopped the job said so.
    pub(super) fn kill_if_asked(&self, group: &AgentGroup) {
        if self.files.stopped_by().is_some_and(|note| note.kill) {
            group.signal(Signal::KILL);
        }
    }
}

/// The environment that a command is given.
fn surroundings(command: &Command) -> Environ {
    let given = command.get_envs();
    given.fold(Environ::of_this_process(), |env, (name, value)| env.with(&name.to_string_lossy(), value.unwrap_or_default()))
}

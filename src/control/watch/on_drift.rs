//! The commands that are run with events: each one at a time, data on its stdin only, never longer than its deadline. Never holds
//! up the loop.

use std::os::fd::AsFd as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{OnEvent, Supervisor};
use crate::core::events::Event;

/// All of them.
pub(super) struct Runners {
    all: Vec<Runner>,
    outcomes: mpsc::UnboundedReceiver<Result<(), String>>,
    /// So that nobody waits in vain where there is none.
    _tell: mpsc::UnboundedSender<Result<(), String>>,
}

/// The task that runs one.
struct Runner {
    events: mpsc::UnboundedSender<Event>,
    task: JoinHandle<()>,
    options: OnEvent,
}

impl Runners {
    pub(super) fn start(commands: &[OnEvent]) -> Self {
        let (tell, outcomes) = mpsc::unbounded_channel();
        let start = |options: &OnEvent| {
            let (events, queue) = mpsc::unbounded_channel();
            let task = tokio::spawn(serve(options.clone(), queue, tell.clone()));
            Runner { events, task, options: options.clone() }
        };
        Self { all: commands.iter().map(start).collect(), outcomes, _tell: tell.clone() }
    }

    /// Queues an event for those who want it. What comes while a command runs is given to the next one, all at once.
    pub(super) fn queue(&self, event: &Event) {
        for runner in self.all.iter().filter(|runner| event.is_called(runner.options.event)) {
            // The task ends only after this sender is gone.
            let _ = runner.events.send(event.clone());
        }
    }

    /// How the next command ended.
    pub(super) async fn outcome(&mut self) -> Result<(), String> {
        match self.outcomes.recv().await {
            Some(outcome) => outcome,
            None => std::future::pending().await,
        }
    }

    /// Lets what is queued be delivered, for the grace at most, and gives how the commands ended.
    pub(super) async fn finish(mut self) -> Vec<Result<(), String>> {
        let mut late = Vec::new();
        for runner in self.all {
            let Runner { events, mut task, options } = runner;
            drop(events);
            if tokio::time::timeout(options.grace, &mut task).await.is_err() {
                task.abort();
                // The group is killed when the task is dropped.
                let _ = task.await;
                let (event, grace) = (options.event, options.grace);
                let why = format!("watch ended and killed the command; the {event}s that waited for it were not delivered");
                late.push(Err(format!("{why} within {grace:?}")));
            }
        }
        let mut outcomes = Vec::new();
        while let Ok(outcome) = self.outcomes.try_recv() {
            outcomes.push(outcome);
        }
        outcomes.extend(late);
        outcomes
    }
}

async fn serve(options: OnEvent, mut queue: mpsc::UnboundedReceiver<Event>, tell: mpsc::UnboundedSender<Result<(), String>>) {
    while let Some(first) = queue.recv().await {
        let mut events = vec![first];
        while let Ok(event) = queue.try_recv() {
            events.push(event);
        }
        if tell.send(deliver(&options, &events).await).is_err() {
            return;
        }
    }
}

async fn deliver(options: &OnEvent, events: &[Event]) -> Result<(), String> {
    let mut line = serde_json::to_vec(events).map_err(|error| format!("cannot encode the events: {error}"))?;
    line.push(b'\n');
    // stdout belongs to the events.
    let stdout = std::io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
    let mut command = Command::new("sh");
    command.arg("-c").arg(&options.command).process_group(0).stdin(Stdio::piped()).stdout(stdout);
    for variable in Supervisor::VARIABLES {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(|error| format!("cannot run the command: {error}"))?;
    let mut group = Group(child.id());
    let stdin = child.stdin.take();
    let write = tokio::spawn(async move {
        if let Some(mut stdin) = stdin {
            // A command that does not read what it is given is free not to.
            let _ = stdin.write_all(&line).await;
        }
    });
    let ended = tokio::time::timeout(options.deadline, child.wait()).await;
    write.abort();
    let Ok(ended) = ended else {
        group.kill();
        let _ = child.wait().await;
        group.0 = None;
        return Err(format!("the command took longer than {:?} and was killed", options.deadline));
    };
    group.0 = None;
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("the command failed: {status}")),
        Err(error) => Err(format!("cannot wait for the command: {error}")),
    }
}

/// A process group whose leader has not been waited for yet, so its number is still its own.
struct Group(Option<u32>);

impl Group {
    fn kill(&self) {
        if let Some(pid) = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

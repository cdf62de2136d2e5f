//! The command that is run with drifts: one at a time, data on its stdin only, never longer than its deadline. Never holds up
//! the loop.

use std::os::fd::AsFd as _;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{OnDrift, Supervisor};
use crate::core::events::Event;

/// The task that runs it.
pub(super) struct Runner {
    events: Option<mpsc::UnboundedSender<Event>>,
    outcomes: mpsc::UnboundedReceiver<Result<(), String>>,
    task: JoinHandle<()>,
    options: OnDrift,
}

impl Runner {
    pub(super) fn start(options: OnDrift) -> Self {
        let (events, queue) = mpsc::unbounded_channel();
        let (tell, outcomes) = mpsc::unbounded_channel();
        let task = tokio::spawn(serve(options.clone(), queue, tell));
        Self { events: Some(events), outcomes, task, options }
    }

    /// Queues a drift. What comes while a command runs is given to the next one, all at once.
    pub(super) fn queue(&self, event: Event) {
        if let Some(events) = &self.events {
            // The task ends only after this sender is gone.
            let _ = events.send(event);
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
        self.events = None;
        let grace = self.options.grace;
        let is_late = tokio::time::timeout(grace, &mut self.task).await.is_err();
        if is_late {
            self.task.abort();
            // The group is killed when the task is dropped.
            let _ = (&mut self.task).await;
        }
        let mut outcomes = Vec::new();
        while let Ok(outcome) = self.outcomes.try_recv() {
            outcomes.push(outcome);
        }
        if is_late {
            let why = "watch ended and killed the command; the drifts that waited for it were not delivered";
            outcomes.push(Err(format!("{why} within {grace:?}")));
        }
        outcomes
    }
}

async fn serve(options: OnDrift, mut queue: mpsc::UnboundedReceiver<Event>, tell: mpsc::UnboundedSender<Result<(), String>>) {
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

async fn deliver(options: &OnDrift, events: &[Event]) -> Result<(), String> {
    let mut line = serde_json::to_vec(events).map_err(|error| format!("cannot encode the drifts: {error}"))?;
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

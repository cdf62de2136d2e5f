//! The agent of an attempt while it lives at the terminal, and why an agent was told to end. Begins and ends none.

use std::io;
use std::os::fd::AsFd as _;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, waitpid};
use rustix::termios::tcsetpgrp;

use super::super::hang_up_rest;
use crate::store::operations::ConversationLock;

/// How long an agent may take to end once it was asked to.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Why an attempt was told to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// Somebody stopped the job.
    Stop,
    /// Its time is over.
    Deadline,
    /// What it ran in was taken from it, by this signal.
    Lost(i32),
}

/// An agent that is at the terminal.
pub(super) struct LivingAgent {
    pub(super) child: Child,
    /// Nobody else is in its conversation as long as it lives.
    pub(super) _lock: Option<ConversationLock>,
}

impl LivingAgent {
    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// How it ended, as a shell would give it; `None`: it has not. One that stopped itself is continued: nobody is here who could.
    pub(super) fn ended(&self) -> Option<Option<i32>> {
        let code = |status: WaitStatus| status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
        if let Some(pid) = self.pid() {
            hang_up_rest(pid);
        }
        match waitpid(self.pid(), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
            Ok(Some((_, status))) if status.stopped() => {
                if let Some(pid) = self.pid() {
                    let _ = tcsetpgrp(io::stdin().as_fd(), pid);
                    let _ = rustix::process::kill_process_group(pid, Signal::CONT);
                }
                None
            }
            Ok(Some((_, status))) => Some(code(status)),
            Ok(None) | Err(rustix::io::Errno::INTR) => None,
            Err(_) => Some(None),
        }
    }
}

//! The process group of a job's agent: whether something of it lives, and signals to it. Knows nothing of what it does.

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::core::fact::Fact;
use crate::core::job::JobId;
use crate::host::Host;
use crate::store::operations::LAUNCHER;

/// An agent and what it started in its process group.
#[derive(Debug, Clone)]
pub struct AgentGroup {
    leader: Pid,
    mark: String,
}

impl AgentGroup {
    /// The variable by which an agent and what it starts are known as those of a job.
    pub const MARK: &str = "HEADCOUNT_JOB";

    /// The group that this process of a job leads.
    pub fn new(leader: u32, job: &JobId) -> Option<Self> {
        Some(Self { leader: i32::try_from(leader).ok().and_then(Pid::from_raw)?, mark: job.as_str().to_owned() })
    }

    /// Whether something of it is left. A group of that number may be somebody else's by now.
    pub fn lives(&self, host: &dyn Host) -> bool {
        if test_kill_process_group(self.leader).is_err() {
            return false;
        }
        let leader = self.leader.as_raw_nonzero().get().unsigned_abs();
        match host.table() {
            // A thread of the kernel is in no group, so that nobody may ask for it.
            Fact::Seen(rows) => {
                rows.iter().any(|row| self.is_its(host, row.pid) && (row.pid == leader || host.group(row.pid) == Some(leader)))
            }
            // Who cannot be told is alive.
            Fact::Absent | Fact::Unknown(_) => true,
        }
    }

    fn is_its(&self, host: &dyn Host, pid: u32) -> bool {
        match host.environ(pid) {
            Fact::Seen(env) if env.get(Self::MARK).is_some_and(|job| job == self.mark.as_str()) => true,
            // It has not become the agent yet.
            Fact::Seen(_) => {
                host.process(pid).seen().is_some_and(|process| process.argv.get(1).is_some_and(|it| it == LAUNCHER))
            }
            // What belongs to others is not it.
            Fact::Absent | Fact::Unknown(_) => pid == self.leader.as_raw_nonzero().get().unsigned_abs(),
        }
    }

    /// Sends a signal to all of it.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.leader, signal);
        // A stopped one would not hear it.
        let _ = kill_process_group(self.leader, Signal::CONT);
    }
}

//! Who cannot have begun the conversations that weak rungs show, wherever he works. Never takes anybody for one who merely
//! seems unlikely.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::transcripts::ids;
use crate::agent::{self, Shelf};
use crate::core::fact::Fact;
use crate::core::observe::Agent;
use crate::host::{Host, Rights};

/// For the group and for everybody. Where a list of further users stands, the group's bits are the most these may do.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The conversations the ladder of an agent shows, all of them in files of one user that nobody else may write.
pub(super) struct Shown {
    owner: u32,
}

impl Shown {
    /// `None` if one of them is not, or cannot be looked at.
    pub(super) fn of(host: &dyn Host, agent: &Agent, cwd: &Path) -> Option<Self> {
        let Rights { users: [.., owner], .. } = host.rights(agent.process.pid).into_seen()?;
        let home = agent.home.seen()?;
        let shelf = Shelf::new();
        let is_owners = |path: &Path| {
            let is = |file: std::fs::Metadata| file.is_file() && file.uid() == owner && file.mode() & WRITABLE_BY_OTHERS == 0;
            path.symlink_metadata().is_ok_and(is)
        };
        let all = ids(agent).all(|id| match agent::of(agent.kind).transcript(&shelf, home, id, &[cwd]) {
            Fact::Seen(transcript) => is_owners(&transcript.path),
            Fact::Absent | Fact::Unknown(_) => false,
        });
        all.then_some(Self { owner })
    }

    /// Whether a process cannot have written them: it acts for other users only, and has no capability to be more than they.
    pub(super) fn is_beyond(&self, host: &dyn Host, pid: u32) -> bool {
        let is_other =
            |rights: &Rights| !rights.has_capabilities && rights.users.iter().all(|user| *user != self.owner && *user != 0);
        host.rights(pid).seen().is_some_and(is_other)
    }
}

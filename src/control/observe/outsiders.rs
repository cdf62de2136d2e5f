//! Who cannot have begun the conversations that weak rungs show, wherever he works. Never takes anybody for one who merely
//! seems unlikely.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::transcripts::ids;
use crate::agent::{Agents, Shelf};
use crate::core::fact::Fact;
use crate::core::observe::Agent;
use crate::host::{Host, Rights};

/// For the group and for everybody. Where a list of further users stands, the group's bits are the most these may do.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The conversations the ladder of an agent shows, all of them in files of one user.
pub(super) struct Shown {
    owner: u32,
    /// Whether each is in a file of its own, made by whoever owns it. A database tells only who may write it.
    is_made_by_owner: bool,
}

impl Shown {
    /// `None` if one of them is in another user's file, in a database that others may write, or cannot be looked at.
    pub(super) fn of(host: &dyn Host, agents: &Agents, agent: &Agent, cwd: &Path) -> Option<Self> {
        let Rights { users: [.., owner], .. } = host.rights(agent.process.pid).into_seen()?;
        let home = agent.home.seen()?;
        let adapter = agents.of(agent.kind)?;
        let is_made_by_owner = !adapter.shares_its_store();
        let shelf = Shelf::new();
        let is_owners = |path: &Path| {
            let is_closed = |file: &std::fs::Metadata| is_made_by_owner || file.mode() & WRITABLE_BY_OTHERS == 0;
            let is = |file: std::fs::Metadata| file.is_file() && file.uid() == owner && is_closed(&file);
            path.metadata().is_ok_and(is)
        };
        let all = ids(agent).all(|id| match adapter.transcript(&shelf, home, id, &[cwd]) {
            Fact::Seen(transcript) => is_owners(&transcript.path),
            Fact::Absent | Fact::Unknown(_) => false,
        });
        all.then_some(Self { owner, is_made_by_owner })
    }

    /// Whether a process cannot have begun them: it acts for other users only, so a file it makes is not the owner's, root's no
    /// less than anybody's. Into a database of the owner root and one with a capability may write all the same.
    pub(super) fn is_beyond(&self, host: &dyn Host, pid: u32) -> bool {
        let is_mighty = |rights: &Rights| rights.has_capabilities || rights.users.contains(&0);
        let is_other = |rights: &Rights| !rights.users.contains(&self.owner) && (self.is_made_by_owner || !is_mighty(rights));
        host.rights(pid).seen().is_some_and(is_other)
    }
}

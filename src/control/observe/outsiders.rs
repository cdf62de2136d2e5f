//! Who cannot have begun the conversations that weak rungs show, wherever he works. Never takes anybody for one who merely
//! seems unlikely.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::transcripts::ids;
use crate::agent::{Agents, TranscriptIndex};
use crate::core::observe::Agent;
use crate::host::{Host, Rights};

/// For the group and for everybody. Where a list of further users stands, the group's bits are the most these may do.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The conversations the ladder of an agent shows, all of them in files of one user.
pub(super) struct ShownConversations {
    owner: u32,
    /// Whether each is in a file of its own, made by whoever owns it. A database tells only who may write it.
    is_made_by_owner: bool,
    /// Who has that database open, if the agent is seen to be among them: an agent has it open as long as it lives.
    writers: Option<Vec<u32>>,
}

impl ShownConversations {
    /// `None` if one of them is in another user's file, in a database that others may write, or cannot be looked at.
    pub(super) fn of(host: &dyn Host, agents: &Agents, agent: &Agent, cwd: &Path) -> Option<Self> {
        let Rights { users: [.., owner], .. } = host.rights(agent.process.pid).into_seen()?;
        let home = agent.home.seen()?;
        let adapter = agents.of(agent.kind)?;
        let is_made_by_owner = !adapter.shares_its_store();
        let shelf = TranscriptIndex::new();
        let is_owners = |path: &Path| {
            let is_closed = |file: &std::fs::Metadata| is_made_by_owner || file.mode() & WRITABLE_BY_OTHERS == 0;
            let is = |file: std::fs::Metadata| file.is_file() && file.uid() == owner && is_closed(&file);
            path.metadata().is_ok_and(is)
        };
        let mut paths = BTreeSet::new();
        for id in ids(agent) {
            let transcript = adapter.transcript(&shelf, home, id, &[cwd]).into_seen()?;
            is_owners(&transcript.path).then(|| paths.insert(transcript.path))?;
        }
        let has_open = |pids: &Vec<u32>| {
            let is_its = |pid: &u32| *pid == agent.process.pid || host.children(agent.process.pid).contains(pid);
            pids.iter().any(is_its)
        };
        let writers_of = |path: &PathBuf| host.lockers(path).into_seen().filter(has_open);
        // Who made a file of its own is told by its owner alone.
        let writers = if is_made_by_owner { None } else { paths.iter().map(writers_of).collect::<Option<Vec<_>>>() };
        Some(Self { owner, is_made_by_owner, writers: writers.map(|all| all.concat()) })
    }

    /// Whether a process cannot have begun them: it acts for other users only, so a file it makes is not the owner's, root's no
    /// less than anybody's. Into a database of the owner root and one with a capability may write all the same, if they have it
    /// open.
    pub(super) fn is_beyond(&self, host: &dyn Host, pid: u32) -> bool {
        let is_mighty = |rights: &Rights| rights.has_capabilities || rights.users.contains(&0);
        let is_away = || self.writers.as_ref().is_some_and(|writers| !writers.contains(&pid));
        let is_other =
            |rights: &Rights| !rights.users.contains(&self.owner) && (self.is_made_by_owner || !is_mighty(rights) || is_away());
        host.rights(pid).seen().is_some_and(is_other)
    }
}

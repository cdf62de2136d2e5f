//! An entry as a pass saw it, for what an enforcing watch decides. Reads what the pass holds, and whether its servers
//! still live.

use std::collections::BTreeMap;

use crate::control::pass::Pass;
use crate::core::ids::ServerKey;
use crate::core::lead::Run;
use crate::core::lead::enforce::LedEntry;
use crate::core::observe::Boot;
use crate::host::Host;

/// A pass, as far as it matters here.
pub(super) struct WatchScene<'a> {
    pass: &'a Pass,
    /// The processes of the servers that have listed their sessions, and whether each still lives. One may have died before what runs in
    /// its sessions was looked at: all of that went down with it.
    servers: BTreeMap<&'a ServerKey, (u32, bool)>,
    boot: Option<&'a Boot>,
}

/// An entry whose starts matter to nobody.
const NO_RUNS: &dyn Fn() -> Vec<Run> = &Vec::new;

impl<'a> WatchScene<'a> {
    pub(super) fn new(host: &dyn Host, pass: &'a Pass) -> Self {
        let seen = pass.observation();
        let listed = seen.servers.iter().filter_map(|(key, server)| Some((key, server.seen()?.pid?)));
        let servers = listed.map(|(key, pid)| (key, (pid, !host.stat(pid).is_absent()))).collect();
        Self { pass, servers, boot: seen.boot.seen() }
    }

    /// An entry and what was seen of it, before the ledger says anything.
    pub(super) fn entry(&self, index: usize) -> Option<LedEntry<'a>> {
        let session = self.pass.manifest().sessions.get(index)?;
        let seen = self.pass.observation();
        let server = self.servers.get(&session.key.server_key());
        Some(LedEntry {
            session,
            verdict: self.pass.verdict().entries.get(index)?,
            acted: None,
            policy: &self.pass.manifest().lead,
            boot: self.boot,
            listed: server.map(|(pid, _)| *pid),
            server: server.filter(|(_, is_alive)| *is_alive).map(|(pid, _)| *pid),
            now: seen.at,
            runs: NO_RUNS,
        })
    }
}

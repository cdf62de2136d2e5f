//! An entry as a pass saw it, for what an enforcing watch decides. Reads what the pass holds, and whether its servers
//! still live.

use crate::control::pass::Pass;
use crate::core::lead::Run;
use crate::core::lead::enforce::LedEntry;
use crate::core::observe::Boot;
use crate::host::Host;

/// A pass, as far as it matters here.
pub(super) struct WatchScene<'a> {
    host: &'a dyn Host,
    pass: &'a Pass,
    boot: Option<&'a Boot>,
}

/// An entry whose starts matter to nobody.
const NO_RUNS: &dyn Fn() -> Vec<Run> = &Vec::new;

impl<'a> WatchScene<'a> {
    pub(super) fn new(host: &'a dyn Host, pass: &'a Pass) -> Self {
        Self { host, pass, boot: pass.observation().boot.seen() }
    }

    /// An entry and what was seen of it, before the ledger says anything.
    pub(super) fn entry(&self, index: usize) -> Option<LedEntry<'a>> {
        let session = self.pass.manifest().sessions.get(index)?;
        let seen = self.pass.observation();
        // One that has listed its sessions may have died before what runs in them was looked at: all of that went down with it.
        let is_alive = |pid: &u32| !self.host.stat(*pid).is_absent();
        let server = seen.servers.get(&session.key.server_key()).and_then(|server| server.seen()?.pid).filter(is_alive);
        Some(LedEntry {
            session,
            verdict: self.pass.verdict().entries.get(index)?,
            acted: None,
            policy: &self.pass.manifest().lead,
            boot: self.boot,
            server,
            now: seen.at,
            runs: NO_RUNS,
        })
    }
}

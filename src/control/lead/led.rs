//! An entry as a pass saw it, for what an enforcing watch decides. Reads only what the pass holds.

use crate::control::pass::Pass;
use crate::core::lead::Run;
use crate::core::lead::enforce::LedEntry;
use crate::core::observe::Boot;

/// A pass, as far as it matters here.
pub(super) struct WatchScene<'a> {
    pass: &'a Pass,
    boot: Option<&'a Boot>,
}

/// An entry whose starts matter to nobody.
const NO_RUNS: &dyn Fn() -> Vec<Run> = &Vec::new;

impl<'a> WatchScene<'a> {
    pub(super) fn new(pass: &'a Pass) -> Self {
        Self { pass, boot: pass.observation().boot.seen() }
    }

    /// An entry and what was seen of it, before the ledger says anything.
    pub(super) fn entry(&self, index: usize) -> Option<LedEntry<'a>> {
        let session = self.pass.manifest().sessions.get(index)?;
        let seen = self.pass.observation();
        Some(LedEntry {
            session,
            verdict: self.pass.verdict().entries.get(index)?,
            acted: None,
            policy: &self.pass.manifest().lead,
            boot: self.boot,
            server: seen.servers.get(&session.key.server_key()).and_then(|server| server.seen()?.pid),
            now: seen.at,
            runs: NO_RUNS,
        })
    }
}

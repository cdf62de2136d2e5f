//! An entry as a pass saw it, and its starts, for what an enforcing watch decides. Reads what the pass and the operations hold, and
//! whether servers and launchers still live. Decides nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::control::pass::Pass;
use crate::core::ids::ServerKey;
use crate::core::lead::enforce::LedEntry;
use crate::core::lead::{ActionKind, DialogSubject, Outcome, Run, RunEnd};
use crate::core::manifest::Session;
use crate::core::observe::Boot;
use crate::host::Host;
use crate::store::operations::PastOperation;

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

/// The starts of a session, the earliest first.
pub(super) fn runs_of(
    host: &dyn Host,
    all: &[PastOperation],
    session: &Session,
    boot: Option<&Boot>,
    now: DateTime<Utc>,
) -> Vec<Run> {
    // What a start that was refused has begun, it has ended again itself.
    let is_start = |past: &&PastOperation| {
        let is_one = matches!(past.operation.action, ActionKind::Start | ActionKind::Resume);
        let is_refused = past.receipt.as_ref().is_some_and(|receipt| receipt.outcome == Outcome::Refused);
        past.operation.session == session.key && is_one && !is_refused
    };
    let run = |past: &PastOperation| {
        let operation = &past.operation;
        // By the clock of the boot, which nobody sets; of another boot only the wall clock tells, and what is still to come is now.
        let here = boot.filter(|boot| operation.boot.as_ref() == Some(&boot.id));
        let moment = |at: DateTime<Utc>, since: Option<i64>| {
            let exact = here.zip(since).and_then(|(boot, since)| boot.at.checked_add_signed(TimeDelta::milliseconds(since)));
            exact.unwrap_or(at).min(now)
        };
        let begun = moment(operation.begun, operation.since_boot);
        let took = |milliseconds: u64| TimeDelta::milliseconds(i64::try_from(milliseconds).unwrap_or(i64::MAX / 2));
        let receipt = past.receipt.as_ref();
        let launched = past.files.launched();
        let launcher = launched.as_ref().and_then(|record| Some((record.pid?, record.start_ticks)));
        let is_there = |(pid, ticks): (u32, Option<u64>)| match host.stat(pid).into_seen() {
            Some(process) => ticks.is_none() || process.start_ticks == ticks,
            None => false,
        };
        let end = past.files.ended().map(|end| {
            // What was never begun has failed.
            let code = end.code.or_else(|| end.not_begun.is_some().then_some(1));
            RunEnd { at: moment(end.at, end.since_boot), code, signal: end.signal, told: end.told }
        });
        Run {
            operation: operation.id.clone(),
            cause: operation.cause,
            begun,
            boot: operation.boot.clone(),
            receipt: receipt.map(|receipt| (receipt.outcome, (begun + took(receipt.took_ms)).min(now))),
            asked: receipt.and_then(|receipt| receipt.code).filter(|code| DialogSubject::CODES.contains(code)),
            failure: receipt.and_then(|receipt| receipt.failure),
            resets: None,
            is_going: here.is_some() && end.is_none() && launcher.is_some_and(is_there),
            launcher: launcher.map(|(pid, _)| pid),
            server: launched.and_then(|record| record.parent),
            end,
        }
    };
    all.iter().filter(is_start).map(run).collect()
}

//! What an enforcing watch finds to do after a pass, and how it does one thing of that. Decides nothing: `core::lead::enforce` does.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::engine::Progress;
use super::led::{WatchScene, runs_of};
use super::{LeadError, LeadRequest, about, carry_out, headless, plan_patiently};
use crate::agent::{Agents, TurnQuery};
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::control::{job_ends, job_making};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::job::run::JobSpec;
use crate::core::lead::brake::{BrakedEntry, brake};
use crate::core::lead::enforce::{Decision, LedEntry};
use crate::core::lead::turns::{Turn, TurnErrorKind};
use crate::core::lead::{FailureCause, LeadCause, Ledger, OperationReport, Run, RunEnding, StartWaits, Wish};
use crate::core::manifest::Session;
use crate::core::manifest::lead::{Desired, Policy};
use crate::host::Host;
use crate::store::job_files::JobFiles;
use crate::store::operations::{LedgerFile, Operations, PastOperation};
use crate::store::paths::StateHome;

/// Something that an entry wants and that is not so.
#[derive(Debug, Clone)]
pub struct Gap {
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// What is done about it now: never nothing.
    pub decision: Decision,
    /// What is wanted.
    pub desired: Desired,
}

/// What a look found to do.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    /// In the order of the manifest.
    pub all: Vec<Gap>,
    /// The policy of the manifest.
    pub policy: Policy,
    /// The sessions of jobs that headcount runs.
    pub jobs: BTreeSet<SessionKey>,
}

/// What there is to do after a pass. Notes in the ledger what was seen.
///
/// # Errors
/// The ledger cannot be read or written.
pub fn gaps(host: &dyn Host, state: &StateHome, pass: &Pass, is_meant: impl Fn(&Session) -> bool) -> Result<Gaps, LeadError> {
    let file = LedgerFile::new(state);
    let mut ledger = file.read()?;
    let past = std::cell::OnceCell::new();
    let boot = pass.observation().boot.seen();
    let runs = |session: &Session| {
        let all: &Vec<PastOperation> = past.get_or_init(|| Operations::new(state).all());
        runs_of(host, all, session, boot, pass.observation().at)
    };
    let scene = WatchScene::new(host, pass);
    let wanting = (0..pass.manifest().sessions.len()).filter_map(|index| scene.entry(index));
    let wanting: Vec<LedEntry<'_>> = wanting.filter(|it| it.session.lead.desired.is_some() && is_meant(it.session)).collect();
    let remember = |ledger: &mut Ledger| {
        for entry in &wanting {
            let mut acted = ledger.of(&entry.session.key).cloned().unwrap_or_default();
            let runs = || runs(entry.session);
            LedEntry { runs: &runs, ..*entry }.remember(&mut acted);
            *ledger.entry(&entry.session.key) = acted;
        }
    };
    let before = ledger.clone();
    remember(&mut ledger);
    if ledger != before {
        file.change(remember)?;
    }
    let decide = |entry: &LedEntry<'_>| {
        let runs = || runs(entry.session);
        LedEntry { acted: ledger.of(&entry.session.key), runs: &runs, ..*entry }.decide()
    };
    let mut decisions: Vec<Decision> = wanting.iter().map(decide).collect();
    // Looked at only where something is about to be started.
    let is_start = |(entry, decision): (&LedEntry<'_>, &Decision)| {
        matches!(decision, Decision::Act(_)) && entry.session.lead.desired == Some(Desired::Running)
    };
    if wanting.iter().zip(&decisions).any(is_start) {
        let all: Vec<Vec<Run>> = wanting.iter().map(|entry| explained(pass, entry, runs(entry.session))).collect();
        let homes = &pass.observation().fallback_homes;
        let mut braked = Vec::new();
        for (entry, runs) in wanting.iter().zip(&all) {
            let home = homes.get(entry.session.index).and_then(Fact::seen).map(PathBuf::as_path);
            braked.push(BrakedEntry { name: &entry.session.key.name, agent: entry.session.agent, home, runs });
        }
        let most = StartWaits::of(None, pass.manifest().lead.backoff).most();
        brake(&braked, &mut decisions, most, pass.observation().at);
    }
    let gap = |(entry, decision): (&LedEntry<'_>, Decision)| {
        let (session, desired) = (entry.session.key.clone(), entry.session.lead.desired?);
        (decision != Decision::Leave).then_some(Gap { session, agent: entry.session.agent, decision, desired })
    };
    let is_unfinished = |(files, spec): &(JobFiles, JobSpec)| {
        files.done().is_none() || !job_ends::is_told(files) || headless::has_old_pane(files, spec, pass.observation().at)
    };
    let jobs = JobFiles::all(state).into_iter().filter(is_unfinished);
    let unmade = job_making::unmade(state, host);
    let jobs = jobs.map(|(_, spec)| spec.session).chain(unmade).collect();
    Ok(Gaps { all: wanting.iter().zip(decisions).filter_map(gap).collect(), policy: pass.manifest().lead, jobs })
}

/// The runs of an entry; if the last one failed after it was ready, with what its conversation says about that.
fn explained(pass: &Pass, entry: &LedEntry<'_>, mut runs: Vec<Run>) -> Vec<Run> {
    let is_open = |run: &&mut Run| run.failure.is_none() && run.ending() == RunEnding::Failure;
    let Some(run) = runs.last_mut().filter(is_open) else { return runs };
    let Some(Fact::Seen(transcript)) = &entry.verdict.transcript else { return runs };
    let Some(id) = &entry.session.recorded.session_id else { return runs };
    let agents = Agents::with(&pass.manifest().agents);
    let query = TurnQuery { last: 1, after: None, now: pass.observation().at };
    let page = agents.of(entry.session.agent).and_then(|adapter| adapter.turns(transcript, id, &query).into_seen());
    let turn = page.and_then(|page| page.turns.into_iter().next_back());
    let is_its = |turn: &Turn| turn.ended_at.or(turn.started_at).is_some_and(|at| at >= run.begun);
    let Some(error) = turn.filter(is_its).and_then(|turn| turn.error) else { return runs };
    run.failure = match error.kind {
        TurnErrorKind::RateLimited => Some(FailureCause::Limit),
        TurnErrorKind::AuthFailed => Some(FailureCause::Login),
        TurnErrorKind::Error => None,
    };
    run.resets = error.resets_at;
    runs
}

/// Does what an entry wants, because of this. Gives what became of it.
///
/// # Errors
/// [`LeadError`]: it cannot be told what there is to do.
pub fn enforce(
    world: &Observer,
    request: &LeadRequest,
    (session, cause): (&SessionKey, LeadCause),
    tell: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Vec<OperationReport>, LeadError> {
    let request = LeadRequest { cause: Some(cause), ..about(request, session, Wish::Manifest) };
    let planned = plan_patiently(world, &request)?;
    Ok(carry_out(world, &request, &planned, tell))
}

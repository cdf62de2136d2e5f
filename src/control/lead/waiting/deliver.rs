//! Carrying waiting texts to their agents, beside a watch: looks when something may have happened, one text after the other. When a text
//! may be typed is decided in `core::lead::send`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::background::Background;
use super::wakes::{LookPlaces, LookWakes};
use super::{SPACING, about, places};
use crate::control::lead::{LeadRequest, deliver_waiting, next_texts};
use crate::control::observe::Observer;
use crate::control::pass::{Mode, Pass, PassError, PassOptions, PassRunner};
use crate::control::watch::wake::Scope;
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::lead::send::{SendOutcome, SendReceipt, WaitingText};
use crate::core::observe::Activity;
use crate::store::claim::{self, Claim};
use crate::store::queue::TextQueue;

/// How long nothing may happen while no text waits.
pub(super) const IDLE: Duration = Duration::from_secs(60);
/// How long somebody else delivers before that is asked again.
pub(super) const STANDBY: Duration = Duration::from_secs(5);
/// How long it takes until what waits is looked at again, at first and at most.
pub(super) const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Delivers until it is told to end. `is_whole`: all texts of the manifest, which one headcount does at a time; else those of the
/// selected sessions.
///
/// # Errors
/// The queue cannot be used.
pub(in crate::control) fn deliver(
    world: &Arc<Observer>,
    request: &LeadRequest,
    is_whole: bool,
    background: &Background,
    tell: &dyn Fn(Result<SendReceipt, String>),
) -> Result<(), String> {
    let queue = TextQueue::new(&request.pass.state_home);
    queue.create().map_err(|error| PassError::line(&error))?;
    let mut wakes = LookWakes::new();
    background.wakes_by(wakes.waker());
    let options = PassOptions { mode: Mode::Look, ..request.pass.clone() };
    let mut runner = PassRunner::new(Arc::clone(world), options);
    let (mut claim, mut failure, mut again) = (None, None, AGAIN.0);
    let what = claim::of_deliverer(&request.pass.manifest);
    while !background.is_over() {
        let looked = Instant::now();
        if is_whole && claim.is_none() {
            claim = Claim::take(&request.pass.state_home, &what).ok();
        }
        let is_ours = !is_whole || claim.is_some();
        let texts = if is_ours { next_texts(request) } else { Vec::new() };
        let sessions: BTreeSet<SessionKey> = texts.iter().map(|text| text.session.clone()).collect();
        let mut listened = LookPlaces { directories: [queue.path().to_owned()].into(), ..LookPlaces::default() };
        let mut said = None;
        if !texts.is_empty() {
            match runner.pass(&if failure.is_some() { Scope::ALL } else { about(&sessions) }) {
                Ok(pass) => {
                    let ours = places(world, &request.pass.state_home, &pass, &sessions);
                    listened.directories.extend(ours.directories);
                    listened.processes = ours.processes;
                    for text in texts.iter().filter(|text| may_take(&pass, request, text)) {
                        if background.is_over() {
                            return Ok(());
                        }
                        match deliver_waiting(world, request, text) {
                            Ok(receipt) if receipt.outcome == SendOutcome::Held => {}
                            Ok(receipt) => {
                                again = AGAIN.0;
                                tell(Ok(receipt));
                            }
                            Err(error) => said = Some(PassError::line(&error)),
                        }
                    }
                }
                Err(error) => said = Some(PassError::line(&error)),
            }
        }
        if let Some(why) = said.clone().filter(|why| failure.as_ref() != Some(why)) {
            tell(Err(why));
        }
        failure = said;
        let is_new = wakes.watch(listened);
        let at_most = match (is_ours, texts.is_empty()) {
            (false, _) => STANDBY,
            (true, true) => IDLE,
            // What happened before it was listened to was not heard.
            (true, false) if is_new => SPACING,
            (true, false) => again,
        };
        again = if wakes.rest(at_most, looked) { AGAIN.0 } else { (again * 2).min(AGAIN.1) };
    }
    Ok(())
}

/// Whether a text is for one of the sessions that are meant, and its agent is not known to work on something else.
fn may_take(pass: &Pass, request: &LeadRequest, text: &WaitingText) -> bool {
    let Some(session) = pass.manifest().find(&text.session) else { return false };
    if !request.pass.selection.covers(&session.key.name, session.agent, &session.labels) {
        return false;
    }
    let Some(live) = pass.verdict().entries.get(session.index).and_then(|verdict| verdict.presence.live()) else { return true };
    let (seen, process) = (pass.observation(), live.agent.process);
    let turn = || seen.turns.get(&(process, text.conversation.clone())).and_then(Fact::seen).copied();
    seen.phases.get(&process).copied().or_else(turn) != Some(Activity::Working)
}

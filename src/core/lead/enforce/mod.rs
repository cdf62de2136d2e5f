//! When an entry is acted on without anybody asking at the moment: what it wants was changed, the host was booted, its server was
//! lost, or its agent failed and `restart` says so. Pure; the decision follows from what is on disk and what was seen, so an engine
//! that has just begun decides as one that has run for days.

use chrono::{DateTime, TimeDelta, Utc};

use super::action::{BlockCode, Blocked};
use super::cause::LeadCause;
use super::ledger::{ActedOn, AliveIn, LastStop, wanted};
use super::series::{Run, RunEnding, Series, StartWaits, due_after_loss};
use crate::core::drift::{EntryVerdict, Presence};
use crate::core::fact::Fact;
use crate::core::ids::MuxKind;
use crate::core::manifest::Session;
use crate::core::manifest::lead::{Desired, Policy, RestartPolicy};
use crate::core::observe::Boot;
use crate::core::text::printable;

#[cfg(test)]
mod tests;

/// So long a change of the entry is left alone: whoever makes it may be about to act on it.
const SETTLE: TimeDelta = TimeDelta::seconds(2);
/// How long a launcher may take to write down how its agent ended, and a server to die whose terminals have hung up.
const MOMENT: TimeDelta = TimeDelta::seconds(1);
/// What ended so shortly before the host's boot was ended by the shutdown.
const SHUTDOWN: TimeDelta = TimeDelta::minutes(5);

/// An entry, what was seen of it, and what was done before.
pub struct LedEntry<'a> {
    /// The entry.
    pub session: &'a Session,
    /// What a pass concluded about it.
    pub verdict: &'a EntryVerdict,
    /// What the ledger knows of it.
    pub acted: Option<&'a ActedOn>,
    /// The policy of its manifest.
    pub policy: &'a Policy,
    /// The boot of the host.
    pub boot: Option<&'a Boot>,
    /// The process of the server that said what was seen, even if that has died since.
    pub listed: Option<u32>,
    /// The process of its server, if that still runs.
    pub server: Option<u32>,
    /// When that was seen.
    pub now: DateTime<Utc>,
    /// Its starts, the earliest first; asked only where they matter.
    pub runs: &'a dyn Fn() -> Vec<Run>,
}

/// What is to be done about an entry now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Leave,
    /// What it wants, for this reason.
    Act(LeadCause),
    /// Something is wanted, and has to wait for a time or for a person.
    Wait(Blocked),
    /// Whether what it wants is so cannot be told. That is most often over in a moment.
    Unsure(Blocked),
}

/// Why an agent does not run any more.
enum Loss {
    LeadCause(LeadCause, DateTime<Utc>),
    /// Somebody ended it.
    Person,
    /// Somebody was asked something at its start, and it ended instead of taking a prompt.
    Refused(BlockCode),
    /// Headcount stopped it.
    Stopped,
    /// Its terminal was closed, and its server went on.
    Closed,
    /// Nobody knows.
    Unknown,
    /// How it ended is just being written down.
    Settling,
    /// Its terminal was closed just now, and its server may be about to be gone as well.
    Closing(DateTime<Utc>),
}

/// The last start of what was alive last. An agent that somebody started after headcount's own last one says nothing when it ends.
fn last_of<'r>(acted: &ActedOn, runs: &'r [Run]) -> Option<&'r Run> {
    let placed = acted.started.as_ref().map(|started| started.placed.pid);
    let is_in = |run: &Run, alive: &AliveIn| alive.pane.is_some() && (alive.pane == placed || alive.pane == run.launcher);
    runs.last().filter(|run| acted.alive.as_ref().is_none_or(|alive| alive.at <= run.begun || is_in(run, alive)))
}

impl LedEntry<'_> {
    /// What is to be done about it now.
    pub fn decide(&self) -> Decision {
        let held = || self.acted?.hold.as_ref()?.report(None, self.now);
        match self.wanted() {
            Decision::Act(cause) => match held() {
                Some(held) => Decision::Wait(held.blocked(&self.session.key)),
                None => Decision::Act(cause),
            },
            other => other,
        }
    }

    /// The same as if nobody had it in hand.
    fn wanted(&self) -> Decision {
        if !self.verdict.judged || self.verdict.renamed_to.is_some() {
            return Decision::Leave;
        }
        if let (Presence::Unknown(why), Some(Desired::Running | Desired::Stopped)) =
            (&self.verdict.presence, self.session.lead.desired)
            && self.acted.is_some_and(|acted| acted.led_by.is_some())
        {
            return Decision::Unsure(Blocked::new(BlockCode::Unknown, why.clone()));
        }
        let is_down = matches!(self.verdict.presence, Presence::Absent { .. } | Presence::NoAgent { .. });
        let is_alive = matches!(self.verdict.presence, Presence::Alive(_));
        let desired = match self.session.lead.desired {
            Some(Desired::Running) if is_down => Desired::Running,
            Some(Desired::Stopped) if is_alive => Desired::Stopped,
            _ => return Decision::Leave,
        };
        let Some(acted) = self.acted.filter(|acted| acted.led_by.is_some()) else {
            let message = "headcount has not led it here yet; `headcount apply` shows what it would do, and does it";
            return Decision::Wait(Blocked::new(BlockCode::NeverLed, message));
        };
        if acted.met.as_deref() != Some(wanted(self.session).as_str()) {
            let settled = self.since(acted) + SETTLE;
            if self.now < settled {
                return Decision::Wait(Blocked::until(BlockCode::Settling, settled, "its entry was just changed"));
            }
            return match desired {
                Desired::Running => self.paced(acted, &(self.runs)(), LeadCause::Edited),
                Desired::Stopped | Desired::Archived => Decision::Act(LeadCause::Edited),
            };
        }
        if desired != Desired::Running {
            return Decision::Leave;
        }
        let runs = (self.runs)();
        let policy = self.session.lead.restart.map_or(RestartPolicy::Never, |restart| restart.policy);
        match (self.loss(acted, &runs), policy) {
            (Loss::Settling, _) => {
                let why = "what started its agent still runs, and no agent is seen in it; end that, or attach to it";
                Decision::Wait(Blocked::until(BlockCode::Settling, self.now + MOMENT, why))
            }
            (Loss::Closing(until), _) => {
                Decision::Wait(Blocked::until(BlockCode::Settling, until, "its terminal was just closed"))
            }
            (Loss::LeadCause(LeadCause::Failed, _), RestartPolicy::Never) => {
                self.left(BlockCode::GaveUp, "its agent failed, and its `restart` is `never`")
            }
            (Loss::LeadCause(LeadCause::Quit, _), RestartPolicy::Never | RestartPolicy::OnFailure) | (Loss::Stopped, _) => {
                Decision::Leave
            }
            (Loss::LeadCause(LeadCause::ServerLost, at), _) => {
                let due = due_after_loss(&runs, at, &self.waits());
                if self.now < due {
                    let message = "its server was lost again, so it comes back later this time";
                    return Decision::Wait(Blocked::until(BlockCode::Backoff, due, message));
                }
                self.paced(acted, &runs, LeadCause::ServerLost)
            }
            (Loss::LeadCause(cause, _), _) => self.paced(acted, &runs, cause),
            (Loss::Refused(code), _) => self.left(code, "its agent asked something at its start and ended"),
            (Loss::Person, _) => self.left(BlockCode::EndedByHand, "somebody ended its agent"),
            (Loss::Closed, _) => self.left(BlockCode::EndedByHand, "its terminal was closed while its server went on"),
            (Loss::Unknown, _) => self.left(BlockCode::Unknown, "nobody knows how its agent ended"),
        }
    }

    /// It stays as it is until a person starts it.
    fn left(&self, code: BlockCode, why: &str) -> Decision {
        let name = printable(&self.session.key.name);
        Decision::Wait(Blocked::new(code, format!("{why}; `headcount start {name}` starts it again")))
    }

    /// Since when it wants what it wants now.
    fn since(&self, acted: &ActedOn) -> DateTime<Utc> {
        let digest = wanted(self.session);
        let known = acted.wanted.as_ref().filter(|(known, _)| *known == digest);
        known.map_or(self.now, |(_, since)| (*since).min(self.now))
    }

    fn waits(&self) -> StartWaits {
        StartWaits::of(self.session.lead.restart.map(|restart| restart.backoff), self.policy.backoff)
    }

    /// The start, unless the ones before it say that it waits, or is given up.
    fn paced(&self, acted: &ActedOn, runs: &[Run], cause: LeadCause) -> Decision {
        let waits = self.waits();
        let boot = self.boot.map(|boot| boot.id.as_str());
        let counts_quits = self.session.lead.restart.is_some_and(|restart| restart.policy == RestartPolicy::Always);
        let series = Series::of(runs, Some(self.since(acted)), boot, counts_quits);
        let name = printable(&self.session.key.name);
        if series.failures >= waits.attempts() {
            let message = format!("it failed {} times; `headcount start {name}` begins anew", series.failures);
            return Decision::Wait(Blocked::new(BlockCode::GaveUp, message));
        }
        let deadline = self.session.lead.deadline.and_then(|deadline| TimeDelta::from_std(deadline).ok());
        let over = deadline.zip(series.begun).and_then(|(deadline, begun)| begun.checked_add_signed(deadline));
        if over.is_some_and(|over| self.now >= over) {
            let message = format!("its `deadline` for starts is over; `headcount start {name}` begins anew");
            return Decision::Wait(Blocked::new(BlockCode::Deadline, message));
        }
        match series.due(&waits).filter(|due| self.now < *due) {
            Some(due) => {
                let times = if series.streak == 1 { "once".to_owned() } else { format!("{} times in a row", series.streak) };
                let message = format!("it failed {times}, so its next start waits; `headcount start {name}` does not");
                Decision::Wait(Blocked::until(BlockCode::Backoff, due, message))
            }
            None => Decision::Act(cause),
        }
    }

    /// Why it does not run any more.
    fn loss(&self, acted: &ActedOn, runs: &[Run]) -> Loss {
        let is_ours = |(run, stopped): (&Run, &LastStop)| stopped.at >= run.begun && stopped.stands(self.now);
        if runs.last().zip(acted.stopped.as_ref()).is_some_and(is_ours) {
            return Loss::Stopped;
        }
        let run = last_of(acted, runs);
        let ending = run.map_or(RunEnding::Unknown, Run::ending);
        let ended = run.and_then(|run| run.end).map(|end| end.at);
        let at = ended.or(acted.gone).unwrap_or(self.now).min(self.now);
        // Who takes prompts after all has said something since.
        let spoke = |run: &Run| matches!(&self.verdict.transcript, Some(Fact::Seen(it)) if it.modified > run.begun);
        let asked = run.filter(|run| !spoke(run)).and_then(|run| run.asked);
        let is_fresh = |gone: &DateTime<Utc>| (self.now - *gone).abs() < MOMENT;
        let plain = || match (ending, asked) {
            (RunEnding::Failure | RunEnding::Quit, Some(code)) => Loss::Refused(code),
            (RunEnding::None, _) => Loss::Settling,
            (RunEnding::Failure, None) => Loss::LeadCause(LeadCause::Failed, at),
            (RunEnding::Quit, None) => Loss::LeadCause(LeadCause::Quit, at),
            (RunEnding::Person, _) => Loss::Person,
            (RunEnding::HungUp, _) => Loss::Closed,
            (RunEnding::Unknown, _) => Loss::Unknown,
        };
        // Whoever was killed before it could note where it had put the last one knows that from its launcher alone.
        let is_noted = |run: &Run| {
            let is_seen = acted.alive.as_ref().is_some_and(|alive| alive.pane.is_some() && alive.pane == run.launcher);
            is_seen || acted.started.as_ref().is_some_and(|started| started.operation == run.operation)
        };
        let unnoted = run.filter(|run| !is_noted(run)).and_then(|run| {
            let (at, boot, server) = (run.begun, run.boot.clone(), Some(run.server?));
            Some(AliveIn { at, boot, server, pane: run.launcher, is_over: false })
        });
        let Some(alive) = unnoted.as_ref().or(acted.alive.as_ref()).filter(|alive| !alive.is_over) else { return plain() };
        if let Some(boot) = self.boot.filter(|boot| alive.boot.as_ref().is_some_and(|then| *then != boot.id)) {
            let recorded = self.session.recorded.terminated_at.filter(|_| run.is_none());
            let was_over = ended.or(recorded).is_some_and(|at| at + SHUTDOWN < boot.at);
            return match ending {
                RunEnding::Quit => plain(),
                _ if was_over => plain(),
                _ => Loss::LeadCause(LeadCause::Rebooted, at),
            };
        }
        // A zellij session is its own server: who closes it ends that too.
        let is_tmux = self.session.key.mux == MuxKind::Tmux && alive.server.is_some();
        match (ending, acted.gone) {
            (RunEnding::HungUp | RunEnding::Unknown, _) if is_tmux && alive.server != self.server => {
                Loss::LeadCause(LeadCause::ServerLost, at)
            }
            (RunEnding::HungUp | RunEnding::Unknown, Some(gone)) if is_tmux && is_fresh(&gone) => Loss::Closing(gone + MOMENT),
            _ => plain(),
        }
    }

    /// Notes in the ledger what was seen: since when something is wanted, and where it was alive last.
    ///
    /// That it has ended there is noted only once its server has outlived it for a moment. The terminals of a server that is killed hang
    /// up before it is gone; and a look that began before a start does not see what that has started.
    pub fn remember(&self, acted: &mut ActedOn) {
        let Some(desired) = self.session.lead.desired else { return };
        let digest = wanted(self.session);
        if acted.wanted.as_ref().is_none_or(|(known, _)| *known != digest) {
            acted.wanted = Some((digest.clone(), self.now));
        }
        if acted.desired.as_ref().is_none_or(|(known, _)| known != desired.as_str()) {
            acted.desired = Some((desired.as_str().to_owned(), self.now));
        }
        let is_met = match (&self.verdict.presence, desired) {
            (Presence::Alive(live), _) => {
                // If its server has died since, it was alive there all the same.
                let (boot, server, pane) = (self.boot.map(|boot| boot.id.clone()), self.listed, live.pane.pid);
                let now = AliveIn { at: self.now, boot, server, pane, is_over: false };
                if !acted.alive.as_ref().is_some_and(|known| AliveIn { at: known.at, ..now.clone() } == *known) {
                    acted.alive = Some(now);
                }
                acted.gone = None;
                desired == Desired::Running
            }
            (Presence::Absent { .. } | Presence::NoAgent { .. }, _) => {
                let boot = self.boot.map(|boot| boot.id.clone());
                let is_here = |alive: &AliveIn| !alive.is_over && alive.server == self.server && alive.boot == boot;
                let is_old = acted.gone.is_some_and(|gone| (self.now - gone).abs() >= MOMENT);
                let is_over = is_old && acted.alive.as_ref().is_some_and(is_here);
                let is_going =
                    |acted: &ActedOn| last_of(acted, &(self.runs)()).is_some_and(|run| run.ending() == RunEnding::None);
                if (acted.gone.is_none() || is_over) && !is_going(acted) {
                    acted.gone.get_or_insert(self.now);
                    if let Some(alive) = acted.alive.as_mut().filter(|_| is_over) {
                        alive.is_over = true;
                    }
                }
                desired == Desired::Stopped
            }
            (Presence::Unknown(_) | Presence::Several { .. }, _) => false,
        };
        if is_met && acted.led_by.is_some() {
            acted.met = Some(digest);
        }
    }
}

//! Starts one after another: what counts as a failure, how long the next one waits, and when headcount gives up. Pure; all of it
//! follows from what the operations of a session left.

use chrono::{DateTime, TimeDelta, Utc};

use super::action::BlockCode;
use super::cause::{FailureCause, LeadCause};
use super::operation::{OperationId, Outcome};
use crate::core::manifest::lead::Backoff;

/// How what a launcher started has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnd {
    /// When.
    pub at: DateTime<Utc>,
    /// With this code.
    pub code: Option<i32>,
    /// By this signal.
    pub signal: Option<i32>,
    /// The first signal by which somebody told the launcher to end before that.
    pub told: Option<i32>,
}

/// One start of a session by headcount, a resume included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The operation.
    pub operation: OperationId,
    /// What made headcount start it; `None`: somebody asked for it.
    pub cause: Option<LeadCause>,
    /// When it began.
    pub begun: DateTime<Utc>,
    /// The boot in which it began.
    pub boot: Option<String>,
    /// What became of the start, and when that was known; `None`: it is open.
    pub receipt: Option<(Outcome, DateTime<Utc>)>,
    /// What kept it from being ready: it asked a person something.
    pub asked: Option<BlockCode>,
    /// Why it failed, where that is nothing of its session's own.
    pub failure: Option<FailureCause>,
    /// When the limit that it failed for is over, where its agent said that.
    pub resets: Option<DateTime<Utc>>,
    /// Whether its launcher is there.
    pub is_going: bool,
    /// The process of its launcher.
    pub launcher: Option<u32>,
    /// The process that its launcher began below: in tmux the server.
    pub server: Option<u32>,
    /// How the agent ended, if its launcher wrote that down.
    pub end: Option<RunEnd>,
}

/// How a run ended, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnding {
    /// Its launcher is still there.
    None,
    /// It failed: it was never ready, ended with an error, or died.
    Failure,
    /// Its agent ended in order, by itself.
    Quit,
    /// Its terminal was closed, or its server ended.
    HungUp,
    /// Somebody ended it.
    Person,
    /// Nobody knows.
    Unknown,
}

const HUP: i32 = 1;
/// What somebody sends who wants a program to end: HUP, INT, TERM.
const ASKED: [i32; 3] = [HUP, 2, 15];
/// What a shell adds to the number of a signal, and programs do that catch one.
const CAUGHT: i32 = 128;

impl Run {
    /// How it ended.
    pub fn ending(&self) -> RunEnding {
        let Some(end) = self.end else {
            return match (self.is_going, self.receipt) {
                (true, _) => RunEnding::None,
                // Nothing was ever begun.
                (false, Some((Outcome::Failed, _))) => RunEnding::Failure,
                (false, _) => RunEnding::Unknown,
            };
        };
        match (end.told, end.signal, end.code) {
            (Some(HUP), ..) | (None, Some(HUP), _) => RunEnding::HungUp,
            (Some(_), ..) => RunEnding::Person,
            (None, Some(signal), _) if ASKED.contains(&signal) => RunEnding::Person,
            (None, None, Some(code)) if code == CAUGHT + HUP => RunEnding::HungUp,
            (None, None, Some(code)) if ASKED.contains(&(code - CAUGHT)) => RunEnding::Person,
            // What ended before it was ready has failed, whatever its code.
            _ if matches!(self.receipt, Some((Outcome::Failed, _))) => RunEnding::Failure,
            (None, None, Some(0)) => RunEnding::Quit,
            (None, ..) => RunEnding::Failure,
        }
    }

    /// When it counted as failed.
    fn failed_at(&self) -> DateTime<Utc> {
        let receipt = self.receipt.map_or(self.begun, |(_, at)| at);
        self.end.map_or(receipt, |end| end.at)
    }

    /// Whether it was ready for so long that the next start need not wait longer than the first.
    fn was_steady(&self) -> bool {
        let ready = self.receipt.filter(|(outcome, _)| *outcome == Outcome::Done).map(|(_, at)| at);
        ready.zip(self.end).is_some_and(|(ready, end)| end.at - ready >= STEADY)
    }
}

/// So long an agent has to be ready for the wait to begin anew.
const STEADY: TimeDelta = TimeDelta::minutes(10);
/// So long without a failure, and a series is over.
const QUIET: TimeDelta = TimeDelta::hours(24);

/// The waits of an entry, what is missing in it taken from its manifest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StartWaits {
    first: TimeDelta,
    factor: f64,
    most: TimeDelta,
    attempts: usize,
}

impl StartWaits {
    /// Those of an entry and its manifest.
    pub fn of(own: Option<Backoff>, manifest: Backoff) -> Self {
        let own = own.unwrap_or_default();
        let time = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        Self {
            first: time(own.first.or(manifest.first).unwrap_or(Backoff::FIRST)),
            factor: own.factor.or(manifest.factor).unwrap_or(2.0),
            most: time(own.most.or(manifest.most).unwrap_or(Backoff::MOST)),
            attempts: own.attempts.or(manifest.attempts).map_or(10, |attempts| attempts as usize),
        }
    }

    /// How long the next start waits after so many failures in a row.
    pub fn after(&self, failures: usize) -> TimeDelta {
        let Some(more) = failures.checked_sub(1) else { return TimeDelta::zero() };
        let factor = self.factor.powi(i32::try_from(more).unwrap_or(i32::MAX));
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        let wait = self.first.num_milliseconds() as f64 * factor;
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        let wait = if wait < self.most.num_milliseconds() as f64 { TimeDelta::milliseconds(wait as i64) } else { self.most };
        wait.min(self.most)
    }

    /// The longest wait.
    pub fn most(&self) -> TimeDelta {
        self.most
    }

    /// So many failures, and headcount gives up.
    pub fn attempts(&self) -> usize {
        self.attempts
    }
}

/// The starts since somebody last asked for one, changed what is wanted, or booted the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Series {
    /// When its first start began.
    pub begun: Option<DateTime<Utc>>,
    /// How many of its runs failed.
    pub failures: usize,
    /// How many did since one was steady.
    pub streak: usize,
    /// When the last one did.
    pub failed: Option<DateTime<Utc>>,
}

impl Series {
    /// That of these runs, the earliest first. `edited`: when what is wanted last changed. `counts_quits`: an agent that quits is
    /// started again, so that is waited for like a failure.
    pub fn of(runs: &[Run], edited: Option<DateTime<Utc>>, boot: Option<&str>, counts_quits: bool) -> Self {
        let is_current = |run: &&Run| {
            edited.is_none_or(|edited| run.begun >= edited)
                && boot.zip(run.boot.as_deref()).is_none_or(|(now, then)| now == then)
        };
        let mut series = Self::default();
        for run in runs.iter().filter(is_current) {
            if run.cause.is_none() {
                series = Self::default();
            }
            series.begun.get_or_insert(run.begun);
            let ending = run.ending();
            if !(ending == RunEnding::Failure || (counts_quits && ending == RunEnding::Quit)) {
                continue;
            }
            let at = run.failed_at();
            if series.failed.is_some_and(|last| at - last >= QUIET) {
                series = Self { begun: Some(run.begun), ..Self::default() };
            }
            series.streak = if run.was_steady() { 1 } else { series.streak + 1 };
            (series.failures, series.failed) = (series.failures + 1, Some(at));
        }
        series
    }

    /// When the next start may begin.
    pub fn due(&self, waits: &StartWaits) -> Option<DateTime<Utc>> {
        self.failed?.checked_add_signed(waits.after(self.streak))
    }
}

/// When a session may come back after its server was lost: at once for the first time in a day, later each time after.
pub fn due_after_loss(runs: &[Run], lost: DateTime<Utc>, waits: &StartWaits) -> DateTime<Utc> {
    let is_loss = |run: &&Run| run.cause == Some(LeadCause::ServerLost) && lost - run.begun < QUIET;
    let losses = runs.iter().filter(is_loss).count();
    lost.checked_add_signed(waits.after(losses)).unwrap_or(lost)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    /// When, code, signal, what told the launcher.
    type End = (i64, Option<i32>, Option<i32>, Option<i32>);

    fn run(begun: i64, cause: Option<LeadCause>, end: Option<End>) -> Run {
        Run {
            operation: OperationId::new(at(begun), 1, 0),
            cause,
            begun: at(begun),
            boot: Some("b".to_owned()),
            receipt: Some((Outcome::Done, at(begun + 1))),
            asked: None,
            failure: None,
            resets: None,
            is_going: end.is_none(),
            launcher: None,
            server: None,
            end: end.map(|(seconds, code, signal, told)| RunEnd { at: at(seconds), code, signal, told }),
        }
    }

    #[test]
    fn only_an_end_that_nobody_asked_for_is_a_failure() {
        let ending = |code, signal, told| run(0, None, Some((5, code, signal, told))).ending();
        assert_eq!(ending(Some(0), None, None), RunEnding::Quit);
        assert_eq!(ending(Some(1), None, None), RunEnding::Failure);
        assert_eq!(ending(Some(137), None, None), RunEnding::Failure);
        assert_eq!(ending(None, Some(9), None), RunEnding::Failure);
        assert_eq!(ending(None, Some(11), None), RunEnding::Failure);
        for signal in [2, 15] {
            assert_eq!(ending(None, Some(signal), None), RunEnding::Person);
            assert_eq!(ending(Some(128 + signal), None, None), RunEnding::Person);
            assert_eq!(ending(Some(1), None, Some(signal)), RunEnding::Person);
        }
        assert_eq!(ending(Some(1), None, Some(1)), RunEnding::HungUp);
        assert_eq!(ending(None, Some(1), None), RunEnding::HungUp);
        assert_eq!(ending(Some(129), None, None), RunEnding::HungUp);
        let never_ready =
            |code, told| Run { receipt: Some((Outcome::Failed, at(2))), ..run(0, None, Some((5, code, None, told))) };
        assert_eq!(never_ready(Some(0), None).ending(), RunEnding::Failure);
        assert_eq!(never_ready(Some(0), Some(15)).ending(), RunEnding::Person);
        assert_eq!(run(0, None, None).ending(), RunEnding::None);
        assert_eq!(Run { is_going: false, ..run(0, None, None) }.ending(), RunEnding::Unknown);
        let not_begun = Run { is_going: false, receipt: Some((Outcome::Failed, at(1))), ..run(0, None, None) };
        assert_eq!(not_begun.ending(), RunEnding::Failure);
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_the_most_and_ten_steady_minutes_reset_it() {
        let waits = StartWaits::of(None, Backoff::default());
        let minutes: Vec<i64> = (0..8).map(|failures| waits.after(failures).num_minutes()).collect();
        assert_eq!(minutes, [0, 3, 6, 12, 24, 48, 60, 60]);
        assert_eq!(waits.after(usize::MAX).num_minutes(), 60);
        let fails = |begun: i64, end: i64| run(begun, Some(LeadCause::Failed), Some((end, Some(1), None, None)));
        let runs = [run(0, None, Some((10, Some(1), None, None))), fails(200, 210), fails(600, 610)];
        let series = Series::of(&runs, None, Some("b"), false);
        assert_eq!((series.failures, series.streak, series.begun), (3, 3, Some(at(0))));
        assert_eq!(series.due(&waits), Some(at(610) + TimeDelta::minutes(12)));
        let runs = [runs.as_slice(), &[fails(2000, 2000 + 700)]].concat();
        let series = Series::of(&runs, None, Some("b"), false);
        assert_eq!((series.failures, series.streak), (4, 1), "the count stays");
    }

    #[test]
    fn a_series_begins_with_a_person_an_edit_a_boot_or_a_quiet_day() {
        let fails = |begun: i64, cause| run(begun, cause, Some((begun + 5, Some(1), None, None)));
        let auto = Some(LeadCause::Failed);
        let runs = [fails(0, None), fails(100, auto), fails(200, auto)];
        let of = |runs: &[Run], edited, boot| Series::of(runs, edited, boot, false).failures;
        assert_eq!(of(&runs, None, Some("b")), 3);
        assert_eq!(of(&[runs.as_slice(), &[fails(300, None)]].concat(), None, Some("b")), 1);
        assert_eq!(of(&runs, Some(at(150)), Some("b")), 1);
        assert_eq!(of(&runs, None, Some("c")), 0);
        assert_eq!(of(&[runs.as_slice(), &[fails(90_000, auto)]].concat(), None, Some("b")), 1);
        let quits = [run(0, None, Some((5, Some(0), None, None)))];
        assert_eq!(Series::of(&quits, None, None, false).failures, 0);
        assert_eq!(Series::of(&quits, None, None, true).failures, 1);
    }

    #[test]
    fn the_first_return_after_a_lost_server_is_at_once_and_the_next_ones_wait() {
        let waits = StartWaits::of(None, Backoff::default());
        let back = |begun| run(begun, Some(LeadCause::ServerLost), None);
        assert_eq!(due_after_loss(&[run(0, None, None)], at(50), &waits), at(50));
        assert_eq!(due_after_loss(&[back(50)], at(100), &waits), at(100 + 180));
        assert_eq!(due_after_loss(&[back(50), back(300)], at(400), &waits), at(400 + 360));
        assert_eq!(due_after_loss(&[back(50)], at(90_000), &waits), at(90_000));
    }
}

//! Sessions that fail one after another for one reason: then one tries, and the others wait for what becomes of it. Pure; all of it
//! follows from what the starts of the sessions left.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::action::{BlockCode, Blocked};
use super::cause::{FailureCause, LeadCause};
use super::enforce::Decision;
use super::operation::Outcome;
use super::series::{Run, RunEnding};
use crate::core::ids::AgentKind;
use crate::core::text::printable;

/// So many different sessions in a row, and it is not they that are wrong.
const MOST: usize = 3;
/// No limit of use lasts longer than this: who says so is wrong.
const LONGEST: TimeDelta = TimeDelta::days(31);
/// So long an agent has to run to show that what it failed for is over: a limit is met only when it is told something.
const STEADY: TimeDelta = TimeDelta::minutes(1);

/// A session, as far as it may fail for a reason that it shares with others.
#[derive(Debug)]
pub struct BrakedEntry<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its agent.
    pub agent: AgentKind,
    /// Where that keeps its files: who is signed in there is signed in for all sessions that use it.
    pub home: Option<&'a Path>,
    /// Its starts, the earliest first.
    pub runs: &'a [Run],
}

impl BrakedEntry<'_> {
    /// Whether what another fails for would make it fail as well.
    fn shares(&self, cause: FailureCause, other: &Self) -> bool {
        cause == FailureCause::DiskFull || (self.agent == other.agent && self.home.is_some() && self.home == other.home)
    }
}

/// What a run says about the reason that others fail for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// It failed for it.
    Failed,
    /// Somebody asked for it, and knows more than is written down; or it ran.
    Over,
}

/// What stands in the way of the starts that share a reason to fail.
#[derive(Debug, PartialEq, Eq)]
struct Brake {
    /// When the last one failed for it.
    failed: DateTime<Utc>,
    /// When what it failed for is over, if it said that.
    resets: Option<DateTime<Utc>>,
    /// Whether one is just trying.
    is_tried: bool,
}

/// Lets one of the starts that share a reason to fail be tried every `most`, and the others wait. `decisions` has those of `entries`.
pub fn brake(entries: &[BrakedEntry<'_>], decisions: &mut [Decision], most: TimeDelta, now: DateTime<Utc>) {
    let mut trying: Vec<(FailureCause, usize)> = Vec::new();
    for (index, (entry, decision)) in entries.iter().zip(decisions).enumerate() {
        let Decision::Act(lead) = *decision else { continue };
        // Whoever changes the entry may have changed who pays for it.
        let limit = entry.runs.last().filter(|run| run.failure == Some(FailureCause::Limit) && lead != LeadCause::Edited);
        if let Some(resets) = limit.and_then(resets).filter(|resets| now < *resets) {
            let name = printable(entry.name);
            let message =
                format!("its agent reached a limit of use that is over then; `headcount start {name}` does not wait for that");
            *decision = Decision::Wait(Blocked::until(BlockCode::Backoff, resets, message));
            continue;
        }
        for cause in [FailureCause::DiskFull, FailureCause::Login, FailureCause::Limit] {
            let Some(brake) = braked(entries, entry, cause, now) else { continue };
            let due = brake.resets.or(brake.failed.checked_add_signed(most)).unwrap_or(DateTime::<Utc>::MAX_UTC);
            let is_other = |(of, other): &(FailureCause, usize)| {
                *of == cause && entries.get(*other).is_some_and(|other| entry.shares(cause, other))
            };
            if now >= due && !brake.is_tried && !trying.iter().any(is_other) {
                trying.push((cause, index));
                continue;
            }
            let until = if now < due { due } else { now + STEADY };
            let name = printable(entry.name);
            let agent = entry.agent;
            let who = if cause == FailureCause::DiskFull { "sessions".to_owned() } else { format!("sessions of {agent}") };
            let message = format!(
                "several {who} failed in a row because {cause}, so one of them tries and the others wait; `headcount start {name}` does not"
            );
            *decision = Decision::Wait(Blocked::until(BlockCode::Brake, until, message));
            break;
        }
    }
}

/// When the limit that a run failed for is over, if it said that and it can be so.
fn resets(run: &Run) -> Option<DateTime<Utc>> {
    let failed = run.end.map_or(run.begun, |end| end.at);
    run.resets.filter(|resets| *resets > failed && *resets - failed <= LONGEST)
}

/// The brake on an entry for a reason, if so many failed for it since it was last over.
fn braked(entries: &[BrakedEntry<'_>], entry: &BrakedEntry<'_>, cause: FailureCause, now: DateTime<Utc>) -> Option<Brake> {
    let sharing = || entries.iter().enumerate().filter(|(_, other)| entry.shares(cause, other));
    let mut signs: Vec<(DateTime<Utc>, Sign, usize)> = Vec::new();
    for (index, other) in sharing() {
        signs.extend(other.runs.iter().flat_map(|run| told(run, cause, now)).map(|(at, sign)| (at, sign, index)));
    }
    signs.sort_unstable();
    let (mut failed, mut last) = (BTreeSet::new(), None);
    for (at, sign, index) in signs {
        match sign {
            Sign::Over => failed.clear(),
            Sign::Failed => {
                failed.insert(index);
                last = Some(at);
            }
        }
    }
    let last = last.filter(|_| failed.len() >= MOST)?;
    let is_open =
        |run: &Run| run.begun > last && run.failure.is_none() && (run.receipt.is_none() || run.ending() == RunEnding::None);
    let of_last = |run: &&Run| run.failure == Some(cause) && told(run, cause, now).contains(&(last, Sign::Failed));
    let resets = sharing().flat_map(|(_, other)| other.runs).filter(of_last).filter_map(resets).max();
    let is_tried = sharing().any(|(_, other)| other.runs.iter().any(is_open));
    Some(Brake { failed: last, resets, is_tried })
}

/// What a run says about a reason, and when.
fn told(run: &Run, cause: FailureCause, now: DateTime<Utc>) -> Vec<(DateTime<Utc>, Sign)> {
    let asked = run.cause.is_none().then_some((run.begun, Sign::Over));
    let end = run.end.map(|end| end.at);
    let known = match (run.failure, run.receipt) {
        (Some(failure), receipt) if failure == cause => {
            Some((end.or(receipt.map(|(_, at)| at)).unwrap_or(run.begun), Sign::Failed))
        }
        // What kept it from running is another reason.
        (Some(_), _) => None,
        (None, Some((Outcome::Done, ready))) => {
            let steady = ready + STEADY;
            (end.unwrap_or(now) >= steady).then_some((steady, Sign::Over))
        }
        (None, _) => None,
    };
    asked.into_iter().chain(known).collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::LeadCause;
    use super::super::operation::OperationId;
    use super::super::series::RunEnd;
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn run(begun: i64) -> Run {
        Run {
            operation: OperationId::new(at(begun), 1, 0),
            cause: Some(LeadCause::ServerLost),
            begun: at(begun),
            boot: None,
            receipt: None,
            asked: None,
            failure: None,
            resets: None,
            is_going: true,
            launcher: None,
            server: None,
            end: None,
        }
    }

    /// Left in front of a question, two seconds after it began.
    fn fails(begun: i64, failure: FailureCause) -> Run {
        Run { receipt: Some((Outcome::Unverified, at(begun + 2))), failure: Some(failure), ..run(begun) }
    }

    fn runs_on(begun: i64) -> Run {
        Run { receipt: Some((Outcome::Done, at(begun + 2))), ..run(begun) }
    }

    const MINUTES: i64 = 60;
    const LOGIN: FailureCause = FailureCause::Login;

    /// Which of the sessions may be started now; the runs of each, all of one agent in one home.
    fn begun(all: &[Vec<Run>], now: i64) -> Vec<usize> {
        let homes = vec![PathBuf::from("/h/.claude"); all.len()];
        begun_in(all, &homes, now)
    }

    fn begun_in(all: &[Vec<Run>], homes: &[PathBuf], now: i64) -> Vec<usize> {
        let entry =
            |(runs, home)| BrakedEntry { name: "one", agent: AgentKind::Claude, home: Some(PathBuf::as_path(home)), runs };
        let entries: Vec<BrakedEntry<'_>> = all.iter().map(Vec::as_slice).zip(homes).map(entry).collect();
        let mut decisions = vec![Decision::Act(LeadCause::ServerLost); all.len()];
        brake(&entries, &mut decisions, TimeDelta::hours(1), at(now));
        let acts = |(index, decision): (usize, &Decision)| (*decision == Decision::Act(LeadCause::ServerLost)).then_some(index);
        decisions.iter().enumerate().filter_map(acts).collect()
    }

    fn three(failure: FailureCause) -> Vec<Vec<Run>> {
        (0..3).map(|index| vec![fails(index * 10, failure)]).chain([vec![], vec![]]).collect()
    }

    #[test]
    fn three_different_sessions_in_a_row_let_one_try_each_hour() {
        let all = three(LOGIN);
        assert_eq!(begun(&all[..2], 30), [0, 1], "two");
        let same = vec![(0..5).map(|index| fails(index * 10, LOGIN)).collect(), vec![]];
        assert_eq!(begun(&same, 60), [0, 1], "one and the same");
        assert_eq!(begun(&all, 30), Vec::<usize>::new());
        let due = 22 + 60 * MINUTES;
        assert_eq!(begun(&all, due - 1), Vec::<usize>::new());
        assert_eq!(begun(&all, due), [0], "one");
        // It has begun, and nobody knows yet what becomes of it.
        let mut tried = all.clone();
        tried[0].push(run(due));
        assert_eq!(begun(&tried, due + 1), Vec::<usize>::new());
        // It is ready; for a minute that says nothing.
        tried[0][1] = runs_on(due);
        assert_eq!(begun(&tried, due + 30), Vec::<usize>::new());
        assert_eq!(begun(&tried, due + 2 + 60), [0, 1, 2, 3, 4]);
        // It fails again.
        tried[0][1] = fails(due, LOGIN);
        assert_eq!(begun(&tried, due + 30), Vec::<usize>::new());
        assert_eq!(begun(&tried, due + 2 + 60 * MINUTES), [0]);
    }

    #[test]
    fn a_limit_that_says_when_it_is_over_is_waited_for_and_no_longer() {
        const LIMIT: FailureCause = FailureCause::Limit;
        let resets = |seconds: i64, run: Run| Run { resets: Some(at(seconds)), ..run };
        // One that waits for its own limit.
        let one = vec![vec![resets(5000, fails(0, LIMIT))], vec![]];
        assert_eq!(begun(&one, 4999), [1]);
        assert_eq!(begun(&one, 5000), [0, 1]);
        // The others wait for it as well once three have met it, and an hour means nothing then.
        let mut all = three(LIMIT);
        all[2][0].resets = Some(at(10_000));
        assert_eq!(begun(&all, 22 + 60 * MINUTES), Vec::<usize>::new());
        assert_eq!(begun(&all, 9_999), Vec::<usize>::new());
        assert_eq!(begun(&all, 10_000), [0], "one");
        let mut all = three(LIMIT);
        all[2][0].resets = Some(at(100));
        assert_eq!(begun(&all, 99), Vec::<usize>::new());
        assert_eq!(begun(&all, 100), [0], "sooner than in an hour");
        // What was over before it failed, and what lasts for ever, says nothing.
        for wrong in [1, i64::from(u32::MAX)] {
            let mut all = three(LIMIT);
            all[2][0].resets = Some(at(wrong));
            assert_eq!(begun(&all, 22 + 60 * MINUTES - 1), Vec::<usize>::new(), "{wrong}");
            assert_eq!(begun(&all, 22 + 60 * MINUTES), [0], "{wrong}");
        }
    }

    #[test]
    fn a_persons_start_or_one_that_runs_on_releases_it() {
        let mut all = three(LOGIN);
        all[3].push(Run { cause: None, ..run(40) });
        assert_eq!(begun(&all, 45), [0, 1, 2, 3, 4]);
        let mut all = three(LOGIN);
        all[4].push(runs_on(15));
        assert_eq!(begun(&all, 30), Vec::<usize>::new());
        assert_eq!(begun(&all, 15 + 2 + 60), [0, 1, 2, 3, 4]);
        // What ran on before the last three failed says nothing.
        let mut all = three(LOGIN);
        all[4].push(runs_on(-100));
        assert_eq!(begun(&all, 100), Vec::<usize>::new());
        // One that ended within a minute has shown nothing.
        let ended = RunEnd { at: at(30), code: Some(0), signal: None, told: None };
        all[4] = vec![Run { end: Some(ended), is_going: false, ..runs_on(15) }];
        assert_eq!(begun(&all, 100), Vec::<usize>::new());
    }

    #[test]
    fn only_those_wait_that_would_fail_for_it() {
        let (here, there) = (PathBuf::from("/h/.claude"), PathBuf::from("/other"));
        let homes = [here.clone(), here.clone(), here.clone(), here.clone(), there.clone()];
        assert_eq!(begun_in(&three(LOGIN), &homes, 30), [4]);
        assert_eq!(begun_in(&three(FailureCause::Limit), &homes, 30), [4]);
        assert_eq!(begun_in(&three(FailureCause::DiskFull), &homes, 30), Vec::<usize>::new());
        let apart = [here.clone(), here.clone(), there, here.clone(), here];
        assert_eq!(begun_in(&three(LOGIN), &apart, 30), [0, 1, 2, 3, 4], "two here and one there");
        // For different reasons.
        let mixed = vec![vec![fails(0, LOGIN)], vec![fails(10, FailureCause::Limit)], vec![fails(20, LOGIN)], vec![]];
        assert_eq!(begun(&mixed, 30), [0, 1, 2, 3]);
    }

    #[test]
    fn what_waits_for_something_else_stays_as_it_is() {
        let runs: Vec<Vec<Run>> = three(LOGIN);
        let home = PathBuf::from("/h");
        let entries: Vec<BrakedEntry<'_>> =
            runs.iter().map(|runs| BrakedEntry { name: "a", agent: AgentKind::Claude, home: Some(&home), runs }).collect();
        let waits = Decision::Wait(Blocked::new(BlockCode::NeverLed, "no"));
        let mut decisions = vec![Decision::Leave, waits.clone(), Decision::Act(LeadCause::Failed), Decision::Leave, waits];
        let before = decisions.clone();
        brake(&entries, &mut decisions, TimeDelta::hours(1), at(30));
        assert_eq!([&decisions[..2], &decisions[3..]].concat(), [&before[..2], &before[3..]].concat());
        let Decision::Wait(blocked) = &decisions[2] else { unreachable!() };
        assert_eq!((blocked.code, blocked.until), (BlockCode::Brake, Some(at(22 + 60 * MINUTES))));
        assert!(blocked.message.contains("nobody is signed in"), "{}", blocked.message);
    }
}

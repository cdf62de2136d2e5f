//! One attempt after another at a job: what is written down of each, and what comes next. Pure: all of it follows from what was written.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{JobOutcome, JobSpec};
use crate::core::fact::Fact;

/// That an attempt begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptBegun {
    /// Its number, from 1.
    pub number: u32,
    /// When.
    pub at: DateTime<Utc>,
    /// The boot of the host.
    pub boot: Option<String>,
    /// The conversation that it goes on in.
    pub resumes: Option<String>,
    /// The id that was given to a new one.
    pub assigned: Option<String>,
    /// Whether it is given the prompt in the conversation that it goes on in: nothing was asked there yet.
    #[serde(default)]
    pub is_prompted: bool,
    /// Where its output begins, in bytes.
    pub from: u64,
}

impl AttemptBegun {
    /// Whether its agent is told to continue, and not given the prompt.
    pub const fn continues(&self) -> bool {
        self.resumes.is_some() && !self.is_prompted
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptEnding {
    /// The agent said that it is done, and ended in order if anybody saw that.
    Completed,
    /// The agent said that it failed.
    Failed,
    /// It ended without saying how.
    Crashed,
    /// What it ran in was taken from it: its pane, its server, the host.
    Lost,
    /// Somebody else had its conversation open.
    Claimed,
    /// Somebody stopped the job.
    Stopped,
    /// Somebody ended the agent at its terminal before it was done.
    Quit,
    /// The job's time was over.
    Deadline,
}

/// That an attempt has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnded {
    /// Its number.
    pub number: u32,
    /// When.
    pub at: DateTime<Utc>,
    /// How.
    pub ending: AttemptEnding,
    /// The exit code as a shell would give it; none where nobody saw it end.
    pub code: Option<i32>,
    /// Why, one line.
    pub reason: String,
    /// The conversation, as far as its output told.
    pub id: Option<String>,
    /// Whether the agent said or did something.
    pub is_heard: bool,
    /// Whether what made it fail may pass.
    pub is_passing: bool,
}

/// A line of what is written down about attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptNote {
    /// One begins.
    Begun(AttemptBegun),
    /// One has ended.
    Ended(AttemptEnded),
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its beginning.
    pub begun: AttemptBegun,
    /// Its end; `None`: nobody wrote one down.
    pub ended: Option<AttemptEnded>,
}

/// The attempts that were written down, in order.
pub fn attempts_of(notes: impl IntoIterator<Item = AttemptNote>) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    for note in notes {
        match note {
            AttemptNote::Begun(begun) => attempts.push(Attempt { begun, ended: None }),
            AttemptNote::Ended(ended) => {
                if let Some(attempt) = attempts.iter_mut().rfind(|attempt| attempt.begun.number == ended.number) {
                    attempt.ended.get_or_insert(ended);
                }
            }
        }
    }
    attempts
}

/// How the next attempt begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobOpening {
    /// With the prompt, in a new conversation.
    New,
    /// In this conversation.
    Resumed(String),
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobNext {
    /// An attempt, not before then.
    Begin(JobOpening, DateTime<Utc>),
    /// Nothing: it is over, for this reason.
    Over(JobOutcome, String),
}

/// An attempt that went on for so long begins the waits anew.
const STEADY: TimeDelta = TimeDelta::minutes(10);
/// So many attempts in a row that failed for no passing reason and brought nothing: another would not either.
const BARREN: usize = 3;

/// What a shell adds to the number of a signal.
const CAUGHT: i32 = 128;

/// What comes next, once every attempt has ended.
pub fn next_attempt(spec: &JobSpec, attempts: &[Attempt], now: DateTime<Utc>) -> JobNext {
    let ended: Vec<(&AttemptBegun, &AttemptEnded)> =
        attempts.iter().filter_map(|attempt| Some((&attempt.begun, attempt.ended.as_ref()?))).collect();
    let over = |outcome, reason: &str| JobNext::Over(outcome, reason.to_owned());
    if let Some((_, last)) = ended.last() {
        match last.ending {
            AttemptEnding::Completed => return over(JobOutcome::Completed, &last.reason),
            AttemptEnding::Stopped => return over(JobOutcome::Stopped, &last.reason),
            AttemptEnding::Deadline | AttemptEnding::Quit => return over(JobOutcome::Failed, &last.reason),
            AttemptEnding::Failed | AttemptEnding::Crashed | AttemptEnding::Lost | AttemptEnding::Claimed => {}
        }
    }
    if now >= spec.ends_at() {
        return over(JobOutcome::Failed, "its time is over");
    }
    let waits = spec.waits.waits();
    let (mut failures, mut streak, mut losses, mut barren) = (0, 0, 0, 0);
    for (begun, end) in &ended {
        match end.ending {
            AttemptEnding::Failed | AttemptEnding::Crashed => {
                failures += 1;
                streak = if end.at - begun.at >= STEADY { 1 } else { streak + 1 };
                // Who was killed may have been about to do something.
                let is_own_end = end.code.is_some_and(|code| code <= CAUGHT);
                barren = match end.is_heard || end.is_passing {
                    true => 0,
                    false => barren + usize::from(is_own_end),
                };
            }
            AttemptEnding::Claimed => streak += 1,
            AttemptEnding::Lost => losses += 1,
            AttemptEnding::Completed | AttemptEnding::Stopped | AttemptEnding::Deadline | AttemptEnding::Quit => {}
        }
    }
    let last = ended.last().map(|(_, end)| *end);
    let why = last.map_or("", |last| last.reason.as_str());
    if failures >= waits.attempts() {
        return JobNext::Over(JobOutcome::Failed, format!("it failed {failures} times, the last time: {why}"));
    }
    if barren >= BARREN {
        return JobNext::Over(JobOutcome::Failed, format!("it failed {barren} times in a row before it did anything: {why}"));
    }
    let wait = match last.map(|last| last.ending) {
        None => TimeDelta::zero(),
        // The first return is at once.
        Some(AttemptEnding::Lost) => waits.after(usize::saturating_sub(losses, 1)),
        Some(_) => waits.after(streak),
    };
    // A clock that was set back makes nobody wait for longer than that.
    let at = last.map_or(now, |last| last.at.min(now)).checked_add_signed(wait).unwrap_or(now);
    JobNext::Begin(opening(&ended), at)
}

/// In which conversation to go on: the last one that an attempt named. One that named itself, brought nothing and could not be opened
/// again never came about.
fn opening(ended: &[(&AttemptBegun, &AttemptEnded)]) -> JobOpening {
    let is_heard = |id: &str| ended.iter().any(|(_, end)| end.is_heard && end.id.as_deref() == Some(id));
    let Some(id) = ended.iter().rev().find_map(|(_, end)| end.id.clone()) else { return JobOpening::New };
    let is_failure = |ending| matches!(ending, AttemptEnding::Crashed | AttemptEnding::Failed);
    let is_refused =
        ended.iter().any(|(begun, end)| begun.resumes.as_ref() == Some(&id) && end.id.is_none() && is_failure(end.ending));
    let is_killed = ended.last().is_some_and(|(_, end)| end.code.is_none_or(|code| code > CAUGHT));
    if is_refused && !is_killed && !is_heard(&id) { JobOpening::New } else { JobOpening::Resumed(id) }
}

/// Whether the prompt is due in the conversation that is gone on in: its agent was ended before it did anything there, and before the
/// conversation held what was asked. `asked`: whether it holds something that was asked.
pub fn is_prompt_due(attempts: &[Attempt], id: &str, asked: impl FnOnce() -> Fact<()>) -> bool {
    let ended = attempts.iter().filter_map(|attempt| attempt.ended.as_ref());
    // What it did there is not done twice.
    let is_heard = ended.into_iter().any(|end| end.is_heard && end.id.as_deref() == Some(id));
    !is_heard && asked().is_absent()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::JobWaits;
    use super::*;
    use crate::core::ids::{AgentKind, MuxKind, SessionKey};

    fn spec() -> JobSpec {
        JobSpec {
            version: JobSpec::VERSION,
            job: "abc12345".parse().unwrap(),
            registry: "/r".into(),
            agent: AgentKind::Codex,
            session: SessionKey { name: "codex-x".into(), mux: MuxKind::Tmux, server: "default".into(), host: "h".into() },
            cwd: "/".into(),
            program: "codex".into(),
            args: Vec::new(),
            is_bypassing: false,
            is_asking: false,
            is_interactive: false,
            at: at(0),
            keep: 0,
            deadline: 5 * 3_600_000,
            waits: JobWaits { first: 180_000, factor: 2.0, most: 3_600_000, attempts: 10 },
            notify: None,
            bus: None,
            by: "a test".into(),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap()
    }

    /// An attempt that begins and ends at these seconds.
    fn attempt(number: u32, span: (i64, i64), ending: AttemptEnding, (id, is_heard): (Option<&str>, bool)) -> Attempt {
        let (at, from) = (at(span.0), 0);
        let begun = AttemptBegun { number, at, boot: None, resumes: None, assigned: None, is_prompted: false, from };
        let ended = AttemptEnded {
            number,
            at: self::at(span.1),
            ending,
            code: Some(1),
            reason: "why".into(),
            id: id.map(str::to_owned),
            is_heard,
            is_passing: false,
        };
        Attempt { begun, ended: Some(ended) }
    }

    fn crash(number: u32, span: (i64, i64)) -> Attempt {
        attempt(number, span, AttemptEnding::Crashed, (Some("t1"), true))
    }

    #[test]
    fn waits_grow_from_three_minutes_and_a_long_attempt_begins_them_anew() {
        let resumed = |at| JobNext::Begin(JobOpening::Resumed("t1".into()), at);
        assert_eq!(next_attempt(&spec(), &[], at(1)), JobNext::Begin(JobOpening::New, at(1)));
        assert_eq!(next_attempt(&spec(), &[crash(1, (0, 10))], at(10)), resumed(at(190)));
        let two = [crash(1, (0, 10)), crash(2, (200, 210))];
        assert_eq!(next_attempt(&spec(), &two, at(210)), resumed(at(210 + 360)));
        let three = [crash(1, (0, 10)), crash(2, (200, 210)), crash(3, (600, 610))];
        assert_eq!(next_attempt(&spec(), &three, at(610)), resumed(at(610 + 720)));
        let long = [crash(1, (0, 10)), crash(2, (200, 210)), crash(3, (600, 1300))];
        assert_eq!(next_attempt(&spec(), &long, at(1300)), resumed(at(1300 + 180)));
    }

    #[test]
    fn time_attempts_and_what_brings_nothing_end_it() {
        let all: Vec<Attempt> = (1..=10).map(|number| crash(number, (0, 10))).collect();
        assert!(matches!(next_attempt(&spec(), &all[..9], at(10)), JobNext::Begin(..)));
        assert!(matches!(next_attempt(&spec(), &all, at(10)), JobNext::Over(JobOutcome::Failed, _)));
        assert!(matches!(next_attempt(&spec(), &all[..1], at(5 * 3600)), JobNext::Over(JobOutcome::Failed, _)));
        let barren = |passing: bool| -> Vec<Attempt> {
            let mut all: Vec<Attempt> =
                (1..=3).map(|number| attempt(number, (0, 1), AttemptEnding::Failed, (None, false))).collect();
            all.iter_mut().for_each(|it| it.ended.as_mut().unwrap().is_passing = passing);
            all
        };
        assert!(matches!(next_attempt(&spec(), &barren(false)[..2], at(2)), JobNext::Begin(JobOpening::New, _)));
        assert!(matches!(next_attempt(&spec(), &barren(false), at(2)), JobNext::Over(JobOutcome::Failed, _)));
        assert!(matches!(next_attempt(&spec(), &barren(true), at(2)), JobNext::Begin(JobOpening::New, _)));
        let mut killed = barren(false);
        killed.iter_mut().for_each(|it| it.ended.as_mut().unwrap().code = Some(137));
        assert!(matches!(next_attempt(&spec(), &killed, at(2)), JobNext::Begin(JobOpening::New, _)));
    }

    #[test]
    fn what_was_lost_comes_back_at_once_and_then_waits() {
        let lost = |number, span| attempt(number, span, AttemptEnding::Lost, (Some("t1"), false));
        assert_eq!(
            next_attempt(&spec(), &[lost(1, (0, 10))], at(10)),
            JobNext::Begin(JobOpening::Resumed("t1".into()), at(10))
        );
        let next = next_attempt(&spec(), &[lost(1, (0, 10)), lost(2, (10, 20))], at(20));
        assert_eq!(next, JobNext::Begin(JobOpening::Resumed("t1".into()), at(20 + 180)));
    }

    #[test]
    fn a_conversation_that_never_came_about_is_begun_with_the_prompt() {
        let named = attempt(1, (0, 1), AttemptEnding::Crashed, (Some("t1"), false));
        let mut refused = attempt(2, (200, 201), AttemptEnding::Crashed, (None, false));
        refused.begun.resumes = Some("t1".into());
        let opening = |all: &[Attempt]| match next_attempt(&spec(), all, at(201)) {
            JobNext::Begin(opening, _) => opening,
            other @ JobNext::Over(..) => panic!("{other:?}"),
        };
        assert_eq!(opening(std::slice::from_ref(&named)), JobOpening::Resumed("t1".into()));
        assert_eq!(opening(&[named.clone(), refused.clone()]), JobOpening::New);
        // What it did there is not done twice.
        let mut heard = named.clone();
        heard.ended.as_mut().unwrap().is_heard = true;
        assert_eq!(opening(&[heard, refused.clone()]), JobOpening::Resumed("t1".into()));
        // Killed before it could say anything: that refuses nothing.
        refused.ended.as_mut().unwrap().code = Some(137);
        assert_eq!(opening(&[named, refused]), JobOpening::Resumed("t1".into()));
    }

    #[test]
    fn the_prompt_is_due_where_nothing_was_asked_and_nothing_was_done() {
        let unheard = [attempt(1, (0, 1), AttemptEnding::Lost, (Some("t1"), false))];
        assert!(is_prompt_due(&unheard, "t1", || Fact::Absent));
        assert!(!is_prompt_due(&unheard, "t1", || Fact::Seen(())));
        assert!(!is_prompt_due(&unheard, "t1", || Fact::Unknown("unreadable".into())));
        assert!(!is_prompt_due(&[crash(1, (0, 1))], "t1", || panic!("nobody asks")));
    }

    #[test]
    fn an_end_is_written_once() {
        let one = crash(1, (0, 10));
        let mut other = one.ended.clone().unwrap();
        other.ending = AttemptEnding::Completed;
        let notes =
            [AttemptNote::Begun(one.begun.clone()), AttemptNote::Ended(one.ended.clone().unwrap()), AttemptNote::Ended(other)];
        assert_eq!(attempts_of(notes), [one]);
    }
}

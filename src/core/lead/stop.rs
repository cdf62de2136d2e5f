//! The machine of a stop: what comes next, by what was seen. Pure; looks at nothing.

use chrono::{DateTime, TimeDelta, Utc};

/// How far a stop goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopOptions {
    /// How long it waits for a turn to end.
    pub timeout: TimeDelta,
    /// Whether a turn is interrupted.
    pub now: bool,
    /// Whether what does not end is killed.
    pub kill: bool,
    /// How long the agent may take to end once it was asked to.
    pub grace: TimeDelta,
}

/// What was seen of a stop so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopEvidence {
    /// Whether the agent's process is gone.
    pub is_gone: bool,
    /// Whether it is known to be idle. What is unknown counts as working.
    pub is_idle: bool,
    /// When it was asked to end.
    pub asked: Option<DateTime<Utc>>,
    /// When it was killed.
    pub killed: Option<DateTime<Utc>>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopNext {
    /// It is asked to end, by the signal of its table.
    Ask,
    /// It is killed.
    Kill,
    /// Nothing until then, or until something is seen.
    Await(DateTime<Utc>),
    /// It is gone.
    Done,
    /// The turn did not end in time; nothing was done to it.
    StillWorking,
    /// It did not end although it was asked to.
    Failed(String),
}

/// What comes next for a stop that began `begun`.
pub fn next_stop(begun: DateTime<Utc>, options: &StopOptions, seen: StopEvidence, now: DateTime<Utc>) -> StopNext {
    if seen.is_gone {
        return StopNext::Done;
    }
    let Some(asked) = seen.asked else {
        if seen.is_idle || options.now {
            return StopNext::Ask;
        }
        let until = begun + options.timeout;
        return if now < until { StopNext::Await(until) } else { StopNext::StillWorking };
    };
    let until = asked + options.grace;
    if now < until {
        return StopNext::Await(until);
    }
    match (options.kill, seen.killed) {
        (true, None) => StopNext::Kill,
        (true, Some(killed)) if now < killed + options.grace => StopNext::Await(killed + options.grace),
        (true, Some(_)) => StopNext::Failed("it is still there after SIGKILL".to_owned()),
        (false, _) => StopNext::Failed("it did not end when asked to; `--kill` ends it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn a_working_agent_is_asked_only_at_its_turns_end_and_killed_only_on_request() {
        let options = StopOptions { timeout: TimeDelta::seconds(600), now: false, kill: false, grace: TimeDelta::seconds(10) };
        let working = StopEvidence::default();
        let idle = StopEvidence { is_idle: true, ..working };
        let asked = StopEvidence { asked: Some(at(5)), ..working };
        let next = |options: &StopOptions, seen, now| next_stop(at(0), options, seen, at(now));
        assert_eq!(next(&options, working, 1), StopNext::Await(at(600)));
        assert_eq!(next(&options, working, 600), StopNext::StillWorking);
        assert_eq!(next(&StopOptions { now: true, ..options }, working, 1), StopNext::Ask);
        assert_eq!(next(&options, idle, 1), StopNext::Ask);
        assert_eq!(next(&options, asked, 14), StopNext::Await(at(15)));
        assert!(matches!(next(&options, asked, 15), StopNext::Failed(why) if why.contains("--kill")));
        let killing = StopOptions { kill: true, ..options };
        assert_eq!(next(&killing, working, 1), StopNext::Await(at(600)), "only `now` interrupts");
        assert_eq!(next(&killing, asked, 14), StopNext::Await(at(15)), "not before its grace is over");
        assert_eq!(next(&killing, asked, 15), StopNext::Kill);
        assert_eq!(next(&killing, StopEvidence { killed: Some(at(15)), ..asked }, 16), StopNext::Await(at(25)));
        assert_eq!(next(&killing, StopEvidence { is_gone: true, ..asked }, 16), StopNext::Done);
    }
}

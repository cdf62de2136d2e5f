//! The machine of a start, a resume included: what comes next, by what was seen. Pure; looks at nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::dialog::DialogSubject;
use crate::core::ids::ConversationId;

/// How long a dialog stands before it is believed that a person has to answer it, and how long one may stand that headcount answers.
const STANDS: [TimeDelta; 2] = [TimeDelta::seconds(1), TimeDelta::seconds(10)];

/// How long the process of an agent of which no more is known runs before that is said.
const RUNS: TimeDelta = TimeDelta::seconds(10);

/// How the agent below a launcher ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildEnd {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// It was never begun: its conversation is open elsewhere.
    Claimed,
    /// It was never begun: its program could not be run.
    NotRun,
}

/// What was seen of a start so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartEvidence {
    /// Whether its pane was made.
    pub is_placed: bool,
    /// Whether the launcher has begun the agent.
    pub is_launched: bool,
    /// How the agent ended, if it has.
    pub ended: Option<ChildEnd>,
    /// The agent's process below the launcher, if it was seen.
    pub agent: Option<u32>,
    /// Whether that agent is known to take a prompt.
    pub is_ready: bool,
    /// Whether nobody knows what it is ready by.
    pub is_unsaid: bool,
    /// The conversation it proves.
    pub proven: Option<ConversationId>,
    /// What it waits for a person to answer, one line.
    pub asks: Option<String>,
    /// The dialog that stands on its screen.
    pub dialog: Option<StandingDialog>,
}

/// A dialog on the screen of an agent that is being started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandingDialog {
    /// What it is about.
    pub subject: DialogSubject,
    /// Since when it was seen.
    pub since: DateTime<Utc>,
    /// Whether headcount answers it.
    pub is_answered: bool,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartNext {
    /// The pane is made.
    Place,
    /// Nothing until then, or until something is seen.
    Await(DateTime<Utc>),
    /// It is done, by what was seen.
    Done(Vec<String>),
    /// It did not come about.
    Failed(String),
    /// It cannot be told; what runs is left running.
    Unverified(String),
    /// It runs, and a person has to answer this before it is ready.
    NeedsInput(DialogSubject),
}

/// What comes next for a start that began `begun` and has `ready` to be ready in, of a conversation that should be `wanted`.
pub fn next_start(
    begun: DateTime<Utc>,
    ready: TimeDelta,
    wanted: Option<&ConversationId>,
    seen: &StartEvidence,
    now: DateTime<Utc>,
) -> StartNext {
    if let Some(end) = seen.ended {
        return StartNext::Failed(match end {
            ChildEnd::Exit(code) => format!("the agent ended with exit code {code} before it was ready"),
            ChildEnd::Signal(signal) => format!("signal {signal} ended the agent before it was ready"),
            ChildEnd::Claimed => "another process has its conversation".to_owned(),
            ChildEnd::NotRun => "the program could not be run".to_owned(),
        });
    }
    if !seen.is_placed {
        return StartNext::Place;
    }
    if let Some((wanted, proven)) = wanted.zip(seen.proven.as_ref()).filter(|(wanted, proven)| wanted != proven) {
        return StartNext::Unverified(format!("the agent is in conversation {proven} instead of {wanted}"));
    }
    if let (Some(pid), true) = (seen.agent, seen.is_ready) {
        let mut proof = vec![format!("process {pid} below the launcher"), "ready".to_owned()];
        proof.extend(seen.proven.as_ref().map(|id| format!("in conversation {id}")));
        return StartNext::Done(proof);
    }
    if let (Some(_), Some(dialog)) = (seen.agent, seen.dialog) {
        let stands = STANDS[usize::from(dialog.is_answered)];
        if dialog.subject != DialogSubject::Passing && now >= (dialog.since + stands).min(begun + ready) {
            return StartNext::NeedsInput(dialog.subject);
        }
    }
    let until = begun + if seen.is_unsaid && seen.agent.is_some() { ready.min(RUNS) } else { ready };
    if now < until {
        return StartNext::Await(until);
    }
    match (seen.agent, &seen.asks) {
        (Some(_), Some(what)) => StartNext::Unverified(format!("it runs and waits for an answer: {what}")),
        (Some(pid), None) if seen.is_unsaid => {
            StartNext::Unverified(format!("process {pid} runs, and the manifest does not say what it shows once it is ready"))
        }
        (Some(pid), None) => {
            StartNext::Unverified(format!("process {pid} runs and was not ready in time; it was left running"))
        }
        (None, _) if seen.is_launched => {
            StartNext::Unverified("the launcher began the program, and no agent was seen below it".to_owned())
        }
        (None, _) => StartNext::Failed("the launcher began nothing in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn a_start_is_done_only_by_a_ready_agent_in_the_right_conversation() {
        let id = |text: &str| ConversationId(text.to_owned());
        let placed = StartEvidence { is_placed: true, is_launched: true, ..StartEvidence::default() };
        let seen = StartEvidence { agent: Some(7), ..placed.clone() };
        let ready = StartEvidence { is_ready: true, proven: Some(id("a")), ..seen.clone() };
        let next = |seen: &StartEvidence, now| next_start(at(0), TimeDelta::seconds(60), Some(&id("a")), seen, at(now));
        assert_eq!(next(&StartEvidence::default(), 1), StartNext::Place);
        assert_eq!(next(&placed, 1), StartNext::Await(at(60)));
        assert_eq!(next(&seen, 59), StartNext::Await(at(60)));
        assert!(matches!(next(&ready, 1), StartNext::Done(proof) if proof.len() == 3));
        assert!(matches!(next(&StartEvidence { proven: Some(id("b")), ..ready.clone() }, 1), StartNext::Unverified(_)));
        for (evidence, is_failed) in
            [(&seen, false), (&placed, false), (&StartEvidence { is_launched: false, ..placed.clone() }, true)]
        {
            let next = next(evidence, 60);
            assert_eq!(matches!(next, StartNext::Failed(_)), is_failed, "{next:?}");
            assert!(is_failed || matches!(next, StartNext::Unverified(_)));
        }
        // Exit 0 is no success, and what has ended is never placed again.
        for end in [ChildEnd::Exit(0), ChildEnd::Exit(1), ChildEnd::Signal(9), ChildEnd::Claimed, ChildEnd::NotRun] {
            let ended = |seen: &StartEvidence| StartEvidence { ended: Some(end), ..seen.clone() };
            assert!(matches!(next(&ended(&ready), 1), StartNext::Failed(_)));
            assert!(matches!(next(&ended(&StartEvidence::default()), 1), StartNext::Failed(_)));
        }
    }
}

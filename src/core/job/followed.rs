//! A job that is done in a session of somebody's, told of by the turns of its agent: what each look at them says. Never reads anything.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::run::JobBus;
use super::{EventKind, JobId};
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::turns::{
    AnswerSeen, EndVerdict, TranscriptPosition, Turn, TurnEnd, TurnPage, TurnReply, answer_to, judge_end,
};

/// A job whose events follow from turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FollowedJob {
    /// Its own version: an older headcount leaves a later one alone.
    pub version: u32,
    /// The job.
    pub job: JobId,
    /// The registry that has its record.
    pub registry: PathBuf,
    /// The session that does it.
    pub session: SessionKey,
    /// The agent there.
    pub agent: AgentKind,
    /// What is to be done: the turn that took this in is the job's.
    pub prompt: String,
    /// When it was submitted: what was said before is not meant.
    pub since: DateTime<Utc>,
    /// The conversation, as soon as it is proven. It can be read also when its agent has gone.
    pub conversation: Option<ConversationId>,
    /// The broker that its events go to as well.
    pub bus: Option<JobBus>,
}

impl FollowedJob {
    /// The version of this build.
    pub const VERSION: u32 = 1;
}

/// What was seen of its session.
#[derive(Debug, Clone, Copy)]
pub struct FollowScene<'a> {
    /// The newest turns of its conversation; `None`: nothing was said there, or it cannot be read.
    pub page: Option<&'a TurnPage>,
    /// What its agent asks, if it waits for an answer.
    pub asks: Option<&'a str>,
    /// Whether something other than the transcript says that its agent waits for a prompt.
    pub is_idle: bool,
    /// How its agent is known to have ended. That it is not there is not enough.
    pub ended: Option<&'a str>,
    /// What the last look gave to keep.
    pub before: Option<&'a AnswerSeen>,
    /// When that was seen.
    pub now: DateTime<Utc>,
}

/// What a look comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowNews {
    /// Nothing new.
    Nothing,
    /// Its turn seems to have ended: the same must be seen again.
    Settling(AnswerSeen),
    /// This has happened.
    Event(EventKind, String),
}

/// What there is to be told of a job that is not over, after its last event.
pub fn follow(followed: &FollowedJob, last: Option<EventKind>, scene: &FollowScene<'_>) -> FollowNews {
    let Some(turn) = scene.page.and_then(|page| turn_of(followed, page)) else { return FollowNews::Nothing };
    let news = |kind: EventKind, detail: String| match last == Some(kind) {
        true => FollowNews::Nothing,
        false => FollowNews::Event(kind, detail),
    };
    let end = match judge_end(turn, scene.is_idle, scene.before, scene.now) {
        EndVerdict::Settling(seen) => return FollowNews::Settling(seen),
        EndVerdict::Ended(_) => Some(turn.end),
        EndVerdict::GoesOn => None,
    };
    match (end, scene.ended) {
        (Some(TurnEnd::Done), _) => FollowNews::Event(EventKind::Completed, turn.text.clone()),
        (Some(TurnEnd::Error), _) => {
            let why = turn.error.as_ref().map_or("its turn failed", |error| error.message.as_str());
            FollowNews::Event(EventKind::Error, why.to_owned())
        }
        (_, Some(how)) => FollowNews::Event(EventKind::Error, format!("its agent ended before the turn did: {how}")),
        // Somebody broke it off, and may say how to go on.
        (Some(TurnEnd::Interrupted | TurnEnd::Open), None) => news(EventKind::Progress, "its turn was interrupted".to_owned()),
        (None, None) => match (scene.asks, last) {
            (Some(asks), _) => news(EventKind::PermissionRequired, asks.to_owned()),
            (None, None) => FollowNews::Event(EventKind::Started, "its turn has begun".to_owned()),
            (None, Some(EventKind::PermissionRequired)) => {
                FollowNews::Event(EventKind::Progress, "its turn goes on".to_owned())
            }
            (None, Some(_)) => FollowNews::Nothing,
        },
    }
}

/// The turn that decides about a job: the one that took its prompt in, or the one that went on after that was interrupted.
pub fn turn_of<'a>(followed: &FollowedJob, page: &'a TurnPage) -> Option<&'a Turn> {
    // No transcript has this number: its lines are told apart by their time.
    let since = TranscriptPosition { file: u64::MAX, end: u64::MAX, at: followed.since };
    let TurnReply::InTurn(answer) = answer_to(page, &followed.prompt, Some(&since)) else { return None };
    let from = page.turns.iter().position(|turn| std::ptr::eq(turn, answer.turn))?;
    let later = page.turns.get(from..)?;
    later.iter().find(|turn| turn.end != TurnEnd::Interrupted).or(later.last())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::TimeDelta;

    use super::*;
    use crate::core::ids::{MuxKind, ServerKey};
    use crate::core::lead::turns::{TurnDraft, TurnErrorKind};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn followed() -> FollowedJob {
        FollowedJob {
            version: FollowedJob::VERSION,
            job: "abc12345".parse().unwrap(),
            registry: "/jobs".into(),
            session: ServerKey::default_of(MuxKind::Tmux).session_key("lab", "here"),
            agent: AgentKind::Claude,
            prompt: "do it".to_owned(),
            since: at(100),
            conversation: None,
            bus: None,
        }
    }

    fn turn(prompt: &str, second: i64, end: Option<TurnEnd>) -> Turn {
        let mut draft = TurnDraft::begun(None);
        draft.ask(prompt.to_owned(), Some(at(second)), u64::try_from(second).unwrap());
        draft.write("the answer".to_owned(), None);
        match end {
            Some(TurnEnd::Error) => draft.fail(TurnErrorKind::Error, "overloaded".to_owned(), Some("mark"), None),
            Some(end) => draft.end(end, Some("mark"), None),
            None => {}
        }
        draft.finish()
    }

    fn page(turns: Vec<Turn>) -> TurnPage {
        let position = TranscriptPosition { file: 7, end: 9_000, at: at(200) };
        TurnPage { turns, aside: Vec::new(), queued: Vec::new(), position, is_all: true }
    }

    fn scene(page: &TurnPage) -> FollowScene<'_> {
        FollowScene { page: Some(page), asks: None, is_idle: false, ended: None, before: None, now: at(201) }
    }

    fn kind(news: FollowNews) -> Option<EventKind> {
        match news {
            FollowNews::Event(kind, _) => Some(kind),
            FollowNews::Nothing | FollowNews::Settling(_) => None,
        }
    }

    #[test]
    fn only_the_turn_that_took_the_prompt_in_counts() {
        let before = page(vec![turn("do it", 50, Some(TurnEnd::Done)), turn("something else", 120, Some(TurnEnd::Done))]);
        assert_eq!(follow(&followed(), None, &scene(&before)), FollowNews::Nothing);
        let its = page(vec![turn("do it", 50, Some(TurnEnd::Done)), turn("do it", 120, Some(TurnEnd::Done))]);
        assert_eq!(follow(&followed(), None, &scene(&its)), FollowNews::Event(EventKind::Completed, "the answer".to_owned()));
    }

    #[test]
    fn what_happens_is_told_once_each() {
        use EventKind::{Error, PermissionRequired, Progress, Started};
        let open = page(vec![turn("do it", 120, None)]);
        let failed = page(vec![turn("do it", 120, Some(TurnEnd::Error))]);
        let broken_off = page(vec![turn("do it", 120, Some(TurnEnd::Interrupted))]);
        let asks = |page| FollowScene { asks: Some("may I?"), ..scene(page) };
        let ended = |page| FollowScene { ended: Some("exit code 1"), ..scene(page) };
        let cases = [
            (scene(&open), None, Some(Started)),
            (scene(&open), Some(Started), None),
            (asks(&open), Some(Started), Some(PermissionRequired)),
            (asks(&open), Some(PermissionRequired), None),
            (scene(&open), Some(PermissionRequired), Some(Progress)),
            (scene(&open), Some(Progress), None),
            (scene(&failed), Some(Started), Some(Error)),
            (scene(&broken_off), Some(Started), Some(Progress)),
            (scene(&broken_off), Some(Progress), None),
            (ended(&open), Some(Started), Some(Error)),
            (ended(&broken_off), Some(Progress), Some(Error)),
        ];
        for (number, (scene, last, expected)) in cases.into_iter().enumerate() {
            assert_eq!(kind(follow(&followed(), last, &scene)), expected, "case {number}");
        }
    }

    #[test]
    fn a_turn_that_was_broken_off_goes_on_in_the_next_one() {
        let broken_off = turn("do it", 120, Some(TurnEnd::Interrupted));
        let goes_on = page(vec![broken_off.clone(), turn("rather so", 130, None)]);
        assert_eq!(follow(&followed(), Some(EventKind::Progress), &scene(&goes_on)), FollowNews::Nothing);
        let done = page(vec![broken_off, turn("rather so", 130, Some(TurnEnd::Done))]);
        assert_eq!(kind(follow(&followed(), Some(EventKind::Progress), &scene(&done))), Some(EventKind::Completed));
    }

    #[test]
    fn an_end_without_a_mark_has_to_be_seen_twice() {
        let mut turn = turn("do it", 120, Some(TurnEnd::Done));
        turn.mark = None;
        let page = page(vec![turn]);
        let first = FollowScene { is_idle: true, ..scene(&page) };
        let FollowNews::Settling(seen) = follow(&followed(), None, &first) else { panic!() };
        let again = FollowScene { before: Some(&seen), now: at(203), ..first };
        assert_eq!(kind(follow(&followed(), None, &again)), Some(EventKind::Completed));
        assert_eq!(follow(&followed(), Some(EventKind::Started), &scene(&page)), FollowNews::Nothing);
    }
}

//! The conditions of a session whose agent runs. What its own registry, transcript or title says of the moment comes first, then its
//! hooks, and last its screen.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Condition, ConditionReport, ConditionSource};
use crate::core::hooks::{HookEvent, HookKind, ProcessMark};
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::dialog::DialogSubject;
use crate::core::lead::turns::{AnswerSeen, EndVerdict, SETTLED_AFTER, Turn, TurnEnd, TurnErrorKind, TurnPage, judge_end};
use crate::core::observe::Activity;

/// So long after a prompt was taken an agent may still call itself idle. It does for good if the prompt was taken back at once.
const UPTAKE: TimeDelta = TimeDelta::seconds(2);
/// So long after an agent calls itself idle the last lines of its turn may still be missing: Claude Code 2.1.329 takes 0.1 s.
const LAST_LINES: TimeDelta = TimeDelta::seconds(1);
/// So long after its last line a permission may be asked for.
const ASKING: TimeDelta = TimeDelta::milliseconds(500);

/// What was seen of a live agent.
#[derive(Debug, Clone, Default)]
pub struct LiveSigns<'a> {
    /// Which agent it is.
    pub agent: Option<AgentKind>,
    /// The moment.
    pub now: DateTime<Utc>,
    /// When its process began.
    pub started: DateTime<Utc>,
    /// The conversation it is in.
    pub conversation: Option<&'a ConversationId>,
    /// Its own processes: itself, and the wrappers around it.
    pub own: &'a [ProcessMark],
    /// What it is doing, as its files or its title tell.
    pub activity: Option<Activity>,
    /// What there is to say beside that, in the agent's words.
    pub beside: Option<&'a str>,
    /// What hooks told, oldest first; of whomever.
    pub events: &'a [HookEvent],
    /// The end of its transcript.
    pub turns: Option<&'a TurnPage>,
    /// When that was written last.
    pub written: Option<DateTime<Utc>>,
    /// A dialog of a start that its screen has shown twice, where nothing else tells.
    pub dialog: Option<DialogSubject>,
    /// Whether its screen has shown twice that it takes prompts, where nothing else tells.
    pub is_ready_on_screen: bool,
    /// Whether it holds a conversation in which nothing was said yet.
    pub is_unspoken: bool,
}

impl LiveSigns<'_> {
    /// The conditions that hold, never none.
    pub fn conditions(&self) -> Vec<ConditionReport> {
        let told = |condition, since, evidence: &str| ConditionReport::new(condition, self.teller(), since, evidence);
        match self.activity {
            Some(Activity::Suspended) => {
                vec![ConditionReport::unknown(ConditionSource::Process, "its process is stopped, as by Ctrl-Z")]
            }
            Some(Activity::Parked) => {
                let beside = self.beside.map(|beside| format!("; {beside}")).unwrap_or_default();
                let why = format!("its conversation went on in the background{beside}");
                vec![ConditionReport::unknown(self.teller(), why)]
            }
            Some(Activity::Waiting) => {
                let what = self.beside.map_or("it waits for an answer".to_owned(), |what| format!("it waits for: {what}"));
                vec![told(Condition::NeedsInput, self.asked_at(), &what)]
            }
            Some(Activity::Working) => self.working(self.teller(), self.turn_began(), "a turn goes on"),
            _ if self.dialog.is_some_and(|dialog| dialog != DialogSubject::Passing) => {
                let asks = self.dialog.map(DialogSubject::asks).unwrap_or_default();
                vec![ConditionReport::new(Condition::NeedsInput, ConditionSource::Screen, None, asks)]
            }
            Some(Activity::Starting) => {
                vec![told(Condition::Starting, Some(self.started), "it is in no conversation yet")]
            }
            Some(Activity::Idle) => self.at_rest(self.teller(), "it waits for a prompt"),
            None => self.untold(),
        }
    }

    /// How long until the same signs may come to something else by time alone.
    pub fn settles_in(&self) -> Option<TimeDelta> {
        if self.activity != Some(Activity::Idle) {
            return None;
        }
        let left =
            |since: DateTime<Utc>, wait: TimeDelta| Some(wait - (self.now - since)).filter(|left| *left > TimeDelta::zero());
        let prompt = self.newer_prompt().and_then(|prompt| left(prompt.at, UPTAKE));
        let turn = self.turn().zip(self.written).and_then(|(turn, written)| match (turn.end, turn.mark) {
            (TurnEnd::Open, _) => left(written, LAST_LINES),
            (_, None) => left(written, SETTLED_AFTER),
            (_, Some(_)) => None,
        });
        [prompt, turn].into_iter().flatten().min()
    }

    /// What says what it is doing.
    fn teller(&self) -> ConditionSource {
        match (self.activity, self.agent) {
            (Some(Activity::Suspended), _) => ConditionSource::Process,
            (_, Some(AgentKind::Claude)) => ConditionSource::Registry,
            (_, Some(AgentKind::Gemini)) | (Some(Activity::Waiting), Some(AgentKind::Codex)) => ConditionSource::Title,
            _ => ConditionSource::Transcript,
        }
    }

    /// The events of its own processes about the conversation it is in, oldest first.
    fn events(&self) -> impl DoubleEndedIterator<Item = &HookEvent> {
        let is_its = |event: &&HookEvent| {
            let is_here =
                event.session_id.is_none() || self.conversation.is_none() || event.session_id.as_ref() == self.conversation;
            self.agent == Some(event.agent) && self.own.contains(&event.process) && is_here && event.at <= self.now
        };
        self.events.iter().filter(is_its)
    }

    fn last(&self, kinds: &[HookKind]) -> Option<&HookEvent> {
        self.events().rev().find(|event| kinds.contains(&event.kind))
    }

    fn turn(&self) -> Option<&Turn> {
        self.turns?.turns.last()
    }

    /// When its last turn ended, by the transcript.
    fn ended(&self) -> Option<(&Turn, DateTime<Utc>, String)> {
        let turn = self.turn()?;
        let written = self.written.unwrap_or(self.now).min(self.now);
        // What was last written is what stands there since.
        let before = AnswerSeen::of(turn, written);
        let EndVerdict::Ended(mark) = judge_end(turn, true, Some(&before), self.now) else { return None };
        let at = turn.ended_at.unwrap_or(written);
        Some((turn, at.min(self.now), format!("its last turn ended: {}, by {mark}", turn.end.as_str())))
    }

    /// A prompt that was taken after all that the transcript holds.
    fn newer_prompt(&self) -> Option<&HookEvent> {
        let newest = self.last(&[HookKind::UserPromptSubmit, HookKind::Stop, HookKind::StopFailure])?;
        let ended = self.ended().map(|(_, at, _)| at);
        let is_newer = newest.kind == HookKind::UserPromptSubmit && ended.is_none_or(|at| newest.at > at);
        is_newer.then_some(newest)
    }

    /// Since when it asks.
    fn asked_at(&self) -> Option<DateTime<Utc>> {
        let kinds = [HookKind::PermissionRequest, HookKind::Notification, HookKind::UserPromptSubmit, HookKind::Stop];
        let asks = |event: &&HookEvent| matches!(event.kind, HookKind::PermissionRequest | HookKind::Notification);
        self.last(&kinds).filter(asks).map(|event| event.at)
    }

    /// Since when its turn goes on.
    fn turn_began(&self) -> Option<DateTime<Utc>> {
        let prompt = self.newer_prompt().map(|event| event.at);
        prompt.or_else(|| self.turn().filter(|turn| turn.end == TurnEnd::Open)?.started_at)
    }

    fn working(&self, source: ConditionSource, since: Option<DateTime<Utc>>, evidence: &str) -> Vec<ConditionReport> {
        let both = [Condition::Working, Condition::Ready];
        both.map(|condition| ConditionReport::new(condition, source, since, evidence)).into()
    }

    /// What holds while it says that it waits for a prompt.
    fn at_rest(&self, source: ConditionSource, evidence: &str) -> Vec<ConditionReport> {
        if let Some(prompt) = self.newer_prompt().filter(|prompt| self.now - prompt.at < UPTAKE) {
            return self.working(ConditionSource::Hooks, Some(prompt.at), "it has just taken a prompt");
        }
        let is_open = self.turn().is_some_and(|turn| turn.end == TurnEnd::Open);
        if is_open && self.written.is_some_and(|at| self.now - at < LAST_LINES) {
            return self.working(ConditionSource::Transcript, self.turn_began(), "the end of its turn is not written yet");
        }
        let ended = self.ended();
        let evidence = match self.beside {
            Some(beside) => format!("{evidence}; {beside}"),
            None => evidence.to_owned(),
        };
        let mut all = Vec::new();
        // What an earlier process ran into says nothing of this one.
        let failed = ended.as_ref().filter(|(turn, at, _)| turn.end == TurnEnd::Error && *at >= self.started);
        let since = ended.as_ref().map_or(self.started, |(_, at, _)| (*at).max(self.started));
        match failed {
            Some((turn, at, how)) => {
                let error = turn.error.as_ref();
                let kind = error.map_or(TurnErrorKind::Error, |error| error.kind);
                let message = error.map_or_else(|| how.clone(), |error| error.message.clone());
                all.push(ConditionReport::new(condition_of(kind), ConditionSource::Transcript, Some(*at), one_line(&message)));
            }
            None => all.push(ConditionReport::new(Condition::Idle, source, Some(since), evidence.clone())),
        }
        if let Some((_, at, how)) = &ended {
            all.push(ConditionReport::new(Condition::TurnEnded, ConditionSource::Transcript, Some(*at), how.clone()));
        }
        all.push(ConditionReport::new(Condition::Ready, source, Some(self.started), evidence));
        all
    }

    /// What holds where its files do not tell what it is doing.
    fn untold(&self) -> Vec<ConditionReport> {
        use HookKind::{PermissionRequest, SessionEnd, SessionStart, Stop, StopFailure, UserPromptSubmit};
        // Without the agent's own mark an end is believed only beside an idle agent.
        let ended_here = self.ended().filter(|(turn, at, _)| turn.mark.is_some() && *at >= self.started);
        let unknown = |why: &str| vec![ConditionReport::unknown(ConditionSource::Hooks, why)];
        let telling = self.last(&[SessionStart, UserPromptSubmit, PermissionRequest, Stop, StopFailure, SessionEnd]);
        match telling.map(|event| (event.kind, event)) {
            // A permission that was given is not told of; what follows it is written.
            Some((PermissionRequest, event)) if self.written.is_none_or(|at| at <= event.at + ASKING) => {
                let what = event.detail.as_deref().map(|tool| format!(" for {tool}")).unwrap_or_default();
                let evidence = format!("it asks for a permission{what}");
                vec![ConditionReport::new(Condition::NeedsInput, ConditionSource::Hooks, Some(event.at), evidence)]
            }
            Some((UserPromptSubmit, event)) if ended_here.as_ref().is_none_or(|(_, at, _)| *at < event.at) => {
                self.working(ConditionSource::Hooks, Some(event.at), "it took a prompt, and has not yielded since")
            }
            Some((Stop, event)) if event.background.is_some_and(|count| count > 0) => {
                self.working(ConditionSource::Hooks, None, "its turn yielded, and work goes on in the background")
            }
            Some((StopFailure, event)) if ended_here.as_ref().is_none_or(|(_, at, _)| *at + LAST_LINES < event.at) => {
                let word = event.detail.as_deref().unwrap_or("an error of the model's service");
                let kind = match word {
                    "rate_limit" => TurnErrorKind::RateLimited,
                    "authentication_failed" | "oauth_org_not_allowed" => TurnErrorKind::AuthFailed,
                    _ => TurnErrorKind::Error,
                };
                let all = [condition_of(kind), Condition::TurnEnded, Condition::Ready];
                all.map(|it| ConditionReport::new(it, ConditionSource::Hooks, Some(event.at), one_line(word))).into()
            }
            _ if ended_here.is_some() => self.at_rest(ConditionSource::Transcript, "no prompt came after its last turn"),
            Some((Stop, _)) => unknown("a hook says that its turn yielded, and nothing says that it is over"),
            _ if self.is_unspoken => {
                self.at_rest(ConditionSource::Process, "it holds a conversation in which nothing was said yet")
            }
            _ if self.is_ready_on_screen => self.at_rest(ConditionSource::Screen, "its screen shows that it takes prompts"),
            _ => unknown("neither its files nor its hooks tell what it is doing"),
        }
    }
}

/// The condition that a failed turn leaves.
const fn condition_of(kind: TurnErrorKind) -> Condition {
    match kind {
        TurnErrorKind::RateLimited => Condition::RateLimited,
        TurnErrorKind::AuthFailed => Condition::AuthFailed,
        TurnErrorKind::Error => Condition::Error,
    }
}

/// The most characters of an agent's words that evidence holds.
const MOST: usize = 200;

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MOST).collect()
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;

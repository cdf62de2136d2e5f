//! Turns and steps as documents for programs. Pure.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Turn, TurnEnd, TurnErrorKind, TurnStepKind};
use crate::core::ids::{AgentKind, ConversationId, SessionKey};

/// The value of a turn document's `schema` field. Within `v1` fields are only ever added.
pub const TURN_SCHEMA: &str = "headcount/turn/v1";
/// The same of a line of a log.
pub const LOG_SCHEMA: &str = "headcount/log/v1";

/// What `read --json` prints: one document for each turn, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TurnReport {
    /// Always `headcount/turn/v1`.
    pub schema: String,
    /// The session, if it is one.
    pub session: Option<SessionKey>,
    /// The agent.
    pub agent: AgentKind,
    /// The conversation.
    pub conversation: ConversationId,
    /// The turn. Without --full, what the agent thought is left out.
    #[serde(flatten)]
    pub turn: Turn,
}

/// What `logs --json` prints, each line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogLine {
    /// Always `headcount/log/v1`.
    pub schema: String,
    /// The agent.
    pub agent: AgentKind,
    /// The conversation.
    pub conversation: ConversationId,
    /// What happened.
    #[serde(flatten)]
    pub entry: LogEntry,
}

/// Something that happened in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
pub struct LogEntry {
    /// When, if that is written down.
    pub at: Option<DateTime<Utc>>,
    /// What it is.
    pub kind: LogKind,
    /// The tool, where it is the call of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// Whether it is the result of a tool that failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// What was said: a prompt, text, the arguments of a tool, what a tool gave, how a turn ended.
    pub text: String,
}

/// What an entry of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogKind {
    /// Somebody asked something.
    Prompt,
    /// What the agent wrote.
    Text,
    /// What the agent thought.
    Thinking,
    /// A tool that was called.
    Tool,
    /// What a tool gave.
    Result,
    /// A turn ended: `done`, `interrupted`, or why it failed.
    End,
}

impl From<TurnStepKind> for LogKind {
    fn from(kind: TurnStepKind) -> Self {
        match kind {
            TurnStepKind::Prompt => Self::Prompt,
            TurnStepKind::Text => Self::Text,
            TurnStepKind::Thinking => Self::Thinking,
            TurnStepKind::Tool => Self::Tool,
            TurnStepKind::Result => Self::Result,
        }
    }
}

/// What happened in turns, in order.
pub fn log_of(turns: &[Turn]) -> Vec<LogEntry> {
    turns.iter().flat_map(of_turn).collect()
}

fn of_turn(turn: &Turn) -> Vec<LogEntry> {
    let entry = |at, kind, text: &str| LogEntry { at, kind, tool: None, failed: false, text: text.to_owned() };
    let mut entries: Vec<LogEntry> = turn.prompt.iter().map(|text| entry(turn.started_at, LogKind::Prompt, text)).collect();
    entries.extend(turn.steps.iter().map(|step| LogEntry {
        at: step.at,
        kind: step.kind.into(),
        tool: step.tool.clone(),
        failed: step.failed,
        text: step.text.clone(),
    }));
    let ending = match (turn.end, &turn.error) {
        // Without the agent's own mark it may only seem so.
        (TurnEnd::Open, _) => None,
        (TurnEnd::Done, _) if turn.mark.is_none() => None,
        (_, Some(error)) if error.kind == TurnErrorKind::Error => Some(format!("error: {}", error.message)),
        (_, Some(error)) => Some(format!("{}: {}", error.kind.as_str(), error.message)),
        (end, None) => Some(end.as_str().to_owned()),
    };
    entries.extend(ending.map(|text| entry(turn.ended_at, LogKind::End, &text)));
    entries
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::TurnDraft;
    use super::*;

    #[test]
    fn a_log_has_the_prompt_the_steps_and_an_end_that_is_proven() {
        let mut draft = TurnDraft::begun(None);
        draft.ask("x".into(), None, 0);
        draft.call("1", "Bash".into(), "ls".into(), None);
        draft.give("1", "no".into(), true, None);
        draft.write("y".into(), None);
        draft.end(TurnEnd::Done, None, None);
        let kinds = |draft: &TurnDraft| log_of(&[draft.clone().finish()]).iter().map(|entry| entry.kind).collect::<Vec<_>>();
        use LogKind::{End, Prompt, Result, Text, Tool};
        assert_eq!(kinds(&draft), [Prompt, Tool, Result, Text]);
        draft.end(TurnEnd::Done, Some("mark"), None);
        assert_eq!(kinds(&draft), [Prompt, Tool, Result, Text, End]);
        draft.fail(TurnErrorKind::RateLimited, "wait".into(), Some("mark"), None);
        assert_eq!(log_of(&[draft.finish()]).last().unwrap().text, "rate-limited: wait");
    }
}

//! One event as a line of a file, and back. Owns the format and its bounds; opens nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::core::hooks::{HookEvent, HookKind, ProcessMark, PromptMark};
use crate::core::ids::{AgentKind, ConversationId};

/// The most a line holds, its end included. One that would be longer loses its paths, then its ancestors.
pub const LONGEST_LINE: usize = 4096;
/// The most that is kept of an id or a word; one that is longer is left out.
const LONGEST_WORD: usize = 256;
/// How many processes above the agent a line names.
const ANCESTORS: usize = 12;

/// The fields in the order they are written. A line without those that were added later is as good.
#[derive(Serialize, Deserialize)]
struct Line {
    at: DateTime<Utc>,
    agent: String,
    pid: u32,
    start_ticks: u64,
    event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transcript_path: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptMark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    background: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    above: Vec<(u32, u64)>,
}

/// The line of an event, with its end.
pub(super) fn line_of(event: &HookEvent) -> Option<Vec<u8>> {
    let word = |text: &String| (!text.is_empty() && text.len() <= LONGEST_WORD).then(|| text.clone());
    let mut line = Line {
        at: event.at,
        agent: event.agent.as_str().to_owned(),
        pid: event.process.pid,
        start_ticks: event.process.start_ticks,
        event: event.kind.as_str().to_owned(),
        session_id: event.session_id.as_ref().and_then(|id| word(&id.0)),
        transcript_path: event.transcript.clone().filter(|path| path.to_str().is_some()),
        cwd: event.cwd.clone().filter(|path| path.to_str().is_some()),
        prompt: event.prompt.clone(),
        detail: event.detail.as_ref().and_then(word),
        turn: event.turn.as_ref().and_then(word),
        background: event.background,
        above: event.ancestors.iter().take(ANCESTORS).map(|mark| (mark.pid, mark.start_ticks)).collect(),
    };
    let written = |line: &Line| {
        let mut text = serde_json::to_vec(line).ok()?;
        text.push(b'\n');
        (text.len() <= LONGEST_LINE).then_some(text)
    };
    written(&line).or_else(|| {
        (line.transcript_path, line.cwd) = (None, None);
        written(&line)
    })
}

/// What a line says; `None` of one that is torn, too long, of an agent that is none, or of an event that a later headcount wrote.
pub(super) fn event_of(line: &[u8]) -> Option<HookEvent> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    let mark = |(pid, start_ticks)| ProcessMark { pid, start_ticks };
    Some(HookEvent {
        at: line.at,
        agent: line.agent.parse::<AgentKind>().ok()?,
        kind: line.event.parse::<HookKind>().ok()?,
        process: mark((line.pid, line.start_ticks)),
        ancestors: line.above.into_iter().map(mark).collect(),
        session_id: line.session_id.filter(|id| !id.is_empty()).map(ConversationId),
        transcript: line.transcript_path,
        cwd: line.cwd,
        prompt: line.prompt,
        detail: line.detail,
        turn: line.turn,
        background: line.background,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn event() -> HookEvent {
        HookEvent {
            at: "2026-01-01T00:00:00.123456789Z".parse().unwrap(),
            agent: AgentKind::Claude,
            kind: HookKind::UserPromptSubmit,
            process: ProcessMark { pid: 7, start_ticks: 100 },
            ancestors: vec![ProcessMark { pid: 3, start_ticks: 50 }, ProcessMark { pid: 1, start_ticks: 1 }],
            session_id: Some(ConversationId("a".into())),
            transcript: Some("/h/.claude/projects/-w/a.jsonl".into()),
            cwd: Some("/w".into()),
            prompt: Some(PromptMark::of("hello")),
            detail: Some("startup".into()),
            turn: Some("t".into()),
            background: Some(2),
        }
    }

    #[test]
    fn a_line_says_everything_again_and_nothing_of_the_prompt() {
        let line = line_of(&event()).unwrap();
        assert_eq!(event_of(&line).unwrap(), event());
        let text = String::from_utf8(line).unwrap();
        assert!(text.ends_with('\n') && text.matches('\n').count() == 1 && !text.contains("hello"), "{text}");
    }

    #[test]
    fn a_line_is_bounded_whatever_the_agent_said() {
        let long = "x\n\u{1}".repeat(9000);
        let event = HookEvent {
            session_id: Some(ConversationId(long.clone())),
            transcript: Some(long.clone().into()),
            cwd: Some(long.clone().into()),
            detail: Some(long.clone()),
            turn: Some(long),
            ancestors: vec![ProcessMark { pid: u32::MAX, start_ticks: u64::MAX }; 5000],
            ..event()
        };
        let line = line_of(&event).unwrap();
        assert!(line.len() <= LONGEST_LINE, "{}", line.len());
        let read = event_of(&line).unwrap();
        assert_eq!((read.kind, read.session_id, read.prompt), (HookKind::UserPromptSubmit, None, event.prompt));
    }

    #[test]
    fn a_line_of_before_is_read_and_a_strange_one_is_not() {
        let old = br#"{"at":"2026-01-01T00:00:00Z","agent":"claude","pid":1,"start_ticks":2,"event":"SessionStart","session_id":"a"}"#;
        assert_eq!(event_of(old).unwrap().process, ProcessMark { pid: 1, start_ticks: 2 });
        for strange in [
            String::from_utf8_lossy(old).replace("claude", "nobody"),
            String::from_utf8_lossy(old).replace("SessionStart", "Teleported"),
            String::from_utf8_lossy(&old[..40]).into_owned(),
            "[]".to_owned(),
            String::new(),
        ] {
            assert_eq!(event_of(strange.as_bytes()), None, "{strange}");
        }
    }
}

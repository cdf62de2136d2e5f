//! `headcount hook emit STATE AGENT EVENT`: what a hook of an agent runs. Writes down who said what, and nothing that was said. Owns the
//! form of that command; never prints, and never ends with another code than 0 or later than a moment, because the agent waits for it.
//!
//! It is not parsed by clap and has no help: nobody types it.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Deserialize;

use super::signals;
use crate::core::hooks::{HookEvent, HookKind, ProcessMark, PromptMark};
use crate::core::ids::{AgentKind, ConversationId};
use crate::host::ancestry::{self, Ancestor};
use crate::store::hooks;
use crate::store::paths::StateHome;

/// How long it is read what the agent says, if it does not end.
const PATIENCE: Duration = Duration::from_secs(1);
/// Whatever stands still, a file system for instance, after so many seconds this ends.
const LATEST: u32 = 2;
/// How much of what the agent says is kept while it is read.
const MOST: usize = 512 * 1024;
/// How much is read in all, so that the agent's own writing does not fail.
const READ: usize = 16 * 1024 * 1024;
/// What may stand between an agent and its hook.
const SHELLS: [&str; 11] = ["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "busybox", "env", "timeout"];

/// Whether this is what the command line says.
pub(crate) fn is_asked(arguments: &[OsString]) -> bool {
    matches!(arguments, [_, hook, emit, ..] if hook == "hook" && emit == "emit")
}

/// Writes the event down, if there is one.
pub(crate) fn run(arguments: &[OsString]) {
    signals::end_well_after(LATEST);
    let [_, _, _, state, agent, event, told @ ..] = arguments else { return };
    let (state, agent, event) = (Path::new(state), agent.to_str(), event.to_str());
    let kind = event.and_then(|event| event.parse::<HookKind>().ok());
    let agent = agent.and_then(|agent| agent.parse::<AgentKind>().ok());
    let said = read(PATIENCE);
    if let ([told], Some(event)) = (told, event) {
        super::compat::tell(Path::new(told), event, &said);
    }
    let (Some(agent), Some(kind), true) = (agent, kind, state.is_absolute()) else { return };
    if let Some(event) = event_of(agent, kind, &said, &ancestry::of_this_process()) {
        // Whoever writes it counts what could not be written.
        let _ = hooks::append(&StateHome::at(state), &event);
    }
}

/// What the agent says, up to its end, to where it is a whole object, or to where patience ends.
pub(super) fn read(patience: Duration) -> Vec<u8> {
    let (until, mut said, mut seen) = (Instant::now() + patience, Vec::new(), 0);
    let mut piece = [0; 16 * 1024];
    // Past the library's own buffer: what that holds no poll tells of.
    let stdin = io::stdin();
    while seen < READ {
        let left = until.saturating_duration_since(Instant::now());
        let wait = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(1), tv_nsec: left.subsec_nanos().into() };
        let is_there = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&wait));
        if left.is_zero() || !is_there.is_ok_and(|count| count > 0) {
            break;
        }
        let Ok(got) = rustix::io::read(&stdin, &mut piece) else { break };
        if got == 0 {
            break;
        }
        seen += got;
        said.extend_from_slice(piece.get(..got.min(MOST.saturating_sub(said.len()))).unwrap_or_default());
        let is_whole = said.trim_ascii_end().ends_with(b"}") && serde_json::from_slice::<serde::de::IgnoredAny>(&said).is_ok();
        if is_whole {
            break;
        }
    }
    said
}

/// What is read of what an agent says. Each has its own spelling, and much more that is left out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Payload {
    #[serde(alias = "sessionId", deserialize_with = "lenient")]
    session_id: Option<String>,
    #[serde(alias = "transcriptPath", deserialize_with = "lenient")]
    transcript_path: Option<String>,
    #[serde(deserialize_with = "lenient")]
    cwd: Option<String>,
    #[serde(deserialize_with = "lenient")]
    prompt: Option<String>,
    #[serde(alias = "promptId", deserialize_with = "lenient")]
    prompt_id: Option<String>,
    #[serde(alias = "turnId", deserialize_with = "lenient")]
    turn_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    source: Option<String>,
    #[serde(deserialize_with = "lenient")]
    reason: Option<String>,
    #[serde(alias = "notificationType", deserialize_with = "lenient")]
    notification_type: Option<String>,
    #[serde(alias = "toolName", deserialize_with = "lenient")]
    tool_name: Option<String>,
    #[serde(alias = "stopReason", deserialize_with = "lenient")]
    stop_reason: Option<String>,
    #[serde(deserialize_with = "lenient")]
    error: Option<String>,
    #[serde(alias = "backgroundTasks", deserialize_with = "counted")]
    background_tasks: Option<u32>,
}

/// A text, or nothing where an agent puts something else in its place.
fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Maybe {
        Text(String),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Maybe::deserialize(deserializer)? {
        Maybe::Text(text) => Some(text),
        Maybe::Other(_) => None,
    })
}

/// How many there are in a list.
fn counted<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Maybe {
        List(Vec<serde::de::IgnoredAny>),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Maybe::deserialize(deserializer)? {
        Maybe::List(list) => u32::try_from(list.len()).ok(),
        Maybe::Other(_) => None,
    })
}

/// The event of the nearest process that is no shell. `None` if nobody can tell which that is.
fn event_of(agent: AgentKind, kind: HookKind, said: &[u8], above: &[Ancestor]) -> Option<HookEvent> {
    let mark = |ancestor: &Ancestor| ProcessMark { pid: ancestor.pid, start_ticks: ancestor.start_ticks };
    let mut above = above.iter().skip_while(|ancestor| SHELLS.contains(&ancestor.name.as_str())).map(mark);
    let process = above.next()?;
    let payload: Payload = serde_json::from_slice(said).unwrap_or_default();
    let detail = match kind {
        HookKind::SessionStart => payload.source,
        HookKind::SessionEnd => payload.reason,
        HookKind::Notification => payload.notification_type,
        HookKind::PermissionRequest => payload.tool_name,
        HookKind::Stop => payload.stop_reason,
        HookKind::StopFailure => payload.error,
        HookKind::UserPromptSubmit => None,
    };
    Some(HookEvent {
        at: Utc::now(),
        agent,
        kind,
        process,
        ancestors: above.collect(),
        session_id: payload.session_id.map(ConversationId),
        transcript: payload.transcript_path.map(Into::into),
        cwd: payload.cwd.map(Into::into),
        prompt: payload.prompt.filter(|_| kind == HookKind::UserPromptSubmit).map(|text| PromptMark::of(&text)),
        detail,
        turn: payload.turn_id.or(payload.prompt_id),
        background: payload.background_tasks,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn above(names: &[(&str, u32)]) -> Vec<Ancestor> {
        names
            .iter()
            .map(|(name, pid)| Ancestor { pid: *pid, start_ticks: 10 * u64::from(*pid), name: (*name).into() })
            .collect()
    }

    #[test]
    fn an_event_is_of_the_nearest_process_that_is_no_shell() {
        let pid =
            |names: &[(&str, u32)]| event_of(AgentKind::Claude, HookKind::Stop, b"{}", &above(names)).map(|it| it.process.pid);
        assert_eq!(pid(&[("sh", 9), ("claude", 8), ("bash", 7), ("tmux", 6)]), Some(8));
        assert_eq!(pid(&[("claude", 8)]), Some(8));
        // Another run of the agent by one of its tools.
        assert_eq!(pid(&[("sh", 9), ("claude", 8), ("bash", 7), ("claude", 6)]), Some(8));
        // A program that an agent's tool runs and that pretends.
        assert_eq!(pid(&[("python3", 9), ("bash", 8), ("claude", 7)]), Some(9));
        assert_eq!(pid(&[("sh", 9)]), None);
        assert_eq!(pid(&[]), None);
    }

    #[test]
    fn what_each_agent_calls_it_is_read_and_what_is_said_is_not_kept() {
        let said = br#"{"sessionId":"s","transcriptPath":"/t","cwd":"/w","prompt":"hello there","timestamp":1,"tool_input":{"a":"secret"}}"#;
        let event =
            event_of(AgentKind::Copilot, HookKind::UserPromptSubmit, said, &above(&[("copilot", 8), ("node", 7)])).unwrap();
        assert_eq!((event.session_id.unwrap().0.as_str(), event.turn), ("s", None));
        assert!(event.prompt.unwrap().is_of("hello there"));
        assert_eq!(event.ancestors, [ProcessMark { pid: 7, start_ticks: 70 }]);
        let said = br#"{"session_id":7,"turn_id":"t","background_tasks":[{"id":1},{"id":2}],"stop_reason":null,"prompt":"x"}"#;
        let event = event_of(AgentKind::Codex, HookKind::Stop, said, &above(&[("codex", 8)])).unwrap();
        assert_eq!((event.session_id, event.prompt, event.detail), (None, None, None));
        assert_eq!((event.turn.as_deref(), event.background), (Some("t"), Some(2)));
    }

    #[test]
    fn an_event_that_says_nothing_more_still_happened() {
        for said in ["", "[]", "{\"session_id\":\"a", "\u{0}"] {
            let event = event_of(AgentKind::Claude, HookKind::Stop, said.as_bytes(), &above(&[("claude", 8)])).unwrap();
            assert_eq!((event.kind, event.session_id), (HookKind::Stop, None), "{said}");
        }
    }
}

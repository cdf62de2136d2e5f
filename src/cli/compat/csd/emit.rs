//! `emit-event`: the hook of csd. Reads what an agent says at one of its events, and appends a line to the events of that worker. Ends
//! with 0 whatever happens, because the agent waits for it.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::files::{WorkerEvent, WorkerMeta, Workers, stamp};
use crate::cli::{hook, signals};

/// How long it is read what the agent says, if it does not end, and after how many seconds this ends whatever stands still.
const PATIENCE: Duration = Duration::from_secs(5);
const LATEST: u32 = 7;

/// What is read of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HookPayload {
    hook_event_name: String,
    session_id: String,
    cwd: Option<String>,
    transcript_path: Option<String>,
    tool_name: Option<String>,
    tool_input: Option<Value>,
}

/// Whose event it may be where no meta says so: a worker that registers itself by its first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newcomer {
    tmux_name: String,
}

impl Newcomer {
    /// As the environment of a worker of Codex or Pi says.
    fn of_environment(workers: &Workers) -> Option<Self> {
        let named = std::env::var("CSD_TMUX_NAME").ok();
        let home = || {
            let home = std::env::var_os("CODEX_HOME")?;
            let name = Path::new(&home).strip_prefix(workers.homes()).ok()?;
            name.to_str().map(str::to_owned)
        };
        Some(Self { tmux_name: named.or_else(home)? })
    }
}

/// Runs it.
pub(super) fn run() {
    signals::end_well_after(LATEST);
    let said = hook::read(PATIENCE);
    let Ok(workers) = Workers::of_environment() else { return };
    if emit(&workers, &said, Newcomer::of_environment(&workers).as_ref()) == Some(WorkerEvent::Stop) {
        // Versions of Claude Code before 2 read an answer.
        let _ = std::io::stdout().write_all(b"{\"decision\":\"approve\"}\n");
    }
}

/// The same from a hook of headcount, which names the directory and the event.
pub(in crate::cli::compat) fn tell(directory: &Path, event: &str, said: &[u8]) {
    let workers = Workers::at(directory.to_owned());
    let Ok(mut payload) = serde_json::from_slice::<HookPayload>(said) else { return };
    event.clone_into(&mut payload.hook_event_name);
    if workers.check().is_ok() {
        emit_of(&workers, &payload, Newcomer::of_environment(&workers).as_ref());
    }
}

/// Writes the event down, if there is one and it is of a worker; gives which it was.
pub(super) fn emit(workers: &Workers, said: &[u8], newcomer: Option<&Newcomer>) -> Option<WorkerEvent> {
    emit_of(workers, &serde_json::from_slice(said).ok()?, newcomer)
}

fn emit_of(workers: &Workers, payload: &HookPayload, newcomer: Option<&Newcomer>) -> Option<WorkerEvent> {
    let kind = WorkerEvent::of_hook(&payload.hook_event_name)?;
    let id = payload.session_id.as_str();
    if workers.meta(id).is_none() {
        register(workers, payload, newcomer?)?;
    }
    workers.append(id, &line(kind, payload)).ok()?;
    Some(kind)
}

/// A worker whose id nobody could know before: only one that was launched and has none yet.
fn register(workers: &Workers, payload: &HookPayload, newcomer: &Newcomer) -> Option<()> {
    let name = newcomer.tmux_name.as_str();
    let harness = workers.harness(name)?;
    if workers.metas().iter().any(|meta| meta.tmux_name == name) {
        return None;
    }
    let meta = WorkerMeta {
        tmux_name: name.to_owned(),
        session_id: payload.session_id.clone(),
        cwd: payload.cwd.clone().unwrap_or_default(),
        harness: Some(harness),
        transcript_path: payload.transcript_path.clone(),
        started_at: None,
        invocation: None,
    };
    workers.write_meta(&meta).ok()
}

/// The line of an event, in the keys of csd.
fn line(kind: WorkerEvent, payload: &HookPayload) -> String {
    let mut event = Map::new();
    event.insert("event".to_owned(), kind.as_str().into());
    event.insert("ts".to_owned(), stamp(Utc::now()).into());
    match kind {
        WorkerEvent::SessionStart => drop(event.insert("cwd".to_owned(), json!(payload.cwd))),
        WorkerEvent::PreToolUse => {
            event.insert("tool".to_owned(), json!(payload.tool_name));
            event.insert("tool_input".to_owned(), json!(payload.tool_input));
        }
        WorkerEvent::PostToolUse => drop(event.insert("tool".to_owned(), json!(payload.tool_name))),
        WorkerEvent::UserPromptSubmit | WorkerEvent::Stop | WorkerEvent::SessionEnd => {}
    }
    Value::Object(event).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, Workers) {
        let place = tempfile::tempdir().unwrap();
        let workers = Workers::at(place.path().join("workers"));
        workers.prepare().unwrap();
        (place, workers)
    }

    fn known(workers: &Workers, id: &str) {
        let meta = WorkerMeta { tmux_name: "w".to_owned(), session_id: id.to_owned(), ..WorkerMeta::default() };
        workers.write_meta(&meta).unwrap();
    }

    fn said(event: &str, id: &str) -> Vec<u8> {
        json!({ "hook_event_name": event, "session_id": id, "cwd": "/w", "transcript_path": "/t", "tool_name": "Bash",
            "tool_input": { "command": "ls" } })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn each_event_has_just_the_keys_of_csd() {
        let (_place, workers) = place();
        known(&workers, "s1");
        for (event, kind, keys) in [
            ("SessionStart", Some(WorkerEvent::SessionStart), "cwd,event,ts"),
            ("UserPromptSubmit", Some(WorkerEvent::UserPromptSubmit), "event,ts"),
            ("PreToolUse", Some(WorkerEvent::PreToolUse), "event,tool,tool_input,ts"),
            ("PostToolUse", Some(WorkerEvent::PostToolUse), "event,tool,ts"),
            ("Stop", Some(WorkerEvent::Stop), "event,ts"),
            ("SessionEnd", Some(WorkerEvent::SessionEnd), "event,ts"),
            ("Notification", None, ""),
        ] {
            assert_eq!(emit(&workers, &said(event, "s1"), None), kind);
            if kind.is_some() {
                let text = std::fs::read_to_string(workers.events_file("s1")).unwrap();
                let line: Map<String, Value> = serde_json::from_str(text.lines().last().unwrap()).unwrap();
                let mut found: Vec<&str> = line.keys().map(String::as_str).collect();
                found.sort_unstable();
                assert_eq!(found.join(","), keys);
            }
        }
        assert_eq!(std::fs::read_to_string(workers.events_file("s1")).unwrap().lines().count(), 6);
    }

    #[test]
    fn what_is_of_no_worker_and_what_is_no_payload_leaves_nothing() {
        let (place, workers) = place();
        for payload in [said("Stop", "s1"), said("Stop", "../s1"), said("Stop", ""), b"{".to_vec(), Vec::new(), b"[1]".to_vec()]
        {
            assert_eq!(emit(&workers, &payload, None), None);
        }
        assert_eq!(std::fs::read_dir(place.path().join("workers")).unwrap().count(), 0);
    }

    #[test]
    fn a_launched_worker_registers_itself_once() {
        let (_place, workers) = place();
        let newcomer = Newcomer { tmux_name: "w".to_owned() };
        assert_eq!(emit(&workers, &said("SessionStart", "s1"), Some(&newcomer)), None, "nobody launched it");
        workers.write_harness("w", "codex").unwrap();
        assert_eq!(emit(&workers, &said("SessionStart", "s1"), Some(&newcomer)), Some(WorkerEvent::SessionStart));
        let meta = workers.meta("s1").unwrap();
        assert_eq!((meta.tmux_name.as_str(), meta.harness.as_deref()), ("w", Some("codex")));
        assert_eq!(meta.transcript_path.as_deref(), Some("/t"));
        assert_eq!(emit(&workers, &said("Stop", "s2"), Some(&newcomer)), None, "one that the worker itself has begun");
    }
}

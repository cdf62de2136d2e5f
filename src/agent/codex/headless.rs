//! How Codex does a job without a terminal: `codex exec --json`.

use serde_json::Value;

use crate::agent::headless::{HeadlessTable, ResumeForm, text};
use crate::core::job::run::{StreamEnd, StreamNews};

pub(super) static HEADLESS: HeadlessTable = HeadlessTable {
    version: "0.169.0",
    // A directory need not be a repository: whoever submits the job names it, and how far the agent may go there.
    first: &["--disable", "daemon_auto_start", "exec", "--json", "--skip-git-repo-check"],
    permissions: [Some(&["--sandbox", "workspace-write"]), Some(&["--dangerously-bypass-approvals-and-sandbox"])],
    id_flag: None,
    resume: ResumeForm::Behind("resume"),
    last: &["-"],
    read,
};

fn read(line: &Value) -> StreamNews {
    let own = |path: &[&str]| text(line, path).map(str::to_owned);
    match text(line, &["type"]) {
        Some("thread.started") => StreamNews { id: own(&["thread_id"]), ..StreamNews::default() },
        Some("item.completed") if text(line, &["item", "type"]) == Some("agent_message") => {
            StreamNews { text: own(&["item", "text"]), ..StreamNews::default() }
        }
        Some("item.started") => {
            let kind = text(line, &["item", "type"]).unwrap_or("item");
            let command = text(line, &["item", "command"]).and_then(|command| command.lines().next()).unwrap_or_default();
            let deed = format!("{kind} {command}").trim_end().chars().take(160).collect();
            StreamNews { deed: Some(deed), ..StreamNews::default() }
        }
        Some("turn.completed") => StreamNews { end: Some(StreamEnd::Done), ..StreamNews::default() },
        Some("turn.failed") => {
            let why = own(&["error", "message"]).unwrap_or_else(|| "its turn failed".to_owned());
            StreamNews { end: Some(StreamEnd::Failed(why)), ..StreamNews::default() }
        }
        _ => StreamNews::default(),
    }
}

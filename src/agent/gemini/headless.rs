//! How Gemini CLI does a job without a terminal: it takes the prompt on its standard input, and writes a line of JSON for each event.

use serde_json::Value;

use crate::agent::headless::{HeadlessTable, ResumeForm, deed, text};
use crate::core::job::run::{StreamEnd, StreamNews};

pub(super) static HEADLESS: HeadlessTable = HeadlessTable {
    version: "0.61.0",
    first: &["--output-format", "stream-json"],
    permissions: [Some(&["--approval-mode", "auto_edit"]), Some(&["--approval-mode", "yolo"])],
    id_flag: Some("--session-id"),
    resume: ResumeForm::Behind("--resume"),
    last: &[],
    read,
};

fn read(line: &Value) -> StreamNews {
    match text(line, &["type"]) {
        Some("init") => StreamNews { id: text(line, &["session_id"]).map(str::to_owned), ..StreamNews::default() },
        Some("message") if text(line, &["role"]) == Some("assistant") => StreamNews {
            text: text(line, &["content"]).map(str::to_owned),
            is_part: line.get("delta").and_then(Value::as_bool).unwrap_or_default(),
            ..StreamNews::default()
        },
        Some("tool_use") => {
            let tool = text(line, &["tool_name"]).unwrap_or("tool");
            StreamNews { deed: Some(deed(tool, line.get("parameters"))), ..StreamNews::default() }
        }
        Some("result") if text(line, &["status"]) == Some("success") => {
            StreamNews { end: Some(StreamEnd::Done), ..StreamNews::default() }
        }
        Some("result") => {
            let why = text(line, &["error", "message"]).unwrap_or("it ended in an error").to_owned();
            StreamNews { end: Some(StreamEnd::Failed(why)), ..StreamNews::default() }
        }
        _ => StreamNews::default(),
    }
}

//! How Copilot CLI does a job without a terminal: it takes the prompt on its standard input, and writes a line of JSON for each event.
//! It names its conversation only at its end.

use serde_json::Value;

use crate::agent::headless::{HeadlessTable, ResumeForm, deed, text};
use crate::core::job::run::{StreamEnd, StreamNews};

pub(super) static HEADLESS: HeadlessTable = HeadlessTable {
    version: "1.0.102",
    first: &["--output-format", "json", "--no-ask-user"],
    permissions: [None, Some(&["--yolo"])],
    id_flag: Some("--session-id"),
    resume: ResumeForm::Joined("--resume="),
    last: &[],
    read,
};

fn read(line: &Value) -> StreamNews {
    match text(line, &["type"]) {
        Some("user.message") => StreamNews { is_begun: true, ..StreamNews::default() },
        Some("assistant.message") => StreamNews {
            text: text(line, &["data", "content"]).filter(|said| !said.is_empty()).map(str::to_owned),
            ..StreamNews::default()
        },
        Some("tool.execution_start") => {
            let tool = text(line, &["data", "toolName"]).unwrap_or("tool");
            StreamNews { deed: Some(deed(tool, line.pointer("/data/arguments"))), ..StreamNews::default() }
        }
        Some("session.error") => {
            let why = text(line, &["data", "message"]).unwrap_or("it ended in an error").to_owned();
            StreamNews { end: Some(StreamEnd::Failed(why)), ..StreamNews::default() }
        }
        // What failed before has said why.
        Some("result") if line.get("exitCode").and_then(Value::as_i64) == Some(0) => StreamNews {
            id: text(line, &["sessionId"]).map(str::to_owned),
            end: Some(StreamEnd::Done),
            ..StreamNews::default()
        },
        Some("result") => StreamNews { id: text(line, &["sessionId"]).map(str::to_owned), ..StreamNews::default() },
        _ => StreamNews::default(),
    }
}

//! How Pi does a job without a terminal: `pi -p --mode json`. It asks nothing in any mode.

use serde_json::Value;

use crate::agent::headless::{HeadlessTable, ResumeForm, deed, text};
use crate::core::job::run::{StreamEnd, StreamNews};

pub(super) static HEADLESS: HeadlessTable = HeadlessTable {
    version: "0.87.1",
    first: &["-p", "--mode", "json"],
    permissions: [None, Some(&[])],
    id_flag: Some("--session-id"),
    // It goes on in the one of this very id, whereas `--session` takes a part of one as well.
    resume: ResumeForm::Behind("--session-id"),
    last: &[],
    read,
};

fn read(line: &Value) -> StreamNews {
    match text(line, &["type"]) {
        Some("session") => StreamNews { id: text(line, &["id"]).map(str::to_owned), ..StreamNews::default() },
        Some("tool_execution_start") => {
            let tool = text(line, &["toolName"]).unwrap_or("tool");
            StreamNews { deed: Some(deed(tool, line.get("args"))), ..StreamNews::default() }
        }
        Some("message_end") if text(line, &["message", "role"]) == Some("assistant") => message(line),
        _ => StreamNews::default(),
    }
}

fn message(line: &Value) -> StreamNews {
    let blocks = line.pointer("/message/content").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<&str> = blocks.filter_map(|block| text(block, &["text"])).collect();
    let end = match text(line, &["message", "stopReason"]) {
        Some("stop") => Some(StreamEnd::Done),
        Some("error" | "aborted" | "length") => {
            let why = text(line, &["message", "errorMessage"]).or(text(line, &["message", "stopReason"]));
            Some(StreamEnd::Failed(why.unwrap_or("its turn failed").to_owned()))
        }
        _ => None,
    };
    StreamNews { text: (!texts.is_empty()).then(|| texts.join("\n")), end, ..StreamNews::default() }
}

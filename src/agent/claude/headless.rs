//! How Claude Code does a job without a terminal: `claude -p` with a line of JSON for each message.

use serde_json::Value;

use crate::agent::headless::{HeadlessTable, ResumeForm, deed, text};
use crate::core::job::run::{StreamEnd, StreamNews};

pub(super) static HEADLESS: HeadlessTable = HeadlessTable {
    version: "2.1.329",
    first: &["-p", "--output-format", "stream-json", "--verbose"],
    permissions: [Some(&["--permission-mode", "acceptEdits"]), Some(&["--dangerously-skip-permissions"])],
    id_flag: Some("--session-id"),
    resume: ResumeForm::Behind("--resume"),
    last: &[],
    read,
};

fn read(line: &Value) -> StreamNews {
    let is_own = line.get("parent_tool_use_id").is_none_or(Value::is_null);
    match (text(line, &["type"]), text(line, &["subtype"])) {
        // A conversation that cannot be opened is named by its last line as well, but not by this one.
        (Some("system"), Some("init")) => {
            StreamNews { id: text(line, &["session_id"]).map(str::to_owned), ..StreamNews::default() }
        }
        (Some("assistant"), _) if is_own => message(line),
        (Some("result"), subtype) => result(line, subtype),
        _ => StreamNews::default(),
    }
}

fn message(line: &Value) -> StreamNews {
    let blocks = || line.pointer("/message/content").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<&str> = blocks().filter_map(|block| text(block, &["text"])).collect();
    let tool = blocks().find(|block| text(block, &["type"]) == Some("tool_use"));
    StreamNews {
        text: (!texts.is_empty()).then(|| texts.join("\n")),
        deed: tool.map(|tool| deed(text(tool, &["name"]).unwrap_or("tool"), tool.get("input"))),
        ..StreamNews::default()
    }
}

fn result(line: &Value, subtype: Option<&str>) -> StreamNews {
    let is_error = line.get("is_error").and_then(Value::as_bool).unwrap_or(true);
    let first_error = || line.pointer("/errors/0").and_then(Value::as_str);
    let end = match subtype {
        Some("success") if !is_error => StreamEnd::Done,
        _ => {
            let why = text(line, &["result"]).filter(|why| !why.is_empty()).or_else(first_error).or(subtype);
            StreamEnd::Failed(why.unwrap_or("it ended in an error").to_owned())
        }
    };
    let denied = line.get("permission_denials").and_then(Value::as_array).map_or(0, Vec::len);
    StreamNews { end: Some(end), denied: u32::try_from(denied).unwrap_or(u32::MAX), ..StreamNews::default() }
}

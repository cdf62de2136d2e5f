//! How OpenCode does a job without a terminal: `opencode run --format json`. What its settings would have it ask is denied, unless
//! everything is approved.

use serde_json::Value;

use crate::agent::headless::{HeadlessTable, ResumeForm, deed, text};
use crate::core::job::run::{StreamEnd, StreamNews};

pub(super) static HEADLESS: HeadlessTable = HeadlessTable {
    version: "1.18.33",
    first: &["run", "--format", "json"],
    permissions: [None, Some(&["--auto"])],
    id_flag: None,
    resume: ResumeForm::Behind("--session"),
    last: &[],
    read,
};

fn read(line: &Value) -> StreamNews {
    let id = text(line, &["sessionID"]).map(str::to_owned);
    let news = StreamNews { id, ..StreamNews::default() };
    match text(line, &["type"]) {
        Some("text") => StreamNews { text: text(line, &["part", "text"]).map(str::to_owned), ..news },
        Some("tool_use") => {
            let tool = text(line, &["part", "tool"]).unwrap_or("tool");
            StreamNews { deed: Some(deed(tool, line.pointer("/part/state/input"))), ..news }
        }
        Some("step_finish") if text(line, &["part", "reason"]) == Some("stop") => {
            StreamNews { end: Some(StreamEnd::Done), ..news }
        }
        Some("error") => {
            let why = text(line, &["error", "data", "message"]).or(text(line, &["error", "name"]));
            StreamNews { end: Some(StreamEnd::Failed(why.unwrap_or("it ended in an error").to_owned())), ..news }
        }
        _ => news,
    }
}

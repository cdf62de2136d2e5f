//! The newest turns of a transcript: how far back is read, until enough of them are found. Each agent's own `turns` makes turns of
//! lines; nothing here knows a format. Never reads a whole transcript where its end is enough.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::files;
use crate::core::fact::Fact;
use crate::core::lead::turns::{PromptLine, ToolInput, TranscriptPosition, Turn, TurnPage};

/// How much of the end is read first; each attempt reads four times as much.
const FIRST: u64 = 256 << 10;
/// More than this is never read. Turns that begin before it are incomplete.
const MOST: u64 = 64 << 20;
/// Longer lines are not read.
const LONGEST_LINE: usize = 1 << 20;
/// How much of a longer line says what it is.
const BEGINNING: usize = 256;

/// What is asked of a transcript.
#[derive(Debug, Clone, Copy)]
pub struct TurnQuery<'a> {
    /// How many of the newest turns are wanted.
    pub last: usize,
    /// Everything since then is wanted.
    pub after: Option<&'a TranscriptPosition>,
    /// What time it is, for the position of this look.
    pub now: DateTime<Utc>,
}

/// What lines come to.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) turns: Vec<Turn>,
    pub(super) aside: Vec<Turn>,
    pub(super) queued: Vec<PromptLine>,
}

/// Lines from the end of a transcript.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    from: u64,
    /// Whether they are all of it.
    pub(super) is_all: bool,
}

/// One of them.
pub(super) enum LineRead<'a> {
    /// A line, and how many bytes stand before it.
    Whole(u64, &'a [u8]),
    /// The beginning of one that is too long.
    TooLong(&'a [u8]),
}

impl<'a> Lines<'a> {
    /// All of them, in order.
    pub(super) fn each(&self) -> impl Iterator<Item = LineRead<'a>> + use<'a> {
        let mut place = self.from;
        self.text.split_inclusive(|byte| *byte == b'\n').filter_map(move |line| {
            let at = place;
            place += line.len() as u64;
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            match line.len() {
                0 => None,
                length if length > LONGEST_LINE => Some(LineRead::TooLong(line.get(..BEGINNING).unwrap_or_default())),
                _ => Some(LineRead::Whole(at, line)),
            }
        })
    }
}

/// The newest turns of a transcript of JSON lines.
pub(super) fn of_lines(path: &Path, query: &TurnQuery<'_>, parse: impl Fn(&Lines<'_>) -> Parsed) -> Fact<TurnPage> {
    let mut most = FIRST;
    loop {
        let window = match files::end_window(path, most) {
            Ok(window) => window,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Fact::Absent,
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Fact::Unknown(format!("{} is a symbolic link", path.display()));
            }
            Err(error) => return Fact::Unknown(files::unreadable(path, &error)),
        };
        let is_all = window.from == 0;
        let end = window.from + window.text.len() as u64;
        let position = TranscriptPosition { file: window.inode, end, at: query.now };
        let parsed = parse(&Lines { text: &window.text, from: window.from, is_all });
        let begun = parsed.turns.iter().filter(|turn| turn.prompt.is_some()).count();
        // A file that was written anew is of interest from its beginning.
        let reaches = query.after.is_none_or(|after| {
            if after.file == position.file && end >= after.end { window.from <= after.end } else { is_all }
        });
        if is_all || most >= MOST || (begun >= query.last.max(1) && reaches) {
            let Parsed { turns, aside, queued } = parsed;
            return Fact::Seen(TurnPage { turns, aside, queued, position, is_all });
        }
        most = (most * 4).min(MOST);
    }
}

/// Text as a transcript has it: a string, or a list of parts. What is no text is named.
pub(super) fn text_of(content: &serde_json::Value) -> String {
    use serde_json::Value;
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let part = |part: &Value| match part.get("text").and_then(Value::as_str) {
                Some(text) => text.to_owned(),
                None => match (part, part.get("type").and_then(Value::as_str)) {
                    (Value::String(text), _) => text.clone(),
                    (_, Some(kind)) => format!("[{kind}]"),
                    (_, None) => String::new(),
                },
            };
            parts.iter().map(part).collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The arguments of a tool in a line: the command it runs, the file it is about, else all of them as JSON.
pub(super) fn arguments(input: &serde_json::Value) -> ToolInput {
    let json = Some(input).filter(|input| !input.is_null()).map(ToString::to_string);
    ToolInput { text: telling(input), json }
}

fn telling(input: &serde_json::Value) -> String {
    use serde_json::Value;
    const TELLING: [&str; 10] =
        ["command", "cmd", "file_path", "filePath", "path", "pattern", "url", "query", "prompt", "description"];
    let Value::Object(map) = input else {
        return input.as_str().map_or_else(|| input.to_string(), str::to_owned);
    };
    let telling = TELLING.iter().find_map(|key| map.get(*key));
    match telling {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(words)) => words.iter().map(|word| word.as_str().unwrap_or_default()).collect::<Vec<_>>().join(" "),
        Some(_) | None if map.is_empty() => String::new(),
        Some(_) | None => input.to_string(),
    }
}

//! `init-runtime` and `append-context`: the context of a crew for managers that keep it by scripts. Same files as those of a crew of
//! headcount; knows nothing of its tasks.

use std::path::Path;

use chrono::Utc;

use super::Failure;
use crate::control::context::ContextFiles;
use crate::core::crew::{ContextEntry, ContextKind, LONGEST_SUMMARY, is_token, sanitise};

/// Makes a runtime directory; gives where its parts are.
pub(super) fn init(name: &str, words: &[String]) -> Result<String, Failure> {
    let [directory] = words else { return Err(usage(name, "<runtime-dir>")) };
    let files = create(directory)?;
    let [jsonl, markdown, log] = files.files();
    let parts = [
        ("runtime_dir", files.directory().to_owned()),
        ("context_jsonl", jsonl),
        ("context_md", markdown),
        ("live_log", log),
        ("artifacts_dir", files.artifacts()),
    ];
    Ok(parts.iter().map(|(key, path)| format!("{key}={}\n", path.display())).collect())
}

/// Adds an entry to the context. One that is there already is left as it is.
pub(super) fn append(name: &str, words: &[String]) -> Result<String, Failure> {
    let (directory, seq, from, to, kind, task, summary, artifact) = match words {
        [directory, seq, from, to, kind, task, summary] => (directory, seq, from, to, kind, task, summary, None),
        [directory, seq, from, to, kind, task, summary, artifact] => {
            (directory, seq, from, to, kind, task, summary, Some(artifact).filter(|path| !path.is_empty()))
        }
        _ => return Err(usage(name, "<runtime-dir> <seq> <from> <to> <type> <task-id> <summary> [artifact-path]")),
    };
    let entry = ContextEntry {
        seq: number("seq", seq)?,
        ts: ContextEntry::stamp(Utc::now()),
        task_id: token("task-id", task)?,
        from: token("from", from)?,
        to: token("to", to)?,
        kind: ContextKind::of(kind).ok_or_else(|| {
            Failure::error(format!("type {kind:?} is no word of the protocol, nor CONTEXT; nothing was written"))
        })?,
        summary: sanitise(summary, std::env::var("HOME").ok().as_deref()),
        artifact_path: artifact.cloned(),
    };
    if let Some(person) = [from, to].into_iter().find(|name| PEOPLE.contains(&name.to_lowercase().as_str())) {
        let why = format!("what is said between {person} and the manager is not for workers; nothing was written");
        return Err(Failure::error(why));
    }
    if artifact.is_some_and(|path| path.chars().any(char::is_control)) {
        return Err(Failure::error("artifact-path holds control characters; nothing was written"));
    }
    let files = create(directory)?;
    let mut entry = entry;
    if summary.chars().count() > LONGEST_SUMMARY && artifact.is_none() {
        if task.contains('/') || task.starts_with('.') {
            return Err(Failure::error("task-id names no file for a summary of this length; nothing was written"));
        }
        let kept = files.keep_text((task, entry.seq), summary).map_err(|error| Failure::caused_by(&error))?;
        entry.artifact_path = Some(kept.to_string_lossy().into_owned());
    }
    match files.add_new(&entry) {
        Ok(true) => Ok(String::new()),
        Ok(false) => {
            super::note(&format!("context entry already exists for task={task} seq={seq}; skipping"));
            Ok(String::new())
        }
        Err(error) => Err(Failure::caused_by(&error)),
    }
}

/// Who is no member of a crew.
const PEOPLE: [&str; 3] = ["user", "human", "operator"];

fn create(directory: &str) -> Result<ContextFiles, Failure> {
    ContextFiles::create(Path::new(directory)).map_err(|error| Failure::caused_by(&error))
}

pub(super) fn usage(name: &str, arguments: &str) -> Failure {
    Failure::told(format!("Usage: {name} {arguments}"))
}

/// A number as it stands in the context and in envelopes.
pub(super) fn number(what: &str, word: &str) -> Result<u64, Failure> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse()
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(|| Failure::error(format!("{what} is a number, not {word:?}; nothing was done")))
}

/// A name as it stands in the context and in the head of envelopes.
pub(super) fn token(what: &str, word: &str) -> Result<String, Failure> {
    match is_token(word) {
        true => Ok(word.to_owned()),
        false => Err(Failure::error(format!(
            "{what} {word:?} can be no name: it is empty or too long, or holds white space, quotes or brackets; nothing was done"
        ))),
    }
}

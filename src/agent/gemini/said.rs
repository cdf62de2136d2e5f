//! In which chats of a workspace something was said since a process started, and when a chat was first prompted. Reads the edges of
//! chats that changed since then; what changes a chat and is no message (a summary that the next start writes) counts nothing.
//!
//! A chat that lost its first line does not say which conversation it is: it is the one among the arguments, by its name, or left out.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::chat::{self, ChatMessage};
use super::{files, tail, workspace};
use crate::agent::LiveProcess;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::LastMessage;

/// What was said in the workspace of a process since it started. `given`: the id among its arguments.
pub(super) fn of(subject: &LiveProcess<'_>, given: Option<&ConversationId>) -> Fact<Vec<LastMessage>> {
    let cwd = match subject.cwd {
        Fact::Seen(cwd) => cwd,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let mut found = Vec::new();
    let dirs = match workspace::chats(subject.home, cwd) {
        Ok(dirs) => dirs,
        Err(why) => return Fact::Unknown(why),
    };
    for dir in dirs {
        if let Err(why) = collect(&dir, subject.started(), given, &mut found) {
            return Fact::Unknown(why);
        }
    }
    Fact::Seen(found)
}

fn collect(
    dir: &Path,
    since: DateTime<Utc>,
    given: Option<&ConversationId>,
    found: &mut Vec<LastMessage>,
) -> Result<(), String> {
    for (path, short) in chat::listed(dir)? {
        let changed = match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => files::times(&metadata).1,
            _ => continue,
        };
        if changed < since {
            continue;
        }
        let Ok(chat::FirstLine { id, started, kind }) = chat::first_line(&path) else { continue };
        if kind.is_some_and(|kind| kind != "main") {
            continue;
        }
        let nameless = || given.filter(|given| given.as_str().starts_with(&short)).cloned();
        let Some(id) = id.map(ConversationId).or_else(nameless) else { continue };
        let last = tail::records::<ChatMessage>(&path)?.last().map(|message| message.timestamp);
        // A new chat has no message yet; it was begun all the same.
        if let Some(at) = last.into_iter().chain(started).max().filter(|at| *at >= since) {
            found.push(LastMessage { id, at });
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;

    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    const ONE: &str = "a359c7eb-b54b-4cc5-9884-56d669b67228";
    const TWO: &str = "824f98bb-51f9-4950-8bd7-178387c31f67";

    #[test]
    fn a_message_counts_and_a_summary_of_what_was_said_before_does_not() {
        let (dir, now) = (tempfile::tempdir().unwrap(), Utc::now());
        let at = |seconds: i64| now + TimeDelta::seconds(seconds);
        let first = |id: &str, begun: i64| json!({ "sessionId": id, "startTime": at(begun), "kind": "main" }).to_string();
        let message = |said: i64| json!({ "id": "m", "timestamp": at(said), "type": "user", "content": [] }).to_string();
        let write = |id: &str, lines: &[String]| {
            let path = dir.path().join(format!("session-2026-11-21T11-05-{}.jsonl", &id[..8]));
            fs::write(path, lines.join("\n") + "\n").unwrap();
        };
        let said = || {
            let mut found = Vec::new();
            collect(dir.path(), now, Some(&ConversationId(TWO.to_owned())), &mut found).unwrap();
            found.into_iter().map(|it| (it.id.0, (it.at - now).num_seconds())).collect::<Vec<_>>()
        };
        let summary = json!({ "$set": { "summary": "Fake title" } }).to_string();
        write(ONE, &[first(ONE, -60), message(-50), summary]);
        assert_eq!(said(), []);
        write(ONE, &[first(ONE, -60), message(-50), message(4)]);
        assert_eq!(said(), [(ONE.to_owned(), 4)]);
        write(ONE, &[message(4)]);
        assert_eq!(said(), [], "it does not say which it is");
        write(TWO, &[message(4)]);
        assert_eq!(said(), [(TWO.to_owned(), 4)], "its name and the arguments say it");
        write(TWO, &[first(TWO, 5)]);
        assert_eq!(said(), [(TWO.to_owned(), 5)], "begun by a /clear, and not prompted yet");
        fs::write(dir.path().join("notes.jsonl"), message(4)).unwrap();
        fs::create_dir(dir.path().join("session-x-a359c7eb.jsonl")).unwrap();
        assert_eq!(said().len(), 1);
        collect(&dir.path().join("none"), now, None, &mut Vec::new()).unwrap();
    }
}

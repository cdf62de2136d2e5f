//! Gemini's chats, `tmp/<workspace>/chats/session-<time>-<first 8 of the id>.jsonl`: where one is, and which began with a process.
//!
//! A chat is made at the launch. But when another Gemini starts in the same workspace, it deletes those that were not prompted
//! yet; the first prompt then makes the file anew, without the line that names the conversation. A resume goes on in the old file
//! and leaves a new one with the same id.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::chat::{FirstLine, first_line, first_prompt, listed, short_id_of};
use super::{files, workspace};
use crate::agent::{LiveProcess, TranscriptIndex};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;
use crate::core::observe::identity::{Appearance, Rung, RungReading, RungValue};

/// How near to the start of the process a chat proves nothing either way.
const SLACK: TimeDelta = TimeDelta::seconds(1);
/// How long a launch may take until the chat is there; 2 to 3 s were measured. What comes later is of a `/clear`, or of another
/// process.
const LAUNCH: TimeDelta = TimeDelta::seconds(30);

/// How soon a launch makes its chat as a rule, and how soon a prompt follows that was among the arguments: some milliseconds. What
/// came later and was prompted at once is of `gemini -p`, run beside this process; it also deletes the chat of a process that was not
/// prompted yet.
const HEADLESS: (TimeDelta, TimeDelta) = (TimeDelta::seconds(5), TimeDelta::seconds(1));

/// Where a conversation is kept.
pub(super) fn find(shelf: &TranscriptIndex, home: &Path, id: &ConversationId) -> Fact<Transcript> {
    // The name holds only the first eight characters of the id; the first line holds all of it.
    let Some(short) = id.as_str().get(..8) else { return Fact::Absent };
    match shelf.find(&home.join("tmp"), 2, short, short_id_of) {
        Fact::Seen(paths) => holder(&paths, id),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// The file among these that holds the conversation: one that says so (of several the one that changed last), else one that says
/// nothing of the kind and has the name.
fn holder(paths: &[PathBuf], id: &ConversationId) -> Fact<Transcript> {
    let mut best: Option<(bool, Transcript)> = None;
    let mut trouble = None;
    for path in paths.iter().filter(|path| parent_name(path).is_some_and(|name| name == "chats")) {
        let says = match first_line(path) {
            Ok(FirstLine { id: Some(other), .. }) if other != id.as_str() => continue,
            Ok(first) => first.id.is_some(),
            Err(why) => {
                trouble = Some(why);
                continue;
            }
        };
        match files::transcript(path) {
            Fact::Seen(found) if best.as_ref().is_none_or(|(said, best)| (*said, best.modified) < (says, found.modified)) => {
                best = Some((says, found));
            }
            Fact::Unknown(why) => trouble = Some(why),
            Fact::Seen(_) | Fact::Absent => {}
        }
    }
    match (best, trouble) {
        (Some((_, found)), _) => Fact::Seen(found),
        (None, Some(why)) => Fact::Unknown(why),
        (None, None) => Fact::Absent,
    }
}

fn parent_name(path: &Path) -> Option<&str> {
    path.parent()?.file_name()?.to_str()
}

/// Rung 6: the chat that began with the process. A trust dialog starts the inner process anew, and with it the chat: the innermost
/// process counts.
pub(super) fn reading(subject: &LiveProcess<'_>) -> RungReading {
    let started = subject.started();
    let (looked_at, fact) = match subject.cwd {
        Fact::Seen(cwd) => match workspace::chats(subject.home, cwd) {
            Ok(dirs) => {
                let looked_at = dirs.first().map_or_else(|| subject.home.join(workspace::MAP), PathBuf::clone);
                (looked_at, begun(&dirs, started))
            }
            Err(why) => (subject.home.join(workspace::MAP), Fact::Unknown(why)),
        },
        Fact::Absent => (subject.home.join(workspace::MAP), Fact::Absent),
        Fact::Unknown(why) => (subject.home.join(workspace::MAP), Fact::Unknown(why.clone())),
    };
    RungReading { rung: Rung::Appeared, looked_at: looked_at.display().to_string(), fact }
}

/// The conversations that appeared since then. If none of them did at the launch, the process's own is gone and nothing proves
/// that it went on in one of the others.
fn begun(dirs: &[PathBuf], started: DateTime<Utc>) -> Fact<RungValue> {
    let mut found = BTreeMap::new();
    for dir in dirs {
        if let Err(why) = collect(dir, started, &mut found) {
            return Fact::Unknown(why);
        }
    }
    let mut found: Vec<Appearance> = found.into_iter().map(|(id, at)| Appearance { id: ConversationId(id), at }).collect();
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    match found.first() {
        None => Fact::Absent,
        Some(first) if first.at > started + LAUNCH => {
            let id = first.id.as_str();
            Fact::Unknown(format!("no chat remains from its launch; {id} began later, in this Gemini or another"))
        }
        Some(first) if first.at <= started + SLACK => {
            Fact::Unknown(format!("{} began within a second of the start of the process", first.id.as_str()))
        }
        Some(_) => Fact::Seen(RungValue::Appeared(found)),
    }
}

/// Adds the conversations of a directory that appeared since a process started, each with its earliest file.
fn collect(dir: &Path, started: DateTime<Utc>, found: &mut BTreeMap<String, DateTime<Utc>>) -> Result<(), String> {
    let since = started - SLACK;
    for (path, short) in listed(dir)? {
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(files::unreadable(&path, &error)),
        };
        let (born, modified) = files::times(&metadata);
        if modified < since || born.is_some_and(|born| born < since) {
            continue;
        }
        let first = first_line(&path)?;
        if first.kind.is_some_and(|kind| kind != "main") {
            continue;
        }
        let Some(id) = first.id.filter(|id| files::is_uuid(id) && id.starts_with(&short)) else {
            return Err(format!("{} does not name its conversation", path.display()));
        };
        let Some(at) = born.into_iter().chain(first.started).min() else {
            return Err(format!("{} does not say when it began", path.display()));
        };
        let is_prompted_at_once = || first_prompt(&path).is_some_and(|prompted| prompted <= at + HEADLESS.1);
        if at >= since && !(at > started + HEADLESS.0 && is_prompted_at_once()) {
            let earliest = found.entry(id).or_insert(at);
            *earliest = at.min(*earliest);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "chats_tests.rs"]
mod tests;

//! Copilot's live registry: `session-state/<id>/inuse.<pid>.lock`, there from the launch on, and beside it `inuse.<pid>.hold`,
//! which the process keeps open. Believes no lock that another process of this pid may have left behind.
//!
//! One process can have several conversations open (`/new` keeps the old one in its side bar). Which of them is on the screen no
//! file tells.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use super::files;
use crate::agent::LiveProcess;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Rung, RungReading, RungValue};
use crate::host::{NamespacePid, ProcessInfo};

/// Where conversations are, below the home.
pub(super) const SESSIONS: &str = "session-state";

/// How near to the start of its process a lock proves nothing either way.
const CANNOT_TELL: TimeDelta = TimeDelta::seconds(1);
/// How many conversations are looked into for a lock whose holder cannot be told otherwise.
const MOST: usize = 20_000;
/// The most a lock may hold: a process id and a line end.
const MOST_BYTES: u64 = 32;

/// What the locks say of an agent.
pub(super) fn reading(subject: &LiveProcess<'_>) -> RungReading {
    let sessions = subject.home.join(SESSIONS);
    let chain: Vec<&ProcessInfo> = subject.chain().collect();
    let innermost = chain.last().map_or(subject.topmost().pid, |process| process.pid);
    let looked_at = sessions.join(format!("*/inuse.{innermost}.lock")).display().to_string();
    let open = |process: &ProcessInfo| subject.open_files(process);
    let selfhoods: Vec<Fact<NamespacePid>> = chain.iter().map(|process| subject.selfhood(process)).collect();
    RungReading { rung: Rung::Registry, looked_at, fact: known(&sessions, &chain, &selfhoods, open) }
}

/// The same for processes that may be in a container: their files name them by the ids they have there, and what no process
/// holds open may be that of another of this number, in another container.
fn known(
    sessions: &Path,
    chain: &[&ProcessInfo],
    selfhoods: &[Fact<NamespacePid>],
    open: impl Fn(&ProcessInfo) -> Fact<Vec<PathBuf>>,
) -> Fact<RungValue> {
    if let Some(why) = selfhoods.iter().find_map(Fact::why_unknown) {
        return Fact::Unknown(why.to_owned());
    }
    let own = |selfhood: &Fact<NamespacePid>, process: &ProcessInfo| selfhood.seen().map_or(process.pid, |own| own.pid);
    let named: Vec<ProcessInfo> =
        chain.iter().zip(selfhoods).map(|(process, it)| ProcessInfo { pid: own(it, process), ..(*process).clone() }).collect();
    if named.iter().zip(chain).all(|(named, process)| named.pid == process.pid) {
        return locked(sessions, chain, open);
    }
    let real = sessions.canonicalize().unwrap_or_else(|_| sessions.to_path_buf());
    let is_held = |id: &ConversationId| {
        named.iter().zip(chain).any(|(named, process)| {
            let hold = real.join(id.as_str()).join(format!("inuse.{}.hold", named.pid));
            open(process).seen().is_some_and(|paths| paths.contains(&hold))
        })
    };
    let open_as = |named_one: &ProcessInfo| {
        let at = named.iter().position(|named| std::ptr::eq(named, named_one));
        at.and_then(|at| chain.get(at)).map_or(Fact::Absent, |process| open(process))
    };
    match locked(sessions, &named.iter().collect::<Vec<_>>(), open_as) {
        Fact::Seen(RungValue::Id(id)) if !is_held(&id) => Fact::Unknown(format!(
            "the lock of {id} names the pid inside the container, and a process in another container may have the same pid"
        )),
        told => told,
    }
}

fn locked(sessions: &Path, chain: &[&ProcessInfo], open: impl Fn(&ProcessInfo) -> Fact<Vec<PathBuf>>) -> Fact<RungValue> {
    // Open files are known by their real paths.
    let real = sessions.canonicalize().unwrap_or_else(|_| sessions.to_path_buf());
    let mut held = BTreeSet::new();
    let (mut holds_any, mut is_unread) = (false, false);
    for process in chain {
        let hold = format!("inuse.{}.hold", process.pid);
        match open(process) {
            Fact::Seen(paths) => {
                let holds = paths.iter().filter(|path| path.file_name().is_some_and(|name| name == hold.as_str()));
                for path in holds {
                    // It holds its program's directory in the same way.
                    holds_any = true;
                    held.extend(path.parent().and_then(|dir| id_of(&real, dir)));
                }
            }
            Fact::Absent => {}
            Fact::Unknown(_) => is_unread = true,
        }
    }
    if !held.is_empty() {
        return only(&held);
    }
    // Who holds files that way has no other lock.
    if holds_any { Fact::Absent } else { made_since(sessions, chain, is_unread) }
}

/// The conversation a directory is of, by whichever of its names.
fn id_of(sessions: &Path, dir: &Path) -> Option<String> {
    files::name_in(sessions, dir, files::is_uuid).map(str::to_owned)
}

fn only(ids: &BTreeSet<String>) -> Fact<RungValue> {
    let mut ids = ids.iter();
    match (ids.next(), ids.next()) {
        (None, _) => Fact::Absent,
        (Some(id), None) => Fact::Seen(RungValue::Id(ConversationId(id.clone()))),
        (Some(one), Some(two)) => {
            let more = if ids.next().is_some() { " and more" } else { "" };
            Fact::Unknown(format!(
                "it has several conversations open, {one}, {two}{more}, and no file says which one is on screen"
            ))
        }
    }
}

/// The conversation with a lock of one of these processes that was made since it started. `is_unread`: what the processes hold
/// open could not be read, so that a lock with a `.hold` beside it may be theirs all the same.
fn made_since(sessions: &Path, chain: &[&ProcessInfo], is_unread: bool) -> Fact<RungValue> {
    let wrong = |path: &Path, error: &io::Error| Fact::Unknown(files::unreadable(path, error));
    let entries = match std::fs::read_dir(sessions) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Fact::Absent,
        Err(error) => return wrong(sessions, &error),
    };
    let mut found = BTreeSet::new();
    for (count, entry) in entries.enumerate() {
        if count >= MOST {
            return Fact::Unknown(format!("{} holds more than {MOST} conversations", sessions.display()));
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return wrong(sessions, &error),
        };
        let name = entry.file_name();
        let Some(id) = name.to_str().filter(|name| files::is_uuid(name)) else { continue };
        for process in chain {
            let path = sessions.join(id).join(format!("inuse.{}.lock", process.pid));
            let metadata = match std::fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
                Err(error) => return wrong(&path, &error),
            };
            if !is_unread && path.with_extension("hold").exists() {
                continue;
            }
            match age(files::times(&metadata), process.started) {
                Age::Older => {}
                Age::CannotTell => {
                    let why =
                        "was created within a second of the start of the process, or by another process with the same pid";
                    return Fact::Unknown(format!("{} {why}", path.display()));
                }
                Age::Younger => match names(&path, process.pid) {
                    Ok(()) => drop(found.insert(id.to_owned())),
                    Err(why) => return Fact::Unknown(why),
                },
            }
        }
    }
    only(&found)
}

/// A lock's age as compared to the process it names.
#[derive(Debug, PartialEq, Eq)]
enum Age {
    Older,
    CannotTell,
    Younger,
}

/// The older of birth and change counts: a stale lock that something touched is stale.
fn age((born, modified): (Option<DateTime<Utc>>, DateTime<Utc>), started: DateTime<Utc>) -> Age {
    let after = born.map_or(modified, |born| born.min(modified)) - started;
    if after < -CANNOT_TELL {
        Age::Older
    } else if after <= CANNOT_TELL {
        Age::CannotTell
    } else {
        Age::Younger
    }
}

fn names(path: &Path, pid: u32) -> Result<(), String> {
    let text = match files::small(path, MOST_BYTES) {
        Fact::Seen(text) => text,
        Fact::Absent => return Err(format!("{} disappeared", path.display())),
        Fact::Unknown(why) => return Err(why),
    };
    let named = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if named == Some(pid) { Ok(()) } else { Err(format!("{} does not name the process in its file name", path.display())) }
}

#[cfg(test)]
#[path = "locks_tests.rs"]
mod tests;

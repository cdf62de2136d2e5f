//! Codex's rollout files, `sessions/YYYY/MM/DD/rollout-<launch>-<uuid>.jsonl`: which appeared in a workspace since a process
//! started. Reads their first line only.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{files, plain_id_of};
use crate::agent::LiveProcess;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;
use crate::core::observe::identity::{Appearance, LastMessage, Rung, RungReading, RungValue};

/// How much earlier than the process a rollout may seem to have appeared and still be shown as a candidate.
const SLACK: TimeDelta = TimeDelta::seconds(1);
/// Directories are named by the day of the launch, in a time zone nobody told us.
const ZONES: Days = Days::new(1);
/// A process older than this is asked about its newest days only.
const MOST_DAYS: u64 = 32;

/// The first line of a rollout.
#[derive(Deserialize)]
struct FirstLine<'a> {
    #[serde(borrow)]
    payload: Meta<'a>,
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow)]
    cwd: Cow<'a, str>,
    timestamp: DateTime<Utc>,
    /// What began it: `cli` and `vscode` (by way of the daemon) in a terminal, `exec`, `mcp`, or an object for a sub-agent.
    #[serde(default)]
    source: Value,
    /// The thread whose agent began it, if one did.
    #[serde(default)]
    parent_thread_id: Option<IgnoredAny>,
}

impl Meta<'_> {
    /// Whether nobody was ever in it at a terminal: `codex exec`, the MCP server, sub-agents. `codex exec` holds the lock of its
    /// thread, so it needs no rung of this strength itself.
    fn is_unattended(&self) -> bool {
        matches!(self.source.as_str(), Some("exec" | "mcp")) || self.is_inner()
    }

    /// Whether another thread's agent began it for itself: a sub-agent, a review.
    fn is_inner(&self) -> bool {
        let is = |name| self.source.get(name).is_some();
        self.parent_thread_id.is_some() || is("subagent") || is("internal")
    }
}

pub(super) fn reading(subject: &LiveProcess<'_>, now: DateTime<Utc>) -> RungReading {
    let sessions = subject.home.join("sessions");
    let fact = match subject.cwd {
        Fact::Seen(cwd) => match appeared(&sessions, cwd, subject.topmost().started, now) {
            Ok(found) if found.is_empty() => Fact::Absent,
            Ok(found) => Fact::Seen(RungValue::Appeared(found)),
            Err(why) => Fact::Unknown(why),
        },
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    };
    RungReading { rung: Rung::Appeared, looked_at: sessions.display().to_string(), fact }
}

fn appeared(sessions: &Path, cwd: &Path, started: DateTime<Utc>, now: DateTime<Utc>) -> Result<Vec<Appearance>, String> {
    let mut found = Vec::new();
    for day in days(started, now) {
        let dir = sessions.join(day);
        if files::is_unchanged_since(&dir, started - SLACK) {
            continue;
        }
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(files::unreadable(&dir, &error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| files::unreadable(&dir, &error))?;
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(plain_id_of) else { continue };
            if let Some(at) = appearance(&entry.path(), cwd, started - SLACK)? {
                found.push(Appearance { id: ConversationId(id.to_owned()), at });
            }
        }
    }
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    Ok(found)
}

/// The threads of the process's workspace in which something was said since it started: those of the last days, which people go
/// back to. A rollout changes with every word and not otherwise.
pub(super) fn said(subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
    let sessions = subject.home.join("sessions");
    match subject.cwd {
        Fact::Seen(cwd) => said_in(&sessions, cwd, subject.started(), subject.now()).map_or_else(Fact::Unknown, Fact::Seen),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    }
}

fn said_in(sessions: &Path, cwd: &Path, started: DateTime<Utc>, now: DateTime<Utc>) -> Result<Vec<LastMessage>, String> {
    let mut found = Vec::new();
    let days = days(now - Days::new(MOST_DAYS), now);
    for entry in days.iter().filter_map(|day| std::fs::read_dir(sessions.join(day)).ok()).flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let Some(id) = name.to_str().and_then(plain_id_of) else { continue };
        let changed = path.metadata().ok().filter(Metadata::is_file).map(|file| files::times(&file).1);
        if let Some(at) = changed.filter(|at| *at >= started)
            && begun_here(&path, cwd)?.is_some()
        {
            found.push(LastMessage { id: ConversationId(id.to_owned()), at });
        }
    }
    Ok(found)
}

/// The directory of one day.
pub(super) fn directory(day: NaiveDate) -> PathBuf {
    PathBuf::from(day.format("%Y/%m/%d").to_string())
}

/// The directories a thread can be in by the time of its launch, with which its id begins (a UUID of version 7); none if its id
/// does not say it.
pub(super) fn days_of(id: &ConversationId) -> Vec<PathBuf> {
    let Some(launched) = launched(id.as_str()) else { return Vec::new() };
    [launched, launched - ZONES, launched + ZONES].map(directory).to_vec()
}

fn launched(id: &str) -> Option<NaiveDate> {
    if !files::is_uuid(id) || id.as_bytes().get(14) != Some(&b'7') {
        return None;
    }
    let millis = i64::from_str_radix(&format!("{}{}", id.get(..8)?, id.get(9..13)?), 16).ok()?;
    Some(DateTime::from_timestamp_millis(millis)?.date_naive())
}

/// The directories a rollout of this process can be in, newest first.
fn days(started: DateTime<Utc>, now: DateTime<Utc>) -> Vec<PathBuf> {
    let (first, last) = (started.date_naive() - ZONES, now.date_naive() + ZONES);
    let days = (0..MOST_DAYS).map(|back| last - Days::new(back)).take_while(|day| *day >= first);
    days.map(directory).collect()
}

/// When a rollout appeared, if since then and in this workspace.
fn appearance(path: &Path, cwd: &Path, since: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(files::unreadable(path, &error)),
    };
    let (born, modified) = files::times(&metadata);
    if modified < since || born.is_some_and(|born| born < since) {
        return Ok(None);
    }
    let begun = begun_here(path, cwd)?;
    Ok(begun.map(|begun| born.unwrap_or(begun)).filter(|at| *at >= since))
}

/// When a thread was begun, if somebody did at a terminal in this workspace.
fn begun_here(path: &Path, cwd: &Path) -> Result<Option<DateTime<Utc>>, String> {
    with_first_line(path, |payload| {
        let is_here = !payload.is_unattended() && files::leads_to(Path::new(payload.cwd.as_ref()), cwd);
        is_here.then_some(payload.timestamp)
    })
}

/// Whether a rollout says that it is another thread's sub-agent's. False says nothing.
pub(super) fn is_sub_agents(path: &Path) -> bool {
    with_first_line(path, |payload| payload.is_inner()).unwrap_or(false)
}

/// The directory that a thread is of; a compressed rollout cannot be asked.
pub(super) fn lived_in(transcript: &Transcript) -> Fact<PathBuf> {
    if transcript.path.extension() != Some(OsStr::new("jsonl")) {
        return Fact::Absent;
    }
    with_first_line(&transcript.path, |payload| PathBuf::from(payload.cwd.as_ref())).map_or_else(Fact::Unknown, Fact::Seen)
}

fn with_first_line<T>(path: &Path, read: impl FnOnce(&Meta<'_>) -> T) -> Result<T, String> {
    let edges = files::edges(path).map_err(|error| files::unreadable(path, &error))?;
    match edges.lines().next().and_then(|line| serde_json::from_slice::<FirstLine<'_>>(line).ok()) {
        Some(FirstLine { payload }) => Ok(read(&payload)),
        None => Err(format!("{} does not name its workspace yet", path.display())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_id_names_the_day_of_its_launch_and_those_beside_it_if_it_is_one_with_a_time() {
        let days = |id: &str| days_of(&ConversationId(id.to_owned()));
        let around = ["2026/11/21", "2026/11/20", "2026/11/22"].map(PathBuf::from);
        assert_eq!(days("01a1fc1b-b7b6-7361-96bb-4283a7de4ab6"), around);
        for id in ["01a1fc1b-b7b6-4361-96bb-4283a7de4ab6", "", "01a1fc1b", "é1a1fc1b-b7b6-7361-96bb-4283a7de4ab"] {
            assert!(days(id).is_empty(), "{id}");
        }
        assert_eq!(days("ffffffff-ffff-7fff-bfff-ffffffffffff").len(), 3, "the last one there is");
    }

    #[test]
    fn every_day_a_process_may_have_written_on_is_looked_at_newest_first() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let all = days(at("2026-02-28T23:00:00Z"), at("2026-03-01T01:00:00Z"));
        let shown: Vec<&str> = all.iter().map(|day| day.to_str().unwrap()).collect();
        assert_eq!(shown, ["2026/03/02", "2026/03/01", "2026/02/28", "2026/02/27"]);
        assert_eq!(days(at("2020-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")).len() as u64, MOST_DAYS);
    }

    #[test]
    fn a_rollout_counts_for_its_own_workspace_and_its_own_time() {
        let dir = tempfile::tempdir().unwrap();
        let now = Utc::now();
        let day = dir.path().join(now.format("%Y/%m/%d").to_string());
        std::fs::create_dir_all(&day).unwrap();
        let id = "01a1fc1b-b7b6-7361-96bb-4283a7de4ab6";
        let write_of = |cwd: &str, source: Value| {
            let payload = serde_json::json!({ "id": id, "cwd": cwd, "timestamp": now, "source": source });
            let line = serde_json::json!({ "type": "session_meta", "payload": payload });
            std::fs::write(day.join(format!("rollout-2026-01-01T00-00-00-{id}.jsonl")), format!("{line}\n")).unwrap();
        };
        let write = |cwd: &str| write_of(cwd, Value::Null);
        let seen = |started: DateTime<Utc>| appeared(dir.path(), Path::new("/w"), started, now);
        write("/w");
        assert_eq!(seen(now - TimeDelta::seconds(9)).unwrap().len(), 1);
        assert_eq!(seen(now + TimeDelta::seconds(9)).unwrap(), []);
        for (source, count) in [
            (json!("cli"), 1),
            (json!("vscode"), 1),
            (json!("of a later version"), 1),
            (json!("exec"), 0),
            (json!("mcp"), 0),
            (json!({ "subagent": "review" }), 0),
        ] {
            write_of("/w", source.clone());
            assert_eq!(seen(now - TimeDelta::seconds(9)).unwrap().len(), count, "{source}");
        }
        write("/other");
        assert_eq!(seen(now - TimeDelta::seconds(9)).unwrap(), []);
        let said = |after: i64| said_in(dir.path(), Path::new("/w"), now + TimeDelta::seconds(after), now).map(|all| all.len());
        assert_eq!(said(-9), Ok(0), "elsewhere");
        write("/w");
        assert_eq!((said(-9), said(9)), (Ok(1), Ok(0)));
        write_of("/w", json!("exec"));
        assert_eq!(said(-9), Ok(0), "nobody is in it at a terminal");
        std::fs::write(day.join(format!("rollout-2026-01-01T00-00-00-{id}.jsonl")), "{\"half").unwrap();
        assert!(seen(now - TimeDelta::seconds(9)).is_err());
        assert!(said(-9).is_err());
    }
}

//! OpenCode's conversations, rows of the table `session`: whether one is there, and which appeared in a workspace since a process
//! started. Columns as in 1.18.33; a table that lacks one is unknown.

use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Connection, OptionalExtension};

use super::{database, files};
use crate::agent::LiveProcess;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;
use crate::core::observe::identity::{Appearance, LastMessage, Rung, RungReading, RungValue};

/// How much earlier than the process a conversation may seem to have appeared and still be shown as a candidate.
const SLACK: TimeDelta = TimeDelta::seconds(1);
/// How many of the newest conversations are looked at. Directories have no index, so the order of insertion is followed.
const NEWEST: usize = 256;

/// The databases of a home: `opencode.db`, or another of a build of another channel; of a home that is a database, itself. Each
/// is given once and by its real path, beside which SQLite keeps its log, whichever links lead there.
pub(super) fn databases(home: &Path) -> Result<Vec<PathBuf>, String> {
    let wrong = |error: io::Error| format!("cannot list {}: {}", home.display(), files::reason(&error));
    let entries = match std::fs::read_dir(home) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return real(home).map(|path| vec![path]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error)),
    };
    let mut found = Vec::new();
    let mut is_older = false;
    for entry in entries {
        let name = entry.map_err(wrong)?.file_name();
        is_older |= name == "storage";
        let stem = name.to_str().and_then(|name| name.strip_suffix(".db")?.strip_prefix("opencode"));
        if stem.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) {
            found.push(real(&home.join(name))?);
        }
    }
    if found.is_empty() && is_older {
        return Err(format!(
            "{} is from an OpenCode without a database, which headcount does not read",
            home.join("storage").display()
        ));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The real path of a database. What is behind a link that leads nowhere, such as one to a disk that is not mounted, is unknown.
fn real(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().or_else(|error| match path.symlink_metadata() {
        // Gone meanwhile, or in a directory that nobody may look into: whoever opens it says so.
        Ok(metadata) if !metadata.is_symlink() => Ok(path.to_path_buf()),
        Err(_) => Ok(path.to_path_buf()),
        Ok(_) => Err(format!("{} does not link to a database: {}", path.display(), files::reason(&error))),
    })
}

/// Where a conversation is kept.
pub(super) fn find(home: &Path, id: &ConversationId) -> Fact<Transcript> {
    let databases = match databases(home) {
        Ok(databases) => databases,
        Err(why) => return Fact::Unknown(why),
    };
    let mut verdict = Fact::Absent;
    for path in databases {
        let row = database::look(&path, |connection| {
            let sql = "SELECT time_updated FROM session WHERE id = ?1";
            connection.query_row(sql, [id.as_str()], |row| row.get::<_, i64>(0)).optional()
        });
        match row {
            Fact::Seen(Some(updated)) => return Fact::Seen(Transcript { path, modified: time(updated), is_archived: false }),
            Fact::Unknown(why) if verdict.is_absent() => verdict = Fact::Unknown(why),
            Fact::Seen(None) | Fact::Absent | Fact::Unknown(_) => {}
        }
    }
    verdict
}

/// The directory a conversation is of.
pub(super) fn lived_in(path: &Path, id: &ConversationId) -> Fact<PathBuf> {
    let row = database::look(path, |connection| {
        let sql = "SELECT directory FROM session WHERE id = ?1";
        connection.query_row(sql, [id.as_str()], |row| row.get::<_, String>(0)).optional()
    });
    match row {
        Fact::Seen(directory) => directory.map_or(Fact::Absent, |directory| Fact::Seen(PathBuf::from(directory))),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// Rung 6: what appeared in the process's workspace since it started.
pub(super) fn reading(subject: &LiveProcess<'_>) -> RungReading {
    let (looked_at, fact) = match (subject.cwd, databases(subject.home)) {
        (_, Err(why)) => (subject.home.display().to_string(), Fact::Unknown(why)),
        (Fact::Seen(cwd), Ok(databases)) => {
            let looked_at = databases.first().map_or(subject.home, PathBuf::as_path).display().to_string();
            (looked_at, appeared(&databases, cwd, subject.topmost().started))
        }
        (Fact::Absent, Ok(_)) => (subject.home.display().to_string(), Fact::Absent),
        (Fact::Unknown(why), Ok(_)) => (subject.home.display().to_string(), Fact::Unknown(why.clone())),
    };
    RungReading { rung: Rung::Appeared, looked_at, fact }
}

fn appeared(databases: &[PathBuf], cwd: &Path, started: DateTime<Utc>) -> Fact<RungValue> {
    let since = started - SLACK;
    let mut found = Vec::new();
    for path in databases {
        let rows = match database::look(path, newest) {
            Fact::Seen(rows) => rows,
            Fact::Absent => continue,
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        if rows.len() == NEWEST && rows.iter().all(|row| row.created >= since) {
            let many = format!("{} holds more than {NEWEST} conversations since the process started", path.display());
            return Fact::Unknown(many);
        }
        let ours = rows.into_iter().filter(|row| row.created >= since && is_of(&row.directory, cwd));
        found.extend(ours.map(|row| Appearance { id: ConversationId(row.id), at: row.created }));
    }
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    if found.is_empty() { Fact::Absent } else { Fact::Seen(RungValue::Appeared(found)) }
}

/// The conversations of the process's workspace in which something was said since it started.
pub(super) fn said(subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
    let cwd = match subject.cwd {
        Fact::Seen(cwd) => cwd,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    match databases(subject.home) {
        Ok(databases) => said_in(&databases, cwd, subject.started()),
        Err(why) => Fact::Unknown(why),
    }
}

fn said_in(databases: &[PathBuf], cwd: &Path, started: DateTime<Utc>) -> Fact<Vec<LastMessage>> {
    let mut found = Vec::new();
    for path in databases {
        let rows = match database::look(path, |connection| changed_since(connection, started)) {
            Fact::Seen(rows) => rows,
            Fact::Absent => continue,
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        if rows.len() == NEWEST {
            return Fact::Unknown(format!("{} holds more than {NEWEST} conversations that changed since then", path.display()));
        }
        // A new title is no word.
        let ours = rows.into_iter().filter(|(_, directory, at)| *at >= started && is_of(directory, cwd));
        found.extend(ours.map(|(id, _, at)| LastMessage { id: ConversationId(id), at }));
    }
    Fact::Seen(found)
}

/// The conversations people have that changed since then: where they are, and when the last message of each was begun, or the
/// conversation itself.
fn changed_since(connection: &Connection, since: DateTime<Utc>) -> rusqlite::Result<Vec<(String, String, DateTime<Utc>)>> {
    let top = top(connection)?;
    let last = "SELECT max(time_created) FROM message WHERE session_id = session.id";
    let sql = format!(
        "SELECT id, directory, max(time_created, coalesce(({last}), 0)) FROM session \
         WHERE {top} AND time_updated >= ?1 LIMIT {NEWEST}"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([since.timestamp_millis()], |row| Ok((row.get(0)?, row.get(1)?, time(row.get(2)?))))?;
    rows.collect()
}

/// Whether a conversation's directory is this real path.
fn is_of(directory: &str, cwd: &Path) -> bool {
    files::leads_to(Path::new(directory), cwd)
}

/// Whether no other conversation of a workspace changed after this one; not if that is unknown.
pub(super) fn is_latest(path: &Path, id: &ConversationId, cwd: &Path) -> bool {
    let later = database::look(path, |connection| {
        let since = "(SELECT time_updated FROM session WHERE id = ?1)";
        let top = top(connection)?;
        let sql = format!("SELECT directory FROM session WHERE {top} AND time_updated > {since} LIMIT {NEWEST}");
        let mut statement = connection.prepare(&sql)?;
        let directories = statement.query_map([id.as_str()], |row| row.get::<_, String>(0))?;
        directories.collect::<rusqlite::Result<Vec<String>>>()
    });
    later.seen().is_some_and(|later| later.len() < NEWEST && !later.iter().any(|directory| is_of(directory, cwd)))
}

/// What is read of a row.
struct Row {
    id: String,
    directory: String,
    created: DateTime<Utc>,
}

/// Tells the conversations that people have: those of sub-agents have a parent, and an OpenCode without sub-agents no such
/// column.
fn top(connection: &Connection) -> rusqlite::Result<&'static str> {
    Ok(if has(connection, "parent_id")? { "parent_id IS NULL" } else { "TRUE" })
}

fn has(connection: &Connection, column: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('session') WHERE name = ?1)";
    connection.query_row(sql, [column], |row| row.get(0))
}

/// The newest conversations that were begun on a screen: what `opencode run` and other programs begin has rules of its own about
/// permissions from the first, and ends without one who could be in it.
fn newest(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let top = top(connection)?;
    let on_screen = if has(connection, "permission")? { "permission IS NULL" } else { "TRUE" };
    let sql = format!(
        "SELECT id, directory, time_created FROM session WHERE {top} AND {on_screen} ORDER BY rowid DESC LIMIT {NEWEST}"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows =
        statement.query_map([], |row| Ok(Row { id: row.get(0)?, directory: row.get(1)?, created: time(row.get(2)?) }))?;
    rows.collect()
}

/// OpenCode counts milliseconds. A number that is no time is one long ago.
pub(super) fn time(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or(DateTime::UNIX_EPOCH)
}

//! One look into a file of another tool. Reads only, at most so much, never a pipe; never decides what becomes of it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::Connection;

use crate::agent::database;
use crate::core::fact::Fact;
use crate::core::import::{
    DeckRow, ForeignFile, ImportTool, TmuxpForm, deck_file, deck_rows, empires, resurrect, squad, tmuxp, worker,
};

/// The largest file that is read. claude-squad keeps diffs in its own.
const LARGEST: u64 = 32 << 20;
/// How many sessions of a database are read.
const MOST_ROWS: usize = 10_000;

/// What a file says, and the version that it names.
type ForeignReading = Result<(ForeignFile, Option<String>), String>;

/// Reads it; `None`: it is not there.
pub(super) fn read(tool: ImportTool, path: &Path) -> Option<ForeignReading> {
    if tool == ImportTool::AgentDeck && path.extension().is_some_and(|ending| ending == "db") {
        return deck(path);
    }
    let text = match text(path, tool == ImportTool::Csd) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(Err(error.to_string())),
    };
    let place = path.parent().map(|place| place.to_string_lossy().into_owned()).unwrap_or_default();
    let form = if path.extension().is_some_and(|ending| ending == "json") { TmuxpForm::Json } else { TmuxpForm::Yaml };
    let file = match tool {
        ImportTool::TmuxResurrect => resurrect(&text),
        ImportTool::Tmuxp => tmuxp(&text, form, &place),
        ImportTool::AgentDeck => deck_file(&text),
        ImportTool::AgentOfEmpires => empires(&text),
        ImportTool::ClaudeSquad => squad(&text),
        ImportTool::Csd => worker(&text).map(|session| ForeignFile { sessions: vec![session], left_out: Vec::new() }),
    };
    Some(file.map(|file| (file, None)))
}

/// The text of a regular file. People link their configuration elsewhere; what lies in a directory that others share is no link.
fn text(path: &Path, is_shared: bool) -> io::Result<String> {
    let links = if is_shared { libc::O_NOFOLLOW } else { 0 };
    let file: File = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | links).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text in UTF-8"))
}

/// The database of a profile of agent-deck. It may be a link, and its log is beside what that leads to.
fn deck(path: &Path) -> Option<ForeignReading> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    match database::look(&real, |connection| Ok((rows(connection)?, version(connection)))) {
        Fact::Absent => None,
        Fact::Unknown(why) => Some(Err(why)),
        Fact::Seen((rows, version)) => Some(Ok((deck_rows(rows), version))),
    }
}

fn rows(connection: &Connection) -> rusqlite::Result<Vec<DeckRow>> {
    let has = |column: &str| -> rusqlite::Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('instances') WHERE name = ?1)";
        connection.query_row(sql, [column], |row| row.get(0))
    };
    // Columns came one by one.
    let or = |column: &'static str, usual: &'static str| has(column).map(|has| if has { column } else { usual });
    let (socket, tree, wrapper) = (or("tmux_socket_name", "''")?, or("worktree_path", "''")?, or("wrapper", "''")?);
    let (archived, data) = (or("archived_at", "0")?, or("tool_data", "'{}'")?);
    let sql = format!(
        "SELECT title, project_path, {tree}, group_path, tool, command, {wrapper}, tmux_session, {socket}, {archived}, {data} \
         FROM instances ORDER BY sort_order, id LIMIT {MOST_ROWS}"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        let data: String = row.get(10)?;
        Ok(DeckRow {
            title: row.get(0)?,
            project_path: row.get(1)?,
            worktree_path: row.get(2)?,
            group_path: row.get(3)?,
            tool: row.get(4)?,
            command: row.get(5)?,
            wrapper: row.get(6)?,
            tmux_session: row.get(7)?,
            tmux_socket_name: row.get(8)?,
            archived_at: row.get(9)?,
            data: serde_json::from_str(&data).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

/// The version of its schema.
fn version(connection: &Connection) -> Option<String> {
    let sql = "SELECT value FROM metadata WHERE key = 'schema_version'";
    let version: String = connection.query_row(sql, [], |row| row.get(0)).ok()?;
    Some(format!("schema {version}"))
}

//! The recordings, and how one is read.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use headcount::agent::{self, TurnQuery};
use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::lead::turns::TurnPage;
use headcount::core::observe::Transcript;
use serde_json::Value;

/// What an agent wrote.
pub(crate) struct Recording {
    pub(crate) kind: AgentKind,
    pub(crate) path: PathBuf,
}

impl Recording {
    pub(crate) fn is_database(&self) -> bool {
        self.path.extension().is_some_and(|it| it == "rows")
    }

    /// What is read of it.
    pub(crate) fn page(&self, last: usize) -> TurnPage {
        let query = TurnQuery { last, after: None, now: DateTime::UNIX_EPOCH };
        let page = read(self.kind, &self.path, &query).into_seen().unwrap();
        // Which file it is differs from one checkout to the next.
        TurnPage { position: headcount::core::lead::turns::TranscriptPosition { file: 0, ..page.position }, ..page }
    }
}

pub(crate) fn read(kind: AgentKind, path: &Path, query: &TurnQuery<'_>) -> Fact<TurnPage> {
    let (path, id, _dir) = if path.extension().is_some_and(|it| it == "rows") {
        let dir = tempfile::tempdir().unwrap();
        let rows = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let (path, id) = database(dir.path(), &rows);
        (path, id, Some(dir))
    } else {
        (path.to_path_buf(), "x".to_owned(), None)
    };
    let transcript = Transcript { path, modified: DateTime::UNIX_EPOCH, is_archived: false };
    agent::of(kind).unwrap().turns(&transcript, &ConversationId(id), query)
}

/// A database of OpenCode with these rows, and the conversation in it.
pub(crate) fn database(dir: &Path, rows: &Value) -> (PathBuf, String) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts/opencode/schema.sql");
    let path = dir.join("opencode.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&std::fs::read_to_string(schema).unwrap()).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF;").unwrap();
    for table in ["session", "message", "part"] {
        for row in rows[table].as_array().unwrap() {
            let columns: Vec<String> = row.as_object().unwrap().keys().map(|key| format!("`{key}`")).collect();
            let values: Vec<String> = row.as_object().unwrap().keys().map(|key| format!("?1 ->> '{key}'")).collect();
            let sql = format!("INSERT INTO {table} ({}) VALUES ({})", columns.join(","), values.join(","));
            connection.execute(&sql, [row.to_string()]).unwrap();
        }
    }
    (path, rows["session"][0]["id"].as_str().unwrap().to_owned())
}

/// Every recording there is.
pub(crate) fn recordings() -> Vec<Recording> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/turns");
    let mut found = Vec::new();
    for kind in AgentKind::ALL {
        for entry in std::fs::read_dir(root.join(kind.as_str())).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "jsonl" || it == "rows") {
                found.push(Recording { kind, path });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty());
    found
}

//! The sessions of agent-deck: rows of its `instances` (schema 15 of version 1.14 and before), or of the `sessions.json` that was there
//! first. Reads values; never opens the database.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{ForeignFile, ForeignProgram, ForeignSession, LeftOut, some};

/// The group that sessions are in unless somebody moves them.
const USUAL_GROUP: &str = "my-sessions";
/// The keys of conversations, by agents.
const IDS: [(&str, &str); 4] = [
    ("claude", "claude_session_id"),
    ("codex", "codex_session_id"),
    ("gemini", "gemini_session_id"),
    ("opencode", "opencode_session_id"),
];

/// A session of agent-deck.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DeckRow {
    /// What people call it.
    pub title: String,
    /// Where it works.
    pub project_path: String,
    /// Its work tree, if it has one of its own.
    pub worktree_path: String,
    /// Its group.
    pub group_path: String,
    /// The agent.
    pub tool: String,
    /// What is run in its place.
    pub command: String,
    /// What runs that.
    pub wrapper: String,
    /// The session of tmux.
    pub tmux_session: String,
    /// The `-L` name of its server.
    pub tmux_socket_name: String,
    /// When it was put away, in seconds since 1970; 0: it was not.
    pub archived_at: i64,
    /// The rest, by keys. In `sessions.json` it stands beside the others.
    #[serde(flatten)]
    pub data: BTreeMap<String, Value>,
}

/// What its rows say.
pub fn deck_rows(rows: Vec<DeckRow>) -> ForeignFile {
    let mut file = ForeignFile::default();
    for row in rows {
        let text = |key: &str| row.data.get(key).and_then(Value::as_str).and_then(some);
        let is_set = |key: &str| match row.data.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(all)) => !all.is_empty(),
            Some(Value::Object(all)) => !all.is_empty(),
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        };
        let why = if row.archived_at != 0 {
            Some("it is archived there".to_owned())
        } else if let Some(host) = text("ssh_host") {
            Some(format!("it runs on {host}: import it there"))
        } else if is_set("sandbox_container") || is_set("sandbox") {
            Some("it runs in a container, where headcount cannot look".to_owned())
        } else if row.tmux_session.trim().is_empty() {
            Some("it has no tmux session yet".to_owned())
        } else {
            None
        };
        if let Some(why) = why {
            file.left_out.push(LeftOut::new(row.title, why));
            continue;
        }
        let group = some(&row.group_path).filter(|group| group != USUAL_GROUP);
        let session = ForeignSession {
            title: row.title.clone(),
            server: row.tmux_socket_name.clone(),
            cwd: some(&row.worktree_path).or_else(|| some(&row.project_path)),
            conversations: IDS.iter().filter_map(|(agent, key)| Some((*agent, text(key)?))).collect(),
            labels: group.map(|group| ("group".to_owned(), group)).into_iter().collect(),
            ..ForeignSession::new(&row.tmux_session, ForeignProgram::Named(row.tool.clone()))
        };
        let is_own_command = some(&row.command).is_some_and(|command| command != row.tool);
        file.sessions.push(
            session
                .without(is_own_command, "its own command")
                .without(some(&row.wrapper).is_some(), "its wrapper")
                .without(is_set("extra_args") || is_set("tool_options"), "its options and arguments")
                .without(is_set("loaded_mcp_names"), "its MCP servers")
                .without(is_set("additional_paths"), "its further directories"),
        );
    }
    file
}

/// The `sessions.json` of versions before the database.
///
/// # Errors
/// It is no such file.
pub fn deck_file(text: &str) -> Result<ForeignFile, String> {
    #[derive(Deserialize)]
    struct Stored {
        instances: Vec<DeckRow>,
    }
    let stored: Stored = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(deck_rows(stored.instances))
}

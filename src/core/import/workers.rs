//! The `.meta` of a worker of claude-session-driver (csd 4.0.1 and before). Reads one; the directory is the caller's.

use serde::Deserialize;

use super::{ForeignProgram, ForeignSession, some};

#[derive(Deserialize)]
struct Meta {
    tmux_name: String,
    session_id: String,
    #[serde(default)]
    cwd: String,
    harness: Option<String>,
    invocation: Option<Vec<String>>,
}

/// What it says. csd gives a conversation its id itself.
///
/// # Errors
/// It is no such file.
pub fn worker(text: &str) -> Result<ForeignSession, String> {
    let meta: Meta = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let harness = meta.harness.unwrap_or_else(|| "claude".to_owned());
    let session = ForeignSession {
        cwd: some(&meta.cwd),
        conversations: some(&meta.session_id).map(|id| ("", id)).into_iter().collect(),
        ..ForeignSession::new(&meta.tmux_name, ForeignProgram::Named(harness))
    };
    Ok(session.without(meta.invocation.is_some_and(|words| words.contains(&"--".to_owned())), "its arguments"))
}

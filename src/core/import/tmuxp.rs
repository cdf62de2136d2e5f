//! A workspace of tmuxp, in YAML or JSON, short forms included. Reads what its panes are told to run; expands nothing but `~` and paths
//! below another.

use serde_yaml::Value;

use super::{ForeignFile, ForeignProgram, ForeignSession, LeftOut};

/// How a workspace is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TmuxpForm {
    /// `.yaml`, `.yml`.
    Yaml,
    /// `.json`.
    Json,
}

/// The panes of a workspace; `place` is the directory that it is in.
///
/// # Errors
/// It is no workspace.
pub fn tmuxp(text: &str, form: TmuxpForm, place: &str) -> Result<ForeignFile, String> {
    let workspace: Value = match form {
        TmuxpForm::Yaml => serde_yaml::from_str(text).map_err(|error| error.to_string())?,
        TmuxpForm::Json => serde_json::from_str(text).map_err(|error| error.to_string())?,
    };
    let name = workspace.get("session_name").and_then(Value::as_str).ok_or("it has no `session_name`")?;
    let mut file = ForeignFile::default();
    if name.contains('$') {
        file.left_out.push(LeftOut::new(name, "its name is made of variables"));
        return Ok(file);
    }
    let root = directory(&workspace, Some(place));
    for window in items(workspace.get("windows")) {
        let start = directory(window, root.as_deref());
        for pane in items(window.get("panes")) {
            let cwd = directory(pane, start.as_deref());
            file.sessions.push(session(name, pane, cwd));
        }
    }
    Ok(file)
}

/// A pane of the session.
fn session(name: &str, pane: &Value, mut cwd: Option<String>) -> ForeignSession {
    let mut commands = Vec::new();
    for text in texts(pane) {
        for words in parts(&text) {
            match words.as_slice() {
                [cd, to] if cd == "cd" => cwd = joined(cwd.as_deref(), to),
                _ => commands.push(words),
            }
        }
    }
    let is_unknown = cwd.is_none();
    let session = ForeignSession { cwd, ..ForeignSession::new(name, ForeignProgram::Commands(commands)) };
    session.without(is_unknown, "its directory, which is made of variables")
}

/// What a pane is told to run: a text, several, or those of its `shell_command` and `shell`.
fn texts(pane: &Value) -> Vec<String> {
    match pane {
        Value::String(text) => vec![text.clone()],
        Value::Sequence(all) => all.iter().flat_map(texts).collect(),
        Value::Mapping(_) => {
            ["cmd", "shell", "shell_command"].iter().filter_map(|key| pane.get(*key)).flat_map(texts).collect()
        }
        _ => Vec::new(),
    }
}

/// The simple commands of a line, without the variables that are set for them.
fn parts(line: &str) -> Vec<Vec<String>> {
    let Ok(words) = shell_words::split(line) else { return Vec::new() };
    let mut parts = vec![Vec::new()];
    for word in words {
        let (word, ends) = match word.strip_suffix(';') {
            Some(rest) => (rest.to_owned(), true),
            None => (word, false),
        };
        let is_break = ["&&", "||", "|", "&", ""].contains(&word.as_str());
        if let Some(part) = parts.last_mut().filter(|_| !is_break) {
            let is_before = part.is_empty() && (["exec", "env"].contains(&word.as_str()) || is_assignment(&word));
            if !is_before {
                part.push(word);
            }
        }
        if is_break || ends {
            parts.push(Vec::new());
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_sequence).into_iter().flatten()
}

/// Where a part of the workspace begins, below what holds it.
fn directory(part: &Value, above: Option<&str>) -> Option<String> {
    match part.get("start_directory").and_then(Value::as_str) {
        Some(own) => joined(above, own),
        None => above.map(str::to_owned),
    }
}

fn joined(above: Option<&str>, own: &str) -> Option<String> {
    if own.contains('$') {
        return None;
    }
    let own = own.trim_end_matches('/');
    match own {
        "" => Some("/".to_owned()),
        "." => above.map(str::to_owned),
        _ if own == "~" || own.starts_with(['/']) || own.starts_with("~/") => Some(own.to_owned()),
        _ => {
            let below = own.strip_prefix("./").unwrap_or(own);
            above.map(|above| format!("{}/{below}", above.trim_end_matches('/')))
        }
    }
}

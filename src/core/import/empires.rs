//! The `sessions.json` of Agent of Empires (1.x): its instances, whose tmux sessions are called after title and id. Reads values only.

use serde::Deserialize;
use serde_json::Value;

use super::{ForeignFile, ForeignProgram, ForeignSession, LeftOut, some};

/// How much of a title, and of an id, is in the name of a session.
const TITLE: usize = 20;
const ID: usize = 8;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Instance {
    id: String,
    title: String,
    project_path: String,
    group_path: String,
    tool: String,
    command: String,
    extra_args: Value,
    view: String,
    agent_session_id: Option<String>,
    claude_session_id: Option<String>,
    sandbox_info: Option<Sandbox>,
    workspace_info: Value,
    archived_at: Value,
    trashed_at: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sandbox {
    enabled: bool,
}

/// What its sessions are.
///
/// # Errors
/// It is no such file.
pub fn empires(text: &str) -> Result<ForeignFile, String> {
    let instances: Vec<Instance> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut file = ForeignFile::default();
    for instance in instances {
        let why = if !instance.archived_at.is_null() || !instance.trashed_at.is_null() {
            Some("it is put away there")
        } else if instance.sandbox_info.is_some_and(|sandbox| sandbox.enabled) {
            Some("it runs in a container, where headcount cannot look")
        } else if instance.view == "structured" {
            Some("it has no terminal: Agent of Empires speaks to it over ACP")
        } else if instance.id.is_empty() {
            Some("it has no id, so its tmux session has no name")
        } else {
            None
        };
        if let Some(why) = why {
            file.left_out.push(LeftOut::new(instance.title, why));
            continue;
        }
        let title: String = instance
            .title
            .chars()
            .map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' })
            .take(TITLE)
            .collect();
        let id: String = instance.id.chars().take(ID).collect();
        let claude = instance.claude_session_id.as_deref().and_then(some).map(|id| ("claude", id));
        let own = instance.agent_session_id.as_deref().and_then(some).map(|id| ("", id));
        let session = ForeignSession {
            title: instance.title.clone(),
            cwd: some(&instance.project_path),
            conversations: own.into_iter().chain(claude).collect(),
            labels: some(&instance.group_path).map(|group| ("group".to_owned(), group)).into_iter().collect(),
            ..ForeignSession::new(&format!("aoe_{title}_{id}"), ForeignProgram::Named(instance.tool.clone()))
        };
        let is_own_command = some(&instance.command).is_some_and(|command| command != instance.tool);
        let has_arguments = match &instance.extra_args {
            Value::String(text) => !text.trim().is_empty(),
            Value::Array(all) => !all.is_empty(),
            _ => false,
        };
        file.sessions.push(
            session
                .without(is_own_command, "its own command")
                .without(has_arguments, "its arguments")
                .without(!instance.workspace_info.is_null(), "its further repositories"),
        );
    }
    Ok(file)
}

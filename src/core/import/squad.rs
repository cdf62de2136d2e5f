//! The `state.json` of claude-squad (1.0): its instances, whose tmux sessions are called after their titles. Reads values only.

use serde::Deserialize;

use super::{ForeignFile, ForeignProgram, ForeignSession, LeftOut, some};

/// What it puts before a title.
const PREFIX: &str = "claudesquad_";
/// The status of an instance whose work tree and session are put away.
const PAUSED: i64 = 3;

#[derive(Deserialize)]
struct State {
    instances: Option<Vec<Instance>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Instance {
    title: String,
    path: String,
    branch: String,
    status: i64,
    auto_yes: bool,
    program: String,
    worktree: Worktree,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Worktree {
    worktree_path: String,
}

/// What its state says.
///
/// # Errors
/// It is no such file.
pub fn squad(text: &str) -> Result<ForeignFile, String> {
    let state: State = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut file = ForeignFile::default();
    for instance in state.instances.unwrap_or_default() {
        if instance.status == PAUSED {
            file.left_out
                .push(LeftOut::new(instance.title, "it is paused: its work tree is gone until claude-squad resumes it"));
            continue;
        }
        let title: String = instance.title.chars().filter(|c| !c.is_whitespace()).collect();
        if title.is_empty() {
            file.left_out.push(LeftOut::new(instance.title, "it has no title, so its tmux session has no name"));
            continue;
        }
        let name = format!("{PREFIX}{}", title.replace('.', "_"));
        let words = shell_words::split(&instance.program).unwrap_or_default();
        let session = ForeignSession {
            title: instance.title,
            cwd: some(&instance.worktree.worktree_path).or_else(|| some(&instance.path)),
            ..ForeignSession::new(&name, ForeignProgram::Commands(vec![words]))
        };
        file.sessions.push(
            session
                .without(instance.auto_yes, "that it answers yes to everything")
                .without(some(&instance.branch).is_some(), "its branch"),
        );
    }
    Ok(file)
}

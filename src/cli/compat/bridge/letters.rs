//! `send-task` and `send-reply`: one line between a manager and a worker, typed through tmux-bridge in its sequence: read, type, read,
//! Enter.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Failure;
use super::context::{number, token, usage};
use crate::control::lead::launcher;
use crate::core::crew::{CrewVerb, Envelope};

/// The lines that are read above what a pane shows.
const LINES: &str = "20";
/// How long a pane may take to show what was typed.
const SHOWS: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(50);

/// Hands a task to the worker in a pane; gives the line that was sent.
pub(super) fn task(name: &str, words: &[String]) -> Result<String, Failure> {
    const USAGE: &str =
        "<target-pane> <task-id> <worker-id> <seq> <context-seq> <lease-token> <goal> [input-ref] [artifact-dir]";
    let (7..=9, [target, task, worker, seq, context_seq, lease, goal, rest @ ..]) = (words.len(), words) else {
        return Err(usage(name, USAGE));
    };
    let mut texts = vec![("goal".to_owned(), goal.clone())];
    let optional = ["input", "artifact_dir"].iter().zip(rest).filter(|(_, text)| !text.is_empty());
    texts.extend(optional.map(|(key, text)| ((*key).to_owned(), text.clone())));
    let bridge = BridgeProgram::find()?;
    let envelope = envelope(CrewVerb::TaskAssign, [task, worker, seq, context_seq, lease], texts)?;
    let reply = Some(bridge.own_pane()?);
    bridge.send(target, &Envelope { reply, ..envelope })
}

/// Replies to the manager in a pane; gives the line that was sent.
pub(super) fn reply(name: &str, words: &[String]) -> Result<String, Failure> {
    const USAGE: &str =
        "<target-pane> <type> <task-id> <worker-id> <seq> <context-seq> <lease-token> <note> [reply-pane] [artifact-path]";
    let (8..=10, [target, kind, task, worker, seq, context_seq, lease, note, rest @ ..]) = (words.len(), words) else {
        return Err(usage(name, USAGE));
    };
    let said = CrewVerb::of(kind).filter(|verb| !verb.is_managers());
    let verb = said.ok_or_else(|| Failure::error(format!("type {kind:?} is nothing that a worker says; nothing was sent")))?;
    let mut texts = vec![(verb.texts()[0].to_owned(), note.clone())];
    if let Some(artifact) = rest.get(1).filter(|path| !path.is_empty()) {
        if !verb.texts().contains(&"artifact") {
            return Err(Failure::error(format!("{verb} has no artifact; nothing was sent")));
        }
        texts.push(("artifact".to_owned(), artifact.clone()));
    }
    let bridge = BridgeProgram::find()?;
    let envelope = envelope(verb, [task, worker, seq, context_seq, lease], texts)?;
    let reply = match rest.first().filter(|pane| !pane.is_empty()) {
        Some(pane) => token("reply-pane", pane)?,
        None => bridge.own_pane()?,
    };
    bridge.send(target, &Envelope { reply: Some(reply), ..envelope })
}

/// An envelope of the words of a command line, without the pane for a reply.
fn envelope(
    verb: CrewVerb,
    [task, worker, seq, context_seq, lease]: [&String; 5],
    texts: Vec<(String, String)>,
) -> Result<Envelope, Failure> {
    Ok(Envelope {
        verb,
        task: token("task-id", task)?,
        worker: token("worker-id", worker)?,
        seq: number("seq", seq)?,
        reply: None,
        context_seq: number("context-seq", context_seq)?,
        lease: token("lease-token", lease)?,
        texts,
    })
}

/// The tmux-bridge that is used.
struct BridgeProgram {
    path: PathBuf,
    /// Whether it is this headcount, whose reading can be relied on.
    is_own: bool,
}

impl BridgeProgram {
    /// The one that `TMUX_BRIDGE_BIN` names, else that on the PATH, else that of smux, else this headcount.
    fn find() -> Result<Self, Failure> {
        let named = std::env::var_os("TMUX_BRIDGE_BIN").filter(|path| !path.is_empty()).map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = || std::env::split_paths(&path).map(|directory| directory.join("tmux-bridge")).find(|it| is_program(it));
        let of_smux = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".smux/bin/tmux-bridge"));
        let found = named.or_else(on_path).or_else(|| of_smux().filter(|it| is_program(it)));
        let own = launcher().map_err(Failure::error)?;
        let is_own = |path: &Path| path.canonicalize().is_ok_and(|path| own.canonicalize().is_ok_and(|own| own == path));
        let path = found.unwrap_or_else(|| own.clone());
        Ok(Self { is_own: is_own(&path), path })
    }

    fn call(&self, words: &[&str]) -> Result<String, Failure> {
        let mut command = Command::new(&self.path);
        if self.is_own {
            command.arg0("tmux-bridge");
        }
        let ran = command.args(words).stdin(Stdio::null()).output();
        let ran = ran.map_err(|error| Failure::error(format!("cannot run {}: {error}", self.path.display())))?;
        let said = String::from_utf8_lossy(&ran.stderr);
        match ran.status.success() {
            true => Ok(String::from_utf8_lossy(&ran.stdout).into_owned()),
            false if said.trim().is_empty() => {
                Err(Failure::error(format!("{} {} failed: {}", self.path.display(), words[0], ran.status)))
            }
            false => Err(Failure::told(said.trim_end())),
        }
    }

    /// The pane that this runs in.
    fn own_pane(&self) -> Result<String, Failure> {
        let said = self.call(&["id"])?;
        token("the pane that tmux-bridge names", said.trim())
    }

    fn send(&self, target: &str, envelope: &Envelope) -> Result<String, Failure> {
        let line = envelope.line().map_err(|error| Failure::error(format!("{error}; nothing was sent")))?;
        let before = self.call(&["read", target, LINES])?;
        self.call(&["type", target, &line])?;
        let unpressed = |why: &str| Failure::error(format!("it was typed into {target}, and Enter was not pressed: {why}"));
        self.see(target, &before).map_err(|failure| unpressed(failure.said.as_deref().unwrap_or_default()))?;
        self.call(&["keys", target, "Enter"]).map_err(|failure| unpressed(failure.said.as_deref().unwrap_or_default()))?;
        Ok(line + "\n")
    }

    /// Reads the pane once more: until it shows something new, where the reading is headcount's own.
    fn see(&self, target: &str, before: &str) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let now = self.call(&["read", target, LINES])?;
            if !self.is_own || now != before {
                return Ok(());
            }
            if begun.elapsed() > SHOWS {
                return Err(Failure::told("the pane shows nothing new; look at it"));
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

//! Commands of headcount that run beside the ui and only read: each is a process of its own, and ends with the ui.

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Those that run.
#[derive(Clone, Default)]
pub(super) struct Children {
    running: Arc<Mutex<BTreeMap<u64, Child>>>,
    next: Arc<AtomicU64>,
}

impl Children {
    /// Starts one, whose output is read.
    pub(super) fn start(&self, command: &mut Command) -> io::Result<(u64, ChildStdout, ChildStderr)> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let missing = || io::Error::other("it has no output");
        let (out, err) = (child.stdout.take().ok_or_else(missing)?, child.stderr.take().ok_or_else(missing)?);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, child);
        Ok((id, out, err))
    }

    /// Ends one, if it still runs.
    pub(super) fn end(&self, id: u64) {
        let child = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        child.into_iter().for_each(end);
    }

    /// Ends all of them.
    pub(super) fn end_all(&self) {
        let all = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        all.into_values().for_each(end);
    }
}

fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A command of this headcount over the same manifest.
pub(super) fn command(manifest: &str, host: Option<&str>, words: &[String]) -> Command {
    let program = std::env::current_exe().unwrap_or_else(|_| "headcount".into());
    let mut command = Command::new(program);
    command.args(arguments(manifest, host, words)).stdin(Stdio::null());
    command
}

/// Its words behind `headcount`.
pub(super) fn arguments(manifest: &str, host: Option<&str>, words: &[String]) -> Vec<String> {
    let mut all: Vec<String> = words.first().cloned().into_iter().collect();
    all.push(format!("--manifest={manifest}"));
    all.extend(host.map(|host| format!("--host={host}")));
    all.extend(words.iter().skip(1).cloned());
    all
}

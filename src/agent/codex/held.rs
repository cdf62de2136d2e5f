//! The thread a Codex process holds open. A thread has its id and its lock from the launch on, before any prompt; the background
//! daemon, where it runs the turns, holds them instead and is not asked: it serves every pane.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files;
use crate::agent::Subject;
use crate::agent::subject::Locker;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Found, Reading, Rung};

/// Where the locks are, below the home.
pub(super) const LOCKS: &str = "thread-writer-locks";

pub(super) fn reading(subject: &Subject<'_>) -> Reading {
    let locks = subject.home.join(LOCKS);
    // Open files are known by their real paths.
    let real = locks.canonicalize().unwrap_or_else(|_| locks.clone());
    let fact = subject.first_seen(|process| match subject.open_files(process) {
        Fact::Seen(paths) => only(&real, &paths),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    });
    Reading { rung: Rung::Held, looked_at: format!("locks its process holds in {}", locks.display()), fact }
}

/// What the arguments say, as long as the background daemon has that thread open: a Codex without one holds the lock itself. If
/// another has it, this one shows that it is open elsewhere, and waits; if nobody has, it went on in another thread.
pub(super) fn while_open(subject: &Subject<'_>, start: Reading) -> Reading {
    let Fact::Seen(Found::Id(id)) = &start.fact else { return start };
    let locks = subject.home.join(LOCKS);
    let but = match subject.locker(&locks.join(format!("{}.lock", id.as_str()))) {
        Fact::Seen(Locker::Other(pid)) => format!("process {pid} has {} open", id.as_str()),
        // A Codex that knew no locks left no directory of them.
        Fact::Absent if locks.is_dir() => format!("nobody has {} open", id.as_str()),
        Fact::Seen(Locker::Itself | Locker::Service) | Fact::Absent | Fact::Unknown(_) => return start,
    };
    Reading { looked_at: format!("{}, but {but}", start.looked_at), fact: Fact::Absent, ..start }
}

/// The only thread whose lock is among the open files. A `/new` or `/resume` keeps the one before open as
/// well, for a minute (0.169).
fn only(locks: &Path, open: &[PathBuf]) -> Fact<Found> {
    let held: BTreeSet<&str> = open.iter().filter_map(|path| thread(locks, path)).collect();
    let mut held = held.into_iter();
    match (held.next(), held.next()) {
        (None, _) => Fact::Absent,
        (Some(id), None) => Fact::Seen(Found::Id(ConversationId(id.to_owned()))),
        (Some(one), Some(two)) => {
            let more = if held.next().is_some() { " and more" } else { "" };
            Fact::Unknown(format!("it has several threads open, {one}, {two}{more}, and no file tells which it shows"))
        }
    }
}

fn thread<'a>(locks: &Path, path: &'a Path) -> Option<&'a str> {
    let name = path.strip_prefix(locks).ok()?.to_str()?;
    name.strip_suffix(".lock").filter(|id| files::is_uuid(id))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const ONE: &str = "01a1fc1b-b7b6-7361-96bb-4283a7de4ab6";
    const TWO: &str = "01a1fc1c-a7a8-7250-96eb-9fac0638249e";

    fn held(files: &[&str]) -> Fact<Found> {
        let open: Vec<PathBuf> = files.iter().map(|name| Path::new("/c/thread-writer-locks").join(name)).collect();
        only(Path::new("/c/thread-writer-locks"), &open)
    }

    #[test]
    fn exactly_one_thread_lock_is_proof() {
        let lock = |id: &str| format!("{id}.lock");
        let proof = Fact::Seen(Found::Id(ConversationId(ONE.into())));
        assert_eq!(held(&[".coordination.lock", &lock(ONE), &lock(ONE)]), proof);
        assert!(held(&[".coordination.lock"]).is_absent());
        assert!(held(&[&lock(ONE), &lock(TWO)]).why_unknown().is_some());
        assert!(held(&["../elsewhere.lock", "/other/x.lock", "sub/x.lock"]).is_absent());
    }
}

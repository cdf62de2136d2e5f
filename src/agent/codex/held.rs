//! The thread a Codex process holds open. A thread has its id and its lock from the launch on, before any prompt; the background
//! daemon, where it runs the turns, holds them instead and is not asked: it serves every pane.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::rollouts::is_sub_agents;
use super::{Codex, files};
use crate::agent::live_process::Locker;
use crate::agent::{Adapter, LiveProcess, TranscriptIndex};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;
use crate::core::observe::identity::{Rung, RungReading, RungValue};

/// Where the locks are, below the home.
pub(super) const LOCKS: &str = "thread-writer-locks";

/// The lock of a thread.
pub(super) fn lock(home: &Path, id: &ConversationId) -> PathBuf {
    home.join(LOCKS).join(format!("{}.lock", id.as_str()))
}

pub(super) fn reading(subject: &LiveProcess<'_>) -> RungReading {
    let locks = subject.home.join(LOCKS);
    // Open files are known by their real paths.
    let real = locks.canonicalize().unwrap_or_else(|_| locks.clone());
    let shelf = TranscriptIndex::new();
    let rollout = |id: &ConversationId| Codex.transcript(&shelf, subject.home, id, &[]).into_seen();
    let fact = subject.first_seen(|process| match subject.open_files(process) {
        Fact::Seen(paths) => only(&real, &paths, rollout),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    });
    RungReading { rung: Rung::Held, looked_at: format!("locks its process holds in {}", locks.display()), fact }
}

/// What the arguments say, as long as the background daemon has that thread open: a Codex without one holds the lock itself. If
/// another has it, this one shows that it is open elsewhere, and waits; if nobody has, it went on in another thread.
pub(super) fn while_open(subject: &LiveProcess<'_>, start: RungReading) -> RungReading {
    let Fact::Seen(RungValue::Id(id)) = &start.fact else { return start };
    let locks = subject.home.join(LOCKS);
    let but = match subject.locker(&lock(subject.home, id)) {
        Fact::Seen(Locker::Other(pid)) => format!("process {pid} has {} open", id.as_str()),
        // A Codex that knew no locks left no directory of them.
        Fact::Absent if locks.is_dir() => format!("no process has {} open", id.as_str()),
        Fact::Seen(Locker::Itself | Locker::Service) | Fact::Absent | Fact::Unknown(_) => return start,
    };
    RungReading { looked_at: format!("{}, but {but}", start.looked_at), fact: Fact::Absent, ..start }
}

/// The only thread whose lock is among the open files, sub-agents' left out: theirs stay locked after they are done. A `/new`,
/// `/fork` or `/resume` keeps the one before open as well, until the process ends (0.169).
fn only(locks: &Path, open: &[PathBuf], rollout: impl Fn(&ConversationId) -> Option<Transcript>) -> Fact<RungValue> {
    let held: BTreeSet<&str> = open.iter().filter_map(|path| thread(locks, path)).collect();
    let mut held: Vec<ConversationId> = held.into_iter().map(|id| ConversationId(id.to_owned())).collect();
    let mut last = None;
    if held.len() > 1 {
        let all: Vec<_> = held.into_iter().map(|id| (rollout(&id), id)).collect();
        let shown = |(rollout, _): &&(Option<Transcript>, _)| !rollout.as_ref().is_some_and(|it| is_sub_agents(&it.path));
        let shown: Vec<_> = all.iter().filter(shown).collect();
        last = shown.iter().filter_map(|(rollout, id)| Some((rollout.as_ref()?.modified, id.clone()))).max();
        held = shown.into_iter().map(|(_, id)| id.clone()).collect();
        if held.is_empty() {
            return Fact::Unknown("every open thread belongs to a sub-agent".to_owned());
        }
    }
    match held.as_slice() {
        [] => Fact::Absent,
        [id] => Fact::Seen(RungValue::Id(id.clone())),
        [one, two, others @ ..] => {
            let more = if others.is_empty() { "" } else { " and more" };
            let last = last.map(|(_, id)| format!(" ({id} was written last)")).unwrap_or_default();
            Fact::Unknown(format!(
                "it has several threads open, {one}, {two}{more}{last}, and no file says which one is on screen"
            ))
        }
    }
}

/// The thread whose lock this is, by whichever of its names.
fn thread<'a>(locks: &Path, path: &'a Path) -> Option<&'a str> {
    let is_lock = |name: &str| name.strip_suffix(".lock").is_some_and(files::is_uuid);
    files::name_in(locks, path, is_lock)?.strip_suffix(".lock")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "01a1fc1b-b7b6-7361-96bb-4283a7de4ab6";
    const TWO: &str = "01a1fc1c-a7a8-7250-96eb-9fac0638249e";

    const THREE: &str = "01a1fc1d-a7a8-7250-96eb-9fac0638249e";

    fn held(files: &[&str], home: &Path) -> Fact<RungValue> {
        let open: Vec<PathBuf> = files.iter().map(|name| Path::new("/c/thread-writer-locks").join(name)).collect();
        let shelf = TranscriptIndex::new();
        only(Path::new("/c/thread-writer-locks"), &open, |id| Codex.transcript(&shelf, home, id, &[]).into_seen())
    }

    #[test]
    fn exactly_one_thread_lock_is_proof() {
        let lock = |id: &str| format!("{id}.lock");
        let held = |files: &[&str]| held(files, Path::new("/nowhere"));
        let proof = Fact::Seen(RungValue::Id(ConversationId(ONE.into())));
        assert_eq!(held(&[".coordination.lock", &lock(ONE), &lock(ONE)]), proof);
        assert!(held(&[".coordination.lock"]).is_absent());
        assert!(held(&[&lock(ONE), &lock(TWO)]).why_unknown().is_some());
        assert!(held(&["../elsewhere.lock", "/other/x.lock", "sub/x.lock"]).is_absent());
    }

    #[test]
    fn a_sub_agents_thread_is_not_the_one_shown() {
        let home = tempfile::tempdir().unwrap();
        let write = |id: &str, more: serde_json::Value| {
            let mut payload = json!({ "id": id, "cwd": "/w", "timestamp": "2026-11-29T01:11:43Z", "source": "cli" });
            payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let day = home.path().join("sessions/2026/11/29");
            std::fs::create_dir_all(&day).unwrap();
            let line = json!({ "type": "session_meta", "payload": payload });
            std::fs::write(day.join(format!("rollout-2026-11-29T01-11-43-{id}.jsonl")), format!("{line}\n")).unwrap();
        };
        let lock = |id: &str| format!("{id}.lock");
        let held = |ids: &[&str]| {
            held(&ids.iter().map(|id| lock(id)).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(), home.path())
        };
        let proof = Fact::Seen(RungValue::Id(ConversationId(ONE.into())));
        write(ONE, json!({}));
        for sub_agent in [
            json!({ "source": { "subagent": { "other": "guardian" } } }),
            json!({ "source": { "subagent": { "thread_spawn": { "parent_thread_id": ONE } } }, "thread_source": "subagent" }),
            json!({ "parent_thread_id": ONE }),
        ] {
            write(TWO, sub_agent.clone());
            assert_eq!(held(&[ONE, TWO]), proof, "{sub_agent}");
            let why = held(&[ONE, TWO, THREE]).why_unknown().map(str::to_owned).unwrap();
            assert!(why.contains(THREE) && !why.contains(TWO), "a new one has no rollout yet: {why}");
        }
        for own in [json!({ "forked_from_id": ONE }), json!({ "parent_thread_id": null }), json!({ "source": "exec" })] {
            write(TWO, own.clone());
            let why = held(&[ONE, TWO]).why_unknown().map(str::to_owned);
            assert!(why.is_some_and(|why| why.contains(&format!("{TWO} was written last"))), "{own}");
        }
        write(ONE, json!({ "parent_thread_id": TWO }));
        write(TWO, json!({ "parent_thread_id": ONE }));
        assert!(held(&[ONE, TWO]).why_unknown().is_some());
        assert_eq!(held(&[ONE]), proof, "somebody resumed it");
    }
}

//! Claude Code's live registry, `sessions/<pid>.json`: which conversation a process is in and what it is doing. A file that
//! another process left behind is told by its start ticks.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files;
use crate::agent::{Scene, Subject};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Turn;
use crate::core::observe::identity::{Found, Reading, Rung};
use crate::host::ProcessInfo;

/// The most a registry file may hold; real ones hold some hundred bytes.
const MOST: u64 = 64 << 10;

/// The fields that identify.
#[derive(Deserialize)]
struct Entry<'a> {
    pid: u32,
    #[serde(rename = "sessionId", borrow)]
    session_id: Cow<'a, str>,
    /// Field 22 of `/proc/PID/stat`.
    #[serde(rename = "procStart", borrow, default)]
    proc_start: Option<Cow<'a, str>>,
}

/// The fields that say what it is doing. Apart from the others, so that a surprise in them leaves the identity what it is.
#[derive(Deserialize)]
struct Doing<'a> {
    /// Missing in the first moments.
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(rename = "waitingFor", borrow, default)]
    waiting_for: Option<Cow<'a, str>>,
}

fn file(home: &Path, pid: u32) -> PathBuf {
    home.join(format!("sessions/{pid}.json"))
}

/// What a file says of a process that it would call by this id; `None` if it speaks of no such process.
fn read(path: &Path, pid: u32, process: &ProcessInfo) -> Fact<Option<Found>> {
    match files::small(path, MOST) {
        Fact::Seen(text) => match verify(&text, pid, process) {
            Ok(found) => Fact::Seen(found),
            Err(why) => Fact::Unknown(format!("{}: {why}", path.display())),
        },
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// What the registry says of an agent.
pub(super) fn reading(subject: &Subject<'_>) -> Reading {
    let looked_at = RefCell::new(file(subject.home, subject.topmost().pid));
    let fact = subject.first_seen(|process| registered(subject, process, &looked_at));
    Reading { rung: Rung::Registry, looked_at: looked_at.into_inner().display().to_string(), fact }
}

/// What the registry says of a process, which may be in a container and know itself by another id, or count time otherwise. Nothing
/// weaker counts where a file may be its and cannot be told from another's.
fn registered(subject: &Subject<'_>, process: &ProcessInfo, looked_at: &RefCell<PathBuf>) -> Fact<Found> {
    let path = file(subject.home, process.pid);
    let is_there = match read(&path, process.pid, process) {
        Fact::Seen(Some(found)) => return Fact::Seen(found),
        Fact::Unknown(why) => return Fact::Unknown(why),
        Fact::Seen(None) => true,
        Fact::Absent => false,
    };
    let own = match subject.selfhood(process) {
        Fact::Seen(own) => own,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let doubt = |path: &Path, why: &str| {
        Fact::Unknown(format!("{} may be of process {} all the same: {why}", path.display(), process.pid))
    };
    const OTHER_TIME: &str = "it is in another time namespace, so its start cannot be compared";
    if own.pid == process.pid {
        return if is_there && !own.is_of_our_time { doubt(&path, OTHER_TIME) } else { Fact::Absent };
    }
    let path = file(subject.home, own.pid);
    looked_at.replace(path.clone());
    match read(&path, own.pid, process) {
        Fact::Seen(Some(found)) => Fact::Seen(found),
        Fact::Seen(None) if !own.is_of_our_time => doubt(&path, OTHER_TIME),
        Fact::Seen(None) => doubt(&path, "in its container it has this number, as others may in theirs"),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// What the registry in `home` says of this process, if it knows it.
pub(super) fn of(process: &ProcessInfo, home: &Path) -> Option<Reading> {
    let path = file(home, process.pid);
    let found = read(&path, process.pid, process).into_seen()??;
    Some(Reading { rung: Rung::Registry, looked_at: path.display().to_string(), fact: Fact::Seen(found) })
}

/// What the registry says this very process is doing, if it says it of this very conversation.
pub(super) fn turn(scene: &Scene<'_>) -> Fact<Turn> {
    doing(scene, |doing| match doing.status.as_deref() {
        Some("idle") => Some(Turn::Idle),
        Some("busy") => Some(Turn::Working),
        Some("waiting") => Some(Turn::Waiting),
        // A status nobody has measured says nothing.
        Some(_) | None => None,
    })
}

/// What it waits for, in its own words: `permission prompt`.
pub(super) fn awaited(scene: &Scene<'_>) -> Option<String> {
    let waiting = |doing: &Doing<'_>| doing.status.as_deref() == Some("waiting");
    doing(scene, |doing| waiting(doing).then(|| doing.waiting_for.as_deref().map(str::to_owned)).flatten()).into_seen()
}

/// What `tell` reads off the file of a process that is in this conversation by the same file.
fn doing<T>(scene: &Scene<'_>, tell: impl FnOnce(&Doing<'_>) -> Option<T>) -> Fact<T> {
    let path = file(scene.home, scene.process.pid);
    let unknown = |why: String| Fact::Unknown(format!("{}: {why}", path.display()));
    let text = match files::small(&path, MOST) {
        Fact::Seen(text) => text,
        Fact::Absent => return Fact::Absent,
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    match verify(&text, scene.process.pid, scene.process) {
        Ok(Some(Found::Id(id))) if id == *scene.id => {}
        Ok(_) => return Fact::Absent,
        Err(why) => return unknown(why),
    }
    match serde_json::from_slice::<Doing<'_>>(&text) {
        Ok(doing) => tell(&doing).map_or(Fact::Absent, Fact::Seen),
        Err(error) => unknown(format!("does not say what it is doing: {error}")),
    }
}

/// The id, if the file is this very process's, which it calls by `pid`.
fn verify(text: &[u8], pid: u32, process: &ProcessInfo) -> Result<Option<Found>, String> {
    let entry: Entry<'_> = serde_json::from_slice(text).map_err(|error| format!("not a registry file: {error}"))?;
    // Ids become parts of paths, and Claude Code makes nothing but UUIDs.
    if !files::is_uuid(&entry.session_id) {
        return Err("its sessionId is no UUID".to_owned());
    }
    let (Some(claimed), Some(ticks)) = (&entry.proc_start, process.start_ticks) else {
        return Err("the start of the process it belongs to cannot be compared".to_owned());
    };
    let claimed: u64 = claimed.parse().map_err(|_| "its procStart is no number".to_owned())?;
    if entry.pid != pid || claimed != ticks {
        return Ok(None);
    }
    Ok(Some(Found::Id(ConversationId(entry.session_id.into_owned()))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"pid":28207,"sessionId":"7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90","cwd":"/x","procStart":"367874","peerFeatures":["a"],"status":null}"#;

    fn process(pid: u32, ticks: Option<u64>) -> ProcessInfo {
        ProcessInfo {
            pid,
            parent: 1,
            started: chrono::DateTime::UNIX_EPOCH,
            start_ticks: ticks,
            has_terminal: true,
            foreground: None,
            name: "claude".into(),
            argv: vec!["claude".into()],
        }
    }

    /// The registry file of one process over its life, as 2.1.329 wrote it.
    fn recorded(state: &str) -> (tempfile::TempDir, String) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts/claude/registry-states");
        let text = std::fs::read_to_string(from.join(format!("28207.{state}.json"))).unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("sessions")).unwrap();
        std::fs::write(home.path().join("sessions/28207.json"), &text).unwrap();
        (home, text)
    }

    fn ask(home: &Path, process: &ProcessInfo, id: &str) -> (Fact<Turn>, Option<String>) {
        let id = ConversationId(id.to_owned());
        let scene = Scene { process, home, id: &id, transcript: None };
        (turn(&scene), awaited(&scene))
    }

    const RECORDED: &str = "7c1d52ce-9f0e-4f7f-a3f5-1b60a31d0001";

    #[test]
    fn the_file_of_a_live_process_says_what_it_is_doing() {
        for (state, expected, wait) in [
            ("start", Fact::Absent, None),
            ("idle", Fact::Seen(Turn::Idle), None),
            ("busy", Fact::Seen(Turn::Working), None),
            ("waiting", Fact::Seen(Turn::Waiting), Some("permission prompt".to_owned())),
        ] {
            let (home, _) = recorded(state);
            let live = process(28207, Some(367_874));
            assert_eq!(ask(home.path(), &live, RECORDED), (expected, wait), "{state}");
            assert_eq!(ask(home.path(), &process(28207, Some(367_875)), RECORDED), (Fact::Absent, None), "a reused pid");
            assert_eq!(ask(home.path(), &process(28208, Some(367_874)), RECORDED), (Fact::Absent, None), "no file");
            let other = "7c1d52ce-9f0e-4f7f-a3f5-1b60a31d0002";
            assert_eq!(ask(home.path(), &live, other), (Fact::Absent, None), "it is in another conversation by now");
        }
    }

    #[test]
    fn a_state_nobody_has_measured_says_nothing_and_leaves_the_identity_alone() {
        let (home, text) = recorded("busy");
        let live = process(28207, Some(367_874));
        let write = |status: &str| {
            std::fs::write(home.path().join("sessions/28207.json"), text.replace("\"busy\"", status)).unwrap();
            (ask(home.path(), &live, RECORDED), of(&live, home.path()).is_some())
        };
        assert_eq!(write("\"dreaming\""), ((Fact::Absent, None), true));
        assert_eq!(write("null"), ((Fact::Absent, None), true));
        let (said, is_known) = write("[7]");
        assert!(said.0.why_unknown().is_some() && is_known, "{said:?}");
        let (said, is_known) = write("\"bu");
        assert!(said.0.why_unknown().is_some() && !is_known, "{said:?}");
    }

    #[test]
    fn a_file_speaks_only_for_the_process_that_wrote_it() {
        let id = Some(Found::Id(ConversationId("7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90".into())));
        let verify = |text: &[u8], process: &ProcessInfo| verify(text, process.pid, process);
        assert_eq!(verify(ENTRY.as_bytes(), &process(28207, Some(367_874))), Ok(id));
        assert_eq!(verify(ENTRY.as_bytes(), &process(28207, Some(367_875))), Ok(None), "a reused pid");
        assert_eq!(verify(ENTRY.as_bytes(), &process(28208, Some(367_874))), Ok(None));
        assert!(verify(ENTRY.as_bytes(), &process(28207, None)).is_err());
        assert!(verify(ENTRY.replace("procStart", "other").as_bytes(), &process(28207, Some(367_874))).is_err());
        for odd in ["", "latest", "../../etc/passwd", "7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90/.."] {
            let text = ENTRY.replace("7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90", odd);
            let verdict = verify(text.as_bytes(), &process(28207, Some(367_874)));
            assert_eq!(verdict, Err("its sessionId is no UUID".to_owned()), "{odd:?}");
        }
        assert!(verify(&ENTRY.as_bytes()[..40], &process(28207, Some(367_874))).is_err());
        assert!(verify(b"", &process(28207, Some(367_874))).is_err());
    }
}

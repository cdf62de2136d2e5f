//! Claude Code's live registry, `sessions/<pid>.json`: which conversation a process is in and what it is doing. A file that
//! another process left behind is told by its start ticks. Follows a parked pane to its background job; never guesses which.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::entries::{MOST, RegistryVerdict, file, verify};
use super::{Claude, files, jobs, transcripts};
use crate::agent::{Adapter as _, LiveConversation, LiveProcess, TranscriptIndex};
use crate::core::fact::Fact;
use crate::core::observe::Activity;
use crate::core::observe::identity::{Rung, RungReading, RungValue};
use crate::host::ProcessInfo;

/// The fields that say what it is doing. Apart from the others, so that a surprise in them leaves the identity what it is.
#[derive(Deserialize)]
struct Doing<'a> {
    /// Missing in the first moments.
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
    #[serde(rename = "waitingFor", borrow, default)]
    waiting_for: Option<Cow<'a, str>>,
}

/// What a file says of a process that it would call by this id; `None` if it speaks of no such process.
fn read(path: &Path, pid: u32, process: &ProcessInfo) -> Fact<Option<RegistryVerdict>> {
    match files::small(path, MOST) {
        Fact::Seen(text) => match verify(&text, pid, process) {
            Ok(entered) => Fact::Seen(entered),
            Err(why) => Fact::Unknown(format!("{}: {why}", path.display())),
        },
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// What the registry says of an agent.
pub(super) fn reading(subject: &LiveProcess<'_>) -> RungReading {
    let looked_at = RefCell::new(file(subject.home, subject.topmost().pid));
    let fact = subject.first_seen(|process| registered(subject, process, &looked_at));
    RungReading { rung: Rung::Registry, looked_at: looked_at.into_inner().display().to_string(), fact }
}

/// What the registry says of a process, which may be in a container and know itself by another id, or count time otherwise. Nothing
/// weaker counts where a file may be its and cannot be told from another's.
fn registered(subject: &LiveProcess<'_>, process: &ProcessInfo, looked_at: &RefCell<PathBuf>) -> Fact<RungValue> {
    let path = file(subject.home, process.pid);
    let is_there = match read(&path, process.pid, process) {
        Fact::Seen(Some(entered)) => return conversation(subject, entered),
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
        Fact::Unknown(format!("{} may still belong to process {}: {why}", path.display(), process.pid))
    };
    const OTHER_TIME: &str = "the process is in another time namespace, so its start time cannot be compared";
    if own.pid == process.pid {
        return if is_there && !own.is_of_our_time { doubt(&path, OTHER_TIME) } else { attached(subject, process) };
    }
    let path = file(subject.home, own.pid);
    looked_at.replace(path.clone());
    match read(&path, own.pid, process) {
        Fact::Seen(Some(entered)) => conversation(subject, entered),
        Fact::Seen(None) if !own.is_of_our_time => doubt(&path, OTHER_TIME),
        Fact::Seen(None) => {
            doubt(&path, "that is its pid inside its container, and a process in another container may have the same pid")
        }
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// The conversation a process shows. Nothing yet while it is choosing: what its arguments say still counts then.
fn conversation(subject: &LiveProcess<'_>, entered: RegistryVerdict) -> Fact<RungValue> {
    match entered {
        RegistryVerdict::In(id) => Fact::Seen(RungValue::Id(id)),
        RegistryVerdict::Choosing => Fact::Absent,
        RegistryVerdict::Parked { id, job } => match job_conversation(subject, &job) {
            Fact::Absent => {
                let cwds: Vec<&Path> = subject.cwd.seen().map(PathBuf::as_path).into_iter().collect();
                match transcripts::continued_in(&TranscriptIndex::new(), subject.home, &id, &cwds) {
                    Fact::Seen(heir) => Fact::Seen(RungValue::Id(heir)),
                    Fact::Absent => Fact::Unknown(format!(
                        "{id} continued in background job {job}, and no file names that job's conversation"
                    )),
                    Fact::Unknown(why) => Fact::Unknown(why),
                }
            }
            told => told,
        },
    }
}

fn job_conversation(subject: &LiveProcess<'_>, job: &str) -> Fact<RungValue> {
    jobs::conversation(subject.home, job, |pid| subject.process(pid)).map(RungValue::Id)
}

/// What a process without a file of its own shows.
fn attached(subject: &LiveProcess<'_>, process: &ProcessInfo) -> Fact<RungValue> {
    attached_to(process).map_or(Fact::Absent, |job| job_conversation(subject, job))
}

/// The job that a process was started to show: `claude attach JOB`.
fn attached_to(process: &ProcessInfo) -> Option<&str> {
    match args(process) {
        [verb, job, ..] if verb == "attach" => Some(job),
        _ => None,
    }
}

/// What the registry in `home` says of this process, if that is plain: it is in this conversation.
pub(super) fn of(process: &ProcessInfo, home: &Path) -> Option<RungReading> {
    let path = file(home, process.pid);
    let RegistryVerdict::In(id) = read(&path, process.pid, process).into_seen()?? else { return None };
    Some(RungReading { rung: Rung::Registry, looked_at: path.display().to_string(), fact: Fact::Seen(RungValue::Id(id)) })
}

/// What a process is doing, whichever conversation it is in: it has not begun one, or it shows a background job's.
pub(super) fn phase(process: &ProcessInfo, home: &Path) -> Fact<Activity> {
    match read(&file(home, process.pid), process.pid, process) {
        Fact::Seen(Some(RegistryVerdict::In(_))) => Fact::Absent,
        Fact::Seen(Some(RegistryVerdict::Parked { .. })) => Fact::Seen(Activity::Parked),
        // The agents view and an attached pane have no file of their own.
        _ if args(process).first().is_some_and(|verb| verb == "attach" || verb == "agents") => Fact::Seen(Activity::Parked),
        Fact::Seen(Some(RegistryVerdict::Choosing) | None) | Fact::Absent => Fact::Seen(Activity::Starting),
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// The arguments behind the program's name, whatever runs it.
fn args(process: &ProcessInfo) -> &[String] {
    Claude.recognise("", &process.argv).map_or(&[], |invocation| invocation.args)
}

/// What the registry says this very process is doing, if it says it of this very conversation. A parked pane does what its job does.
pub(super) fn turn(scene: &LiveConversation<'_>) -> Fact<Activity> {
    doing(scene, |doing, _| match doing.status.as_deref() {
        // The turn is over; a shell that it began runs on (2.1.329).
        Some("idle" | "shell") => Some(Activity::Idle),
        Some("busy") => Some(Activity::Working),
        Some("waiting") => Some(Activity::Waiting),
        // A status nobody has measured says nothing.
        Some(_) | None => None,
    })
}

/// What it waits for, in its own words (`permission prompt`), what runs on beside it, or what the job of a parked pane does.
pub(super) fn awaited(scene: &LiveConversation<'_>) -> Option<String> {
    let told = |doing: &Doing<'_>, is_job: bool| {
        let what = doing.waiting_for.as_deref();
        match doing.status.as_deref() {
            Some("waiting") if is_job => {
                Some(what.map_or("its job is waiting".to_owned(), |what| format!("its job is waiting for: {what}")))
            }
            Some("waiting") => what.map(str::to_owned),
            Some("busy") if is_job => Some("its job is working".to_owned()),
            Some("shell") => Some("a background shell runs".to_owned()),
            _ => None,
        }
    };
    doing(scene, told).into_seen()
}

/// What `tell` reads off the file of a process that is in this conversation by the same file: its own, or that of the job it shows
/// (then the flag is set).
fn doing<T>(scene: &LiveConversation<'_>, tell: impl FnOnce(&Doing<'_>, bool) -> Option<T>) -> Fact<T> {
    let path = file(scene.home, scene.process.pid);
    let unknown = |why: String| Fact::Unknown(format!("{}: {why}", path.display()));
    let (text, own) = match files::small(&path, MOST) {
        Fact::Seen(text) => match verify(&text, scene.process.pid, scene.process) {
            Ok(entered) => (text, entered),
            Err(why) => return unknown(why),
        },
        Fact::Absent => (Vec::new(), None),
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let job = match own {
        Some(RegistryVerdict::In(id)) if id == *scene.id => None,
        Some(RegistryVerdict::Parked { job, .. }) => Some(job),
        Some(RegistryVerdict::In(_) | RegistryVerdict::Choosing) => return Fact::Absent,
        None => match attached_to(scene.process) {
            Some(job) => Some(job.to_owned()),
            None => return Fact::Absent,
        },
    };
    let text = match &job {
        Some(job) => match jobs::worker(scene.home, job, |pid| scene.host.process(pid)) {
            Fact::Seen(worker) if worker.id == *scene.id => worker.text,
            Fact::Seen(_) | Fact::Absent => return Fact::Absent,
            Fact::Unknown(why) => return Fact::Unknown(why),
        },
        None => text,
    };
    match serde_json::from_slice::<Doing<'_>>(&text) {
        Ok(doing) => tell(&doing, job.is_some()).map_or(Fact::Absent, Fact::Seen),
        Err(error) => unknown(format!("its registry file does not say what it is doing: {error}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::ConversationId;

    const ENTRY: &str = r#"{"pid":28207,"sessionId":"7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90","cwd":"/x","procStart":"367874","peerFeatures":["a"],"status":"idle"}"#;

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

    fn ask(home: &Path, process: &ProcessInfo, id: &str) -> (Fact<Activity>, Option<String>) {
        let id = ConversationId(id.to_owned());
        let host = crate::host::LocalHost::new(crate::host::Environ::default());
        let scene = LiveConversation { host: &host, process, home, id: &id, transcript: None };
        (turn(&scene), awaited(&scene))
    }

    const RECORDED: &str = "7c1d52ce-9f0e-4f7f-a3f5-1b60a31d0001";

    #[test]
    fn the_file_of_a_live_process_says_what_it_is_doing() {
        for (state, expected, wait) in [
            ("start", Fact::Absent, None),
            ("idle", Fact::Seen(Activity::Idle), None),
            ("busy", Fact::Seen(Activity::Working), None),
            ("waiting", Fact::Seen(Activity::Waiting), Some("permission prompt".to_owned())),
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
        assert_eq!(write("null"), ((Fact::Absent, None), false), "without a status it has not chosen a conversation");
        assert_eq!(write("\"shell\""), ((Fact::Seen(Activity::Idle), Some("a background shell runs".to_owned())), true));
        let (said, is_known) = write("[7]");
        assert!(said.0.why_unknown().is_some() && is_known, "{said:?}");
        let (said, is_known) = write("\"bu");
        assert!(said.0.why_unknown().is_some() && !is_known, "{said:?}");
    }

    #[test]
    fn a_process_is_starting_until_its_file_has_a_status_and_parked_once_that_names_a_job() {
        let live = process(28207, Some(367_874));
        for (state, expected) in [("start", Fact::Seen(Activity::Starting)), ("idle", Fact::Absent), ("waiting", Fact::Absent)]
        {
            let (home, _) = recorded(state);
            assert_eq!(phase(&live, home.path()), expected, "{state}");
            let missing = process(28208, Some(367_874));
            assert_eq!(phase(&missing, home.path()), Fact::Seen(Activity::Starting), "no file yet");
            let called = |line: &str| ProcessInfo { argv: line.split(' ').map(str::to_owned).collect(), ..missing.clone() };
            assert_eq!(phase(&called("claude attach 1a2b3c4d"), home.path()), Fact::Seen(Activity::Parked));
            assert_eq!(phase(&called("claude agents"), home.path()), Fact::Seen(Activity::Parked));
            assert_eq!(phase(&called("claude hello agents"), home.path()), Fact::Seen(Activity::Starting));
        }
        let (home, text) = recorded("idle");
        let parked = text.replace("\"status\"", "\"parkedJobId\":\"1a2b3c4d\",\"status\"");
        std::fs::write(home.path().join("sessions/28207.json"), &parked).unwrap();
        assert_eq!(phase(&live, home.path()), Fact::Seen(Activity::Parked));
        assert!(of(&live, home.path()).is_none(), "the id it was frozen at proves nothing");
        assert_eq!(ask(home.path(), &live, RECORDED), (Fact::Absent, None));
    }

    #[test]
    fn a_file_speaks_only_for_the_process_that_wrote_it() {
        let id = Some(RegistryVerdict::In(ConversationId("7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90".into())));
        let verify = |text: &[u8], process: &ProcessInfo| verify(text, process.pid, process);
        assert_eq!(verify(ENTRY.as_bytes(), &process(28207, Some(367_874))), Ok(id));
        assert_eq!(verify(ENTRY.as_bytes(), &process(28207, Some(367_875))), Ok(None), "a reused pid");
        assert_eq!(verify(ENTRY.as_bytes(), &process(28208, Some(367_874))), Ok(None));
        assert!(verify(ENTRY.as_bytes(), &process(28207, None)).is_err());
        assert!(verify(ENTRY.replace("procStart", "other").as_bytes(), &process(28207, Some(367_874))).is_err());
        for odd in ["", "latest", "../../etc/passwd", "7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90/.."] {
            let text = ENTRY.replace("7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90", odd);
            let verdict = verify(text.as_bytes(), &process(28207, Some(367_874)));
            assert_eq!(verdict, Err("its sessionId is not a UUID".to_owned()), "{odd:?}");
        }
        assert!(verify(&ENTRY.as_bytes()[..40], &process(28207, Some(367_874))).is_err());
        assert!(verify(b"", &process(28207, Some(367_874))).is_err());
    }
}

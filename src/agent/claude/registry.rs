//! Claude Code's live registry, `sessions/<pid>.json`. A file that another process left behind is told by its start ticks.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files;
use crate::agent::Subject;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
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

fn file(home: &Path, process: &ProcessInfo) -> PathBuf {
    home.join(format!("sessions/{}.json", process.pid))
}

fn read(path: &Path, process: &ProcessInfo) -> Fact<Found> {
    match files::small(path, MOST) {
        Fact::Seen(text) => verify(&text, process).unwrap_or_else(|why| Fact::Unknown(format!("{}: {why}", path.display()))),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// What the registry says of an agent.
pub(super) fn reading(subject: &Subject<'_>) -> Reading {
    let fact = subject.first_seen(|process| read(&file(subject.home, process), process));
    Reading { rung: Rung::Registry, looked_at: file(subject.home, subject.topmost()).display().to_string(), fact }
}

/// What the registry in `home` says of this process, if it knows it.
pub(super) fn of(process: &ProcessInfo, home: &Path) -> Option<Reading> {
    let path = file(home, process);
    let fact = read(&path, process);
    let looked_at = fact.seen().map(|_| path.display().to_string())?;
    Some(Reading { rung: Rung::Registry, looked_at, fact })
}

/// The id, if the file is this very process's.
fn verify(text: &[u8], process: &ProcessInfo) -> Result<Fact<Found>, String> {
    let entry: Entry<'_> = serde_json::from_slice(text).map_err(|error| format!("not a registry file: {error}"))?;
    // Ids become parts of paths, and Claude Code makes nothing but UUIDs.
    if !files::is_uuid(&entry.session_id) {
        return Err("its sessionId is no UUID".to_owned());
    }
    let (Some(claimed), Some(ticks)) = (&entry.proc_start, process.start_ticks) else {
        return Err("the start of the process it belongs to cannot be compared".to_owned());
    };
    let claimed: u64 = claimed.parse().map_err(|_| "its procStart is no number".to_owned())?;
    if entry.pid != process.pid || claimed != ticks {
        return Ok(Fact::Absent);
    }
    Ok(Fact::Seen(Found::Id(ConversationId(entry.session_id.into_owned()))))
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

    #[test]
    fn a_file_speaks_only_for_the_process_that_wrote_it() {
        let id = Fact::Seen(Found::Id(ConversationId("7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90".into())));
        assert_eq!(verify(ENTRY.as_bytes(), &process(28207, Some(367_874))), Ok(id));
        assert_eq!(verify(ENTRY.as_bytes(), &process(28207, Some(367_875))), Ok(Fact::Absent), "a reused pid");
        assert_eq!(verify(ENTRY.as_bytes(), &process(28208, Some(367_874))), Ok(Fact::Absent));
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

//! The files of Claude Code's live registry: where they are, and which conversation one says its process is in. Never reads what a
//! process is doing.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::files;
use crate::agent::live_process::NamedConversations;
use crate::core::ids::ConversationId;
use crate::host::ProcessInfo;

/// The most a registry file may hold; real ones hold some hundred bytes.
pub(super) const MOST: u64 = 64 << 10;

/// More registry files than this are not searched for a job.
const MOST_FILES: usize = 4096;

/// The fields that identify.
#[derive(Deserialize)]
pub(super) struct RegistryFile<'a> {
    pub(super) pid: u32,
    #[serde(rename = "sessionId", borrow)]
    session_id: Cow<'a, str>,
    /// Field 22 of `/proc/PID/stat`.
    #[serde(rename = "procStart", borrow, default)]
    proc_start: Option<Cow<'a, str>>,
    /// Missing while a picker or a dialog of the start is open: the id is a placeholder then.
    #[serde(default)]
    status: Option<IgnoredAny>,
    /// The background job in which the conversation goes on (2.1.329: the first 8 digits of its new id).
    #[serde(rename = "parkedJobId", borrow, default)]
    parked_in: Option<Cow<'a, str>>,
    /// The job that this process is.
    #[serde(rename = "jobId", borrow, default)]
    pub(super) job: Option<Cow<'a, str>>,
}

/// What a file of a live process says of its conversation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RegistryVerdict {
    /// It is in this one.
    In(ConversationId),
    /// It has not chosen one yet.
    Choosing,
    /// It was in this one, which went on in a background job.
    Parked { id: ConversationId, job: String },
}

/// The file of a process.
pub(super) fn file(home: &Path, pid: u32) -> PathBuf {
    home.join(format!("sessions/{pid}.json"))
}

/// The registry files in a home.
pub(super) fn entries(home: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(home.join("sessions")).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|it| it == "json")).take(MOST_FILES)
}

/// The conversations that registry files name.
pub(super) fn named(home: &Path) -> NamedConversations {
    let read = |path: PathBuf| {
        let text = files::small(&path, MOST).into_seen()?;
        let entry: RegistryFile<'_> = serde_json::from_slice(&text).ok()?;
        Some((entry.pid, entry.session_id.into_owned()))
    };
    Arc::new(entries(home).filter_map(read).collect())
}

/// Whether a registry file names a conversation.
pub(super) fn names(home: &Path, id: &ConversationId) -> bool {
    named(home).iter().any(|(_, named)| named == id.as_str())
}

/// What the file says, if it is this very process's, which it calls by `pid`.
pub(super) fn verify(text: &[u8], pid: u32, process: &ProcessInfo) -> Result<Option<RegistryVerdict>, String> {
    let entry: RegistryFile<'_> = serde_json::from_slice(text).map_err(|error| format!("not a registry file: {error}"))?;
    // Ids become parts of paths, and Claude Code makes nothing but UUIDs.
    if !files::is_uuid(&entry.session_id) {
        return Err("its sessionId is not a UUID".to_owned());
    }
    let (Some(claimed), Some(ticks)) = (&entry.proc_start, process.start_ticks) else {
        return Err("the start time of its process cannot be compared".to_owned());
    };
    let claimed: u64 = claimed.parse().map_err(|_| "its procStart is not a number".to_owned())?;
    if entry.pid != pid || claimed != ticks {
        return Ok(None);
    }
    let id = ConversationId(entry.session_id.into_owned());
    Ok(Some(match (entry.parked_in, entry.status) {
        (Some(job), _) => RegistryVerdict::Parked { id, job: job.into_owned() },
        (None, Some(_)) => RegistryVerdict::In(id),
        (None, None) => RegistryVerdict::Choosing,
    }))
}

//! The files of Claude Code's live registry: where they are and the fields that identify. Never says whether one is believed.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::files;
use crate::core::ids::ConversationId;

/// The most a registry file may hold; real ones hold some hundred bytes.
pub(super) const MOST: u64 = 64 << 10;

/// More registry files than this are not searched for a job.
const MOST_FILES: usize = 4096;

/// The fields that identify.
#[derive(Deserialize)]
pub(super) struct Entry<'a> {
    pub(super) pid: u32,
    #[serde(rename = "sessionId", borrow)]
    pub(super) session_id: Cow<'a, str>,
    /// Field 22 of `/proc/PID/stat`.
    #[serde(rename = "procStart", borrow, default)]
    pub(super) proc_start: Option<Cow<'a, str>>,
    /// Missing while a picker or a dialog of the start is open: the id is a placeholder then.
    #[serde(default)]
    pub(super) status: Option<IgnoredAny>,
    /// The background job in which the conversation goes on (2.1.329: the first 8 digits of its new id).
    #[serde(rename = "parkedJobId", borrow, default)]
    pub(super) parked_in: Option<Cow<'a, str>>,
    /// The job that this process is.
    #[serde(rename = "jobId", borrow, default)]
    pub(super) job: Option<Cow<'a, str>>,
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

/// The conversations that registry files of other processes name: none of them is this one's.
pub(super) fn of_others(home: &Path, pid: u32) -> HashSet<String> {
    let read = |path: PathBuf| {
        let text = files::small(&path, MOST).into_seen()?;
        let entry: Entry<'_> = serde_json::from_slice(&text).ok()?;
        (entry.pid != pid).then(|| entry.session_id.into_owned())
    };
    entries(home).filter_map(read).collect()
}

/// Whether a registry file names a conversation.
pub(super) fn names(home: &Path, id: &ConversationId) -> bool {
    of_others(home, 0).contains(id.as_str())
}

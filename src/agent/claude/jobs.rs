//! Claude Code's background jobs: which conversation one is in, and its live process. Never guesses which job a pane shows.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use super::entries::{self, RegistryFile, RegistryVerdict, entries, verify};
use super::files;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::host::ProcessInfo;

/// The most a job's own file may hold: the prompt it was begun with is in it.
const MOST: u64 = 1 << 20;

/// What is read of a job's own file, `jobs/<job>/state.json` (2.1.329). It stays when the job's process ends.
#[derive(Deserialize)]
struct State<'a> {
    #[serde(rename = "daemonShort", borrow)]
    job: Cow<'a, str>,
    /// The conversation it would be resumed with, which follows a `/clear`.
    #[serde(rename = "resumeSessionId", borrow)]
    id: Cow<'a, str>,
}

/// The process of a job.
pub(super) struct Worker {
    /// The conversation it is in.
    pub(super) id: ConversationId,
    /// What its registry file holds.
    pub(super) text: Vec<u8>,
}

/// The conversation of a background job: what its live process says, else what the job would be resumed with. `process` finds one
/// by its id.
pub(super) fn conversation(home: &Path, job: &str, process: impl Fn(u32) -> Fact<ProcessInfo>) -> Fact<ConversationId> {
    match worker(home, job, process) {
        Fact::Seen(worker) => Fact::Seen(worker.id),
        Fact::Absent => resumed_with(home, job),
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// The live process of a job, by the registry file that names the job as its own.
pub(super) fn worker(home: &Path, job: &str, process: impl Fn(u32) -> Fact<ProcessInfo>) -> Fact<Worker> {
    let mut found: Option<Worker> = None;
    for path in entries(home) {
        let Fact::Seen(text) = files::small(&path, entries::MOST) else { continue };
        let Ok(entry) = serde_json::from_slice::<RegistryFile<'_>>(&text) else { continue };
        if entry.job.as_deref() != Some(job) {
            continue;
        }
        let Fact::Seen(process) = process(entry.pid) else { continue };
        if let Ok(Some(RegistryVerdict::In(id))) = verify(&text, process.pid, &process) {
            if found.as_ref().is_some_and(|other| other.id != id) {
                return Fact::Unknown(format!("several live processes claim to be background job {job}"));
            }
            found = Some(Worker { id, text });
        }
    }
    found.map_or(Fact::Absent, Fact::Seen)
}

/// The conversation that a job without a live process would be resumed with.
fn resumed_with(home: &Path, job: &str) -> Fact<ConversationId> {
    if !files::is_file_name(job) {
        return Fact::Absent;
    }
    let path = home.join("jobs").join(job).join("state.json");
    match files::small(&path, MOST) {
        Fact::Seen(text) => match serde_json::from_slice::<State<'_>>(&text) {
            Ok(state) if state.job == job && files::is_uuid(&state.id) => Fact::Seen(ConversationId(state.id.into_owned())),
            Ok(_) => Fact::Absent,
            Err(error) => Fact::Unknown(format!("{}: not the state of a job: {error}", path.display())),
        },
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;

    use super::*;

    const A: &str = "ff9d2cd9-3afd-4aba-80c9-29f823044c3d";
    const B: &str = "1a551c61-5c25-4056-acd3-fff2dfc7b9af";
    const C: &str = "7c826c2f-a75c-4818-880e-f23489910a69";

    fn live(pid: u32) -> ProcessInfo {
        ProcessInfo {
            pid,
            parent: 1,
            started: chrono::DateTime::UNIX_EPOCH,
            start_ticks: Some(u64::from(pid)),
            has_terminal: true,
            foreground: None,
            name: "claude".into(),
            argv: vec!["claude".into(), "bg-spare".into()],
        }
    }

    #[test]
    fn a_job_is_in_what_its_live_process_says_and_then_in_what_it_would_be_resumed_with() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        fs::create_dir_all(home.join("sessions")).unwrap();
        fs::create_dir_all(home.join("jobs/ff9d2cd9")).unwrap();
        let registry = |pid: u32, id: &str, job: &str| {
            let text = format!(
                r#"{{"pid":{pid},"sessionId":"{id}","procStart":"{pid}","kind":"bg","jobId":"{job}","status":"idle"}}"#
            );
            fs::write(home.join(format!("sessions/{pid}.json")), text).unwrap();
        };
        let state = |job: &str, id: &str| {
            let text = format!(
                r#"{{"state":"stopped","intent":"x","sessionId":"{A}","resumeSessionId":"{id}","daemonShort":"{job}"}}"#
            );
            fs::write(home.join("jobs/ff9d2cd9/state.json"), text).unwrap();
        };
        let all_live = |pid| Fact::Seen(live(pid));
        let ask = |process: &dyn Fn(u32) -> Fact<ProcessInfo>| conversation(home, "ff9d2cd9", process);
        let is = |id: &str| Fact::Seen(ConversationId(id.into()));

        assert_eq!(ask(&all_live), Fact::Absent, "nothing names it");
        state("ff9d2cd9", A);
        assert_eq!(ask(&all_live), is(A));
        registry(7, B, "ff9d2cd9");
        registry(8, C, "7c826c2f");
        assert_eq!(ask(&all_live), is(B), "after a /clear its process knows before its file does");
        assert_eq!(ask(&|_| Fact::Absent), is(A), "its process has ended");
        let reused = |pid| Fact::Seen(ProcessInfo { start_ticks: Some(1), ..live(pid) });
        state("ff9d2cd9", B);
        assert_eq!(ask(&reused), is(B), "another process has its id now, and a /clear was followed before");
        registry(9, C, "ff9d2cd9");
        assert!(ask(&all_live).why_unknown().is_some(), "two that say so");
        for odd in ["latest", "../x", ""] {
            state("ff9d2cd9", odd);
            assert_eq!(ask(&|_| Fact::Absent), Fact::Absent, "{odd}");
        }
        state("7c826c2f", C);
        assert_eq!(ask(&|_| Fact::Absent), Fact::Absent, "the file is another job's");
        fs::write(home.join("jobs/ff9d2cd9/state.json"), "{").unwrap();
        assert!(ask(&|_| Fact::Absent).why_unknown().is_some());
        for odd in ["../jobs/ff9d2cd9", "", "..", "/etc"] {
            assert_eq!(conversation(home, odd, |_| Fact::Absent), Fact::Absent, "{odd:?}");
        }
    }
}

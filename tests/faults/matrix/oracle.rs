//! Knows the truth of a stage, and says what a command got wrong or lost. Never trusts what the command says of itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use serde_json::Value;

use super::manner::Ran;
use super::stage::{COMMENTS, Stage, files};
use super::verb::Verb;
use crate::support::Claude;

/// What a manifest says of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) status: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) job: Option<String>,
}

/// The entries of a manifest; none if it does not parse.
pub(crate) fn entries(text: &str) -> BTreeMap<String, Entry> {
    let manifest: Value = serde_yaml::from_str(text).unwrap_or_default();
    let string = |value: &Value| value.as_str().map(str::to_owned);
    let entry = |entry: &Value| {
        let (status, id, job) = (string(&entry["status"]), string(&entry["session_id"]), string(&entry["delegate_job_id"]));
        Some((string(&entry["name"])?, Entry { status, id, job }))
    };
    manifest["sessions"].as_array().into_iter().flatten().filter_map(entry).collect()
}

/// All the text in the job registry.
pub(crate) fn jobs(stage: &Stage) -> String {
    files(&stage.jobs()).iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// The jobs in the registry that are delegated to a session.
pub(crate) fn delegated(stage: &Stage, session: &str) -> Vec<String> {
    let jobs = files(&stage.jobs()).into_iter().filter_map(|path| fs::read_to_string(path).ok());
    let jobs = jobs.filter_map(|text| serde_json::from_str::<Value>(&text).ok());
    let meant = |job: &Value| job["agent_session"].as_str().is_some_and(|known| known.ends_with(&format!(":{session}")));
    jobs.filter(meant).filter_map(|job| Some(job["job_id"].as_str()?.to_owned())).collect()
}

/// The number of the change that recorded a session as running.
pub(crate) fn first_record(stage: &Stage, session: &str) -> String {
    let lines = journal(stage).into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let mut of_session = lines.filter(|entry| entry["session"]["name"] == *session && entry["class"] == "revived");
    of_session.next().and_then(|entry| Some(entry["id"].as_str()?.to_owned())).expect("the first record")
}

/// Whether that change is taken back.
pub(crate) fn is_undone(stage: &Stage) -> bool {
    entries(&stage.text()).get(&stage.steady).is_some_and(|entry| entry.status.is_none())
}

/// What the manifest does not say as it is.
pub(crate) fn differences(stage: &Stage, text: &str) -> Vec<String> {
    let entries = entries(text);
    let mut differences = Vec::new();
    for (name, truth) in declared(stage) {
        let entry = entries.get(name).cloned().unwrap_or_default();
        let is_so = match truth {
            Some(alive) => entry.status.as_deref() == Some("running") && entry.id.as_deref() == Some(alive.id.as_str()),
            None => entry.status.as_deref() == Some("terminated"),
        };
        if !is_so {
            let truth = truth.as_ref().map(|alive| alive.id.as_str());
            differences.push(format!("{name:?} is {truth:?}, the manifest says {entry:?}"));
        }
    }
    differences
}

/// The truth of the sessions that the manifest has now.
fn declared(stage: &Stage) -> impl Iterator<Item = (&String, &Option<Claude>)> {
    let entries = entries(&stage.text());
    let is_cut = !entries.is_empty() && !stage.text().contains(COMMENTS[2]);
    stage.truth.iter().filter(move |(name, _)| !is_cut || entries.contains_key(*name))
}

/// Whether a status tells every session as it is.
pub(crate) fn tells_all(stage: &Stage, answer: &Value) -> bool {
    let word = |name: &str| {
        let rows = answer["sessions"].as_array().into_iter().flatten();
        rows.into_iter().find(|row| row["session"]["name"] == *name).and_then(|row| row["observed"].as_str())
    };
    let is_so = |(name, truth): (&String, &Option<_>)| word(name) == Some(if truth.is_some() { "alive" } else { "gone" });
    declared(stage).all(is_so) && answer["unknown"].as_array().is_some_and(Vec::is_empty)
}

/// Whether a report has every drift there is of those that matter here.
pub(crate) fn reports_all(stage: &Stage, answer: &Value) -> bool {
    let drifts = answer["drifts"].as_array().cloned().unwrap_or_default();
    let has =
        |name: &str, class: &str| drifts.iter().any(|drift| drift["session"]["name"] == *name && drift["class"] == *class);
    let is_told = |(name, truth): (&String, &Option<Claude>)| match truth {
        None => has(name, "dead"),
        Some(alive) => stage.recorded[name].as_deref() == Some(alive.id.as_str()) || has(name, "new-id"),
    };
    declared(stage).all(is_told) && answer["unknown"].as_array().is_some_and(Vec::is_empty)
}

/// What has to be as it was after a command.
pub(crate) struct Before {
    verb: Verb,
    manifest: Option<Vec<u8>>,
    shape: Option<(bool, u32, u32)>,
    artefacts: Vec<(PathBuf, Vec<u8>)>,
    journal: Vec<String>,
    /// Whether the manifest was whole, so that it has to be whole again.
    is_whole: bool,
}

/// Looks at all that a command must not change.
pub(crate) fn before(stage: &Stage, verb: Verb) -> Before {
    let text = stage.text();
    Before {
        verb,
        manifest: fs::read(stage.manifest()).ok(),
        shape: shape(stage),
        artefacts: artefacts(stage),
        journal: journal(stage),
        is_whole: is_whole(&text),
    }
}

fn is_whole(text: &str) -> bool {
    COMMENTS.iter().all(|comment| text.contains(comment)) && !entries(text).is_empty()
}

fn shape(stage: &Stage) -> Option<(bool, u32, u32)> {
    let (link, file) = (stage.manifest().symlink_metadata().ok()?, stage.manifest().metadata().ok()?);
    Some((link.is_symlink(), file.mode(), file.uid()))
}

fn artefacts(stage: &Stage) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for directory in [".claude", ".local/share/opencode"] {
        all.extend(files(&stage.world().home().join(directory)));
    }
    all.sort();
    all.into_iter().map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect()
}

/// The whole lines of the journal.
fn journal(stage: &Stage) -> Vec<String> {
    let all = files(&stage.state()).into_iter().filter(|path| path.ends_with("journal.jsonl"));
    let text: String = all.filter_map(|path| fs::read_to_string(path).ok()).collect();
    text.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).map(str::to_owned).collect()
}

/// What a command got wrong or lost.
pub(crate) fn wrong(stage: &Stage, before: &Before, ran: &Ran) -> Vec<String> {
    let mut wrong = Vec::new();
    if ran.hung {
        wrong.push("hung".to_owned());
    }
    if ran.err.contains("panicked") {
        wrong.push(format!("panicked: {}", ran.err));
    }
    if ran.out.contains('\u{1b}') || ran.err.contains('\u{1b}') {
        wrong.push("an escape sequence came through".to_owned());
    }
    if stage.root().join("pwned").exists() || stage.desk().join("pwned").exists() {
        wrong.push("a name was run as a command".to_owned());
    }
    wrong.extend(wrong_answer(stage, ran));
    wrong.extend(wrong_manifest(stage, before));
    let journal = journal(stage);
    if let Some(line) = before.journal.iter().find(|line| !journal.contains(line)) {
        wrong.push(format!("the journal lost {line}"));
    }
    if !stage.transcripts_grow && artefacts(stage) != before.artefacts {
        wrong.push("a file of an agent changed".to_owned());
    }
    for (name, alive) in &stage.truth {
        if alive.as_ref().is_some_and(|alive| !std::path::Path::new(&format!("/proc/{}", alive.pid)).exists()) {
            wrong.push(format!("{name:?} was ended"));
        }
    }
    wrong
}

/// What the manifest says that is not so, and what is not in it any more.
fn wrong_manifest(stage: &Stage, before: &Before) -> Vec<String> {
    let mut wrong = Vec::new();
    if shape(stage) != before.shape {
        wrong.push(format!("the manifest was {:?}, is {:?}", before.shape, shape(stage)));
    }
    let now = fs::read(stage.manifest()).ok();
    let is_asked = before.verb == Verb::Undo && is_undone(stage);
    if (!before.verb.writes() || (!before.is_whole && !is_asked))
        && stage.saves.is_none()
        && !stage.was_saved
        && now != before.manifest
    {
        wrong.push("the manifest changed".to_owned());
    }
    if !before.is_whole {
        return wrong;
    }
    let text = stage.text();
    if !is_whole(&text) {
        wrong.push(format!("the manifest is not whole: {text:?}"));
        return wrong;
    }
    let entries = entries(&text);
    for (name, recorded) in &stage.recorded {
        let Some(entry) = entries.get(name) else {
            wrong.push(format!("{name:?} is not in the manifest"));
            continue;
        };
        let truth = &stage.truth[name];
        let allowed = if truth.is_some() { "running" } else { "terminated" };
        let undone = before.verb == Verb::Undo && *name == stage.steady && entry.status.is_none();
        if !undone && ![Some("running"), Some(allowed)].contains(&entry.status.as_deref()) {
            wrong.push(format!("{name:?} is said to be {:?}", entry.status));
        }
        let proven = truth.as_ref().map(|alive| alive.id.as_str());
        let was = |id: &String| stage.past.get(name).is_some_and(|past| past.contains(id));
        let is_so = entry.id.as_deref() == proven || entry.id.as_ref().is_some_and(was);
        if entry.id != *recorded && (entry.id.is_none() || !is_so) {
            wrong.push(format!("{name:?} is said to be in {:?}, is in {proven:?}", entry.id));
        }
    }
    wrong
}

/// What an answer says that is not so.
fn wrong_answer(stage: &Stage, ran: &Ran) -> Vec<String> {
    let Some(answer) = ran.json() else { return Vec::new() };
    let mut wrong = Vec::new();
    let each = |list: &str| answer[list].as_array().cloned().unwrap_or_default();
    for row in each("sessions") {
        let Some(truth) = row["session"]["name"].as_str().and_then(|name| stage.truth.get(name)) else { continue };
        let right = if truth.is_some() { "alive" } else { "gone" };
        if row["observed"] != right && row["observed"] != "unknown" {
            wrong.push(format!("{} is told as {}", row["session"]["name"], row["observed"]));
        }
    }
    for drift in each("drifts") {
        let Some(truth) = drift["session"]["name"].as_str().and_then(|name| stage.truth.get(name)) else { continue };
        let class = drift["class"].as_str().unwrap_or_default();
        let is_wrong = match (class, truth) {
            ("dead" | "agent-gone", Some(_)) | ("revived" | "new-id" | "moved", None) => true,
            ("stale-id", _) => !stage.transcripts_gone,
            ("new-id", Some(alive)) => !drift["edits"].as_array().is_some_and(|edits| edits[0]["to"] == *alive.id.as_str()),
            _ => false,
        };
        if is_wrong {
            wrong.push(format!("{class}: {}", drift["message"]));
        }
    }
    wrong
}

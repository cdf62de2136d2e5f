//! Claude Code's transcripts, `projects/<workspace>/<id>.jsonl`: where one is, and which appeared since a process started.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{encode, files};
use crate::agent::{Shelf, Subject};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;
use crate::core::observe::identity::{Appearance, Found, Reading, Rung};

/// How much earlier than the process a transcript may seem to have appeared and still be shown as a candidate.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// What is read of a line.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    cwd: Option<Cow<'a, str>>,
    #[serde(default)]
    timestamp: Option<DateTime<Utc>>,
}

/// The id a file's name gives.
fn id_of(name: &str) -> Option<&str> {
    name.strip_suffix(".jsonl").filter(|id| !id.is_empty())
}

/// Where a conversation is kept: in the directory of one of the workspaces, else anywhere in the home.
pub(super) fn find(shelf: &Shelf, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
    if !files::is_file_name(id.as_str()) {
        return Fact::Absent;
    }
    let projects = home.join("projects");
    let name = format!("{}.jsonl", id.as_str());
    let below = |cwd: &Path| {
        encode::directories(cwd)
            .iter()
            .find_map(|directory| files::transcript(&projects.join(directory).join(&name)).into_seen())
    };
    // Most workspaces are given by their real path; only the others cost a look at every directory on the way.
    let real = |cwd: &&Path| cwd.canonicalize().ok().filter(|real| real != cwd).and_then(|real| below(&real));
    if let Some(found) = cwds.iter().find_map(|cwd| below(cwd)).or_else(|| cwds.iter().find_map(real)) {
        return Fact::Seen(found);
    }
    match shelf.find(&projects, 1, id.as_str(), id_of) {
        Fact::Seen(paths) => files::first_transcript(paths),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// Rung 6: what appeared in the process's workspace since it started.
pub(super) fn reading(subject: &Subject<'_>) -> Reading {
    let projects = subject.home.join("projects");
    let (looked_at, fact) = match subject.cwd {
        Fact::Seen(cwd) => {
            let names = encode::directories(cwd);
            let looked_at = projects.join(names.first().map_or("", String::as_str)).display().to_string();
            let found = names.iter().try_fold(Vec::new(), |mut all, name| {
                all.extend(appeared(&projects.join(name), cwd, subject.topmost().started)?);
                Ok::<_, String>(all)
            });
            let fact = match found {
                Ok(found) if found.is_empty() => Fact::Absent,
                Ok(found) => Fact::Seen(Found::Appeared(found)),
                Err(why) => Fact::Unknown(why),
            };
            (looked_at, fact)
        }
        Fact::Absent => (projects.display().to_string(), Fact::Absent),
        Fact::Unknown(why) => (projects.display().to_string(), Fact::Unknown(why.clone())),
    };
    Reading { rung: Rung::Appeared, looked_at, fact }
}

/// The transcripts in a directory that appeared since `started` and are of this workspace, whatever the directory's name says:
/// it does not tell `a.b` from `a_b`.
fn appeared(dir: &Path, cwd: &Path, started: DateTime<Utc>) -> Result<Vec<Appearance>, String> {
    if files::is_unchanged_since(dir, started - SLACK) {
        return Ok(Vec::new());
    }
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(files::unreadable(dir, &error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| files::unreadable(dir, &error))?;
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(id_of).filter(|id| files::is_uuid(id)) else { continue };
        let path = entry.path();
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(files::unreadable(&path, &error)),
        };
        if let Some(at) = appearance(&path, files::times(&metadata), cwd, started)? {
            found.push(Appearance { id: ConversationId(id.to_owned()), at });
        }
    }
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    Ok(found)
}

/// When a transcript appeared, if since `started` and in this workspace.
fn appearance(
    path: &Path,
    (born, modified): (Option<DateTime<Utc>>, DateTime<Utc>),
    cwd: &Path,
    started: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, String> {
    let since = started - SLACK;
    if modified < since || born.is_some_and(|born| born < since) {
        return Ok(None);
    }
    let edges = files::edges(path).map_err(|error| files::unreadable(path, &error))?;
    let mut at = born;
    let mut workspace = None;
    for line in edges.lines().filter_map(|line| serde_json::from_slice::<Line<'_>>(line).ok()) {
        if born.is_none() {
            at = at.into_iter().chain(line.timestamp).min();
        }
        if workspace.is_none() {
            workspace = line.cwd.map(Cow::into_owned);
        }
    }
    match (workspace, at) {
        (Some(workspace), Some(at)) => {
            let is_here = files::leads_to(Path::new(&workspace), cwd);
            Ok((is_here && at >= since).then_some(at))
        }
        (None, _) => Err(format!("{} does not say yet which workspace it is of", path.display())),
        (_, None) => Err(format!("{} does not say when it began", path.display())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;
    use std::io::{Seek, SeekFrom, Write};

    use super::*;

    const ID: &str = "11111111-2222-4333-8444-555555555555";

    fn line(cwd: &str, at: &str) -> String {
        format!("{{\"type\":\"mode\",\"sessionId\":\"{ID}\"}}\n{{\"type\":\"user\",\"cwd\":{cwd:?},\"timestamp\":\"{at}\"}}\n")
    }

    #[test]
    fn a_transcript_of_another_workspace_with_the_same_directory_name_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let started = Utc::now() - TimeDelta::minutes(1);
        fs::write(dir.path().join(format!("{ID}.jsonl")), line("/lab/a_b", "2026-11-21T03:00:00Z")).unwrap();
        fs::write(dir.path().join("agent-1.jsonl"), line("/lab/a.b", "2026-11-21T03:00:00Z")).unwrap();
        assert!(appeared(dir.path(), Path::new("/lab/a.b"), started).unwrap().is_empty());
        let ours = appeared(dir.path(), Path::new("/lab/a_b"), started).unwrap();
        assert_eq!(ours.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), [ID]);
        assert!((Utc::now() - ours[0].at).abs() < TimeDelta::seconds(30), "dated by its birth");
        assert!(appeared(dir.path(), Path::new("/lab/a_b"), Utc::now() + TimeDelta::minutes(1)).unwrap().is_empty());
    }

    #[test]
    fn without_a_birth_time_the_earliest_stamp_inside_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        let text = line("/lab", "2026-11-21T03:00:05Z") + &line("/lab", "2026-11-21T03:00:02Z");
        fs::write(&path, text).unwrap();
        let at = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
        let ask = |started: &str| appearance(&path, (None, Utc::now()), Path::new("/lab"), at(started)).unwrap();
        assert_eq!(ask("2026-11-21T03:00:03Z"), Some(at("2026-11-21T03:00:02Z")));
        assert_eq!(ask("2026-11-21T03:00:04Z"), None);
    }

    #[test]
    fn what_cannot_be_told_of_a_new_file_is_not_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{ID}.jsonl"));
        let ask = || appeared(dir.path(), Path::new("/lab"), Utc::now() - TimeDelta::minutes(1));
        fs::write(&path, "").unwrap();
        assert!(ask().unwrap_err().contains("which workspace"), "empty");
        fs::write(&path, "{\"type\":\"user\",\"cwd\":\"/la").unwrap();
        assert!(ask().is_err(), "cut within its first line");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(line("/lab", "2026-11-21T03:00:00Z").as_bytes()).unwrap();
        file.seek(SeekFrom::Start(1 << 30)).unwrap();
        file.write_all(b"x").unwrap();
        assert_eq!(ask().unwrap().len(), 1, "a sparse file of a gigabyte");
    }

    #[test]
    fn a_long_first_line_hides_the_workspace_only_until_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("{ID}.jsonl"));
        let long = format!("{{\"type\":\"queue-operation\",\"content\":\"{}\"}}\n", "x".repeat(200_000));
        fs::write(&path, long + &line("/lab", "2026-11-21T03:00:00Z")).unwrap();
        assert_eq!(appeared(dir.path(), Path::new("/lab"), Utc::now() - TimeDelta::minutes(1)).unwrap().len(), 1);
    }

    #[test]
    fn an_id_is_found_in_any_project_directory_and_missing_in_none() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        let (shelf, id) = (Shelf::new(), ConversationId(ID.into()));
        assert_eq!(find(&shelf, home, &id, &[]), Fact::Absent, "no projects at all");
        let elsewhere = home.join("projects/-elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(elsewhere.join(format!("{ID}.jsonl")), "").unwrap();
        let shelf = Shelf::new();
        let found = find(&shelf, home, &id, &[Path::new("/lab")]);
        assert_eq!(found.seen().unwrap().path, elsewhere.join(format!("{ID}.jsonl")));
        assert_eq!(find(&shelf, home, &ConversationId("22222222-x".into()), &[]), Fact::Absent);
        assert_eq!(find(&shelf, home, &ConversationId(format!("../-elsewhere/{ID}")), &[]), Fact::Absent);
        fs::create_dir_all(home.join("projects/-lab")).unwrap();
        fs::write(home.join(format!("projects/-lab/{ID}.jsonl")), "").unwrap();
        let found = find(&Shelf::new(), home, &id, &[Path::new("/lab")]);
        assert_eq!(found.seen().unwrap().path, home.join(format!("projects/-lab/{ID}.jsonl")), "its own workspace first");
    }
}

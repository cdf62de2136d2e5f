//! Claude Code's transcripts, `projects/<workspace>/<id>.jsonl`: where one is, and which appeared since a process started.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::{encode, entries, files};
use crate::agent::{LiveProcess, TranscriptIndex};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;
use crate::core::observe::identity::{Appearance, Rung, RungReading, RungValue};

/// How much earlier than the process a transcript may seem to have appeared and still be shown as a candidate.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// How much of a transcript's end is read for a move; what follows one is short.
const TAIL: u64 = 64 << 10;

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
pub(super) fn find(shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
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

/// The directory a conversation is resumed in. Claude looks for it in the directory of transcripts that the working directory
/// gives its name to; which paths have this name, the lines of the transcript say.
pub(super) fn lived_in(transcript: &Transcript, cwds: &[&Path]) -> Fact<PathBuf> {
    let path = &transcript.path;
    let Some(project) = path.parent().and_then(Path::file_name).and_then(OsStr::to_str) else { return Fact::Absent };
    let is_named_after = |cwd: &Path| encode::directories(cwd).iter().any(|name| name == project);
    let is_of = |cwd: &Path| is_named_after(cwd) || cwd.canonicalize().is_ok_and(|real| is_named_after(&real));
    let of = |cwds: &[&Path]| cwds.iter().find(|cwd| is_of(cwd)).map(|cwd| cwd.to_path_buf());
    if let Some(cwd) = of(&cwds.iter().copied().filter(|cwd| cwd.is_dir()).collect::<Vec<_>>()) {
        return Fact::Seen(cwd);
    }
    let edges = match files::edges(path) {
        Ok(edges) => edges,
        Err(error) => return Fact::Unknown(files::unreadable(path, &error)),
    };
    let lines = edges.lines().filter_map(|line| serde_json::from_slice::<Line<'_>>(line).ok());
    let said: Vec<PathBuf> = lines.filter_map(|line| Some(PathBuf::from(line.cwd?.as_ref()))).collect();
    let last = said.into_iter().rev().find(|cwd| is_named_after(cwd));
    match last.or_else(|| of(cwds)) {
        Some(cwd) => Fact::Seen(cwd),
        None => Fact::Unknown(format!("{} does not say which directory it is of", path.display())),
    }
}

/// More moves than this are not followed.
const MOST_MOVES: usize = 16;

/// The last words of a transcript that say whether the conversation goes on in it.
#[derive(Deserialize)]
struct Word<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(rename = "continuedInSessionId", borrow, default)]
    heir: Option<Cow<'a, str>>,
}

/// The conversation that one went on in, to the end of a chain of such moves (2.1.329: `/bg`, the agents view). A word that was
/// said in the old one afterwards takes that back.
pub(super) fn continued_in(shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<ConversationId> {
    let mut chain = vec![id.clone()];
    loop {
        let last = chain.last().unwrap_or(id);
        let transcript = match find(shelf, home, last, cwds) {
            Fact::Seen(transcript) => transcript,
            Fact::Absent => {
                // Nothing was said yet in an heir without a transcript. If its job has ended as well, there is none.
                if chain.len() > 1 && !entries::names(home, last) {
                    chain.pop();
                }
                break;
            }
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let heir = match heir(&transcript.path) {
            Ok(Some(heir)) => heir,
            Ok(None) => break,
            Err(why) => return Fact::Unknown(why),
        };
        if chain.contains(&heir) || chain.len() > MOST_MOVES {
            return Fact::Unknown(format!("conversation {id} moved in a circle, or too many times"));
        }
        chain.push(heir);
    }
    chain.split_off(1).pop().map_or(Fact::Absent, Fact::Seen)
}

/// The conversation a transcript says at its end that it went on in.
fn heir(path: &Path) -> Result<Option<ConversationId>, String> {
    let (tail, _) = files::tail(path, TAIL).map_err(|error| files::unreadable(path, &error))?;
    let words = tail.split(|byte| *byte == b'\n').rev().filter_map(|line| serde_json::from_slice::<Word<'_>>(line).ok());
    let last = words.into_iter().find(|word| matches!(word.kind.as_ref(), "continued-in" | "user" | "assistant"));
    let heir = last.filter(|word| word.kind == "continued-in").and_then(|word| word.heir);
    Ok(heir.filter(|heir| files::is_uuid(heir)).map(|heir| ConversationId(heir.into_owned())))
}

/// Rung 6: what appeared in the process's workspace since it started.
pub(super) fn reading(subject: &LiveProcess<'_>) -> RungReading {
    let projects = subject.home.join("projects");
    let (looked_at, fact) = match subject.cwd {
        Fact::Seen(cwd) => {
            let names = encode::directories(cwd);
            let looked_at = projects.join(names.first().map_or("", String::as_str)).display().to_string();
            let found = names.iter().try_fold(Vec::new(), |mut all, name| {
                all.extend(appeared(&projects.join(name), cwd, subject.topmost().started)?);
                Ok::<_, String>(all)
            });
            // Background jobs keep transcripts in the same place, and their registry files name them.
            let found = found.map(|mut found: Vec<Appearance>| {
                if let Some(newest) = found.iter().map(|it| it.at).max() {
                    let (named, own) = (subject.named(newest, || entries::named(subject.home)), subject.topmost().pid);
                    found.retain(|it| !named.iter().any(|(pid, id)| *pid != own && id == it.id.as_str()));
                }
                found
            });
            let fact = match found {
                Ok(found) if found.is_empty() => Fact::Absent,
                Ok(found) => Fact::Seen(RungValue::Appeared(found)),
                Err(why) => Fact::Unknown(why),
            };
            (looked_at, fact)
        }
        Fact::Absent => (projects.display().to_string(), Fact::Absent),
        Fact::Unknown(why) => (projects.display().to_string(), Fact::Unknown(why.clone())),
    };
    RungReading { rung: Rung::Appeared, looked_at, fact }
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
        (None, _) => Err(format!("{} does not name its workspace yet", path.display())),
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
        assert!(ask().unwrap_err().contains("its workspace yet"), "empty");
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
    fn a_conversation_is_followed_to_where_it_went_on_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        fs::create_dir_all(home.join("projects/-lab")).unwrap();
        let id = |n: u32| ConversationId(format!("{n:08}-2222-4333-8444-555555555555"));
        let path = |n: u32| home.join(format!("projects/-lab/{}.jsonl", id(n)));
        let moved = |from: u32, to: &str| {
            format!("{{\"type\":\"continued-in\",\"sessionId\":\"{}\",\"continuedInSessionId\":\"{to}\"}}\n", id(from))
        };
        let said = line("/lab", "2026-11-29T03:00:00Z");
        let ask = |n: u32| continued_in(&TranscriptIndex::new(), home, &id(n), &[Path::new("/lab")]);
        assert_eq!(ask(1), Fact::Absent, "no transcript");
        fs::write(path(1), &said).unwrap();
        assert_eq!(ask(1), Fact::Absent);
        fs::write(path(1), said.clone() + &moved(1, id(2).as_str())).unwrap();
        assert_eq!(ask(1), Fact::Absent, "a job that has ended before anything was said in it");
        fs::create_dir(home.join("sessions")).unwrap();
        let job =
            format!("{{\"pid\":7,\"sessionId\":\"{}\",\"procStart\":\"1\",\"jobId\":\"00000002\",\"kind\":\"bg\"}}", id(2));
        fs::write(home.join("sessions/7.json"), job).unwrap();
        assert_eq!(ask(1), Fact::Seen(id(2)), "a job in which nothing was said yet");
        let parting = "{\"type\":\"last-prompt\",\"lastPrompt\":\"x\"}\n{\"type\":\"mode\",\"mode\":\"normal\"}\n";
        fs::write(path(1), said.clone() + &moved(1, id(2).as_str()) + parting).unwrap();
        fs::write(path(2), said.clone() + &moved(2, id(3).as_str())).unwrap();
        fs::write(path(3), &said).unwrap();
        assert_eq!(ask(1), Fact::Seen(id(3)), "through a chain, and past what an end leaves");
        fs::write(path(2), said.clone() + &moved(2, id(3).as_str()) + &said).unwrap();
        assert_eq!(ask(1), Fact::Seen(id(2)), "somebody resumed it: what was said since takes the move back");
        fs::write(path(2), said.clone() + &moved(2, id(1).as_str())).unwrap();
        assert!(ask(1).why_unknown().unwrap().contains("circle"), "{:?}", ask(1));
        for odd in ["", "latest", "../../etc/passwd"] {
            fs::write(path(1), said.clone() + &moved(1, odd)).unwrap();
            assert_eq!(ask(1), Fact::Absent, "{odd:?}");
        }
        for n in 1..40 {
            fs::write(path(n), said.clone() + &moved(n, id(n + 1).as_str())).unwrap();
        }
        assert!(ask(1).why_unknown().is_some(), "a chain without an end");
    }

    #[test]
    fn an_id_is_found_in_any_project_directory_and_missing_in_none() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        let (shelf, id) = (TranscriptIndex::new(), ConversationId(ID.into()));
        assert_eq!(find(&shelf, home, &id, &[]), Fact::Absent, "no projects at all");
        let elsewhere = home.join("projects/-elsewhere");
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(elsewhere.join(format!("{ID}.jsonl")), "").unwrap();
        let shelf = TranscriptIndex::new();
        let found = find(&shelf, home, &id, &[Path::new("/lab")]);
        assert_eq!(found.seen().unwrap().path, elsewhere.join(format!("{ID}.jsonl")));
        assert_eq!(find(&shelf, home, &ConversationId("22222222-x".into()), &[]), Fact::Absent);
        assert_eq!(find(&shelf, home, &ConversationId(format!("../-elsewhere/{ID}")), &[]), Fact::Absent);
        fs::create_dir_all(home.join("projects/-lab")).unwrap();
        fs::write(home.join(format!("projects/-lab/{ID}.jsonl")), "").unwrap();
        let found = find(&TranscriptIndex::new(), home, &id, &[Path::new("/lab")]);
        assert_eq!(found.seen().unwrap().path, home.join(format!("projects/-lab/{ID}.jsonl")), "its own workspace first");
    }
}

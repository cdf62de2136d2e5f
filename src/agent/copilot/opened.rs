//! Which conversations of a workspace were opened since a process started, by Copilot's list of them. What `--resume` or `/resume`
//! opens is not locked before its first prompt, but stands in the list at once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{files, locks, turn};
use crate::agent::LiveProcess;
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::Transcript;
use crate::core::observe::identity::LastMessage;

/// The most that what is known of one conversation may hold.
const MOST: u64 = 1 << 20;

/// One conversation of the list.
#[derive(Deserialize)]
struct Open {
    #[serde(rename = "openedAt")]
    opened_at: DateTime<Utc>,
}

/// What was opened in the workspace of a process since it started.
pub(super) fn of(subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
    match subject.cwd {
        Fact::Seen(cwd) => opened(subject.home, cwd, subject.started()),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    }
}

fn opened(home: &Path, cwd: &Path, started: DateTime<Utc>) -> Fact<Vec<LastMessage>> {
    let list = home.join(turn::OPEN);
    let text = match files::small(&list, turn::MOST) {
        Fact::Seen(text) => text,
        Fact::Absent => return Fact::Seen(Vec::new()),
        Fact::Unknown(why) => return Fact::Unknown(why),
    };
    let all: HashMap<String, Value> = match serde_json::from_slice(&text) {
        Ok(all) => all,
        Err(error) => return Fact::Unknown(format!("cannot parse {}: {error}", list.display())),
    };
    let opened = all.into_iter().filter_map(|(id, value)| Some((id, serde_json::from_value::<Open>(value).ok()?.opened_at)));
    let is_ours = |id: &str, at: DateTime<Utc>| at >= started && files::is_uuid(id) && may_be_of(home, id, cwd);
    let ours = opened.filter(|(id, at)| is_ours(id, *at));
    Fact::Seen(ours.map(|(id, at)| LastMessage { id: ConversationId(id), at }).collect())
}

/// Whether a conversation is of this workspace, or does not say of which it is.
fn may_be_of(home: &Path, id: &str, cwd: &Path) -> bool {
    let Fact::Seen(text) = files::small(&home.join(locks::SESSIONS).join(id).join("workspace.yaml"), MOST) else { return true };
    let text = String::from_utf8_lossy(&text);
    let said = text.lines().find_map(|line| line.strip_prefix("cwd: ")).map(|path| path.trim_matches(['"', '\'', ' ']));
    said.is_none_or(|said| !said.starts_with('/') || files::leads_to(Path::new(said), cwd))
}

/// The directory a conversation was begun in, by the first line of its events.
pub(super) fn lived_in(transcript: &Transcript) -> Fact<PathBuf> {
    #[derive(Deserialize)]
    struct Start {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        context: Context,
    }
    #[derive(Deserialize)]
    struct Context {
        cwd: PathBuf,
    }
    let path = &transcript.path;
    let edges = match files::edges(path) {
        Ok(edges) => edges,
        Err(error) => return Fact::Unknown(files::unreadable(path, &error)),
    };
    match edges.lines().next().and_then(|line| serde_json::from_slice::<Start>(line).ok()) {
        Some(start) => Fact::Seen(start.data.context.cwd),
        None => Fact::Absent,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;

    use super::*;

    const ONE: &str = "43d46416-ca36-4f89-962d-0ed53462d0c5";
    const TWO: &str = "53d46416-ca36-4f89-962d-0ed53462d0c5";

    fn at(second: u32) -> DateTime<Utc> {
        format!("2026-11-21T03:31:{second:02}.262Z").parse().unwrap()
    }

    /// The list as 1.0.102 writes it.
    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let entry = |id: &str, second: u32| {
            format!("\"{id}\": {{\"schemaVersion\": 1, \"openedAt\": \"{}\"}}", at(second).to_rfc3339())
        };
        let text = format!("{{ {}, {}, \"odd\": 7 }}", entry(ONE, 20), entry(TWO, 40));
        fs::write(home.path().join(turn::OPEN), text).unwrap();
        home
    }

    fn ask(home: &Path, started: u32) -> Vec<String> {
        let mut ids: Vec<String> =
            opened(home, Path::new("/lab/a"), at(started)).into_seen().unwrap().into_iter().map(|it| it.id.0).collect();
        ids.sort();
        ids
    }

    #[test]
    fn what_was_opened_since_the_start_in_the_workspace_is_told() {
        let home = home();
        assert_eq!(ask(home.path(), 10), [ONE, TWO], "where they are is not known");
        assert_eq!(ask(home.path(), 30), [TWO]);
        assert_eq!(ask(home.path(), 50), [""; 0]);
        let dir = home.path().join(locks::SESSIONS).join(TWO);
        fs::create_dir_all(&dir).unwrap();
        for (cwd, expected) in [("/lab/a", true), ("\"/lab/a\"", true), ("/lab/b", false), ("|-", true)] {
            fs::write(dir.join("workspace.yaml"), format!("id: {TWO}\ncwd: {cwd}\nname: |-\n  cwd: /lab/a\n")).unwrap();
            assert_eq!(ask(home.path(), 30).contains(&TWO.to_owned()), expected, "{cwd}");
        }
    }

    #[test]
    fn a_list_that_is_not_there_tells_of_nothing_and_one_that_is_torn_is_unknown() {
        let home = home();
        fs::write(home.path().join(turn::OPEN), "{ \"half").unwrap();
        assert!(opened(home.path(), Path::new("/lab/a"), at(10)).why_unknown().is_some());
        fs::remove_file(home.path().join(turn::OPEN)).unwrap();
        assert_eq!(opened(home.path(), Path::new("/lab/a"), at(10)), Fact::Seen(Vec::new()));
    }
}

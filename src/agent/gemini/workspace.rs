//! Which directory of Gemini's is a workspace's: `projects.json` names it, and `.project_root` in it has to agree.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files;
use crate::core::fact::Fact;
use crate::core::observe::Transcript;

/// The map, below the home.
pub(super) const MAP: &str = "projects.json";
/// The file in a workspace's directory that names it.
const ROOT: &str = ".project_root";
/// The most the map, or the file that agrees, may hold.
const MOST: u64 = 1 << 20;

#[derive(Deserialize)]
struct Map {
    projects: BTreeMap<String, String>,
}

/// Where a workspace's chats are or will be. Several if the map knows the workspace by several spellings, none if not at all.
pub(super) fn chats(home: &Path, cwd: &Path) -> Result<Vec<PathBuf>, String> {
    let file = home.join(MAP);
    let text = match files::small(&file, MOST) {
        Fact::Seen(text) => text,
        Fact::Absent => return Ok(Vec::new()),
        Fact::Unknown(why) => return Err(why),
    };
    let map: Map =
        serde_json::from_slice(&text).map_err(|error| format!("{} is not a map of workspaces: {error}", file.display()))?;
    let mut found = Vec::new();
    for (workspace, slug) in map.projects.iter().filter(|(workspace, _)| is(workspace, cwd)) {
        if !files::is_file_name(slug) {
            return Err(format!("{} names {slug:?} for {workspace}, which is not a directory name", file.display()));
        }
        let dir = home.join("tmp").join(slug);
        match files::small(&dir.join(ROOT), MOST) {
            Fact::Seen(root) if std::str::from_utf8(&root).is_ok_and(|root| is(root.trim(), cwd)) => {
                found.push(dir.join("chats"))
            }
            Fact::Seen(_) => return Err(format!("the .project_root in {} names another workspace", dir.display())),
            // Not begun yet.
            Fact::Absent => {}
            Fact::Unknown(why) => return Err(why),
        }
    }
    Ok(found)
}

/// The workspace of a chat, as the directory it lies in says.
pub(super) fn lived_in(chat: &Transcript) -> Fact<PathBuf> {
    let Some(dir) = chat.path.parent().and_then(Path::parent) else { return Fact::Absent };
    let file = dir.join(ROOT);
    match files::small(&file, MOST) {
        Fact::Seen(text) => match std::str::from_utf8(&text) {
            Ok(root) => Fact::Seen(PathBuf::from(root.trim())),
            Err(_) => Fact::Unknown(format!("{} names no workspace", file.display())),
        },
        Fact::Absent => Fact::Unknown(format!("{} is not there, so which workspace it is of is not known", file.display())),
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

fn is(workspace: &str, cwd: &Path) -> bool {
    files::leads_to(Path::new(workspace), cwd)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_directory_is_a_workspaces_if_the_map_and_the_directory_say_so() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let ask = || chats(home, Path::new("/lab/landing_page"));
        assert_eq!(ask(), Ok(Vec::new()), "no map");
        let map = |text: &str| fs::write(home.join(MAP), text).unwrap();
        map(r#"{"projects":{"/lab/landing_page":"landing-page","/lab/other":"other"}}"#);
        assert_eq!(ask(), Ok(Vec::new()), "no directory");
        let dir = home.join("tmp/landing-page");
        fs::create_dir_all(&dir).unwrap();
        assert_eq!(ask(), Ok(Vec::new()), "nobody's directory yet");
        fs::write(dir.join(".project_root"), "/lab/landing_page\n").unwrap();
        assert_eq!(ask(), Ok(vec![dir.join("chats")]));
        fs::write(dir.join(".project_root"), "/lab/other").unwrap();
        assert!(ask().is_err_and(|why| why.contains("another workspace")));
        map("{\"projects\":{\"/lab/landing_page\":");
        assert!(ask().is_err());
        map(r#"{"projects":{}}"#);
        assert_eq!(ask(), Ok(Vec::new()));
    }

    #[test]
    fn a_hostile_name_does_not_lead_out_of_the_directory() {
        let above = tempfile::tempdir().unwrap();
        let home = above.path().join("home");
        fs::create_dir_all(home.join("tmp")).unwrap();
        fs::create_dir_all(above.path().join("out")).unwrap();
        fs::write(above.path().join("out/.project_root"), "/lab").unwrap();
        for slug in ["../../out", "..", ".", "", "/", "a/../../../out", "a\\u0000b"] {
            fs::write(home.join(MAP), format!("{{\"projects\":{{\"/lab\":\"{slug}\"}}}}")).unwrap();
            assert!(chats(&home, Path::new("/lab")).is_err(), "{slug:?}");
        }
    }
}

//! A crew on disk: who it belongs to, what is left of what was cut off, and who writes at once.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn crew(root: &Path) -> (CrewHome, StateHome) {
    let state = StateHome::at(root.join("state"));
    let home = CrewHome::create(&root.join("crew"), ("shop", "key"), None, &state, DateTime::UNIX_EPOCH).unwrap();
    (home, state)
}

fn queued() -> CrewEvent {
    CrewEvent::Queued { goal: "g".into(), input: String::new(), worker: "w".into(), attempts: 3, retry: 60 }
}

#[test]
fn a_crew_is_private_made_once_and_managed_by_whoever_has_the_key() {
    let temp = tempfile::tempdir().unwrap();
    let (home, state) = crew(temp.path());
    let again = CrewHome::create(&temp.path().join("crew"), ("shop", "other"), None, &state, DateTime::UNIX_EPOCH);
    assert!(matches!(again, Err(CrewError::Taken(_))));
    home.is_managed_here(&state).unwrap();
    assert!(home.is_managed_here(&StateHome::at(temp.path().join("other"))).is_err());
    home.write().unwrap().happen("me", "t", queued(), DateTime::UNIX_EPOCH).unwrap();
    for (path, mode) in [(home.path().to_owned(), 0o700), (home.log(), 0o600), (home.key_file(&state), 0o600)] {
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    // Open to others, or reached by a link.
    std::os::unix::fs::symlink(home.path(), temp.path().join("link")).unwrap();
    assert!(matches!(CrewHome::open(&temp.path().join("link")), Err(CrewError::NotOurs { .. })));
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(CrewHome::open(home.path()), Err(CrewError::NotOurs { .. })));
    assert!(matches!(CrewHome::open(temp.path()), Err(CrewError::NoCrew(_))));
}

#[test]
fn half_a_line_is_left_out_and_the_next_one_is_whole() {
    let temp = tempfile::tempdir().unwrap();
    let (home, _) = crew(temp.path());
    home.write().unwrap().happen("me", "a", queued(), DateTime::UNIX_EPOCH).unwrap();
    let mut log = replace::append(&home.log()).unwrap();
    log.write_all(b"{\"n\":2,\"at\":\"1970-").unwrap();
    assert_eq!(home.tasks().unwrap().tasks.len(), 1);
    home.write().unwrap().happen("me", "b", queued(), DateTime::UNIX_EPOCH).unwrap();
    let records = home.records().unwrap();
    assert_eq!(records.iter().map(|record| (record.n, record.task.as_str())).collect::<Vec<_>>(), [(1, "a"), (2, "b")]);
}

#[test]
fn ten_writers_lose_and_double_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let (home, _) = crew(temp.path());
    std::thread::scope(|scope| {
        for writer in 0..10 {
            let home = home.clone();
            scope.spawn(move || {
                for number in 0..20 {
                    let task = format!("t{writer}-{number}");
                    let mut writer = home.write().unwrap();
                    writer.happen("me", &task, queued(), DateTime::UNIX_EPOCH).unwrap();
                    let kind = ContextKind::NOTE;
                    let saying = Saying { task: &task, from: "a", to: "b", kind, summary: "x", artifact: None };
                    writer.say(&saying, DateTime::UNIX_EPOCH).unwrap();
                }
            });
        }
    });
    assert_eq!(home.tasks().unwrap().tasks.len(), 200);
    let context = home.context(0).unwrap();
    assert_eq!(home.context(197).unwrap(), context[197..]);
    assert_eq!(context.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
    for name in ["context/context.md", "context/live.log"] {
        assert_eq!(std::fs::read_to_string(home.file(name)).unwrap().lines().count(), 200, "{name}");
    }
}

#[test]
fn the_crews_of_a_manifest_are_found_and_those_of_others_are_not() {
    let temp = tempfile::tempdir().unwrap();
    let state = StateHome::at(temp.path().join("state"));
    let make = |name: &str, manifest: Option<&str>| {
        let manifest = manifest.map(|path| CrewManifest { path: path.into(), is_found: true });
        CrewHome::create(&temp.path().join(name), (name, "key"), manifest, &state, DateTime::UNIX_EPOCH).unwrap()
    };
    let (mine, other) = (make("mine", Some("/a.yaml")), make("other", Some("/b.yaml")));
    make("none", None);
    let names = |path: &str| CrewHome::all_of(&state, Path::new(path)).into_iter().map(|home| home.name).collect::<Vec<_>>();
    assert_eq!((names("/a.yaml"), names("/b.yaml"), names("/c.yaml")), (vec!["mine".into()], vec!["other".into()], vec![]));
    assert_eq!(mine.manifest(&state), Some(CrewManifest { path: "/a.yaml".into(), is_found: true }));
    // Whose key is another one is managed elsewhere.
    std::fs::write(other.key_file(&state), "forged").unwrap();
    assert_eq!(names("/b.yaml"), [] as [String; 0]);
    std::fs::remove_dir_all(mine.path()).unwrap();
    assert_eq!(names("/a.yaml"), [] as [String; 0]);
}

#[test]
fn whoever_is_killed_while_a_crew_is_made_has_made_none() {
    let temp = tempfile::tempdir().unwrap();
    let state = StateHome::at(temp.path().join("state"));
    let directory = temp.path().join("crew");
    DirBuilder::new().mode(0o700).create(&directory).unwrap();
    let half = CrewHome { directory: directory.canonicalize().unwrap(), name: "shop".into(), key: String::new() };
    CrewHome::make_place(&state).unwrap();
    std::fs::write(half.key_file(&state), "of the one that was killed").unwrap();
    let home = CrewHome::create(&directory, ("shop", "key"), None, &state, DateTime::UNIX_EPOCH).unwrap();
    home.is_managed_here(&state).unwrap();
}

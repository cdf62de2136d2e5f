//! Where an agent's files are, and what is watched of them.

use std::fmt::Debug;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use headcount::agent::{self, WatchQuery};
use headcount::host::ProcessInfo;

use super::kit::{Den, Said, environ, every, files, mentioned, proven};
use super::specimens::{Specimen, all, declared};

#[test]
fn a_home_follows_the_agents_own_variables() {
    for specimen in all() {
        let agent = agent::of(specimen.kind).unwrap();
        let usual = Some(Path::new("/home/dev").join(specimen.home));
        assert_eq!(agent.home(&environ(&[("HOME", "/home/dev")])), usual, "{}", specimen.kind);
        assert_eq!(agent.home(&environ(&[])), None, "{}", specimen.kind);
        if let Some((variable, value, home)) = specimen.moved {
            let with = |value: &str| agent.home(&environ(&[("HOME", "/home/dev"), (variable, value)]));
            assert_eq!(with(value), Some(PathBuf::from(home)), "{variable}");
            assert_eq!(with(""), usual, "an empty {variable} is none");
            assert_eq!(agent.home_assignment(Path::new(home)), Some((variable, PathBuf::from(value))), "and back again");
        }
    }
}

#[test]
fn places_to_watch_are_named_whether_they_are_there_or_not() {
    for specimen in all().iter().chain(&declared()) {
        let den = Den::new(specimen);
        let nowhere = den.root().join("nowhere");
        for home in [den.home(), nowhere.clone()] {
            for cwd in [None, Some(Path::new("/")), Some(Path::new(specimen.cwd)), Some(Path::new("/x/\n'\"漢"))] {
                let now = "2026-02-28T23:59:59Z".parse().unwrap();
                let places = den.agent().watch_dirs(WatchQuery { home: &home, cwd, now });
                let all: Vec<&PathBuf> = places.registries.iter().chain(&places.transcripts).collect();
                assert!(all.iter().all(|place| place.starts_with(&home)), "{}: {all:?}", specimen.kind);
                assert!(all.iter().all(|place| !place.components().any(|part| part.as_os_str() == "..")), "{all:?}");
            }
        }
        assert!(!nowhere.exists(), "naming a place does not make it");
    }
}

/// What is said, without the names under which it was looked at.
fn plain(den: &Den<'_>, process: &ProcessInfo) -> impl PartialEq + Debug + use<> {
    let Said { ladder, transcript, turn } = den.ask(process);
    let rungs: Vec<_> = ladder.readings.iter().map(|it| (it.rung, it.fact.clone())).collect();
    let file = transcript.map(|it| it.path.metadata().map(|file| (file.dev(), file.ino())).unwrap());
    (rungs, ladder.said.clone(), proven(&ladder), mentioned(&ladder), turn, file)
}

/// Moves something away, and leaves a link to it.
fn link(path: &Path, away: &Path) {
    fs::create_dir_all(away.parent().unwrap()).unwrap();
    fs::rename(path, away).unwrap();
    symlink(away, path).unwrap();
}

/// Links all that is so deep in a home, if `only_directories` nothing else.
fn link_in(den: &Den<'_>, depth: usize, only_directories: bool) {
    let (home, disk) = (den.home(), den.root().join("disk"));
    let is_so_deep = |path: &PathBuf| path.strip_prefix(&home).unwrap().components().count() == depth;
    for (at, path) in every(&home).into_iter().filter(is_so_deep).enumerate() {
        if path.is_dir() || !only_directories {
            // A database has its log beside it under its own name.
            link(&path, &disk.join(at.to_string()).join(path.file_name().unwrap()));
        }
    }
}

/// A way in which one store comes to have two names.
type Way = (&'static str, fn(&mut Den<'_>));

const WAYS: [Way; 8] = [
    ("its home is a link", |den| link(&den.home(), &den.root().join("disk"))),
    ("HOME is a link", |den| link(&den.root().join("home"), &den.root().join("disk"))),
    ("the directory that its home is in is a link", |den| {
        // HOME is another way.
        if den.home().parent() != Some(&den.root().join("home")) {
            link(den.home().parent().unwrap(), &den.root().join("disk"));
        }
    }),
    ("all that is in its home is a link", |den| link_in(den, 1, false)),
    ("the directories in those of its home are links", |den| link_in(den, 2, true)),
    ("a variable leads out of HOME and back", |den| {
        let (home, there) = (den.root().join("home"), den.root().join("there"));
        symlink(&home, &there).unwrap();
        symlink(&there, home.join("back")).unwrap();
        den.known_as(home.join("back/back").join(den.specimen.home));
    }),
    ("a variable has a path with dots and double slashes", |den| {
        let home = den.home();
        let name = home.file_name().unwrap().to_str().unwrap();
        den.known_as(PathBuf::from(format!("{}/./{name}//../{name}/", home.parent().unwrap().display())));
    }),
    ("its files have second names", |den| {
        let names = den.root().join("names");
        fs::create_dir(&names).unwrap();
        for (at, file) in files(&den.home()).into_iter().enumerate() {
            fs::hard_link(file, names.join(at.to_string())).unwrap();
        }
    }),
];

/// Says the same of a store under each of its names.
fn is_one_store(specimen: &Specimen, (way, make): Way) {
    let mut den = Den::new(specimen);
    let live = den.start("");
    if let Some(vouch) = specimen.vouch {
        vouch(&den.home(), &live.process, specimen.id);
    }
    let before = plain(&den, &live.process);
    assert_eq!(proven(&den.ladder(&live.process)).is_some(), specimen.vouch.is_some(), "{}", specimen.kind);
    make(&mut den);
    assert_eq!(plain(&den, &live.process), before, "{}: {way}", specimen.kind);
}

#[test]
fn a_store_with_two_names_is_one_store() {
    for specimen in all().iter().chain(&declared()) {
        WAYS.into_iter().for_each(|way| is_one_store(specimen, way));
    }
}

#[test]
fn a_transcript_that_is_a_link_is_read_as_if_it_lay_there() {
    for specimen in all().iter().chain(&declared()) {
        is_one_store(
            specimen,
            ("its transcript is a link", |den| {
                if let Some(file) = den.transcript(den.specimen.id).into_seen().map(|it| it.path) {
                    link(&file, &den.root().join("disk").join(file.file_name().unwrap()));
                }
            }),
        );
    }
}

#[test]
fn a_store_that_is_mounted_twice_is_one_store() {
    let mut command = Command::new("unshare");
    command.args(["-rm", "--"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "agents::places::seen_where_it_is_mounted", "--nocapture"]).env("HC_MOUNTS", "yes");
    let is_possible = Command::new("unshare").args(["-rm", "true"]).output().is_ok_and(|output| output.status.success());
    if !is_possible {
        let _ = writeln!(std::io::stderr(), "SKIPPED a store that is mounted twice: no user and mount namespaces here");
        return;
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Run in namespaces of its own by the test above; by itself it may mount nothing.
#[test]
fn seen_where_it_is_mounted() {
    if std::env::var_os("HC_MOUNTS").is_none() {
        return;
    }
    for specimen in all().iter().chain(&declared()) {
        is_one_store(
            specimen,
            ("its home is mounted elsewhere as well", |den| {
                let elsewhere = den.root().join("elsewhere");
                fs::create_dir(&elsewhere).unwrap();
                let mounted = Command::new("mount").arg("--bind").arg(den.home()).arg(&elsewhere).status().unwrap();
                assert!(mounted.success());
                den.known_as(elsewhere);
            }),
        );
    }
}

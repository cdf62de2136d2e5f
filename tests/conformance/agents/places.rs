//! Where an agent's files are, and what is watched of them.

use std::path::{Path, PathBuf};

use headcount::agent::{self, Where};

use super::kit::{Den, Said, environ, mentioned, proven};
use super::specimens::all;

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
    for specimen in &all() {
        let den = Den::new(specimen);
        let nowhere = den.root().join("nowhere");
        for home in [den.home(), nowhere.clone()] {
            for cwd in [None, Some(Path::new("/")), Some(Path::new(specimen.cwd)), Some(Path::new("/x/\n'\"漢"))] {
                let now = "2026-02-28T23:59:59Z".parse().unwrap();
                let places = den.agent().places(Where { home: &home, cwd, now });
                let all: Vec<&PathBuf> = places.registries.iter().chain(&places.transcripts).collect();
                assert!(all.iter().all(|place| place.starts_with(&home)), "{}: {all:?}", specimen.kind);
                assert!(all.iter().all(|place| !place.components().any(|part| part.as_os_str() == "..")), "{all:?}");
            }
        }
        assert!(!nowhere.exists(), "naming a place does not make it");
    }
}

#[test]
fn what_links_lead_to_is_read_as_if_it_lay_there() {
    // What is said, without the names under which it was looked at.
    let plain = |said: &Said| {
        let path = said.transcript.seen().map(|it| it.path.canonicalize().unwrap());
        let rungs: Vec<_> = said.ladder.readings.iter().map(|it| (it.rung, it.fact.clone())).collect();
        (rungs, said.ladder.said.clone(), proven(&said.ladder), mentioned(&said.ladder), said.turn.clone(), path)
    };
    for specimen in &all() {
        let den = Den::new(specimen);
        let (home, disk) = (den.home(), den.root().join("disk"));
        std::fs::rename(&home, &disk).unwrap();
        std::os::unix::fs::symlink(&disk, &home).unwrap();
        let live = den.start("");
        if let Some(vouch) = specimen.vouch {
            vouch(&home, &live.process, specimen.id);
        }
        let linked = plain(&den.ask(&live.process));
        std::fs::remove_file(&home).unwrap();
        std::fs::rename(&disk, &home).unwrap();
        let mut there = plain(&den.ask(&live.process));
        let moved = |path: &PathBuf| disk.join(path.strip_prefix(&home).unwrap());
        there.5 = there.5.as_ref().map(moved);
        assert_eq!(linked, there, "{}: its home is a link", specimen.kind);
        assert_eq!(linked.2.is_some(), specimen.vouch.is_some(), "{}", specimen.kind);
        let Some(file) = den.transcript(specimen.id).into_seen().map(|it| it.path) else { continue };
        std::fs::rename(&file, den.root().join("file")).unwrap();
        std::os::unix::fs::symlink(den.root().join("file"), &file).unwrap();
        let linked = plain(&den.ask(&live.process));
        there.5 = Some(den.root().join("file"));
        assert_eq!(linked, there, "{}: its transcript is a link", specimen.kind);
    }
}

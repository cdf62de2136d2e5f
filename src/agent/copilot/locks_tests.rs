//! What locks say, on directories as Copilot leaves them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use super::*;

const ONE: &str = "43d46416-ca36-4f89-962d-0ed53462d0c5";
const TWO: &str = "9e372f75-328a-4281-9722-976b59b44060";
const PID: u32 = 30_337;

fn process(started: DateTime<Utc>) -> ProcessInfo {
    ProcessInfo {
        pid: PID,
        parent: 1,
        started,
        start_ticks: Some(1),
        has_terminal: true,
        foreground: None,
        name: "MainThread".into(),
        argv: vec!["copilot".into()],
    }
}

fn id(text: &str) -> Fact<RungValue> {
    Fact::Seen(RungValue::Id(ConversationId(text.into())))
}

/// A home's conversations, each with what lies in it.
fn sessions(of: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (id, files) in of {
        fs::create_dir_all(dir.path().join(id)).unwrap();
        for (name, text) in *files {
            fs::write(dir.path().join(id).join(name), text).unwrap();
        }
    }
    dir
}

fn ask(dir: &Path, started: DateTime<Utc>, open: &Fact<Vec<PathBuf>>) -> Fact<RungValue> {
    locked(dir, &[&process(started)], |_| open.clone())
}

#[test]
fn what_the_process_holds_open_is_proof_whenever_it_was_made() {
    let dir = sessions(&[(ONE, &[("inuse.30337.lock", "30337\n")]), (TWO, &[("inuse.30337.lock", "30337\n")])]);
    let real = dir.path().canonicalize().unwrap();
    let hold = |id: &str| real.join(id).join("inuse.30337.hold");
    let now = Utc::now();
    assert_eq!(ask(dir.path(), now, &Fact::Seen(vec![hold(ONE)])), id(ONE));
    let both = ask(dir.path(), now, &Fact::Seen(vec![hold(ONE), hold(TWO)]));
    assert!(both.why_unknown().is_some_and(|why| why.contains(ONE) && why.contains(TWO)), "{both:?}");
    // Its program's own directory is held in the same way; the locks are left over then.
    let program = PathBuf::from("/home/dev/.cache/copilot/pkg/linux-x64/1.0.102/inuse.30337.hold");
    assert_eq!(ask(dir.path(), now - TimeDelta::minutes(1), &Fact::Seen(vec![program])), Fact::Absent);
}

#[test]
fn holds_of_other_processes_and_other_places_are_nobodys() {
    let dir = sessions(&[]);
    let real = dir.path().canonicalize().unwrap();
    for other in [
        real.join(ONE).join("inuse.30338.hold"),
        real.join(ONE).join("inuse.30337.lock"),
        real.join(ONE).join("deeper/inuse.30337.hold"),
        real.join("not-a-uuid").join("inuse.30337.hold"),
        PathBuf::from("/elsewhere").join(ONE).join("inuse.30337.hold"),
        real.join(ONE).join("inuse.30337.hold (deleted)"),
    ] {
        assert_eq!(ask(dir.path(), Utc::now(), &Fact::Seen(vec![other.clone()])), Fact::Absent, "{other:?}");
    }
}

#[test]
fn a_lock_counts_only_if_it_is_younger_than_its_process() {
    let dir = sessions(&[(ONE, &[("inuse.30337.lock", "30337\n"), ("workspace.yaml", "id: x")]), (TWO, &[])]);
    let none = Fact::Seen(Vec::new());
    let made = fs::metadata(dir.path().join(ONE).join("inuse.30337.lock")).unwrap();
    let made = files::times(&made).1;
    assert_eq!(ask(dir.path(), made - TimeDelta::seconds(9), &none), id(ONE));
    assert_eq!(ask(dir.path(), made + TimeDelta::seconds(9), &none), Fact::Absent, "left behind by one of the same number");
    for near in [-900, 0, 900] {
        let verdict = ask(dir.path(), made + TimeDelta::milliseconds(near), &none);
        assert!(verdict.why_unknown().is_some(), "{near} ms: {verdict:?}");
    }
    // Touched later, it is still the file of the process that was.
    let times = (Some(made - TimeDelta::hours(1)), made);
    assert_eq!(age(times, made - TimeDelta::minutes(1)), Age::Older);
}

#[test]
fn a_lock_that_does_not_say_its_process_is_no_proof() {
    for text in ["", "30338\n", "x", "30337 30337 30337 30337 30337 30337 30337"] {
        let dir = sessions(&[(ONE, &[("inuse.30337.lock", text)])]);
        let verdict = ask(dir.path(), Utc::now() - TimeDelta::minutes(1), &Fact::Seen(Vec::new()));
        assert!(verdict.why_unknown().is_some(), "{text:?}: {verdict:?}");
    }
    let dir = sessions(&[(ONE, &[("inuse.30338.lock", "30338\n")]), ("not-a-uuid", &[("inuse.30337.lock", "30337")])]);
    assert_eq!(ask(dir.path(), Utc::now() - TimeDelta::minutes(1), &Fact::Seen(Vec::new())), Fact::Absent);
}

#[test]
fn a_lock_whose_hold_the_process_does_not_hold_is_another_machines() {
    let dir = sessions(&[(ONE, &[("inuse.30337.lock", "30337\n"), ("inuse.30337.hold", "")])]);
    let started = Utc::now() - TimeDelta::minutes(1);
    assert_eq!(ask(dir.path(), started, &Fact::Seen(Vec::new())), Fact::Absent);
    assert_eq!(ask(dir.path(), started, &Fact::Unknown("permission denied".into())), id(ONE), "it may hold it");
}

#[test]
fn two_young_locks_are_not_chosen_between() {
    let lock: &[(&str, &str)] = &[("inuse.30337.lock", "30337\n")];
    let dir = sessions(&[(ONE, lock), (TWO, lock)]);
    assert!(ask(dir.path(), Utc::now() - TimeDelta::minutes(1), &Fact::Seen(Vec::new())).why_unknown().is_some());
    assert_eq!(ask(&dir.path().join("none"), Utc::now(), &Fact::Seen(Vec::new())), Fact::Absent);
}

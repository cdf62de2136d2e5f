//! What is read of a live Pi, whose process does not keep its arguments, and of its session files.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use headcount::core::fact::Fact;
use headcount::core::observe::Agent;
use headcount::core::observe::identity::{Rung, RungValue};

use crate::support::{World, await_some, entries};
use crate::{agents, look};

/// The only agent of a session, once there is one.
fn agent_of(world: &World, name: &str) -> Agent {
    let manifest = entries([format!("name: {name}, agent: pi")]);
    await_some(name, || agents(&look(world, &manifest), name).first().map(|agent| (*agent).clone()))
}

fn reading(agent: &Agent, rung: Rung) -> &Fact<RungValue> {
    &agent.ladder.readings.iter().find(|reading| reading.rung == rung).expect("a rung of Pi").fact
}

fn appeared(agent: &Agent) -> Vec<String> {
    match reading(agent, Rung::Appeared) {
        Fact::Seen(RungValue::Appeared(all)) => all.iter().map(|it| it.id.as_str().to_owned()).collect(),
        Fact::Absent => Vec::new(),
        other => panic!("{other:?}"),
    }
}

/// Writes a session file as Pi does at its first answer.
fn answer(sessions: &Path, id: &str, cwd: &Path, begun: DateTime<Utc>) -> PathBuf {
    fs::create_dir_all(sessions).unwrap();
    let path = sessions.join(format!("{}_{id}.jsonl", begun.format("%Y-%m-%dT%H-%M-%S-%3fZ")));
    let line = serde_json::json!({ "type": "session", "version": 3, "id": id, "cwd": cwd, "timestamp": begun });
    fs::write(&path, format!("{line}\n")).unwrap();
    path
}

fn directory(home: &Path, cwd: &Path) -> PathBuf {
    home.join("sessions").join(format!("--{}--", cwd.to_str().unwrap()[1..].replace('/', "-")))
}

#[test]
fn a_conversation_begun_at_the_launch_is_shown_once_it_has_its_first_answer() {
    let world = World::new();
    let (cwd, lossy) = (world.workspace("a-b"), world.workspace("a/b"));
    let home = world.home().join(".pi/agent");
    // As the real one: in the place of its arguments there is only its name.
    world.session("s", &cwd, "exec bash -c 'exec -a pi sleep 600'");
    let agent = agent_of(&world, "s");
    assert_eq!((reading(&agent, Rung::Start), appeared(&agent).len()), (&Fact::Absent, 0));
    let started = agent.process.started;
    let sessions = directory(&home, &cwd);
    assert_eq!(sessions, directory(&home, &lossy), "the directory does not tell the workspace");
    answer(&sessions, "lossy", &lossy, started + TimeDelta::seconds(1));
    answer(&sessions, "earlier", &cwd, started - TimeDelta::seconds(60));
    answer(&sessions, "my-own.id_1", &cwd, started + TimeDelta::seconds(1));
    let agent = agent_of(&world, "s");
    assert_eq!((appeared(&agent), agent.ladder.peers), (vec!["my-own.id_1".to_owned()], Fact::Seen(1)));
    world.session("twin", &cwd, "exec bash -c 'exec -a pi sleep 600'");
    agent_of(&world, "twin");
    assert_eq!(agent_of(&world, "s").ladder.peers, Fact::Seen(2));
}

#[test]
fn session_files_are_sought_where_the_process_was_told_to_keep_them() {
    let world = World::new();
    let cwd = world.workspace("w");
    let (other, flat) = (world.root().join("other"), world.root().join("flat"));
    let run = "exec bash -c 'exec -a pi sleep 600'";
    world.session("dir", &cwd, &format!("PI_CODING_AGENT_DIR={} {run}", other.display()));
    world.session("flat", &cwd, &format!("PI_CODING_AGENT_DIR=/x PI_CODING_AGENT_SESSION_DIR={} {run}", flat.display()));
    world.session("tilde", &cwd, &format!("PI_CODING_AGENT_DIR='~/pi' {run}"));
    for (name, home) in [("dir", &other), ("flat", &flat), ("tilde", &world.home().join("pi"))] {
        assert_eq!(&agent_of(&world, name).home, &Fact::Seen(home.clone()), "{name}");
    }
    let begun = |name: &str| agent_of(&world, name).process.started + TimeDelta::seconds(1);
    answer(&directory(&other, &cwd), "one", &cwd, begun("dir"));
    answer(&flat, "two", &cwd, begun("flat"));
    assert_eq!(appeared(&agent_of(&world, "dir")), ["one"]);
    assert_eq!(appeared(&agent_of(&world, "flat")), ["two"]);
}

#[test]
fn the_arguments_of_a_wrapper_name_a_conversation_of_this_workspace_or_none() {
    let world = World::new();
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    let home = world.home().join(".pi/agent");
    let old = Utc::now() - TimeDelta::days(1);
    let file = answer(&directory(&home, &cwd), "ours", &cwd, old);
    answer(&directory(&home, &other), "theirs", &other, old);
    world.program("pi", "#!/bin/bash\nsleep 600\n");
    for (name, arguments, expected) in [
        ("s0", "--session-id my-own.id_1".to_owned(), Some("my-own.id_1")),
        ("s1", "--session-id ours --no-session".to_owned(), None),
        ("s2", "--session ours".to_owned(), Some("ours")),
        ("s3", "--session our".to_owned(), None),
        ("s4", "--session theirs".to_owned(), None),
        ("s5", format!("--session {}", file.display()), Some("ours")),
        ("s6", "--fork ours --session-id next".to_owned(), None),
        ("s7", "--continue".to_owned(), None),
        ("s8", "--session-id ../x".to_owned(), None),
    ] {
        world.session(name, &cwd, &format!("exec pi {arguments}"));
        let found = match reading(&agent_of(&world, name), Rung::Start) {
            Fact::Seen(RungValue::Id(id)) => Some(id.as_str().to_owned()),
            Fact::Absent => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(found.as_deref(), expected, "{arguments}");
    }
}

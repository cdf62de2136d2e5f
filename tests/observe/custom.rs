//! Agents that a manifest declares: what is one, and what its arguments and files say of its conversation.

use std::fs;
use std::path::Path;

use headcount::control::observe::{Observer as Looking, observe};
use headcount::control::watch::wake::Scope;
use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::manifest::Manifest;
use headcount::core::observe::identity::{Appearance, Ladder, Rung, RungValue};
use headcount::core::observe::{Observation, TranscriptKey};
use headcount::host::LocalHost;

use crate::support::aider::{declaring, directory, install, prompt};
use crate::support::{HOST, World, await_some, manifest};
use crate::{agents, default_server, look, look_with};

const ID: &str = "0123abcd";

fn aider() -> AgentKind {
    AgentKind::named("aider").unwrap()
}

/// What is declared, and the entries.
fn declared(entries: &[&str]) -> Manifest {
    manifest(&declaring(entries))
}

fn reading(ladder: &Ladder, rung: Rung) -> Option<&Fact<RungValue>> {
    ladder.readings.iter().find(|reading| reading.rung == rung).map(|reading| &reading.fact)
}

/// The ladder of the only agent of a session, once there is one.
fn ladder(world: &World, name: &str, manifest: &Manifest) -> Ladder {
    await_some(name, || agents(&look(world, manifest), name).first().map(|agent| agent.ladder.clone()))
}

fn appeared(ladder: &Ladder) -> Vec<Appearance> {
    match reading(ladder, Rung::Appeared) {
        Some(Fact::Seen(RungValue::Appeared(all))) => all.clone(),
        Some(Fact::Absent) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn transcript<'a>(seen: &'a Observation, home: &Path, id: &str) -> &'a Fact<headcount::core::observe::Transcript> {
    let key = TranscriptKey { kind: aider(), home: home.to_path_buf(), id: ConversationId(id.to_owned()) };
    seen.transcripts.get(&key).unwrap_or_else(|| panic!("{key:?}: {:?}", seen.transcripts))
}

#[test]
fn a_declared_agent_is_recognised_and_an_undeclared_one_is_not() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("w");
    let pid = world.session("s", &cwd, "exec aider");
    world.session("below", &cwd, "bash -c 'aider; true'");
    world.session("edits", &cwd, "exec tail -f /dev/null aider");
    let entries = ["name: s, agent: aid", "name: below, agent: aider", "name: edits, agent: aider"];
    let seen = await_some("both", || {
        let seen = look(&world, &declared(&entries));
        ["s", "below"].iter().all(|name| agents(&seen, name).len() == 1).then_some(seen)
    });
    let agent = agents(&seen, "s")[0];
    assert_eq!((agent.kind, agent.process.pid, &agent.cwd), (aider(), pid, &Fact::Seen(cwd)));
    assert_eq!(agent.home, Fact::Seen(world.home().join(".aider")));
    assert_eq!(agents(&seen, "edits").len(), 0, "only its arguments name it");
    let other = manifest("version: 1\nagents: { goose: { programs: [goose] } }\nsessions: [{ name: s, agent: goose }]\n");
    assert_eq!(agents(&look(&world, &other), "s").len(), 0, "nobody says that this is an agent");
}

#[test]
fn an_agent_that_headcount_knows_is_never_taken_for_a_declared_one() {
    let world = World::new();
    let cwd = world.workspace("w");
    // Its package is declared as one of another agent's.
    let package = world.root().join("bin/acme");
    fs::create_dir(&package).unwrap();
    fs::rename(world.claude(), package.join("claude")).unwrap();
    world.session("s", &cwd, &format!("exec {}/claude --no-registry", package.display()));
    let text = "version: 1\nagents: { acme: { programs: [acme], packages: [acme] } }\nsessions: [{ name: s, agent: acme }]\n";
    let kinds = |world: &World| -> Vec<AgentKind> {
        agents(&look(world, &manifest(text)), "s").iter().map(|agent| agent.kind).collect()
    };
    assert_eq!(await_some("an agent", || Some(kinds(&world)).filter(|all| !all.is_empty())), [AgentKind::Claude]);
}

#[test]
fn the_id_is_told_by_the_declared_flags_and_never_with_a_fork() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("w");
    for (name, arguments, expected) in [
        ("s0", format!("--session-id {ID}"), Some(ID)),
        ("s1", format!("--resume={ID}"), Some(ID)),
        ("s2", format!("--resume {ID} --fork"), None),
        ("s3", format!("--fork=yes --resume {ID}"), None),
        ("s4", "--resume latest".to_owned(), None),
        ("s5", format!("--resume {ID} --session-id 89abcdef"), None),
        ("s6", format!("--id {ID}"), None),
        ("s7", format!("-- --resume {ID}"), None),
    ] {
        world.session(name, &cwd, &format!("exec aider {arguments}"));
        let found = ladder(&world, name, &declared(&[&format!("name: {name}, agent: aider")]));
        let id = expected.map_or(Fact::Absent, |id| Fact::Seen(RungValue::Id(ConversationId(id.to_owned()))));
        assert_eq!(reading(&found, Rung::Start), Some(&id), "{arguments}");
    }
}

#[test]
fn what_appeared_in_the_directory_of_its_workspace_is_shown_with_the_number_of_peers() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("a.b");
    let older = directory(&world.home().join(".aider"), &cwd);
    fs::create_dir_all(&older).unwrap();
    fs::write(older.join("20260101-chat-89abcdef.jsonl"), "").unwrap();
    let born = fs::metadata(older.join("20260101-chat-89abcdef.jsonl")).unwrap().created().unwrap();
    await_some("two seconds", || (born.elapsed().unwrap().as_secs_f32() > 2.0).then_some(()));
    world.session("s", &cwd, "exec aider");
    let one = declared(&["name: s, agent: aider"]);
    assert_eq!(appeared(&ladder(&world, "s", &one)), [], "that one is older than the process");
    let (id, path) = prompt(&world, "s", &cwd, 1);
    fs::write(older.join("notes.jsonl"), "").unwrap();
    fs::create_dir(older.join("x-0123abcd.jsonl")).unwrap();
    let found = ladder(&world, "s", &one);
    assert_eq!(appeared(&found).iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), [&id]);
    assert_eq!(found.peers, Fact::Seen(1));

    let seen = look(&world, &one);
    assert_eq!(transcript(&seen, &world.home().join(".aider"), &id).seen().unwrap().path, path);

    world.session("far", &world.workspace("elsewhere"), "exec aider");
    ladder(&world, "far", &declared(&["name: far, agent: aider"]));
    assert_eq!(ladder(&world, "s", &one).peers, Fact::Seen(1), "another workspace");
    // Its transcripts would lie in the very same directory.
    world.session("twin", &world.workspace("a_b"), "exec aider");
    ladder(&world, "twin", &declared(&["name: twin, agent: aider"]));
    assert_eq!(ladder(&world, "s", &one).peers, Fact::Seen(2), "a workspace that the directory does not tell from this one");
}

#[test]
fn a_name_that_does_not_tell_the_id_proves_nothing() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("w");
    let text = declaring(["name: s, agent: aider"]).replace(r#", id: "[0-9a-f]{8}""#, "");
    assert!(!text.contains("[0-9a-f]"));
    world.session("s", &cwd, "exec aider");
    ladder(&world, "s", &manifest(&text));
    prompt(&world, "s", &cwd, 0);
    let found = ladder(&world, "s", &manifest(&text));
    let why = reading(&found, Rung::Appeared).unwrap().why_unknown().unwrap();
    assert!(why.contains("which part of") && why.contains("-chat-"), "{why}");
}

#[test]
fn transcripts_are_found_in_any_workspace_by_id_and_nowhere_else() {
    let world = World::new();
    let home = world.home().join(".aider");
    let cwd = world.workspace("w");
    let dir = directory(&home, Path::new("/moved/from/here"));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(format!("1-{ID}.jsonl")), "").unwrap();
    fs::write(world.home().join(format!("1-{ID}1.jsonl")), "").unwrap();
    let entry = |name: &str, id: &str| format!("name: {name}, agent: aider, cwd: {}, session_id: {id:?}", cwd.display());
    let hostile = ["../../x", "*", "..", "a/b", "89abcdef", "-----"];
    let mut entries = vec![entry("s", ID), format!("{}, env: {{ AIDER_HOME: /nowhere }}", entry("t", ID))];
    entries.extend(hostile.iter().enumerate().map(|(at, id)| entry(&format!("h{at}"), id)));
    world.session("keeper", &cwd, "exec sleep 1000");
    let seen = look(&world, &manifest(&declaring(&entries)));
    assert_eq!(transcript(&seen, &home, ID).seen().unwrap().path, dir.join(format!("1-{ID}.jsonl")));
    assert_eq!(transcript(&seen, Path::new("/nowhere"), ID), &Fact::Absent, "another home");
    for id in hostile {
        assert_eq!(transcript(&seen, &home, id), &Fact::Absent, "{id}");
    }
    assert_eq!(
        look_with(&world, &[("AIDER_HOME", "/nowhere")], &declared(&[])).own_homes[&aider()].seen().unwrap(),
        Path::new("/nowhere")
    );
}

#[test]
fn transcripts_in_the_workspace_are_looked_for_there_and_a_missing_workspace_is_unknown() {
    let world = World::new();
    let (cwd, gone) = (world.workspace("w"), world.root().join("lab/gone"));
    fs::create_dir_all(cwd.join(".goose")).unwrap();
    fs::write(cwd.join(".goose/1 am.md"), "").unwrap();
    let entry = |name: &str, id: &str, cwd: &Path| {
        format!("  - {{ name: {name}, agent: goose, session_id: {id}, cwd: {} }}\n", cwd.display())
    };
    let text = format!(
        "version: 1\nagents: {{ goose: {{ programs: [goose], transcripts: \"{{cwd}}/.goose/* {{id}}.md\" }} }}\nsessions:\n{}{}{}",
        entry("a", "am", &cwd),
        entry("b", "pm", &cwd),
        entry("c", "night", &gone),
    );
    world.session("keeper", &cwd, "exec sleep 1000");
    let seen = look(&world, &manifest(&text));
    let fact = |id: &str| {
        let kind = AgentKind::named("goose").unwrap();
        seen.transcripts[&TranscriptKey { kind, home: world.home(), id: ConversationId(id.to_owned()) }].clone()
    };
    assert_eq!(fact("am").seen().unwrap().path, cwd.join(".goose/1 am.md"));
    assert_eq!(fact("pm"), Fact::Absent);
    assert!(fact("night").why_unknown().unwrap().contains("does not exist"), "{:?}", fact("night"));
}

#[test]
fn without_a_place_for_transcripts_nobody_looks_for_any() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.session("s", &cwd, "exec sleep 1000");
    let text = "version: 1\nagents: { goose: { programs: [sleep], id_flags: [--id] } }\nsessions: [{ name: s, agent: goose, session_id: x }]\n";
    let seen = await_some("the agent", || {
        let seen = look(&world, &manifest(text));
        (agents(&seen, "s").len() == 1).then_some(seen)
    });
    assert_eq!(seen.transcripts.len(), 0);
    assert_eq!(agents(&seen, "s")[0].ladder.readings.iter().map(|reading| reading.rung).collect::<Vec<_>>(), [Rung::Start]);
    assert!(default_server(&seen).sessions.len() == 1);
}

#[test]
fn what_was_found_under_one_definition_is_not_believed_under_another() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("w");
    world.session("s", &cwd, &format!("exec aider --resume {ID}"));
    let one = declared(&["name: s, agent: aider"]);
    ladder(&world, "s", &one);
    let env = world.environ(&[]);
    let host = Box::new(LocalHost::named(HOST, env.clone()));
    let looking = Looking { host, ..Looking::local(env) };
    looking.cache.focus(&Scope::ALL);
    assert_eq!(agents(&observe(&looking, &one), "s").len(), 1);
    // From here on nothing of this session is in question.
    looking.cache.focus(&Scope::sessions([].into()));
    assert_eq!(agents(&observe(&looking, &one), "s").len(), 1);
    let other = manifest(&declaring(["name: s, agent: aider"]).replace("programs: [aider]", "programs: [planer]"));
    assert_eq!(agents(&observe(&looking, &other), "s").len(), 0);
    assert_eq!(agents(&observe(&looking, &one), "s").len(), 1);
}

//! What each rung of the evidence ladder says about a live agent.

use std::fs;

use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::manifest::Manifest;
use headcount::core::observe::identity::{Ladder, Rung, RungValue};
use headcount::host::LocalHost;

use crate::support::{HOST, World, await_some, entries, recorded};
use crate::{agents, look};

const ID: &str = "11111111-2222-4333-8444-555555555555";

fn reading(ladder: &Ladder, rung: Rung) -> Option<&Fact<RungValue>> {
    ladder.readings.iter().find(|reading| reading.rung == rung).map(|reading| &reading.fact)
}

fn id(text: &str) -> Fact<RungValue> {
    Fact::Seen(RungValue::Id(ConversationId(text.to_owned())))
}

/// The ladder of the only agent of a session, once there is one.
fn ladder(world: &World, name: &str, manifest: &Manifest) -> Ladder {
    await_some(name, || agents(&look(world, manifest), name).first().map(|agent| agent.ladder.clone()))
}

fn one(name: &str) -> Manifest {
    entries([format!("name: {name}, agent: claude")])
}

#[test]
fn the_live_registry_names_the_conversation_and_follows_it() {
    let world = World::new();
    let cwd = world.workspace("w");
    let first = world.claude_session("s", &cwd);
    let found = ladder(&world, "s", &one("s"));
    assert_eq!(reading(&found, Rung::Registry), Some(&id(first.id.as_str())));
    assert_eq!(reading(&found, Rung::Appeared), None, "a weaker rung is superfluous");
    assert_eq!(found.peers, Fact::Absent);
    world.type_line("s", "/clear");
    let second = await_some("another conversation", || Some(world.registered(first.pid)).filter(|it| it.id != first.id));
    assert_eq!(reading(&ladder(&world, "s", &one("s")), Rung::Registry), Some(&id(second.id.as_str())));
}

#[test]
fn a_registry_file_of_another_process_says_nothing() {
    let world = World::new();
    let cwd = world.workspace("w");
    let claude = world.claude_session("s", &cwd);
    let file = world.home().join(format!(".claude/sessions/{}.json", claude.pid));
    let text = fs::read_to_string(&file).unwrap();
    let entry: serde_json::Value = serde_json::from_str(&text).unwrap();
    let start = entry["procStart"].as_str().unwrap();
    let registry = || reading(&ladder(&world, "s", &one("s")), Rung::Registry).cloned();
    fs::write(&file, text.replace(start, "1")).unwrap();
    assert_eq!(registry(), Some(Fact::Absent), "left behind by a process that had this pid before");
    fs::write(&file, &text[..text.len() / 2]).unwrap();
    assert!(registry().unwrap().why_unknown().is_some(), "half a file is no evidence either way");
    fs::write(&file, "x".repeat(1 << 20)).unwrap();
    assert!(registry().unwrap().why_unknown().is_some());
    fs::remove_file(&file).unwrap();
    assert_eq!(registry(), Some(Fact::Absent));
    fs::write(&file, &text).unwrap();
    assert_eq!(registry(), Some(id(claude.id.as_str())));
}

#[test]
fn an_agent_with_another_config_directory_is_read_there() {
    let world = World::new();
    let cwd = world.workspace("w");
    let other = world.root().join("other");
    world.session("s", &cwd, &format!("CLAUDE_CONFIG_DIR={} exec claude --session-id {ID}", other.display()));
    let found = await_some("the registry", || {
        let found = ladder(&world, "s", &one("s"));
        (reading(&found, Rung::Registry) == Some(&id(ID))).then_some(found)
    });
    assert!(found.readings[0].looked_at.starts_with(other.to_str().unwrap()), "{:?}", found.readings[0]);
}

#[test]
fn the_registry_entry_of_a_wrapped_agent_is_found_through_its_wrapper() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.wrap_claude();
    let pid = world.session("s", &cwd, "exec claude");
    let found = await_some("the inner registry entry", || {
        let seen = look(&world, &one("s"));
        let agent = agents(&seen, "s").first().map(|agent| (*agent).clone())?;
        reading(&agent.ladder, Rung::Registry).is_some_and(|fact| fact.seen().is_some()).then_some(agent)
    });
    assert_eq!(found.process.pid, pid, "the topmost process is the agent");
}

#[test]
fn an_agent_is_found_whatever_an_installer_calls_its_program() {
    let world = World::new();
    let cwd = world.workspace("w");
    let store = world.root().join("store/bin");
    fs::create_dir_all(&store).unwrap();
    let copy = |name: &str| {
        fs::copy(world.claude().canonicalize().unwrap(), store.join(name)).unwrap();
        store.join(name).display().to_string()
    };
    let unwrapped = copy(".claude-unwrapped");
    let other = copy("2.1.329");
    // By its name, by the file it executes, and by the registry alone.
    for (name, command) in [
        ("named", format!("exec {unwrapped}")),
        ("executed", format!("exec bash -c 'exec -a cc {unwrapped}'")),
        ("registered", format!("exec bash -c 'exec -a cc {other}'")),
    ] {
        let pid = world.session(name, &cwd, &command);
        let found = await_some(name, || {
            let found = ladder(&world, name, &one(name));
            reading(&found, Rung::Registry).is_some_and(|fact| fact.seen().is_some()).then_some(found)
        });
        assert_eq!(reading(&found, Rung::Registry), Some(&id(world.registered(pid).id.as_str())), "{name}");
    }
    // What no file vouches for is none, whatever it runs.
    world.session("plain", &cwd, "exec bash -c 'exec -a cc sleep 600'");
    await_some("the plain one", || {
        let seen = look(&world, &one("plain"));
        (crate::session(&seen, "plain").panes[0].runs == "sleep").then_some(())
    });
    assert!(agents(&look(&world, &one("plain")), "plain").is_empty());
}

#[test]
fn an_id_among_the_arguments_counts_unless_it_is_forked_or_continued() {
    let world = World::new();
    let cwd = world.workspace("w");
    for (n, (arguments, expected)) in [
        (format!("--session-id {ID}"), id(ID)),
        (format!("--resume={ID}"), id(ID)),
        (format!("-r {ID} --fork-session"), Fact::Absent),
        (format!("--session-id {ID} --continue"), Fact::Absent),
        ("--resume".to_owned(), Fact::Absent),
        (String::new(), Fact::Absent),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("s{n}");
        world.session(&name, &cwd, &format!("exec claude --no-registry {arguments}"));
        let found = ladder(&world, &name, &one(&name));
        assert_eq!(reading(&found, Rung::Start), Some(&expected), "{arguments}");
        assert_eq!(reading(&found, Rung::Registry), Some(&Fact::Absent));
    }
}

#[test]
fn other_agents_name_their_conversation_by_their_own_flags() {
    let world = World::new();
    let cwd = world.workspace("w");
    for (name, kind, arguments, expected) in [
        ("s0", "codex", format!("resume {ID}"), Some(ID)),
        ("s1", "codex", "resume --last".to_owned(), None),
        ("s2", "codex", format!("fork {ID}"), None),
        ("s3", "pi", "--session-id my-own.id_1".to_owned(), Some("my-own.id_1")),
        ("s4", "pi", "--session 01a1".to_owned(), None),
        ("s5", "gemini", format!("--resume {ID}"), Some(ID)),
        ("s6", "gemini", "--resume latest".to_owned(), None),
        ("s7", "copilot", format!("--resume={ID}"), Some(ID)),
        ("s8", "opencode", "-s ses_1".to_owned(), Some("ses_1")),
        ("s9", "opencode", "-s ses_1 --fork".to_owned(), None),
    ] {
        world.program(kind, "#!/bin/bash\nsleep 600\n");
        world.session(name, &cwd, &format!("exec {kind} {arguments}"));
        let manifest = entries([format!("name: {name}, agent: {kind}")]);
        let found = ladder(&world, name, &manifest);
        assert_eq!(reading(&found, Rung::Start), Some(&expected.map_or(Fact::Absent, id)), "{kind} {arguments}");
    }
}

#[test]
fn a_transcript_that_appeared_after_the_start_is_shown_with_the_number_of_peers() {
    let world = World::new();
    let cwd = world.workspace("w");
    let older = world.transcript(&cwd, &ConversationId("22222222-2222-4333-8444-555555555555".into()));
    fs::create_dir_all(older.parent().unwrap()).unwrap();
    fs::write(&older, format!("{{\"cwd\":{cwd:?}}}\n")).unwrap();
    // Older than the process by more than the second within which it cannot be told.
    let born = fs::metadata(&older).unwrap().created().unwrap();
    await_some("two seconds", || (born.elapsed().unwrap().as_secs_f32() > 2.0).then_some(()));
    world.session("s", &cwd, &format!("exec claude --no-registry --prompted --resume={ID} --continue"));
    let found = await_some("the transcript", || {
        let found = ladder(&world, "s", &one("s"));
        reading(&found, Rung::Appeared).is_some_and(|fact| fact.seen().is_some()).then_some(found)
    });
    let Some(Fact::Seen(RungValue::Appeared(all))) = reading(&found, Rung::Appeared) else { panic!("{found:?}") };
    assert_eq!(all.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), [ID]);
    // A stand-in that forks is two for that moment.
    let peers = |count| (ladder(&world, "s", &one("s")).peers == Fact::Seen(count)).then_some(());
    await_some("the agent alone", || peers(1));
    world.session("other", &cwd, "exec claude --no-registry");
    await_some("two agents in one workspace", || peers(2));
    let elsewhere = world.workspace("elsewhere");
    world.session("third", &elsewhere, "exec claude --no-registry");
    await_some("the third agent", || agents(&look(&world, &one("third")), "third").first().map(|_| ()));
    await_some("two agents and one in another workspace", || peers(2));
}

#[test]
fn antigravitys_map_is_read_for_the_real_workspace() {
    let world = World::new();
    let cwd = world.workspace("w");
    let home = world.home().join(".gemini/antigravity-cli");
    fs::create_dir_all(home.join("cache")).unwrap();
    fs::create_dir_all(home.join("conversations")).unwrap();
    fs::write(home.join("cache/last_conversations.json"), format!("{{{cwd:?}: \"c-1\"}}")).unwrap();
    fs::write(home.join("conversations/c-1.db"), "").unwrap();
    world.program("agy", "#!/bin/bash\nsleep 600\n");
    world.session("x-creator-agy", &cwd, "exec agy");
    let seen = await_some("the agent", || {
        Some(look(&world, &entries(["name: s, agent: claude"]))).filter(|seen| !agents(seen, "x-creator-agy").is_empty())
    });
    let agent = agents(&seen, "x-creator-agy")[0];
    assert_eq!((agent.kind, &agent.ladder.peers), (AgentKind::Antigravity, &Fact::Seen(1)));
    let Some(Fact::Seen(RungValue::Mapped { id, changed })) = reading(&agent.ladder, Rung::WorkspaceMap) else {
        panic!("{agent:?}")
    };
    assert_eq!(id.as_str(), "c-1");
    assert!(changed.is_some());
}

#[test]
fn a_hook_event_of_this_very_process_is_a_rung_between() {
    let world = World::new();
    let cwd = world.workspace("w");
    let pid = world.session("s", &cwd, &format!("exec claude --no-registry --session-id {ID}"));
    ladder(&world, "s", &one("s"));
    let env = world.environ(&[]);
    let host = Box::new(LocalHost::named(HOST, env.clone()));
    let hook = move |kind: AgentKind, asked: u32, ticks: u64| {
        assert!(kind == AgentKind::Claude && ticks > 0);
        if asked == pid { Fact::Seen(RungValue::Id(ConversationId("hooked".into()))) } else { Fact::Absent }
    };
    let looking = headcount::control::observe::Observer {
        host,
        every_rung: true,
        ..headcount::control::observe::Observer::local(env).with_hooks(Box::new(hook))
    };
    let seen = headcount::control::observe::observe(&looking, &one("s"));
    let rungs: Vec<Rung> = agents(&seen, "s")[0].ladder.readings.iter().map(|reading| reading.rung).collect();
    assert_eq!(rungs, [Rung::Registry, Rung::Hook, Rung::Start, Rung::Appeared]);
    assert_eq!(reading(&agents(&seen, "s")[0].ladder, Rung::Hook), Some(&id("hooked")));
}

#[test]
fn what_was_recorded_of_a_pane_hastens_but_does_not_decide() {
    let world = World::new();
    let cwd = world.workspace("w");
    let claude = world.claude_session("s", &cwd);
    let other = world.claude_session("t", &cwd);
    // Each entry records the other's process.
    let manifest = entries([
        format!("name: s, agent: claude, status: running, {}", recorded("%0", other.pid)),
        format!("name: t, agent: claude, status: running, {}", recorded("%1", claude.pid)),
    ]);
    let seen = look(&world, &manifest);
    assert_eq!(agents(&seen, "s")[0].process.pid, claude.pid);
    assert_eq!(agents(&seen, "t")[0].process.pid, other.pid);
    assert_eq!(reading(&agents(&seen, "t")[0].ladder, Rung::Registry), Some(&id(other.id.as_str())));
}

#[test]
fn the_short_way_through_the_registry_sees_what_the_long_way_sees() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.claude_session("plain", &cwd);
    let other = world.root().join("other");
    world.session("moved", &cwd, &format!("CLAUDE_CONFIG_DIR={} exec claude --session-id {ID}", other.display()));
    let inner = world.session("below", &cwd, "bash -c 'claude; true'");
    let manifest = entries(["plain", "moved", "below"].map(|name| format!("name: {name}, agent: claude")));
    let view = |every_rung: bool| {
        let env = world.environ(&[]);
        let host = Box::new(LocalHost::named(HOST, env.clone()));
        let looking =
            headcount::control::observe::Observer { every_rung, host, ..headcount::control::observe::Observer::local(env) };
        let seen = headcount::control::observe::observe(&looking, &manifest);
        let all = ["plain", "moved", "below"].map(|name| {
            agents(&seen, name).first().map(|agent| {
                let proof = reading(&agent.ladder, Rung::Registry).cloned();
                (agent.kind, agent.process.pid, agent.cwd.clone(), agent.home.clone(), proof)
            })
        });
        all.into_iter().collect::<Option<Vec<_>>>()
    };
    let is_registered = |proof: &Option<Fact<RungValue>>| proof.as_ref().is_some_and(|fact| fact.seen().is_some());
    let long = await_some("all three", || view(true).filter(|all| all.iter().all(|(.., proof)| is_registered(proof))));
    assert_eq!(view(false), Some(long.clone()));
    assert_ne!(long[2].1, inner, "the agent below a shell, not the shell");
    assert_eq!(long[1].3, Fact::Seen(other));
}

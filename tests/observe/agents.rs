//! Which process is the agent of a session, and what is known of it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use headcount::control::observe::{Observer as Looking, observe};
use headcount::core::fact::Fact;
use headcount::core::ids::AgentKind;
use headcount::host::LocalHost;

use crate::support::{HOST, World, await_some, entries};
use crate::{agents, look, session};

#[test]
fn an_agent_is_found_below_wrappers_and_in_splits() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.program("supervise", "#!/bin/sh\n\"$@\"\ntrue\n");
    world.session("wrapped", &cwd, "supervise supervise claude");
    world.session("shell", &cwd, "bash -c 'claude; true'");
    world.session("split", &cwd, "exec sleep 600");
    world.tmux(["split-window", "-d", "-t", "=split:", "-c", cwd.to_str().unwrap(), "exec claude"]);
    world.session("renamed", &cwd, "exec bash -c 'exec -a claude sleep 600'");
    for name in ["wrapped", "shell", "split", "renamed"] {
        let manifest = entries([format!("name: {name}, agent: claude")]);
        let seen = await_some(name, || Some(look(&world, &manifest)).filter(|seen| !agents(seen, name).is_empty()));
        let found = agents(&seen, name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!((found[0].kind, &found[0].cwd), (AgentKind::Claude, &Fact::Seen(cwd.clone())), "{name}");
        assert_eq!(found[0].home, Fact::Seen(world.home().join(".claude")), "{name}");
    }
}

#[test]
fn of_a_node_loader_and_its_child_only_the_loader_is_the_agent() {
    let world = World::new();
    let cwd = world.workspace("w");
    // A loader as npm installs it: an interpreter runs a script of the agent's name, the agent itself is its child.
    let node = world.root().join("bin/node");
    fs::copy("/bin/bash", &node).unwrap();
    world.program("codex", "#!/usr/bin/env node\n(exec -a codex sleep 600)\ntrue\n");
    let pid = world.session("s", &cwd, "exec codex resume 11111111-2222-4333-8444-555555555555");
    let seen = await_some("the child", || {
        let seen = look(&world, &entries(["name: s, agent: codex"]));
        let grown = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).is_ok_and(|list| !list.trim().is_empty());
        (grown && !agents(&seen, "s").is_empty()).then_some(seen)
    });
    let found = agents(&seen, "s");
    assert_eq!(found.iter().map(|agent| (agent.kind, agent.process.pid)).collect::<Vec<_>>(), [(AgentKind::Codex, pid)]);
}

#[test]
fn what_an_agent_runs_as_a_tool_is_not_the_agent_of_the_pane() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.program("claude", "#!/bin/sh\n(exec -a claude sleep 600) & (exec -a codex sleep 600) & exec -a codex sleep 600\n");
    world.program("claude", "#!/bin/bash\nbash -c 'exec -a codex sleep 600' &\nbash -c 'exec -a claude sleep 600' &\nwait\n");
    let pid = world.session("s", &cwd, "exec claude");
    let seen = await_some("its tools", || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        (children.split_whitespace().count() == 2).then(|| look(&world, &entries(["name: s, agent: codex"])))
    });
    let found = agents(&seen, "s");
    assert_eq!(found.iter().map(|agent| (agent.kind, agent.process.pid)).collect::<Vec<_>>(), [(AgentKind::Claude, pid)]);
}

#[test]
fn what_another_agent_leads_is_nobodys_agent_even_where_a_registry_file_names_it() {
    let world = World::new();
    let cwd = world.workspace("w");
    let lead = world.claude_session("s", &cwd);
    let led = format!("exec claude --agent-id mate@team --agent-name mate --parent-session-id {}", lead.id);
    world.tmux(["split-window", "-d", "-t", "=s:", "-c", cwd.to_str().unwrap(), &led]);
    let panes = world.tmux(["list-panes", "-s", "-t", "=s:", "-F", "#{pane_pid}"]);
    let mate: u32 = panes.lines().find(|pid| *pid != lead.pid.to_string()).unwrap().parse().unwrap();
    world.registered(mate);
    let manifest = entries(["name: s, agent: claude"]);
    let pids = |seen: &_| agents(seen, "s").iter().map(|agent| agent.process.pid).collect::<Vec<_>>();
    for every_rung in [false, true] {
        let env = world.environ(&[]);
        let host = Box::new(LocalHost::named(HOST, env.clone()));
        let seen = observe(&Looking { host, every_rung, ..Looking::local(env) }, &manifest);
        assert_eq!(pids(&seen), [lead.pid], "every rung: {every_rung}");
    }
    rustix::process::kill_process(rustix::process::Pid::from_raw(lead.pid as i32).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    let seen =
        await_some("the end of the lead", || Some(look(&world, &manifest)).filter(|seen| !pids(seen).contains(&lead.pid)));
    assert_eq!(pids(&seen), [0; 0], "the one it led is not its heir");
    let panes = &session(&seen, "s").panes;
    assert!(panes.iter().any(|pane| pane.runs == "claude of another agent"), "{panes:?}");
}

#[test]
fn programs_that_only_mention_an_agent_are_none() {
    let world = World::new();
    let cwd = world.workspace("w");
    fs::write(cwd.join("claude.log"), "x").unwrap();
    fs::write(cwd.join("claude"), "x").unwrap();
    for (name, command, runs) in [
        ("tail", "exec tail -f claude.log", "tail"),
        ("file", "exec tail -f claude", "tail"),
        ("comment", "exec bash -c 'sleep 600; : claude'", "bash"),
    ] {
        world.session(name, &cwd, command);
        let manifest = entries([format!("name: {name}, agent: claude")]);
        let seen = await_some(name, || Some(look(&world, &manifest)).filter(|seen| session(seen, name).panes[0].runs == runs));
        assert!(agents(&seen, name).is_empty(), "{name}");
    }
}

#[test]
fn an_agent_that_ended_leaves_a_bare_shell() {
    let world = World::new();
    let cwd = world.workspace("w");
    let pid = world.session("s", &cwd, "claude; exec bash --norc");
    let manifest = entries(["name: s, agent: claude"]);
    let found = await_some("the agent", || agents(&look(&world, &manifest), "s").first().map(|agent| agent.process.pid));
    assert_ne!(found, pid);
    world.registered(found);
    world.type_line("s", "/exit");
    let seen = await_some("the shell", || Some(look(&world, &manifest)).filter(|seen| agents(seen, "s").is_empty()));
    await_some("bash", || (session(&look(&world, &manifest), "s").panes[0].runs == "bash").then_some(()));
    assert_eq!(session(&seen, "s").panes[0].agents, Fact::Seen(Vec::new()));
}

#[test]
fn the_agents_own_environment_says_where_its_files_are() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.session("absolute", &cwd, "CLAUDE_CONFIG_DIR=/elsewhere/c exec claude --no-registry");
    world.session("relative", &cwd, "CLAUDE_CONFIG_DIR=conf exec claude --no-registry");
    world.session("homeless", &cwd, "unset HOME CLAUDE_CONFIG_DIR; exec bash -c 'exec -a claude sleep 600'");
    let home = |name: &str| {
        let manifest = entries([format!("name: {name}, agent: claude")]);
        await_some(name, || agents(&look(&world, &manifest), name).first().map(|agent| agent.home.clone()))
    };
    assert_eq!(home("absolute"), Fact::Seen(PathBuf::from("/elsewhere/c")));
    assert_eq!(home("relative"), Fact::Seen(cwd.join("conf")));
    assert!(home("homeless").why_unknown().is_some());
}

#[test]
fn the_agent_itself_says_where_it_works_and_keeps_its_files_not_the_script_that_starts_it() {
    let world = World::new();
    let (cwd, away) = (world.workspace("w"), world.workspace("away"));
    let script = world.root().join("claude");
    let text =
        format!("#!/bin/bash\n(cd {away:?} && CLAUDE_CONFIG_DIR=/elsewhere/c exec {:?} --no-registry)\ntrue\n", world.claude());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let pid = world.session("s", &cwd, &format!("exec {script:?}"));
    let found = await_some("the agent below its script", || {
        let seen = look(&world, &entries(["name: s, agent: claude"]));
        agents(&seen, "s").first().map(|agent| (*agent).clone()).filter(|agent| agent.cwd == Fact::Seen(away.clone()))
    });
    assert_eq!(found.home, Fact::Seen(PathBuf::from("/elsewhere/c")));
    assert_eq!(found.process.pid, pid, "it is still the topmost one that is its process");
}

#[test]
fn another_run_of_an_agent_by_its_own_tool_moves_it_nowhere() {
    let world = World::new();
    let (cwd, away) = (world.workspace("w"), world.workspace("away"));
    fs::copy("/bin/bash", world.root().join("bin/node")).unwrap();
    let ready = world.root().join("ready");
    let tool =
        format!("#!/usr/bin/env node\n(cd {away:?} && GEMINI_CLI_HOME=/x exec -a gemini sleep 600) &\n: > {ready:?}\nwait\n");
    world.program("gemini", &tool);
    world.session("s", &cwd, "exec gemini");
    await_some("the tool", || ready.exists().then_some(()));
    let seen = look(&world, &entries(["name: s, agent: gemini"]));
    let found = agents(&seen, "s");
    assert_eq!((found.len(), &found[0].cwd), (1, &Fact::Seen(cwd)));
    assert_eq!(found[0].home, Fact::Seen(world.home().join(".gemini")));
}

#[test]
fn an_agent_in_a_container_is_not_taken_to_have_our_files() {
    let world = World::new();
    let cwd = world.workspace("w");
    let home = world.home();
    fs::create_dir_all(home.join(".claude")).unwrap();
    // Other files below the home, or the same ones: a container may have either.
    let hide = format!("mount -t tmpfs none {home:?} && mkdir {home:?}/.claude && exec claude --no-registry");
    let (own, same) = (["unshare", "-rm", "sh", "-c", hide.as_str()], ["unshare", "-rm", "sh", "-c", "exec claude"]);
    let can = std::process::Command::new("unshare").args(["-rm", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        let _ = writeln!(std::io::stderr(), "SKIPPED agents in containers: unshare cannot make one here");
        return;
    }
    for (name, words) in [("own", own), ("same", same)] {
        let command: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        world.session(name, &cwd, &format!("exec {}", command.join(" ")));
    }
    let found = |name: &str| {
        let manifest = entries([format!("name: {name}, agent: claude")]);
        await_some(name, || agents(&look(&world, &manifest), name).first().map(|agent| agent.home.clone()))
    };
    assert!(found("own").why_unknown().is_some_and(|why| why.contains("container")), "{:?}", found("own"));
    assert_eq!(found("same"), Fact::Seen(home.join(".claude")));
}

#[test]
fn a_workspace_is_its_real_path_whatever_its_name() {
    let world = World::new();
    let odd = world.workspace("new\nline 'quote\" 漢");
    let link = world.root().join("link");
    std::os::unix::fs::symlink(&odd, &link).unwrap();
    world.session("odd", &odd, "exec claude");
    world.session("linked", &link, "exec claude");
    let manifest =
        entries([format!("name: odd, agent: claude, cwd: {odd:?}"), format!("name: linked, agent: claude, cwd: {link:?}")]);
    let seen = await_some("both", || {
        Some(look(&world, &manifest)).filter(|seen| ["odd", "linked"].iter().all(|name| !agents(seen, name).is_empty()))
    });
    for name in ["odd", "linked"] {
        assert_eq!(agents(&seen, name)[0].cwd, Fact::Seen(odd.clone()), "{name}");
    }
    assert_eq!(seen.real_path(&link), odd);
    assert_eq!(seen.real_path(&odd), odd);
}

#[test]
fn many_panes_are_read_on_several_threads_with_the_same_result() {
    let world = World::new();
    let cwd = world.workspace("w");
    let names: Vec<String> = (0..60).map(|n| format!("lane-{n}")).collect();
    let mut pids: Vec<u32> =
        names.iter().map(|name| world.session(name, &cwd, "exec bash -c 'exec -a claude sleep 600'")).collect();
    let manifest = entries(names.iter().map(|name| format!("name: {name}, agent: claude")));
    let seen = await_some("all agents", || {
        Some(look(&world, &manifest)).filter(|seen| names.iter().all(|name| agents(seen, name).len() == 1))
    });
    let mut found: Vec<u32> = names.iter().map(|name| agents(&seen, name)[0].process.pid).collect();
    found.sort_unstable();
    pids.sort_unstable();
    assert_eq!(found, pids);
}

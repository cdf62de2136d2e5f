//! Which sessions and panes are seen, and under which names.

use headcount::core::fact::Fact;

use crate::support::{World, await_some, entries};
use crate::{agents, default_server, look, look_with, session};

/// Names that break parsers. tmux itself changes `.`, `:`, `\` and control characters; what it says is what counts.
const NAMES: [&str; 9] =
    ["with space", "a|b|c", "quote'\"`$x", "漢字 é 😀", "-dash", "=eq", "*glob?[x]", "tab\tnew\nline", "esc\u{1b}[31mred"];

#[test]
fn any_name_survives_any_locale() {
    let world = World::new();
    for name in NAMES {
        world.session(name, &world.home(), "exec sleep 600");
    }
    let mut expected: Vec<String> = world.tmux(["list-sessions", "-F", "#{session_name}"]).lines().map(str::to_owned).collect();
    expected.sort();
    assert_eq!(expected.len(), NAMES.len());
    assert!(expected.iter().any(|name| name == "漢字 é 😀") && expected.iter().any(|name| name == "a|b|c"));
    for locale in [&[][..], &[("LC_ALL", "C"), ("LANG", "C")], &[("LC_ALL", ""), ("LANG", ""), ("TERM", "")]] {
        let seen = look_with(&world, locale, &entries(["name: x, agent: claude"]));
        let mut names: Vec<String> = default_server(&seen).sessions.iter().map(|session| session.name.clone()).collect();
        names.sort();
        assert_eq!(names, expected, "{locale:?}");
    }
}

#[test]
fn one_name_that_begins_another_is_not_mistaken_for_it() {
    let world = World::new();
    let cwd = world.workspace("w");
    let pid = world.session("lane-10", &cwd, "exec sleep 600");
    let seen = look(&world, &entries(["name: lane-1, agent: claude", "name: lane-10, agent: claude"]));
    let names: Vec<&str> = default_server(&seen).sessions.iter().map(|session| session.name.as_str()).collect();
    assert_eq!(names, ["lane-10"]);
    assert_eq!(session(&seen, "lane-10").panes[0].pid, Some(pid));
}

#[test]
fn a_session_is_described_as_tmux_does() {
    let world = World::new();
    let before = chrono::Utc::now() - chrono::TimeDelta::seconds(1);
    world.session("s", &world.home(), "exec sleep 600");
    world.tmux(["split-window", "-d", "-t", "=s:", "exec sleep 601"]);
    let seen = await_some("both programs", || {
        let seen = look(&world, &entries(["name: s, agent: claude"]));
        session(&seen, "s").panes.iter().all(|pane| pane.runs == "sleep").then_some(seen)
    });
    let server = default_server(&seen);
    assert_eq!(server.pid.map(|pid| pid.to_string()), Some(world.tmux(["display-message", "-p", "#{pid}"])));
    assert_eq!(server.version, world.tmux(["display-message", "-p", "#{version}"]));
    let session = session(&seen, "s");
    assert_eq!(session.id, world.tmux(["display-message", "-p", "-t", "=s:", "#{session_id}"]));
    assert!(session.created.unwrap() >= before && session.created.unwrap() <= chrono::Utc::now());
    let panes: Vec<String> = session.panes.iter().map(|pane| format!("{} {}", pane.id, pane.pid.unwrap())).collect();
    assert_eq!(panes.join("\n"), world.tmux(["list-panes", "-s", "-t", "=s:", "-F", "#{pane_id} #{pane_pid}"]));
    assert!(session.panes.iter().all(|pane| pane.agents == Fact::Seen(Vec::new())), "{session:?}");
}

#[test]
fn grouped_sessions_and_linked_windows_show_their_panes_in_each() {
    let world = World::new();
    let cwd = world.workspace("w");
    let claude = world.claude_session("one", &cwd);
    world.tmux(["new-session", "-d", "-s", "two", "-t", "=one"]);
    world.session("three", &cwd, "exec sleep 600");
    world.tmux(["link-window", "-s", "=one:0", "-t", "=three:7"]);
    let seen = look(&world, &entries(["name: one, agent: claude", "name: two, agent: claude", "name: three, agent: claude"]));
    for name in ["one", "two", "three"] {
        let pids: Vec<u32> = agents(&seen, name).iter().map(|agent| agent.process.pid).collect();
        assert_eq!(pids, [claude.pid], "{name}");
    }
    assert_eq!(session(&seen, "three").panes.len(), 2);
}

#[test]
fn a_dead_pane_kept_by_remain_on_exit_holds_no_agent() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.session("keeper", &cwd, "exec sleep 600");
    world.tmux(["set-option", "-g", "remain-on-exit", "on"]);
    let claude = world.claude_session("s", &cwd);
    let alive = look(&world, &entries(["name: s, agent: claude"]));
    assert_eq!(agents(&alive, "s").len(), 1);
    world.type_line("s", "/exit");
    let seen = await_some("the end of the pane's process", || {
        let seen = look(&world, &entries(["name: s, agent: claude"]));
        session(&seen, "s").panes[0].dead.is_some().then_some(seen)
    });
    let pane = &session(&seen, "s").panes[0];
    assert_eq!((pane.agents.clone(), pane.pid), (Fact::Seen(Vec::new()), Some(claude.pid)));
    let dead = pane.dead.as_deref().unwrap();
    // tmux up to 3.5a sometimes never learns the status of a dead pane.
    assert!(dead == "exit status 0" || dead == "exit status unknown", "{dead}");
}

#[test]
fn undeclared_sessions_are_looked_into_only_if_they_may_be_ours() {
    let world = World::new();
    let cwd = world.workspace("w");
    for name in ["mine-creator-claude", "private", "declared"] {
        world.session(name, &cwd, "exec claude");
    }
    let looked_into = |entry: &str| {
        let seen = look(&world, &entries([entry]));
        let sessions = default_server(&seen).sessions.iter();
        let asked = sessions.filter(|session| !session.panes[0].agents.is_absent()).map(|session| session.name.clone());
        let mut asked: Vec<String> = asked.collect();
        asked.sort();
        asked
    };
    assert_eq!(looked_into("name: declared, agent: claude, status: running"), ["declared", "mine-creator-claude"]);
    // A suspended entry still holds its conversation, so whether it lives matters to the others.
    assert_eq!(looked_into("name: declared, agent: claude, suspend: true"), ["declared", "mine-creator-claude"]);
    assert_eq!(looked_into("name: declared, agent: claude, host: other"), ["mine-creator-claude"]);
    assert_eq!(looked_into("name: ended, agent: claude, status: terminated"), ["mine-creator-claude"]);
    // A running session that is missing may have been renamed to any name.
    assert_eq!(looked_into("name: lost, agent: claude, status: running"), ["declared", "mine-creator-claude", "private"]);
}

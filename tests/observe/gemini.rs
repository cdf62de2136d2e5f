//! What Gemini's chats say, with a stand-in that is laid out as npm lays the real one out: a script in node starts itself again.

use std::fs;
use std::path::{Path, PathBuf};

use headcount::core::fact::Fact;
use headcount::core::ids::AgentKind;
use headcount::core::observe::Agent;
use headcount::core::observe::identity::{Rung, RungValue};

use crate::support::{World, await_some, entries};
use crate::{agents, look};

const ID: &str = "11111111-2222-4333-8444-555555555555";

/// A chat a while after the start, in which the real one boots; those of others without a prompt are deleted. A line is a prompt.
/// The real one outlives its terminal; this one only if it is told to.
const GEMINI: &str = r#"#!/usr/bin/env node
[ -z "$OUTLIVES" ] || trap '' HUP
if [ -z "$INNER" ]; then INNER=yes "$(command -v node)" "$0" "$@"; exit; fi
id=
while [ $# -gt 0 ]; do case $1 in --session-id) id=$2; shift ;; esac; shift; done
[ -n "$id" ] || read -r id < /proc/sys/kernel/random/uuid
sleep 1.5
home=${GEMINI_CLI_HOME:-$HOME}/.gemini; chats=$home/tmp/slug/chats; cwd=$(pwd -P)
mkdir -p "$chats"
printf '{"projects":{"%s":"slug"}}' "$cwd" > "$home/projects.json"
printf '%s' "$cwd" > "$home/tmp/slug/.project_root"
for other in "$chats"/*.jsonl; do grep -qs '"type":"user"' "$other" || rm -f "$other"; done
chat=$chats/session-$(date -u +%FT%H-%M)-${id:0:8}.jsonl
printf '{"sessionId":"%s","projectHash":"x","startTime":"%s","kind":"main"}\n' "$id" "$(date -u +%FT%T.%3NZ)" > "$chat"
while read -r line || { [ -n "$OUTLIVES" ] && sleep 600; }; do
  printf '{"id":"m","timestamp":"%s","type":"user","content":"x"}\n' "$(date -u +%FT%T.%3NZ)" >> "$chat"
done
"#;

fn world() -> World {
    let world = World::new();
    fs::copy("/bin/bash", world.root().join("bin/node")).unwrap();
    world.program("gemini", GEMINI);
    world
}

fn agent(world: &World, name: &str) -> Option<Agent> {
    let seen = look(world, &entries([format!("name: {name}, agent: gemini")]));
    agents(&seen, name).first().map(|agent| (*agent).clone())
}

fn reading(agent: &Agent, rung: Rung) -> Option<&Fact<RungValue>> {
    agent.ladder.readings.iter().find(|reading| reading.rung == rung).map(|reading| &reading.fact)
}

fn appeared(agent: &Agent) -> Vec<String> {
    match reading(agent, Rung::Appeared) {
        Some(Fact::Seen(RungValue::Appeared(all))) => all.iter().map(|it| it.id.as_str().to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn chats(home: &Path) -> Vec<PathBuf> {
    fs::read_dir(home.join(".gemini/tmp/slug/chats")).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The id of the only chat there is.
fn only_chat(home: &Path) -> Option<String> {
    let all = chats(home);
    let [path] = all.as_slice() else { return None };
    let first: serde_json::Value = serde_json::from_str(fs::read_to_string(path).ok()?.lines().next()?).ok()?;
    Some(first["sessionId"].as_str()?.to_owned())
}

#[test]
fn the_chat_of_its_launch_is_a_lone_geminis() {
    let world = world();
    let cwd = world.workspace("w");
    let elsewhere = world.root().join("elsewhere");
    for (name, variable, home) in [
        ("plain", String::new(), world.home()),
        ("moved", format!("GEMINI_CLI_HOME={} ", elsewhere.display()), elsewhere.clone()),
    ] {
        let cwd = cwd.join(name);
        fs::create_dir(&cwd).unwrap();
        let pid = world.session(name, &cwd, &format!("{variable}exec gemini"));
        let expected = await_some("the chat", || only_chat(&home));
        let found = await_some("the reading", || agent(&world, name).filter(|agent| !appeared(agent).is_empty()));
        assert_eq!((found.kind, found.process.pid), (AgentKind::Gemini, pid), "{name}: the outermost is the agent");
        assert_eq!((appeared(&found), &found.ladder.peers), (vec![expected], &Fact::Seen(1)), "{name}");
        assert_eq!(found.home, Fact::Seen(home.join(".gemini")), "{name}");
    }
}

#[test]
fn one_whose_chat_another_deleted_is_told_nothing_while_and_after_the_other_is_there() {
    let world = world();
    let cwd = world.workspace("w");
    world.session("first", &cwd, "exec gemini");
    let first = await_some("the first chat", || only_chat(&world.home()));
    let second = Orphan(world.session("second", &cwd, "OUTLIVES=yes exec gemini"));
    let its_chat = await_some("the second chat", || only_chat(&world.home()).filter(|id| *id != first));
    for name in ["first", "second"] {
        let found = await_some("the reading", || agent(&world, name).filter(|agent| !appeared(agent).is_empty()));
        assert_eq!((appeared(&found), &found.ladder.peers), (vec![its_chat.clone()], &Fact::Seen(2)), "{name}");
    }
    // Its first prompt makes the file anew, without the line that names the conversation.
    world.type_line("first", "hello");
    await_some("the file", || (chats(&world.home()).len() == 2).then_some(()));
    let why = await_some("the reading", || {
        let found = agent(&world, "first")?;
        reading(&found, Rung::Appeared)?.why_unknown().map(str::to_owned)
    });
    assert!(why.contains(&first[..8]), "{why}");
    // Both its processes outlive the session. They are nobody's agent, but they are in the workspace.
    world.tmux(["kill-session", "-t", "=second"]);
    fs::remove_file(chats(&world.home()).into_iter().find(|path| path.to_string_lossy().contains(&first[..8])).unwrap())
        .unwrap();
    let found = agent(&world, "first").unwrap();
    let is_orphan = Path::new(&format!("/proc/{}", second.0)).exists();
    assert_eq!((is_orphan, &found.ladder.peers), (true, &Fact::Seen(2)), "{found:?}");
}

/// A process of a test that outlives its terminal, and what is below it.
struct Orphan(u32);

impl Drop for Orphan {
    fn drop(&mut self) {
        end(self.0);
    }
}

fn end(pid: u32) {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).for_each(end);
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

#[test]
fn an_id_among_the_arguments_needs_no_chat() {
    let world = world();
    let cwd = world.workspace("w");
    world.session("s", &cwd, &format!("exec gemini --session-id {ID}"));
    let found = await_some("the agent", || agent(&world, "s"));
    let rungs: Vec<Rung> = found.ladder.readings.iter().map(|reading| reading.rung).collect();
    assert_eq!(rungs, [Rung::Start]);
}

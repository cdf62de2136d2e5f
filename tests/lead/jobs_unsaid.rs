//! A job whose agent named its conversation, and was killed around the moment at which that took the prompt in.

use super::Scene;
use super::support::await_some;

/// What `codex exec --json` writes on its output and into its rollout. The first time it is killed: before its conversation holds the
/// prompt, or behind that where the prompt says `@@taken`.
const AGENT: &str = r#"#!/usr/bin/env python3
import json, os, signal, sys
words, prompt = sys.argv[1:], sys.stdin.read()
resumed = words[words.index("resume") + 1] if "resume" in words else None
own = resumed or "01a22e5e-85b9-7992-975e-6f6bffc20e36"
folder = os.environ["HOME"] + "/.codex/sessions/2026/11/30"
os.makedirs(folder, exist_ok=True)
def write(kind, **payload):
    with open(f"{folder}/rollout-2026-11-30T21-31-14-{own}.jsonl", "a") as file:
        file.write(json.dumps({"timestamp": "2026-11-30T21:31:17.564Z", "type": kind, "payload": payload}) + "\n")
def say(**line):
    print(json.dumps(line), flush=True)
def item(role, kind, text):
    write("response_item", type="message", role=role, content=[{"type": kind, "text": text}])
say(type="thread.started", thread_id=own)
turn = "second" if resumed else "first"
if not resumed:
    write("session_meta", id=own, cwd=os.getcwd(), originator="codex_exec", cli_version="0.169.0")
write("event_msg", type="task_started", turn_id=turn)
if not resumed:
    item("user", "input_text", "<environment_context>\n</environment_context>")
    if "@@taken" in prompt:
        item("user", "input_text", prompt)
    os.kill(os.getpid(), signal.SIGKILL)
item("user", "input_text", prompt)
item("assistant", "output_text", "done")
write("event_msg", type="task_complete", turn_id=turn, last_agent_message="done")
say(type="item.completed", item={"type": "agent_message", "text": "done"})
say(type="turn.completed")
"#;

/// What its conversation holds in the end, of what it was told.
fn told(prompt: &str) -> Vec<String> {
    let scene = Scene::new("  []\n");
    std::fs::write(scene.manifest(), "version: 1\nlead: { backoff: { first: 0s, most: 0s } }\nsessions: []\n").unwrap();
    scene.world.program("codex", AGENT);
    let words = ["job", "run", "--agent", "codex", "--headless", "--permissions", "edit", "--prompt", prompt];
    let id = scene.run(&words).is(0).stdout.lines().next().unwrap().to_owned();
    let done = scene.state().join("jobs").join(&id).join("done");
    let read = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(&done).ok()?).ok();
    let done = await_some("the end of the job", read);
    assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(2)), "{done}");
    let own = done["session_id"].as_str().unwrap();
    let rollout = format!(".codex/sessions/2026/11/30/rollout-2026-11-30T21-31-14-{own}.jsonl");
    let text = std::fs::read_to_string(scene.world.home().join(rollout)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let said = lines.filter(|line| line["payload"]["role"] == "user");
    let said = said.map(|line| line["payload"]["content"][0]["text"].as_str().unwrap().to_owned());
    said.filter(|text| !text.starts_with("<environment_context>")).collect()
}

#[test]
fn a_conversation_that_never_took_the_prompt_in_is_given_it_when_it_goes_on() {
    assert_eq!(told("do it"), ["do it"]);
}

#[test]
fn one_that_took_the_prompt_in_is_told_to_continue() {
    assert_eq!(told("do it @@taken"), ["do it @@taken", "Continue the previous task"]);
}

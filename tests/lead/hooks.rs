//! What an agent that headcount starts is given to tell what it does.

use std::io::Write as _;
use std::process::{Command, Stdio};

use headcount::core::hooks::{HookKind, ProcessMark};
use headcount::store::hooks::{HookPosition, newest_binding, since};
use headcount::store::paths::StateHome;
use serde_json::Value;

use super::Scene;

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, args: [--settings, LAB/mine.json] }\n";

fn arguments(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    text.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn behind(arguments: &[String], flag: &str) -> Option<String> {
    let at = arguments.iter().position(|word| word == flag)?;
    arguments.get(at + 1).cloned()
}

#[test]
fn an_agent_is_given_hooks_beside_its_own_settings_and_they_reach_the_state_directory() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let arguments = arguments(scene.agents().remove(0).0);
    assert!(behind(&arguments, "--settings").unwrap().ends_with("/mine.json"), "{arguments:?}");
    let plugin = std::path::PathBuf::from(behind(&arguments, "--plugin-dir").unwrap());
    assert!(plugin.starts_with(scene.state().join("hooks")), "{arguments:?}");
    let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(plugin.join(name)).unwrap()).unwrap() };
    assert_eq!(read(".claude-plugin/plugin.json")["name"], "headcount");
    // As the agent would run it.
    let command = read("hooks/hooks.json")["hooks"]["UserPromptSubmit"][0]["hooks"][0]["command"].as_str().unwrap().to_owned();
    let mut hook = Command::new("/bin/sh").args(["-c", &command]).env_clear().stdin(Stdio::piped()).spawn().unwrap();
    hook.stdin.take().unwrap().write_all(br#"{"session_id":"abc","prompt":"hello"}"#).unwrap();
    assert!(hook.wait().unwrap().success());
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start_ticks = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
    let (home, pid) = (StateHome::at(scene.state()), std::process::id());
    assert_eq!(newest_binding(&home, pid, start_ticks).unwrap().unwrap().session_id.0, "abc");
    let (events, _) = since(&home, ProcessMark { pid, start_ticks }, HookPosition::default()).unwrap();
    assert_eq!(events[0].kind, HookKind::UserPromptSubmit);
    assert!(events[0].prompt.as_ref().unwrap().is_of("hello"));
}

#[test]
fn where_no_hooks_can_be_had_the_agent_is_started_without_and_that_is_said() {
    let scene = Scene::new(ONE);
    std::fs::create_dir_all(scene.state()).unwrap();
    std::fs::write(scene.state().join("hooks"), "").unwrap();
    let ran = scene.run(&["apply", "--yes"]).is(0);
    assert!(ran.stderr.contains("without hooks"), "{ran:?}");
    assert_eq!(behind(&arguments(scene.agents().remove(0).0), "--plugin-dir"), None);
}

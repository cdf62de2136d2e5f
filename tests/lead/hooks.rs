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

fn events_command(scene: &Scene, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.env_clear().envs(scene.world.variables()).stdin(Stdio::null());
    command.arg("events").args(words).arg("--manifest").arg(scene.manifest());
    command
}

fn events(scene: &Scene, words: &[&str]) -> super::Ran {
    super::Ran::from(events_command(scene, words).output().unwrap())
}

#[test]
fn what_an_agent_says_is_shown_and_what_another_process_says_of_its_conversation_is_not() {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    assert!(events(&scene, &["one"]).is(0).stderr.contains("no hook of one"), "nothing yet");
    // Another process says so.
    let mut forger = Command::new("python3");
    let payload = format!("{{\"session_id\":\"{id}\"}}");
    forger.args(["-c", "import subprocess,sys; subprocess.run(sys.argv[2:], input=sys.argv[1].encode())", &payload]);
    forger.arg(env!("CARGO_BIN_EXE_headcount")).args(["hook", "emit"]).arg(scene.state()).args(["claude", "Stop"]);
    assert!(forger.status().unwrap().success());
    assert_eq!(events(&scene, &["one"]).is(0).stdout, "");
    // Its own file, as its hook writes it.
    let start_ticks: u64 = {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap()
    };
    let line = |event: &str, second: u32| {
        format!(
            "{{\"at\":\"2026-01-01T00:00:{second:02}Z\",\"agent\":\"claude\",\"pid\":{pid},\"start_ticks\":{start_ticks},\
             \"event\":\"{event}\",\"session_id\":\"{id}\",\"prompt\":{{\"length\":5,\"sha256\":\"ab\"}}}}\n"
        )
    };
    let file = scene.state().join(format!("hooks/{pid}.jsonl"));
    std::fs::write(&file, line("SessionStart", 1) + &line("UserPromptSubmit", 2) + &line("Stop", 3)).unwrap();
    let all = events(&scene, &["one"]).is(0).stdout;
    assert_eq!(all.lines().count(), 3, "{all}");
    assert!(all.contains("UserPromptSubmit  5 characters"), "{all}");
    let some = events(&scene, &[&id, "--type", "user_prompt_submit", "--type", "Stop", "--last", "1", "--json"]).is(0);
    let event = some.json();
    assert_eq!((event["type"].as_str(), event["schema"].as_str()), (Some("Stop"), Some("headcount/event/v1")));
    assert_eq!(event["session"]["name"], "one");
    scene.write(&format!("{ONE}{}", ONE.replace("one", "other")));
    events(&scene, &["o*"]).is(3);
    scene.write(ONE);
    // What comes is shown as it comes, until the agent ends.
    let mut follow = events_command(&scene, &["one", "-f", "--last", "0"]);
    let follow = follow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let mut append = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    append.write_all(line("Notification", 4).as_bytes()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1000));
    scene.run(&["stop", "one", "--yes", "--now"]).is(0);
    let said = super::Ran::from(follow.wait_with_output().unwrap()).is(0);
    assert!(said.stdout.contains("Notification") && said.stdout.lines().count() == 1, "{said:?}");
    assert!(said.stderr.contains("has ended"), "{said:?}");
}

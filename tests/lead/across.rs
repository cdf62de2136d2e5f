//! The tools that work across zellij sessions, called by their own names: what they find, what they type, and how they end.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::{Value, json};

use super::in_zellij::with_zellij;
use super::support::{Claude, await_some};
use super::tasks::home;
use super::zellij::Zellij;
use super::{Ran, Scene};

/// headcount, called by another name. No manifest is near.
pub(super) fn tool(scene: &Scene, name: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command
        .arg0(format!("/some/where/{name}"))
        .env_clear()
        .envs(scene.world.variables())
        .envs(scene.variables.iter().cloned())
        .stdin(std::process::Stdio::null())
        .current_dir(scene.world.workspace("one"))
        .args(words);
    command
}

pub(super) fn called(scene: &Scene, name: &str, words: &[&str]) -> Ran {
    Ran::from(tool(scene, name, words).output().unwrap())
}

fn context(scene: &Scene, words: &[&str]) -> Ran {
    called(scene, "get-cross-session-context", words)
}

/// A stand-in for an agent in a zellij session `login`, and the folder of its task.
struct Across {
    scene: Scene,
    zellij: Zellij,
    claude: Claude,
}

impl Across {
    fn new() -> Option<Self> {
        let (scene, zellij) = with_zellij("")?;
        scene.world.program("claude", include_str!("../support/talking_claude.py"));
        let claude = zellij.claude_session("login", &scene.world.workspace("one"));
        let said = [
            ("Tracker Kind", "linear"),
            ("Tracker Human ID", "ENG-7"),
            ("Coding Agent", "claude"),
            ("Agent Session ID", &claude.id.0),
            ("Zellij Session", "login"),
        ];
        home(&scene.world.workspace("one"), "09h05m07sPST-mend-login", &said);
        let across = Self { scene, zellij, claude };
        across.await_screen("manual mode on");
        Some(across)
    }

    fn await_screen(&self, text: &str) {
        let pane = "zellij:default:terminal_0";
        await_some(text, || {
            let ran = Ran::from(tool(&self.scene, "headcount", &["screen", pane]).output().unwrap());
            ran.stdout.contains(text).then_some(())
        });
    }

    /// Sends a text; gives how it ended. A zellij on a busy machine may not be able to tell how its pane is; then nothing was typed.
    fn send(&self, words: &[&str]) -> (Option<i32>, Value) {
        let once = || {
            let ran = called(&self.scene, "send-zellij-message", &[&["--json"], words].concat());
            let value: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
            eprintln!("{}: {}", value["outcome"], value["actionable_receipt"]);
            (ran.code, value)
        };
        let is_told = |(_, value): &(Option<i32>, Value)| {
            !value["actionable_receipt"].as_str().unwrap_or_default().contains("cannot be told")
                && value["composer_state"] != "ambiguous"
        };
        (0..5).map(|_| once()).find(is_told).unwrap_or_else(once)
    }

    fn prompts(&self) -> Vec<String> {
        let cwd = self.scene.world.workspace("one");
        let text = std::fs::read_to_string(self.scene.world.transcript(&cwd, &self.claude.id)).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["type"] == "user")
            .filter_map(|line| Some(line["message"]["content"].as_str()?.to_owned()))
            .collect()
    }
}

#[test]
fn a_task_is_found_by_every_way_to_say_it_with_its_session_and_what_was_said() {
    let Some(across) = Across::new() else { return };
    let scene = &across.scene;
    let folder = scene.world.workspace("one").join("context/daily/2026-11-29/09h05m07sPST-mend-login");
    let (folder, status) = (folder.to_str().unwrap(), folder.join("status.md"));
    for (words, source) in [
        (&["ENG-7"][..], "tracker"),
        (&["https://linear.app/acme/issue/eng-7/x"], "tracker"),
        (&["Mend login"], "task_slug"),
        (&["mend"], "task_slug"),
        (&["--task-dir", folder], "task_dir"),
        (&["ignored", "--status-file", status.to_str().unwrap()], "status_file"),
        (&["--zellij-session", "login"], "zellij_session"),
    ] {
        let found = context(scene, &[words, &["--json"]].concat()).is(0).json();
        assert_eq!((&found["status"], &found["resolution_source"]), (&"resolved".into(), &source.into()), "{words:?}");
        assert_eq!(found["primary"]["task_dir"], folder, "{words:?}");
        let session = &found["session"];
        assert_eq!((&session["session_name"], &session["state"]), (&"login".into(), &"active".into()));
        assert_eq!((&session["tab_names"], &session["tab_selection_reason"]), (&json!(["Tab #1"]), &"single-tab".into()));
        assert_eq!(found["primary"]["recap"][0], "What this task is about: Mend the login");
        assert_eq!(found["primary"]["metadata"]["machine"], "none");
    }
    // What was said.
    let (code, sent) = across.send(&["ENG-7", "--text", "@@say done é", "--submit", "enter", "--execute"]);
    assert_eq!((code, &sent["outcome"]), (Some(0), &"delivered".into()), "{sent}");
    let found = await_some("an answer", || {
        let found = context(scene, &["ENG-7", "--json", "--include-transcript-tail", "2"]).is(0);
        (found.json()["transcript_messages"].as_array()?.len() == 2).then_some(found)
    });
    assert!(found.stdout.contains("done \\u00e9") && found.stdout.is_ascii(), "{}", found.stdout);
    let said = found.json()["transcript_messages"].clone();
    assert_eq!((&said[0]["role"], &said[1]["role"], &said[1]["text"]), (&"user".into(), &"assistant".into(), &"done é".into()));
    let text = context(scene, &["ENG-7", "--include-transcript-tail", "4"]).is(0).stdout;
    for part in [
        "Resolution Source: tracker\n",
        "Primary:\n",
        "  Zellij State: active\n",
        "  Selected Tab: Tab #1 (single-tab)\n",
        "assistant: done é",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn what_is_not_there_or_is_several_is_said_and_ends_with_2() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    let project = scene.world.workspace("one");
    home(&project, "login-form", &[("Tracker Human ID", "ENG-7"), ("Zellij Session", "gone")]);
    home(&project, "login-mail", &[("Zellij Session", "gone")]);
    for (words, status, why) in [
        (&["login"][..], "ambiguous", "Multiple tracked task homes matched this task slug."),
        (&["ENG-8"], "no_match", "No tracked task home matched this tracker reference."),
        (&["nothing"], "no_match", "No tracked task home matched this task slug."),
        (
            &["https://jira.acme.dev/ENG-7"],
            "no_match",
            "No task was looked for: no tracker is known at jira.acme.dev: Linear and GitHub issues are.",
        ),
        (&["--zellij-session", "gone"], "ambiguous", "Multiple tracked task homes reference this zellij session."),
        (&["--task-dir", "/nowhere"], "no_match", "There is no such task folder."),
        (&["--status-file", "/nowhere"], "no_match", "There is no such status file."),
        (&[], "no_match", "Provide a task slug, tracker reference, or explicit task/session override."),
    ] {
        let found = context(&scene, &[words, &["--json"]].concat()).is(2).json();
        assert_eq!((&found["status"], &found["warning"]), (&status.into(), &why.into()), "{words:?}");
        assert!(context(&scene, words).is(2).stdout.contains(why));
        assert_eq!(found["candidates"].as_array().map_or(0, Vec::len), if status == "ambiguous" { 2 } else { 0 });
    }
    context(&scene, &["--frobnicate"]).is(2);
    assert!(context(&scene, &["--help"]).is(0).stdout.contains("--include-transcript-tail"));
    // A session that no task names is one all the same, and one that is not there is unknown.
    let session = |name: &str| context(&scene, &["--zellij-session", name, "--json"]).is(0).json();
    let nobody = session("nobody");
    assert_eq!((&nobody["primary"]["task_dir"], &nobody["session"]["state"]), (&"none".into(), &"unknown".into()));
    assert_eq!(nobody["primary"]["metadata"]["zellij_session"], "nobody");
    let cache = scene.world.root().join("cache/zellij/contract_version_1/session_info/over");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("session-layout.kdl"), "").unwrap();
    assert_eq!(session("over")["session"]["state"], "exited");
    drop(zellij);
}

#[test]
fn a_text_is_only_shown_then_staged_then_said_and_nothing_else_is_typed() {
    let Some(across) = Across::new() else { return };
    let text = "one 'two' \"three\" $(four)\n`five` \\ six";
    let (code, seen) = across.send(&["mend", "--text", text, "--submit", "enter"]);
    assert_eq!((code, &seen["outcome"], &seen["executed"]), (Some(0), &"preview_safe".into(), &false.into()), "{seen}");
    assert_eq!((&seen["agent"], &seen["agent_pane_id"]), (&"claude".into(), &"terminal_0".into()));
    assert!(across.prompts().is_empty());
    let (code, seen) = across.send(&["mend", "--text", text, "--submit", "enter", "--execute"]);
    assert_eq!((code, &seen["outcome"]), (Some(0), &"delivered".into()), "{seen}");
    assert_eq!(seen["phases"]["delivery"], "verified_new_turn");
    assert_eq!(across.prompts(), [text]);
    // Left in the composer, it is the next one's draft.
    await_some("an idle agent", || {
        let (code, seen) = across.send(&["mend", "--text", "draft", "--execute"]);
        (code == Some(0) && seen["outcome"] == "staged" && seen["phases"]["text_staging"] == "verified").then_some(())
    });
    let (code, seen) = across.send(&["mend", "--text", "next", "--submit", "enter"]);
    assert_eq!(
        (code, &seen["outcome"], &seen["composer_state"]),
        (Some(0), &"preview_unsafe".into(), &"nonempty".into()),
        "{seen}"
    );
    let (code, seen) = across.send(&["mend", "--text", "next", "--submit", "enter", "--execute"]);
    assert_eq!((code, &seen["outcome"]), (Some(3), &"unsafe_composer".into()), "{seen}");
    assert_eq!(seen["phases"]["composer_preflight"], "unsafe_nonempty");
    assert_eq!(across.prompts(), [text]);
    let left = std::fs::read_dir(across.scene.state().join("unlisted")).unwrap().count();
    assert_eq!(left, 0, "what was needed to send it is gone");
    // The session runs, and was left as it was.
    assert_eq!(across.zellij.servers().len(), 1);
}

#[test]
fn what_cannot_be_typed_to_or_typed_is_refused() {
    let Some(across) = Across::new() else { return };
    let said = |words: &[&str]| called(&across.scene, "send-zellij-message", words).is(2).stderr;
    let long = "x".repeat(100_000);
    for (words, why) in [
        (&["mend", "--text", ""][..], "message text is required"),
        (&["mend", "--text", &long], "message exceeds 2000 characters"),
        (&["mend", "--text", "a\rb"], "carriage return"),
        (&["mend", "--text", "a\u{1b}[201~"], "control characters"),
        (&["nothing", "--text", "a"], "No tracked task home"),
        (&["--zellij-session", "nobody", "--text", "a"], "no zellij session `nobody`"),
        (&["mend", "--text", "a", "--tab-name", "other"], "tab that was named"),
        (&["mend"], "--text"),
        (&["mend", "--text", "a", "--submit", "twice"], "--submit"),
    ] {
        let text = said(words);
        assert!(text.contains(why), "{why} is not in {text}");
    }
    // A command of the agent is nothing that one session says to another.
    let (code, seen) = across.send(&["mend", "--text", "!touch oops", "--execute"]);
    assert_eq!((code, &seen["outcome"]), (Some(2), &"unsafe_target".into()), "{seen}");
    // Another agent than the task's.
    let cwd = across.scene.world.workspace("one");
    home(&cwd, "by-codex", &[("Coding Agent", "codex"), ("Zellij Session", "login")]);
    let (code, seen) = across.send(&["by-codex", "--text", "a", "--execute"]);
    assert_eq!((code, &seen["phases"]["agent_pane"]), (Some(2), &"unsafe".into()), "{seen}");
    home(&cwd, "elsewhere", &[("Machine", "another"), ("Zellij Session", "login")]);
    assert!(said(&["elsewhere", "--text", "a"]).contains("different machine"));
    // A shell is nobody who is spoken to.
    across.zellij.session("shell", &cwd, &["sleep", "600"]);
    let (code, seen) = await_some("a session that has begun", || {
        let (code, seen) = across.send(&["--zellij-session", "shell", "--text", "a", "--execute"]);
        seen["actionable_receipt"].as_str()?.contains("no agent runs").then_some((code, seen))
    });
    assert_eq!((code, &seen["outcome"]), (Some(2), &"unsafe_target".into()), "{seen}");
    assert!(across.prompts().is_empty() && !cwd.join("oops").exists());
}

//! `read`, `logs` and `screen`: of an entry, of a pane and of a conversation that no manifest knows.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::support::{Claude, await_some};
use super::{Ran, Scene};

/// A stand-in that runs and has said something.
struct Talk {
    scene: Scene,
    claude: Claude,
    transcript: PathBuf,
}

impl Talk {
    fn new() -> Self {
        let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one }\n");
        let cwd = scene.world.workspace("one");
        let claude = scene.world.claude_session("one", &cwd);
        let transcript = scene.world.transcript(&cwd, &claude.id);
        std::fs::create_dir_all(transcript.parent().unwrap()).unwrap();
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/turns/claude/stop-hook.jsonl");
        std::fs::copy(recorded, &transcript).unwrap();
        Self { scene, claude, transcript }
    }

    fn pane(&self) -> String {
        format!("tmux:default:{}", self.scene.world.tmux(["display-message", "-p", "-t", "one:", "#{pane_id}"]).trim())
    }

    /// Headcount without a manifest.
    fn bare(&self, arguments: &[&str]) -> Ran {
        Ran::from(bare(&self.scene, arguments).output().unwrap())
    }

    /// Adds a turn to the transcript.
    fn say(&self, minute: u8, prompt: &str, answer: &str) {
        let at = |second: u8| format!("2026-11-29T20:{minute:02}:{second:02}Z");
        let user = json!({ "type": "user", "uuid": format!("u-{prompt}"), "parentUuid": null, "timestamp": at(0),
            "message": { "role": "user", "content": prompt } });
        let text = json!({ "type": "assistant", "uuid": format!("a-{prompt}"), "parentUuid": format!("u-{prompt}"),
            "timestamp": at(1), "message": { "content": [{ "type": "text", "text": answer }], "stop_reason": "end_turn" } });
        let end = json!({ "type": "system", "subtype": "turn_duration", "uuid": format!("e-{prompt}"),
            "parentUuid": format!("a-{prompt}"), "timestamp": at(2) });
        let mut lines = std::fs::read_to_string(&self.transcript).unwrap();
        for line in [user, text, end] {
            lines.push_str(&format!("{line}\n"));
        }
        std::fs::write(&self.transcript, lines).unwrap();
    }
}

fn bare(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.env_clear().envs(scene.world.variables()).stdin(Stdio::null()).current_dir(scene.world.home()).args(arguments);
    command
}

#[test]
fn the_same_conversation_is_read_by_its_entry_its_pane_and_its_own_id() {
    let talk = Talk::new();
    let entry = talk.scene.run(&["read", "one", "--json"]).is(0).json();
    assert_eq!((&entry["text"], &entry["end"]), (&json!("answered anew"), &json!("done")));
    assert_eq!(entry["session"]["name"], "one");
    let pane = talk.bare(&["read", &talk.pane(), "--json"]).is(0).json();
    assert_eq!((&pane["text"], &pane["session"]["name"]), (&entry["text"], &entry["session"]["name"]));
    let id = talk.bare(&["read", talk.claude.id.as_str(), "--json"]).is(0).json();
    assert_eq!((&id["text"], &id["session"]), (&entry["text"], &Value::Null));
    let two = talk.scene.run(&["read", "one", "--last", "2"]).is(0).stdout;
    assert!(two.contains("> stop hook") && two.contains("second answer") && two.ends_with("answered anew\n"), "{two}");
    let screen = |ran: Ran| ran.is(0).json()["pane"].as_str().unwrap().to_owned();
    talk.scene.world.type_line("one", "typed-into-it");
    assert_eq!(screen(talk.scene.run(&["screen", "one", "--json"])), talk.pane());
    assert_eq!(screen(talk.bare(&["screen", &talk.pane(), "--json"])), talk.pane());
    assert!(talk.scene.run(&["screen", "one"]).is(0).stdout.contains("typed-into-it"));
}

#[test]
fn what_cannot_be_read_is_said_and_nothing_is_guessed() {
    let talk = Talk::new();
    std::fs::remove_file(&talk.transcript).unwrap();
    let said = talk.scene.run(&["read", "one"]).is(1);
    assert!(said.stderr.contains("nothing was said in one yet"), "{said:?}");
    assert!(talk.bare(&["read", "tmux:default:%99"]).is(1).stderr.contains("no pane"));
    assert!(talk.bare(&["read", "nobody"]).is(1).stderr.contains("no session, pane or conversation nobody"));
    talk.scene.write(
        "  - { name: one, agent: claude, cwd: LAB/one }\n  - { name: one, agent: claude, cwd: LAB/one, server: other }\n",
    );
    for verb in ["read", "screen"] {
        let said = talk.scene.run(&[verb, "one"]).is(3);
        assert!(said.stderr.contains("tmux:default:one, tmux:other:one"), "{said:?}");
    }
    let manifest = talk.scene.manifest();
    talk.bare(&["logs", "one", "--manifest", manifest.to_str().unwrap()]).is(3);
    talk.scene.write("  - { name: never, agent: claude, cwd: LAB/one }\n");
    assert!(talk.scene.run(&["read", "never"]).is(1).stderr.contains("no conversation of it is recorded"));
    // A shell is no agent, but its pane can be shown.
    talk.scene.world.session("shell", &talk.scene.world.home(), "printf hello-there; sleep 60");
    let pane = talk.scene.world.tmux(["display-message", "-p", "-t", "shell:", "#{pane_id}"]);
    let pane = format!("tmux:default:{}", pane.trim());
    assert!(talk.bare(&["read", &pane]).is(1).stderr.contains("no agent runs in"));
    let shown = await_some("what the shell prints", || {
        let ran = talk.bare(&["screen", &pane]);
        (ran.code == Some(0)).then_some(ran.stdout)
    });
    assert_eq!(shown, "hello-there\n");
}

/// An agent whose conversation nothing tells: which transcript it writes is not guessed.
#[test]
fn a_live_agent_whose_conversation_cannot_be_told_is_unknown() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one }\n");
    let cwd = scene.world.workspace("one");
    scene.world.session("one", &cwd, &format!("{} --no-registry", scene.world.claude().display()));
    let ran = await_some("the agent", || Some(scene.run(&["read", "one"])).filter(|ran| ran.code == Some(4)));
    assert!(ran.stdout.is_empty() && ran.stderr.contains("cannot read what one said"), "{ran:?}");
    scene.run(&["screen", "one", "--json"]);
}

#[test]
fn text_of_others_cannot_reach_the_terminal_unless_it_is_asked_for_raw() {
    let talk = Talk::new();
    talk.say(0, "x", "\u{1b}[2Jgone \u{1b}[31mred\u{1b}[0m\nsecond\u{202e}");
    let shown = talk.scene.run(&["read", "one"]).is(0).stdout;
    assert!(shown.ends_with("\\u{1b}[2Jgone red\nsecond\\u{202e}\n"), "{shown:?}");
    let raw = talk.scene.run(&["read", "one", "--raw"]).is(0).stdout;
    assert!(raw.ends_with("\u{1b}[2Jgone \u{1b}[31mred\u{1b}[0m\nsecond\u{202e}\n"), "{raw:?}");
}

struct Follower {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Follower {
    fn new(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { child, lines }
    }

    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn logs_follow_a_conversation_into_the_next_one_until_the_session_ends() {
    let talk = Talk::new();
    let manifest = talk.scene.manifest();
    let words = ["logs", "one", "-f", "-n", "1", "--json", "--manifest", manifest.to_str().unwrap()];
    let mut follower = Follower::new(bare(&talk.scene, &words));
    let kind_of = |line: &Value| (line["kind"].as_str().unwrap().to_owned(), line["text"].as_str().unwrap().to_owned());
    assert_eq!(kind_of(&follower.next()), ("end".into(), "done".into()));
    talk.say(1, "more", "of it");
    let three: Vec<_> = (0..3).map(|_| kind_of(&follower.next())).collect();
    assert_eq!(three, [("prompt", "more"), ("text", "of it"), ("end", "done")].map(|(kind, text)| (kind.into(), text.into())));
    // Another conversation in the same process.
    talk.scene.world.type_line("one", "/clear");
    let other = await_some("another conversation", || {
        let now = talk.scene.world.registered(talk.claude.pid);
        (now.id != talk.claude.id).then_some(now.id)
    });
    let cwd = talk.scene.world.workspace("one");
    let next = Talk { transcript: talk.scene.world.transcript(&cwd, &other), ..talk };
    next.say(2, "anew", "yes");
    let line = follower.next();
    assert_eq!(kind_of(&line), ("prompt".into(), "anew".into()));
    assert_eq!(line["conversation"], json!(other.as_str()));
    assert_eq!((follower.next()["kind"].clone(), follower.next()["kind"].clone()), (json!("text"), json!("end")));
    next.scene.world.type_line("one", "/exit");
    assert_eq!(follower.child.wait().unwrap().code(), Some(0));
}

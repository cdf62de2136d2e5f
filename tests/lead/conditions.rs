//! What is told of sessions, and waited for, with agents that really run.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use headcount::core::ids::AgentKind;
use headcount::core::lead::send::{RECEIPT_SCHEMA, SendOutcome, SendPhases, SendReceipt};
use headcount::core::lead::{ActionKind, Operation, OperationId};
use headcount::store::operations::{Operations, TextNote};
use headcount::store::paths::StateHome;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::support::{Claude, await_end, await_some};
use super::{Ran, Scene, dialogs};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one }\n";
const LED: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";

/// A stand-in for Claude Code that runs without headcount having started it.
struct Talk {
    scene: Scene,
    claude: Claude,
    transcript: PathBuf,
}

impl Talk {
    fn new() -> Self {
        Self::of(Scene::new(ONE))
    }

    fn of(scene: Scene) -> Self {
        let cwd = scene.world.workspace("one");
        let claude = scene.world.claude_session("one", &cwd);
        let transcript = scene.world.transcript(&cwd, &claude.id);
        std::fs::create_dir_all(transcript.parent().unwrap()).unwrap();
        Self { scene, claude, transcript }
    }

    /// What the stand-in says that it is doing.
    fn turn(&self, status: &str) {
        self.scene.world.type_line("one", &format!("/turn {status}"));
        let file = self.scene.world.home().join(format!(".claude/sessions/{}.json", self.claude.pid));
        let word = format!("\"status\":\"{}\"", status.split(' ').next().unwrap());
        await_some(status, || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(&word)).then_some(()));
    }

    /// Adds a prompt to the transcript, and how its turn ended if it has.
    fn say(&self, prompt: &str, end: Option<&Value>) {
        let now = Utc::now().to_rfc3339();
        let (user, answer) = (format!("u-{prompt}"), format!("a-{prompt}"));
        let mut lines = vec![json!({ "type": "user", "uuid": user, "parentUuid": null, "timestamp": now,
            "message": { "role": "user", "content": prompt } })];
        match end {
            Some(Value::String(text)) => {
                lines.push(json!({ "type": "assistant", "uuid": answer, "parentUuid": user, "timestamp": now,
                    "message": { "content": [{ "type": "text", "text": text }], "stop_reason": "end_turn" } }));
                lines.push(json!({ "type": "system", "subtype": "turn_duration", "uuid": format!("e-{prompt}"),
                    "parentUuid": answer, "timestamp": now }));
            }
            Some(error) => lines.push(json!({ "type": "assistant", "uuid": answer, "parentUuid": user, "timestamp": now,
                "isApiErrorMessage": true, "error": error["error"],
                "message": { "model": "<synthetic>", "content": [{ "type": "text", "text": error["text"] }] } })),
            None => {}
        }
        let mut text = std::fs::read_to_string(&self.transcript).unwrap_or_default();
        lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        std::fs::write(&self.transcript, text).unwrap();
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.scene.run(words)
    }
}

/// The row of the session in `status --json`.
fn row(scene: &Scene) -> Value {
    scene.run(&["status", "--json"]).json()["sessions"][0].clone()
}

/// The conditions that hold, and the source of the first.
fn held(scene: &Scene) -> (Vec<String>, String) {
    let row = row(scene);
    let conditions = row["conditions"].as_array().unwrap_or_else(|| panic!("{row}"));
    let words = conditions.iter().map(|it| it["condition"].as_str().unwrap().to_owned()).collect();
    (words, conditions[0]["source"].as_str().unwrap().to_owned())
}

#[track_caller]
fn await_held(scene: &Scene, expected: &[&str], source: &str) {
    await_some(&format!("{expected:?} by {source}"), || {
        let (words, told) = held(scene);
        (words == expected && told == source).then_some(())
    });
}

/// A wait that goes on.
fn waiting(scene: &Scene, words: &[&str]) -> Child {
    let words: Vec<&str> = ["wait"].into_iter().chain(words.iter().copied()).collect();
    let child = scene.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    child
}

fn ended(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn an_agent_is_told_from_its_first_prompt_to_a_limit_and_what_says_so() {
    let talk = Talk::new();
    let scene = &talk.scene;
    await_held(scene, &["idle", "ready"], "registry");
    talk.turn("busy");
    talk.say("first", None);
    await_held(scene, &["working", "ready"], "registry");
    talk.turn("waiting permission prompt");
    await_held(scene, &["needs-input"], "registry");
    assert_eq!(row(scene)["conditions"][0]["evidence"], "it waits for: permission prompt");
    talk.say("second", Some(&json!("an answer")));
    talk.turn("idle");
    await_held(scene, &["idle", "turn-ended", "ready"], "registry");
    let page = talk.run(&["describe", "one"]).is(0).stdout;
    for part in ["idle          since ", "its last turn ended: done, by turn_duration", "asked: second", "said: an answer"] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    for (error, text, word) in [
        ("rate_limit", "You've hit your session limit · resets 3pm", "rate-limited"),
        ("authentication_failed", "Please run /login", "auth-failed"),
        ("server_error", "API Error: 500", "error"),
    ] {
        talk.say(error, Some(&json!({ "error": error, "text": text })));
        await_held(scene, &[word, "turn-ended", "ready"], "transcript");
        let table = talk.run(&["status"]).is(0).stdout;
        assert!(table.contains(word) && table.contains(&text[..12]), "{table}");
    }
    talk.say("third", Some(&json!("again")));
    await_held(scene, &["idle", "turn-ended", "ready"], "registry");
    talk.turn("shell");
    await_held(scene, &["idle", "turn-ended", "ready"], "registry");
}

#[test]
fn a_wait_ends_as_soon_as_it_is_so_and_says_what_told_it() {
    let talk = Talk::new();
    let scene = &talk.scene;
    let now = talk.run(&["wait", "one", "--for", "idle,needs-input", "--json"]).is(0).json();
    assert_eq!((&now["schema"], &now["end"]), (&json!("headcount/wait/v1"), &json!("met")));
    assert_eq!(now["sessions"][0]["met"]["condition"], "idle");
    let late = talk.run(&["wait", "one", "--for", "working", "--timeout", "400ms"]).is(75);
    assert!(late.stdout.contains("It did not come in ") && late.stdout.contains("idle: "), "{late:?}");
    // It holds, and does not begin.
    talk.run(&["wait", "one", "--for", "idle", "--next", "--timeout", "400ms"]).is(75);

    let wait = waiting(scene, &["one", "--for", "needs-input", "--timeout", "30s"]);
    let begun = Instant::now();
    talk.turn("waiting permission prompt");
    let ran = ended(wait).is(0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(ran.stdout.contains("needs-input: it waits for: permission prompt"), "{ran:?}");
    let wait = waiting(scene, &["one", "--for", "turn-ended", "--next", "--timeout", "30s"]);
    talk.turn("busy");
    talk.say("a", Some(&json!("an answer")));
    talk.turn("idle");
    assert!(ended(wait).is(0).stdout.contains("turn-ended: its last turn ended: done"));
    // A turn that was over before anybody looked again.
    let wait = waiting(scene, &["one", "--for", "turn-ended", "--next", "--timeout", "30s"]);
    talk.say("b", Some(&json!("another")));
    ended(wait).is(0);

    talk.run(&["wait", "nobody", "--for", "idle"]).is(1);
    talk.run(&["wait", "one", "--for", "sleepy"]).is(64);
    talk.run(&["wait", "one"]).is(64);
    let wait = waiting(scene, &["one", "--for", "working", "--timeout", "30s"]);
    kill_process(Pid::from_child(&wait), Signal::INT).unwrap();
    ended(wait).is(130);
}

#[test]
fn of_several_sessions_one_or_each_is_waited_for() {
    let two = ONE.replace("one", "two");
    let talk = Talk::of(Scene::new(&format!("{ONE}{two}")));
    let scene = &talk.scene;
    scene.world.claude_session("two", &scene.world.workspace("two"));
    talk.turn("busy");
    talk.run(&["wait", "one", "two", "--for", "idle", "--any"]).is(0);
    talk.run(&["wait", "one", "two", "--for", "idle", "--timeout", "300ms"]).is(75);
    let wait = waiting(scene, &["*", "--for", "idle", "--all", "--timeout", "30s", "--json"]);
    talk.turn("idle");
    let all = ended(wait).is(0).json();
    let met: Vec<&Value> = all["sessions"].as_array().unwrap().iter().map(|it| &it["met"]["condition"]).collect();
    assert_eq!(met, ["idle", "idle"]);
    // Of equal names one has to be named.
    let server = scene.world.named_socket("other").display().to_string();
    scene.write(&format!("{ONE}  - {{ name: one, agent: claude, cwd: LAB/one, server: \"{server}\" }}\n"));
    talk.run(&["wait", "one", "--for", "idle"]).is(3);
    talk.run(&["wait", "one", "--for", "idle", "--any", "--all"]).is(64);
}

#[test]
fn how_an_agent_ended_is_told_and_what_can_no_longer_come_is_not_waited_for() {
    let scene = Scene::new(LED);
    scene.run(&["apply", "--yes"]).is(0);
    await_held(&scene, &["idle", "ready"], "registry");
    // It dies.
    let wait = waiting(&scene, &["one", "--for", "crashed", "--timeout", "30s"]);
    let pid = scene.agents().remove(0).0;
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    assert!(ended(wait).is(0).stdout.contains("crashed: its agent ended by a failure"));
    await_held(&scene, &["crashed"], "operations");
    assert!(scene.run(&["status"]).stdout.contains("crashed"));
    let begun = Instant::now();
    let never = scene.run(&["wait", "one", "--for", "idle", "--timeout", "30s"]).is(1);
    assert!(never.stdout.contains("it is crashed") && begun.elapsed() < Duration::from_secs(10), "{never:?}");
    scene.run(&["wait", "one", "--for", "crashed", "--next", "--timeout", "30s"]).is(1);

    // It quits.
    scene.run(&["start", "one", "--yes"]).is(0);
    await_held(&scene, &["idle", "ready"], "registry");
    let wait = waiting(&scene, &["one", "--for", "idle", "--next", "--timeout", "30s"]);
    scene.world.type_line("one", "/exit");
    assert!(ended(wait).is(1).stdout.contains("it is ended: its agent quit"));
    await_held(&scene, &["ended"], "operations");

    // Headcount stops it.
    scene.run(&["start", "one", "--yes"]).is(0);
    scene.run(&["stop", "one", "--yes", "--now"]).is(0);
    await_held(&scene, &["ended"], "operations");
    assert_eq!(row(&scene)["conditions"][0]["evidence"], "headcount stopped it");

    // Its server dies.
    scene.run(&["start", "one", "--yes"]).is(0);
    let pid = scene.agents().remove(0).0;
    scene.world.tmux(["kill-server"]);
    await_end(pid);
    await_held(&scene, &["crashed"], "operations");
    assert_eq!(row(&scene)["conditions"][0]["evidence"], "its server ended while it ran");
}

#[test]
fn an_end_that_nobody_saw_is_gone_and_no_failure() {
    let talk = Talk::new();
    talk.run(&["record", "--settle", "0s"]).is(0);
    kill_process(Pid::from_raw(talk.claude.pid as i32).unwrap(), Signal::KILL).unwrap();
    await_held(&talk.scene, &["gone"], "multiplexer");
    talk.run(&["wait", "one", "--for", "idle", "--timeout", "30s"]).is(1);
}

#[test]
fn a_dialog_of_a_start_needs_input() {
    let scene = dialogs::asking(LED);
    let apply = scene.command(&["apply", "--yes"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_held(&scene, &["needs-input"], "screen");
    let told = scene.run(&["wait", "one", "--for", "needs-input", "--timeout", "30s"]).is(0);
    assert!(told.stdout.contains("it asks whether you trust the files of its directory"), "{told:?}");
    let table = scene.run(&["status"]).stdout;
    assert!(table.contains("needs-input") && table.contains("1 waiting for an answer"), "{table}");
    scene.run(&["wait", "one", "--for", "ready", "--timeout", "300ms"]).is(75);
    scene.world.tmux(["send-keys", "-t", "=one:", "Down"]);
    std::thread::sleep(Duration::from_millis(200));
    scene.world.tmux(["send-keys", "-t", "=one:", "Enter"]);
    scene.run(&["wait", "one", "--for", "ready", "--timeout", "30s"]).is(0);
    ended(apply);
}

#[test]
fn after_a_receipt_the_turn_that_took_its_text_in_is_waited_for() {
    let talk = Talk::new();
    let state = StateHome::at(talk.scene.state());
    let key = |name: &str| {
        let host = row(&talk.scene)["session"]["host"].as_str().unwrap().to_owned();
        headcount::core::ids::SessionKey {
            host,
            mux: headcount::core::ids::MuxKind::Tmux,
            server: "default".into(),
            name: name.into(),
        }
    };
    let sent = |count: u32, outcome: SendOutcome, name: &str| {
        let id = OperationId::new(Utc::now(), std::process::id(), count);
        let operation = Operation {
            id: id.clone(),
            action: ActionKind::Send,
            session: key(name),
            agent: AgentKind::Claude,
            conversation: None,
            begun: Utc::now(),
            boot: None,
            since_boot: None,
            cause: None,
            by: "a test".into(),
            engine: (1, None),
            renaming: None,
        };
        let files = Operations::new(&state).begin(&operation).unwrap();
        files.note_text(&TextNote::of("the very text")).unwrap();
        let receipt = SendReceipt {
            schema: RECEIPT_SCHEMA.into(),
            id: Some(id.clone()),
            session: key(name),
            agent: AgentKind::Claude,
            conversation: None,
            phases: SendPhases { submitted: Some(Utc::now() - TimeDelta::milliseconds(5)), ..SendPhases::default() },
            outcome,
            code: None,
            message: "as it was".into(),
            evidence: Vec::new(),
            steered: false,
            stripped: 0,
            duplicate_of: None,
            first_outcome: None,
            took_ms: 1,
        };
        files.write_receipt(&receipt).unwrap();
        id.as_str().to_owned()
    };
    talk.say("before", Some(&json!("old")));
    await_held(&talk.scene, &["idle", "turn-ended", "ready"], "registry");
    std::thread::sleep(Duration::from_millis(50));
    let id = sent(1, SendOutcome::Queued, "one");
    let after =
        |id: &str, timeout: &str| talk.run(&["wait", "one", "--for", "turn-ended", "--after", id, "--timeout", timeout]);
    after(&id, "400ms").is(75);
    // Somebody else's turn begins and ends meanwhile.
    talk.say("another text", Some(&json!("other")));
    after(&id, "400ms").is(75);
    talk.say("the very\ttext", Some(&json!("ours")));
    after(&id, "20s").is(0);
    let held = sent(2, SendOutcome::Held, "one");
    assert!(after(&held, "20s").is(1).stderr.contains("was not delivered"));
    assert!(after("000000000000-1-1", "20s").is(1).stderr.contains("names no receipt"));
    after(&sent(3, SendOutcome::Delivered, "other"), "20s").is(3);
}

#[test]
fn in_zellij_it_is_told_and_waited_for_just_so() {
    let entry = LED.replace("desired: running", "desired: running, mux: zellij");
    let Some((scene, zellij)) = super::in_zellij::with_zellij(&entry) else { return };
    scene.run(&["apply", "--yes"]).is(0);
    await_held(&scene, &["idle", "ready"], "registry");
    let wait = waiting(&scene, &["one", "--for", "needs-input", "--timeout", "30s"]);
    zellij.type_line("one", "/turn waiting permission prompt");
    assert!(ended(wait).is(0).stdout.contains("permission prompt"));
    let wait = waiting(&scene, &["one", "--for", "crashed,ended", "--timeout", "30s"]);
    let pid = scene.agents().remove(0).0;
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    assert!(ended(wait).is(0).stdout.contains("crashed: "));
}

#[test]
fn a_watch_runs_a_command_for_a_condition_that_begins() {
    let talk = Talk::new();
    talk.run(&["record", "--settle", "0s"]).is(0);
    let out = talk.scene.world.root().join("told");
    let (asks, each) = (format!("needs-input=cat >>{}", out.display()), "condition=cat >/dev/null");
    let words = ["watch", "--json", "--interval", "60s", "--on", &asks, "--on", each];
    let watch = talk.scene.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What holds at first is not told.
    std::thread::sleep(Duration::from_millis(2000));
    talk.turn("waiting permission prompt");
    let text = await_some("the command", || std::fs::read_to_string(&out).ok().filter(|text| text.ends_with('\n')));
    let told: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&told[0]["type"], &told[0]["condition"]), (&json!("condition"), &json!("needs-input")));
    assert_eq!((&told[0]["session"]["name"], &told[0]["source"]), (&json!("one"), &json!("registry")));
    talk.say("a", Some(&json!("an answer")));
    talk.turn("idle");
    std::thread::sleep(Duration::from_millis(2500));
    kill_process(Pid::from_child(&watch), Signal::TERM).unwrap();
    let ran = ended(watch).is(0);
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let words: Vec<String> = events
        .filter(|event| event["type"] == "condition")
        .map(|event| event["condition"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(words, ["needs-input", "idle", "turn-ended", "ready"], "{ran:?}");
    assert!(talk.run(&["watch", "--on", "sleepy=true"]).is(64).stderr.contains("turn-ended"));
}

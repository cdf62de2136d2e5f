//! What `status` and `explain` say of what agents are doing, and of whose conversation is whose.

use serde_json::Value;

use crate::verbs::Scene;
use crate::world::await_some;

fn entry(name: &str, more: &str) -> String {
    format!("  - {{ name: {name}, agent: claude, cwd: /tmp{more} }}\n")
}

fn manifest(entries: &[String]) -> String {
    format!("version: 1\nsessions:\n{}", entries.concat())
}

/// The row of a session in `status --json`.
fn row(scene: &Scene, name: &str) -> Value {
    let document = scene.document(&["status", "--json"], "status");
    let rows = document["sessions"].as_array().unwrap().iter();
    rows.clone().find(|row| row["session"]["name"] == name).unwrap_or_else(|| panic!("{document}")).clone()
}

/// Waits until a field of a session's row is this.
fn await_field(scene: &Scene, name: &str, field: &str, expected: &str) -> Value {
    await_some(expected, || Some(row(scene, name)).filter(|row| row[field] == expected))
}

#[test]
fn status_and_explain_say_what_an_agent_is_doing_and_diff_does_not_care() {
    let scene = Scene::new(&manifest(&[entry("s", "")]));
    let cwd = scene.world.workspace("w");
    let claude = scene.world.claude_session("s", &cwd);
    scene.world.prompt("s", &cwd, &claude);
    scene.run(&["reconcile", "--settle", "0s"]);
    let idle = await_field(&scene, "s", "turn", "idle");
    assert!(idle["last_activity"].is_string() && idle["id_rung"] == "registry" && idle["turn_note"].is_null(), "{idle}");
    assert!(scene.run(&["status"]).stdout.contains(" idle "));

    scene.world.type_line("s", "/turn waiting permission prompt");
    let waiting = await_field(&scene, "s", "turn", "waiting");
    assert_eq!((&waiting["turn_note"], &waiting["observed"]), (&"permission prompt".into(), &"alive".into()));
    let text = scene.run(&["status"]).stdout;
    assert!(text.contains(" waiting ") && text.contains("permission prompt"), "{text}");
    assert!(text.contains("1 declared, 1 running, 1 waiting for an answer. In sync.\n"), "{text}");
    let text = scene.run(&["explain", "s"]).stdout;
    assert!(text.contains("  observed      alive, waiting (permission prompt)\n"), "{text}");
    assert!(text.contains("what it is doing: waiting, for permission prompt\n"), "{text}");
    assert_eq!(scene.run(&["diff"]).code, Some(0), "what it is doing is no drift");
}

#[test]
fn what_an_agent_waits_for_cannot_write_on_the_terminal() {
    let scene = Scene::new(&manifest(&[entry("s", "")]));
    let cwd = scene.world.workspace("w");
    scene.world.claude_session("s", &cwd);
    scene.world.type_line("s", &format!("/turn waiting \\u001b[31m\\u202e{}", "x".repeat(300)));
    let waiting = await_field(&scene, "s", "turn", "waiting");
    assert!(waiting["turn_note"].as_str().unwrap().chars().count() <= 80, "{waiting}");
    for verb in [["status", "-o=wide"], ["explain", "s"]] {
        let text = scene.run(&verb).stdout;
        assert!(!text.contains(['\u{1b}', '\u{202e}']) && text.contains("xxx"), "{text}");
    }
}

#[test]
fn a_resumed_conversation_stays_a_forked_or_cleared_one_is_another() {
    let scene = Scene::new(&manifest(&[entry("s", "")]));
    let cwd = scene.world.workspace("w");
    let first = scene.world.claude_session("s", &cwd);
    scene.run(&["reconcile", "--settle", "0s"]);
    let restart = |arguments: &str| {
        let command = format!("exec claude {arguments}");
        scene.world.tmux(["respawn-pane", "-k", "-t", "=s:", "-c", cwd.to_str().unwrap(), &command]);
        let pid = scene.world.tmux(["display-message", "-p", "-t", "=s:", "#{pane_pid}"]).parse().unwrap();
        scene.world.registered(pid)
    };
    let drifts =
        |row: &Value| row["drifts"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect::<Vec<_>>();

    let resumed = restart(&format!("--resume {}", first.id.as_str()));
    assert_eq!(resumed.id, first.id);
    let seen = await_field(&scene, "s", "session_id", first.id.as_str());
    assert_eq!(drifts(&seen), ["moved"], "another process, the same conversation");
    scene.run(&["reconcile", "--settle", "0s"]);

    let forked = restart(&format!("--resume {} --fork-session", first.id.as_str()));
    assert_ne!(forked.id, first.id);
    let seen = await_field(&scene, "s", "session_id", forked.id.as_str());
    assert_eq!((drifts(&seen), &seen["id_rung"]), (vec!["new-id".to_owned(), "moved".to_owned()], &"registry".into()));
    scene.run(&["reconcile", "--settle", "0s"]);

    scene.world.type_line("s", "/clear");
    let cleared = await_some("another", || Some(scene.world.registered(forked.pid)).filter(|it| it.id != forked.id));
    let seen = await_field(&scene, "s", "session_id", cleared.id.as_str());
    assert_eq!(drifts(&seen), ["new-id"], "the same process, another conversation");
}

#[test]
fn one_conversation_in_sessions_of_two_servers_is_ambiguous_on_both_and_recorded_on_neither() {
    let entries = [entry("here", ""), entry("there", ", server: other")];
    let scene = Scene::new(&manifest(&entries));
    let cwd = scene.world.workspace("w");
    let first = scene.world.claude_session("here", &cwd);
    let resume = format!("exec claude --resume {}", first.id.as_str());
    let pid = scene.world.session_on(&scene.world.named_socket("other"), "there", &cwd, &resume);
    assert_eq!(scene.world.registered(pid).id, first.id);
    for name in ["here", "there"] {
        let seen = row(&scene, name);
        assert!(seen["drifts"].as_array().unwrap().contains(&"ambiguous".into()), "{seen}");
        assert!(seen["turn"].is_null(), "whose turn is it? {seen}");
        let text = scene.run(&["explain", name]).stdout;
        let other = if name == "here" { "there" } else { "here" };
        assert!(text.contains(&format!("also live in session {other}")), "{text}");
        assert!(text.contains(&format!("nobody else in {}", first.id.as_str())), "{text}");
        assert!(!text.contains('►'), "nothing decided: {text}");
    }
    scene.run(&["reconcile", "--settle", "0s"]);
    assert!(!scene.run(&["status", "--json"]).stdout.contains("\"id_rung\": \"recorded\""));
    let manifest = std::fs::read_to_string(scene.world.root().join("agent-sessions.yaml")).unwrap();
    assert!(!manifest.contains(first.id.as_str()), "{manifest}");
}

#[test]
fn explain_says_everything_whatever_stands_in_the_entry() {
    let ended = entry("ended", ", status: terminated, session_id: 11111111-2222-4333-8444-555555555555");
    let old = entry("old", ", status: archived");
    let away = entry("away", ", host: other");
    let fresh = [entry("several", ""), entry("bare", ", status: running"), entry("still", ", suspend: true")];
    let scene = Scene::new(&manifest(&[&[ended, old, away], &fresh[..]].concat()));
    let cwd = scene.world.workspace("w");
    scene.world.session("bare", &cwd, "exec sleep 600");
    let first = scene.world.claude_session("several", &cwd);
    let pane = scene.world.tmux([
        "split-window",
        "-d",
        "-P",
        "-F",
        "#{pane_pid}",
        "-t",
        "=several:",
        "-c",
        cwd.to_str().unwrap(),
        "exec claude",
    ]);
    let second = scene.world.registered(pane.parse().unwrap());
    scene.world.claude_session("new-creator-claude", &cwd);
    let explain = |name: &str, parts: &[&str]| {
        let ran = scene.run(&["explain", name]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{name}");
        for part in ["Evidence for its conversation, strongest first\n", "Verdict\n", "What would change headcount's mind\n"]
            .iter()
            .chain(parts)
        {
            assert!(ran.stdout.contains(part), "{name}: {part:?}\n{}", ran.stdout);
        }
        ran.stdout
    };
    explain(
        "ended",
        &["none: every rung needs a live process", "is recorded; no live agent proves or contradicts it", ": revived"],
    );
    explain("old", &["no conversation is known"]);
    explain("bare", &["none: every rung", "claude started in any pane of the session"]);
    let text = explain("away", &["cannot see what is live on another host", "running headcount on host other"]);
    assert!(!text.contains("answered"), "the server seen is not its: {text}");
    explain("still", &["the entry is suspended", "removing `suspend: true`"]);
    let text = explain("several", &[first.id.as_str(), second.id.as_str(), "it is unknown which process is its agent"]);
    assert_eq!(text.matches("  1 registry ").count(), 2, "{text}");
    let text = explain(
        "new-creator-claude",
        &["► 1 registry", "  3 hook ", "  4 start ", "  6 appeared ", "an entry named new-creator-claude"],
    );
    assert!(text.contains("  2 held file      claude has no such rung\n"), "{text}");
    assert!(text.contains("  5 workspace map  claude has no such rung\n"), "{text}");
}

#[test]
fn what_an_agent_does_is_told_of_a_conversation_that_appeared_while_it_is_in_no_other() {
    let scene = Scene::new("version: 1\nsessions:\n  - { name: s, agent: pi, cwd: /tmp }\n");
    let cwd = scene.world.workspace("w");
    let run = "exec bash -c 'exec -a pi sleep 600'";
    scene.world.session("s", &cwd, run);
    await_field(&scene, "s", "observed", "alive");
    let begun = chrono::Utc::now();
    let directory = format!("--{}--", cwd.to_str().unwrap()[1..].replace('/', "-"));
    let directory = scene.world.home().join(".pi/agent/sessions").join(directory);
    std::fs::create_dir_all(&directory).unwrap();
    let write = |id: &str, begun: chrono::DateTime<chrono::Utc>, role: &str| {
        let first = serde_json::json!({ "type": "session", "version": 3, "id": id, "cwd": cwd, "timestamp": begun });
        let said =
            serde_json::json!({ "type": "message", "timestamp": begun, "message": { "role": role, "stopReason": "stop" } });
        let name = format!("{}_{id}.jsonl", begun.format("%Y-%m-%dT%H-%M-%S-%3fZ"));
        std::fs::write(directory.join(name), format!("{first}\n{said}\n")).unwrap();
    };
    // What appears within a second of the start proves nothing.
    await_some("two seconds", || (chrono::Utc::now() - begun > chrono::TimeDelta::seconds(2)).then_some(()));
    write("one", begun, "user");
    let seen = row(&scene, "s");
    assert_eq!((&seen["turn"], &seen["id_rung"]), (&"working".into(), &"appeared".into()), "{seen}");
    scene.run(&["reconcile", "--settle", "0s"]);
    write("one", begun, "assistant");
    let seen = row(&scene, "s");
    assert_eq!((&seen["turn"], &seen["id_rung"]), (&"idle".into(), &"recorded".into()), "{seen}");
    let text = scene.run(&["explain", "s"]).stdout;
    assert!(text.contains("what it is doing: idle\n"), "{text}");

    scene.world.session("twin", &cwd, run);
    await_some("its twin", || row(&scene, "s")["turn"].is_null().then_some(()));
    let text = scene.run(&["explain", "s"]).stdout;
    assert!(text.contains("what it is doing: unknown, because"), "{text}");
    scene.world.tmux(["kill-session", "-t", "=twin"]);
    await_field(&scene, "s", "turn", "idle");

    // It may have been told to go on in an older one.
    write("old", begun - chrono::TimeDelta::days(1), "user");
    let seen = row(&scene, "s");
    assert!(seen["turn"].is_null() && seen["session_id"] == "one", "{seen}");
    let text = scene.run(&["explain", "s"]).stdout;
    assert!(
        text.contains("what it is doing: unknown, because") && text.contains("cannot tell which conversation is its own"),
        "{text}"
    );
    write("one", begun, "assistant");
    await_field(&scene, "s", "turn", "idle");
    write("two", begun, "user");
    write("one", begun, "assistant");
    let seen = row(&scene, "s");
    assert!(seen["turn"].is_null() && seen["session_id"] == "one", "which of the two did it begin? {seen}");
}

//! From drift to record to quiet.

use std::process::{Command, Stdio};

use headcount::core::drift::Class;
use serde_json::Value;

use crate::run::{Headcount, lines, message};
use crate::support::{World, await_some};

/// An entry as a person writes it.
fn entry(name: &str, cwd: &std::path::Path) -> String {
    format!("  - name: {name}   # mine\n    agent: claude\n    cwd: {}\n", cwd.display())
}

#[test]
fn five_hand_written_sessions_get_the_right_verdicts_are_recorded_and_then_stay_quiet() {
    let world = World::new();
    let (shop, blog, ops) = (world.workspace("shop"), world.workspace("blog"), world.workspace("ops"));
    let in_shop = world.claude_session("shop", &shop);
    world.prompt("shop", &shop, &in_shop);
    let in_blog = world.claude_session("blog", &blog);
    world.session("ops", &ops, "exec sleep 1000");
    let found = world.claude_session("new-creator-claude", &shop);
    let text = format!(
        "version: 1\nsessions:\n{}{}{}    status: running\n{}    status: running\n{}    status: archived\n",
        entry("shop", &shop),
        entry("blog", &blog),
        entry("ops", &ops),
        entry("gone", &ops),
        entry("old", &ops),
    );
    world.declare(&text);

    let diff = world.diff(&[]);
    let expected = [
        "revived pending shop",
        "new-id pending shop",
        "moved pending shop",
        "revived pending blog",
        "new-id pending blog",
        "moved pending blog",
        "agent-gone flagged ops",
        "dead pending gone",
        "unregistered pending new-creator-claude",
    ];
    assert_eq!(lines(&diff), expected);
    assert_eq!(world.text(), text, "looking changes nothing");
    assert!(!world.manifest().with_file_name("agent-sessions.yaml.lock").exists(), "looking takes no lock");

    let patched = world.root().join("patched.yaml");
    std::fs::write(&patched, &text).unwrap();
    let mut patch = Command::new("patch").arg("-s").arg(&patched).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut patch.stdin.take().unwrap(), diff["diff"].as_str().unwrap().as_bytes()).unwrap();
    assert!(patch.wait().unwrap().success());

    let recorded = world.reconcile(&[]);
    assert_eq!(recorded["counts"]["applied"], 8);
    let now = world.text();
    for piece in [in_shop.id.as_str(), in_blog.id.as_str(), found.id.as_str(), "termination_mode: auto-detected"] {
        assert!(now.contains(piece), "{piece} in {now}");
    }
    for line in text.lines().filter(|line| !line.contains("status: running")) {
        assert!(now.contains(line), "{line:?} must stay as it was in {now}");
    }
    let without_times = |text: &str| -> String {
        text.lines().filter(|line| !line.contains("terminated_at")).fold(String::new(), |all, line| all + line + "\n")
    };
    assert_eq!(
        without_times(&std::fs::read_to_string(&patched).unwrap()),
        without_times(&now),
        "the diff is what was recorded, and `patch` applies it"
    );

    let again = world.reconcile(&[]);
    assert_eq!(lines(&again), ["agent-gone flagged ops"]);
    assert_eq!((&again["counts"]["new"], &again["diff"]), (&Value::from(0), &Value::from("")));
    assert_eq!(world.text(), now, "a second pass writes nothing");
}

#[test]
fn a_killed_session_is_marked_and_a_restarted_one_is_revived_once_its_end_has_settled() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.session("keeper", &shop, "exec sleep 1000");
    let claude = world.claude_session("shop", &shop);
    world.prompt("shop", &shop, &claude);
    world.declare(&format!("version: 1\nsessions:\n{}", entry("shop", &shop)));
    world.reconcile(&[]);
    world.tmux(["kill-session", "-t", "=shop"]);
    let dead = world.reconcile(&[]);
    assert_eq!(lines(&dead), ["dead applied shop"]);
    assert!(message(&dead).starts_with("shop: tmux gone (was pane "), "{}", message(&dead));
    assert!(message(&dead).ends_with(", cmd claude). Marked terminated."), "{}", message(&dead));
    let restarted = world.claude_session("shop", &shop);
    let waiting = world.run(&["reconcile", "--emit-diff", "--settle", "1h"]);
    assert!(lines(&crate::run::report(&waiting)).contains(&"revived settling shop".to_owned()), "{waiting:?}");
    let revived = lines(&world.reconcile(&[]));
    assert!(revived.contains(&"revived applied shop".to_owned()), "{revived:?}");
    assert!(!world.text().contains("auto-detected"), "{}", world.text());
    let fresh = world.reconcile(&[]);
    assert_eq!(lines(&fresh), ["new-id flagged shop"], "nothing was said in the new conversation yet");
    assert!(message(&fresh).contains("it has no message yet"), "{}", message(&fresh));
    assert!(world.text().contains(claude.id.as_str()), "{}", world.text());
    world.prompt("shop", &shop, &restarted);
    assert_eq!(lines(&world.reconcile(&[])), ["new-id applied shop"]);
    assert!(world.text().contains(restarted.id.as_str()));
}

#[test]
fn a_grouped_session_is_registered_once_and_its_death_is_not_believed_while_its_pane_lives() {
    let world = World::new();
    let shop = world.workspace("shop");
    let claude = world.claude_session("shop-creator-claude", &shop);
    world.prompt("shop-creator-claude", &shop, &claude);
    world.tmux(["new-session", "-d", "-t", "=shop-creator-claude", "-s", "view-creator-claude"]);
    world.declare("version: 1\nsessions: []\n");
    assert_eq!(lines(&world.reconcile(&[])), ["unregistered applied shop-creator-claude"]);
    assert!(world.text().contains(claude.id.as_str()), "{}", world.text());
    let registered = world.text();
    assert_eq!(world.reconcile(&[])["in_sync"], true);
    world.tmux(["rename-session", "-t", "=shop-creator-claude", "store-creator-claude"]);
    assert_eq!(lines(&world.reconcile(&[])), ["moved flagged shop-creator-claude"]);
    assert_eq!(world.text(), registered);
}

#[test]
fn clear_is_followed_and_a_deleted_transcript_is_flagged() {
    let world = World::new();
    let shop = world.workspace("shop");
    let claude = world.claude_session("shop", &shop);
    let transcript = world.prompt("shop", &shop, &claude);
    world.declare(&format!("version: 1\nsessions:\n{}", entry("shop", &shop)));
    world.reconcile(&[]);
    world.type_line("shop", "/clear");
    let cleared = await_some("another conversation", || {
        let now = world.registered(claude.pid);
        (now.id != claude.id).then_some(now)
    });
    let followed = world.reconcile(&[]);
    assert_eq!(lines(&followed), ["new-id applied shop"]);
    assert!(message(&followed).contains(claude.id.as_str()) && message(&followed).contains(cleared.id.as_str()));
    assert!(transcript.exists(), "no artefact is ever touched");
    let fresh = world.diff(&[]);
    assert_eq!(fresh["in_sync"], true, "no transcript yet is no drift: {fresh}");
    let written = world.prompt("shop", &shop, &cleared);
    world.reconcile(&[]);
    std::fs::rename(&written, world.root().join("moved-away")).unwrap();
    world.tmux(["kill-server"]);
    assert_eq!(lines(&world.reconcile(&[])), ["dead applied shop", "stale-id flagged shop"]);
    assert!(world.text().contains(cleared.id.as_str()), "a stale id is never deleted");
}

#[test]
fn a_session_that_ended_in_the_background_is_recorded_and_offered_where_it_went_on() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.session("keeper", &shop, "exec sleep 1000");
    let claude = world.claude_session("shop", &shop);
    let transcript = world.prompt("shop", &shop, &claude);
    world.declare(&format!("version: 1\nsessions:\n{}", entry("shop", &shop)));
    world.reconcile(&[]);
    let heir = "99999999-2222-4333-8444-555555555555";
    let moved = serde_json::json!({ "type": "continued-in", "sessionId": claude.id.as_str(), "continuedInSessionId": heir });
    std::fs::write(&transcript, format!("{}{moved}\n", std::fs::read_to_string(&transcript).unwrap())).unwrap();
    std::fs::write(transcript.with_file_name(format!("{heir}.jsonl")), "{\"type\":\"mode\"}\n").unwrap();
    world.tmux(["kill-session", "-t", "=shop"]);
    let offered = world.run(&["status", "-o", "wide"]).stdout;
    assert!(offered.contains(&format!("--resume {heir}")), "{offered}");
    assert!(!offered.contains(&format!("--resume {}", claude.id.as_str())), "{offered}");
    assert_eq!(lines(&world.reconcile(&[])), ["dead applied shop", "new-id applied shop"]);
    assert!(world.text().contains(heir) && !world.text().contains(claude.id.as_str()), "{}", world.text());
    assert!(lines(&world.reconcile(&[])).iter().all(|line| !line.starts_with("new-id")), "once");
}

#[test]
fn a_drift_is_new_once_per_consumer_until_it_went_away_and_returned() {
    let world = World::new();
    let ops = world.workspace("ops");
    world.session("ops", &ops, "exec sleep 1000");
    world.declare(&format!("version: 1\nsessions:\n{}    status: running\n", entry("ops", &ops)));
    let new = |report: &Value| report["drifts"][0]["new"].as_bool().unwrap();
    assert!(new(&world.diff(&[])) && new(&world.diff(&[])), "looking remembers nothing");
    assert!(new(&world.reconcile(&[])));
    assert!(!new(&world.reconcile(&[])) && !new(&world.diff(&[])));
    assert!(new(&world.reconcile(&["--consumer", "other"])));
    let first_seen = world.diff(&[])["drifts"][0]["first_seen"].clone();
    world.tmux(["kill-server"]);
    world.reconcile(&[]);
    world.session("ops", &ops, "exec sleep 1000");
    world.declare(&format!("version: 1\nsessions:\n{}    status: running\n", entry("ops", &ops)));
    // Reports tell whole seconds.
    await_some("the next second", || (world.diff(&[])["observed_at"] != first_seen).then_some(()));
    let returned = world.reconcile(&[]);
    assert!(new(&returned) && returned["drifts"][0]["first_seen"] != first_seen, "{returned}");
}

#[test]
fn only_what_was_selected_is_shown_and_recorded() {
    let world = World::new();
    let ops = world.workspace("ops");
    world.session("keeper", &ops, "exec sleep 1000");
    let gone = |name: &str, more: &str| format!("{}    status: running\n{more}", entry(name, &ops));
    world.declare(&format!(
        "version: 1\nsessions:\n{}{}{}",
        gone("lane-1", ""),
        gone("lane-10", "    labels: { team: web }\n"),
        gone("other", "    ignore: [dead]\n")
    ));
    assert_eq!(lines(&world.diff(&["lane-1"])), ["dead pending lane-1"], "lane-1 is not lane-10");
    assert_eq!(lines(&world.diff(&["lane-*"])).len(), 2);
    assert_eq!(lines(&world.diff(&["-l", "team=web"])), ["dead pending lane-10"]);
    assert_eq!(lines(&world.diff(&["--class", "moved"])), [] as [&str; 0]);
    assert_eq!(lines(&world.diff(&["--agent", "codex"])), [] as [&str; 0]);
    let all = world.diff(&[]);
    assert_eq!((&all["counts"]["drifts"], lines(&all).len()), (&Value::from(2), 3), "an ignored class is listed, not counted");
    world.reconcile(&["lane-1"]);
    assert_eq!(world.text().matches("terminated\n").count(), 1);
}

#[test]
fn an_older_manifest_is_read_and_written_in_its_own_words() {
    let world = World::new();
    let shop = world.workspace("shop");
    let claude = world.claude_session("shop", &shop);
    let found = world.claude_session("x-creator-claude", &shop);
    let text = format!(
        "# ours\nagent_identities: {{}}\nsessions:\n- tmux_session: shop\n  agent: claude\n  workspace: {}\n  claude_session_id_own: ~   # not yet\n",
        shop.display()
    );
    world.declare(&text);
    world.reconcile(&[]);
    let now = world.text();
    assert!(now.contains(&format!("  claude_session_id_own: {}   # not yet\n", claude.id)), "{now}");
    assert!(now.contains("- tmux_session: x-creator-claude\n") && now.contains("  workspace: "), "{now}");
    assert!(now.contains(&format!("  claude_session_id_own: {}\n", found.id)), "{now}");
    assert!(!now.contains("version:") && !now.contains("  name:"), "{now}");
    assert_eq!(world.diff(&[])["in_sync"], true);
}

#[test]
fn init_writes_a_manifest_that_is_in_sync_at_once() {
    let world = World::new();
    let shop = world.workspace("shop");
    world.claude_session("one", &shop);
    let pid = world.session_on(&world.named_socket("canary"), "two", &shop, "exec claude");
    world.registered(pid);
    world.session("shell", &shop, "exec sleep 1000");
    let wrote = world.run(&["init", "-f", world.manifest().to_str().unwrap()]);
    assert_eq!(wrote.code, 0, "{wrote:?}");
    let text = world.text();
    assert!(text.contains("name: one") && text.contains("server: canary") && !text.contains("shell"), "{text}");
    assert_eq!(world.diff(&[])["in_sync"], true, "{text}");
    let again = world.run(&["init", "-f", world.manifest().to_str().unwrap()]);
    assert_eq!(again.code, 3, "{again:?}");
    assert_eq!(world.text(), text);
}

#[test]
fn the_demo_shows_one_drift_of_each_class_and_leaves_nothing() {
    let world = World::new();
    let temp = world.root().join("temp");
    std::fs::create_dir(&temp).unwrap();
    let output = world.headcount(&["demo"]).env("TMPDIR", &temp).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for class in Class::ALL {
        assert!(text.contains(&format!("  {class}")), "{class} in {text}");
    }
    assert!(text.contains("Recorded 8.") && text.contains("nothing to record"), "{text}");
    // What the first apply began, the plan after the server's end goes on in, and the next apply proves.
    let led: Vec<&str> = text.split("$ headcount ").skip(7).collect();
    let ids = |part: &str| -> std::collections::BTreeSet<String> {
        let words = part.split(|c: char| c != '-' && !c.is_ascii_hexdigit());
        words.filter(|word| word.len() == 13 && word.find('-') == Some(8)).map(str::to_owned).collect()
    };
    assert_eq!(led.len(), 5, "{text}");
    assert_eq!(ids(led[1]).len(), 2, "{}", led[1]);
    assert_eq!((ids(led[2]), ids(led[3])), (ids(led[1]), ids(led[1])), "{text}");
    assert!(led[3].contains("resumed") && led[4].contains("2 as wanted"), "{text}");
    assert_eq!(std::fs::read_dir(&temp).unwrap().count(), 0, "the demo cleans up");
    assert!(!world.home().join(".local").exists(), "the demo touches nothing of the caller's");
}

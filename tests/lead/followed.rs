//! Jobs that are told of by the turns of the agents that do them: once each, by whoever looks, and by nobody else's word.

use serde_json::Value;

use super::enforce::Enforcer;
use super::sending::Talker;
use super::support::await_some;

fn submit(talker: &Talker, words: &[&str]) -> String {
    let mux = if talker.pane().starts_with("zellij") { "zellij:one" } else { "tmux:one" };
    let all = [&["job", "submit", "--follow-turns", "--agent-session", mux, "--prompt"], words].concat();
    talker.scene.run(&all).is(0).stdout.trim().to_owned()
}

fn record(talker: &Talker, id: &str) -> Value {
    let shown: Value = serde_json::from_str(&talker.scene.run(&["job", "show", id, "--json"]).is(0).stdout).unwrap();
    shown["job"].clone()
}

/// Its events, with what they say.
fn events(talker: &Talker, id: &str) -> Vec<(String, String)> {
    let lines = talker.scene.run(&["job", "events", id, "--json"]).is(0).stdout;
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events.map(|event| (word(&event, "event"), word(&event, "detail"))).collect()
}

fn kinds(talker: &Talker, id: &str) -> Vec<String> {
    events(talker, id).into_iter().map(|(kind, _)| kind).collect()
}

fn followed(talker: &Talker) -> usize {
    talker.scene.state().join("followed").read_dir().map_or(0, Iterator::count)
}

#[test]
fn a_job_is_done_when_the_turn_that_took_its_prompt_in_is() {
    for talker in Talker::everywhere() {
        // The same words before it do not count.
        talker.scene.run(&["ask", "one", "@@say early", "--yes"]).is(0);
        let id = submit(&talker, &["@@say early"]);
        assert_eq!(record(&talker, &id)["status"], "pending");
        talker.scene.run(&["ask", "one", "@@say other", "--yes"]).is(0);
        assert_eq!(record(&talker, &id)["status"], "pending", "another turn is not its own");
        talker.scene.run(&["ask", "one", "@@say early", "--yes"]).is(0);
        talker.scene.run(&["job", "wait", &id, "--timeout", "20s"]).is(0);
        assert_eq!(events(&talker, &id).last().unwrap(), &("completed".to_owned(), "early".to_owned()));
        assert_eq!(kinds(&talker, &id).iter().filter(|kind| *kind == "completed").count(), 1);
        talker.scene.run(&["job", "list"]).is(0);
        assert_eq!(followed(&talker), 0, "what is over is followed no longer");
    }
}

#[test]
fn a_watch_tells_of_it_as_it_happens() {
    for talker in Talker::everywhere() {
        let mut watch = Enforcer::with(&talker.scene, &[]);
        let slow = submit(&talker, &["@@slow 3"]);
        let fails = submit(&talker, &["@@error overloaded"]);
        talker.scene.run(&["send", "one", "@@slow 3", "--yes"]).is(0);
        await_some("its beginning", || kinds(&talker, &slow).contains(&"started".to_owned()).then_some(()));
        await_some("its end", || (kinds(&talker, &slow) == ["started", "completed"]).then_some(()));
        talker.scene.run(&["send", "one", "@@error overloaded", "--yes"]);
        await_some("a failure", || (kinds(&talker, &fails).last()? == "error").then_some(()));
        assert_eq!(watch.end(), Some(0));
    }
}

#[test]
fn what_its_agent_asks_is_told_and_what_becomes_of_that() {
    let talker = Talker::new();
    let id = submit(&talker, &["@@ask ls"]);
    talker.scene.run(&["send", "one", "@@ask ls", "--yes"]);
    await_some("its question", || {
        record(&talker, &id);
        kinds(&talker, &id).contains(&"permission_required".to_owned()).then_some(())
    });
    // Looking again tells nothing new.
    record(&talker, &id);
    assert_eq!(kinds(&talker, &id).iter().filter(|kind| *kind == "permission_required").count(), 1);
    talker.scene.run(&["answer", "one", "approve", "--yes"]).is(0);
    talker.scene.run(&["job", "wait", &id, "--timeout", "20s"]).is(0);
}

#[test]
fn nobody_follows_what_cannot_be_read_or_is_not_known() {
    let talker = Talker::new();
    let submit = |words: &[&str]| talker.scene.run(&[&["job", "submit", "--follow-turns", "--prompt", "x"], words].concat());
    submit(&[]).is(64);
    submit(&["--agent-session", "tmux:nobody"]).is(64);
    submit(&["--agent-session", "tmux:nobody", "--agent", "antigravity"]).is(3);
    assert_eq!(followed(&talker), 0);
    // Two followers at once tell once.
    let id = submit(&["--agent-session", "tmux:one"]).is(0).stdout.trim().to_owned();
    talker.scene.run(&["ask", "one", "x", "--yes"]).is(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| talker.scene.run(&["job", "wait", &id, "--timeout", "20s"]).is(0));
        }
    });
    assert_eq!(kinds(&talker, &id).iter().filter(|kind| *kind == "completed").count(), 1);
}

//! Texts that wait for their agent: what is kept, who delivers it, in which order, and that nothing is said twice or to somebody else.

use std::time::Duration;

use headcount::store::operations::SessionLock;
use headcount::store::paths::StateHome;
use serde_json::Value;

use super::Ran;
use super::enforce::Enforcer;
use super::sending::Talker;
use super::support::await_some;

fn queue(talker: &Talker, words: &[&str]) -> (Ran, Value) {
    let ran = talker.scene.run(&[&["queue", "--json"], words].concat());
    let document = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
    (ran, document)
}

/// The texts that wait, by what they begin with.
fn waiting(talker: &Talker) -> Vec<String> {
    let (_, document) = queue(talker, &[]);
    document["texts"].as_array().unwrap().iter().map(|text| text["begins"].as_str().unwrap().to_owned()).collect()
}

fn kept(outcome: &(String, String)) -> &str {
    &outcome.0
}

/// A turn that goes on, so that texts wait.
fn busy(talker: &Talker, seconds: u32) {
    talker.scene.run(&["send", "one", &format!("busy\n@@slow {seconds}"), "--yes"]).is(0);
}

#[test]
fn texts_that_wait_are_delivered_in_order_at_the_end_of_the_turn() {
    for talker in Talker::everywhere() {
        let mut watch = Enforcer::with(&talker.scene, &["--deliver"]);
        busy(&talker, 4);
        for text in ["first", "second\nline", "third"] {
            let (ran, receipt) = talker.receipt(&[text, "--queue"]);
            ran.is(0);
            assert_eq!(receipt["outcome"], "waiting", "{receipt}");
        }
        assert_eq!(waiting(&talker), ["first", "second line", "third"]);
        await_some("all that waited", || (talker.prompts().len() == 4).then_some(()));
        assert_eq!(talker.prompts()[1..], ["first", "second\nline", "third"]);
        await_some("an empty queue", || waiting(&talker).is_empty().then_some(()));
        let sent = await_some("what became of them", || Some(watch.of("sent")).filter(|all| all.len() == 3));
        assert!(sent.iter().all(|event| event["outcome"] == "delivered"), "{sent:?}");
        // Their receipts are found under the names they were given.
        let id = sent[2]["receipt"].as_str().unwrap().to_owned();
        talker.scene.run(&["wait", "one", "--for", "turn-ended", "--after", &id, "--timeout", "20s"]).is(0);
        let read = talker.scene.run(&["read", "--receipt", &id]).is(0).stdout;
        assert!(read.contains("third") && !read.contains("second"), "{read}");
        let history = talker.scene.run(&["history", "one", "--json"]).stdout;
        assert!(history.contains(&id), "{history}");
        assert_eq!(watch.end(), Some(0));
        assert_eq!(talker.prompts().len(), 4, "and nothing was said twice");
    }
}

#[test]
fn what_nobody_would_deliver_is_refused_or_kept_by_request_and_can_be_taken_back_or_delivered_now() {
    let talker = Talker::new();
    assert_eq!(kept(&talker.outcome(&["at once", "--queue"])), "delivered", "nothing is in its way");
    talker.is_idle();
    busy(&talker, 60);
    let (ran, receipt) = talker.receipt(&["nobody", "--queue"]);
    ran.is(3);
    assert_eq!((receipt["outcome"].as_str(), receipt["code"].as_str()), (Some("refused"), Some("unsupported")), "{receipt}");
    assert!(receipt["message"].as_str().unwrap().contains("watch --deliver"), "{receipt}");
    assert_eq!(waiting(&talker), [] as [&str; 0]);
    // A command is not kept: nobody sees what it does.
    talker.scene.run(&["send", "one", "/clear", "--command", "--queue"]).is(64);
    assert_eq!(kept(&talker.outcome(&["/clear", "--queue", "--keep"])), "refused");
    for text in ["keep one", "keep two"] {
        let (ran, receipt) = talker.receipt(&[text, "--queue", "--keep", "--id", text]);
        ran.is(0);
        assert_eq!(receipt["outcome"], "waiting");
    }
    assert_eq!(kept(&talker.outcome(&["keep one", "--queue", "--keep", "--id", "keep one"])), "waiting", "under one key once");
    assert_eq!(kept(&talker.outcome(&["other", "--queue", "--keep", "--id", "keep one"])), "refused");
    assert_eq!(waiting(&talker), ["keep one", "keep two"]);
    assert!(talker.scene.run(&["describe", "one"]).stdout.contains("2 texts"));
    assert!(talker.scene.run(&["rm", "one", "--keep-running", "--yes"]).is(3).stderr.contains("texts wait"));
    let (_, document) = queue(&talker, &["one"]);
    let id = document["texts"][0]["id"].as_str().unwrap().to_owned();
    queue(&talker, &["--drop", &id]).0.is(0);
    queue(&talker, &["--drop", &id]).0.is(1);
    let (ran, document) = queue(&talker, &["one", "--now"]);
    ran.is(3);
    assert_eq!(document["receipts"][0]["code"], "working", "{document}");
    talker.escape();
    talker.is_idle();
    let (ran, document) = queue(&talker, &["one", "--now"]);
    ran.is(0);
    assert_eq!(document["receipts"][0]["outcome"], "delivered", "{document}");
    talker.is_idle();
    assert_eq!(talker.prompts().iter().filter(|prompt| prompt.contains("keep")).collect::<Vec<_>>(), ["keep two"]);
    // The key stands for what was delivered.
    assert_eq!(kept(&talker.outcome(&["keep two", "--id", "keep two"])), "duplicate");
}

#[test]
fn a_text_that_is_just_being_delivered_is_not_taken_back() {
    let talker = Talker::new();
    busy(&talker, 60);
    let (_, receipt) = talker.receipt(&["text", "--queue", "--keep"]);
    let id = receipt["id"].as_str().unwrap();
    let read = talker.scene.run(&["read", "--receipt", id]).is(1).stderr;
    assert!(read.contains("no turn has taken"), "{read}");
    let lock = SessionLock::take(&StateHome::at(talker.scene.world.root().join("mine")), &talker.scene.world.socket(), "one");
    queue(&talker, &["--drop", id]).0.is(75);
    assert_eq!(waiting(&talker), ["text"]);
    drop(lock.unwrap());
    queue(&talker, &["--drop", id]).0.is(0);
}

#[test]
fn a_text_waits_for_a_draft_and_an_enforcing_watch_delivers_too() {
    let talker = Talker::new();
    let _watch = Enforcer::start(&talker.scene, &[]);
    talker.letters("half a draft");
    talker.await_screen("half a draft");
    let (ran, receipt) = talker.receipt(&["behind a draft", "--queue"]);
    ran.is(0);
    assert_eq!((receipt["outcome"].as_str(), receipt["code"].as_str()), (Some("waiting"), Some("draft")), "{receipt}");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(talker.prompts(), [] as [String; 0]);
    talker.clear();
    await_some("the text", || (talker.prompts() == ["behind a draft"]).then_some(()));
}

#[test]
fn a_text_is_for_its_conversation_alone() {
    let talker = Talker::new();
    busy(&talker, 60);
    assert_eq!(kept(&talker.outcome(&["for the first one", "--queue", "--keep"])), "waiting");
    // Another conversation begins in the same session.
    talker.tmux(&["respawn-pane", "-k", "-t", "=one:", "exec claude"]);
    talker.await_screen("manual mode on");
    let _watch = Enforcer::with(&talker.scene, &["--deliver"]);
    await_some("why it waits", || {
        let (_, document) = queue(&talker, &["one"]);
        document["texts"][0]["message"].as_str().filter(|why| why.contains("another conversation")).map(drop)
    });
    assert_eq!(waiting(&talker), ["for the first one"]);
    assert!(!talker.scene.run(&["screen", "one"]).stdout.contains("for the first one"));
}

/// Keeps a text while a draft is in the way, and takes the draft away.
fn keep(talker: &Talker, text: &str) {
    talker.letters("draft");
    talker.await_screen("draft");
    assert_eq!(kept(&talker.outcome(&[text, "--queue", "--keep"])), "waiting");
    talker.clear();
    await_some("a free composer", || (talker.outcome(&["x", "--dry-run"]).0 == "preview").then_some(()));
}

/// Delivers what waits, killed at a point, if one is named; gives the points that were passed.
fn deliver(talker: &Talker, kill: Option<&str>) -> Vec<String> {
    let points = talker.scene.world.root().join("points");
    let _ = std::fs::remove_dir_all(&points);
    std::fs::create_dir(&points).unwrap();
    if let Some(point) = kill {
        std::fs::write(points.join("kill"), point).unwrap();
    }
    talker.scene.command(&["queue", "one", "--now"]).env("FAULTS_OF_HEADCOUNT", &points).output().unwrap();
    let passed = std::fs::read_to_string(points.join("passed")).unwrap_or_default();
    passed.lines().map(str::to_owned).collect()
}

#[test]
fn a_deliverer_that_is_killed_at_any_point_says_nothing_twice_and_loses_nothing_in_silence() {
    let talker = Talker::new();
    keep(&talker, "first");
    let points = deliver(&talker, None);
    talker.is_idle();
    assert_eq!(talker.prompts(), ["first"]);
    assert!(points.len() > 20, "{points:?}");
    for point in &points {
        keep(&talker, point);
        deliver(&talker, Some(point));
        talker.is_idle();
        // What was pasted and not sent is a draft to whoever comes later, and what was sent may only just begin to be answered.
        let mut said = String::new();
        await_some("an end of what waits", || {
            let (_, document) = queue(&talker, &["one", "--now"]);
            said.push_str(&document.to_string());
            talker.is_idle();
            talker.clear();
            document["texts"].as_array().is_some_and(Vec::is_empty).then_some(())
        });
        let times = talker.prompts().iter().filter(|prompt| *prompt == point).count();
        assert!(times <= 1, "{point}: said {times} times");
        let is_told = times == 1 || said.contains("\"unverified\"") || said.contains("\"duplicate\"");
        assert!(is_told, "{point}: it was not said, and nobody was told: {said}");
    }
    eprintln!("killed at {} points", points.len());
}

#[test]
fn of_two_that_deliver_each_text_is_said_once() {
    let talker = Talker::new();
    let watches = [Enforcer::with(&talker.scene, &["--deliver"]), Enforcer::start(&talker.scene, &[])];
    busy(&talker, 2);
    for n in 0..6 {
        assert_eq!(kept(&talker.outcome(&[&format!("text {n}"), "--queue"])), "waiting");
    }
    await_some("all of them", || (talker.prompts().len() == 7).then_some(()));
    talker.is_idle();
    let expected: Vec<String> = (0..6).map(|n| format!("text {n}")).collect();
    assert_eq!(talker.prompts()[1..], expected);
    let said: usize = watches.iter().map(|watch| watch.of("sent").len()).sum();
    await_some("what was told", || (watches.iter().map(|watch| watch.of("sent").len()).sum::<usize>() == 6).then_some(()));
    assert!(said <= 6);
}

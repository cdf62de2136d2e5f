//! A watch that acts: what it brings back by itself, and what it leaves as a person left it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headcount::core::ids::ConversationId;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::support::{await_end, await_some};
use super::{Scene, is_alive};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";

/// A watch that acts, and what it said so far.
pub(super) struct Enforcer {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Drop for Enforcer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Enforcer {
    pub(super) fn start(scene: &Scene, more: &[&str]) -> Self {
        Self::with(scene, &[&["--enforce", "--interval", "5s"], more].concat())
    }

    pub(super) fn with(scene: &Scene, options: &[&str]) -> Self {
        let words = [&["watch", "--json"], options].concat();
        let mut child = scene.command(&words).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                told.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        let watch = Self { child, events };
        watch.said("started");
        watch
    }

    fn all(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }

    pub(super) fn of(&self, word: &str) -> Vec<Value> {
        self.all().into_iter().filter(|event| event["type"] == word).collect()
    }

    /// Waits for the first event of a kind.
    pub(super) fn said(&self, word: &str) -> Value {
        await_some(word, || self.of(word).into_iter().next())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().try_into().unwrap()).unwrap(), signal).unwrap();
    }

    pub(super) fn end(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().unwrap().code()
    }
}

/// Applies, and gives the sessions something to go on in.
fn applied(scene: &Scene, names: &[&str]) {
    for name in names {
        scene.world.workspace(name);
    }
    scene.run(&["apply", "--yes"]).is(0);
    for name in names {
        scene.prompt(name, &scene.world.workspace(name));
    }
    scene.run(&["record"]).is(0);
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
    await_end(pid);
}

/// The one agent that is in a conversation, once it is another process than before.
fn again(scene: &Scene, before: u32, id: &str) -> u32 {
    await_some("the agent that is back", || {
        let agents = scene.agents();
        agents.iter().find(|(pid, its)| *pid != before && its == id).map(|(pid, _)| *pid)
    })
}

/// Lets the watch do what it would do.
fn a_while() {
    std::thread::sleep(Duration::from_millis(2500));
}

#[test]
fn where_several_fail_for_one_reason_the_others_wait_until_somebody_knows_better() {
    const CODEX: &str = "  - { name: one, agent: codex, cwd: LAB/one, desired: stopped }\n";
    let all = ["one", "two", "three", "four", "five"].map(|name| CODEX.replacen("one", name, 1)).concat();
    let scene = Scene::new(&all);
    // Nobody is signed in.
    let asks = "#!/bin/bash\necho Sign in with ChatGPT\necho Press enter to continue\nexec -a codex sleep 600\n";
    scene.world.program("codex", asks);
    scene.run(&["apply", "--yes"]).is(0);
    let mut watch = Enforcer::start(&scene, &[]);
    scene.write(&all.replace("stopped", "running"));
    let braked = |watch: &Enforcer| {
        let all = watch.of("blocked").into_iter().filter(|event| event["code"] == "brake");
        all.map(|event| event["session"]["name"].as_str().unwrap().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while braked(&watch).is_empty() {
        assert!(std::time::Instant::now() < until, "{:?}", watch.all());
        std::thread::sleep(Duration::from_millis(100));
    }
    a_while();
    let tried = watch.of("operation");
    // Two go on at once, so a fourth may have begun.
    assert!((3..=4).contains(&tried.len()), "{tried:?}");
    assert!(tried.iter().all(|event| event["failure"] == "login"), "{tried:?}");
    let waiting = braked(&watch);
    assert_eq!(tried.len() + waiting.len(), 5, "{:?}", watch.all());
    let blocked = watch.of("blocked").into_iter().find(|event| event["code"] == "brake").unwrap();
    assert!(blocked["message"].as_str().unwrap().contains("nobody is signed in"), "{blocked}");
    // Another engine decides the same.
    assert_eq!(watch.end(), Some(0));
    let watch = Enforcer::start(&scene, &[]);
    await_some("the brake again", || (braked(&watch) == waiting).then_some(()));
    a_while();
    assert!(watch.of("operation").is_empty(), "{:?}", watch.all());
    // Somebody starts one of them, and may know that it is over.
    let first = waiting.iter().next().unwrap();
    assert_eq!(scene.run(&["start", first, "--yes", "--json"]).is(1).outcome(first).1, "dialog");
    let rest = waiting.len() - 1;
    while watch.of("operation").len() < rest {
        assert!(std::time::Instant::now() < until + Duration::from_secs(60), "{:?}", watch.all());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn after_its_server_died_everything_is_back_in_its_conversation_without_being_asked() {
    let scene = Scene::new(&format!("{ONE}{}", ONE.replace("one", "two")));
    applied(&scene, &["one", "two"]);
    let before = scene.agents();
    let mut watch = Enforcer::start(&scene, &[]);
    scene.world.crash_server();
    for (pid, id) in &before {
        again(&scene, *pid, id);
    }
    await_some("two that are back", || (watch.of("back").len() == 2).then_some(()));
    assert!(watch.of("back").iter().all(|event| event["cause"] == "server-lost"), "{:?}", watch.all());
    assert_eq!(watch.of("planned").len(), 2);
    let operations = watch.of("operation");
    assert!(operations.iter().all(|event| event["action"] == "resume" && event["outcome"] == "done"), "{operations:?}");
    a_while();
    assert_eq!(scene.agents().len(), 2);
    assert_eq!(watch.of("planned").len(), 2, "once each");
    assert_eq!(scene.recorded("one", "status"), "running");
    // It ends, and what it leads goes on.
    let now = scene.agents();
    assert_eq!(watch.end(), Some(0));
    assert_eq!(scene.agents(), now);
}

#[test]
fn what_was_never_led_is_not_started_and_that_is_said_once() {
    let scene = Scene::new(ONE);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    let watch = Enforcer::start(&scene, &[]);
    let blocked = watch.said("blocked");
    assert_eq!(blocked["code"], "never-led");
    a_while();
    assert!(scene.agents().is_empty());
    assert_eq!(watch.of("blocked").len(), 1, "{:?}", watch.all());
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!(scene.agents().len(), 1);
}

#[test]
fn an_agent_that_dies_is_brought_back_as_restart_says() {
    let restart = |name: &str, policy: &str| {
        ONE.replace("one", name).replace("running }", &format!("running, restart: {{ policy: {policy}, first: 1s }} }}"))
    };
    let entries =
        [restart("one", "on-failure"), restart("two", "never"), restart("quits", "always"), restart("stays", "on-failure")];
    let scene = Scene::new(&entries.concat());
    applied(&scene, &["one", "two", "quits", "stays"]);
    let of = |name: &str| {
        let id = scene.recorded(name, "session_id").as_str().unwrap().to_owned();
        scene.agents().into_iter().find(|(_, its)| *its == id).unwrap()
    };
    let [one, two, quits, stays] = ["one", "two", "quits", "stays"].map(of);
    let watch = Enforcer::start(&scene, &[]);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    kill(one.0, Signal::KILL);
    kill(two.0, Signal::KILL);
    for (name, (pid, _)) in [("quits", &quits), ("stays", &stays)] {
        scene.world.type_line(name, "/exit");
        await_end(*pid);
    }
    again(&scene, one.0, &one.1);
    again(&scene, quits.0, &quits.1);
    a_while();
    let ids: Vec<String> = scene.agents().into_iter().map(|(_, id)| id).collect();
    assert!(!ids.contains(&two.1), "`never` is never");
    let given_up = watch.of("gave-up");
    assert_eq!(given_up.len(), 1, "{given_up:?}");
    let (name, message) = (&given_up[0]["session"]["name"], given_up[0]["message"].as_str().unwrap());
    assert!(*name == "two" && message.contains("`headcount start two` starts it again"), "{given_up:?}");
    assert!(!ids.contains(&stays.1), "it has quit");
    let blocked = watch.of("blocked");
    let codes: Vec<&Value> = blocked.iter().map(|event| &event["code"]).collect();
    assert!(codes.iter().all(|code| *code == "backoff"), "{blocked:?}");
    let until = blocked.iter().find(|event| event["session"]["name"] == "one").unwrap();
    assert!(until["until"].is_string(), "{until}");
}

#[test]
fn what_a_person_closes_or_ends_stays_so() {
    let entry = ONE.replace("running }", "running, restart: { policy: always, first: 1s } }");
    let scene = Scene::new(&format!("{entry}{}", entry.replace("one", "two")));
    applied(&scene, &["one", "two"]);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    let watch = Enforcer::start(&scene, &[]);
    let ids = ["one", "two"].map(|name| scene.recorded(name, "session_id").as_str().unwrap().to_owned());
    let pid = |id: &str| scene.agents().into_iter().find(|(_, its)| its == id).unwrap().0;
    let (one, two) = (pid(&ids[0]), pid(&ids[1]));
    scene.world.tmux(["kill-session", "-t", "=one"]);
    await_end(one);
    // Its launcher passes that on.
    let status = std::fs::read_to_string(format!("/proc/{two}/stat")).unwrap();
    let launcher = status.rsplit(") ").next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    kill(launcher, Signal::TERM);
    await_end(two);
    a_while();
    assert!(scene.agents().is_empty(), "{:?}", watch.all());
    assert!(watch.of("planned").is_empty(), "{:?}", watch.all());
    let blocked = watch.of("blocked");
    let said = |event: &Value| (event["session"]["name"].as_str().unwrap().to_owned(), event["code"].clone());
    let mut said: Vec<(String, Value)> = blocked.iter().map(said).collect();
    said.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = ["one", "two"].map(|name| (name.to_owned(), "ended-by-hand".into()));
    assert_eq!(said, expected, "each is said once: {blocked:?}");
    scene.run(&["start", "two", "--yes"]).is(0);
    assert_eq!(scene.agents().len(), 1);
}

#[test]
fn what_cannot_be_told_of_a_session_is_said_once_if_it_lasts() {
    let scene = Scene::new(ONE);
    applied(&scene, &["one"]);
    let server: u32 = scene.world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    let agents = scene.agents();
    let watch = Enforcer::with(&scene, &["--enforce", "--interval", "1s"]);
    let signal = |signal| kill_process(Pid::from_raw(server.try_into().unwrap()).unwrap(), signal).unwrap();
    signal(Signal::STOP);
    let event = watch.said("blocked");
    assert_eq!((&event["code"], &event["session"]["name"]), (&"unknown".into(), &"one".into()), "{event}");
    a_while();
    signal(Signal::CONT);
    assert_eq!(watch.of("blocked").len(), 1, "{:?}", watch.all());
    assert_eq!((scene.agents(), watch.of("planned").len()), (agents, 0));
}

#[test]
fn a_changed_entry_is_followed_once() {
    let scene = Scene::new(ONE);
    applied(&scene, &["one"]);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    let (pid, id) = scene.agents().remove(0);
    let watch = Enforcer::start(&scene, &[]);
    let write = |from: &str, to: &str| std::fs::write(scene.manifest(), scene.text().replace(from, to)).unwrap();
    write("desired: running", "desired: stopped");
    await_end(pid);
    await_some("the stop", || (watch.of("operation").len() == 1).then_some(()));
    assert_eq!((&watch.of("operation")[0]["action"], &watch.of("operation")[0]["cause"]), (&"stop".into(), &"edited".into()));
    await_some("the record", || (scene.recorded("one", "status") == "stopped").then_some(()));
    write("desired: stopped", "desired: running");
    let now = again(&scene, pid, &id);
    await_some("the start", || (watch.of("operation").len() == 2).then_some(()));
    // A person ends it; nothing has changed since.
    scene.world.type_line("one", "/exit");
    await_end(now);
    a_while();
    assert!(scene.agents().is_empty());
    assert_eq!(watch.of("operation").len(), 2);
}

#[test]
fn a_verb_beside_it_does_what_it_says_and_is_not_undone() {
    let entry = ONE.replace("running }", "running, restart: { policy: always, first: 1s } }");
    let scene = Scene::new(&entry);
    applied(&scene, &["one"]);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    let (pid, id) = scene.agents().remove(0);
    let watch = Enforcer::start(&scene, &[]);
    assert_eq!(scene.run(&["stop", "one", "--yes", "--json"]).is(0).outcome("one").0, "stop done");
    a_while();
    assert!(scene.agents().is_empty(), "{:?}", watch.all());
    assert_eq!(scene.run(&["start", "one", "--json"]).is(0).outcome("one").0, "resume done");
    again(&scene, pid, &id);
    assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(0).outcome("one").0, "restart done");
    a_while();
    assert_eq!(scene.agents().len(), 1);
    assert!(watch.of("planned").is_empty(), "{:?}", watch.all());
}

#[test]
fn one_that_keeps_failing_waits_longer_and_is_given_up() {
    let entry = ONE.replace("running }", "running, restart: { policy: on-failure, first: 200ms, factor: 1, attempts: 3 } }");
    let scene = Scene::new(&entry);
    applied(&scene, &["one"]);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    let (pid, _) = scene.agents().remove(0);
    let watch = Enforcer::start(&scene, &[]);
    // From now on its program ends at once.
    let program = scene.world.claude();
    std::fs::remove_file(&program).unwrap();
    std::fs::write(&program, "#!/bin/sh\nexit 7\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    kill(pid, Signal::KILL);
    let gave_up = watch.said("gave-up");
    assert_eq!(gave_up["code"], "gave-up");
    let operations = watch.of("operation");
    assert_eq!(operations.len(), 2, "the crash was the first of three failures: {operations:?}");
    assert!(operations.iter().all(|event| event["outcome"] == "failed"), "{operations:?}");
    a_while();
    assert_eq!(watch.of("operation").len(), 2);
    assert_eq!(watch.of("gave-up").len(), 1);
}

#[test]
fn a_limit_of_use_is_waited_for_until_it_is_over_and_no_longer() {
    let scene = Scene::new(&ONE.replace("running }", "running, restart: { policy: on-failure, first: 200ms } }"));
    applied(&scene, &["one"]);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    let (pid, id) = scene.agents().remove(0);
    let watch = Enforcer::start(&scene, &[]);
    // As Claude Code 2.1.329 writes it.
    let now = chrono::Utc::now();
    let resets = now.timestamp() + 6;
    let asked = serde_json::json!({"type": "user", "uuid": "a", "parentUuid": null, "timestamp": now, "origin": {"kind": "human"},
        "promptSource": "typed", "message": {"role": "user", "content": "go on"}});
    let answered = serde_json::json!({"type": "assistant", "uuid": "b", "parentUuid": "a", "timestamp": now,
        "isApiErrorMessage": true, "error": "rate_limit", "quotaLimits": {"status": "rejected", "resetsAt": resets},
        "message": {"role": "assistant", "model": "<synthetic>", "content": [{"type": "text", "text": "You've hit your limit"}]}});
    let path = scene.world.transcript(&scene.world.workspace("one"), &ConversationId(id.clone()));
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{before}{asked}\n{answered}\n")).unwrap();
    kill(pid, Signal::KILL);
    let blocked = await_some("what it waits for", || {
        watch.of("blocked").into_iter().find(|event| event["message"].as_str().unwrap().contains("limit of use"))
    });
    let until: chrono::DateTime<chrono::Utc> = blocked["until"].as_str().unwrap().parse().unwrap();
    assert_eq!((&blocked["code"], until.timestamp()), (&"backoff".into(), resets));
    again(&scene, pid, &id);
    assert!(chrono::Utc::now().timestamp() >= resets, "{:?}", watch.all());
    await_some("its return", || (watch.of("back").len() == 1).then_some(()));
    assert_eq!(watch.of("back")[0]["cause"], "failed");
}

#[test]
fn one_watch_acts_for_a_manifest_and_the_next_one_takes_over_what_a_killed_one_left() {
    let scene = Scene::new(&ONE.replace("running }", "running, restart: { policy: on-failure, first: 1s } }"));
    applied(&scene, &["one"]);
    scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 1000");
    let (pid, id) = scene.agents().remove(0);
    let first = Enforcer::start(&scene, &[]);
    let second = scene.run(&["watch", "--enforce", "--json"]).is(75);
    assert!(second.stderr.contains(&format!("process {}", first.child.id())), "{}", second.stderr);
    kill(pid, Signal::KILL);
    first.said("blocked");
    drop(first);
    assert!(!scene.agents().iter().any(|(pid, _)| is_alive(*pid)));
    let next = Enforcer::start(&scene, &[]);
    again(&scene, pid, &id);
    assert_eq!(next.said("back")["cause"], "failed");
}

#[test]
fn a_command_is_told_what_happens() {
    let scene = Scene::new(ONE);
    applied(&scene, &["one"]);
    let told = scene.world.root().join("told");
    let _watch = Enforcer::start(&scene, &["--on", &format!("back=cat >> '{}'", told.display()), "--on", "planned=true"]);
    scene.world.crash_server();
    let text = await_some("the command", || std::fs::read_to_string(&told).ok().filter(|text| text.ends_with('\n')));
    let events: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&events[0]["type"], &events[0]["session"]["name"]), (&"back".into(), &"one".into()));
    let wrong = scene.run(&["watch", "--on", "lunch=true"]).is(64);
    assert!(wrong.stderr.contains("gave-up"), "{}", wrong.stderr);
    let id = ConversationId(scene.agents().remove(0).1);
    assert!(scene.world.transcript(&scene.world.workspace("one"), &id).exists());
}

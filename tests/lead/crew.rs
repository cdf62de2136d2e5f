//! Crews with a stand-in as worker: what is handed out, which replies count, and what becomes of a task whose worker is lost.

use std::path::PathBuf;

use serde_json::Value;

use super::Ran;
use super::enforce::Enforcer;
use super::scene::is_alive;
use super::sending::Talker;
use super::support::await_some;

/// A crew whose worker is `one`.
struct Crew {
    talker: Talker,
    directory: PathBuf,
}

impl Crew {
    fn of(talker: Talker) -> Self {
        let directory = talker.scene.world.root().join("crew");
        let crew = Self { talker, directory };
        let made: Value = serde_json::from_str(&crew.run(&["init"], &["--json"]).is(0).stdout).unwrap();
        assert_eq!(made["name"], "crew");
        crew
    }

    fn run(&self, verb: &[&str], words: &[&str]) -> Ran {
        self.talker.scene.run(&[&["crew"], verb, &[self.directory.to_str().unwrap()], words].concat())
    }

    fn task(&self, name: &str) -> Value {
        let status: Value = serde_json::from_str(&self.run(&["status"], &["--json"]).is(0).stdout).unwrap();
        let tasks = status["tasks"].as_array().unwrap();
        tasks.iter().find(|task| task["task"] == name).unwrap_or_else(|| panic!("{status}")).clone()
    }

    fn state(&self, name: &str) -> String {
        self.task(name)["state"].as_str().unwrap().to_owned()
    }

    fn lease(&self, name: &str) -> String {
        self.task(name)["lease"].as_str().unwrap().to_owned()
    }

    /// Runs a reply as the worker's agent does: a command of its own.
    fn reply(&self, words: &[&str]) -> (i32, String) {
        let scene = &self.talker.scene;
        let out = scene.world.root().join("out");
        let _ = std::fs::remove_file(&out);
        let mut command = vec![env!("CARGO_BIN_EXE_headcount"), "crew", "reply", self.directory.to_str().unwrap()];
        command.extend(words);
        let manifest = scene.manifest();
        command.extend(["-f", manifest.to_str().unwrap()]);
        let command: Vec<String> = command.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        let script = scene.world.program(
            "say-it",
            &format!("#!/bin/sh\n{} >{o} 2>&1\necho \"rc=$?\" >>{o}\n", command.join(" "), o = out.display()),
        );
        // Its turn may not be over yet; then nothing is typed.
        let text = format!("@@ask {}", script.display());
        await_some("a delivery", || (scene.run(&["send", "one", &text, "--yes"]).code == Some(0)).then_some(()));
        await_some("a question", || {
            let waits = scene.run(&["wait", "one", "--for", "needs-input", "--timeout", "5s"]);
            (waits.code == Some(0)).then_some(())
        });
        scene.run(&["answer", "one", "approve", "--yes"]).is(0);
        let said = await_some("the reply", || std::fs::read_to_string(&out).ok().filter(|text| text.contains("rc=")));
        scene.run(&["wait", "one", "--for", "idle", "--timeout", "10s"]).is(0);
        let (said, code) = said.trim_end().rsplit_once("rc=").unwrap();
        (code.parse().unwrap(), said.to_owned())
    }
}

#[test]
fn a_task_is_handed_out_by_a_message_and_done_by_the_reply_of_its_agent() {
    for talker in Talker::everywhere() {
        let crew = Crew::of(talker);
        crew.run(&["assign"], &["one", "fix [it]\nnow", "--input", "a \"b\""]).is(0);
        // Where its agent is not idle yet, the task waits for the next round.
        let prompts = await_some("the message", || {
            crew.run(&["dispatch"], &[]).is(0);
            Some(crew.talker.prompts()).filter(|prompts| !prompts.is_empty())
        });
        assert_eq!(prompts.len(), 1);
        let lease = crew.lease("t1");
        let head = format!("[mgr type:TASK_ASSIGN task:t1 worker:one seq:1 context_seq:0 lease_token:{lease}] ");
        assert!(prompts[0].starts_with(&head), "{}", prompts[0]);
        assert!(prompts[0].contains(r#"goal="fix \u005bit\u005d\nnow" input="a \"b\"""#), "{}", prompts[0]);
        assert_eq!((crew.state("t1").as_str(), crew.task("t1")["sent"].as_str()), ("assigned", Some("delivered")));
        // A look, and another round, say nothing twice.
        crew.run(&["dispatch"], &[]).is(0);
        assert_eq!(crew.talker.prompts().len(), 1);

        let words = |verb| vec![verb, "n", "--task", "t1", "--lease", lease.as_str()];
        // From elsewhere, with the right lease.
        crew.run(&["reply"], &words("RESULT")).is(3);
        assert_eq!(crew.state("t1"), "assigned");
        let (code, said) = crew.reply(&words("ACCEPT"));
        assert_eq!(code, 0, "{said}");
        assert!(said.starts_with("[wrk type:TASK_ACCEPT task:t1 worker:one seq:1"), "{said}");
        let (code, said) = crew.reply(&["ASK", "which?", "--task", "t1", "--lease", &lease]);
        assert_eq!((code, crew.state("t1").as_str()), (0, "blocked"), "{said}");
        assert!(said.contains("question=\"which?\""), "{said}");
        crew.run(&["answer"], &["t1", "this one"]).is(0);
        assert_eq!(crew.talker.prompts().last().unwrap(), "[t1] this one");
        assert_eq!(crew.state("t1"), "running");
        let (code, said) = crew.reply(&["RESULT", "done, token=hunter2 in /home/me/x", "--task", "t1", "--lease", &lease]);
        assert_eq!((code, crew.state("t1").as_str()), (0, "done"), "{said}");
        let (code, said) = crew.reply(&["FAIL", "late", "--task", "t1", "--lease", &lease]);
        assert!(code == 3 && said.contains("not the lease"), "{code} {said}");
        crew.run(&["cancel"], &["t1"]).is(3);
        assert_eq!(crew.state("t1"), "done");

        let inbox = crew.run(&["inbox"], &[]).is(0).stdout;
        assert!(inbox.contains("ASK") && inbox.contains("RESULT") && !inbox.contains("late"), "{inbox}");
        assert_eq!(crew.run(&["inbox"], &[]).is(0).stdout, "No reply is unread.\n");
        crew.run(&["inbox"], &["--wait", "--timeout", "300ms"]).is(75);
        let context = crew.run(&["context"], &[]).is(0).stdout;
        assert!(context.contains("task=t1 manager -> one fix [it] now"), "{context}");
        assert!(context.contains("token=[hidden] in ~/x") && !context.contains("hunter2"), "{context}");
        assert_eq!(crew.run(&["context"], &["--since", "4"]).is(0).stdout.lines().count(), 1, "{context}");
        let bus = crew.run(&["bus"], &[]).is(0).stdout;
        let events: Vec<String> = bus
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(events, ["queued", "assigned", "sent", "reply", "reply", "answered", "reply"]);
    }
}

#[test]
fn a_worker_has_one_task_at_a_time_and_a_busy_one_gets_it_at_the_end_of_its_turn() {
    let crew = Crew::of(Talker::new());
    let mut watch = Enforcer::with(&crew.talker.scene, &["--deliver"]);
    crew.talker.scene.run(&["send", "one", "@@slow 3", "--yes"]).is(0);
    crew.run(&["assign"], &["one", "first", "--task", "a"]).is(0);
    // The watch may be the one who sends it.
    await_some("its text to wait", || (crew.task("a")["sent"] == "waiting").then_some(()));
    let second = crew.run(&["assign"], &["one", "second", "--task", "b"]).is(0).stdout;
    assert!(second.contains("queued"), "{second}");
    await_some("the first", || (crew.talker.prompts().len() == 2).then_some(()));
    crew.talker.scene.run(&["wait", "one", "--for", "idle", "--timeout", "10s"]).is(0);
    let (code, said) = crew.reply(&["RESULT", "ok", "--task", "a", "--lease", &crew.lease("a")]);
    assert_eq!(code, 0, "{said}");
    // The watch hands it out by itself.
    await_some("the second", || crew.talker.prompts().last().unwrap().contains("goal=\"second\"").then_some(()));
    await_some("its message", || (crew.task("b")["sent"] == "delivered").then_some(()));
    let told = || watch.of("task").into_iter().map(|event| format!("{} {} {}", event["task"], event["n"], event["event"]));
    await_some("what was told", || told().find(|line| line.starts_with("\"b\"") && line.contains("sent")).map(|_| ()));
    let mut once: Vec<String> = told().collect();
    assert_eq!(once.iter().filter(|line| line.contains("queued")).count(), 2, "{once:?}");
    assert_eq!(once.iter().filter(|line| line.contains("reply")).count(), 1, "{once:?}");
    let count = once.len();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), count, "each is told once: {once:?}");
    assert!(watch.of("error").is_empty(), "{:?}", watch.of("error"));
    assert_eq!(watch.end(), Some(0));
}

#[test]
fn a_worker_that_is_gone_loses_its_lease_and_a_late_reply_is_refused() {
    let crew = Crew::of(Talker::new());
    crew.run(&["assign"], &["one", "go", "--attempts", "2"]).is(0);
    let lease = crew.lease("t1");
    let pid = crew.talker.claude.pid;
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid.cast_signed()).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    await_some("its end", || (!is_alive(pid)).then_some(()));
    crew.run(&["dispatch"], &[]).is(0);
    let task = crew.task("t1");
    assert_eq!((task["state"].as_str(), task["lease"].as_str()), (Some("retry-wait"), None), "{task}");
    let late = crew.run(&["reply"], &["RESULT", "x", "--task", "t1", "--lease", &lease]).is(3);
    assert!(late.stderr.contains("not the lease"), "{late:?}");
    crew.run(&["dispatch"], &[]).is(0);
    assert_eq!(crew.state("t1"), "retry-wait", "it waits, and is not handed to nobody");
    crew.run(&["cancel"], &["t1", "--why", "enough"]).is(0);
    crew.run(&["cancel"], &["t1"]).is(0);
    crew.run(&["requeue"], &["t1"]).is(0);
    assert_eq!(crew.state("t1"), "queued");
}

#[test]
fn only_the_manager_hands_out_and_bad_input_leaves_nothing() {
    let crew = Crew::of(Talker::new());
    crew.run(&["assign"], &["nobody", "go"]).is(1);
    crew.run(&["assign"], &["one", "go", "--task", "a b"]).is(3);
    crew.run(&["requeue"], &["t9"]).is(1);
    crew.run(&["reply"], &["EXPLODE", "--task", "t1", "--lease", "x"]).is(64);
    crew.run(&["init"], &[]).is(1);
    assert_eq!(crew.run(&["status"], &[]).is(0).stdout, "The crew has no task.\n");
    let other = crew.talker.scene.world.root().join("other-state");
    let directory = crew.directory.to_str().unwrap();
    let ran = Ran::from(
        crew.talker.scene.command(&["crew", "assign", directory, "one", "go"]).env("XDG_STATE_HOME", &other).output().unwrap(),
    );
    assert!(ran.is(3).stderr.contains("only the manager"));
    for verb in ["dispatch", "inbox"] {
        let mut command = crew.talker.scene.command(&["crew", verb, directory]);
        Ran::from(command.env("XDG_STATE_HOME", &other).output().unwrap()).is(3);
    }
    assert!(crew.talker.prompts().is_empty());
}

#[test]
fn a_declared_crew_is_meant_by_its_name_and_has_its_declared_workers_alone() {
    let crew = Crew::of(Talker::new());
    let scene = &crew.talker.scene;
    let entries = "  - { name: one, agent: claude, cwd: LAB/one, crew: { name: auth, role: worker } }\n  \
        - { name: boss, agent: claude, cwd: LAB/one, crew: { name: auth, role: manager } }\n  \
        - { name: other, agent: claude, cwd: LAB/one }\n";
    scene.write(entries);
    let hint = scene.run(&["crew", "status", "auth"]).is(1).stderr;
    assert!(hint.contains("headcount apply"), "a look makes nothing: {hint}");
    scene.run(&["apply", "--yes"]).is(0);
    assert_eq!(scene.run(&["crew", "status", "auth"]).is(0).stdout, "The crew has no task.\n");
    for stranger in ["boss", "other"] {
        let refused = scene.run(&["crew", "assign", "auth", stranger, "go"]).is(3).stderr;
        assert!(refused.contains("no worker of the crew auth") && refused.contains("its workers are: one"), "{refused}");
    }
    scene.run(&["crew", "assign", "auth", "one", "go"]).is(0);
    scene.run(&["crew", "requeue", "auth", "t1", "--worker", "other"]).is(3);
    let status: Value = serde_json::from_str(&scene.run(&["crew", "status", "auth", "--json"]).is(0).stdout).unwrap();
    assert_eq!((status["crew"].as_str(), status["tasks"][0]["sent"].as_str()), (Some("auth"), Some("delivered")), "{status}");
    let rows = scene.run(&["status", "--json"]).json();
    let row =
        |name: &str| rows["sessions"].as_array().unwrap().iter().find(|row| row["session"]["name"] == name).unwrap().clone();
    assert_eq!(
        row("one")["crew"],
        serde_json::json!({"name": "auth", "role": "worker", "task": "t1", "state": "assigned"}),
        "{rows}"
    );
    assert_eq!(row("boss")["crew"], serde_json::json!({"name": "auth", "role": "manager"}));
    assert_eq!(row("other")["crew"], Value::Null);
    let shown = scene.run(&["status", "-o", "wide"]).stdout;
    assert!(shown.contains("CREW") && shown.contains("auth worker t1 assigned"), "{shown}");
    // The agent that replies needs to know no manifest: the crew does.
    let directory = status["directory"].as_str().unwrap().to_owned();
    assert!(crew.talker.prompts()[0].contains(&format!("headcount crew reply {directory} ")), "{:?}", crew.talker.prompts());
    let lease = status["tasks"][0]["lease"].as_str().unwrap();
    let elsewhere = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(scene.world.variables()).env_remove("HEADCOUNT_MANIFEST").current_dir("/").args(words);
        Ran::from(command.output().unwrap())
    };
    let refused = elsewhere(&["crew", "reply", &directory, "RESULT", "ok", "--task", "t1", "--lease", lease]).is(3).stderr;
    assert!(refused.contains("only the agent that has the lease may reply: that of one"), "{refused}");
    // Nor does the one that leads, unless another manifest has a crew of that name.
    assert!(elsewhere(&["crew", "status", "auth"]).is(0).stdout.contains("assigned"));
    assert!(elsewhere(&["crew", "status", "other"]).is(1).stderr.contains("no crew is in other"));
    let another = scene.world.root().join("another.yaml");
    let entry = entries.lines().next().unwrap().replace("LAB", scene.world.root().join("lab").to_str().unwrap());
    std::fs::write(&another, format!("version: 1\nsessions:\n{entry}\n")).unwrap();
    let another = another.to_str().unwrap();
    elsewhere(&["crew", "assign", "auth", "one", "x", "-f", another]);
    let refused = elsewhere(&["crew", "status", "auth"]).is(3).stderr;
    assert!(refused.contains("several crews") && refused.contains(another), "{refused}");
    assert!(elsewhere(&["crew", "status", "auth", "-f", scene.manifest().to_str().unwrap()]).is(0).stdout.contains("assigned"));
    // A directory of that name makes it unclear which is meant.
    std::fs::rename(&crew.directory, scene.world.root().join("lab/auth")).unwrap();
    assert!(scene.run(&["crew", "status", "auth"]).is(3).stderr.contains("./auth means the directory"));
    scene.run(&["crew", "status", "./auth"]).is(0);
}

#[test]
fn the_example_declares_a_crew_that_apply_makes() {
    let crew = Crew::of(Talker::new());
    let scene = &crew.talker.scene;
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/crew.yaml")).unwrap();
    // Without what would start real agents.
    let still = text.replace("desired: running", "desired: stopped");
    assert_ne!(still, text);
    std::fs::write(scene.manifest(), still).unwrap();
    scene.run(&["check", "--strict"]).is(0);
    scene.run(&["apply", "--yes"]).is(0);
    let status: Value = serde_json::from_str(&scene.run(&["crew", "status", "auth", "--json"]).is(0).stdout).unwrap();
    assert_eq!(status["crew"], "auth");
    let refused = scene.run(&["crew", "assign", "auth", "auth-lead", "go"]).is(3).stderr;
    assert!(refused.contains("its workers are: auth-1, auth-2"), "{refused}");
}

#[test]
fn the_guard_says_what_a_worker_that_failed_points_to_and_changes_nothing() {
    let crew = Crew::of(Talker::new());
    crew.run(&["assign"], &["one", "Fix the parser tests"]).is(0);
    let lease = crew.lease("t1");
    let note = "gave up: the build failed with exit code 2, permission denied";
    let (code, said) = crew.reply(&["FAIL", note, "--task", "t1", "--lease", &lease]);
    assert_eq!(code, 0, "{said}");
    let bus = || crew.run(&["bus"], &[]).is(0).stdout;
    let (before, context) = (bus(), crew.run(&["context"], &[]).is(0).stdout);
    let told: Value = serde_json::from_str(&crew.run(&["guard"], &["t1", "--json"]).is(0).stdout).unwrap();
    let signals = &told["case"]["candidate_failure_signals"];
    let words = ["event:turn_aborted", "event:buggy_code", "nonzero-exit-code", "event:wrong_approach"];
    assert_eq!(*signals, serde_json::json!(words), "{told}");
    assert_eq!(told["case"]["expected"], "Fix the parser tests");
    assert_eq!(told["diagnosis"]["atlas"]["primary_family"], "F4 Execution & Contract");
    assert_eq!(
        (&told["diagnosis"]["manager_move"], &told["event"]["writeback_gate"]["allow"]),
        (&"check-readiness".into(), &true.into())
    );
    let kept = crew.directory.join("artifacts/problemmap/t1/one");
    for (name, field) in [("case.json", "case"), ("diagnosis.json", "diagnosis"), ("event.json", "event")] {
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(kept.join(name)).unwrap()).unwrap();
        assert_eq!(kept, told[field], "{name}");
    }
    let page = crew.run(&["guard"], &["t1", "--expected", note]).is(0).stdout;
    assert!(page.contains("F4 Execution & Contract") && !page.contains("wrong_approach"), "{page}");
    assert!(page.contains("do:       check that tools, panes and commands are ready"), "{page}");
    assert_eq!((bus(), crew.run(&["context"], &[]).is(0).stdout), (before, context));
    crew.run(&["guard"], &["t9"]).is(1);
    crew.run(&["guard"], &["t1", "--worker", "../../x"]).is(1);
    let other = crew.talker.scene.world.root().join("other-state");
    let mut stranger = crew.talker.scene.command(&["crew", "guard", crew.directory.to_str().unwrap(), "t1"]);
    Ran::from(stranger.env("XDG_STATE_HOME", &other).output().unwrap()).is(3);
}

#[test]
fn a_watch_says_once_that_a_worker_may_have_left_its_task() {
    let crew = Crew::of(Talker::new());
    let mut watch = Enforcer::with(&crew.talker.scene, &["--deliver"]);
    crew.run(&["assign"], &["one", "fix the login of the shop", "--task", "a"]).is(0);
    await_some("its message", || (crew.task("a")["sent"] == "delivered").then_some(()));
    let lease = crew.lease("a");
    let says = |verb: &str, note: &str| {
        let (code, said) = crew.reply(&[verb, note, "--task", "a", "--lease", &lease]);
        assert_eq!(code, 0, "{said}");
    };
    let found = || watch.of("task").into_iter().filter(|event| event["event"] == "guard").collect::<Vec<_>>();
    let told = |n: u64| {
        let is_it = || watch.of("task").into_iter().find(|event| event["event"] == "reply" && event["n"].as_u64() >= Some(n));
        await_some("a reply", || is_it().map(|_| ()));
    };
    says("STATUS", "reading the code of the login");
    told(4);
    assert!(found().is_empty(), "{:?}", found());
    says("STATUS", "gave up: the build failed, traceback, exit code 1");
    told(5);
    await_some("what was found", || (found().len() == 1).then_some(()));
    says("STATUS", "gave up: the build failed again, traceback, exit code 1");
    told(6);
    let found = found();
    let [one] = found.as_slice() else { panic!("{found:?}") };
    let message = one["message"].as_str().unwrap();
    assert!(message.contains("may have left it: F") && message.contains("diagnosis.json"), "{message}");
    assert_eq!((one["task"].as_str(), one["worker"].as_str()), (Some("a"), Some("one")));
    assert!(watch.of("error").is_empty(), "{:?}", watch.of("error"));
    assert_eq!(watch.end(), Some(0));
}

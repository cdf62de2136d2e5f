//! The verbs of `job` as they are typed: answers, exit codes, secrets.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::contents;
use crate::place::{Place, Ran};

fn submit(place: &Place, more: &[&str]) -> String {
    let ran = place.run(&[&["job", "submit", "--prompt", "do it"], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.stdout.lines().next().unwrap().to_owned()
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_job_goes_from_submit_to_completed() {
    let place = Place::new();
    let id = submit(&place, &["--agent", "agy", "--artifact", "a.md", "--artifact", "b.md", "--idle-timeout", "0"]);
    assert!(place.home().join(".local/state/headcount/jobs").join(format!("{id}.json")).is_file());
    let list = place.run(&["job", "list"]);
    assert!(list.stdout.contains(&id) && list.stdout.contains("antigravity"), "{}", list.stdout);
    let shown = json(&place.run(&["job", "show", &id, "--json"]));
    assert_eq!(shown["job"]["expected_artifacts"], serde_json::json!(["a.md", "b.md"]));
    assert_eq!((&shown["job"]["timeout_sec"], &shown["job"]["idle_timeout_sec"]), (&serde_json::json!(3600), &Value::Null));
    for (event, code) in [("started", 0), ("progress", 0), ("completed", 0), ("progress", 3)] {
        let ran = place.run(&["job", "publish", &id, event, "--detail", "--it", "--data", "{\"n\": 1}"]);
        assert_eq!(ran.code, Some(code), "{event}: {}", ran.stderr);
    }
    let ran = place.run(&["job", "events", &id, "--json"]);
    let events: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.iter().map(|event| event["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        (&events[2]["event"], &events[2]["detail"], &events[2]["data"]["n"]),
        (&"completed".into(), &"--it".into(), &1.into())
    );
    assert_eq!(place.run(&["job", "wait", &id]).code, Some(0));
    assert_eq!(place.run(&["job", "cancel", &id]).code, Some(3));
    let kept = place.run(&["job", "prune"]);
    assert_eq!(kept.stdout, "Removed 0 jobs.\n");
    assert!(kept.stderr.contains("1 job ended later") && kept.stderr.contains("--older-than 0s"), "{}", kept.stderr);
    let all = place.run(&["job", "prune", "--older-than", "0"]);
    assert!(all.stdout.contains(&id) && all.stderr.is_empty(), "{all:?}");
    assert_eq!(place.run(&["job", "show", &id]).code, Some(1));
}

#[test]
fn a_registry_that_somebody_names_and_that_is_not_there_is_said_and_one_that_nobody_names_is_not() {
    let place = Place::new();
    assert_eq!(place.run(&["job", "list"]).stderr, "");
    let elsewhere = place.work().join("jobs");
    let named = elsewhere.to_str().unwrap();
    for verb in [
        &["list"][..],
        &["list", "--json"],
        &["prune"],
        &["prune", "--json"],
        &["show", "abc12345"],
        &["events", "abc12345", "--json"],
        &["cancel", "abc12345"],
        &["wait", "abc12345"],
        &["publish", "abc12345", "started"],
    ] {
        let ran = place.run(&[&["job"], verb, &["--registry", named]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{verb:?}");
        assert!(ran.stderr.contains(&format!("job registry {named}: no such directory (named by --registry)")), "{ran:?}");
    }
    let by_variable =
        |arguments: &[&str]| -> Ran { place.command().args(arguments).env("HEADCOUNT_JOBS", named).output().unwrap().into() };
    let ran = by_variable(&["job", "list", "--json"]);
    assert_eq!((ran.code, &json(&ran)["jobs"]), (Some(0), &serde_json::json!([])));
    assert!(ran.stderr.contains("named by $HEADCOUNT_JOBS"), "{}", ran.stderr);
    place.write("agent-sessions.yaml", "version: 1\nsessions: []\n");
    let ran = by_variable(&["status"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("no such directory (named by $HEADCOUNT_JOBS)"), "{ran:?}");
    assert!(!elsewhere.exists(), "looking makes nothing");
    let ran = place.run(&["job", "submit", "--prompt", "x", "--registry", named]);
    assert!(ran.code == Some(0) && ran.stderr.contains("headcount created it"), "{ran:?}");
    let ran = place.run(&["job", "list", "--registry", named]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn every_verb_of_jobs_has_help_with_examples_and_a_manual_page() {
    let place = Place::new();
    for verb in ["submit", "list", "show", "events", "publish", "cancel", "wait", "prune"] {
        let help = place.run(&["job", verb, "--help"]).stdout;
        assert!(help.contains("Examples:") && help.contains("--registry") && help.contains("--json"), "{verb}");
        let page = place.run(&["man", "job", verb]);
        assert_eq!(page.code, Some(0), "{verb}");
        assert!(page.stdout.contains(&format!(".TH headcount-job-{verb} 1")), "{verb}");
    }
    let ran = place.run(&["man", "job", "frobnicate"]);
    assert_eq!(ran.code, Some(64));
    assert!(ran.stderr.contains("the commands are run, submit, list"), "{}", ran.stderr);
}

#[test]
fn a_token_is_printed_when_asked_for_and_shown_nowhere_else() {
    let place = Place::new();
    place.write("agent-sessions.yaml", "version: 1\nsessions:\n  - { name: lab, agent: claude }\n");
    let more = ["--auth", "--print-token", "--agent-session", "tmux:lab", "-vvv"];
    let ran = place.run(&[&["job", "submit", "--prompt", "do it"], more.as_slice()].concat());
    let [id, token] = ran.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{}", ran.stdout) };
    assert_eq!(token.len(), 64);
    assert!(!ran.stderr.contains(token));
    for verb in [
        vec!["job", "list"],
        vec!["job", "list", "--json"],
        vec!["job", "show", id],
        vec!["job", "show", id, "--json"],
        vec!["job", "publish", id, "started"],
        vec!["job", "publish", id, "progress", "--json"],
        vec!["job", "events", id],
        vec!["job", "events", id, "--json"],
        vec!["status"],
        vec!["status", "--json"],
        vec!["explain", "lab"],
        vec!["history"],
        vec!["job", "cancel", id, "--json"],
        vec!["job", "prune", "--older-than", "0", "--dry-run", "--json"],
    ] {
        let ran = place.run(&[verb.as_slice(), &["-vvv"]].concat());
        assert_eq!(ran.code, Some(0), "{verb:?}: {}", ran.stderr);
        assert!(!ran.stdout.contains(token) && !ran.stderr.contains(token), "{verb:?}");
    }
    let holders: Vec<_> = contents(&place.home())
        .into_iter()
        .filter(|(_, text)| text.windows(token.len()).any(|window| window == token.as_bytes()))
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(holders, [format!("{id}.json")]);
    assert_eq!(submit(&place, &["--auth"]).len(), 8);
    assert_eq!(place.run(&["job", "submit", "--prompt", "x", "--print-token"]).code, Some(64));
}

#[test]
fn what_makes_no_sense_is_a_usage_error_and_submits_nothing() {
    let place = Place::new();
    for arguments in [
        vec!["job", "submit"],
        vec!["job", "submit", "--prompt", " \n"],
        vec!["job", "submit", "--prompt", "-"],
        vec!["job", "submit", "--prompt", "x", "--agent", "nobody"],
        vec!["job", "submit", "--prompt", "x", "--agent-session", "lab"],
        vec!["job", "submit", "--prompt", "x", "--agent-session", "screen:lab"],
        vec!["job", "submit", "--prompt", "x", "--agent-session", "tmux:"],
        vec!["job", "submit", "--prompt", "x", "--timeout", "soon"],
        vec!["job", "show", "../../etc/passwd"],
        vec!["job", "publish", "abc12345", "exploded"],
        vec!["job", "publish", "abc12345", "progress", "--data", "[1]"],
        vec!["job", "list", "--status", "asleep"],
    ] {
        let ran = place.run(&arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{arguments:?}: {}", ran.stderr);
    }
    assert!(contents(&place.home()).is_empty());
    for verb in [&["show"][..], &["events"], &["events", "--follow"], &["cancel"], &["wait"]] {
        let ran = place.run(&[&["job"], verb, &["nobody"]].concat());
        assert_eq!(ran.code, Some(1), "{verb:?}");
        // Nothing before it: that there is nothing to listen to yet is no news then.
        assert!(ran.stderr.starts_with("error: no job nobody in ") && ran.stderr.contains("hint: "), "{}", ran.stderr);
    }
}

#[test]
fn a_hostile_prompt_and_detail_never_reach_the_terminal() {
    let place = Place::new();
    let ran = place.run(&["job", "submit", "--prompt", "a\u{1b}]0;owned\u{7}\u{202e}", "--artifact", "b\u{1b}[2J"]);
    let id = ran.stdout.trim().to_owned();
    place.run(&[
        "job",
        "publish",
        &id,
        "progress",
        "--detail",
        "c\u{1b}[31m\nforged line",
        "--data",
        "{\"\\u001b[1m\": \"\\u009b\"}",
    ]);
    for verb in [&["job", "list"][..], &["job", "show", &id], &["job", "events", &id], &["job", "show", &id, "--json"]] {
        let ran = place.run(verb);
        assert!(ran.stdout.contains('a') || ran.stdout.contains('c'), "{verb:?}");
        assert!(!ran.stdout.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{verb:?}: {:?}", ran.stdout);
        assert!(!ran.stdout.lines().any(|line| line.starts_with("forged")), "{verb:?}");
    }
}

#[test]
fn waiting_ends_with_the_job_and_with_its_own_time() {
    let place = Place::new();
    for (event, code) in [("completed", 0), ("error", 1), ("cancel", 1)] {
        let id = submit(&place, &[]);
        let waiting = place.command().args(["job", "wait", &id]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let verb = if event == "cancel" { vec!["job", "cancel", &id] } else { vec!["job", "publish", &id, event] };
        assert_eq!(place.run(&verb).code, Some(0));
        let ended = Ran::from(waiting.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(code), "{event}: {}", ended.stderr);
        assert!(ended.stdout.starts_with(&id), "{}", ended.stdout);
    }
    for (limits, wait, why) in [
        (["--timeout", "1s", "--idle-timeout", "0"], &[][..], "exceeded its timeout"),
        (["--timeout", "0", "--idle-timeout", "1s"], &[], "exceeded its idle timeout"),
        (["--timeout", "0", "--idle-timeout", "0"], &["--timeout", "50ms"], "not ended in time"),
    ] {
        let id = submit(&place, &limits);
        let ran = place.run(&[&["job", "wait", &id], wait].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(75), ""), "{why}");
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert_eq!(json(&place.run(&["job", "show", &id, "--json"]))["job"]["status"], "pending", "a time-out writes nothing");
    }
}

#[test]
fn followed_events_come_as_they_happen_and_end_with_the_job() {
    let place = Place::new();
    let id = submit(&place, &[]);
    let mut following = place.command();
    following.args(["job", "events", &id, "--follow", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut following = following.spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    for event in ["started", "progress", "completed"] {
        place.run(&["job", "publish", &id, event]);
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["event"], event);
    }
    assert!(lines.next().is_none());
    assert!(following.wait().unwrap().success());
    // One that has ended already is printed whole, and a cancelled one ends too.
    assert_eq!(place.run(&["job", "events", &id, "--follow"]).stdout.lines().count(), 3);
    let id = submit(&place, &[]);
    place.run(&["job", "cancel", &id]);
    let ran = place.run(&["job", "events", &id, "--follow"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(ran.stderr.contains("was cancelled"), "{}", ran.stderr);
}

#[test]
fn following_ends_when_nobody_reads_although_nothing_happens() {
    let place = Place::new();
    let id = submit(&place, &[]);
    let mut following = place.command();
    following.args(["job", "events", &id, "--follow"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut following = following.spawn().unwrap();
    drop(following.stdout.take());
    let began = Instant::now();
    while following.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(10), "it follows for nobody");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut said = String::new();
    following.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(following.wait().unwrap().success() && said.is_empty(), "{said}");
}

#[test]
fn processes_that_publish_at_once_each_get_a_number_of_their_own() {
    let place = Place::new();
    let id = submit(&place, &["--auth"]);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| (0..8).for_each(|_| assert_eq!(place.run(&["job", "publish", &id, "progress"]).code, Some(0))));
        }
    });
    let shown = json(&place.run(&["job", "show", &id, "--json"]));
    let numbers: Vec<u64> = shown["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=48).collect::<Vec<_>>());
    assert_eq!(shown["job"]["last_seq"], 48);
}

#[test]
fn a_locked_registry_is_said_to_be_busy() {
    let place = Place::new();
    let registry = place.work().join("r");
    let id = submit(&place, &["--registry", "r"]);
    let lock = std::fs::File::open(registry.join(".lock")).unwrap();
    fs4::FileExt::lock(&lock).unwrap();
    let ran = place.run(&["job", "--registry", "r", "cancel", &id]);
    assert_eq!(ran.code, Some(75), "{}", ran.stderr);
    assert_eq!(place.run(&["job", "list", "--registry", "r"]).code, Some(0));
}

#[test]
fn the_registry_is_the_named_one_else_that_of_the_project_above() {
    let place = Place::new();
    std::fs::create_dir_all(place.work().join(".mam/jobs")).unwrap();
    let deep = place.work().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    let submit = |variable: &str| {
        let mut command = place.command();
        command.current_dir(&deep).env("HEADCOUNT_JOBS", variable).args(["job", "submit", "--prompt", "x"]);
        Ran::from(command.output().unwrap()).stdout.trim().to_owned()
    };
    let id = submit("");
    assert!(place.work().join(".mam/jobs").join(format!("{id}.json")).is_file());
    let id = submit("mine");
    assert!(deep.join("mine").join(format!("{id}.json")).is_file());
}

#[test]
fn a_job_is_for_an_agent_that_is_known_or_declared() {
    let place = Place::new();
    let refused = place.run(&["job", "submit", "--prompt", "x", "--agent", "aid"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(64), ""));
    assert!(refused.stderr.contains("no agent named aid") && refused.stderr.contains("agents:"), "{}", refused.stderr);
    let agents = "agents:\n  aider:\n    aliases: [aid]\n    programs: [aider]\n";
    place.write("agent-sessions.yaml", format!("version: 1\n{agents}sessions: []\n"));
    let id = submit(&place, &["--agent", "aid"]);
    assert_eq!(json(&place.run(&["job", "show", &id, "--json"]))["job"]["agent"], "aid");
    assert_eq!(place.run(&["job", "submit", "--prompt", "x", "--agent", "nobody"]).code, Some(64));
}

#[test]
fn a_submitted_job_knows_its_broker_and_root_and_is_warned_about_if_it_has_no_token() {
    let place = Place::new();
    let section = "mqtt: { broker: 127.0.0.1, port: 1, username: me, password_file: secret, root: my/jobs }";
    place.write("agent-sessions.yaml", format!("version: 1\n{section}\nsessions: []\n"));
    place.write("secret", "hunter2hunter2\n");
    let ran = place.run(&["job", "submit", "--prompt", "x"]);
    assert!(ran.stderr.contains("unsigned") && ran.stderr.contains("--auth"), "{}", ran.stderr);
    let shown = json(&place.run(&["job", "show", ran.stdout.trim(), "--json"]));
    assert_eq!(shown["job"]["topic_prefix"], format!("my/jobs/{}", ran.stdout.trim()));
    assert_eq!((&shown["job"]["broker"]["host"], &shown["job"]["broker"]["port"]), (&"127.0.0.1".into(), &1.into()));
    assert_eq!(place.run(&["job", "submit", "--prompt", "x", "--auth"]).stderr, "");
    let held = contents(&place.home());
    assert!(!held.values().any(|text| String::from_utf8_lossy(text).contains("hunter2")));
    // One that would be published where nobody listens is not submitted at all.
    place.write("agent-sessions.yaml", "version: 1\nmqtt: { broker: 127.0.0.1, root: a//b }\nsessions: []\n");
    let ran = place.run(&["job", "submit", "--prompt", "x"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert_eq!(contents(&place.home()).len(), held.len());
}

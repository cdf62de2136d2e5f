//! headcount as the scripts of smux's manager: the runtime directory, its context, and the lines that manager and worker send each other.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use super::Ran;
use super::bridge::Bridge;

impl Bridge {
    fn tool(&self, name: &str, words: &[&str]) -> Ran {
        Ran::from(self.command(name, words).output().unwrap())
    }

    /// The same as from the pane %0, with the tmux-bridge of the PATH.
    fn in_pane(&self, name: &str, words: &[&str]) -> Ran {
        Ran::from(self.command(name, words).env("TMUX_PANE", "%0").output().unwrap())
    }

    fn runtime(&self) -> PathBuf {
        self.world.root().join("a crew")
    }

    fn append(&self, words: &[&str]) -> Ran {
        self.tool("append-context.sh", &[&[self.runtime().to_str().unwrap()], words].concat())
    }
}

#[test]
fn a_runtime_directory_is_made_and_its_context_grows_by_each_entry_once() {
    let bridge = Bridge::new();
    let directory = bridge.runtime();
    let shown = directory.display();
    for name in ["init-runtime", "init-runtime.sh"] {
        let said = bridge.tool(name, &[directory.to_str().unwrap()]).is(0).stdout;
        let expected = format!(
            "runtime_dir={shown}\ncontext_jsonl={shown}/context/context.jsonl\ncontext_md={shown}/context/context.md\n\
             live_log={shown}/context/live.log\nartifacts_dir={shown}/artifacts\n"
        );
        assert_eq!(said, expected);
    }
    assert_eq!(directory.join("artifacts").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let first = ["45", "manager", "codex", "TASK_ASSIGN", "task-1", "Fix the tests, password=hunter2"];
    assert_eq!(bridge.append(&first).is(0).stderr, "");
    let again = bridge.append(&["45", "manager", "codex", "STATUS", "task-1", "other"]).is(0);
    assert_eq!(
        (again.stdout.as_str(), again.stderr.as_str()),
        ("", "context entry already exists for task=task-1 seq=45; skipping\n")
    );
    bridge.append(&["46", "codex", "manager", "RESULT", "task-1", "two\nlines", "/tmp/a b.md"]).is(0);
    bridge.append(&["45", "manager", "codex", "CONTEXT", "task-2", "é"]).is(0);
    let read = |name: &str| std::fs::read_to_string(directory.join("context").join(name)).unwrap();
    let entries: Vec<Value> = read("context.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 3);
    let keys: BTreeSet<&str> = entries[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(["seq", "ts", "task_id", "from", "to", "type", "summary", "artifact_path"]));
    let (first, second) = (&entries[0], &entries[1]);
    assert_eq!((first["seq"].as_u64(), first["artifact_path"].is_null()), (Some(45), true));
    assert_eq!(first["summary"], "Fix the tests, password=[hidden]");
    assert_eq!((second["summary"].as_str(), second["artifact_path"].as_str()), (Some("two lines"), Some("/tmp/a b.md")));
    assert_eq!(read("context.md").lines().nth(1), Some("- seq=46 task=task-1 codex -> manager two lines artifact=/tmp/a b.md"));
    let at = second["ts"].as_str().unwrap();
    let log = format!("[{at}] seq=46 task=task-1 codex -> manager type=RESULT artifact=/tmp/a b.md summary=two lines");
    assert_eq!(read("live.log").lines().nth(1), Some(log.as_str()));
    // What is too long for a line is a file.
    let long = "word ".repeat(1000);
    bridge.append(&["47", "codex", "manager", "RESULT", "task-1", &long]).is(0);
    bridge.append(&["47", "codex", "manager", "RESULT", "task-1", &"other ".repeat(1000)]).is(0);
    let kept = directory.join("artifacts/task-1/context-47.txt");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), long);
    let line = read("context.md").lines().last().unwrap().to_owned();
    assert!(line.ends_with(&format!("… (cut) artifact={}", kept.display())) && line.chars().count() < 2300, "{line}");
    bridge.append(&["1", "a", "b", "RESULT", "../x", &long]).is(1);
    // The context of a crew of headcount is the same.
    let begun = bridge.tool("headcount", &["crew", "init", directory.to_str().unwrap(), "--name", "shop"]);
    begun.is(0);
    let context = bridge.tool("headcount", &["crew", "context", directory.to_str().unwrap(), "--since", "45"]).is(0).stdout;
    let context = context.lines().next().unwrap().to_owned() + "\n";
    assert_eq!(context, "- seq=46 task=task-1 codex -> manager two lines artifact=/tmp/a b.md\n");
}

#[test]
fn what_does_not_belong_into_a_context_is_refused_and_leaves_nothing() {
    let bridge = Bridge::new();
    let usage = bridge.append(&["1", "a", "b"]).is(1).stderr;
    assert!(
        usage.starts_with("Usage: append-context.sh <runtime-dir> <seq> <from> <to> <type> <task-id> <summary>"),
        "{usage}"
    );
    assert!(bridge.tool("init-runtime", &[]).is(1).stderr.starts_with("Usage: init-runtime <runtime-dir>"));
    for (words, why) in [
        (["x", "manager", "w", "STATUS", "t", "s"], "seq is a number"),
        (["-1", "manager", "w", "STATUS", "t", "s"], "seq is a number"),
        (["1", "man ager", "w", "STATUS", "t", "s"], "can be no name"),
        (["1", "manager", "[w]", "STATUS", "t", "s"], "can be no name"),
        (["1", "manager", "w", "EXPLODE", "t", "s"], "no word of the protocol"),
        (["1", "manager", "w", "STATUS", "t\n", "s"], "can be no name"),
        (["1", "user", "manager", "STATUS", "t", "s"], "between user and the manager"),
    ] {
        let ran = bridge.append(&words).is(1);
        assert!(ran.stderr.contains(why), "{words:?}: {ran:?}");
    }
    assert!(!bridge.runtime().exists());
    std::fs::create_dir(bridge.runtime()).unwrap();
    std::fs::set_permissions(bridge.runtime(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let ran = bridge.append(&["1", "manager", "w", "STATUS", "t", "s"]).is(1);
    assert!(ran.stderr.contains("can be written by other users"), "{ran:?}");
    assert_eq!(std::fs::read_dir(bridge.runtime()).unwrap().count(), 0);
}

#[test]
fn a_task_and_a_reply_are_typed_as_one_line_each_and_entered() {
    let bridge = Bridge::new();
    let (worker, _) = bridge.pane();
    bridge.world.tmux(["resize-window", "-t", "work:", "-x", "200", "-y", "60"]);
    bridge.run(&["name", &worker, "codex"]).is(0);
    let sent =
        bridge.in_pane("send-task", &["codex", "task-1", "w1", "45", "110", "lease-1", "fix [it]\nnow \"q\"", "tests/"]).is(0);
    let line = "[mgr type:TASK_ASSIGN task:task-1 worker:w1 seq:45 reply:%0 context_seq:110 lease_token:lease-1] \
                goal=\"fix \\u005bit\\u005d\\nnow \\\"q\\\"\" input=\"tests/\"";
    assert_eq!((sent.stdout.as_str(), sent.stderr.as_str()), (format!("{line}\n").as_str(), ""));
    let twice = || bridge.screen(&worker).matches("type:TASK_ASSIGN").count() == 2;
    super::support::await_some("the line, and its echo", || twice().then_some(()));
    // All that is known stands in it.
    let all = ["codex", "t", "w", "1", "0", "l", "g", "i", "/tmp/d"];
    assert!(bridge.in_pane("send-task.sh", &all).is(0).stdout.ends_with(" goal=\"g\" input=\"i\" artifact_dir=\"/tmp/d\"\n"));
    let reply = |words: &[&str]| bridge.in_pane("send-reply.sh", &[&["codex"], words].concat());
    let said = reply(&["RESULT", "t", "w", "2", "1", "l", "done", "%9", "/tmp/a"]).is(0).stdout;
    let line =
        "[wrk type:RESULT task:t worker:w seq:2 reply:%9 context_seq:1 lease_token:l] note=\"done\" artifact=\"/tmp/a\"\n";
    assert_eq!(said, line);
    let said = reply(&["ASK", "t", "w", "3", "1", "l", "which?"]).is(0).stdout;
    assert_eq!(said, "[wrk type:ASK task:t worker:w seq:3 reply:%0 context_seq:1 lease_token:l] question=\"which?\"\n");
    let said = reply(&["HELLO", "none", "w", "1", "0", "none", "code,edit"]).is(0).stdout;
    assert!(said.ends_with("lease_token:none] caps=\"code,edit\"\n"), "{said}");
}

#[test]
fn a_line_that_could_mean_something_else_is_not_sent() {
    let bridge = Bridge::new();
    let (worker, _) = bridge.pane();
    let usage = bridge.in_pane("send-task", &["x"]).is(1).stderr;
    assert!(usage.starts_with("Usage: send-task <target-pane> <task-id> <worker-id> <seq> <context-seq>"), "{usage}");
    assert!(bridge.in_pane("send-reply", &[]).is(1).stderr.starts_with("Usage: send-reply <target-pane> <type>"));
    for (task, seq, lease) in [("a b", "1", "l"), ("t]", "1", "l"), ("t", "one", "l"), ("t", "1", "l\nx"), ("", "1", "l")] {
        bridge.in_pane("send-task", &[&worker, task, "w", seq, "0", lease, "go"]).is(1);
        bridge.in_pane("send-reply", &[&worker, "RESULT", task, "w", seq, "0", lease, "go"]).is(1);
    }
    for kind in ["TASK_ASSIGN", "EXPLODE", "CONTEXT"] {
        bridge.in_pane("send-reply", &[&worker, kind, "t", "w", "1", "0", "l", "go"]).is(1);
    }
    let outside = bridge.tool("send-task", &[&worker, "t", "w", "1", "0", "l", "go"]).is(1);
    assert_eq!(outside.stderr, "error: not running inside a tmux pane ($TMUX_PANE is unset)\n");
    let nobody = bridge.in_pane("send-task", &["nobody", "t", "w", "1", "0", "l", "go"]).is(1);
    assert_eq!((nobody.stdout.as_str(), nobody.stderr.as_str()), ("", "error: no pane found with label 'nobody'\n"));
    assert_eq!(bridge.screen(&worker).trim(), "");
    // A pane that shows nothing of it gets no Enter.
    let (silent, _) = {
        let command = "stty -echo; echo ready; exec cat";
        let made = bridge.world.tmux(["split-window", "-d", "-t", "work:", "-P", "-F", "#{pane_id} #{pane_pid}", command]);
        let (id, pid) = made.split_once(' ').unwrap();
        (id.to_owned(), pid.to_owned())
    };
    super::support::await_some("its beginning", || bridge.screen(&silent).contains("ready").then_some(()));
    let ran = bridge.in_pane("send-task", &[&silent, "t", "w", "1", "0", "l", "go"]).is(1);
    assert!(ran.stderr.contains("and Enter was not pressed: the pane shows nothing new"), "{ran:?}");
    assert!(!bridge.screen(&silent).contains("TASK_ASSIGN"));
}

#[test]
fn the_bridge_that_is_named_is_used_in_the_sequence_of_the_original() {
    let bridge = Bridge::new();
    let log = bridge.world.root().join("calls");
    let script = format!("#!/bin/sh\necho \"$*\" >>'{}'\n[ \"$1\" = id ] && echo %7\ntrue\n", log.display());
    let other = bridge.world.program("other-bridge", &script);
    let send =
        |name: &str, words: &[&str]| Ran::from(bridge.command(name, words).env("TMUX_BRIDGE_BIN", &other).output().unwrap());
    let line = send("send-task", &["w", "t", "w", "1", "0", "l", "go"]).is(0).stdout;
    assert!(line.contains(" reply:%7 "), "{line}");
    let calls = std::fs::read_to_string(&log).unwrap();
    let expected = format!("id\nread w 20\ntype w {line}read w 20\nkeys w Enter\n");
    assert_eq!(calls, expected);
    std::fs::remove_file(&log).unwrap();
    let line = send("send-reply", &["m", "STATUS", "t", "w", "1", "0", "l", "on it", "%1"]).is(0).stdout;
    assert_eq!(std::fs::read_to_string(&log).unwrap(), format!("read m 20\ntype m {line}read m 20\nkeys m Enter\n"));
    // One that fails ends it before anything is entered.
    std::fs::write(&other, "#!/bin/sh\n[ \"$1\" = type ] && { echo 'error: no' >&2; exit 1; }\ntrue\n").unwrap();
    let ran = send("send-reply", &["m", "STATUS", "t", "w", "1", "0", "l", "x", "%1"]).is(1);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "error: no\n"));
}

#[test]
fn the_guard_writes_its_three_documents_and_prints_what_they_come_to() {
    let bridge = Bridge::new();
    let directory = bridge.runtime();
    let guard = |words: &[&str]| bridge.tool("problemmap-guard.py", &[&[directory.to_str().unwrap()], words].concat());
    let error = |ran: Ran| -> String {
        let told: Value = serde_json::from_str(&ran.is(1).stdout).unwrap();
        assert_eq!((told["status"].as_str(), told.as_object().unwrap().len()), (Some("error"), 2));
        told["error"].as_str().unwrap().to_owned()
    };
    let context = directory.join("context/context.jsonl");
    assert_eq!(error(guard(&["t1", "codex"])), format!("context file not found: {}", context.display()));
    bridge.append(&["1", "manager", "codex", "TASK_ASSIGN", "t1", "Investigate failing auth tests"]).is(0);
    for seq in ["2", "3", "4"] {
        bridge.append(&[seq, "codex", "manager", "STATUS", "t1", "I lost context, looking at auth tests again"]).is(0);
    }
    let told: Value = serde_json::from_str(&guard(&["t1", "codex"]).is(0).stdout).unwrap();
    let keys: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(
        ["status", "task_id", "worker_id", "signals", "diagnosis", "writeback_gate", "paths"]
            .iter()
            .all(|key| keys.contains(key))
    );
    assert_eq!(told["signals"], serde_json::json!(["event:wrong_approach", "event:context_compacted"]));
    assert_eq!(
        (told["diagnosis"]["primary_family"].as_str(), told["manager_move"].as_str()),
        (Some("F3 State & Continuity"), Some("replay"))
    );
    let below = directory.join("artifacts/problemmap/t1/codex");
    for name in ["case", "diagnosis", "event"] {
        let path = below.join(format!("{name}.json"));
        assert_eq!(told["paths"][name].as_str(), path.to_str());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Elsewhere, in another mode, against another goal; the rest of upstream's options changes nothing.
    let elsewhere = bridge.world.root().join("elsewhere");
    let words =
        ["t1", "codex", "--expected", "Write a poem", "--window", "1", "--mode", "teaching", "--ensure", "--output-dir"];
    let ran = guard(&[&words[..], &[elsewhere.to_str().unwrap()]].concat()).is(0);
    assert!(ran.stderr.contains("have no effect"), "{ran:?}");
    let read = |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(elsewhere.join(name)).unwrap()).unwrap() };
    assert_eq!(
        (read("case.json")["expected"].as_str(), read("case.json")["evidence"].as_array().unwrap().len()),
        (Some("Write a poem"), 1)
    );
    assert_eq!(read("diagnosis.json")["diagnostic_mode"], "teaching");
    assert_eq!(error(guard(&["t1", "nobody"])), "no context events found for task=t1 worker=nobody");
    assert!(error(guard(&["../x", "codex"])).contains("is no name"));
    assert_eq!(guard(&["t1"]).code, Some(2));
    assert_eq!(guard(&["t1", "codex", "--mode", "loud"]).code, Some(2));
    assert_eq!(guard(&["--help"]).code, Some(0));
}

//! headcount as csd, with a stand-in for Claude Code that can be typed to and runs its hooks, and with a plain shell in a pane.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{World, await_some};
use super::{Ran, is_alive};

/// A world in which csd is used.
struct Driver {
    world: World,
}

impl Driver {
    fn new() -> Self {
        let world = World::new();
        world.program("claude", include_str!("../support/talking_claude.py"));
        let driver = Self { world };
        driver.consents();
        driver
    }

    fn consent(&self) -> PathBuf {
        self.world.home().join(".claude/.claude-session-driver-consent")
    }

    fn consents(&self) {
        std::fs::create_dir_all(self.consent().parent().unwrap()).unwrap();
        std::fs::write(self.consent(), "").unwrap();
    }

    fn workers(&self) -> PathBuf {
        self.world.root().join("workers")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.arg0("csd").env_clear().envs(self.world.variables()).env("CSD_WORKER_DIR", self.workers());
        command.stdin(Stdio::null()).current_dir(self.world.root().join("lab")).args(words);
        command
    }

    fn run(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(words).output().unwrap())
    }

    fn worker(&self, words: &[&str]) -> Ran {
        self.run(&[&["--worker", "w"], words].concat())
    }

    /// Launches the worker `w`, and gives its id.
    fn launch(&self) -> String {
        let cwd = self.world.workspace("one");
        self.run(&["launch", "w", cwd.to_str().unwrap()]).is(0);
        self.worker(&["session-id"]).is(0).stdout.trim().to_owned()
    }

    fn meta(&self, id: &str) -> Value {
        let text = std::fs::read_to_string(self.workers().join(format!("{id}.meta"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn events(&self, id: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.workers().join(format!("{id}.events.jsonl"))).unwrap_or_default();
        let word = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned();
        text.lines().map(word).collect()
    }

    fn sessions(&self) -> String {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.world.socket()).args(["list-sessions", "-F", "#{session_name}"]);
        Ran::from(tmux.output().unwrap()).stdout
    }

    fn files(&self) -> usize {
        let is_file = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().path().is_file();
        std::fs::read_dir(self.workers()).into_iter().flatten().filter(|_| true).map(is_file).filter(|it| *it).count()
    }
}

#[test]
fn a_worker_is_launched_spoken_with_and_stopped() {
    let driver = Driver::new();
    let cwd = driver.world.workspace("one");
    let begun = driver.run(&["launch", "w", cwd.to_str().unwrap(), "--", "--model", "a b"]).is(0);
    let shim = driver.workers().join("bin/w");
    assert_eq!(begun.stdout, format!("{}\n", shim.display()));
    let id = driver.worker(&["session-id"]).is(0).stdout.trim().to_owned();
    let events = driver.workers().join(format!("{id}.events.jsonl"));
    let (shown, events) = (cwd.display(), events.display());
    let panel = format!(
        "Worker launched.\n  tmux:       w\n  session_id: {id}\n  cwd:        {shown}\n  events:     {events}\n  \
         reproduce: csd launch w {shown} -- --model 'a b'\n"
    );
    assert_eq!(begun.stderr, panel);
    let meta = driver.meta(&id);
    let keys: Vec<&str> = meta.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["tmux_name", "session_id", "cwd", "harness", "started_at", "invocation"]);
    assert_eq!(driver.events(&id), ["session_start"]);
    assert_eq!(driver.worker(&["status"]).is(0).stdout, "idle\n");
    assert_eq!(driver.worker(&["events-file"]).is(0).stdout, format!("{events}\n"));
    let again = driver.run(&["launch", "w", cwd.to_str().unwrap()]).is(1);
    assert_eq!(again.stderr, "Error: tmux session 'w' already exists\n");

    // By its own program, and by its id.
    let said =
        Command::new(&shim).env_clear().envs(driver.world.variables()).args(["send", "hello\n@@say one"]).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert_eq!(driver.events(&id)[..2], ["session_start", "user_prompt_submit"]);
    await_some("the end of the turn", || (driver.events(&id).len() == 3).then_some(()));
    let answer = driver.run(&["--worker", &id, "converse", "and\n@@say two words"]).is(0);
    assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("two words\n", ""));
    let turn = driver.worker(&["read-turn"]).is(0).stdout;
    assert_eq!(turn, "**Prompt:** and\n@@say two words\n\ntwo words\n\n");
    let with_turn = driver.worker(&["converse", "--with-turn", "more\n@@say three"]).is(0).stdout;
    assert_eq!(with_turn, "**Prompt:** more\n@@say three\n\nthree\n\n");

    let prompts = driver.worker(&["read-events", "--type", "user_prompt_submit"]).is(0).stdout;
    assert_eq!(prompts.lines().count(), 3);
    let last = driver.worker(&["read-events", "--type", "stop", "--last", "1"]).is(0).stdout;
    assert!(last.starts_with(r#"{"event":"stop","ts":""#) && last.lines().count() == 1, "{last}");
    let row = driver.run(&["list"]).is(0).stdout;
    let expected = format!("idle\tclaude\tw\t{id}\t{}\t{shown}", shim.display());
    assert_eq!(row.lines().collect::<Vec<_>>(), ["STATUS\tHARNESS\tTMUX\tSESSION_ID\tSHIM\tCWD", &expected]);
    assert_eq!(driver.run(&["list", "x"]).is(0).stdout.lines().count(), 1);
    let handoff = driver.worker(&["handoff"]).is(0).stdout;
    assert!(handoff.contains("tmux attach -t w") && handoff.contains("Ctrl-B d"), "{handoff}");

    let stopped = driver.worker(&["stop"]).is(0);
    assert_eq!(stopped.stdout, format!("Worker w ({id}) stopped. Shim removed.\n"));
    assert_eq!((driver.files(), driver.sessions().as_str()), (0, ""));
    assert!(!shim.exists());
    assert_eq!(driver.worker(&["status"]).is(1).stderr, "Error: no worker known as 'w'\n");
    assert_eq!(driver.run(&["list"]).is(0).stderr, "No workers found\n");
}

#[test]
fn what_stands_in_the_way_is_said_in_the_words_of_csd_and_nothing_is_left() {
    let driver = Driver::new();
    let cwd = driver.world.workspace("one");
    let cwd = cwd.to_str().unwrap();
    for (words, code, told) in [
        (vec!["launch", "w", "/no/such"], 1, "Error: cwd '/no/such' does not exist"),
        (vec!["launch", "w/x", cwd], 1, "is no name for a worker"),
        (vec!["launch", "--harness", "bogus", "w", cwd], 1, "Unknown harness 'bogus'. Available: claude, codex, pi"),
        (vec!["launch", "w", cwd, "--", "--resume", "x"], 1, "'--resume' is not for the arguments of a worker"),
        (vec!["adopt", "w", cwd, "nonsense"], 1, "Error: 'nonsense' does not look like a Claude session id"),
        (vec!["--worker", "w", "send", "hi"], 1, "Error: no worker known as 'w'"),
        (vec!["frobnicate"], 2, "unknown"),
        (vec![], 2, "Usage:"),
    ] {
        let ran = driver.run(&words).is(code);
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
    }
    std::fs::create_dir_all(driver.world.home().join(".claude/projects")).unwrap();
    let ran = driver.run(&["adopt", "w", cwd, "abcdef12-0000"]).is(1);
    assert!(ran.stderr.contains("no transcript found for session 'abcdef12-0000'"), "{}", ran.stderr);
    // An agent that ends at once.
    driver.world.program("claude", "#!/bin/sh\necho no luck today\nexit 3\n");
    let ran = driver.run(&["launch", "w", cwd]).is(1);
    assert!(ran.stderr.starts_with("Error: Worker session failed to start within 30 seconds"), "{}", ran.stderr);
    assert_eq!((driver.files(), driver.sessions().as_str()), (0, ""));
    std::fs::remove_file(driver.consent()).unwrap();
    let ran = driver.run(&["launch", "w", cwd]).is(1);
    assert_eq!(
        ran.stderr,
        "Error: claude-session-driver requires one-time consent before launching workers.\nRun: csd grant-consent\n"
    );
}

#[test]
fn the_consent_is_given_once() {
    let driver = Driver::new();
    std::fs::remove_file(driver.consent()).unwrap();
    let grant = |word: &str| {
        let mut child = driver
            .command(&["grant-consent"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), word.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    };
    assert!(grant("no\n").is(1).stderr.ends_with("Consent not granted.\n"));
    assert!(!driver.consent().exists());
    assert!(grant("yes\n").is(0).stdout.starts_with("Consent granted. Written: "));
    assert!(driver.consent().exists());
    assert!(grant("yes\n").is(0).stdout.starts_with("Consent already granted at "));
}

/// What csd 3.0.2 is tested with: a loop of a shell that tells of each line it reads.
#[test]
fn a_plain_shell_is_typed_to_as_csd_does() {
    let driver = Driver::new();
    let workers = driver.workers();
    std::fs::create_dir(&workers).unwrap();
    let cwd = driver.world.workspace("one");
    std::fs::write(workers.join("s1.meta"), format!(r#"{{"tmux_name":"w","session_id":"s1","cwd":"{}"}}"#, cwd.display()))
        .unwrap();
    let events = workers.join("s1.events.jsonl");
    let event = |word: &str| format!(r#"printf '{{"event":"{word}","ts":"x"}}\n' >> {}"#, events.display());
    let project: String = cwd.to_str().unwrap().chars().map(|c| if matches!(c, '/' | '.' | '_') { '-' } else { c }).collect();
    let transcript = driver.world.home().join(".claude/projects").join(project);
    std::fs::create_dir_all(&transcript).unwrap();
    let transcript = transcript.join("s1.jsonl");
    // It takes the second Enter only.
    let script = format!(
        "while read -r line; do [ -n \"$line\" ] && kept=$line && continue; [ -n \"$kept\" ] || continue\n{}\nn=$((n + 1))\n\
         printf '{{\"type\":\"user\",\"uuid\":\"u%s\",\"message\":{{\"role\":\"user\",\"content\":\"%s\"}}}}\\n' $n \"$kept\" >> {path}\n\
         printf '{{\"type\":\"assistant\",\"parentUuid\":\"u%s\",\"uuid\":\"v%s\",\"message\":{{\"role\":\"assistant\",\"content\":[{{\"type\":\"text\",\
         \"text\":\"heard\"}}],\"stop_reason\":\"end_turn\"}}}}\\n' $n $n >> {path}\n{}\nkept=; done",
        event("user_prompt_submit"),
        event("stop"),
        path = transcript.display()
    );
    let loop_file = driver.world.program("loop", &format!("#!/bin/sh\n{script}\n"));
    driver.world.session("w", &cwd, loop_file.to_str().unwrap());
    let ran =
        Ran::from(driver.command(&["--worker", "w", "send", "hi"]).env("CSD_SUBMIT_RETRY_INTERVAL", "0.3").output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(driver.events("s1"), ["user_prompt_submit", "stop"]);
    let ran = Ran::from(
        driver.command(&["--worker", "w", "converse", "you"]).env("CSD_SUBMIT_RETRY_INTERVAL", "0.3").output().unwrap(),
    );
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "heard\n", ""));
    // One that says nothing.
    driver.world.tmux(["respawn-pane", "-k", "-t", "=w:", "exec cat"]);
    let ran = Ran::from(driver.command(&["--worker", "w", "send", "hi"]).env("CSD_SUBMIT_TIMEOUT", "0.5").output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("did not confirm submission within 0.5s"), "{}", ran.stderr);
    driver.worker(&["stop"]).is(0);
    assert_eq!(driver.sessions(), "");
}

#[test]
fn a_turn_is_waited_for_from_where_csd_does() {
    let driver = Driver::new();
    std::fs::create_dir(driver.workers()).unwrap();
    std::fs::write(driver.workers().join("s1.meta"), r#"{"tmux_name":"w","session_id":"s1","cwd":"/"}"#).unwrap();
    let file = driver.workers().join("s1.events.jsonl");
    let events = |words: &[&str]| {
        let lines: String = words.iter().map(|word| format!("{{\"event\":\"{word}\"}}\n")).collect();
        std::fs::write(&file, lines).unwrap();
    };
    assert!(driver.worker(&["wait-for-turn", "0.2"]).is(1).stderr.starts_with("Timeout waiting for event file: "));
    assert!(driver.worker(&["read-events"]).is(1).stderr.contains("No event file for session s1"));
    events(&["stop"]);
    assert_eq!(driver.worker(&["wait-for-turn", "1"]).is(0).stdout, "{\"event\":\"stop\"}\n");
    events(&["session_start", "stop"]);
    let late = driver.worker(&["wait-for-turn", "0.2"]).is(1).stderr;
    assert_eq!(late, "Timeout waiting for turn (stop or session_end) after 0.2s\nretry_after_line: 2\n");
    driver.worker(&["wait-for-turn", "1", "--after-line", "1"]).is(0);
    events(&["session_start", "stop", "session_end"]);
    assert_eq!(driver.worker(&["wait-for-turn", "1"]).is(0).stdout, "{\"event\":\"session_end\"}\n");
    let extended = driver
        .command(&["--worker", "w", "wait-for-turn", "0", "--after-line", "9"])
        .env("HEADCOUNT_CSD_EXIT", "extended")
        .output();
    assert_eq!(Ran::from(extended.unwrap()).code, Some(124));
    // A worker that is silent, which one that tells something now and then is not.
    let silent = driver.worker(&["wait-for-turn", "20", "--idle-timeout", "0.3", "--after-line", "3"]).is(1).stderr;
    assert_eq!(silent, "Timeout waiting for turn: no worker activity for 0.3s\nretry_after_line: 3\n");
    events(&["session_start"]);
    let wait = ["--worker", "w", "wait-for-turn", "20", "--idle-timeout", "2"];
    let child = driver.command(&wait).stdout(Stdio::piped()).spawn().unwrap();
    for count in 1..=8 {
        std::thread::sleep(Duration::from_millis(500));
        events(&[&["session_start"][..], &vec!["pre_tool_use"; count]].concat());
    }
    events(&["session_start", "stop"]);
    assert!(child.wait_with_output().unwrap().status.success());
    // One that comes while it is waited for.
    events(&["session_start"]);
    let begun = Instant::now();
    let child = driver.command(&["--worker", "w", "wait-for-turn", "20"]).stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    events(&["session_start", "stop"]);
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(driver.worker(&["status"]).is(0).stdout, "gone\n");
    assert_eq!(driver.run(&["list"]).is(0).stderr, "No workers found\n");
    assert!(driver.run(&["list", "--all"]).is(0).stdout.contains("gone\t\tw\ts1\t"));
    assert_eq!(driver.run(&["prune"]).is(0).stderr, "Pruned 1 dead worker(s)/orphan(s): w\n");
    assert_eq!(driver.run(&["prune"]).is(0).stderr, "Nothing to prune\n");
}

#[test]
fn a_turn_that_does_not_end_in_time_is_told_with_what_there_is_to_see() {
    let driver = Driver::new();
    let id = driver.launch();
    let diagnostic = driver.world.root().join("diagnostic");
    let mut command = driver.command(&["--worker", "w", "converse", "go\n@@slow 30", "0.8"]);
    let ran = Ran::from(command.env("CSD_CONVERSE_DIAG_FILE", &diagnostic).output().unwrap());
    assert_eq!(ran.code, Some(1));
    let expected = format!("Worker did not finish within 0.8s\ncsd-diagnostic: {}\n", diagnostic.display());
    assert_eq!(ran.stderr, expected);
    let silent = driver.worker(&["converse", "--idle-timeout", "1", "more", "40"]).is(1).stderr;
    assert_eq!(silent, "Timeout waiting for turn: no worker activity for 1s\n");
    let text = std::fs::read_to_string(diagnostic).unwrap();
    for part in [
        "csd converse diagnostic",
        "reason=wait_for_turn_timeout",
        &format!("session_id={id}"),
        "ps -eo",
        "tmux capture-pane",
        "claude session JSONL tail",
        "csd events JSONL tail",
        "end csd diagnostic",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert_eq!(driver.worker(&["status"]).is(0).stdout, "working\n");
    // It works: the prompt is queued, once.
    let queued = driver.worker(&["send", "next"]).is(0);
    assert!(queued.stderr.starts_with("Note: worker 'w' is mid-turn, so the prompt was queued"), "{}", queued.stderr);
    driver.worker(&["stop"]).is(0);
}

#[test]
fn a_worker_that_was_lost_is_adopted_and_all_of_them_are_recovered() {
    let driver = Driver::new();
    let id = driver.launch();
    driver.worker(&["converse", "remember\n@@say yes"]).is(0);
    let cwd = driver.world.workspace("one");
    let adopt = ["adopt", "w", cwd.to_str().unwrap(), &id];
    let refused = driver.run(&adopt).is(1);
    assert!(refused.stderr.contains("a live agent is in it"), "{}", refused.stderr);
    assert_eq!(driver.worker(&["status"]).is(0).stdout, "idle\n", "and it stays as it is");

    driver.world.crash_server();
    assert_eq!(driver.worker(&["status"]).is(0).stdout, "gone\n");
    let adopted = driver.run(&adopt).is(0);
    assert!(adopted.stderr.starts_with("Worker adopted (opened new pane).\n"), "{}", adopted.stderr);
    assert!(adopted.stderr.ends_with(&format!("reproduce: csd {}\n", adopt.join(" "))), "{}", adopted.stderr);
    assert_eq!(driver.worker(&["session-id"]).is(0).stdout.trim(), id);

    driver.world.crash_server();
    // Its directory of workers is on a file system that a reboot clears.
    std::fs::remove_dir_all(driver.workers()).unwrap();
    let shown = driver.run(&["recover"]).is(0);
    assert_eq!(shown.stdout, format!("+ w  csd {}\n", adopt.join(" ")));
    assert_eq!(driver.sessions(), "");
    // An attempt that comes to nothing loses nothing of it.
    let stand_in = std::fs::read_to_string(driver.world.claude()).unwrap();
    driver.world.program("claude", "#!/bin/sh\nexit 3\n");
    let failed = driver.run(&["recover", "--execute"]).is(1);
    assert!(failed.stdout.starts_with("! w  not adopted"), "{failed:?}");
    assert_eq!(driver.sessions(), "");
    let other =
        driver.world.session("other", &cwd, &format!("exec python3 {}", driver.world.program("held", &stand_in).display()));
    driver.world.program("claude", &stand_in);
    let elsewhere = driver.world.session("elsewhere", &cwd, &format!("exec claude --resume {id}"));
    driver.world.registered(elsewhere);
    let claimed = driver.run(&["recover", "--execute"]).is(1);
    assert!(claimed.stderr.contains("claimed"), "{claimed:?}");
    driver.world.tmux(["kill-session", "-t", "=elsewhere"]);
    await_some("its end", || (!is_alive(elsewhere)).then_some(()));
    assert!(is_alive(other));
    assert_eq!(driver.run(&["recover"]).is(0).stdout, shown.stdout);
    let done = driver.run(&["recover", "--execute"]).is(0);
    assert!(done.stdout.starts_with("✓ w"), "{done:?}");
    assert_eq!(driver.worker(&["converse", "still\n@@say there"]).is(0).stdout, "there\n");
    assert_eq!(driver.run(&["recover"]).is(0).stdout, "= w  its session is there\n");
    driver.worker(&["stop"]).is(0);
    // What tmux-resurrect has saved, of sessions that no record is of any more.
    let snapshot = driver.world.root().join("last");
    let pane =
        |name: &str, command: &str| format!("pane\t{name}\t0\t1\t:*\t0\ttitle\t:{}\t1\tclaude\t:{command}\n", cwd.display());
    std::fs::write(&snapshot, pane("w", &format!("claude --session-id {id}")) + &pane("v", "claude")).unwrap();
    let words = ["recover", "--snapshot", snapshot.to_str().unwrap()];
    let shown = driver.run(&words).is(0).stdout;
    assert!(shown.starts_with(&format!("+ w  csd {}\n? v  no id is known", adopt.join(" "))), "{shown}");
    driver.run(&[&words[..], &["--execute"]].concat()).is(0);
    assert_eq!(driver.worker(&["converse", "again\n@@say here"]).is(0).stdout, "here\n");
    driver.worker(&["stop"]).is(0);
    assert!(is_alive(other));
}

#[test]
fn a_shell_that_was_brought_back_under_its_name_is_adopted_and_stays() {
    let driver = Driver::new();
    let id = driver.launch();
    driver.worker(&["converse", "remember\n@@say yes"]).is(0);
    driver.world.crash_server();
    let cwd = driver.world.workspace("one");
    let shell = driver.world.session("w", &cwd, "exec sh");
    let adopted = driver.run(&["adopt", "w", cwd.to_str().unwrap(), &id]).is(0);
    assert!(adopted.stderr.starts_with("Worker adopted (respawned existing pane).\n"), "{}", adopted.stderr);
    assert!(is_alive(shell));
    assert_eq!(driver.worker(&["converse", "still\n@@say there"]).is(0).stdout, "there\n");
    driver.worker(&["stop"]).is(0);
    assert_eq!(driver.sessions(), "");
}

#[test]
fn a_worker_is_discovered_whatever_its_name() {
    let driver = Driver::new();
    let id = driver.launch();
    let manifest = driver.world.root().join("agents.yaml");
    let found = |text: &str| {
        std::fs::write(&manifest, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(driver.world.variables()).args(["diff", "--settle", "0s", "--json", "-f"]).arg(&manifest);
        let drifts = Ran::from(command.output().unwrap()).json()["drifts"].clone();
        let word =
            |drift: &Value| format!("{} {}", drift["class"].as_str().unwrap(), drift["session"]["name"].as_str().unwrap());
        drifts.as_array().unwrap().iter().map(word).collect::<Vec<_>>()
    };
    // One that a person has begun beside it is none of ours.
    driver.world.session("other", &driver.world.workspace("one"), "exec claude");
    assert_eq!(found("version: 1\nsessions: []\n"), ["unregistered w"]);
    assert_eq!(found("version: 1\ndiscovery: { names: [] }\nsessions: []\n"), [] as [&str; 0]);
    let listed = Ran::from(driver.command(&["--worker", &id, "status"]).output().unwrap());
    assert_eq!(listed.stdout, "idle\n");
    driver.worker(&["stop"]).is(0);
    assert_eq!(found("version: 1\nsessions: []\n"), [] as [&str; 0]);
}

#[test]
fn a_session_is_not_ended_from_within() {
    let driver = Driver::new();
    std::fs::create_dir(driver.workers()).unwrap();
    let cwd = driver.world.workspace("one");
    let meta = format!(r#"{{"tmux_name":"w","session_id":"s1","cwd":"{}"}}"#, cwd.display());
    std::fs::write(driver.workers().join("s1.meta"), meta).unwrap();
    let said = driver.world.root().join("said");
    let link = driver.world.root().join("bin/csd");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_headcount"), &link).unwrap();
    let script = format!(
        "CSD_WORKER_DIR={} {} --worker w stop 2> {}.new; mv {}.new {}; exec sleep 600",
        driver.workers().display(),
        link.display(),
        said.display(),
        said.display(),
        said.display()
    );
    driver.world.session("w", &cwd, &script);
    let told = await_some("an answer", || std::fs::read_to_string(&said).ok());
    assert_eq!(told, "Error: worker 'w' was not stopped: this command runs in that session\n");
    assert_eq!(driver.sessions(), "w\n");
    driver.worker(&["stop"]).is(0);
}

#[test]
fn a_worker_of_another_csd_is_typed_to_with_every_rule_of_the_engine() {
    let driver = Driver::new();
    std::fs::create_dir(driver.workers()).unwrap();
    let cwd = driver.world.workspace("one");
    let claude = driver.world.claude_session("w", &cwd);
    let id = claude.id.as_str();
    let meta = format!(r#"{{"tmux_name":"w","session_id":"{id}","cwd":"{}"}}"#, cwd.display());
    std::fs::write(driver.workers().join(format!("{id}.meta")), &meta).unwrap();
    await_some("its composer", || {
        driver.world.tmux(["capture-pane", "-p", "-t", "=w:"]).contains("manual mode on").then_some(())
    });
    assert_eq!(driver.worker(&["converse", "hello\n@@say there"]).is(0).stdout, "there\n");
    // A dialog is up: nothing is typed, and Enter is not pressed.
    driver.worker(&["send", "run it\n@@ask touch asked"]).is(0);
    await_some("the dialog", || driver.world.tmux(["capture-pane", "-p", "-t", "=w:"]).contains("Do you want").then_some(()));
    let held = driver.worker(&["send", "more"]).is(1);
    assert!(held.stderr.starts_with("Error: nothing was typed to worker 'w'"), "{}", held.stderr);
    assert!(!cwd.join("asked").exists());
    driver.worker(&["stop"]).is(0);
    assert_eq!(driver.sessions(), "");
}

#[test]
fn four_workers_are_launched_and_spoken_with_at_once() {
    let driver = Driver::new();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let driver = &driver;
            scope.spawn(move || {
                let cwd = driver.world.workspace(name);
                driver.run(&["launch", name, cwd.to_str().unwrap()]).is(0);
                for round in ["one", "two"] {
                    let said = driver.run(&["--worker", name, "converse", &format!("go\n@@say {name} {round}")]).is(0);
                    assert_eq!(said.stdout, format!("{name} {round}\n"));
                }
            });
        }
    });
    assert_eq!(driver.run(&["list"]).is(0).stdout.lines().count(), 5);
    for name in ["a", "b", "c", "d"] {
        driver.run(&["--worker", name, "stop"]).is(0);
    }
    assert_eq!((driver.files(), driver.sessions().as_str()), (0, ""));
}

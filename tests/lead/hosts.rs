//! Commands for other hosts, through an `ssh` that leads into another HOME with a tmux of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::scene::each;
use super::support::await_some;
use super::{Ran, Scene, is_alive};

/// Two hosts, and the ways from one to the other.
pub(super) struct Hosts {
    pub(super) near: Scene,
    pub(super) far: Scene,
}

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";
const NEAR: &str = "  - { name: two, agent: claude, cwd: LAB/one, desired: running }\n";

impl Hosts {
    pub(super) fn new() -> Self {
        let (near, far) = (Scene::new(NEAR), Scene::new(ONE));
        near.world.program("ssh", include_str!("../support/ssh_door.py"));
        far.world.program("headcount", &format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_headcount")));
        std::fs::create_dir(near.world.home().join("doors")).unwrap();
        let hosts = Self { near, far };
        hosts.door("ml-1", json!({}));
        hosts.declare("ml: { ssh: [ml-1], manifest: FAR }");
        hosts
    }

    /// The `hosts` of the manifest here.
    pub(super) fn declare(&self, hosts: &str) {
        let hosts = hosts.replace("FAR", self.far.manifest().to_str().unwrap());
        self.near.write_with(&format!("hosts: {{ {hosts} }}\n"), NEAR);
    }

    /// How ssh gets to a name.
    pub(super) fn door(&self, name: &str, mut door: Value) {
        let text = |word: &std::ffi::OsString| word.to_str().unwrap().to_owned();
        let variables = self.far.world.variables();
        let variables = variables.iter().map(|(name, value)| (text(name), Value::from(text(value))));
        door["env"] = Value::Object(variables.collect());
        std::fs::write(self.near.world.home().join("doors").join(name), door.to_string()).unwrap();
    }

    pub(super) fn run(&self, words: &[&str]) -> Ran {
        self.near.run(words)
    }

    /// Without the manifest of here being named.
    fn raw(&self, words: &[&str]) -> Ran {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.args(words).env_clear().envs(self.near.world.variables()).current_dir(self.near.world.root().join("lab"));
        Ran::from(command.output().unwrap())
    }

    /// From here on agents there take their time to be ready, and notice if there are two of them.
    pub(super) fn slow_down(&self) {
        let text = std::fs::read_to_string(self.far.world.claude()).unwrap();
        let slow = text.replacen("\nbegin\n", "\ntouch \"$HOME/came\"; sleep 3\nbegin\n", 1);
        self.far.world.program("claude", &slow);
        self.far.watch_for_a_second();
    }

    /// A start whose connection was cut goes on, and nothing is started twice.
    pub(super) fn is_found_again(&self) {
        // Whoever tries at once meets the operation that goes on, or its end.
        assert!([0, 75].contains(&self.run(&["start", "ml:one"]).code.unwrap()));
        await_some("the end of the start", || {
            let history = self.run(&["-H", "ml", "history", "--json"]).is(0).json();
            (history["operations"][0]["outcome"] == "done").then_some(())
        });
        assert_eq!(self.far.agents().len(), 1);
        assert!(!self.far.saw_a_second());
        assert_eq!(self.run(&["start", "ml:one", "--json"]).is(0).outcome("one").0, "start skipped");
        assert_eq!(self.far.recorded("one", "status"), "running");
    }

    /// Who asked for the operations there.
    fn asked_by(&self) -> Vec<String> {
        let directory = self.far.state().join("operations");
        let operations = std::fs::read_dir(directory).into_iter().flatten();
        let begun = operations.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("begun.json")).ok());
        begun.map(|text| serde_json::from_str::<Value>(&text).unwrap()["by"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_command_is_done_there_and_ends_as_it_does_there() {
    let hosts = Hosts::new();
    let plan = hosts.run(&["-H", "ml", "plan", "--json"]).is(2).json();
    assert_eq!(
        (plan["actions"][0]["action"].as_str(), plan["actions"][0]["session"]["name"].as_str()),
        (Some("start"), Some("one"))
    );
    assert_eq!(hosts.run(&["start", "ml:one", "--json"]).is(0).outcome("one").0, "start done");
    assert_eq!((hosts.far.agents().len(), hosts.near.agents().len()), (1, 0));
    let asked = hosts.asked_by();
    assert!(asked.len() == 1 && asked[0].starts_with("host ") && asked[0].ends_with(": a program"), "{asked:?}");
    // Who asked for it is nothing to what was started.
    let environment = std::fs::read(format!("/proc/{}/environ", hosts.far.agents()[0].0)).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("HOME=") && !environment.contains("HEADCOUNT_BY"), "{environment}");
    assert_eq!(hosts.run(&["start", "-H", "ml", "one", "--json"]).is(0).outcome("one").0, "start skipped");
    // A name that is known here means this host.
    assert_eq!(hosts.run(&["describe", "one"]).is(1).code, Some(1));
    assert!(hosts.run(&["describe", "ml:one"]).is(0).stdout.contains("claude"));
    assert!(hosts.run(&["-H", "ml", "status", "-o", "name"]).is(0).stdout == "one\n");
    assert_eq!(hosts.run(&["explain", "ml:nobody"]).is(1).stdout, "");
    assert!(hosts.run(&["-H", "ml", "diff"]).code.is_some_and(|code| code == 0 || code == 2));
    let history = hosts.run(&["-H", "ml", "history", "--json"]).is(0).json();
    assert_eq!(history["operations"][0]["action"], "start");
    // Without a directory it is the home there.
    let made = hosts.run(&["new", "ml:three", "--agent", "claude", "--json"]).is(0);
    assert_eq!(made.outcome("three").0, "start done");
    assert_eq!(hosts.far.recorded("three", "cwd"), hosts.far.world.home().to_str().unwrap());
    hosts.run(&["rm", "ml:three", "--yes"]).is(0);
    // Where nobody can be asked, as here.
    assert!(hosts.run(&["-H", "ml", "stop", "--all"]).is(3).stderr.contains("--yes"));
    let job = hosts.run(&["-H", "ml", "job", "submit", "--prompt", "say $(hi)"]).is(0).stdout;
    assert!(hosts.run(&["-H", "ml", "job", "list"]).is(0).stdout.contains(job.trim()));
    assert!(!hosts.run(&["job", "list"]).is(0).stdout.contains(job.trim()));
    hosts.run(&["-H", "ml", "job", "wait", job.trim(), "--timeout", "10ms"]).is(75);
    let pid = hosts.far.agents()[0].0;
    assert_eq!(hosts.far.agents().len(), 1);
    hosts.run(&["stop", "ml:one", "--yes"]).is(0);
    assert!(!is_alive(pid));
    // The command goes to ssh in one piece, behind what keeps ssh from anything else.
    let calls = std::fs::read_to_string(hosts.near.world.home().join("ssh-calls")).unwrap();
    let fixed = r#"["-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "ClearAllForwardings=yes", "-a", "-x", "--", "ml-1", "headcount serve --stdio"]"#;
    assert!(calls.lines().all(|line| line == fixed), "{calls}");
}

#[test]
fn what_only_a_person_there_may_say_is_refused_and_so_is_what_is_no_host() {
    let hosts = Hosts::new();
    for words in [&["allow", "--yes"][..], &["consent", "bypass", "--yes"], &["watch", "--on-drift", "reboot"], &["man"]] {
        let ran = hosts.run(&[&["-H", "ml"], words].concat()).is(3);
        assert!(ran.stderr.contains("not done on another host"), "{ran:?}");
    }
    let manifest = hosts.near.manifest().display().to_string();
    let new =
        ["-H", "ml", "-f", &manifest, "new", "x", "--agent", "claude", "--cwd", "/tmp", "--", "--dangerously-skip-permissions"];
    hosts.far.run(&["consent", "bypass", "--yes"]).is(0);
    assert!(hosts.raw(&new).is(3).stderr.contains("not granted from another host"));
    assert!(!hosts.far.text().contains("name: x"));
    let ran = hosts.run(&["-H", "m", "status"]).is(1);
    assert!(ran.stderr.contains("names no host m") && ran.stderr.contains("its hosts: ml"), "{ran:?}");
    assert!(hosts.run(&["-H", "all", "start", "one"]).is(64).stderr.contains("only `headcount status`"));
    assert!(hosts.run(&["stop", "ml:one", "two", "--yes"]).is(64).stderr.contains("several hosts"));
    assert!(hosts.run(&["-H", "ml", "new", "y", "--agent", "claude", "--cwd", "/no/such"]).is(1).stderr.contains("/no/such"));
    // A directory's manifest says where ssh goes only if it was allowed.
    let found = hosts.near.world.root().join("lab/agent-sessions.yaml");
    std::fs::copy(hosts.near.manifest(), &found).unwrap();
    assert!(hosts.raw(&["-H", "ml", "status"]).is(3).stderr.contains("not-allowed"));
    for odd in ["-oProxyCommand=x", "a b", "a\\tb"] {
        hosts.declare(&format!("bad: {{ ssh: [\"{odd}\"] }}"));
        assert!(hosts.run(&["-H", "bad", "status"]).is(1).stderr.contains("is no host"));
    }
    assert!(std::fs::read_to_string(hosts.near.world.home().join("ssh-calls")).unwrap().lines().count() <= 2);
}

#[test]
fn all_hosts_are_shown_in_one_table_and_one_that_is_down_is_unknown() {
    let hosts = Hosts::new();
    hosts.door("down-1", json!({ "what": "refuses" }));
    hosts.declare("ml: { ssh: [down-1, ml-1], manifest: FAR }, down: { ssh: [down-1] }");
    hosts.run(&["start", "ml:one"]).is(0);
    hosts.run(&["start", "two"]).is(0);
    hosts.run(&["record"]).is(0);
    let report = hosts.run(&["status", "-H", "all", "--json"]).is(0).json();
    let rows: Vec<(&str, &str)> = report["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["session"]["host"].as_str().unwrap(), row["session"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, [(report["host"].as_str().unwrap(), "two"), ("ml", "one")]);
    assert_eq!((&report["counts"]["running"], &report["in_sync"]), (&json!(2), &json!(false)));
    assert_eq!(report["unknown"][0]["scope"], "down");
    assert!(report["unknown"][0]["why"].as_str().unwrap().contains("Connection refused"), "{report}");
    let text = hosts.run(&["-H", "all"]).is(0).stdout;
    assert!(text.contains("HOST") && text.contains("Connection refused"), "{text}");
    assert_eq!(hosts.run(&["-H", "all", "status", "-o", "name"]).is(0).stdout, "two\nml:one\n");
    hosts.run(&["-H", "all", "status", "--exit-code"]).is(4);
    // It may be there that a name is known.
    assert!(hosts.run(&["-H", "all", "status", "nobody"]).is(0).stdout.contains("Connection refused"));
    // A name that only one of them knows.
    assert_eq!(hosts.run(&["-H", "all", "status", "one", "-o", "name"]).is(0).stdout, "ml:one\n");
    hosts.declare("ml: { ssh: [ml-1], manifest: FAR }");
    assert!(hosts.run(&["-H", "all", "status", "nobody"]).is(1).stderr.contains("no session named nobody"));
}

#[test]
fn a_text_gets_there_from_a_file_of_here_and_the_answer_comes_back() {
    let hosts = Hosts::new();
    hosts.far.world.program("claude", include_str!("../support/talking_claude.py"));
    let cwd = hosts.far.world.workspace("one");
    let claude = hosts.far.world.claude_session("one", &cwd);
    await_some("the composer", || hosts.run(&["screen", "ml:one"]).stdout.contains("manual mode on").then_some(()));
    let odd = "it's \"quoted\" $(touch /tmp/x) `y`;\n-- two lines #{pid}";
    let file = hosts.near.world.root().join("task.md");
    std::fs::write(&file, odd).unwrap();
    hosts.run(&["send", "ml:one", "--file", file.to_str().unwrap()]).is(0);
    let answer = hosts.run(&["ask", "ml:one", "-- and then?"]).is(0).stdout;
    assert_eq!(answer, hosts.far.run(&["read", "one", "--json"]).json()["text"].as_str().unwrap().to_owned() + "\n");
    let transcript = std::fs::read_to_string(hosts.far.world.transcript(&cwd, &claude.id)).unwrap();
    let lines = transcript.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let said: Vec<String> = lines
        .filter(|line| line["type"] == "user")
        .filter_map(|line| Some(line["message"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(said, [odd, "-- and then?"]);
    let manifest = hosts.near.manifest().display().to_string();
    hosts.run(&["wait", "ml:one", "--for", "idle", "--timeout", "20s"]).is(0);
    assert!(hosts.raw(&["-H", "ml", "--manifest", &manifest, "logs", "one"]).is(0).stdout.contains("and then?"));
    let mut logs = hosts.near.command(&["--version"]);
    let mut logs = std::process::Command::new(logs.stdin(Stdio::null()).get_program())
        .args(["-H", "ml", "--manifest", &manifest, "logs", "one", "--follow", "--json", "-n", "0"])
        .env_clear()
        .envs(hosts.near.world.variables())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(logs.stdout.take().unwrap());
    std::thread::sleep(std::time::Duration::from_millis(500));
    let mut piped = hosts.near.command(&["send", "-H", "ml", "one", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut piped.stdin.take().unwrap(), b"from a pipe\n").unwrap();
    assert_eq!(piped.wait().unwrap().code(), Some(0));
    let mut line = String::new();
    while !line.contains("from a pipe") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended before it told of the text");
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&logs), rustix::process::Signal::INT).unwrap();
    assert_eq!(logs.wait().unwrap().code(), Some(130));
}

/// The lines of a command that goes on.
fn following(hosts: &Hosts, words: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = hosts.near.command(words).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

#[test]
fn a_command_that_goes_on_is_shown_line_by_line_and_ends_with_whoever_reads_it() {
    let hosts = Hosts::new();
    hosts.run(&["start", "ml:one"]).is(0);
    let (mut watch, mut lines) = following(&hosts, &["-H", "ml", "watch", "--json", "--interval", "1s"]);
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["type"], "started");
    hosts.far.world.tmux(["kill-server"]);
    let mut told = String::new();
    while !told.contains("one") {
        told.clear();
        assert!(lines.read_line(&mut told).unwrap() > 0, "it ended before it told of the session");
    }
    let marked = || std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_of(&hosts, &entry.path())).count();
    assert!(marked() > 0);
    watch.kill().unwrap();
    watch.wait().unwrap();
    await_some("the end of the watch there", || (marked() == 0).then_some(()));
}

/// Whether a process is a headcount of the other HOME.
fn is_of(hosts: &Hosts, process: &std::path::Path) -> bool {
    let is_headcount = std::fs::read_link(process.join("exe")).is_ok_and(|exe| exe.ends_with("headcount"));
    let home = format!("HOME={}", hosts.far.world.home().display());
    is_headcount
        && std::fs::read(process.join("environ"))
            .is_ok_and(|all| String::from_utf8_lossy(&all).split('\0').any(|it| it == home))
}

#[test]
fn a_start_whose_connection_is_cut_goes_on_there_and_is_found_again() {
    let hosts = Hosts::new();
    hosts.slow_down();
    let start = hosts.near.command(&["start", "ml:one"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_some("the agent", || hosts.far.world.home().join("came").exists().then_some(()));
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", start.id())).unwrap();
    let ssh: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(ssh).unwrap(), rustix::process::Signal::KILL).unwrap();
    let ran = Ran::from(start.wait_with_output().unwrap()).is(1);
    assert!(ran.stderr.contains("the connection to ml was cut") && ran.stderr.contains("headcount -H ml history"), "{ran:?}");
    hosts.is_found_again();
}

#[test]
fn whenever_a_start_is_cut_there_is_one_agent_in_the_end() {
    each(&[0, 20, 60, 120, 200, 300, 500, 900], |delay| {
        let hosts = Hosts::new();
        hosts.slow_down();
        let mut start = hosts.near.command(&["start", "ml:one"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(*delay));
        // headcount itself, and with it the end of the pipe that ssh reads.
        start.kill().unwrap();
        start.wait().unwrap();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let mut codes = Vec::new();
        while codes.last() != Some(&0) {
            assert!(std::time::Instant::now() < until, "{delay} ms: {codes:?}");
            codes.push(hosts.run(&["start", "ml:one"]).code.unwrap());
        }
        assert!(codes.iter().all(|code| [0, 75].contains(code)), "{delay} ms: {codes:?}");
        await_some("the agent", || (hosts.far.agents().len() == 1).then_some(()));
        assert!(!hosts.far.saw_a_second(), "{delay} ms");
    });
}

#[test]
fn each_way_in_which_a_host_fails_is_said_and_is_unknown_to_a_look() {
    let hosts = Hosts::new();
    let fake = |name: &str, text: &str| hosts.far.world.program(name, &format!("#!/bin/sh\n{text}\n")).display().to_string();
    let hello = |hello: Value| json!({ "hello": hello });
    for (door, headcount, look, said) in [
        (
            json!({ "what": "refuses" }),
            None,
            4,
            "cannot be reached: ml-1: ssh: connect to host ml-1 port 22: Connection refused",
        ),
        (json!({}), Some("~/no/headcount".to_owned()), 4, "has no headcount: there is no program ~/no/headcount"),
        (
            json!({}),
            Some(fake("old", "echo 'error: there is no command `headcount serve`' >&2; exit 64")),
            4,
            "is older than this one",
        ),
        (json!({}), Some(fake("asks", "echo who are you; exit 0")), 4, "is no headcount: who are you"),
        (json!({}), Some(fake("owns", "printf '\\033]0;owned\\007 no\\n' >&2; exit 3")), 4, "is no headcount: \\u{1b}]0;owned"),
        (hello(json!({ "protocol": 2, "version": "9.9.9" })), None, 4, "runs headcount 9.9.9, and this one"),
        (hello(json!({ "version": "0.0.9" })), None, 0, "ml runs headcount 0.0.9, this is "),
        (hello(json!({ "now": "2020-01-01T00:00:00Z" })), None, 0, "the clock of ml is "),
        (json!({ "what": "noisy" }), None, 0, ""),
        (json!({ "what": "slow" }), None, 0, ""),
        (json!({ "what": "cut" }), None, 4, "the connection to ml was cut"),
        (json!({ "what": "garbles" }), None, 4, "is no headcount: \\u{1b}]0;owned"),
    ] {
        let what = door.to_string();
        hosts.door("ml-1", door);
        let headcount = headcount.map(|path| format!(", headcount: \"{path}\"")).unwrap_or_default();
        hosts.declare(&format!("ml: {{ ssh: [ml-1], manifest: FAR{headcount} }}"));
        let ran = hosts.run(&["-H", "ml", "describe", "one"]).is(look);
        assert!(ran.stderr.contains(said), "{what}: {ran:?}");
        assert!(!ran.stderr.contains('\u{1b}'), "{what}: {ran:?}");
        let status = hosts.run(&["-H", "ml", "status"]).is(look);
        assert!(look == 0 || status.stderr.contains(said), "{what}: {status:?}");
        let act = hosts.run(&["handoff", "ml:one", "--yes"]).is(if look == 0 { 0 } else { 1 });
        assert!(act.stderr.contains(said), "{what}: {act:?}");
        let went = act.stderr.contains("history");
        assert!(look == 0 || went || act.stderr.contains("nothing was done"), "{what}: {act:?}");
    }
}

#[test]
fn a_host_that_hangs_is_given_up() {
    each(&[("hangs", "nothing came within 15 s"), ("freezes", "has said nothing for 15 s")], |(what, said)| {
        let hosts = Hosts::new();
        hosts.door("ml-1", json!({ "what": what }));
        let began = std::time::Instant::now();
        assert!(hosts.run(&["-H", "ml", "plan"]).is(4).stderr.contains(said));
        assert!(began.elapsed().as_secs() < 25, "{what}: {:?}", began.elapsed());
    });
}

#[test]
fn what_a_host_says_is_printable_on_a_terminal() {
    let hosts = Hosts::new();
    let hello = r#"{"hello":{"protocol":1,"version":"0.1.0","host":"x","now":"2026-01-01T00:00:00Z"}}"#;
    let evil = r#"{"out":{"id":1,"text":"\u001b]0;owned\u0007\u001b[2Jgone \u001b[31mred\u001b[0m done\n"}}"#;
    let script =
        format!("#!/bin/sh\necho '{hello}'\nread -r line\nprintf '%s\\n' '{evil}' '{{\"end\":{{\"id\":1,\"exit\":0}}}}'\n");
    let path = hosts.far.world.program("evil", &script);
    hosts.declare(&format!("ml: {{ ssh: [ml-1], headcount: {} }}", path.display()));
    let command = format!("{} -H ml history -f {}; sleep 60", env!("CARGO_BIN_EXE_headcount"), hosts.near.manifest().display());
    hosts.near.world.session("shell", &hosts.near.world.workspace("one"), &command);
    let screen = await_some("what it says", || {
        let screen = hosts.near.world.tmux(["capture-pane", "-p", "-t", "=shell:"]);
        screen.contains("done").then_some(screen)
    });
    assert!(screen.contains("\\u{1b}]0;owned\\u{7}\\u{1b}[2Jgone red done"), "{screen}");
}

#[test]
fn a_person_is_asked_here_what_the_command_asks_there() {
    let hosts = Hosts::new();
    hosts.run(&["start", "ml:one"]).is(0);
    let pid = hosts.far.agents()[0].0;
    let (program, manifest) = (env!("CARGO_BIN_EXE_headcount"), hosts.near.manifest().display().to_string());
    for (answer, said) in [("n", "not confirmed"), ("y", "stopped one")] {
        let screen = || hosts.near.world.tmux(["capture-pane", "-p", "-t", &format!("={answer}:")]);
        let command = format!("{program} -H ml stop 'o*' -f {manifest}; echo ended $?; sleep 60");
        hosts.near.world.session(answer, &hosts.near.world.workspace("one"), &command);
        await_some("the question", || screen().contains("[y/N]").then_some(()));
        assert!(is_alive(pid));
        hosts.near.world.type_line(answer, answer);
        await_some("the end", || screen().contains("ended").then_some(()));
        assert!(screen().contains(said), "{}", screen());
    }
    assert!(!is_alive(pid));
    assert!(hosts.asked_by().iter().any(|by| by.ends_with(": a person at a terminal")), "{:?}", hosts.asked_by());
}

#[test]
fn an_agent_of_here_stays_one_there_and_its_holds_are_its_own() {
    let mut hosts = Hosts::new();
    hosts.run(&["start", "ml:one"]).is(0);
    let operation = "019ad0c3a5f2-1f3a-0";
    hosts.near.variables.push(("HEADCOUNT_OPERATION".into(), operation.into()));
    hosts.run(&["handoff", "ml:one", "--yes"]).is(0);
    let asked = hosts.asked_by();
    assert!(asked.iter().any(|by| by.ends_with(&format!(": an agent of operation {operation}"))), "{asked:?}");
    let row = hosts.run(&["-H", "ml", "status", "--json"]).is(0).json();
    let holder = row["sessions"][0]["hold"]["holder"].as_str().unwrap().to_owned();
    assert!(holder.starts_with(&format!("the agent of operation {operation} on ")), "{holder}");
    // Nobody else releases it from here, and it is no person that closes an operation.
    let agent = std::mem::take(&mut hosts.near.variables);
    hosts.run(&["release", "ml:one", "--yes"]).is(3);
    hosts.near.variables = agent;
    hosts.run(&["release", "ml:one", "--operation", operation, "--yes"]).is(3);
    hosts.run(&["release", "ml:one", "--yes"]).is(0);
}

#[test]
fn a_session_there_is_opened_by_what_the_manifest_here_says() {
    let hosts = Hosts::new();
    hosts.run(&["start", "ml:one"]).is(0);
    let manifest = hosts.far.manifest().display().to_string();
    let there = format!("headcount -f {manifest} attach -- one");
    let shown = hosts.run(&["attach", "ml:one", "--print"]).is(0).stdout;
    let expected = format!("ssh -t -o 'ConnectTimeout=5' -o 'ClearAllForwardings=yes' -a -x -- ml-1 '{there}'\n");
    assert_eq!(shown, expected);
    assert!(hosts.run(&["-H", "ml", "attach", "one"]).is(3).stderr.contains(expected.trim()), "there is no terminal");
    // A mosh that does not get there, and then none at all.
    hosts.declare("ml: { ssh: [down-1, ml-1], attach: mosh, manifest: FAR }");
    assert!(hosts.run(&["attach", "--dry-run", "ml:one"]).is(0).stdout.starts_with("mosh '--ssh=ssh -o ConnectTimeout=5"));
    let bin = hosts.near.world.root().join("bin");
    let (path, python) = (std::env::var("PATH").unwrap(), which("python3"));
    hosts.near.world.program("python3", &format!("#!/bin/sh\nPATH={path} exec {} \"$@\"\n", python.display()));
    for (name, said) in [("bad", "mosh did not get to ml"), ("none", "mosh cannot be started")] {
        match name {
            "bad" => drop(hosts.near.world.program("mosh", "#!/bin/sh\nexit 7\n")),
            _ => std::fs::remove_file(bin.join("mosh")).unwrap(),
        }
        let (program, manifest) = (env!("CARGO_BIN_EXE_headcount"), hosts.near.manifest().display().to_string());
        // No other mosh is to be found.
        let command = format!("PATH={} {program} attach ml:one -f {manifest}; sleep 60", bin.display());
        hosts.near.world.session(name, &hosts.near.world.workspace("one"), &command);
        await_some("a client there", || (hosts.far.world.tmux(["list-clients"]).lines().count() == 1).then_some(()));
        hosts.far.world.tmux(["detach-client", "-s", "=one"]);
        await_some(said, || {
            hosts.near.world.tmux(["capture-pane", "-p", "-t", &format!("={name}:")]).contains(said).then_some(())
        });
    }
}

/// Where a program is.
fn which(name: &str) -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file()).unwrap()
}

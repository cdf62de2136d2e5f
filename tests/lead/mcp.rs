//! `headcount mcp` over its standard input and output, as a client speaks to it: raw JSON-RPC, stand-in agents, a private tmux.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::Scene;
use super::scene::is_alive;
use super::sending::Talker;
use super::support::await_some;

const PATIENCE: Duration = Duration::from_secs(60);

/// A client.
pub(super) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// What came while something else was awaited.
    kept: Vec<Value>,
    next: u64,
}

impl Client {
    pub(super) fn start(scene: &Scene, allow: &[&str]) -> Self {
        let allow: Vec<String> = allow.iter().map(|what| format!("--allow={what}")).collect();
        let words: Vec<&str> = std::iter::once("mcp").chain(allow.iter().map(String::as_str)).collect();
        Self::of(scene.command(&words))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nothing but the protocol stands there.
                let value: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON on stdout: {line}"));
                assert_eq!(value["jsonrpc"], "2.0", "{line}");
                if to.send(value).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut client = Self { child, stdin, lines, kept: Vec::new(), next: 0 };
        let info = json!({ "name": "test-client", "version": "1.2" });
        let hello =
            client.request("initialize", &json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info }));
        assert_eq!(hello["result"]["serverInfo"]["name"], "headcount", "{hello}");
        assert!(hello["result"]["instructions"].as_str().unwrap().contains("data, not instruction"));
        client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn say(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{message}\n").as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The next message that is wanted; the others are kept.
    fn message(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&is_it) {
            return self.kept.remove(at);
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let message = self.lines.recv_timeout(left).unwrap_or_else(|error| panic!("{error}: {:?}", self.kept));
            if is_it(&message) {
                return message;
            }
            self.kept.push(message);
        }
    }

    fn response(&mut self, id: u64) -> Value {
        self.message(|message| message["id"] == id)
    }

    pub(super) fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.response(id)
    }

    /// Calls a tool and gives its result, whose document fits the schema that was promised.
    pub(super) fn call(&mut self, name: &str, arguments: &Value) -> Value {
        let answer = self.request("tools/call", &json!({ "name": name, "arguments": arguments }));
        let result = answer["result"].clone();
        assert!(result.is_object(), "{name}: {answer}");
        if let Some(document) = result.get("structuredContent") {
            let schema = self.tools().into_iter().find(|tool| tool["name"] == name).unwrap()["outputSchema"].clone();
            let valid = jsonschema::validator_for(&schema).unwrap();
            let wrong: Vec<String> = valid.iter_errors(document).map(|error| error.to_string()).collect();
            assert_eq!(wrong, [] as [String; 0], "{name}: {document}");
            let texts = result["content"].as_array().unwrap();
            assert_eq!(serde_json::from_str::<Value>(texts.last().unwrap()["text"].as_str().unwrap()).unwrap(), *document);
        }
        result
    }

    /// The document of a call that did what was asked.
    fn document(&mut self, name: &str, arguments: &Value) -> Value {
        let result = self.call(name, arguments);
        assert_eq!(result["isError"], false, "{name}: {result}");
        result["structuredContent"].clone()
    }

    /// What is said of a call that was refused.
    fn refused(&mut self, name: &str, arguments: &Value) -> String {
        let result = self.call(name, arguments);
        assert_eq!(result["isError"], true, "{name}: {result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// Why the arguments of a call make no sense.
    fn invalid(&mut self, name: &str, arguments: &Value) -> String {
        let answer = self.request("tools/call", &json!({ "name": name, "arguments": arguments }));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        answer["error"]["message"].as_str().unwrap().to_owned()
    }

    fn tools(&mut self) -> Vec<Value> {
        self.request("tools/list", &json!({}))["result"]["tools"].as_array().unwrap().clone()
    }

    fn names(&mut self) -> Vec<String> {
        self.tools().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until it has ended by itself; gives its code.
    fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(8);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it goes on");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const READ: [&str; 9] = ["list", "describe", "explain", "diff", "plan", "history", "wait", "read_turn", "events"];

#[test]
fn a_client_has_the_tools_it_was_given_and_is_told_of_the_others() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one }\n");
    let mut client = Client::start(&scene, &[]);
    assert_eq!(client.names(), READ);
    for tool in client.tools() {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert!(tool["description"].as_str().unwrap().len() > 30 && tool["inputSchema"]["type"] == "object", "{tool}");
        jsonschema::validator_for(&tool["outputSchema"]).unwrap();
    }
    let all: [(&str, &str, Value); 4] = [
        ("send", "--allow drive", json!({ "session": "one", "text": "x" })),
        ("answer", "--allow approve", json!({ "session": "one" })),
        ("start", "--allow lead", json!({ "sessions": ["one"] })),
        ("new", "--allow lead", json!({ "agent": "claude" })),
    ];
    for (name, flag, arguments) in &all {
        let why = client.request("tools/call", &json!({ "name": name, "arguments": arguments }))["result"].clone();
        assert_eq!(why["isError"], true, "{why}");
        assert!(why["content"][0]["text"].as_str().unwrap().contains(flag), "{why}");
    }
    assert!(client.invalid("kill", &json!({})).contains("no tool named kill"));
    assert!(client.invalid("list", &json!({ "nothing": 1 })).contains("nothing"));
    assert!(client.invalid("wait", &json!({ "sessions": ["one"], "for": ["idle"], "timeout_seconds": 601 })).contains("600"));
    assert!(client.refused("describe", &json!({ "session": "tow" })).contains("tow"));
    // A word that looks like an option is the name of a session.
    assert!(client.refused("describe", &json!({ "session": "--help" })).contains("--help"));
    let names = |allow: &[&str]| Client::start(&scene, allow).names()[READ.len()..].join(" ");
    assert_eq!(names(&["drive"]), "send ask handoff release");
    assert_eq!(names(&["approve"]), "answer");
    assert_eq!(names(&["lead"]), "start stop restart new apply");
    assert_eq!(names(&["drive=lab-*", "lead"]), "send ask handoff release start stop restart apply");
    assert!(scene.agents().is_empty());
}

#[test]
fn a_client_reads_what_is_so() {
    let talker = Talker::new();
    talker.scene.run(&["send", "one", "say this\nand that"]).is(0);
    talker.is_idle();
    let mut client = Client::start(&talker.scene, &[]);
    let list = client.document("list", &json!({ "limit": 1 }));
    assert_eq!((&list["schema"], &list["sessions"][0]["session"]["name"]), (&json!("headcount/status/v1"), &json!("one")));
    assert_eq!(list["next_cursor"], Value::Null);
    let page = client.document("describe", &json!({ "session": "one" }));
    assert_eq!(page["last_turn"]["prompt"], "say this\nand that");
    assert_eq!(page.as_object().unwrap().keys().next().unwrap(), "said_by_session");
    assert!(page["said_by_session"]["at"].as_array().unwrap().contains(&json!("/last_turn/prompt")), "{page}");
    assert!(client.document("explain", &json!({ "session": "one" }))["text"].as_str().unwrap().contains("one"));
    assert_eq!(client.document("diff", &json!({}))["schema"], "headcount/report/v1");
    assert_eq!(client.document("plan", &json!({ "sessions": ["o*"] }))["schema"], "headcount/plan/v1");
    let history = client.document("history", &json!({ "limit": 1 }));
    assert_eq!(history["operations"][0]["action"], "send", "{history}");
    let read = client.document("read_turn", &json!({ "session": "one" }));
    assert_eq!(read["turns"][0]["prompt"], "say this\nand that");
    let cursor = read["next_cursor"].as_str().unwrap();
    assert_eq!(client.document("read_turn", &json!({ "session": "one", "cursor": cursor }))["turns"], json!([]));
    talker.scene.run(&["send", "one", "more"]).is(0);
    talker.is_idle();
    let more = client.document("read_turn", &json!({ "session": "one", "cursor": cursor, "limit": 5 }));
    assert_eq!(more["turns"].as_array().unwrap().iter().map(|turn| turn["prompt"].clone()).collect::<Vec<_>>(), ["more"]);
    assert_eq!(client.document("events", &json!({ "session": "one" }))["schema"], "headcount/events/v1");
    let met = client.document("wait", &json!({ "sessions": ["one"], "for": ["idle"] }));
    assert_eq!(met["end"], "met");
    // Nothing that looks leaves a mark.
    assert_eq!(talker.prompts().len(), 2);
}

#[test]
fn a_wait_tells_that_it_goes_on_ends_in_time_and_can_be_cancelled_while_others_are_answered() {
    let talker = Talker::new();
    let mut client = Client::start(&talker.scene, &[]);
    let late = client.document("wait", &json!({ "sessions": ["one"], "for": ["crashed"], "timeout_seconds": 1 }));
    assert_eq!(late["end"], "timed-out");
    let wait = json!({ "name": "wait", "arguments": { "sessions": ["one"], "for": ["crashed"], "timeout_seconds": 600 },
                       "_meta": { "progressToken": "p" } });
    let id = client.begin("tools/call", &wait);
    let progress = client.message(|message| message["method"] == "notifications/progress");
    assert_eq!(
        (&progress["params"]["progressToken"], &progress["params"]["total"]),
        (&json!("p"), &json!(600.0)),
        "{progress}"
    );
    // Others are answered meanwhile.
    client.document("list", &json!({}));
    let waiting = children(client.child.id());
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id, "reason": "x" } }));
    await_some("its end", || waiting.iter().all(|pid| !is_alive(*pid)).then_some(()));
    // The end of the input ends it, and what only looks.
    client.begin("tools/call", &wait);
    let waiting = await_some("a wait", || Some(children(client.child.id())).filter(|all| !all.is_empty()));
    drop(client.stdin.take());
    assert_eq!(client.ended(), Some(0));
    await_some("its end", || waiting.iter().all(|pid| !is_alive(*pid)).then_some(()));
    let mut client = Client::start(&talker.scene, &[]);
    client.begin("tools/call", &wait);
    await_some("a wait", || Some(children(client.child.id())).filter(|all| !all.is_empty()));
    kill_process(Pid::from_child(&client.child), Signal::TERM).unwrap();
    assert_eq!(client.ended(), Some(0));
}

fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

#[test]
fn a_client_talks_to_an_agent_and_answers_it() {
    let talker = Talker::new();
    let mut client = Client::start(&talker.scene, &["drive", "approve"]);
    let send = json!({ "session": "one", "text": "two\nlines\n", "key": "k" });
    let sent = client.document("send", &send);
    assert_eq!((&sent["schema"], &sent["outcome"]), (&json!("headcount/receipt/v1"), &json!("delivered")));
    talker.is_idle();
    assert_eq!(client.document("send", &send)["outcome"], "duplicate");
    for text in ["/clear", " !ls", "# note"] {
        assert!(client.refused("send", &json!({ "session": "one", "text": text })).contains("command"));
    }
    assert!(client.refused("send", &json!({ "session": "one", "text": "\u{1b}[201~" })).contains("refused"));
    assert_eq!(client.document("send", &json!({ "session": "one", "text": "x", "dry_run": true }))["outcome"], "preview");
    let asked = client.document("ask", &json!({ "session": "one", "text": "@@say forty-two" }));
    assert_eq!((&asked["end"], &asked["answer"]), (&json!("answered"), &json!("forty-two")));
    assert!(asked["said_by_session"]["at"].as_array().unwrap().contains(&json!("/answer")));
    talker.is_idle();
    // The time is over before the turn is.
    let late = client.document("ask", &json!({ "session": "one", "text": "@@slow 3", "timeout_seconds": 1 }));
    assert_eq!(late["end"], "timed-out");
    let receipt = &late["receipt"]["id"];
    let met = client.document("wait", &json!({ "sessions": ["one"], "for": ["turn-ended"], "after": receipt }));
    assert_eq!(met["end"], "met");
    let turn = client.document("read_turn", &json!({ "receipt": receipt }));
    assert_eq!(turn["turns"][0]["prompt"], "@@slow 3");
    talker.is_idle();
    // Cancelled, it leaves what was delivered, and has said under which receipt.
    let id = client.begin(
        "tools/call",
        &json!({ "name": "ask", "arguments": { "session": "one", "text": "@@slow 6" }, "_meta": { "progressToken": 7 } }),
    );
    let told = client.message(|message| message["params"]["message"].as_str().is_some_and(|text| text.contains("receipt ")));
    let waiting = children(client.child.id());
    client.say(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } }));
    await_some("its end", || waiting.iter().all(|pid| !is_alive(*pid)).then_some(()));
    let newest = client.document("history", &json!({ "limit": 1 }))["operations"][0].clone();
    assert!(told["params"]["message"].as_str().unwrap().contains(newest["id"].as_str().unwrap()), "{told}");
    assert_eq!((&newest["outcome"], &newest["by"]), (&json!("done"), &json!("mcp: test-client 1.2")));
    talker.is_idle();
    assert_eq!(talker.prompts(), ["two\nlines\n", "@@say forty-two", "@@slow 3", "@@slow 6"]);
    // What it asks is answered only as it was shown.
    assert!(client.invalid("answer", &json!({ "session": "one", "choice": "approve" })).contains("expect"));
    talker.asks("touch first");
    let question = client.document("answer", &json!({ "session": "one" }));
    assert_eq!(question["outcome"], "asked");
    assert!(
        client
            .refused("answer", &json!({ "session": "one", "choice": "approve", "expect": "000000000000" }))
            .contains("not done")
    );
    assert!(!talker.cwd().join("first").exists());
    client.document("answer", &json!({ "session": "one", "choice": "approve", "expect": question["hash"] }));
    await_some("what was approved", || talker.cwd().join("first").exists().then_some(()));
}

#[test]
fn a_client_acts_only_on_sessions_of_the_names_it_was_given() {
    let talker = Talker::new();
    let lab = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n\
               \u{20} - { name: two, agent: claude, cwd: LAB/two, desired: running }\n";
    talker.scene.write(lab);
    talker.scene.world.workspace("two");
    let mut client = Client::start(&talker.scene, &["drive=tw?", "lead"]);
    for session in ["one", "*", &talker.pane(), talker.claude.id.as_str(), "tmux:default:one", "--"] {
        let why = client.refused("send", &json!({ "session": session, "text": "x" }));
        assert!(why.contains("tw?") || why.contains("only sessions of the manifest"), "{session}: {why}");
    }
    assert!(client.refused("stop", &json!({ "sessions": ["two", "one"] })).contains("one is not allowed"));
    assert!(client.refused("new", &json!({ "agent": "claude" })).contains("GLOB"));
    assert_eq!(talker.prompts(), [] as [String; 0]);
    // Without names it means those that it may act on.
    let done = client.document("apply", &json!({}));
    let names: Vec<&Value> = done["operations"].as_array().unwrap().iter().map(|one| &one["session"]["name"]).collect();
    assert_eq!(names, ["two"]);
    let mut none = Client::start(&talker.scene, &["drive=nobody", "lead"]);
    assert!(none.refused("apply", &json!({})).contains("nobody"));
}

#[test]
fn a_client_starts_and_ends_sessions_and_none_that_somebody_has_in_hand_or_that_it_runs_in() {
    let mut scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one }\n");
    let mut client = Client::start(&scene, &["lead", "drive"]);
    assert!(client.invalid("stop", &json!({ "sessions": [] })).contains("at least one"));
    assert!(client.invalid("stop", &json!({ "sessions": ["one"], "kill": true })).contains("kill"));
    assert!(client.invalid("new", &json!({ "agent": "claude", "args": ["--model", "x"] })).contains("args"));
    client.document("start", &json!({ "sessions": ["one"] }));
    assert_eq!(scene.agents().len(), 1);
    // Nothing was said there yet, so it could not go on.
    assert!(client.refused("restart", &json!({ "sessions": ["one"] })).contains("refused: stale-id: "));
    let begun = client.document("new", &json!({ "agent": "claude", "cwd": scene.world.workspace("three") }));
    assert_eq!(begun["operations"][0]["session"]["name"], "three-creator-claude", "{begun}");
    scene.run(&["handoff", "one", "--as", "ann"]).is(0);
    let held = client.refused("stop", &json!({ "sessions": ["one"] }));
    assert!(held.contains("refused: held: ") && held.contains("ann"), "{held}");
    assert!(client.refused("release", &json!({ "session": "one" })).contains("ann"));
    scene.run(&["release", "one", "--as", "ann"]).is(0);
    client.document("handoff", &json!({ "session": "one", "minutes": 5 }));
    client.document("stop", &json!({ "sessions": ["one"] }));
    client.document("release", &json!({ "session": "one" }));
    client.document("start", &json!({ "sessions": ["one"] }));
    // The client runs in that session.
    let page = client.document("describe", &json!({ "session": "one" }));
    let operation = page["ledger"]["started"]["operation"].as_str().unwrap().to_owned();
    scene.variables.push(("HEADCOUNT_OPERATION".into(), operation.into()));
    let mut inside = Client::start(&scene, &["lead", "drive"]);
    for (name, arguments) in [
        ("stop", json!({ "sessions": ["one"] })),
        ("restart", json!({ "sessions": ["one"] })),
        ("send", json!({ "session": "one", "text": "x" })),
    ] {
        let why = inside.refused(name, &arguments);
        assert!(why.contains("attached: this command runs in that session"), "{name}: {why}");
    }
    assert_eq!(scene.agents().len(), 2);
    scene.variables.pop();
    // What was begun goes on when the client leaves.
    client.document("stop", &json!({ "sessions": ["one"] }));
    client.begin("tools/call", &json!({ "name": "start", "arguments": { "sessions": ["one"] } }));
    await_some("a start", || (!children(client.child.id()).is_empty()).then_some(()));
    drop(client.stdin.take());
    assert_eq!(client.ended(), Some(0));
    await_some("its agent", || (scene.agents().len() == 2).then_some(()));
}

#[test]
fn a_manifest_that_was_found_acts_for_a_client_only_after_a_person_allowed_it() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n");
    let here = scene.world.workspace("found");
    std::fs::copy(scene.manifest(), here.join("agent-sessions.yaml")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.env_clear().envs(scene.world.variables()).current_dir(&here).args(["mcp", "--allow=lead"]);
    let mut client = Client::of(command);
    for (name, arguments) in
        [("start", json!({ "sessions": ["one"] })), ("apply", json!({})), ("new", json!({ "agent": "claude" }))]
    {
        let why = client.refused(name, &arguments);
        assert!(why.contains("not-allowed"), "{name}: {why}");
    }
    assert!(scene.agents().is_empty());
}

/// `./x test` installs that client once, and names the Python that has it.
#[test]
fn the_official_client_understands_every_answer() {
    let Some(python) = std::env::var_os("HEADCOUNT_TEST_MCP_PYTHON").filter(|python| python != "none") else {
        eprintln!("SKIPPED the official client: HEADCOUNT_TEST_MCP_PYTHON names no Python that has it");
        return;
    };
    let talker = Talker::new();
    talker.scene.run(&["send", "one", "hello"]).is(0);
    talker.is_idle();
    let server = talker.scene.command(&["mcp", "--allow=drive"]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lead/mcp_client.py");
    let mut command = Command::new(python);
    command.env_clear().envs(talker.scene.world.variables()).arg(script).arg(server.get_program()).args(server.get_args());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let one = json!({ "session": "one" });
    let calls = json!([
        ["list", {}],
        ["describe", one],
        ["explain", one],
        ["diff", {}],
        ["plan", {}],
        ["history", {}],
        ["wait", { "sessions": ["one"], "for": ["idle"] }],
        ["read_turn", one],
        ["events", one],
        ["ask", { "session": "one", "text": "@@say yes" }],
        ["handoff", one],
        ["release", one],
    ]);
    child.stdin.take().unwrap().write_all(calls.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1 + calls.as_array().unwrap().len(), "{text}");
    for line in &lines[1..] {
        assert_eq!(line[1], false, "{line}");
        assert!(line[2].is_object(), "{line}");
    }
}

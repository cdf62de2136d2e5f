//! What every command promises: its exit codes, and the forms of its answer. The commands are asked of the program itself, so a new
//! one fails here until its rows are written.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixListener;

use serde_json::Value;

use crate::exits::EXITS;
use crate::support::{Place, Ran, commands};

/// A place with a manifest of one session, on a tmux server that does not answer.
struct Scene {
    place: Place,
    _server: UnixListener,
    id: String,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        place.write(
            "agent-sessions.yaml",
            "version: 1\nsessions:\n  - { name: lab, agent: claude, cwd: /tmp, status: running }\n",
        );
        let sockets = place.tmux().join(format!("tmux-{}", rustix::process::geteuid().as_raw()));
        std::fs::DirBuilder::new().mode(0o700).create(&sockets).unwrap();
        let server = UnixListener::bind(sockets.join("default")).unwrap();
        // A conversation that no manifest knows.
        let talk = place.home().join(".claude/projects/-home-dev-lab-shop");
        std::fs::create_dir_all(&talk).unwrap();
        let recorded = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/turns/claude/stop-hook.jsonl");
        std::fs::copy(recorded, talk.join(format!("{TALK}.jsonl"))).unwrap();
        Self { place, _server: server, id: String::new() }
    }

    /// Runs a line of words, without tmux in PATH. `ID` is the job that was submitted last.
    fn run(&mut self, line: &str) -> Ran {
        let words = line.split(' ').map(|word| if word == "ID" { self.id.as_str() } else { word });
        let ran = Ran::from(self.place.command().env("PATH", "").args(words).output().unwrap());
        if line.starts_with("job submit") && ran.code == Some(0) {
            self.id = ran.stdout.split_whitespace().next().unwrap_or_default().to_owned();
        }
        ran
    }
}

/// The conversation of a scene.
const TALK: &str = "5e1f0c1e-0000-4000-8000-000000000999";

/// Codes that it takes more to end with, and where they are tested.
const ELSEWHERE: [(&str, u8, &str); 89] = [
    ("crew dispatch", 3, "tests/lead/crew.rs"),
    ("crew reply", 0, "tests/lead/crew.rs"),
    ("crew reply", 3, "tests/lead/crew.rs"),
    ("crew answer", 0, "tests/lead/crew.rs"),
    ("crew inbox", 3, "tests/lead/crew.rs"),
    ("crew cancel", 3, "tests/lead/crew.rs"),
    ("crew guard", 0, "tests/lead/crew.rs"),
    ("crew guard", 3, "tests/lead/crew.rs"),
    ("ui", 0, "tests/lead/ui.rs"),
    ("ui", 130, "tests/lead/ui.rs"),
    ("job run", 0, "tests/lead/jobs.rs"),
    ("job run", 1, "tests/lead/jobs.rs"),
    ("job logs", 0, "tests/lead/jobs.rs"),
    ("job stop", 0, "tests/lead/jobs.rs"),
    ("job stop", 75, "tests/lead/jobs.rs"),
    ("job resume", 3, "tests/lead/jobs.rs"),
    ("status", 2, "tests/cli/verbs.rs"),
    ("status", 130, "tests/cli/following.rs"),
    ("diff", 0, "tests/cli/verbs.rs"),
    ("diff", 2, "tests/cli/verbs.rs"),
    ("record", 3, "tests/cli/verbs.rs"),
    ("record", 75, "tests/cli/verbs.rs"),
    ("undo", 0, "tests/cli/verbs.rs"),
    ("undo", 3, "tests/cli/verbs.rs"),
    ("watch", 75, "tests/lead/enforce.rs"),
    ("plan", 2, "tests/lead/main.rs"),
    ("plan", 3, "tests/lead/main.rs"),
    ("plan", 4, "tests/lead/main.rs"),
    ("apply", 1, "tests/lead/main.rs"),
    ("apply", 3, "tests/lead/main.rs"),
    ("apply", 4, "tests/lead/main.rs"),
    ("start", 0, "tests/lead/main.rs"),
    ("start", 1, "tests/lead/main.rs"),
    ("start", 3, "tests/lead/main.rs"),
    ("start", 75, "tests/lead/main.rs"),
    ("stop", 0, "tests/lead/main.rs"),
    ("stop", 1, "tests/lead/main.rs"),
    ("stop", 3, "tests/lead/main.rs"),
    ("stop", 75, "tests/lead/main.rs"),
    ("restart", 0, "tests/lead/main.rs"),
    ("restart", 1, "tests/lead/main.rs"),
    ("restart", 3, "tests/lead/main.rs"),
    ("restart", 75, "tests/lead/main.rs"),
    ("new", 0, "tests/lead/main.rs"),
    ("new", 1, "tests/lead/main.rs"),
    ("rm", 0, "tests/lead/entries.rs"),
    ("rm", 3, "tests/lead/entries.rs"),
    ("rm", 75, "tests/lead/entries.rs"),
    ("forget", 0, "tests/lead/entries.rs"),
    ("forget", 3, "tests/lead/entries.rs"),
    ("describe", 3, "tests/lead/describe.rs"),
    ("move", 0, "tests/lead/moved.rs"),
    ("move", 3, "tests/lead/moved.rs"),
    ("move", 75, "tests/lead/moved.rs"),
    ("rename", 0, "tests/lead/rename.rs"),
    ("rename", 3, "tests/lead/rename.rs"),
    ("rename", 75, "tests/lead/rename.rs"),
    ("handoff", 3, "tests/lead/holds.rs"),
    ("release", 3, "tests/lead/holds.rs"),
    ("handoff", 75, "tests/lead/holds.rs"),
    ("release", 75, "tests/lead/holds.rs"),
    ("send", 0, "tests/e2e/drive.sh"),
    ("queue", 3, "tests/lead/waiting.rs"),
    ("queue", 75, "tests/lead/waiting.rs"),
    ("ask", 0, "tests/e2e/drive.sh"),
    ("ask", 75, "tests/e2e/drive.sh"),
    ("answer", 0, "tests/e2e/drive.sh"),
    ("wait", 0, "tests/lead/conditions.rs"),
    ("wait", 3, "tests/lead/conditions.rs"),
    ("wait", 75, "tests/lead/conditions.rs"),
    ("wait", 130, "tests/lead/conditions.rs"),
    ("attach", 0, "tests/lead/main.rs"),
    ("attach", 3, "tests/lead/main.rs"),
    ("read", 3, "tests/lead/reading.rs"),
    ("logs", 3, "tests/lead/reading.rs"),
    ("screen", 0, "tests/lead/reading.rs"),
    ("screen", 3, "tests/lead/reading.rs"),
    ("events", 3, "tests/lead/hooks.rs"),
    ("links", 3, "tests/cli/links.rs"),
    ("import", 3, "tests/cli/import.rs"),
    ("import", 75, "tests/cli/import.rs"),
    ("hooks install", 75, "tests/cli/hook_settings.rs"),
    ("hooks remove", 75, "tests/cli/hook_settings.rs"),
    ("watch", 130, "tests/watch/ends.rs"),
    ("doctor", 0, "tests/cli/doctor.rs"),
    ("demo", 0, "tests/pass/cycle.rs"),
    ("fleet status", 0, "tests/bus/view.rs"),
    ("fleet status", 4, "tests/bus/view.rs"),
    ("fleet status", 130, "tests/cli/promises.rs"),
];

/// The command a line runs: its first word, and the second one below a command that has commands.
fn command_of(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let count = if ["job", "fleet", "hooks", "crew"].contains(&words[0]) { 2 } else { 1 };
    words[..count].join(" ")
}

/// The codes that the help of a command says it ends with.
fn documented(command: &str) -> BTreeSet<u8> {
    let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
    let help = Place::new().run(&words).stdout;
    let Some(at) = help.find("Exit codes:") else { return BTreeSet::new() };
    let paragraph = help[at..].split("\n\n").next().unwrap_or_default();
    let numbers = paragraph.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.bytes().all(|b| b.is_ascii_digit()));
    numbers.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn every_line_ends_as_agreed_and_an_error_is_said_on_stderr_alone() {
    let mut wrong = Vec::new();
    for (lines, code) in EXITS {
        let mut scene = Scene::new();
        let ran = lines.iter().map(|line| scene.run(line)).last().unwrap();
        let is_said = |prefix: &str| ran.stderr.lines().any(|line| line.starts_with(prefix));
        // A job that failed, a check of `doctor`, and what became of a session that was named, are answers.
        let is_answer = [
            "answer", "doctor", "forget", "job wait", "links", "move", "rename", "restart", "rm", "send", "start", "stop",
            "wait",
        ]
        .contains(&command_of(lines.last().unwrap()).as_str())
            && !ran.stdout.is_empty();
        let is_error = !matches!(code, 0 | 2 | 4) && !is_answer;
        if (ran.code, is_said("error: ")) != (Some(i32::from(code)), is_error) {
            wrong.push(format!("{lines:?}, which ends with {code}: {ran:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_fleet_that_is_waited_for_is_interrupted_with_130() {
    for option in [None, Some("--watch")] {
        // A broker that takes the connection and says nothing.
        let broker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::new();
        let mut command = place.command();
        command.args(["fleet", "status", "--timeout", "60s"]).args(option).stderr(std::process::Stdio::null());
        command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", broker.local_addr().unwrap().port().to_string());
        let mut child = command.spawn().unwrap();
        let _connection = broker.accept().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{option:?}");
    }
}

#[test]
fn every_code_that_a_command_documents_is_tried() {
    let mut tried: BTreeMap<String, BTreeSet<u8>> = BTreeMap::new();
    let rows = EXITS.iter().map(|(lines, code)| (command_of(lines.last().unwrap()), *code));
    for (command, code) in rows.chain(ELSEWHERE.map(|(command, code, _)| (command.to_owned(), code))) {
        tried.entry(command).or_default().insert(code);
    }
    for command in commands() {
        let name = command.join(" ");
        let tried = tried.remove(&name).unwrap_or_default();
        let lacking: Vec<u8> = documented(&name).difference(&tried).copied().collect();
        assert!(lacking.is_empty(), "{name} documents {lacking:?}, and no row tries that");
        assert!(
            tried.iter().any(|code| [0, 4].contains(code)) && tried.len() > 1,
            "{name} has no row for success and for failure"
        );
    }
    assert!(tried.is_empty(), "no commands: {tried:?}");
    for (_, _, file) in ELSEWHERE {
        assert!(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file}");
    }
}

#[test]
fn the_help_the_page_and_the_program_agree_on_the_exit_codes() {
    let known = BTreeSet::from([0, 1, 2, 3, 4, 64, 75, 130]);
    let help = Place::new().run(&["--help"]).stdout;
    let numbers = |text: &str| -> BTreeSet<u8> {
        let first = text.lines().filter_map(|line| line.trim_start_matches(['|', ' ']).split_whitespace().next());
        first.filter_map(|word| word.parse().ok()).collect()
    };
    assert_eq!(numbers(&help[help.find("Exit codes:").unwrap()..]), known);
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    assert_eq!(numbers(&readme[readme.find("| code | meaning |").unwrap()..]), known);
    for command in commands() {
        assert!(documented(&command.join(" ")).is_subset(&known), "{command:?}");
    }
}

#[test]
fn a_mistake_in_any_command_is_a_usage_error() {
    for command in commands() {
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        // Twice, because the id of a job may begin with a hyphen.
        words.extend(["--no-such-option"; 2]);
        let ran = Place::new().run(&words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "{command:?}");
    }
}

/// For each command with a document: the lines that come before, and the line that prints it. All lines are run in a scene of their own.
const DOCUMENTS: [&[&str]; 53] = [
    &["crew init c"],
    &["crew init c", "crew assign c lab go"],
    &["crew init c", "crew dispatch c"],
    &["crew init c", "crew reply c RESULT --task t9 --lease x"],
    &["crew init c", "crew answer c t9 x"],
    &["crew init c", "crew inbox c"],
    &["crew init c", "crew status c"],
    &["crew init c", "crew context c"],
    &["crew init c", "crew requeue c t9"],
    &["crew init c", "crew assign c lab go", "crew cancel c t1"],
    &["crew init c", "crew guard c t9"],
    &["status"],
    &["diff"],
    &["history"],
    &["record"],
    &["watch --max-runtime 100ms"],
    &["plan"],
    &["apply --yes"],
    &["start lab"],
    &["stop lab"],
    &["restart lab"],
    &["allow --yes", "new --agent claude"],
    &["rm lab"],
    &["forget lab"],
    &["describe lab"],
    &["rename lab new"],
    &["move lab --server x"],
    &["handoff lab"],
    &["release lab"],
    &["read 5e1f0c1e-0000-4000-8000-000000000999"],
    &["logs 5e1f0c1e-0000-4000-8000-000000000999"],
    &["screen lab"],
    &["events lab"],
    &["send lab hello"],
    &["queue"],
    &["ask lab hello"],
    &["answer lab"],
    &["wait lab --for idle --timeout 10ms"],
    &["links bin"],
    &["hooks status"],
    &["import"],
    &["fleet status"],
    &["job submit --prompt x"],
    &["job submit --prompt x", "job list"],
    &["job submit --prompt x", "job show ID"],
    &["job submit --prompt x", "job publish ID completed", "job events ID"],
    &["job submit --prompt x", "job publish ID started"],
    &["job submit --prompt x", "job cancel ID"],
    &["job submit --prompt x", "job publish ID completed", "job wait ID"],
    &["job submit --prompt x", "job cancel ID", "job prune --older-than 0"],
    &["job run --agent claude --headless --prompt x"],
    &["job stop abc12345"],
    &["job resume --all"],
];

/// The same with every text, number and flag replaced by what it is.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "flag".into(),
        Value::Null => Value::Null,
    }
}

#[test]
fn every_command_that_has_json_has_both_its_spellings_and_yaml_of_the_same_document() {
    use serde::Deserialize as _;
    for lines in DOCUMENTS {
        let mut first: Option<(Option<i32>, Vec<Value>)> = None;
        for option in ["--json", "-o json", "-o yaml"] {
            let mut scene = Scene::new();
            let (last, before) = lines.split_last().unwrap();
            for line in before {
                assert_eq!(scene.run(line).code, Some(0), "{line}");
            }
            let ran = scene.run(&format!("{last} {option}"));
            let documents: Vec<Value> = if ran.stdout.is_empty() {
                Vec::new()
            } else if option == "-o yaml" {
                serde_yaml::Deserializer::from_str(&ran.stdout).map(|document| Value::deserialize(document).unwrap()).collect()
            } else {
                serde_json::Deserializer::from_str(&ran.stdout).into_iter().collect::<Result<_, _>>().unwrap()
            };
            let answer = (ran.code, documents.iter().map(shape).collect::<Vec<_>>());
            // Without a broker there is no fleet, without an agent no hook, and without tmux no job that headcount runs.
            let silent = [
                "fleet status",
                "events lab",
                "job run --agent claude --headless --prompt x",
                "job stop abc12345",
                "crew reply c RESULT --task t9 --lease x",
                "crew answer c t9 x",
                "crew requeue c t9",
                "crew guard c t9",
            ];
            assert_eq!(answer.1.is_empty(), silent.contains(last), "{last} {option}: {ran:?}");
            assert_ne!(ran.code, Some(64), "{last} {option}: {ran:?}");
            assert_eq!(*first.get_or_insert_with(|| answer.clone()), answer, "{last} {option}");
        }
    }
}

#[test]
fn no_command_with_a_document_is_left_out() {
    let rows: BTreeSet<String> = DOCUMENTS.iter().map(|lines| command_of(lines.last().unwrap())).collect();
    let place = Place::new();
    let has = |command: &[String], option: &str| {
        let ran = place.run(&["complete", "fish", "--", &format!("headcount {} --", command.join(" "))]);
        ran.stdout.lines().any(|line| line.split('\t').next() == Some(option))
    };
    for command in commands() {
        assert_eq!(has(&command, "--json"), has(&command, "--output"), "{command:?}");
        assert_eq!(has(&command, "--json"), rows.contains(&command.join(" ")), "{command:?}");
    }
}

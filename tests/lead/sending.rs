//! `send`, `ask` and `answer` with a stand-in that draws a composer: what arrives, and what is in the way.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::in_zellij::with_zellij;
use super::support::{Claude, await_some};
use super::zellij::{Zellij, signal};
use super::{Ran, Scene};

const CLAUDE: &str = "exec claude";

/// A stand-in that can be typed to.
pub(super) struct Talker {
    pub(super) scene: Scene,
    pub(super) claude: Claude,
    zellij: Option<Zellij>,
}

impl Talker {
    pub(super) fn new() -> Self {
        let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one }\n");
        Self::begun(scene, None, CLAUDE)
    }

    /// One whose session no entry declares.
    pub(super) fn undeclared() -> impl Iterator<Item = Self> {
        let in_tmux = Self::begun(Scene::new("  - { name: other, agent: claude, cwd: LAB/one }\n"), None, CLAUDE);
        let in_zellij = with_zellij("  - { name: other, agent: claude, mux: zellij, cwd: LAB/one }\n");
        [Some(in_tmux), in_zellij.map(|(scene, zellij)| Self::begun(scene, Some(zellij), CLAUDE))].into_iter().flatten()
    }

    /// Its pane, as a REF.
    pub(super) fn pane(&self) -> String {
        match &self.zellij {
            None => format!("tmux:default:{}", self.tmux(&["display", "-p", "-t", "=one:", "#{pane_id}"]).trim()),
            Some(_) => "zellij:default:terminal_0".to_owned(),
        }
    }

    /// One in a mode in which it asks nobody for a permission.
    pub(super) fn asking_nobody(scene: Scene) -> Self {
        Self::begun(scene, None, "exec claude --dangerously-skip-permissions")
    }

    fn in_zellij() -> Option<Self> {
        let (scene, zellij) = with_zellij("  - { name: one, agent: claude, mux: zellij, cwd: LAB/one }\n")?;
        Some(Self::begun(scene, Some(zellij), CLAUDE))
    }

    /// One in each multiplexer that is there.
    pub(super) fn everywhere() -> impl Iterator<Item = Self> {
        [|| Some(Self::new()), Self::in_zellij].into_iter().filter_map(|begin| begin())
    }

    fn begun(scene: Scene, zellij: Option<Zellij>, command: &str) -> Self {
        scene.world.program("claude", include_str!("../support/talking_claude.py"));
        let cwd = scene.world.workspace("one");
        let claude = match &zellij {
            None => scene.world.registered(scene.world.session("one", &cwd, command)),
            Some(zellij) => zellij.claude_session("one", &cwd),
        };
        let talker = Self { scene, claude, zellij };
        let shows = || talker.scene.run(&["screen", &talker.pane()]).stdout.contains("manual mode on").then_some(());
        await_some("its composer", shows);
        talker
    }

    pub(super) fn letters(&self, text: &str) {
        match &self.zellij {
            None => drop(self.tmux(&["send-keys", "-t", "=one:", "-l", text])),
            Some(zellij) => zellij.action("one", &["write-chars", "--pane-id", "terminal_0", text]),
        }
    }

    fn key(&self, name: &str, byte: &str) {
        match &self.zellij {
            None => drop(self.tmux(&["send-keys", "-t", "=one:", name])),
            Some(zellij) => zellij.action("one", &["write", "--pane-id", "terminal_0", byte]),
        }
    }

    pub(super) fn escape(&self) {
        self.key("Escape", "27");
    }

    pub(super) fn clear(&self) {
        self.key("C-u", "21");
    }

    pub(super) fn cwd(&self) -> PathBuf {
        self.scene.world.workspace("one")
    }

    pub(super) fn tmux(&self, words: &[&str]) -> String {
        self.scene.world.tmux(words)
    }

    pub(super) fn await_screen(&self, text: &str) {
        await_some(text, || self.scene.run(&["screen", "one"]).stdout.contains(text).then_some(()));
    }

    /// What was said to it, in order.
    pub(super) fn prompts(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.scene.world.transcript(&self.cwd(), &self.claude.id)).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["type"] == "user")
            .filter_map(|line| Some(line["message"]["content"].as_str()?.to_owned()))
            .collect()
    }

    pub(super) fn receipt(&self, words: &[&str]) -> (Ran, Value) {
        let ran = self.scene.run(&[&["send", "one", "--json"], words].concat());
        let receipt = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        (ran, receipt)
    }

    /// Sends it and gives its outcome, and the code of what is in the way.
    pub(super) fn outcome(&self, words: &[&str]) -> (String, String) {
        let (_, receipt) = self.receipt(words);
        // Shown if the test fails.
        eprintln!("{}: {}", receipt["outcome"], receipt["message"]);
        let word = |key: &str| receipt[key].as_str().unwrap_or_default().to_owned();
        (word("outcome"), word("code"))
    }

    /// Sends it. A zellij on a busy machine may not be able to tell how its pane is; then nothing was typed.
    fn delivers(&self, words: &[&str]) {
        let is_blind = |code: &str| self.zellij.is_some() && ["busy", "unknown"].contains(&code);
        let (outcome, code) =
            (0..5).map(|_| self.outcome(words)).find(|(outcome, code)| outcome != "held" || !is_blind(code)).unwrap();
        assert_eq!((outcome.as_str(), code.as_str()), ("delivered", ""), "{words:?}");
    }

    pub(super) fn is_idle(&self) {
        await_some("an idle agent", || (self.status() == "idle").then_some(()));
    }

    fn status(&self) -> String {
        let path = self.scene.world.home().join(format!(".claude/sessions/{}.json", self.claude.pid));
        let entry: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        entry["status"].as_str().unwrap().to_owned()
    }

    pub(super) fn asks(&self, command: &str) {
        self.scene.run(&["send", "one", &format!("run it\n@@ask {command}")]).is(0);
        self.await_screen("Do you want to proceed?");
    }
}

fn held(code: &str) -> (String, String) {
    ("held".to_owned(), code.to_owned())
}

#[test]
fn a_text_arrives_as_it_was_and_once() {
    Talker::everywhere().for_each(|talker| arrives(&talker));
}

fn arrives(talker: &Talker) {
    let texts = [
        "plain",
        "two\nlines",
        "tabs\tand \"quotes\", $(x) `y` 'z', @@ and 漢字 😀; #{pid} %1;",
        "four\nlines\nof\ntext\nand one",
    ];
    for text in texts {
        talker.delivers(&[text]);
        talker.is_idle();
    }
    let long = format!("{}\nend", "a line of a long text\n".repeat(3000));
    talker.delivers(&[&long]);
    talker.is_idle();
    let mut expected: Vec<String> = texts.map(str::to_owned).into();
    expected.push(long);
    assert_eq!(talker.prompts(), expected);
    talker.delivers(&["keyed", "--id", "k"]);
    talker.is_idle();
    assert_eq!(talker.outcome(&["keyed", "--id", "k"]).0, "duplicate");
    assert_eq!(talker.outcome(&["other", "--id", "k"]).0, "refused");
    assert_eq!(talker.prompts().len(), texts.len() + 2);
}

#[test]
fn nothing_is_typed_where_somebody_else_is_or_keys_go_elsewhere() {
    let talker = Talker::new();
    talker.letters("half a draft");
    talker.await_screen("half a draft");
    assert_eq!(talker.outcome(&["x"]), held("draft"));
    talker.clear();
    talker.tmux(&["copy-mode", "-t", "=one:"]);
    assert_eq!(talker.outcome(&["x"]), held("dialog"));
    talker.tmux(&["send-keys", "-t", "=one:", "-X", "cancel"]);
    talker.tmux(&["set-option", "-w", "-t", "=one:", "synchronize-panes", "on"]);
    assert_eq!(talker.outcome(&["x"]), held("dialog"));
    talker.tmux(&["set-option", "-w", "-t", "=one:", "synchronize-panes", "off"]);
    talker.tmux(&["select-pane", "-d", "-t", "=one:"]);
    assert_eq!(talker.outcome(&["x"]), held("dialog"));
    talker.tmux(&["select-pane", "-e", "-t", "=one:"]);
    for text in ["!ls", "/clear", "ends in \\", "esc \u{1b}[201~"] {
        assert_eq!(talker.outcome(&[text]).0, "refused", "{text:?}");
    }
    assert_eq!(talker.prompts(), Vec::<String>::new());
    assert_eq!(talker.outcome(&["free again"]).0, "delivered");
}

#[test]
fn a_turn_that_goes_on_is_not_typed_into_but_interrupted_where_that_is_asked_for() {
    Talker::everywhere().for_each(|talker| interrupts(&talker));
}

fn interrupts(talker: &Talker) {
    talker.scene.run(&["send", "one", "slowly\n@@slow 30"]).is(0);
    assert_eq!(talker.outcome(&["x"]), held("working"));
    assert_eq!(talker.outcome(&["x", "--mid-turn"]), held("working"));
    assert_eq!(talker.outcome(&["instead", "--interrupt"]).0, "delivered");
    talker.is_idle();
    assert_eq!(talker.prompts().len(), 2);
}

#[test]
fn a_dialog_is_never_answered_by_a_text_not_even_one_that_opens_meanwhile() {
    Talker::everywhere().for_each(|talker| leaves_dialogs(&talker));
}

fn leaves_dialogs(talker: &Talker) {
    talker.asks("touch approved");
    assert_eq!(talker.outcome(&["x"]), held("dialog"));
    talker.escape();
    talker.is_idle();
    let (outcome, _) = talker.outcome(&["@@trap"]);
    assert!(outcome == "staged" || (talker.zellij.is_some() && outcome == "unverified"), "{outcome}");
    assert_eq!(talker.status(), "waiting");
    assert!(!talker.cwd().join("trapped").exists() && !talker.cwd().join("approved").exists());
}

#[test]
fn a_staged_text_is_submitted_by_its_receipt() {
    let talker = Talker::new();
    let (ran, receipt) = talker.receipt(&["staged text", "--no-submit"]);
    ran.is(0);
    assert_eq!(receipt["outcome"], "staged");
    assert_eq!(talker.prompts(), Vec::<String>::new());
    let id = receipt["id"].as_str().unwrap();
    assert_eq!(talker.outcome(&["--submit", id]).0, "delivered");
    assert_eq!(talker.prompts(), ["staged text"]);
    assert_eq!(talker.outcome(&["--submit", id]).0, "refused");
}

#[test]
fn of_several_at_once_each_is_delivered_once_or_not_at_all() {
    let talker = Talker::new();
    let senders: Vec<Child> = (0..4)
        .map(|n| {
            talker.scene.command(&["send", "one", &format!("at once {n}")]).stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    let delivered = senders.into_iter().map(|mut sender| sender.wait().unwrap()).filter(|status| status.success()).count();
    talker.is_idle();
    assert!(delivered >= 1);
    assert_eq!(talker.prompts().len(), delivered);
}

#[test]
fn a_sender_that_is_killed_at_any_moment_says_nothing_twice() {
    Talker::everywhere().for_each(|talker| is_killed(&talker));
}

fn is_killed(talker: &Talker) {
    for step in 0..12 {
        let text = format!("killed {step}");
        let key = text.clone();
        let mut sender =
            talker.scene.command(&["send", "one", &text, "--id", &key]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(step * 12));
        let _ = sender.kill();
        sender.wait().unwrap();
        talker.receipt(&[&text, "--id", &key]);
        talker.is_idle();
        talker.clear();
        let times = talker.prompts().iter().filter(|prompt| **prompt == text).count();
        assert!(times <= 1, "{text}: {times}");
        assert_eq!(talker.prompts().iter().filter(|prompt| prompt.contains("killed")).filter(|it| it.len() > 9).count(), 0);
    }
}

/// The process that serves its session.
fn server_of(talker: &Talker) -> u32 {
    match &talker.zellij {
        None => talker.tmux(&["display", "-p", "#{pid}"]).trim().parse().unwrap(),
        Some(zellij) => zellij.server("one"),
    }
}

#[test]
fn a_server_that_stops_for_a_while_costs_time_and_what_is_said_of_the_text_is_true() {
    Talker::everywhere().for_each(|talker| is_stalled(&talker));
}

fn is_stalled(talker: &Talker) {
    let points = talker.scene.world.root().join("points");
    std::fs::create_dir(&points).unwrap();
    for point in ["engine before paste 1", "engine after paste 1", "engine before press a key behind a text 1"] {
        std::fs::write(points.join("hold"), point).unwrap();
        let mut sender = talker.scene.command(&["send", "one", point, "--json"]);
        let sender = sender.env("FAULTS_OF_HEADCOUNT", &points).stdout(Stdio::piped()).spawn().unwrap();
        await_some("the point", || points.join("held").exists().then_some(()));
        let server = server_of(talker);
        signal(server, Signal::STOP);
        std::fs::remove_file(points.join("held")).unwrap();
        std::thread::sleep(Duration::from_millis(6500));
        signal(server, Signal::CONT);
        let receipt: Value = serde_json::from_slice(&sender.wait_with_output().unwrap().stdout).unwrap();
        talker.is_idle();
        let times = talker.prompts().iter().filter(|prompt| *prompt == point).count();
        match receipt["outcome"].as_str().unwrap() {
            "delivered" => assert_eq!(times, 1, "{receipt}"),
            // tmux cannot tell of what it was told before it stopped.
            "unverified" if point.contains("before paste") && talker.zellij.is_none() => assert_eq!(times, 0, "{receipt}"),
            other => panic!("{point}: {other}: {receipt}"),
        }
        talker.clear();
    }
}

#[test]
fn an_answer_is_that_of_its_own_turn() {
    let talker = Talker::new();
    let ask = |words: &[&str]| talker.scene.run(&[&["ask", "one"], words].concat());
    let answered = ask(&["first\n@@say one\n@@slow 0.5"]);
    assert_eq!((answered.code, answered.stdout.as_str()), (Some(0), "one\n"), "{answered:?}");
    let failed = ask(&["second\n@@error"]);
    assert_eq!((failed.code, failed.stdout.as_str()), (Some(1), ""), "{failed:?}");
    talker.is_idle();
    let late = ask(&["third\n@@slow 30", "--timeout", "1s"]);
    assert_eq!((late.code, late.stdout.as_str()), (Some(75), ""), "{late:?}");
    talker.escape();
    talker.is_idle();
    let asks = ask(&["fourth\n@@ask touch x", "--timeout", "10s"]);
    assert_eq!((asks.code, asks.stdout.as_str()), (Some(3), ""), "{asks:?}");
}

#[test]
fn a_question_is_shown_and_answered_only_while_it_stands() {
    Talker::everywhere().for_each(|talker| answers(&talker));
}

fn answers(talker: &Talker) {
    let answer = |words: &[&str]| talker.scene.run(&[&["answer", "one", "--json"], words].concat());
    let read = |ran: Ran| serde_json::from_str::<Value>(&ran.stdout).unwrap();
    answer(&["approve"]).is(3);
    talker.asks("touch first");
    let shown = read(answer(&[]).is(0));
    assert_eq!(shown["outcome"], "asked");
    assert!(shown["question"]["text"].as_str().unwrap().contains("touch first"), "{shown}");
    let hash = shown["hash"].as_str().unwrap();
    answer(&["approve", "--expect", "000000000000"]).is(3);
    answer(&["9"]).is(3);
    assert!(!talker.cwd().join("first").exists());
    assert_eq!(read(answer(&["approve", "--expect", hash]).is(0))["chosen"], "1. Yes");
    await_some("what was approved", || talker.cwd().join("first").exists().then_some(()));
    talker.is_idle();
    talker.asks("touch second");
    answer(&["deny"]).is(0);
    talker.is_idle();
    talker.asks("touch third");
    // It goes down to the choice, and does not take another one on its way.
    assert_eq!(read(answer(&["3"]).is(0))["chosen"], "3. No");
    talker.is_idle();
    assert!(!talker.cwd().join("second").exists() && !talker.cwd().join("third").exists());
    let history = talker.scene.run(&["history", "one"]).stdout;
    assert!(!history.contains("touch"), "what was asked stays on the screen: {history}");
}

#[test]
fn a_question_is_answered_while_a_stop_waits_for_the_turn_that_asks_it() {
    let talker = Talker::new();
    talker.asks("touch asked");
    let mut stop = talker.scene.command(&["stop", "one", "--yes", "--json"]);
    let stop = std::thread::spawn(move || stop.output().unwrap());
    await_some("the stop", || talker.scene.run(&["history", "one"]).stdout.contains("stop").then_some(()));
    assert!(!stop.is_finished());
    talker.scene.run(&["answer", "one", "approve"]).is(0);
    assert_eq!(Ran::from(stop.join().unwrap()).is(0).outcome("one").0, "stop done");
    assert!(talker.cwd().join("asked").exists());
}

/// Every command of the skill, as it stands there, with a session of the name that it uses.
#[test]
fn every_command_of_the_driving_skill_runs() {
    let talker = Talker::new();
    talker.scene.run(&["send", "one", "hello"]).is(0);
    let skill = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/skills/driving-sessions/SKILL.md");
    let text = std::fs::read_to_string(skill).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for line in blocks.flat_map(str::lines).filter(|line| line.starts_with("headcount ")) {
        let (line, code) = line.split_once("  # exit ").map_or((line, 0), |(line, code)| (line, code.trim().parse().unwrap()));
        if line.contains("answer") {
            talker.asks("touch asked");
        }
        let program = env!("CARGO_BIN_EXE_headcount");
        let line = line.replace("headcount ", &format!("{program} -f {} ", talker.scene.manifest().display()));
        let mut shell = std::process::Command::new("sh");
        shell.env_clear().envs(talker.scene.world.variables()).current_dir(talker.scene.world.home());
        let ran = Ran::from(shell.args(["-c", &line]).stdin(std::process::Stdio::null()).output().unwrap());
        assert_eq!(ran.code, Some(code), "{line}: {ran:?}");
        if line.contains("answer") {
            talker.escape();
        }
        talker.is_idle();
        count += 1;
    }
    assert!(count >= 10, "{count}");
}

//! Completion in the shells themselves: each is typed into as a person would, in a tmux of its own, and what it made of the line
//! is compared word by word.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Place, program, verbs};

/// Names that some shell would read otherwise than they are.
const MANIFEST: &str = r#"version: 1
sessions:
  - { name: al pha, agent: claude, cwd: ~/a, labels: { team: web } }
  - { name: be'ta, agent: codex, cwd: ~/a }
  - { name: 'ga"mma', agent: claude, cwd: ~/a }
  - { name: de$HOME, agent: claude, cwd: ~/a }
  - { name: ep\silon, agent: claude, cwd: ~/a }
  - { name: ze!ta, agent: claude, cwd: ~/a }
  - { name: et`id`a, agent: claude, cwd: ~/a }
  - { name: th;eta&|, agent: claude, cwd: ~/a }
  - { name: 'io*ta?', agent: claude, cwd: ~/a }
  - { name: ka~<pa>, agent: claude, cwd: ~/a }
  - { name: 'la(m)b{d,a}[0]', agent: claude, cwd: ~/a }
  - { name: 'mu:nu', agent: claude, cwd: ~/a, mux: zellij }
  - { name: xi=om, agent: claude, cwd: ~/a }
  - { name: 'pi #é', agent: claude, cwd: ~/a }
"#;

/// What is typed, and the words of the line after a TAB.
const LINES: [(&str, &[&str]); 31] = [
    ("headcount expl", &["headcount", "explain"]),
    ("headcount job wa", &["headcount", "job", "wait"]),
    ("headcount status --wat", &["headcount", "status", "--watch"]),
    ("headcount explain al", &["headcount", "explain", "al pha"]),
    ("headcount explain be", &["headcount", "explain", "be'ta"]),
    ("headcount explain ga", &["headcount", "explain", "ga\"mma"]),
    ("headcount explain de", &["headcount", "explain", "de$HOME"]),
    ("headcount explain ep", &["headcount", "explain", "ep\\silon"]),
    ("headcount explain ze", &["headcount", "explain", "ze!ta"]),
    ("headcount explain et", &["headcount", "explain", "et`id`a"]),
    ("headcount explain th", &["headcount", "explain", "th;eta&|"]),
    ("headcount explain io", &["headcount", "explain", "io*ta?"]),
    ("headcount explain ka", &["headcount", "explain", "ka~<pa>"]),
    ("headcount explain la", &["headcount", "explain", "la(m)b{d,a}[0]"]),
    ("headcount explain mu:", &["headcount", "explain", "mu:nu"]),
    ("headcount explain xi=", &["headcount", "explain", "xi=om"]),
    ("headcount explain pi", &["headcount", "explain", "pi #é"]),
    ("headcount explain al\\ p", &["headcount", "explain", "al pha"]),
    ("headcount explain \"al", &["headcount", "explain", "al pha"]),
    ("headcount explain 'al p", &["headcount", "explain", "al pha"]),
    ("headcount explain 'be", &["headcount", "explain", "be'ta"]),
    ("headcount explain \"ga", &["headcount", "explain", "ga\"mma"]),
    ("headcount explain \"de", &["headcount", "explain", "de$HOME"]),
    ("headcount explain 'de", &["headcount", "explain", "de$HOME"]),
    ("headcount status 'al pha' be", &["headcount", "status", "al pha", "be'ta"]),
    ("headcount diff --class=dead,mo", &["headcount", "diff", "--class=dead,moved"]),
    ("headcount diff -l te", &["headcount", "diff", "-l", "team=web"]),
    ("headcount -f 'other one.yaml' explain on", &["headcount", "-f", "other one.yaml", "explain", "only here"]),
    ("headcount check oth", &["headcount", "check", "other one.yaml"]),
    ("headcount --manifest=oth", &["headcount", "--manifest=other one.yaml"]),
    ("headcount job submit --agent-session zellij:", &["headcount", "job", "submit", "--agent-session", "zellij:mu:nu"]),
];

/// A shell in a tmux server that is only for it.
struct Shell {
    place: Place,
    socket: PathBuf,
}

impl Shell {
    /// Starts a shell that writes what follows `show N` to a file `line.N`, a word a line; `None` if it is not installed.
    fn start(name: &str, command: &str, setup: &str) -> Option<Self> {
        if Command::new(name).arg("--version").output().is_err() {
            eprintln!("SKIPPED the completion of {name}: it is not installed");
            return None;
        }
        let place = Place::new();
        place.write("agent-sessions.yaml", MANIFEST);
        place.write("other one.yaml", "version: 1\nsessions:\n  - { name: only here, agent: claude, cwd: ~/a }\n");
        let socket = place.home().join("tmux.sock");
        let path = std::env::var("PATH").unwrap_or_default();
        let shell = Self { place, socket };
        let mut tmux = shell.tmux();
        tmux.env("PATH", format!("{}:{path}", program().parent().unwrap().display()));
        tmux.args(["new-session", "-d", "-x", "200", "-y", "50", command]);
        assert!(tmux.status().unwrap().success());
        shell.type_in(&[setup, "Enter"]);
        shell.wait_for("ready");
        Some(shell)
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.env_clear().current_dir(self.place.work()).env("HOME", self.place.home()).env("LANG", "C.UTF-8");
        tmux.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm-256color");
        tmux.args(["-f", "/dev/null", "-S"]).arg(&self.socket);
        tmux
    }

    /// Types text and presses keys; a text that is the name of a key is that key.
    fn type_in(&self, keys: &[&str]) {
        for key in keys {
            let mut tmux = self.tmux();
            tmux.arg("send-keys");
            if !["Enter", "Tab", "C-a"].contains(key) {
                tmux.arg("-l");
            }
            assert!(tmux.arg("--").arg(key).status().unwrap().success());
        }
    }

    fn wait_for(&self, file: &str) -> String {
        let (path, end) = (self.place.work().join(file), Instant::now() + Duration::from_secs(60));
        while !path.exists() {
            let shown = || self.tmux().args(["capture-pane", "-p"]).output().map(|output| output.stdout).unwrap_or_default();
            assert!(Instant::now() < end, "no {file} came:\n{}", String::from_utf8_lossy(&shown()));
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::read_to_string(path).unwrap()
    }

    /// Every line, completed and read back by the shell.
    fn completes_every_line(&self) {
        for (number, (typed, words)) in LINES.iter().enumerate() {
            self.type_in(&[typed, "Tab", "C-a", &format!("show {number} "), "Enter"]);
            let shown = self.wait_for(&format!("line.{number}"));
            assert_eq!(shown.lines().collect::<Vec<_>>(), *words, "{typed}");
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

const SHOW: &str = "show() { local n=$1; shift; printf '%s\\n' \"$@\" > shown; mv shown line.$n; }";

#[test]
fn bash_completes_the_sessions_of_the_manifest() {
    let setup = format!("source <(headcount completions bash); {SHOW}; touch ready");
    if let Some(shell) = Shell::start("bash", "bash --noprofile --norc -i", &setup) {
        shell.completes_every_line();
    }
}

#[test]
fn zsh_completes_the_sessions_of_the_manifest() {
    let setup =
        format!("bindkey -e; autoload -U compinit; compinit -u -D; source <(headcount completions zsh); {SHOW}; touch ready");
    if let Some(shell) = Shell::start("zsh", "zsh -f -i", &setup) {
        shell.completes_every_line();
    }
}

#[test]
fn fish_completes_the_sessions_of_the_manifest() {
    let setup = "headcount completions fish | source; \
        function show; printf '%s\\n' $argv[2..-1] > shown; mv shown line.$argv[1]; end; touch ready";
    if let Some(shell) = Shell::start("fish", "fish --no-config -i", setup) {
        shell.completes_every_line();
    }
}

#[test]
fn completion_knows_every_command_and_starts_no_program() {
    let place = Place::new();
    place.write("agent-sessions.yaml", MANIFEST);
    // With no PATH there is no tmux to be asked.
    let complete = |line: &str| {
        let output = place.command().env("PATH", "").args(["complete", "fish", "--", line]).output().unwrap();
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{line}");
        String::from_utf8(output.stdout).unwrap()
    };
    let commands = complete("headcount ");
    assert!(verbs().iter().all(|verb| commands.lines().any(|line| line.starts_with(&format!("{verb}\t")))), "{commands}");
    assert!(!commands.contains("complete\t"), "{commands}");
    assert_eq!(complete("headcount explain ").lines().count(), 1 + MANIFEST.matches("name:").count());
    assert_eq!(complete("headcount explain be").lines().nth(2), Some("be'ta\tcodex"));
}

#[test]
fn a_manifest_that_cannot_be_used_completes_to_nothing_without_a_word() {
    let place = Place::new();
    for text in ["sessions: [", "version: 9\n", ""] {
        place.write("agent-sessions.yaml", text);
        let ran = place.run(&["complete", "zsh", "--", "headcount explain "]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "words\n", ""), "{text}");
    }
}

#[test]
fn the_scripts_are_what_their_shells_can_read() {
    for (shell, check) in [("bash", &["-n"][..]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        let place = Place::new();
        let script = place.write("script", place.run(&["completions", shell]).stdout);
        if let Ok(output) = Command::new(shell).args(check).arg(Path::new(&script)).output() {
            assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

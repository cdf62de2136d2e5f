//! `headcount ui` in a real terminal: a pane of a tmux server of its own, whose screen is read and whose keys are pressed.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::sending::Talker;
use super::support::await_some;

static DESKS: AtomicUsize = AtomicUsize::new(0);

/// The terminal that the ui runs in.
pub(super) struct Desk<'a> {
    talker: &'a Talker,
    socket: PathBuf,
}

impl<'a> Desk<'a> {
    pub(super) fn new(talker: &'a Talker, columns: u16, rows: u16, variables: &str) -> Self {
        let desk = Self::bare(talker, columns, rows, variables);
        desk.await_screen("q quit");
        desk
    }

    /// The same, not yet waited for.
    fn bare(talker: &'a Talker, columns: u16, rows: u16, variables: &str) -> Self {
        let number = DESKS.fetch_add(1, Ordering::Relaxed);
        let socket = talker.scene.world.root().join(format!("desk-{number}"));
        let desk = Self { talker, socket };
        let program = env!("CARGO_BIN_EXE_headcount");
        let manifest = talker.scene.manifest();
        let command =
            format!("env -u TMUX {variables} {program} ui -f {}; echo left with $?; exec sleep 600", manifest.display());
        let (columns, rows) = (columns.to_string(), rows.to_string());
        desk.tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "desk", "-x", &columns, "-y", &rows, &command]);
        desk
    }

    fn tmux(&self, words: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.env_clear().envs(self.talker.scene.world.variables()).current_dir(self.talker.scene.world.root().join("lab"));
        let output = command.arg("-S").arg(&self.socket).args(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "desk"])
    }

    pub(super) fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.tmux(&["send-keys", "-t", "desk", key]);
        }
    }

    fn letters(&self, text: &str) {
        self.tmux(&["send-keys", "-t", "desk", "-l", text]);
    }

    #[track_caller]
    pub(super) fn await_screen(&self, text: &str) -> String {
        self.await_that(text, |screen| screen.contains(text))
    }

    #[track_caller]
    pub(super) fn await_that(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{what} is not to be seen in\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The process of the ui.
    fn pid(&self) -> u32 {
        let shell: u32 = self.tmux(&["display", "-p", "-t", "desk", "#{pane_pid}"]).trim().parse().unwrap();
        let children = || std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok();
        await_some("the ui", || children()?.split_whitespace().next()?.parse().ok())
    }
}

impl Drop for Desk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

#[test]
fn the_list_is_filtered_and_shows_the_screen_of_what_is_selected() {
    let talker = Talker::new();
    let desk = Desk::new(&talker, 120, 30, "");
    let screen = desk.await_screen("manual mode on");
    let line = screen.lines().find(|line| line.contains("· one")).unwrap();
    assert!(line.contains("claude") && line.contains("idle"), "{screen}");
    talker.letters("a draft of mine");
    desk.await_screen("a draft of mine");
    desk.keys(&["/"]);
    desk.letters("nobody");
    desk.await_screen("no session matches");
    desk.keys(&["Escape"]);
    desk.await_screen("· one");
    desk.tmux(&["resize-window", "-t", "desk", "-x", "40", "-y", "10"]);
    desk.await_that("a narrow list", |screen| screen.lines().count() <= 10 && screen.contains("· one"));
    // Every key can be read there, too.
    desk.keys(&["?"]);
    desk.await_that("the first keys", |screen| screen.contains("keys and marks") && !screen.contains("stopped"));
    desk.keys(&["G"]);
    desk.await_screen("stopped");
    desk.keys(&["?"]);
    desk.await_screen("· one");
    desk.keys(&["q"]);
    desk.await_screen("left with 0");
    assert!(!desk.screen().contains("· one"), "the terminal is as it was");
}

#[test]
fn a_text_that_is_sent_arrives_and_the_turn_is_unseen_until_somebody_looks() {
    let talker = Talker::new();
    let desk = Desk::new(&talker, 100, 30, "");
    desk.await_screen("· one");
    desk.keys(&["s"]);
    desk.await_screen("send to one");
    desk.letters("first line");
    desk.keys(&["M-Enter"]);
    desk.letters("@@say done with it");
    desk.keys(&["Enter"]);
    desk.await_screen("✓ delivered one");
    assert_eq!(talker.prompts(), ["first line\n@@say done with it"]);
    desk.await_screen("* one");
    desk.keys(&["l"]);
    desk.await_screen("done with it");
    desk.keys(&["q"]);
    desk.await_screen("· one");
    // It is remembered.
    desk.keys(&["q"]);
    desk.await_screen("left with 0");
    drop(desk);
    let again = Desk::new(&talker, 90, 30, "NO_COLOR=1");
    again.await_screen("· one");
    let colored = again.tmux(&["capture-pane", "-p", "-e", "-t", "desk"]);
    // What tmux calls the terminal's own colours is none.
    let colors = |it: &&str| it.starts_with(['3', '4', '9']) && !it.starts_with("39m") && !it.starts_with("49m");
    assert_eq!(colored.split("\u{1b}[").skip(1).find(colors), None, "{colored:?}");
}

#[test]
fn a_question_is_shown_and_answered_only_as_it_was_shown() {
    let talker = Talker::new();
    let desk = Desk::new(&talker, 100, 30, "");
    desk.await_screen("· one");
    desk.keys(&["s"]);
    desk.letters("@@ask touch it");
    desk.keys(&["Enter"]);
    desk.await_screen("? one");
    desk.keys(&["a"]);
    desk.await_screen("y approve");
    // What means nothing here does nothing.
    desk.keys(&["x", "9", "Escape"]);
    desk.await_screen("q quit");
    desk.keys(&["a"]);
    desk.await_screen("y approve");
    desk.keys(&["y"]);
    desk.await_screen("✓ answered one");
    desk.await_that("that it no longer asks", |screen| !screen.contains("? one"));
}

#[test]
fn a_stop_is_confirmed_and_an_end_shows_within_two_seconds() {
    let talker = Talker::new();
    let desk = Desk::new(&talker, 100, 30, "");
    desk.await_screen("· one");
    desk.keys(&["X"]);
    desk.await_screen("Stop one (claude, idle)?");
    desk.keys(&["x", "Enter", "n"]);
    desk.await_screen("q quit");
    assert!(super::is_alive(talker.claude.pid), "nothing was confirmed");
    desk.keys(&["X"]);
    desk.await_screen("Stop one");
    desk.keys(&["y"]);
    desk.await_screen("stopped one");
    assert!(!super::is_alive(talker.claude.pid));
    desk.await_screen("- one");
    drop(desk);

    let talker = Talker::new();
    let desk = Desk::new(&talker, 100, 30, "");
    desk.await_screen("· one");
    // It listens by now.
    std::thread::sleep(Duration::from_millis(700));
    let begun = Instant::now();
    let _ = Command::new("kill").arg("-9").arg(talker.claude.pid.to_string()).status();
    desk.await_that("its end", |screen| !screen.contains("· one"));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn attach_hands_the_terminal_over_and_back_also_when_it_fails() {
    let talker = Talker::new();
    let desk = Desk::new(&talker, 100, 30, "");
    desk.await_screen("· one");
    desk.keys(&["Enter"]);
    desk.await_screen("[one]");
    desk.letters("typed by hand");
    talker.await_screen("typed by hand");
    desk.keys(&["C-b", "d"]);
    desk.await_screen("q quit");
    desk.await_screen("· one");
    talker.tmux(&["kill-session", "-t", "=one:"]);
    desk.await_screen("- one");
    desk.keys(&["Enter"]);
    desk.await_screen("one does not run");
    desk.keys(&["Escape"]);
    desk.await_that("the message is gone", |screen| !screen.contains("one does not run"));
}

#[test]
fn the_terminal_is_as_it_was_after_a_signal_and_comes_back_after_a_stop() {
    let talker = Talker::new();
    for (signal, left) in [("TERM", "left with 0"), ("HUP", "left with 0"), ("INT", "left with 130")] {
        let desk = Desk::new(&talker, 81, 24, "");
        desk.await_screen("· one");
        let _ = Command::new("kill").arg(format!("-{signal}")).arg(desk.pid().to_string()).status();
        let screen = desk.await_screen(left);
        assert!(!screen.contains("· one"), "{signal}: {screen}");
        desk.letters("echoed");
        desk.await_screen("echoed");
    }
    let desk = Desk::bare(&talker, 82, 24, "");
    desk.await_screen("q quit");
    let pid = desk.pid().to_string();
    let _ = Command::new("kill").args(["-STOP", &pid]).status();
    let _ = Command::new("kill").args(["-CONT", &pid]).status();
    desk.keys(&["?"]);
    desk.await_screen("keys and marks");
    desk.keys(&["Escape", "C-c"]);
    desk.await_screen("left with 0");
}

#[test]
fn where_it_cannot_draw_it_says_so_and_names_status() {
    let talker = Talker::new();
    let ran = talker.scene.run(&["ui"]).is(64);
    assert!(ran.stderr.contains("this is no terminal") && ran.stderr.contains("headcount status"), "{ran:?}");
    let desk = Desk::bare(&talker, 83, 24, "TERM=dumb");
    let screen = desk.await_screen("left with 64");
    assert!(screen.contains("$TERM is dumb"), "{screen}");
}

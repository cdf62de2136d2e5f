//! The real multiplexers, each worked by its own commands, as the cases need them.

use std::ffi::OsString;
use std::path::PathBuf;

use headcount::core::ids::MuxKind;

use crate::support::World;
use crate::zellij::{Zellij, gone, signal};
use rustix::process::Signal;

/// A multiplexer that a test may do with as it likes.
pub trait Bench {
    /// Which one.
    fn kind(&self) -> MuxKind;
    /// The world it lives in.
    fn world(&self) -> &World;
    /// The environment of whoever works with it.
    fn surroundings(&self) -> Vec<(OsString, OsString)> {
        self.world().variables()
    }
    /// Starts a detached session that runs `sleep`, and gives its process.
    fn start(&self, name: &str) -> u32;
    /// Ends it and waits until it is gone.
    fn end(&self, name: &str);
    /// The process that serves a session.
    fn server(&self, name: &str) -> u32;
    /// Where its sockets are.
    fn sockets(&self) -> PathBuf;
    /// Names that it takes and that break parsers.
    fn hostile(&self) -> &'static [&'static str];
    /// A server that no entry can mean.
    fn impossible(&self) -> &'static str;
}

struct Tmux(World);

impl Bench for Tmux {
    fn kind(&self) -> MuxKind {
        MuxKind::Tmux
    }
    fn world(&self) -> &World {
        &self.0
    }
    fn start(&self, name: &str) -> u32 {
        self.0.session(name, &self.0.home(), "exec sleep 600")
    }
    fn end(&self, name: &str) {
        self.0.tmux(["kill-session", "-t", &format!("={name}")]);
    }
    fn server(&self, _: &str) -> u32 {
        self.0.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap()
    }
    fn sockets(&self) -> PathBuf {
        self.0.socket().parent().unwrap().to_path_buf()
    }
    fn hostile(&self) -> &'static [&'static str] {
        // Before a letter tmux 3.3a puts a backslash in front of the `$`: that is the session's name from then on.
        &[
            "with space",
            "a|b",
            "quote'\"`$(x)",
            "漢字 é 😀",
            "(EXITED - attach to resurrect)",
            "[Created 1s ago]",
            "=eq",
            "@at",
            "%pc%H",
            "-dash",
            "a;b",
            "#1",
            "trailing ",
            " leading",
            "$1",
        ]
    }
    fn impossible(&self) -> &'static str {
        "../escape"
    }
}

impl Bench for Zellij {
    fn kind(&self) -> MuxKind {
        MuxKind::Zellij
    }
    fn world(&self) -> &World {
        Zellij::world(self)
    }
    fn surroundings(&self) -> Vec<(OsString, OsString)> {
        self.world().variables().into_iter().chain(self.variables()).collect()
    }
    fn start(&self, name: &str) -> u32 {
        self.session(name, &self.world().home(), &["sleep", "600"])
    }
    fn end(&self, name: &str) {
        self.kill_session(name);
    }
    fn server(&self, name: &str) -> u32 {
        Zellij::server(self, name)
    }
    fn sockets(&self) -> PathBuf {
        self.base().join("contract_version_1")
    }
    fn hostile(&self) -> &'static [&'static str] {
        // It puts nothing into a name and keeps every character (0.45.1); it refuses `/`, `.`, `..` and a leading `-`.
        &[
            "with space",
            "a|b",
            "quote'\"`$x",
            "漢字 é 😀",
            "x [Created 1s ago] (EXITED - attach to resurrect)",
            "two\nlines",
            "a#{pid}#S",
            "back\\slash.:",
            "\ttab\u{1b}[31m\u{1}\u{7f}",
            "\u{2028}\u{202e}\u{feff}",
            "..x",
            "=eq@%$1",
            " both ends ",
        ]
    }
    fn impossible(&self) -> &'static str {
        "canary"
    }
}

/// A multiplexer of its own, where there is one.
pub fn of(name: &str) -> Option<Box<dyn Bench>> {
    match name {
        "on_tmux" => Some(Box::new(Tmux(World::new()))),
        "on_zellij" => Zellij::new().map(|zellij| Box::new(zellij) as Box<dyn Bench>),
        other => panic!("no bench for {other}"),
    }
}

/// Kills a process and waits for its end.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
    gone(pid);
}

/// Stops a process until this is dropped.
pub struct Stopped(u32);

impl Stopped {
    /// Stops it.
    pub fn new(pid: u32) -> Self {
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

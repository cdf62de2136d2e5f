//! A place of its own for each run of the program: an empty home, an empty working directory, nothing of the caller's environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The directories of one test; removed with it.
pub(crate) struct Place {
    root: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for directory in ["home", "work", "tmux"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        Self { root }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Where tmux keeps its sockets.
    pub(crate) fn tmux(&self) -> PathBuf {
        self.root.path().join("tmux")
    }

    /// Writes a file in the working directory.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, about to run here.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.env_clear().current_dir(self.work()).stdin(std::process::Stdio::null());
        command.env("HOME", self.home()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TMUX_TMPDIR", self.root.path().join("tmux")).env("LANG", "C.UTF-8");
        command.env("ZELLIJ_SOCKET_DIR", self.root.path().join("zellij"));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command().args(arguments).output().unwrap())
    }

    /// `text` with the temporary paths of this place replaced.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let real = self.root.path().canonicalize().unwrap();
        text.replace(&real.display().to_string(), "[PLACE]").replace(&self.root.path().display().to_string(), "[PLACE]")
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_headcount"))
}

/// Every verb the help lists.
pub(crate) fn verbs() -> Vec<String> {
    let help = Place::new().run(&["--help"]).stdout;
    let verbs: Vec<String> = help
        .lines()
        .skip_while(|line| *line != "Look:")
        .take_while(|line| *line != "Global options:")
        .filter(|line| line.starts_with("  "))
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|verb| verb != "help")
        .collect();
    assert!(verbs.len() > 5, "no verbs found in:\n{help}");
    verbs
}

/// Every command that does something, as its words: a verb, or a verb and what stands below it, such as `job submit`.
pub(crate) fn commands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for verb in verbs() {
        let help = Place::new().run(&[&verb, "--help"]).stdout;
        let below = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let below: Vec<String> =
            below.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).filter(|word| word != "help").collect();
        if below.is_empty() {
            all.push(vec![verb]);
        } else {
            all.extend(below.into_iter().map(|word| vec![verb.clone(), word]));
        }
    }
    assert!(all.len() > verbs().len(), "no commands below a verb: {all:?}");
    all
}

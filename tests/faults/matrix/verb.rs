//! The commands of the table: how each is called, and how to see that it did what it is for. Never runs anything.

use serde_json::Value;

use super::manner::Ran;
use super::oracle;
use super::stage::Stage;

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Status,
    /// The same by a client of `headcount mcp`.
    Mcp,
    Diff,
    Explain,
    History,
    Check,
    Doctor,
    Init,
    JobList,
    JobPublish,
    JobSubmit,
    Undo,
    Reconcile,
    Watch,
}

impl Verb {
    /// All of them, those that only look first.
    pub(crate) const ALL: [Self; 14] = [
        Self::Status,
        Self::Mcp,
        Self::Diff,
        Self::Explain,
        Self::History,
        Self::Check,
        Self::Doctor,
        Self::Init,
        Self::JobList,
        Self::JobPublish,
        Self::JobSubmit,
        Self::Undo,
        Self::Reconcile,
        Self::Watch,
    ];

    /// As it is typed.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Mcp => "mcp list",
            Self::Diff => "diff",
            Self::Explain => "explain",
            Self::History => "history",
            Self::Check => "check",
            Self::Doctor => "doctor",
            Self::Init => "init",
            Self::JobList => "job list",
            Self::JobPublish => "job publish",
            Self::JobSubmit => "job submit",
            Self::Undo => "undo",
            Self::Reconcile => "record",
            Self::Watch => "watch",
        }
    }

    /// Whether it may change the manifest.
    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::JobSubmit | Self::Undo | Self::Reconcile | Self::Watch)
    }

    /// The program that is run.
    pub(crate) fn program(self, stage: &Stage) -> std::path::PathBuf {
        if self != Self::Mcp {
            return env!("CARGO_BIN_EXE_headcount").into();
        }
        let path = stage.root().join("mcp_list");
        if !path.exists() {
            // A fault may leave it no PATH to find that in.
            let asked = std::process::Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
            let python = format!("#!{}", String::from_utf8(asked.expect("python3").stdout).unwrap().trim());
            let text = include_str!("../../support/mcp_list.py").replacen("#!/usr/bin/env python3", &python, 1);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        path
    }

    /// What is typed after it.
    pub(crate) fn arguments(self, stage: &Stage) -> Vec<String> {
        let new = stage.desk().join("new.yaml").display().to_string();
        let mux = if stage.baseline.contains("mux: zellij") { "zellij" } else { "tmux" };
        let session = format!("{mux}:{}", stage.frail);
        let words: Vec<&str> = match self {
            Self::Status => vec!["status", "--json", "--settle", stage.settle],
            Self::Mcp => vec![env!("CARGO_BIN_EXE_headcount"), "mcp"],
            Self::Diff => vec!["diff", "--json", "--settle", stage.settle],
            Self::Explain => vec!["explain", "*", "--settle", "0s"],
            Self::History => vec!["history"],
            Self::Check => vec!["check"],
            Self::Doctor => vec!["doctor"],
            Self::Init => vec!["init", "-f", &new],
            Self::JobList => vec!["job", "list", "--json"],
            Self::JobPublish => vec!["job", "publish", &stage.job, "progress", "--detail", "half done"],
            Self::JobSubmit => vec!["job", "submit", "--agent", "claude", "--agent-session", &session, "--prompt", "more"],
            Self::Undo => vec!["undo", &stage.undoable],
            Self::Reconcile => vec!["record", "--json", "--settle", stage.settle],
            Self::Watch => vec!["watch", "--json", "--settle", "0s", "--interval", "300ms", "--heartbeat", "300ms"],
        };
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        if self.writes() {
            // A watch tries again anyway.
            let wait = if self == Self::Watch { "1s" } else { stage.lock_wait };
            words.extend(["--lock-timeout".to_owned(), wait.to_owned()]);
        }
        words
    }

    /// Whether it did all it is for: the answer is whole and right, and what it was to write is written.
    pub(crate) fn is_done(self, stage: &Stage, ran: &Ran) -> bool {
        let answered = |wanted: &dyn Fn(&Value) -> bool| ran.blind || ran.json().is_some_and(|answer| wanted(&answer));
        let succeeded = ran.code == Some(0);
        match self {
            Self::Status | Self::Mcp => succeeded && answered(&|answer| oracle::tells_all(stage, answer)),
            Self::Diff => matches!(ran.code, Some(0 | 2)) && answered(&|answer| oracle::reports_all(stage, answer)),
            Self::Reconcile => {
                succeeded
                    && oracle::differences(stage, &stage.text()).is_empty()
                    && answered(&|answer| answer["unknown"].as_array().is_some_and(Vec::is_empty))
            }
            Self::Explain => {
                succeeded
                    && (ran.blind
                        || (ran.out.contains("Evidence for")
                            && !ran.out.contains("annot tell")
                            && !ran.out.contains("is unknown")))
            }
            Self::History => {
                let is_elsewhere = stage.manifest().is_symlink() && ran.out.contains("Nothing has been recorded");
                succeeded && (ran.blind || ran.out.contains(&stage.undoable) || is_elsewhere)
            }
            Self::Check | Self::Doctor | Self::Watch => succeeded,
            Self::Init => {
                let text = std::fs::read_to_string(stage.desk().join("new.yaml")).unwrap_or_default();
                let alive = stage.truth.values().flatten().count();
                (succeeded || ran.again) && text.matches("- name:").count() == alive
            }
            Self::JobList => succeeded && (ran.blind || ran.out.contains(&stage.job)),
            Self::JobPublish => succeeded && oracle::jobs(stage).contains("half done"),
            Self::JobSubmit => {
                let linked = oracle::entries(&stage.text()).remove(&stage.frail).and_then(|entry| entry.job);
                succeeded && linked.is_some_and(|job| oracle::delegated(stage, &stage.frail).contains(&job))
            }
            Self::Undo => oracle::is_undone(stage) && (succeeded || ran.again),
        }
    }
}

/// The job that was submitted, if it is in the registry.
pub(crate) fn submitted(stage: &Stage) -> Option<String> {
    oracle::delegated(stage, &stage.frail).pop()
}

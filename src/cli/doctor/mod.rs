//! Whether this machine lets headcount see and write what it needs: one row per check. Repairs nothing; to try an exchange it
//! makes two files beside the manifest and removes them.

mod agents;
mod files;
mod hooks;
mod host;
mod jobs;
mod tables;
mod tmux;
mod zellij;

use std::ffi::OsString;

use crate::host::{Environ, LocalHost};

use super::Context;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// As it should be.
    Fine,
    /// It works, but something will be worse than it could be.
    Warn,
    /// Something headcount is for does not work.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What it came to.
    pub(crate) grade: Grade,
    /// What was checked, a word or two.
    pub(crate) what: &'static str,
    /// What was found, one line.
    pub(crate) found: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Finding {
    fn fine(what: &'static str, found: impl Into<String>) -> Self {
        Self { grade: Grade::Fine, what, found: found.into(), hint: None }
    }

    fn warn(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { grade: Grade::Warn, what, found: found.into(), hint: Some(hint.into()) }
    }

    fn fail(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { grade: Grade::Fail, what, found: found.into(), hint: Some(hint.into()) }
    }
}

/// What the checks look with.
struct Examiner {
    host: LocalHost,
    env: Environ,
}

impl Examiner {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.env.get(name).filter(|value| !value.is_empty()).map(OsString::from)
    }
}

/// Every check, in the order a person would make them.
pub(crate) fn rows(context: &Context) -> Vec<Finding> {
    let env = Environ::of_this_process();
    let examiner = Examiner { host: LocalHost::new(env.clone()), env };
    let mut rows = tmux::rows(&examiner);
    rows.extend(zellij::rows(&examiner));
    rows.extend(host::rows(&examiner));
    rows.extend(files::rows(&examiner, context));
    rows.extend(hooks::rows(&examiner));
    rows.extend(jobs::rows(&examiner, context));
    rows.extend(agents::rows(&examiner));
    rows
}

/// How agents are started and stopped, and what of that was measured on another version than is here.
pub(crate) fn tables() -> Vec<Finding> {
    let env = Environ::of_this_process();
    tables::rows(&Examiner { host: LocalHost::new(env.clone()), env })
}

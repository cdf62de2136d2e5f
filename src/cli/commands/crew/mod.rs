//! `headcount crew`: its verbs. They read and write the files of a crew; what becomes of a task is decided elsewhere.

mod guard;
mod look;
mod manage;
pub(super) mod place;
mod reply;

use std::path::{Path, PathBuf};

use chrono::Utc;

use crate::cli::Context;
use crate::cli::args::{CrewArgs, CrewCommand};
use crate::cli::error::{CliError, Exit};
use crate::store::crew::CrewError;
use crate::store::paths::StateHome;

/// Does what the verb says.
pub(crate) fn run(args: &CrewArgs, context: &Context) -> Result<Exit, CliError> {
    match &args.verb {
        CrewCommand::Init(args) => manage::init(args, context),
        CrewCommand::Assign(args) => manage::assign(args, context),
        CrewCommand::Dispatch(args) => manage::dispatch(args, context),
        CrewCommand::Answer(args) => manage::answer(args, context),
        CrewCommand::Requeue(args) => manage::requeue(args, context),
        CrewCommand::Cancel(args) => manage::cancel(args, context),
        CrewCommand::Guard(args) => guard::run(args, context),
        CrewCommand::Reply(args) => reply::run(args, context),
        CrewCommand::Inbox(args) => look::inbox(args, context),
        CrewCommand::Status(args) => look::status(args, context),
        CrewCommand::Context(args) => look::context(args, context),
        CrewCommand::Bus(args) => look::bus(args, context),
    }
}

fn state() -> Result<StateHome, CliError> {
    Ok(StateHome::from_environment(|name| std::env::var_os(name))?)
}

fn failed(error: CrewError) -> CliError {
    let exit = match &error {
        CrewError::Refused(crate::core::crew::CrewRefusal::NoSuchTask(_)) => Exit::Failure,
        CrewError::Refused(_) | CrewError::NoKey(_) => Exit::Refused,
        _ => Exit::Failure,
    };
    let hint = match &error {
        CrewError::NoCrew(path) => Some(format!("`headcount crew init {}` makes one", path.display())),
        CrewError::NoKey(_) => Some("`headcount crew init` made it with another user or another $XDG_STATE_HOME".to_owned()),
        _ => None,
    };
    let told = CliError::caused_by(exit, &error);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// A path that means the same wherever it is read.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|error| CliError::new(Exit::Failure, format!("cannot use {}: {error}", path.display())))
}

/// The home of whoever says something, which is not told to others.
fn own_home() -> Option<String> {
    std::env::var("HOME").ok()
}

fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}

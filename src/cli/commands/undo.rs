//! `headcount undo`: takes one recorded change back. Refuses rather than undoing somebody else's work.

use crate::cli::args::UndoArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::patch;
use crate::cli::{Context, run_pass, signals};
use crate::control::undo::{UndoError, UndoRequest, undo};
use crate::core::text::printable;
use crate::store::paths::StateHome;

/// Takes the entry back and shows what that changed.
pub(crate) fn run(args: &UndoArgs, context: &Context) -> Result<Exit, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    let state_home = StateHome::from_environment(|name| std::env::var_os(name))?;
    let world = run_pass::world(&state_home);
    let request =
        UndoRequest { manifest: found.path, state_home, entry: args.entry, dry_run: args.dry_run, update: args.lock.update() };
    signals::end_on_interrupt();
    let undone = undo(&world, &request).map_err(|error| told(error, context.out.color_errors))?;
    run_pass::say_saved(&undone.saved, context);
    let what = printable(&undone.what);
    let said = match undone.id {
        Some(id) => format!("Took back {what}; that is entry {id}.\n"),
        None => format!("Would take back {what}.\n"),
    };
    context.out.answer(&(patch::render(&undone.diff, &context.out.look) + &said))?;
    Ok(Exit::Done)
}

fn told(error: UndoError, color: bool) -> CliError {
    match error {
        UndoError::Pass(error) => CliError::from_pass(error, color),
        UndoError::NoSuchEntry { .. } => {
            CliError::caused_by(Exit::Failure, &error).hint("`headcount history` shows the entries and their numbers")
        }
        UndoError::Already { by, .. } => CliError::caused_by(Exit::Refused, &error)
            .hint(format!("`headcount undo {by}` takes that back in turn; `headcount history` shows later entries")),
        UndoError::Refused { .. } => CliError::caused_by(Exit::Refused, &error)
            .hint("that place in the manifest has changed since; edit it by hand (`headcount history` shows the old values)"),
    }
}

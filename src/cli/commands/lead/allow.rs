//! `headcount allow` and `headcount consent`: what a person lets headcount do. Starts nothing.

use super::{confirm, lead};
use crate::cli::Context;
use crate::cli::args::{AllowArgs, Consent, ConsentArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::run_pass;
use crate::control::lead::{Permission, PermissionFile};
use crate::core::text::printable;
use crate::store::manifest::ManifestFile;
use crate::store::paths::StateHome;

/// Allows the manifest in use, or takes that back.
pub(crate) fn run(args: &AllowArgs, context: &Context) -> Result<Exit, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    let home = StateHome::from_environment(|name| std::env::var_os(name))?;
    let resolved = ManifestFile::open(&found.path)?.resolved()?;
    let file = PermissionFile::new(&home, &resolved);
    let shown = printable(&resolved.display().to_string()).into_owned();
    let failed = |error| unkept("permission", &home, &error);
    if args.revoke {
        let said = if file.revoke().map_err(failed)? { "may act no more" } else { "was not allowed to act" };
        context.out.answer(&format!("{shown} {said}.\n"))?;
        return Ok(Exit::Done);
    }
    let scope = lead::scope_of(&run_pass::load(&found.path, context)?);
    let before = match file.permission(&scope, true) {
        Permission::Shared(path) => {
            let why = format!("{} can be written by other users", path.display());
            return Err(CliError::new(Exit::Refused, why).hint("take their permission to write away first"));
        }
        Permission::Allowed => {
            context.out.answer(&format!("{shown} is allowed already.\n"))?;
            return Ok(Exit::Done);
        }
        Permission::Never => None,
        Permission::Changed(before) => Some(before),
    };
    let mut text = format!("{shown} would run:\n");
    match &before {
        None => text.extend(scope.iter().map(|line| format!("  {}\n", printable(line)))),
        Some(before) => {
            let gone = before.iter().filter(|line| !scope.contains(line)).map(|line| format!("- {}\n", printable(line)));
            let new = scope.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {}\n", printable(line)));
            text = format!("Since {shown} was allowed, this has changed:\n");
            text.extend(gone.chain(new));
        }
    }
    context.out.stderr(&text);
    confirm("Allow it?", args.yes, context)?;
    file.allow(&scope).map_err(failed)?;
    context.out.answer(&format!("{shown} is allowed to act.\n"))?;
    Ok(Exit::Done)
}

/// What is said where a decision cannot be written down.
fn unkept(what: &str, home: &StateHome, error: &std::io::Error) -> CliError {
    CliError::new(Exit::Failure, format!("cannot keep the {what} in {}: {error}", home.path().display()))
        .hint("set $XDG_STATE_HOME to a directory that you can write to")
}

/// Consents to agents that ask nothing, or takes that back.
pub(crate) fn run_consent(args: &ConsentArgs, context: &Context) -> Result<Exit, CliError> {
    let home = StateHome::from_environment(|name| std::env::var_os(name))?;
    let failed = |error| unkept("consent", &home, &error);
    match args.what {
        Consent::Revoke => {
            let had = lead::withdraw_consent(&home).map_err(failed)?;
            let said = if had { "The consent is taken back." } else { "There was no consent." };
            context.out.answer(&format!("{said}\n"))?;
        }
        Consent::Bypass => {
            context.out.stderr(
                "Entries with `permissions: bypass`, or with flags that mean the same, start agents that run commands and change \
                 files without asking you.\n",
            );
            confirm("Do you consent?", args.yes, context)?;
            lead::consent(&home).map_err(failed)?;
            context.out.answer("You have consented. `headcount consent revoke` takes it back.\n")?;
        }
    }
    Ok(Exit::Done)
}

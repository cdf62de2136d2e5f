//! `headcount ui`: whether this terminal can show it. What it shows is not decided here.

use std::io::IsTerminal as _;

use crate::cli::Context;
use crate::cli::args::UiArgs;
use crate::cli::error::{CliError, Exit};

/// Shows the sessions until you leave.
pub(crate) fn run(args: &UiArgs, context: &Context) -> Result<Exit, CliError> {
    if !cfg!(feature = "ui") {
        let why = "this build of headcount has no ui";
        return Err(
            CliError::new(Exit::Failure, why).hint("build it with its default features, or use `headcount status --watch`")
        );
    }
    let why = match std::env::var("TERM").unwrap_or_default().as_str() {
        _ if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() => "this is no terminal",
        "" => "$TERM is not set",
        "dumb" => "this terminal cannot place text ($TERM is dumb)",
        _ => return open(args, context),
    };
    let error = CliError::new(Exit::Usage, format!("{why}, so headcount cannot draw its ui here"));
    Err(error.hint("`headcount status` prints the sessions, `headcount status --watch` as they change"))
}

#[cfg(feature = "ui")]
fn open(args: &UiArgs, context: &Context) -> Result<Exit, CliError> {
    crate::cli::ui::run(&args.judge, context)
}

#[cfg(not(feature = "ui"))]
fn open(_args: &UiArgs, _context: &Context) -> Result<Exit, CliError> {
    Ok(Exit::Failure)
}

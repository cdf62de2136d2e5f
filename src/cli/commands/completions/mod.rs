//! `headcount completions`: a script that completes verbs and options. Generated from the arguments.

use clap::CommandFactory;

use crate::cli::Context;
use crate::cli::args::{Cli, CompletionsArgs};
use crate::cli::error::{CliError, Exit};

/// Prints the script for a shell.
pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "headcount", &mut script);
    context.out.answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

//! `headcount completions`: the script that a shell sources. Bash, zsh and fish ask `headcount complete` at each TAB, so they
//! know the sessions; the scripts of other shells are generated from the arguments and know commands and options only.

use clap_complete::Shell;

use crate::cli::Context;
use crate::cli::args::{CompletionsArgs, whole};
use crate::cli::error::{CliError, Exit};

/// Prints the script for a shell.
pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> Result<Exit, CliError> {
    let script = match args.shell {
        Shell::Bash => include_str!("headcount.bash").to_owned(),
        Shell::Zsh => include_str!("headcount.zsh").to_owned(),
        Shell::Fish => include_str!("headcount.fish").to_owned(),
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut whole(), "headcount", &mut script);
            String::from_utf8_lossy(&script).into_owned()
        }
    };
    context.out.answer(&script)?;
    Ok(Exit::Done)
}

//! `headcount man`: manual pages in roff. Generated from the arguments.

use clap::CommandFactory;

use crate::cli::Context;
use crate::cli::args::{Cli, ManArgs};
use crate::cli::error::{CliError, Exit};

/// Prints the page of headcount or of a verb.
pub(crate) fn run(args: &ManArgs, context: &Context) -> Result<Exit, CliError> {
    let mut command = Cli::command();
    command.build();
    let mut page = &command;
    for verb in &args.verbs {
        let known: Vec<&str> = page.get_subcommands().map(clap::Command::get_name).collect();
        let Some(found) = page.find_subcommand(verb) else {
            let error = CliError::new(Exit::Usage, format!("no manual page for {verb}: no such verb"));
            return Err(if known.is_empty() { error } else { error.hint(format!("the verbs are {}", known.join(", "))) });
        };
        page = found;
    }
    let page = page.clone();
    let mut roff = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut roff)
        .map_err(|error| CliError::new(Exit::Failure, format!("cannot write the manual page: {error}")))?;
    context.out.answer(&String::from_utf8_lossy(&roff))?;
    Ok(Exit::Done)
}

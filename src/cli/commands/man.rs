//! `headcount man`: manual pages in roff. Generated from the arguments.

use clap::CommandFactory;

use crate::cli::Context;
use crate::cli::args::{Cli, ManArgs};
use crate::cli::error::{CliError, Exit};

/// Prints the page of headcount or of a verb.
pub(crate) fn run(args: &ManArgs, context: &Context) -> Result<Exit, CliError> {
    let mut command = Cli::command();
    command.build();
    let page = match &args.verb {
        None => command,
        Some(verb) => {
            let known: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
            let Some(found) = command.find_subcommand(verb) else {
                return Err(CliError::new(Exit::Usage, format!("no manual page for {verb}: no such verb"))
                    .hint(format!("the verbs are {}", known.join(", "))));
            };
            found.clone()
        }
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut roff)
        .map_err(|error| CliError::new(Exit::Failure, format!("cannot write the manual page: {error}")))?;
    context.out.answer(&String::from_utf8_lossy(&roff))?;
    Ok(Exit::Done)
}

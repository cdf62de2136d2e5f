//! `headcount man`: manual pages in roff, printed or put where `man` finds them. Generated from the arguments.

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use crate::cli::Context;
use crate::cli::args::{ManArgs, whole};
use crate::cli::error::{CliError, Exit};
use crate::core::text::printable;

/// Prints the page of headcount or of a verb, or writes all of them.
pub(crate) fn run(args: &ManArgs, context: &Context) -> Result<Exit, CliError> {
    let mut command = whole();
    command.build();
    if let Some(directory) = &args.dir {
        let count = write_all(&command, directory).map_err(|error| {
            CliError::new(Exit::Failure, format!("cannot write manual pages into {}: {error}", directory.display()))
        })?;
        context.out.answer(&format!("{count} pages in {}\n", printable(&directory.display().to_string())))?;
        return Ok(Exit::Done);
    }
    let mut page = &command;
    for verb in &args.verbs {
        let known: Vec<&str> = page.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name).collect();
        let Some(found) = page.find_subcommand(verb) else {
            let error = CliError::new(Exit::Usage, format!("no manual page for {verb}: no such command"));
            return Err(if known.is_empty() { error } else { error.hint(format!("the commands are {}", known.join(", "))) });
        };
        page = found;
    }
    let roff = roff(page).map_err(|error| CliError::new(Exit::Failure, format!("cannot write the manual page: {error}")))?;
    context.out.answer(&String::from_utf8_lossy(&roff))?;
    Ok(Exit::Done)
}

fn roff(command: &Command) -> io::Result<Vec<u8>> {
    let mut roff = Vec::new();
    Man::new(command.clone()).render(&mut roff)?;
    Ok(roff)
}

/// Writes the page of a command and of every verb below it; how many that are. `help` is in all of them.
fn write_all(command: &Command, directory: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join(Man::new(command.clone()).get_filename()), roff(command)?)?;
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help" && !verb.is_hide_set());
    verbs.map(|verb| write_all(verb, directory)).try_fold(1, |sum, count| Ok(sum + count?))
}

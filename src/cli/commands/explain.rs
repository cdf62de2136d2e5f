//! `headcount explain`: why headcount believes what it believes. Records nothing.

use crate::cli::args::ExplainArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::explain;
use crate::cli::{Context, session};

/// Prints the explanations of the selected sessions.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, CliError> {
    let pass = session::close_look(args.selection.with_names(&args.names), &args.judge, context)?;
    if pass.explanations.is_empty() {
        return Err(CliError::new(Exit::Failure, "no session matches the selection")
            .hint("`headcount status` lists the sessions and their drifts"));
    }
    context.out.answer(&explain::render(&pass.explanations, &context.out.look))?;
    Ok(Exit::Done)
}

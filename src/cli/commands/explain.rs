//! `headcount explain`: why headcount believes what it believes. Records nothing.

use crate::cli::args::ExplainArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::explain;
use crate::cli::{Context, session};
use crate::control::pass::Mode;

/// Prints the explanations of the selected sessions.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, CliError> {
    let pass = session::pass(args.selection.with_names(&args.names), &args.judge, Mode::Look, context)?;
    if pass.explanations.is_empty() {
        return Err(CliError::new(Exit::Failure, "no session matches the selection")
            .hint("`headcount status` lists the sessions and their drifts"));
    }
    context.out.answer(&explain::render(&pass.explanations, &context.out.look))?;
    Ok(Exit::Done)
}

//! `headcount explain`: why headcount believes what it believes. Records nothing.

use super::history;
use crate::cli::Context;
use crate::cli::args::ExplainArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::explain;
use crate::cli::run_pass::{self, PassRequest};
use crate::store::paths::StateHome;

/// As many operations are shown of a session.
const OPERATIONS: usize = 3;

/// Prints the explanations of the selected sessions.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, CliError> {
    let look = PassRequest::look(args.selection.with_names(&args.names), &args.judge);
    let request = PassRequest { every_rung: true, activity: true, ..look };
    let pass = run_pass::pass(request, context)?;
    let mut explanations = pass.explanations();
    run_pass::complete_rows(&pass, explanations.iter_mut().map(|explanation| &mut explanation.row))?;
    if explanations.is_empty() {
        return Err(CliError::new(Exit::Failure, "no session matches the selection")
            .hint("`headcount status` lists the sessions and their drifts"));
    }
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    for explanation in &mut explanations {
        explanation.operations = history::of_session(pass.path(), &state, &explanation.row.session)?;
        explanation.operations.truncate(OPERATIONS);
    }
    context.out.answer(&explain::render(&explanations, &context.out.look))?;
    Ok(Exit::Done)
}

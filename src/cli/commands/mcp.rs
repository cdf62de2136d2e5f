//! `headcount mcp`, in a build that has it and in one that has not.

use crate::cli::Context;
use crate::cli::args::McpArgs;
use crate::cli::error::{CliError, Exit};

/// Serves a client.
#[cfg(feature = "mcp")]
pub(crate) fn run(args: &McpArgs, context: &Context) -> Result<Exit, CliError> {
    crate::cli::mcp::run(args, context)
}

/// Says that there is none.
#[cfg(not(feature = "mcp"))]
pub(crate) fn run(args: &McpArgs, _context: &Context) -> Result<Exit, CliError> {
    tracing::debug!(grants = args.allow.len(), is_config = args.print_config.is_some(), "of no use");
    let error = CliError::new(Exit::Refused, "this headcount was built without its server for agents");
    Err(error.hint("build it with `--features mcp`, which is the default"))
}

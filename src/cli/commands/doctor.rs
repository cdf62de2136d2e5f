//! `headcount doctor`: whether this machine will do. Repairs nothing.

use crate::cli::args::DoctorArgs;
use crate::cli::doctor::{self, Grade};
use crate::cli::error::{CliError, Exit};
use crate::cli::{Context, render};

/// Prints the checks; 1 if one fails.
pub(crate) fn run(args: &DoctorArgs, context: &Context) -> Result<Exit, CliError> {
    let rows = if args.tables { doctor::tables() } else { doctor::rows(context) };
    context.out.answer(&render::doctor::render(&rows, &context.out.look))?;
    let failed = rows.iter().any(|row| row.grade == Grade::Fail);
    Ok(if failed { Exit::Failure } else { Exit::Done })
}

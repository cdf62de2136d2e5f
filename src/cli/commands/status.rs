//! `headcount status`: every session, declared and observed. Records nothing.

use super::{drift_exit, print_document};
use crate::cli::Context;
use crate::cli::args::{StatusArgs, StatusForm};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::drift::Asked;
use crate::cli::render::status;
use crate::cli::session::{self, Request};

/// Prints the sessions.
pub(crate) fn run(args: &StatusArgs, context: &Context) -> Result<Exit, CliError> {
    let look = Request::look(args.selection.with_names(&args.names), &args.judge);
    let asked = Asked::from(&look.selection);
    let pass = session::pass(Request { activity: true, ..look }, context)?;
    let report = &pass.status();
    let form = args.form();
    if let Some(format) = form.and_then(StatusForm::format) {
        print_document(report, format, context)?;
    } else if form == Some(StatusForm::Name) {
        context.out.answer(&status::names(report))?;
    } else {
        let wide = form == Some(StatusForm::Wide);
        context.out.answer(&status::render(report, asked, wide, &context.out.look))?;
    }
    Ok(if args.exit_code { drift_exit(&report.counts, report.in_sync) } else { Exit::Done })
}

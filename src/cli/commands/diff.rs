//! `headcount diff`: what drifted and the change that would record it. Records nothing.

use super::{drift_exit, print_document};
use crate::cli::Context;
use crate::cli::args::DiffArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::asked::Question;
use crate::cli::render::drift::{self, Detail, Doing};
use crate::cli::render::patch;
use crate::cli::run_pass::{self, PassRequest};

/// Prints the plan, the patch and the count.
pub(crate) fn run(args: &DiffArgs, context: &Context) -> Result<Exit, CliError> {
    let selection = args.selection.with_names(&args.names);
    let asked = Question::from(&selection);
    let pass = run_pass::pass(PassRequest::look(selection, &args.judge), context)?;
    let report = &pass.report;
    if let Some(format) = args.format.document() {
        print_document(report, format, context)?;
    } else {
        let look = &context.out.look;
        // The patch shows the edits.
        let verbose = context.globals.verbose > 0;
        let mut text = drift::plan(report, Detail { evidence: verbose, edits: verbose }, look);
        if !report.diff.is_empty() {
            text.push_str(&patch::render(&report.diff, look));
            if !text.ends_with('\n') {
                text.push('\n');
            }
            text.push('\n');
        }
        text.push_str(&drift::count(report, Doing::Looking, asked, look));
        context.out.answer(&text)?;
    }
    Ok(drift_exit(&report.counts, report.in_sync))
}

//! `headcount record`: one pass that records. Starts, stops and types into nothing.

use super::{drift_exit, print_document, watch};
use crate::cli::Context;
use crate::cli::args::{RecordArgs, WatchArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::asked::Question;
use crate::cli::render::drift::{self, Detail, Doing};
use crate::cli::run_pass::{self, PassRequest};
use crate::control::pass::{DEFAULT_CONSUMER, Mode};
use crate::core::report::{DriftState, Report};

/// Records what drifted and says what was done.
pub(crate) fn run(args: &RecordArgs, context: &Context) -> Result<Exit, CliError> {
    if args.subscribe {
        return watch::run(&WatchArgs::subscribed(args), context);
    }
    if args.once {
        tracing::debug!("one pass, as asked");
    }
    let look = PassRequest::look(args.selection.with_names(&args.names), &args.judge);
    let asked = Question::from(&look.selection);
    let mode = if args.dry_run { Mode::Look } else { Mode::Record };
    let request = PassRequest { mode, consumer: consumer(args), update: args.lock.update(), ..look };
    let pass = run_pass::pass(request, context)?;
    let report = &pass.report;
    if let Some(format) = args.document() {
        print_document(report, format, context)?;
    } else {
        let look = &context.out.look;
        let detail = Detail { evidence: context.globals.verbose > 0, edits: true };
        context.out.answer(&(drift::plan(report, detail, look) + &drift::count(report, Doing::Recording, asked, look)))?;
    }
    Ok(exit(report, args.exit_code))
}

/// Only a report that is printed tells anyone of a drift.
fn consumer(args: &RecordArgs) -> Option<String> {
    args.document().map(|_| args.consumer.clone().unwrap_or_else(|| DEFAULT_CONSUMER.to_owned()))
}

/// 3 if a change was refused; else, if asked, whether anything drifted.
fn exit(report: &Report, exit_code: bool) -> Exit {
    if report.drifts.iter().any(|drift| drift.state == DriftState::Refused) {
        Exit::Refused
    } else if exit_code {
        drift_exit(&report.counts, report.in_sync)
    } else {
        Exit::Done
    }
}

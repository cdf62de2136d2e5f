//! `headcount crew guard`: whether a worker has drifted off its task. Says which move of the manager fits, and makes none.

use serde_json::json;

use super::failed;
use super::place::CrewPlace;
use crate::cli::Context;
use crate::cli::args::CrewGuardArgs;
use crate::cli::commands::print_document;
use crate::cli::error::{CliError, Exit};
use crate::cli::render;
use crate::control::context::{GuardError, guard};
use crate::control::lead::CREW_MANAGER;
use crate::core::crew::guard::GuardRequest;

/// Looks, keeps what came of it, and prints that.
pub(super) fn run(args: &CrewGuardArgs, context: &Context) -> Result<Exit, CliError> {
    let home = CrewPlace::managed(&args.directory, context)?.home;
    let tasks = home.tasks().map_err(failed)?;
    let task = tasks.task(&args.task).map_err(|refusal| failed(refusal.into()))?;
    let of_task = GuardRequest::of(task, CREW_MANAGER);
    let request = GuardRequest {
        worker: args.worker.as_deref().unwrap_or(of_task.worker),
        expected: args.expected.as_deref().map_or(of_task.expected, |text| Some(text).filter(|text| !text.is_empty())),
        window: Some(args.window).filter(|window| *window > 0),
        ..of_task
    };
    let kept = guard(home.path(), &request, None).map_err(|error| match error {
        GuardError::Files(error) => failed(error),
        error => CliError::caused_by(Exit::Failure, &error),
    })?;
    match args.format.document() {
        Some(format) => {
            let [case, diagnosis, event] = &kept.paths;
            let document = json!({
                "schema": "headcount/crew-guard/v1", "case": kept.report.case, "diagnosis": kept.report.diagnosis,
                "event": kept.report.event, "paths": {"case": case, "diagnosis": diagnosis, "event": event},
            });
            print_document(&document, format, context)?;
        }
        None => context.out.answer(&render::crew::guard(&kept.report, &kept.paths[1], &context.out.look))?,
    }
    Ok(Exit::Done)
}

//! What only the manager of a crew does: hand out, answer, take back. What may happen is decided in `core::crew`.

use std::time::Duration;

use serde_json::json;

use super::place::{self, CrewPlace};
use super::{absolute, failed, now, own_home};
use crate::cli::Context;
use crate::cli::args::{
    CrewAnswerArgs, CrewAssignArgs, CrewCancelArgs, CrewDispatchArgs, CrewInitArgs, CrewRequeueArgs, FormatArgs,
};
use crate::cli::asker::asker;
use crate::cli::commands::{lead as verbs, print_document};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::crew as render;
use crate::cli::signals;
use crate::control::lead::CREW_MANAGER;
use crate::core::crew::{ContextKind, CrewEvent, LONGEST_SUMMARY, sanitise};
use crate::core::text::printable;
use crate::store::crew::Saying;

/// Makes a crew.
pub(super) fn init(args: &CrewInitArgs, context: &Context) -> Result<Exit, CliError> {
    let directory = absolute(&args.directory)?;
    let usual = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args.name.clone().or(usual).unwrap_or_else(|| "crew".to_owned());
    let home = place::init(&directory, &name, context)?;
    match args.format.document() {
        Some(format) => {
            let document = json!({
                "schema": "headcount/crew-init/v1", "name": home.name, "runtime_dir": home.path(),
                "context_jsonl": home.file("context/context.jsonl"), "context_md": home.file("context/context.md"),
                "live_log": home.file("context/live.log"), "artifacts_dir": home.artifacts(),
            });
            print_document(&document, format, context)?;
        }
        None => {
            let (name, path) = (printable(&home.name).into_owned(), home.path().display().to_string());
            context.out.answer(&format!("crew {name} in {}\n", printable(&path)))?;
        }
    }
    Ok(Exit::Done)
}

/// Queues a task, and hands it out if its worker is free.
pub(super) fn assign(args: &CrewAssignArgs, context: &Context) -> Result<Exit, CliError> {
    let crew = CrewPlace::managed(&args.directory, context)?;
    // A worker that nobody knows would never get it.
    crew.worker(&args.worker)?;
    let task = {
        let mut writer = crew.home.write().map_err(failed)?;
        let free = || (1..).map(|n| format!("t{n}")).find(|name| !writer.tasks().tasks.contains_key(name));
        let task = args.task.clone().or_else(free).unwrap_or_default();
        let event = CrewEvent::Queued {
            goal: args.goal.clone(),
            input: args.input.clone(),
            worker: args.worker.clone(),
            attempts: args.attempts,
            retry: u32::try_from(args.retry.as_secs()).unwrap_or(u32::MAX),
        };
        writer.happen(&asker(), &task, event, now()).map_err(failed)?;
        task
    };
    crew.round()?;
    shown(&crew, &task, &args.format, context)
}

/// Prints one task.
fn shown(crew: &CrewPlace, task: &str, format: &FormatArgs, context: &Context) -> Result<Exit, CliError> {
    let tasks = crew.home.tasks().map_err(failed)?;
    let task = tasks.task(task).map_err(|refusal| failed(refusal.into()))?;
    match format.document() {
        Some(format) => print_document(&json!({"schema": "headcount/crew-task/v1", "task": task}), format, context)?,
        None => context.out.answer(&render::task(task, &context.out.look))?,
    }
    Ok(Exit::Done)
}

/// Hands out what waits.
pub(super) fn dispatch(args: &CrewDispatchArgs, context: &Context) -> Result<Exit, CliError> {
    signals::end_on_interrupt();
    let crew = CrewPlace::managed(&args.directory, context)?;
    let (home, mut before) = (&crew.home, None);
    loop {
        crew.round()?;
        let tasks = home.tasks().map_err(failed)?;
        let is_over = tasks.tasks.values().all(|task| task.state.is_final());
        let table = render::table(&tasks, &context.out.look);
        if args.format.document().is_none() && before.as_ref() != Some(&table) {
            context.out.answer(&table)?;
            before = Some(table);
        }
        if !args.follow || is_over {
            if let Some(format) = args.format.document() {
                print_document(&render::document(&home.name, home.path(), &tasks), format, context)?;
            }
            return Ok(Exit::Done);
        }
        std::thread::sleep(args.interval.max(Duration::from_millis(100)));
    }
}

/// Answers what a worker asks.
pub(super) fn answer(args: &CrewAnswerArgs, context: &Context) -> Result<Exit, CliError> {
    let crew = CrewPlace::managed(&args.directory, context)?;
    let home = &crew.home;
    let tasks = home.tasks().map_err(failed)?;
    let task = tasks.task(&args.task).map_err(|refusal| failed(refusal.into()))?;
    let lease = task.lease.clone().unwrap_or_default();
    let answered = CrewEvent::Answered { lease: lease.clone() };
    tasks.judge(&task.task, &answered).map_err(|refusal| failed(refusal.into()))?;
    let key = format!("crew {} {} answer {} {}", home.name, task.task, lease, task.seq);
    let receipt = crew.send(&task.worker, format!("[{}] {}", task.task, args.text), key)?;
    let exit = verbs::send::exit(&receipt, false);
    if exit == Exit::Done {
        let mut writer = home.write().map_err(failed)?;
        writer.happen(&asker(), &task.task, answered, now()).map_err(failed)?;
        let summary = sanitise(&args.text, own_home().as_deref());
        let (task, to) = (task.task.as_str(), task.worker.as_str());
        let saying = Saying { task, from: CREW_MANAGER, to, kind: ContextKind::NOTE, summary: &summary, artifact: None };
        writer.say(&saying, now()).map_err(failed)?;
    }
    match args.format.document() {
        Some(format) => print_document(&receipt, format, context)?,
        None => context.out.answer(&crate::cli::render::send::receipt(&receipt, &context.out.look))?,
    }
    Ok(exit)
}

/// Has a task done again.
pub(super) fn requeue(args: &CrewRequeueArgs, context: &Context) -> Result<Exit, CliError> {
    let crew = CrewPlace::managed(&args.directory, context)?;
    if let Some(worker) = &args.worker {
        crew.worker(worker)?;
    }
    change(&crew, &args.task, CrewEvent::Requeued { worker: args.worker.clone() })?;
    crew.round()?;
    shown(&crew, &args.task, &args.format, context)
}

/// Calls a task off.
pub(super) fn cancel(args: &CrewCancelArgs, context: &Context) -> Result<Exit, CliError> {
    let crew = CrewPlace::managed(&args.directory, context)?;
    let why: String = sanitise(&args.why, own_home().as_deref()).chars().take(LONGEST_SUMMARY).collect();
    change(&crew, &args.task, CrewEvent::Cancelled { why })?;
    shown(&crew, &args.task, &args.format, context)
}

fn change(crew: &CrewPlace, task: &str, event: CrewEvent) -> Result<(), CliError> {
    let before = crew.home.tasks().map_err(failed)?.tasks.get(task).cloned();
    crew.home.write().map_err(failed)?.happen(&asker(), task, event, now()).map_err(failed)?;
    before.iter().for_each(|before| crew.take_back(before));
    Ok(())
}

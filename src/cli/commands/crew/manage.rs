//! What only the manager of a crew does: hand out, answer, take back. What may happen is decided in `core::crew`.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{MANAGER, absolute, failed, managed, now, own_home, state};
use crate::cli::Context;
use crate::cli::args::{
    CrewAnswerArgs, CrewAssignArgs, CrewCancelArgs, CrewDispatchArgs, CrewInitArgs, CrewRequeueArgs, FormatArgs,
};
use crate::cli::asker::asker;
use crate::cli::commands::lead::letter::{CrewLetter, drop_waiting, standing};
use crate::cli::commands::{lead as verbs, print_document};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::crew as render;
use crate::cli::signals;
use crate::control::lead::{WorkerStanding, new_id};
use crate::core::crew::{ContextKind, CrewEvent, CrewTask, CrewVerb, Envelope, LONGEST_SUMMARY, sanitise};
use crate::core::lead::send::SendOutcome;
use crate::core::observe::Process;
use crate::core::text::printable;
use crate::store::crew::{CrewHome, Saying};

/// A random word: a key, or a lease.
fn token() -> Result<String, CliError> {
    let id = new_id().ok_or_else(|| CliError::new(Exit::Failure, "the system gives no random numbers"))?;
    Ok(id.as_str().replace('-', ""))
}

/// Makes a crew.
pub(super) fn init(args: &CrewInitArgs, context: &Context) -> Result<Exit, CliError> {
    let directory = absolute(&args.directory)?;
    let usual = directory.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = args.name.clone().or(usual).unwrap_or_else(|| "crew".to_owned());
    let home = CrewHome::create(&directory, &name, &token()?, &state()?, now()).map_err(failed)?;
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
    let home = managed(&args.directory)?;
    // A worker that nobody knows would never get it.
    standing(&args.worker, context)?;
    let task = {
        let mut writer = home.write().map_err(failed)?;
        let free = || (1..).map(|n| format!("t{n}")).find(|name| !writer.tasks().tasks.contains_key(name));
        let task = args.task.clone().or_else(free).unwrap_or_default();
        let event = CrewEvent::Queued {
            goal: args.goal.clone(),
            input: args.input.clone(),
            worker: args.worker.clone(),
            attempts: args.attempts,
        };
        writer.happen(&asker(), &task, event, now()).map_err(failed)?;
        task
    };
    round(&home, context)?;
    shown(&home, &task, &args.format, context)
}

/// Prints one task.
fn shown(home: &CrewHome, task: &str, format: &FormatArgs, context: &Context) -> Result<Exit, CliError> {
    let tasks = home.tasks().map_err(failed)?;
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
    let home = managed(&args.directory)?;
    let mut before = None;
    loop {
        round(&home, context)?;
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

/// One round: leases of workers that are gone are taken back, what was not sent is sent, what waits is handed out.
fn round(home: &CrewHome, context: &Context) -> Result<(), CliError> {
    let tasks = home.tasks().map_err(failed)?;
    for task in tasks.tasks.values().filter(|task| task.state.is_leased()) {
        let (Some(lease), Ok(standing)) = (&task.lease, standing(&task.worker, context)) else { continue };
        let why = match &standing {
            WorkerStanding::Over(why) => why.clone(),
            WorkerStanding::Alive(agent) if task.agent.as_ref().is_some_and(|got_it| *got_it != process(agent)) => {
                "the agent that got it has ended, and another runs there now".to_owned()
            }
            WorkerStanding::Alive(_) | WorkerStanding::Unknown(_) => continue,
        };
        // Its worker may just have replied: then the lease is another one, or none.
        let freed = CrewEvent::Freed { lease: lease.clone(), why };
        if home.write().map_err(failed)?.happen(&asker(), &task.task, freed, now()).is_ok() {
            take_back(task, context);
        }
    }
    let due: Vec<CrewTask> = home.tasks().map_err(failed)?.due(now()).into_iter().cloned().collect();
    for task in due.iter().filter(|task| matches!(standing(&task.worker, context), Ok(WorkerStanding::Alive(_)))) {
        let mut writer = home.write().map_err(failed)?;
        // Somebody else may hand out at the same time.
        if !writer.tasks().due(now()).iter().any(|due| due.task == task.task) {
            continue;
        }
        let context_seq = writer.last_context().map_err(failed)?;
        let assigned = CrewEvent::Assigned { lease: token()?, context_seq };
        writer.happen(&asker(), &task.task, assigned, now()).map_err(failed)?;
        let summary = sanitise(&task.goal, own_home().as_deref());
        let saying = Saying {
            task: &task.task,
            from: MANAGER,
            to: &task.worker,
            kind: ContextKind::Said(CrewVerb::TaskAssign),
            summary: &summary,
            artifact: None,
        };
        writer.say(&saying, now()).map_err(failed)?;
    }
    let tasks = home.tasks().map_err(failed)?;
    let is_unsent = |task: &&CrewTask| {
        task.state.is_leased() && task.seq == 0 && task.sent.as_deref().is_none_or(|sent| UNSENT.contains(&sent))
    };
    for task in tasks.tasks.values().filter(is_unsent) {
        hand_out(home, task, context)?;
    }
    Ok(())
}

/// A process, as the log names it.
fn process(process: &Process) -> String {
    format!("{}@{}", process.pid, process.started.timestamp())
}

/// Outcomes after which nothing was typed.
const UNSENT: [&str; 2] = [SendOutcome::Held.as_str(), SendOutcome::Refused.as_str()];

/// Sends an assignment, once a lease.
fn hand_out(home: &CrewHome, task: &CrewTask, context: &Context) -> Result<(), CliError> {
    let Some(lease) = &task.lease else { return Ok(()) };
    let artifacts = home.artifacts().join(&task.task);
    let envelope = Envelope {
        verb: CrewVerb::TaskAssign,
        task: task.task.clone(),
        worker: task.worker.clone(),
        seq: u64::from(task.attempt),
        reply: std::env::var("TMUX_PANE").ok().filter(|pane| crate::core::crew::is_token(pane)),
        context_seq: task.context_seq,
        lease: lease.clone(),
        texts: vec![
            ("goal".to_owned(), task.goal.clone()),
            ("input".to_owned(), task.input.clone()),
            ("artifact_dir".to_owned(), artifacts.to_string_lossy().into_owned()),
        ],
    };
    let line = envelope.line().map_err(|error| CliError::caused_by(Exit::Refused, &error))?;
    let directory = home.path().to_string_lossy();
    let how = format!(
        "Reply with: headcount crew reply {} ACCEPT|STATUS|ASK|RESULT|FAIL 'NOTE' --task {} --lease {lease}",
        shell_words::quote(&directory),
        shell_words::quote(&task.task),
    );
    let key = format!("crew {} {} {lease}", home.name, task.task);
    let letter = CrewLetter { worker: &task.worker, text: format!("{line}\n{how}"), key };
    let agent = match standing(&task.worker, context) {
        Ok(WorkerStanding::Alive(agent)) => Some(process(&agent)),
        _ => None,
    };
    let sent = match letter.send(context) {
        Ok(receipt) => CrewEvent::Sent {
            lease: lease.clone(),
            outcome: receipt.outcome.as_str().to_owned(),
            receipt: receipt.id.as_ref().map(|id| id.as_str().to_owned()),
            why: Some(receipt.message.clone()).filter(|_| UNSENT.contains(&receipt.outcome.as_str())),
            agent,
        },
        Err(error) => CrewEvent::Sent {
            lease: lease.clone(),
            outcome: SendOutcome::Refused.as_str().to_owned(),
            receipt: None,
            why: Some(error.message()),
            agent,
        },
    };
    let is_same = |sent: &CrewEvent| match sent {
        CrewEvent::Sent { outcome, why, .. } => task.sent.as_ref() == Some(outcome) && task.why == *why,
        _ => false,
    };
    // A worker that is held for hours needs no line for each look.
    if !is_same(&sent) {
        let _ = home.write().map_err(failed)?.happen(&asker(), &task.task, sent, now());
    }
    Ok(())
}

/// Takes a text back that still waits for a worker which has lost its lease.
fn take_back(task: &CrewTask, context: &Context) {
    let waits = task.sent.as_deref() == Some(SendOutcome::Waiting.as_str());
    if let Some(receipt) = task.receipt.as_ref().filter(|_| waits) {
        drop_waiting(&task.worker, receipt, context);
    }
}

/// Answers what a worker asks.
pub(super) fn answer(args: &CrewAnswerArgs, context: &Context) -> Result<Exit, CliError> {
    let home = managed(&args.directory)?;
    let tasks = home.tasks().map_err(failed)?;
    let task = tasks.task(&args.task).map_err(|refusal| failed(refusal.into()))?;
    let lease = task.lease.clone().unwrap_or_default();
    let answered = CrewEvent::Answered { lease: lease.clone() };
    tasks.judge(&task.task, &answered).map_err(|refusal| failed(refusal.into()))?;
    let key = format!("crew {} {} answer {} {}", home.name, task.task, lease, task.seq);
    let letter = CrewLetter { worker: &task.worker, text: format!("[{}] {}", task.task, args.text), key };
    let receipt = letter.send(context)?;
    let exit = verbs::send::exit(&receipt, false);
    if exit == Exit::Done {
        let mut writer = home.write().map_err(failed)?;
        writer.happen(&asker(), &task.task, answered, now()).map_err(failed)?;
        let summary = sanitise(&args.text, own_home().as_deref());
        let (task, to) = (task.task.as_str(), task.worker.as_str());
        let saying = Saying { task, from: MANAGER, to, kind: ContextKind::NOTE, summary: &summary, artifact: None };
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
    let event = CrewEvent::Requeued { worker: args.worker.clone() };
    if let Some(worker) = &args.worker {
        standing(worker, context)?;
    }
    let home = change(&args.directory, &args.task, event, context)?;
    round(&home, context)?;
    shown(&home, &args.task, &args.format, context)
}

/// Calls a task off.
pub(super) fn cancel(args: &CrewCancelArgs, context: &Context) -> Result<Exit, CliError> {
    let why: String = sanitise(&args.why, own_home().as_deref()).chars().take(LONGEST_SUMMARY).collect();
    let home = change(&args.directory, &args.task, CrewEvent::Cancelled { why }, context)?;
    shown(&home, &args.task, &args.format, context)
}

fn change(directory: &Path, task: &str, event: CrewEvent, context: &Context) -> Result<CrewHome, CliError> {
    let home = managed(directory)?;
    let before = home.tasks().map_err(failed)?.tasks.get(task).cloned();
    home.write().map_err(failed)?.happen(&asker(), task, event, now()).map_err(failed)?;
    if let Some(before) = before {
        take_back(&before, context);
    }
    Ok(home)
}

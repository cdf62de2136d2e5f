//! `headcount crew reply`: a worker's word to its manager. It counts only from the agent that has the lease.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::place::CrewPlace;
use super::{absolute, failed, now, own_home};
use crate::cli::Context;
use crate::cli::args::CrewReplyArgs;
use crate::cli::commands::print_document;
use crate::cli::error::{CliError, Exit};
use crate::control::lead::{CREW_MANAGER, WorkerStanding};
use crate::core::crew::{ContextKind, CrewEvent, CrewTask, CrewVerb, Envelope, Judgement, LONGEST_SUMMARY, is_token, sanitise};
use crate::core::text::printable;
use crate::host::ancestry;
use crate::store::crew::{CrewHome, Saying};

/// Takes the reply, and prints it as it would stand on the wire.
pub(super) fn run(args: &CrewReplyArgs, context: &Context) -> Result<Exit, CliError> {
    let crew = CrewPlace::open(&args.directory, context)?;
    let home = &crew.home;
    let tasks = home.tasks().map_err(failed)?;
    let task = tasks.task(&args.task).map_err(|refusal| failed(refusal.into()))?;
    // An old lease is said before anything is looked at.
    let judged = tasks.judge(&task.task, &event(args, task, args.note.clone(), None));
    judged.map_err(|refusal| failed(refusal.into()))?;
    is_its_agent(&crew, task)?;
    let artifact = args.artifact.as_deref().map(absolute).transpose()?;
    let (note, artifact) = match args.note.chars().count() > LONGEST_SUMMARY {
        false => (args.note.clone(), artifact),
        true => {
            let kept = keep(home, task, &args.note)?;
            let note: String = args.note.chars().take(200).collect();
            (format!("{note} … (all of it: {})", kept.display()), artifact.or(Some(kept)))
        }
    };
    let artifact = artifact.map(|path| path.to_string_lossy().into_owned());
    let event = event(args, task, note.clone(), artifact.clone());
    let CrewEvent::Reply { seq, .. } = event else { return Err(CliError::new(Exit::Failure, "internal error: no reply")) };
    let judged = {
        let mut writer = home.write().map_err(failed)?;
        let judged = writer.happen(&task.worker, &task.task, event, now()).map_err(failed)?;
        if judged == Judgement::New && args.verb != CrewVerb::Heartbeat {
            let summary = sanitise(&note, own_home().as_deref());
            let saying = Saying {
                task: &task.task,
                from: &task.worker,
                to: CREW_MANAGER,
                kind: ContextKind::Said(args.verb),
                summary: &summary,
                artifact: artifact.as_deref(),
            };
            writer.say(&saying, now()).map_err(failed)?;
        }
        judged
    };
    let first = if args.verb == CrewVerb::Ask { "question" } else { "note" };
    let mut texts = vec![(first.to_owned(), note)];
    texts.extend(artifact.map(|path| ("artifact".to_owned(), path)));
    let (verb, task, worker) = (args.verb, task.task.clone(), task.worker.clone());
    let pane = std::env::var("TMUX_PANE").ok().filter(|pane| is_token(pane));
    let lease = args.lease.clone();
    let envelope = Envelope { verb, task, worker, seq, reply: pane, context_seq: tasks.last, lease, texts };
    let line = envelope.line().map_err(|error| CliError::caused_by(Exit::Refused, &error))?;
    let is_new = judged == Judgement::New;
    match args.format.document() {
        Some(format) => {
            let document = json!({
                "schema": "headcount/crew-reply/v1", "task": envelope.task, "seq": seq, "is_new": is_new, "envelope": line,
            });
            print_document(&document, format, context)?;
        }
        None => context.out.answer(&format!("{line}\n"))?,
    }
    if !is_new {
        context.out.note("the manager has this reply already; nothing was changed");
    }
    Ok(Exit::Done)
}

fn event(args: &CrewReplyArgs, task: &CrewTask, note: String, artifact: Option<String>) -> CrewEvent {
    let seq = args.seq.unwrap_or_else(|| task.reply_number(args.verb, &note, &args.lease));
    CrewEvent::Reply { lease: args.lease.clone(), seq, verb: args.verb, note, artifact }
}

/// Whether the agent of the worker runs this.
fn is_its_agent(crew: &CrewPlace, task: &CrewTask) -> Result<(), CliError> {
    let worker = printable(&task.worker).into_owned();
    let refused = |why: String| {
        let hint = format!("the agent in {worker} runs this itself, as one of its commands");
        Err(CliError::new(Exit::Refused, why).hint(hint))
    };
    match crew.standing(&crew.worker(&task.worker)?)? {
        WorkerStanding::Alive { process, .. } if ancestry::of_this_process().iter().any(|above| above.pid == process.pid) => {
            Ok(())
        }
        WorkerStanding::Alive { .. } => refused(format!("only the agent that has the lease may reply: that of {worker}")),
        WorkerStanding::Over(why) | WorkerStanding::Unknown(why) => {
            refused(format!("whether {worker} says this cannot be told: {why}"))
        }
    }
}

/// Keeps a text that is too long for a line.
fn keep(home: &CrewHome, task: &CrewTask, text: &str) -> Result<PathBuf, CliError> {
    let directory = home.artifacts().join(&task.task);
    let path = directory.join(format!("reply-{}-{}.txt", task.attempt, task.seq + 1));
    let write = |path: &Path| -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
        file.write_all(text.as_bytes())
    };
    write(&path).map_err(|error| CliError::new(Exit::Failure, format!("cannot write {}: {error}", path.display())))?;
    Ok(path)
}

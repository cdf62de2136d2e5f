//! What can be typed after `headcount crew`. Owns names, defaults and help; never acts on them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{FormatArgs, values};
use crate::core::crew::CrewVerb;

/// Let a manager hand out tasks to workers, and keep track of them
///
/// A crew is a directory: the tasks, what became of each, and what manager and workers said. The manager hands out a task with a lease;
/// a worker's reply counts only with the lease that it has now.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount crew init ./crew
  headcount crew assign ./crew lab-creator-claude 'Make the tests pass.'
  headcount crew status ./crew
  headcount crew inbox ./crew --wait
  headcount crew dispatch ./crew --follow")]
pub(crate) struct CrewArgs {
    #[command(subcommand)]
    pub(crate) verb: CrewCommand,
}

/// The verbs of crews.
#[derive(Debug, Subcommand)]
pub(crate) enum CrewCommand {
    Init(CrewInitArgs),
    Assign(CrewAssignArgs),
    Dispatch(CrewDispatchArgs),
    Reply(CrewReplyArgs),
    Answer(CrewAnswerArgs),
    Inbox(CrewInboxArgs),
    Status(CrewStatusArgs),
    Context(CrewContextArgs),
    Bus(CrewBusArgs),
    Requeue(CrewRequeueArgs),
    Cancel(CrewCancelArgs),
    Guard(CrewGuardArgs),
}

/// Make a crew in a directory, and be its manager
///
/// The directory is made if it is not there, for you alone. The manager's key is kept in headcount's state directory.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 made, 1 one is there already, or the directory is not yours alone.

Examples:
  headcount crew init ./crew
  headcount crew init ./crew --name auth")]
pub(crate) struct CrewInitArgs {
    /// The directory
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,
    /// How the crew is called; without it, as the directory is
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Hand a task to a worker
///
/// The task is on disk before anything is typed. A worker that has another task gets this one after that; one that works gets it at the
/// end of its turn, if `watch --deliver` or `watch --enforce` runs.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 handed out, or queued, 1 failed, 3 refused.

Examples:
  headcount crew assign ./crew lab-creator-claude 'Make the tests pass.'
  headcount crew assign ./crew codex-2 'Review it.' --input diff.txt")]
pub(crate) struct CrewAssignArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// The worker: a session, as for `headcount send`
    #[arg(value_name = "REF")]
    pub(crate) worker: String,
    /// What is to be done
    #[arg(value_name = "GOAL", allow_hyphen_values = true)]
    pub(crate) goal: String,
    /// What it is done with, such as the path of a file
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) input: String,
    /// The name of the task; without it, `t1`, `t2`, …
    #[arg(long, value_name = "TASK")]
    pub(crate) task: Option<String>,
    /// So many workers may be lost over it, then it has failed
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempts: u32,
    /// How long it waits after the first of them; then twice as long each time, at most an hour
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = values::duration, hide_short_help = true)]
    pub(crate) retry: Duration,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Hand out what waits, and take back the leases of workers that are gone
///
/// Only a worker that is seen not to run loses its lease; its task is handed out again after a minute, then two, four, … `watch --deliver`
/// and `watch --enforce` do the same all the time.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 done, 1 failed, 3 refused: this is not the manager.

Examples:
  headcount crew dispatch ./crew
  headcount crew dispatch ./crew --follow    until every task has ended")]
pub(crate) struct CrewDispatchArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// Go on until every task has ended
    #[arg(long)]
    pub(crate) follow: bool,
    /// How often workers are looked at meanwhile
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration, hide_short_help = true)]
    pub(crate) interval: Duration,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Reply to the manager, as the worker that has the lease
///
/// Run by the worker's agent. The same reply again changes nothing.
#[derive(Debug, Args)]
#[command(
    override_usage = "headcount crew reply <CREW> <VERB> [NOTE] --task <TASK> --lease <TOKEN>",
    after_long_help = "\
VERB is ACCEPT, HEARTBEAT, STATUS, ASK, RESULT or FAIL. RESULT and FAIL end the task.

Exit codes: 0 taken, 1 no such task, 3 refused: an old lease, or not the worker's agent.

Examples:
  headcount crew reply ./crew ACCEPT --task t1 --lease 3f0a
  headcount crew reply ./crew ASK 'Which branch?' --task t1 --lease 3f0a
  headcount crew reply ./crew RESULT 'All green.' --task t1 --lease 3f0a"
)]
pub(crate) struct CrewReplyArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// What it says
    #[arg(value_name = "VERB", value_parser = verb)]
    pub(crate) verb: CrewVerb,
    /// The same in words; what is too long for a line goes into a file
    #[arg(value_name = "NOTE", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) note: String,
    /// The task
    #[arg(long, value_name = "TASK")]
    pub(crate) task: String,
    /// Its lease, as the assignment names it
    #[arg(long, value_name = "TOKEN")]
    pub(crate) lease: String,
    /// The number of the reply; without it, the next one
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) seq: Option<u64>,
    /// A file that belongs to it
    #[arg(long, value_name = "PATH")]
    pub(crate) artifact: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

fn verb(word: &str) -> Result<CrewVerb, String> {
    let verb = CrewVerb::of(word).filter(|verb| CrewVerb::REPLIES.contains(verb));
    verb.ok_or_else(|| "a reply is ACCEPT, HEARTBEAT, STATUS, ASK, RESULT or FAIL".to_owned())
}

/// Answer what a worker asks, as the manager
///
/// The text is sent to the worker, and the task goes on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 delivered, or waiting, 1 failed, 3 refused.

Examples:
  headcount crew answer ./crew t1 'Take the branch main.'")]
pub(crate) struct CrewAnswerArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// The task
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// The answer
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Print the replies that the manager has not read
#[derive(Debug, Args)]
#[command(after_long_help = "\
Heartbeats are left out. What is printed counts as read, except with --peek.

Exit codes: 0 printed, 1 failed, 3 refused: this is not the manager, 75 --wait saw none in time.

Examples:
  headcount crew inbox ./crew
  headcount crew inbox ./crew --wait --timeout 10m")]
pub(crate) struct CrewInboxArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// Wait until there is one
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,
    /// Leave them unread
    #[arg(long)]
    pub(crate) peek: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Print how far the tasks are
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount crew status ./crew
  headcount crew status ./crew --json | jq '.tasks[].state'")]
pub(crate) struct CrewStatusArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Print what manager and workers said
///
/// Without --since all of it as markdown, as `context/context.md` holds it. Secrets and homes are left out.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount crew context ./crew
  headcount crew context ./crew --since 12    what came after entry 12")]
pub(crate) struct CrewContextArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// Only entries after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0, hide_default_value = true)]
    pub(crate) since: u64,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Print what happens to the tasks, one line of JSON each
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount crew bus ./crew
  headcount crew bus ./crew --follow | jq -r .event")]
pub(crate) struct CrewBusArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// Go on as it happens
    #[arg(long, short = 'F')]
    pub(crate) follow: bool,
    /// Only what came after this number
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) since: u64,
}

/// Have a task done again, also by somebody else
///
/// A lease that a worker has for it is taken back: its replies are refused from then on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 queued again, 1 no such task, 3 refused: it is done, or waits already.

Examples:
  headcount crew requeue ./crew t1
  headcount crew requeue ./crew t1 --worker codex-2")]
pub(crate) struct CrewRequeueArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// The task
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// By this worker
    #[arg(long, value_name = "REF")]
    pub(crate) worker: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Call a task off
///
/// Its worker is not interrupted; its replies are refused from then on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 called off, 1 no such task, 3 refused: it has ended.

Examples:
  headcount crew cancel ./crew t1 --why 'not needed any more'")]
pub(crate) struct CrewCancelArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// The task
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) why: String,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Tell whether a worker has drifted off its task, as the manager
///
/// By what was said: how often it asked or reported, words of trouble, and how much of the goal its last answer names. What came of it is
/// kept below `artifacts/problemmap`. Nothing is done about it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 told, 1 no such task, or nothing was said, 3 refused: this is not the manager.

Examples:
  headcount crew guard ./crew t1
  headcount crew guard ./crew t1 --expected 'Fix the parser.'")]
pub(crate) struct CrewGuardArgs {
    /// The crew: its directory, or its name in the manifest
    #[arg(value_name = "CREW")]
    pub(crate) directory: PathBuf,
    /// The task
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// Another worker than the one that has it now
    #[arg(long, value_name = "REF")]
    pub(crate) worker: Option<String>,
    /// What was to be done, if that is not the goal any more
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) expected: Option<String>,
    /// So many entries from the end; 0: all
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) window: usize,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

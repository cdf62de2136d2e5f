//! What can be typed after `headcount job`. Owns names, defaults and help; never acts on them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::{FormatArgs, LockArgs, values};
use crate::core::ids::{AgentKind, MuxKind};
use crate::core::job::{EventKind, JobId, JobStatus};

/// Delegate jobs to sessions and follow them
///
/// A job is a file in a registry: what to do, which agent does it, in which session, and how far it is. Events report its
/// progress. headcount types nothing into the session; you do.
#[derive(Debug, Args)]
#[command(after_long_help = "\
headcount uses the first registry it finds, in this order:
  --registry DIR, $HEADCOUNT_JOBS,
  .mam/jobs in the working directory or one above it,
  .mam/jobs beside the manifest, $XDG_STATE_HOME/headcount/jobs

Examples:
  headcount job submit --agent-session tmux:lab --prompt 'add tests'
  headcount job list
  headcount job publish abc12345 completed --detail 'all green'
  headcount job wait abc12345 && echo done")]
pub(crate) struct JobArgs {
    /// The registry, instead of searching for one
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) registry: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: JobVerb,
}

/// The verbs of jobs. Each has a file of its name in `commands/job/`.
#[derive(Debug, Subcommand)]
pub(crate) enum JobVerb {
    Submit(SubmitArgs),
    List(ListArgs),
    Show(ShowArgs),
    Events(EventsArgs),
    Publish(PublishArgs),
    Cancel(CancelArgs),
    Wait(WaitArgs),
    Prune(PruneArgs),
}

/// Add a job and print its id
///
/// With --agent-session, headcount records the job in that session's entry (`delegate_job_id`). If there is no entry yet, the
/// next pass that finds one records it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount job submit --prompt 'write the report' --artifact report.md
  headcount job submit --agent-session tmux:lab --prompt - < task.md
  headcount job submit --prompt 'nightly' --timeout 8h --idle-timeout 0 --auth")]
pub(crate) struct SubmitArgs {
    /// What to do; `-` reads it from stdin
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: String,
    /// The agent that does it
    #[arg(long, value_name = "AGENT", hide_possible_values = true, long_help = format!("The agent that does it: {}", values::agents()), value_parser = values::AgentParser)]
    pub(crate) agent: Option<AgentKind>,
    /// The session that does it
    #[arg(long, value_name = "MUX:NAME", value_parser = session)]
    pub(crate) agent_session: Option<(MuxKind, String)>,
    /// Limit of its time; 0 for none
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = values::duration)]
    pub(crate) timeout: Duration,
    /// Limit of its silence; 0 for none
    #[arg(long, hide_short_help = true, value_name = "DURATION", default_value = "2m", value_parser = values::duration)]
    pub(crate) idle_timeout: Duration,
    /// A file it will produce
    ///
    /// Repeat it for several files.
    #[arg(long = "artifact", value_name = "PATH")]
    pub(crate) artifacts: Vec<String>,
    /// Accept only events signed with a token of this job
    #[arg(long, hide_short_help = true)]
    pub(crate) auth: bool,
    /// Print that token too, on a second line; it is shown nowhere else
    #[arg(long, requires = "auth", hide_short_help = true)]
    pub(crate) print_token: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// List the jobs, the oldest first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount job list
  headcount job list --status pending,running
  headcount job list --json | jq -r '.jobs[].job_id'")]
pub(crate) struct ListArgs {
    /// Only jobs of these statuses
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = values::one_of(JobStatus::ALL, JobStatus::as_str))]
    pub(crate) status: Vec<JobStatus>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Show one job and its last events
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount job show abc12345
  headcount job show abc12345 --json | jq .job.status")]
pub(crate) struct ShowArgs {
    /// The job
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: JobId,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Print the events of a job, one a line
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount job events abc12345
  headcount job events abc12345 --follow          until the job has ended
  headcount job events abc12345 --json | jq -r .detail")]
pub(crate) struct EventsArgs {
    /// The job
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: JobId,
    /// Keep printing events until the job has ended
    #[arg(long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Write an event of a job into the registry
///
/// The event gets the next number, and a signature if the job has a token. Without --mqtt, headcount contacts no broker.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 written, 1 the broker did not take it, 3 the job has already ended.

Examples:
  headcount job publish abc12345 started
  headcount job publish abc12345 progress --detail 'half done'
  headcount job publish abc12345 progress --data '{\"percent\": 50}'
  headcount job publish abc12345 completed --mqtt    also to the broker")]
pub(crate) struct PublishArgs {
    /// The job
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: JobId,
    /// What happened
    #[arg(value_name = "EVENT", value_parser = values::one_of(EventKind::ALL, EventKind::as_str))]
    pub(crate) event: EventKind,
    /// One line about it: no paths, keys or tokens
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub(crate) detail: String,
    /// More about it, a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    pub(crate) data: Option<Map<String, Value>>,
    /// Publish it to the MQTT broker too
    ///
    /// If this registry does not know the job, it belongs to another machine: headcount only publishes the event, numbered by
    /// the clock, and signs it with the token in $HEADCOUNT_JOB_TOKEN if there is one.
    #[arg(long)]
    pub(crate) mqtt: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Cancel a job
///
/// Marks it as cancelled in the registry. headcount types nothing into the session.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 cancelled, 3 the job has already ended.

Examples:
  headcount job cancel abc12345")]
pub(crate) struct CancelArgs {
    /// The job
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: JobId,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Wait until a job has ended
///
/// Gives up when the job has run, or been silent, for longer than it may.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 completed, 1 error or cancelled, 75 not ended in time: retry.

Examples:
  headcount job wait abc12345
  headcount job wait abc12345 --timeout 10m")]
pub(crate) struct WaitArgs {
    /// The job
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: JobId,
    /// Wait at most this long, whatever the job's own limits are
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Remove jobs that have ended
///
/// Removes their logs and audits too, and leaves all other files alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount job prune --dry-run
  headcount job prune --older-than 30d")]
pub(crate) struct PruneArgs {
    /// Only jobs that ended longer ago than this
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = values::duration)]
    pub(crate) older_than: Duration,
    /// Only list them
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// A session as records name it.
fn session(text: &str) -> Result<(MuxKind, String), String> {
    let parts = text.split_once(':').filter(|(_, name)| !name.is_empty());
    let known = parts.and_then(|(mux, name)| Some((mux.parse().ok()?, name.to_owned())));
    known.ok_or_else(|| "expected MUX:NAME, as in tmux:lab-creator-claude".to_owned())
}

fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("expected a JSON object, as in {\"percent\": 50}".to_owned()),
        Err(error) => Err(format!("it is not JSON: {error}")),
    }
}

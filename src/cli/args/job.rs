//! What can be typed after `headcount job`. Owns names, defaults and help; never acts on them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Map, Value};

use super::{FormatArgs, LockArgs, values};
use crate::core::ids::{AgentKind, MuxKind};
use crate::core::job::{EventKind, JobId, JobStatus};
use crate::core::manifest::lead::Permissions;

/// Delegate jobs to sessions and follow them
///
/// A job is a file in a registry: what to do, which agent does it, in which session, and how far it is. Events report its
/// progress. `job run` also has it done; otherwise headcount types nothing into the session, you do.
#[derive(Debug, Args)]
#[command(after_long_help = "\
headcount uses the first registry it finds, in this order:
  --registry DIR, $HEADCOUNT_JOBS,
  .mam/jobs in the working directory or one above it,
  .mam/jobs beside the manifest, $XDG_STATE_HOME/headcount/jobs

Examples:
  headcount job run --agent codex --headless --permissions edit --file a.md
  headcount job submit --agent-session tmux:lab --prompt 'add tests'
  headcount job list
  headcount job publish abc12345 completed --detail 'all green'
  headcount job wait abc12345 && echo done")]
pub(crate) struct JobArgs {
    /// The registry, instead of searching for one
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub(crate) registry: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) verb: JobVerb,
}

/// The verbs of jobs. Each has a file of its name in `commands/job/`.
#[derive(Debug, Subcommand)]
pub(crate) enum JobVerb {
    Run(RunArgs),
    Submit(SubmitArgs),
    List(ListArgs),
    Show(ShowArgs),
    Events(EventsArgs),
    Publish(PublishArgs),
    Cancel(CancelArgs),
    Wait(WaitArgs),
    Logs(JobLogsArgs),
    Stop(JobStopArgs),
    Resume(JobResumeArgs),
    Prune(PruneArgs),
}

/// Hand an agent a job, and do not wait for it
///
/// The agent works in a session of its own, `AGENT-NAME`: at a terminal, where you can attach and answer it, or with --headless without
/// one. headcount begins it again where it crashes, in the same conversation, and writes down how the job ended.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The first line of the answer is the job's id. The files of a job lie in $XDG_STATE_HOME/headcount/jobs/ID: `prompt`, `output.log`, \
`session-id`, and `done` once it is over. The pane then shows `__TASK_DONE__`, or `__TASK_FAILED__` with an exit code.

An attempt that crashes is followed by another after 3, 6, 12 … minutes, as `lead: { backoff: … }` of the manifest says. What a lost \
pane or a reboot cut off goes on by `headcount job resume` or `headcount watch --enforce`.

At a terminal headcount types the prompt, and the job is over when the turn that took it in is. The agent stays for you until \
`headcount job stop` or `prune`. With --headless nobody can answer the agent, so --permissions edit or bypass says how far it may go.

Exit codes: 0 begun (with --wait: completed), 1 failed, 3 refused: nothing was begun.

Examples:
  headcount job run --agent claude --name fix-ci --prompt 'make CI pass'
  headcount job run --agent claude --headless --permissions edit --file a.md
  headcount job run --agent pi --headless --permissions bypass --file -
  headcount job run --agent codex --headless --permissions bypass --prompt x")]
#[command(
    group = ArgGroup::new("work").required(true).args(["prompt", "file"]),
    override_usage = "headcount job run --agent <AGENT> <--prompt <PROMPT>|--file <FILE>>",
)]
pub(crate) struct RunArgs {
    /// The agent that does it
    #[arg(long, value_name = "AGENT", hide_possible_values = true, long_help = format!("The agent that does it: {}", values::agents()), value_parser = values::AgentParser)]
    pub(crate) agent: AgentKind,
    /// What is to be done; `-` is the standard input
    #[arg(long, value_name = "PROMPT", allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,
    /// Do what this file says; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The name of its session, behind the agent's
    ///
    /// 1 to 48 of a-z 0-9 . _ -; without it, the job's id.
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) name: Option<String>,
    /// Where it is done
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// How long it may take in all, attempts and waits included
    #[arg(long, value_name = "DURATION", hide_short_help = true, default_value = "5h", value_parser = values::duration)]
    pub(crate) deadline: Duration,
    /// Without a terminal, where nobody is asked anything
    #[arg(long)]
    pub(crate) headless: bool,
    /// How far the agent may go without asking
    #[arg(long, value_name = "MODE", default_value = "ask", value_parser = values::one_of(Permissions::ALL, Permissions::as_str))]
    pub(crate) permissions: Permissions,
    /// Run this by `sh` once it has ended
    ///
    /// It gets the file `done` on its standard input.
    #[arg(long, value_name = "CMD")]
    pub(crate) notify: Option<String>,
    /// Wait until it has ended
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long its pane stays once it is over; an agent at a terminal also as long as somebody uses it
    #[arg(long, value_name = "DURATION", hide_short_help = true, default_value = "24h", value_parser = values::duration)]
    pub(crate) keep: Duration,
    /// The multiplexer to do it in
    #[arg(long, value_name = "MUX", hide_short_help = true, value_parser = values::mux())]
    pub(crate) mux: Option<MuxKind>,
    /// The server to do it in, instead of the manifest's or the default one
    #[arg(long, value_name = "SERVER", hide_short_help = true)]
    pub(crate) server: Option<String>,
    /// The wait after its first crash, instead of the manifest's
    #[arg(long, value_name = "DURATION", hide_short_help = true, value_parser = values::duration)]
    pub(crate) backoff: Option<Duration>,
    /// So many attempts that fail, then it has failed, instead of the manifest's number
    #[arg(long, value_name = "COUNT", hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempts: Option<u32>,
    /// Flags after the agent's own
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Print what the agent of a job says
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount job logs abc12345
  headcount job logs abc12345 -f        until the job has ended
  headcount job logs abc12345 --raw     the agent's own lines, JSON mostly")]
pub(crate) struct JobLogsArgs {
    /// The job
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: JobId,
    /// Go on until the job has ended
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// The lines as the agent wrote them
    #[arg(long)]
    pub(crate) raw: bool,
    /// The manifest to use instead of searching for one
    #[arg(long = "manifest", id = "manifest", value_name = "FILE", help_heading = super::GLOBAL)]
    pub(crate) _manifest: Option<PathBuf>,
}

/// Stop a job that headcount runs
///
/// The agent is asked to end. The conversation stays, and so do the files of the job.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 stopped, or it had ended already, 75 its agent has not ended in time.

Examples:
  headcount job stop abc12345
  headcount job stop abc12345 --kill")]
pub(crate) struct JobStopArgs {
    /// The job
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: JobId,
    /// Kill the agent if it has not ended 10 seconds later
    #[arg(long)]
    pub(crate) kill: bool,
    /// How long to wait for its end
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Go on with jobs whose pane, server or host was lost
///
/// The agent goes on in its conversation, in a new pane. What runs, has ended or was stopped is left alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
`headcount watch --enforce` does the same by itself.

Exit codes: 0 they run, or are over, 1 one could not be begun, 3 one may not be begun now.

Examples:
  headcount job resume abc12345
  headcount job resume --all      after a reboot")]
pub(crate) struct JobResumeArgs {
    /// The jobs
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<JobId>,
    /// Every job that is not over
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
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
  headcount job submit --agent-session tmux:lab --follow-turns --prompt x
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
    ///
    /// Without it, 2m. A job whose turns are followed has none: an agent may work for long without a word.
    #[arg(long, hide_short_help = true, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Report the job from the turns of its session's agent
    ///
    /// The job begins, asks, completes or fails as the turn does that takes PROMPT in. Send PROMPT with `headcount send`, or type it
    /// yourself. `headcount watch` and `job wait` report what happens at once, `job list` and `job show` when they look.
    #[arg(long, requires = "agent_session")]
    pub(crate) follow_turns: bool,
    /// A file it will produce
    ///
    /// Repeat it for several files.
    #[arg(long = "artifact", value_name = "PATH", hide_short_help = true)]
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

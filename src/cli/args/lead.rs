//! What can be typed after the verbs that act on sessions. Owns names, defaults and help; never acts.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{FormatArgs, JudgeArgs, LockArgs, values};
use crate::core::ids::{AgentKind, ConversationId, MuxKind};

/// Show what `apply` would do
///
/// Compares each entry's `desired` with what runs, and lists what headcount would start, resume or stop, and what keeps it from that.
/// Starts, stops and writes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount plan
  headcount plan 'lab-*'
  headcount plan --json

Exit codes: 2 something to do, else 3 something a person must do, else 4 something is unknown, else 0.

JSON and YAML: headcount/plan/v1 (`headcount schema plan`).")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Make reality follow the manifest
///
/// Shows the plan, asks on a terminal, and starts, resumes or stops what differs from each entry's `desired`. An entry without
/// `desired` is left alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A session that cannot be acted on for sure is left as it is, and headcount says why. \
A conversation is never opened twice, and nothing is typed into a pane.

Examples:
  headcount apply
  headcount apply 'lab-*' --yes
  headcount apply --dry-run      the same as `headcount plan`

Exit codes: 0 done, 1 something failed or could not be verified, else 3 something was refused, else 4 something is unknown.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Only show what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Start sessions, each in its own conversation
///
/// An entry with `desired` gets `desired: running`; one without is started and stays without, unless --declare.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A session whose conversation is known goes on in it; another begins a new one.

Examples:
  headcount start lab-creator-claude
  headcount start 'lab-*' --yes
  headcount start lab-creator-claude --fresh   in a new conversation

Exit codes: 0 done or running already, 1 failed or not verified, 3 refused, 75 another headcount is acting on it.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Every session of the manifest; the same as no REF
    #[arg(long, conflicts_with = "refs")]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Begin a new conversation, whatever it was in
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Say the entry's `prompt` also in a new conversation that --fresh begins
    #[arg(long, requires = "fresh", hide_short_help = true)]
    pub(crate) prompt: bool,
    /// Write `desired: running` also into an entry without `desired`
    #[arg(long)]
    pub(crate) declare: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Stop sessions; their conversations stay
///
/// Asks each agent to end by the signal that it ends in order by, and waits until it has. A working agent is stopped at its turn's end.
#[derive(Debug, Args)]
#[command(after_long_help = "\
An entry with `desired` gets `desired: stopped`; one without stays without, unless --declare.

Examples:
  headcount stop lab-creator-claude
  headcount stop lab-creator-claude --now    in the middle of its turn
  headcount stop --all --yes

Exit codes: 0 done or not running, 1 it did not end, 3 refused, 75 still working when --timeout was over.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct StopArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Every session of the manifest; the same as no REF
    #[arg(long, conflicts_with = "refs")]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Write `desired: stopped` also into an entry without `desired`
    #[arg(long)]
    pub(crate) declare: bool,
    /// Take the recorded conversation out of the entry as well, as `headcount forget` does
    #[arg(long, hide_short_help = true)]
    pub(crate) purge_conversation: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) end: EndArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Stop sessions and start them in the same conversation
///
/// The start is judged first: what could not go on is not stopped.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount restart lab-creator-claude
  headcount restart 'lab-*' --yes

Exit codes: 0 done, 1 failed or not verified, 3 refused, 75 still working when --timeout was over.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,
    /// Every session of the manifest; the same as no REF
    #[arg(long, conflicts_with = "refs")]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) end: EndArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Declare a session and start it
///
/// Adds an entry with `desired: running` to the manifest, and starts it. Without NAME it is called after its directory:
/// `<directory>-creator-<agent>`; with --task, after the work.
#[derive(Debug, Args)]
#[command(after_long_help = "\
If the start fails the entry stays, and headcount says why. \
A TASK is the id or the address of an issue of Linear or GitHub, or words; no tracker is asked.

Examples:
  headcount new --agent claude
  headcount new api-fixes --agent codex --cwd ~/shop/api
  headcount new --agent claude --prompt 'Read TODO.md.' -- --model sonnet
  headcount new web --agent claude --conversation ID
  headcount new --agent codex --mux zellij --task ENG-123

Exit codes: 0 done, 1 failed or not verified, 3 refused.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct NewArgs {
    /// The session's name
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Its agent
    #[arg(long, value_name = "AGENT", hide_possible_values = true, value_parser = values::AgentParser)]
    pub(crate) agent: AgentKind,
    /// Its directory; by default this one
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) cwd: Option<PathBuf>,
    /// Its multiplexer; by default the one of the manifest's `defaults`, else tmux
    #[arg(long, value_name = "MUX", value_parser = values::mux())]
    pub(crate) mux: Option<MuxKind>,
    /// Its server: of tmux a name as of `tmux -L` or the path of a socket, of zellij a directory of sockets
    #[arg(long, value_name = "SERVER")]
    pub(crate) server: Option<String>,
    /// What it is told first
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,
    /// The work it is about, by which it is found and after which it is called: an issue, or words
    #[arg(long, value_name = "TASK", allow_hyphen_values = true)]
    pub(crate) task: Option<String>,
    /// Go on in this conversation of the agent instead of beginning one
    #[arg(long, value_name = "ID", conflicts_with_all = ["fork", "prompt", "submit_job"], hide_short_help = true, value_parser = values::conversation)]
    pub(crate) conversation: Option<ConversationId>,
    /// Begin a conversation with what this one holds
    #[arg(long, value_name = "ID", hide_short_help = true, value_parser = values::conversation)]
    pub(crate) fork: Option<ConversationId>,
    /// Register a job with this text, record it in the entry, and tell it to the agent unless --prompt says something else
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, hide_short_help = true)]
    pub(crate) submit_job: Option<String>,
    /// Flags for the agent, behind `--`
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Open a session in this terminal
///
/// Inside tmux it switches to the session if that is on the same server; for another server it prints the command.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount attach lab-creator-claude
  headcount attach lab-creator-claude --print    only print the command
  headcount attach ml:lab-creator-claude         on a host of the manifest

Exit codes: 0 done, 1 it does not run, 3 not from here.")]
pub(crate) struct AttachArgs {
    /// The session
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// Print the command instead of running it
    #[arg(long, visible_alias = "dry-run")]
    pub(crate) print: bool,
}

/// Let the manifest of this directory start and stop sessions
///
/// A manifest that was found in the working directory acts only as you allowed it: whoever wrote it says what it runs. Shows what it
/// would run, or what has changed since, and asks.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A manifest that you name (--manifest, $HEADCOUNT_MANIFEST), or that is in your configuration directory, needs no permission.

Examples:
  headcount allow
  headcount allow --revoke

Exit codes: 0 allowed, 3 refused.")]
pub(crate) struct AllowArgs {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Take the permission back
    #[arg(long)]
    pub(crate) revoke: bool,
}

/// Consent to agents that act without asking you
///
/// `permissions: bypass`, and flags of agents that mean the same, start nothing until you have consented once.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount consent bypass
  headcount consent revoke

Exit codes: 0 done, 3 refused.")]
pub(crate) struct ConsentArgs {
    /// What to do
    #[arg(value_name = "WHAT")]
    pub(crate) what: Consent,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// What is done about the consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Consent {
    /// Consent to agents that ask nothing
    Bypass,
    /// Take the consent back
    Revoke,
}

/// Which sessions are acted on.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct WhichArgs {
    /// Names of sessions, ids of conversations or jobs, references of tasks; `*` and `?` are wildcards
    #[arg(value_name = "REF")]
    pub(crate) refs: Vec<String>,
    /// Only sessions with this label
    #[arg(long = "label", short = 'l', value_name = "KEY=VALUE", value_delimiter = ',', value_parser = values::label, help_heading = "Selection", hide_short_help = true)]
    pub(crate) labels: Vec<(String, String)>,
    /// Only sessions of these agents, such as claude
    #[arg(long = "agent", value_name = "AGENT", hide_possible_values = true, long_help = values::agent_help(), value_delimiter = ',', value_parser = values::AgentParser, help_heading = "Selection", hide_short_help = true)]
    pub(crate) agents: Vec<AgentKind>,
}

/// Where agents are started.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct PlaceArgs {
    /// Take over sessions that another manifest leads
    #[arg(long, hide_short_help = true)]
    pub(crate) take: bool,
    /// Open a window in a session of the same name that holds no agent
    #[arg(long, hide_short_help = true)]
    pub(crate) reuse: bool,
}

/// How agents are ended.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Ending")]
pub(crate) struct EndArgs {
    /// How long to wait for a turn to end
    #[arg(long, short = 't', value_name = "DURATION", default_value = "10m", value_parser = values::duration)]
    pub(crate) timeout: Duration,
    /// Interrupt a turn instead of waiting for its end
    #[arg(long)]
    pub(crate) now: bool,
    /// Kill what does not end
    #[arg(long)]
    pub(crate) kill: bool,
    /// Act also on sessions that another manifest leads
    #[arg(long, hide_short_help = true)]
    pub(crate) take: bool,
    /// Act also on the session that this command runs in
    #[arg(long = "self", hide_short_help = true)]
    pub(crate) own: bool,
}

//! What can be typed after the verbs about one entry: what is taken out, what it is called, and who has its session in hand. Owns
//! names, defaults and help; never acts.

use std::time::Duration;

use clap::Args;

use super::lead::EndArgs;
use super::{FormatArgs, JudgeArgs, LockArgs, values};
use crate::core::ids::MuxKind;

/// Stop sessions and take their entries out of the manifest
///
/// An agent that is not stopped keeps its entry. Their conversations, and the agents' own files, stay. `headcount undo` brings an
/// entry back.
#[derive(Debug, Args)]
#[command(after_long_help = "\
What is taken out is an entry with its comments; every other byte stays. An entry that comes back has never been led: \
`headcount watch` starts nothing for it until you have run `apply` or `start`.

Examples:
  headcount rm lab-creator-claude
  headcount rm lab-creator-claude --keep-running   only forget about it
  headcount rm 'old-*' --yes

Exit codes: 0 done, 1 failed, 3 refused, 75 still working when --timeout was over.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct RmArgs {
    /// Names of sessions, ids of conversations or jobs, references of tasks; `*` and `?` are wildcards
    #[arg(value_name = "REF", required = true)]
    pub(crate) refs: Vec<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Stop nothing; `headcount record` does not add what runs on again
    #[arg(long, conflicts_with_all = ["timeout", "now", "kill", "own", "take"])]
    pub(crate) keep_running: bool,
    /// Leave the session's open jobs, and the texts that wait for it, as they are
    #[arg(long, conflicts_with = "drop", hide_short_help = true)]
    pub(crate) keep: bool,
    /// Cancel the session's open jobs, and take back the texts that wait for it
    #[arg(long, hide_short_help = true)]
    pub(crate) drop: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) end: EndArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Take the recorded conversation out of an entry
///
/// headcount goes on in it no more: `start --fresh` begins a new one. Refused while the agent lives. The agent's own files are never
/// touched, and `headcount undo` brings the id back.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount forget lab-creator-claude
  headcount stop lab-creator-claude --purge-conversation   stop it first

Exit codes: 0 done, 1 failed, 3 refused.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct ForgetArgs {
    /// Names of sessions, ids of conversations or jobs, references of tasks; `*` and `?` are wildcards
    #[arg(value_name = "REF", required = true)]
    pub(crate) refs: Vec<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Give a session another name
///
/// Renames the session where it runs, and then its entry. Nothing is stopped, and what headcount knows of the session stays with it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A name that another session or entry has is refused. If you renamed the session yourself, the same command gives its entry that \
name.

Examples:
  headcount rename lab-creator-claude lab-docs-claude

Exit codes: 0 done, 1 failed or not verified, 3 refused, 75 another headcount is acting on it.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct RenameArgs {
    /// The session
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// Its new name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// Rename also a session that another manifest leads
    #[arg(long, hide_short_help = true)]
    pub(crate) take: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Move a session to another server or multiplexer, in its conversation
///
/// Whether it could go on there is judged first. Then its agent is stopped, its entry gets the place, and its agent goes on there. A
/// session that does not run only gets the place.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount move lab-creator-claude --server work
  headcount move lab-creator-claude --mux zellij

Exit codes: 0 done, 1 failed or not verified, 3 refused, 75 still working when --timeout was over.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct MoveArgs {
    /// The session
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// The multiplexer; by default the one it is in
    #[arg(long, value_name = "MUX", value_parser = values::mux())]
    pub(crate) mux: Option<MuxKind>,
    /// The server: of tmux a name as of `tmux -L` or the path of a socket, of zellij a directory of sockets
    #[arg(long, value_name = "SERVER", required_unless_present = "mux")]
    pub(crate) server: Option<String>,
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

/// Take a session in hand: nothing acts on it by itself
///
/// Until it is released, neither `apply`, nor `watch --enforce`, nor any other program or agent starts, stops or renames it through
/// headcount. A person at a terminal who names it is asked first.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Without --for it ends half an hour after somebody last used a terminal that shows the session, or after that terminal left it. \
In zellij headcount cannot tell, so it ends half an hour after this command.

Examples:
  headcount handoff lab-creator-claude
  headcount handoff lab-creator-claude --for 2h
  headcount handoff lab-creator-claude --as night-shift   as a controller

Exit codes: 0 done, 1 failed, 3 another has it in hand, 75 another headcount is acting on it.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct HandoffArgs {
    /// The session
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// How long
    #[arg(long = "for", value_name = "DURATION", value_parser = values::duration)]
    pub(crate) length: Option<Duration>,
    /// In whose name; by default the user and the terminal, or the session of the agent that runs this
    #[arg(long = "as", value_name = "NAME", value_parser = values::holder)]
    pub(crate) name: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Give a session back that `handoff` took
///
/// Only whoever took it releases it, or a person at a terminal.
#[derive(Debug, Args)]
#[command(after_long_help = "\
With --operation it closes an operation that nobody carries out any more and that keeps headcount from acting on the session.

Examples:
  headcount release lab-creator-claude
  headcount release lab-creator-claude --as night-shift
  headcount release lab-creator-claude --operation 019ad0c3a5f2-1f3a-0

Exit codes: 0 done or not taken, 1 failed, 3 another has it in hand, 75 another headcount is acting on it.

JSON and YAML: headcount/apply/v1 (`headcount schema apply`).")]
pub(crate) struct ReleaseArgs {
    /// The session
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// In whose name, as for `handoff`
    #[arg(long = "as", value_name = "NAME", value_parser = values::holder)]
    pub(crate) name: Option<String>,
    /// Close this operation instead
    #[arg(long, value_name = "ID", conflicts_with = "name")]
    pub(crate) operation: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Show everything that is known of one session
///
/// Its entry, what was seen of it, its conversation and job, who has it in hand, what `apply` would do to it and why, and what was
/// done to it. `headcount explain` shows the evidence behind that.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount describe lab-creator-claude
  headcount describe lab-creator-claude --json

Exit codes: 0 shown, 1 no such session, 3 several sessions are meant.

JSON and YAML: headcount/describe/v1 (`headcount schema describe`).")]
pub(crate) struct DescribeArgs {
    /// The session
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// How many operations are listed [default: 10]
    #[arg(long, short = 'n', value_name = "N")]
    pub(crate) last: Option<usize>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

//! What can be typed after `headcount events` and `headcount hooks`. Owns names, defaults and help; never acts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{FormatArgs, values};
use crate::core::hooks::HookKind;
use crate::core::ids::AgentKind;

/// Show what a session's agent says through its hooks
///
/// Agents that headcount starts have hooks; `headcount hooks install` gives them to those you start by hand. An event counts only for
/// the process that sent it.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount events lab-creator-claude
  headcount events lab-creator-claude -f     until the agent has ended
  headcount events lab-creator-claude --type Stop --last 1
  headcount events lab-creator-claude -f --json | jq -r .type

Of a prompt an event holds length and hash, never the text.

Exit codes: 0 shown, 1 there is no such session, 3 the REF means several.

JSON and YAML, one document an event: headcount/event/v1 (`headcount schema event`).")]
pub(crate) struct HookEventsArgs {
    /// The session: a name, the id of a conversation or job, the reference of a task
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// Keep printing events until the agent has ended
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Only events of this type; repeat it for several
    ///
    /// The words of other tools are understood as well, such as `user_prompt_submit`.
    #[arg(long = "type", value_name = "TYPE", value_parser = values::hook_kind)]
    pub(crate) types: Vec<HookKind>,
    /// Only the last N of those that are there already
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// The manifest to use instead of searching for one
    ///
    /// There is no -f for it here, because -f follows.
    #[arg(long = "manifest", id = "manifest", value_name = "FILE", help_heading = super::GLOBAL)]
    _manifest: Option<PathBuf>,
}

/// Put hooks into agents' own settings, for sessions that you start by hand
#[derive(Debug, Args)]
pub(crate) struct HooksArgs {
    #[command(subcommand)]
    pub(crate) verb: HooksVerb,
}

/// What is done to hooks.
#[derive(Debug, Subcommand)]
pub(crate) enum HooksVerb {
    /// Put hooks into an agent's own settings
    ///
    /// Shows what it would change, and asks. Every other byte stays, and `remove` takes it back. A link, a file of another user and one
    /// that is not plain JSON are left alone.
    #[command(after_long_help = "\
Examples:
  headcount hooks install claude
  headcount hooks install --yes      for every agent that keeps files here

Exit codes: 0 done, 1 failure, 3 refused, 75 another headcount is editing the same file.")]
    Install(HooksChangeArgs),
    /// Take them out again
    ///
    /// Where the file was not changed since, it is to the byte what it was before. Otherwise only headcount's hooks go.
    #[command(after_long_help = "\
Examples:
  headcount hooks remove claude
  headcount hooks remove --yes

Exit codes: 0 done, 1 failure, 3 refused, 75 another headcount is editing the same file.")]
    Remove(HooksChangeArgs),
    /// Show which agents have them
    #[command(after_long_help = "\
Examples:
  headcount hooks status
  headcount hooks status claude

JSON and YAML: headcount/hooks/v1 (`headcount schema hooks`).")]
    Status(HooksStatusArgs),
}

/// Which settings are changed, and whether somebody is asked.
#[derive(Debug, Args)]
pub(crate) struct HooksChangeArgs {
    /// The agent; without one every agent that keeps files here
    #[arg(value_name = "AGENT", hide_possible_values = true, value_parser = values::AgentParser)]
    pub(crate) agent: Option<AgentKind>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
}

/// Which settings are looked at.
#[derive(Debug, Args)]
pub(crate) struct HooksStatusArgs {
    /// The agent; without one all of them
    #[arg(value_name = "AGENT", hide_possible_values = true, value_parser = values::AgentParser)]
    pub(crate) agent: Option<AgentKind>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

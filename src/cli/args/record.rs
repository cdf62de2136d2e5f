//! What can be typed after the verbs that write a manifest, or say whether one is good: `record`, `undo`, `init`, `check`. Owns
//! names, defaults and help; never acts on them.

use std::path::PathBuf;

use clap::Args;

use super::format::{Format, FormatArgs};
use super::{JudgeArgs, LockArgs, SelectionArgs, values};
use crate::store::journal::EntryId;

/// Record the drifts in the manifest
///
/// Makes one pass: observe, compare, record. Writes only the values that changed; comments, order and quoting stay. Never
/// starts, stops or types into a session. -v adds the evidence.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 done, 3 a change was refused, \
75 the manifest is locked.

Examples:
  headcount record
  headcount record --dry-run      show what would be recorded
  headcount record --json         print the report; a drift is `new` once
  headcount record --settle 0s    do not wait for changes to settle

`reconcile` is the older name of this command; scripts that use it keep working.

JSON and YAML: headcount/report/v1 (`headcount schema report`).")]
pub(crate) struct RecordArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// Print the report as JSON: the older name of --json
    #[arg(long, group = "document", conflicts_with_all = ["json", "output"], hide_short_help = true)]
    emit_diff: bool,
    /// Run a single pass (the default)
    #[arg(long, hide_short_help = true)]
    pub(crate) once: bool,
    /// Record nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Name of the reader; headcount tracks per consumer what is `new`
    #[arg(long, value_name = "NAME", value_parser = values::consumer, requires = "document", hide_short_help = true)]
    pub(crate) consumer: Option<String>,
    /// Exit 2 on drift, else 4 if something is unknown
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Keep running, as `headcount watch --subscribe`
    #[arg(long, conflicts_with_all = ["once", "exit_code"], hide_short_help = true)]
    pub(crate) subscribe: bool,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

impl RecordArgs {
    /// The form of the report, if a report was asked for.
    pub(crate) const fn document(&self) -> Option<Format> {
        if self.emit_diff { Some(Format::Json) } else { self.format.document() }
    }
}

/// Take one recorded change back
///
/// Uses the same lock, guard and journal as recording. Refuses if the manifest no longer holds what that change left.
#[derive(Debug, Args)]
#[command(after_long_help = "\
If the drift still exists, a later pass records it again; `ignore: [CLASS]` in the entry prevents that.

Exit codes: 0 taken back, 3 refused.

Examples:
  headcount history          shows the numbers
  headcount undo 123
  headcount undo 123 --dry-run")]
pub(crate) struct UndoArgs {
    /// The number of the entry, as `headcount history` shows it
    #[arg(value_name = "ENTRY")]
    pub(crate) entry: EntryId,
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Write a manifest from the running agents
///
/// Lists every session with a live coding agent, on any of your tmux servers or on zellij's default one: name, agent,
/// workspace, pane, and the conversation if it is proven. Writes to --manifest, $HEADCOUNT_MANIFEST, $AGENT_SESSIONS_YAML or
/// ./agent-sessions.yaml, and never replaces a file. Never starts, stops or types into a session.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount init                      writes ./agent-sessions.yaml
  headcount init -f ~/sessions.yaml
  headcount init --dry-run            prints it instead")]
pub(crate) struct InitArgs {
    /// Print the manifest instead of writing it
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Validate a manifest
///
/// Prints every error and warning with its place. Reads only the file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount check
  headcount check examples/minimal.yaml
  headcount check --strict               unknown keys are errors too")]
pub(crate) struct CheckArgs {
    /// The file to check instead of the manifest in use
    #[arg(value_name = "FILE", conflicts_with = "manifest")]
    pub(crate) file: Option<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) strict: bool,
}

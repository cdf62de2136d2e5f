//! What can be typed after the verbs that write a manifest, or say whether one is good: `record`, `undo`, `init`, `check`. Owns
//! names, defaults and help; never acts on them.

use std::path::PathBuf;

use clap::Args;

use super::format::{Format, FormatArgs};
use super::{JudgeArgs, LockArgs, SelectionArgs, values};
use crate::store::journal::EntryId;

/// Record in the manifest what is really there
///
/// One pass: observe, compare, record. Only the values that changed are written; comments, order and quoting stay. Nothing
/// is started, stopped or typed into. With -v also what each drift rests on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 all that could be recorded was, 3 a change was refused, \
75 the manifest is locked.

Examples:
  headcount record
  headcount record --dry-run      only say what would be recorded
  headcount record --json         print the report; a drift is `new` once
  headcount record --settle 0s    decide everything now

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
    /// Who reads the report: `new` is kept apart for each consumer
    #[arg(long, value_name = "NAME", value_parser = values::consumer, requires = "document", hide_short_help = true)]
    pub(crate) consumer: Option<String>,
    /// Exit 2 on drift, else 4 if something is unknown
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Go on as `headcount watch --subscribe` does
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
/// The same lock, guard and journal as recording it. Refused if the manifest is no longer what that change left.
#[derive(Debug, Args)]
#[command(after_long_help = "\
A later pass records the same again if the world still says so; `ignore: [CLASS]` in \
the entry keeps it from counting.

Exit codes: 0 taken back, 3 refused.

Examples:
  headcount history          shows the numbers
  headcount undo 123
  headcount undo 123 --dry-run")]
pub(crate) struct UndoArgs {
    /// The number of the entry, as `headcount history` shows it
    #[arg(value_name = "ENTRY")]
    pub(crate) entry: EntryId,
    /// Only show what would be changed
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

/// Write a manifest from what is running now
///
/// Every session, on any tmux server of yours or in zellij's default one, in which a coding agent is alive: name, agent,
/// workspace, pane, and the conversation if it is proven. It goes where --manifest, $HEADCOUNT_MANIFEST or
/// $AGENT_SESSIONS_YAML says, else to ./agent-sessions.yaml; a file that is there is never replaced. Starts, stops and types
/// into nothing.
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
/// Prints every error and warning with its place in the file. Looks at nothing but the file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount check
  headcount check examples/minimal.yaml
  headcount check --strict               unknown keys are errors too")]
pub(crate) struct CheckArgs {
    /// The file; without it the manifest that would be used
    #[arg(value_name = "FILE", conflicts_with = "manifest")]
    pub(crate) file: Option<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    pub(crate) strict: bool,
}

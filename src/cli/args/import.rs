//! What can be typed after `headcount import`. Owns names, defaults and help; never reads a file.

use std::path::PathBuf;

use clap::Args;
use clap::builder::TypedValueParser;

use super::{FormatArgs, LockArgs, values};
use crate::core::import::ImportTool;

/// Add entries for the sessions that other tools know
///
/// Reads the files of agent-deck, agent-of-empires, claude-squad, csd, tmuxp and tmux-resurrect, and changes none of them. A comment
/// behind each entry says where it comes from. Starts nothing.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Without a manifest, it writes ./agent-sessions.yaml, as `init` does.

Examples:
  headcount import --dry-run                  show what is there
  headcount import agent-deck
  headcount import tmuxp --from ~/lab.yaml    read this file or directory

Exit codes: 0 done, 1 a file could not be read (the others count), 3 the manifest cannot be edited, 75 it is locked.

JSON and YAML: headcount/import/v1 (`headcount schema import`).")]
pub(crate) struct ImportArgs {
    /// The tools whose files to read; without one, every tool
    #[arg(value_name = "TOOL", value_parser = tool())]
    pub(crate) tools: Vec<ImportTool>,
    /// The file or directory of TOOL to read instead of the usual ones
    #[arg(long, value_name = "PATH")]
    pub(crate) from: Option<PathBuf>,
    /// Only show what would be added
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
}

fn tool() -> impl TypedValueParser<Value = ImportTool> {
    values::one_of(ImportTool::ALL, ImportTool::as_str)
}

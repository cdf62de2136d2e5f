//! What can be typed after the verbs that only look: `status`, `diff`, `explain`, `history`. Owns names, defaults and help;
//! never acts on them.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::format::{Format, FormatArgs};
use super::{JudgeArgs, SelectionArgs, values};

/// Show every session: declared, observed, conversation and drift
///
/// Prints one row per entry, then the sessions that run without one. Takes no lock and creates no file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount status                        everything
  headcount status 'lab-*' --agent codex
  headcount status -l team=web -o wide    and how to resume each conversation
  headcount status --class dead -o name   names only, for scripts
  headcount status -w                     keep the table up to date

With --watch a terminal shows the current table until you press Ctrl-C. \
Elsewhere it prints the answer whenever it changes, each time as one line of JSON or one YAML document.

Exit codes: 0 done; with --exit-code 2 and 4; with --watch 0 on SIGTERM, 130 on SIGINT.

JSON and YAML: headcount/status/v1 (`headcount schema status`).")]
pub(crate) struct StatusArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Print JSON; the same as -o json
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Print as
    #[arg(long, short = 'o', value_name = "FORM")]
    output: Option<StatusForm>,
    /// Print names only; the same as -o name
    #[arg(long, short = 'q', conflicts_with_all = ["json", "output"])]
    quiet: bool,
    /// Keep running, and show what changes
    #[arg(long, short = 'w', conflicts_with = "exit_code")]
    pub(crate) watch: bool,
    /// How often to observe, with --watch
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = values::period)]
    pub(crate) interval: Duration,
    /// Exit 2 on drift, else 4 if something is unknown
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

impl Default for StatusArgs {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            json: false,
            output: None,
            quiet: false,
            watch: false,
            interval: Duration::from_secs(2),
            exit_code: false,
            selection: SelectionArgs::default(),
            judge: JudgeArgs::default(),
        }
    }
}

impl StatusArgs {
    /// The form that was asked for, if it is not the usual table.
    pub(crate) const fn form(&self) -> Option<StatusForm> {
        match (self.json, self.quiet) {
            (true, _) => Some(StatusForm::Json),
            (_, true) => Some(StatusForm::Name),
            _ => self.output,
        }
    }
}

/// Other forms of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusForm {
    /// More columns, nothing cut off
    Wide,
    /// Names only, one a line
    Name,
    /// headcount/status/v1
    Json,
    /// The same document as YAML
    Yaml,
}

impl StatusForm {
    /// The form of a document, if this is one.
    pub(crate) const fn format(self) -> Option<Format> {
        match self {
            Self::Wide | Self::Name => None,
            Self::Json => Some(Format::Json),
            Self::Yaml => Some(Format::Yaml),
        }
    }
}

/// Show what drifted, and the change that would record it
///
/// Prints a plan (`+` a new entry, `~` a changed one, `-` one whose session is gone, `!` only flagged) and the unified diff of
/// the manifest, which `patch` applies. -v adds the evidence and the values that would change. Takes no lock and creates no
/// file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Exit codes: 0 in sync, 2 any drift, 4 no drift but something is unknown.

JSON and YAML: headcount/report/v1 (`headcount schema report`).

Examples:
  headcount diff
  headcount diff --class dead,moved
  headcount diff --json | jq '.drifts[].message'")]
pub(crate) struct DiffArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Show the evidence for what headcount reports about a session
///
/// Shows each rung of evidence for its conversation, the verdict, and what would change it. Takes no lock and creates no file.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount explain lab-api-creator-codex
  headcount explain --class ambiguous    every session with that drift")]
pub(crate) struct ExplainArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "SESSION", required_unless_present_any = ["labels", "classes", "agents"])]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Show what headcount recorded, newest first
///
/// Reads the journal of this manifest.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount history                          everything, newest first
  headcount history lab-api-creator-codex    one session
  headcount history -n 5
  headcount history --json | jq -r '.entries[].message'

JSON and YAML: headcount/history/v1 (`headcount schema history`).")]
pub(crate) struct HistoryArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "SESSION")]
    pub(crate) names: Vec<String>,
    /// Show at most this many entries
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = values::count)]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

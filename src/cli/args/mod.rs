//! What can be typed after `headcount`. Owns names, defaults and help of verbs and options; never acts on them.

mod fleet;
mod job;
mod schema;
mod values;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::core::drift::Class;
use crate::core::ids::AgentKind;
use crate::core::manifest::select::Selection;
use crate::store::journal::EntryId;
pub(crate) use fleet::{FleetArgs, FleetStatusArgs, FleetVerb};
pub(crate) use job::{
    CancelArgs, EventsArgs, JobArgs, JobVerb, ListArgs, PruneArgs, PublishArgs, ShowArgs, SubmitArgs, WaitArgs,
};
pub(crate) use schema::{Document, SchemaArgs};
pub(crate) use watch::WatchArgs;

/// Keep one YAML file of coding-agent sessions true.
#[derive(Debug, Parser)]
#[command(
    name = "headcount",
    version,
    about = "Keep one YAML file of coding-agent sessions true",
    long_about = "Keep one YAML file of coding-agent sessions true.\n\n\
        headcount compares a manifest (agent-sessions.yaml) with what is really there: tmux and zellij sessions, processes \
        and transcripts on disk. It says what drifted, and records the truth back without changing a byte it did not mean to \
        change. It never starts, stops or types into a session.\n\n\
        Without a verb it does what `headcount status` does.",
    after_help = AFTER_HELP,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

const AFTER_HELP: &str = "\
Examples:
  headcount                    what is declared, what is there, what drifted
  headcount diff               what a pass would record, as a plan and a patch
  headcount reconcile          record it
  headcount watch              keep recording it, and say each drift once
  headcount explain 'lab-*'    why headcount believes what it believes

The manifest is the first of these:
  --manifest FILE, $HEADCOUNT_MANIFEST, $AGENT_SESSIONS_YAML,
  ./agent-sessions.yaml, ./.mam/agent-sessions.yaml,
  $XDG_CONFIG_HOME/headcount/agent-sessions.yaml

Exit codes:
  0   done, or in sync
  1   failure, or something could not be told
  2   drift (diff; other verbs with --exit-code)
  3   a change was refused
  64  usage
  75  locked, or not over yet (job wait): try again
  130 interrupted";

/// Options every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The manifest to use instead of searching for one
    #[arg(long, short = 'f', global = true, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// When to colour; `auto`: on a terminal, without $NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Say more on stderr, -vv and -vvv even more ($RUST_LOG works too)
    #[arg(long, short = 'v', global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// The form of messages on stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

impl Globals {
    /// The global options of a command line that does not parse, as far as they matter for saying so.
    pub(crate) fn guess(arguments: &[OsString]) -> Self {
        let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
        let color = words.iter().enumerate().find_map(|(position, word)| match word.strip_prefix("--color") {
            Some("") => words.get(position + 1).copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        });
        let color = color.and_then(|word| ColorChoice::from_str(word, false).ok()).unwrap_or(ColorChoice::Auto);
        Self { manifest: None, color, verbose: 0, log_format: LogFormat::Text }
    }
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// The form of what goes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object a line
    Json,
}

/// The verbs. Each has a file of its name in `commands/`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Status(StatusArgs),
    Diff(DiffArgs),
    Reconcile(ReconcileArgs),
    Watch(WatchArgs),
    Explain(ExplainArgs),
    History(HistoryArgs),
    Undo(UndoArgs),
    Init(InitArgs),
    Check(CheckArgs),
    Job(JobArgs),
    Fleet(FleetArgs),
    Demo(DemoArgs),
    Doctor(DoctorArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Which sessions a verb is about.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// Only sessions with such a label; several must all match
    #[arg(long = "label", short = 'l', value_name = "KEY=VALUE", value_delimiter = ',', value_parser = values::label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Only drifts of these classes
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',', value_parser = values::class())]
    pub(crate) classes: Vec<Class>,
    /// Only sessions of these agents, or of others that the manifest declares
    #[arg(long = "agent", value_name = "AGENT", value_delimiter = ',', value_parser = values::AgentParser)]
    pub(crate) agents: Vec<AgentKind>,
}

impl SelectionArgs {
    /// The selection, with the NAMEs given beside these options.
    pub(crate) fn with_names(&self, names: &[String]) -> Selection {
        Selection {
            names: names.to_vec(),
            labels: self.labels.clone(),
            classes: self.classes.clone(),
            agents: self.agents.clone(),
        }
    }
}

/// How a pass judges.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Judging")]
pub(crate) struct JudgeArgs {
    /// How long something young is left to settle before it is decided
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration)]
    pub(crate) settle: Duration,
    /// Treat warnings about the manifest as errors
    #[arg(long)]
    pub(crate) strict: bool,
}

impl Default for JudgeArgs {
    fn default() -> Self {
        Self { settle: Duration::from_secs(5), strict: false }
    }
}

/// How the manifest is locked.
#[derive(Debug, Clone, Args)]
pub(crate) struct LockArgs {
    /// How long to wait while another program holds the manifest's lock
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub(crate) lock_timeout: Duration,
}

impl LockArgs {
    /// How an update goes about it.
    pub(crate) fn update(&self) -> crate::store::manifest::Options {
        crate::store::manifest::Options { lock_wait: self.lock_timeout, ..Default::default() }
    }
}

/// Show every session: declared, observed, its conversation and its drift
///
/// One row per session of the manifest, then the sessions found running without an entry. Looks only: takes no lock and
/// creates no file.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  headcount status                        everything
  headcount status 'lab-*' --agent codex
  headcount status -l team=web -o wide    and how to resume each conversation
  headcount status --class dead -o name   names only, for scripts")]
pub(crate) struct StatusArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Print the status as JSON (headcount/status/v1)
    #[arg(long, conflicts_with = "output")]
    pub(crate) json: bool,
    /// Another form of the table
    #[arg(long, short = 'o', value_name = "FORM")]
    pub(crate) output: Option<StatusOutput>,
    /// Exit 2 if anything drifted, 1 if something could not be told
    #[arg(long)]
    pub(crate) exit_code: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Other forms of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusOutput {
    /// More columns, nothing cut off
    Wide,
    /// Names only, one a line
    Name,
}

/// Show what drifted, and the change to the manifest that would record it
///
/// Prints a plan (`+` a new entry, `~` a changed one, `-` one whose session is gone, `!` only flagged) and the unified diff
/// of the manifest, which `patch` applies. With -v also what each drift rests on and the values that would change. Looks
/// only: takes no lock and creates no file.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 in sync, 2 any drift, 1 no drift but something could not be told.

Examples:
  headcount diff
  headcount diff --class dead,moved
  headcount diff --json | jq '.drifts[].message'")]
pub(crate) struct DiffArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Print the report as JSON (headcount/report/v1)
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Record in the manifest what is really there
///
/// One pass: observe, compare, record. Only the values that changed are written; comments, order and quoting stay. Nothing
/// is started, stopped or typed into. With -v also what each drift rests on.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all that could be recorded was, 3 a change was refused, \
75 the manifest is locked.

Examples:
  headcount reconcile
  headcount reconcile --dry-run      only say what would be recorded
  headcount reconcile --emit-diff    print the report; a drift is `new` once
  headcount reconcile --settle 0s    decide everything now")]
pub(crate) struct ReconcileArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Make one pass and end, which is what it does anyway
    #[arg(long)]
    pub(crate) once: bool,
    /// Print the report as JSON (headcount/report/v1), and remember its drifts as reported
    #[arg(long)]
    pub(crate) emit_diff: bool,
    /// Record nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Who reads the report: `new` is kept apart for each consumer
    #[arg(long, value_name = "NAME", value_parser = values::consumer, requires = "emit_diff")]
    pub(crate) consumer: Option<String>,
    /// Exit 2 if anything drifted, 1 if something could not be told
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Go on as `headcount watch --subscribe` does; with --emit-diff its events are JSON
    #[arg(long, conflicts_with_all = ["once", "exit_code"])]
    pub(crate) subscribe: bool,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Say why headcount believes what it believes about a session
///
/// Every rung of the evidence for its conversation, what was found there, what follows from it, and what would change
/// headcount's mind. Looks only.
#[derive(Debug, Args)]
#[command(after_help = "\
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
#[command(after_help = "\
Examples:
  headcount history                          everything, newest first
  headcount history lab-api-creator-codex    one session
  headcount history -n 5
  headcount history --json | jq -r '.entries[].message'")]
pub(crate) struct HistoryArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "SESSION")]
    pub(crate) names: Vec<String>,
    /// Show at most this many entries
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = values::count)]
    pub(crate) limit: Option<usize>,
    /// Print them as JSON (headcount/history/v1)
    #[arg(long)]
    pub(crate) json: bool,
}

/// Take one recorded change back
///
/// The same lock, guard and journal as recording it. Refused if the manifest is no longer what that change left.
#[derive(Debug, Args)]
#[command(after_help = "\
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
#[command(after_help = "\
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
#[command(after_help = "\
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

/// Show what headcount does, on a private tmux server
///
/// Builds a temporary HOME with stand-in agents and one drift of each class, shows them, records them, shows that a second
/// pass is quiet, and removes it all again. Touches nothing of yours.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {}

/// Check that this machine lets headcount see and write what it needs
///
/// Prints one row per check with what to do about it. Exits 1 if something fails; warnings do not count.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(headcount completions bash)    in ~/.bashrc
  source <(headcount completions zsh)     in ~/.zshrc, after compinit
  headcount completions fish | source     in ~/.config/fish/config.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Print a manual page
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  headcount man | man -l -
  headcount man job submit > headcount-job-submit.1
  headcount man --dir ~/.cargo/share/man/man1    all of them, to stay")]
pub(crate) struct ManArgs {
    /// The verb, and the verb below it; without one the page of headcount itself
    #[arg(value_name = "VERB", num_args = 0..=2)]
    pub(crate) verbs: Vec<String>,
    /// Write every page into this directory instead, which is made if it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "verbs")]
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}

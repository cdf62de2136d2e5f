//! What can be typed after `headcount`. Owns names, defaults and help of verbs and options; never acts on them.

mod complete;
mod crew;
mod deferred;
mod drive;
mod entry;
mod fleet;
mod format;
mod groups;
mod hooks;
mod import;
mod job;
mod lead;
mod look;
mod mcp;
mod reading;
mod record;
mod schema;
mod setup;
mod values;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{ArgAction, ArgMatches, Args, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::core::drift::Class;
use crate::core::ids::AgentKind;
use crate::core::manifest::select::Selection;
pub(crate) use complete::{CompleteArgs, CompletionShell};
pub(crate) use crew::{
    CrewAnswerArgs, CrewArgs, CrewAssignArgs, CrewBusArgs, CrewCancelArgs, CrewCommand, CrewContextArgs, CrewDispatchArgs,
    CrewGuardArgs, CrewInboxArgs, CrewInitArgs, CrewReplyArgs, CrewRequeueArgs, CrewStatusArgs,
};
use deferred::Deferred;
pub(crate) use drive::{AnswerArgs, AskArgs, AwaitArgs, QueueArgs, SendArgs, WhomArgs};
pub(crate) use entry::{DescribeArgs, ForgetArgs, HandoffArgs, MoveArgs, ReleaseArgs, RenameArgs, RmArgs};
pub(crate) use fleet::{FleetArgs, FleetStatusArgs, FleetVerb};
pub(crate) use format::{Format, FormatArgs};
pub(crate) use hooks::{HookEventsArgs, HooksArgs, HooksChangeArgs, HooksStatusArgs, HooksVerb};
pub(crate) use import::ImportArgs;
pub(crate) use job::{
    CancelArgs, EventsArgs, JobArgs, JobLogsArgs, JobResumeArgs, JobStopArgs, JobVerb, ListArgs, PruneArgs, PublishArgs,
    RunArgs, ShowArgs, SubmitArgs, WaitArgs,
};
pub(crate) use lead::{
    AllowArgs, ApplyArgs, AttachArgs, Consent, ConsentArgs, EndArgs, NewArgs, PlanArgs, RestartArgs, StartArgs, StopArgs,
    WhichArgs,
};
pub(crate) use look::{DiffArgs, ExplainArgs, HistoryArgs, StatusArgs, StatusForm};
pub(crate) use mcp::McpArgs;
#[cfg(feature = "mcp")]
pub(crate) use mcp::{McpClientKind, McpGrant};
pub(crate) use reading::{LogsArgs, ReadArgs, ScreenArgs, SourceArgs};
pub(crate) use record::{CheckArgs, InitArgs, RecordArgs, UndoArgs};
pub(crate) use schema::{SchemaArgs, SchemaName};
pub(crate) use setup::{CompletionsArgs, DemoArgs, DoctorArgs, LinksArgs, ManArgs, ServeArgs, UiArgs};
pub(crate) use watch::WatchArgs;

/// What is typed.
#[derive(Debug, Parser)]
#[command(
    name = "headcount",
    version,
    about = "Keep track of the coding agents you run in tmux and zellij",
    long_about = "Keep track of the coding agents you run in tmux and zellij.\n\n\
        headcount compares a manifest (agent-sessions.yaml) with the tmux and zellij sessions, processes and transcripts \
        that exist. It reports each difference (drift), and records it in the manifest without changing any \
        other byte. `apply`, `start` and `stop` go the other way: they make sessions follow the manifest. `send` talks to \
        their agents.\n\n\
        Without a command it runs `headcount status`.",
    after_long_help = AFTER_HELP,
    max_term_width = 100,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub(crate) struct CliOf<const LAZY: bool> {
    #[command(flatten)]
    pub(crate) globals: Globals,
    /// Print the version
    #[arg(long, short = 'V', action = ArgAction::Version, help_heading = GLOBAL, hide_short_help = true)]
    version: Option<bool>,
    #[command(subcommand)]
    pub(crate) verb: Option<VerbOf<LAZY>>,
}

/// The same, to be read.
pub(crate) type Cli = CliOf<true>;

/// A verb that was read.
pub(crate) type Verb = VerbOf<true>;

/// The heading of the options that every command takes. Theirs is the last one, so `--help` is among them.
const GLOBAL: &str = "Global options";

/// A command line that was read.
pub(crate) struct Typed {
    pub(crate) cli: Cli,
    pub(crate) matches: ArgMatches,
    /// What can be typed, built as far as it was: the verb, and the one below it.
    pub(crate) command: Command,
}

/// Reads a command line; its first word is the program.
///
/// # Errors
/// Help, the version, or a usage error.
pub(crate) fn parse<T: Clone + Into<OsString>>(words: &[T]) -> Result<Typed, clap::Error> {
    let read = |mut command: Command| {
        let matches = command.try_get_matches_from_mut(words.iter().cloned())?;
        Ok(Typed { cli: Cli::from_arg_matches(&matches)?, matches, command })
    };
    // What is said of a mistake, or as help, needs them all.
    read(Cli::command()).or_else(|error: clap::Error| match error.kind() {
        ErrorKind::DisplayVersion => Err(error),
        _ => read(command()),
    })
}

/// The command line with the options of every verb.
pub(crate) fn whole() -> Command {
    CliOf::<false>::command()
}

/// The same, with its help in groups.
pub(crate) fn command() -> Command {
    let command = whole();
    let [short, long] = [false, true].map(|long| groups::help(&command, long));
    command.before_help(short).before_long_help(long).help_template(groups::TEMPLATE)
}

const AFTER_HELP: &str = "\
Examples:
  headcount                    show every session and its drift
  headcount diff               show what `record` would write
  headcount record             record it
  headcount watch              keep recording, and print each drift once
  headcount explain 'lab-*'    show the evidence

headcount uses the first manifest it finds, in this order:
  --manifest FILE, $HEADCOUNT_MANIFEST, $AGENT_SESSIONS_YAML,
  ./agent-sessions.yaml, ./.mam/agent-sessions.yaml,
  $XDG_CONFIG_HOME/headcount/agent-sessions.yaml

Exit codes:
  0   done, or in sync
  1   failure
  2   drift, or something to do (diff, plan; other commands with --exit-code)
  3   a change or an action was refused
  4   something is unknown (diff, plan, apply, fleet; others with --exit-code)
  64  usage
  75  locked, or not over yet (wait, job wait, stop): try again
  130 interrupted";

/// Options every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = GLOBAL)]
pub(crate) struct Globals {
    /// The manifest to use instead of searching for one
    #[arg(long, short = 'f', global = true, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// The host of the manifest's `hosts` on which to do it; `all`, for `status`: every one and this one
    #[arg(long, short = 'H', global = true, value_name = "HOST", hide_short_help = true)]
    pub(crate) host: Option<String>,
    /// When to colour; `auto`: on a terminal, without $NO_COLOR
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_short_help = true)]
    pub(crate) color: ColorChoice,
    /// Log more to stderr; -vv and -vvv log even more ($RUST_LOG works too)
    #[arg(long, short = 'v', global = true, action = ArgAction::Count, hide_short_help = true)]
    pub(crate) verbose: u8,
    /// The form of messages on stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text", hide_short_help = true)]
    pub(crate) log_format: LogFormat,
    /// Print help; `--help` prints more than `-h`
    #[arg(long, short = 'h', global = true, action = ArgAction::Help)]
    help: Option<bool>,
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
        Self { manifest: None, host: None, color, verbose: 0, log_format: LogFormat::Text, help: None }
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
pub(crate) enum VerbOf<const LAZY: bool> {
    #[command(visible_aliases = ["ls", "ps"])]
    Status(Deferred<StatusArgs, LAZY>),
    Ui(Deferred<UiArgs, LAZY>),
    Diff(Deferred<DiffArgs, LAZY>),
    #[command(visible_alias = "reconcile")]
    Record(Deferred<RecordArgs, LAZY>),
    Watch(Deferred<WatchArgs, LAZY>),
    Describe(Deferred<DescribeArgs, LAZY>),
    Explain(Deferred<ExplainArgs, LAZY>),
    History(Deferred<HistoryArgs, LAZY>),
    Undo(Deferred<UndoArgs, LAZY>),
    Plan(Deferred<PlanArgs, LAZY>),
    Apply(Deferred<ApplyArgs, LAZY>),
    #[command(visible_alias = "up")]
    Start(Deferred<StartArgs, LAZY>),
    #[command(visible_alias = "down")]
    Stop(Deferred<StopArgs, LAZY>),
    Restart(Deferred<RestartArgs, LAZY>),
    New(Deferred<NewArgs, LAZY>),
    Rm(Deferred<RmArgs, LAZY>),
    Forget(Deferred<ForgetArgs, LAZY>),
    Rename(Deferred<RenameArgs, LAZY>),
    Move(Deferred<MoveArgs, LAZY>),
    Handoff(Deferred<HandoffArgs, LAZY>),
    Release(Deferred<ReleaseArgs, LAZY>),
    Attach(Deferred<AttachArgs, LAZY>),
    Read(Deferred<ReadArgs, LAZY>),
    // These two have a `--manifest` of their own, which has to be there before that of all is.
    Logs(LogsArgs),
    Screen(Deferred<ScreenArgs, LAZY>),
    Events(HookEventsArgs),
    Hooks(Deferred<HooksArgs, LAZY>),
    Send(Deferred<SendArgs, LAZY>),
    Queue(Deferred<QueueArgs, LAZY>),
    Ask(Deferred<AskArgs, LAZY>),
    Answer(Deferred<AnswerArgs, LAZY>),
    Wait(Deferred<AwaitArgs, LAZY>),
    Allow(Deferred<AllowArgs, LAZY>),
    Consent(Deferred<ConsentArgs, LAZY>),
    Links(Deferred<LinksArgs, LAZY>),
    Init(Deferred<InitArgs, LAZY>),
    Import(Deferred<ImportArgs, LAZY>),
    #[command(visible_alias = "validate")]
    Check(Deferred<CheckArgs, LAZY>),
    Job(Deferred<JobArgs, LAZY>),
    Crew(Deferred<CrewArgs, LAZY>),
    Fleet(Deferred<FleetArgs, LAZY>),
    Demo(Deferred<DemoArgs, LAZY>),
    Doctor(Deferred<DoctorArgs, LAZY>),
    Mcp(Deferred<McpArgs, LAZY>),
    Serve(Deferred<ServeArgs, LAZY>),
    Schema(Deferred<SchemaArgs, LAZY>),
    Completions(Deferred<CompletionsArgs, LAZY>),
    Man(Deferred<ManArgs, LAZY>),
    #[command(hide = true)]
    Complete(Deferred<CompleteArgs, LAZY>),
}

/// Which sessions a verb is about.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArgs {
    /// Only sessions with this label
    ///
    /// Repeat it to require several labels.
    #[arg(long = "label", short = 'l', value_name = "KEY=VALUE", value_delimiter = ',', value_parser = values::label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Only drifts of these classes, such as dead or moved
    #[arg(long = "class", value_name = "CLASS", hide_possible_values = true, long_help = values::class_help(), value_delimiter = ',', value_parser = values::class())]
    pub(crate) classes: Vec<Class>,
    /// Only sessions of these agents, such as claude
    #[arg(long = "agent", value_name = "AGENT", hide_possible_values = true, long_help = values::agent_help(), value_delimiter = ',', value_parser = values::AgentParser)]
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
    /// Ignore changes younger than this
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::duration, hide_short_help = true)]
    pub(crate) settle: Duration,
    /// Treat warnings about the manifest as errors
    #[arg(long, hide_short_help = true)]
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
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration, hide_short_help = true)]
    pub(crate) lock_timeout: Duration,
}

impl LockArgs {
    /// How an update goes about it.
    pub(crate) fn update(&self) -> crate::store::manifest::UpdateOptions {
        crate::store::manifest::UpdateOptions { lock_wait: self.lock_timeout, ..Default::default() }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}

//! What can be typed after `headcount schema`. Owns the names of the documents and their help; never prints one.

use clap::{Args, ValueEnum};

/// Print a JSON Schema
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount schema manifest > agent-sessions.schema.json
  headcount schema manifest --markdown | less    every key, for people
  headcount schema report")]
pub(crate) struct SchemaArgs {
    /// The document
    #[arg(value_name = "DOCUMENT")]
    pub(crate) document: SchemaName,
    /// Print the reference of the manifest as a page for people
    #[arg(long)]
    pub(crate) markdown: bool,
}

/// The documents that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaName {
    /// The manifest, for editors and validators
    Manifest,
    /// What `diff --json` and `record --json` print
    Report,
    /// What `status --json` prints
    Status,
    /// What `describe --json` prints
    Describe,
    /// What `history --json` prints
    History,
    /// What `watch --publish` publishes about a host
    Host,
    /// What `watch --publish` publishes about a session
    Session,
    /// What `watch --publish` publishes about a drift
    Drift,
    /// What `watch --json` prints, each line
    Events,
    /// What `events --json` prints, each line
    Event,
    /// What `plan --json` prints
    Plan,
    /// What `apply`, `start`, `stop` and `restart` print with --json
    Apply,
    /// What `read --json` prints, each turn
    Turn,
    /// What `logs --json` prints, each step
    Log,
    /// What `screen --json` prints
    Screen,
    /// What `send --json` prints
    Receipt,
    /// What `queue --json` prints
    Queue,
    /// What `ask --json` prints
    Ask,
    /// What `answer --json` prints
    Answer,
    /// What `wait --json` prints
    Wait,
    /// What `import --json` prints
    Import,
    /// What `links --json` prints
    Links,
    /// What `hooks status --json` prints
    Hooks,
    /// What `fleet status --json` prints
    Fleet,
    /// What `fleet status --watch --json` prints, each line
    FleetEvents,
    /// The record of a delegated job
    Job,
    /// An event of a delegated job, as it is published
    JobEvent,
}

//! What can be typed after the verbs that set headcount up: `demo`, `doctor`, `serve`, `completions`, `man`. Owns names, defaults and
//! help; never acts on them.

use std::path::PathBuf;

use clap::Args;

use super::{FormatArgs, JudgeArgs};

/// Show one of each drift, and sessions that come back, on a private tmux server
///
/// Builds a temporary HOME with stand-in agents and one drift of each class. Shows and records them, and shows that a second
/// pass is quiet. Then starts two sessions, ends their server, and brings both back in their conversations. Removes
/// everything. Leaves your own sessions and files alone.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {}

/// Check that this machine lets headcount see and write what it needs
///
/// Prints one row per check, and how to fix what is wrong. Exits 1 if a check fails; warnings do not count.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Show how agents are started and stopped instead, and on which version that was measured
    #[arg(long)]
    pub(crate) tables: bool,
}

/// Let the headcount of another host run commands here
///
/// `headcount -H HOST` starts it through ssh. It reads commands as lines of JSON from its standard input, runs each as this program
/// would, and ends with that input.
#[derive(Debug, Args)]
#[command(after_long_help = "\
It listens on no port. `allow` and `consent`, and what else takes a person at this host, are refused.

Examples:
  ssh ml headcount serve --stdio

Exit codes: 0 its input has ended, 64 a terminal is no input for it.")]
pub(crate) struct ServeArgs {
    /// Speak over the standard input and output
    #[arg(long, required = true)]
    stdio: bool,
}

/// Watch, read and drive every session on one screen
///
/// Lists the sessions that need you first, and shows the screen of the selected one as it changes. Keys do what the commands do:
/// attach, send, answer, start, stop, and more; `?` shows them all.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount ui
  headcount ui -f team.yaml

Exit codes: 0 you left it, 64 this is no terminal that it can draw on, 130 interrupted.")]
pub(crate) struct UiArgs {
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
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
#[command(after_long_help = "\
Examples:
  headcount man | man -l -
  headcount man job submit > headcount-job-submit.1
  headcount man --dir ~/.cargo/share/man/man1    install all of them")]
pub(crate) struct ManArgs {
    /// The command; without one the page of headcount itself
    #[arg(value_name = "COMMAND", num_args = 0..=2)]
    pub(crate) verbs: Vec<String>,
    /// Write every page into this directory, created if it is missing
    #[arg(long, value_name = "DIR", conflicts_with = "verbs")]
    pub(crate) dir: Option<PathBuf>,
}

/// Make links by whose names headcount is another tool
///
/// What leads to a headcount already is renewed. Anything else of such a name is left alone.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount links ~/.local/bin
  headcount links --skill ~/.claude/skills/driving-claude-code-sessions

Exit codes: 0 done, 1 one could not be made, 3 something else has a name and was left alone.

JSON and YAML: headcount/links/v1 (`headcount schema links`).")]
pub(crate) struct LinksArgs {
    /// The directory for the links, created if it is missing
    #[arg(value_name = "DIR", required_unless_present = "skill")]
    pub(crate) directory: Option<PathBuf>,
    /// The directory of a skill that such a tool drives: gets its scripts
    #[arg(long, value_name = "DIR")]
    pub(crate) skill: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

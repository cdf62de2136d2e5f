//! What can be typed after the verbs that set headcount up: `demo`, `doctor`, `completions`, `man`. Owns names, defaults and
//! help; never acts on them.

use std::path::PathBuf;

use clap::Args;

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

//! What the completion scripts pass to `headcount complete`. Owns the names; never acts on them.

use clap::{Args, ValueEnum};

/// Print what can be typed next; the scripts of `headcount completions` ask this
#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// The shell that asks
    pub(crate) shell: CompletionShell,
    /// The command, up to the cursor
    #[arg(allow_hyphen_values = true)]
    pub(crate) line: String,
    /// The end of the line that the shell will replace, if that is not the whole last word
    #[arg(allow_hyphen_values = true)]
    pub(crate) replaced: Option<String>,
}

/// The shells whose scripts ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    Bash,
    Zsh,
    Fish,
}

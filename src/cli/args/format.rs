//! In which form an answer for programs is asked for: `--json`, `-o json`, `-o yaml`. Owns the options; never renders.

use clap::{ArgGroup, Args, ValueEnum};

/// The form of the answer, where it is a document.
#[derive(Debug, Clone, Default, Args)]
#[command(group = ArgGroup::new("document").multiple(true))]
pub(crate) struct FormatArgs {
    /// Print JSON; the same as -o json
    #[arg(long, group = "document", conflicts_with = "output")]
    json: bool,
    /// Print as
    #[arg(long, short = 'o', value_name = "FORM", group = "document")]
    output: Option<Format>,
}

impl FormatArgs {
    /// The form of the document, if one was asked for.
    pub(crate) const fn document(&self) -> Option<Format> {
        if self.json { Some(Format::Json) } else { self.output }
    }
}

impl From<Option<Format>> for FormatArgs {
    fn from(output: Option<Format>) -> Self {
        Self { json: false, output }
    }
}

/// The forms of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Yaml,
}

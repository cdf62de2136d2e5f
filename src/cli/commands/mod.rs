//! The verbs, a file each: from arguments to an answer and an exit code. They decide nothing about sessions.

pub(crate) mod check;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod crew;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod fleet;
pub(crate) mod history;
pub(crate) mod hooks;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod job;
pub(crate) mod lead;
pub(crate) mod links;
pub(crate) mod man;
pub(crate) mod mcp;
pub(crate) mod reading;
pub(crate) mod record;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod ui;
pub(crate) mod undo;
pub(crate) mod watch;

use serde::Serialize;

use super::Context;
use super::args::Format;
use super::error::{CliError, Exit};
use super::render::{json, yaml};
use crate::core::report::Counts;

/// Prints a document for programs.
fn print_document(document: &impl Serialize, format: Format, context: &Context) -> Result<(), CliError> {
    let text = match format {
        Format::Json => json::render(document),
        Format::Yaml => yaml::render(document),
    };
    context.out.answer(&text.map_err(|error| CliError::caused_by(Exit::Failure, &error))?)
}

/// One of many documents for programs: a line of JSON, or a document of a YAML stream.
fn document_line(document: &impl Serialize, format: Format) -> Result<String, serde_json::Error> {
    match format {
        Format::Json => json::line(document),
        Format::Yaml => yaml::line(document),
    }
}

/// The exit code that tells drift: 2 any drift, 4 no drift but something unknown, 0 in sync.
fn drift_exit(counts: &Counts, in_sync: bool) -> Exit {
    match (counts.drifts, in_sync) {
        (1.., _) => Exit::Drift,
        (0, false) => Exit::Unknown,
        (0, true) => Exit::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_outranks_the_unknown_and_the_unknown_is_never_in_sync() {
        let counts = |drifts, unknown| Counts { drifts, unknown, ..Counts::default() };
        assert_eq!(drift_exit(&counts(0, 0), true), Exit::Done);
        assert_eq!(drift_exit(&counts(1, 0), false), Exit::Drift);
        assert_eq!(drift_exit(&counts(1, 1), false), Exit::Drift);
        assert_eq!(drift_exit(&counts(0, 1), false), Exit::Unknown);
    }
}

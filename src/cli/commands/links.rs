//! `headcount links`: makes the links by whose names headcount is another tool.

use std::path::Path;

use super::print_document;
use crate::cli::args::LinksArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::Style;
use crate::cli::{Context, compat};
use crate::control::lead::launcher;
use crate::control::links;
use crate::core::links::{LINKS_SCHEMA, LinkForm, LinkOutcome, LinksReport};
use crate::core::text::printable;

/// Makes them, and says what became of each.
pub(crate) fn run(args: &LinksArgs, context: &Context) -> Result<Exit, CliError> {
    let program = launcher().map_err(|why| CliError::new(Exit::Failure, why))?;
    let mut report = LinksReport { schema: LINKS_SCHEMA.to_owned(), program, links: Vec::new() };
    for (directory, form) in [(&args.directory, LinkForm::Link), (&args.skill, LinkForm::Script)] {
        if let Some(directory) = directory {
            let made = links::make(&report.program, &absolute(directory)?, form, &compat::wanted(form));
            report.links.extend(made);
        }
    }
    match args.format.document() {
        Some(format) => print_document(&report, format, context)?,
        None => context.out.answer(&text(&report, context))?,
    }
    let has = |outcome| report.links.iter().any(|link| link.outcome == outcome);
    Ok(match (has(LinkOutcome::Failed), has(LinkOutcome::Refused)) {
        (true, _) => Exit::Failure,
        (false, true) => Exit::Refused,
        (false, false) => Exit::Done,
    })
}

fn absolute(directory: &Path) -> Result<std::path::PathBuf, CliError> {
    std::path::absolute(directory)
        .map_err(|error| CliError::new(Exit::Failure, format!("cannot use {}: {error}", directory.display())))
}

fn text(report: &LinksReport, context: &Context) -> String {
    let line = |link: &crate::core::links::LinkReport| {
        let (style, word) = match link.outcome {
            LinkOutcome::Made => (Style::Good, "made"),
            LinkOutcome::Changed => (Style::Good, "changed"),
            LinkOutcome::Unchanged => (Style::Dim, "unchanged"),
            LinkOutcome::Refused => (Style::Warn, "left alone"),
            LinkOutcome::Failed => (Style::Bad, "failed"),
        };
        let word = context.out.look.paint(style, &format!("{word:<10}"));
        let why = link.message.as_deref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
        format!("{word} {}{why}\n", printable(&link.path.display().to_string()))
    };
    report.links.iter().map(line).collect()
}

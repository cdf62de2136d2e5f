//! `headcount job prune`: removes jobs that have ended. Touches nothing else in the registry.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{headless, print_document};
use crate::cli::Context;
use crate::cli::args::PruneArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::plural;
use crate::store::jobs::Registry;

/// Removes them, or says which it would.
pub(crate) fn run(args: &PruneArgs, registry: &Registry, context: &Context) -> Result<Exit, CliError> {
    let age = TimeDelta::from_std(args.older_than).unwrap_or(TimeDelta::MAX);
    let before = Utc::now().checked_sub_signed(age).unwrap_or(DateTime::<Utc>::MIN_UTC);
    if !args.dry_run {
        for job in registry.prune(before, true)?.jobs {
            headless::take_away(&job.id, context)?;
        }
    }
    let pruned = registry.prune(before, args.dry_run)?;
    for path in &pruned.kept {
        context.out.note(&format!("{} was not deleted, because other programs have files in it", path.display()));
    }
    if let Some(format) = args.format.document() {
        let ids: Vec<&str> = pruned.jobs.iter().map(|job| job.id.as_str()).collect();
        print_document(&json!({"schema": "headcount/jobs-pruned/v1", "dry_run": args.dry_run, "jobs": ids}), format, context)?;
    } else {
        let verb = if args.dry_run { "Would remove" } else { "Removed" };
        let lines: String = pruned.jobs.iter().map(|job| format!("{} {}\n", job.id, job.status)).collect();
        context.out.answer(&format!("{lines}{verb} {}.\n", plural(pruned.jobs.len(), "job", "jobs")))?;
        let ended = registry.prune(DateTime::<Utc>::MAX_UTC, true)?.jobs.len();
        let younger = if args.dry_run { ended.saturating_sub(pruned.jobs.len()) } else { ended };
        if younger > 0 {
            let jobs = plural(younger, "job", "jobs");
            context.out.note(&format!("{jobs} ended later; `--older-than 0s` removes all that have ended"));
        }
    }
    Ok(Exit::Done)
}

//! `headcount check`: whether a manifest is well-formed. Looks at nothing but the file.

use std::path::Path;

use crate::cli::args::CheckArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::plural;
use crate::cli::{Context, run_pass};
use crate::core::text::printable;
use crate::store::manifest::ManifestFile;
use crate::yaml::{self, Diagnostic};

/// Says that the manifest is valid, or everything that is wrong with it.
pub(crate) fn run(args: &CheckArgs, context: &Context) -> Result<Exit, CliError> {
    let found = match &args.file {
        Some(file) => manifest_path::named(file, "the argument", &Surroundings::real())?,
        None => manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?,
    };
    tracing::info!(manifest = %found.path.display(), source = found.source, "checking this manifest");
    let snapshot = ManifestFile::open(&found.path)?.read()?;
    let (sessions, warnings) = judge(&snapshot.bytes, &found.path, context)?;
    let name = found.path.display().to_string();
    if !warnings.is_empty() {
        let text = String::from_utf8_lossy(&snapshot.bytes);
        let picture = yaml::render(&warnings, &name, &text, context.out.color_errors);
        let count = plural(warnings.len(), "warning", "warnings");
        if args.strict {
            return Err(
                CliError::new(Exit::Failure, format!("{name} has {count}; --strict makes each an error")).detail(picture)
            );
        }
        context.out.picture(&picture);
    }
    let warned =
        if warnings.is_empty() { String::new() } else { format!(", {}", plural(warnings.len(), "warning", "warnings")) };
    context.out.answer(&format!("{}: valid, {}{warned}\n", printable(&name), plural(sessions, "session", "sessions")))?;
    Ok(Exit::Done)
}

/// How many sessions the manifest has, and its warnings.
fn judge(bytes: &[u8], path: &Path, context: &Context) -> Result<(usize, Vec<Diagnostic>), CliError> {
    let invalid = |diagnostics: &[Diagnostic]| {
        let text = String::from_utf8_lossy(bytes);
        CliError::invalid_manifest(path, diagnostics, &text, context.out.color_errors)
    };
    let text = yaml::decode(bytes).map_err(|diagnostic| invalid(&[diagnostic]))?;
    let loaded = yaml::load(text, &run_pass::surroundings()).map_err(|diagnostics| invalid(&diagnostics))?;
    Ok((loaded.manifest.sessions.len(), loaded.warnings))
}

//! `headcount import`: entries for the sessions that other tools know. Starts nothing.

use std::path::{Path, PathBuf};

use super::{init, print_document};
use crate::cli::args::{ImportArgs, JudgeArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::{import, patch};
use crate::cli::run_pass::{self, PassRequest};
use crate::cli::{Context, compat};
use crate::control::import::{ImportRequest, Imports};
use crate::control::init::HEAD;
use crate::control::lead::DeclareError;
use crate::core::import::ImportReport;
use crate::core::manifest::Manifest;
use crate::core::manifest::select::Selection;
use crate::core::text::printable;
use crate::store::manifest::ManifestFile;
use crate::store::paths::StateHome;
use crate::yaml;

/// The manifest as it is before anything is added.
struct Before {
    path: PathBuf,
    text: String,
    manifest: Manifest,
    /// Whether there is none yet.
    is_new: bool,
}

/// Reads what other tools know, shows it, and adds it.
pub(crate) fn run(args: &ImportArgs, context: &Context) -> Result<Exit, CliError> {
    if args.from.is_some() && args.tools.len() != 1 {
        return Err(CliError::new(Exit::Usage, "--from takes one TOOL: whose file it is")
            .hint("for example: headcount import tmuxp --from lab.yaml"));
    }
    let before = before(context)?;
    let state_home = StateHome::from_environment(|name| std::env::var_os(name))?;
    let world = run_pass::world(&state_home);
    let here =
        std::env::current_dir().map_err(|error| CliError::new(Exit::Failure, format!("cannot tell where this is: {error}")))?;
    let (csd, csd_problem) = compat::csd_place();
    let request = ImportRequest { tools: args.tools.clone(), from: args.from.clone(), csd, csd_problem, here };
    let imports = Imports::find(&request, &world, &before.manifest);
    let report = imports.report(&before.path, args.dry_run);
    if let (Some(from), true) = (&args.from, report.sources.is_empty()) {
        let why = format!("{}: no file of {} is there", printable(&from.display().to_string()), args.tools[0].as_str());
        return Err(CliError::new(Exit::Failure, why));
    }
    let refused =
        |refusal: yaml::Refusal| CliError::new(Exit::Refused, format!("the manifest cannot be edited: {}", refusal.why()));
    let new = match imports.entries() {
        [] => before.text.clone(),
        _ => imports.added_to(&before.text, &before.manifest).map_err(refused)?,
    };
    if report.written {
        write(&imports, &before, args, context)?;
    }
    say(&report, &before, &new, args, context)?;
    let failed = report.sources.iter().any(|source| source.problem.is_some());
    Ok(if failed { Exit::Failure } else { Exit::Done })
}

/// The manifest that is meant, or the one that `init` would write without a session.
fn before(context: &Context) -> Result<Before, CliError> {
    let named = context.globals.manifest.as_deref();
    let around = Surroundings::real();
    let path = match manifest_path::find(named, &around) {
        Ok(found) => found.path,
        Err(_) => manifest_path::meant(named, &around).unwrap_or_else(|| PathBuf::from(init::HERE)),
    };
    let is_new = path.symlink_metadata().is_err();
    let text = match is_new {
        true => HEAD.to_owned(),
        false => String::from_utf8_lossy(&ManifestFile::open(&path)?.read()?.bytes).into_owned(),
    };
    let invalid = |all: Vec<_>| CliError::invalid_manifest(&path, &all, &text, context.out.color_errors);
    let manifest = yaml::load(&text, &run_pass::surroundings()).map_err(invalid)?.manifest;
    Ok(Before { path, text, manifest, is_new })
}

fn write(imports: &Imports, before: &Before, args: &ImportArgs, context: &Context) -> Result<(), CliError> {
    if before.is_new {
        init::write(&before.path, HEAD).map_err(|error| init::failed(&before.path, &error))?;
    }
    let judge = JudgeArgs::default();
    let look = PassRequest::look(Selection::default(), &judge);
    let options = run_pass::options(PassRequest { update: args.lock.update(), ..look }, context)?;
    let saved = imports.write(&run_pass::world(&options.state_home), &options).map_err(|error| match error {
        DeclareError::Pass(error) => CliError::from_pass(error, context.out.color_errors),
        DeclareError::Refused(_) => CliError::caused_by(Exit::Refused, &error).hint("nothing was imported"),
    })?;
    run_pass::say_saved(&saved, context);
    Ok(())
}

fn say(report: &ImportReport, before: &Before, new: &str, args: &ImportArgs, context: &Context) -> Result<(), CliError> {
    for source in report.sources.iter().filter(|source| source.problem.is_some()) {
        let (path, why) = (source.path.display().to_string(), source.problem.as_deref().unwrap_or_default());
        context.out.note(&format!("{} of {} was not read: {}", printable(&path), source.tool.as_str(), printable(why)));
    }
    if let Some(format) = args.format.document() {
        return print_document(report, format, context);
    }
    let mut text = String::new();
    let look = &context.out.look;
    if args.dry_run && !report.imported.is_empty() {
        let old = if before.is_new { "" } else { &before.text };
        text.push_str(&patch::render(&yaml::unified_diff(old, new, &label(&before.path)), look));
        text.push('\n');
    }
    text.push_str(&import::render(report, look));
    if report.written {
        text.push_str("`headcount status` shows which of them run; `headcount start SESSION` starts one.\n");
    }
    context.out.answer(&text)
}

fn label(path: &Path) -> String {
    path.display().to_string()
}

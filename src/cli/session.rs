//! One pass on behalf of a verb: finds the manifest, runs the pass, says what has to be said about it on stderr. The only
//! caller of [`crate::control::pass`]; never renders an answer.

use crate::control::pass::{Mode, Options, Pass};
use crate::core::manifest::select::Selection;

use super::args::JudgeArgs;
use super::error::{CliError, Exit};
use super::manifest_path::{self, Surroundings};
use super::{Context, interrupt};

/// Runs one pass over the manifest the global options name.
///
/// # Errors
/// No manifest, a pass that failed, or a session asked for by its full name that is not there.
pub(crate) fn pass(selection: Selection, judge: &JudgeArgs, mode: Mode, context: &Context) -> Result<Pass, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    tracing::info!(manifest = %found.path.display(), source = found.source, "using this manifest");
    let options = Options { manifest: found.path, selection, settle: judge.settle, strict: judge.strict, mode };
    interrupt::end_on_interrupt();
    let pass = run(&options)?;
    for path in &pass.saved {
        context
            .out
            .note(&format!("the manifest was saved by someone else meanwhile; that version is kept as {}", path.display()));
    }
    missing(&options.selection, &pass)?;
    Ok(pass)
}

fn run(options: &Options) -> Result<Pass, CliError> {
    Err(CliError::new(Exit::Failure, format!("cannot observe for {}: no pass in this build", options.manifest.display())))
}

/// A name without wildcards that selects nothing is a mistake worth saying, not an empty answer.
fn missing(selection: &Selection, pass: &Pass) -> Result<(), CliError> {
    let plain = Selection { names: selection.names.clone(), ..Selection::default() } == *selection;
    let names = selection.names.iter().filter(|name| !name.contains(['*', '?']));
    let known = |name: &&String| pass.status.sessions.iter().any(|row| row.session.name == **name);
    match names.filter(|name| !known(name)).next() {
        Some(name) if plain => Err(CliError::new(Exit::Failure, format!("no session is called {name}"))
            .hint("`headcount status -o name` lists the names; `*` and `?` are wildcards")),
        _ => Ok(()),
    }
}

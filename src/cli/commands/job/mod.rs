//! `headcount job`: its verbs, a file each. They read and write the registry; what a job becomes is decided elsewhere.

mod cancel;
mod events;
mod headless;
mod list;
mod logs;
mod prune;
mod publish;
mod resume;
mod run;
mod show;
mod stop;
pub(in crate::cli::commands) mod submit;
mod wait;

use super::{document_line, print_document};
use crate::cli::args::{JobArgs, JobVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::{Context, registry, signals};
use crate::core::job::{Job, JobId};
use crate::store::jobs::{JobsError, Registry};
use crate::store::paths::StateHome;

/// Does what the verb says.
pub(crate) fn run(args: &JobArgs, context: &Context) -> Result<Exit, CliError> {
    signals::end_on_interrupt();
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    // A registry may stand beside a manifest.
    let manifest = manifest_path::if_any(context.globals.manifest.as_deref(), &Surroundings::real())?;
    let manifest = manifest.as_deref();
    let missing = missing(args, context)?;
    let registry = registry::find(args.registry.as_deref(), manifest, &state);
    match &args.verb {
        JobVerb::Submit(args) => {
            let submitted = submit::run(args, &registry, manifest, context)?;
            if let Some(missing) = missing {
                context.out.note(&format!("{}; headcount created it", missing.told()));
            }
            Ok(submitted)
        }
        JobVerb::Run(args) => run::run(args, &registry, manifest, context),
        JobVerb::Logs(args) => logs::run(args, context),
        JobVerb::Stop(args) => stop::run(args, context),
        JobVerb::Resume(args) => resume::run(args, context),
        JobVerb::List(args) => list::run(args, &registry, context),
        JobVerb::Show(args) => show::run(args, &registry, context),
        JobVerb::Events(args) => events::run(args, &registry, context),
        JobVerb::Publish(args) => publish::run(args, &registry, manifest, context),
        JobVerb::Cancel(args) => cancel::run(args, &registry, context),
        JobVerb::Wait(args) => wait::run(args, &registry, context),
        JobVerb::Prune(args) => prune::run(args, &registry, context),
    }
}

/// A registry that somebody named and is not there: mistyped, unless it is about to be made; then it is given.
fn missing(args: &JobArgs, context: &Context) -> Result<Option<registry::Missing>, CliError> {
    let missing = registry::Missing::find(args.registry.as_deref());
    match (&args.verb, &missing) {
        (JobVerb::Submit(_) | JobVerb::Run(_), _) | (_, None) => {}
        (_, Some(missing)) if missing.by_option => {
            let error = CliError::new(Exit::Failure, missing.told());
            return Err(error.hint("check the name; `headcount job submit` creates a missing registry"));
        }
        (_, Some(missing)) => context.out.note(&format!("{}; `headcount job submit` creates it", missing.told())),
    }
    Ok(missing)
}

fn existing(registry: &Registry, id: &JobId) -> Result<Job, CliError> {
    let missing = || JobsError::NoSuchJob { id: id.clone(), registry: registry.path().to_owned() };
    Ok(registry.find(id)?.ok_or_else(missing)?)
}

/// A document that could not be put into JSON.
fn unencodable(error: serde_json::Error) -> CliError {
    CliError::caused_by(Exit::Failure, &error)
}

//! `headcount new`: an entry, and the session it declares.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Lead, absolute, begin, carry_out, lead, load, permission, plan};
use crate::cli::Context;
use crate::cli::args::{NewArgs, WhichArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass;
use crate::control::lead::DeclareError;
use crate::core::ids::{MuxKind, ServerKey, SessionKey};
use crate::core::lead::Wish;

/// Declares a session and starts it.
pub(crate) fn run(args: &NewArgs, context: &Context) -> Result<Exit, CliError> {
    let wish = Wish::Start { fresh: false };
    let mut lead = begin(&WhichArgs::default(), &args.judge, Some(&args.lock), wish, context)?;
    let (file, scope) = permission(&lead, &lead.manifest)?;
    if let Some(refusal) = file.permission(&scope, lead.request.is_found).refusal() {
        return Err(CliError::new(Exit::Refused, format!("{}: {}", refusal.code.as_str(), refusal.message)));
    }
    let here =
        std::env::current_dir().map_err(|error| CliError::new(Exit::Failure, format!("cannot tell where this is: {error}")))?;
    let cwd = absolute(args.cwd.as_deref().unwrap_or(&here))?;
    let cwd = cwd.to_str().ok_or_else(|| CliError::new(Exit::Refused, "the path of the directory is not UTF-8"))?.to_owned();
    let agent = lead.manifest.agents.find(args.agent.as_str()).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("no agent named {}", args.agent)).hint("declare it under `agents:` in the manifest")
    })?;
    let usual = &lead.manifest.usual;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => free_name(&lead.manifest, &cwd, agent.as_str()),
    };
    let server = match &args.server {
        Some(server) => run_pass::surroundings().server(server),
        None if usual.mux == MuxKind::Tmux => usual.server.clone(),
        None => ServerKey::DEFAULT.to_owned(),
    };
    let key = SessionKey { name: name.clone(), mux: MuxKind::Tmux, server, host: lead.world.host.name().to_owned() };
    let mut entry = Map::new();
    let mut put = |field: &str, value: Value| drop(entry.insert(field.to_owned(), value));
    put("name", json!(name));
    put("agent", json!(agent.as_str()));
    put("cwd", json!(cwd));
    if usual.mux != key.mux {
        put("mux", json!(key.mux.as_str()));
    }
    if usual.server != key.server {
        put("server", json!(key.server));
    }
    if usual.host != key.host {
        put("host", json!(key.host));
    }
    put("desired", json!("running"));
    if !args.args.is_empty() {
        put("args", json!(args.args));
    }
    if let Some(prompt) = &args.prompt {
        put("prompt", json!(prompt));
    }
    if let Some(task) = &args.task {
        put("task", json!(task));
    }
    let saved = lead::append(&lead.world, &lead.request.pass, &key, &Value::Object(entry)).map_err(|error| match error {
        DeclareError::Pass(error) => CliError::from_pass(error, context.out.color_errors),
        DeclareError::Refused(_) => CliError::caused_by(Exit::Refused, &error).hint("nothing was done"),
    })?;
    run_pass::say_saved(&saved, context);
    if lead.request.is_found {
        stay_allowed(&lead, context)?;
    }
    lead.request.only = Some(BTreeSet::from([key]));
    let planned = plan(&lead, context)?;
    let exit = carry_out(&lead, &planned, args.format.document(), context)?;
    if exit != Exit::Done {
        context
            .out
            .note("its entry stays in the manifest: `headcount start` tries again; take the entry out if you do not want it");
    }
    Ok(exit)
}

/// A manifest that was allowed stays so: what is new in it came from you.
fn stay_allowed(lead: &Lead, context: &Context) -> Result<(), CliError> {
    let (file, scope) = permission(lead, &load(&lead.request.pass.manifest, context)?)?;
    file.allow(&scope).map_err(|error| CliError::new(Exit::Failure, format!("cannot keep the permission: {error}")))
}

/// `<directory>-creator-<agent>`, with a number if that is taken.
fn free_name(manifest: &crate::core::manifest::Manifest, cwd: &str, agent: &str) -> String {
    let last = cwd.rsplit('/').find(|part| !part.is_empty()).unwrap_or("session");
    let slug: String = last.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let slug = slug.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    let slug = if slug.is_empty() { "session".to_owned() } else { slug };
    let is_taken = |name: &String| manifest.sessions.iter().any(|session| session.key.name == *name);
    let names = std::iter::once(format!("{slug}-creator-{agent}"))
        .chain((2..).map(|number| format!("{slug}-{number}-creator-{agent}")));
    names.into_iter().find(|name| !is_taken(name)).unwrap_or(slug)
}

//! `headcount new`: an entry, and the session it declares.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::{Lead, absolute, begin, carry_out, lead, permission, plan_to_act};
use crate::agent::Agents;
use crate::cli::Context;
use crate::cli::args::{NewArgs, WhichArgs};
use crate::cli::asker;
use crate::cli::commands::job::submit;
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass;
use crate::control::lead::DeclareError;
use crate::control::tasks::{CloneSearch, TaskPlaces};
use crate::core::ids::{ConversationId, ServerKey, SessionKey};
use crate::core::lead::Wish;
use crate::core::manifest::Session;
use crate::core::manifest::lead::has_permission_words;
use crate::core::task::{TaskReference, TrackerIssue};
use crate::core::text::printable;
use crate::host::Environ;

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
    let agent = lead.manifest.agents.find(args.agent.as_str()).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("no agent named {}", args.agent)).hint("declare it under `agents:` in the manifest")
    })?;
    if asker::is_elsewhere() && has_permission_words(&lead.manifest.agents, agent, &args.args) {
        let why = "what an agent may do without asking is not granted from another host; nothing was done";
        return Err(CliError::new(Exit::Refused, why));
    }
    let holder = |id: &ConversationId| {
        let is_its = |session: &&Arc<Session>| session.agent == agent && session.recorded.session_id.as_ref() == Some(id);
        lead.manifest.sessions.iter().find(is_its)
    };
    if let Some(other) = args.conversation.as_ref().and_then(holder) {
        let name = printable(&other.key.name);
        return Err(CliError::new(Exit::Refused, format!("the conversation is the one of {name}; nothing was done"))
            .hint(format!("`headcount start {name}` goes on in it, `--fork` begins another with what it holds")));
    }
    let forks = |id: &ConversationId| Agents::with(&lead.manifest.agents).of(agent).and_then(|it| it.fork_args(id)).is_some();
    if args.fork.as_ref().is_some_and(|id| !forks(id)) {
        let why = format!("unsupported: how {agent} forks a conversation has not been tried; nothing was done");
        return Err(CliError::new(Exit::Refused, why));
    }
    // What is forked is found where it was.
    let forked = args.fork.as_ref().and_then(holder).and_then(|other| other.cwd.clone());
    let cwd = args.cwd.clone().or(forked);
    let task = args.task.as_deref().map(|task| NewTask::find(task, cwd.as_deref(), &here, &lead.world.env)).transpose()?;
    let cwd = absolute(task.as_ref().and_then(|task| task.cwd.as_deref()).or(cwd.as_deref()).unwrap_or(&here))?;
    let cwd = cwd.to_str().ok_or_else(|| CliError::new(Exit::Refused, "the path of the directory is not UTF-8"))?.to_owned();
    let usual = &lead.manifest.usual;
    let name = match (&args.name, &task) {
        (Some(name), _) => name.clone(),
        (None, Some(task)) => task.reference.slug(),
        (None, None) => free_name(&lead.manifest, &cwd, agent.as_str()),
    };
    let mux = args.mux.unwrap_or(usual.mux);
    let server = match &args.server {
        Some(server) => run_pass::surroundings().server(server),
        None if usual.mux == mux => usual.server.clone(),
        None => ServerKey::DEFAULT.to_owned(),
    };
    let key = SessionKey { name: name.clone(), mux, server, host: lead.world.host.name().to_owned() };
    if let Some(unfit) = lead::unfit_name(&lead.world, &key) {
        return Err(CliError::new(Exit::Refused, format!("{}: {}; nothing was done", unfit.code.as_str(), unfit.message)));
    }
    let mut entry = Map::new();
    let mut put = |field: &str, value: Value| drop(entry.insert(field.to_owned(), value));
    put("name", json!(name));
    put("agent", json!(agent.as_str()));
    put("cwd", json!(cwd));
    for (field, value) in usual.unlike(&key) {
        put(field.name(), json!(value));
    }
    put("desired", json!("running"));
    if !args.args.is_empty() {
        put("args", json!(args.args));
    }
    if let Some(id) = &args.conversation {
        put("session_id", json!(id.as_str()));
    }
    if let Some(prompt) = args.prompt.as_ref().or(args.submit_job.as_ref()) {
        put("prompt", json!(prompt));
    }
    if let Some(task) = &task {
        put("task", json!(task.reference.text));
    }
    let job = match (&args.submit_job, &lead.request.pass.jobs) {
        (Some(text), Some(registry)) if lead.manifest.find(&key).is_none() => {
            let job = submit::register((agent, &key), (text, args.prompt.as_deref()), registry, &lead.request.pass.manifest)?;
            entry.insert("delegate_job_id".to_owned(), json!(job.id.as_str()));
            Some((job.id, registry))
        }
        _ => None,
    };
    let appended = lead::append(&lead.world, &lead.request.pass, &key, &Value::Object(entry));
    let saved = appended.map_err(|error| {
        // Nobody would work on it.
        if let Some(Err(error)) = job.as_ref().map(|(id, registry)| registry.cancel(id, Utc::now())) {
            context.out.note(&format!("the job could not be cancelled: {}", CliError::from(error).message()));
        }
        match error {
            DeclareError::Pass(error) => CliError::from_pass(error, context.out.color_errors),
            DeclareError::Refused(_) => CliError::caused_by(Exit::Refused, &error).hint("nothing was done"),
        }
    })?;
    if let Some((id, _)) = &job {
        context.out.note(&format!("job {id} was registered, and stands in the entry"));
    }
    run_pass::say_saved(&saved, context);
    if lead.request.is_found {
        stay_allowed(&lead, context)?;
    }
    lead.request.only = Some(BTreeSet::from([key]));
    lead.request.fork.clone_from(&args.fork);
    let planned = plan_to_act(&lead, context)?;
    let exit = carry_out(&lead, &planned, args.format.document(), context)?;
    if exit != Exit::Done {
        let name = shell_words::quote(&name);
        let again = match &args.fork {
            Some(_) => format!("`headcount rm {name}` takes it out, before you fork again"),
            None => format!("`headcount start {name}` tries again, `headcount rm {name}` takes it out"),
        };
        context.out.note(&format!("its entry stays in the manifest: {again}"));
    }
    Ok(exit)
}

/// The work that a new session is about.
struct NewTask {
    reference: TaskReference,
    /// The clone of its repository, if it is an issue of one and nobody said where to work.
    cwd: Option<PathBuf>,
}

impl NewTask {
    /// What a reference means. What it is called is told by a folder that a project has for it, if its address does not.
    fn find(text: &str, cwd: Option<&Path>, here: &Path, env: &Environ) -> Result<Self, CliError> {
        let reference = TaskReference::parse(text).map_err(|error| {
            CliError::caused_by(Exit::Usage, &error)
                .hint("give the id or the address of an issue of Linear or GitHub, or say in words what is to be done")
        })?;
        if reference.text.chars().count() > LONGEST_TASK {
            let why = format!("a task is said in at most {LONGEST_TASK} characters; `--prompt` takes more");
            return Err(CliError::new(Exit::Usage, why));
        }
        let places = TaskPlaces::around(cwd.unwrap_or(here), env);
        let found = match (&reference.issue, cwd) {
            (Some(TrackerIssue::GitHub { owner, repository, .. }), None) => Some(places.clone_of(owner, repository)),
            _ => None,
        };
        let none = |why: String| CliError::new(Exit::Refused, why).hint("`--cwd` says where to work");
        let cwd = match found {
            None => None,
            Some(CloneSearch::One(clone)) => Some(clone),
            Some(CloneSearch::Several(all)) if all.iter().any(|clone| here.starts_with(clone)) => None,
            Some(CloneSearch::Several(all)) => {
                let all: Vec<String> = all.iter().map(|clone| clone.display().to_string()).collect();
                return Err(none(format!("several directories are clones of its repository: {}", all.join(", "))));
            }
            Some(CloneSearch::Nothing) => {
                return Err(none("no project here or beside is a clone of its repository".to_owned()));
            }
        };
        let homes = if reference.title.is_none() { places.of(&reference) } else { Vec::new() };
        let title = homes.first().and_then(|home| home.says.get("tracker_title"));
        Ok(Self { reference: reference.titled(title), cwd })
    }
}

/// The longest reference to work, in characters.
const LONGEST_TASK: usize = 2000;

/// A manifest that was allowed stays so: what is new in it came from you.
fn stay_allowed(lead: &Lead, context: &Context) -> Result<(), CliError> {
    let (file, scope) = permission(lead, &run_pass::load(&lead.request.pass.manifest, context)?)?;
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

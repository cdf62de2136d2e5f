//! `headcount job submit`: adds a job, and records it in its session's entry. Types into nothing.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use serde_json::json;

use super::{print_document, unencodable};
use crate::agent::Agents;
use crate::cli::Context;
use crate::cli::args::{JudgeArgs, SubmitArgs};
use crate::cli::broker::{self, Named};
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass::{self, PassRequest};
use crate::control::job_making;
use crate::control::pass::{self, Mode, Pass, PassError};
use crate::core::drift::Class;
use crate::core::ids::{AgentKind, MuxKind, ServerKey, SessionKey};
use crate::core::job::run::JobBus;
use crate::core::job::{FollowedJob, Job, JobId, NewJob};
use crate::core::manifest::Manifest;
use crate::core::manifest::select::Selection;
use crate::core::mqtt::{Broker, Password};
use crate::core::report::DriftState;
use crate::core::text::printable;
use crate::store::followed_jobs::FollowedJobs;
use crate::store::jobs::Registry;
use crate::store::paths::StateHome;

/// The limits of a job that names none, as the help of `job submit` says.
const TIMEOUT: Duration = Duration::from_secs(60 * 60);
const IDLE_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// The longest prompt, in bytes.
const LONGEST_PROMPT: u64 = 256 << 10;

/// Adds the job and prints its id.
pub(crate) fn run(
    args: &SubmitArgs,
    registry: &Registry,
    manifest: Option<&Path>,
    context: &Context,
) -> Result<Exit, CliError> {
    let prompt = prompt(&args.prompt)?;
    let declared = manifest.and_then(run_pass::declared);
    if let Some(agent) = args.agent {
        is_known(agent, manifest, declared.as_ref())?;
    }
    let doer = args.agent_session.as_ref().filter(|_| args.follow_turns);
    let doer = doer.map(|(mux, name)| doing(*mux, name, args.agent, declared.as_ref())).transpose()?;
    let section = manifest.map(|path| broker::at(path, declared)).unwrap_or_default();
    let Named { broker, root } = Named::of(section)?;
    let idle = args.idle_timeout.or((!args.follow_turns).then_some(IDLE_TIMEOUT)).unwrap_or_default();
    let limit = |span: Duration| (!span.is_zero()).then_some(span);
    let mut intended = Ok(());
    // Of one that is followed nobody else's word counts.
    let job = registry.add(args.auth || args.follow_turns, |id, auth_token| {
        if let Some((_, session)) = &doer {
            intended = intend(registry, &id, session);
        }
        Job::new(NewJob {
            id,
            at: Utc::now(),
            prompt: Some(prompt.clone()),
            agent: doer.as_ref().map(|(agent, _)| *agent).or(args.agent).map(|agent| agent.to_string()),
            agent_session: args.agent_session.as_ref().map(|(mux, name)| format!("{mux}:{name}")),
            timeout: limit(args.timeout),
            idle_timeout: limit(idle),
            expected_artifacts: args.artifacts.clone(),
            auth_token,
            root: Some(root.clone()),
            broker: broker.as_ref().map(From::from),
        })
    })?;
    if let Some(doer) = doer {
        let bus = broker.as_ref().map(|broker| bus(broker, &root));
        follow(&job, intended, (doer, prompt), registry, bus)?;
    }
    // Said before anything else can go wrong: the job is there.
    let token = job.auth_token.as_ref().filter(|_| args.print_token);
    if let Some(format) = args.format.document() {
        let mut shown = job.shown().map_err(unencodable)?;
        if let Some(token) = token {
            shown.insert("auth_token".to_owned(), json!(token.expose()));
        }
        print_document(&shown, format, context)?;
    } else {
        let token = token.map(|token| format!("{}\n", token.expose())).unwrap_or_default();
        context.out.answer(&format!("{}\n{token}", job.id))?;
    }
    if let (Some(broker), false) = (&broker, args.auth) {
        let (id, broker) = (&job.id, broker.address());
        context.out.note(&format!(
            "job {id} accepts unsigned events: anyone who may publish to its topic on {broker} can report it as completed or failed; `--auth` gives a job a token"
        ));
    }
    if let Some((mux, name)) = &args.agent_session
        && let Err(why) = link(&job, *mux, name, args, registry, context)
    {
        let id = &job.id;
        context.out.note(&format!("{why}; the next pass that finds {mux}:{name} records job {id} in its entry"));
    }
    Ok(Exit::Done)
}

/// The agent and the session that do a job, where its turns are to be followed.
fn doing(
    mux: MuxKind,
    name: &str,
    agent: Option<AgentKind>,
    declared: Option<&Manifest>,
) -> Result<(AgentKind, SessionKey), CliError> {
    let entries = declared.map(|manifest| manifest.sessions.as_slice()).unwrap_or_default();
    let named: Vec<_> = entries.iter().filter(|entry| entry.key.mux == mux && entry.key.names().any(|it| it == name)).collect();
    let (agent, key) = match (named.as_slice(), agent) {
        ([entry], agent) => (agent.unwrap_or(entry.agent), entry.key.clone()),
        ([], Some(agent)) => {
            let state = StateHome::from_environment(|name| std::env::var_os(name))?;
            let host = run_pass::world(&state).host.name().to_owned();
            (agent, ServerKey::default_of(mux).session_key(name, &host))
        }
        ([], None) => {
            let error =
                CliError::new(Exit::Usage, format!("no entry is named {mux}:{}, so its agent is not known", printable(name)));
            return Err(error.hint("name the agent with --agent"));
        }
        (several, _) => {
            let why = format!("{} entries are named {mux}:{}", several.len(), printable(name));
            return Err(CliError::new(Exit::Refused, why));
        }
    };
    let agents = declared.map(|manifest| manifest.agents.clone()).unwrap_or_default();
    if Agents::with(&agents).of(agent).is_none_or(|adapter| !adapter.has_readable_turns()) {
        let why = format!("headcount cannot read the turns of {agent}, so it cannot follow them");
        return Err(CliError::new(Exit::Refused, why));
    }
    Ok((agent, key))
}

/// Writes down that a job is being made that is to be followed: if its maker is killed before it is, nobody tells of it.
fn intend(registry: &Registry, id: &JobId, session: &SessionKey) -> Result<(), CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let intended = job_making::intend(&state, run_pass::world(&state).host.as_ref(), (id, session), registry.path());
    intended.map_err(|error| CliError::caused_by(Exit::Failure, &error))
}

/// Has the turns of a job followed from now on. A job that cannot be is called off.
fn follow(
    job: &Job,
    intended: Result<(), CliError>,
    ((agent, session), prompt): ((AgentKind, SessionKey), String),
    registry: &Registry,
    bus: Option<JobBus>,
) -> Result<(), CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let followed = FollowedJob {
        version: FollowedJob::VERSION,
        job: job.id.clone(),
        registry: std::path::absolute(registry.path()).unwrap_or_else(|_| registry.path().to_path_buf()),
        session,
        agent,
        prompt,
        since: job.created_at.unwrap_or_else(Utc::now),
        conversation: None,
        bus,
    };
    let put = || FollowedJobs::new(&state).put(&followed).map_err(|error| CliError::caused_by(Exit::Failure, &error));
    let followed = intended.and_then(|()| put()).inspect_err(|_| {
        // What nobody tells of would never end.
        let _ = registry.cancel(&job.id, Utc::now());
    });
    job_making::made(&state, &job.id);
    followed
}

/// Registers a job of a session that is about to be declared, and follows the turn that takes in what the agent is told.
pub(in crate::cli::commands) fn register(
    (agent, session): (AgentKind, &SessionKey),
    (text, told): (&str, Option<&str>),
    registry: &Registry,
    manifest: &Path,
) -> Result<Job, CliError> {
    let prompt = prompt(text)?;
    let Named { broker, root } = Named::of(broker::at(manifest, run_pass::declared(manifest)))?;
    let told = told.unwrap_or(&prompt).to_owned();
    let bus = broker.as_ref().map(|broker| bus(broker, &root));
    let mut intended = Ok(());
    let job = registry.add(true, |id, auth_token| {
        intended = intend(registry, &id, session);
        Job::new(NewJob {
            id,
            at: Utc::now(),
            prompt: Some(prompt),
            agent: Some(agent.to_string()),
            agent_session: Some(format!("{}:{}", session.mux, session.name)),
            timeout: Some(TIMEOUT),
            idle_timeout: None,
            expected_artifacts: Vec::new(),
            auth_token,
            root: Some(root),
            broker: broker.as_ref().map(From::from),
        })
    })?;
    follow(&job, intended, ((agent, session.clone()), told), registry, bus)?;
    Ok(job)
}

/// The broker as whoever reports the job finds it again, where no variable and no manifest names it.
pub(super) fn bus(broker: &Broker, root: &str) -> JobBus {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
    let (given, password_file) = match &broker.password {
        Password::None => (None, None),
        Password::Given(secret) => (Some(secret.expose().to_owned()), None),
        Password::InFile(path) => (None, Some(path.clone())),
    };
    let variables = [
        ("MQTT_BROKER", Some(broker.host.clone())),
        ("MQTT_PORT", Some(broker.port.to_string())),
        ("MQTT_TLS", Some(u8::from(broker.tls).to_string())),
        ("MQTT_USERNAME", broker.username.clone()),
        ("MQTT_PASSWORD", given),
        ("MQTT_CA_CERTS", text(&broker.ca_certs)),
        ("MQTT_CERTFILE", text(&broker.certfile)),
        ("MQTT_KEYFILE", text(&broker.keyfile)),
        ("MQTT_CLIENT_ID_PREFIX", Some(broker.client_id_prefix.clone())),
    ];
    let variables: BTreeMap<String, String> =
        variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    JobBus { variables, password_file, root: root.to_owned() }
}

/// Whether there is such an agent. A manifest that cannot be read may declare any.
fn is_known(agent: AgentKind, path: Option<&Path>, manifest: Option<&Manifest>) -> Result<(), CliError> {
    let declared = manifest.map(|manifest| manifest.agents.clone()).unwrap_or_default();
    let may_be = manifest.is_none() && path.is_some();
    if may_be || declared.find(agent.as_str()).is_some() {
        return Ok(());
    }
    Err(CliError::from_pass(PassError::UnknownAgent { agent, known: declared.kinds().collect() }, false))
}

/// The prompt that is given, or that a file holds.
pub(super) fn prompt_of(text: Option<&str>, file: Option<&Path>) -> Result<String, CliError> {
    let Some(file) = file.filter(|file| file.as_os_str() != "-") else { return prompt(text.unwrap_or("-")) };
    let unreadable = |error: std::io::Error| CliError::new(Exit::Failure, format!("cannot read {}: {error}", file.display()));
    // A pipe would be waited for.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(CliError::new(Exit::Failure, format!("{} is no regular file", file.display())));
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(LONGEST_PROMPT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    checked(bytes)
}

fn prompt(text: &str) -> Result<String, CliError> {
    let mut bytes = text.as_bytes().to_vec();
    if text == "-" {
        bytes.clear();
        let read = std::io::stdin().lock().take(LONGEST_PROMPT + 1).read_to_end(&mut bytes);
        read.map_err(|error| CliError::new(Exit::Failure, format!("cannot read the prompt from stdin: {error}")))?;
    }
    checked(bytes)
}

fn checked(bytes: Vec<u8>) -> Result<String, CliError> {
    let refuse = |why: &str| Err(CliError::new(Exit::Usage, format!("the prompt {why}")));
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LONGEST_PROMPT {
        return refuse(&format!("is longer than {LONGEST_PROMPT} bytes"));
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.trim().is_empty() => refuse("is empty"),
        Ok(text) => Ok(text),
        Err(_) => refuse("is not UTF-8"),
    }
}

/// Makes a pass that records this one link and nothing else; gives why it could not.
fn link(job: &Job, mux: MuxKind, name: &str, args: &SubmitArgs, registry: &Registry, context: &Context) -> Result<(), String> {
    let selection = Selection { names: vec![name.to_owned()], classes: vec![Class::Delegated], ..Selection::default() };
    // The person asks for it now.
    let judge = JudgeArgs { settle: Duration::ZERO, ..JudgeArgs::default() };
    let request = PassRequest { mode: Mode::Record, update: args.lock.update(), ..PassRequest::look(selection, &judge) };
    let told = |error: CliError| error.message();
    let mut options = run_pass::options(request, context).map_err(told)?;
    options.jobs = Some(registry.clone());
    let pass = pass::run(&run_pass::world(&options.state_home), &options)
        .map_err(|error| told(CliError::from_pass(error, context.out.color_errors)))?;
    run_pass::say_saved(&pass.saved, context);
    outcome(job, mux, name, &pass)
}

fn outcome(job: &Job, mux: MuxKind, name: &str, pass: &Pass) -> Result<(), String> {
    let is_ours = |edit: &crate::core::report::EditReport| edit.to == json!(job.id);
    let drift = pass.report.drifts.iter().find(|drift| drift.class == Class::Delegated && drift.edits.iter().any(is_ours));
    if let Some(drift) = drift {
        return match (drift.state, &drift.refusal) {
            (DriftState::Applied, _) => Ok(()),
            (_, Some(why)) => Err(why.clone()),
            (DriftState::Ignored, None) => Err("the entry ignores delegated jobs".to_owned()),
            (_, None) => Err("it is not recorded yet".to_owned()),
        };
    }
    let entries = &pass.manifest().sessions;
    let named = || entries.iter().filter(|entry| entry.key.mux == mux && entry.key.names().any(|known| known == name));
    let mut recorded = named().filter_map(|entry| entry.recorded.delegate_job_id.as_deref());
    match (named().count(), recorded.next()) {
        // A watch was quicker.
        (1, Some(id)) if id == job.id.as_str() => Ok(()),
        (0, _) => Err(format!("the manifest has no entry named {name}")),
        (1, Some(other)) => Err(format!("the entry names job {other} of another registry, which headcount does not replace")),
        (1, None) => Err("the entry is suspended, archived or on another host".to_owned()),
        (count, _) => Err(format!("{count} entries are named {name}")),
    }
}

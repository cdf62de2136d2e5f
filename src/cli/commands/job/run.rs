//! `headcount job run`: a job that headcount has done, and its answer. What may be begun is decided elsewhere.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use serde_json::json;

use super::{existing, headless, print_document, submit, wait};
use crate::agent::Agents;
use crate::cli::Context;
use crate::cli::args::{RunArgs, WaitArgs};
use crate::cli::broker::{self, Named};
use crate::cli::commands::lead::absolute;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::job as render;
use crate::cli::run_pass;
use crate::control::{job_making, lead};
use crate::core::ids::{MuxKind, ServerKey, SessionKey};
use crate::core::job::run::{JobBus, JobSpec, JobWaits, job_session_name};
use crate::core::job::{Job, JobId, NewJob};
use crate::core::lead::Blocked;
use crate::core::manifest::Manifest;
use crate::core::manifest::lead::{Permissions, misplaced};
use crate::core::text::printable;
use crate::store::job_files::JobFiles;
use crate::store::jobs::Registry;

/// So long behind its deadline the record of a job says that it timed out: its launcher is to say it first.
const LATE: Duration = Duration::from_secs(60);

/// Begins it, and says where it is.
pub(crate) fn run(args: &RunArgs, registry: &Registry, manifest: Option<&Path>, context: &Context) -> Result<Exit, CliError> {
    let prompt = submit::prompt_of(args.prompt.as_deref(), args.file.as_deref())?;
    let declared = manifest.and_then(run_pass::declared);
    let scene = headless::scene(context)?;
    let Named { broker, root } = Named::of(manifest.map(|path| broker::at(path, declared.clone())).unwrap_or_default())?;
    let bus = broker.as_ref().map(|broker| submit::bus(broker, &root));
    // Tried before there is a job: one that is refused leaves nothing.
    let mut spec = spec(args, registry, declared.as_ref(), bus, &scene)?;
    let refused = |blocked: Blocked| CliError::new(Exit::Refused, format!("{}: {}", blocked.code.as_str(), blocked.message));
    lead::fits_terminal(&spec, &prompt).map_err(|why| CliError::new(Exit::Refused, format!("its prompt: {why}")))?;
    lead::taken_session(&scene.world, &scene.state, &spec).map_err(refused)?;
    let host = scene.world.host.as_ref();
    job_making::call_off_unmade(&scene.state, host);
    let mut intended = Ok(());
    let job = registry.add(true, |id, auth_token| {
        let session = SessionKey { name: named(args, &id), ..spec.session.clone() };
        intended = job_making::intend(&scene.state, host, (&id, &session), registry.path());
        Job::new(NewJob {
            at: spec.at,
            prompt: Some(prompt.clone()),
            agent: Some(args.agent.to_string()),
            agent_session: Some(format!("{}:{}", spec.session.mux, named(args, &id))),
            timeout: args.deadline.checked_add(LATE),
            idle_timeout: None,
            expected_artifacts: Vec::new(),
            auth_token,
            root: Some(root),
            broker: broker.as_ref().map(From::from),
            id,
        })
    })?;
    if let Err(error) = intended {
        registry.cancel(&job.id, Utc::now())?;
        return Err(CliError::caused_by(Exit::Failure, &error));
    }
    spec.job = job.id.clone();
    spec.session.name = named(args, &job.id);
    let files = JobFiles::of(&scene.state, &job.id);
    let submitted = lead::submit_job(&scene.world, &scene.request(), &files, (&spec, &prompt));
    let is_unmade = submitted.is_err() && files.spec().is_none();
    if is_unmade {
        // Nothing half made: what nobody has begun is no job.
        registry.cancel(&job.id, Utc::now())?;
    }
    job_making::made(&scene.state, &job.id);
    if let Err(blocked) = submitted {
        if is_unmade {
            return Err(refused(blocked));
        }
        let hint = format!("job {} is there; `headcount job list` shows it, `job resume` goes on with it", job.id);
        return Err(refused(blocked).hint(hint));
    }
    say(&job, &files, &spec, args, context)?;
    if !args.wait {
        return Ok(Exit::Done);
    }
    existing(registry, &job.id)?;
    wait::run(&WaitArgs { id: job.id, timeout: None, format: args.format.clone() }, registry, context)
}

fn named(args: &RunArgs, id: &JobId) -> String {
    format!("{}-{}", args.agent, args.name.as_deref().unwrap_or(id.as_str()))
}

fn spec(
    args: &RunArgs,
    registry: &Registry,
    declared: Option<&Manifest>,
    bus: Option<JobBus>,
    scene: &headless::JobScope,
) -> Result<JobSpec, CliError> {
    let usage = |why: String| CliError::new(Exit::Usage, why);
    // A job that names none gets its id as name, and that is one.
    let placeholder = "0";
    let name =
        job_session_name(args.agent, args.name.as_deref().unwrap_or(placeholder)).map_err(|error| usage(error.to_string()))?;
    let agents = declared.map(|manifest| manifest.agents.clone()).unwrap_or_default();
    let adapter = Agents::with(&agents);
    let adapter = adapter.of(args.agent).ok_or_else(|| usage(format!("no agent named {}", args.agent)))?;
    let program = adapter.names().programs.first().unwrap_or_default().to_owned();
    if args.headless && args.permissions == Permissions::Ask {
        let error = CliError::new(Exit::Refused, "nobody is there to answer what the agent asks; nothing was begun");
        return Err(error.hint("--permissions edit lets it edit files, bypass everything; without --headless you can answer"));
    }
    if let Some(word) = misplaced(&agents, args.agent, &args.args) {
        return Err(usage(format!("{} is for headcount to say; leave it out", printable(word))));
    }
    if args.notify.as_deref().is_some_and(|command| command.contains('\0')) || args.args.iter().any(|arg| arg.contains('\0')) {
        return Err(usage("a NUL cannot be handed to a program".to_owned()));
    }
    let here =
        std::env::current_dir().map_err(|error| CliError::new(Exit::Failure, format!("cannot tell where this is: {error}")))?;
    let cwd = absolute(args.cwd.as_deref().unwrap_or(&here))?;
    if !cwd.is_dir() {
        return Err(CliError::new(Exit::Failure, format!("{} is no directory", cwd.display())));
    }
    if cwd.to_str().is_none() {
        return Err(CliError::new(Exit::Refused, "the path of the directory is not UTF-8"));
    }
    let mux = args.mux.unwrap_or(MuxKind::Tmux);
    let usual = declared.map(|manifest| &manifest.usual).filter(|usual| usual.mux == mux);
    let server = match (&args.server, usual) {
        (Some(server), _) => run_pass::surroundings().server(server),
        (None, Some(usual)) => usual.server.clone(),
        (None, None) => ServerKey::DEFAULT.to_owned(),
    };
    let session = SessionKey { name, mux, server, host: scene.world.host.name().to_owned() };
    if let Some(entry) = declared.and_then(|manifest| manifest.find(&session)) {
        let why = format!("{} is declared in the manifest; nothing was begun", printable(&entry.key.name));
        return Err(CliError::new(Exit::Refused, why).hint("give the job another --name"));
    }
    let backoff = declared.map(|manifest| manifest.lead.backoff).unwrap_or_default();
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let registry = std::path::absolute(registry.path()).unwrap_or_else(|_| registry.path().to_path_buf());
    Ok(JobSpec {
        version: JobSpec::VERSION,
        job: placeholder.parse().map_err(|_| usage("internal error: no id".to_owned()))?,
        registry,
        agent: args.agent,
        session,
        cwd,
        program,
        args: args.args.clone(),
        is_bypassing: args.permissions == Permissions::Bypass,
        is_asking: args.permissions == Permissions::Ask,
        is_interactive: !args.headless,
        at: Utc::now(),
        deadline: millis(args.deadline),
        keep: millis(args.keep),
        waits: JobWaits::of(backoff, args.backoff, args.attempts),
        notify: args.notify.clone(),
        bus,
        by: scene.by.clone(),
    })
}

fn say(job: &Job, files: &JobFiles, spec: &JobSpec, args: &RunArgs, context: &Context) -> Result<(), CliError> {
    let attach = render::attach(&spec.session);
    if let Some(format) = args.format.document().filter(|_| !args.wait) {
        let document = json!({
            "schema": "headcount/job-run/v1", "job": job.id, "session": spec.session, "directory": files.path(),
            "output": files.output(), "attach": attach,
        });
        return print_document(&document, format, context);
    }
    if args.format.document().is_some() {
        return Ok(());
    }
    let (name, mux) = (printable(&spec.session.name), spec.session.mux);
    let output = files.output();
    context.out.answer(&format!(
        "{}\n  session  {name} ({mux})\n  output   {}\n  attach   {}\n",
        job.id,
        printable(&output.display().to_string()),
        attach.join(" "),
    ))
}

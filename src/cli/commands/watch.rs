//! `headcount watch`: the loop, its events on stdout. Decides nothing about sessions and never ends because of one.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::document_line;
use crate::cli::args::{Format, WatchArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::outlet::Outlet;
use crate::cli::render::{event, plural};
use crate::cli::run_pass::{self, PassRequest};
use crate::cli::{Context, broker, heap};
use crate::control::lead;
use crate::control::observe::Observer;
use crate::control::pass::{Mode, PassOptions};
use crate::control::watch::{self, LeadOptions, Mqtt, OnEvent, Supervisor, WatchEnd, WatchOptions};
use crate::core::events::{Event, EventLimit, WatchFailure};
use crate::core::lead::conditions::Condition;
use crate::core::manifest::select::Selection;
use crate::store::claim::{Claim, ClaimError, of_enforcer};

/// How long the last lines may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// Watches until something ends it.
pub(crate) fn run(args: &WatchArgs, context: &Context) -> Result<Exit, CliError> {
    heap::share();
    let look = PassRequest::look(args.selection.with_names(&args.names), &args.judge);
    let mode = if args.dry_run { Mode::Look } else { Mode::Record };
    let consumer = Some(args.consumer.clone());
    let pass = run_pass::options(PassRequest { mode, consumer, update: args.lock.update(), ..look }, context)?;
    let mqtt = match args.subscribe || args.publish {
        true => Some(Mqtt {
            broker: broker::find(Some(&pass.manifest), context)?,
            subscribe: args.subscribe,
            publish: args.publish,
            consumer: args.consumer.clone(),
        }),
        false => None,
    };
    if let Some(directory) = args.until_file.as_deref().and_then(missing_directory) {
        context.out.note(&format!("--until-file: {} is not there, so nothing can appear in it yet", directory.display()));
    }
    // What is told of conditions alone needs agents to be asked.
    let is_of_conditions =
        |event: &str| event == "condition" || event.parse::<Condition>().is_ok_and(|it| it != Condition::Error);
    let conditions = args.conditions || args.on.iter().any(|(event, _)| is_of_conditions(event));
    let world = Observer { activity: conditions, ..run_pass::world(&pass.state_home) };
    let _claims = match &mqtt {
        Some(mqtt) => claims(mqtt, &pass, world.host.name())?,
        None => Vec::new(),
    };
    let asking = Arc::new(Observer { activity: true, ..run_pass::world(&pass.state_home) });
    let following = lead::follow_jobs(Arc::clone(&asking), pass.state_home.clone());
    let mut enforcing = None;
    let lead = if args.enforce || args.deliver {
        if args.enforce {
            enforcing = Some(claim_enforcing(&pass)?);
        }
        let selection = pass.selection.clone();
        let request =
            super::lead::watching(PassOptions { selection, mode: Mode::Look, consumer: None, ..pass.clone() }, context)?;
        let is_whole = request.pass.selection == Selection::default();
        Some(LeadOptions { world: asking, request, enforces: args.enforce, is_whole })
    } else {
        None
    };
    let drifts = args.on_drift.as_ref().map(|command| OnEvent::new("drift", command));
    let options = WatchOptions {
        pass,
        interval: args.interval,
        heartbeat: args.heartbeat,
        max_runtime: args.max_runtime,
        until_file: args.until_file.clone(),
        on: args.on.iter().map(|(event, command)| OnEvent::new(event, command)).chain(drifts).collect(),
        conditions,
        lead,
        control_client: !args.no_control_client,
        limit: EventLimit::default(),
        output: io::stdout().as_fd().try_clone_to_owned().ok(),
        mqtt,
        supervisor: Supervisor::from_environment(|name| std::env::var_os(name)),
    };
    let cannot = |error: io::Error| CliError::new(Exit::Failure, format!("cannot write an event to stdout: {error}"));
    let outlet = Outlet::start(io::stdout()).map_err(cannot)?;
    let mut failed = None;
    let mut last = None;
    let ended = watch::run(world, options, |event| match line(&event, args.format.document(), context) {
        // There is always room for the last one.
        Ok(line) if matches!(event, Event::Stopped(_)) => {
            last = Some(line);
            ControlFlow::Continue(())
        }
        Ok(line) => outlet.say(line, |count| left_out(count, args.format.document(), context)).unwrap_or_else(|error| {
            failed = Some(cannot(error));
            ControlFlow::Break(())
        }),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    following.iter().for_each(|thread| thread.end_within(FAREWELL));
    let finished = outlet.finish(last, |count| left_out(count, args.format.document(), context), FAREWELL).map_err(cannot);
    if let Some(error) = failed {
        return Err(error);
    }
    finished?;
    drop(enforcing);
    match ended.map_err(|error| CliError::caused_by(Exit::Failure, &error))? {
        WatchEnd::Interrupted => Ok(Exit::Interrupted),
        WatchEnd::Terminated | WatchEnd::UntilFile | WatchEnd::MaxRuntime | WatchEnd::OutputClosed => Ok(Exit::Done),
    }
}

/// Claims to be the only one who acts for this manifest on this host.
fn claim_enforcing(pass: &PassOptions) -> Result<Claim, CliError> {
    let manifest = pass.manifest.canonicalize().unwrap_or_else(|_| pass.manifest.clone());
    Claim::take(&pass.state_home, &of_enforcer(&manifest)).map_err(|error| match error {
        ClaimError::Taken { .. } => CliError::new(Exit::Busy, format!("cannot enforce {}: {error}", manifest.display()))
            .hint("one watch acts for a manifest; leave out `--enforce` here, or stop the other one"),
        ClaimError::Io { .. } => CliError::caused_by(Exit::Failure, &error),
    })
}

/// The directory of a file that is to appear, if it is not there.
fn missing_directory(file: &Path) -> Option<&Path> {
    file.parent().filter(|directory| !directory.as_os_str().is_empty() && !directory.is_dir())
}

/// One event as a line.
fn line(event: &Event, format: Option<Format>, context: &Context) -> Result<String, CliError> {
    match format {
        Some(format) => document_line(event, format).map_err(|error| CliError::caused_by(Exit::Failure, &error)),
        None => Ok(event::line(event, &context.out.look)),
    }
}

/// The line that stands for those that nobody read in time.
fn left_out(count: u64, format: Option<Format>, context: &Context) -> String {
    let lines = plural(usize::try_from(count).unwrap_or(usize::MAX), "event", "events");
    let message = format!("stdout was blocked: {lines} before this one were dropped (the manifest is up to date)");
    let event = Event::Error(WatchFailure { at: Utc::now(), source: "output".to_owned(), message });
    line(&event, format, context).unwrap_or_default()
}

/// Claims to be the only one who listens as this client, and the only one who speaks for this host, at this broker. Two would
/// throw each other out, or contradict each other, for ever.
fn claims(mqtt: &Mqtt, pass: &PassOptions, host: &str) -> Result<Vec<Claim>, CliError> {
    let manifest = std::path::absolute(&pass.manifest).unwrap_or_else(|_| pass.manifest.clone());
    let (broker, prefix, consumer) = (mqtt.broker.address(), &mqtt.broker.client_id_prefix, &mqtt.consumer);
    let client = format!("client {broker} {prefix} {host:?} {manifest:?} {consumer:?}");
    let speaker = mqtt.publish.then(|| {
        let hint = "only one watch may publish for a host: leave out `--publish` here, or stop the other watch";
        (format!("host {broker} {host:?}"), "for this host", hint)
    });
    let listener = (client, "for this manifest", "give this one another --consumer, or stop the other one");
    let take = |(what, purpose, hint): (String, &str, &str)| {
        Claim::take(&pass.state_home, &what).map_err(|error| match error {
            ClaimError::Taken { .. } => {
                CliError::new(Exit::Busy, format!("cannot use the broker {broker} {purpose}: {error}")).hint(hint)
            }
            ClaimError::Io { .. } => CliError::caused_by(Exit::Failure, &error),
        })
    };
    std::iter::once(listener).chain(speaker).map(take).collect()
}

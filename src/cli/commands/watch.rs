//! `headcount watch`: the loop, its events on stdout. Decides nothing about sessions and never ends because of one.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;

use crate::cli::args::WatchArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::{event, json};
use crate::cli::session::{self, Request};
use crate::cli::{Context, broker};
use crate::control::pass::Mode;
use crate::control::watch::{self, Ended, Mqtt, OnDrift, Supervisor, WatchOptions};
use crate::core::events::{Event, Limit};

/// Watches until something ends it.
pub(crate) fn run(args: &WatchArgs, context: &Context) -> Result<Exit, CliError> {
    let look = Request::look(args.selection.with_names(&args.names), &args.judge);
    let mode = if args.dry_run { Mode::Look } else { Mode::Record };
    let consumer = Some(args.consumer.clone());
    let pass = session::options(Request { mode, consumer, update: args.lock.update(), ..look }, context)?;
    let mqtt = match args.subscribe || args.publish {
        true => Some(Mqtt {
            broker: broker::find(&pass.manifest, context)?,
            subscribe: args.subscribe,
            publish: args.publish,
            consumer: args.consumer.clone(),
        }),
        false => None,
    };
    let world = session::world(&pass.state_home);
    let options = WatchOptions {
        pass,
        interval: args.interval,
        heartbeat: args.heartbeat,
        max_runtime: args.max_runtime,
        until_file: args.until_file.clone(),
        on_drift: args.on_drift.as_ref().map(OnDrift::new),
        control_client: !args.no_control_client,
        limit: Limit::default(),
        output: io::stdout().as_fd().try_clone_to_owned().ok(),
        mqtt,
        supervisor: Supervisor::from_environment(|name| std::env::var_os(name)),
    };
    let mut failed = None;
    let ended = watch::run(world, options, |event| match say(&event, args.json, context) {
        Ok(flow) => flow,
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    match ended.map_err(|error| CliError::caused_by(Exit::Failure, &error))? {
        Ended::Interrupted => Ok(Exit::Interrupted),
        Ended::Terminated | Ended::UntilFile | Ended::MaxRuntime | Ended::OutputClosed => Ok(Exit::Done),
    }
}

/// Writes one event and flushes it; breaks if nobody reads any more.
fn say(event: &Event, as_json: bool, context: &Context) -> Result<ControlFlow<()>, CliError> {
    let line = if as_json {
        json::line(event).map_err(|error| CliError::caused_by(Exit::Failure, &error))?
    } else {
        event::line(event, &context.out.look)
    };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(CliError::new(Exit::Failure, format!("cannot write an event to stdout: {error}"))),
    }
}

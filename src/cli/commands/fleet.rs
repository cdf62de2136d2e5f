//! `headcount fleet status`: what every host has published, once or as it changes. Decides nothing about a host.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;

use super::{document_line, print_document};
use crate::cli::args::{FleetArgs, FleetStatusArgs, FleetVerb, Format};
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::fleet::FleetScreen;
use crate::cli::render::{fleet, json};
use crate::cli::{Context, broker, signals};
use crate::control::fleet::{FleetEnded, FleetOptions, read, watch};
use crate::core::fleet::report::{FleetEvent, FleetReport};

/// Does what the verb says.
pub(crate) fn run(args: &FleetArgs, context: &Context) -> Result<Exit, CliError> {
    match &args.verb {
        FleetVerb::Status(args) => status(args, context),
    }
}

fn status(args: &FleetStatusArgs, context: &Context) -> Result<Exit, CliError> {
    let pictures = args.watch && args.format.document().is_none() && context.out.look.tty;
    let options = options(args, pictures, context)?;
    if args.watch {
        return follow(args, pictures, options, context);
    }
    signals::end_on_interrupt();
    let report = read(options).map_err(|error| unreachable(&error))?;
    match args.format.document() {
        // The longest of all answers is never held whole.
        Some(Format::Json) => context.out.answer_by(|stdout| json::write(&report, stdout))?,
        Some(Format::Yaml) => print_document(&report, Format::Yaml, context)?,
        None => context.out.answer(&fleet::render(&report, &context.out.look))?,
    }
    end(&report, args)
}

fn options(args: &FleetStatusArgs, pictures: bool, context: &Context) -> Result<FleetOptions, CliError> {
    // A broker that the environment names needs no manifest.
    let option = context.globals.manifest.as_deref();
    let manifest = manifest_path::if_any(option, &Surroundings::real())?;
    let broker = broker::find(manifest.as_deref(), context).map_err(|error| {
        // A manifest that somebody named and that is not there may be what would name it.
        let missing = manifest_path::find(option, &Surroundings::real()).err();
        missing.filter(|_| manifest_path::is_named(option, &Surroundings::real())).unwrap_or(error)
    })?;
    let client_id = broker::one_shot_client_id(&broker);
    let (hosts, timeout) = (args.hosts.clone(), args.timeout);
    let output = io::stdout().as_fd().try_clone_to_owned().ok();
    Ok(FleetOptions { broker, client_id, hosts, timeout, pictures, output })
}

fn unreachable(error: &crate::control::fleet::FleetError) -> CliError {
    CliError::caused_by(Exit::Failure, error)
        .hint("check the broker in MQTT_BROKER and related variables, or under `mqtt:` in the manifest")
}

/// Says what is missing, and picks the exit.
fn end(report: &FleetReport, args: &FleetStatusArgs) -> Result<Exit, CliError> {
    if !report.complete {
        let error = CliError::new(Exit::Unknown, format!("the view is incomplete: {}", report.incomplete.join("; ")));
        if report.hosts.is_empty() {
            return Err(error.hint(
                "this user must be allowed to read headcount/# (mosquitto accepts the subscription even if it delivers nothing), and a host must publish: `headcount watch --publish`",
            ));
        }
        return Err(error.hint(
            "try a longer --timeout; a broker may also drop what it cannot send at once (mosquitto: max_queued_messages), or deny this user headcount/+/session/+",
        ));
    }
    if report.hosts.is_empty() && !args.hosts.is_empty() {
        return Err(CliError::new(Exit::Failure, format!("no host named {}", args.hosts.join(" or ")))
            .hint("`headcount fleet status` without a name lists the hosts"));
    }
    Ok(Exit::Done)
}

fn follow(args: &FleetStatusArgs, pictures: bool, options: FleetOptions, context: &Context) -> Result<Exit, CliError> {
    let mut failed = None;
    let mut screen = FleetScreen::new(context.out.look);
    let mut tell = |event: FleetEvent| {
        let text = if pictures {
            screen.size(terminal_size::terminal_size_of(io::stdout()).map(|(width, height)| (width.0.into(), height.0.into())));
            Ok(screen.show(event))
        } else if let Some(format) = args.format.document() {
            document_line(&event, format)
        } else {
            Ok(fleet::line(&event, &context.out.look))
        };
        match text.map_err(|error| CliError::caused_by(Exit::Failure, &error)).and_then(|text| say(&text)) {
            Ok(flow) => flow,
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    };
    let ended = watch(options, &mut tell);
    if pictures {
        let _ = say(&screen.leave());
    }
    if let Some(error) = failed {
        return Err(error);
    }
    match ended.map_err(|error| unreachable(&error))? {
        FleetEnded::Interrupted => Ok(Exit::Interrupted),
        FleetEnded::Terminated | FleetEnded::OutputClosed => Ok(Exit::Done),
    }
}

/// Writes and flushes; breaks if nobody reads any more.
fn say(text: &str) -> Result<ControlFlow<()>, CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(CliError::new(Exit::Failure, format!("cannot write the fleet to stdout: {error}"))),
    }
}

//! `headcount job publish`: writes an event of a job into the registry, and with `--mqtt` publishes it to the broker as well; then
//! the job's record may be on another machine. Speaks to no broker unless asked to.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;

use super::{print_document, unencodable};
use crate::bus;
use crate::cli::args::PublishArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::{Context, broker};
use crate::core::job::{JobEvent, JobToken, MAX_PAYLOAD, events_topic};
use crate::core::mqtt::Broker;
use crate::store::jobs::{JobsError, NewEvent, Registry};

/// The variable that holds the token of a job whose record is on another machine. An argument would be seen by every user.
const TOKEN: &str = "HEADCOUNT_JOB_TOKEN";

/// How long the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes the event and says which number it got.
pub(crate) fn run(
    args: &PublishArgs,
    registry: &Registry,
    manifest: Option<&Path>,
    context: &Context,
) -> Result<Exit, CliError> {
    // Before anything is written: a broker that is not named is a mistake in the command.
    let broker = if args.mqtt { Some(broker::find(manifest, context)?) } else { None };
    match broker {
        Some(broker) if registry.find(&args.id)?.is_none() => from_afar(args, &broker, context),
        broker => {
            let event = NewEvent { kind: args.event, detail: args.detail.clone(), data: args.data.clone() };
            let (job, event) = registry.publish(&args.id, event, Utc::now())?;
            let said = format!("{}: {} is event {}; the job is {}.\n", job.id, event.event, event.seq, job.status);
            say(&event, &said, args, context)?;
            broker.map_or(Ok(()), |broker| {
                send(&broker, &job.topic(), &event)
                    .map_err(|error| error.hint("the registry here has the event; subscribers of the broker did not get it"))
            })?;
            Ok(Exit::Done)
        }
    }
}

/// Publishes an event of a job whose record is elsewhere; there it is checked like any other.
fn from_afar(args: &PublishArgs, broker: &Broker, context: &Context) -> Result<Exit, CliError> {
    let token = std::env::var(TOKEN).ok().and_then(|text| JobToken::recorded(text.trim()));
    let (detail, data) = (args.detail.clone(), args.data.clone());
    let event = JobEvent::from_afar(&args.id, token.as_ref(), args.event, detail, data, Utc::now());
    send(broker, &events_topic(&broker.root, &args.id), &event)?;
    let signed = if token.is_some() { "signed" } else { "unsigned" };
    let said = format!("{}: published {} to {}, {signed}.\n", args.id, event.event, broker.address());
    say(&event, &said, args, context)?;
    Ok(Exit::Done)
}

fn send(broker: &Broker, topic: &str, event: &JobEvent) -> Result<(), CliError> {
    let payload = serde_json::to_vec(event).map_err(unencodable)?;
    if payload.len() > MAX_PAYLOAD {
        return Err(JobsError::TooLong { id: event.job_id.clone(), limit: MAX_PAYLOAD }.into());
    }
    bus::once(broker, &broker::one_shot_client_id(broker), Some((topic, &payload)), PATIENCE)
        .map_err(|error| CliError::caused_by(Exit::Failure, &error))
}

fn say(event: &JobEvent, said: &str, args: &PublishArgs, context: &Context) -> Result<(), CliError> {
    match args.format.document() {
        Some(format) => print_document(&serde_json::to_value(event).map_err(unencodable)?, format, context),
        None => context.out.answer(said),
    }
}

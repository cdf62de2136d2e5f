//! `headcount events`: what the agent of a session said of itself through hooks, and what it is saying. Writes nothing.

use std::time::Duration;

use super::super::document_line;
use super::{begin_one, plan};
use crate::cli::Context;
use crate::cli::args::{Format, HookEventsArgs, JudgeArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::said;
use crate::control::hooks;
use crate::core::hooks::HookEvent;
use crate::core::ids::SessionKey;
use crate::core::report::said::HookEventReport;
use crate::core::text::printable;
use crate::store::hooks::HookError;

/// How often it is looked whether there is more.
const LOOK: Duration = Duration::from_millis(100);

/// Prints the events; with `--follow` until the agent has ended or nobody reads them any more.
pub(crate) fn run(args: &HookEventsArgs, context: &Context) -> Result<Exit, CliError> {
    let (lead, key) = begin_one(&args.reference, &JudgeArgs::default(), None, context)?;
    let planned = plan(&lead, context)?;
    let state = &lead.request.pass.state_home;
    let failed = |error: HookError| CliError::caused_by(Exit::Failure, &error);
    let (first, live) = hooks::of_session(&lead.world, state, &planned.pass, &key).map_err(failed)?;
    let is_wanted = |event: &HookEvent| args.types.is_empty() || args.types.contains(&event.kind);
    let mut first: Vec<HookEvent> = first.into_iter().filter(|event| is_wanted(event)).collect();
    if let Some(last) = args.last {
        first.drain(..first.len().saturating_sub(last));
    }
    let name = printable(&key.name).into_owned();
    if first.is_empty() && !args.follow {
        context.out.note(&format!("no hook of {name} has told anything; agents get hooks when headcount starts them"));
    }
    if !say(first, &key, args.format.document(), context)? {
        return Ok(Exit::Done);
    }
    let Some(mut ear) = live.filter(|_| args.follow) else { return Ok(Exit::Done) };
    loop {
        // Looked at before what it said is read: what an agent says as it ends is there then.
        let is_there = ear.lives(&lead.world);
        let news = ear.news().map_err(failed)?;
        let news = news.into_iter().filter(|event| is_wanted(event)).collect();
        if !say(news, &key, args.format.document(), context)? || !context.out.is_read() {
            return Ok(Exit::Done);
        }
        if !is_there {
            context.out.note(&format!("the agent of {name} has ended"));
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK);
    }
}

/// Writes events at once; tells whether anybody still reads.
fn say(events: Vec<HookEvent>, key: &SessionKey, format: Option<Format>, context: &Context) -> Result<bool, CliError> {
    let mut text = String::new();
    for event in events {
        text.push_str(&match format {
            Some(format) => document_line(&HookEventReport::new(key, event), format)
                .map_err(|error| CliError::caused_by(Exit::Failure, &error))?,
            None => said::event(&event, &context.out.look),
        });
    }
    context.out.go_on(&text, "an event")
}

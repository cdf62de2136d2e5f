//! `headcount wait`: until sessions meet a condition. Types nothing and records nothing.

use super::{Lead, begin, begin_any, failed};
use crate::cli::args::{AwaitArgs, WhichArgs};
use crate::cli::commands::print_document;
use crate::cli::commands::reading::read::sent_mark;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::wait as render;
use crate::cli::{Context, heap, signals};
use crate::control::lead::{self, SentMark, WaitRequest};
use crate::core::lead::conditions::{WaitAim, WaitEnd, WaitMode};
use crate::core::lead::{Wish, is_pattern};
use crate::core::text::printable;

/// Waits.
pub(crate) fn run(args: &AwaitArgs, context: &Context) -> Result<Exit, CliError> {
    signals::end_on_interrupt();
    heap::expand();
    let which = WhichArgs { refs: args.refs.clone(), ..WhichArgs::default() };
    let lead = match args.refs.as_slice() {
        [one] if !is_pattern(one) => begin_any(one, &args.judge, context)?.0,
        _ => begin(&which, &args.judge, None, Wish::Manifest, context)?,
    };
    let receipt = args.after.as_deref().map(|id| sent(&lead, id)).transpose()?;
    let begin = WaitRequest::begin(receipt.as_ref(), args.next, lead.world.host.now());
    let wait = WaitRequest {
        sessions: lead.request.only.clone().unwrap_or_default(),
        aim: WaitAim { conditions: args.conditions.iter().copied().collect(), begin },
        mode: if args.any { WaitMode::Any } else { WaitMode::All },
        receipt,
        timeout: args.timeout,
    };
    let Lead { world, request, .. } = lead;
    let report = lead::wait(world, &request, &wait).map_err(|error| failed(error, context))?;
    match args.format.document() {
        Some(format) => print_document(&report, format, context)?,
        None => context.out.answer(&render::render(&report, &context.out.look))?,
    }
    Ok(match report.end {
        WaitEnd::Met => Exit::Done,
        WaitEnd::TimedOut => Exit::Busy,
        WaitEnd::Never => Exit::Failure,
        WaitEnd::Unknown => Exit::Unknown,
    })
}

/// The text of a receipt, sent to one of the sessions.
fn sent(lead: &Lead, text: &str) -> Result<SentMark, CliError> {
    let sent = sent_mark(&lead.request.pass.state_home, text)?;
    let is_meant = lead.request.only.as_ref().is_some_and(|keys| keys.contains(&sent.session));
    let other = || {
        let name = printable(&sent.session.name).into_owned();
        CliError::new(Exit::Refused, format!("the text of {} was sent to {name}", printable(text))).hint("name that session")
    };
    is_meant.then_some(sent.clone()).ok_or_else(other)
}

//! `headcount queue`: the texts that wait for agents are shown, taken back, or delivered now.

use super::send::{addressed, exit as exit_of};
use super::{Lead, begin, failed};
use crate::cli::Context;
use crate::cli::args::{QueueArgs, WhichArgs};
use crate::cli::commands::print_document;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::queue as render;
use crate::control::lead;
use crate::core::ids::SessionKey;
use crate::core::lead::send::{QUEUE_SCHEMA, QueueReport, QueueRow, SendOutcome, SendReceipt};
use crate::core::lead::{BlockCode, OperationId, Wish};
use crate::core::text::printable;

/// Shows them, takes one back, or delivers them.
pub(crate) fn run(args: &QueueArgs, context: &Context) -> Result<Exit, CliError> {
    let (lead, session) = match &args.reference {
        Some(reference) => {
            let (lead, session, _) = addressed(reference, &args.whom, context)?;
            (lead, Some(session))
        }
        None => (begin(&WhichArgs::default(), &args.whom.judge, None, Wish::Manifest, context)?, None),
    };
    let dropped = match &args.drop {
        Some(id) => vec![take_back(&lead, session.as_ref(), id)?],
        None => Vec::new(),
    };
    let receipts = if args.now { deliver(&lead, session.as_ref(), context)? } else { Vec::new() };
    let texts = lead::waiting_texts(&lead.request, session.as_ref()).iter().map(QueueRow::of).collect();
    let report = QueueReport { schema: QUEUE_SCHEMA.to_owned(), texts, receipts, dropped };
    match args.whom.format.document() {
        Some(format) => print_document(&report, format, context)?,
        None => context.out.answer(&render::report(&report, &context.out.look))?,
    }
    let worst = report.receipts.iter().map(|receipt| exit_of(receipt, false)).max_by_key(|exit| match exit {
        Exit::Done => 0,
        Exit::Refused => 1,
        _ => 2,
    });
    Ok(worst.unwrap_or(Exit::Done))
}

/// Takes a text back.
fn take_back(lead: &Lead, session: Option<&SessionKey>, id: &str) -> Result<OperationId, CliError> {
    let named = OperationId::parse(id).and_then(|id| lead::waiting_text(&lead.request, &id));
    let gone = || {
        CliError::new(Exit::Failure, format!("no text {} waits", printable(id))).hint("`headcount queue` shows those that wait")
    };
    let text = named.filter(|text| session.is_none_or(|session| text.session == *session)).ok_or_else(gone)?;
    match lead::drop_waiting(&lead.world, &lead.request, &text) {
        Ok(true) => Ok(text.id),
        Ok(false) => Err(gone()),
        Err(blocked) => {
            let exit = if blocked.code == BlockCode::Busy { Exit::Busy } else { Exit::Failure };
            Err(CliError::new(exit, format!("{} was not taken back: {}", text.id, blocked.message)))
        }
    }
}

/// Delivers what waits for a session, the earliest first, until one is held or refused.
fn deliver(lead: &Lead, session: Option<&SessionKey>, context: &Context) -> Result<Vec<SendReceipt>, CliError> {
    let mut receipts = Vec::new();
    for text in lead::waiting_texts(&lead.request, session) {
        let receipt = lead::deliver_waiting(&lead.world, &lead.request, &text).map_err(|error| failed(error, context))?;
        let is_held = matches!(receipt.outcome, SendOutcome::Held | SendOutcome::Rejected);
        receipts.push(receipt);
        if is_held {
            break;
        }
    }
    Ok(receipts)
}

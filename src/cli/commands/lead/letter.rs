//! What a crew needs of the engine: a text to a worker, how the worker stands, and taking a text back. What may be done is decided elsewhere.

use super::{Lead, begin_any, failed};
use crate::cli::Context;
use crate::cli::args::JudgeArgs;
use crate::cli::error::{CliError, Exit};
use crate::control::lead::{self, Queueing, SendRequest, SentText, WorkerStanding};
use crate::core::ids::SessionKey;
use crate::core::lead::OperationId;
use crate::core::lead::send::{SendReceipt, TextOptions};
use crate::core::text::printable;

/// A text to a worker. It is typed at most once under its key.
pub(in crate::cli::commands) struct CrewLetter<'a> {
    pub(in crate::cli::commands) worker: &'a str,
    pub(in crate::cli::commands) text: String,
    pub(in crate::cli::commands) key: String,
}

/// The session of a worker. Nobody answers for a crew, so that whoever is at a terminal there comes first.
fn worker(reference: &str, context: &Context) -> Result<(Lead, SessionKey), CliError> {
    let (mut lead, key) = begin_any(reference, &JudgeArgs::default(), context)?;
    lead.request.is_automatic = true;
    Ok((lead, key))
}

impl CrewLetter<'_> {
    /// Sends it, or lets it wait for the end of the worker's turn.
    pub(in crate::cli::commands) fn send(self, context: &Context) -> Result<SendReceipt, CliError> {
        let (lead, session) = worker(self.worker, context)?;
        let agent = lead.manifest.find(&session).map(|entry| entry.agent);
        let gone = || CliError::new(Exit::Failure, format!("the entry of {} is gone", printable(&session.name)));
        let send = SendRequest {
            agent: agent.ok_or_else(gone)?,
            session,
            what: SentText::New(self.text, TextOptions { strip: false, command: false }),
            key: Some(self.key),
            is_preview: false,
            submits: true,
            interrupts: false,
            mid_turn: false,
            // What no entry declares, no watch delivers to.
            queueing: if lead.undeclared.is_some() { Queueing::Never } else { Queueing::Waits { keeps: false } },
        };
        lead::send(&lead.world, &lead.request, &send).map_err(|error| failed(error, context))
    }
}

/// How a worker stands.
pub(in crate::cli::commands) fn standing(reference: &str, context: &Context) -> Result<WorkerStanding, CliError> {
    let (lead, session) = worker(reference, context)?;
    lead::worker_standing(&lead.world, &lead.request, &session).map_err(|error| failed(error, context))
}

/// Takes a text back that waits for a worker. One that is just being delivered is not: its lease is void all the same.
pub(in crate::cli::commands) fn drop_waiting(reference: &str, receipt: &str, context: &Context) {
    let Ok((lead, _)) = worker(reference, context) else { return };
    let text = OperationId::parse(receipt).and_then(|id| lead::waiting_text(&lead.request, &id));
    if let Some(text) = text
        && let Err(blocked) = lead::drop_waiting(&lead.world, &lead.request, &text)
    {
        context.out.note(&format!("a text that waits for {} was not taken back: {}", printable(reference), blocked.message));
    }
}

//! A receipt while it is being made. Values only.

use std::time::Instant;

use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::send::{RECEIPT_SCHEMA, SendOutcome, SendPhases, SendReceipt};
use crate::core::lead::turns::TurnError;
use crate::core::lead::{ActionKind, Blocked, OperationReport, Outcome};
use crate::core::text::{printable, stamp};

/// The most characters of an agent's words in a receipt.
const MOST: usize = 200;

/// A receipt that is being made.
pub(super) struct ReceiptDraft {
    pub(super) receipt: SendReceipt,
    /// What could not be told when it was typed, or Enter pressed: what is seen afterwards decides.
    pub(super) doubt: Option<String>,
    begun: Instant,
}

impl ReceiptDraft {
    pub(super) fn new(session: &SessionKey, agent: AgentKind) -> Self {
        let receipt = SendReceipt {
            schema: RECEIPT_SCHEMA.to_owned(),
            id: None,
            session: session.clone(),
            agent,
            conversation: None,
            phases: SendPhases::default(),
            outcome: SendOutcome::Held,
            code: None,
            message: String::new(),
            evidence: Vec::new(),
            steered: false,
            stripped: 0,
            duplicate_of: None,
            first_outcome: None,
            took_ms: 0,
        };
        Self { receipt, doubt: None, begun: Instant::now() }
    }

    pub(super) fn end(mut self, outcome: SendOutcome, message: impl Into<String>) -> SendReceipt {
        (self.receipt.outcome, self.receipt.message) = (outcome, message.into());
        self.receipt.took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.receipt
    }

    /// It stands in the composer.
    pub(super) fn staged(self, what: &str) -> SendReceipt {
        let session = printable(&self.receipt.session.name).into_owned();
        let id = self.receipt.id.as_ref().map(ToString::to_string).unwrap_or_default();
        self.end(SendOutcome::Staged, format!("{what}; `headcount send {session} --submit {id}` presses Enter"))
    }

    /// It was said, and refused.
    pub(super) fn rejected(self, error: &TurnError) -> SendReceipt {
        let until = error.resets_at.map(|at| format!(" (until {})", stamp(at))).unwrap_or_default();
        let what: String = printable(&error.message).chars().take(MOST).collect();
        let agent = self.receipt.agent;
        let message = format!(
            "{agent} took it, and its service refused it{until}: {what}. It stands in the conversation: when that is over, look with \
             `headcount read` before you send it again"
        );
        self.end(SendOutcome::Rejected, message)
    }

    pub(super) fn held(mut self, blocked: Blocked) -> SendReceipt {
        self.receipt.code = Some(blocked.code);
        self.end(SendOutcome::Held, blocked.message)
    }
}

/// The same for the record of all operations.
pub(super) fn report(receipt: &SendReceipt, submits: bool) -> OperationReport {
    let outcome = match receipt.outcome {
        SendOutcome::Delivered | SendOutcome::Queued | SendOutcome::Waiting => Outcome::Done,
        SendOutcome::Staged if !submits => Outcome::Done,
        SendOutcome::Held | SendOutcome::Refused => Outcome::Refused,
        SendOutcome::Unverified => Outcome::Unverified,
        SendOutcome::Staged | SendOutcome::Rejected | SendOutcome::Preview | SendOutcome::Duplicate => Outcome::Failed,
    };
    OperationReport {
        id: receipt.id.clone(),
        session: receipt.session.clone(),
        agent: receipt.agent,
        action: ActionKind::Send,
        outcome,
        conversation: receipt.conversation.clone(),
        verified_by: receipt.evidence.clone(),
        why: Some(receipt.message.clone()),
        code: receipt.code,
        failure: None,
        screen_tail: None,
        took_ms: receipt.took_ms,
    }
}

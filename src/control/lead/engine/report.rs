//! What became of an operation, while it is being made. Values only.

use std::time::Instant;

use crate::control::lead::LeadRequest;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::{ActionKind, BlockCode, OperationReport, Outcome, Wish};
use crate::core::manifest::Session;
use crate::core::manifest::lead::Desired;

/// A report that is being made.
pub(super) struct OperationDraft {
    pub(super) report: OperationReport,
    begun: Instant,
}

impl OperationDraft {
    pub(super) fn new(session: &Session, request: &LeadRequest) -> Self {
        let action = match (request.wish, session.lead.desired) {
            (Wish::Stop, _) | (Wish::Manifest, Some(Desired::Stopped)) => ActionKind::Stop,
            (Wish::Restart, _) => ActionKind::Restart,
            (Wish::Start { .. } | Wish::Manifest, _) => ActionKind::Start,
        };
        Self::of(&session.key, session.agent, action)
    }

    pub(super) fn of(key: &SessionKey, agent: AgentKind, action: ActionKind) -> Self {
        let report = OperationReport {
            id: None,
            session: key.clone(),
            agent,
            action,
            outcome: Outcome::Skipped,
            conversation: None,
            verified_by: Vec::new(),
            why: None,
            code: None,
            failure: None,
            screen_tail: None,
            took_ms: 0,
        };
        Self { report, begun: Instant::now() }
    }

    pub(super) fn end(self, outcome: Outcome) -> OperationReport {
        let took_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        OperationReport { outcome, took_ms, ..self.report }
    }

    pub(super) fn skipped(mut self, how: &str) -> OperationReport {
        self.report.why = Some(how.to_owned());
        self.end(Outcome::Skipped)
    }

    pub(super) fn refused(mut self, code: BlockCode, why: String) -> OperationReport {
        (self.report.code, self.report.why) = (Some(code), Some(why));
        self.end(Outcome::Refused)
    }

    pub(super) fn failed(mut self, outcome: Outcome, why: String) -> OperationReport {
        self.report.why = Some(why);
        self.end(outcome)
    }
}

//! The permission to act: whoever holds one has had the session judged. Nothing else makes one.

use super::action::{Action, ActionKind, Standing, Target};
use super::operation::Operation;
use super::profiles::{LeadProfile, LeadRule};

/// The permission to carry out one operation.
#[derive(Debug)]
pub struct Permit {
    operation: Operation,
    action: Action,
}

impl Permit {
    /// The permission for an operation, if its session stands so that just this is to be done.
    pub fn new(operation: &Operation, standing: &Standing) -> Option<Self> {
        match standing {
            Standing::Planned(action) if action.kind == operation.action && action.conversation == operation.conversation => {
                Some(Self { operation: operation.clone(), action: action.clone() })
            }
            _ => None,
        }
    }

    /// The permission to take away what an operation left, if it is a start that was called off: nothing begins there any more.
    pub fn of_called_off(operation: &Operation, is_called_off: bool) -> Option<Self> {
        let is_start = matches!(operation.action, ActionKind::Start | ActionKind::Resume);
        let action = Action {
            kind: operation.action,
            target: Target::InPlace,
            conversation: operation.conversation.clone(),
            rung: None,
        };
        (is_start && is_called_off).then(|| Self { operation: operation.clone(), action })
    }

    /// The permission to close a whole session at the end of what was in it, for a tool that does so.
    pub fn of_session_end(operation: &Operation, profile: LeadProfile) -> Option<Self> {
        let action = Action {
            kind: operation.action,
            target: Target::InPlace,
            conversation: operation.conversation.clone(),
            rung: None,
        };
        let may = operation.action == ActionKind::Stop && profile.relaxes(LeadRule::SessionKept);
        may.then(|| Self { operation: operation.clone(), action })
    }

    /// The operation.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// What is done.
    pub fn action(&self) -> &Action {
        &self.action
    }
}

//! The permission to act: whoever holds one has had the session judged. Nothing else makes one.

use super::action::{Action, Standing};
use super::operation::Operation;

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

    /// The operation.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// What is done.
    pub fn action(&self) -> &Action {
        &self.action
    }
}

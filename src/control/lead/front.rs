//! What the front end of another tool adds to a request. A value; what it leaves out of the rules is its profile's.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::core::ids::ConversationId;
use crate::core::lead::LeadProfile;

/// What a front end adds to a request.
#[derive(Debug, Clone, Default)]
pub struct FrontRequest {
    /// For which tool it is made.
    pub profile: LeadProfile,
    /// The id that a new conversation is given, where its agent takes one.
    pub conversation: Option<ConversationId>,
    /// Arguments of the agent behind all others.
    pub arguments: Vec<String>,
    /// The directory in which that tool hears of events, which hooks then tell it as well.
    pub told: Option<PathBuf>,
    /// Variables that what is started does not get, beside those that mean nothing to its agent.
    pub clears: Vec<String>,
    /// How the tab of a new session is called, where not after the work of its entry.
    pub tab: Option<String>,
    /// Whether that tool has heard that the agent has begun.
    pub heard: Option<HeardCheck>,
}

/// Asks whether something was heard.
#[derive(Clone)]
pub struct HeardCheck(Arc<dyn Fn() -> bool + Send + Sync>);

impl HeardCheck {
    /// This question.
    pub fn new(ask: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// Asks it.
    pub fn is_so(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for HeardCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeardCheck")
    }
}

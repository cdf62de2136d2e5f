//! How a declared agent is driven, as its manifest says it. Values only.

use std::collections::BTreeMap;
use std::time::Duration;

/// How a declared agent is driven. What is missing is never tried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Drive {
    /// Its own arguments on every start.
    pub start: Vec<String>,
    /// The flag that gives a new conversation its id.
    pub id_flag: Option<String>,
    /// What its screen shows when it is ready.
    pub ready: Option<String>,
    /// What its composer begins with.
    pub composer: Option<String>,
    /// The key that submits.
    pub submit: Option<String>,
    /// What its screen shows when a turn has ended.
    pub end: Option<String>,
    /// The keys that quit it.
    pub quit: Vec<String>,
    /// How long it may take to quit.
    pub grace: Option<Duration>,
    /// What its screen shows when it asks about a workspace.
    pub trust: Option<String>,
    /// Its flags by the words of `permissions`.
    pub permission: BTreeMap<String, Vec<String>>,
}

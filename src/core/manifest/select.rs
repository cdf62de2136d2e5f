//! Which sessions a command was asked about. Pure.

use std::collections::BTreeMap;

use super::pattern::glob;
use crate::core::class::Class;
use crate::core::ids::AgentKind;

/// The selection of a command: NAME globs, `-l key=value`, `--class`, `--agent`. An empty list selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Globs of session names, any of which must match.
    pub names: Vec<String>,
    /// Labels, all of which must be there with that value.
    pub labels: Vec<(String, String)>,
    /// Drift classes, any of which.
    pub classes: Vec<Class>,
    /// Agents, any of which.
    pub agents: Vec<AgentKind>,
}

impl Selection {
    /// Whether a session is selected.
    pub fn covers(&self, name: &str, agent: AgentKind, labels: &BTreeMap<String, String>) -> bool {
        (self.names.is_empty() || self.names.iter().any(|pattern| glob(pattern, name)))
            && (self.agents.is_empty() || self.agents.contains(&agent))
            && self.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// Whether a drift of this class is selected.
    pub fn covers_class(&self, class: Class) -> bool {
        self.classes.is_empty() || self.classes.contains(&class)
    }

    /// Whether sessions without an entry are asked about, whatever they are called.
    pub fn covers_discovery(&self) -> bool {
        *self == Self { classes: self.classes.clone(), ..Self::default() } && self.covers_class(Class::Unregistered)
    }

    /// Whether everything is selected.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

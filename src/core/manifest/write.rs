//! Where a recorded field of an entry is written. Makes edits; applies none.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Dialect;
use super::lead::Desired;
use super::names::{Field, own_id_agent, own_id_key};
use crate::core::edit::{Edit, Path};
use crate::core::ids::AgentKind;

/// An entry as it stands in the file: its place and its own keys, as far as headcount may write them. Keys that come through a merge (`<<`) are not its own and
/// are never written; recording such a field gives the entry a key of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct WritableEntry {
    /// The spelling of the file.
    pub dialect: Dialect,
    /// `sessions[i]`.
    pub path: Path,
    /// Its own name and recorded fields, in the order of the file.
    pub own: Map<String, Value>,
    /// Which declared fields stand in it, by the keys people wrote, also those that only say what holds anyway.
    pub declares: BTreeSet<String>,
    /// Its last own key, declared or recorded.
    pub last_key: Option<String>,
    /// Where a per-session identity that is valid here keeps the id, and what stands there.
    pub identity: Option<(Path, Value)>,
}

impl WritableEntry {
    /// The edit that records `value` in `field`; `None` if exactly that stands there already.
    pub fn set(&self, field: Field, agent: AgentKind, value: Value) -> Option<Edit> {
        let (path, from) = match field {
            Field::SessionId => self.id_place(agent),
            _ => self.place(field),
        };
        if from.as_ref() == Some(&value) {
            return None;
        }
        let after = from.is_none().then(|| self.predecessor(field)).flatten();
        Some(Edit { path, from, to: Some(value), after })
    }

    /// The edit that declares `desired`, where the entry says `now`.
    pub fn set_desired(&self, now: Option<Desired>, desired: Desired) -> Option<Edit> {
        let word = |desired: Desired| Value::from(desired.as_str());
        let after = now.is_none().then(|| self.last_key.clone()).flatten();
        let path = self.path.key(Field::Desired.name());
        (now != Some(desired)).then(|| Edit { path, from: now.map(word), to: Some(word(desired)), after })
    }

    /// The edit that nulls `field` where it stands; `None` if it does not stand there or is null already.
    pub fn null_if_there(&self, field: Field) -> Option<Edit> {
        let (path, from) = self.place(field);
        match from {
            None | Some(Value::Null) => None,
            Some(from) => Some(Edit::new(path, Some(from), Some(Value::Null))),
        }
    }

    /// The keys that may hold this agent's id: those of its own spelling that the entry has, then `session_id`. Of an entry
    /// whose agent cannot be told, those of any agent.
    pub(super) fn id_keys(&self, agent: Option<AgentKind>) -> impl Iterator<Item = &str> {
        let is_own = move |key: &&str| own_id_agent(key).is_some_and(|of| agent.is_none_or(|agent| agent == of));
        let own = self.own.keys().map(String::as_str).filter(is_own);
        own.chain([Field::SessionId.name()])
    }

    /// Where the entry's name stands; the entry itself if the name is not its own.
    pub fn name_path(&self) -> Path {
        match self.place(Field::Name) {
            (path, Some(_)) => path,
            (_, None) => self.path.clone(),
        }
    }

    /// What stands at a field, and where.
    fn place(&self, field: Field) -> (Path, Option<Value>) {
        for name in field.names() {
            if let Some(value) = self.own.get(*name) {
                return (self.path.key(*name), Some(value.clone()));
            }
        }
        let name = match self.dialect {
            Dialect::V1 => field.name(),
            Dialect::MultiAgentMux => field.older_name(),
        };
        (self.path.key(name), None)
    }

    /// Where the conversation id is written: the first of own field, `session_id`, per-session identity that exists (null
    /// counts), else a new key in the file's dialect.
    fn id_place(&self, agent: AgentKind) -> (Path, Option<Value>) {
        if let Some((key, value)) = self.id_keys(Some(agent)).find_map(|key| Some((key, self.own.get(key)?))) {
            return (self.path.key(key), Some(value.clone()));
        }
        if let Some((path, value)) = &self.identity {
            return (path.clone(), Some(value.clone()));
        }
        let key = match self.dialect {
            Dialect::V1 => Field::SessionId.name().to_owned(),
            Dialect::MultiAgentMux => own_id_key(agent),
        };
        (self.path.key(key), None)
    }

    /// The key of this entry after which a new `field` reads best: the last one there of those that come before it.
    fn predecessor(&self, field: Field) -> Option<String> {
        const ORDER: [Field; 6] = [
            Field::Status,
            Field::TerminatedAt,
            Field::TerminationMode,
            Field::SessionId,
            Field::Pane,
            Field::LastVisibleStatus,
        ];
        let position = ORDER.iter().position(|other| *other == field)?;
        let before = &ORDER[..position];
        self.own
            .keys()
            .rfind(|key| Field::of_key(key).is_some_and(|other| before.contains(&other)))
            .or(self.last_key.as_ref())
            .cloned()
    }
}

//! Which list of a document holds its sessions. Pure; a list that was not understood is never taken for none.

use serde_yaml::{Mapping, Value};

use super::names::{Field, is_own_key, own_id_agent, top};
use super::remark::Remarks;
use crate::core::edit::Path;

/// The key of the list of sessions. Two lists, or sessions under a key that nothing knows, are an error: a session that was not
/// understood would be registered a second time, or said to be none.
pub(super) fn key(document: &Mapping, known: &[&str], remarks: &mut Remarks) -> Option<&'static str> {
    let mut is_understood = true;
    for key in document.keys() {
        let Some(key) = key.as_str().filter(|key| !known.contains(key)) else { continue };
        if is_stray(key, document) {
            let hint = format!("call it `{}`; a key of your own begins with `x-`", top::SESSIONS);
            remarks.fatal_key(Path::root().key(key), format!("sessions stand under the unknown key `{key}`"), Some(hint));
            is_understood = false;
        }
    }
    let is_there = |key: &str| document.get(key).is_some_and(|value| !value.is_null());
    match (is_there(top::SESSIONS), is_there(top::TMUX_SESSIONS)) {
        _ if !is_understood => None,
        (true, true) => {
            let hint = format!("`{}` is the older name of `{}`; keep one list", top::TMUX_SESSIONS, top::SESSIONS);
            let message = format!("`{}` and `{}` are both there", top::SESSIONS, top::TMUX_SESSIONS);
            remarks.fatal_key(Path::root().key(top::TMUX_SESSIONS), message, Some(hint));
            None
        }
        (true, false) => Some(top::SESSIONS),
        (false, true) => Some(top::TMUX_SESSIONS),
        (false, false) if document.contains_key(top::TMUX_SESSIONS) && !document.contains_key(top::SESSIONS) => {
            Some(top::TMUX_SESSIONS)
        }
        (false, false) => Some(top::SESSIONS),
    }
}

/// Whether an unknown key holds what looks like sessions; any list does where no list of sessions is. Keys of the user's own may.
pub(super) fn is_stray(key: &str, document: &Mapping) -> bool {
    let has_list = [top::SESSIONS, top::TMUX_SESSIONS].iter().any(|list| document.contains_key(*list));
    let is_list = |value: &Value| !has_list && value.is_sequence();
    !is_own_key(key) && document.get(key).is_some_and(|value| is_list(value) || holds_sessions(value))
}

/// Whether an entry, or the defaults, name this agent.
pub(super) fn names_agent(document: &Mapping, list: &str, name: &str, older: bool) -> bool {
    let entries = document.get(list).and_then(Value::as_sequence);
    let mut all = entries.into_iter().flatten().chain(document.get(top::DEFAULTS));
    all.any(|fields| is_named_in(fields, name, older))
}

/// Whether an entry names this agent; in the older dialect also by the end of its name, or by an id.
pub(super) fn is_named_in(fields: &Value, name: &str, older: bool) -> bool {
    let text = |field: Field| field.names().iter().find_map(|key| fields.get(*key)?.as_str());
    let is_meant = |fields: &Mapping| {
        let ends = text(Field::Name).and_then(|it| it.strip_suffix(name)).is_some_and(|it| it.ends_with('-'));
        ends || fields.keys().filter_map(Value::as_str).filter_map(own_id_agent).any(|agent| agent.as_str() == name)
    };
    text(Field::Agent) == Some(name) || (older && fields.as_mapping().is_some_and(is_meant))
}

/// Whether what looks like an entry is anywhere in a value: in a list, or in a mapping by names.
fn holds_sessions(value: &Value) -> bool {
    let holds = |value: &Value| is_entry(value) || holds_sessions(value);
    match value {
        Value::Sequence(items) => items.iter().any(holds),
        Value::Mapping(fields) => fields.values().any(holds),
        _ => false,
    }
}

/// Whether a value says something that only an entry says, and something else of a session.
fn is_entry(value: &Value) -> bool {
    const OWN: [Field; 4] = [Field::Agent, Field::Status, Field::SessionId, Field::Pane];
    let keys = value.as_mapping().into_iter().flat_map(Mapping::keys);
    let said: Vec<Field> = keys.filter_map(Value::as_str).filter_map(Field::of_key).collect();
    let is_placed = said.iter().any(|field| matches!(field, Field::Name | Field::Cwd));
    let own = OWN.into_iter().filter(|field| said.contains(field)).count();
    own + usize::from(is_placed) >= 2
}

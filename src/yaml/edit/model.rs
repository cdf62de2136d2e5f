//! What edits mean for the untyped value: whether they apply, and which single nodes change. Knows nothing of text.

use serde_json::Value as Json;
use serde_yaml::{Mapping, Value};

use super::Refusal;
use crate::core::edit::{Edit, Path, Segment};
use crate::yaml::tree::SyntaxTree;

/// The change of one node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum NodeChange {
    /// Another value at a node that is there.
    Replace(Path, Json),
    /// A new key of a mapping that is there, after another key if that is there.
    Insert(Path, String, Json, Option<String>),
    /// A new last item of a sequence that is there.
    Append(Path, usize, Json),
    /// A node goes, with its key.
    Remove(Path),
}

impl NodeChange {
    /// The node that changes.
    pub(crate) fn path(&self) -> Path {
        match self {
            Self::Replace(path, _) | Self::Remove(path) => path.clone(),
            Self::Insert(parent, key, ..) => parent.key(key),
            Self::Append(parent, index, _) => parent.index(*index),
        }
    }
}

/// Why an edit does not apply.
#[derive(Debug)]
pub(super) struct EditProblem {
    path: Path,
    changed: bool,
    reason: String,
}

impl EditProblem {
    fn changed(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.clone(), changed: true, reason: reason.into() }
    }

    fn impossible(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.clone(), changed: false, reason: reason.into() }
    }

    /// The refusal, with its place in the text.
    pub(super) fn placed(self, text: &str, edit: &Edit) -> Refusal {
        let span = SyntaxTree::parse(text).span(&edit.path, false);
        let Self { path, reason, .. } = self;
        if self.changed { Refusal::Changed { path, reason, span } } else { Refusal::NotEditable { path, reason, span } }
    }
}

/// The single changes an edit comes to.
pub(super) fn steps(edit: &Edit, document: &Value) -> Result<Vec<NodeChange>, EditProblem> {
    let path = &edit.path;
    if path.0.iter().any(|segment| matches!(segment, Segment::Key(key) if key == "<<")) {
        return Err(EditProblem::impossible(path, "it is a merge key"));
    }
    let mut steps = Vec::new();
    match (&edit.from, &edit.to) {
        (None, None) => {}
        (None, Some(to)) => steps.push(addition(edit, to, document)?),
        (Some(from), to) => {
            let current = lookup(document, path).ok_or_else(|| EditProblem::changed(path, "it no longer exists"))?;
            match to {
                Some(to) => replacement(path, from, to, current, &mut steps)?,
                None if path.0.is_empty() => return Err(EditProblem::impossible(path, "the whole document is never removed")),
                None => {
                    expect(path, from, current)?;
                    steps.push(NodeChange::Remove(path.clone()));
                }
            }
        }
    }
    Ok(steps)
}

fn addition(edit: &Edit, to: &Json, document: &Value) -> Result<NodeChange, EditProblem> {
    let path = &edit.path;
    let (parent, last) = path.split_last().ok_or_else(|| EditProblem::changed(path, "the document already exists"))?;
    match (lookup(document, &parent), last) {
        (None, _) => Err(EditProblem::impossible(path, format!("{parent} does not exist"))),
        (Some(Value::Mapping(mapping)), Segment::Key(key)) => match mapping.get(key.as_str()) {
            Some(current) => Err(EditProblem::changed(path, format!("it is {}", brief(current)))),
            None => Ok(NodeChange::Insert(parent, key.clone(), to.clone(), edit.after.clone())),
        },
        (Some(Value::Sequence(items)), Segment::Index(index)) => match index.cmp(&items.len()) {
            std::cmp::Ordering::Equal => Ok(NodeChange::Append(parent, *index, to.clone())),
            std::cmp::Ordering::Less => Err(EditProblem::changed(path, format!("there are already {} items", items.len()))),
            std::cmp::Ordering::Greater => Err(EditProblem::changed(path, format!("there are only {} items", items.len()))),
        },
        (Some(other), Segment::Key(_)) => {
            Err(EditProblem::impossible(path, format!("{parent} is {}, not a mapping", brief(other))))
        }
        (Some(other), Segment::Index(_)) => {
            Err(EditProblem::impossible(path, format!("{parent} is {}, not a list", brief(other))))
        }
    }
}

/// Another value for a node: key by key for a mapping, item by item at the end of a sequence, else as a whole.
fn replacement(path: &Path, from: &Json, to: &Json, current: &Value, steps: &mut Vec<NodeChange>) -> Result<(), EditProblem> {
    match (from, to, current) {
        (Json::Object(from), Json::Object(to), Value::Mapping(mapping)) if !mapping.is_empty() => {
            for (key, value) in from {
                let path = path.key(key);
                let current = mapping.get(key.as_str()).ok_or_else(|| EditProblem::changed(&path, "it no longer exists"))?;
                match to.get(key) {
                    _ if key == "<<" => {}
                    Some(to) => replacement(&path, value, to, current, steps)?,
                    None => {
                        expect(&path, value, current)?;
                        steps.push(NodeChange::Remove(path));
                    }
                }
            }
            let mut before = None;
            for (key, value) in to {
                if !from.contains_key(key) {
                    let path = path.key(key);
                    match mapping.get(key.as_str()) {
                        Some(current) => return Err(EditProblem::changed(&path, format!("it is {}", brief(current)))),
                        None if key == "<<" => return Err(EditProblem::impossible(&path, "it is a merge key")),
                        None => {}
                    }
                    let parent = path.split_last().map(|(parent, _)| parent).unwrap_or_default();
                    steps.push(NodeChange::Insert(parent, key.clone(), value.clone(), before.clone()));
                }
                before = Some(key.clone());
            }
            Ok(())
        }
        _ => {
            expect(path, from, current)?;
            match (from, to) {
                _ if same(to, current) => {}
                (Json::Array(from), Json::Array(to)) if !from.is_empty() && to.starts_with(from) => {
                    let more = to.iter().enumerate().skip(from.len());
                    steps.extend(more.map(|(index, item)| NodeChange::Append(path.clone(), index, item.clone())));
                }
                (Json::Array(from), Json::Array(to)) if !to.is_empty() && from.starts_with(to) => {
                    steps.extend((to.len()..from.len()).rev().map(|index| NodeChange::Remove(path.index(index))));
                }
                _ => steps.push(NodeChange::Replace(path.clone(), to.clone())),
            }
            Ok(())
        }
    }
}

fn expect(path: &Path, from: &Json, current: &Value) -> Result<(), EditProblem> {
    if same(from, current) { Ok(()) } else { Err(EditProblem::changed(path, difference(from, current))) }
}

/// What is different from what was expected: of a mapping the keys, else the whole.
fn difference(from: &Json, current: &Value) -> String {
    let mut found = Vec::new();
    collect_differences("", from, current, &mut found);
    match found.as_slice() {
        [] => format!("it is {}", brief(current)),
        all => match all.split_at_checked(NAMED_DIFFERENCES) {
            Some((named, more)) if !more.is_empty() => format!("{} and {} more", named.join(", "), more.len()),
            _ => all.join(", "),
        },
    }
}

/// A message names this many keys.
const NAMED_DIFFERENCES: usize = 4;

fn collect_differences(above: &str, from: &Json, current: &Value, found: &mut Vec<String>) {
    let (Json::Object(fields), Value::Mapping(mapping)) = (from, current) else {
        if !above.is_empty() && !same(from, current) {
            found.push(format!("`{above}` is {}", brief(current)));
        }
        return;
    };
    let name = |key: &str| if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
    for (key, value) in fields {
        match mapping.get(key.as_str()) {
            Some(current) => collect_differences(&name(key), value, current, found),
            None => found.push(format!("`{}` is gone", name(key))),
        }
    }
    let new = mapping.keys().filter_map(Value::as_str).filter(|key| !fields.contains_key(*key));
    found.extend(new.map(|key| format!("`{}` is new", name(key))));
}

/// Makes a step that applies.
pub(crate) fn take(document: &mut Value, step: &NodeChange) {
    match step {
        NodeChange::Replace(path, to) => {
            if let Some(node) = lookup_mut(document, path) {
                *node = yaml(to);
            }
        }
        NodeChange::Insert(parent, key, value, _) => {
            if let Some(Value::Mapping(mapping)) = lookup_mut(document, parent) {
                mapping.insert(Value::String(key.clone()), yaml(value));
            }
        }
        NodeChange::Append(parent, _, value) => {
            if let Some(Value::Sequence(items)) = lookup_mut(document, parent) {
                items.push(yaml(value));
            }
        }
        NodeChange::Remove(path) => {
            let Some((parent, last)) = path.split_last() else { return };
            match (lookup_mut(document, &parent), last) {
                (Some(Value::Mapping(mapping)), Segment::Key(key)) => {
                    mapping.shift_remove(key.as_str());
                }
                (Some(Value::Sequence(items)), &Segment::Index(index)) if index < items.len() => {
                    items.remove(index);
                }
                _ => {}
            }
        }
    }
}

/// The node at a path.
pub(crate) fn lookup<'a>(document: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(document, |node, segment| match (segment, node) {
        (Segment::Key(key), Value::Mapping(mapping)) => mapping.get(key.as_str()),
        (Segment::Index(index), Value::Sequence(items)) => items.get(*index),
        _ => None,
    })
}

/// The node at a path, to change it.
pub(crate) fn lookup_mut<'a>(document: &'a mut Value, path: &Path) -> Option<&'a mut Value> {
    path.0.iter().try_fold(document, |node, segment| match (segment, node) {
        (Segment::Key(key), Value::Mapping(mapping)) => mapping.get_mut(key.as_str()),
        (Segment::Index(index), Value::Sequence(items)) => items.get_mut(*index),
        _ => None,
    })
}

/// The untyped value of a JSON value.
pub(crate) fn yaml(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Value::Number(number.into()),
            (None, Some(number)) => Value::Number(number.into()),
            (None, None) => Value::Number(number.as_f64().unwrap_or(f64::NAN).into()),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Sequence(items.iter().map(yaml).collect()),
        Json::Object(fields) => {
            let mut mapping = Mapping::with_capacity(fields.len());
            for (key, value) in fields {
                mapping.insert(Value::String(key.clone()), yaml(value));
            }
            Value::Mapping(mapping)
        }
    }
}

/// Whether a JSON value says what a node says. A number or truth value as key says what its text says.
fn same(json: &Json, node: &Value) -> bool {
    match (json, node) {
        (Json::Array(items), Value::Sequence(nodes)) => {
            items.len() == nodes.len() && items.iter().zip(nodes).all(|(item, node)| same(item, node))
        }
        (Json::Object(fields), Value::Mapping(mapping)) => {
            fields.len() == mapping.len()
                && mapping.iter().all(|(key, node)| {
                    let name = match key {
                        Value::String(text) => text.clone(),
                        Value::Number(number) => number.to_string(),
                        Value::Bool(value) => value.to_string(),
                        _ => return false,
                    };
                    fields.get(&name).is_some_and(|field| same(field, node))
                })
        }
        // A float JSON cannot say (`.nan`, `.inf`) is null there.
        (Json::Null, Value::Number(number)) => !number.is_finite(),
        (Json::Array(_) | Json::Object(_), _) => false,
        _ => yaml(json) == *node,
    }
}

/// A value in a message: short and on one line.
fn brief(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= 60 => format!("{text:?}"),
        Value::String(_) => "a long text".to_owned(),
        Value::Sequence(items) => format!("a list of {}", items.len()),
        Value::Mapping(mapping) => format!("a mapping of {}", mapping.len()),
        Value::Tagged(tagged) => format!("a value tagged {}", tagged.tag),
    }
}

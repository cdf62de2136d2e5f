//! The ordered edits that answer drifts. Pure: decides which drifts are recorded together and in which order; applies nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::drift::{Disposition, Drift};
use super::edit::{Edit, Path, Segment};
use super::ids::ConversationId;
use super::manifest::names::top;
use super::manifest::select::Selection;
use super::manifest::{Manifest, SessionsNode};

/// What a pass will write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The steps: changes of existing entries first, then new entries.
    pub steps: Vec<Step>,
    /// Drifts that may not be recorded after all, by position, and why.
    pub refused: BTreeMap<usize, String>,
}

/// The answer to one drift: all of its edits or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The position of the drift it answers.
    pub drift: usize,
    /// The edits, with the indexes new entries really get.
    pub edits: Vec<Edit>,
}

impl Plan {
    /// Every edit, in order.
    pub fn edits(&self) -> Vec<Edit> {
        self.steps.iter().flat_map(|step| step.edits.iter().cloned()).collect()
    }

    /// The plan without the steps of some drifts; new entries are numbered anew.
    #[must_use]
    pub fn without(&self, manifest: &Manifest, drifts: &[Drift], dropped: &BTreeMap<usize, String>) -> Self {
        let mut refused = self.refused.clone();
        refused.extend(dropped.clone());
        let kept = self.steps.iter().map(|step| step.drift).filter(|drift| !dropped.contains_key(drift)).collect();
        Self { steps: steps(manifest, drifts, &kept), refused }
    }
}

/// Whether a drift is among those a command was asked about.
pub fn is_selected(manifest: &Manifest, drift: &Drift, selection: &Selection) -> bool {
    let labels = manifest.find(&drift.session).map(|session| &session.labels);
    let none = BTreeMap::new();
    selection.covers_class(drift.class) && selection.covers(&drift.session.name, drift.agent, labels.unwrap_or(&none))
}

/// The plan that records every selected drift which may be recorded now.
///
/// No plan puts a conversation id on an entry while another entry that it leaves alone still holds it and lives; such a step
/// waits for the other one, whatever was selected.
pub fn make(manifest: &Manifest, drifts: &[Drift], selection: &Selection, alive: &dyn Fn(usize) -> bool) -> Plan {
    let recordable = |drift: &Drift| drift.disposition == Disposition::Record && is_selected(manifest, drift, selection);
    let mut kept: BTreeSet<usize> =
        drifts.iter().enumerate().filter(|(_, drift)| recordable(drift)).map(|(position, _)| position).collect();
    let mut refused = BTreeMap::new();
    while let Some((position, why)) = first_theft(manifest, drifts, &kept, alive) {
        kept.remove(&position);
        refused.insert(position, why);
    }
    Plan { steps: steps(manifest, drifts, &kept), refused }
}

/// The first kept drift that would give an entry an id another live entry goes on holding.
fn first_theft(
    manifest: &Manifest,
    drifts: &[Drift],
    kept: &BTreeSet<usize>,
    alive: &dyn Fn(usize) -> bool,
) -> Option<(usize, String)> {
    let mut after: BTreeMap<usize, ConversationId> =
        manifest.sessions.iter().filter_map(|session| Some((session.index, session.recorded.session_id.clone()?))).collect();
    let given: Vec<(usize, Option<usize>, ConversationId)> = kept
        .iter()
        .filter_map(|position| {
            let drift = drifts.get(*position)?;
            let (index, id) = drift.edits.iter().find_map(|edit| given_id(manifest, edit))?;
            Some((*position, index, id))
        })
        .collect();
    for (_, index, id) in &given {
        if let Some(index) = index {
            after.insert(*index, id.clone());
        }
    }
    let twice = given.iter().enumerate().find(|(at, (.., id))| given[..*at].iter().any(|(.., earlier)| earlier == id));
    if let Some((_, (position, _, id))) = twice {
        return Some((*position, format!("conversation {id} would be given to two sessions")));
    }
    given.into_iter().find_map(|(position, own, id)| {
        let holder = after.iter().find(|(index, held)| Some(**index) != own && **held == id && alive(**index))?;
        let name = &manifest.sessions.get(*holder.0)?.key.name;
        Some((position, format!("conversation {id} is still recorded on {name}, which is alive")))
    })
}

/// The entry an edit gives an id to, and the id. A new entry has no index yet.
fn given_id(manifest: &Manifest, edit: &Edit) -> Option<(Option<usize>, ConversationId)> {
    use super::manifest::names::Field;
    let text = |value: &Value| value.as_str().map(|id| ConversationId(id.to_owned()));
    match edit.path.0.as_slice() {
        [Segment::Key(root), Segment::Index(index)] if root == top::SESSIONS && *index >= manifest.sessions.len() => {
            let fields = edit.to.as_ref()?.as_object()?;
            let id = fields.iter().find(|(key, _)| Field::of_key(key) == Some(Field::SessionId))?;
            Some((None, text(id.1)?))
        }
        [Segment::Key(root), Segment::Index(index), Segment::Key(key), rest @ ..] if root == top::SESSIONS => {
            let is_id = match Field::of_key(key) {
                Some(Field::SessionId) => rest.is_empty(),
                Some(Field::AgentIdentities) => true,
                _ => false,
            };
            Some((Some(*index), is_id.then(|| text(edit.to.as_ref()?)).flatten()?))
        }
        _ => None,
    }
}

fn steps(manifest: &Manifest, drifts: &[Drift], kept: &BTreeSet<usize>) -> Vec<Step> {
    let is_new = |edit: &Edit| matches!(edit.path.0.as_slice(), [_, Segment::Index(_)]) && edit.from.is_none();
    let (mut changes, mut additions) = (Vec::new(), Vec::new());
    for position in kept {
        let Some(drift) = drifts.get(*position) else { continue };
        if drift.edits.is_empty() {
            continue;
        }
        let step = Step { drift: *position, edits: drift.edits.clone() };
        if step.edits.iter().any(is_new) { additions.push(step) } else { changes.push(step) }
    }
    let sessions = Path::root().key(top::SESSIONS);
    let new_edits = additions.iter_mut().flat_map(|step: &mut Step| &mut step.edits);
    for (next, edit) in (manifest.sessions.len()..).zip(new_edits) {
        let has_list = manifest.sessions_node == SessionsNode::Sequence || next > manifest.sessions.len();
        if has_list {
            edit.path = sessions.index(next);
        } else {
            let from = (manifest.sessions_node == SessionsNode::Null).then_some(Value::Null);
            let entry = edit.to.take().unwrap_or_default();
            *edit = Edit::new(sessions.clone(), from, Some(Value::Array(vec![entry])));
        }
    }
    changes.extend(additions);
    changes
}

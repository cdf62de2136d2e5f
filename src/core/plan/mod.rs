//! The ordered steps that answer drifts. Pure: decides which drifts are recorded together and in which order; applies nothing.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::drift::{Disposition, Drift, Fingerprint, Remedy, Verdict};
use super::edit::{Edit, Segment};
use super::ids::{ConversationId, SessionKey};
use super::manifest::select::Selection;
use super::manifest::{Manifest, Session, SessionsNode};

/// What a pass will do. Every edit is relative to the manifest the plan was made for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The steps: changes of existing entries first, then new entries.
    pub steps: Vec<Step>,
    /// Drifts that may not be recorded after all, and why.
    pub refused: BTreeMap<Fingerprint, String>,
}

/// The answer to one cause: all of it or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it answers.
    pub cause: Cause,
    /// What it does.
    pub kind: StepKind,
}

/// What a step answers, by a name that stays right when drifts come and go: never by a place in a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A drift between the manifest and the world.
    Drift(Fingerprint),
}

impl Cause {
    /// The drift it is, if it is one.
    pub fn drift(&self) -> Option<&Fingerprint> {
        match self {
            Self::Drift(fingerprint) => Some(fingerprint),
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// It edits the manifest, with the indexes new entries really get.
    Edit(Vec<Edit>),
}

impl Step {
    /// Its edits of the manifest.
    pub fn edits(&self) -> &[Edit] {
        match &self.kind {
            StepKind::Edit(edits) => edits,
        }
    }
}

impl Plan {
    /// Every edit, in order.
    pub fn edits(&self) -> Vec<Edit> {
        self.steps.iter().flat_map(|step| step.edits().iter().cloned()).collect()
    }

    /// The steps by the drift they answer.
    pub fn by_drift(&self) -> HashMap<&Fingerprint, &Step> {
        self.steps.iter().filter_map(|step| Some((step.cause.drift()?, step))).collect()
    }

    /// The conversations it gives to sessions that have an entry, or get one.
    pub fn given_ids<'a>(&self, manifest: &Manifest, verdict: &'a Verdict) -> Vec<(&'a SessionKey, ConversationId)> {
        let steps = self.by_drift();
        let gives = |drift: &'a Drift| {
            // As it stands in the drift: the first entry of all is put in with the list around it.
            let gift = drift.edits().iter().find_map(|edit| given_id(manifest, edit))?;
            steps.contains_key(&drift.fingerprint()).then_some((&drift.session, gift.id))
        };
        verdict.drifts.iter().filter_map(gives).collect()
    }

    /// The plan without the steps of some drifts; new entries are numbered again.
    #[must_use]
    pub fn without(&self, manifest: &Manifest, drifts: &[Drift], dropped: &BTreeMap<Fingerprint, String>) -> Self {
        let mut refused = self.refused.clone();
        refused.extend(dropped.clone());
        let kept: BTreeSet<&Fingerprint> = self.steps.iter().filter_map(|step| step.cause.drift()).collect();
        let kept = drifts.iter().filter(|drift| {
            let fingerprint = drift.fingerprint();
            kept.contains(&fingerprint) && !dropped.contains_key(&fingerprint)
        });
        Self { steps: steps(manifest, kept), refused }
    }
}

/// Which drifts a command was asked about.
pub struct Selected<'a> {
    by_key: HashMap<&'a SessionKey, &'a Session>,
    selection: &'a Selection,
}

impl<'a> Selected<'a> {
    /// The drifts of a manifest that a selection covers.
    pub fn new(manifest: &'a Manifest, selection: &'a Selection) -> Self {
        Self { by_key: manifest.by_key(), selection }
    }

    /// The entry with this key.
    pub fn entry(&self, key: &SessionKey) -> Option<&'a Session> {
        self.by_key.get(key).copied()
    }

    /// Whether a drift is among them.
    pub fn covers(&self, drift: &Drift) -> bool {
        let none = BTreeMap::new();
        let labels = self.entry(&drift.session).map_or(&none, |session| &session.labels);
        self.selection.covers_class(drift.class) && self.selection.covers(&drift.session.name, drift.agent, labels)
    }
}

/// The plan that records every selected drift which may be recorded now.
///
/// No plan puts a conversation id on an entry while another entry that it leaves alone still holds it and lives; such a step
/// waits for the other one, whatever was selected.
pub fn make(manifest: &Manifest, verdict: &Verdict, selection: &Selection) -> Plan {
    let selected = Selected::new(manifest, selection);
    let is_recordable = |drift: &&Drift| drift.disposition == Disposition::Record && selected.covers(drift);
    let recordable: Vec<&Drift> = verdict.drifts.iter().filter(is_recordable).collect();
    let refused = thefts(manifest, verdict, &recordable);
    let kept = recordable.iter().enumerate().filter(|(position, _)| !refused.contains_key(position));
    let steps = steps(manifest, kept.map(|(_, drift)| *drift));
    let refused = refused.into_iter().filter_map(|(position, why)| Some((recordable.get(position)?.fingerprint(), why)));
    Plan { steps, refused: refused.collect() }
}

/// The id that a drift gives to an entry.
struct Gift {
    id: ConversationId,
    /// The entry; a new one has no index yet.
    to: Option<usize>,
}

/// The drifts, by position, that would give an entry an id another live entry goes on holding, and why not.
fn thefts(manifest: &Manifest, verdict: &Verdict, drifts: &[&Drift]) -> BTreeMap<usize, String> {
    let gift = |drift: &&Drift| drift.edits().iter().find_map(|edit| given_id(manifest, edit));
    let mut gifts: BTreeMap<usize, Gift> = BTreeMap::new();
    let (mut refused, mut taker) = (BTreeMap::new(), HashMap::new());
    for (position, gift) in drifts.iter().enumerate().filter_map(|(position, drift)| Some((position, gift(drift)?))) {
        if taker.contains_key(&gift.id) {
            refused.insert(position, format!("conversation {} would be given to two sessions", gift.id));
        } else {
            taker.insert(gift.id.clone(), position);
            gifts.insert(position, gift);
        }
    }
    // Who holds which id once these are given; a refusal leaves the receiver what it had, which may be what another is to get.
    let mut holders: HashMap<&ConversationId, BTreeSet<usize>> = HashMap::new();
    let receiving: HashSet<usize> = gifts.values().filter_map(|gift| gift.to).collect();
    for (index, session) in manifest.sessions.iter().enumerate().filter(|(index, _)| !receiving.contains(index)) {
        if let Some(id) = &session.recorded.session_id {
            holders.entry(id).or_default().insert(index);
        }
    }
    let is_alive = |index: usize| verdict.entries.get(index).is_some_and(|entry| entry.presence.has_agent());
    let mut doubtful: BTreeSet<usize> = gifts.keys().copied().collect();
    while let Some(position) = doubtful.pop_first() {
        let Some(gift) = gifts.get(&position) else { continue };
        let mut others = holders.get(&gift.id).into_iter().flatten().filter(|index| Some(**index) != gift.to);
        let Some(session) = others.find(|index| is_alive(**index)).and_then(|index| manifest.sessions.get(*index)) else {
            continue;
        };
        let name = &session.key.name;
        refused.insert(position, format!("conversation {} is still recorded on {name}, which is alive", gift.id));
        let kept = gift.to.and_then(|index| Some((index, manifest.sessions.get(index)?.recorded.session_id.as_ref()?)));
        if let Some((index, id)) = kept {
            holders.entry(id).or_default().insert(index);
            doubtful.extend(taker.get(id));
        }
        gifts.remove(&position);
    }
    refused
}

/// The entry an edit gives an id to, and the id.
fn given_id(manifest: &Manifest, edit: &Edit) -> Option<Gift> {
    use super::manifest::names::Field;
    let text = |value: &Value| value.as_str().map(|id| ConversationId(id.to_owned()));
    match edit.path.0.as_slice() {
        [Segment::Key(root), Segment::Index(index)] if root == manifest.list && *index >= manifest.sessions.len() => {
            let fields = edit.to.as_ref()?.as_object()?;
            let id = fields.iter().find(|(key, _)| Field::of_key(key) == Some(Field::SessionId))?;
            Some(Gift { id: text(id.1)?, to: None })
        }
        [Segment::Key(root), Segment::Index(index), Segment::Key(key), rest @ ..] if root == manifest.list => {
            let is_id = match Field::of_key(key) {
                Some(Field::SessionId) => rest.is_empty(),
                Some(Field::AgentIdentities) => true,
                _ => false,
            };
            Some(Gift { id: is_id.then(|| text(edit.to.as_ref()?)).flatten()?, to: Some(*index) })
        }
        _ => None,
    }
}

fn steps<'a>(manifest: &Manifest, drifts: impl Iterator<Item = &'a Drift>) -> Vec<Step> {
    let is_new = |edit: &Edit| matches!(edit.path.0.as_slice(), [_, Segment::Index(_)]) && edit.from.is_none();
    let recorded = drifts.filter_map(|drift| match &drift.remedy {
        Remedy::Record { edits, .. } if !edits.is_empty() => Some((Cause::Drift(drift.fingerprint()), edits.clone())),
        Remedy::Record { .. } | Remedy::Flag => None,
    });
    let (mut additions, changes): (Vec<_>, Vec<_>) = recorded.partition(|(_, edits)| edits.iter().any(is_new));
    let sessions = manifest.list_path();
    let new_edits = additions.iter_mut().flat_map(|(_, edits)| edits);
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
    changes.into_iter().chain(additions).map(|(cause, edits)| Step { cause, kind: StepKind::Edit(edits) }).collect()
}

//! Class B: alive and ours, without an entry.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::locate::{LiveAgentRef, PresenceRef, Undeclared, agents_of, remade};
use super::{Class, Disposition, Drift, Evidence, Inputs, Recording, Remedy, moved, new_id};
use crate::core::edit::Edit;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::manifest::names::{Field, own_id_key};
use crate::core::manifest::{Dialect, Manifest, Status};
use crate::core::observe::Process;
use crate::core::observe::identity::Rung;

/// What `last_visible_status` says of an entry headcount made itself.
const AUTO_REGISTERED: &str = "auto-registered";

/// What discovery makes of a session without an entry.
pub(super) enum Discovered<'a> {
    /// It is none of ours.
    NotOurs,
    /// Its name is one of ours, but a process in it could not be read: the agents its name tells, and why.
    Unknown(Vec<AgentKind>, String),
    /// The agent its name tells is alive in it.
    Ours(LiveAgentRef<'a>),
    /// Several agents of the kind its name tells are.
    Several(AgentKind, Vec<LiveAgentRef<'a>>),
    /// The agent its name tells is another session's, which this one shows as well; and that session's name.
    View(LiveAgentRef<'a>, String),
}

/// Which of the sessions without an entry are ours: the name matches a pattern of `discovery.names` and an agent the pattern
/// names is alive in it. One whose entry a person took out while it ran is not. An agent is one session's: a session that only shows the agent of an entry (`shown`), or of an older
/// session that is ours, is a view of it. In the order of `undeclared`.
pub(super) fn discover<'w, 'a>(
    world: &Inputs<'_>,
    undeclared: &[&'w Undeclared<'a>],
    shown: impl Iterator<Item = LiveAgentRef<'a>>,
) -> Vec<(&'w Undeclared<'a>, Discovered<'a>)> {
    let mut owner: BTreeMap<Process, &str> = shown.map(|live| (live.agent.process, live.session.name.as_str())).collect();
    let mut candidates: Vec<(usize, Vec<LiveAgentRef<'a>>)> = Vec::new();
    let mut all: Vec<(&Undeclared<'a>, Discovered<'a>)> = Vec::with_capacity(undeclared.len());
    for other in undeclared {
        if world.left.contains(&other.key) {
            all.push((other, Discovered::NotOurs));
            continue;
        }
        let kinds: Vec<AgentKind> = world
            .manifest
            .discovery
            .iter()
            .flat_map(|pattern| pattern.agents(&other.key.name, &world.manifest.agents))
            .collect();
        let agents: Vec<LiveAgentRef<'a>> = agents_of(other.session).filter(|live| kinds.contains(&live.agent.kind)).collect();
        let hidden = other.session.panes.iter().find_map(|pane| pane.agents.why_unknown());
        let discovered = match hidden {
            Some(why) if agents.is_empty() && !kinds.is_empty() => Discovered::Unknown(kinds, why.to_owned()),
            _ => Discovered::NotOurs,
        };
        if !agents.is_empty() {
            candidates.push((all.len(), agents));
        }
        all.push((other, discovered));
    }
    // The oldest of the sessions that show one agent is the one it is registered under, then the first by name.
    let age = |position: &usize| {
        all.get(*position).map(|(other, _)| (other.session.created.is_none(), other.session.created, other.key.clone()))
    };
    candidates.sort_by_cached_key(|(position, _)| age(position));
    // Sessions with one agent left take it, which may leave one to another: until nobody takes any more.
    loop {
        let before = candidates.len();
        candidates.retain(|(position, agents)| {
            let mut free = agents.iter().filter(|live| !owner.contains_key(&live.agent.process));
            let discovered = match (free.next(), free.next()) {
                (Some(_), Some(_)) => return true,
                (Some(live), None) => Discovered::Ours(*live),
                (None, _) => match agents.first().and_then(|live| Some((*live, owner.get(&live.agent.process)?))) {
                    Some((live, of)) => Discovered::View(live, (*of).to_owned()),
                    None => return true,
                },
            };
            if let Discovered::Ours(live) = &discovered {
                owner.insert(live.agent.process, live.session.name.as_str());
            }
            if let Some((_, slot)) = all.get_mut(*position) {
                *slot = discovered;
            }
            false
        });
        if candidates.len() == before {
            break;
        }
    }
    for (position, mut agents) in candidates {
        agents.retain(|live| !owner.contains_key(&live.agent.process));
        if let (Some((_, slot)), Some(kind)) = (all.get_mut(position), agents.first().map(|live| live.agent.kind)) {
            *slot = Discovered::Several(kind, agents);
        }
    }
    all
}

/// The same, unless this session may have an entry, or should have none: registered now, it would be declared twice, or in the
/// wrong place. An unknown key may mean so once it is corrected, or an entry whose own session nobody can tell by its name.
pub(super) fn unless_meant<'a>(
    world: &Inputs<'_>,
    other: &Undeclared<'a>,
    standings: &[PresenceRef<'_>],
    discovered: Discovered<'a>,
) -> Discovered<'a> {
    let kinds = match &discovered {
        Discovered::Ours(live) => vec![live.agent.kind],
        Discovered::Several(kind, _) => vec![*kind],
        Discovered::NotOurs | Discovered::Unknown(..) | Discovered::View(..) => return discovered,
    };
    let name = &other.key.name;
    let meaning = world.manifest.sessions.iter().zip(standings).find_map(|(entry, standing)| {
        let is_near = entry.key.server_key() == other.key.server_key() && matches!(standing, PresenceRef::Unknown(_));
        if is_near && entry.key.may_be(name) {
            return Some(format!("the entry {:?} may mean it: {}", entry.key.name, remade(name)));
        }
        let doubt = entry.doubt.as_ref()?;
        let is_its = entry.key.names().any(|known| known == name.as_str()) || doubt.other_name.as_ref() == Some(name);
        is_its.then(|| format!("the entry {:?} may mean it: {}", entry.key.name, doubt.why))
    });
    match meaning.or_else(|| world.manifest.registers_nothing.clone()) {
        Some(why) => Discovered::Unknown(kinds, why),
        None => discovered,
    }
}

/// The drift of a session of ours that has no entry: an entry in the file's own dialect. `formerly` names an ended entry that
/// keeps a copy of its id as history.
pub(super) fn judge(
    world: &Inputs<'_>,
    undeclared: &Undeclared<'_>,
    live: LiveAgentRef<'_>,
    proven: Option<(&ConversationId, Rung)>,
    formerly: Option<&str>,
) -> Drift {
    let agent = live.agent.kind;
    let formerly = formerly.map(new_id::as_history).unwrap_or_default();
    let mut evidence = vec![
        Evidence::new(undeclared.key.mux.as_str(), format!("session {} matches discovery", undeclared.session.id)),
        Evidence::new("process", format!("{agent} is alive in pane {}, pid {}", live.pane.id, live.agent.process.pid)),
    ];
    evidence.extend(proven.into_iter().flat_map(|(id, rung)| new_id::evidence(live.agent, rung, id).into_iter().take(1)));
    let place = world.manifest.list_path().index(world.manifest.sessions.len());
    let entry = entry(world, undeclared, live, proven.map(|(id, _)| id));
    Drift {
        class: Class::Unregistered,
        session: undeclared.key.clone(),
        agent,
        matter: format!("{agent} runs here without an entry{formerly}"),
        remedy: Remedy::Record { edits: vec![Edit::new(place, None, Some(entry))], how: Recording::Register },
        detail: String::new(),
        evidence,
        disposition: match world
            .young_until(undeclared.session)
            .max(world.shrunken_until())
            .max(world.removed_until(&undeclared.key))
        {
            Some(until) => Disposition::Settling(until),
            None => Disposition::Record,
        },
    }
}

/// The drift of a session of ours that has no entry and several agents of its kind: nobody can say which one it is about.
pub(super) fn judge_several(undeclared: &Undeclared<'_>, agent: AgentKind, candidates: &[LiveAgentRef<'_>]) -> Drift {
    let places: Vec<String> =
        candidates.iter().map(|live| format!("{} pid {}", live.pane.id, live.agent.process.pid)).collect();
    Drift {
        class: Class::Ambiguous,
        session: undeclared.key.clone(),
        agent,
        matter: format!("no entry, and {} processes could be its agent: {}", candidates.len(), places.join(", ")),
        remedy: Remedy::Flag,
        detail: places.join(" "),
        evidence: places.iter().map(|place| Evidence::new("process", format!("{agent} in {place}"))).collect(),
        disposition: Disposition::Flag,
    }
}

/// A new entry, in the order people write them.
fn entry(world: &Inputs<'_>, undeclared: &Undeclared<'_>, live: LiveAgentRef<'_>, id: Option<&ConversationId>) -> Value {
    let agent = live.agent.kind;
    let Manifest { dialect, usual, .. } = world.manifest;
    let name_of = |field: Field| match dialect {
        Dialect::V1 => field.name(),
        Dialect::MultiAgentMux => field.older_name(),
    };
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put(name_of(Field::Name), json!(undeclared.key.name));
    put(name_of(Field::Agent), json!(agent.as_str()));
    for (field, value) in usual.unlike(&undeclared.key) {
        put(name_of(field), json!(value));
    }
    if let Some(cwd) = live.agent.cwd.seen().and_then(|cwd| cwd.to_str()) {
        put(name_of(Field::Cwd), json!(cwd));
    }
    put(name_of(Field::Status), json!(Status::Running.as_str()));
    if let Some(id) = id {
        let key = match dialect {
            Dialect::V1 => Field::SessionId.name().to_owned(),
            Dialect::MultiAgentMux => own_id_key(agent),
        };
        put(&key, json!(id.as_str()));
    }
    let pane: Map<String, Value> =
        moved::recorded_fields(live).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    put(name_of(Field::Pane), Value::Object(pane));
    put(name_of(Field::LastVisibleStatus), json!(AUTO_REGISTERED));
    Value::Object(fields)
}

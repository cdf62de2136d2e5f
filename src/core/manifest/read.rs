//! From an untyped document to a [`Manifest`], with everything that is wrong with it. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use serde_yaml::{Mapping, Value};

use super::doubt::{self, MisplacedFields, meant};
use super::names::{Field, identity, top};
use super::pattern::NamePattern;
use super::read_entry::EntryReader;
use super::read_mqtt::section;
use super::remark::{Remark, Remarks, closest, noun};
use super::{Dialect, Manifest, Place, Session, SessionsNode, TopLevelIdentity, lead, lists, read_agents};
use crate::core::agents::{Declared, Definition, foreign};
use crate::core::edit::Path;
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};
use crate::core::text::printable;

/// What reading a manifest needs to know of its surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// What `~` stands for.
    pub home: PathBuf,
    /// This host's name: the host of every entry that names none.
    pub host: String,
}

impl Environment {
    /// `text` as a path, `~` and `~/…` expanded, without a trailing slash.
    pub fn expand(&self, text: &str) -> PathBuf {
        let path = match text.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => self.home.join(rest.trim_start_matches('/')),
            _ => PathBuf::from(text),
        };
        path.components().collect()
    }

    /// The name of a server as keys spell it: `default`, a `-L` name, or a path with `~` expanded.
    pub fn server(&self, text: &str) -> String {
        match text {
            "" => ServerKey::DEFAULT.to_owned(),
            path if path.contains('/') || path.starts_with('~') => self.expand(path).to_string_lossy().into_owned(),
            name => name.to_owned(),
        }
    }
}

/// Reads a document. `raw` is as parsed (`<<` still a key), `merged` after merge keys were applied.
///
/// # Errors
/// All remarks, of which at least one is fatal.
pub fn read(raw: &Value, merged: &Value, environment: &Environment) -> Result<(Manifest, Vec<Remark>), Vec<Remark>> {
    let mut remarks = Remarks::default();
    let manifest = document(raw, merged, environment, &mut remarks);
    match manifest {
        Some(manifest) if !remarks.0.iter().any(|remark| remark.fatal) => Ok((manifest, remarks.0)),
        _ => Err(remarks.0),
    }
}

/// An entry that another version of a document has otherwise.
#[derive(Debug)]
pub struct ChangedEntry<'a> {
    /// Where it stands in the list, from 0.
    pub index: usize,
    /// What the version that was read says there.
    pub was: &'a Value,
    /// What it says now.
    pub is: &'a Value,
}

/// What [`read`] makes of a document by what it made of another version that differs in these entries alone. `frame` is the
/// document without its entries, and without merge keys. `None` where the change concerns more than these entries, or there is
/// something to remark: then the whole has to be read.
pub fn reread<'a>(
    known: &Manifest,
    frame: &Value,
    environment: &Environment,
    changed: impl Iterator<Item = ChangedEntry<'a>>,
) -> Option<Manifest> {
    let Value::Mapping(document) = frame else { return None };
    // Who lends an id, and to whom, is for all entries to say.
    if !known.identities.is_empty() {
        return None;
    }
    let mut remarks = Remarks::default();
    let (dialect, older) = (known.dialect, known.dialect == Dialect::MultiAgentMux);
    let defaults = defaults(document.get(top::DEFAULTS), older, &mut remarks);
    let doubts = MisplacedFields::of(document, &defaults, older);
    let mut manifest = known.clone();
    for ChangedEntry { index, was, is } in changed {
        let reader = EntryReader {
            list: known.list,
            index,
            dialect,
            environment,
            defaults: &defaults,
            agents: &known.agents,
            doubts: &doubts,
        };
        let session = reader.read(is, is, &mut remarks)?;
        let before = manifest.sessions.get_mut(index)?;
        // An agent is known as long as an entry names it; a key is one entry's, and waits are compared with those of the file.
        let names = |it: &Definition| [was, is].map(|fields| lists::is_named_in(fields, it.name.as_str(), older));
        let is_of_all = foreign().map(|it| names(&it)).any(|[was, is]| was != is);
        if is_of_all || session.key != before.key || session.lead != before.lead {
            return None;
        }
        *before = Arc::new(session);
    }
    remarks.0.is_empty().then_some(manifest)
}

fn document(raw: &Value, merged: &Value, environment: &Environment, remarks: &mut Remarks) -> Option<Manifest> {
    let (Value::Mapping(raw_top), Value::Mapping(document)) = (raw, merged) else {
        let hint = "a manifest begins with `version: 1` and a `sessions:` list".to_owned();
        remarks.fatal(Path::root(), format!("a manifest is a mapping, this is {}", noun(raw)), Some(hint));
        return None;
    };
    let older = !document.contains_key(top::VERSION);
    let known: &[&str] = if older { &top::OLDER } else { &top::ALL };
    for key in document.keys() {
        match key.as_str() {
            Some(key) if known.contains(&key) => {}
            Some(key) if lists::is_stray(key, document) => {}
            Some(key) => match doubt::of_a_file(key, older) {
                Some(meant) => {
                    let meant = format!("{}: {{ {meant}: … }}", top::DEFAULTS);
                    remarks.doubtful_key(Path::root().key(key), key, &meant, "sessions without that key are");
                }
                None => remarks.unknown_key(Path::root().key(key), key, known.iter().map(|word| (*word).to_owned())),
            },
            None => remarks.warn(Path::root(), format!("a key here is {}, not text", noun(key)), None),
        }
    }
    let dialect = dialect(document, remarks)?;
    let list = lists::key(document, known, remarks)?;
    let agents = match dialect {
        Dialect::V1 => read_agents::read(document.get(top::AGENTS), remarks),
        Dialect::MultiAgentMux => Declared::default(),
    };
    let names_one = |name: &str| lists::names_agent(document, list, name, older);
    let is_missing = |it: &Definition| agents.find(it.name.as_str()).is_none() && names_one(it.name.as_str());
    let agents: Declared = agents.definitions().iter().cloned().chain(foreign().filter(is_missing)).collect();
    let discovery = discovery(document.get(top::DISCOVERY), remarks);
    let defaults = defaults(document.get(top::DEFAULTS), older, remarks);
    let doubts = MisplacedFields::of(document, &defaults, older);
    let usual = usual(&defaults, environment);
    let empty = Vec::new();
    let path = Path::root().key(list);
    let (sessions_node, raw_items, items) = match (raw_top.get(list), document.get(list)) {
        (_, None) => (SessionsNode::Missing, &empty, &empty),
        (_, Some(Value::Null)) => (SessionsNode::Null, &empty, &empty),
        (Some(Value::Sequence(raw)), Some(Value::Sequence(items))) => (SessionsNode::Sequence, raw, items),
        (_, Some(Value::Sequence(_))) => {
            remarks.fatal(path, format!("`{list}` comes through a merge key"), Some("write the list itself here".to_owned()));
            return None;
        }
        (_, Some(other)) => {
            let hint = "each session is one item: `- name: …`".to_owned();
            remarks.fatal(path, format!("`{list}` must be a list, this is {}", noun(other)), Some(hint));
            return None;
        }
    };
    let identities = identities(document.get(top::IDENTITIES), &agents, environment, remarks);
    let policy = lead::policy(document.get(top::LEAD), remarks);
    let hosts = lead::hosts(document.get(top::HOSTS), remarks);
    let mqtt = section(document.get(top::MQTT), environment, remarks);
    let mut sessions = Vec::with_capacity(items.len());
    for (index, (raw, item)) in raw_items.iter().zip(items).enumerate() {
        let reader = EntryReader { list, index, dialect, environment, defaults: &defaults, agents: &agents, doubts: &doubts };
        sessions.extend(reader.read(raw, item, remarks).map(Arc::new));
    }
    lead::refuse_short_waits(&sessions, &policy, remarks);
    refuse_duplicates(&sessions, remarks);
    lend_identities(&mut sessions, &identities);
    let registers_nothing = doubts.of_new_entries(document, &defaults);
    Some(Manifest {
        dialect,
        usual,
        registers_nothing,
        agents,
        discovery,
        list,
        sessions_node,
        sessions,
        identities,
        lead: policy,
        hosts,
        mqtt,
    })
}

fn dialect(document: &Mapping, remarks: &mut Remarks) -> Option<Dialect> {
    match document.get(top::VERSION) {
        None => Some(Dialect::MultiAgentMux),
        Some(version) if version.as_u64() == Some(1) => Some(Dialect::V1),
        Some(other) => {
            let shown = other.as_u64().map_or_else(|| noun(other).to_owned(), |number| number.to_string());
            let is_one = other.as_f64() == Some(1.0) || other.as_str().is_some_and(|text| text.trim() == "1");
            let hint = match is_one {
                true => "write it as `version: 1`, without quotes and point",
                false => "this headcount reads `version: 1`, and files without `version:` as multi-agent-mux wrote them",
            };
            remarks.fatal(
                Path::root().key(top::VERSION),
                format!("unsupported manifest version: {shown}"),
                Some(hint.to_owned()),
            );
            None
        }
    }
}

fn discovery(node: Option<&Value>, remarks: &mut Remarks) -> Vec<NamePattern> {
    let path = Path::root().key(top::DISCOVERY);
    let fields = match node {
        None | Some(Value::Null) => return NamePattern::defaults(),
        Some(Value::Mapping(fields)) => fields,
        Some(other) => {
            let hint = "discovery: { names: [\"*-creator-{agent}\"] }".to_owned();
            remarks.fatal(path, format!("`discovery` must be a mapping, this is {}", noun(other)), Some(hint));
            return Vec::new();
        }
    };
    for key in fields.keys().filter_map(Value::as_str).filter(|key| *key != top::DISCOVERY_NAMES) {
        remarks.unknown_key(path.key(key), key, std::iter::once(top::DISCOVERY_NAMES.to_owned()));
    }
    let path = path.key(top::DISCOVERY_NAMES);
    match fields.get(top::DISCOVERY_NAMES) {
        None | Some(Value::Null) => NamePattern::defaults(),
        Some(Value::Sequence(items)) => {
            let mut patterns = Vec::new();
            for (index, item) in items.iter().enumerate() {
                match item.as_str() {
                    Some(text) => patterns.push(NamePattern::new(text)),
                    None => remarks.fatal(path.index(index), format!("a pattern is text, this is {}", noun(item)), None),
                }
            }
            patterns
        }
        Some(other) => {
            remarks.fatal(path, format!("`names` must be a list of patterns, this is {}", noun(other)), None);
            Vec::new()
        }
    }
}

fn defaults(node: Option<&Value>, older: bool, remarks: &mut Remarks) -> Mapping {
    let path = Path::root().key(top::DEFAULTS);
    let fields = match node {
        None | Some(Value::Null) => return Mapping::new(),
        Some(Value::Mapping(fields)) => fields.clone(),
        Some(other) => {
            remarks.fatal(path, format!("`defaults` must be a mapping, this is {}", noun(other)), None);
            return Mapping::new();
        }
    };
    for key in fields.keys().filter_map(Value::as_str) {
        match Field::of_key(key) {
            Some(field) if field.is_of_one_entry() => {
                let hint = "write it in the entries that it is meant for".to_owned();
                remarks.push(Remark {
                    path: path.key(key),
                    about_key: true,
                    fatal: false,
                    message: format!("`{key}` counts only in an entry and is ignored here"),
                    hint: Some(hint),
                });
            }
            Some(field) if field.is_declared() => {}
            Some(_) => {
                let hint = "only declared fields can have a default".to_owned();
                remarks.fatal(path.key(key), format!("`{key}` belongs to one session"), Some(hint));
            }
            None => match meant(key, older) {
                Some((_, meant)) => remarks.doubtful_key(path.key(key), key, meant, "sessions without that key are"),
                None => remarks.unknown_key(path.key(key), key, Field::all_names().map(str::to_owned)),
            },
        }
    }
    fields
}

/// Where the defaults put a session. What is wrong with them is said of the entries they are merged into.
fn usual(defaults: &Mapping, environment: &Environment) -> Place {
    let text = |field: Field| field.names().iter().find_map(|name| defaults.get(*name)?.as_str());
    Place {
        mux: text(Field::Mux).and_then(|word| word.parse().ok()).unwrap_or_default(),
        server: text(Field::Server).map_or_else(|| ServerKey::DEFAULT.to_owned(), |text| environment.server(text)),
        host: text(Field::Host).unwrap_or(&environment.host).to_owned(),
    }
}

fn identities(
    node: Option<&Value>,
    agents: &Declared,
    environment: &Environment,
    remarks: &mut Remarks,
) -> Vec<TopLevelIdentity> {
    let path = Path::root().key(top::IDENTITIES);
    let fields = match node {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Mapping(fields)) => fields,
        Some(other) => {
            remarks.fatal(path, format!("`agent_identities` must be a mapping, this is {}", noun(other)), None);
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (key, value) in fields {
        let Some(word) = key.as_str() else { continue };
        let path = path.key(word);
        let Some(agent) = agents.find(word) else {
            let hint = closest(word, agents.words()).map(|name| format!("did you mean `{name}`?"));
            remarks.warn(path, format!("unknown agent `{word}`"), hint);
            continue;
        };
        let Value::Mapping(fields) = value else { continue };
        let project_cwd = fields.get(identity::PROJECT_CWD).and_then(Value::as_str);
        let id = identity::IDS.iter().find_map(|key| Some((*key, fields.get(*key)?.as_str()?)));
        if let (Some(project_cwd), Some((key, id))) = (project_cwd, id) {
            found.push(TopLevelIdentity {
                agent,
                id: ConversationId(id.to_owned()),
                project_cwd: environment.expand(project_cwd),
                path: path.key(key),
            });
        }
    }
    found
}

fn refuse_duplicates(sessions: &[Arc<Session>], remarks: &mut Remarks) {
    let mut first: HashMap<&SessionKey, usize> = HashMap::new();
    for session in sessions {
        if let Some(earlier) = first.insert(&session.key, session.index) {
            let hint = format!(
                "entry {} of the list has the same host, mux, server and name; the same name is allowed on another `server`",
                earlier + 1
            );
            let name = printable(&session.key.name);
            let path = session.entry.name_path();
            remarks.fatal(path, format!("session `{name}` is declared twice"), Some(hint));
        }
    }
    let mut spelled: HashMap<(&str, MuxKind, &str, Cow<'_, str>), &Session> = HashMap::new();
    for session in sessions {
        let key = &session.key;
        let place = (key.host.as_str(), key.mux, key.server.as_str(), key.mux.spelling(&key.name));
        if let Some(earlier) = spelled.insert(place, session).filter(|earlier| earlier.key.name != key.name) {
            let hint = "give one of them a name that stays as it is; neither can be led while both are there".to_owned();
            let (name, other) = (printable(&key.name), printable(&earlier.key.name));
            let message = format!("{} calls `{name}` and `{other}` the same session", key.mux);
            remarks.warn(session.entry.name_path(), message, Some(hint));
        }
    }
}

/// Gives the ids of top-level identities to the entries they are valid for: same agent, same workspace, and no other entry
/// of that agent there.
fn lend_identities(sessions: &mut [Arc<Session>], identities: &[TopLevelIdentity]) {
    if identities.is_empty() {
        return;
    }
    let mut count: BTreeMap<(AgentKind, PathBuf), usize> = BTreeMap::new();
    for session in sessions.iter() {
        if let Some(cwd) = &session.cwd {
            *count.entry((session.agent, cwd.clone())).or_default() += 1;
        }
    }
    for session in sessions {
        let Some(cwd) = session.cwd.as_deref() else { continue };
        if session.recorded.session_id.is_some() || count.get(&(session.agent, cwd.to_owned())) != Some(&1) {
            continue;
        }
        let valid =
            |identity: &&TopLevelIdentity| identity.agent == session.agent && identity.project_cwd == FilePath::new(cwd);
        if let Some(identity) = identities.iter().find(valid) {
            let recorded = &mut Arc::make_mut(session).recorded;
            (recorded.session_id, recorded.id_is_lent) = (Some(identity.id.clone()), true);
        }
    }
}

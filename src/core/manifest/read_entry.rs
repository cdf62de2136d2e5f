//! From one untyped item of `sessions:` to a [`Session`]. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde_yaml::{Mapping, Value};

use super::doubt::{KeyInQuestion, MisplacedFields};
use super::names::{Field, identity, own_id_agent, own_id_keys, top};
use super::remark::{Remarks, closest, noun, scalar_text, tag_hint};
use super::{Dialect, Environment, Lead, Recorded, RecordedPane, Session, Status, WritableEntry};
use crate::core::agents::Declared;
use crate::core::class::Class;
use crate::core::edit::Path;
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};

/// Reads one entry.
pub(super) struct EntryReader<'a> {
    /// The key of the list, and where in it the entry stands, from 0.
    pub(super) list: &'static str,
    pub(super) index: usize,
    /// The spelling of the file.
    pub(super) dialect: Dialect,
    /// The surroundings.
    pub(super) environment: &'a Environment,
    /// The declared fields every entry has unless it says otherwise.
    pub(super) defaults: &'a Mapping,
    /// The agents the manifest declares.
    pub(super) agents: &'a Declared,
    /// What stands outside the entries and was probably meant for them.
    pub(super) doubts: &'a MisplacedFields,
}

/// Where a field was found. Made into a path only when there is something to say: most fields of most entries are in order.
#[derive(Debug, Clone, Copy)]
pub(super) enum FieldSource {
    Own(&'static str),
    Default(&'static str),
}

/// The fields of one entry with the remarks about them.
pub(super) struct Fields<'a> {
    pub(super) path: Path,
    pub(super) own: &'a Mapping,
    pub(super) defaults: &'a Mapping,
    pub(super) remarks: &'a mut Remarks,
}

impl EntryReader<'_> {
    /// The session, unless its entry is too wrong to have one; then a fatal remark says why.
    pub(super) fn read(&self, raw: &Value, item: &Value, remarks: &mut Remarks) -> Option<Session> {
        let path = Path::root().key(self.list).index(self.index);
        let Value::Mapping(own) = item else {
            let hint = tag_hint(item).unwrap_or_else(|| "a session is a mapping with at least `name` and `agent`".to_owned());
            remarks.fatal(path, format!("a session cannot be {}", noun(item)), Some(hint));
            return None;
        };
        let mut fields = Fields { path: path.clone(), own, defaults: self.defaults, remarks };
        let doubtful = self.doubts.own(own);
        fields.refuse_unknown_keys(doubtful.map(|found| (found.key, found.meant)));
        // Everything is read before giving up on the entry, so that all of its mistakes are told at once.
        let name = self.name(&mut fields);
        let agent = self.agent(&mut fields, name.as_deref());
        let mux = fields.word::<MuxKind>(Field::Mux, || MuxKind::ALL.map(MuxKind::as_str).to_vec()).unwrap_or_default();
        let server = self.server(mux, &mut fields);
        let host = fields.text(Field::Host).unwrap_or_else(|| self.environment.host.clone());
        let cwd = self.cwd(&mut fields);
        let labels = fields.map_of_text(Field::Labels);
        let mut env = fields.map_of_text(Field::Env);
        let suspend = fields.flag(Field::Suspend);
        let ignore = fields.classes();
        let lead = fields.declared_lead((agent, self.agents), &mut env, self.environment);
        let mut entry = self.entry(raw, path);
        entry.identity =
            agent.and_then(|agent| identity_place(&entry, self.agents.names(&agent), cwd.as_deref(), self.environment));
        let recorded = fields.recorded(agent, &entry);
        let agent = agent?;
        let key = SessionKey { name: name?, mux, server, host };
        let doubt = doubtful.map(KeyInQuestion::doubt).or_else(|| self.doubts.shared(own, self.defaults));
        Some(Session { index: self.index, key, doubt, agent, cwd, labels, suspend, ignore, env, lead, recorded, entry })
    }

    fn name(&self, fields: &mut Fields<'_>) -> Option<String> {
        match fields.text(Field::Name) {
            Some(name) if !name.is_empty() => Some(name),
            Some(_) => {
                let (place, _) = fields.find(Field::Name)?;
                fields.remarks.fatal(fields.path_of(place), "a session's name cannot be empty", None);
                None
            }
            None => {
                if !matches!(fields.find(Field::Name), Some((_, value)) if !value.is_null()) {
                    let hint = format!("add `{}:` with the name of the tmux or zellij session", Field::Name.name());
                    fields.remarks.fatal(fields.path.clone(), "this session has no name", Some(hint));
                }
                None
            }
        }
    }

    /// The agent; in the older dialect it may be told by the name or by the only own-id key.
    fn agent(&self, fields: &mut Fields<'_>, name: Option<&str>) -> Option<AgentKind> {
        if fields.value(Field::Agent).is_some() {
            return fields.one_of(Field::Agent, |word| self.agents.find(word), || self.agents.words().collect());
        }
        if self.dialect == Dialect::MultiAgentMux {
            // Without its name, which is complained about already, nobody can say whether the agent is missing too.
            let name = name?;
            let ends = |word: &str| name.strip_suffix(word).is_some_and(|rest| rest.len() > 1 && rest.ends_with('-'));
            let named = self.agents.kinds().find(|agent| self.agents.names(agent).any(ends));
            let said = fields.own.iter().filter(|(_, value)| named.is_none() || !value.is_null());
            let mut keyed: Vec<(&str, AgentKind)> =
                said.filter_map(|(key, _)| key.as_str()).filter_map(|key| Some((key, own_id_agent(key)?))).collect();
            keyed.dedup_by_key(|(_, agent)| *agent);
            match (named, keyed.as_slice()) {
                (Some(named), [(key, agent)]) if named != *agent => {
                    let hint = format!("add `agent: {named}` or `agent: {agent}`");
                    let message = format!("the name of this session says {named}, `{key}` says {agent}");
                    fields.remarks.fatal_key(fields.path.key(*key), message, Some(hint));
                    return None;
                }
                (Some(agent), _) => return Some(agent),
                (None, [(_, agent)]) => return Some(*agent),
                (None, _) => {}
            }
        }
        let names: Vec<String> = self.agents.kinds().map(|kind| kind.to_string()).collect();
        let hint = format!("add `agent:` with one of {}", names.join(", "));
        fields.remarks.fatal(fields.path.clone(), "this session names no agent", Some(hint));
        None
    }

    fn server(&self, mux: MuxKind, fields: &mut Fields<'_>) -> String {
        let Some(text) = fields.text(Field::Server) else { return ServerKey::DEFAULT.to_owned() };
        let server = self.environment.server(&text);
        if server.contains('/')
            && !server.starts_with('/')
            && let Some((place, _)) = fields.find(Field::Server)
        {
            let hint = "write the name given to `tmux -L`, or the absolute path given to `tmux -S`".to_owned();
            fields.remarks.fatal(fields.path_of(place), "a server's socket path must be absolute", Some(hint));
        } else if mux == MuxKind::Zellij
            && server != ServerKey::DEFAULT
            && !server.starts_with('/')
            && let Some((place, _)) = fields.find(Field::Server)
        {
            let hint = "leave it out, or write the absolute path that ZELLIJ_SOCKET_DIR has for that session".to_owned();
            let message = format!("zellij has no server named {server:?}, only socket directories");
            fields.remarks.warn(fields.path_of(place), message, Some(hint));
        }
        server
    }

    fn cwd(&self, fields: &mut Fields<'_>) -> Option<PathBuf> {
        let text = fields.text(Field::Cwd)?;
        let path = self.environment.expand(&text);
        if path.is_absolute() {
            return Some(path);
        }
        let (place, _) = fields.find(Field::Cwd)?;
        let hint = "write an absolute path, or one that begins with `~/`".to_owned();
        fields.remarks.warn(fields.path_of(place), "a relative workspace has no meaning here and is ignored", Some(hint));
        None
    }

    fn entry(&self, raw: &Value, path: Path) -> WritableEntry {
        let keys = || raw.as_mapping().into_iter().flatten().filter_map(|(key, value)| Some((key.as_str()?, value)));
        // What people declare is never written, so it need not be kept in the form edits have.
        let is_written = |key: &str| Field::of_key(key).is_some_and(|field| !field.is_declared());
        let own = keys().filter(|(key, _)| is_written(key));
        let own = own.map(|(key, value)| (key.to_owned(), serde_json::to_value(value).unwrap_or_default())).collect();
        let is_declared = |key: &str| Field::of_key(key).is_some_and(Field::is_declared);
        let declares = keys().filter(|(key, _)| is_declared(key)).map(|(key, _)| key.to_owned()).collect();
        let last_key = keys().last().map(|(key, _)| key.to_owned());
        WritableEntry { dialect: self.dialect, path, own, declares, last_key, identity: None }
    }
}

/// Where a per-session identity keeps the id of the agent of these names, if it is valid in the session's workspace.
fn identity_place<'a>(
    entry: &WritableEntry,
    mut names: impl Iterator<Item = &'a str>,
    cwd: Option<&std::path::Path>,
    environment: &Environment,
) -> Option<(Path, serde_json::Value)> {
    let root = Field::AgentIdentities.name();
    let identities = entry.own.get(root)?;
    names.find_map(|name| {
        let fields = identities.get(name)?.as_object()?;
        if let Some(project) = fields.get(identity::PROJECT_CWD).and_then(serde_json::Value::as_str)
            && cwd.is_some_and(|cwd| environment.expand(project) != cwd)
        {
            return None;
        }
        let key = identity::IDS.iter().find(|key| fields.contains_key(**key))?;
        Some((entry.path.key(root).key(name).key(*key), fields.get(*key)?.clone()))
    })
}

impl<'a> Fields<'a> {
    /// How the session is led. Most entries say nothing of it, and cost nothing.
    fn declared_lead(
        &mut self,
        (agent, agents): (Option<AgentKind>, &Declared),
        env: &mut BTreeMap<String, String>,
        environment: &Environment,
    ) -> Lead {
        let keys = self.own.keys().chain(self.defaults.keys()).filter_map(Value::as_str);
        let mut is_said = keys.filter_map(Field::of_key).filter(|field| field.is_of_lead()).peekable();
        if is_said.peek().is_none() {
            return Lead::default();
        }
        let env_files = self.env_files(environment);
        env.retain(|key, _| !env_files.contains_key(key));
        Lead { env_files, ..self.lead(agent, agents) }
    }

    /// `doubtful` is the key that keeps the entry from being judged.
    fn refuse_unknown_keys(&mut self, doubtful: Option<(&str, &str)>) {
        for key in self.own.keys() {
            match key.as_str() {
                Some(key) if Field::of_key(key).is_some() || is_stamp(key) => {}
                Some(key) if doubtful.is_some_and(|(it, _)| it == key) => {
                    let meant = doubtful.map_or("", |(_, meant)| meant);
                    self.remarks.doubtful_key(self.path.key(key), key, meant, "this session is");
                }
                Some(key) => {
                    let known = Field::all_names().map(str::to_owned).chain(AgentKind::ALL.iter().flat_map(own_id_keys));
                    self.remarks.unknown_key(self.path.key(key), key, known);
                }
                None => self.remarks.warn(self.path.clone(), format!("a key here is {}, not text", noun(key)), None),
            }
        }
    }

    /// What stands at a field, own or default, and where. A field spelled twice with different values is refused.
    fn find(&mut self, field: Field) -> Option<(FieldSource, &'a Value)> {
        let mut places = field.names().iter().filter_map(|name| Some((*name, self.own.get(*name)?)));
        if let Some((name, value)) = places.next() {
            if let Some((other, again)) = places.next()
                && again != value
            {
                let hint = format!("`{other}` is the older name of `{name}`; keep one");
                let path = self.path.key(other);
                self.remarks.fatal(path, format!("`{name}` and `{other}` contradict each other"), Some(hint));
            }
            return Some((FieldSource::Own(name), value));
        }
        if field.is_of_one_entry() {
            return None;
        }
        field.names().iter().find_map(|name| Some((FieldSource::Default(name), self.defaults.get(*name)?)))
    }

    /// The value of a field that is there and not null.
    pub(super) fn value(&mut self, field: Field) -> Option<(FieldSource, &'a Value)> {
        self.find(field).filter(|(_, value)| !value.is_null())
    }

    /// The path of a place.
    pub(super) fn path_of(&self, place: FieldSource) -> Path {
        match place {
            FieldSource::Own(name) => self.path.key(name),
            FieldSource::Default(name) => Path::root().key(top::DEFAULTS).key(name),
        }
    }

    pub(super) fn wrong_type(&mut self, path: Path, field: Field, expected: &str, value: &Value) {
        // Not with the value: `1e3`, `0x10` and `True` are written otherwise than they are read.
        let is_misread = expected == "text" && matches!(value, Value::Number(_) | Value::Bool(_));
        let hint = is_misread.then(|| "put it in quotes".to_owned()).or_else(|| tag_hint(value));
        self.remarks.fatal(path, format!("`{}` must be {expected}, this is {}", field.name(), noun(value)), hint);
    }

    pub(super) fn text(&mut self, field: Field) -> Option<String> {
        self.words(field).map(str::to_owned)
    }

    fn words(&mut self, field: Field) -> Option<&'a str> {
        let (place, value) = self.value(field)?;
        match value {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(self.path_of(place), field, "text", other);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, field: Field) -> bool {
        match self.value(field) {
            None => false,
            Some((_, Value::Bool(flag))) => *flag,
            Some((place, other)) => {
                self.wrong_type(self.path_of(place), field, "true or false", other);
                false
            }
        }
    }

    /// A field whose value is one of a few words.
    fn word<T: FromStr>(&mut self, field: Field, words: impl FnOnce() -> Vec<&'static str>) -> Option<T> {
        self.one_of(field, |text| text.parse().ok(), words)
    }

    /// The same where `find` knows the words.
    pub(super) fn one_of<'w, T>(
        &mut self,
        field: Field,
        find: impl FnOnce(&str) -> Option<T>,
        words: impl FnOnce() -> Vec<&'w str>,
    ) -> Option<T> {
        let text = self.words(field)?;
        if let Some(value) = find(text) {
            return Some(value);
        }
        let (place, _) = self.find(field)?;
        let (path, words) = (self.path_of(place), words());
        let hint = match closest(text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("use one of {}", words.join(", ")),
        };
        self.remarks.fatal(path, format!("unknown {} {text:?}", field.name()), Some(hint));
        None
    }

    /// A mapping of text to text, own keys before those of the defaults.
    fn map_of_text(&mut self, field: Field) -> BTreeMap<String, String> {
        match self.value(field) {
            None => {}
            Some((place, Value::Mapping(fields))) => {
                for key in fields.keys().filter(|key| !key.is_string()) {
                    let path = self.path_of(place);
                    self.remarks.warn(path, format!("a key here is {}, not text", noun(key)), None);
                }
            }
            Some((place, other)) => self.wrong_type(self.path_of(place), field, "a mapping", other),
        }
        let mut map = BTreeMap::new();
        for (path, key, value) in self.entries(field) {
            match scalar_text(value) {
                // A file that the value stands in.
                None if field == Field::Env && value.is_mapping() => {}
                Some(text) => {
                    map.insert(key.to_owned(), text);
                }
                None => self.wrong_type(path, field, "a mapping of text to text", value),
            }
        }
        map
    }

    fn classes(&mut self) -> Vec<Class> {
        let items = match self.value(Field::Ignore) {
            None => return Vec::new(),
            Some((place, Value::Sequence(items))) => {
                let path = self.path_of(place);
                items.iter().enumerate().map(|(index, item)| (path.index(index), item)).collect()
            }
            Some((place, text @ Value::String(_))) => vec![(self.path_of(place), text)],
            Some((place, other)) => {
                self.wrong_type(self.path_of(place), Field::Ignore, "a list of drift classes", other);
                return Vec::new();
            }
        };
        let words = Class::ALL.map(Class::as_str);
        let mut classes = Vec::new();
        for (path, item) in items {
            match item.as_str().map(str::parse::<Class>) {
                Some(Ok(class)) => classes.push(class),
                _ => {
                    let text = item.as_str().unwrap_or_else(|| noun(item));
                    let hint = match closest(text, words.into_iter()) {
                        Some(word) => format!("did you mean `{word}`?"),
                        None => format!("use one of {}", words.join(", ")),
                    };
                    self.remarks.fatal(path, format!("unknown drift class `{text}`"), Some(hint));
                }
            }
        }
        classes
    }

    /// What a mapping of text says, defaults first, with the place of each key.
    pub(super) fn entries(&mut self, field: Field) -> Vec<(Path, &'a str, &'a Value)> {
        let own = match self.find(field) {
            Some((FieldSource::Own(name), value)) => Some((self.path.key(name), value)),
            _ => None,
        };
        let defaults = field.names().iter().find_map(|name| Some((FieldSource::Default(name), self.defaults.get(*name)?)));
        let defaults = defaults.map(|(place, value)| (self.path_of(place), value));
        let both = defaults.into_iter().chain(own);
        let fields = both.flat_map(|(path, value)| value.as_mapping().into_iter().flatten().map(move |it| (path.clone(), it)));
        fields.filter_map(|(path, (key, value))| Some((path.key(key.as_str()?), key.as_str()?, value))).collect()
    }

    fn recorded(&mut self, agent: Option<AgentKind>, entry: &WritableEntry) -> Recorded {
        let status = self.word::<Status>(Field::Status, || Status::ALL.map(Status::as_str).to_vec());
        Recorded {
            status,
            session_id: self.session_id(agent, entry),
            id_is_lent: false,
            pane: self.pane(),
            terminated_at: self.stamp(Field::TerminatedAt),
            termination_mode: self.text(Field::TerminationMode),
            delegate_job_id: self.text(Field::DelegateJobId),
            touched_at: self.touched_at(),
        }
    }

    /// The first id that is not null of: own field, `session_id`, per-session identity.
    fn session_id(&mut self, agent: Option<AgentKind>, entry: &WritableEntry) -> Option<ConversationId> {
        for key in entry.id_keys(agent) {
            match self.own.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::String(id)) if id.is_empty() => {}
                Some(Value::String(id)) => return Some(ConversationId(id.clone())),
                Some(other) => {
                    self.wrong_type(self.path.key(key), Field::SessionId, "text", other);
                    return None;
                }
            }
        }
        let (_, value) = entry.identity.as_ref()?;
        value.as_str().filter(|id| !id.is_empty()).map(|id| ConversationId(id.to_owned()))
    }

    fn pane(&mut self) -> Option<RecordedPane> {
        let (place, value) = self.value(Field::Pane)?;
        let Value::Mapping(fields) = value else {
            self.wrong_type(self.path_of(place), Field::Pane, "a mapping", value);
            return None;
        };
        let text = |key: &str| fields.get(key).and_then(scalar_text);
        let pid = match fields.get("pid") {
            None | Some(Value::Null) => None,
            Some(pid) => match pid.as_u64().and_then(|pid| u32::try_from(pid).ok()) {
                Some(pid) => Some(pid),
                None => {
                    let found = noun(pid);
                    let path = self.path_of(place).key("pid");
                    self.remarks.fatal(path, format!("`pid` must be a process id, this is {found}"), None);
                    None
                }
            },
        };
        Some(RecordedPane { id: text("id"), pid, cmd: text("cmd"), cwd: text("cwd") })
    }

    fn stamp(&mut self, field: Field) -> Option<DateTime<Utc>> {
        let (place, value) = self.value(field)?;
        let stamp = value.as_str().and_then(parse_stamp);
        if stamp.is_none() {
            let hint = "write it as 2026-11-21T07:30:00Z".to_owned();
            let path = self.path_of(place);
            self.remarks.warn(path, format!("`{}` is not an RFC 3339 time and is ignored", field.name()), Some(hint));
        }
        stamp
    }

    /// The `*_at` stamps of the entry that headcount did not write itself.
    fn touched_at(&self) -> Vec<DateTime<Utc>> {
        let mode = self.own.get(Field::TerminationMode.name()).and_then(Value::as_str);
        let ours = mode == Some(Recorded::AUTO_DETECTED);
        self.own
            .iter()
            .filter_map(|(key, value)| Some((key.as_str()?, value.as_str()?)))
            .filter(|(key, _)| key.ends_with("_at") && !(ours && *key == Field::TerminatedAt.name()))
            .filter_map(|(_, text)| parse_stamp(text))
            .collect()
    }
}

fn parse_stamp(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|stamp| stamp.with_timezone(&Utc))
}

/// Whether a key says when somebody touched the entry, as text or in seconds.
fn is_stamp(key: &str) -> bool {
    key.ends_with("_at") || key.ends_with("_at_epoch")
}

impl FromStr for Status {
    type Err = crate::core::ids::UnknownName;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == s).ok_or_else(|| crate::core::ids::UnknownName(s.to_owned()))
    }
}

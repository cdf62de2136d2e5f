//! Which of the sessions that other tools know become entries, and what is in them. Pure: which program is which agent is an argument.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{ForeignProgram, ForeignSession, ImportTool, ImportedSession, LeftOut, LeftOutRow};
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};
use crate::core::manifest::Manifest;

/// The longest name, and the longest id of a conversation, in bytes.
const LONGEST: usize = 200;
/// How much of a title is in a comment.
const LONGEST_TITLE: usize = 60;

/// The agent that a command line is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignAgent {
    /// Which one.
    pub kind: AgentKind,
    /// The conversation that its arguments name exactly.
    pub conversation: Option<ConversationId>,
    /// How many arguments it has.
    pub arguments: usize,
}

/// An entry for the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedEntry {
    /// Its session.
    pub key: SessionKey,
    /// What it says.
    pub value: Value,
    /// Where it comes from, for a comment.
    pub comment: String,
}

/// What becomes of everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportChoice {
    /// The entries, in the order in which they were found.
    pub entries: Vec<ImportedEntry>,
    /// The same for a report.
    pub imported: Vec<ImportedSession>,
    /// What has none.
    pub left_out: Vec<LeftOutRow>,
}

/// Chooses. `found` is in the order of importance; `agent` tells which agent a command line is of.
pub fn choose(
    found: Vec<(ImportTool, ForeignSession)>,
    manifest: &Manifest,
    host: &str,
    agent: impl Fn(&[String]) -> Option<ForeignAgent>,
) -> ImportChoice {
    let mut choice = ImportChoice::default();
    let mut agentless: BTreeMap<ImportTool, usize> = BTreeMap::new();
    let mut taken: BTreeMap<SessionKey, ImportTool> = BTreeMap::new();
    let mut chosen = Vec::new();
    for (tool, session) in found {
        let Some(program) = program(&session, manifest, &agent) else {
            *agentless.entry(tool).or_default() += 1;
            continue;
        };
        let key = key(&session, host);
        let why = match taken.get(&key) {
            _ if !is_fit(&session.name) => Some("headcount does not take such a name".to_owned()),
            _ if session.server.contains('/') || !session.server.is_empty() && !is_fit(&session.server) => {
                Some("headcount does not take such a server".to_owned())
            }
            Some(other) if *other == tool => Some("the session has a coding agent already; headcount follows one".to_owned()),
            Some(other) => Some(format!("{} knows the session too, and counts", other.as_str())),
            None if manifest.find(&key).is_some() => Some("it has an entry already".to_owned()),
            None => None,
        };
        if let Some(why) = why {
            choice.left_out.push(LeftOutRow::of(tool, LeftOut::new(session.title, why)));
            continue;
        }
        taken.insert(key.clone(), tool);
        chosen.push((tool, session, program, key));
    }
    let claims = claims(&chosen);
    for (tool, session, program, key) in chosen {
        let (entry, report) = entry(tool, session, program, key, manifest, &claims);
        choice.entries.push(entry);
        choice.imported.push(report);
    }
    for (tool, count) in agentless {
        let what = if count == 1 { "one more session or pane".to_owned() } else { format!("{count} more sessions or panes") };
        choice.left_out.push(LeftOutRow::of(tool, LeftOut::new(what, "no coding agent that headcount knows is in it")));
    }
    choice
}

type Chosen = (ImportTool, ForeignSession, ForeignAgent, SessionKey);

/// The agent of a session, with the conversation that the tool knows, or that its arguments name.
fn program(
    session: &ForeignSession,
    manifest: &Manifest,
    agent: &impl Fn(&[String]) -> Option<ForeignAgent>,
) -> Option<ForeignAgent> {
    match &session.program {
        ForeignProgram::Commands(all) => all.iter().find_map(|words| agent(words)),
        ForeignProgram::Named(word) => {
            let kind = manifest.agents.find(word)?;
            let id = session.conversations.iter().find(|(of, _)| of.is_empty() || *of == kind.as_str());
            let conversation = id.map(|(_, id)| ConversationId(id.clone()));
            Some(ForeignAgent { kind, conversation, arguments: 0 })
        }
    }
}

fn key(session: &ForeignSession, host: &str) -> SessionKey {
    let server = if session.server.is_empty() { ServerKey::DEFAULT } else { &session.server };
    SessionKey { mux: MuxKind::Tmux, server: server.to_owned(), name: session.name.clone(), host: host.to_owned() }
}

/// Which conversations more than one session claims.
fn claims(chosen: &[Chosen]) -> BTreeSet<(AgentKind, String)> {
    let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for (_, _, program, _) in chosen {
        if let Some(id) = &program.conversation {
            let claim = (program.kind, id.as_str().to_owned());
            if !once.insert(claim.clone()) {
                twice.insert(claim);
            }
        }
    }
    twice
}

fn entry(
    tool: ImportTool,
    mut session: ForeignSession,
    program: ForeignAgent,
    key: SessionKey,
    manifest: &Manifest,
    claims: &BTreeSet<(AgentKind, String)>,
) -> (ImportedEntry, ImportedSession) {
    let usual = &manifest.usual;
    let mut fields = Map::new();
    let mut put = |field: &str, value: Value| drop(fields.insert(field.to_owned(), value));
    put("name", json!(key.name));
    put("agent", json!(program.kind.as_str()));
    let cwd = session.cwd.filter(|cwd| {
        let is_path = (cwd.starts_with('/') || *cwd == "~" || cwd.starts_with("~/")) && !cwd.contains(char::is_control);
        if !is_path {
            session.not_taken.push("its directory, which is no absolute path".to_owned());
        }
        is_path
    });
    if let Some(cwd) = &cwd {
        put("cwd", json!(cwd));
    }
    for (field, value) in usual.unlike(&key) {
        put(field.name(), json!(value));
    }
    let labels: BTreeMap<&str, &str> =
        session.labels.iter().map(|(name, label)| (name.as_str(), label.as_str())).filter(|(_, label)| is_fit(label)).collect();
    if !labels.is_empty() {
        put("labels", json!(labels));
    }
    let conversation = program.conversation.as_ref().map(ConversationId::as_str).and_then(|id| {
        let is_held = manifest.sessions.iter().any(|other| {
            other.agent == program.kind && other.recorded.session_id.as_ref().is_some_and(|held| held.as_str() == id)
        });
        let why = if !is_id(id) {
            "its conversation, whose id is none"
        } else if is_held {
            "its conversation, which another entry has"
        } else if claims.contains(&(program.kind, id.to_owned())) {
            "its conversation, which two sessions claim"
        } else {
            return Some(id.to_owned());
        };
        session.not_taken.push(why.to_owned());
        None
    });
    if let Some(id) = &conversation {
        put("session_id", json!(id));
    }
    let named = if conversation.is_some() && program.arguments > 0 { 2 } else { 0 };
    if program.arguments > named {
        session.not_taken.push("its arguments".to_owned());
    }
    let title = if session.title == key.name { String::new() } else { format!(" {:?}", cut(&session.title)) };
    let proof = if conversation.is_some() { format!("; {}", tool.provenance()) } else { String::new() };
    let comment = format!("from {}{title}{proof}", tool.as_str());
    let report = ImportedSession {
        tool,
        title: session.title,
        session: key.clone(),
        agent: program.kind,
        cwd,
        conversation,
        not_taken: session.not_taken,
    };
    (ImportedEntry { key, value: Value::Object(fields), comment }, report)
}

/// Whether a text can be a name, a server or a label.
fn is_fit(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= LONGEST && !text.contains(char::is_control)
}

/// Whether a text can be the id of a conversation.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (8..=LONGEST).contains(&text.len()) && text.bytes().all(is_plain) && !text.starts_with('-')
}

fn cut(title: &str) -> String {
    let mut cut: String = title.chars().take(LONGEST_TITLE).collect();
    if cut.len() < title.len() {
        cut.push('…');
    }
    cut
}

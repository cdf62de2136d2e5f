//! Whatever happens, in tmux and zellij, to all agents and on every rung, and to two manifests that declare the same sessions: no two
//! live entries end with one conversation unless both are told, and who proves it has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::properties::{apply, model};
use super::world::*;
use crate::core::drift::{Class, Verdict, classify};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};
use crate::core::manifest::select::Selection;
use crate::core::memory::{Memory, SessionMemory};
use crate::core::observe::identity::{Rung, RungValue};
use crate::core::observe::{Agent, MuxSession, Process, Server};
use crate::core::plan;

const IDS: [&str; 3] = ["a", "b", "c"];
const NAMES: usize = 4;

/// What an agent's ladder says of its conversation.
#[derive(Debug, Clone, Copy)]
enum Says {
    Nothing,
    Rung(Rung),
}

/// Something that happens. Sessions, entries and conversations are meant by small numbers.
#[derive(Debug, Clone)]
enum Event {
    /// An agent begins in the session of a name, in place of the one that was there.
    Begin {
        name: usize,
        id: usize,
        says: Says,
    },
    /// A session ends.
    End {
        name: usize,
    },
    /// A session gets another name, if none has it.
    Rename {
        name: usize,
        to: usize,
    },
    /// A person declares a session, or gives an entry another name.
    Declare {
        manifest: usize,
        name: usize,
    },
    Follow {
        manifest: usize,
        entry: usize,
        to: usize,
    },
    /// A person writes a conversation, or takes it away.
    Write {
        manifest: usize,
        entry: usize,
        id: Option<usize>,
    },
    /// The engine looks and records; what it remembers is all it knows.
    Pass {
        manifest: usize,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let says = prop_oneof![
        2 => Just(Says::Nothing),
        4 => proptest::sample::select(&Rung::ALL[..]).prop_map(Says::Rung),
    ];
    let (name, manifest, id) = (|| 0..NAMES, || 0..2usize, || 0..IDS.len());
    prop_oneof![
        4 => (name(), id(), says).prop_map(|(name, id, says)| Event::Begin { name, id, says }),
        1 => name().prop_map(|name| Event::End { name }),
        1 => (name(), name()).prop_map(|(name, to)| Event::Rename { name, to }),
        2 => (manifest(), name()).prop_map(|(manifest, name)| Event::Declare { manifest, name }),
        1 => (manifest(), 0..4usize, name()).prop_map(|(manifest, entry, to)| Event::Follow { manifest, entry, to }),
        1 => (manifest(), 0..4usize, proptest::option::weighted(0.7, id())).prop_map(|(manifest, entry, id)| Event::Write { manifest, entry, id }),
        6 => manifest().prop_map(|manifest| Event::Pass { manifest }),
    ]
}

/// A live agent: its process, what it is in, and what can be seen of that.
#[derive(Debug, Clone)]
struct Living {
    process: Process,
    id: &'static str,
    says: Says,
}

/// A manifest, what is remembered of it, and which process of which entry was in order in which conversation.
#[derive(Debug, Default)]
struct Book {
    entries: Vec<Value>,
    memory: Memory,
    known: BTreeMap<String, (String, u32)>,
    /// By the name that an entry was given since the last pass, the one it had at that.
    renamed: BTreeMap<String, String>,
}

/// Everything there is.
#[derive(Debug)]
struct Stage {
    kind: AgentKind,
    living: BTreeMap<usize, Living>,
    books: [Book; 2],
    begun: u32,
}

/// Half of the sessions are zellij's.
fn mux(number: usize) -> MuxKind {
    if number.is_multiple_of(2) { MuxKind::Tmux } else { MuxKind::Zellij }
}

fn text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get(key).and_then(Value::as_str)
}

impl Stage {
    /// The session of a number.
    fn name(&self, number: usize) -> String {
        format!("x{number}-creator-{}", self.kind)
    }

    fn agent(&self, living: &Living) -> Agent {
        let mut agent = agent(living.process.pid).kind(self.kind);
        agent.process = living.process;
        let changed = living.process.started + chrono::TimeDelta::seconds(30);
        agent = match living.says {
            Says::Nothing => agent,
            Says::Rung(Rung::Appeared) => agent.appeared(&[(living.id, 30)]),
            Says::Rung(Rung::WorkspaceMap) => {
                agent.reads(Rung::WorkspaceMap, Fact::Seen(RungValue::Mapped { id: id(living.id), changed: Some(changed) }))
            }
            Says::Rung(rung) => agent.proves(rung, living.id),
        };
        agent.peers(Fact::Seen(u32::try_from(self.living.len()).unwrap()))
    }

    fn scene(&self, book: usize) -> Scene {
        let book = &self.books[book];
        let mut scene = scene(
            model(&json!({ "version": 1, "agents": { "goose": { "programs": ["goose"] } }, "sessions": book.entries })),
            Vec::new(),
        );
        for kind in [MuxKind::Tmux, MuxKind::Zellij] {
            let shown = self.living.iter().filter(|(number, _)| mux(**number) == kind);
            let sessions: Vec<MuxSession> =
                shown.map(|(number, living)| alive(&self.name(*number), self.agent(living))).collect();
            let server = Server { sessions: sessions.into_iter().map(Into::into).collect(), ..Server::default() };
            scene.observation.servers.insert(ServerKey::default_of(kind), Fact::Seen(server));
        }
        scene.memory = book.memory.clone();
        scene
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Begin { name, id, says } => {
                self.begun += 1;
                let process = Process { pid: self.begun, started: ago(100_000 - 100 * i64::from(self.begun)) };
                self.living.insert(name, Living { process, id: IDS[id], says });
            }
            Event::End { name } => drop(self.living.remove(&name)),
            Event::Rename { name, to } => {
                if !self.living.contains_key(&to)
                    && mux(name) == mux(to)
                    && let Some(living) = self.living.remove(&name)
                {
                    self.living.insert(to, living);
                }
            }
            Event::Declare { manifest, name: number } => {
                if !self.declares(manifest, number) {
                    let mut entry = json!({ "name": self.name(number), "agent": self.kind.as_str(), "cwd": "/w" });
                    entry["mux"] = json!(mux(number).as_str());
                    self.books[manifest].entries.push(entry);
                }
            }
            Event::Follow { manifest, entry, to } => {
                let (is_free, name) = (!self.declares(manifest, to), self.name(to));
                let book = &mut self.books[manifest];
                if let Some(entry) =
                    book.entries.get_mut(entry).filter(|it| is_free && text(it, "mux") == Some(mux(to).as_str()))
                {
                    let known = book.known.remove(text(entry, "name").unwrap());
                    // Which entry it was is told by a conversation that no other had, and a name that no pass has seen in use.
                    let is_free =
                        |(key, it): (&SessionKey, &Arc<SessionMemory>)| key.name != name || it.undeclared_since.is_some();
                    let id = known.as_ref().map(|(id, _)| ConversationId(id.clone()));
                    let had_it = |it: &&Arc<SessionMemory>| {
                        it.recorded_id == id || it.known_in.as_ref().is_some_and(|known| Some(&known.id) == id.as_ref())
                    };
                    let is_told = book.memory.sessions.iter().all(is_free)
                        && book.memory.sessions.values().filter(had_it).count() == 1
                        && text(entry, "session_id") == id.as_ref().map(ConversationId::as_str);
                    book.known.remove(&name);
                    let was = text(entry, "name").unwrap().to_owned();
                    let before = book.renamed.remove(&was).unwrap_or(was);
                    book.renamed.insert(name.clone(), before);
                    entry["name"] = json!(name);
                    book.known.extend(known.filter(|_| is_told).map(|known| (name, known)));
                }
            }
            Event::Write { manifest, entry, id } => {
                let book = &mut self.books[manifest];
                if let Some(entry) = book.entries.get_mut(entry) {
                    entry["session_id"] = json!(id.map(|id| IDS[id]));
                    book.known.remove(text(entry, "name").unwrap());
                }
            }
            Event::Pass { manifest } => self.pass(manifest),
        }
    }

    fn declares(&self, manifest: usize, number: usize) -> bool {
        self.books[manifest].entries.iter().any(|entry| text(entry, "name") == Some(&self.name(number)))
    }

    /// A pass over a manifest, judged by what is so.
    fn pass(&mut self, at: usize) {
        // Where its old name is declared anew, a person may as well have moved the conversation from one entry to the other.
        for (name, before) in std::mem::take(&mut self.books[at].renamed) {
            if self.books[at].entries.iter().any(|entry| text(entry, "name") == Some(&before)) {
                self.books[at].known.remove(&name);
            }
        }
        let scene = self.scene(at);
        let world = scene.world();
        let verdict = classify(&world);
        let edits = plan::make(&scene.manifest, &verdict, &Selection::default()).edits();
        let memory = scene.remembered();
        let mut document = json!({ "version": 1, "sessions": self.books[at].entries });
        let before = document.clone();
        apply(&mut document, &edits);
        self.books[at].entries = document["sessions"].as_array().unwrap().clone();
        self.books[at].memory = memory;
        for (index, entry) in self.books[at].entries.iter().enumerate() {
            let was = before["sessions"].get(index).unwrap_or(&Value::Null);
            self.written(was, entry);
        }
        let scene = self.scene(at);
        let verdict = classify(&scene.world());
        self.told(at, &verdict);
    }

    fn living_of(&self, entry: &Value) -> Option<&Living> {
        (0..NAMES).find(|number| text(entry, "name") == Some(&self.name(*number))).and_then(|number| self.living.get(&number))
    }

    /// What was written of an entry is so.
    fn written(&self, was: &Value, is: &Value) {
        let living = self.living_of(is);
        if text(is, "status") == Some("terminated") && text(was, "status") != Some("terminated") {
            assert!(living.is_none(), "called dead, and it lives: {is}");
        }
        if let Some(id) = text(is, "session_id").filter(|id| text(was, "session_id") != Some(id)) {
            assert_eq!(living.map(|living| living.id), Some(id), "given another's conversation: {is}");
        }
    }

    /// What is in order is so.
    fn told(&mut self, at: usize, verdict: &Verdict) {
        let has = |entry: &Value, class: Class| {
            verdict.drifts.iter().any(|drift| Some(drift.session.name.as_str()) == text(entry, "name") && drift.class == class)
        };
        let book = &self.books[at];
        let live: Vec<(&Value, &Living)> =
            book.entries.iter().filter_map(|entry| Some((entry, self.living_of(entry)?))).collect();
        for (entry, living) in &live {
            let Some(id) = text(entry, "session_id") else { continue };
            let is_told = has(entry, Class::Ambiguous) || has(entry, Class::NewId);
            let mut others = live.iter().filter(|(other, _)| text(other, "name") != text(entry, "name"));
            let shares = others.any(|(other, _)| text(other, "session_id") == Some(id) && !has(other, Class::NewId));
            assert!(is_told || !shares, "two live entries hold {id} in silence: {entry}");
            let proves = |living: &Living| matches!(living.says, Says::Rung(rung) if rung <= Rung::Start);
            let is_proven = proves(living) && living.id == id;
            let elsewhere = self.living.values().any(|it| it.process != living.process && proves(it) && it.id == id);
            assert!(is_told || !elsewhere, "another proves {id}, and it counts here in silence: {entry}");
            let known = book.known.get(text(entry, "name").unwrap()).filter(|(known, _)| known == id);
            let is_other = known.is_some_and(|(_, pid)| *pid != living.process.pid);
            assert!(is_told || is_proven || !is_other, "{id} was another process's: {entry}");
            if proves(living) && living.id != id {
                assert!(is_told, "it proves another than {id}, in silence: {entry}");
            }
        }
        let in_order: Vec<(String, (String, u32))> = live
            .iter()
            .filter(|(entry, _)| !has(entry, Class::Ambiguous) && !has(entry, Class::NewId))
            .filter_map(|(entry, living)| {
                Some((text(entry, "name")?.to_owned(), (text(entry, "session_id")?.to_owned(), living.process.pid)))
            })
            .collect();
        self.books[at].known.extend(in_order);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_two_live_entries_end_with_one_conversation_in_silence_and_who_proves_it_has_it(
        kind in 0..=AgentKind::ALL.len(),
        events in proptest::collection::vec(event(), 1..40),
    ) {
        let kind = AgentKind::ALL.get(kind).copied().unwrap_or_else(|| AgentKind::named("goose").unwrap());
        let mut stage = Stage { kind, living: BTreeMap::new(), books: Default::default(), begun: 0 };
        for event in &events {
            stage.happen(event);
        }
        stage.pass(0);
        stage.pass(1);
    }
}

//! A world made of values: a manifest from text, sessions and agents from a few words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::core::drift::{Drift, Inputs, classify, note_written, remember};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};
use crate::core::manifest::select::Selection;
use crate::core::manifest::{Environment, Manifest, Session, read};
use crate::core::memory::{Memory, SessionMemory};
use crate::core::observe::identity::{Appearance, Ladder, LastMessage, Rung, RungReading, RungValue};
use crate::core::observe::{Agent, Boot, MuxSession, Observation, Pane, Process, Server, Transcript, TranscriptKey, Viewpoint};
use crate::core::plan;

pub(super) const HOST: &str = "dev1";
pub(super) const HOME: &str = "/home/dev/.claude";

/// The moment every test looks at the world.
pub(super) fn now() -> DateTime<Utc> {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(super) fn ago(seconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(seconds)
}

pub(super) fn manifest(text: &str) -> Manifest {
    let raw: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let mut merged = raw.clone();
    merged.apply_merge().unwrap();
    let environment = Environment { home: PathBuf::from("/home/dev"), host: HOST.to_owned() };
    read(&raw, &merged, &environment).unwrap().0
}

/// A manifest with one entry `s`, agent claude, and these further fields.
pub(super) fn one(fields: &str) -> Manifest {
    manifest(&format!("version: 1\nsessions:\n  - {{ name: s, agent: claude, cwd: /w{fields} }}\n"))
}

/// An entry of a manifest, to be changed.
pub(super) fn entry(manifest: &mut Manifest, index: usize) -> &mut Session {
    Arc::make_mut(&mut manifest.sessions[index])
}

pub(super) fn id(text: &str) -> ConversationId {
    ConversationId(text.to_owned())
}

pub(super) fn agent(pid: u32) -> Agent {
    Agent {
        kind: AgentKind::Claude,
        process: Process { pid, started: ago(600) },
        cwd: Fact::Seen(PathBuf::from("/w")),
        home: Fact::Seen(PathBuf::from(HOME)),
        ladder: Ladder::default(),
    }
}

impl Agent {
    pub(super) fn kind(mut self, kind: AgentKind) -> Self {
        self.kind = kind;
        self
    }

    pub(super) fn reads(mut self, rung: Rung, fact: Fact<RungValue>) -> Self {
        self.ladder.readings.push(RungReading { rung, looked_at: format!("the {}", rung.as_str()), fact });
        self.ladder.readings.sort_by_key(|reading| reading.rung);
        self
    }

    pub(super) fn proves(self, rung: Rung, text: &str) -> Self {
        self.reads(rung, Fact::Seen(RungValue::Id(id(text))))
    }

    /// Transcripts that appeared so many seconds after the process started.
    pub(super) fn appeared(mut self, all: &[(&str, i64)]) -> Self {
        let started = self.process.started;
        let appearances =
            all.iter().map(|(text, after)| Appearance { id: id(text), at: started + TimeDelta::seconds(*after) }).collect();
        self.ladder.peers = Fact::Seen(1);
        self.reads(Rung::Appeared, Fact::Seen(RungValue::Appeared(appearances)))
    }

    /// Something was last said in these conversations of the workspace, so many seconds after the process started.
    pub(super) fn said(mut self, all: &[(&str, i64)]) -> Self {
        let started = self.process.started;
        let said = all.iter().map(|(text, after)| LastMessage { id: id(text), at: started + TimeDelta::seconds(*after) });
        self.ladder.said = Fact::Seen(said.collect());
        self
    }

    pub(super) fn peers(mut self, peers: Fact<u32>) -> Self {
        self.ladder.peers = peers;
        self
    }

    pub(super) fn works_in(mut self, cwd: &str) -> Self {
        self.cwd = Fact::Seen(PathBuf::from(cwd));
        self
    }
}

/// A pane `%pid` of process `pid` that holds these agents.
pub(super) fn pane(pid: u32, agents: Vec<Agent>) -> Pane {
    Pane {
        id: format!("%{pid}"),
        pid: Some(pid),
        dead: None,
        runs: "bash".to_owned(),
        agents: Fact::Seen(agents.into_iter().map(Arc::new).collect()),
        unread: None,
    }
}

/// An hour-old session.
pub(super) fn session(name: &str, panes: Vec<Pane>) -> MuxSession {
    MuxSession {
        id: format!("${name}"),
        name: name.to_owned(),
        created: Some(ago(3600)),
        process: None,
        panes: panes.into_iter().map(Arc::new).collect(),
    }
}

/// A session with one claude, whose pane and process have this pid.
pub(super) fn claude(name: &str, pid: u32) -> MuxSession {
    session(name, vec![pane(pid, vec![agent(pid)])])
}

/// An hour-old session with this agent in its only pane.
pub(super) fn alive(name: &str, agent: Agent) -> MuxSession {
    let pid = agent.process.pid;
    session(name, vec![pane(pid, vec![agent])])
}

/// A manifest of running entries `name: id`, panes recorded as pids 1, 2, …
pub(super) fn entries(all: &[(&str, &str)]) -> Manifest {
    let mut text = "version: 1\nsessions:\n".to_owned();
    for (index, (name, id)) in all.iter().enumerate() {
        let pid = index + 1;
        text += &format!(
            "  - {{ name: {name}, agent: claude, cwd: /w, status: running, session_id: {id}, pane: {{ id: \"%{pid}\", pid: {pid} }} }}\n"
        );
    }
    manifest(&text)
}

pub(super) fn default_server() -> ServerKey {
    ServerKey::default_of(MuxKind::Tmux)
}

/// What a test looks at.
pub(super) struct Scene {
    pub(super) manifest: Manifest,
    pub(super) observation: Observation,
    pub(super) memory: Memory,
    pub(super) modified: Option<DateTime<Utc>>,
    pub(super) touched: BTreeMap<SessionKey, DateTime<Utc>>,
    pub(super) stops: BTreeMap<SessionKey, DateTime<Utc>>,
    pub(super) left: BTreeSet<SessionKey>,
    pub(super) jobs: Vec<crate::core::job::Job>,
}

/// A scene whose default server answers with these sessions. Every recorded or proven conversation has a transcript.
pub(super) fn scene(manifest: Manifest, sessions: Vec<MuxSession>) -> Scene {
    let entries = manifest.sessions.len();
    let sessions = sessions.into_iter().map(Arc::new).collect();
    let server = Fact::Seen(Server { pid: Some(1), version: "3.3a".to_owned(), sessions, unlisted: None });
    let observation = Observation {
        at: now(),
        host: HOST.to_owned(),
        boot: Fact::Seen(Boot { id: "boot-2".to_owned(), at: ago(86_400) }),
        servers: BTreeMap::from([(default_server(), server)]),
        strays: BTreeMap::new(),
        transcripts: BTreeMap::new(),
        turns: BTreeMap::new(),
        awaited: BTreeMap::new(),
        phases: BTreeMap::new(),
        continued: BTreeMap::new(),
        real_paths: BTreeMap::new(),
        fallback_homes: vec![Fact::Seen(PathBuf::from(HOME)); entries],
        own_homes: BTreeMap::from([(AgentKind::Claude, Fact::Seen(PathBuf::from(HOME)))]),
        vantage: Viewpoint::default(),
    };
    let mut scene = Scene {
        manifest,
        observation,
        memory: Memory::default(),
        modified: Some(ago(300)),
        touched: BTreeMap::new(),
        stops: BTreeMap::new(),
        left: BTreeSet::new(),
        jobs: Vec::new(),
    };
    let recorded: Vec<ConversationId> =
        scene.manifest.sessions.iter().filter_map(|session| session.recorded.session_id.clone()).collect();
    for id in recorded {
        let transcript = Transcript { path: PathBuf::from("/t"), modified: ago(60), is_archived: false };
        scene.observation.transcripts.insert(Scene::key(&id), Fact::Seen(transcript));
    }
    scene
}

impl Scene {
    fn key(id: &ConversationId) -> TranscriptKey {
        TranscriptKey { kind: AgentKind::Claude, home: PathBuf::from(HOME), id: id.clone() }
    }

    pub(super) fn server(mut self, fact: Fact<Server>) -> Self {
        self.observation.servers.insert(default_server(), fact);
        self
    }

    pub(super) fn transcript(mut self, text: &str, fact: Fact<Transcript>) -> Self {
        self.observation.transcripts.insert(Self::key(&id(text)), fact);
        self
    }

    /// The transcript of `old` says that its conversation went on in what the fact names.
    pub(super) fn continued(mut self, old: &str, fact: Fact<ConversationId>) -> Self {
        self.observation.continued.insert(Self::key(&id(old)), fact);
        self
    }

    pub(super) fn remembers(mut self, name: &str, memory: SessionMemory) -> Self {
        let session = self.manifest.sessions.iter().find(|session| session.key.name == name).unwrap();
        self.memory.sessions.insert(session.key.clone(), memory);
        self
    }

    pub(super) fn world(&self) -> Inputs<'_> {
        Inputs {
            manifest: &self.manifest,
            manifest_modified: self.modified,
            observation: &self.observation,
            memory: &self.memory,
            jobs: &self.jobs,
            settle: TimeDelta::seconds(5),
            touched: &self.touched,
            stops: &self.stops,
            left: &self.left,
        }
    }

    /// What the next pass knows of this one, which wrote all it could.
    pub(super) fn remembered(&self) -> Memory {
        let world = self.world();
        let verdict = classify(&world);
        let mut memory = remember(&world, &verdict, std::iter::empty(), None);
        let plan = plan::make(&self.manifest, &verdict, &Selection::default());
        note_written(&mut memory, &world, &verdict, &plan.given_ids(&self.manifest, &verdict));
        memory
    }

    pub(super) fn drifts(&self) -> Vec<Drift> {
        classify(&self.world()).drifts
    }

    /// The drifts as `class:disposition` words, for tables.
    pub(super) fn words(&self) -> Vec<String> {
        let word = |drift: &Drift| {
            let disposition = match drift.disposition {
                super::super::Disposition::Record => "record",
                super::super::Disposition::Flag => "flag",
                super::super::Disposition::Settling(_) => "settling",
                super::super::Disposition::Ignored => "ignored",
            };
            format!("{}:{disposition}", drift.class)
        };
        self.drifts().iter().map(word).collect()
    }

    /// The edits as `path=value` lines.
    pub(super) fn edits(&self) -> Vec<String> {
        let line = |edit: &crate::core::edit::Edit| format!("{}={}", edit.path, edit.to.clone().unwrap_or_default());
        self.drifts().iter().flat_map(|drift| drift.edits().iter().map(line)).collect()
    }
}

//! Random interleavings of changes and looks over a world of values: after each, a look that believes what it may sees what a
//! look at everything sees.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use headcount::control::observe::{Observer, observe};
use headcount::control::watch::wake::Scope;
use headcount::core::fact::Fact;
use headcount::core::ids::{MuxKind, SessionKey};
use headcount::core::manifest::Manifest;
use headcount::core::observe::Observation;
use proptest::prelude::*;

use crate::fake::{Fake, Running};
use crate::support::{HOST, entries, server};

const SERVERS: [&str; 2] = ["default", "canary"];

/// One change, the sessions and processes meant by small numbers.
#[derive(Debug, Clone)]
enum Change {
    /// A session with an agent, directly in the pane or below a shell.
    Create { server: usize, session: u8, below_shell: bool },
    /// A session ends, its processes with it.
    Kill { server: usize, session: u8 },
    /// The same, and it is its processes' ends that are heard of.
    Die { server: usize, session: u8 },
    /// A process ends, its pane stays.
    Exit { server: usize, session: u8 },
    /// The agent's place is taken by another program of the same process.
    Exec { server: usize, session: u8 },
    /// An agent starts below a shell that had none; the next time it enters itself in its registry.
    Launch { server: usize, session: u8 },
    /// The pane's process is gone and another has its id.
    Reuse { server: usize, session: u8 },
    /// A second pane with an agent.
    Split { server: usize, session: u8 },
    /// Another name.
    Rename { server: usize, session: u8, to: u8 },
    /// Another conversation in the same process.
    Clear { server: usize, session: u8 },
    /// The conversation's transcript appears or goes.
    Transcript { server: usize, session: u8 },
    /// The processes may not be read, or may again.
    Hide { server: usize, session: u8 },
    /// The server stops answering, or answers again.
    Mute { server: usize },
    /// An entry is declared, or no more.
    Declare { server: usize, session: u8 },
    /// Nothing happened, and a session is looked at all the same.
    Look { server: usize, session: u8 },
    /// The clock is set, and no session has changed.
    Clock { by: i64 },
    /// Nothing happened, and everything is looked at.
    Interval,
}

fn change() -> impl Strategy<Value = Change> {
    let at = || (0..SERVERS.len(), 0..4u8);
    prop_oneof![
        4 => (at(), any::<bool>()).prop_map(|((server, session), below_shell)| Change::Create { server, session, below_shell }),
        1 => at().prop_map(|(server, session)| Change::Kill { server, session }),
        2 => at().prop_map(|(server, session)| Change::Die { server, session }),
        1 => at().prop_map(|(server, session)| Change::Exit { server, session }),
        1 => at().prop_map(|(server, session)| Change::Exec { server, session }),
        2 => at().prop_map(|(server, session)| Change::Launch { server, session }),
        1 => at().prop_map(|(server, session)| Change::Reuse { server, session }),
        1 => at().prop_map(|(server, session)| Change::Split { server, session }),
        1 => (at(), 0..4u8).prop_map(|((server, session), to)| Change::Rename { server, session, to }),
        2 => at().prop_map(|(server, session)| Change::Clear { server, session }),
        2 => at().prop_map(|(server, session)| Change::Transcript { server, session }),
        1 => at().prop_map(|(server, session)| Change::Hide { server, session }),
        1 => (0..SERVERS.len()).prop_map(|server| Change::Mute { server }),
        3 => at().prop_map(|(server, session)| Change::Declare { server, session }),
        1 => at().prop_map(|(server, session)| Change::Look { server, session }),
        1 => prop::sample::select(vec![-5417, -73, 67, 5407]).prop_map(|by| Change::Clock { by }),
        1 => Just(Change::Interval),
    ]
}

/// A world that changes, and the looks at it.
struct Run {
    _dir: tempfile::TempDir,
    fake: Fake,
    /// Keeps its memory from look to look.
    narrow: Observer,
    declared: BTreeSet<(usize, u8)>,
    /// The panes in which a process became another program, or may not be read any more, and nobody said so.
    unheard: BTreeSet<u32>,
    next: u32,
}

fn name(session: u8) -> String {
    format!("s{session}-creator-claude")
}

fn key(server: usize, session: u8) -> SessionKey {
    let server = SERVERS[server].to_owned();
    SessionKey { name: name(session), mux: MuxKind::Tmux, server, host: HOST.to_owned() }
}

impl Run {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let fake = Fake::new(dir.path());
        let narrow = fake.world();
        let run = Self { _dir: dir, fake, narrow, declared: BTreeSet::new(), unheard: BTreeSet::new(), next: 10 };
        fs::create_dir_all(run.fake.transcript("x").parent().unwrap()).unwrap();
        run
    }

    fn start(&mut self, parent: u32, program: &str) -> u32 {
        self.next += 1;
        let argv = vec![program.to_owned()];
        self.fake.table().processes.insert(self.next, Running { parent, ticks: u64::from(self.next), argv });
        self.next
    }

    fn register(&mut self, pid: u32) {
        self.next += 1;
        let Some(ticks) = self.fake.table().processes.get(&pid).map(|process| process.ticks) else { return };
        let id = format!("00000000-0000-4000-8000-{:012}", self.next);
        let entry = format!("{{\"pid\":{pid},\"sessionId\":\"{id}\",\"procStart\":\"{ticks}\",\"status\":\"idle\"}}");
        fs::write(self.fake.registry(pid), entry).unwrap();
    }

    fn panes(&self, server: usize, session: u8) -> Vec<u32> {
        let table = self.fake.table();
        table.servers.get(SERVERS[server]).and_then(|sessions| sessions.get(&name(session))).cloned().unwrap_or_default()
    }

    /// The processes of a session's panes and below.
    fn processes(&self, server: usize, session: u8) -> Vec<u32> {
        let panes = self.panes(server, session);
        let table = self.fake.table();
        let is_there = |pid: &u32, parent: &u32| panes.contains(pid) || panes.contains(parent);
        table.processes.iter().filter(|(pid, process)| is_there(pid, &process.parent)).map(|(pid, _)| *pid).collect()
    }

    fn agent(&self, server: usize, session: u8) -> Option<u32> {
        self.processes(server, session).into_iter().rfind(|pid| self.fake.registry(*pid).exists())
    }

    fn conversation(&self, pid: u32) -> Option<String> {
        let entry: serde_json::Value = serde_json::from_slice(&fs::read(self.fake.registry(pid)).ok()?).ok()?;
        Some(entry["sessionId"].as_str()?.to_owned())
    }

    /// Makes a change and says what a source would say of it.
    fn apply(&mut self, change: &Change) -> Scope {
        match *change {
            Change::Create { server, session, below_shell } => {
                if self.panes(server, session).is_empty() {
                    let top = self.start(1, if below_shell { "bash" } else { "claude" });
                    let agent = if below_shell { self.start(top, "claude") } else { top };
                    self.register(agent);
                    let mut table = self.fake.table();
                    table.servers.entry(SERVERS[server].to_owned()).or_default().insert(name(session), vec![top]);
                }
                Scope::server(support_key(server))
            }
            Change::Split { server, session } => {
                if !self.panes(server, session).is_empty() {
                    let pid = self.start(1, "claude");
                    self.register(pid);
                    let mut table = self.fake.table();
                    table.servers.get_mut(SERVERS[server]).unwrap().get_mut(&name(session)).unwrap().push(pid);
                }
                Scope::server(support_key(server))
            }
            Change::Kill { server, session } => {
                let gone = self.processes(server, session);
                let mut table = self.fake.table();
                table.processes.retain(|pid, _| !gone.contains(pid));
                if let Some(sessions) = table.servers.get_mut(SERVERS[server]) {
                    sessions.remove(&name(session));
                    if sessions.is_empty() {
                        table.servers.remove(SERVERS[server]);
                    }
                }
                Scope::server(support_key(server))
            }
            Change::Die { server, session } => {
                self.apply(&Change::Kill { server, session });
                Scope::sessions([key(server, session)].into())
            }
            Change::Exit { server, session } => {
                let last = self.processes(server, session).pop();
                self.fake.table().processes.retain(|pid, _| Some(*pid) != last);
                Scope::sessions([key(server, session)].into())
            }
            // Nobody hears of the next three, and of what is hidden. That another process came the processes themselves tell; that
            // the same one goes on as another program is seen when its session, or everything, is looked at.
            Change::Exec { server, session } => {
                self.unheard.extend(self.panes(server, session));
                if let Some(pid) = self.agent(server, session)
                    && let Some(process) = self.fake.table().processes.get_mut(&pid)
                {
                    process.argv = vec!["vi".to_owned()];
                }
                Scope::sessions(BTreeSet::new())
            }
            Change::Launch { server, session } => {
                let all = self.processes(server, session);
                match all.as_slice() {
                    [top] if !self.fake.registry(*top).exists() => {
                        self.start(*top, "claude");
                    }
                    [_, agent] if !self.fake.registry(*agent).exists() => self.register(*agent),
                    _ => {}
                }
                Scope::sessions(BTreeSet::new())
            }
            Change::Reuse { server, session } => {
                self.next += 1;
                if let Some(pid) = self.agent(server, session) {
                    let ticks = u64::from(self.next);
                    self.fake.table().processes.entry(pid).and_modify(|process| process.ticks = ticks);
                }
                Scope::sessions(BTreeSet::new())
            }
            Change::Rename { server, session, to } => {
                let mut table = self.fake.table();
                if let Some(sessions) = table.servers.get_mut(SERVERS[server])
                    && !sessions.contains_key(&name(to))
                    && let Some(panes) = sessions.remove(&name(session))
                {
                    sessions.insert(name(to), panes);
                }
                Scope::server(support_key(server))
            }
            Change::Clear { server, session } => {
                if let Some(pid) = self.agent(server, session) {
                    self.register(pid);
                }
                Scope::sessions([key(server, session)].into())
            }
            Change::Transcript { server, session } => {
                if let Some(id) = self.agent(server, session).and_then(|pid| self.conversation(pid)) {
                    let path = self.fake.transcript(&id);
                    if fs::remove_file(&path).is_err() {
                        fs::write(&path, "").unwrap();
                    }
                }
                Scope::sessions([key(server, session)].into())
            }
            Change::Hide { server, session } => {
                self.unheard.extend(self.panes(server, session));
                let all = self.processes(server, session);
                let mut table = self.fake.table();
                match all.iter().any(|pid| table.hidden.contains(pid)) {
                    true => table.hidden.clear(),
                    false => table.hidden.extend(all),
                }
                Scope::sessions(BTreeSet::new())
            }
            Change::Mute { server } => {
                let mut table = self.fake.table();
                let name = SERVERS[server].to_owned();
                match table.mute.iter().position(|mute| *mute == name) {
                    Some(at) => drop(table.mute.remove(at)),
                    None => table.mute.push(name),
                }
                Scope::server(support_key(server))
            }
            Change::Declare { server, session } => {
                if !self.declared.remove(&(server, session)) {
                    self.declared.insert((server, session));
                }
                Scope::sessions(BTreeSet::new())
            }
            Change::Look { server, session } => Scope::sessions([key(server, session)].into()),
            Change::Clock { by } => {
                self.fake.table().set += TimeDelta::seconds(by);
                Scope::sessions(BTreeSet::new())
            }
            Change::Interval => Scope::ALL,
        }
    }

    /// What a look about this catches up with.
    fn catch_up(&mut self, scope: &Scope) {
        if *scope == Scope::ALL {
            self.unheard.clear();
        }
        let all = (0..SERVERS.len()).flat_map(|server| (0..4).map(move |session| (server, session)));
        for (server, session) in all.filter(|(server, session)| scope.keys().contains(&key(*server, *session))) {
            let panes = self.panes(server, session);
            self.unheard.retain(|pid| !panes.contains(pid));
        }
    }

    /// Everything a verdict rests on, but for what nobody has heard of.
    fn facts(&self, seen: &Observation) -> String {
        let mut servers = seen.servers.clone();
        for server in servers.values_mut() {
            let Fact::Seen(server) = server else { continue };
            for session in &mut server.sessions {
                Arc::make_mut(session).panes.retain(|pane| !pane.pid.is_some_and(|pid| self.unheard.contains(&pid)));
            }
        }
        match self.unheard.is_empty() {
            true => format!("{servers:#?}\n{:#?}\n{:#?}\n{:#?}", seen.strays, seen.transcripts, seen.fallback_homes),
            false => format!("{servers:#?}"),
        }
    }

    /// Looks at as much as `scope` says, and at everything.
    fn both(&mut self, scope: &Scope) -> (String, String) {
        let manifest = self.manifest();
        self.narrow.cache.focus(scope);
        self.catch_up(scope);
        let narrow = observe(&self.narrow, &manifest);
        let full = observe(&self.fake.world(), &manifest);
        (self.facts(&narrow), self.facts(&full))
    }

    /// The declared entries; each records the conversation its agent is in now.
    fn manifest(&self) -> Manifest {
        let entry = |(server, session): &(usize, u8)| {
            let id = self.agent(*server, *session).and_then(|pid| self.conversation(pid));
            let id = id.map(|id| format!(", session_id: {id}")).unwrap_or_default();
            format!("name: {}, agent: claude, cwd: /w, server: {}, status: running{id}", name(*session), SERVERS[*server])
        };
        entries(self.declared.iter().map(entry))
    }
}

fn support_key(at: usize) -> headcount::core::ids::ServerKey {
    server(SERVERS[at])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_look_that_believes_what_it_may_sees_what_a_look_at_everything_sees(changes in prop::collection::vec(change(), 1..30)) {
        let mut run = Run::new();
        for change in &changes {
            let scope = run.apply(change);
            let (narrow, full) = run.both(&scope);
            prop_assert_eq!(narrow, full, "after {:?} of {:?}", change, &changes);
        }
        let (last, full) = run.both(&Scope::ALL);
        prop_assert_eq!(last, full, "at the interval after {:?}", &changes);
    }
}

#[test]
fn only_what_a_look_is_about_is_read_again() {
    let mut run = Run::new();
    for session in 0..4 {
        run.apply(&Change::Create { server: 0, session, below_shell: true });
        run.apply(&Change::Create { server: 1, session, below_shell: true });
        run.apply(&Change::Declare { server: 0, session });
        run.apply(&Change::Declare { server: 1, session });
    }
    let manifest = run.manifest();
    let look = |run: &Run, scope: &Scope| {
        run.fake.read.store(0, Ordering::Relaxed);
        run.fake.listed.store(0, Ordering::Relaxed);
        run.narrow.cache.focus(scope);
        observe(&run.narrow, &manifest);
        (run.fake.read.load(Ordering::Relaxed), run.fake.listed.load(Ordering::Relaxed))
    };
    assert_eq!(look(&run, &Scope::ALL), (16, 2), "a shell and an agent each, on two servers");
    assert_eq!(look(&run, &Scope::sessions([key(0, 1)].into())), (2, 0), "one session of one server, asked about by itself");
    assert_eq!(run.fake.asked.swap(0, Ordering::Relaxed), 1);
    assert_eq!(look(&run, &Scope::server(support_key(1))), (0, 1), "a list, and nothing in it is new");
    assert_eq!(look(&run, &Scope::sessions(BTreeSet::new())), (0, 0), "nothing");
    assert_eq!(look(&run, &Scope::ALL), (16, 2), "everything again");
    let died = run.apply(&Change::Die { server: 0, session: 1 });
    assert_eq!(look(&run, &died), (0, 0), "a session that ended is asked about by itself");
    assert_eq!(run.fake.asked.load(Ordering::Relaxed), 1, "by its name and identity");
    let seen = observe(&run.narrow, &manifest);
    let default = seen.servers[&support_key(0)].seen().unwrap();
    assert!(default.sessions.len() == 3 && default.sessions.iter().all(|session| session.name != name(1)));
}

#[test]
fn a_session_that_somebody_names_as_it_was_called_before_is_looked_at_afresh() {
    let mut run = Run::new();
    for session in 0..2 {
        run.apply(&Change::Create { server: 0, session, below_shell: false });
    }
    run.apply(&Change::Declare { server: 0, session: 0 });
    let manifest = run.manifest();
    run.narrow.cache.focus(&Scope::ALL);
    observe(&run.narrow, &manifest);
    // The source that hears of another conversation knows the session by the name of the last look.
    run.apply(&Change::Rename { server: 0, session: 0, to: 2 });
    run.apply(&Change::Clear { server: 0, session: 2 });
    run.narrow.cache.focus(&Scope::sessions([key(0, 0)].into()));
    let narrow = observe(&run.narrow, &manifest);
    assert_eq!(run.facts(&narrow), run.facts(&observe(&run.fake.world(), &manifest)));
}

#[test]
fn a_session_that_is_missing_from_a_list_of_before_is_asked_about() {
    let mut run = Run::new();
    let look = |run: &Run, scope: &Scope| {
        run.narrow.cache.focus(scope);
        observe(&run.narrow, &run.manifest())
    };
    run.apply(&Change::Create { server: 0, session: 0, below_shell: false });
    run.apply(&Change::Declare { server: 0, session: 0 });
    look(&run, &Scope::ALL);
    // A person follows a new name that nobody has told us of.
    run.apply(&Change::Rename { server: 0, session: 0, to: 1 });
    run.apply(&Change::Declare { server: 0, session: 0 });
    run.apply(&Change::Declare { server: 0, session: 1 });
    let seen = look(&run, &Scope::sessions(BTreeSet::new()));
    let sessions = &seen.servers[&support_key(0)].seen().expect("a server").sessions;
    assert_eq!(sessions.iter().map(|session| session.name.as_str()).collect::<Vec<_>>(), [name(1)]);
}

#[test]
fn processes_that_are_held_are_asked_about_at_once_and_what_they_execute_is_seen_with_their_session() {
    let mut run = Run::new();
    for session in 0..4 {
        run.apply(&Change::Create { server: 0, session, below_shell: true });
        run.apply(&Change::Declare { server: 0, session });
    }
    let look = |run: &Run, scope: &Scope| {
        run.fake.glanced.store(0, Ordering::Relaxed);
        run.fake.polled.store(0, Ordering::Relaxed);
        run.narrow.cache.focus(scope);
        let seen = observe(&run.narrow, &run.manifest());
        let server = seen.servers[&support_key(0)].seen().unwrap().clone();
        let agents =
            server.sessions.iter().flat_map(|it| &it.panes).filter(|pane| !pane.agents.seen().unwrap().is_empty()).count();
        (agents, run.fake.glanced.load(Ordering::Relaxed), run.fake.polled.load(Ordering::Relaxed))
    };
    // What its registry still says of the process would make it an agent whatever it executes.
    let exec = |run: &mut Run, session: u8| {
        fs::remove_file(run.fake.registry(run.agent(0, session).unwrap())).unwrap();
        let agent = *run.processes(0, session).last().unwrap();
        run.fake.table().processes.get_mut(&agent).unwrap().argv = vec!["vi".to_owned()];
    };
    let nothing = Scope::sessions(BTreeSet::new());
    assert_eq!(look(&run, &Scope::ALL).0, 4);
    assert_eq!(look(&run, &nothing), (4, 0, 1), "one question for all of them");
    exec(&mut run, 2);
    assert_eq!(look(&run, &nothing).0, 4, "the same process lives");
    assert_eq!(look(&run, &Scope::sessions([key(0, 2)].into())).0, 3);
    exec(&mut run, 3);
    assert_eq!(look(&run, &Scope::ALL).0, 2);
    // Another process under the id of one that was held is not it.
    let (before, _) = run.both(&nothing);
    run.apply(&Change::Reuse { server: 0, session: 0 });
    let (narrow, full) = run.both(&nothing);
    assert_ne!(narrow, before, "it started later");
    assert_eq!(narrow, full);
}

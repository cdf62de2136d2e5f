//! What can happen to the world: sessions, agents, servers and the host come, change and go. Says what a source would say of it.

use std::fs;

use chrono::TimeDelta;
use headcount::control::watch::wake::Scope;
use headcount::host::Host as _;

use super::{Play, none, server};
use crate::fake::Running;
use crate::step::{Place, SERVERS, Step};
use crate::truth::{Agent, KINDS, Truth, full, key, kind, name, transcript};

impl Play {
    /// A process that begins now.
    fn start(&mut self, parent: u32, program: &str) -> u32 {
        self.next += 1;
        let ticks = self.ticks();
        let running = Running { parent, ticks, argv: vec![program.to_owned()] };
        self.fake.table().processes.insert(self.next, running);
        self.next
    }

    /// Now, in ticks since the boot. No two processes begin at once.
    fn ticks(&self) -> u64 {
        let mut table = self.fake.table();
        table.later += TimeDelta::milliseconds(10);
        let later = TimeDelta::days(1) + table.later;
        u64::try_from(later.num_milliseconds()).unwrap() / 10
    }

    /// An agent enters a conversation: one there was, or a new one.
    fn enter(&mut self, pid: u32, resumes: Option<usize>) {
        let mut ids = self.ids.lock().unwrap();
        let known = resumes.and_then(|at| ids.iter().rev().nth(at).cloned());
        let id = known.unwrap_or_else(|| {
            self.next += 1;
            format!("00000000-0000-4000-8000-{:012}", self.next)
        });
        if !ids.contains(&id) {
            ids.push(id.clone());
        }
        let ticks = {
            let mut table = self.fake.table();
            let process = table.processes.get_mut(&pid).unwrap();
            if process.argv[0] != KINDS[0] {
                process.argv.truncate(1);
                process.argv.extend(["--resume".to_owned(), id]);
                return;
            }
            process.ticks
        };
        let entry = format!("{{\"pid\":{pid},\"sessionId\":\"{id}\",\"procStart\":\"{ticks}\",\"status\":\"idle\"}}");
        fs::write(self.fake.registry(pid), entry).unwrap();
    }

    fn agent(&self, at: Place) -> Option<Agent> {
        Truth::of(&self.fake).agents(&full(at)).first().cloned()
    }

    fn panes(&self, at: Place) -> Vec<u32> {
        Truth::of(&self.fake).panes.remove(&full(at)).unwrap_or_default()
    }

    /// The processes of these panes and below.
    pub(super) fn processes(&self, panes: &[u32]) -> Vec<u32> {
        let table = self.fake.table();
        let is_there = |pid: &u32, parent: &u32| panes.contains(pid) || panes.contains(parent);
        table.processes.iter().filter(|(pid, process)| is_there(pid, &process.parent)).map(|(pid, _)| *pid).collect()
    }

    fn end(&self, server: usize) {
        let sessions = self.fake.table().servers.remove(SERVERS[server]).unwrap_or_default();
        let gone = self.processes(&sessions.into_values().flatten().collect::<Vec<_>>());
        self.fake.table().processes.retain(|pid, _| !gone.contains(pid));
    }

    /// Changes the world, and gives what a source says of it.
    pub(super) fn happen(&mut self, step: &Step) -> Scope {
        match *step {
            Step::Create { at, below_shell, resumes, mute } => {
                if self.panes(at).is_empty() {
                    let top = self.start(1, if below_shell { "bash" } else { kind(at.name) });
                    let agent = if below_shell { self.start(top, kind(at.name)) } else { top };
                    if !mute {
                        self.enter(agent, resumes);
                    }
                    let now = self.fake.now();
                    let mut table = self.fake.table();
                    table.made.insert(top, now);
                    table.servers.entry(SERVERS[at.server].to_owned()).or_default().insert(name(at.name), vec![top]);
                }
                server(at.server)
            }
            Step::Split(at) => {
                if !self.panes(at).is_empty() {
                    let pid = self.start(1, kind(at.name));
                    self.enter(pid, None);
                    let mut table = self.fake.table();
                    table.servers.get_mut(SERVERS[at.server]).unwrap().get_mut(&name(at.name)).unwrap().push(pid);
                }
                server(at.server)
            }
            Step::Kill(at) => {
                let gone = self.processes(&self.panes(at));
                let mut table = self.fake.table();
                table.processes.retain(|pid, _| !gone.contains(pid));
                if let Some(sessions) = table.servers.get_mut(SERVERS[at.server]) {
                    sessions.remove(&name(at.name));
                    if sessions.is_empty() {
                        table.servers.remove(SERVERS[at.server]);
                    }
                }
                server(at.server)
            }
            Step::Exit(at) => {
                if let Some(agent) = self.agent(at) {
                    self.fake.table().processes.remove(&agent.pid);
                }
                Scope::sessions([key(&full(at))].into())
            }
            // A shell's children are seen by whoever looks at everything, or at them.
            Step::Launch { at, mute } => {
                let shell = self.panes(at).first().copied().filter(|pid| self.processes(&[*pid]) == [*pid]);
                if let Some(shell) = shell.filter(|_| self.agent(at).is_none()) {
                    let pid = self.start(shell, kind(at.name));
                    if !mute {
                        self.enter(pid, None);
                    }
                }
                Scope::sessions([key(&full(at))].into())
            }
            Step::Handover { at, to, mute } => {
                let left = self.agent(at).filter(|agent| agent.pid != agent.pane && self.panes(to).is_empty());
                if let Some(agent) = left {
                    let ids = self.ids.lock().unwrap().clone();
                    let resumes = ids.iter().rev().position(|id| agent.id.as_ref() == Some(id));
                    let mut heard = self.happen(&Step::Exit(at));
                    heard.unite(self.happen(&Step::Create { at: to, below_shell: false, resumes, mute: false }));
                    heard.unite(self.happen(&Step::Launch { at, mute }));
                    return heard;
                }
                none()
            }
            Step::Clear { at, resumes } => {
                if let Some(agent) = self.agent(at).filter(Agent::is_registered) {
                    self.enter(agent.pid, resumes);
                }
                Scope::sessions([key(&full(at))].into())
            }
            Step::Rename { at, to } => {
                let mut table = self.fake.table();
                if let Some(sessions) = table.servers.get_mut(SERVERS[at.server])
                    && !sessions.contains_key(&name(to))
                    && let Some(panes) = sessions.remove(&name(at.name))
                {
                    sessions.insert(name(to), panes);
                }
                server(at.server)
            }
            Step::Reuse(at) => {
                self.next += 1;
                let ticks = self.ticks();
                if let Some(agent) = self.agent(at) {
                    self.fake.table().processes.entry(agent.pid).and_modify(|process| process.ticks = ticks);
                }
                Scope::sessions([key(&full(at))].into())
            }
            Step::Transcript(at) => {
                if let Some(id) = self.agent(at).and_then(|agent| agent.id) {
                    let path = transcript(&self.fake, &id);
                    if fs::remove_file(&path).is_err() {
                        // Of another workspace: when it came into being is told by the real clock, which is not that of this world.
                        let line = format!("{{\"type\":\"user\",\"cwd\":\"/elsewhere\",\"sessionId\":\"{id}\"}}\n");
                        fs::write(&path, line).unwrap();
                    }
                }
                Scope::sessions([key(&full(at))].into())
            }
            Step::Hide(at) => {
                let all = self.processes(&self.panes(at));
                let mut table = self.fake.table();
                match all.iter().any(|pid| table.hidden.contains(pid)) {
                    true => table.hidden.clear(),
                    false => table.hidden.extend(all),
                }
                none()
            }
            Step::Wedge(at) => {
                let mut table = self.fake.table();
                match table.mute.iter().position(|mute| mute == SERVERS[at]) {
                    Some(at) => drop(table.mute.remove(at)),
                    None => table.mute.push(SERVERS[at].to_owned()),
                }
                none()
            }
            Step::End(at) => {
                self.end(at);
                server(at)
            }
            Step::Replace(at) => {
                self.fake.table().servers.remove(SERVERS[at]);
                server(at)
            }
            Step::Clock(seconds) => {
                self.records.note_clock();
                self.fake.table().set += TimeDelta::seconds(seconds);
                none()
            }
            Step::Reboot => {
                self.fake.table().processes.clear();
                self.end(0);
                self.end(1);
                let mut table = self.fake.table();
                (table.boots, table.hidden, table.mute) = (table.boots + 1, Vec::new(), Vec::new());
                Scope::ALL
            }
            _ => none(),
        }
    }
}

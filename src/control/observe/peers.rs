//! How many live agents of one kind work in one directory of the host. Needed only where nothing stronger proves an id.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use super::outsiders::ShownConversations;
use super::panes::Inspector;
use super::panes_where;
use crate::agent::recognise::Interpreter;
use crate::agent::{self, Program};
use crate::control::cache::facts::{Role, needs_peers};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ServerKey};
use crate::core::observe::{Agent as LiveAgent, Server};
use crate::host::parallel::spread;
use crate::host::{ProcessInfo, ProcessRow};

/// An agent anywhere on the host.
struct Peer {
    /// Its process and, if it is a wrapper, those that it wraps. Not a script of its name: what that starts may have gone to another
    /// directory.
    pids: Vec<u32>,
    kind: AgentKind,
    /// Where each of them may leave something, once somebody wants to know.
    workplaces: OnceCell<Vec<Fact<Vec<PathBuf>>>>,
}

impl Inspector<'_> {
    /// Fills in the peers of every agent whose conversation only a weak rung names.
    pub(super) fn count_peers(&self, servers: &mut BTreeMap<ServerKey, Fact<Server>>) {
        // Most looks need none of this.
        let roles = OnceCell::new();
        let roles = || roles.get_or_init(|| self.every_role()).as_slice();
        let mut all: Option<Fact<Vec<Peer>>> = None;
        let mut serving: Option<Vec<(AgentKind, PathBuf)>> = None;
        let is_doubtful = |agent: &Arc<LiveAgent>| needs_peers(&agent.ladder);
        for pane in panes_where(servers, |pane| pane.agents.seen().is_some_and(|agents| agents.iter().any(is_doubtful))) {
            let Fact::Seen(agents) = &mut pane.agents else { continue };
            for agent in agents.iter_mut().filter(|agent| needs_peers(&agent.ladder)).map(Arc::make_mut) {
                let all = all.get_or_insert_with(|| self.every_agent(roles()));
                agent.ladder.peers = match (&*all, &agent.cwd) {
                    (Fact::Seen(all), Fact::Seen(cwd)) => self.count(all, agent, cwd),
                    (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why.clone()),
                    (Fact::Absent, _) | (_, Fact::Absent) => Fact::Unknown("cannot list the processes".to_owned()),
                };
                if let (Fact::Seen(peers), Fact::Seen(home)) = (&mut agent.ladder.peers, &agent.home) {
                    let serving = serving.get_or_insert_with(|| self.every_server(roles()));
                    let home = real(home);
                    let beside = serving.iter().filter(|(kind, other)| *kind == agent.kind && *other == home);
                    *peers += u32::try_from(beside.count()).unwrap_or(u32::MAX);
                }
            }
        }
    }

    fn count(&self, all: &[Peer], agent: &LiveAgent, cwd: &Path) -> Fact<u32> {
        let host = self.world.host.as_ref();
        let shown = OnceCell::new();
        let mut count = 0;
        for peer in all.iter().filter(|peer| peer.kind == agent.kind) {
            match self.shares(peer, cwd) {
                Fact::Seen(shares) => count += u32::from(shares),
                Fact::Absent => {}
                Fact::Unknown(why) => {
                    let shown = shown.get_or_init(|| ShownConversations::of(host, self.families.agents(), agent, cwd));
                    if !shown.as_ref().is_some_and(|shown| peer.pids.iter().all(|pid| shown.is_beyond(host, *pid))) {
                        return Fact::Unknown(why);
                    }
                }
            }
        }
        Fact::Seen(count)
    }

    /// Whether what a peer leaves cannot be told from what is left in a workspace.
    fn shares(&self, peer: &Peer, cwd: &Path) -> Fact<bool> {
        let adapter = self.families.agents().of(peer.kind);
        let confuses = |theirs: &PathBuf| adapter.is_some_and(|adapter| adapter.shares_transcripts(theirs, cwd));
        let mut verdict = Fact::Absent;
        for places in peer.workplaces.get_or_init(|| peer.pids.iter().map(|pid| self.workplaces(*pid)).collect()) {
            match (places, &verdict) {
                (Fact::Seen(places), _) if places.iter().any(confuses) => return Fact::Seen(true),
                (Fact::Absent, _) | (Fact::Seen(_), Fact::Unknown(_)) => {}
                (Fact::Seen(_), _) => verdict = Fact::Seen(false),
                (Fact::Unknown(why), _) => verdict = Fact::Unknown(why.clone()),
            }
        }
        verdict
    }

    /// The directories whose workspaces a process may leave something in.
    fn workplaces(&self, pid: u32) -> Fact<Vec<PathBuf>> {
        let host = self.world.host.as_ref();
        let told = host.cwd(pid).map(|cwd| vec![cwd]);
        let Some(former) = told.why_unknown().and_then(|_| host.former_cwd(pid)) else { return told };
        // Its directory is deleted, and may have been moved before: what it leaves may go on under the name it was started in.
        host.environ(pid).map(|environ| {
            let first: Option<PathBuf> = environ.path("PWD").map(|path| path.components().collect());
            let real = first.as_ref().and_then(|path| path.canonicalize().ok());
            [Some(former), first, real].into_iter().flatten().collect()
        })
    }

    /// What every process of the host is that can be read. One that an earlier look knows, and that executes the same program
    /// still, is not read again.
    fn every_role(&self) -> Vec<(u32, Role)> {
        let known = Arc::clone(&self.roles.lock().unwrap_or_else(PoisonError::into_inner));
        let all = self.families.processes().seen().map_or(&[][..], Vec::as_slice);
        let host = self.world.host.as_ref();
        let role = |process: &ProcessRow| {
            let before = known.get(&process.pid).filter(|(image, _)| Some(image) == process.image.as_ref());
            before.map(|(_, role)| *role).or_else(|| Some(self.role(host.process(process.pid).seen()?)))
        };
        let roles = spread(all, role);
        let found = || all.iter().zip(&roles).filter_map(|(process, role)| Some((process, (*role)?)));
        let kept = found().filter_map(|(process, role)| Some((process.pid, (process.image.clone()?, role))));
        *self.roles.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(kept.collect());
        found().map(|(process, role)| (process.pid, role)).collect()
    }

    fn role(&self, process: &ProcessInfo) -> Role {
        let agent = self.families.identify(process).map(|(agent, invocation)| {
            (agent.kind(), agent.is_wrapper(&invocation), invocation.via.is_some_and(Interpreter::is_of_scripts))
        });
        let serves = |program| {
            let agent = agent::all().iter().find(|agent| agent.names().matches_service(&program, agent.servers()));
            agent.map(|agent| agent.kind())
        };
        Role { agent, serves: Program::of(&process.argv).and_then(serves) }
    }

    /// Every server of an agent and the home it keeps its files in. They begin conversations wherever they are asked to,
    /// whatever directory they work in. One whose environment cannot be read is another person's.
    fn every_server(&self, roles: &[(u32, Role)]) -> Vec<(AgentKind, PathBuf)> {
        let host = self.world.host.as_ref();
        let server = |(pid, role): &(u32, Role)| {
            let kind = role.serves?;
            Some((kind, real(&agent::of(kind)?.home(host.environ(*pid).seen()?)?)))
        };
        roles.iter().filter_map(server).collect()
    }

    /// Every agent of the host; a wrapper and what it wraps are one. An agent started by another agent's tool counts here: it
    /// leaves a transcript in the same place.
    fn every_agent(&self, roles: &[(u32, Role)]) -> Fact<Vec<Peer>> {
        let children = match self.families.table() {
            Fact::Seen(children) => children,
            Fact::Absent => return Fact::Absent,
            Fact::Unknown(why) => return Fact::Unknown(why.clone()),
        };
        let parents: HashMap<u32, u32> =
            children.iter().flat_map(|(parent, children)| children.iter().map(move |child| (*child, *parent))).collect();
        let agents: HashMap<u32, (AgentKind, bool, bool)> =
            roles.iter().filter_map(|(pid, role)| Some((*pid, role.agent?))).collect();
        // The nearest agent of its kind above a process, if that is its wrapper.
        let wrapper = |pid: u32| {
            let kind = agents.get(&pid)?.0;
            // A bounded climb: ids may form a circle while processes come and go.
            let ancestors = std::iter::successors(parents.get(&pid).copied(), |pid| parents.get(pid).copied()).take(64);
            let mut kin = ancestors.filter(|pid| agents.get(pid).is_some_and(|(of, ..)| *of == kind));
            kin.next().filter(|pid| agents.get(pid).is_some_and(|(_, is_wrapper, _)| *is_wrapper))
        };
        let wrappers: HashSet<u32> = agents.keys().filter_map(|pid| wrapper(*pid)).collect();
        let mut peers: HashMap<u32, Peer> = HashMap::new();
        for (pid, (kind, ..)) in agents.iter().filter(|(pid, (_, _, is_script))| !(*is_script && wrappers.contains(pid))) {
            let outermost = std::iter::successors(Some(*pid), |pid| wrapper(*pid)).take(64).last().unwrap_or(*pid);
            let peer =
                peers.entry(outermost).or_insert_with(|| Peer { pids: Vec::new(), kind: *kind, workplaces: OnceCell::new() });
            peer.pids.push(*pid);
        }
        Fact::Seen(peers.into_values().collect())
    }
}

/// A directory without symlinks, if it is there.
fn real(home: &Path) -> PathBuf {
    home.canonicalize().unwrap_or_else(|_| home.to_path_buf())
}

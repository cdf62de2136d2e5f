//! What keeps an agent from being started, resumed or stopped that files, processes and programs tell. Looks only, and only where an
//! action is judged.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::rivals::Rivals;
use super::{LeadRequest, effects};
use crate::agent::drive::{LaunchTable, QuitForm};
use crate::agent::{Agents, TranscriptIndex, resume};
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::core::drift::{LiveAgent, Presence};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, MuxKind, SessionKey};
use crate::core::lead::{ActionKind, BlockCode, Blocked, LeadRule, Ledger, Operation, OperationId, Outcome};
use crate::core::manifest::Session;
use crate::core::manifest::lead::{Permissions, has_permission_flag};
use crate::core::observe::{Activity, MuxSession, Transcript};
use crate::core::report::rows::Resumable;
use crate::core::text::printable;
use crate::host::service;
use crate::store::operations::{Operations, PastOperation};

/// What a person did at a terminal so lately keeps automation away.
const RECENT: i64 = 60;

/// What is asked of the surroundings.
pub(super) struct Ground<'a> {
    world: &'a Observer,
    request: &'a LeadRequest,
    pass: &'a Pass,
    ledger: &'a Ledger,
    agents: &'a Agents,
    paths: RefCell<BTreeMap<u32, Option<OsString>>>,
    rivals: OnceCell<Rivals<'a>>,
    /// Why the program of a multiplexer cannot be used, asked at most once.
    unfit: RefCell<BTreeMap<MuxKind, Option<String>>>,
}

fn blocked(code: BlockCode, message: impl Into<String>) -> Option<Blocked> {
    Some(Blocked::new(code, message))
}

impl<'a> Ground<'a> {
    pub(super) fn new(
        world: &'a Observer,
        request: &'a LeadRequest,
        (pass, ledger): (&'a Pass, &'a Ledger),
        agents: &'a Agents,
    ) -> Self {
        let (paths, rivals, unfit) = (RefCell::default(), OnceCell::new(), RefCell::default());
        Self { world, request, pass, ledger, agents, paths, rivals, unfit }
    }

    fn table(&self, session: &Session) -> Result<&'a LaunchTable, Blocked> {
        let agent = session.agent;
        let unsupported = |message: String| Blocked::new(BlockCode::Unsupported, message);
        let table = self.agents.of(agent).and_then(|adapter| adapter.drive());
        let mux = session.key.mux;
        if table.is_some_and(|table| !table.muxes.contains(&mux)) {
            return Err(unsupported(format!("how {agent} is started and stopped in {mux} has not been measured")));
        }
        table.ok_or_else(|| match agent {
            AgentKind::Custom(_) => unsupported(format!(
                "the manifest does not say how {agent} is started and stopped: `drive:` of its declaration does"
            )),
            _ => unsupported(format!("how {agent} is started and stopped has not been measured")),
        })
    }

    /// What keeps the agent of an entry from being started.
    pub(super) fn start(&self, session: &Session, kind: ActionKind) -> Option<Blocked> {
        let table = match self.table(session) {
            Ok(table) => table,
            Err(blocked) => return Some(blocked),
        };
        if let Some(why) = effects::refusal(self.world, &session.key) {
            return blocked(BlockCode::Unsupported, why);
        }
        let entry = self.pass.verdict().entries.get(session.index);
        let is_new = entry.is_none_or(|entry| matches!(entry.presence, Presence::Absent { .. }));
        if let Some(former) = is_new.then(|| super::former_name(self.world, &session.key)).flatten() {
            return Some(former);
        }
        let values = session.env.values().chain(&session.lead.args).chain(&session.lead.command).chain(&session.lead.prompt);
        if values.into_iter().any(|value| value.contains('\0')) {
            return blocked(BlockCode::Unsupported, "a value of its `env`, `args`, `command` or `prompt` holds a NUL");
        }
        if kind == ActionKind::Start {
            let Some(cwd) = &session.cwd else {
                return blocked(BlockCode::CwdMissing, "its entry names no `cwd` to begin in");
            };
            if let Err(why) = directory(cwd) {
                return blocked(BlockCode::CwdMissing, why);
            }
            if let Some(why) = unsaid(session, table) {
                return blocked(BlockCode::Unsupported, why);
            }
        }
        if let Some(mode) = session.lead.permissions.filter(|mode| table.mode(*mode).is_none()) {
            let (agent, mode) = (session.agent, mode.as_str());
            let message = format!("{agent} has no mode that is known to be `permissions: {mode}`; take that out");
            return blocked(BlockCode::Unsupported, message);
        }
        let is_bold =
            session.lead.permissions == Some(Permissions::Bypass) || has_permission_flag(&self.pass.manifest().agents, session);
        if is_bold && !self.request.front.profile.relaxes(LeadRule::Consent) && !self.has_consent() {
            let message = "it would run without asking you anything; `headcount consent bypass` allows that, once per user";
            return blocked(BlockCode::Consent, message);
        }
        if let Some(why) = session.lead.env_files.iter().find_map(|(name, path)| unreadable(name, path)) {
            return blocked(BlockCode::Unsupported, why);
        }
        if let Some(blocked) = self.programs(session) {
            return Some(blocked);
        }
        let serves = self.server(session);
        // A tmux server that runs was asked already.
        let mux = session.key.mux;
        let ask = || effects::unfit(self.world, mux);
        let is_asked = serves.is_none() || mux == MuxKind::Zellij;
        if let Some(why) = is_asked.then(|| self.unfit.borrow_mut().entry(mux).or_insert_with(ask).clone()).flatten() {
            return blocked(BlockCode::Unsupported, why);
        }
        if serves.is_none()
            && let Some(message) = no_scope(self.world, mux)
        {
            return blocked(BlockCode::NoScope, message);
        }
        // What is kept of one that is alive is for its own end.
        if serves.is_none() && effects::is_kept(self.world, &session.key) {
            let name = printable(&session.key.name);
            let message = format!(
                "{} keeps an ended session of its name: `zellij attach {name}` brings it back, \
                 `zellij delete-session {name}` takes it away",
                session.key.mux
            );
            return blocked(BlockCode::ForeignName, message);
        }
        None
    }

    /// Whether an operation was one of ours on this session.
    fn knows(&self, session: &Session, operation: &OperationId) -> bool {
        let started = self.ledger.of(&session.key).and_then(|acted| acted.started.as_ref());
        let is_last = started.is_some_and(|started| started.operation == *operation);
        let of = |past: &Operation| past.session == session.key;
        is_last || Operations::new(&self.request.pass.state_home).operation(operation).as_ref().is_some_and(of)
    }

    /// Whether a session was made by a start of this entry, or holds the pane of one: by the ledger, or by what its server says.
    pub(super) fn is_made(&self, session: &Session, there: &MuxSession) -> bool {
        let Some(server) = there.process.or_else(|| self.server(session)) else { return false };
        let boot = self.pass.observation().boot.seen().map(|boot| boot.id.as_str());
        let start = || self.world.host.stat(server).into_seen().and_then(|process| process.start_ticks);
        let started = self.ledger.of(&session.key).and_then(|acted| acted.started.as_ref());
        let is_its = started.is_some_and(|started| {
            let placed = &started.placed;
            let is_there = (placed.session.as_str(), placed.server) == (there.id.as_str(), server);
            is_there && started.boot.as_deref() == boot && placed.server_start.is_none_or(|then| start() == Some(then))
        });
        is_its || effects::maker(self.world, &session.key, server).is_some_and(|operation| self.knows(session, &operation))
    }

    fn has_consent(&self) -> bool {
        super::allow::has_consent(&self.request.pass.state_home)
    }

    /// Whether the multiplexer and the program are where the new pane would look for them.
    fn programs(&self, session: &Session) -> Option<Blocked> {
        let own = self.world.env.get("PATH").map(ToOwned::to_owned).unwrap_or_default();
        let mux = session.key.mux;
        if find(mux.as_str(), &own).is_none() {
            return blocked(BlockCode::MuxMissing, format!("{mux} is not in PATH"));
        }
        let program = program(self.agents, session)?;
        let path = match session.env.get("PATH") {
            Some(path) => OsString::from(path),
            None => match self.server(session) {
                Some(_) => self.path_of(session),
                None => self.world.terminal_path.borrowed(),
            }
            .unwrap_or(own),
        };
        let place = session
            .cwd
            .as_deref()
            .filter(|_| program.contains('/'))
            .map(|cwd| cwd.join(&program).to_string_lossy().into_owned());
        if find(place.as_deref().unwrap_or(&program), &path).is_none() {
            let whose = if session.env.contains_key("PATH") { "that its `env` says" } else { "of new panes" };
            let message = format!("{} is not in the PATH {whose}", printable(&program));
            return blocked(BlockCode::ProgramMissing, message);
        }
        None
    }

    /// The PATH that new panes get from a server that runs.
    fn path_of(&self, session: &Session) -> Option<OsString> {
        let server = self.server(session)?;
        let mut paths = self.paths.borrow_mut();
        let ask = || effects::variable(self.world, (&session.key, server), "PATH");
        paths.entry(server).or_insert_with(ask).clone()
    }

    fn server(&self, session: &Session) -> Option<u32> {
        serving(self.pass, &session.key)
    }

    /// What keeps a conversation from being resumed.
    pub(super) fn resume(&self, conversation: &Resumable<'_>, live: Option<&LiveAgent>) -> Option<Blocked> {
        let agent = conversation.agent;
        let Some(adapter) = self.agents.of(agent).filter(|adapter| adapter.resume_args(conversation.id).is_some()) else {
            return blocked(BlockCode::Unsupported, format!("how {agent} resumes a conversation is not known"));
        };
        let Fact::Seen(home) = &conversation.home else {
            return blocked(BlockCode::Unknown, format!("where {agent} keeps its files is not known"));
        };
        let transcript = conversation.transcript.and_then(Fact::seen);
        if let Some(transcript) = transcript.filter(|transcript| transcript.is_archived) {
            let message = format!("its conversation is archived in {}", transcript.path.display());
            return blocked(BlockCode::Archived, message);
        }
        let place = match resume::place(adapter, conversation, home, transcript) {
            Ok(place) => place,
            Err(why) => return blocked(BlockCode::CwdMissing, why),
        };
        // Its own agent has it open as long as it lives.
        let holder = || adapter.holder(self.world.host.as_ref(), home, conversation.id);
        match if live.is_some() { Fact::Absent } else { holder() } {
            Fact::Seen(who) => return blocked(BlockCode::Claimed, format!("its conversation is open elsewhere: {who}")),
            Fact::Unknown(why) => return blocked(BlockCode::Unknown, why),
            Fact::Absent => {}
        }
        let rivals = self.rivals.get_or_init(|| Rivals::of(self.world, self.agents));
        let ours = live.map(|live| live.agent.process.pid);
        rivals
            .of_conversation(self.world, (agent, conversation.id), (home, &place), ours)
            .map(|who| Blocked::new(BlockCode::Claimed, who))
    }

    /// What a live agent that headcount started asks before it takes prompts: it may have been left in front of that.
    pub(super) fn asks(&self, session: &Session, live: &LiveAgent) -> Option<Blocked> {
        let started = self.ledger.of(&session.key)?.started.as_ref().filter(|started| started.is_asking)?;
        let is_its = live.pane.id == started.placed.pane && live.pane.pid == Some(started.placed.pid);
        let view = effects::view(self.world, &session.key.server_key(), &started.placed).filter(|_| is_its)?;
        let subject = self.table(session).ok()?.dialog(&view.screen)?.subject;
        let name = printable(&session.key.name);
        let hint = subject.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        blocked(subject.code(), format!("{}; `headcount attach {name}` leads to it{hint}", subject.asks()))
    }

    /// Where a conversation has its transcript.
    pub(super) fn transcript(&self, conversation: &Resumable<'_>) -> Fact<Transcript> {
        let Some(adapter) = self.agents.of(conversation.agent).filter(|adapter| adapter.has_readable_transcripts()) else {
            return Fact::Unknown(format!("where {} keeps its conversations is not known", conversation.agent));
        };
        match &conversation.home {
            Fact::Seen(home) => adapter.transcript(&TranscriptIndex::new(), home, conversation.id, &conversation.cwds),
            Fact::Absent => Fact::Unknown(format!("where {} keeps its files is not known", conversation.agent)),
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
        }
    }

    /// Whether the last start of a session by headcount may have begun a conversation, prompt and all: its launcher began the agent, and
    /// nothing shows that this ended before it was ready.
    pub(super) fn may_have_begun(&self, session: &Session) -> bool {
        // The ledger is told of a start only once its pane is made, and whoever does that may be killed before.
        if self.ledger.of(&session.key).is_none() {
            return false;
        }
        let all = Operations::new(&self.request.pass.state_home).all();
        let is_start = |past: &PastOperation| matches!(past.operation.action, ActionKind::Start | ActionKind::Resume);
        // What was begun before a session got another name is not what has this one.
        let is_done = |past: &PastOperation| past.receipt.as_ref().is_some_and(|receipt| receipt.outcome == Outcome::Done);
        let is_end = |past: &PastOperation| match past.operation.action {
            ActionKind::Remove => true,
            ActionKind::Rename => is_done(past),
            _ => false,
        };
        let is_life = |past: &&PastOperation| past.operation.session == session.key && (is_start(past) || is_end(past));
        let Some(past) = all.iter().rfind(is_life).filter(|past| is_start(past)) else { return false };
        let is_begun = past.files.launched().is_some_and(|record| record.pid.is_some());
        let has_failed = past.receipt.as_ref().is_some_and(|receipt| receipt.outcome == Outcome::Failed);
        is_begun && !has_failed && past.files.ended().is_none_or(|end| end.not_begun.is_none())
    }

    /// Whether an id of ours can be given to a new conversation.
    pub(super) fn takes_id(&self, session: &Session) -> bool {
        self.table(session).is_ok_and(|table| table.id_flag.is_some())
    }

    /// What keeps a live agent from being stopped.
    pub(super) fn stop(&self, session: &Session, live: &LiveAgent) -> Option<Blocked> {
        match self.table(session).map(|table| &table.quit) {
            Err(blocked) => return Some(blocked),
            Ok(QuitForm::Unsaid(why)) => return blocked(BlockCode::Unsupported, why.clone()),
            Ok(QuitForm::Signal(_) | QuitForm::Keys(_)) => {}
        }
        if !self.request.own && self.is_our_own(session, live) {
            return blocked(BlockCode::Attached, "this command runs in that session; `--self` acts on it all the same");
        }
        if !self.request.is_automatic {
            return None;
        }
        match is_watched(self.world, &session.key, &live.session.id) {
            None => blocked(BlockCode::Unknown, "whether somebody is attached to it cannot be told"),
            Some(true) => blocked(
                BlockCode::Attached,
                "somebody is at a terminal that shows it; `headcount stop NAME --yes` stops it all the same",
            ),
            Some(false) => None,
        }
    }

    /// Who else has it in hand.
    pub(super) fn hold(&self, session: &Session, presence: &Presence) -> Option<Blocked> {
        let held = super::holds::of(self.world, self.ledger.of(&session.key), &session.key, Some(presence))?;
        self.request.is_kept_by(&held.holder).then(|| held.blocked(&session.key))
    }

    /// Whether this process runs below the pane of an agent.
    pub(super) fn is_our_own(&self, session: &Session, live: &LiveAgent) -> bool {
        let around = self.world.env.get("HEADCOUNT_OPERATION");
        let started = self.ledger.of(&session.key).and_then(|acted| acted.started.as_ref());
        if around.is_some() && around == started.map(|started| OsStr::new(started.operation.as_str())) {
            return true;
        }
        let host = self.world.host.as_ref();
        let parent = |pid: &u32| host.stat(*pid).into_seen().map(|process| process.parent).filter(|parent| *parent > 1);
        let above = std::iter::successors(Some(std::process::id()), parent).take(64);
        above.into_iter().any(|pid| pid == live.agent.process.pid || Some(pid) == live.pane.pid)
    }
}

/// The process that serves a session: that of the server, or where each session has one, its own.
pub(super) fn serving(pass: &Pass, key: &SessionKey) -> Option<u32> {
    let server = pass.observation().servers.get(&key.server_key())?.seen()?;
    let is_it = |it: &&std::sync::Arc<MuxSession>| key.names().any(|name| name == it.name.as_str());
    server.pid.or_else(|| server.sessions.iter().find(is_it)?.process)
}

/// Whether somebody has just done something at a terminal that shows a session; `None`: that cannot be told.
pub(super) fn is_watched(world: &Observer, key: &SessionKey, session: &str) -> Option<bool> {
    let now = world.host.now().timestamp();
    effects::watched_at(world, key, session).map(|seen| seen.iter().any(|at| now - at < RECENT))
}

/// Whether an agent is idle, as far as it is known: what is unknown, and what has something running beside it, is not.
pub(super) fn is_idle(pass: &Pass, live: &LiveAgent, entry: &crate::core::drift::EntryVerdict) -> bool {
    let seen = pass.observation();
    let Some(id) = entry.lives_in.clone() else { return false };
    let place = (live.agent.process, id);
    let is_quiet = matches!(seen.turns.get(&place), Some(Fact::Seen(Activity::Idle)));
    is_quiet && !seen.phases.contains_key(&live.agent.process) && !seen.awaited.contains_key(&place)
}

/// The program that starts the agent of an entry.
pub(super) fn program(agents: &Agents, session: &Session) -> Option<String> {
    match session.lead.command.first() {
        Some(program) => Some(program.clone()),
        None => agents.of(session.agent)?.names().programs.first().map(str::to_owned),
    }
}

/// Why the value of a variable cannot be read from its file.
fn unreadable(name: &str, path: &Path) -> Option<String> {
    let told = |why: String| Some(format!("the value of {} cannot be read from {}: {why}", printable(name), path.display()));
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => return told("it is no regular file".to_owned()),
        Err(error) => return told(error.to_string()),
        Ok(_) => {}
    }
    match std::fs::read_to_string(path) {
        Ok(text) if text.contains('\0') => told("it holds a NUL".to_owned()),
        Ok(_) => None,
        Err(error) => told(error.to_string()),
    }
}

/// Why the first prompt of an entry cannot be an argument of its agent.
fn unsaid(session: &Session, table: &LaunchTable) -> Option<String> {
    let prompt = session.lead.prompt.as_deref()?;
    let agent = session.agent;
    if table.prompt.is_none() {
        return Some(format!("{agent} takes no first prompt at its start; take `prompt` out"));
    }
    let first = prompt.trim_start().chars().next().filter(|first| table.commands.contains(first))?;
    Some(format!("{agent} would run a `prompt` that begins with `{first}` as a command; put other words first"))
}

/// Whether a directory is there and may be entered.
fn directory(path: &Path) -> Result<(), String> {
    match path.metadata() {
        Ok(metadata) if !metadata.is_dir() => Err(format!("{} is no directory", path.display())),
        Ok(_) => match rustix::fs::access(path, rustix::fs::Access::EXEC_OK) {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("{} cannot be entered: {error}", path.display())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(format!("{} is not there", path.display())),
        Err(error) => Err(format!("cannot look at {}: {error}", path.display())),
    }
}

/// Where a program is in a PATH.
pub(super) fn find(program: &str, path: &OsString) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(is_program);
    }
    std::env::split_paths(path).filter(|directory| directory.is_absolute()).map(|it| it.join(program)).find(is_program)
}

/// Why a server that begins now would end with the service of systemd that we run in; `None`: it would not.
pub(super) fn no_scope(world: &Observer, mux: MuxKind) -> Option<String> {
    let why = service::is_in_service(&world.env).then(|| service::no_scope(world.host.as_ref())).flatten()?;
    Some(format!(
        "the {mux} server would end together with the service that this command runs in, and systemd gives it no scope of its own \
        ({}); start the server from a terminal first",
        printable(&why)
    ))
}

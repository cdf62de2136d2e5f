//! Agent adapters, one file per agent. They read what agents leave on disk, read-only, and never write, move or delete any of it.

mod antigravity;
mod argv;
mod claude;
mod codex;
mod copilot;
mod custom;
pub mod database;
pub mod dialogs;
pub mod doors;
pub mod drive;
mod files;
mod gemini;
pub mod headless;
pub mod hooks;
pub mod live_process;
mod missing_cache;
mod opencode;
mod pi;
pub mod places;
pub mod recognise;
pub mod resume;
mod tail;
pub mod transcript_index;
mod turns;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::send::{ComposerTable, Said};
use crate::core::lead::turns::TurnPage;
use crate::core::observe::identity::{LastMessage, RungReading};
use crate::core::observe::{Activity, Transcript};
use crate::host::{Environ, Host, ProcessInfo};

pub use live_process::LiveProcess;
pub use missing_cache::MissingCache;
pub use places::{WatchDirs, WatchQuery};
pub use recognise::{Invocation, Program, ProgramNames};
pub use transcript_index::TranscriptIndex;
pub use turns::TurnQuery;

/// Reads off a pane's title what its agent is doing; `None`: it does not say.
pub type TitleReader = fn(&str) -> Option<Activity>;

/// A coding agent: how to tell it from other programs, and how to read what it leaves on disk.
pub trait Adapter: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> AgentKind;

    /// What its programs are called.
    fn names(&self) -> &ProgramNames;

    /// The services of it that begin conversations in any workspace, for whoever asks: servers of other programs.
    fn servers(&self) -> &'static [&'static str] {
        &[]
    }

    /// Where it keeps its files when started in this environment; `None` if the environment does not tell (no HOME).
    fn home(&self, env: &Environ) -> Option<PathBuf>;

    /// What each rung of the evidence ladder says about a live process of it, strongest first. Rungs it does not have, and
    /// rungs weaker than one that already proves an id (unless all are asked for), are left out.
    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading>;

    /// The conversations of its workspace in which something was said since the process started; asked of a process whose own
    /// conversation no rung of 1 to 3 tells. `Absent`: whether it left one for another is not read for this agent.
    fn recent_messages(&self, subject: &LiveProcess<'_>) -> Fact<Vec<LastMessage>> {
        let _ = subject;
        Fact::Absent
    }

    /// Whether it begins in no conversation when it is started so, and its store holds its first prompt as soon as that is taken.
    fn begins_blank(&self, args: &[String]) -> bool {
        let _ = args;
        false
    }

    /// The conversation that its arguments name exactly, wherever somebody wrote them down. `None`: they do not tell.
    fn named_in(&self, args: &[String]) -> Option<ConversationId> {
        let _ = args;
        None
    }

    /// A reading of the strongest rung by which files in `home` name this very process, if the agent keeps such files and
    /// they do. That proves at one blow which agent the process is, whatever it is called, that `home` is its home, and which
    /// conversation it is in.
    fn quick_identity(&self, process: &ProcessInfo, home: &Path) -> Option<RungReading> {
        let _ = (process, home);
        None
    }

    /// Whether this build can tell where a conversation's transcript is. Of an agent for which it cannot, nobody asks, and no
    /// id is called stale.
    fn has_readable_transcripts(&self) -> bool {
        true
    }

    /// Whether one file holds all conversations, so that its owner says nothing of who began one of them.
    fn shares_its_store(&self) -> bool {
        false
    }

    /// Where a conversation's transcript is. `cwds` are hints where to look first; without them all of `home` is searched.
    fn transcript(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript>;

    /// The conversation that this one went on in, where its transcript says so. `Absent`: it goes on in itself.
    fn continued_in(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<ConversationId> {
        let _ = (shelf, home, id, cwds);
        Fact::Absent
    }

    /// What a live process of it is doing, whichever conversation it is in: [`Activity::Starting`] or [`Activity::Parked`].
    fn phase(&self, process: &ProcessInfo, home: &Path) -> Fact<Activity> {
        let _ = (process, home);
        Fact::Absent
    }

    /// What a live agent in this conversation is doing. `Absent`: its files do not tell.
    fn activity(&self, scene: &LiveConversation<'_>) -> Fact<Activity> {
        let _ = scene;
        Fact::Absent
    }

    /// Whether no other conversation of the workspace changed after this one, so that an agent that began it, and is alone there,
    /// has not gone on in another. `false` if that is unknown; asked where only a weak rung shows the conversation.
    fn is_latest(&self, transcript: &Transcript, id: &ConversationId, cwd: &Path) -> bool {
        let _ = (transcript, id, cwd);
        false
    }

    /// What a waiting agent says it waits for, or what runs on beside one. Raw text from outside.
    fn waiting_for(&self, scene: &LiveConversation<'_>) -> Option<String> {
        let _ = scene;
        None
    }

    /// Whether this build can read the turns of its conversations.
    fn has_readable_turns(&self) -> bool {
        true
    }

    /// The newest turns of a conversation. `Absent`: there are none, or they cannot be read for this agent.
    fn turns(&self, transcript: &Transcript, id: &ConversationId, query: &TurnQuery<'_>) -> Fact<TurnPage> {
        let _ = (transcript, id, query);
        Fact::Absent
    }

    /// How to read the title that a live agent gives its pane, if that says something that its files do not.
    fn title_reader(&self) -> Option<TitleReader> {
        None
    }

    /// The directories to watch for what a live agent leaves. Agents of which nothing live is read have none.
    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        let _ = place;
        WatchDirs::default()
    }

    /// How it is started and ended; `None`: headcount does neither.
    fn drive(&self) -> Option<&drive::LaunchTable> {
        None
    }

    /// How it does a job without a terminal; `None`: nobody measured that.
    fn headless(&self) -> Option<&'static headless::HeadlessTable> {
        None
    }

    /// What brings hooks into one start of it; `None`: nothing does, or not with this consent.
    fn hooks(&self, command: &hooks::HookCommand, consent: hooks::HookConsent) -> Option<hooks::HookCarrier> {
        let _ = (command, consent);
        None
    }

    /// What can be put into its own settings; `None`: nothing that is known to do no harm.
    fn hook_settings(&self, command: &hooks::HookCommand) -> Option<hooks::HookInstall> {
        let _ = command;
        None
    }

    /// What its composer looks like; `None`: nothing is typed into it.
    fn composer(&self) -> Option<&'static ComposerTable> {
        None
    }

    /// The text that somebody said to it by a line of its transcript.
    fn said(&self, line: &[u8]) -> Option<Said> {
        let _ = line;
        None
    }

    /// Who has a conversation open now, as far as files name somebody whose process does not. Asked only of agents that are driven.
    fn holder(&self, host: &dyn Host, home: &Path, id: &ConversationId) -> drive::Holder {
        let _ = (host, home, id);
        Fact::Absent
    }

    /// The arguments that resume a conversation; `None` if the agent is not known to be able to.
    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>>;

    /// The arguments that begin a new conversation with what another holds; `None`: nobody measured that.
    fn fork_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        let _ = id;
        None
    }

    /// The directory to resume a conversation in, by what its files say. `Absent`: they do not say, and any in which it was will
    /// do. `cwds` are directories in which it probably was.
    fn lived_in(&self, transcript: &Transcript, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<PathBuf> {
        let _ = (transcript, home, id, cwds);
        Fact::Absent
    }

    /// The variables beside HOME that say where its home is.
    fn home_variables(&self) -> Vec<&str>;

    /// The variable and value that make the agent use `home`; `None` if only HOME itself would.
    fn home_assignment(&self, home: &Path) -> Option<(&str, PathBuf)>;

    /// Whether a process of this command line is the agent, and what it was called with. `exe` is the path of the file it
    /// executes, empty if that is not known.
    fn recognise<'a>(&self, exe: &str, argv: &'a [String]) -> Option<Invocation<'a>> {
        let program = Program::of(argv)?;
        self.names().matches(&program, exe).then(|| program.invocation())
    }

    /// Whether it, called like this, is only a wrapper, with the agent itself below it.
    fn is_wrapper(&self, invocation: &Invocation<'_>) -> bool {
        self.names().is_wrapper(invocation)
    }

    /// Whether it, called like this, says that it is another agent's child: a teammate, a sub-agent. It is nobody's agent, and
    /// neither a session's pane nor its conversation is ever its own.
    fn is_led(&self, invocation: &Invocation<'_>) -> bool {
        recognise::has_flag(invocation.args, "--parent-session-id")
    }

    /// Whether what live agents in two workspaces leave on disk cannot be told apart by where it lies.
    fn shares_transcripts(&self, one: &Path, other: &Path) -> bool {
        // As text: both are as the kernel spells them, and every agent of the host is asked about.
        one.as_os_str() == other.as_os_str()
    }
}

/// A live agent process in a conversation.
#[derive(Clone, Copy)]
pub struct LiveConversation<'a> {
    /// Where it runs.
    pub host: &'a dyn Host,
    /// The process, as it is now.
    pub process: &'a ProcessInfo,
    /// Where it keeps its files.
    pub home: &'a Path,
    /// The conversation it is in.
    pub id: &'a ConversationId,
    /// The transcript of that conversation, if it is there.
    pub transcript: Option<&'a Transcript>,
}

/// Every agent that headcount knows by itself, in the order of [`AgentKind::ALL`].
pub fn all() -> &'static [&'static dyn Adapter; AgentKind::ALL.len()] {
    &[
        &claude::Claude,
        &codex::Codex,
        &antigravity::Antigravity,
        &pi::Pi,
        &opencode::Opencode,
        &gemini::Gemini,
        &copilot::Copilot,
    ]
}

/// The adapter of an agent that headcount knows by itself; `None` for one that a manifest declares.
pub fn of(kind: AgentKind) -> Option<&'static dyn Adapter> {
    all().iter().copied().find(|agent| agent.kind() == kind)
}

/// The agents a manifest is about: those headcount knows by itself and those the manifest declares.
#[derive(Clone, Default)]
pub struct Agents(Arc<[custom::DeclaredAdapter]>);

impl Agents {
    /// Those headcount knows by itself, and these.
    pub fn with(declared: &Declared) -> Self {
        Self(declared.definitions().iter().map(custom::DeclaredAdapter::new).collect())
    }

    /// The adapter of an agent; `None` for one that is not among these.
    pub fn of(&self, kind: AgentKind) -> Option<&dyn Adapter> {
        of(kind).or_else(|| self.declared().find(|agent| agent.kind() == kind))
    }

    fn declared(&self) -> impl Iterator<Item = &dyn Adapter> {
        self.0.iter().map(|agent| agent as &dyn Adapter)
    }

    /// Which agent a process is, if any; one that headcount knows by itself before any other. `exe` is only asked for when the
    /// arguments do not tell.
    pub fn identify<'s, 'a>(
        &'s self,
        argv: &'a [String],
        exe: impl FnOnce() -> Option<String>,
    ) -> Option<(&'s dyn Adapter, Invocation<'a>)> {
        let program = Program::of(argv)?;
        let own = |exe: &str| all().iter().copied().find(|agent| agent.names().matches(&program, exe));
        let declared = |exe: &str| self.declared().find(|agent| agent.names().matches(&program, exe));
        let agent = match own("") {
            Some(agent) => Some(agent as &dyn Adapter),
            None if program.is_interpreter() => declared(""),
            None => {
                let exe = exe();
                let exe = exe.as_deref().unwrap_or_default();
                own(exe).map(|agent| agent as &dyn Adapter).or_else(|| declared(exe))
            }
        };
        agent.map(|agent| (agent, program.invocation()))
    }
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.declared().map(Adapter::kind)).finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environ {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn every_agent_has_its_adapter_in_the_common_order() {
        let kinds: Vec<AgentKind> = all().iter().map(|agent| agent.kind()).collect();
        assert_eq!(kinds, AgentKind::ALL);
    }

    #[test]
    fn an_agents_home_follows_its_environment() {
        let plain = env(&[("HOME", "/home/dev"), ("CLAUDE_CONFIG_DIR", ""), ("XDG_DATA_HOME", "")]);
        let moved = env(&[
            ("HOME", "/home/dev"),
            ("CLAUDE_CONFIG_DIR", "/c"),
            ("CODEX_HOME", "/x"),
            ("COPILOT_HOME", "/p"),
            ("XDG_DATA_HOME", "/d"),
            ("PI_CODING_AGENT_DIR", "/i"),
            ("GEMINI_CLI_HOME", "/g"),
        ]);
        for (kind, usual, other) in [
            (AgentKind::Claude, "/home/dev/.claude", "/c"),
            (AgentKind::Codex, "/home/dev/.codex", "/x"),
            (AgentKind::Antigravity, "/home/dev/.gemini/antigravity-cli", "/home/dev/.gemini/antigravity-cli"),
            (AgentKind::Pi, "/home/dev/.pi/agent", "/i"),
            (AgentKind::Opencode, "/home/dev/.local/share/opencode", "/d/opencode"),
            (AgentKind::Gemini, "/home/dev/.gemini", "/g/.gemini"),
            (AgentKind::Copilot, "/home/dev/.copilot", "/p"),
        ] {
            assert_eq!(of(kind).unwrap().home(&plain), Some(PathBuf::from(usual)), "{kind}");
            assert_eq!(of(kind).unwrap().home(&moved), Some(PathBuf::from(other)), "{kind}");
            assert_eq!(of(kind).unwrap().home(&env(&[])), None, "{kind}");
        }
    }
}

//! The one table of key names, old and new. Nothing else knows how a field is spelled.

use crate::core::ids::{AgentKind, FOREIGN};

/// A field of an entry, whatever it is called in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The session's name.
    Name,
    /// The agent.
    Agent,
    /// The workspace.
    Cwd,
    /// The multiplexer.
    Mux,
    /// The server.
    Server,
    /// The host.
    Host,
    /// Labels.
    Labels,
    /// Not judged.
    Suspend,
    /// Classes not counted.
    Ignore,
    /// What is to become of the session.
    Desired,
    /// When it is started again.
    Restart,
    /// Arguments of the agent.
    Args,
    /// Environment of the agent.
    Env,
    /// First prompt.
    Prompt,
    /// What is run instead of the agent's program.
    Command,
    /// How far the agent may go without asking.
    Permissions,
    /// Whether its question about the workspace is answered.
    Trust,
    /// The work it is about.
    Task,
    /// How long a series of starts may take.
    Deadline,
    /// The crew it belongs to.
    Crew,
    /// Its part, as multi-agent-mux says it; never changed.
    Role,
    /// How multi-agent-mux started it.
    StartCommand,
    /// What multi-agent-mux attached to it.
    McpAttachments,
    /// The recorded status.
    Status,
    /// The recorded conversation id.
    SessionId,
    /// The recorded pane.
    Pane,
    /// When it ended.
    TerminatedAt,
    /// How it ended.
    TerminationMode,
    /// What was last visible of it.
    LastVisibleStatus,
    /// A note about that.
    LastVisibleNote,
    /// Why it was stopped.
    StopReason,
    /// Whether what was stopped can be resumed.
    Resumable,
    /// The delegated job.
    DelegateJobId,
    /// Identities per agent, of the older dialect.
    AgentIdentities,
}

/// The spellings of one field: the current one first, then the older ones.
struct Row {
    field: Field,
    names: &'static [&'static str],
    by: By,
}

/// Who says a field, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// headcount, in the entry; also the name of the session.
    Headcount,
    /// People, in the entry or in `defaults:`.
    People,
    /// People, in the entry or in `defaults:`; it says how the session is led.
    Lead,
    /// The same in the entry alone.
    LeadOfOne,
}

const fn row(field: Field, names: &'static [&'static str], by: By) -> Row {
    Row { field, names, by }
}

const TABLE: &[Row] = &[
    row(Field::Name, &["name", "tmux_session"], By::Headcount),
    row(Field::Agent, &["agent"], By::People),
    row(Field::Cwd, &["cwd", "workspace"], By::People),
    row(Field::Mux, &["mux"], By::People),
    row(Field::Server, &["server", "tmux_server"], By::People),
    row(Field::Host, &["host"], By::People),
    row(Field::Labels, &["labels"], By::People),
    row(Field::Suspend, &["suspend", "unmanaged"], By::People),
    row(Field::Ignore, &["ignore"], By::People),
    row(Field::Desired, &["desired"], By::LeadOfOne),
    row(Field::Restart, &["restart"], By::Lead),
    row(Field::Args, &["args"], By::Lead),
    row(Field::Env, &["env"], By::Lead),
    row(Field::Prompt, &["prompt"], By::LeadOfOne),
    row(Field::Command, &["command"], By::LeadOfOne),
    row(Field::Permissions, &["permissions"], By::LeadOfOne),
    row(Field::Trust, &["trust"], By::LeadOfOne),
    row(Field::Task, &["task"], By::LeadOfOne),
    row(Field::Deadline, &["deadline"], By::Lead),
    row(Field::Crew, &["crew"], By::LeadOfOne),
    row(Field::Role, &["role"], By::LeadOfOne),
    row(Field::StartCommand, &["start_command"], By::LeadOfOne),
    row(Field::McpAttachments, &["mcp_attachments"], By::LeadOfOne),
    row(Field::Status, &["status"], By::Headcount),
    row(Field::SessionId, &["session_id"], By::Headcount),
    row(Field::Pane, &["pane"], By::Headcount),
    row(Field::TerminatedAt, &["terminated_at"], By::Headcount),
    row(Field::TerminationMode, &["termination_mode"], By::Headcount),
    row(Field::LastVisibleStatus, &["last_visible_status"], By::Headcount),
    row(Field::LastVisibleNote, &["last_visible_note"], By::Headcount),
    row(Field::StopReason, &["stop_reason"], By::Headcount),
    row(Field::Resumable, &["resumable"], By::Headcount),
    row(Field::DelegateJobId, &["delegate_job_id"], By::Headcount),
    row(Field::AgentIdentities, &["agent_identities"], By::Headcount),
];

/// Keys of the document itself.
pub mod top {
    /// The format's version.
    pub const VERSION: &str = "version";
    /// Agents that headcount does not know by itself.
    pub const AGENTS: &str = "agents";
    /// Declared fields merged into every session.
    pub const DEFAULTS: &str = "defaults";
    /// Which unregistered sessions are ours.
    pub const DISCOVERY: &str = "discovery";
    /// The patterns of names below `discovery`.
    pub const DISCOVERY_NAMES: &str = "names";
    /// The entries.
    pub const SESSIONS: &str = "sessions";
    /// The older name of the entries.
    pub const TMUX_SESSIONS: &str = "tmux_sessions";
    /// How sessions are led.
    pub const LEAD: &str = "lead";
    /// Other hosts.
    pub const HOSTS: &str = "hosts";
    /// The broker.
    pub const MQTT: &str = "mqtt";
    /// The older dialect's identities.
    pub const IDENTITIES: &str = "agent_identities";
    /// Every key of the document.
    pub const ALL: [&str; 10] = [VERSION, AGENTS, DEFAULTS, DISCOVERY, SESSIONS, LEAD, HOSTS, MQTT, IDENTITIES, TMUX_SESSIONS];
    /// Those of the older dialect.
    pub const OLDER: [&str; 9] = [VERSION, DEFAULTS, DISCOVERY, SESSIONS, LEAD, HOSTS, MQTT, IDENTITIES, TMUX_SESSIONS];
}

/// Keys of a declared agent.
pub mod agent {
    /// Base names of its program.
    pub const PROGRAMS: &str = "programs";
    /// Other names people use for it.
    pub const ALIASES: &str = "aliases";
    /// Directories that only its scripts and binaries are in.
    pub const PACKAGES: &str = "packages";
    /// Where it keeps its files.
    pub const HOME: &str = "home";
    /// The variable that names another home.
    pub const HOME_ENV: &str = "home_env";
    /// Where its transcripts are.
    pub const TRANSCRIPTS: &str = "transcripts";
    /// What its ids look like.
    pub const ID: &str = "id";
    /// Flags whose value is the exact id.
    pub const ID_FLAGS: &str = "id_flags";
    /// Flags with which an id among the arguments is not the id in use.
    pub const FORK_FLAGS: &str = "fork_flags";
    /// The arguments that resume a conversation.
    pub const RESUME: &str = "resume";
    /// How it is driven.
    pub const DRIVE: &str = "drive";
    /// Every key of a declared agent.
    pub const ALL: [&str; 11] =
        [PROGRAMS, ALIASES, PACKAGES, HOME, HOME_ENV, TRANSCRIPTS, ID, ID_FLAGS, FORK_FLAGS, RESUME, DRIVE];
}

/// Keys below `drive` of a declared agent.
pub mod drive {
    /// Its own arguments on every start.
    pub const START: &str = "start";
    /// The flag that gives a new conversation its id.
    pub const ID_FLAG: &str = "id_flag";
    /// What its screen shows when it is ready.
    pub const READY: &str = "ready";
    /// What its composer begins with.
    pub const COMPOSER: &str = "composer";
    /// The key that submits.
    pub const SUBMIT: &str = "submit";
    /// What its screen shows when a turn has ended.
    pub const END: &str = "end";
    /// The keys that quit it.
    pub const QUIT: &str = "quit";
    /// How long it may take to quit.
    pub const GRACE: &str = "grace";
    /// What its screen shows when it asks about a workspace.
    pub const TRUST: &str = "trust";
    /// Its flags by the words of `permissions`.
    pub const PERMISSION: &str = "permission";
    /// Every key that may stand there.
    pub const ALL: [&str; 10] = [START, ID_FLAG, READY, COMPOSER, SUBMIT, END, QUIT, GRACE, TRUST, PERMISSION];
}

/// Keys below `lead`, and of the mappings that an entry's lead fields may be.
pub mod lead {
    /// Operations at once.
    pub const PARALLEL: &str = "parallel";
    /// Time between two starts.
    pub const SPACING: &str = "spacing";
    /// How long an agent may take to be ready.
    pub const READY: &str = "ready";
    /// How long starts wait after failures.
    pub const BACKOFF: &str = "backoff";
    /// Every key that may stand below `lead`.
    pub const ALL: [&str; 4] = [PARALLEL, SPACING, READY, BACKOFF];
    /// The first wait.
    pub const FIRST: &str = "first";
    /// How much longer each further one is.
    pub const FACTOR: &str = "factor";
    /// The longest wait.
    pub const MOST: &str = "most";
    /// So many starts, then it gives up.
    pub const ATTEMPTS: &str = "attempts";
    /// Every key that may stand below `backoff`.
    pub const BACKOFF_KEYS: [&str; 4] = [FIRST, FACTOR, MOST, ATTEMPTS];
    /// When a session is started again.
    pub const POLICY: &str = "policy";
    /// Every key of a `restart` that is a mapping.
    pub const RESTART_KEYS: [&str; 5] = [POLICY, FIRST, FACTOR, MOST, ATTEMPTS];
    /// The name of a crew.
    pub const NAME: &str = "name";
    /// The part in it.
    pub const ROLE: &str = "role";
}

/// Keys of a host.
pub mod hosts {
    /// Names for ssh.
    pub const SSH: &str = "ssh";
    /// How its terminal is reached.
    pub const ATTACH: &str = "attach";
    /// Its manifest, there.
    pub const MANIFEST: &str = "manifest";
    /// Its headcount, there.
    pub const HEADCOUNT: &str = "headcount";
    /// Every key that may stand there.
    pub const ALL: [&str; 4] = [SSH, ATTACH, MANIFEST, HEADCOUNT];
    /// Words that no host can be called, because they mean something else before a colon.
    pub const TAKEN: [&str; 4] = ["tmux", "zellij", "http", "https"];
}

/// Keys below `mqtt`.
pub mod mqtt {
    /// The host.
    pub const BROKER: &str = "broker";
    /// The port.
    pub const PORT: &str = "port";
    /// Whether to speak TLS.
    pub const TLS: &str = "tls";
    /// The user.
    pub const USERNAME: &str = "username";
    /// What must not stand there.
    pub const PASSWORD: &str = "password";
    /// The file the password is in.
    pub const PASSWORD_FILE: &str = "password_file";
    /// The authorities' certificates.
    pub const CA_CERTS: &str = "ca_certs";
    /// The client's certificate.
    pub const CERTFILE: &str = "certfile";
    /// The client's key.
    pub const KEYFILE: &str = "keyfile";
    /// What client ids begin with.
    pub const CLIENT_ID_PREFIX: &str = "client_id_prefix";
    /// Where the topics of jobs begin.
    pub const ROOT: &str = "root";
    /// Every key that may stand there.
    pub const ALL: [&str; 10] =
        [BROKER, PORT, TLS, USERNAME, PASSWORD_FILE, CA_CERTS, CERTFILE, KEYFILE, CLIENT_ID_PREFIX, ROOT];
}

/// Keys inside an identity of the older dialect.
pub mod identity {
    /// The two spellings of the id.
    pub const IDS: [&str; 2] = ["session_id", "conversation_id"];
    /// The workspace the id is valid in.
    pub const PROJECT_CWD: &str = "project_cwd";
}

impl Field {
    /// Its spellings, the current one first.
    pub fn names(self) -> &'static [&'static str] {
        TABLE.iter().find(|row| row.field == self).map_or(&[], |row| row.names)
    }

    /// The current spelling.
    pub fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }

    /// The spelling for a new key in a file of the older dialect.
    pub fn older_name(self) -> &'static str {
        self.names().last().copied().unwrap_or_default()
    }

    /// The field a key of an entry means. The agents' own id fields (`claude_session_id_own`) are [`Field::SessionId`].
    pub fn of_key(key: &str) -> Option<Self> {
        if own_id_agent(key).is_some() {
            return Some(Self::SessionId);
        }
        TABLE.iter().find(|row| row.names.contains(&key)).map(|row| row.field)
    }

    /// Whether people declare it (and `defaults:` may give it), as opposed to headcount recording it.
    pub fn is_declared(self) -> bool {
        self.by() != By::Headcount
    }

    /// Whether it counts only in the entry itself.
    pub fn is_of_one_entry(self) -> bool {
        self.by() == By::LeadOfOne
    }

    /// Whether it says how the session is led.
    pub fn is_of_lead(self) -> bool {
        matches!(self.by(), By::Lead | By::LeadOfOne)
    }

    fn by(self) -> By {
        TABLE.iter().find(|row| row.field == self).map_or(By::Headcount, |row| row.by)
    }

    /// Every spelling of every field, for "did you mean".
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().flat_map(|row| row.names.iter().copied())
    }
}

/// Whether a key is the user's own, or the merge key: nothing is said about it.
pub(super) fn is_own_key(key: &str) -> bool {
    key.starts_with("x-") || key == "<<"
}

/// The older dialect's own-id key for an agent: `claude_session_id_own`, `antigravity_conversation_id_own`.
pub fn own_id_key(agent: AgentKind) -> String {
    let noun = if agent.says_conversation() { "conversation" } else { "session" };
    format!("{agent}_{noun}_id_own")
}

/// Every spelling of an agent's own-id key, aliases and both nouns included, the one for writing first.
pub fn own_id_keys(agent: &AgentKind) -> impl Iterator<Item = String> {
    let nouns = if agent.says_conversation() { ["conversation", "session"] } else { ["session", "conversation"] };
    agent.names().flat_map(move |name| nouns.map(|noun| format!("{}_{noun}_id_own", name.replace('-', "_"))))
}

/// The agent whose own-id key this is. Asked of every key of every entry, so it makes no string.
pub fn own_id_agent(key: &str) -> Option<AgentKind> {
    let word = key.strip_suffix("_id_own")?;
    let word = word.strip_suffix("_session").or_else(|| word.strip_suffix("_conversation"))?;
    let is_name =
        |name: &str| name.len() == word.len() && name.bytes().zip(word.bytes()).all(|(n, w)| n == w || (n, w) == (b'-', b'_'));
    let own = AgentKind::ALL.into_iter().find(|agent| agent.names().any(is_name));
    own.or_else(|| FOREIGN.into_iter().find(|name| is_name(name)).and_then(AgentKind::named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_spell_the_same_fields() {
        for (key, field) in [
            ("name", Field::Name),
            ("tmux_session", Field::Name),
            ("workspace", Field::Cwd),
            ("tmux_server", Field::Server),
            ("claude_session_id_own", Field::SessionId),
            ("antigravity_conversation_id_own", Field::SessionId),
            ("agy_conversation_id_own", Field::SessionId),
            ("session_id", Field::SessionId),
        ] {
            assert_eq!(Field::of_key(key), Some(field), "{key}");
        }
        assert_eq!(Field::of_key("tmux_sesion"), None);
    }

    #[test]
    fn every_spelling_of_an_own_id_is_known_and_nothing_else_is() {
        for agent in AgentKind::ALL {
            assert!(own_id_keys(&agent).all(|key| own_id_agent(&key) == Some(agent)));
        }
        for key in ["_session_id_own", "claude_id_own", "claud_session_id_own", "claude_session_id", "claude_code"] {
            assert_eq!(own_id_agent(key), None, "{key}");
        }
    }

    #[test]
    fn an_own_id_is_written_with_the_noun_of_its_agent() {
        assert_eq!(own_id_key(AgentKind::Claude), "claude_session_id_own");
        assert_eq!(own_id_key(AgentKind::Antigravity), "antigravity_conversation_id_own");
    }
}

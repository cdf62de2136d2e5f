//! Who asks for a command: a person at a terminal, an agent, a program, or the headcount of another host on behalf of one of them. Owns
//! the variables that tell; never decides what one of them may do.

use std::io::IsTerminal as _;
use std::path::Path;

use crate::core::ids::SessionKey;
use crate::core::lead::OperationId;
use crate::core::text::printable;
use crate::store::operations::Operations;
use crate::store::paths::StateHome;

/// Variables that a headcount that serves another host sets for the commands it runs.
pub(crate) mod variable {
    /// Who asks, for the record.
    pub(crate) const BY: &str = "HEADCOUNT_BY";
    /// The same as a holder is called.
    pub(crate) const HOLDER: &str = "HEADCOUNT_BY_HOLDER";
    /// An agent asks.
    pub(crate) const AGENT: &str = "HEADCOUNT_BY_AGENT";
    /// A person reads what is asked, and answers.
    pub(crate) const ASKS: &str = "HEADCOUNT_BY_PERSON";
    /// The operation that started the agent which runs us.
    pub(crate) const OPERATION: &str = "HEADCOUNT_OPERATION";
}

/// How a question ends that is asked of a person.
pub(crate) const QUESTION: &str = " [y/N] ";

/// Variables by which an agent says that it runs us.
const OF_AGENTS: [&str; 7] =
    [variable::OPERATION, variable::AGENT, "CLAUDECODE", "CODEX_THREAD_ID", "COPILOT_CLI", "PI_CODING_AGENT", "AI_AGENT"];

/// Whether an agent runs this as one of its tools.
pub(crate) fn is_agents() -> bool {
    OF_AGENTS.iter().any(|name| std::env::var_os(name).is_some())
}

/// Whether a person types this: at a terminal, and not an agent's tool.
pub(crate) fn is_person() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal() && !is_agents()
}

/// Whether nobody answers for this: neither a person at the terminal, nor a script that says `--yes`. An agent never does.
pub(crate) fn is_automatic(yes: bool) -> bool {
    is_agents() || !(yes || is_person())
}

/// Who asks, for the record.
pub(crate) fn asker() -> String {
    if let Ok(by) = std::env::var(variable::BY) {
        return printable(&by).into_owned();
    }
    match std::env::var(variable::OPERATION) {
        Ok(operation) => format!("an agent of operation {}", printable(&operation)),
        Err(_) if is_person() => "a person at a terminal".to_owned(),
        Err(_) => "a program".to_owned(),
    }
}

fn operation() -> Option<OperationId> {
    std::env::var(variable::OPERATION).ok().as_deref().and_then(OperationId::parse)
}

/// The session whose agent runs us, if headcount started that.
pub(crate) fn session(state: &StateHome) -> Option<SessionKey> {
    let id = operation()?;
    Operations::new(state).all().into_iter().find(|past| past.operation.id == id).map(|past| past.operation.session)
}

/// Whether the headcount of another host asks. What was asked of this host is done on this host.
pub(crate) fn is_elsewhere() -> bool {
    std::env::var_os(variable::BY).is_some()
}

/// Whether somebody reads a question and answers it.
pub(crate) fn can_be_asked() -> bool {
    std::io::stdin().is_terminal() || std::env::var_os(variable::ASKS).is_some()
}

/// What whoever runs this is called as a holder: the session of the agent that does, else the user and the terminal.
pub(crate) fn holder(state: &StateHome) -> String {
    if let Ok(holder) = std::env::var(variable::HOLDER) {
        return printable(&holder).into_owned();
    }
    if let Some(id) = operation() {
        let session = session(state).map(|session| session.to_string());
        return session.map_or_else(|| format!("the agent of operation {id}"), |name| format!("session {name}"));
    }
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = value("USER").or_else(|| value("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    let terminal = std::fs::read_link("/proc/self/fd/0").ok().filter(|path| path.starts_with("/dev/pts"));
    let terminal =
        terminal.as_deref().and_then(|path| Path::strip_prefix(path, "/dev").ok()).map(|path| path.display().to_string());
    match (is_agents(), value("TMUX_PANE"), terminal) {
        (true, Some(pane), _) => format!("an agent of {user} in pane {pane}"),
        (true, None, _) => format!("an agent of {user}"),
        (false, _, Some(terminal)) => format!("{user} at {terminal}"),
        (false, _, None) => user,
    }
}

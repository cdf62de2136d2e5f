//! What a launcher is given for a start: program, arguments, directory, variables. Starts nothing.

use std::path::PathBuf;

use super::hooking::Hooking;
use super::{LeadRequest, facts};
use crate::agent::drive::{LaunchTable, Opening};
use crate::agent::{Agents, resume};
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::{Action, ActionKind, LeadRule};
use crate::core::manifest::Session;
use crate::core::manifest::lead::{Permissions, has_permission_flag};
use crate::core::report::rows::Resumable;
use crate::store::operations::LaunchSpec;

/// Variables that say what is around us and are nothing to what we start.
const AMBIENT: [&str; 4] = ["HEADCOUNT_", "MQTT_", "TMUX", "ZELLIJ"];

/// The variables of this process that a server which begins now must not get.
pub(super) fn withheld(world: &Observer, table: &LaunchTable, more: &[String]) -> Vec<String> {
    let names = world.env.pairs().map(|(name, _)| name.to_string_lossy().into_owned());
    let is_ambient = |name: &String| {
        // Where its sockets are is for tmux itself to know.
        name != "TMUX_TMPDIR" && AMBIENT.iter().any(|start| name.starts_with(start))
            || table.blank.contains(&name.as_str())
            || more.contains(name)
    };
    names.filter(is_ambient).collect()
}

/// What is started for an entry.
///
/// # Errors
/// One line: it can no longer be told how.
pub(super) fn spec(
    agents: &Agents,
    pass: &Pass,
    session: &Session,
    action: &Action,
    operation: &str,
    request: &LeadRequest,
    hooking: &Hooking,
) -> Result<LaunchSpec, String> {
    let adapter = agents.of(session.agent).ok_or_else(|| format!("{} is not known", session.agent))?;
    let table = adapter.drive().ok_or_else(|| format!("how {} is started is not known", session.agent))?;
    let verdict = pass.verdict().entries.get(session.index).ok_or("its entry is gone")?;
    let home = match &verdict.home {
        Some(home) => Fact::Seen(home.clone()),
        None => pass.observation().fallback_homes.get(session.index).cloned().unwrap_or(Fact::Absent),
    };
    let (resumed, cwd) = match (action.kind, &action.conversation) {
        (ActionKind::Resume, Some(id)) => {
            let pane = session.recorded.pane.as_ref();
            let recorded = pane.and_then(|pane| pane.cwd.as_deref()).map(std::path::Path::new).filter(|cwd| cwd.is_absolute());
            let cwds = recorded.into_iter().chain(session.cwd.as_deref()).collect();
            let transcript = verdict.transcript.as_ref();
            let conversation = Resumable { agent: session.agent, id, home: home.clone(), transcript, cwds };
            let home = home.seen().ok_or("where its agent keeps its files is not known")?;
            let cwd = resume::place(adapter, &conversation, home, transcript.and_then(Fact::seen))?;
            let args = adapter.resume_args(id).ok_or("how its conversation is resumed is not known")?;
            (Some(args), cwd)
        }
        _ => (None, session.cwd.clone().ok_or("its entry names no `cwd`")?),
    };
    let forked = match &request.fork {
        Some(from) if action.kind == ActionKind::Start => {
            Some(adapter.fork_args(from).ok_or_else(|| format!("how {} forks a conversation is not known", session.agent))?)
        }
        _ => None,
    };
    let opening = match (&resumed, &forked) {
        (Some(args), _) => Opening::Resumed(args),
        (None, Some(args)) => Opening::Forked(args, action.conversation.as_ref()),
        (None, None) => Opening::New(action.conversation.as_ref()),
    };
    let permissions = match session.lead.permissions {
        None if has_permission_flag(&pass.manifest().agents, session) => None,
        other => Some(other.unwrap_or(Permissions::Ask)),
    };
    let prompt = session.lead.prompt.as_deref().filter(|_| request.says_prompt && action.kind == ActionKind::Start);
    let mut argv = session.lead.command.clone();
    if argv.is_empty() {
        argv.push(facts::program(agents, session).ok_or("what its program is called is not known")?);
    }
    let args = [hooking.args.as_slice(), &session.lead.args].concat();
    argv.extend(table.arguments(opening, &args, permissions, prompt));
    if request.front.profile.relaxes(LeadRule::PlainArguments) {
        argv.extend(request.front.arguments.iter().cloned());
    }
    let own = |name: &str| session.env.contains_key(name) || session.lead.env_files.contains_key(name);
    let given = table.set.iter().filter(|(name, _)| !own(name)).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let set = given
        .chain([("HEADCOUNT_OPERATION".to_owned(), operation.to_owned())])
        .chain(hooking.set.iter().cloned())
        .chain(session.env.iter().map(|(name, value)| (name.clone(), value.clone())))
        .collect();
    let blank = table.blank.iter().copied().chain(request.front.clears.iter().map(String::as_str));
    let unset = blank.filter(|name| !own(name)).map(str::to_owned).collect();
    let files = session.lead.env_files.iter().map(|(name, path)| (name.clone(), path.clone())).collect();
    let conversation = action.conversation.as_ref().zip(home.seen()).map(|(id, home)| lock_name(session.agent, home, id));
    Ok(LaunchSpec { version: LaunchSpec::VERSION, argv, cwd, set, files, unset, conversation, job: None })
}

/// What an action runs in a pane, for whoever asks before: without a prompt, and without what hooks need.
pub(super) fn command(agents: &Agents, pass: &Pass, session: &Session, action: &Action, request: &LeadRequest) -> Vec<String> {
    let action = match action.kind {
        ActionKind::Start | ActionKind::Resume => action.clone(),
        ActionKind::Restart => Action { kind: ActionKind::Resume, ..action.clone() },
        _ => return Vec::new(),
    };
    let request = LeadRequest { says_prompt: false, ..request.clone() };
    spec(agents, pass, session, &action, "", &request, &Hooking::default()).map(|spec| spec.argv).unwrap_or_default()
}

/// What names a conversation to everybody who could be started in it.
pub fn lock_name(agent: AgentKind, home: &std::path::Path, id: &ConversationId) -> String {
    let home: PathBuf = home.canonicalize().unwrap_or_else(|_| home.to_path_buf());
    format!("{agent}\0{}\0{id}", home.display())
}

/// A new id for a conversation, as UUID; `None` where the system gives no random numbers.
pub fn new_id() -> Option<ConversationId> {
    let mut bytes = [0_u8; 16];
    let mut source = std::fs::File::open("/dev/urandom").ok()?;
    std::io::Read::read_exact(&mut source, &mut bytes).ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(ConversationId(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])))
}

//! The verbs that act on sessions: from arguments to a request, from what became of it to an answer and an exit code. What may be done
//! is decided elsewhere.

pub(crate) mod allow;
pub(crate) mod answer;
pub(crate) mod attach;
pub(crate) mod describe;
pub(crate) mod events;
pub(crate) mod hand;
pub(crate) mod letter;
pub(crate) mod new;
pub(crate) mod queue;
pub(crate) mod remove;
pub(crate) mod rename;
pub(crate) mod send;
pub(crate) mod verbs;
pub(crate) mod wait;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::print_document;
use crate::cli::args::{Format, JudgeArgs, LockArgs, WhichArgs};
use crate::cli::asker::{QUESTION, asker, can_be_asked, holder, is_agents};
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::lead as render;
use crate::cli::run_pass::{self, PassRequest};
use crate::cli::{Context, signals};
use crate::control::lead::{
    self, FrontRequest, LeadError, LeadRequest, PermissionFile, Planned, Progress, UndeclaredError, UndeclaredSession,
    UnlistedManifest,
};
use crate::control::observe::Observer;
use crate::control::pass::{Mode, PassOptions};
use crate::control::tasks;
use crate::core::ids::SessionKey;
use crate::core::lead::{
    ApplyReport, BlockCode, LeadProfile, OperationReport, Outcome, REPORT_SCHEMA, Wish, is_pattern, pane_of,
};
use crate::core::manifest::select::Selection;
use crate::core::manifest::{Manifest, Session};
use crate::core::text::printable;
use crate::host::Environ;
use crate::store::manifest::ManifestFile;
use crate::store::paths::StateHome;

/// Operations at once where the manifest says nothing else.
const PARALLEL: usize = 2;

/// Everything a verb needs to act.
struct Lead {
    world: Observer,
    request: LeadRequest,
    manifest: Manifest,
    /// The manifest that was made for a session that no entry declares.
    undeclared: Option<UnlistedManifest>,
}

/// The request of a verb, before what it adds: about the sessions it names.
fn begin(
    which: &WhichArgs,
    judge: &JudgeArgs,
    lock: Option<&LockArgs>,
    wish: Wish,
    context: &Context,
) -> Result<Lead, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    let look = PassRequest::look(Selection::default(), judge);
    let update = lock.map(LockArgs::update).unwrap_or_default();
    let pass = run_pass::options(PassRequest { mode: Mode::Look, update, ..look }, context)?;
    let world = Observer { activity: true, ..run_pass::world(&pass.state_home) };
    let manifest = run_pass::load(&found.path, context)?;
    let only = if which.refs.is_empty() { None } else { Some(resolve(&manifest, &which.refs)?) };
    let selection = Selection { labels: which.labels.clone(), agents: which.agents.clone(), ..Selection::default() };
    let request = LeadRequest { only, wish, ..request(PassOptions { selection, ..pass }, (found.is_found_here, asker()))? };
    Ok(Lead { world, request, manifest, undeclared: None })
}

/// The request of a verb that is about exactly one session, and that session.
fn begin_one(
    reference: &str,
    judge: &JudgeArgs,
    lock: Option<&LockArgs>,
    context: &Context,
) -> Result<(Lead, SessionKey), CliError> {
    let which = WhichArgs { refs: vec![reference.to_owned()], ..WhichArgs::default() };
    let lead = begin(&which, judge, lock, Wish::Manifest, context)?;
    let key = only(&lead, reference)?;
    Ok((lead, key))
}

/// The same for a verb that also takes the pane, or the whole id of the conversation, of a session that no entry declares; then it
/// needs no manifest.
fn begin_any(reference: &str, judge: &JudgeArgs, context: &Context) -> Result<(Lead, SessionKey), CliError> {
    let manifest = run_pass::manifest(context)?;
    let is_declared = manifest.as_ref().is_some_and(|manifest| !meant(manifest, reference).is_empty());
    if is_declared || (pane_of(reference).is_none() && !is_conversation(reference)) {
        return begin_one(reference, judge, None, context);
    }
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let name = printable(reference);
    let found = lead::undeclared(&run_pass::world(&state), &state, reference).map_err(|error| match error {
        UndeclaredError::Several(_) => CliError::new(Exit::Refused, format!("{name}: {error}")),
        UndeclaredError::NoAgent(_) => CliError::new(Exit::Failure, error.to_string()),
        UndeclaredError::Unknown(_) => CliError::new(Exit::Unknown, format!("cannot look for {name}: {error}")),
    })?;
    let nobody = || {
        CliError::new(Exit::Failure, format!("no live agent is in {name}"))
            .hint("`headcount status -o name` lists the sessions of the manifest")
    };
    let UndeclaredSession { session, manifest: own, aim } = found.ok_or_else(nobody)?;
    // The entry that declares its session decides what may be done to it.
    let entry = manifest.as_ref().is_some_and(|manifest| manifest.find(&session).is_some());
    let reference = format!("{}:{}:{}", session.mux, session.server, session.name);
    let (mut lead, key) = if entry {
        begin_one(&reference, judge, None, context)?
    } else {
        let mut globals = context.globals.clone();
        globals.manifest = Some(own.path().to_path_buf());
        begin_one(&reference, judge, None, &Context { globals, out: context.out.clone() })?
    };
    lead.request.aim = Some(aim);
    lead.undeclared = (!entry).then_some(own);
    Ok((lead, key))
}

/// Whether a text may be the whole id of a conversation.
fn is_conversation(text: &str) -> bool {
    text.len() >= 20 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// What a verb asks for where it says nothing else.
fn request(pass: PassOptions, (is_found, by): (bool, String)) -> Result<LeadRequest, CliError> {
    let holder = holder(&pass.state_home);
    let launcher = lead::launcher().map_err(|why| CliError::new(Exit::Failure, why))?;
    Ok(LeadRequest {
        pass,
        only: None,
        wish: Wish::Manifest,
        take: false,
        reuse: false,
        fork: None,
        says_prompt: true,
        now: false,
        kill: false,
        timeout: Duration::from_secs(600),
        own: false,
        is_automatic: true,
        is_found,
        by,
        holder,
        passes_hold: false,
        cause: None,
        parallel: PARALLEL,
        aim: None,
        launcher,
        front: FrontRequest::default(),
    })
}

/// What an enforcing watch asks for.
pub(crate) fn watching(pass: PassOptions, context: &Context) -> Result<LeadRequest, CliError> {
    let found = manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?;
    request(pass, (found.is_found_here, "watch --enforce".to_owned()))
}

/// What a tool needs to act on one session that nobody declared. The entry for it is gone when this is dropped.
pub(crate) struct UnlistedAct {
    pub(crate) world: Observer,
    pub(crate) request: LeadRequest,
    _manifest: UnlistedManifest,
}

impl UnlistedAct {
    /// With this entry, for a tool of this name.
    pub(crate) fn new(entry: &serde_json::Value, tool: &str) -> Result<Self, CliError> {
        let state_home = StateHome::from_environment(|name| std::env::var_os(name))?;
        let manifest = UnlistedManifest::new(&state_home, entry)
            .map_err(|error| CliError::new(Exit::Failure, format!("cannot keep what is done: {error}")))?;
        let world = Observer { activity: true, ..run_pass::world(&state_home) };
        let pass = PassOptions::look(manifest.path().to_path_buf(), state_home);
        let request = request(pass, (false, format!("{tool}, for {}", asker())))?;
        let front = FrontRequest { profile: LeadProfile::TASK, ..FrontRequest::default() };
        // A tool says that it does something by an option of its own; an agent never speaks for a person at a terminal.
        let request = LeadRequest { is_automatic: is_agents(), front, ..request };
        Ok(Self { world, request, _manifest: manifest })
    }
}

/// The entries that a REF means.
pub(crate) fn meant<'a>(manifest: &'a Manifest, text: &str) -> Vec<&'a Session> {
    let here = std::env::current_dir().unwrap_or_default();
    tasks::meant(manifest, text, &Environ::of_this_process(), &here)
}

/// The sessions that REFs mean, each at least one.
fn resolve(manifest: &Manifest, refs: &[String]) -> Result<BTreeSet<SessionKey>, CliError> {
    let mut keys = BTreeSet::new();
    for text in refs {
        let found = meant(manifest, text);
        if found.is_empty() {
            return Err(CliError::new(Exit::Failure, format!("no session {text}"))
                .hint("`headcount status -o name` lists the names; `*` and `?` are wildcards"));
        }
        if found.len() > 1 && !is_pattern(text) {
            let names: Vec<String> =
                found.iter().map(|it| format!("{}:{}:{}", it.key.mux, it.key.server, printable(&it.key.name))).collect();
            return Err(CliError::new(Exit::Refused, format!("{text} means several sessions"))
                .hint(format!("say which one: {}", names.join(", "))));
        }
        keys.extend(found.into_iter().map(|session| session.key.clone()));
    }
    Ok(keys)
}

/// The one session that a REF means.
fn only(lead: &Lead, reference: &str) -> Result<SessionKey, CliError> {
    let mut keys = lead.request.only.iter().flatten();
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key.clone()),
        _ => Err(CliError::new(Exit::Refused, format!("{reference} means several sessions")).hint("name one of them")),
    }
}

/// The permission of the manifest, and what it would run.
fn permission(lead: &Lead, manifest: &Manifest) -> Result<(PermissionFile, Vec<String>), CliError> {
    let resolved = ManifestFile::open(&lead.request.pass.manifest)?.resolved()?;
    Ok((PermissionFile::new(&lead.request.pass.state_home, &resolved), lead::scope_of(manifest)))
}

/// Asks on a terminal; elsewhere `--yes` has to be there.
pub(crate) fn confirm(question: &str, yes: bool, context: &Context) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if context.out.keeps(question) {
        return Err(CliError::new(Exit::Refused, "not confirmed; nothing was done"));
    }
    if !can_be_asked() {
        return Err(CliError::new(Exit::Refused, "nobody is here to be asked").hint("`--yes` does it without asking"));
    }
    context.out.stderr(&format!("{question}{QUESTION}"));
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::new(Exit::Refused, "not confirmed; nothing was done")),
    }
}

/// Looks at what there is to do.
fn plan(lead: &Lead, context: &Context) -> Result<Planned, CliError> {
    signals::end_on_interrupt();
    shown(lead::plan(&lead.world, &lead.request), context)
}

/// The same where a multiplexer may be busy.
fn plan_patiently(lead: &Lead, context: &Context) -> Result<Planned, CliError> {
    signals::end_on_interrupt();
    shown(lead::plan_patiently(&lead.world, &lead.request), context)
}

/// The same for what is to be acted on: what may only just be starting is waited for.
fn plan_to_act(lead: &Lead, context: &Context) -> Result<Planned, CliError> {
    signals::end_on_interrupt();
    let mut told = |key: &SessionKey| {
        if context.out.look.tty {
            let session = printable(&key.to_string()).into_owned();
            context.out.stderr(&format!("  {session} may only just be starting; headcount looks again …\n"));
        }
    };
    shown(lead::plan_to_act(&lead.world, &lead.request, &mut told), context)
}

fn shown(planned: Result<Planned, LeadError>, context: &Context) -> Result<Planned, CliError> {
    let planned = planned.map_err(|error| failed(error, context))?;
    for note in planned.pass.notes() {
        context.out.note(note);
    }
    Ok(planned)
}

fn failed(error: LeadError, context: &Context) -> CliError {
    match error {
        LeadError::Pass(error) => CliError::from_pass(error, context.out.color_errors),
        LeadError::Operation(error) => {
            let exit = if error.is_busy() { Exit::Busy } else { Exit::Failure };
            let told = CliError::caused_by(exit, &error);
            told.hint("headcount starts nothing without knowing what it did before; move the file away to begin anew")
        }
    }
}

/// Does what was planned, tells of each operation as it ends, and gives the exit code.
fn carry_out(lead: &Lead, planned: &Planned, format: Option<Format>, context: &Context) -> Result<Exit, CliError> {
    tell_of(planned, format, context, |tell| lead::carry_out(&lead.world, &lead.request, planned, tell))
}

/// What is told while operations go on.
type Tell<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

/// Tells of operations while somebody carries them out, and of all of them at the end; gives the exit code.
fn tell_of(
    planned: &Planned,
    format: Option<Format>,
    context: &Context,
    act: impl FnOnce(Tell<'_>) -> Vec<OperationReport>,
) -> Result<Exit, CliError> {
    told(planned, format, context, act).map(|operations| exit(&operations, false))
}

/// The same, with what became of each.
fn told(
    planned: &Planned,
    format: Option<Format>,
    context: &Context,
    act: impl FnOnce(Tell<'_>) -> Vec<OperationReport>,
) -> Result<Vec<OperationReport>, CliError> {
    // From here on an interrupt would leave an operation open; the next command would find it, but nobody would be told now.
    let failure: Mutex<Option<CliError>> = Mutex::new(None);
    let keep = |told: Result<(), CliError>| {
        if let Err(error) = told {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    };
    let look = &context.out.look;
    let tell = |progress: Progress<'_>| match progress {
        Progress::Begun { session, action } if look.tty && format.is_none() => {
            context.out.stderr(&format!("  {} {} …\n", action.as_str(), printable(&session.to_string())));
        }
        Progress::Begun { .. } => {}
        Progress::Ended(report) if format.is_none() => keep(context.out.answer(&render::operation(report, look))),
        Progress::Ended(_) => {}
        Progress::Note(note) => context.out.note(note),
    };
    let operations = act(&tell);
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let Some(format) = format else {
        context.out.answer(&render::count(&operations))?;
        return Ok(operations);
    };
    let manifest = planned.pass.report.manifest.clone();
    let report = ApplyReport { schema: REPORT_SCHEMA.to_owned(), manifest, operations };
    print_document(&report, format, context)?;
    Ok(report.operations)
}

/// 1 if something failed or could not be verified, else 3 or 75 if something was refused. `tries`: what cannot be told is left out of
/// what is asked for as a whole, and is 4.
fn exit(reports: &[OperationReport], tries: bool) -> Exit {
    let has = |is: &dyn Fn(&OperationReport) -> bool| reports.iter().any(is);
    let is_refused = |report: &OperationReport| report.outcome == Outcome::Refused;
    let is_waiting = |report: &OperationReport| matches!(report.code, Some(BlockCode::Busy | BlockCode::Working));
    let is_unknown = |report: &OperationReport| tries && report.code == Some(BlockCode::Unknown);
    if has(&|report| matches!(report.outcome, Outcome::Failed | Outcome::Unverified)) {
        Exit::Failure
    } else if has(&|report| is_refused(report) && !is_waiting(report) && !is_unknown(report)) {
        Exit::Refused
    } else if has(&|report| is_refused(report) && is_waiting(report)) {
        Exit::Busy
    } else if has(&|report| is_refused(report)) {
        Exit::Unknown
    } else {
        Exit::Done
    }
}

/// The directory of a path as it is written into a manifest.
pub(crate) fn absolute(path: &std::path::Path) -> Result<PathBuf, CliError> {
    path.canonicalize()
        .map_err(|error| CliError::new(Exit::Failure, format!("cannot use the directory {}: {error}", path.display())))
}

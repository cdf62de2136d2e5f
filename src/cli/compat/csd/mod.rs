//! claude-session-driver (csd), version 4.0.1: its command and its hook. Owns which of its commands is which, and how each ends.

mod args;
mod emit;
mod files;
mod launch;
mod recover;
mod roll;
mod talk;
mod texts;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use super::FrontEnd;
use crate::cli::{run_pass, signals};
use crate::control::lead::workers::WorkerFleet;
use crate::core::fact::Fact;
use crate::core::ids::AgentKind;
use crate::core::lead::LeadProfile;
use args::{CsdCommand, WorkerVerb};
pub(super) use emit::tell;
pub(super) use files::place;
use files::{WorkerMeta, Workers};

/// The command.
pub(super) const CSD: FrontEnd = FrontEnd { links: &["csd"], also: |_| false, run: |_, arguments| run(arguments) };

/// The hook, which agents run at each of their events.
pub(super) const EMIT_EVENT: FrontEnd = FrontEnd {
    links: &["emit-event"],
    also: |_| false,
    run: |_, _| {
        emit::run();
        0
    },
};

/// How a command ends that does not do what it was asked.
#[derive(Debug)]
struct Failure {
    code: u8,
    /// What is told on stderr.
    text: String,
}

impl Failure {
    /// A failure in the words of csd.
    fn new(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    /// The same where csd puts a word in front.
    fn error(text: impl std::fmt::Display) -> Self {
        Self::new(format!("Error: {text}"))
    }
}

/// An exit code that only who asked for it gets; everybody else gets 1.
fn extended(code: u8) -> u8 {
    if std::env::var("HEADCOUNT_CSD_EXIT").is_ok_and(|form| form == "extended") { code } else { 1 }
}

/// What a command prints on stdout.
type Answer = Result<String, Failure>;

fn run(arguments: &[OsString]) -> u8 {
    signals::end_on_interrupt();
    let words: Result<Vec<String>, OsString> = arguments.iter().map(|word| word.clone().into_string()).collect();
    let answer = match words {
        Err(_) => Err(Failure { code: 2, text: "Error: an argument is not UTF-8".to_owned() }),
        Ok(words) => match args::parse(&words) {
            Err(text) => Err(Failure { code: 2, text }),
            Ok(command) => carry_out(command),
        },
    };
    match answer {
        Ok(text) => {
            say(&text);
            0
        }
        Err(failure) => {
            note(&failure.text);
            failure.code
        }
    }
}

fn carry_out(command: CsdCommand) -> Answer {
    if command == CsdCommand::Help {
        return Ok(texts::USAGE.to_owned());
    }
    if command == CsdCommand::GrantConsent {
        return launch::grant_consent();
    }
    let csd = Csd::begin()?;
    match command {
        CsdCommand::Help | CsdCommand::GrantConsent => Ok(String::new()),
        CsdCommand::Launch { harness, name, cwd, args } => launch::launch(&csd, &harness, (&name, &cwd), args),
        CsdCommand::Adopt { name, cwd, id, args } => launch::adopt(&csd, (&name, &cwd, &id), args),
        CsdCommand::List { all, pattern } => roll::list(&csd, all, pattern.as_deref()),
        CsdCommand::Prune => roll::prune(&csd),
        CsdCommand::Recover { snapshot, execute } => recover::recover(&csd, snapshot.as_deref(), execute),
        CsdCommand::Worker(worker, verb) => {
            let worker = csd.worker(&worker)?;
            match verb {
                WorkerVerb::Converse { with_turn, prompt, patience } => {
                    talk::converse(&csd, &worker, (&prompt, patience), with_turn)
                }
                WorkerVerb::Send(prompt) => talk::send(&csd, &worker, &prompt),
                WorkerVerb::WaitForTurn { patience, after } => talk::wait_for_turn(&csd, &worker, patience, after),
                WorkerVerb::Status => roll::status(&csd, &worker),
                WorkerVerb::ReadEvents { last, kind, follow } => {
                    talk::read_events(&csd, &worker, (last, kind.as_deref()), follow)
                }
                WorkerVerb::ReadTurn { full } => talk::read_turn(&csd, &worker, full),
                WorkerVerb::Stop => roll::stop(&csd, &worker),
                WorkerVerb::Handoff => Ok(roll::handoff(&worker)),
                WorkerVerb::SessionId => worker.id().map(str::to_owned),
                WorkerVerb::EventsFile => Ok(csd.workers.events_file(worker.id()?).display().to_string()),
            }
        }
    }
}

/// Prints an answer, which gets one line end; an empty one is nothing.
fn say(text: &str) {
    if !text.is_empty() {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(format!("{text}\n").as_bytes()).and_then(|()| stdout.flush());
    }
}

/// The same on stderr.
fn note(text: &str) {
    if !text.is_empty() {
        let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
    }
}

/// What every command needs.
struct Csd {
    workers: Workers,
    /// How csd is called.
    path: String,
}

/// A worker.
struct Worker {
    name: String,
    harness: String,
    meta: Option<WorkerMeta>,
}

impl Worker {
    /// The id of its conversation.
    fn id(&self) -> Result<&str, Failure> {
        let id = self.meta.as_ref().map(|meta| meta.session_id.as_str());
        id.ok_or_else(|| Failure::error(format!("worker '{}' has not registered yet", self.name)))
    }

    /// The agent that runs in it.
    fn agent(&self) -> AgentKind {
        agent(&self.harness).unwrap_or(AgentKind::Claude)
    }
}

/// The agent that a harness of csd is.
fn agent(harness: &str) -> Option<AgentKind> {
    match harness {
        "claude" => Some(AgentKind::Claude),
        "codex" => Some(AgentKind::Codex),
        "pi" => Some(AgentKind::Pi),
        _ => None,
    }
}

impl Csd {
    fn begin() -> Result<Self, Failure> {
        let workers = Workers::of_environment().map_err(Failure::error)?;
        let called = || std::env::args().next().unwrap_or_else(|| "csd".to_owned());
        let path = std::env::var("CSD_PATH").ok().filter(|path| !path.is_empty()).unwrap_or_else(called);
        Ok(Self { workers, path })
    }

    /// The engine's side.
    fn fleet(&self) -> Result<WorkerFleet, Failure> {
        run_pass::workers(LeadProfile::CSD).map_err(Failure::error)
    }

    /// The worker of a name or an id.
    fn worker(&self, word: &str) -> Result<Worker, Failure> {
        let by_id = self.workers.meta(word);
        let by_name = || self.workers.metas().into_iter().find(|meta| meta.tmux_name == word);
        if let Some(meta) = by_id.or_else(by_name) {
            let harness = meta.harness.clone().unwrap_or_else(|| "claude".to_owned());
            return Ok(Worker { name: meta.tmux_name.clone(), harness, meta: Some(meta) });
        }
        if self.workers.events(word).is_some() {
            return Err(Failure::error(format!("no meta found for worker '{word}' (sid: {word})")));
        }
        match self.workers.harness(word) {
            Some(harness) => Ok(Worker { name: word.to_owned(), harness, meta: None }),
            None => Err(Failure::error(format!("no worker known as '{word}'"))),
        }
    }

    /// The same worker as it is known by now.
    fn again(&self, worker: &Worker) -> Option<Worker> {
        self.worker(&worker.name).ok()
    }
}

/// Whether tmux has the session of a worker.
fn is_there(fleet: &WorkerFleet, name: &str) -> Fact<()> {
    match fleet.names() {
        Fact::Seen(names) if fleet.key(name).names().any(|name| names.contains(name.as_ref())) => Fact::Seen(()),
        Fact::Seen(_) | Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// The directory as its owner sees it, links resolved.
fn directory(cwd: &str) -> Result<String, Failure> {
    let missing = || Failure::error(format!("cwd '{cwd}' does not exist"));
    let real = Path::new(cwd).canonicalize().ok().filter(|real| real.is_dir()).ok_or_else(missing)?;
    real.into_os_string().into_string().map_err(|_| Failure::error(format!("cwd '{cwd}' is not UTF-8")))
}

//! Beginning workers: `grant-consent`, `launch`, `adopt`, and `recover`, which adopts all that are gone.

use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::{Map, Value, json};

use super::files::{WorkerEvent, WorkerMeta, is_plain, stamp};
use super::texts::{self, Panel};
use super::{Answer, Csd, Failure, agent, directory, is_there, note};
use crate::control::lead::workers::WorkerFleet;
use crate::control::lead::{FrontRequest, HeardCheck, launcher, new_id};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::{OperationReport, Outcome};
use crate::core::manifest::lead::is_not_for_workers;

/// How long a worker may take to tell of its start.
const STARTS: Duration = Duration::from_secs(30);

/// Where a person's home is.
fn home() -> Result<PathBuf, Failure> {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    home.ok_or_else(|| Failure::error("HOME is not set"))
}

fn consent_file() -> Result<PathBuf, Failure> {
    Ok(home()?.join(".claude/.claude-session-driver-consent"))
}

/// Asks for the consent, and writes it down.
pub(super) fn grant_consent() -> Answer {
    let path = consent_file()?;
    if path.is_file() {
        return Ok(format!("Consent already granted at {}", path.display()));
    }
    let _ = std::io::stderr().write_all(texts::CONSENT.as_bytes());
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    if line.trim() != "yes" {
        return Err(Failure::new("Consent not granted."));
    }
    let write = || -> std::io::Result<()> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, format!("{}\n", stamp(Utc::now())))
    };
    write().map_err(|error| Failure::error(format!("cannot write {}: {error}", path.display())))?;
    Ok(format!("Consent granted. Written: {}", path.display()))
}

fn consented(csd: &Csd) -> Result<(), Failure> {
    if consent_file()?.is_file() { Ok(()) } else { Err(Failure::new(texts::no_consent(&csd.path))) }
}

/// A worker that is about to begin.
struct Beginning<'a> {
    name: &'a str,
    cwd: &'a str,
    harness: &'a str,
    agent: AgentKind,
    /// The id of its conversation, where that is known before.
    id: Option<String>,
    /// What csd was called with.
    words: Vec<String>,
    args: Vec<String>,
}

/// Launches a worker in a new conversation.
pub(super) fn launch(csd: &Csd, harness: &str, (name, cwd): (&str, &str), args: Vec<String>) -> Answer {
    let agent =
        agent(harness).ok_or_else(|| Failure::error(format!("Unknown harness '{harness}'. Available: claude, codex, pi")))?;
    plain(name)?;
    let cwd = directory(cwd)?;
    consented(csd)?;
    let fleet = csd.fleet()?;
    match is_there(&fleet, name) {
        Fact::Absent => {}
        Fact::Seen(()) => return Err(Failure::error(format!("tmux session '{name}' already exists"))),
        Fact::Unknown(why) => return Err(Failure::error(format!("whether tmux session '{name}' exists is unknown: {why}"))),
    }
    csd.workers.prepare().map_err(Failure::error)?;
    let id = (agent == AgentKind::Claude).then(new_id).flatten().map(|id| id.as_str().to_owned());
    let mut words = vec!["launch".to_owned()];
    if agent != AgentKind::Claude {
        words.extend(["--harness".to_owned(), harness.to_owned()]);
    }
    words.extend([name.to_owned(), cwd.clone()]);
    let beginning = Beginning { name, cwd: &cwd, harness, agent, id, words: with_args(words, &args), args };
    begin(csd, &fleet, &beginning, "Worker launched.", true)
}

/// Starts a worker that goes on in a conversation of Claude Code.
pub(super) fn adopt(csd: &Csd, (name, cwd, id): (&str, &str, &str), args: Vec<String>) -> Answer {
    plain(name)?;
    let cwd = directory(cwd)?;
    let is_hex = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    if !(id.len() >= 8 && id.starts_with(|c: char| c.is_ascii_hexdigit()) && id.bytes().all(is_hex)) {
        return Err(Failure::error(format!("'{id}' does not look like a Claude session id")));
    }
    consented(csd)?;
    if let Ok(worker) = csd.worker(name)
        && worker.harness != "claude"
    {
        return Err(Failure::error(format!("'{name}' is a {} worker; adopt is claude-only", worker.harness)));
    }
    let fleet = csd.fleet()?;
    let is_spoken = fleet.last_turn(AgentKind::Claude, id, None).seen().is_some();
    let expected = transcript(&cwd, id).unwrap_or_default();
    if !is_spoken && !Path::new(&expected).exists() {
        if home()?.join(".claude/projects").is_dir() {
            return Err(Failure::error(format!(
                "no transcript found for session '{id}' under {cwd} (expected {expected}); nothing was started"
            )));
        }
        note(&format!("Warning: no transcript found for session '{id}'; the worker begins it anew under that id"));
    }
    let head = match is_there(&fleet, name) {
        Fact::Seen(()) => "Worker adopted (respawned existing pane).",
        Fact::Absent => "Worker adopted (opened new pane).",
        Fact::Unknown(why) => return Err(Failure::error(format!("whether tmux session '{name}' exists is unknown: {why}"))),
    };
    csd.workers.prepare().map_err(Failure::error)?;
    let words = ["adopt", name, &cwd, id].map(str::to_owned).into();
    let beginning = Beginning {
        name,
        cwd: &cwd,
        harness: "claude",
        agent: AgentKind::Claude,
        id: Some(id.to_owned()),
        words: with_args(words, &args),
        args,
    };
    begin(csd, &fleet, &beginning, head, !is_spoken)
}

fn plain(name: &str) -> Result<(), Failure> {
    if is_plain(name) {
        Ok(())
    } else {
        Err(Failure::error(format!("'{name}' is no name for a worker: use A-Z a-z 0-9 . _ -")))
    }
}

pub(super) fn with_args(mut words: Vec<String>, args: &[String]) -> Vec<String> {
    if !args.is_empty() {
        words.push("--".to_owned());
        words.extend_from_slice(args);
    }
    words
}

/// Begins a worker, and waits until it has told of that.
fn begin(csd: &Csd, fleet: &WorkerFleet, it: &Beginning<'_>, head: &str, is_fresh: bool) -> Answer {
    if let Some(word) = it.args.iter().find(|word| is_not_for_workers(it.agent, word)) {
        let why = "a worker is in a terminal, and csd says in which conversation";
        return Err(Failure::error(format!("'{word}' is not for the arguments of a worker: {why}")));
    }
    let begun = Instant::now();
    let heard = heard(csd, it);
    let front = FrontRequest {
        conversation: it.id.clone().filter(|_| is_fresh).map(ConversationId),
        arguments: it.args.clone(),
        told: Some(csd.workers.directory().to_owned()),
        heard: Some(heard.clone()),
        ..FrontRequest::default()
    };
    let started =
        entry(csd, it, is_fresh).and_then(|entry| fleet.start(it.name, &entry, is_fresh, front, &|| write_files(csd, it)));
    let failed = match started {
        Ok(report) if report.outcome == Outcome::Done => {
            // Codex tells of its start with its first prompt.
            let is_told = it.agent == AgentKind::Codex || until(begun + STARTS, &heard);
            if is_told { None } else { Some((true, "its hook has not told of its start".to_owned(), fleet.screen(it.name))) }
        }
        Ok(report) => Some(why(report)),
        Err(why) => Some((false, why, None)),
    };
    if let Some((is_begun, why, screen)) = failed {
        // What was not begun here is not ended here.
        if is_begun && let Err(why) = fleet.end(it.name, !is_fresh) {
            note(&format!("Note: session '{}' may still be there: {why}", it.name));
        }
        if is_begun {
            csd.workers.remove(it.name);
        }
        return Err(Failure::new(texts::failed_start(&why, screen.as_deref())));
    }
    let meta = csd.workers.metas().into_iter().find(|meta| meta.tmux_name == it.name);
    let later = "(derive — minted by the harness on registration)";
    let events = meta.as_ref().map(|meta| csd.workers.events_file(&meta.session_id).display().to_string());
    let events = events.unwrap_or_else(|| later.to_owned());
    let id = meta.map_or_else(|| later.to_owned(), |meta| meta.session_id);
    let reproduce = [&[csd.path.clone()][..], &it.words].concat();
    let panel = Panel { head, name: it.name, id: &id, cwd: it.cwd, events: &events, reproduce: &reproduce };
    note(&texts::panel(&panel));
    Ok(csd.workers.shim(it.name).display().to_string())
}

/// What is known of a worker is written before it begins: its hook passes over what is not known.
fn write_files(csd: &Csd, it: &Beginning<'_>) -> Result<(), String> {
    let write = || {
        csd.workers.remove_files(it.name);
        match &it.id {
            Some(id) => csd.workers.begin_events(id).and_then(|()| {
                csd.workers.write_meta(&WorkerMeta {
                    tmux_name: it.name.to_owned(),
                    session_id: id.clone(),
                    cwd: it.cwd.to_owned(),
                    harness: Some(it.harness.to_owned()),
                    transcript_path: None,
                    started_at: Some(stamp(Utc::now())),
                    invocation: Some(it.words.clone()),
                })
            })?,
            None => csd.workers.write_harness(it.name, it.harness)?,
        }
        csd.workers.write_shim(it.name, &launcher().map_err(std::io::Error::other)?)
    };
    write().map_err(|error| format!("cannot write into {}: {error}", csd.workers.directory().display()))
}

/// Whether something runs that was begun, why it does not count, and what it showed last.
fn why(report: OperationReport) -> (bool, String, Option<String>) {
    let is_begun = matches!(report.outcome, Outcome::Failed | Outcome::Unverified);
    let why = match report.outcome {
        Outcome::Skipped => "a live agent is in it already".to_owned(),
        _ => report.why.unwrap_or_else(|| "its agent was not ready".to_owned()),
    };
    (is_begun, why, report.screen_tail)
}

/// What tells that a worker has begun: an event of that, or its registration.
fn heard(csd: &Csd, it: &Beginning<'_>) -> HeardCheck {
    let (workers, name, id) = (csd.workers.clone(), it.name.to_owned(), it.id.clone());
    HeardCheck::new(move || match &id {
        Some(id) => {
            let events = workers.events(id).unwrap_or_default();
            events.iter().any(|line| WorkerEvent::of_line(line) == Some(WorkerEvent::SessionStart))
        }
        None => workers.metas().iter().any(|meta| meta.tmux_name == name),
    })
}

fn until(end: Instant, heard: &HeardCheck) -> bool {
    loop {
        if heard.is_so() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Variables that a server of tmux may still have from another provider; what the caller has of them counts.
const PROVIDERS: [&str; 6] = [
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
    "CLAUDE_CODE_USE_MANTLE",
];

/// The entry of a worker.
fn entry(csd: &Csd, it: &Beginning<'_>, is_fresh: bool) -> Result<Value, String> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut env = Map::new();
    env.insert("CSD_WORKER_DIR".to_owned(), json!(csd.workers.directory()));
    env.insert("CSD_TMUX_NAME".to_owned(), json!(it.name));
    let mut entry = Map::new();
    let mut args: Vec<String> = Vec::new();
    match it.agent {
        AgentKind::Codex => drop(env.insert("CODEX_HOME".to_owned(), json!(codex_home(csd, it)?))),
        AgentKind::Pi => {
            env.insert("PI_CODING_AGENT_DIR".to_owned(), json!(pi_home(csd, it)?));
            for (flag, name) in [("--model", "CSD_PI_MODEL"), ("--provider", "CSD_PI_PROVIDER")] {
                args.extend(variable(name).into_iter().flat_map(|value| [flag.to_owned(), value]));
            }
        }
        _ => {
            env.extend(PROVIDERS.iter().filter(|name| variable(name).is_none()).map(|name| ((*name).to_owned(), json!(""))));
            let settings = json!({ "skipDangerousModePermissionPrompt": true }).to_string();
            args.extend(["--settings".to_owned(), settings, "--disallowed-tools".to_owned(), "AskUserQuestion".to_owned()]);
            args.extend(variable("CSD_CLAUDE_MODEL").into_iter().flat_map(|model| ["--model".to_owned(), model]));
            entry.insert("trust".to_owned(), json!(true));
        }
    }
    if let Some(program) = variable(&format!("CSD_{}_BIN", it.harness.to_uppercase())) {
        entry.insert("command".to_owned(), json!([program]));
    }
    if let Some(id) = it.id.as_ref().filter(|_| !is_fresh) {
        entry.insert("session_id".to_owned(), json!(id));
    }
    entry.extend([
        ("name".to_owned(), json!(it.name)),
        ("agent".to_owned(), json!(it.harness)),
        ("cwd".to_owned(), json!(it.cwd)),
        ("permissions".to_owned(), json!("bypass")),
        ("args".to_owned(), json!(args)),
        ("env".to_owned(), Value::Object(env)),
    ]);
    Ok(Value::Object(entry))
}

/// A home of its own for a worker, with copies of what its agent has to have.
fn own_home(csd: &Csd, it: &Beginning<'_>, from: &Path, files: &[&str]) -> Result<PathBuf, String> {
    use std::os::unix::fs::DirBuilderExt as _;
    let own = csd.workers.homes().join(it.name);
    let fail = |error: std::io::Error| format!("cannot make {}: {error}", own.display());
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&own).map_err(fail)?;
    for file in files {
        match std::fs::copy(from.join(file), own.join(file)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
    }
    Ok(own)
}

fn codex_home(csd: &Csd, it: &Beginning<'_>) -> Result<PathBuf, String> {
    let from = std::env::var_os("CODEX_HOME").map(PathBuf::from).or_else(|| Some(home().ok()?.join(".codex")));
    let own = own_home(csd, it, &from.unwrap_or_default(), &["auth.json"])?;
    let model = std::env::var("CSD_CODEX_MODEL").ok().filter(|model| !model.is_empty()).unwrap_or_else(|| "gpt-5.5".to_owned());
    // Strings of JSON are strings of TOML.
    let [model, cwd] = [model.as_str(), it.cwd].map(|text| json!(text).to_string());
    let config = format!("model = {model}\nmodel_reasoning_effort = \"low\"\n\n[projects.{cwd}]\ntrust_level = \"trusted\"\n");
    let path = own.join("config.toml");
    std::fs::write(&path, config).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(own)
}

fn pi_home(csd: &Csd, it: &Beginning<'_>) -> Result<PathBuf, String> {
    let from = std::env::var_os("PI_CODING_AGENT_DIR").map(PathBuf::from).or_else(|| Some(home().ok()?.join(".pi/agent")));
    own_home(csd, it, &from.unwrap_or_default(), &["auth.json", "models.json", "settings.json"])
}

/// Where csd expects the transcript of a conversation of Claude Code.
pub(super) fn transcript(cwd: &str, id: &str) -> Option<String> {
    let name: String = cwd.chars().map(|c| if matches!(c, '/' | '.' | '_' | ':') { '-' } else { c }).collect();
    Some(home().ok()?.join(".claude/projects").join(name).join(format!("{id}.jsonl")).display().to_string())
}

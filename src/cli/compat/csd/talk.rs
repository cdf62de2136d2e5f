//! Talking with a worker: `send`, `converse`, `wait-for-turn`, `read-events`, `read-turn`.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::args::Patience;
use super::files::WorkerEvent;
use super::{Answer, Csd, Failure, Worker, extended, is_there, note, say, texts};
use crate::control::lead::workers::WorkerFleet;
use crate::control::lead::{HeardCheck, TypedText};
use crate::core::fact::Fact;
use crate::core::lead::BlockCode;
use crate::core::lead::send::{AskEnd, SendOutcome, SendReceipt};
use crate::core::lead::turns::{Turn, TurnEnd};

/// How a wait in vain, and a turn that failed, end where that was asked for.
const LATE: u8 = 124;
const FAILED: u8 = 3;
/// How often events are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often a transcript is looked at for an answer that its hook has announced, and how often at most.
const LOOKS_AT_ANSWER: u32 = 20;

/// Seconds as a variable says them.
fn variable(name: &str, usual: f64) -> Duration {
    let said = std::env::var(name).ok().and_then(|text| text.parse::<f64>().ok());
    Duration::from_secs_f64(said.filter(|seconds| (0.0..=1e6).contains(seconds)).unwrap_or(usual))
}

/// What is typed of a prompt.
fn typed(prompt: &str) -> String {
    prompt.replace("\u{1b}[200~", "").replace("\u{1b}[201~", "").trim_end_matches(['\n', '\r']).to_owned()
}

/// How many lines there are in the events of a worker.
fn lines(csd: &Csd, worker: &Worker) -> usize {
    worker.meta.as_ref().and_then(|meta| csd.workers.events(&meta.session_id)).map_or(0, |events| events.len())
}

/// What tells that a prompt was taken: an event of that after these lines, or the registration of a worker that had none.
fn heard(csd: &Csd, worker: &Worker, after: usize) -> HeardCheck {
    let (workers, name, id) = (csd.workers.clone(), worker.name.clone(), worker.meta.as_ref().map(|it| it.session_id.clone()));
    HeardCheck::new(move || match &id {
        Some(id) => {
            let events = workers.events(id).unwrap_or_default();
            events.iter().skip(after).any(|line| WorkerEvent::of_line(line) == Some(WorkerEvent::UserPromptSubmit))
        }
        None => workers.metas().iter().any(|meta| meta.tmux_name == name),
    })
}

/// The worker's session has to be there.
fn present(fleet: &WorkerFleet, worker: &Worker) -> Result<(), Failure> {
    match is_there(fleet, &worker.name) {
        Fact::Seen(()) => Ok(()),
        Fact::Absent => Err(Failure::error(format!("tmux session '{}' does not exist", worker.name))),
        Fact::Unknown(why) => Err(Failure::error(format!("whether tmux session '{}' exists is unknown: {why}", worker.name))),
    }
}

/// Gives a worker that another csd has launched an entry, by which the engine knows it.
pub(super) fn known(fleet: &WorkerFleet, worker: &Worker) -> Result<(), Failure> {
    let Some(meta) = &worker.meta else { return Ok(()) };
    let entry = serde_json::json!({
        "name": worker.name, "agent": worker.agent().as_str(), "cwd": meta.cwd, "session_id": meta.session_id,
    });
    fleet.declare(&worker.name, &entry).map_err(Failure::error)
}

/// Sends a prompt, and ends once it was taken.
pub(super) fn send(csd: &Csd, worker: &Worker, prompt: &str) -> Answer {
    let fleet = csd.fleet()?;
    present(&fleet, worker)?;
    known(&fleet, worker)?;
    submit(csd, &fleet, worker, prompt)?;
    registered(csd, worker)?;
    Ok(String::new())
}

/// Sends it; tells of one that was queued.
fn submit(csd: &Csd, fleet: &WorkerFleet, worker: &Worker, prompt: &str) -> Result<(), Failure> {
    let most = variable("CSD_SUBMIT_TIMEOUT", 10.0);
    let how =
        TypedText { heard: heard(csd, worker, lines(csd, worker)), every: variable("CSD_SUBMIT_RETRY_INTERVAL", 2.0), most };
    let receipt = fleet.send(&worker.name, worker.agent(), &typed(prompt), &how).map_err(Failure::error)?;
    taken(&receipt, worker, most)
}

/// What a receipt says to whoever has sent.
fn taken(receipt: &SendReceipt, worker: &Worker, most: Duration) -> Result<(), Failure> {
    let message = &receipt.message;
    match receipt.outcome {
        SendOutcome::Delivered | SendOutcome::Rejected => Ok(()),
        SendOutcome::Queued => {
            note(&format!("Note: worker '{}' is mid-turn, so the prompt was queued", worker.name));
            Ok(())
        }
        SendOutcome::Unverified | SendOutcome::Staged => Err(Failure::error(format!(
            "prompt pasted but worker did not confirm submission within {} (issue #20): {message}. \
             If the worker is slow, raise CSD_SUBMIT_TIMEOUT",
            texts::seconds(most.as_secs_f64())
        ))),
        _ => Err(Failure::error(format!("nothing was typed to worker '{}': {message}", worker.name))),
    }
}

/// The worker once it has an id: one of Codex registers itself by its first prompt.
fn registered(csd: &Csd, worker: &Worker) -> Result<Worker, Failure> {
    let (most, begun) = (variable("CSD_REGISTER_TIMEOUT", 15.0), Instant::now());
    loop {
        if let Some(worker) = csd.again(worker).filter(|worker| worker.meta.is_some()) {
            return Ok(worker);
        }
        if begun.elapsed() >= most {
            let (name, seconds) = (&worker.name, texts::seconds(most.as_secs_f64()));
            let why =
                format!("worker '{name}' did not register within {seconds} ({} did not emit SessionStart)", worker.harness);
            return Err(Failure::error(why));
        }
        std::thread::sleep(LOOK);
    }
}

/// Sends a prompt and prints the answer.
pub(super) fn converse(csd: &Csd, worker: &Worker, (prompt, patience): (&str, Patience), with_turn: bool) -> Answer {
    let fleet = csd.fleet()?;
    present(&fleet, worker)?;
    known(&fleet, worker)?;
    let wait = Wait::begin(patience);
    let late = |is_silent| {
        let text = wait.why(is_silent, || format!("Worker did not finish within {}", texts::seconds(patience.timeout)));
        Failure { code: extended(LATE), ..diagnosed(csd, &fleet, worker, "wait_for_turn_timeout", text) }
    };
    let silent =
        || diagnosed(csd, &fleet, worker, "no_assistant_response", "Timed out waiting for assistant response".to_owned());
    let answer = |turn: Option<&Turn>, text: &str| match (text.trim(), turn) {
        ("", _) => Err(silent()),
        (_, Some(turn)) if with_turn => Ok(texts::turn(turn, false)),
        (text, _) => Ok(text.to_owned()),
    };
    loop {
        let left = wait.until.saturating_duration_since(Instant::now());
        let left = patience.idle.map_or(left, |idle| left.min(Duration::from_secs_f64(idle)));
        let after = lines(csd, worker);
        let report = fleet.ask(&worker.name, worker.agent(), &typed(prompt), left).map_err(Failure::error)?;
        let is_busy = matches!(report.receipt.code, Some(BlockCode::Working | BlockCode::Busy));
        return match report.end {
            AskEnd::Answered => answer(report.turn.as_ref(), report.answer.as_deref().unwrap_or_default()),
            AskEnd::TimedOut if patience.idle.is_some() && worker.meta.is_some() => {
                await_turn(csd, worker, &wait, Some(after)).map_err(|waited| late(waited.is_silent))?;
                let turn = answered(&fleet, worker, prompt).ok_or_else(&silent)?;
                answer(Some(&turn), &turn.text)
            }
            AskEnd::TimedOut => Err(late(Instant::now() < wait.until)),
            AskEnd::NotDelivered if report.receipt.code == Some(BlockCode::NoAgent) => {
                submit(csd, &fleet, worker, prompt)?;
                let worker = registered(csd, worker)?;
                await_turn(csd, &worker, &wait, Some(after)).map_err(|waited| late(waited.is_silent))?;
                let turn = answered(&fleet, &worker, prompt).ok_or_else(&silent)?;
                answer(Some(&turn), &turn.text)
            }
            // Its turn goes on; nothing was typed.
            AskEnd::NotDelivered if report.receipt.outcome == SendOutcome::Held && is_busy => {
                let is_silent = worker.id().is_ok_and(|id| wait.is_silent(&csd.workers.events_file(id)));
                if is_silent || Instant::now() >= wait.until {
                    return Err(late(is_silent));
                }
                std::thread::sleep(LOOK);
                continue;
            }
            AskEnd::NotDelivered => {
                taken(&report.receipt, worker, variable("CSD_SUBMIT_TIMEOUT", 10.0))?;
                Err(late(false))
            }
            AskEnd::NeedsInput | AskEnd::Failed | AskEnd::Interrupted => {
                let code = if report.end == AskEnd::Failed { extended(FAILED) } else { 1 };
                Err(Failure { code, ..Failure::error(format!("worker '{}': {}", worker.name, report.message)) })
            }
        };
    }
}

/// The turn that answers a prompt, once its transcript holds all of it.
fn answered(fleet: &WorkerFleet, worker: &Worker, prompt: &str) -> Option<Turn> {
    let mut last = None;
    for _ in 0..LOOKS_AT_ANSWER {
        if let Some(turn) = turn_of(fleet, worker).into_seen() {
            let is_its = turn.prompt.as_deref().is_some_and(|it| it.trim() == typed(prompt).trim());
            if is_its && turn.end != TurnEnd::Open {
                return Some(turn);
            }
            last = Some(turn).filter(|turn| is_its && !turn.text.trim().is_empty());
        }
        std::thread::sleep(LOOK);
    }
    last
}

fn turn_of(fleet: &WorkerFleet, worker: &Worker) -> Fact<Turn> {
    let Some(meta) = &worker.meta else { return Fact::Absent };
    fleet.last_turn(worker.agent(), &meta.session_id, meta.transcript_path.as_deref().map(Path::new))
}

/// Writes down what there is to see of a turn that did not come, if somebody wants that.
fn diagnosed(csd: &Csd, fleet: &WorkerFleet, worker: &Worker, reason: &str, text: String) -> Failure {
    let Some(path) = std::env::var_os("CSD_CONVERSE_DIAG_FILE").filter(|path| !path.is_empty()) else {
        return Failure::new(text);
    };
    let id = worker.meta.as_ref().map_or("", |meta| meta.session_id.as_str());
    let tail = |lines: Vec<String>| lines[lines.len().saturating_sub(20)..].join("\n");
    let transcript = match turn_of(fleet, worker) {
        Fact::Seen(turn) => texts::turn(&turn, true),
        Fact::Absent => "(none)".to_owned(),
        Fact::Unknown(why) => why,
    };
    let written = format!(
        "=== csd converse diagnostic ===\nreason={reason}\nsession_id={id}\n--- ps -eo ---\n{}\n--- tmux capture-pane ---\n{}\n\
         --- claude session JSONL tail ---\n{transcript}\n--- csd events JSONL tail ---\n{}\n=== end csd diagnostic ===\n",
        fleet.processes(&worker.name).join("\n"),
        fleet.screen(&worker.name).unwrap_or_default(),
        tail(csd.workers.events(id).unwrap_or_default()),
    );
    let path = Path::new(&path);
    match std::fs::write(path, written) {
        Ok(()) => Failure::new(format!("{text}\ncsd-diagnostic: {}", path.display())),
        Err(error) => Failure::new(format!("{text}\ncsd-diagnostic: cannot write {}: {error}", path.display())),
    }
}

/// A wait: since when, until when, and how long the worker may be silent.
struct Wait {
    since: SystemTime,
    until: Instant,
    idle: Option<f64>,
}

impl Wait {
    fn begin(Patience { timeout, idle }: Patience) -> Self {
        Self { since: SystemTime::now(), until: Instant::now() + Duration::from_secs_f64(timeout), idle }
    }

    /// Whether a worker whose events are in this file has been silent for too long: any event counts.
    fn is_silent(&self, events: &Path) -> bool {
        let heard = events.metadata().and_then(|events| events.modified()).map_or(self.since, |heard| heard.max(self.since));
        self.idle.is_some_and(|idle| heard.elapsed().is_ok_and(|silent| silent.as_secs_f64() >= idle))
    }

    /// Why it was in vain; `late`: it was not because the worker was silent.
    fn why(&self, is_silent: bool, late: impl FnOnce() -> String) -> String {
        match self.idle.filter(|_| is_silent) {
            Some(idle) => format!("Timeout waiting for turn: no worker activity for {}", texts::seconds(idle)),
            None => late(),
        }
    }
}

/// A wait that was in vain, and how many lines were looked at.
struct Waited {
    is_file_there: bool,
    is_silent: bool,
    lines: usize,
}

/// Waits for the end of a turn, or of the worker; gives that line.
fn await_turn(csd: &Csd, worker: &Worker, wait: &Wait, after: Option<usize>) -> Result<String, Waited> {
    let id = worker.meta.as_ref().map_or("", |meta| meta.session_id.as_str());
    let first = csd.workers.events(id).unwrap_or_default();
    let kinds = || first.iter().filter_map(|line| WorkerEvent::of_line(line));
    let is_begun = kinds().any(|kind| matches!(kind, WorkerEvent::SessionStart | WorkerEvent::UserPromptSubmit));
    let is_over = kinds().next_back() == Some(WorkerEvent::SessionEnd);
    if let (None, true, Some(line)) = (after, is_over, first.last()) {
        return Ok(line.clone());
    }
    let from = after.unwrap_or(if is_begun { first.len() } else { 0 });
    loop {
        let events = csd.workers.events(id);
        let (is_file_there, events) = (events.is_some(), events.unwrap_or_default());
        let ends = |line: &&String| matches!(WorkerEvent::of_line(line), Some(WorkerEvent::Stop | WorkerEvent::SessionEnd));
        if let Some(line) = events.iter().skip(from).find(ends) {
            return Ok(line.clone());
        }
        let is_silent = wait.is_silent(&csd.workers.events_file(id));
        if is_silent || Instant::now() >= wait.until {
            return Err(Waited { is_file_there, is_silent, lines: events.len() });
        }
        std::thread::sleep(LOOK);
    }
}

/// Prints the event that ends the turn.
pub(super) fn wait_for_turn(csd: &Csd, worker: &Worker, patience: Patience, after: Option<usize>) -> Answer {
    let id = worker.id()?;
    let wait = Wait::begin(patience);
    await_turn(csd, worker, &wait, after).map_err(|waited| {
        if !waited.is_file_there {
            let path = csd.workers.events_file(id);
            return Failure::new(format!("Timeout waiting for event file: {}", path.display()));
        }
        let late = || format!("Timeout waiting for turn (stop or session_end) after {}", texts::seconds(patience.timeout));
        let text = wait.why(waited.is_silent, late);
        Failure { code: extended(LATE), text: format!("{text}\nretry_after_line: {}", waited.lines) }
    })
}

/// Prints events; follows them if asked to.
pub(super) fn read_events(csd: &Csd, worker: &Worker, (last, kind): (Option<i64>, Option<&str>), follow: bool) -> Answer {
    let id = worker.id()?;
    let missing = || Failure::error(format!("No event file for session {id}"));
    let all = csd.workers.events(id).ok_or_else(missing)?;
    let is_meant =
        |line: &&String| kind.is_none_or(|kind| WorkerEvent::of_line(line).is_some_and(|event| event.as_str() == kind));
    let mut shown: Vec<&String> = all.iter().filter(is_meant).collect();
    if let Some(last) = last {
        let last = usize::try_from(last).unwrap_or(0);
        shown.drain(..shown.len().saturating_sub(last));
    }
    let text = shown.into_iter().map(String::as_str).collect::<Vec<_>>().join("\n");
    if !follow {
        return Ok(text);
    }
    say(&text);
    let mut seen = all.len();
    loop {
        std::thread::sleep(LOOK);
        let all = csd.workers.events(id).unwrap_or_default();
        all.iter().skip(seen).filter(is_meant).for_each(|line| say(line));
        seen = all.len();
    }
}

/// Prints the last turn.
pub(super) fn read_turn(csd: &Csd, worker: &Worker, full: bool) -> Answer {
    let id = worker.id()?;
    let meta = worker.meta.as_ref();
    if meta.is_some_and(|meta| meta.cwd.is_empty() && meta.transcript_path.is_none()) {
        return Err(Failure::error("Could not determine working directory from meta file"));
    }
    let fleet = csd.fleet()?;
    let mut turn = turn_of(&fleet, worker);
    // A hook tells of the end of a turn a moment before its transcript holds the answer.
    let events = csd.workers.events(id).unwrap_or_default();
    let is_told = events.last().and_then(|line| WorkerEvent::of_line(line)) == Some(WorkerEvent::Stop);
    for _ in 0..LOOKS_AT_ANSWER {
        if !is_told || turn.seen().is_some_and(|turn| turn.end != TurnEnd::Open) {
            break;
        }
        std::thread::sleep(LOOK);
        turn = turn_of(&fleet, worker);
    }
    match turn {
        Fact::Seen(turn) => Ok(texts::turn(&turn, full)),
        Fact::Unknown(why) => Err(Failure::error(format!("Session log of {id} cannot be read: {why}"))),
        Fact::Absent => {
            let path = meta.and_then(|meta| meta.transcript_path.clone().or_else(|| super::launch::transcript(&meta.cwd, id)));
            let path = path.unwrap_or_else(|| id.to_owned());
            let text = if Path::new(&path).exists() {
                "No user prompt found in session log".to_owned()
            } else {
                format!("Error: Session log not found at {path}")
            };
            Err(Failure::new(text))
        }
    }
}

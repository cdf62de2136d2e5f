//! Which workers there are and how they are: `list`, `status`, `stop`, `prune`, `handoff`.

use super::files::WorkerEvent;
use super::{Answer, Csd, Failure, Worker, is_there, note};
use crate::control::lead::workers::WorkerFleet;
use crate::core::fact::Fact;

/// One word: how it is.
pub(super) fn status(csd: &Csd, worker: &Worker) -> Answer {
    Ok(word(csd, &csd.fleet()?, worker).to_owned())
}

/// By the last line of its events, if tmux has its session.
fn word(csd: &Csd, fleet: &WorkerFleet, worker: &Worker) -> &'static str {
    match is_there(fleet, &worker.name) {
        Fact::Absent => return "gone",
        Fact::Unknown(_) => return "unknown",
        Fact::Seen(()) => {}
    }
    let events = worker.meta.as_ref().and_then(|meta| csd.workers.events(&meta.session_id)).unwrap_or_default();
    match events.last().and_then(|line| WorkerEvent::of_line(line)) {
        None => "unknown",
        Some(WorkerEvent::SessionEnd) => "terminated",
        Some(WorkerEvent::Stop | WorkerEvent::SessionStart) => "idle",
        Some(WorkerEvent::UserPromptSubmit | WorkerEvent::PreToolUse | WorkerEvent::PostToolUse) => "working",
    }
}

/// A table of all that are there; with `all` also of those that are gone.
pub(super) fn list(csd: &Csd, all: bool, pattern: Option<&str>) -> Answer {
    let fleet = csd.fleet()?;
    let workers = csd.workers.metas().into_iter().map(|meta| Worker {
        name: meta.tmux_name.clone(),
        harness: meta.harness.clone().unwrap_or_default(),
        meta: Some(meta),
    });
    let mut rows: Vec<[String; 6]> = Vec::new();
    let shim = |name: &str| csd.workers.shim(name).display().to_string();
    for worker in workers {
        let status = word(csd, &fleet, &worker);
        let Some(meta) = worker.meta.filter(|_| all || status != "gone") else { continue };
        let shim = shim(&worker.name);
        rows.push([status.to_owned(), worker.harness, worker.name, meta.session_id, shim, meta.cwd]);
    }
    for name in csd.workers.unregistered() {
        if is_there(&fleet, &name).seen().is_some() {
            let harness = csd.workers.harness(&name).unwrap_or_default();
            rows.push(["unregistered".to_owned(), harness, name.clone(), "-".to_owned(), shim(&name), String::new()]);
        }
    }
    if rows.is_empty() && pattern.is_none() {
        note("No workers found");
        return Ok(String::new());
    }
    rows.retain(|row| pattern.is_none_or(|pattern| row[2].contains(pattern)));
    let head = ["STATUS", "HARNESS", "TMUX", "SESSION_ID", "SHIM", "CWD"].map(str::to_owned);
    let lines = std::iter::once(head).chain(rows).map(|row| row.join("\t"));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// Ends a worker, and takes its files away.
pub(super) fn stop(csd: &Csd, worker: &Worker) -> Answer {
    let fleet = csd.fleet()?;
    super::talk::known(&fleet, worker)?;
    fleet.end(&worker.name, false).map_err(|why| Failure::error(format!("worker '{}' was not stopped: {why}", worker.name)))?;
    csd.workers.remove(&worker.name);
    let id = worker.meta.as_ref().map_or("unregistered", |meta| meta.session_id.as_str());
    Ok(format!("Worker {} ({id}) stopped. Shim removed.", worker.name))
}

/// Takes away the files of those that are gone.
pub(super) fn prune(csd: &Csd) -> Answer {
    let fleet = csd.fleet()?;
    let mut names: Vec<String> = csd.workers.metas().into_iter().map(|meta| meta.tmux_name).collect();
    names.extend(csd.workers.unregistered());
    names.sort();
    names.dedup();
    names.retain(|name| is_there(&fleet, name).is_absent());
    for name in &names {
        fleet.forget(name).map_err(|why| Failure::error(format!("'{name}' was not pruned: {why}")))?;
        csd.workers.remove(name);
    }
    note(&match names.as_slice() {
        [] => "Nothing to prune".to_owned(),
        names => format!("Pruned {} dead worker(s)/orphan(s): {}", names.len(), names.join(", ")),
    });
    Ok(String::new())
}

/// How a person takes a worker over.
pub(super) fn handoff(worker: &Worker) -> String {
    let name = super::texts::quoted(&worker.name);
    format!(
        "Worker {} keeps running. Take it over with:\n\n  tmux attach -t {name}\n\nDetach with Ctrl-B d; the worker keeps running.",
        worker.name
    )
}

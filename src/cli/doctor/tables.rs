//! How agents are started and stopped: the version that each table was measured on, and what is installed here. Runs no agent: the
//! version of what is installed is read from its path or its package.

use std::path::Path;

use super::agents::is_program;
use super::{Examiner, Finding};
use crate::agent;
use crate::agent::drive::{LaunchTable, QuitForm, ReadySign};
use crate::core::ids::{AgentKind, ConversationId, MuxKind};
use crate::core::lead::DialogSubject;
use crate::core::manifest::lead::Permissions;

/// For each agent that headcount knows by itself a row, and one for each multiplexer.
pub(super) fn rows(examiner: &Examiner) -> Vec<Finding> {
    let path = examiner.variable("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).collect();
    let row = |(adapter, kind): (&&'static dyn agent::Adapter, &'static AgentKind)| {
        let places = adapter.names().programs.iter().flat_map(|name| directories.iter().map(move |it| it.join(name)));
        let program = places.into_iter().find(|program| is_program(program));
        let here = program.as_deref().map(|program| (program, version(*adapter, program)));
        let first = row(kind.as_str(), adapter.drive(), here);
        [first].into_iter().chain(MuxKind::ALL.into_iter().map(|mux| verbs(*adapter, mux)))
    };
    agent::all().iter().zip(&AgentKind::ALL).flat_map(row).collect()
}

/// What headcount does with an agent in a multiplexer, and what it does not.
fn verbs(agent: &dyn agent::Adapter, mux: MuxKind) -> Finding {
    let table = agent.drive().filter(|table| table.muxes.contains(&mux));
    let has = |does: fn(&LaunchTable) -> bool| table.is_some_and(does);
    let is_typed = table.is_some() && agent.composer().is_some();
    let is_forked = agent.fork_args(&ConversationId(String::new())).is_some();
    let stops = has(|table| !matches!(table.quit, QuitForm::Unsaid(_)));
    let all = [
        ("start", table.is_some()),
        ("stop", stops),
        ("restart", stops),
        ("fork", table.is_some() && is_forked),
        ("prompt", has(|table| table.prompt.is_some())),
        ("trust", has(|table| is_answered(table, DialogSubject::Trust))),
        ("send", is_typed),
        ("ask", is_typed),
    ];
    let named = |wanted: bool| {
        let names: Vec<&str> = all.iter().filter(|(_, is)| *is == wanted).map(|(name, _)| *name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let unsupported = named(false).map(|names| format!("unsupported: {names}"));
    let said: Vec<String> = [named(true), unsupported].into_iter().flatten().collect();
    Finding::fine("", format!("in {mux}: {}", said.join("; ")))
}

fn is_answered(table: &LaunchTable, subject: DialogSubject) -> bool {
    table.dialogs.iter().any(|dialog| dialog.subject == subject && dialog.answer.is_some())
}

fn row(agent: &'static str, table: Option<&LaunchTable>, here: Option<(&Path, Option<String>)>) -> Finding {
    let Some((table, measured)) = table.and_then(|table| Some((table, table.version?))) else {
        return Finding::fine(agent, "unsupported: nobody has measured how it is started and stopped");
    };
    let told = format!("measured on {measured}: {}", told(table));
    let Some((program, version)) = here else { return Finding::fine(agent, format!("{told}; not in PATH here")) };
    match version {
        Some(here) if here == measured => Finding::fine(agent, format!("{told}; the same version is here")),
        Some(here) => {
            let hint = "headcount uses the table all the same, and proves each start and stop by what it sees";
            Finding::warn(agent, format!("{told}; version {here} is here"), hint)
        }
        None => {
            let hint = format!("compare `{} --version` with {measured}", program.display());
            Finding::warn(agent, format!("{told}; nothing tells which version is here"), hint)
        }
    }
}

/// What headcount can do with an agent, in a few words.
fn told(table: &LaunchTable) -> String {
    let id = if table.id_flag.is_some() { "id given" } else { "id found" };
    let prompt = table.prompt.map(|_| "prompt");
    let has_mode = |mode: &Permissions| table.mode(*mode).is_some();
    let modes: Vec<&str> = Permissions::WORDS.iter().filter(|(_, mode)| has_mode(mode)).map(|(word, _)| *word).collect();
    let modes = (!modes.is_empty()).then(|| modes.join("/"));
    let ready = match table.ready {
        ReadySign::Idle => "ready by its registry",
        ReadySign::Held => "ready by its lock",
        ReadySign::Screen(_) | ReadySign::LastLine(_) => "ready by its screen",
        ReadySign::Unsaid => "never known to be ready",
    };
    let trust = is_answered(table, DialogSubject::Trust).then_some("trust answered");
    let bypass = is_answered(table, DialogSubject::Bypass).then_some("bypass answered");
    let quit = match table.quit {
        QuitForm::Signal(_) => "ends by a signal",
        QuitForm::Keys(_) => "ends by keys",
        QuitForm::Unsaid(_) => "not stopped",
    };
    let all = [Some(id), prompt, modes.as_deref(), Some(ready), trust, bypass, Some(quit)];
    all.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The version of an agent's program, by the directory or the package it is in.
fn version(adapter: &dyn agent::Adapter, program: &Path) -> Option<String> {
    let real = program.canonicalize().ok()?;
    let is_version = |name: &str| name.split('.').count() == 3 && name.split('.').all(|part| part.parse::<u32>().is_ok());
    let parts = real.iter().rev().take(3).filter_map(|part| part.to_str());
    if let Some(version) = parts.into_iter().find(|name| is_version(name)) {
        return Some(version.to_owned());
    }
    let packages = real.ancestors().skip(1).take(4).map(|directory| directory.join("package.json"));
    packages.into_iter().find_map(|file| named(adapter, &file))
}

/// The version in the description of a package, if that is the agent's.
fn named(adapter: &dyn agent::Adapter, file: &Path) -> Option<String> {
    const MOST: u64 = 1 << 20;
    file.metadata().ok().filter(|metadata| metadata.is_file() && metadata.len() <= MOST)?;
    let package: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let name = package["name"].as_str()?;
    let is_its = adapter.names().packages.iter().any(|its| its == name);
    is_its.then(|| package["version"].as_str().map(str::to_owned))?
}

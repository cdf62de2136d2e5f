//! Where other tools keep their files. Owns the places; reads directories only, never a file in them.

use std::path::{Path, PathBuf};

use super::ImportRequest;
use crate::core::import::ImportTool;
use crate::host::Environ;

/// How many files of one tool are read, and how many names of a directory are looked at.
const MOST_FILES: usize = 1_000;

/// The files of a tool that may be there.
pub(super) fn of(tool: ImportTool, request: &ImportRequest, env: &Environ) -> Vec<PathBuf> {
    if let Some(from) = &request.from {
        return if from.is_dir() { within(tool, from) } else { vec![from.clone()] };
    }
    let home = env.path("HOME");
    let below = |path: &str| home.as_ref().map(|home| home.join(path));
    let base = |variable: &str, usual: &str| env.path(variable).filter(|path| path.is_absolute()).or_else(|| below(usual));
    let config = base("XDG_CONFIG_HOME", ".config");
    let data = base("XDG_DATA_HOME", ".local/share");
    match tool {
        ImportTool::TmuxResurrect => {
            // Its own order: the older directory, where there is one.
            let own =
                below(".tmux/resurrect").filter(|path| path.is_dir()).or_else(|| data.map(|it| it.join("tmux/resurrect")));
            own.iter().flat_map(|directory| within(tool, directory)).collect()
        }
        ImportTool::Tmuxp => {
            let named = env.path("TMUXP_CONFIGDIR");
            let usual = config.map(|config| config.join("tmuxp"));
            let directory = named.into_iter().chain(usual).chain(below(".tmuxp")).find(|path| path.is_dir());
            let mut files: Vec<PathBuf> = directory.iter().flat_map(|directory| within(tool, directory)).collect();
            files.extend([".tmuxp.yaml", ".tmuxp.yml", ".tmuxp.json"].map(|name| request.here.join(name)));
            files
        }
        ImportTool::AgentDeck => {
            let all = data.map(|data| data.join("agent-deck")).into_iter().chain(below(".agent-deck"));
            all.flat_map(|directory| within(tool, &directory)).collect()
        }
        ImportTool::AgentOfEmpires => {
            let all = config.map(|config| config.join("agent-of-empires")).into_iter().chain(below(".agent-of-empires"));
            all.flat_map(|directory| within(tool, &directory)).collect()
        }
        ImportTool::ClaudeSquad => below(".claude-squad").iter().flat_map(|directory| within(tool, directory)).collect(),
        ImportTool::Csd => within(tool, &request.csd),
    }
}

/// The files of a tool in its directory.
fn within(tool: ImportTool, directory: &Path) -> Vec<PathBuf> {
    match tool {
        ImportTool::TmuxResurrect => vec![directory.join("last")],
        ImportTool::ClaudeSquad => vec![directory.join("state.json")],
        ImportTool::Tmuxp => listed(directory, |name| {
            !name.starts_with('.') && [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending))
        }),
        ImportTool::Csd => listed(directory, |name| name.ends_with(".meta")),
        ImportTool::AgentDeck => profiles(directory, |profile| {
            let database = profile.join("state.db");
            if database.symlink_metadata().is_ok() { database } else { profile.join("sessions.json") }
        }),
        ImportTool::AgentOfEmpires => profiles(directory, |profile| profile.join("sessions.json")),
    }
}

/// A file of each profile, and of the directory itself, where older versions had it.
fn profiles(directory: &Path, file: impl Fn(&Path) -> PathBuf) -> Vec<PathBuf> {
    let mut all = vec![file(directory)];
    all.extend(listed(&directory.join("profiles"), |_| true).iter().map(|profile| file(profile)));
    all
}

fn listed(directory: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let names =
        std::fs::read_dir(directory).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.take(MOST_FILES * 10).filter(|name| is_meant(name)).take(MOST_FILES).collect();
    names.sort();
    names.iter().map(|name| directory.join(name)).collect()
}

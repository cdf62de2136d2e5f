//! The agents: which of them are installed, and where they keep their files.

use std::path::Path;

use rustix::fs::Access;

use super::{Examiner, Finding};
use crate::agent::{self, Adapter};
use crate::core::ids::AgentKind;

pub(super) fn rows(examiner: &Examiner) -> Vec<Finding> {
    let path = examiner.variable("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).collect();
    let installed = |agent: &dyn Adapter| {
        let is_there = |program: &&str| directories.iter().any(|directory| is_program(&directory.join(program)));
        agent.names().programs.iter().find(is_there).map(str::to_owned)
    };
    let mut rows = Vec::new();
    let mut absent = Vec::new();
    for (agent, kind) in agent::all().iter().zip(&AgentKind::ALL) {
        let home = agent.home(&examiner.env);
        let at_home = home.as_deref().filter(|home| home.is_dir());
        let program = installed(*agent);
        match (program, at_home) {
            (None, None) => absent.push(kind.as_str()),
            (program, home) => rows.push(row(kind.as_str(), program.as_deref(), home)),
        }
    }
    if rows.is_empty() {
        rows.push(Finding::warn(
            "agents",
            "none is in PATH and none has files here",
            "install one, or declare your own at `agents:` in the manifest",
        ));
    } else if !absent.is_empty() {
        rows.push(Finding::fine("other agents", format!("not here: {}", absent.join(", "))));
    }
    rows
}

fn row(agent: &'static str, program: Option<&str>, home: Option<&Path>) -> Finding {
    match (program, home) {
        (Some(program), None) => Finding::fine(agent, format!("{program} is in PATH and has no files yet")),
        (None, Some(home)) => Finding::fine(agent, format!("not in PATH, files in {}", home.display())),
        (program, Some(home)) => {
            let program = program.unwrap_or_default();
            if std::fs::read_dir(home).is_err() {
                let hint = "make that directory readable; until then its conversations are unknown";
                return Finding::fail(agent, format!("{} cannot be read", home.display()), hint);
            }
            Finding::fine(agent, format!("{program} is in PATH, files in {}", home.display()))
        }
        (None, None) => Finding::fine(agent, "not here"),
    }
}

pub(super) fn is_program(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

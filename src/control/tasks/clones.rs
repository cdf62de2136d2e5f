//! Which local directory is a clone of a repository, by what git wrote down in it.

use std::path::{Path, PathBuf};

use super::folders::text;
use super::{TaskPlaces, real};
use crate::core::task::{gitdir, origin, repository};

/// What a search for clones came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloneSearch {
    /// There is this one.
    One(PathBuf),
    /// There is none among the projects that were looked at.
    Nothing,
    /// There are several, and nothing says which is meant.
    Several(Vec<PathBuf>),
}

impl TaskPlaces {
    /// The clone of a repository of GitHub among the projects.
    pub fn clone_of(&self, owner: &str, name: &str) -> CloneSearch {
        let is_it = |project: &&PathBuf| {
            let Some(address) = config(project).as_deref().and_then(origin) else { return false };
            repository(&address).is_some_and(|(its, other)| its.eq_ignore_ascii_case(owner) && other.eq_ignore_ascii_case(name))
        };
        let mut found: Vec<PathBuf> = self.projects.iter().filter(is_it).map(|project| real(project)).collect();
        found.dedup();
        match found.as_slice() {
            [] => CloneSearch::Nothing,
            [one] => CloneSearch::One(one.clone()),
            _ => CloneSearch::Several(found),
        }
    }
}

/// The configuration of the repository that a directory is, or is a worktree of.
fn config(project: &Path) -> Option<String> {
    let git = project.join(".git");
    if git.is_dir() {
        return text(&git.join("config"));
    }
    let own = project.join(gitdir(&text(&git)?)?);
    let common = text(&own.join("commondir"));
    text(&common.map_or_else(|| own.clone(), |common| own.join(common.trim())).join("config"))
}

//! Where an agent leaves the traces that headcount reads, as directories to watch. Names them; never looks into them.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, Utc};

/// Directories in which something new may mean something. None needs to exist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchDirs {
    /// Registries and locks of live agents, of every workspace.
    pub registries: Vec<PathBuf>,
    /// Where transcripts of one workspace are, or will be.
    pub transcripts: Vec<PathBuf>,
}

/// What the places depend on.
#[derive(Debug, Clone, Copy)]
pub struct WatchQuery<'a> {
    /// The agent's own directory.
    pub home: &'a Path,
    /// The workspace, symlinks resolved.
    pub cwd: Option<&'a Path>,
    /// The host's clock: some agents name directories by the day.
    pub now: DateTime<Utc>,
}

impl WatchQuery<'_> {
    /// Yesterday, today and tomorrow in UTC: the days it may be anywhere on earth.
    pub(super) fn days(&self) -> impl Iterator<Item = chrono::NaiveDate> {
        let today = self.now.date_naive();
        [today - Days::new(1), today, today + Days::new(1)].into_iter()
    }
}

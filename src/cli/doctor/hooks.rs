//! Hook events: whether they can be written, and how many were lost.

use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{Access, access};

use super::{Examiner, Finding};
use crate::store::hooks::dropped;
use crate::store::paths::StateHome;

const WHAT: &str = "hook events";
const HINT: &str = "until then agents that headcount starts are seen by their files alone";

pub(super) fn rows(examiner: &Examiner) -> Vec<Finding> {
    let Ok(home) = StateHome::from_environment(|name| examiner.variable(name)) else { return Vec::new() };
    vec![row(&home)]
}

fn row(home: &StateHome) -> Finding {
    let directory = home.hooks();
    let status = match directory.symlink_metadata() {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::fine(WHAT, "none yet: no agent was started with hooks");
        }
        Err(error) => return Finding::warn(WHAT, format!("cannot look at {}: {error}", directory.display()), HINT),
    };
    let is_ours = status.is_dir() && status.uid() == rustix::process::geteuid().as_raw() && status.mode() & 0o022 == 0;
    if !is_ours {
        let hint = format!("make it a directory of your own with mode 0700; {HINT}");
        return Finding::warn(WHAT, format!("{} is not yours alone, so no event is written", directory.display()), hint);
    }
    if let Err(error) = access(&directory, Access::WRITE_OK | Access::EXEC_OK) {
        return Finding::warn(WHAT, format!("{} cannot be written: {error}", directory.display()), HINT);
    }
    match dropped(home) {
        Ok(0) => Finding::fine(WHAT, "every one could be written"),
        Ok(1) => Finding::warn(WHAT, "one could not be written", "is the disk of the state directory full?"),
        Ok(count) => Finding::warn(WHAT, format!("{count} could not be written"), "is the disk of the state directory full?"),
        Err(error) => Finding::warn(WHAT, format!("nobody can tell how many were lost: {error}"), HINT),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::Grade;
    use super::*;
    use crate::store::hooks::prepare;

    #[test]
    fn what_keeps_events_from_being_written_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let home = StateHome::at(temp.path());
        assert_eq!(row(&home).grade, Grade::Fine);
        prepare(&home).unwrap();
        assert_eq!(row(&home).grade, Grade::Fine);
        std::fs::write(home.hooks().join("dropped"), "00000000000000000007\n").unwrap();
        let found = row(&home);
        assert!(found.grade == Grade::Warn && found.found.starts_with("7 "), "{found:?}");
        std::fs::remove_dir_all(home.hooks()).unwrap();
        std::fs::write(home.hooks(), "").unwrap();
        assert_eq!(row(&home).grade, Grade::Warn);
    }
}

//! What a process has said since a moment that somebody remembered. Reads only.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::append::LONGEST_FILE;
use super::{HookError, LONGEST_LINE, current, events_of, former, open};
use crate::core::hooks::{HookEvent, ProcessMark};
use crate::store::paths::StateHome;

/// A place in the events of one process; it stays good when its file is put aside. The default is before the first event that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HookPosition {
    /// The file, by its inode; 0 if there was none.
    inode: u64,
    /// How much of it was read.
    offset: u64,
}

/// The place after the newest event of a process.
///
/// # Errors
/// [`HookError`] if there is a file that cannot be read.
pub fn end(home: &StateHome, pid: u32) -> Result<HookPosition, HookError> {
    // For a moment there may be only what was put aside.
    for name in [current(pid), former(pid)] {
        let path = home.hooks().join(name);
        if let Some(mut file) = opened(&path)? {
            // A line that is being written counts as new.
            return whole_lines(&mut file, 0).map(|(_, position)| position).map_err(|source| HookError { path, source });
        }
    }
    Ok(HookPosition::default())
}

/// What a process has said since, oldest first, and the place after that. Events that were put aside twice meanwhile are lost.
///
/// # Errors
/// [`HookError`] if there is a file that cannot be read.
pub fn since(
    home: &StateHome,
    process: ProcessMark,
    position: HookPosition,
) -> Result<(Vec<HookEvent>, HookPosition), HookError> {
    let (path, former) = (home.hooks().join(current(process.pid)), home.hooks().join(former(process.pid)));
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| HookError { path, source }
    };
    let Some(mut file) = opened(&path)? else { return Ok((Vec::new(), position)) };
    let inode = file.metadata().map_err(fail(&path))?.ino();
    let mut lines = Vec::new();
    if inode != position.inode {
        // It was put aside, or none was read yet.
        if let Some(mut file) = opened(&former)? {
            let is_same = file.metadata().map_err(fail(&former))?.ino() == position.inode;
            let from = if is_same { position.offset } else { 0 };
            lines = whole_lines(&mut file, from).map_err(fail(&former))?.0;
        }
    }
    let from = if inode == position.inode { position.offset } else { 0 };
    let (newer, position) = whole_lines(&mut file, from).map_err(fail(&path))?;
    lines.extend(newer);
    Ok((events_of(&lines, process), position))
}

/// The events of all processes that are kept and wanted, oldest first. Of a file only lines about the process that it is named after
/// count.
///
/// # Errors
/// [`HookError`] if the directory, or a file in it, cannot be read.
pub fn kept(home: &StateHome, is_wanted: impl Fn(&HookEvent) -> bool) -> Result<Vec<HookEvent>, HookError> {
    let directory = home.hooks();
    let fail = |path: &Path, source| HookError { path: path.to_owned(), source };
    let entries = match std::fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fail(&directory, error)),
    };
    let mut all = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let pid = name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".1")).and_then(|pid| pid.parse::<u32>().ok());
        let (Some(pid), path) = (pid, entry.path()) else { continue };
        let Some(mut file) = opened(&path)? else { continue };
        let (lines, _) = whole_lines(&mut file, 0).map_err(|error| fail(&path, error))?;
        let events = lines.split(|byte| *byte == b'\n').filter_map(super::line::event_of);
        all.extend(events.filter(|event| event.process.pid == pid && is_wanted(event)));
    }
    all.sort_by_key(|event| event.at);
    Ok(all)
}

fn opened(path: &Path) -> Result<Option<File>, HookError> {
    match open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HookError { path: path.to_owned(), source }),
    }
}

/// The whole lines from an offset on, and the place after them. Of a file that is shorter than that all is new.
fn whole_lines(file: &mut File, from: u64) -> io::Result<(Vec<u8>, HookPosition)> {
    let metadata = file.metadata()?;
    let from = if metadata.len() < from { 0 } else { from };
    file.seek(SeekFrom::Start(from))?;
    let mut lines = Vec::new();
    // A file of ours ends soon after the length at which it is put aside.
    file.take(LONGEST_FILE * 2 + LONGEST_LINE as u64).read_to_end(&mut lines)?;
    lines.truncate(lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1));
    let position = HookPosition { inode: metadata.ino(), offset: from + lines.len() as u64 };
    Ok((lines, position))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::line::tests::event;
    use super::super::{append, current, former};
    use super::*;

    fn place() -> (tempfile::TempDir, StateHome) {
        let temp = tempfile::tempdir().unwrap();
        let home = StateHome::at(temp.path());
        (temp, home)
    }

    fn say(home: &StateHome, turn: usize) {
        append(home, &HookEvent { turn: Some(turn.to_string()), at: chrono::Utc::now(), ..event() }).unwrap();
    }

    fn turns(events: &[HookEvent]) -> Vec<usize> {
        events.iter().map(|event| event.turn.as_ref().unwrap().parse().unwrap()).collect()
    }

    #[test]
    fn only_what_is_new_is_told_and_nothing_is_lost_when_a_file_is_put_aside() {
        let (_temp, home) = place();
        let process = event().process;
        assert_eq!(end(&home, process.pid).unwrap(), HookPosition::default());
        assert!(!home.hooks().exists(), "a reader creates nothing");
        let (mut position, mut said, mut told) = (HookPosition::default(), 0, Vec::new());
        let former = home.hooks().join(former(process.pid));
        // Twice around: each time it is put aside is seen.
        while !former.exists() || said < 2000 {
            for _ in 0..said % 7 + 1 {
                say(&home, said);
                said += 1;
            }
            let (events, next) = since(&home, process, position).unwrap();
            told.extend(turns(&events));
            position = next;
        }
        assert_eq!(told, (0..said).collect::<Vec<_>>());
        assert!(std::fs::metadata(&former).unwrap().len() < LONGEST_FILE + LONGEST_LINE as u64);
        assert_eq!(end(&home, process.pid).unwrap(), position);
        assert_eq!(since(&home, process, position).unwrap(), (vec![], position));
        let other = ProcessMark { start_ticks: 1, ..process };
        assert_eq!(since(&home, other, HookPosition::default()).unwrap().0, [], "a reused pid is another process");
    }

    #[test]
    fn what_is_kept_of_all_counts_only_in_the_file_of_its_process() {
        let (_temp, home) = place();
        assert_eq!(kept(&home, |_| true).unwrap(), []);
        say(&home, 0);
        let text = std::fs::read(home.hooks().join(current(event().process.pid))).unwrap();
        std::fs::write(home.hooks().join(current(99)), &text).unwrap();
        std::fs::write(home.hooks().join("notes.jsonl"), &text).unwrap();
        say(&home, 1);
        assert_eq!(turns(&kept(&home, |_| true).unwrap()), [0, 1]);
        assert_eq!(turns(&kept(&home, |event| event.turn.as_deref() == Some("1")).unwrap()), [1]);
    }

    #[test]
    fn a_line_that_is_being_written_is_told_once_it_is_whole() {
        let (_temp, home) = place();
        say(&home, 0);
        let path = home.hooks().join(current(event().process.pid));
        let whole = std::fs::read(&path).unwrap();
        let half = [whole.as_slice(), &whole[..20]].concat();
        std::fs::write(&path, half).unwrap();
        let (events, position) = since(&home, event().process, HookPosition::default()).unwrap();
        assert_eq!(turns(&events), [0]);
        assert_eq!(end(&home, event().process.pid).unwrap(), position);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        std::io::Write::write_all(&mut file, &whole[20..]).unwrap();
        assert_eq!(turns(&since(&home, event().process, position).unwrap().0), [0]);
    }

    #[test]
    fn several_writers_lose_nothing_while_files_are_put_aside() {
        let (_temp, home) = place();
        let (many, each) = (4, 400);
        std::thread::scope(|scope| {
            for writer in 0..many {
                let home = &home;
                scope.spawn(move || (0..each).for_each(|at| say(home, writer * each + at)));
            }
        });
        let mut all = turns(&since(&home, event().process, HookPosition::default()).unwrap().0);
        all.sort_unstable();
        all.dedup();
        // Of 1,600 lines of some 400 bytes, the last two files hold at least what one holds before it is put aside.
        assert!(all.len() > 500, "{}", all.len());
        let files = [current(event().process.pid), former(event().process.pid)];
        for name in files {
            let text = std::fs::read_to_string(home.hooks().join(&name)).unwrap();
            // A line that another was just writing looked cut short: then there is an empty one behind it.
            let is_whole = |line: &str| line.is_empty() || super::super::line::event_of(line.as_bytes()).is_some();
            assert!(text.ends_with('\n') && text.lines().all(is_whole), "{name}");
        }
    }
}

//! Appends one event to the file of its process, and counts those that could not be. Never waits for a reader, and never makes the state
//! directory itself.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fstat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::{Pid, geteuid, test_kill_process};

use super::line::line_of;
use super::{COUNTER, HOOKS, current, former};
use crate::core::hooks::HookEvent;
use crate::store::paths::StateHome;

/// How long a file grows before it is put aside, and the one before it is lost.
pub(super) const LONGEST_FILE: u64 = 256 * 1024;
/// For how long the file of a process that has ended is kept after its last event.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many files are looked at when old ones are removed.
const LOOKED_AT: usize = 1024;
/// How often the file is opened again because it was put aside meanwhile.
const TRIES: usize = 4;

/// Appends an event in one write, mode 0600, or counts it as dropped.
///
/// # Errors
/// Why it was dropped.
pub fn append(home: &StateHome, event: &HookEvent) -> io::Result<()> {
    let directory = directory(home)?;
    write(&directory, event).inspect_err(|_| {
        // Where that cannot be written either, nobody is there to be told.
        let _ = count(&directory);
    })
}

/// How many events could not be written so far.
///
/// # Errors
/// If the counter is there and cannot be read.
pub fn dropped(home: &StateHome) -> io::Result<u64> {
    let mut text = String::new();
    match super::open(&home.hooks().join(COUNTER)) {
        Ok(file) => file.take(64).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Makes the directory of events, for those who put hooks in place: so that the first event finds it.
///
/// # Errors
/// If it cannot be made, is a link, or is another user's.
pub fn prepare(home: &StateHome) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700).create(home.path())?;
    keep_counter(&directory(home)?)
}

/// The directory of events, made in a state directory that is there. It has to be ours alone.
fn directory(home: &StateHome) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let state = openat(CWD, home.path(), flags, Mode::empty())?;
    let open = || openat(&state, HOOKS, flags | OFlags::NOFOLLOW, Mode::empty());
    let directory = match open() {
        Err(Errno::NOENT) => match mkdirat(&state, HOOKS, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => open()?,
            Err(error) => return Err(error.into()),
        },
        other => other?,
    };
    let status = fstat(&directory)?;
    if status.st_uid != geteuid().as_raw() || status.st_mode & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the directory of hook events is not ours alone"));
    }
    Ok(directory)
}

fn write(directory: &OwnedFd, event: &HookEvent) -> io::Result<()> {
    let line = line_of(event).ok_or(io::ErrorKind::InvalidData)?;
    let mut file = open(directory, event.process.pid)?;
    // One that was cut short, as on a full disk, must not spoil this one.
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    let is_torn = length > 0 && file.read_exact_at(&mut last, length - 1).is_ok() && last != [b'\n'];
    let line = if is_torn { [b"\n", line.as_slice()].concat() } else { line };
    match file.write(&line) {
        Ok(written) if written == line.len() => Ok(()),
        Ok(_) => Err(io::ErrorKind::WriteZero.into()),
        Err(error) => Err(error),
    }
}

/// The file to append to. One that has grown too long is put aside first, by whoever has the lock of that very file.
fn open(directory: &OwnedFd, pid: u32) -> io::Result<File> {
    let name = current(pid);
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    for _ in 0..TRIES {
        let file = match openat(directory, &name, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                clear(directory);
                let _ = keep_counter(directory);
                openat(directory, &name, flags | OFlags::CREATE, Mode::RUSR | Mode::WUSR)?
            }
            other => other?,
        };
        let status = fstat(&file)?;
        if rustix::fs::FileType::from_raw_mode(status.st_mode) != rustix::fs::FileType::RegularFile
            || status.st_uid != geteuid().as_raw()
        {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file of ours"));
        }
        let is_long = u64::try_from(status.st_size).is_ok_and(|size| size >= LONGEST_FILE);
        if !is_long || flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Ok(File::from(file));
        }
        let is_still_there = statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|there| (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino));
        if is_still_there {
            renameat(directory, &name, directory, former(pid))?;
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Removes the files of processes that ended long ago. What cannot be told stays.
fn clear(directory: &OwnedFd) {
    let Ok(entries) = rustix::fs::Dir::read_from(directory.as_fd()) else { return };
    let Some(before) = SystemTime::now().checked_sub(KEPT) else { return };
    for entry in entries.take(LOOKED_AT).filter_map(Result::ok) {
        let name = entry.file_name();
        let pid = name.to_str().ok().and_then(|name| name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".1")));
        let Some(pid) = pid.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw) else { continue };
        let Ok(status) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let changed = u64::try_from(status.st_mtime).map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        if changed.is_ok_and(|changed| changed < before) && test_kill_process(pid) == Err(Errno::SRCH) {
            let _ = unlinkat(directory, name, AtFlags::empty());
        }
    }
}

/// Digits of the counter: always as many, so that counting needs no room on the disk.
const DIGITS: usize = 20;

fn count(directory: &OwnedFd) -> io::Result<()> {
    let counter = counter(directory, OFlags::empty())?;
    flock(&counter, FlockOperation::LockExclusive)?;
    let mut digits = [0; DIGITS];
    counter.read_exact_at(&mut digits, 0)?;
    let so_far: u64 = std::str::from_utf8(&digits).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    counter.write_all_at(format!("{:0DIGITS$}", so_far.saturating_add(1)).as_bytes(), 0)
}

/// Makes the counter while there is room for it.
fn keep_counter(directory: &OwnedFd) -> io::Result<()> {
    match counter(directory, OFlags::CREATE | OFlags::EXCL) {
        Ok(mut counter) => counter.write_all(format!("{:0DIGITS$}\n", 0).as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn counter(directory: &OwnedFd, more: OFlags) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | more;
    Ok(File::from(openat(directory, COUNTER, flags, Mode::RUSR | Mode::WUSR)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::line::tests::event;
    use super::*;

    #[test]
    fn files_of_processes_that_ended_long_ago_go_and_others_stay() {
        let temp = tempfile::tempdir().unwrap();
        let home = StateHome::at(temp.path());
        prepare(&home).unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        let gone = ended.id();
        ended.wait().unwrap();
        let (own, long_ago) = (std::process::id(), SystemTime::now() - KEPT - Duration::from_secs(60));
        for (name, changed) in [
            (format!("{gone}.jsonl"), long_ago),
            (format!("{gone}.1"), long_ago),
            (format!("{own}.jsonl"), long_ago),
            (format!("{}.jsonl", gone + 1), SystemTime::now()),
            ("notes".to_owned(), long_ago),
        ] {
            let file = File::create(home.hooks().join(name)).unwrap();
            file.set_modified(changed).unwrap();
        }
        append(&home, &event()).unwrap();
        let mut left: Vec<String> =
            std::fs::read_dir(home.hooks()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        let mut expected =
            vec!["7.jsonl".to_owned(), COUNTER.into(), format!("{own}.jsonl"), format!("{}.jsonl", gone + 1), "notes".into()];
        expected.sort();
        assert_eq!(left, expected);
    }
}

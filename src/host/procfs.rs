//! Processes as Linux shows them below `/proc`. Only reads; parses no more than it is asked for.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, test_kill_process};

use super::environ::Environ;
use super::parallel::spread;
use super::{ProcessInfo, ProcessRow, Rights, locks};
use crate::core::fact::Fact;

/// The most that is read of one file, above what the kernel lets a program have as arguments and environment by default.
const MOST: u64 = 8 << 20;

/// `PF_KTHREAD` in the flags of `/proc/PID/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// How often arguments that read empty are read again: for a moment within `execve` a process has none.
const PATIENCE: u32 = 20;

/// The fields of `/proc/PID/stat` that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProcessStat {
    pub(super) name: String,
    pub(super) state: u8,
    pub(super) parent: u32,
    pub(super) tty: i64,
    pub(super) foreground: i64,
    pub(super) is_kernel: bool,
    pub(super) threads: u64,
    pub(super) start_ticks: u64,
    pub(super) stack: u64,
}

/// A program in a process: since when the process is there, the name it has, and where its stack begins. The kernel picks that place at
/// random whenever a program is executed, so that two images that are equal are one program that nobody has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub(super) start_ticks: u64,
    pub(super) name: String,
    stack: u64,
}

impl Image {
    /// That of a process; `None` where the kernel does not tell us.
    pub(super) fn of(stat: &ProcessStat) -> Option<Self> {
        // The place is nought for whoever may not know it.
        (stat.stack > 1).then(|| Self { start_ticks: stat.start_ticks, name: stat.name.clone(), stack: stat.stack })
    }
}

/// Parses `/proc/PID/stat`. The name may hold anything, blanks and parentheses included.
pub(super) fn parse_stat(text: &[u8]) -> Option<ProcessStat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let name = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(text.get(close + 1..)?).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let tty = fields.nth(2)?.parse().ok()?;
    let foreground = fields.next()?.parse().ok()?;
    let flags: u64 = fields.next()?.parse().ok()?;
    // Fields 20, 22 and 28; the flags were field 9.
    let threads = fields.nth(10)?.parse().ok()?;
    let start_ticks = fields.nth(1)?.parse().ok()?;
    let stack = fields.nth(5).and_then(|field| field.parse().ok()).unwrap_or_default();
    Some(ProcessStat {
        name,
        state,
        parent,
        tty,
        foreground,
        is_kernel: flags & KERNEL_THREAD != 0,
        threads,
        start_ticks,
        stack,
    })
}

/// A file of a process read whole. `/proc` gives no sizes, but fills a buffer as far as there is anything, so one that is not
/// filled holds everything (`seq_file` and `environ_read` of the kernel).
pub(super) fn slurp(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut all = Vec::with_capacity(8192);
    retry_on_intr(|| rustix::io::read(&file, spare_capacity(&mut all)))?;
    if all.len() == all.capacity() {
        file.take(MOST).read_to_end(&mut all)?;
    }
    Ok(all)
}

pub(super) fn file(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

/// Turns an error on a process's file into a fact. With `hidepid` a process that exists looks missing; a null signal tells.
pub(super) fn missing<T>(pid: u32, name: &str, error: &io::Error) -> Fact<T> {
    let gone = error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::SRCH.raw_os_error());
    let handle = i32::try_from(pid).ok().and_then(Pid::from_raw);
    match handle.map(test_kill_process) {
        Some(Err(Errno::SRCH)) | None if gone => Fact::Absent,
        // Gone for good but not yet reaped: its files vanish one by one.
        Some(Ok(()) | Err(_)) if gone && is_zombie(pid) => Fact::Absent,
        _ => Fact::Unknown(format!("cannot read {name} of process {pid}: {}", reason(error))),
    }
}

fn is_zombie(pid: u32) -> bool {
    slurp(&file(pid, "stat")).ok().and_then(|text| parse_stat(&text)).is_some_and(|stat| matches!(stat.state, b'Z' | b'X'))
}

/// The process group of a process. `None`: it is in none, as a thread of the kernel.
pub(super) fn group(pid: u32) -> Option<u32> {
    let text = slurp(&file(pid, "stat")).ok()?;
    // Behind the name, which may hold anything: the state, the parent, the group.
    let rest = text.rsplit(|byte| *byte == b')').next().map(String::from_utf8_lossy)?;
    rest.split_whitespace().nth(2)?.parse().ok().filter(|group| *group > 0)
}

/// Whether a process is stopped by a signal. One that is traced is not: a debugger lets it go on.
pub(super) fn is_stopped(pid: u32) -> bool {
    slurp(&file(pid, "stat")).ok().and_then(|text| parse_stat(&text)).is_some_and(|stat| stat.state == b'T')
}

/// When a process started, in clock ticks since boot; `None` if it is gone or a zombie.
pub(super) fn start_ticks(pid: u32) -> io::Result<Option<u64>> {
    match slurp(&file(pid, "stat")) {
        Ok(text) => {
            let stat = parse_stat(&text).ok_or(io::ErrorKind::InvalidData)?;
            Ok((!matches!(stat.state, b'Z' | b'X')).then_some(stat.start_ticks))
        }
        // With `hidepid` a process that exists looks missing; then the error stays one.
        Err(error) => match missing::<()>(pid, "stat", &error) {
            Fact::Absent => Ok(None),
            Fact::Seen(()) | Fact::Unknown(_) => Err(error),
        },
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "hidden from this user".to_owned(),
        _ => error.to_string(),
    }
}

/// The process with its arguments, its start counted from the given boot.
pub(super) fn process(pid: u32, boot: DateTime<Utc>, ticks_per_second: u64) -> Fact<ProcessInfo> {
    match look(pid, boot, ticks_per_second) {
        Fact::Seen((true, process)) => Fact::Seen(ProcessInfo { argv: vec![process.name.clone()], ..process }),
        Fact::Seen((false, process)) => with_arguments(process),
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

/// A process that was glanced at, with its arguments.
pub(super) fn with_arguments(process: ProcessInfo) -> Fact<ProcessInfo> {
    match arguments(process.pid) {
        // A program started without any still has the name it is listed under.
        Ok(args) if args.is_empty() => Fact::Seen(ProcessInfo { argv: vec![process.name.clone()], ..process }),
        Ok(argv) => Fact::Seen(ProcessInfo { argv, ..process }),
        Err(error) => missing(process.pid, "cmdline", &error),
    }
}

/// The same without the arguments.
pub(super) fn glance(pid: u32, boot: DateTime<Utc>, ticks_per_second: u64) -> Fact<ProcessInfo> {
    look(pid, boot, ticks_per_second).map(|(_, process)| process)
}

/// Whether it is the kernel's own, and what its `stat` says.
fn look(pid: u32, boot: DateTime<Utc>, ticks_per_second: u64) -> Fact<(bool, ProcessInfo)> {
    let stat = match slurp(&file(pid, "stat")) {
        Ok(text) => match parse_stat(&text) {
            Some(stat) => stat,
            None => return Fact::Unknown(format!("/proc/{pid}/stat has an unknown format")),
        },
        Err(error) => return missing(pid, "stat", &error),
    };
    if matches!(stat.state, b'Z' | b'X' | b'x') {
        return Fact::Absent;
    }
    let process = ProcessInfo {
        pid,
        parent: stat.parent,
        started: boot + since_boot(stat.start_ticks, ticks_per_second),
        start_ticks: Some(stat.start_ticks),
        has_terminal: stat.tty != 0,
        foreground: u32::try_from(stat.foreground).ok().filter(|group| *group > 0),
        name: stat.name,
        argv: Vec::new(),
    };
    Fact::Seen((stat.is_kernel, process))
}

fn arguments(pid: u32) -> io::Result<Vec<String>> {
    let path = file(pid, "cmdline");
    for _ in 0..PATIENCE {
        let args = split_args(&slurp(&path)?);
        if !args.is_empty() {
            return Ok(args);
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    Ok(Vec::new())
}

fn since_boot(ticks: u64, per_second: u64) -> TimeDelta {
    let milliseconds = ticks.saturating_mul(1000) / per_second.max(1);
    i64::try_from(milliseconds).ok().and_then(TimeDelta::try_milliseconds).unwrap_or(TimeDelta::zero())
}

/// Arguments end with a NUL each. A program that renames itself leaves a tail of them, which are no arguments.
fn split_args(text: &[u8]) -> Vec<String> {
    let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    if end == 0 {
        return Vec::new();
    }
    text[..end].split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect()
}

pub(super) fn exe(pid: u32) -> Option<String> {
    let target = std::fs::read_link(file(pid, "exe")).ok()?;
    let mut path = target.into_os_string().to_string_lossy().into_owned();
    // The kernel's mark for a program that was replaced on disk since it started, as self-updating agents do.
    path.truncate(path.strip_suffix(" (deleted)").unwrap_or(&path).len());
    Some(path)
}

pub(super) fn cwd(pid: u32) -> Fact<PathBuf> {
    match workplace(pid) {
        Ok((path, false)) => Fact::Seen(path),
        Ok((_, true)) => Fact::Unknown(format!("the working directory of process {pid} was deleted")),
        Err(error) => missing(pid, "the working directory", &error),
    }
}

pub(super) fn former_cwd(pid: u32) -> Option<PathBuf> {
    workplace(pid).ok().and_then(|(path, is_deleted)| is_deleted.then_some(path))
}

/// The directory a process works in, and whether it was deleted; then by its last name.
fn workplace(pid: u32) -> io::Result<(PathBuf, bool)> {
    let link = file(pid, "cwd");
    let path = std::fs::read_link(&link)?;
    // The kernel's mark for a directory that is gone; one may also be called so.
    let former = path.as_os_str().as_bytes().strip_suffix(b" (deleted)").filter(|_| is_unlinked(&link, &path));
    Ok(former.map_or((path.clone(), false), |former| (PathBuf::from(OsStr::from_bytes(former)), true)))
}

/// Whether what a link of `/proc` leads to has lost its name.
fn is_unlinked(link: &Path, target: &Path) -> bool {
    std::fs::metadata(link).map_or(true, |metadata| metadata.nlink() == 0) || !target.exists()
}

pub(super) fn open_files(pid: u32) -> Fact<Vec<PathBuf>> {
    match std::fs::read_dir(file(pid, "fd")) {
        // A file closed meanwhile is no longer open.
        Ok(entries) => Fact::Seen(entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()).collect()),
        Err(error) => missing(pid, "the open files", &error),
    }
}

pub(super) fn lockers(path: &Path) -> Fact<Vec<u32>> {
    let list = match std::fs::read_to_string(locks::LIST) {
        Ok(list) => list,
        Err(error) => return Fact::Unknown(format!("cannot read {}: {error}", locks::LIST)),
    };
    let identity = |file: &std::fs::Metadata| (file.dev(), file.ino());
    let wanted = match path.metadata() {
        Ok(file) => identity(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Fact::Seen(Vec::new()),
        Err(error) => return Fact::Unknown(format!("cannot examine {}: {error}", path.display())),
    };
    // By what is open, not by its name: one file may have several.
    let holds = |pid: &u32| match std::fs::read_dir(file(*pid, "fd")) {
        Ok(entries) => entries.flatten().any(|entry| entry.path().metadata().is_ok_and(|file| identity(&file) == wanted)),
        // Nobody can tell that it is another file of that number which another user's process has.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    };
    Fact::Seen(list.lines().filter_map(|line| locks::of(line, wanted.1)).map(|lock| lock.pid).filter(holds).collect())
}

pub(super) fn rights(pid: u32) -> Fact<Rights> {
    match slurp(&file(pid, "status")) {
        Ok(text) => parse_rights(&String::from_utf8_lossy(&text))
            .map_or_else(|| Fact::Unknown(format!("/proc/{pid}/status has an unknown format")), Fact::Seen),
        Err(error) => missing(pid, "status", &error),
    }
}

/// Parses `/proc/PID/status`. A capability it does not have now but may take is one all the same.
fn parse_rights(text: &str) -> Option<Rights> {
    // The name comes first, with its line ends escaped.
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let users: Vec<u32> = line("Uid")?.split_ascii_whitespace().map(|user| user.parse().ok()).collect::<Option<_>>()?;
    let permitted = u64::from_str_radix(line("CapPrm")?.trim(), 16).ok()?;
    Some(Rights { users: users.try_into().ok()?, has_capabilities: permitted != 0 })
}

pub(super) fn environ(pid: u32) -> Fact<Environ> {
    match slurp(&file(pid, "environ")) {
        Ok(raw) => Fact::Seen(Environ::from_bytes(raw)),
        Err(error) => missing(pid, "the environment", &error),
    }
}

/// The children by `/proc/PID/task/*/children`. The kernel may miss some while processes come and go; see [`table`].
pub(super) fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(file(pid, "task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| slurp(&task.path().join("children")).ok());
    lists.flat_map(|list| parse_children(&list)).collect()
}

/// The same of a process that has one thread alone, for one read.
pub(super) fn children_of_one_thread(pid: u32) -> Vec<u32> {
    slurp(&file(pid, &format!("task/{pid}/children"))).map(|list| parse_children(&list)).unwrap_or_default()
}

/// Whether a process has no children at all, for sure: the kernel never calls a list empty that is not, and of one thread there is
/// one.
pub(super) fn is_childless(pid: u32) -> bool {
    let is_single = || std::fs::read_dir(file(pid, "task")).is_ok_and(|tasks| tasks.count() == 1);
    is_single() && slurp(&file(pid, &format!("task/{pid}/children"))).is_ok_and(|list| list.is_empty())
}

fn parse_children(list: &[u8]) -> Vec<u32> {
    String::from_utf8_lossy(list).split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Every process with its parent. One that ends meanwhile is left out; one that may not be read has no known parent and is
/// left out too (`hidepid` shows only one's own).
pub(super) fn table() -> Fact<Vec<ProcessRow>> {
    let entries = match std::fs::read_dir("/proc") {
        Ok(entries) => entries,
        Err(error) => return Fact::Unknown(format!("cannot list /proc: {error}")),
    };
    let pids: Vec<u32> = entries.flatten().filter_map(|entry| OsString::into_vec(entry.file_name()).try_into_pid()).collect();
    let lineage = |pid: &u32| {
        let stat = parse_stat(&slurp(&file(*pid, "stat")).ok()?)?;
        let (is_over, parent, image) = (matches!(stat.state, b'Z' | b'X' | b'x'), stat.parent, Image::of(&stat));
        (!is_over).then_some(ProcessRow { pid: *pid, parent, name: stat.name, image })
    };
    Fact::Seen(spread(&pids, lineage).into_iter().flatten().collect())
}

trait TryIntoPid {
    fn try_into_pid(self) -> Option<u32>;
}

impl TryIntoPid for Vec<u8> {
    fn try_into_pid(self) -> Option<u32> {
        self.first().is_some_and(u8::is_ascii_digit).then(|| std::str::from_utf8(&self).ok()?.parse().ok()).flatten()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_blanks_and_parentheses_shifts_no_field() {
        let text = b"42 (a) b (c) R 7 42 42 34816 99 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1 2\n";
        let stat = parse_stat(text).unwrap();
        assert_eq!(
            stat,
            ProcessStat {
                name: "a) b (c".into(),
                state: b'R',
                parent: 7,
                tty: 34816,
                foreground: 99,
                is_kernel: false,
                threads: 1,
                start_ticks: 123_456,
                stack: 0
            }
        );
        assert_eq!(parse_stat(b"42 (a) R 7"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    fn a_program_that_renamed_itself_has_one_argument() {
        assert_eq!(split_args(b"pi\0\0\0\0\0"), ["pi"]);
        assert_eq!(split_args(b"a\0\0b\0"), ["a", "", "b"]);
        assert!(split_args(b"").is_empty());
    }

    #[test]
    fn only_who_has_a_lock_of_the_file_is_its_locker() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(lockers(file.path()), Fact::Seen(Vec::new()));
        fs4::FileExt::lock(file.as_file()).unwrap();
        assert_eq!(lockers(file.path()), Fact::Seen(vec![std::process::id()]));
        assert_eq!(lockers(Path::new("/nonexistent")), Fact::Seen(Vec::new()));
        let other = tempfile::tempdir().unwrap();
        let (link, name) = (other.path().join("link"), other.path().join("name"));
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        std::fs::hard_link(file.path(), &name).unwrap();
        for path in [link, name] {
            assert_eq!(lockers(&path), Fact::Seen(vec![std::process::id()]), "{}", path.display());
        }
    }

    #[test]
    fn arguments_longer_than_the_first_buffer_are_read_whole() {
        let long = "x".repeat(100_000);
        let mut child = std::process::Command::new("sleep").args(["600"]).env("LONG", &long).spawn().unwrap();
        assert_eq!(process(child.id(), Utc::now(), 100).seen().unwrap().argv, ["sleep", "600"]);
        let found = environ(child.id());
        child.kill().unwrap();
        // Not reaped yet: a zombie is gone.
        let pid = child.id();
        let zombie = || process(pid, Utc::now(), 100);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while zombie() != Fact::Absent {
            assert!(std::time::Instant::now() < until, "{:?}", zombie());
        }
        assert!(matches!(cwd(pid), Fact::Absent), "a zombie works nowhere");
        child.wait().unwrap();
        assert_eq!(zombie(), Fact::Absent);
        assert_eq!(found.seen().unwrap().get("LONG").unwrap().len(), long.len());
    }

    #[test]
    fn a_process_in_a_deleted_directory_works_nowhere_that_could_be_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (name, is_removed) in [("gone", true), ("called (deleted)", false), ("gone (deleted)", true)] {
            let path = root.join(name);
            std::fs::create_dir(&path).unwrap();
            let mut child = std::process::Command::new("sleep").arg("600").current_dir(&path).spawn().unwrap();
            assert_eq!(cwd(child.id()), Fact::Seen(path.clone()));
            if is_removed {
                std::fs::remove_dir(&path).unwrap();
            }
            let found = cwd(child.id());
            assert_eq!(former_cwd(child.id()), is_removed.then(|| path.clone()));
            child.kill().unwrap();
            child.wait().unwrap();
            match is_removed {
                true => assert!(found.why_unknown().is_some_and(|why| why.contains("was deleted")), "{name}: {found:?}"),
                false => assert_eq!(found, Fact::Seen(path), "{name}"),
            }
        }
    }

    #[test]
    fn who_a_process_acts_for_is_read_whatever_it_is_called() {
        let text = "Name:\tx\\nUid:\t0\nState:\tS (sleeping)\nUid:\t1000\t1000\t1001\t1002\nGid:\t1\t1\t1\t1\n\
                    CapInh:\t0000000000000000\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000000\n";
        let expected = Rights { users: [1000, 1000, 1001, 1002], has_capabilities: true };
        assert_eq!(parse_rights(text), Some(expected.clone()));
        let without = text.replace("0000000000000002", "0000000000000000");
        assert_eq!(parse_rights(&without), Some(Rights { has_capabilities: false, ..expected }));
        for odd in ["", "CapPrm:\t0\n", "Uid:\t1\t1\t1\nCapPrm:\t0\n", "Uid:\t1\t1\t1\t1\nCapPrm:\t?\n"] {
            assert_eq!(parse_rights(odd), None, "{odd:?}");
        }
        assert!(rights(std::process::id()).seen().is_some());
    }

    #[test]
    fn what_this_user_may_not_read_is_unknown_and_never_absent() {
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let fact: Fact<()> = missing(std::process::id(), "stat", &error);
        assert!(fact.why_unknown().is_some_and(|why| why.ends_with("permission denied")), "{fact:?}");
        // As under hidepid: the file is missing, the process answers to a null signal.
        let hidden: Fact<()> = missing(std::process::id(), "stat", &io::Error::from(io::ErrorKind::NotFound));
        assert!(hidden.why_unknown().is_some_and(|why| why.contains("hidden")), "{hidden:?}");
    }
}

//! Whether a process has the same files, ids and clock as we do: in a container, or below another root, they may stand for others.
//! Opens no file that is not `/proc`'s.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::NamespacePid;
use super::procfs::{file, missing, slurp};
use crate::core::fact::Fact;

/// Our PID namespace.
pub(super) fn namespace() -> Option<String> {
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

/// Why no process can be looked at although there should be a `/proc`: its ids are another namespace's, or it is not mounted.
#[cfg(target_os = "linux")]
pub(super) fn blindness() -> Option<String> {
    let ours = std::process::id().to_string();
    match std::fs::read_link("/proc/self") {
        Ok(link) if link.as_os_str() == ours.as_str() => None,
        Ok(_) => {
            Some("/proc belongs to another PID namespace, so headcount cannot tell processes apart; mount a /proc of this one".to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(
            "/proc is not mounted, or belongs to another PID namespace, so headcount sees no process; mount a /proc of this one".to_owned(),
        ),
        Err(error) => Some(format!("cannot read /proc/self: {error}")),
    }
}

/// Elsewhere `ps` serves.
#[cfg(not(target_os = "linux"))]
pub(super) fn blindness() -> Option<String> {
    None
}

pub(super) fn selfhood(pid: u32) -> Fact<NamespacePid> {
    let status = match slurp(&file(pid, "status")) {
        Ok(text) => text,
        Err(error) => return missing(pid, "status", &error),
    };
    let Some(own) = innermost(&String::from_utf8_lossy(&status), pid) else {
        return Fact::Unknown(format!("/proc/{pid}/status has an unknown format"));
    };
    // A kernel without such namespaces has one clock for all.
    static OURS: LazyLock<Option<PathBuf>> = LazyLock::new(|| link("self", "ns/time").ok());
    let is_of_our_time = OURS.as_ref().map_or(Ok(true), |ours| link(&pid.to_string(), "ns/time").map(|theirs| theirs == *ours));
    match is_of_our_time {
        Ok(is_of_our_time) => Fact::Seen(NamespacePid { pid: own, is_of_our_time }),
        Err(error) => missing(pid, "the namespaces", &error),
    }
}

/// Where a link of a process's `/proc` leads.
fn link(process: &str, name: &str) -> io::Result<PathBuf> {
    std::fs::read_link(Path::new("/proc").join(process).join(name))
}

/// The last of the ids a process has, one for each namespace it is in, ours first. A kernel without namespaces tells none.
fn innermost(status: &str, pid: u32) -> Option<u32> {
    match status.lines().find_map(|line| line.strip_prefix("NSpid:")) {
        Some(ids) => ids.split_ascii_whitespace().next_back()?.parse().ok(),
        None => Some(pid),
    }
}

pub(super) fn shares(pid: u32, path: &Path) -> Fact<bool> {
    let view = |process: &str| Ok::<_, io::Error>((link(process, "ns/mnt")?, link(process, "root")?));
    // A kernel without namespaces has one view for all.
    static OURS: LazyLock<Option<(PathBuf, PathBuf)>> =
        LazyLock::new(|| Some((link("self", "ns/mnt").ok()?, link("self", "root").ok()?)));
    let Some(ours) = &*OURS else { return Fact::Seen(true) };
    match view(&pid.to_string()) {
        Ok(theirs) if theirs == *ours => Fact::Seen(true),
        Ok(_) => match (metadata_in(Path::new("/"), path), metadata_in(&file(pid, "root"), path)) {
            (Ok(ours), Ok(theirs)) => Fact::Seen(ours == theirs),
            (Err(error), _) | (_, Err(error)) => {
                Fact::Unknown(format!("cannot examine {} of process {pid}: {error}", path.display()))
            }
        },
        Err(error) => missing(pid, "the files", &error),
    }
}

/// What a path stands for below a root, by device and inode; `None` if it stands for nothing.
#[cfg(target_os = "linux")]
fn metadata_in(root: &Path, path: &Path) -> io::Result<Option<(u64, u64)>> {
    use rustix::fs::{Mode, OFlags, ResolveFlags};
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    // Links in it lead where they lead below that root.
    match rustix::fs::openat2(&root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT) {
        Ok(found) => rustix::fs::fstat(found).map(|it| Some((it.st_dev, it.st_ino))).map_err(io::Error::from),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Only Linux has a `/proc` that tells the root of a process.
#[cfg(not(target_os = "linux"))]
fn metadata_in(_: &Path, _: &Path) -> io::Result<Option<(u64, u64)>> {
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_itself_for_the_last_of_its_ids() {
        assert_eq!(innermost("Name:\tNSpid:\nNSpid:\t25255\t7\t1\n", 25_255), Some(1));
        assert_eq!(innermost("Name:\tx\nNSpid:\t7\n", 7), Some(7));
        assert_eq!(innermost("Name:\tx\n", 7), Some(7));
        assert_eq!(innermost("NSpid:\t\n", 7), None);
        let me = std::process::id();
        assert_eq!(selfhood(me), Fact::Seen(NamespacePid { pid: me, is_of_our_time: true }));
        assert_eq!(blindness(), None);
    }
}

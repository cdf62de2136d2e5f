//! Whether a process has the same files as we do: in a container, or below another root, a path may stand for others. Opens none
//! of them.

use std::io;
use std::path::Path;

use super::procfs::{file, missing};
use crate::core::fact::Fact;

pub(super) fn shares(pid: u32, path: &Path) -> Fact<bool> {
    let view = |process: &str| {
        let link = |name: &str| std::fs::read_link(Path::new("/proc").join(process).join(name));
        Ok::<_, io::Error>((link("ns/mnt")?, link("root")?))
    };
    // A kernel without namespaces has one view for all.
    let Ok(ours) = view("self") else { return Fact::Seen(true) };
    match view(&pid.to_string()) {
        Ok(theirs) if theirs == ours => Fact::Seen(true),
        Ok(_) => match (metadata_in(Path::new("/"), path), metadata_in(&file(pid, "root"), path)) {
            (Ok(ours), Ok(theirs)) => Fact::Seen(ours == theirs),
            (Err(error), _) | (_, Err(error)) => {
                Fact::Unknown(format!("cannot look at {} of process {pid}: {error}", path.display()))
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

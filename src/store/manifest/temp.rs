//! The new file before it takes the manifest's place: whether it may, its text, owner, mode and attributes. Never replaces.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{Access, XattrFlags, access, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;
use rustix::process::getgroups;

use super::look::{self, FileStat};
use super::{ManifestError, WriteStep, WriteSteps};

/// Refuses manifests that must not be replaced.
pub(super) fn refuse(manifest: &Path, stat: &FileStat) -> Result<(), ManifestError> {
    let path = || manifest.to_owned();
    if stat.links > 1 {
        return Err(ManifestError::HardLinked { path: path(), links: stat.links });
    }
    if is_mount_point(manifest) {
        return Err(ManifestError::MountPoint { path: path() });
    }
    refuse_unchangeable(manifest)?;
    if let Some(Err(source)) = manifest.parent().map(|directory| access(directory, Access::WRITE_OK | Access::EXEC_OK)) {
        return Err(ManifestError::ReadOnlyDirectory { path: path(), source: source.into() });
    }
    // Root may write anything; a mode without any `w` is still the owner's word.
    if stat.mode & 0o222 == 0 || access(manifest, Access::WRITE_OK).is_err() {
        return Err(ManifestError::ReadOnlyFile { path: path() });
    }
    Ok(())
}

/// What would be refused once the new file is there: an owner or a group that we cannot give it.
pub(super) fn refuse_owner(manifest: &Path, stat: &FileStat) -> Result<(), ManifestError> {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let is_in = |gid: u32| group.as_raw() == gid || getgroups().is_ok_and(|all| all.iter().any(|one| one.as_raw() == gid));
    if user.is_root() || (user.as_raw() == stat.owner.0 && is_in(stat.owner.1)) {
        return Ok(());
    }
    Err(ManifestError::Attributes { path: manifest.to_owned(), what: "owner".to_owned(), source: Errno::PERM.into() })
}

/// Refuses what `chattr` has made immutable or append-only, the manifest or its directory. Not even root replaces a file there.
pub(super) fn refuse_unchangeable(manifest: &Path) -> Result<(), ManifestError> {
    let mut both = [Some(manifest), manifest.parent()].into_iter().flatten();
    match both.find(|at| attributes(at) & FIXED != 0) {
        Some(at) => Err(ManifestError::Unchangeable { path: manifest.to_owned(), at: at.to_owned() }),
        None => Ok(()),
    }
}

fn is_mount_point(path: &Path) -> bool {
    attributes(path) & MOUNT_ROOT != 0
}

/// Attributes of a file as `linux/stat.h` counts them: immutable or append-only; the root of a mount.
const FIXED: u64 = 0x10 | 0x20;
const MOUNT_ROOT: u64 = 0x2000;

#[cfg(target_os = "linux")]
fn attributes(path: &Path) -> u64 {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

    statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).map_or(0, |found| found.stx_attributes.bits())
}

#[cfg(not(target_os = "linux"))]
fn attributes(_path: &Path) -> u64 {
    0
}

/// Writes the new text to `temp`, on disk, with the manifest's owner, mode and attributes. Gives the file opened for reading,
/// which keeps its inode from being used again. A failure leaves no file.
pub(super) fn write(
    temp: &Path,
    manifest: &Path,
    stat: &FileStat,
    text: &[u8],
    steps: &WriteSteps,
) -> Result<(File, FileStat), ManifestError> {
    let written = write_file(temp, manifest, stat, text, steps);
    if written.is_err() {
        // The first error is the one to tell; the next update would delete the file.
        let _ = std::fs::remove_file(temp);
    }
    written
}

fn write_file(
    temp: &Path,
    manifest: &Path,
    stat: &FileStat,
    text: &[u8],
    steps: &WriteSteps,
) -> Result<(File, FileStat), ManifestError> {
    let fail = |action| move |source: io::Error| ManifestError::beside(action, temp, manifest, source);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(temp)
        .map_err(fail("create"))?;
    let (first, second) = text.split_at(text.len() / 2);
    file.write_all(first).map_err(fail("write"))?;
    steps.took(WriteStep::HalfWritten);
    file.write_all(second).map_err(fail("write"))?;
    keep_attributes(&file, manifest, stat)?;
    file.sync_all().map_err(fail("sync"))?;
    // While it is open for writing it would look as if an editor had it.
    drop(file);
    let opened = look::open(temp).map_err(|failure| failure.about(temp))?;
    steps.took(WriteStep::Written);
    Ok(opened)
}

fn keep_attributes(file: &File, manifest: &Path, stat: &FileStat) -> Result<(), ManifestError> {
    let fail = |what: &str, source| ManifestError::Attributes { path: manifest.to_owned(), what: what.to_owned(), source };
    let own = FileStat::of(&file.metadata().map_err(|source| ManifestError::io("examine", manifest, source))?);
    if own.owner != stat.owner {
        let (user, group) = stat.owner;
        std::os::unix::fs::fchown(file, Some(user), Some(group)).map_err(|source| fail("owner", source))?;
    }
    let old = match look::open(manifest) {
        Ok((old, _)) => old,
        Err(failure) => return Err(failure.about(manifest)),
    };
    copy_extended(&old, file).map_err(|(name, errno)| fail(&name, errno.into()))?;
    // Last: a change of owner clears set-id bits, and an access control list changes the mode's group bits.
    file.set_permissions(Permissions::from_mode(stat.mode)).map_err(|source| fail("mode", source))
}

fn copy_extended(from: &File, to: &File) -> Result<(), (String, Errno)> {
    let mut names = Vec::with_capacity(4096);
    match flistxattr(from, spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
        Err(errno) => return Err(("extended attributes".to_owned(), errno)),
    }
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let shown = || String::from_utf8_lossy(name).into_owned();
        let mut value = Vec::with_capacity(65536);
        fgetxattr(from, name, spare_capacity(&mut value)).map_err(|errno| (shown(), errno))?;
        match fsetxattr(to, name, &value, XattrFlags::empty()) {
            Ok(()) => {}
            // Labels the kernel gives to new files by itself, and lets only the mighty change.
            Err(_) if name.starts_with(b"security.") || name.starts_with(b"trusted.") => {}
            Err(errno) => return Err((shown(), errno)),
        }
    }
    Ok(())
}

//! Read leases: whether anybody has a file open for writing. Owns the one unsafe system call of `store`; never waits.
//!
//! A read lease (`fcntl(F_SETLEASE, F_RDLCK)`, Linux, see fcntl(2)) is granted only while nobody has the file open for
//! writing, and while it is held every `open` for writing and every `truncate` waits in the kernel until the lease is given
//! back. So a file hashed under a lease was not changed while it was hashed, and a lease that is still whole afterwards says
//! that nobody has begun to open it.
//!
//! Two dangers, both answered here. (1) When somebody wants to open the file, the kernel signals the holder, by default with
//! `SIGIO`, which *ends* a process that does not expect it. `F_SETSIG` asks for `SIGURG` instead, whose default is to be
//! ignored; the breaking is found by asking ([`Lease::is_whole`]). (2) A lease that is not given back keeps the editor waiting
//! for up to `/proc/sys/fs/lease-break-time` (45 s). [`Lease`] gives it back when dropped, also on a panic; the kernel does so
//! when the process ends.

use std::fs::File;

/// What asking for a lease said.
#[derive(Debug)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux has leases"))]
pub(crate) enum LeaseKind {
    /// No process has the file open for writing, and none will until this is dropped.
    Granted(Lease),
    /// Somebody has it open for writing.
    Writer,
    /// This file system, system or owner has no leases: it is unknown.
    Unavailable,
}

/// A read lease on an open file, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    file: File,
}

impl Lease {
    /// Whether no process has asked to write since the lease was taken.
    pub(crate) fn is_whole(&self) -> bool {
        sys::is_whole(&self.file)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        sys::give_back(&self.file);
    }
}

/// Asks for a read lease on a regular file opened for reading only.
pub(crate) fn ask(file: &File) -> std::io::Result<LeaseKind> {
    sys::ask(file)
}

#[cfg(target_os = "linux")]
mod sys {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd as _;

    use super::{Lease, LeaseKind};

    /// From the kernel's asm-generic/fcntl.h; not every target of libc names it.
    const F_SETSIG: libc::c_int = 10;

    pub(super) fn ask(file: &File) -> io::Result<LeaseKind> {
        let file = file.try_clone()?;
        if fcntl(&file, F_SETSIG, libc::SIGURG) < 0 || fcntl(&file, libc::F_SETLEASE, libc::F_RDLCK) < 0 {
            return match io::Error::last_os_error().raw_os_error() {
                Some(libc::EAGAIN) => Ok(LeaseKind::Writer),
                // EINVAL: the file system has no leases. EACCES: the file is another user's. ENOLCK, ENOMEM: none left.
                _ => Ok(LeaseKind::Unavailable),
            };
        }
        Ok(LeaseKind::Granted(Lease { file }))
    }

    pub(super) fn is_whole(file: &File) -> bool {
        // While it is being broken the kernel names the type the lease is to become: F_UNLCK.
        fcntl(file, libc::F_GETLEASE, 0) == libc::F_RDLCK
    }

    pub(super) fn give_back(file: &File) {
        fcntl(file, libc::F_SETLEASE, libc::F_UNLCK);
    }

    #[allow(unsafe_code)]
    fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> libc::c_int {
        // SAFETY: the descriptor is open for as long as `file` is borrowed, and the commands used here (F_SETSIG, F_SETLEASE,
        // F_GETLEASE) take an integer or nothing: no memory is passed to the kernel.
        unsafe { libc::fcntl(file.as_raw_fd(), command, argument) }
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::fs::File;
    use std::io;

    use super::LeaseKind;

    pub(super) fn ask(_file: &File) -> io::Result<LeaseKind> {
        Ok(LeaseKind::Unavailable)
    }

    pub(super) fn is_whole(_file: &File) -> bool {
        true
    }

    pub(super) fn give_back(_file: &File) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

    use std::fs::{File, OpenOptions};

    use super::{LeaseKind, ask};

    #[test]
    fn a_file_that_is_open_for_writing_gets_no_lease() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        let writer = File::create(&path).expect("the file");
        let reader = File::open(&path).expect("the file");
        if matches!(ask(&reader).expect("asked"), LeaseKind::Unavailable) {
            eprintln!("SKIPPED: no leases on this file system");
            return;
        }
        assert!(matches!(ask(&reader).expect("asked"), LeaseKind::Writer));
        drop(writer);
        assert!(matches!(ask(&reader).expect("asked"), LeaseKind::Granted(_)));
    }

    #[test]
    fn a_writer_who_comes_during_a_lease_waits_breaks_it_and_ends_nobody() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("f");
        std::fs::write(&path, "x").expect("the file");
        let reader = File::open(&path).expect("the file");
        let LeaseKind::Granted(lease) = ask(&reader).expect("asked") else {
            eprintln!("SKIPPED: no leases on this file system");
            return;
        };
        assert!(lease.is_whole());
        let writer = std::thread::spawn(move || OpenOptions::new().write(true).open(path).expect("opened in the end"));
        while lease.is_whole() {
            std::thread::yield_now();
        }
        assert!(!writer.is_finished());
        drop(lease);
        writer.join().expect("the writer went on");
    }
}

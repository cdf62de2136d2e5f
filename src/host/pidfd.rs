//! Handles on processes that say when they end. Never signals one.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, Resource, getrlimit};

use super::procfs;

/// So many of the files that may be open are left to whoever has to open one.
const RESERVED: u64 = 6;

/// Why there is no handle.
#[derive(Debug, thiserror::Error)]
pub enum PidfdError {
    /// The process has ended, or its id is another process's by now.
    #[error("process {0} has ended")]
    Ended(u32),
    /// The system gives none; the process may well run.
    #[error("cannot watch process {pid}")]
    Unavailable {
        /// The process.
        pid: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A handle on a process, readable once it has ended. `start_ticks` is when it must have started, in clock ticks since boot.
///
/// # Errors
/// If the process is not there, is a zombie, or there is no handle on it to be had.
pub fn open(pid: u32, start_ticks: Option<u64>) -> Result<OwnedFd, PidfdError> {
    let handle = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(PidfdError::Ended(pid))?;
    let fd = handle_on(handle).map_err(|error| match error {
        Errno::SRCH => PidfdError::Ended(pid),
        error => PidfdError::Unavailable { pid, source: error.into() },
    })?;
    // Without a handle it is looked at from time to time; without a file to open, nothing is.
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if u64::try_from(fd.as_raw_fd()).is_ok_and(|number| number + RESERVED >= most) {
        return Err(PidfdError::Unavailable { pid, source: Errno::MFILE.into() });
    }
    // Asked only now: from here on the handle is on one process for good, whoever gets the id after it.
    if is_running(pid, start_ticks) { Ok(fd) } else { Err(PidfdError::Ended(pid)) }
}

/// A handle on a process; only Linux has them.
pub(super) fn handle_on(process: Pid) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    return rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty());
    #[cfg(not(target_os = "linux"))]
    {
        let _ = process;
        Err(Errno::NOSYS)
    }
}

/// Whether a process runs that started then, or at any time if that is not known. One that may not be read counts as running.
pub fn is_running(pid: u32, start_ticks: Option<u64>) -> bool {
    match procfs::start_ticks(pid) {
        Ok(Some(ticks)) => start_ticks.is_none_or(|expected| expected == ticks),
        Ok(None) => false,
        Err(_) => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(fd: &OwnedFd, seconds: i64) -> bool {
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: seconds, tv_nsec: 0 })).unwrap() == 1
    }

    #[test]
    fn a_handle_is_readable_once_its_process_ended_and_not_before() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let ticks = procfs::start_ticks(child.id()).unwrap();
        assert!(ticks.is_some());
        let fd = open(child.id(), ticks).unwrap();
        assert!(!is_readable(&fd, 0));
        child.kill().unwrap();
        assert!(is_readable(&fd, 10));
        // A zombie holds nothing any more, whether or not its parent has asked for its end.
        assert!(matches!(open(child.id(), ticks), Err(PidfdError::Ended(_))));
        child.wait().unwrap();
        assert!(matches!(open(child.id(), ticks), Err(PidfdError::Ended(_))));
    }

    #[test]
    fn a_process_that_started_at_another_time_is_another_process() {
        let own = std::process::id();
        let ticks = procfs::start_ticks(own).unwrap().unwrap();
        assert!(open(own, Some(ticks)).is_ok() && open(own, None).is_ok());
        assert!(matches!(open(own, Some(ticks + 1)), Err(PidfdError::Ended(pid)) if pid == own));
        assert!(matches!(open(0, None), Err(PidfdError::Ended(0))));
    }
}

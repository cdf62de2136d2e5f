//! Holds on processes, which say of all of them at once that they still live. Never signals one.

use std::os::fd::OwnedFd;

use chrono::{DateTime, Utc};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A hold on one process: whoever gets its id later is another one. It tells the end of the process, and not that the process
/// went on as another program.
#[derive(Debug)]
pub struct Hold {
    /// The process.
    pub pid: u32,
    /// When it started.
    pub started: DateTime<Utc>,
    /// A pidfd, where the host has one.
    pub handle: Option<OwnedFd>,
}

/// Which of these processes still live, by one system call. One without a handle is not known to.
pub(super) fn live(holds: &[&Hold]) -> Vec<bool> {
    let mut fds: Vec<_> = holds.iter().filter_map(|hold| Some(PollFd::new(hold.handle.as_ref()?, PollFlags::IN))).collect();
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let polled = loop {
        match poll(&mut fds, Some(&at_once)) {
            Err(Errno::INTR) => {}
            polled => break polled.is_ok(),
        }
    };
    let mut quiet = fds.iter().map(|fd| polled && fd.revents().is_empty());
    holds.iter().map(|hold| hold.handle.is_some() && quiet.next() == Some(true)).collect()
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::host::{Environ, Host, LocalHost};

    #[test]
    fn a_process_that_ended_is_told_from_those_that_live_and_none_is_known_to_live_without_a_handle() {
        let host = LocalHost::new(Environ::default());
        let start = || std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let (mut one, mut other) = (start(), start());
        let hold = |pid: u32| host.hold(pid, host.stat(pid).seen().unwrap().started).unwrap();
        let (first, second) = (hold(one.id()), hold(other.id()));
        let without = Hold { pid: second.pid, started: second.started, handle: None };
        assert_eq!(host.live(&[&first, &without, &second]), [true, false, true]);
        let later = first.started + chrono::TimeDelta::seconds(1);
        assert!(host.hold(one.id(), later).is_none(), "that is another process");
        one.kill().unwrap();
        // A zombie has ended.
        while host.live(&[&first]) == [true] {
            std::thread::yield_now();
        }
        assert_eq!(host.live(&[&first, &without, &second]), [false, false, true]);
        one.wait().unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(host.live(&[&first, &second]), [false, false]);
        assert!(host.hold(one.id(), first.started).is_none());
    }
}

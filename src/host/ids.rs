//! Ids of processes that may have none here: those of another PID namespace, which ours does not contain, are 0 for the kernel.
//! Asked without rustix, to which no id is 0. Owns those two calls; concludes nothing.

#[cfg(target_os = "linux")]
use std::os::fd::AsRawFd;

use rustix::fd::AsFd;

/// Who called `listen` on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// This process.
    Process(u32),
    /// One that has no id here: it is in a PID namespace that ours does not contain.
    Elsewhere,
    /// The kernel does not tell.
    Untold,
}

impl Peer {
    /// Its id.
    pub fn pid(self) -> Option<u32> {
        match self {
            Self::Process(pid) => Some(pid),
            Self::Elsewhere | Self::Untold => None,
        }
    }
}

/// Who called `listen` on the other end of a connection.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(super) fn peer(socket: impl AsFd) -> Peer {
    let mut found = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let Ok(mut length) = libc::socklen_t::try_from(size_of_val(&found)) else { return Peer::Untold };
    let (socket, into) = (socket.as_fd().as_raw_fd(), (&raw mut found).cast());
    // SAFETY: `found` is three integers, as long as is said, and outlives the call; the descriptor is open.
    let told = unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, libc::SO_PEERCRED, into, &raw mut length) };
    match (told, u32::try_from(found.pid)) {
        (0, Ok(0)) => Peer::Elsewhere,
        (0, Ok(pid)) => Peer::Process(pid),
        _ => Peer::Untold,
    }
}

/// Other systems do not say.
#[cfg(not(target_os = "linux"))]
pub(super) fn peer(_: impl AsFd) -> Peer {
    Peer::Untold
}

/// Whether this process leads its session.
#[allow(unsafe_code)]
pub(crate) fn leads_session() -> bool {
    // SAFETY: it takes an integer, gives one, and touches nothing.
    let session = unsafe { libc::getsid(0) };
    session == rustix::process::getpid().as_raw_nonzero().get()
}

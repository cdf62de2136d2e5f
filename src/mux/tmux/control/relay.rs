//! The connection of a control client to its server, which goes through us so that it is introduced in one piece. Carries bytes;
//! interprets none after the introduction.

use std::collections::VecDeque;
use std::fs::Permissions;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
    connect, recvmsg, sendmsg,
};
use tempfile::{Builder, TempDir};

use super::introduction::Introduction;
use crate::host::{Environ, NO_SIGNAL, unix_socket};

/// What is carried at a time, in bytes.
const HANDFUL: usize = 8 << 10;

/// Where a client may knock: a socket in a directory of ours, gone once the client is in.
pub(super) struct Door {
    dir: TempDir,
    listener: UnixListener,
    server: OwnedFd,
}

/// A client and its server.
#[derive(Debug)]
pub(super) struct Relay {
    client: OwnedFd,
    server: OwnedFd,
}

impl Door {
    /// A door to the server behind this socket.
    pub(super) fn open(env: &Environ, socket: &Path) -> io::Result<Self> {
        let server = unix_socket()?;
        connect(&server, &SocketAddrUnix::new(socket)?)?;
        // The path of a socket cannot be long: the next place may have a shorter one.
        let places = [env.path("XDG_RUNTIME_DIR"), env.path("TMPDIR"), Some(PathBuf::from("/tmp"))];
        let mut failed = io::ErrorKind::NotFound.into();
        for place in places.into_iter().flatten().filter(|place| place.is_absolute()) {
            match knocker(&place) {
                Ok((dir, listener)) => return Ok(Self { dir, listener, server }),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The socket to knock at.
    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Waits for the client and introduces it. `output` is closed if it ends before.
    pub(super) fn admit(self, output: BorrowedFd<'_>, until: Instant) -> io::Result<Relay> {
        wait(&[self.listener.as_fd(), output], until)?;
        let client = self.listener.accept().map_err(|_| io::Error::other("it ended before it came to its server"))?.0;
        let relay = Relay { client: client.into(), server: self.server };
        relay.introduce(until)?;
        Ok(relay)
    }
}

fn knocker(place: &Path) -> io::Result<(TempDir, UnixListener)> {
    let dir = Builder::new().prefix("headcount-").permissions(Permissions::from_mode(0o700)).tempdir_in(place)?;
    let listener = UnixListener::bind(dir.path().join("s"))?;
    listener.set_nonblocking(true)?;
    Ok((dir, listener))
}

impl Relay {
    fn introduce(&self, until: Instant) -> io::Result<()> {
        let mut introduction = Introduction::default();
        let mut descriptors = VecDeque::new();
        loop {
            wait(&[self.client.as_fd()], until)?;
            let (bytes, more) = receive(&self.client)?;
            descriptors.extend(more);
            if bytes.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            for parcel in introduction.feed(&bytes).map_err(io::Error::other)? {
                let with = if parcel.has_descriptor { descriptors.pop_front() } else { None };
                send(&self.server, &parcel.bytes, with.as_ref())?;
                if parcel.is_last {
                    return Ok(());
                }
            }
        }
    }

    /// Both ends, to be polled.
    pub(super) fn ends(&self) -> [BorrowedFd<'_>; 2] {
        [self.client.as_fd(), self.server.as_fd()]
    }

    /// Carries what is there, both ways.
    ///
    /// # Errors
    /// One end hung up, or takes nothing more.
    pub(super) fn carry(&self) -> io::Result<()> {
        for (from, to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            match receive(from) {
                Ok((bytes, _)) if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((bytes, _)) => send(to, &bytes, None)?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Carries until one end hangs up or it is over.
    pub(super) fn carry_on(&self, is_over: &OwnedFd) {
        let [client, server] = self.ends();
        loop {
            let mut fds = [is_over.as_fd(), client, server].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
            match poll(&mut fds, None) {
                Err(Errno::INTR) => continue,
                Ok(_) if fds[0].revents().is_empty() => {}
                Ok(_) | Err(_) => return,
            }
            if self.carry().is_err() {
                return;
            }
        }
    }
}

/// Waits until one of them can be read or hung up.
fn wait(fds: &[BorrowedFd<'_>], until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut fds: Vec<_> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        match poll(&mut fds, Some(&left)) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is there, and the descriptors that came with it.
fn receive(from: &OwnedFd) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; HANDFUL];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::DONTWAIT;
    let received = recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
    bytes.truncate(received.bytes);
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    Ok((bytes, rights.flatten().collect()))
}

/// Says it in one piece or not at all.
fn send(to: &OwnedFd, bytes: &[u8], with: Option<&OwnedFd>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<_> = with.map(AsFd::as_fd).into_iter().collect();
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::DONTWAIT | NO_SIGNAL)?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    fn message(kind: u32) -> Vec<u8> {
        [&kind.to_ne_bytes()[..], &16_u16.to_ne_bytes(), &[0; 2], &[0; 8]].concat()
    }

    /// A server that only listens, and a door to it.
    fn scene() -> (TempDir, UnixListener, Door) {
        let dir = tempfile::tempdir().unwrap();
        let server = UnixListener::bind(dir.path().join("server")).unwrap();
        let pairs = [("TMPDIR", dir.path().as_os_str())];
        let env: Environ = pairs.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect();
        let door = Door::open(&env, &dir.path().join("server")).unwrap();
        (dir, server, door)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn a_client_that_ends_before_it_is_introduced_is_no_control_client_to_its_server() {
        let (_dir, server, door) = scene();
        let (quiet, _writer) = UnixStream::pair().unwrap();
        let mut client = UnixStream::connect(door.path()).unwrap();
        client.write_all(&[message(100), message(111), message(101)].concat()).unwrap();
        drop(client);
        assert!(door.admit(quiet.as_fd(), soon()).is_err());
        let mut heard = Vec::new();
        server.accept().unwrap().0.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, message(101), "nothing of what makes it one");
    }

    #[test]
    fn what_follows_the_introduction_is_carried_both_ways_until_one_end_hangs_up() {
        let (dir, server, door) = scene();
        let place = door.path();
        let (quiet, _writer) = UnixStream::pair().unwrap();
        let mut client = UnixStream::connect(&place).unwrap();
        client.write_all(&[message(111), message(106)].concat()).unwrap();
        let relay = door.admit(quiet.as_fd(), soon()).unwrap();
        assert!(!place.exists(), "the door is gone");
        let mut server = server.accept().unwrap().0;
        let mut heard = [0; 32];
        server.read_exact(&mut heard).unwrap();
        client.write_all(b"to the server").unwrap();
        server.write_all(b"to the client").unwrap();
        relay.carry().unwrap();
        for end in [&mut client, &mut server] {
            let mut heard = [0; 13];
            end.read_exact(&mut heard).unwrap();
            assert!(heard.starts_with(b"to the "));
        }
        drop(server);
        assert!(relay.carry().is_err());
        drop(dir);
    }

    #[test]
    fn a_client_that_never_knocks_is_not_waited_for() {
        let (_dir, _server, door) = scene();
        let (output, writer) = UnixStream::pair().unwrap();
        drop(writer);
        let begun = Instant::now();
        assert!(door.admit(output.as_fd(), begun + Duration::from_secs(60)).is_err());
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}

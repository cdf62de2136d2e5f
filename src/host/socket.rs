//! Whether somebody listens on a Unix socket, and on which. Writes nothing to the connection it opens.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType, connect};
#[cfg(target_os = "linux")]
use rustix::net::{SocketFlags, socket_with};

use super::ids::{Peer, peer};
use crate::core::fact::Fact;

/// The kernel's table of Unix sockets.
const TABLE: &str = "/proc/net/unix";
/// `__SO_ACCEPTCON` in its flags column: the socket listens.
const LISTENS: u64 = 0x1_0000;

/// What asking about a socket gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// Somebody listens, or the queue of one who does is full.
    Listening(Peer),
    /// The socket does not exist or refuses, and no process listens under that path.
    Nobody,
    /// Somebody listens under that path but cannot be reached by it: the socket file was removed or replaced.
    Unreachable,
    /// It is unknown.
    Unknown(String),
}

pub(super) fn listener(path: &Path) -> Listener {
    let why = match attempt(path) {
        Ok(peer) => return Listener::Listening(peer),
        Err(Errno::AGAIN) => return Listener::Listening(Peer::Untold),
        Err(Errno::NOENT | Errno::CONNREFUSED | Errno::NOTDIR) => None,
        Err(Errno::ACCESS | Errno::PERM) => Some("permission denied".to_owned()),
        Err(Errno::NAMETOOLONG) => Some("the socket's path is too long".to_owned()),
        Err(error) => Some(io::Error::from(error).to_string()),
    };
    if let Some(why) = why {
        return Listener::Unknown(format!("cannot connect to {}: {why}", path.display()));
    }
    match std::fs::read(TABLE) {
        Ok(table) if names(&table, path) => Listener::Unreachable,
        Ok(_) => Listener::Nobody,
        // Other systems have no such table; there a refused connection has to be enough.
        Err(_) if cfg!(not(target_os = "linux")) => Listener::Nobody,
        Err(error) => Listener::Unknown(format!("cannot read {TABLE}: {error}")),
    }
}

/// Connects, and says to whom.
fn attempt(path: &Path) -> Result<Peer, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let socket = unix_socket()?;
    connect(&socket, &address)?;
    Ok(peer(&socket))
}

/// Whether a socket is somebody's. Asked by a connection of another kind, which the kernel turns down before its owner hears of it;
/// a socket that is nobody's any more refuses any.
pub(super) fn is_bound(path: &Path) -> bool {
    let asked = SocketAddrUnix::new(path).and_then(|address| connect(&socket_of(SocketType::DGRAM)?, &address));
    !matches!(asked, Err(Errno::CONNREFUSED | Errno::NOENT | Errno::NOTDIR))
}

/// That whoever hung up is told as an error. Elsewhere that is so anyway: Rust's runtime ignores the signal.
#[cfg(target_os = "linux")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
/// The same where there is no such flag.
#[cfg(not(target_os = "linux"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// A Unix socket that waits for nothing and that no child inherits.
pub(crate) fn unix_socket() -> Result<OwnedFd, Errno> {
    socket_of(SocketType::STREAM)
}

fn socket_of(kind: SocketType) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    return socket_with(AddressFamily::UNIX, kind, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None);
    #[cfg(not(target_os = "linux"))]
    {
        // Elsewhere that is said afterwards; a child that is started in between inherits it.
        let socket = rustix::net::socket(AddressFamily::UNIX, kind, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        Ok(socket)
    }
}

/// The paths of all sockets that a process listens on.
pub(super) fn listening() -> Fact<Vec<PathBuf>> {
    match std::fs::read(TABLE) {
        Ok(table) => Fact::Seen(listeners(&table).map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()),
        Err(_) if cfg!(not(target_os = "linux")) => Fact::Absent,
        Err(error) => Fact::Unknown(format!("cannot read {TABLE}: {error}")),
    }
}

/// Whether the table has a listening socket of this path, as written or with its directory resolved.
fn names(table: &[u8], path: &Path) -> bool {
    let resolved =
        path.parent().and_then(|dir| dir.canonicalize().ok()).zip(path.file_name()).map(|(dir, name)| dir.join(name));
    let spellings: Vec<PathBuf> = resolved.into_iter().chain([path.to_path_buf()]).collect();
    listeners(table).any(|socket| spellings.iter().any(|spelling| spelling.as_os_str().as_bytes() == socket))
}

/// The paths of the listening sockets in the table.
fn listeners(table: &[u8]) -> impl Iterator<Item = &[u8]> {
    table.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        // Num RefCount Protocol Flags Type St Inode Path: seven columns without spaces, then the rest of the line.
        let mut rest = line;
        let mut flags = 0;
        for column in 0..7 {
            let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
            let end = rest[start..].iter().position(|byte| *byte == b' ').map_or(rest.len(), |at| start + at);
            if column == 3 {
                flags =
                    std::str::from_utf8(&rest[start..end]).ok().and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0);
            }
            rest = &rest[end..];
        }
        (flags & LISTENS != 0).then(|| rest.strip_prefix(b" ").unwrap_or(rest))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_is_listening_stale_missing_or_removed_under_its_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("with space");
        assert_eq!(listener(&path), Listener::Nobody);
        assert!(!is_bound(&path));
        let server = UnixListener::bind(&path).unwrap();
        assert!(is_bound(&path));
        server.set_nonblocking(true).unwrap();
        assert!(server.accept().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock), "it heard of that");
        assert_eq!(listener(&path), Listener::Listening(Peer::Process(std::process::id())));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(listener(&path), Listener::Unreachable);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert_eq!(listener(&link.join("with space")), Listener::Unreachable);
        drop(server);
        assert_eq!(listener(&path), Listener::Nobody);
        drop(UnixListener::bind(&path).unwrap());
        assert_eq!(listener(&path), Listener::Nobody, "a socket nobody listens on any more");
        assert!(!is_bound(&path));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "no socket").unwrap();
        assert_eq!(listener(&path), Listener::Nobody);
    }

    #[test]
    fn a_connection_of_that_name_is_not_a_listener() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 20000 /tmp/x\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 13112 /tmp/y z\n";
        assert!(!names(table, Path::new("/tmp/x")));
        assert!(names(table, Path::new("/tmp/y z")));
        assert!(!names(table, Path::new("/tmp/y")));
    }

    #[test]
    fn a_server_too_busy_to_accept_is_still_listening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("busy");
        let address = SocketAddrUnix::new(&path).unwrap();
        let socket = || socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
        let server = socket();
        rustix::net::bind(&server, &address).unwrap();
        rustix::net::listen(&server, 1).unwrap();
        let waiting: Vec<_> = std::iter::repeat_with(socket).take(8).take_while(|it| connect(it, &address).is_ok()).collect();
        assert!(waiting.len() < 8, "the queue never filled");
        assert_eq!(listener(&path), Listener::Listening(Peer::Untold));
    }
}

//! Putting one question to many Unix sockets at the same time. Says what it is given, once; never interprets what it hears.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketAddrUnix, connect, recv, send};

/// How many connections are open at a time.
const AT_A_TIME: usize = 128;

/// The most that is listened to.
const MOST: usize = 4 << 20;

/// What is said, and how long is listened.
#[derive(Clone, Copy)]
pub struct SocketRequest<'a> {
    /// The bytes that are sent, at most some hundred.
    pub words: &'a [u8],
    /// Whether this much of an answer is enough.
    pub is_whole: &'a (dyn Fn(&[u8]) -> bool + Sync),
    /// The only process that is to hear it; `None`: any.
    pub listener: Option<u32>,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketReply {
    /// The answer (not a whole one if the other side hung up), and who listens, where the kernel tells.
    Said(Vec<u8>, Option<u32>),
    /// Somebody listens and gave no whole answer in time.
    Silent,
    /// The socket does not exist, or no process listens on it.
    Nobody,
    /// Another process listens than the one that was meant, or the kernel does not say which: nothing was said to it.
    Stranger,
    /// It could not be asked.
    Failed(String),
}

/// A connection on which an answer is awaited.
struct Waiting {
    place: usize,
    socket: OwnedFd,
    pid: Option<u32>,
    heard: Vec<u8>,
}

pub(super) fn ask(sockets: &[PathBuf], question: &SocketRequest<'_>, deadline: Duration) -> Vec<SocketReply> {
    sockets.chunks(AT_A_TIME).flat_map(|some| ask_some(some, question, deadline)).collect()
}

fn ask_some(sockets: &[PathBuf], question: &SocketRequest<'_>, deadline: Duration) -> Vec<SocketReply> {
    let until = Instant::now() + deadline;
    let mut answers = vec![SocketReply::Silent; sockets.len()];
    let mut waiting = Vec::new();
    for (place, path) in sockets.iter().enumerate() {
        match begin(path, question) {
            Ok(Some((socket, pid))) => waiting.push(Waiting { place, socket, pid, heard: Vec::new() }),
            Ok(None) => answers[place] = SocketReply::Stranger,
            // The queue of those who wait to be let in is full.
            Err(Errno::AGAIN) => {}
            Err(error) => answers[place] = refusal(path, error),
        }
    }
    while !waiting.is_empty() {
        let Some(left) = until.checked_duration_since(Instant::now()) else { break };
        let mut fds: Vec<_> = waiting.iter().map(|it| PollFd::new(&it.socket, PollFlags::IN)).collect();
        match poll(&mut fds, Timespec::try_from(left).ok().as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                let why = io::Error::from(error).to_string();
                waiting.iter().for_each(|it| answers[it.place] = SocketReply::Failed(why.clone()));
                break;
            }
        }
        waiting.retain_mut(|it| match it.listen(question.is_whole) {
            Some(answer) => {
                answers[it.place] = answer;
                false
            }
            None => true,
        });
    }
    answers
}

/// Connects, and says it to whom it is meant for.
fn begin(path: &Path, question: &SocketRequest<'_>) -> Result<Option<(OwnedFd, Option<u32>)>, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let socket = super::socket::unix_socket()?;
    connect(&socket, &address)?;
    let pid = super::ids::peer(&socket).pid();
    if question.listener.is_some() && question.listener != pid {
        return Ok(None);
    }
    // The buffer of a new connection takes a few bytes at once. Who hangs up before is heard of by reading.
    match send(&socket, question.words, super::socket::NO_SIGNAL) {
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(Some((socket, pid))),
        Err(error) => Err(error),
    }
}

fn refusal(path: &Path, error: Errno) -> SocketReply {
    match error {
        Errno::NOENT | Errno::CONNREFUSED | Errno::NOTDIR => SocketReply::Nobody,
        Errno::ACCESS | Errno::PERM => SocketReply::Failed(format!("cannot connect to {}: permission denied", path.display())),
        error => SocketReply::Failed(format!("cannot connect to {}: {}", path.display(), io::Error::from(error))),
    }
}

impl Waiting {
    /// Takes what is there; gives the answer once it is whole or will not be.
    fn listen(&mut self, is_whole: &dyn Fn(&[u8]) -> bool) -> Option<SocketReply> {
        loop {
            let mut buffer = [0; 4096];
            match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((0, _)) | Err(Errno::CONNRESET) => break,
                Ok((n, _)) => self.heard.extend_from_slice(&buffer[..n]),
                Err(Errno::AGAIN) => return None,
                Err(Errno::INTR) => {}
                Err(error) => return Some(SocketReply::Failed(io::Error::from(error).to_string())),
            }
            if is_whole(&self.heard) || self.heard.len() >= MOST {
                break;
            }
        }
        Some(SocketReply::Said(std::mem::take(&mut self.heard), self.pid))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn each_socket_gets_its_own_answer_and_a_silent_one_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let talker = UnixListener::bind(path("talks")).unwrap();
        let leaver = UnixListener::bind(path("leaves")).unwrap();
        let _mute = UnixListener::bind(path("mute")).unwrap();
        drop(UnixListener::bind(path("stale")).unwrap());
        let talk = std::thread::spawn(move || {
            let (mut stream, _) = talker.accept().unwrap();
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).unwrap();
            stream.write_all(b"ye").unwrap();
            stream.write_all(b"s, and more").unwrap();
            drop(stream);
            heard
        });
        let leave = std::thread::spawn(move || drop(leaver.accept().unwrap()));
        let sockets = ["talks", "leaves", "mute", "stale", "missing"].map(path);
        let begun = Instant::now();
        let question = SocketRequest { words: b"there", is_whole: &|heard| heard.len() >= 13, listener: None };
        let answers = ask(&sockets, &question, Duration::from_millis(300));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert_eq!(&talk.join().unwrap(), b"there");
        leave.join().unwrap();
        let me = Some(std::process::id());
        let expected = [
            SocketReply::Said(b"yes, and more".to_vec(), me),
            SocketReply::Said(Vec::new(), me),
            SocketReply::Silent,
            SocketReply::Nobody,
            SocketReply::Nobody,
        ];
        assert_eq!(answers, expected);
    }

    #[test]
    fn a_stranger_is_told_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let server = UnixListener::bind(&path).unwrap();
        let mut question = SocketRequest { words: b"x", is_whole: &|_| true, listener: Some(1) };
        assert_eq!(ask(std::slice::from_ref(&path), &question, Duration::from_secs(1)), [SocketReply::Stranger]);
        assert_eq!(server.accept().unwrap().0.read(&mut [0; 1]).unwrap(), 0);
        question.listener = Some(std::process::id());
        assert_eq!(ask(&[path], &question, Duration::from_millis(10)), [SocketReply::Silent]);
        assert_eq!(server.accept().unwrap().0.read(&mut [0; 1]).unwrap(), 1);
    }

    #[test]
    fn a_path_too_long_for_a_socket_cannot_be_asked() {
        let long = PathBuf::from(format!("/tmp/{}", "x".repeat(200)));
        let answers = ask(&[long], &SocketRequest { words: b"x", is_whole: &|_| true, listener: None }, Duration::from_secs(1));
        assert!(matches!(&answers[..], [SocketReply::Failed(why)] if why.contains("cannot connect")), "{answers:?}");
    }

    #[test]
    fn more_sockets_than_are_asked_at_a_time_are_all_asked() {
        let dir = tempfile::tempdir().unwrap();
        let sockets: Vec<PathBuf> = (0..AT_A_TIME + 3).map(|n| dir.path().join(n.to_string())).collect();
        let answers =
            ask(&sockets, &SocketRequest { words: b"x", is_whole: &|_| true, listener: None }, Duration::from_secs(1));
        assert_eq!(answers, vec![SocketReply::Nobody; sockets.len()]);
    }
}

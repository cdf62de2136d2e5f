//! A control client of a tmux server: hears what happens. Owns exactly one child. Attaches to nothing, creates nothing and
//! resizes nothing.

mod introduction;
mod parse;
mod relay;

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::core::text::printable;
use crate::host::{self, Command, Environ};
use parse::{Item, Parser, Reply};
use relay::{Door, Relay};

/// How long a server may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a client may take to end when it is told to.
const FAREWELL: Duration = Duration::from_millis(300);

/// What a client heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Something changed that a list could show.
    Changed,
    /// The client is at its end: nothing more comes.
    Ended,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// It could not be started.
    #[error("cannot start tmux's control client")]
    Start(#[source] io::Error),
    /// tmux did not do what it was asked.
    #[error("tmux's control client failed: {0}")]
    Failed(String),
    /// It took too long, or ended meanwhile.
    #[error("tmux's control client did not answer")]
    Silent,
}

/// A control client. Dropping it ends its process.
#[derive(Debug)]
pub struct Client {
    child: Child,
    /// At its end the client would end.
    stdin: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
    /// Tells the reader to end. The end of the client does not: the server holds the other end of its output as well, and may
    /// be stopped.
    stop: OwnedFd,
    waiting: Waiting,
}

/// A channel of `wait-for` that nobody else knows.
#[derive(Debug)]
struct Waiting {
    socket: PathBuf,
    env: Environ,
    channel: String,
}

impl Client {
    /// A client that is attached to nothing: it sees sessions come, go and be renamed, is in no list of clients, and tells no
    /// pane that it has the focus, as it would if it were attached.
    ///
    /// # Errors
    /// If there is no server or it does not answer.
    pub fn listen(env: &Environ, socket: &Path, on: impl FnMut(Notice) + Send + 'static) -> Result<Self, ControlError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Two containers may hold processes of the same id.
        let now = chrono::Utc::now().timestamp_micros();
        let channel = format!("headcount-{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let waiting = Waiting { socket: socket.to_owned(), env: env.clone(), channel };
        let missing = || ControlError::Start(io::ErrorKind::NotFound.into());
        let (is_over, stop) = io::pipe().map_err(ControlError::Start)?;
        let (is_over, stop) = (OwnedFd::from(is_over), OwnedFd::from(stop));
        let door = Door::open(env, socket).map_err(ControlError::Start)?;
        let mut child = host::child("tmux", env)
            .ok_or_else(missing)?
            .args(["-u", "-N", "-S"])
            .arg(door.path())
            .args(["-C", "wait-for", &waiting.channel])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ControlError::Start)?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        let admitted = stdout.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into());
        let relay = match admitted.and_then(|stdout| door.admit(stdout.as_fd(), Instant::now() + DEADLINE)) {
            Ok(relay) => relay,
            Err(error) => {
                // The server does not know of it.
                let _ = child.kill();
                let _ = child.wait();
                return Err(ControlError::Start(error));
            }
        };
        let (sender, replies) = mpsc::channel();
        let mut client = Self { child, stdin, reader: None, stop, waiting };
        let stdout = stdout.ok_or_else(missing)?;
        let name = "tmux-control".to_owned();
        let reader = std::thread::Builder::new().name(name).stack_size(128 << 10).spawn(move || {
            let mut on = on;
            let relay = read(stdout, &is_over, relay, &sender, &mut on);
            drop(sender);
            on(Notice::Ended);
            // It may still have to take its leave.
            if let Some(relay) = relay {
                relay.carry_on(&is_over);
            }
        });
        client.reader = Some(reader.map_err(ControlError::Start)?);
        // Its command is answered when it begins to wait.
        match replies.recv_timeout(DEADLINE) {
            Ok(Reply { is_success: true, .. }) => Ok(client),
            Ok(Reply { body, .. }) => Err(ControlError::Failed(printable(String::from_utf8_lossy(&body).trim()).into_owned())),
            Err(_) => Err(ControlError::Silent),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It is let go, or the server would keep what is left of it; only a server that answers is asked.
        self.stdin = None;
        if matches!(self.child.try_wait(), Ok(None)) {
            self.waiting.end();
        }
        let until = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = rustix::io::write(&self.stop, b"!");
        if let Some(reader) = self.reader.take().filter(|it| it.thread().id() != std::thread::current().id()) {
            let _ = reader.join();
        }
    }
}

impl Waiting {
    fn end(&self) {
        let args = ["-u".into(), "-N".into(), "-S".into(), self.socket.clone().into_os_string()];
        let args = args.into_iter().chain(["wait-for".into(), "-S".into(), self.channel.clone().into()]).collect();
        let command = Command { program: "tmux".to_owned(), args, variables: Vec::new(), deadline: FAREWELL };
        if let Err(error) = host::run(&command, &self.env) {
            tracing::debug!(socket = %self.socket.display(), %error, "the control client was not let go");
        }
    }
}

/// Reads until the client ends or is dropped. Gives back its connection, if that still stands.
fn read(
    mut stdout: ChildStdout,
    is_over: &OwnedFd,
    relay: Relay,
    replies: &Sender<Reply>,
    on: &mut impl FnMut(Notice),
) -> Option<Relay> {
    let mut parser = Parser::default();
    let mut buffer = vec![0; 16 << 10];
    let mut relay = Some(relay);
    loop {
        let ends = relay.iter().flat_map(Relay::ends);
        let mut fds: Vec<_> = [stdout.as_fd(), is_over.as_fd()].into_iter().chain(ends).map(readable).collect();
        match poll(&mut fds, None) {
            Ok(_) if !fds[1].revents().is_empty() => return relay,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return relay,
        }
        let (has_said, is_to_carry) = (!fds[0].revents().is_empty(), fds[2..].iter().any(|fd| !fd.revents().is_empty()));
        if is_to_carry {
            // Once one end hung up, the other hears of it.
            relay = relay.filter(|relay| relay.carry().is_ok());
        }
        if !has_said {
            continue;
        }
        let len = match stdout.read(&mut buffer) {
            Ok(0) => return relay,
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return relay,
        };
        let Ok(items) = parser.feed(&buffer[..len]) else { return relay };
        for item in items {
            match item {
                // Only the first is waited for.
                Item::Reply(reply) => drop(replies.send(reply)),
                Item::Exit(_) => return relay,
                Item::Changed => on(Notice::Changed),
            }
        }
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

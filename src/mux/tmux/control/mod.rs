//! A control client of a tmux server: hears what happens, and, if attached, lists without a fork. Owns exactly one child.
//! Creates nothing and resizes nothing; sends nothing but lists.

mod conditions;
mod introduction;
mod parse;
mod relay;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::rows;
use crate::core::observe::Server;
use crate::core::text::printable;
use crate::host::{self, Command, Environ, Host};
use parse::{Item, Parser, Reply};
use relay::{Door, Relay};

/// How long a server may take to answer.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a client may take to end when it is told to.
const FAREWELL: Duration = Duration::from_millis(300);
/// The flags of a client that attaches. tmux ignores what it does not know, so they are read back.
const FLAGS: [&str; 3] = ["ignore-size", "no-output", "read-only"];

/// What a client heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Something changed that a list could show.
    Changed,
    /// The client is at its end: nothing more comes.
    Ended,
}

/// Why there is no client, or no list.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A client would not go unnoticed there.
    #[error("{0}")]
    Refused(String),
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
    stdin: Option<Mutex<ChildStdin>>,
    messages: Mutex<Receiver<Message>>,
    reader: Option<JoinHandle<()>>,
    /// Tells the reader to end. The end of the client does not: the server holds the other end of its output as well, and may
    /// be stopped.
    stop: OwnedFd,
    role: Role,
}

/// What a client is there for.
#[derive(Debug)]
enum Role {
    /// On this session, and can list.
    Attached(String),
    /// On no session: it waits for something that only happens when it is to end.
    Listening(Waiting),
}

/// A channel of `wait-for` that nobody else knows.
#[derive(Debug)]
struct Waiting {
    socket: PathBuf,
    env: Environ,
    channel: String,
}

enum Message {
    Reply(Reply),
    Session(String),
}

impl Client {
    /// A client that is attached to nothing: it sees sessions come, go and be renamed, is in no list of clients, and tells no
    /// pane that it has the focus. It cannot list.
    ///
    /// # Errors
    /// If there is no server or it does not answer.
    pub fn listen(env: &Environ, socket: &Path, on: impl FnMut(Notice) + Send + 'static) -> Result<Self, ControlError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Two containers may hold processes of the same id.
        let now = chrono::Utc::now().timestamp_micros();
        let channel = format!("headcount-{}-{now}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let words = ["wait-for", channel.as_str()];
        let waiting = Waiting { socket: socket.to_owned(), env: env.clone(), channel: channel.clone() };
        let client = Self::start(env, socket, &words, Role::Listening(waiting), on)?;
        // Its command is answered when it begins to wait.
        client.greeting()?;
        Ok(client)
    }

    /// A client on an existing session, `prefer` if it may be. It can list. tmux tells the program in the active pane of that
    /// session, if it asked to be told, that it has the focus.
    ///
    /// # Errors
    /// `Refused` if no session is such that a client comes and goes without a trace; the rest as [`Client::listen`].
    pub fn attach(
        host: &dyn Host,
        env: &Environ,
        socket: &Path,
        prefer: Option<&str>,
        on: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Self, ControlError> {
        let session = conditions::session(host, socket, prefer)?;
        let flags = FLAGS.join(",");
        let words = ["attach-session", "-E", "-f", &flags, "-t", &session];
        let client = Self::start(env, socket, &words, Role::Attached(session.clone()), on)?;
        client.greeting()?;
        client.verify(&session)?;
        Ok(client)
    }

    fn start(
        env: &Environ,
        socket: &Path,
        words: &[&str],
        role: Role,
        on: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Self, ControlError> {
        let missing = || ControlError::Start(io::ErrorKind::NotFound.into());
        let (is_over, stop) = io::pipe().map_err(ControlError::Start)?;
        let (is_over, stop) = (OwnedFd::from(is_over), OwnedFd::from(stop));
        let door = Door::open(env, socket).map_err(ControlError::Start)?;
        let mut child = host::child("tmux", env)
            .ok_or_else(missing)?
            .args(["-u", "-N", "-S"])
            .arg(door.path())
            .arg("-C")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(ControlError::Start)?;
        let stdin = child.stdin.take().map(Mutex::new);
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
        let (sender, messages) = channel();
        let mut client = Self { child, stdin, messages: Mutex::new(messages), reader: None, stop, role };
        let stdout = stdout.ok_or_else(missing)?;
        let begun = match &client.role {
            Role::Attached(session) => Some(session.clone()),
            Role::Listening(_) => None,
        };
        let name = "tmux-control".to_owned();
        let reader = std::thread::Builder::new().name(name).stack_size(128 << 10).spawn(move || {
            let mut on = on;
            let relay = read(stdout, &is_over, (begun.as_deref(), relay), &sender, &mut on);
            drop(sender);
            on(Notice::Ended);
            // It may still have to take its leave.
            if let Some(relay) = relay {
                relay.carry_on(&is_over);
            }
        });
        client.reader = Some(reader.map_err(ControlError::Start)?);
        Ok(client)
    }

    /// The session it is on; `None` if it only listens.
    pub fn session(&self) -> Option<&str> {
        match &self.role {
            Role::Attached(session) => Some(session),
            Role::Listening(_) => None,
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server holds. After an error it must not be asked again, because a late answer would be taken for the next.
    ///
    /// # Errors
    /// If it only listens, or the answer does not come in time or does not read right.
    pub fn list(&self) -> Result<Server, ControlError> {
        let body = self.ask(&format!("list-panes -a -F '{}'\n", rows::FORMAT))?;
        rows::parse(&body).map_err(|error| ControlError::Failed(error.to_string()))
    }

    /// The flags in force, read back from the server: unknown ones were ignored.
    fn verify(&self, session: &str) -> Result<(), ControlError> {
        let body = self.ask("list-clients -F '#{client_pid} #{session_id} #{client_flags}'\n")?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let own = format!("{} {session} ", self.pid());
        let flags = body.lines().find_map(|line| line.strip_prefix(&own)).unwrap_or_default();
        let has = |flag: &str| flags.split(',').any(|it| it == flag);
        if FLAGS.into_iter().all(has) && has("control-mode") {
            Ok(())
        } else {
            Err(ControlError::Refused(format!("the client got other flags than it asked for: {:?}", printable(flags))))
        }
    }

    fn ask(&self, command: &str) -> Result<Vec<u8>, ControlError> {
        let stdin = self.stdin.as_ref().filter(|_| self.session().is_some()).ok_or(ControlError::Silent)?;
        let messages = lock(&self.messages);
        lock(stdin).write_all(command.as_bytes()).map_err(|_| ControlError::Silent)?;
        reply(&messages)
    }

    fn greeting(&self) -> Result<(), ControlError> {
        let messages = lock(&self.messages);
        reply(&messages)?;
        if let Role::Attached(session) = &self.role {
            match messages.recv_timeout(DEADLINE) {
                Ok(Message::Session(id)) if id == *session => {}
                Ok(_) => return Err(ControlError::Failed("it came to another session".to_owned())),
                Err(_) => return Err(ControlError::Silent),
            }
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // At the end of its input an attached client detaches. One that waits is let go, or the server would keep what is left
        // of it; only a server that answers is asked.
        self.stdin = None;
        if let Role::Listening(waiting) = &self.role
            && matches!(self.child.try_wait(), Ok(None))
        {
            waiting.end();
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

fn reply(messages: &Receiver<Message>) -> Result<Vec<u8>, ControlError> {
    let until = Instant::now() + DEADLINE;
    loop {
        match messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Message::Reply(Reply { is_success: true, body })) => return Ok(body),
            Ok(Message::Reply(Reply { is_success: false, body })) => {
                return Err(ControlError::Failed(printable(String::from_utf8_lossy(&body).trim()).into_owned()));
            }
            Ok(Message::Session(_)) => {}
            Err(_) => return Err(ControlError::Silent),
        }
    }
}

/// Reads until the client ends or is dropped, or is moved off the session it began on: another may not be fit for it. Gives back
/// its connection, if that still stands.
fn read(
    mut stdout: ChildStdout,
    is_over: &OwnedFd,
    (begun, relay): (Option<&str>, Relay),
    replies: &Sender<Message>,
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
                // The owner of the other end is gone only while the client is being dropped.
                Item::Reply(reply) => drop(replies.send(Message::Reply(reply))),
                Item::Session(id) if begun.is_none_or(|begun| begun == id) => drop(replies.send(Message::Session(id))),
                Item::Session(_) | Item::Exit(_) => return relay,
                Item::Changed => on(Notice::Changed),
            }
        }
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

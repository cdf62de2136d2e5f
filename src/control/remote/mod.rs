//! The connection to the headcount of another host: ssh, its first line, a command and its answer. Hands on what it says; never decides
//! what is asked, and runs nothing that it says.

mod error;
mod lines;

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

use crate::core::manifest::RemoteHost;
use crate::core::remote::{
    LONGEST_ANSWER, LONGEST_LINE, PROTOCOL, ServeCall, ServeHello, ServeReply, ServeRequest, is_host_name, shell_command,
    ssh_arguments,
};
pub use error::RemoteError;
pub use lines::{BoundedLine, next_line};
use lines::{RemoteLine, read_replies};

/// How long a host may take until its headcount is there. ssh itself gives up after five seconds if nothing answers.
const ARRIVAL: Duration = Duration::from_secs(15);

/// How often a headcount that serves says that it is still there.
pub const BEAT: Duration = Duration::from_secs(3);

/// How long it may say nothing.
const SILENCE: Duration = Duration::from_secs(15);

/// How much of what a shell prints at the beginning of each login is passed over, in lines.
const MOST_NOISE: usize = 200;

/// A piece of what a command says there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemotePiece<'a> {
    /// Of its answer.
    Out(&'a str),
    /// Of what it says beside it.
    Err(&'a str),
    /// Nothing; it is still there.
    Beat,
}

/// How a command ended there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteEnd {
    /// Its exit code.
    pub exit: u8,
    /// Why it was not run, or not to its end.
    pub why: Option<String>,
}

/// A headcount on another host that waits for commands. Dropping it ends that.
#[derive(Debug)]
pub struct RemoteConnection {
    name: String,
    target: String,
    hello: ServeHello,
    /// How far the clock there is ahead.
    ahead: TimeDelta,
    ssh: Child,
    writer: AnswerWriter,
    lines: Receiver<RemoteLine>,
    calls: u64,
}

/// Hands on what a person answers.
#[derive(Debug, Clone)]
pub struct AnswerWriter(Arc<Mutex<Option<ChildStdin>>>);

impl AnswerWriter {
    /// Hands on a line.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub fn answer(&self, text: String) -> io::Result<()> {
        self.write(&ServeRequest::Input { text })
    }

    fn write(&self, request: &ServeRequest) -> io::Result<()> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        let mut stdin = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stdin = stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush())
    }
}

/// The names by which ssh reaches a host.
pub fn targets<'a>(name: &'a str, host: &'a RemoteHost) -> Vec<&'a str> {
    if host.ssh.is_empty() { vec![name] } else { host.ssh.iter().map(String::as_str).collect() }
}

impl RemoteConnection {
    /// Connects to the first of a host's names that answers.
    ///
    /// # Errors
    /// None does, or there is no headcount that can be talked to.
    pub fn open(name: &str, host: &RemoteHost) -> Result<Self, RemoteError> {
        let mut silent = Vec::new();
        for target in targets(name, host) {
            if !is_host_name(target) {
                return Err(RemoteError::Unfit { name: target.to_owned() });
            }
            match Self::open_one((name, target), host) {
                Err(RemoteError::Unreachable { why, .. }) => silent.push(format!("{target}: {why}")),
                other => return other,
            }
        }
        Err(RemoteError::Unreachable { name: name.to_owned(), why: silent.join("; ") })
    }

    fn open_one((name, target): (&str, &str), host: &RemoteHost) -> Result<Self, RemoteError> {
        let command = shell_command(host.headcount.as_deref(), None, &["serve", "--stdio"]);
        let mut ssh = Command::new("ssh");
        ssh.args(ssh_arguments(target, &command)).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut ssh = ssh.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => RemoteError::NoSsh,
            _ => RemoteError::Unreachable { name: name.to_owned(), why: format!("ssh could not be started: {error}") },
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take()) else {
            return Err(RemoteError::NoSsh);
        };
        let said = Arc::new(Mutex::new(String::new()));
        let words = Arc::clone(&said);
        std::thread::spawn(move || keep_last(stderr, &words));
        let lines = read_replies(stdout);
        let mut arriving = Arriving { name, host, said, ssh };
        let hello = arriving.hello(&lines)?;
        let ahead = hello.now - Utc::now();
        let Arriving { ssh, .. } = arriving;
        let writer = AnswerWriter(Arc::new(Mutex::new(Some(stdin))));
        Ok(Self { name: name.to_owned(), target: target.to_owned(), hello, ahead, ssh, writer, lines, calls: 0 })
    }

    /// What it said first.
    pub fn hello(&self) -> &ServeHello {
        &self.hello
    }

    /// The name by which ssh reached it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How far its clock is ahead of ours, if that is more than the way there takes.
    pub fn skew(&self) -> Option<TimeDelta> {
        (self.ahead.num_seconds().abs() >= 30).then_some(self.ahead)
    }

    /// Where a person's answers go.
    pub fn answers(&self) -> AnswerWriter {
        self.writer.clone()
    }

    /// Runs a command there, and hands on what it says until `tell` has enough. One that is `endless` may say as much as it likes.
    ///
    /// # Errors
    /// It was not heard to the end: what it began may go on there.
    pub fn call(
        &mut self,
        call: ServeCall,
        endless: bool,
        mut tell: impl FnMut(RemotePiece<'_>) -> ControlFlow<()>,
    ) -> Result<RemoteEnd, RemoteError> {
        self.calls += 1;
        let number = self.calls;
        let call = ServeRequest::Run(ServeCall { id: number, ..call });
        if serde_json::to_string(&call).map_or(usize::MAX, |line| line.len()) >= LONGEST_LINE {
            return Err(RemoteError::TooLong);
        }
        let cut = || RemoteError::Cut { name: self.name.clone() };
        self.writer.write(&call).map_err(|_| cut())?;
        let mut said = 0_usize;
        loop {
            let line = match self.lines.recv_timeout(SILENCE) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(RemoteError::Hung { name: self.name.clone(), after: SILENCE });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(cut()),
            };
            let told = match line {
                RemoteLine::Reply(ServeReply::End { id, exit, why }) if id == number => return Ok(RemoteEnd { exit, why }),
                RemoteLine::Reply(ServeReply::Out { id, text }) if id == number => {
                    said = said.saturating_add(text.len());
                    tell(RemotePiece::Out(&text))
                }
                RemoteLine::Reply(ServeReply::Err { id, text }) if id == number => {
                    said = said.saturating_add(text.len());
                    tell(RemotePiece::Err(&text))
                }
                RemoteLine::Reply(_) => tell(RemotePiece::Beat),
                RemoteLine::Odd(said) => return Err(RemoteError::Garbled { name: self.name.clone(), said }),
                RemoteLine::TooLong => return Err(RemoteError::TooMuch { name: self.name.clone() }),
            };
            if said > LONGEST_ANSWER && !endless {
                return Err(RemoteError::TooMuch { name: self.name.clone() });
            }
            if told.is_break() {
                return Ok(RemoteEnd { exit: 0, why: None });
            }
        }
    }
}

impl Drop for RemoteConnection {
    fn drop(&mut self) {
        // The headcount there ends with its input, and ssh with it.
        drop(self.writer.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        end(&mut self.ssh, Duration::from_millis(500));
    }
}

/// A connection until its headcount has said that it is there. If it is given up its ssh is ended.
struct Arriving<'a> {
    name: &'a str,
    host: &'a RemoteHost,
    said: Arc<Mutex<String>>,
    ssh: Child,
}

impl Arriving<'_> {
    fn hello(&mut self, lines: &Receiver<RemoteLine>) -> Result<ServeHello, RemoteError> {
        let name = || self.name.to_owned();
        let until = Instant::now() + ARRIVAL;
        let mut noise = Vec::new();
        let outcome = loop {
            match lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(RemoteLine::Reply(ServeReply::Hello(hello))) if hello.protocol == PROTOCOL => return Ok(hello),
                Ok(RemoteLine::Reply(ServeReply::Hello(hello))) => {
                    break Err(RemoteError::OtherVersion { name: name(), version: hello.version });
                }
                Ok(RemoteLine::Reply(_)) => {}
                Ok(RemoteLine::Odd(line)) if noise.len() < MOST_NOISE => noise.push(line),
                Ok(RemoteLine::Odd(said)) => break Err(RemoteError::Garbled { name: name(), said }),
                Ok(RemoteLine::TooLong) => break Err(RemoteError::TooMuch { name: name() }),
                Err(RecvTimeoutError::Timeout) => {
                    let why = format!("nothing came within {} s", ARRIVAL.as_secs());
                    break Err(RemoteError::Unreachable { name: name(), why });
                }
                Err(RecvTimeoutError::Disconnected) => break Err(self.ended(noise.last())),
            }
        };
        end(&mut self.ssh, Duration::ZERO);
        outcome
    }

    /// Why ssh has ended before there was a headcount.
    fn ended(&mut self, noise: Option<&String>) -> RemoteError {
        let code = end(&mut self.ssh, Duration::from_secs(2));
        // What it said last is read by another thread.
        let until = Instant::now() + Duration::from_millis(300);
        let last = loop {
            let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let last = said.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
            if last.is_some() || Instant::now() > until {
                break last;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let name = self.name.to_owned();
        let said = last.or_else(|| noise.cloned()).unwrap_or_else(|| "it said nothing".to_owned());
        match code {
            Some(255) => RemoteError::Unreachable { name, why: said },
            Some(126 | 127) => {
                let program = self.host.headcount.clone().unwrap_or_else(|| "headcount".to_owned());
                RemoteError::NoHeadcount { name, program }
            }
            // A headcount that knows no `serve` calls that a mistake in its command line.
            Some(64) => RemoteError::TooOld { name },
            _ => RemoteError::Garbled { name, said },
        }
    }
}

/// Keeps the end of what a program says.
fn keep_last(mut from: impl io::Read, said: &Mutex<String>) {
    const MOST: usize = 4096;
    let mut buffer = [0_u8; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.push_str(&String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()));
        let cut = said.len().saturating_sub(MOST);
        let cut = (cut..=said.len()).find(|at| said.is_char_boundary(*at)).unwrap_or(0);
        drop(said.drain(..cut));
    }
}

/// Waits so long for the end of ssh, then ends it. Its exit code, if it has one.
fn end(ssh: &mut Child, patience: Duration) -> Option<i32> {
    let until = Instant::now() + patience;
    loop {
        match ssh.try_wait() {
            Ok(Some(status)) => return status.code(),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => break,
        }
    }
    let _ = ssh.kill();
    ssh.wait().ok().and_then(|status| status.code())
}

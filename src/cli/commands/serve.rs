//! `headcount serve --stdio`: commands of another host's headcount, each run by a process of this program. Which ones may be asked for is
//! decided in `cli::remote`; no shell ever reads a word of them.

use std::io::{self, IsTerminal as _, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::Utc;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::cli::args::{self, StatusArgs, Verb};
use crate::cli::asker::variable;
use crate::cli::error::{CliError, Exit};
use crate::cli::remote::Reach;
use crate::cli::run_pass;
use crate::control::lead;
use crate::control::remote::{BEAT, BoundedLine, next_line};
use crate::core::lead::OperationId;
use crate::core::remote::{LONGEST_ANSWER, LONGEST_PIECE, PROTOCOL, ServeCall, ServeHello, ServeReply, ServeRequest};

/// How long a command that only looks may take to end once its asker is gone.
const LOOKS: Duration = Duration::from_secs(1);
/// The same for a watch: what it has in flight gets ten seconds.
const KEEPS: Duration = Duration::from_secs(15);
/// How much is kept of what the asker is called, in letters.
const LONGEST_NAME: usize = 200;

/// Serves until the standard input ends.
pub(crate) fn run() -> Result<Exit, CliError> {
    if io::stdin().is_terminal() {
        let error =
            CliError::new(Exit::Usage, "`headcount serve` is for the headcount of another host, and a terminal is none");
        return Err(error.hint("`headcount -H HOST status`, on the other host, runs it"));
    }
    say(&ServeReply::Hello(ServeHello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: run_pass::surroundings().host,
        now: Utc::now(),
    }));
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(BEAT);
            say(&ServeReply::Beat {});
        }
    });
    let mut input = io::stdin().lock();
    let mut running: Option<Running> = None;
    while let Ok(Some(line)) = next_line(&mut input) {
        let BoundedLine::Text(line) = line else {
            refuse(0, Exit::Usage, "the line is longer than 1 MiB");
            break;
        };
        match serde_json::from_str(&line) {
            Ok(ServeRequest::Run(call)) if running.as_ref().is_some_and(|it| !it.has_ended()) => {
                refuse(call.id, Exit::Busy, "another command is still being run");
            }
            Ok(ServeRequest::Run(call)) => running = begin(&call),
            Ok(ServeRequest::Input { text }) => {
                if let Some(running) = &mut running {
                    running.answer(&text);
                }
            }
            Err(error) => refuse(0, Exit::Usage, &format!("the line is no request: {error}")),
        }
    }
    if let Some(running) = running {
        running.leave();
    }
    Ok(Exit::Done)
}

/// Writes a line. Whoever does not read it any more closes our input, too.
fn say(reply: &ServeReply) {
    let Ok(mut line) = serde_json::to_string(reply) else { return };
    line.push('\n');
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
}

fn refuse(id: u64, exit: Exit, why: &str) {
    say(&ServeReply::End { id, exit: exit.code(), why: Some(why.to_owned()) });
}

/// Begins a command, or refuses it.
fn begin(call: &ServeCall) -> Option<Running> {
    let begun = reach(call).and_then(|reach| Running::start(call, reach));
    begun.map_err(|error| refuse(call.id, error.exit(), &error.message())).ok()
}

/// What is asked for, as this program reads it.
fn reach(call: &ServeCall) -> Result<Reach, CliError> {
    let line: Vec<&str> = std::iter::once("headcount").chain(call.words.iter().map(String::as_str)).collect();
    let cli = args::parse(&line).map(|typed| typed.cli).map_err(|error| {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        CliError::new(Exit::Usage, first.trim_start_matches("error: "))
    })?;
    if cli.globals.host.is_some() || cli.globals.manifest.is_some() {
        return Err(CliError::new(Exit::Usage, "a host, or a manifest, is no option of a command from elsewhere"));
    }
    match Reach::of(&cli.verb.unwrap_or_else(|| Verb::Status(StatusArgs::default().into()))) {
        Reach::Never(why) => Err(CliError::new(Exit::Refused, format!("this is not done for another host: {why}"))),
        reach => Ok(reach),
    }
}

/// A command that is being run.
struct Running {
    reach: Reach,
    pid: Pid,
    /// Whether it has been reaped; held while it is, and while it is sent a signal.
    reaped: Arc<Mutex<bool>>,
    input: Option<ChildStdin>,
}

impl Running {
    fn start(call: &ServeCall, reach: Reach) -> Result<Self, CliError> {
        let program = lead::launcher().map_err(|why| CliError::new(Exit::Failure, why))?;
        let mut command = Command::new(program);
        let name = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect::<String>();
        command
            .args(&call.words)
            .env(variable::BY, format!("host {}", name(&call.by)))
            .env(variable::HOLDER, name(&call.holder));
        for (name, is_set) in [(variable::AGENT, call.is_agent), (variable::ASKS, call.asks)] {
            let _ = if is_set { command.env(name, "1") } else { command.env_remove(name) };
        }
        match call.operation.as_deref().and_then(OperationId::parse) {
            Some(id) => command.env(variable::OPERATION, id.to_string()),
            None => command.env_remove(variable::OPERATION),
        };
        if let Some(manifest) = &call.manifest {
            command.env("HEADCOUNT_MANIFEST", at_home(manifest));
        }
        let has_input = call.input.is_some() || call.asks;
        command.stdin(if has_input { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What ends this process is no reason for what it began to end.
        let mut child = command
            .process_group(0)
            .spawn()
            .map_err(|error| CliError::new(Exit::Failure, format!("headcount could not be started there: {error}")))?;
        let pid = Pid::from_child(&child);
        let mut input = child.stdin.take();
        if let (Some(text), Some(mut stdin)) = (call.input.clone(), input.take_if(|_| call.input.is_some())) {
            std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        }
        let reaped = Arc::new(Mutex::new(false));
        let (id, is_over) = (call.id, Arc::clone(&reaped));
        std::thread::spawn(move || see_through(child, id, reach, &is_over));
        Ok(Self { reach, pid, reaped, input })
    }

    fn has_ended(&self) -> bool {
        *held(&self.reaped)
    }

    fn answer(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(text.as_bytes()).and_then(|()| input.flush());
        }
    }

    /// Nobody is there any more: what only looks is ended, what acts goes on by itself.
    fn leave(self) {
        let patience = match self.reach {
            Reach::Look | Reach::Follow => LOOKS,
            Reach::Keep => KEEPS,
            Reach::Act | Reach::Never(_) => return,
        };
        self.signal(Signal::TERM);
        let until = Instant::now() + patience;
        while !self.has_ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.reach != Reach::Keep {
            self.signal(Signal::KILL);
        }
    }

    fn signal(&self, signal: Signal) {
        let reaped = held(&self.reaped);
        if !*reaped {
            let _ = kill_process(self.pid, signal);
        }
    }
}

fn held(reaped: &Mutex<bool>) -> MutexGuard<'_, bool> {
    reaped.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A path of the manifest, where `~/` is the home.
fn at_home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}

/// Hands on what a command says, and how it ends.
fn see_through(mut child: Child, id: u64, reach: Reach, reaped: &Mutex<bool>) {
    let (done, ends) = channel();
    let streams = [
        child.stdout.take().map(|it| (Stream::Out, Box::new(it) as Box<dyn Read + Send>)),
        child.stderr.take().map(|it| (Stream::Err, Box::new(it) as _)),
    ];
    let count = streams.iter().flatten().count();
    for (stream, from) in streams.into_iter().flatten() {
        let done = done.clone();
        std::thread::spawn(move || hand_on(from, (id, stream), reach, &done));
    }
    let _ = waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let (status, is_whole) = {
        let is_whole = read_out(&ends, count);
        let mut reaped = held(reaped);
        let status = child.wait();
        *reaped = true;
        (status, is_whole)
    };
    let (exit, why) = match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(_), _) if !is_whole => {
                (Exit::Failure.code(), Some("the answer is longer than 64 MiB; the rest was left out".to_owned()))
            }
            (Some(code), _) => (u8::try_from(code).unwrap_or(Exit::Failure.code()), None),
            (None, signal) => (Exit::Failure.code(), Some(format!("the command was ended by signal {}", signal.unwrap_or(0)))),
        },
        Err(error) => (Exit::Failure.code(), Some(format!("how the command ended cannot be told: {error}"))),
    };
    say(&ServeReply::End { id, exit, why });
}

/// Waits until both streams are read; what a command leaves running may hold them open. Whether all of it was handed on.
fn read_out(ends: &Receiver<bool>, count: usize) -> bool {
    let until = Instant::now() + Duration::from_secs(1);
    (0..count).all(|_| ends.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or(true))
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// Hands on what comes from a stream, and reads it to its end in any case: whoever writes there should not wait for us.
fn hand_on(mut from: impl Read, (id, stream): (u64, Stream), reach: Reach, done: &Sender<bool>) {
    let mut buffer = vec![0_u8; LONGEST_PIECE];
    let (mut kept, mut said) = (Vec::new(), 0_usize);
    let mut is_whole = true;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        said = said.saturating_add(count);
        if said > LONGEST_ANSWER && !reach.is_endless() {
            is_whole = false;
            continue;
        }
        kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let rest = kept.split_off(whole(&kept));
        tell(id, stream, &std::mem::replace(&mut kept, rest));
    }
    tell(id, stream, &kept);
    let _ = done.send(is_whole);
}

fn tell(id: u64, stream: Stream, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    say(&match stream {
        Stream::Out => ServeReply::Out { id, text },
        Stream::Err => ServeReply::Err { id, text },
    });
}

/// Where the last whole letter ends.
fn whole(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(words: &[&str]) -> Option<(Exit, String)> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        reach(&ServeCall { words, ..ServeCall::default() }).err().map(|error| (error.exit(), error.message()))
    }

    #[test]
    fn what_takes_a_person_at_the_host_is_never_done_for_another() {
        for words in [
            &["allow", "--yes"][..],
            &["consent", "bypass", "--yes"],
            &["attach", "one"],
            &["serve", "--stdio"],
            &["demo"],
            &["watch", "--on-drift", "reboot"],
            &["watch", "--on", "crashed=reboot"],
        ] {
            assert_eq!(refusal(words).map(|(exit, _)| exit), Some(Exit::Refused), "{words:?}");
        }
        for words in [&["status", "-H", "x"][..], &["status", "-f", "/etc/passwd"], &["nothing"], &["status", "--nothing"]] {
            assert_eq!(refusal(words).map(|(exit, _)| exit), Some(Exit::Usage), "{words:?}");
        }
        assert_eq!(refusal(&["start", "--yes", "--", "one"]), None);
        assert_eq!(refusal(&["watch", "--enforce"]), None);
    }

    #[test]
    fn a_letter_is_handed_on_whole() {
        let text = "aé👩".as_bytes();
        for (cut, end) in [(1, 1), (2, 1), (3, 3), (4, 3), (6, 3), (7, 7)] {
            assert_eq!(whole(&text[..cut]), end, "{cut}");
        }
        assert_eq!(whole(b"a\xff"), 2);
    }
}

//! Running a command under a deadline. Owns the child until it is reaped; never interprets what it says.

use std::ffi::OsString;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use super::{Environ, limits, pidfd};

/// What a command may say before it is taken for broken, in bytes.
const MOST_OUTPUT: usize = 32 << 20;

/// A command and how long it may take.
#[derive(Debug, Clone)]
pub struct Command {
    /// A name sought in PATH, or a path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables it gets beside those of the host, also such as point at a multiplexer.
    pub variables: Vec<(OsString, OsString)>,
    /// How long it may run.
    pub deadline: Duration,
}

impl Command {
    /// These words: the program and its arguments.
    pub fn of(words: impl IntoIterator<Item = OsString>, deadline: Duration) -> Self {
        let mut words = words.into_iter();
        let program = words.next().unwrap_or_default().to_string_lossy().into_owned();
        Self { program, args: words.collect(), variables: Vec::new(), deadline }
    }
}

/// What a command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No such program.
    #[error("{0} is not in PATH")]
    NotFound(String),
    /// It could not be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was killed because it took too long.
    #[error("timed out after {} s", after.as_secs_f32())]
    Deadline {
        /// The program.
        program: String,
        /// The deadline it had.
        after: Duration,
    },
    /// It said too much, and was killed.
    #[error("{0} printed more than {MOST_OUTPUT} bytes")]
    TooMuch(String),
    /// Its output could not be read.
    #[error("cannot read the output of {program}")]
    Read {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl CommandOutput {
    /// Whether it ended with exit code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Whether a variable would make a child talk to the multiplexer headcount itself was started in.
fn is_ambient(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name == b"TMUX" || name == b"TMUX_PANE" || name.starts_with(b"ZELLIJ")
}

/// A child to be started: in a process group of its own, with `env` less what points at the surrounding multiplexer, and with
/// the limits this process was started with. `None`: there is no such program.
pub(crate) fn child(program: &str, env: &Environ) -> Option<std::process::Command> {
    let mut child = std::process::Command::new(find(program, env)?);
    child.env_clear().envs(env.pairs().filter(|(name, _)| !is_ambient(name))).process_group(0);
    limits::restore_in(&mut child);
    Some(child)
}

/// Runs `command` with `env`, less what points at the surrounding multiplexer, in a process group of its own, with an empty
/// standard input. At the deadline the whole group is killed.
pub(crate) fn run(command: &Command, env: &Environ) -> Result<CommandOutput, RunError> {
    run_on(command, Stdio::null(), env)
}

/// The same with something on its standard input, which no other process can read.
pub(crate) fn feed(command: &Command, input: &[u8], env: &Environ) -> Result<CommandOutput, RunError> {
    if input.is_empty() {
        return run(command, env);
    }
    let input = unnamed(input).map_err(|source| RunError::Start { program: command.program.clone(), source })?;
    run_on(command, input.into(), env)
}

/// A file without a name that holds this, at its beginning.
fn unnamed(text: &[u8]) -> io::Result<std::fs::File> {
    #[cfg(target_os = "linux")]
    let mut file: std::fs::File =
        rustix::fs::memfd_create("headcount", rustix::fs::MemfdFlags::CLOEXEC).map_err(io::Error::from)?.into();
    #[cfg(not(target_os = "linux"))]
    let mut file = tempfile::tempfile()?;
    file.write_all(text)?;
    file.rewind()?;
    Ok(file)
}

fn run_on(command: &Command, input: Stdio, env: &Environ) -> Result<CommandOutput, RunError> {
    let program = || command.program.clone();
    let mut child = child(&command.program, env).ok_or_else(|| RunError::NotFound(program()))?;
    let deadline = Instant::now() + command.deadline;
    let mut child = child
        .args(&command.args)
        .envs(command.variables.iter().cloned())
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => RunError::NotFound(program()),
            _ => RunError::Start { program: program(), source },
        })?;
    match listen(&mut child, deadline) {
        Ok((status, stdout, stderr)) => Ok(CommandOutput { code: status.code(), signal: status.signal(), stdout, stderr }),
        Err(end) => {
            end_group(&mut child);
            Err(match end {
                End::Deadline => RunError::Deadline { program: program(), after: command.deadline },
                End::TooMuch => RunError::TooMuch(program()),
                End::Broken(source) => RunError::Read { program: program(), source },
            })
        }
    }
}

/// Why a child has to be ended.
enum End {
    Deadline,
    TooMuch,
    Broken(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<rustix::io::Errno> for End {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Broken(error.into())
    }
}

/// Reads both pipes until the child is gone, then reaps it. A grandchild that keeps a pipe open delays nothing.
fn listen(child: &mut Child, deadline: Instant) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), End> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    for pipe in [out.as_ref().map(AsFd::as_fd), err.as_ref().map(AsFd::as_fd)].into_iter().flatten() {
        rustix::io::ioctl_fionbio(pipe, true)?;
    }
    let exit = i32::try_from(child.id()).ok().and_then(Pid::from_raw).and_then(|pid| pidfd::handle_on(pid).ok());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        let left = deadline.checked_duration_since(Instant::now()).ok_or(End::Deadline)?;
        // Without a pidfd the exit is noticed by the pipes' end, and after that by asking now and then.
        let nap = if exit.is_some() { left } else { left.min(Duration::from_millis(5)) };
        let mut fds = Vec::with_capacity(3);
        fds.extend(exit.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(out.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        fds.extend(err.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        match poll(&mut fds, Timespec::try_from(nap).ok().as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // Asked before the pipes are read: whatever the child said before it ended is then in them.
        let status = child.try_wait()?;
        drain(&mut out, &mut stdout)?;
        drain(&mut err, &mut stderr)?;
        if let Some(status) = status {
            return Ok((status, stdout, stderr));
        }
    }
}

/// Takes what is in the pipe now; at its end the pipe is closed.
fn drain(pipe: &mut Option<impl Read>, into: &mut Vec<u8>) -> Result<(), End> {
    let mut buffer = [0; 16 << 10];
    while let Some(open) = pipe {
        match open.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(n) if into.len() + n > MOST_OUTPUT => return Err(End::TooMuch),
            Ok(n) => into.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn end_group(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Where a program is, by the PATH of `env` (not of this process). An empty PATH holds nothing.
fn find(program: &str, env: &Environ) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let path = env.get("PATH").map_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"), ToOwned::to_owned);
    std::env::split_paths(&path).filter(|dir| dir.is_absolute()).map(|dir| dir.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> Command {
        Command { program: "sh".into(), args: vec!["-c".into(), script.into()], variables: Vec::new(), deadline }
    }

    fn env(pairs: &[(&str, &str)]) -> Environ {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn a_child_does_not_see_the_multiplexer_around_us_but_everything_else() {
        let env = env(&[
            ("PATH", "/usr/bin:/bin"),
            ("TMUX", "/x,1,0"),
            ("TMUX_PANE", "%1"),
            ("ZELLIJ_SESSION_NAME", "z"),
            ("TMUX_TMPDIR", "/t"),
        ]);
        let output = run(&shell("env; cat", Duration::from_secs(5)), &env).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("TMUX_TMPDIR=/t"), "{said}");
        assert!(!said.contains("TMUX=") && !said.contains("TMUX_PANE") && !said.contains("ZELLIJ"), "{said}");
    }

    #[test]
    fn a_command_reads_what_it_is_fed_to_its_end() {
        let long = "x".repeat(1 << 20);
        for text in ["", "a\n b", long.as_str()] {
            let output = feed(&shell("cat", Duration::from_secs(5)), text.as_bytes(), &env(&[])).unwrap();
            assert_eq!(output.stdout, text.as_bytes());
        }
    }

    #[test]
    fn a_command_and_its_children_are_gone_after_the_deadline() {
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        let script = format!("sleep 600 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait", pids.display());
        let error = run(&shell(&script, Duration::from_millis(300)), &env(&[])).unwrap_err();
        assert!(matches!(error, RunError::Deadline { .. }), "{error}");
        let grandchild: i32 = std::fs::read_to_string(&pids).unwrap().trim().parse().unwrap();
        // The kill is delivered before `run` returns; init (or a subreaper) may take a moment to reap.
        let state = || {
            std::fs::read_to_string(format!("/proc/{grandchild}/stat"))
                .map(|stat| stat.contains(") Z ") || stat.contains(") X "))
        };
        let until = Instant::now() + Duration::from_secs(5);
        while !state().unwrap_or(true) {
            assert!(Instant::now() < until, "{grandchild} still runs");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_grandchild_that_keeps_the_pipe_open_delays_nothing() {
        let begun = Instant::now();
        let output = run(&shell("sleep 2 & echo said; exit 7", Duration::from_secs(30)), &env(&[])).unwrap();
        assert_eq!((output.code, output.stdout.as_slice()), (Some(7), b"said\n".as_slice()));
        assert!(begun.elapsed() < Duration::from_millis(1500));
    }

    #[test]
    fn endless_output_is_cut_off() {
        let error = run(&shell("yes", Duration::from_secs(30)), &env(&[])).unwrap_err();
        assert!(matches!(error, RunError::TooMuch(_)), "{error}");
    }

    #[test]
    fn a_program_is_sought_in_the_given_path_only() {
        let error = run(&shell("true", Duration::from_secs(5)), &env(&[("PATH", "")])).unwrap_err();
        assert_eq!(error.to_string(), "sh is not in PATH");
    }
}

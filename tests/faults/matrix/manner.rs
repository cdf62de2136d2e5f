//! The ways a command is run: plainly, through a shell that takes something from it, killed, paused, twice. Never judges; every run
//! ends within a limit.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::stage::Stage;
use super::verb::Verb;
use crate::zellij::signal;

/// No command may take longer, whatever goes wrong.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// How a command is run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    Plain,
    /// By `sh -c`, which puts the command in place of `"$0" "$@"`.
    Shell(&'static str),
    /// The same, and nobody sees the answer.
    Blind(&'static str),
    /// So often ended by this signal at random instants, each time begun anew, then let run.
    Ended(Signal, u64),
    /// Stopped at a random instant, for a while.
    Paused,
    /// Two at once.
    Twice,
}

/// How a run ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) hung: bool,
    /// Nobody saw the answer.
    pub(crate) blind: bool,
    /// It may have been done before.
    pub(crate) again: bool,
}

impl Ran {
    /// The answer, if it is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.out).ok()
    }
}

/// A run that goes on.
pub(crate) struct Running {
    pub(crate) child: Child,
    name: String,
    stage: std::path::PathBuf,
    blind: bool,
}

/// Starts a command; `which` tells two at once apart.
pub(crate) fn start(stage: &Stage, verb: Verb, manner: Manner, which: usize, more: &[String]) -> Running {
    let program = verb.program(stage);
    let mut command: Command = match manner {
        Manner::Shell(script) | Manner::Blind(script) => {
            let mut shell = stage.command("sh");
            shell.args(["-c", script]).arg(program);
            shell
        }
        _ => stage.command(program),
    };
    let name = format!("{}-{which}", verb.as_str().replace(' ', "-"));
    let file = |kind: &str| File::create(stage.root().join(format!("{name}.{kind}"))).unwrap();
    command.args(verb.arguments(stage)).args(more).stdout(file("out")).stderr(file("err"));
    if !matches!(manner, Manner::Shell(_) | Manner::Blind(_)) {
        command.stdin(Stdio::null());
    }
    let child = command.spawn().unwrap();
    Running { child, name, stage: stage.root().to_path_buf(), blind: matches!(manner, Manner::Blind(_)) }
}

impl Running {
    /// What it said so far.
    pub(crate) fn out(&self) -> String {
        self.read("out")
    }

    /// The same of its messages.
    pub(crate) fn err(&self) -> String {
        self.read("err")
    }

    fn read(&self, kind: &str) -> String {
        let bytes = std::fs::read(self.stage.join(format!("{}.{kind}", self.name))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for its end, which comes within the limit.
    pub(crate) fn end(mut self, limit: Duration) -> Ran {
        let until = Instant::now() + limit;
        let (status, hung) = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break (status, false);
            }
            if Instant::now() > until {
                self.child.kill().unwrap();
                break (self.child.wait().unwrap(), true);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let (out, err) = (self.read("out"), self.read("err"));
        Ran { code: status.code(), signal: status.signal(), out, err, hung, blind: self.blind, again: false }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Instants spread without favour over some milliseconds.
pub(crate) fn instants(count: u64, within: u64) -> impl Iterator<Item = Duration> {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count).map(move |_| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((random >> 33) % (within * 1000))
    })
}

/// Runs a command to its end. `look` is called after every end before the last.
pub(crate) fn run(stage: &mut Stage, verb: Verb, manner: Manner, mut look: impl FnMut(&mut Stage, &Ran)) -> Vec<Ran> {
    match manner {
        Manner::Plain | Manner::Shell(_) | Manner::Blind(_) => vec![start(stage, verb, manner, 0, &[]).end(LIMIT)],
        Manner::Twice => {
            let both = [start(stage, verb, manner, 0, &[]), start(stage, verb, manner, 1, &[])];
            both.into_iter().map(|one| one.end(LIMIT)).collect()
        }
        Manner::Paused => {
            let one = start(stage, verb, manner, 0, &[]);
            let pid = one.child.id();
            std::thread::sleep(instants(3, 60).last().unwrap());
            signal(pid, Signal::STOP);
            std::thread::sleep(Duration::from_millis(1500));
            signal(pid, Signal::CONT);
            vec![one.end(LIMIT)]
        }
        Manner::Ended(ending, times) => {
            let mut hits = 0;
            // Some commands take a few milliseconds, others a hundred.
            for (number, instant) in instants(times * 4, 120).enumerate() {
                let instant = if number % 2 == 0 { instant } else { instant / 16 };
                stage.reset();
                let one = start(stage, verb, manner, 0, &[]);
                std::thread::sleep(instant);
                signal(one.child.id(), ending);
                let ran = one.end(LIMIT);
                hits += u64::from(ran.signal.is_some());
                look(stage, &ran);
                if hits == times {
                    break;
                }
            }
            if hits == 0 {
                return vec![Ran { err: "no signal ever hit it".to_owned(), ..Ran::default() }];
            }
            vec![Ran { again: true, ..start(stage, verb, manner, 0, &[]).end(LIMIT) }]
        }
    }
}

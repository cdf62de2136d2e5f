//! A running `headcount watch`: what it says, and what it costs. Ends it with the value.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::report::millis;
use super::{memory, processor};

/// A change that is not recorded within this was not noticed, only found at the next look.
pub const UNNOTICED: Duration = Duration::from_secs(2);
/// Between two changes: a manifest younger than 100 ms is read twice, also the one the watch has just written.
const APART: Duration = Duration::from_millis(250);

pub struct Watch {
    child: Child,
    events: Receiver<Value>,
}

impl Watch {
    /// Starts this `headcount`, to which `watch` and its options are added.
    pub fn start(mut command: Command, options: &[&str]) -> Self {
        command.args(["watch", "--json", "--settle", "0s", "--heartbeat", "1s"]).args(options);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, events) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let Ok(event) = serde_json::from_str(&line) else { continue };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { child, events }
    }

    /// The same once its first look is over.
    pub fn settled(command: Command, options: &[&str]) -> Self {
        let watch = Self::start(command, options);
        watch.until(Duration::from_secs(60), |event| event["type"] == "heartbeat" && event["passes"].as_u64() > Some(0));
        watch
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for an event; `None` if it does not come.
    pub fn until(&self, most: Duration, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + most;
        loop {
            let event = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
            if is_it(&event) {
                return Some(event);
            }
        }
    }

    /// Clock ticks of processor time used by it and the children it has reaped.
    pub fn processor(&self) -> u64 {
        processor(self.pid())
    }

    /// Resident memory in MiB.
    pub fn memory(&self) -> f64 {
        memory(self.pid(), "VmRSS").unwrap()
    }

    /// How many files it holds open, and how many inotify watches.
    pub fn files(&self) -> (usize, usize) {
        let entries: Vec<_> = fs::read_dir(format!("/proc/{}/fdinfo", self.pid())).unwrap().flatten().collect();
        let watches = |text: String| text.lines().filter(|line| line.starts_with("inotify ")).count();
        let watches = entries.iter().filter_map(|entry| fs::read_to_string(entry.path()).ok()).map(watches).sum();
        (entries.len(), watches)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Latencies in milliseconds; those that were only found at the next look are counted apart.
#[derive(Default)]
pub struct Taken {
    pub times: Vec<f64>,
    pub unnoticed: usize,
}

impl Taken {
    /// Takes one latency: `act`, then the drift of that class about that session. False once nothing is noticed any more.
    pub fn take(&mut self, watch: &Watch, class: &str, name: &str, act: impl FnOnce()) -> bool {
        let begun = Instant::now();
        act();
        let is_it = |event: &Value| {
            event["type"] == "drift"
                && event["class"] == class
                && event["state"] == "applied"
                && event["session"]["name"] == name
        };
        match watch.until(UNNOTICED, is_it) {
            Some(_) => self.times.push(millis(begun.elapsed())),
            None => self.unnoticed += 1,
        }
        std::thread::sleep(APART);
        self.unnoticed < 3
    }

    /// Why it is no measurement: a change that nobody noticed makes the others look better than they are.
    pub fn trouble(&self) -> Option<String> {
        match (self.unnoticed, self.times.len()) {
            (0, 0) => Some("nothing was tried".to_owned()),
            (0, _) => None,
            (missed, noticed) => Some(format!("{missed} of {} were not noticed within {UNNOTICED:?}", missed + noticed)),
        }
    }
}

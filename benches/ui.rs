//! `headcount ui` over 1,000 sessions against its budgets: how long a key takes until its frame, and what an idle ui costs.
//!
//! It runs in a terminal of 120 columns. A frame has come once the screen that its bytes make names the session that the key selects.
//! `BENCH_TRIES` sets how many keys are pressed (300).
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/mod.rs"]
mod support;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use support::report::{Measure, Reporter, millis};
use support::{World, age, memory, number, processor};

const SESSIONS: usize = 1_000;
const ROWS: NonZero<u16> = NonZero::new(40).unwrap();
const COLUMNS: NonZero<u16> = NonZero::new(120).unwrap();
/// How long an idle ui is observed.
const IDLE: Duration = Duration::from_secs(20);
/// Between two keys: longer than the ui takes to read the screen of the session that is selected.
const APART: Duration = Duration::from_millis(60);

fn main() {
    let tries = number("BENCH_TRIES", 300);
    let mut report = Reporter::begin("ui");
    let world = World::new(SESSIONS);
    fs::write(world.manifest(), &world.recorded).unwrap();
    age(&world.manifest());
    let begun = Instant::now();
    let mut ui = Ui::start(world.command(env!("CARGO_BIN_EXE_headcount")));
    let first = ui.until(|screen| selected(screen).is_some());
    report.measured("ui.first", "`headcount ui` until the list is there", "ms", Measure::single(millis(begun.elapsed())));
    let mut last = selected(&first).unwrap();
    let mut times = Vec::new();
    for at in 0..tries {
        std::thread::sleep(APART);
        ui.drain();
        // Down the list, and up again.
        let key = if (at / 100).is_multiple_of(2) { b"j" } else { b"k" };
        let begun = Instant::now();
        ui.keys.write_all(key).unwrap();
        let screen = ui.until(|screen| selected(screen).is_some_and(|name| name != last));
        times.push(millis(begun.elapsed()));
        last = selected(&screen).unwrap();
    }
    report.measured("ui.key.p50", "key -> frame, among 1,000 sessions", "ms", Measure::median(&times));
    report.budget("ui.key.p99", Measure::percentile(&times, 99));

    std::thread::sleep(Duration::from_secs(3));
    let pid = ui.child.id();
    let (before, begun) = (processor(pid), Instant::now());
    std::thread::sleep(IDLE);
    let used = (processor(pid) - before) as f64 / rustix::param::clock_ticks_per_second() as f64;
    report.budget("ui.idle", Measure::single(used / begun.elapsed().as_secs_f64() * 100.0));
    report.measured("ui.memory", "an idle ui, resident", "MiB", Measure::single(memory(pid, "VmRSS").unwrap()));
}

/// The session whose screen is shown.
fn selected(screen: &str) -> Option<String> {
    let title = screen.split("── ").nth(1)?;
    Some(title.split(' ').next()?.to_owned()).filter(|name| name.starts_with("lane-"))
}

/// A ui at a terminal of its own.
struct Ui {
    child: Child,
    keys: File,
    bytes: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Ui {
    fn start(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        tcsetwinsize(&ours, Winsize { ws_row: ROWS.get(), ws_col: COLUMNS.get(), ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let theirs = || Stdio::from(File::options().read(true).write(true).open(&path).unwrap());
        let child = command.arg("ui").stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
        let keys = File::from(ours);
        let mut output = keys.try_clone().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(count) = output.read(&mut buffer)
                && sender.send(buffer[..count].to_vec()).is_ok()
            {}
        });
        Self { child, keys, bytes, screen: vt100::Parser::new(ROWS, COLUMNS, 0) }
    }

    fn drain(&mut self) {
        while let Ok(bytes) = self.bytes.try_recv() {
            self.screen.process(&bytes);
        }
    }

    /// The first screen of which that is true.
    fn until(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.bytes.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("not to be seen in\n{}", self.screen.screen().contents()),
                Err(RecvTimeoutError::Disconnected) => panic!("the ui has ended:\n{}", self.screen.screen().contents()),
            }
            let screen = self.screen.screen().contents();
            if is_it(&screen) {
                return screen;
            }
        }
    }
}

impl Drop for Ui {
    fn drop(&mut self) {
        let _ = self.keys.write_all(b"q");
        std::thread::sleep(Duration::from_millis(500));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! headcount over a thousand sessions on four tmux servers and in twenty zellij sessions, a hundred thousand transcripts and a
//! manifest of five thousand entries: what every command takes and what a watch costs, beside what the same machine needs in the same
//! run for the least that has to be done. Then how a look grows with the number of sessions.
//!
//! `BENCH_TRIES` sets how often each thing is taken (11); `BENCH_ONLY` names one part: world or growth. `BENCH_KEEP=1` keeps the
//! world, recorded, for a profiler. With `BENCH_DROP_CACHES=1` root empties the kernel's caches for the cold run: all of this machine's.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[path = "../../tests/support/installed.rs"]
mod installed;
#[path = "../support/mod.rs"]
mod support;

mod commands;
mod growth;
mod watching;
mod world;

use support::number;
use support::report::Reporter;
use world::Scale;

fn main() {
    let tries = number("BENCH_TRIES", 11);
    let only = std::env::var("BENCH_ONLY").ok();
    let is_asked = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let mut report = Reporter::begin("scale");
    if is_asked("world") {
        let zellij = installed::zellij();
        if zellij.is_none() {
            report.skipped("20 zellij sessions", "there is no zellij; `./x test` builds it, HEADCOUNT_TEST_ZELLIJ names it");
        }
        let begun = std::time::Instant::now();
        let world = Scale::new(zellij);
        report.note(&format!("the world was built in {:.1?}: {} transcripts", begun.elapsed(), world.walk()));
        let floors = commands::run(&mut report, &world, tries);
        if std::env::var_os("BENCH_KEEP").is_some() {
            let (home, root) = (world.home(), world.path(""));
            report.note(&format!("kept until a line is typed: HOME={} below {}", home.display(), root.display()));
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        watching::run(&mut report, &world, &floors, tries);
    }
    if is_asked("growth") {
        growth::run(&mut report, tries);
    }
}

//! The column `watch`: it runs, the fault comes and goes, and then it has to say what is so and end in order. Never judges by what
//! it says alone.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::manner::{self, Manner, Running};
use super::stage::Stage;
use super::verb::Verb;
use super::{Fault, Outcome, oracle, saves_lost};
use crate::zellij::signal;

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a watch may take to end.
const END: Duration = Duration::from_secs(15);

/// One watch, or two, through the fault.
pub(super) fn cell(fault: &Fault, stage: &mut Stage) -> Outcome {
    if fault.from_the_start
        && let Err(why) = (fault.strike)(stage)
    {
        return Outcome::Skipped(why);
    }
    let count = if fault.manner == Manner::Twice { 2 } else { 1 };
    let more = (fault.watch_arguments)(stage);
    let mut watches: Vec<Running> =
        (0..count).map(|which| manner::start(stage, Verb::Watch, fault.manner, which, &more)).collect();
    if let Err(outcome) = through(fault, stage, &mut watches) {
        return outcome;
    }
    end(fault, watches)
}

fn through(fault: &Fault, stage: &mut Stage, watches: &mut [Running]) -> Result<(), Outcome> {
    let told = fault.expects(Verb::Watch) == Outcome::CannotTell;
    if !(fault.from_the_start && told) {
        agree(stage, watches, "before the fault")?;
    }
    if !fault.from_the_start {
        (fault.strike)(stage).map_err(Outcome::Skipped)?;
    }
    match fault.manner {
        Manner::Ended(ending, _) => end_and_begin(stage, watches, ending)?,
        Manner::Paused => pause(stage, watches)?,
        // Nothing is to be seen of it. A tmux before 3.7 can crash if a session ends just while a control client connects.
        Manner::Blind(_) => std::thread::sleep(Duration::from_secs(2)),
        _ => {
            let before = oracle::before(stage, Verb::Watch);
            passes(watches, 3)?;
            right(stage, &before)?;
        }
    }
    if let Some(lost) = saves_lost(stage) {
        return Err(Outcome::Lost(lost));
    }
    if told {
        return say_so(watches);
    }
    (fault.heal)(stage);
    stage.release();
    let frail = stage.frail.clone();
    if stage.truth[&frail].is_some() {
        stage.end(&frail);
    }
    agree(stage, watches, "after the fault")
}

/// Waits until each says what it cannot tell.
fn say_so(watches: &mut [Running]) -> Result<(), Outcome> {
    let until = Instant::now() + PATIENCE;
    while watches.iter().any(|watch| !watch.out().contains("\"type\":\"error\"")) {
        ended_early(watches)?;
        if Instant::now() > until {
            return Err(Outcome::Lost(format!("the watch did not say that it cannot tell\n{}", watches[0].out())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Waits until the manifest says what is so.
fn agree(stage: &Stage, watches: &mut [Running], when: &str) -> Result<(), Outcome> {
    let until = Instant::now() + PATIENCE;
    loop {
        let differences = oracle::differences(stage, &stage.text());
        if differences.is_empty() {
            return Ok(());
        }
        ended_early(watches)?;
        if Instant::now() > until {
            let differences = differences.join("; ");
            return Err(Outcome::Lost(format!("{when} the watch is wrong: {differences}\n{}", watches[0].out())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A watch that ends before it is told to says why.
fn ended_early(watches: &mut [Running]) -> Result<(), Outcome> {
    for watch in watches {
        if let Some(status) = watch.child.try_wait().unwrap() {
            let err = watch.err();
            return Err(match status.code() {
                Some(code) if code != 0 && err.contains("error:") => Outcome::Error(code),
                _ => Outcome::Lost(format!("the watch ended: {status}: {err}\n{}", watch.out())),
            });
        }
    }
    Ok(())
}

fn heartbeats(watch: &Running) -> usize {
    watch.out().matches("\"heartbeat\"").count()
}

/// Waits until so many more heartbeats have come.
fn passes(watches: &mut [Running], more: usize) -> Result<(), Outcome> {
    let first: Vec<usize> = watches.iter().map(heartbeats).collect();
    let until = Instant::now() + PATIENCE;
    while watches.iter().zip(&first).any(|(watch, first)| heartbeats(watch) < first + more) {
        ended_early(watches)?;
        if Instant::now() > until {
            return Err(Outcome::Lost(format!("the watch went silent\n{}", watches[0].out())));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Nothing is wrong or lost.
fn right(stage: &Stage, before: &oracle::Before) -> Result<(), Outcome> {
    let quiet = manner::Ran { code: Some(0), ..manner::Ran::default() };
    oracle::wrong(stage, before, &quiet).into_iter().next().map_or(Ok(()), |wrong| Err(Outcome::Lost(wrong)))
}

/// Stops the watch while the world goes on.
fn pause(stage: &mut Stage, watches: &[Running]) -> Result<(), Outcome> {
    let pid = watches[0].child.id();
    signal(pid, Signal::STOP);
    let frail = stage.frail.clone();
    stage.end(&frail);
    let before = oracle::before(stage, Verb::Watch);
    std::thread::sleep(Duration::from_secs(3));
    signal(pid, Signal::CONT);
    right(stage, &before)
}

/// Ends the watch at random instants in its passes, each time followed by another one.
fn end_and_begin(stage: &mut Stage, watches: &mut [Running], ending: Signal) -> Result<(), Outcome> {
    for instant in manner::instants(6, 400) {
        signal(watches[0].child.id(), ending);
        let _ = watches[0].child.wait();
        let before = oracle::before(stage, Verb::Watch);
        right(stage, &before)?;
        stage.reset();
        watches[0] = manner::start(stage, Verb::Watch, Manner::Plain, 0, &[]);
        std::thread::sleep(instant);
    }
    agree(stage, watches, "after the last kill")
}

/// Ends the watches in order.
fn end(fault: &Fault, watches: Vec<Running>) -> Outcome {
    let outcome = fault.expects(Verb::Watch);
    for watch in watches {
        signal(watch.child.id(), Signal::TERM);
        let ran = watch.end(END);
        let stopped = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|event| event["type"] == "stopped");
        if ran.hung || ran.code != Some(0) || ran.err.contains("panicked") {
            return Outcome::Lost(format!("the watch did not end in order: {ran:?}"));
        }
        if !ran.blind && !ran.out.lines().last().is_some_and(stopped) {
            return Outcome::Lost(format!("the watch did not say that it stopped: {ran:?}"));
        }
    }
    match outcome {
        Outcome::CannotTell => outcome,
        _ => Outcome::Survived,
    }
}

//! Random worlds driven through the passes a watch makes, against an oracle that knows the truth: no live session is called dead,
//! none is given another's conversation, nothing a person saved is lost, and once things have settled nothing is missed.
//!
//! `HEADCOUNT_MODEL_STEPS` plays more steps than usual. Every day has other histories; `HEADCOUNT_MODEL_SEED` names those to play
//! again. A history that fails is made as short as it can be and printed.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[path = "../support/dice.rs"]
mod dice;
#[path = "../incremental/fake.rs"]
mod fake;
#[path = "../support/mod.rs"]
mod support;

mod oracle;
mod page;
mod play;
mod step;
mod truth;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dice::Dice;
use play::Play;
use step::{Deed, Place, Step};

/// How many steps one world lives through.
const LIFE: usize = 120;

/// How many steps are played where nobody says: half a minute to a minute's worth, so that a few days see what a million steps do.
const USUAL: u64 = 30_000;

/// The days since 1970.
fn today() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(1, |since| since.as_secs() / 86_400)
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Plays a history in a new world; what was wrong with it, if anything was.
fn play(steps: &[Step]) -> Result<u64, String> {
    let run = || {
        let mut play = Play::new();
        steps.iter().for_each(|step| play.take(step));
        play.take(&Step::Settle);
        play.passes
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map_or("it panicked", |text| text).to_owned(),
    })
}

/// A history that fails, less every step it fails without.
fn shortest(mut steps: Vec<Step>) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..steps.len().min(at + size));
            if play(&fewer).is_err() { steps = fewer } else { at += size }
        }
        size /= 2;
    }
    steps
}

#[test]
fn no_history_of_a_world_leads_to_a_wrong_verdict() {
    let (wanted, first) = (variable("HEADCOUNT_MODEL_STEPS", USUAL), variable("HEADCOUNT_MODEL_SEED", today()));
    let (next, steps, passes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let failed = AtomicUsize::new(0);
    let begun = std::time::Instant::now();
    println!("HEADCOUNT_MODEL_SEED={first}");
    // A failure is told once it is short; on the way there it would be told a hundred times.
    std::panic::set_hook(Box::new(|_| ()));
    let work = || {
        while steps.load(Ordering::Relaxed) < wanted && failed.load(Ordering::Relaxed) == 0 {
            let seed = first.wrapping_mul(1_000_003).wrapping_add(next.fetch_add(1, Ordering::Relaxed));
            let mut dice = Dice(seed);
            let history: Vec<Step> = (0..LIFE).map(|_| Step::any(&mut dice)).collect();
            match play(&history) {
                Ok(made) => {
                    steps.fetch_add(history.len() as u64, Ordering::Relaxed);
                    passes.fetch_add(made, Ordering::Relaxed);
                }
                Err(_) if failed.fetch_add(1, Ordering::Relaxed) > 0 => {}
                Err(_) => {
                    let history = shortest(history);
                    let why = play(&history).err().unwrap_or_else(|| "it fails only now and then".to_owned());
                    let steps: String = history.iter().map(|step| format!("  {step:?}\n")).collect();
                    return Some(format!("world {seed}: {why}\nafter\n{steps}"));
                }
            }
        }
        None
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let told: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    let _ = std::panic::take_hook();
    assert!(told.is_empty(), "HEADCOUNT_MODEL_SEED={first} plays it again\n{}", told.join("\n\n"));
    let (steps, passes) = (steps.into_inner(), passes.into_inner());
    println!("{steps} steps, {passes} passes in {:.1} s, seed {first}: no wrong verdict", begun.elapsed().as_secs_f64());
}

#[test]
fn an_entry_that_is_copied_to_another_server_holds_a_pane_that_nobody_looks_at_any_more() {
    let at = |server, name| Place { server, name };
    let create = |at, below_shell| Step::Create { at, below_shell, resumes: None, mute: false };
    let history = [
        create(at(0, 0), false),
        Step::Edit(Deed::Declare(at(1, 3))),
        create(at(1, 3), true),
        Step::Settle,
        Step::Edit(Deed::Copy(4, at(0, 2))),
        Step::Edit(Deed::Remove(3)),
    ];
    let played = play(&history);
    assert!(played.is_ok(), "{}", played.unwrap_err());
}

#[test]
fn an_entry_that_came_and_went_unseen_makes_no_record_younger() {
    let at = |server, name| Place { server, name };
    let create = |at, below_shell| Step::Create { at, below_shell, resumes: None, mute: false };
    let history = [
        create(at(0, 4), false),
        Step::Settle,
        create(at(1, 0), true),
        create(at(0, 1), false),
        create(at(1, 2), false),
        Step::Edit(Deed::Declare(at(1, 3))),
        create(at(0, 3), true),
        Step::Settle,
        Step::Edit(Deed::Remove(6)),
        Step::Edit(Deed::Declare(at(0, 0))),
        Step::Pass,
        Step::End(0),
        Step::Pass,
        create(at(1, 1), false),
        Step::Create { at: at(0, 1), below_shell: true, resumes: None, mute: true },
        Step::Race { deed: Deed::Name(1, 1), at: 5 },
        Step::Edit(Deed::Declare(at(0, 4))),
        Step::Wedge(0),
        Step::Edit(Deed::Halve),
        create(at(0, 4), true),
        Step::Pass,
        Step::Wait(5),
        Step::Pass,
        Step::Checkout(7),
    ];
    let played = play(&history);
    assert!(played.is_ok(), "{}", played.unwrap_err());
}

//! Every fault against every command: a fault is set up in a private world, the command is run for real, and an oracle that knows
//! the truth judges what it said and left. Used by the table (`./x faults`) and, for a part of it, by a test.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub(crate) mod faults;
pub(crate) mod manner;
mod oracle;
pub(crate) mod stage;
pub(crate) mod table;
pub(crate) mod verb;
mod watching;

use std::fmt;

use manner::{Manner, Ran};
use stage::{Kind, Spice, Stage};
use verb::Verb;

/// What became of a command in spite of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did all it is for.
    Survived,
    /// It said what it could not tell, changed nothing for that, and was right about the rest.
    CannotTell,
    /// It did its own, and said that the next pass does the rest.
    Later,
    /// It did nothing, and said why, with this exit code.
    Error(i32),
    /// It makes no sense together.
    NotApplicable,
    /// It cannot be tried here.
    Skipped(String),
    /// A wrong verdict, something lost, a hang, or a failure that says nothing.
    Lost(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Survived => f.write_str("ok"),
            Self::CannotTell => f.write_str("unknown"),
            Self::Later => f.write_str("later"),
            Self::Error(code) => write!(f, "exit {code}"),
            Self::NotApplicable => f.write_str("–"),
            Self::Skipped(_) => f.write_str("skipped"),
            Self::Lost(_) => f.write_str("LOST"),
        }
    }
}

/// Why a fault cannot be tried here.
pub(crate) type Tried = Result<(), String>;

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// What it is, as the table says it.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) spice: Spice,
    pub(crate) manner: Manner,
    /// Sets it up. Done anew for each command; under a watch after its first passes.
    pub(crate) strike: fn(&mut Stage) -> Tried,
    /// Ends it, so that a watch can be seen to go on. What every fault may leave is ended anyway.
    pub(crate) heal: fn(&mut Stage),
    /// Whether it is there before a watch begins.
    pub(crate) from_the_start: bool,
    /// Whether the world has to be made anew after it.
    pub(crate) destroys: bool,
    /// What `watch` is given beside the ordinary.
    pub(crate) watch_arguments: fn(&Stage) -> Vec<String>,
    /// The commands it makes sense with.
    pub(crate) verbs: &'static [Verb],
    /// What is expected; of a command that is not named, that it survives.
    pub(crate) expected: &'static [(&'static [Verb], Outcome)],
}

impl Fault {
    /// One that every command survives, set up by `strike`.
    pub(crate) const fn new(name: &'static str, strike: fn(&mut Stage) -> Tried) -> Self {
        Self {
            name,
            kind: Kind::Tmux,
            spice: Spice { name: "", path: "", said: "" },
            manner: Manner::Plain,
            strike,
            heal: |_| (),
            from_the_start: false,
            destroys: false,
            watch_arguments: |_| Vec::new(),
            verbs: &Verb::ALL,
            expected: &[],
        }
    }

    /// Whether the contract allows this outcome.
    pub(crate) fn allows(&self, verb: Verb, outcome: &Outcome) -> bool {
        let mut named = self.expected.iter().filter(|(verbs, _)| verbs.contains(&verb));
        *outcome == self.expects(verb) || named.any(|(_, allowed)| allowed == outcome)
    }

    /// The outcome the contract asks for; of several that it allows, the first.
    pub(crate) fn expects(&self, verb: Verb) -> Outcome {
        if !self.verbs.contains(&verb) {
            return Outcome::NotApplicable;
        }
        let named = self.expected.iter().find(|(verbs, _)| verbs.contains(&verb));
        named.map_or(Outcome::Survived, |(_, outcome)| outcome.clone())
    }

    /// Runs each of these commands under it.
    pub(crate) fn row(&self, verbs: &[Verb]) -> Vec<Outcome> {
        let mut stage = None;
        let mut row = Vec::new();
        for verb in verbs {
            if !self.verbs.contains(verb) {
                row.push(Outcome::NotApplicable);
                continue;
            }
            if self.destroys {
                stage = None;
            }
            if stage.is_none() {
                stage = Stage::new(self.kind, self.spice);
            }
            let Some(world) = &mut stage else {
                row.push(Outcome::Skipped("a program it takes is not installed".to_owned()));
                continue;
            };
            // What the harness itself waited for in vain is a failure of this cell, not of the table.
            let cell = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.cell(world, *verb)));
            row.push(cell.unwrap_or_else(|_| {
                stage = None;
                Outcome::Lost("the cell panicked; see above".to_owned())
            }));
        }
        row
    }

    fn cell(&self, stage: &mut Stage, verb: Verb) -> Outcome {
        stage.reset();
        stage.stop = std::sync::Arc::default();
        stage.was_saved = false;
        let outcome = if verb == Verb::Watch { watching::cell(self, stage) } else { self.command(stage, verb) };
        (self.heal)(stage);
        stage.release();
        if let Some(saves) = stage.saves.take() {
            let _ = saves.join();
        }
        if outcome == Outcome::Later { later(stage) } else { outcome }
    }

    fn command(&self, stage: &mut Stage, verb: Verb) -> Outcome {
        if let Err(why) = (self.strike)(stage) {
            return Outcome::Skipped(why);
        }
        let before = oracle::before(stage, verb);
        let mut wrong = Vec::new();
        let ran = manner::run(stage, verb, self.manner, |stage, ran| {
            wrong.extend(oracle::wrong(stage, &before, ran));
        });
        if let Some(lost) = saves_lost(stage) {
            wrong.push(lost);
        }
        let outcomes: Vec<Outcome> = ran.iter().map(|ran| judge(stage, verb, &before, ran)).collect();
        match wrong.into_iter().next() {
            Some(wrong) => Outcome::Lost(wrong),
            None => together(outcomes),
        }
    }
}

/// What was put off is done by the next pass.
fn later(stage: &mut Stage) -> Outcome {
    let submitted = verb::submitted(stage);
    let ran = manner::run(stage, Verb::Reconcile, Manner::Plain, |_, _| ()).remove(0);
    let linked = oracle::entries(&stage.text()).remove(&stage.frail).and_then(|entry| entry.job);
    if linked.is_some() && linked == submitted {
        return Outcome::Later;
    }
    Outcome::Lost(format!("job {submitted:?} was to be linked by the next pass, which left {linked:?}: {ran:?}"))
}

/// Ends the person's saving, and says which version is nowhere any more.
fn saves_lost(stage: &mut Stage) -> Option<String> {
    stage.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let count = stage.saves.take()?.join().unwrap();
    stage.was_saved = true;
    let texts: Vec<String> = stage::files(&stage.desk()).iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
    let lost = (1..=count).find(|number| !texts.iter().any(|text| text.contains(&format!("# saved {number}.\n"))))?;
    Some(format!("save {lost} of {count} is nowhere any more"))
}

/// The worst of several runs at once; one that survived is enough if the others said why they did not.
fn together(outcomes: Vec<Outcome>) -> Outcome {
    if let Some(lost) = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Lost(_))) {
        return lost.clone();
    }
    let survived = outcomes.iter().find(|outcome| **outcome == Outcome::Survived);
    survived.or(outcomes.first()).cloned().unwrap_or(Outcome::NotApplicable)
}

/// What became of one run.
fn judge(stage: &Stage, verb: Verb, before: &oracle::Before, ran: &Ran) -> Outcome {
    if let Some(wrong) = oracle::wrong(stage, before, ran).into_iter().next() {
        return Outcome::Lost(wrong);
    }
    if verb.is_done(stage, ran) {
        return Outcome::Survived;
    }
    if verb == Verb::JobSubmit && ran.code == Some(0) && verb::submitted(stage).is_some() && ran.err.contains("the next pass") {
        return Outcome::Later;
    }
    let says = |list: &str| ran.json().is_some_and(|answer| answer[list].as_array().is_some_and(|items| !items.is_empty()));
    let told = |word: &str| ran.err.contains(word) || ran.out.contains(word);
    match ran.code {
        Some(0..=2 | 4) if says("unknown") => Outcome::CannotTell,
        Some(0 | 1 | 4) if !ran.err.contains("error:") && (told("annot tell") || told("is unknown") || told("skipped:")) => {
            Outcome::CannotTell
        }
        Some(code) if code != 0 && ran.err.contains("error:") => Outcome::Error(code),
        Some(1) if verb == Verb::Doctor && ran.out.contains("fail") => Outcome::Error(1),
        _ => Outcome::Lost(format!("it neither did it nor said why not: {ran:?}\n{}", stage.text())),
    }
}

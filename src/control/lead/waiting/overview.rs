//! One look after another for what shows all sessions at once: again as soon as something may have happened, else after a pause that
//! grows with what a look costs. Types nothing and records nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::wakes::LookWakes;
use super::{SPACING, places};
use crate::control::job_runs;
use crate::control::lead::{complete_rows, reading};
use crate::control::observe::Observer;
use crate::control::pass::{Mode, Pass, PassError, PassOptions, PassRunner};
use crate::control::watch::wake::Scope;
use crate::core::ids::SessionKey;
use crate::core::lead::send::PaneAddress;
use crate::core::manifest::select::Selection;
use crate::core::report::status::StatusReport;

/// The shortest and the longest pause while nothing happens.
const IDLE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];
/// The longest one while something cannot be seen.
const BLIND: Duration = Duration::from_secs(5);
/// A look may take one part in so many of the time while nothing happens, and while something does.
const SHARE: [u32; 2] = [150, 8];

/// What a look saw.
#[derive(Debug)]
pub struct Overview {
    /// The sessions, with their conditions.
    pub report: StatusReport,
    /// The pane of each that runs in one.
    pub panes: BTreeMap<SessionKey, PaneAddress>,
    /// How long the look took.
    pub took: Duration,
}

/// Looks until `show` breaks. A byte that is written to what `wake` gets makes it look at once.
pub fn overviews(
    world: Observer,
    options: &PassOptions,
    wake: impl FnOnce(UnixStream),
    mut show: impl FnMut(Result<Overview, PassError>) -> ControlFlow<()>,
) {
    let world = Arc::new(Observer { activity: true, ..world });
    let options = PassOptions { mode: Mode::Look, selection: Selection::default(), ..options.clone() };
    let mut runner = PassRunner::new(Arc::clone(&world), options.clone());
    let mut wakes = LookWakes::new();
    if let Some(waker) = wakes.waker().and_then(|waker| waker.try_clone().ok()) {
        wake(waker);
    }
    loop {
        let begun = Instant::now();
        let mut is_listening = false;
        let mut is_blind = true;
        let seen = runner.pass(&Scope::ALL).map(|pass| {
            let report = report(&world, &options, &pass);
            let all: BTreeSet<SessionKey> = pass.manifest().sessions.iter().map(|session| session.key.clone()).collect();
            is_blind = !report.unknown.is_empty();
            is_listening = wakes.watch(places(&world, &options.state_home, &pass, &all));
            Overview { report, panes: reading::panes(&pass), took: begun.elapsed() }
        });
        let took = begun.elapsed();
        if show(seen).is_break() {
            return;
        }
        // What did not answer cost time, but no work.
        let most = if is_blind { BLIND } else { IDLE[1] };
        let idle = (took * SHARE[0]).clamp(IDLE[0], most);
        // What happened before it was listened to was not heard.
        let idle = if is_listening { SPACING.max(took * SHARE[1]) } else { idle };
        if wakes.wait(idle) {
            // What comes in a burst is looked at once.
            std::thread::sleep((took * SHARE[1]).max(SPACING).saturating_sub(begun.elapsed()));
        }
    }
}

fn report(world: &Observer, options: &PassOptions, pass: &Pass) -> StatusReport {
    let state = &options.state_home;
    let mut report = pass.status();
    complete_rows(world, state, pass, report.sessions.iter_mut());
    report.jobs = job_runs::rows(state, report.observed_at);
    report
}

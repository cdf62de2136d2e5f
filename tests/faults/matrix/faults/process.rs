//! What can happen to the command itself: signals, closed files, small limits, another one at once, odd clocks. Never judges.

use std::fs;
use std::time::{Duration, SystemTime};

use rustix::process::Signal;

use super::{Fault, nothing};
use crate::matrix::Outcome::Error;
use crate::matrix::manner::Manner;
use crate::matrix::stage::{Stage, files};
use crate::matrix::verb::Verb::{
    self, Check, Diff, Doctor, Explain, History, Init, JobList, JobPublish, JobSubmit, Mcp, Reconcile, Status, Undo, Watch,
};

/// Every command but the watch, which waits.
const BUT_WATCH: &[Verb] =
    &[Status, Mcp, Diff, Explain, History, Check, Doctor, Init, JobList, JobPublish, JobSubmit, Undo, Reconcile];

pub(super) fn all() -> Vec<Fault> {
    let run = |name, manner| Fault { manner, ..Fault::new(name, nothing) };
    let on_drift = |name, watch_arguments| Fault { verbs: &[Watch], watch_arguments, ..Fault::new(name, nothing) };
    vec![
        run("killed (SIGKILL) at random instants", Manner::Ended(Signal::KILL, 12)),
        run("terminated (SIGTERM) at random instants", Manner::Ended(Signal::TERM, 8)),
        run("stopped, resumed later", Manner::Paused),
        run("two at once", Manner::Twice),
        run("stdin closed", Manner::Shell("exec \"$0\" \"$@\" <&-")),
        run("stdout closed", Manner::Blind("exec \"$0\" \"$@\" >&-")),
        Fault {
            verbs: BUT_WATCH,
            expected: &[(BUT_WATCH, Error(1))],
            ..run("stdout on a full device", Manner::Blind("exec \"$0\" \"$@\" >/dev/full"))
        },
        run("20 open files at most", Manner::Shell("ulimit -Sn 20; ulimit -Hn 20; exec \"$0\" \"$@\"")),
        Fault {
            from_the_start: true,
            heal: |stage| set_times(stage, None),
            ..Fault::new("clock set back: all stamps lie ahead", |stage| {
                set_times(stage, Some(SystemTime::now() + Duration::from_secs(3600)));
                Ok(())
            })
        },
        on_drift("--on-drift hangs", |_| words(&["--on-drift", "sleep 1000"])),
        on_drift("--on-drift fails", |_| words(&["--on-drift", "cat >&2; exit 7"])),
        on_drift("--on-drift cannot be found", |_| words(&["--on-drift", "/nowhere/at-all"])),
    ]
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Gives every file headcount reads this time, or one long ago.
fn set_times(stage: &mut Stage, time: Option<SystemTime>) {
    let time = time.unwrap_or_else(|| SystemTime::now() - Duration::from_secs(60));
    let mut all = files(&stage.world().home().join(".claude"));
    all.extend([stage.manifest()]);
    all.extend(files(&stage.state()).into_iter().chain(files(&stage.jobs())));
    for path in all {
        if let Ok(file) = fs::File::options().append(true).open(path) {
            let _ = file.set_modified(time);
        }
    }
}

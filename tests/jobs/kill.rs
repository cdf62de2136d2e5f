//! `kill -9` at random instants, and writers that race: no event that was acknowledged is lost, no record is ever half.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::Utc;
use headcount::core::job::{EventKind, Job};
use headcount::store::jobs::Registry;

use crate::{event, numbers, submitted};

const CHILD: &str = "kill::child_that_publishes_until_killed";
const VARIABLE: &str = "HEADCOUNT_TEST_JOBS";

/// Not a test of its own: what the processes below do until they are killed.
#[test]
fn child_that_publishes_until_killed() {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let registry = Registry::at(PathBuf::from(path));
    let id = registry.list().unwrap().jobs[0].id.clone();
    println!("started");
    loop {
        let (_, event) = registry.publish(&id, event(EventKind::Progress), Utc::now()).unwrap();
        println!("acknowledged {}", event.seq);
    }
}

fn start(registry: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", CHILD, "--nocapture"]).env(VARIABLE, registry);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets two of them run for a while, kills both and gives the numbers they were told.
fn kill_two(registry: &Path, after: Duration) -> Vec<u64> {
    let mut children = [start(registry), start(registry)];
    let (at_work, is_at_work) = std::sync::mpsc::channel();
    let readers = children.each_mut().map(|child| {
        let out = BufReader::new(child.stdout.take().unwrap());
        let at_work = at_work.clone();
        std::thread::spawn(move || {
            let lines = out.lines().map_while(Result::ok);
            let numbers = lines.filter_map(|line| line.split_once("acknowledged ")?.1.parse().ok());
            numbers.inspect(|_| at_work.send(()).unwrap_or_default()).collect::<Vec<u64>>()
        })
    });
    is_at_work.recv_timeout(Duration::from_secs(30)).expect("neither publishes");
    // Not a condition to await: the instant of the kill is what is tried.
    std::thread::sleep(after);
    for child in &mut children {
        child.kill().unwrap();
    }
    for child in children {
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert!(!said.contains("panicked"), "{said}");
    }
    readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
}

#[test]
fn a_kill_at_any_instant_loses_no_acknowledged_event_and_leaves_a_whole_record() {
    let kills = std::env::var("HEADCOUNT_SOAK_KILLS").ok().map_or(25, |text| text.parse::<u64>().unwrap());
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let registry = Registry::at(dir.path().join("jobs"));
    let job = submitted(&registry, true);
    let mut acknowledged: Vec<u64> = Vec::new();
    let mut hits = 0;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    // A machine that is slow enough hits no write for long: it goes on until one was hit.
    let mut kill = 0;
    while kill < kills || (hits == 0 && kill < kills * 40) {
        kill += 1;
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        acknowledged.extend(kill_two(registry.path(), Duration::from_micros((random >> 33) % 8_000)));
        hits += usize::from(scaffolds(&registry) > 0);
        let listing = registry.list().unwrap();
        assert!(listing.problems.is_empty() && listing.jobs.len() == 1, "kill {kill}: {listing:?}");
        let logged = numbers(&registry, &job);
        let record: &Job = &listing.jobs[0];
        assert!(logged.is_sorted() && logged.first().is_none_or(|first| *first == 1), "kill {kill}");
        assert_eq!(logged.len(), logged.last().map_or(0, |last| usize::try_from(*last).unwrap()), "kill {kill}: a gap");
        hits += usize::from(Some(&record.last_seq) < logged.last());
        assert!(record.last_seq <= logged.last().copied().unwrap_or(0), "kill {kill}: the record is ahead of its log");
    }
    acknowledged.sort_unstable();
    let distinct = acknowledged.windows(2).all(|pair| pair[0] != pair[1]);
    assert!(distinct, "two writers were given one number");
    assert!(hits > 0, "no kill ever hit a write: {kills} kills, {} events", acknowledged.len());
    assert!(acknowledged.len() > 20, "hardly anything was ever written: {}", acknowledged.len());
    let logged = numbers(&registry, &job);
    assert!(acknowledged.iter().all(|number| logged.binary_search(number).is_ok()), "an acknowledged event is lost");
    // Whoever comes next goes on where the log ends and sweeps up.
    let (_, next) = registry.publish(&job.id, event(EventKind::Completed), Utc::now()).unwrap();
    assert_eq!(next.seq, logged.last().unwrap() + 1);
    submitted(&registry, false);
    assert_eq!(scaffolds(&registry), 0);
}

/// How many files stand there that were made only to replace another.
fn scaffolds(registry: &Registry) -> usize {
    let names = std::fs::read_dir(registry.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".tmp")).count()
}

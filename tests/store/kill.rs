//! `kill -9` at random instants: a whole version at once, nothing but that after the next lock.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use headcount::store::manifest::{ManifestFile, TextChange, UpdateOptions};

use crate::support::{NAME, Place, again, no_change, quick, subject_of};

const CHILD: &str = "kill::child_that_updates_until_killed";

/// A text that says of itself which version it is, at both ends and in between.
fn version(number: u64) -> String {
    let body: String = (0..2000).map(|line| format!("- line {line} of version {number}\n")).collect();
    format!("# {number}\n{body}# end of {number}\n")
}

fn number_of(text: &str) -> Option<u64> {
    let number = text.lines().next()?.strip_prefix("# ")?.parse().ok()?;
    (text == version(number)).then_some(number)
}

/// Not a test of its own: what the processes below do until they are killed.
#[test]
fn child_that_updates_until_killed() {
    let Some(path) = subject_of(CHILD) else { return };
    let manifest = ManifestFile::open(&path).unwrap().with_pace(quick());
    println!("started");
    loop {
        let outcome = manifest.update(&UpdateOptions::default(), |snapshot| {
            let number = std::str::from_utf8(&snapshot.bytes).ok().and_then(number_of).expect("a whole version");
            Ok::<_, std::convert::Infallible>(Some(version(number + 1).into_bytes()))
        });
        let outcome = outcome.unwrap();
        assert!(matches!(outcome.change, TextChange::Written { .. }) && outcome.saved.is_empty(), "{outcome:?}");
    }
}

fn start(place: &Place) -> Child {
    let mut child = again(CHILD, &place.path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("started")), "the child did not start");
    child
}

#[test]
fn a_kill_at_any_instant_leaves_a_whole_version_and_the_next_lock_no_litter() {
    let kills = std::env::var("HEADCOUNT_SOAK_KILLS").ok().map_or(60, |text| text.parse::<u64>().unwrap());
    let place = Place::new(&version(0));
    let (mut last, mut with_leftovers) = (0, 0);
    // Spread over the time of a few updates by a multiplicative sequence, so that no instant is favoured.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 0..kills {
        let mut child = start(&place);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let until = Instant::now() + Duration::from_micros((random >> 33) % 40_000);
        while Instant::now() < until {
            let text = fs::read_to_string(&place.path).unwrap();
            assert!(number_of(&text).is_some(), "kill {kill}: half a version while it lives");
        }
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(!String::from_utf8_lossy(&ended.stderr).contains("panicked"), "{}", String::from_utf8_lossy(&ended.stderr));
        let number = number_of(&place.text()).unwrap_or_else(|| panic!("kill {kill}: half a version"));
        assert!(number >= last, "kill {kill}: version {last} was followed by {number}");
        last = number;
        with_leftovers += usize::from(place.names().len() > 2);
        let outcome = place.manifest().update(&UpdateOptions::default(), no_change).unwrap();
        assert!(outcome.saved.is_empty(), "kill {kill}: {outcome:?}");
        assert_eq!(number_of(&place.text()), Some(last), "recovery changed the version");
        place.assert_no_litter();
    }
    assert!(last > 0, "no child ever wrote");
    assert!(with_leftovers > 0, "no kill ever hit an update: {kills} kills, {last} versions of {NAME}");
}

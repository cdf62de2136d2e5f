//! What a watch leaves to the next one when it is killed.

use rustix::process::Signal;

use crate::run::{Watch, declare, headcount, running};
use crate::support::World;

fn watch(world: &World) -> Watch {
    Watch::start(headcount(world, &["watch", "--json", "--interval", "100ms", "--settle", "0s", "--heartbeat", "100ms"]))
}

/// Waits until a drift stands, or none does.
fn until(watch: &mut Watch, stands: bool) {
    let is_so = (0..100).any(|_| (watch.until("heartbeat")["open"] != 0) == stands);
    assert!(is_so, "{:#?}", watch.seen.iter().filter(|event| event["type"] != "heartbeat").collect::<Vec<_>>());
}

/// Lets the session `s` lose and find its agent until no more of it is told, and then lose it again.
fn flap(world: &World, watch: &mut Watch) {
    let become_of = |watch: &mut Watch, command: &str, stands: bool| {
        world.tmux(["respawn-pane", "-k", "-t", "=s:", command]);
        until(watch, stands);
    };
    while !watch.seen.iter().any(|event| !event["muted_until"].is_null()) {
        become_of(watch, "exec claude", false);
        become_of(watch, "exec sleep 1000", true);
    }
    become_of(watch, "exec claude", false);
    become_of(watch, "exec sleep 1000", true);
    watch.passes(3);
    let told = watch.seen.iter().rfind(|event| event["type"] == "drift" || event["type"] == "resolved").unwrap();
    assert!(!told["muted_until"].is_null(), "the last one is held back: {told}");
}

const STANDS: &str = "drift agent-gone flagged s";

fn count(seen: &[serde_json::Value]) -> usize {
    seen.iter().filter(|event| crate::run::word(event) == STANDS).count()
}

#[test]
fn a_drift_that_was_held_back_and_stands_is_told_once_by_the_next_watch_however_the_last_one_ended() {
    for is_killed in [true, false] {
        let world = World::new();
        world.session("s", &world.workspace("shop"), "exec sleep 1000");
        declare(&world, &running(&world, &["s"]));
        let mut first = watch(&world);
        first.until(STANDS);
        flap(&world, &mut first);
        let before = count(&first.seen);
        let told = if is_killed {
            first.signal(Signal::KILL);
            first.end().seen
        } else {
            first.terminate().seen
        };
        assert_eq!(count(&told) - before, usize::from(!is_killed), "at its end it tells what it held back");
        let mut second = watch(&world);
        second.passes(3);
        assert_eq!(count(&second.terminate().seen), usize::from(is_killed));
        let mut third = watch(&world);
        third.passes(3);
        assert_eq!(count(&third.terminate().seen), 0, "it was told");
    }
}

//! What must not be lost or doubled when the watch is killed, the disk is full, or another watch wants the same place.

use std::process::Command;
use std::time::{Duration, Instant};

use headcount::core::job::EventKind;
use rustix::process::Signal;

use crate::broker::PATIENCE;
use crate::run::{Watch, headcount, manifest};
use crate::watch::{OPEN, Place, payload, status};

#[test]
fn a_watch_that_is_killed_in_a_burst_loses_no_event_and_writes_none_twice() {
    const EVENTS: u64 = 1000;
    let Some(place) = Place::new("allow_anonymous true\nmax_queued_messages 20000\n") else { return };
    let job = place.submit(&["--auth"]);
    place.subscribed().terminate();
    let lines: String =
        (1..=EVENTS).map(|seq| String::from_utf8(payload(&job, seq, EventKind::Progress)).unwrap() + "\n").collect();
    let file = place.world.home().join("events");
    std::fs::write(&file, lines).unwrap();
    let mut publisher = Command::new("mosquitto_pub");
    publisher.args(["-h", "127.0.0.1", "-p", &place.broker.port.to_string(), "-q", "1", "-l", "-t", &job.topic()]);
    let mut publisher = publisher.stdin(std::fs::File::open(&file).unwrap()).spawn().unwrap();
    // Killed as soon as each has got on, until all is written.
    let deadline = Instant::now() + PATIENCE * 6;
    let (mut kills, mut last) = (0, 0);
    while last < EVENTS {
        let watch = place.watch(&["--subscribe"], &[]);
        while place.job(&job).last_seq == last && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        watch.signal(Signal::KILL);
        drop(watch);
        kills += 1;
        last = place.job(&job).last_seq;
        assert!(Instant::now() < deadline, "{last} of {EVENTS} after {kills} kills");
    }
    assert!(publisher.wait().unwrap().success());
    // What the log has and the record has not is caught up with by whoever comes next.
    let numbers: Vec<u64> =
        place.registry().events(&job.id).news().unwrap().events.iter().map(|logged| logged.event.seq).collect();
    assert_eq!(numbers, (1..=EVENTS).collect::<Vec<_>>(), "after {kills} kills");
    assert!(kills > 1, "no kill ever came in between");
}

#[test]
fn events_wait_at_the_broker_while_they_cannot_be_written_and_are_written_in_their_order_then() {
    let Some(place) = Place::new(OPEN) else { return };
    let (job, other) = (place.submit(&[]), place.submit(&[]));
    // A limit on the length of files stands for a full disk: this log has no room for another event, the other one has.
    let log = place.registry().path().join(format!("{}.events.log", job.id));
    std::fs::write(&log, format!("{}\n", "x".repeat(300_000))).unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 256; exec \"$@\"", "bash", env!("CARGO_BIN_EXE_headcount")]);
    shell.args(["watch", "--json", "--heartbeat", "100ms", "--interval", "1h", "--settle", "0s", "--subscribe"]);
    shell.env_clear().envs(place.world.variables()).env("HEADCOUNT_MANIFEST", manifest(&place.world));
    shell.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", place.broker.port.to_string());
    let mut watch = Watch::start(shell);
    while watch.until("heartbeat")["mqtt"]["connected"] == false {}
    for seq in 1..=3 {
        place.publish(&job, &payload(&job, seq, EventKind::Progress));
        place.publish(&other, &payload(&other, seq, EventKind::Progress));
    }
    let told = watch.until("error mqtt")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("cannot write an event"), "{told}");
    assert_eq!(place.job(&job).last_seq, 0, "nothing that is not on disk is counted");
    std::fs::write(&log, "").unwrap();
    while place.job(&job).last_seq < 3 || place.job(&other).last_seq < 3 {
        watch.until("heartbeat");
    }
    let numbers =
        |id| -> Vec<u64> { place.registry().events(id).news().unwrap().events.iter().map(|logged| logged.event.seq).collect() };
    assert_eq!((numbers(&job.id), numbers(&other.id)), (vec![1, 2, 3], vec![1, 2, 3]));
}

#[test]
fn a_job_whose_log_is_broken_holds_up_no_other_job() {
    let Some(place) = Place::new(OPEN) else { return };
    let (broken, other) = (place.submit(&[]), place.submit(&[]));
    std::fs::create_dir(place.registry().path().join(format!("{}.events.log", broken.id))).unwrap();
    let mut watch = place.subscribed();
    place.publish(&broken, &payload(&broken, 1, EventKind::Started));
    watch.until("error mqtt");
    place.publish(&other, &payload(&other, 1, EventKind::Completed));
    status(&mut watch, "completed");
}

#[test]
fn a_registry_that_is_removed_and_made_anew_under_a_watch_is_heard_again() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&[]);
    let mut watch = place.subscribed();
    std::fs::remove_dir_all(place.registry().path()).unwrap();
    place.publish(&job, &payload(&job, 1, EventKind::Started));
    assert!(watch.until("error mqtt")["message"].as_str().unwrap().contains("no such job"));
    assert!(!place.registry().path().exists(), "a stranger's event makes nothing");
    let job = place.submit(&[]);
    place.publish(&job, &payload(&job, 1, EventKind::Completed));
    status(&mut watch, "completed");
}

#[test]
fn a_second_watch_of_the_same_client_or_host_is_refused_and_the_first_goes_on() {
    let Some(place) = Place::new(OPEN) else { return };
    let mut first = place.watch(&["--subscribe", "--publish"], &[]);
    while first.until("heartbeat")["mqtt"]["connected"] == false {}
    let second = |arguments: &[&str]| {
        let mut command = headcount(&place.world, &[&["watch", "--json", "--max-runtime", "1s"], arguments].concat());
        command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", place.broker.port.to_string());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (arguments, hint) in
        [(&["--subscribe"][..], "--consumer"), (&["--publish", "--consumer", "other"], "only one watch may publish for a host")]
    {
        let (code, said) = second(arguments);
        assert_eq!(code, Some(75), "{said}");
        assert!(said.contains(hint) && said.contains(&format!("process {}", first.pid().as_raw_nonzero())), "{said}");
    }
    assert_eq!(second(&["--subscribe", "--consumer", "other"]).0, Some(0));
    assert_eq!(second(&[]).0, Some(0), "without a broker they take turns");
    let done = first.terminate();
    assert!(!done.words().contains(&"error mqtt".to_owned()), "{:?}", done.words());
    assert_eq!(second(&["--subscribe", "--publish"]).0, Some(0), "the claim ended with it");
}

#[test]
fn two_watches_of_one_client_on_two_machines_are_told_and_do_not_flap_for_ever() {
    let Some(place) = Place::new(OPEN) else { return };
    let mut first = place.watch(&["--subscribe"], &[]);
    while first.until("heartbeat")["mqtt"]["connected"] == false {}
    // Another state directory stands for another machine of the same name.
    let elsewhere = tempfile::tempdir().unwrap();
    let state = elsewhere.path().to_str().unwrap();
    let registry = place.registry();
    let variables = [("XDG_STATE_HOME", state), ("HEADCOUNT_JOBS", registry.path().to_str().unwrap())];
    let second = place.watch(&["--subscribe"], &variables);
    let told = loop {
        let told = first.until("error mqtt")["message"].as_str().unwrap().to_owned();
        if told.contains("--consumer") {
            break told;
        }
    };
    assert!(told.contains("keeps breaking"), "{told}");
    let job = place.submit(&[]);
    place.publish(&job, &payload(&job, 1, EventKind::Completed));
    while place.job(&job).last_seq < 1 {
        first.until("heartbeat");
    }
    let mine = first.terminate();
    second.terminate();
    let after = mine.seen.iter().skip_while(|event| event["message"] != told.as_str()).skip(1);
    assert_eq!(after.filter(|event| event["type"] == "broker" || event["source"] == "mqtt").count(), 0);
}

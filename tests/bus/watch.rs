//! `headcount watch` with a broker: events of jobs go into the registry and are told, hostile ones go nowhere.

use headcount::core::job::{EventKind, Job, JobEvent, JobId};
use headcount::store::jobs::Registry;
use rustix::process::Signal;
use serde_json::Value;

use crate::broker::{self, Broker};
use crate::run::{Watch, declare, headcount};
use crate::support::World;

/// A world with a manifest and a broker.
pub(crate) struct Place {
    pub(crate) world: World,
    pub(crate) broker: Broker,
}

impl Place {
    pub(crate) fn new(config: &str) -> Option<Self> {
        let broker = broker::with(config, |dir| std::fs::write(dir.join("none"), "").unwrap())?;
        let world = World::new();
        declare(&world, "version: 1\nsessions: []\n");
        Some(Self { world, broker })
    }

    /// A watch that would look again only in an hour.
    pub(crate) fn watch(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Watch {
        let mut all = vec!["watch", "--json", "--heartbeat", "100ms", "--settle", "0s"];
        if !arguments.contains(&"--interval") {
            all.extend(["--interval", "1h"]);
        }
        all.extend(arguments);
        let mut command = headcount(&self.world, &all);
        command.env("MQTT_BROKER", "127.0.0.1").env("MQTT_PORT", self.broker.port.to_string());
        Watch::start({
            command.envs(variables.iter().copied());
            command
        })
    }

    pub(crate) fn subscribed(&self) -> Watch {
        let mut watch = self.watch(&["--subscribe"], &[]);
        // What the first pass finds is told by nobody.
        while watch.until("heartbeat")["passes"] == 0 {}
        while watch.until("heartbeat")["mqtt"]["connected"] == false {}
        watch
    }

    pub(crate) fn registry(&self) -> Registry {
        Registry::at(self.world.home().join(".local/state/headcount/jobs"))
    }

    pub(crate) fn submit(&self, more: &[&str]) -> Job {
        let mut all = vec!["job", "submit", "--prompt", "x"];
        all.extend(more);
        let output = headcount(&self.world, &all).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let id: JobId = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        self.registry().find(&id).unwrap().unwrap()
    }

    pub(crate) fn job(&self, job: &Job) -> Job {
        self.registry().find(&job.id).unwrap().unwrap()
    }

    pub(crate) fn publish(&self, job: &Job, payload: &[u8]) {
        self.broker.publish(&job.topic(), payload, &[]);
    }
}

/// The payload of the event with this number, signed if the job has a token.
pub(crate) fn payload(job: &Job, seq: u64, kind: EventKind) -> Vec<u8> {
    let mut job = job.clone();
    job.last_seq = seq - 1;
    let event = JobEvent::next(&job, kind, format!("number {seq}"), None, chrono::Utc::now()).unwrap();
    serde_json::to_vec(&event).unwrap()
}

/// The status a job is told to have next.
pub(crate) fn status(watch: &mut Watch, wanted: &str) -> Value {
    loop {
        let told = watch.until("job");
        if told["status"] == wanted {
            return told;
        }
    }
}

pub(crate) const OPEN: &str = "allow_anonymous true\n";

#[test]
fn an_event_is_written_and_told_without_waiting_for_the_next_look() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&[]);
    let mut watch = place.subscribed();
    place.publish(&job, &payload(&job, 1, EventKind::Started));
    status(&mut watch, "running");
    assert_eq!(place.job(&job).last_seq, 1);
    place.publish(&job, &payload(&job, 2, EventKind::Completed));
    status(&mut watch, "completed");
    assert_eq!(watch.terminate().status.code(), Some(0));
}

#[test]
fn events_that_came_while_no_watch_ran_are_written_by_the_next_one_and_none_twice() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&[]);
    place.subscribed().terminate();
    place.publish(&job, &payload(&job, 1, EventKind::Started));
    // Sent twice, and kept by the broker as well: a sender that was not sure.
    place.publish(&job, &payload(&job, 2, EventKind::Progress));
    place.publish(&job, &payload(&job, 2, EventKind::Progress));
    place.broker.publish(&job.topic(), &payload(&job, 1, EventKind::Error), &["-r"]);
    place.publish(&job, &payload(&job, 3, EventKind::Completed));
    let mut watch = place.watch(&["--subscribe"], &[]);
    while place.job(&job).last_seq < 3 {
        watch.until("heartbeat");
    }
    watch.terminate();
    let numbers = |job: &Job| -> Vec<u64> {
        place.registry().events(&job.id).news().unwrap().events.iter().map(|logged| logged.event.seq).collect()
    };
    assert_eq!(numbers(&job), [1, 2, 3]);
    // The retained one is delivered at each subscription.
    place.subscribed().terminate();
    assert_eq!(numbers(&job), [1, 2, 3]);
    assert_eq!(place.job(&job).last_seq, 3);
}

#[test]
fn an_unsigned_or_wrongly_signed_event_changes_nothing_and_is_told_once() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&["--auth"]);
    let mut watch = place.subscribed();
    let signed = payload(&job, 1, EventKind::Completed);
    let mut forged: Value = serde_json::from_slice(&signed).unwrap();
    forged["hmac"] = "0".repeat(64).into();
    let mut unsigned = forged.clone();
    unsigned.as_object_mut().unwrap().remove("hmac");
    for _ in 0..3 {
        place.publish(&job, unsigned.to_string().as_bytes());
    }
    assert!(watch.until("error mqtt")["message"].as_str().unwrap().contains("it is not signed"));
    place.publish(&job, forged.to_string().as_bytes());
    assert!(watch.until("error mqtt")["message"].as_str().unwrap().contains("signature is wrong"), "told once");
    assert_eq!(place.job(&job).last_seq, 0);
    place.publish(&job, &signed);
    status(&mut watch, "completed");
    let done = watch.terminate();
    assert_eq!(done.words().iter().filter(|word| *word == "error mqtt").count(), 2);
    let token = job.auth_token.as_ref().unwrap().expose();
    assert!(!done.seen.iter().any(|event| event.to_string().contains(token)) && !done.stderr.contains(token));
}

#[test]
fn hostile_topics_and_payloads_reach_no_file_and_no_terminal() {
    let Some(place) = Place::new(OPEN) else { return };
    let job = place.submit(&[]);
    let mut watch = place.subscribed();
    let before = std::fs::read_dir(place.registry().path()).unwrap().count();
    let good = payload(&job, 1, EventKind::Started);
    // mosquitto lets no control character through; other brokers may.
    let hostile = ["..", ".lock", "a b", "\u{1b}[31mred", "\u{202e}der", "%2e%2e", "é", &"x".repeat(300), ""];
    let through = hostile.iter().filter(|id| place.broker.try_publish(&format!("python/mqtt/jobs/{id}/events"), &good, &[]));
    assert!(through.count() >= 5);
    let told = watch.until("error mqtt")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("its topic does not match its job") && !told.contains('\u{202e}'), "{told}");
    place.publish(&job, &vec![b'['; 100_000]);
    assert!(watch.until("error mqtt")["message"].as_str().unwrap().contains("too long"));
    for odd in [&b"\xff\xfe"[..], b"null", b"{}", &[b'['; 60_000][..], b"{\"schema_version\":1e999}"] {
        place.publish(&job, odd);
    }
    place.broker.try_publish(&job.topic(), b"", &["-r"]);
    assert!(watch.until("error mqtt")["message"].as_str().unwrap().contains("not an event in JSON"));
    place.publish(&job, &good);
    status(&mut watch, "running");
    watch.terminate();
    assert!(std::fs::read_dir(place.registry().path()).unwrap().count() <= before + 1, "only the job's own log is new");
}

#[test]
fn a_broker_that_is_not_there_is_told_once_and_so_is_that_it_came() {
    let Some(mut place) = Place::new(OPEN) else { return };
    place.broker.end(Signal::TERM);
    let mut watch = place.watch(&["--subscribe", "--interval", "200ms"], &[]);
    let told = watch.until("error mqtt")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("polling meanwhile") && told.contains("127.0.0.1"), "{told}");
    let job = place.submit(&[]);
    // Passes go on without it.
    status(&mut watch, "pending");
    assert!(place.broker.start());
    watch.until("broker");
    place.publish(&job, &payload(&job, 1, EventKind::Started));
    status(&mut watch, "running");
    place.broker.signal(Signal::KILL);
    watch.until("error mqtt");
    let done = watch.terminate();
    assert_eq!(done.words().iter().filter(|word| *word == "error mqtt").count(), 2, "{:?}", done.words());
}

#[test]
fn without_a_broker_that_is_named_subscribing_is_an_error_with_a_hint() {
    let world = World::new();
    declare(&world, "version: 1\nsessions: []\n");
    let output = headcount(&world, &["watch", "--subscribe"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("MQTT_BROKER"));
}

#[test]
fn the_manifest_can_name_the_broker_and_a_password_in_a_file_that_others_can_read_is_warned_about() {
    let Some(place) = Place::new(OPEN) else { return };
    let secret = place.world.home().join("secret");
    std::fs::write(&secret, "hunter2hunter2\n").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let port = place.broker.port;
    let section = format!("mqtt: {{ broker: 127.0.0.1, port: {port}, username: me, password_file: secret }}");
    declare(&place.world, &format!("version: 1\n{section}\nsessions: []\n"));
    let command = headcount(&place.world, &["reconcile", "--subscribe", "--emit-diff"]);
    let mut watch = Watch::start(command);
    watch.until("broker");
    let done = watch.terminate();
    assert!(done.stderr.contains("other users can read the password file"), "{}", done.stderr);
}

#[test]
fn no_secret_is_ever_shown_however_much_is_logged() {
    let Some(place) = Place::new("allow_anonymous false\npassword_file DIR/none\n") else { return };
    let secrets = [("MQTT_USERNAME", "me"), ("MQTT_PASSWORD", "hunter2hunter2"), ("RUST_LOG", "trace")];
    for more in [&["--subscribe", "--publish"][..], &["--subscribe", "-vvv"], &["--subscribe", "-vvv", "--log-format", "json"]]
    {
        let mut watch = place.watch(more, &secrets);
        let told = watch.until("error mqtt");
        assert!(told["message"].as_str().unwrap().contains("refuses"), "{told}");
        let line = std::fs::read(format!("/proc/{}/cmdline", watch.pid())).unwrap();
        let done = watch.terminate();
        let everything = format!("{:?}{}{}", done.seen, done.stderr, String::from_utf8_lossy(&line));
        assert!(!everything.contains("hunter2"), "{more:?}");
        assert!(done.stderr.len() > 500 || more.len() == 1, "nothing was logged: {}", done.stderr);
    }
}

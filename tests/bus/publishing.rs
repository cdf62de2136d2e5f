//! What is published: a host's birth, its end, its last will, values and events.

use headcount::bus::ConnectionState;
use headcount::core::fleet::{HOST_SCHEMA, HostState};
use rustix::process::Signal;

use crate::broker::{self, Broker, Client};

const STATE: &str = "headcount/h%2F1/state";

fn presence() -> HostState {
    HostState {
        schema: HOST_SCHEMA.to_owned(),
        host: "h/1".to_owned(),
        online: true,
        lost: false,
        boot_id: "boot".to_owned(),
        seq: 0,
        version: "1".to_owned(),
        since: chrono::DateTime::UNIX_EPOCH,
        manifest: "/m".to_owned(),
        interval: 30.0,
        observed_at: None,
        counts: None,
    }
}

fn publishing(broker: &Broker) -> Client {
    Client::start(headcount::bus::BusOptions { presence: Some(presence()), subscribe: Vec::new(), ..broker.options(&[]) })
}

fn state(text: &str) -> HostState {
    HostState::parse(text.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_host_is_online_while_its_watch_runs_and_offline_after_it_ended_in_order() {
    let Some(broker) = broker::open() else { return };
    let client = publishing(&broker);
    let born = state(&broker.comes(STATE, |value| !value.is_empty()).await);
    assert!(born.online && born.seq > 0, "{born:?}");
    client.stop().await;
    let left = state(&broker.retained(STATE));
    assert_eq!((left.online, left.seq, left.boot_id), (false, born.seq, born.boot_id));
}

#[tokio::test]
async fn a_host_whose_watch_is_killed_is_said_to_be_offline_by_the_broker() {
    let Some(broker) = broker::open() else { return };
    let client = publishing(&broker);
    let born = state(&broker.comes(STATE, |value| !value.is_empty()).await);
    // Dropped without a farewell, as by a kill.
    drop(client);
    let left = state(&broker.comes(STATE, |value| value.contains("\"online\":false")).await);
    assert_eq!((left.seq, left.host.as_str()), (born.seq, "h/1"));
}

#[tokio::test]
async fn values_and_unacknowledged_events_are_published_again_to_a_broker_that_was_lost() {
    let Some(mut broker) = broker::open() else { return };
    let mut client = publishing(&broker);
    let publisher = client.bus.publisher();
    publisher.set("headcount/x/session/a", b"alive".to_vec());
    broker.comes("headcount/x/session/a", |value| value == "alive").await;
    let first = state(&broker.retained(STATE));
    broker.end(Signal::KILL);
    client.until(|state| matches!(state, ConnectionState::Lost { .. })).await;
    publisher.set("headcount/x/session/a", b"gone".to_vec());
    publisher.event("headcount/x/drift", b"told while nobody listened".to_vec());
    let _ = std::fs::remove_file(broker.dir.path().join("mosquitto.db"));
    assert!(broker.start());
    broker.comes("headcount/x/session/a", |value| value == "gone").await;
    let again = state(&broker.comes(STATE, |value| !value.is_empty()).await);
    assert!(again.online && again.seq > first.seq);
    publisher.set("headcount/x/session/a", Vec::new());
    broker.comes("headcount/x/session/a", str::is_empty).await;
}

#[tokio::test]
async fn an_event_told_while_the_broker_was_lost_arrives_once_it_is_back() {
    let Some(mut broker) = broker::open() else { return };
    let mut listener = Client::start(broker.options(&[]));
    listener.subscribed().await;
    let options = headcount::bus::BusOptions {
        client_id: "teller".to_owned(),
        presence: Some(presence()),
        subscribe: Vec::new(),
        ..broker.options(&[])
    };
    let mut teller = Client::start(options);
    teller.until(|state| matches!(state, ConnectionState::Connected { .. })).await;
    broker.end(Signal::TERM);
    teller.until(|state| matches!(state, ConnectionState::Lost { .. })).await;
    for n in 0..100 {
        teller.bus.publisher().event("jobs/a/events", n.to_string().into_bytes());
    }
    assert!(broker.start());
    for n in 0..100 {
        assert_eq!(listener.text().await, n.to_string());
    }
}

#[tokio::test]
async fn a_farewell_does_not_wait_for_a_broker_that_hangs() {
    let Some(broker) = broker::open() else { return };
    let mut client = publishing(&broker);
    client.until(|state| matches!(state, ConnectionState::Connected { .. })).await;
    broker.signal(Signal::STOP);
    let since = std::time::Instant::now();
    client.bus.stop(std::time::Duration::from_millis(200)).await;
    assert!(since.elapsed() < std::time::Duration::from_secs(2), "{:?}", since.elapsed());
}

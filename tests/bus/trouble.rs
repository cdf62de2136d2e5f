//! A broker that is not there, goes away, hangs, or sends what cannot be read.

use headcount::bus::{ConnectionState, Payload};
use rustix::process::Signal;

use crate::broker::{self, Client};

fn is_lost(state: &ConnectionState) -> bool {
    matches!(state, ConnectionState::Lost { .. })
}

#[tokio::test]
async fn a_broker_that_is_absent_at_the_start_is_said_and_used_once_it_is_there() {
    let Some(mut broker) = broker::open() else { return };
    broker.end(Signal::TERM);
    let mut client = Client::start(broker.options(&[]));
    assert!(matches!(client.until(|_| true).await, ConnectionState::Lost { why } if why.contains("refused")));
    assert!(broker.start());
    client.subscribed().await;
    broker.publish("jobs/a/events", b"here", &[]);
    assert_eq!(client.text().await, "here");
}

#[tokio::test]
async fn a_restarted_broker_is_found_again_and_keeps_what_was_said_meanwhile() {
    let Some(mut broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    broker.end(Signal::TERM);
    client.until(is_lost).await;
    assert!(broker.start());
    client.until(|state| *state == ConnectionState::Connected { session_present: true }).await;
    client.subscribed().await;
    broker.publish("jobs/a/events", b"after", &[]);
    assert_eq!(client.text().await, "after");
}

#[tokio::test]
async fn a_killed_broker_that_has_forgotten_the_session_is_subscribed_to_anew() {
    let Some(mut broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    broker.end(Signal::KILL);
    client.until(is_lost).await;
    let _ = std::fs::remove_file(broker.dir.path().join("mosquitto.db"));
    assert!(broker.start());
    client.until(|state| *state == ConnectionState::Connected { session_present: false }).await;
    client.subscribed().await;
    broker.publish("jobs/a/events", b"after", &[]);
    assert_eq!(client.text().await, "after");
}

#[tokio::test]
async fn a_broker_that_hangs_is_noticed_and_used_again_once_it_goes_on() {
    let Some(broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    broker.signal(Signal::STOP);
    let lost = client.until(is_lost).await;
    assert_eq!(lost, ConnectionState::Lost { why: "the broker stopped answering".to_owned() });
    broker.signal(Signal::CONT);
    client.subscribed().await;
    broker.publish("jobs/a/events", b"after", &[]);
    assert_eq!(client.text().await, "after");
}

#[tokio::test]
async fn something_that_is_no_broker_is_lost_and_nothing_worse() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    // Each connection gets another answer that no broker gives; the thread ends with the test's process.
    std::thread::spawn(move || {
        let answers: [&[u8]; 5] = [
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x20\x02\x00\x05",
            // Taken in, and then an acknowledgement of what was never sent, a second welcome, nonsense.
            b"\x20\x02\x00\x00\x40\x02\xff\xff",
            b"\x20\x02\x00\x00\x20\x02\x00\x00",
            b"\x20\x02\x00\x00\xf0\xff\xff\xff\xff\xff",
        ];
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 256]);
            let _ = stream.write_all(answers[n % answers.len()]);
        }
    });
    let variable = |name: &str| match name {
        "MQTT_BROKER" => Some("127.0.0.1".to_owned()),
        "MQTT_PORT" => Some(port.clone()),
        _ => None,
    };
    let address = headcount::core::mqtt::Broker::resolve(&headcount::core::mqtt::Section::default(), variable);
    let mut options = headcount::bus::BusOptions::new(address.unwrap().unwrap(), "c".to_owned());
    options.backoff = (std::time::Duration::from_millis(1), std::time::Duration::from_millis(5));
    options.subscribe = vec!["a".to_owned()];
    let mut client = Client::start(options);
    for _ in 0..10 {
        client.until(|state| matches!(state, ConnectionState::Lost { .. } | ConnectionState::Refused { .. })).await;
    }
}

#[tokio::test]
async fn of_a_long_payload_only_its_length_is_handed_on_and_the_next_message_comes() {
    let Some(broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    broker.publish("jobs/a/events", &vec![b'x'; 200_000], &[]);
    broker.publish("jobs/a/events", b"next", &[]);
    assert_eq!(client.message().await.payload, Payload::TooLong(200_000));
    assert_eq!(client.text().await, "next");
}

#[tokio::test]
async fn a_packet_that_cannot_be_read_is_not_delivered_for_ever() {
    let Some(broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    broker.publish("jobs/a/events", &vec![b'x'; 2_000_000], &[]);
    let state = client.until(|state| matches!(state, ConnectionState::Discarded { .. })).await;
    assert!(matches!(state, ConnectionState::Discarded { why } if why.contains("longer")));
    // The connection that is made then lasts.
    client.until(|state| *state == ConnectionState::Connected { session_present: false }).await;
    client.subscribed().await;
    broker.publish("jobs/a/events", b"next", &[]);
    assert_eq!(client.text().await, "next");
}

#[tokio::test]
async fn a_burst_that_nobody_takes_waits_at_the_broker_and_none_of_it_is_lost() {
    let Some(broker) = broker::with("allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n", |_| {}) else {
        return;
    };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    let lines: String = (0..5000).map(|n| format!("{n}\n")).collect();
    let mut child = std::process::Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &broker.port.to_string(), "-q", "1", "-t", "jobs/a/events", "-l"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(client.inbox.messages.len() <= 256);
    for n in 0..5000 {
        assert_eq!(client.text().await, n.to_string());
    }
}

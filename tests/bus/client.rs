//! Letting in, subscribing, delivering.

use std::process::Command;

use headcount::bus::ConnectionState;

use crate::broker::{self, Client};

#[tokio::test]
async fn a_message_comes_as_it_was_sent_and_whole() {
    let Some(broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    assert_eq!(client.until(|_| true).await, ConnectionState::Connected { session_present: false });
    client.subscribed().await;
    broker.publish("jobs/a/events", b"one\0\xff", &[]);
    let message = client.message().await;
    assert_eq!((message.topic.as_str(), message.retained), ("jobs/a/events", false));
    assert_eq!(message.payload, headcount::bus::Payload::Whole(b"one\0\xff".to_vec()));
    client.stop().await;
}

#[tokio::test]
async fn what_came_while_the_client_was_away_is_delivered_once_when_it_is_back() {
    let Some(broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    client.stop().await;
    for n in 0..5 {
        broker.publish("jobs/a/events", n.to_string().as_bytes(), &[]);
    }
    let mut client = Client::start(broker.options(&[]));
    assert_eq!(client.until(|_| true).await, ConnectionState::Connected { session_present: true });
    for n in 0..5 {
        assert_eq!(client.text().await, n.to_string());
    }
    client.stop().await;
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    broker.publish("jobs/a/events", b"next", &[]);
    assert_eq!(client.text().await, "next", "what was acknowledged came again");
}

#[tokio::test]
async fn what_was_not_acknowledged_is_delivered_again() {
    let Some(broker) = broker::open() else { return };
    let mut client = Client::start(broker.options(&[]));
    client.subscribed().await;
    broker.publish("jobs/a/events", b"made durable", &[]);
    broker.publish("jobs/a/events", b"lost by a crash", &[]);
    assert_eq!(client.text().await, "made durable");
    client.unacknowledged().await;
    client.stop().await;
    let mut client = Client::start(broker.options(&[]));
    assert_eq!(client.text().await, "lost by a crash");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_said_and_the_right_one_is_let_in() {
    let Some(broker) = broker::with("allow_anonymous false\npassword_file DIR/passwords\n", |dir| password(dir, "me", "right"))
    else {
        return;
    };
    let expected = ConnectionState::Refused { why: "the broker refuses this client: not authorized".to_owned() };
    for variables in [&[("MQTT_USERNAME", "me"), ("MQTT_PASSWORD", "wrong")][..], &[]] {
        let mut client = Client::start(broker.options(variables));
        assert_eq!(client.until(|_| true).await, expected, "{variables:?}");
    }
    let mut client = Client::start(broker.options(&[("MQTT_USERNAME", "me"), ("MQTT_PASSWORD", "right")]));
    client.subscribed().await;
}

#[tokio::test]
async fn a_password_file_is_read_at_each_attempt_so_a_repaired_one_is_used() {
    let Some(broker) = broker::with("allow_anonymous false\npassword_file DIR/passwords\n", |dir| password(dir, "me", "right"))
    else {
        return;
    };
    let file = broker.dir.path().join("mine");
    let mut options = broker.options(&[("MQTT_USERNAME", "me")]);
    options.broker.password = headcount::core::mqtt::Password::InFile(file.clone());
    let mut client = Client::start(options);
    assert!(matches!(client.until(|_| true).await, ConnectionState::Unusable { why } if why.contains("password file")));
    std::fs::write(&file, "right\n").unwrap();
    client.subscribed().await;
}

#[tokio::test]
async fn what_an_acl_denies_does_not_come_and_what_it_allows_does() {
    let acl = |dir: &std::path::Path| std::fs::write(dir.join("acl"), "topic write jobs/#\ntopic read jobs/mine/#\n").unwrap();
    let Some(broker) = broker::with("allow_anonymous true\nacl_file DIR/acl\n", acl) else { return };
    let mut client = Client::start(broker.options(&[]));
    // mosquitto 2.0 grants every subscription and then does not deliver what may not be read.
    client.subscribed().await;
    broker.publish("jobs/other/events", b"denied", &[]);
    broker.publish("jobs/mine/events", b"allowed", &[]);
    assert_eq!(client.text().await, "allowed");
}

#[tokio::test]
async fn a_broker_that_denies_the_subscription_is_said_to() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut bytes = [0; 512];
        let _ = stream.read(&mut bytes).unwrap();
        stream.write_all(b"\x20\x02\x00\x00").unwrap();
        // SUBSCRIBE: the packet's number follows its kind and length.
        let _ = stream.read(&mut bytes).unwrap();
        stream.write_all(&[0x90, 3, bytes[2], bytes[3], 0x80]).unwrap();
        let _ = stream.read(&mut bytes);
    });
    let variable = |name: &str| match name {
        "MQTT_BROKER" => Some("127.0.0.1".to_owned()),
        "MQTT_PORT" => Some(port.to_string()),
        _ => None,
    };
    let address = headcount::core::mqtt::Broker::resolve(&headcount::core::mqtt::Section::default(), variable);
    let mut options = headcount::bus::BusOptions::new(address.unwrap().unwrap(), "c".to_owned());
    options.subscribe = vec!["jobs/+/events".to_owned()];
    let mut client = Client::start(options);
    let state = client.until(|state| !matches!(state, ConnectionState::Connected { .. })).await;
    assert_eq!(state, ConnectionState::SubscribeFailed { why: "the broker denies access to jobs/+/events".to_owned() });
}

/// Puts a password file into a directory.
fn password(dir: &std::path::Path, user: &str, password: &str) {
    let made = Command::new("mosquitto_passwd").args(["-c", "-b"]).arg(dir.join("passwords")).args([user, password]).output();
    assert!(made.unwrap().status.success());
}

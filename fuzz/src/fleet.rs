//! What hosts publish: the view holds no more than it may, a host is only spoken of by its own topic, and what other hosts say in
//! between changes nothing.

use std::collections::BTreeSet;

use headcount::core::fleet::fold::{Bounds, FleetMessage, Fold};
use headcount::core::fleet::{HOST_SCHEMA, SESSION_SCHEMA};
use headcount::core::mqtt::encode_level;
use serde_json::{Value, json};

use super::desk::when;
use super::{choice, pieces};

/// A message of an input: a byte of flags, the topic to the line break, the payload.
struct Message<'a> {
    topic: &'a str,
    payload: Option<&'a [u8]>,
    retained: bool,
}

impl<'a> Message<'a> {
    fn read(piece: &'a [u8]) -> Option<Self> {
        let (how, rest) = choice(piece);
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let topic = std::str::from_utf8(&rest[..end]).ok()?;
        Some(Self { topic, payload: (how & 4 == 0).then(|| &rest[end + 1..]), retained: how & 1 != 0 })
    }

    fn host(&self) -> Option<&'a str> {
        self.topic.strip_prefix("headcount/")?.split('/').next()
    }
}

pub fn run(data: &[u8]) {
    let messages: Vec<Message<'_>> = pieces(data).take(64).filter_map(Message::read).collect();
    let whole = view(&messages, Bounds::default(), false);
    let levels: BTreeSet<&str> = messages.iter().filter_map(Message::host).collect();
    for host in whole["hosts"].as_array().unwrap() {
        let name = host["host"].as_str().unwrap();
        assert!(levels.contains(encode_level(name).as_str()) || levels.contains(name), "nobody spoke for {name:?}");
    }
    // Host by host, as if each had a broker of its own.
    let apart: Vec<&Message<'_>> = levels.iter().flat_map(|level| of(&messages, level)).collect();
    assert_eq!(shown(&view(apart.iter().copied(), Bounds::default(), false)), shown(&whole), "in another order");
    let bounds = Bounds { hosts: 2, sessions: 3, bytes: 600 };
    let small = view(&messages, bounds, true);
    assert!(small["counts"]["hosts"].as_u64() <= Some(2), "{small}");
    assert!(small["counts"]["sessions"].as_u64() <= Some(3), "{small}");
}

fn of<'m, 'a>(messages: &'m [Message<'a>], level: &str) -> impl Iterator<Item = &'m Message<'a>> {
    messages.iter().filter(move |message| message.host() == Some(level))
}

pub fn seeds() -> Vec<Vec<u8>> {
    let host = |host: &str, boot: &str, seq: u64, online: bool| {
        json!({ "schema": HOST_SCHEMA, "host": host, "online": online, "boot_id": boot, "seq": seq, "version": "1",
            "since": "2026-11-21T10:00:00Z", "manifest": "/m", "interval": 30.0,
            "counts": { "declared": 1, "running": 1, "drifts": 0, "unknown": 0 } })
    };
    let session = |host: &str, name: &str| {
        json!({ "schema": SESSION_SCHEMA, "manifest": "/m", "agent": "claude", "declared": "running", "observed": "alive",
            "session": { "name": name, "mux": "tmux", "server": "default", "host": host }, "drifts": [] })
    };
    let at =
        |flags: u8, topic: &str, payload: &Value| [&[flags], topic.as_bytes(), b"\n", payload.to_string().as_bytes()].concat();
    let told = [
        at(1, "headcount/a/state", &host("a", "b1", 7, true)),
        at(1, "headcount/a/session/tmux:default:x", &session("a", "x")),
        at(0, "headcount/b/state", &host("b", "b2", 1, true)),
        at(0, "headcount/a/state", &host("a", "b1", 7, false)),
        at(0, "headcount/b/session/tmux:default:x", &session("b", "x")),
        b"\x00headcount/b/session/tmux:default:x\n".to_vec(),
        b"\x00headcount/a/state\n".to_vec(),
    ];
    let all = |count: usize| told[..count].join(&super::CUT);
    vec![all(2), all(4), all(5), all(6), all(7), at(4, "headcount/a/state", &Value::Null)]
}

fn view<'m, 'a: 'm>(messages: impl IntoIterator<Item = &'m Message<'a>>, bounds: Bounds, settles: bool) -> Value {
    let mut fold = Fold::new(bounds);
    for Message { topic, payload, retained } in messages {
        fold.hear(FleetMessage { topic, payload: *payload, retained: *retained, at: when() });
    }
    if settles {
        fold.settled();
    }
    serde_json::to_value(fold.report("broker", &[], Vec::new(), when())).unwrap()
}

/// The view without the count of what was of no use, which topics of nobody add to.
fn shown(view: &Value) -> Value {
    let mut view = view.clone();
    view["counts"].as_object_mut().unwrap().remove("rejected");
    view
}

//! What zellij's servers answer: a session is only alive if its server says so, a frame that is cut is waited for, and the list of
//! panes adds nothing that does not stand in it.

use std::ffi::OsString;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use headcount::core::fact::Fact;
use headcount::core::ids::MuxKind;
use headcount::core::observe::Pane;
use headcount::host::{Environ, ProcessInfo};
use headcount::mux;
use serde_json::Value;

use super::desk::{Desk, process};
use super::{CUT, choice, joined};

/// A socket directory with one socket, which nobody has to answer.
struct Place {
    dir: tempfile::TempDir,
    socket: PathBuf,
    _listener: UnixListener,
}

thread_local! {
    static PLACE: Place = Place::new();
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("hz").tempdir().unwrap();
        let below = dir.path().join("contract_version_1");
        std::fs::create_dir(&below).unwrap();
        let socket = below.join("lane");
        let listener = UnixListener::bind(&socket).unwrap();
        Self { dir, socket, _listener: listener }
    }
}

const CONNECTED: &[u8] = b"\x02\0\0\0\x22\0";
const LISTING: &str = r#"[{"id":0,"is_plugin":true,"title":"bar","exited":false,"exit_status":null,"is_held":false},
{"id":0,"is_plugin":false,"title":"a [c] (EXITED)","pane_command":null,"exited":false,"exit_status":null,"is_held":false},
{"id":4,"is_plugin":false,"exited":true,"exit_status":3,"is_held":true},{"id":5,"is_plugin":false,"exited":false,"exit_status":null,"is_held":false}]"#;

pub fn run(data: &[u8]) {
    let (how, rest) = choice(data);
    let cut = rest.iter().position(|byte| *byte == CUT);
    let (greeting, listing) = cut.map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + 1..]));
    let greeting = if how & 1 == 0 { greeting } else { CONNECTED };
    let is_framed = how & 2 != 0;
    let listing = if is_framed { log(listing) } else { listing.to_vec() };
    PLACE.with(|place| look(place, greeting, &listing, is_framed));
}

pub fn seeds() -> Vec<Vec<u8>> {
    let framed = log(LISTING.as_bytes());
    let unblocked = [&b"\x02\0\0\0\x12\0"[..], CONNECTED].concat();
    vec![
        joined(&[&[&[0], CONNECTED].concat(), &framed]),
        joined(&[&[&[0], &unblocked[..]].concat(), &framed[..20]]),
        joined(&[&[3], LISTING.as_bytes()]),
        joined(&[&[3], b"[]"]),
        joined(&[&[3], b"No active session"]),
    ]
}

/// The frame of a `Log` with one line.
fn log(line: &[u8]) -> Vec<u8> {
    let field = |tag: u8, text: &[u8]| {
        let (mut bytes, mut length) = (vec![tag], text.len());
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend(text);
        bytes
    };
    let message = field(0x2a, &field(0x0a, line));
    let mut frame = u32::try_from(message.len()).unwrap().to_le_bytes().to_vec();
    frame.extend(message);
    frame
}

fn look(place: &Place, greeting: &[u8], listing: &[u8], is_framed: bool) {
    let words = [OsString::from("ZELLIJ_SOCKET_DIR"), OsString::from(place.dir.path())];
    let [name, value] = words;
    let env: Environ = [(name, value)].into_iter().collect();
    let socket = place.socket.to_str().unwrap();
    let server = ProcessInfo { has_terminal: false, ..process(50, &["zellij", "--server", socket]) };
    let pane = ProcessInfo { parent: 50, ..process(51, &["bash"]) };
    let mut desk = Desk { listening: vec![place.socket.clone()], ..Desk::default() };
    desk.answers = vec![(b"\x02\0\0\0\x6a", greeting.to_vec()), (b"\x0d\0\0\0\x4a", listing.to_vec())];
    desk.environs.insert(51, [(OsString::from("ZELLIJ_PANE_ID"), OsString::from("0"))].into_iter().collect());
    desk.processes = [(50, server), (51, pane)].into();

    let zellij = mux::of(MuxKind::Zellij);
    let seen = zellij.list(&desk, &env, "default");
    let session = seen.seen().map(|server| server.sessions.as_slice());
    let Some([session]) = session else { panic!("somebody listens, and it is said: {seen:?}") };
    assert_eq!(session.name, "lane");
    let is_alive = session.process.is_some();
    let says_so = greeting.windows(CONNECTED.len()).any(|part| part == CONNECTED);
    assert!(!is_alive || says_so, "alive by {greeting:?}");
    if !is_alive {
        assert!(session.panes.iter().all(|pane| pane.agents.why_unknown().is_some()), "{session:?}");
        return;
    }
    let others = zellij.other_panes(&desk, &env, "default", session);
    for pane in &others {
        assert_eq!(pane.pid, None, "a list knows no process: {pane:?}");
        assert_eq!(pane.dead.is_some(), pane.agents == Fact::Seen(Vec::new()), "{pane:?}");
        assert!(pane.dead.is_some() || pane.agents.why_unknown().is_some(), "{pane:?}");
    }
    if is_framed {
        expect(&others, &listing[listing.iter().position(|byte| *byte == b'[').unwrap_or(listing.len())..]);
    }
}

/// The list read by other means: which of its panes are kept after their process ended.
fn expect(others: &[Pane], json: &[u8]) {
    let dead: Vec<&str> = others.iter().filter(|pane| pane.dead.is_some()).map(|pane| pane.id.as_str()).collect();
    let Ok(Value::Array(listed)) = serde_json::from_slice::<Value>(json) else { return };
    let is_refused = matches!(others, [only] if only.agents.why_unknown().is_some_and(|why| why.contains("cannot parse")));
    if is_refused || !listed.iter().all(Value::is_object) {
        return;
    }
    let is = |pane: &Value, what: &str| pane[what].as_bool().unwrap();
    let kept = listed.iter().filter(|pane| !is(pane, "is_plugin") && (is(pane, "exited") || is(pane, "is_held")));
    let ids: Vec<String> =
        kept.map(|pane| pane["id"].as_u64().unwrap()).filter(|id| *id != 0).map(|id| format!("terminal_{id}")).collect();
    assert_eq!(dead, ids, "{}", String::from_utf8_lossy(json));
}

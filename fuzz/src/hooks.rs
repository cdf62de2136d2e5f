//! Hook events: the conversation named stands in the file, events of other processes and torn lines say nothing, and an event told
//! twice is told once.

use headcount::core::hooks::HookKind;
use headcount::core::text::stamp;
use headcount::store::hooks::{Binding, newest_binding};
use headcount::store::paths::StateHome;

use super::desk::when;

const PID: u32 = 41;
const TICKS: u64 = 42;

thread_local! {
    static HOME: tempfile::TempDir = tempfile::Builder::new().prefix("headcount-fuzz-").tempdir().unwrap();
}

pub fn run(data: &[u8]) {
    let Ok(found) = read(data) else { return };
    if let Some(binding) = &found {
        let text = String::from_utf8_lossy(data);
        assert!(data.contains(&b'\\') || text.contains(binding.session_id.as_str()), "{binding:?} stands nowhere");
        assert_ne!(binding.event, HookKind::SessionEnd);
    }
    // More than the end that is read would push what is there out of it.
    if data.len() > 20_000 {
        return;
    }
    let foreign = line(PID, TICKS + 1, "SessionStart") + &line(PID + 1, TICKS, "SessionStart");
    for more in [data, foreign.as_bytes(), b"{\"at\":", b"\0\xff"] {
        assert_eq!(read(&[data, b"\n", more].concat()).unwrap(), found, "{}", String::from_utf8_lossy(more));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let (start, end) = (line(PID, TICKS, "SessionStart"), line(PID, TICKS, "SessionEnd"));
    [start.clone(), start.clone() + &end, end + &start, start.clone() + &start[..20], line(PID, 7, "SessionStart")]
        .map(String::into_bytes)
        .to_vec()
}

fn line(pid: u32, ticks: u64, event: &str) -> String {
    let at = stamp(when());
    let place = format!("\"pid\":{pid},\"start_ticks\":{ticks},\"event\":{event:?}");
    format!("{{\"at\":{at:?},\"agent\":\"claude\",{place},\"session_id\":\"abc-{event}\",\"cwd\":\"/w\"}}\n")
}

fn read(text: &[u8]) -> Result<Option<Binding>, headcount::store::hooks::HookError> {
    HOME.with(|dir| {
        let home = StateHome::at(dir.path());
        std::fs::create_dir_all(home.hooks()).unwrap();
        std::fs::write(home.hooks().join(format!("{PID}.jsonl")), text).unwrap();
        newest_binding(&home, PID, TICKS)
    })
}

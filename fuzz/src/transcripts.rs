//! What agents leave on disk, one file of a real home replaced by any bytes: no id is made up, two looks see the same, and nothing
//! is touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use headcount::agent::live_process::WrapperChain;
use headcount::agent::{self, Agents, LiveConversation, LiveProcess, TranscriptIndex, TurnQuery};
use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::lead::turns::{TranscriptPosition, TurnEnd, TurnReply, answer_to};
use headcount::core::observe::Transcript;
use headcount::core::observe::identity::{RungReading, RungValue};
use headcount::host::ProcessInfo;

use super::desk::{Desk, process, when};
use super::{choice, data, files};

/// An agent, its home and workspace among the recorded files, and the process that left them.
const AGENTS: [(AgentKind, &str, &str, &str, u32); 7] = [
    (AgentKind::Claude, "claude", ".claude", "/home/dev/lab/billing-api", 28207),
    (AgentKind::Codex, "codex", ".codex", "/home/dev/lab/checkout.v2", 70),
    (AgentKind::Antigravity, "antigravity", ".gemini/antigravity-cli", "/home/dev/lab/checkout.v2", 70),
    (AgentKind::Pi, "pi", ".pi/agent", "/home/dev/lab/landing_page", 70),
    (AgentKind::Opencode, "opencode", ".local/share/opencode", "/home/dev/lab/landing_page", 70),
    (AgentKind::Gemini, "gemini", ".gemini", "/home/dev/lab/landing_page", 70),
    (AgentKind::Copilot, "copilot", ".copilot", "/home/dev/lab/landing_page", 10288),
];

/// The homes, copied once; what an input replaces is put back.
struct Homes {
    dir: tempfile::TempDir,
    files: BTreeMap<&'static str, Vec<(PathBuf, Vec<u8>)>>,
}

thread_local! {
    static HOMES: Homes = Homes::new();
}

impl Homes {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("headcount-fuzz-").tempdir().unwrap();
        let copy = |recorded: &'static str| {
            let from = data("transcripts").join(recorded);
            let copy = |path: PathBuf| {
                let to = dir.path().join(recorded).join(path.strip_prefix(&from).unwrap());
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                let bytes = std::fs::read(&path).unwrap();
                std::fs::write(&to, &bytes).unwrap();
                (to, bytes)
            };
            (recorded, files(&from).into_iter().map(copy).collect())
        };
        let files = AGENTS.iter().map(|(_, recorded, ..)| copy(recorded)).collect();
        Self { dir, files }
    }
}

pub fn run(input: &[u8]) {
    let (which, rest) = choice(input);
    let (place, rest) = choice(rest);
    let (how, content) = choice(rest);
    let subject = AGENTS[usize::from(which) % AGENTS.len()];
    HOMES.with(|homes| {
        let files = &homes.files[subject.1];
        let (path, whole) = &files[usize::from(place) % files.len()];
        std::fs::write(path, content).unwrap();
        look(homes, subject, path, content, how);
        std::fs::write(path, whole).unwrap();
    });
}

/// Each file by itself and all of its flags at once.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (which, (_, recorded, ..)) in AGENTS.iter().enumerate() {
        for (place, path) in files(&data("transcripts").join(recorded)).iter().enumerate() {
            let choices = [u8::try_from(which).unwrap(), u8::try_from(place).unwrap(), 3];
            seeds.push([&choices, std::fs::read(path).unwrap().as_slice()].concat());
        }
    }
    seeds
}

/// What is read of turns: twice the same, only the last one goes on, and every prompt is found where it stands.
fn turns(agent: &dyn agent::Adapter, transcript: &Transcript, id: &ConversationId) {
    let query = TurnQuery { last: 2, after: None, now: when() };
    let fact = agent.turns(transcript, id, &query);
    assert_eq!(fact, agent.turns(transcript, id, &query), "two looks at the same turns");
    let Fact::Seen(page) = fact else { return };
    let earlier = page.turns.split_last().map_or(&[][..], |(_, earlier)| earlier);
    assert!(earlier.iter().all(|turn| turn.end != TurnEnd::Open), "an earlier turn goes on: {page:#?}");
    for line in page.turns.iter().chain(&page.aside).flat_map(|turn| &turn.lines) {
        let since = TranscriptPosition { end: line.place, ..page.position };
        let is_found = !matches!(answer_to(&page, &line.text, Some(&since)), TurnReply::Missing);
        assert!(is_found || line.text.trim().is_empty(), "{line:?} is not found in {page:#?}");
    }
}

fn look(homes: &Homes, subject: (AgentKind, &'static str, &str, &str, u32), replaced: &Path, content: &[u8], how: u8) {
    let (kind, recorded, home, cwd, pid) = subject;
    let root = homes.dir.path().join(recorded);
    let home = root.join(home);
    let agent = agent::of(kind).unwrap();
    let live = ProcessInfo { start_ticks: Some(367_874), ..process(pid, &[agent.names().programs.iter().next().unwrap()]) };
    let mut desk = Desk { cwd: PathBuf::from(cwd), ..Desk::default() };
    desk.processes.insert(pid, live.clone());
    if how & 1 != 0 {
        desk.open.push(replaced.to_path_buf());
    }
    let (agents, children, place) = (Agents::default(), |_| Vec::new(), Fact::Seen(PathBuf::from(cwd)));
    let read = || {
        let subject =
            LiveProcess::new(WrapperChain::new(&desk, (agent, &agents), &live, &children), (&place, &home), how & 2 != 0);
        let mut readings = agent.ladder(&subject);
        readings.extend(agent.quick_identity(&live, &home));
        readings
    };
    let readings = read();
    assert_eq!(readings, read(), "two looks at the same files");
    let mut ids = ids(&readings);
    for id in &ids {
        assert!(stands(homes, recorded, replaced, content, id), "{kind} {readings:#?} speaks of {id}, which is nowhere");
    }
    ids.push(ConversationId("11111111-2222-4333-8444-555555555555".to_owned()));
    for id in &ids {
        let transcript = agent.transcript(&TranscriptIndex::new(), &home, id, &[Path::new(cwd)]);
        assert_eq!(transcript, agent.transcript(&TranscriptIndex::new(), &home, id, &[Path::new(cwd)]), "{id}");
        if let Fact::Seen(found) = &transcript {
            assert!(found.path.starts_with(&home), "{found:?} is out of {}", home.display());
        }
        let found = transcript.seen();
        let scene = LiveConversation { host: &desk, process: &live, home: &home, id, transcript: found };
        assert_eq!(agent.activity(&scene), agent.activity(&scene), "{id}");
        agent.waiting_for(&scene);
        found.map(|found| agent.is_latest(found, id, Path::new(cwd)));
        if let Some(found) = found {
            turns(agent, found, id);
        }
    }
    let any = Transcript { path: replaced.to_path_buf(), modified: when(), is_archived: false };
    turns(agent, &any, &ids[0]);
    let is_as_it_was = |(path, whole): &(PathBuf, Vec<u8>)| {
        std::fs::read(path).unwrap() == if path == replaced { content } else { whole.as_slice() }
    };
    let left = &homes.files[recorded];
    assert!(left.iter().all(is_as_it_was), "a file was changed");
    assert_eq!(files(&root).len(), left.len(), "a file was made");
}

/// Every conversation the ladder speaks of.
fn ids(readings: &[RungReading]) -> Vec<ConversationId> {
    let of = |reading: &RungReading| match reading.fact.seen() {
        Some(RungValue::Id(id) | RungValue::Mapped { id, .. }) => vec![id.clone()],
        Some(RungValue::Appeared(appeared)) => appeared.iter().map(|it| it.id.clone()).collect(),
        None => Vec::new(),
    };
    let mut ids: Vec<ConversationId> = readings.iter().flat_map(of).collect();
    ids.sort();
    ids.dedup();
    ids.truncate(8);
    ids
}

/// Whether an id stands in a file of the home, or in the name of one. What JSON escapes may stand there in other letters.
fn stands(homes: &Homes, recorded: &str, replaced: &Path, content: &[u8], id: &ConversationId) -> bool {
    let holds = |text: &[u8]| text.windows(id.as_str().len().max(1)).any(|part| part == id.as_str().as_bytes());
    let mut files = homes.files[recorded].iter().filter(|(path, _)| path != replaced);
    holds(content)
        || content.contains(&b'\\')
        || holds(replaced.as_os_str().as_encoded_bytes())
        || files.any(|(path, text)| holds(text) || holds(path.as_os_str().as_encoded_bytes()))
}

//! The recordings, and how one is read.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use headcount::agent::{self, TurnQuery};
use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::lead::turns::TurnPage;
use headcount::core::observe::Transcript;

/// What an agent wrote.
pub(crate) struct Recording {
    pub(crate) kind: AgentKind,
    pub(crate) path: PathBuf,
}

impl Recording {
    pub(crate) fn is_database(&self) -> bool {
        self.path.extension().is_some_and(|it| it == "db")
    }

    /// What is read of it.
    pub(crate) fn page(&self, last: usize) -> TurnPage {
        let query = TurnQuery { last, after: None, now: DateTime::UNIX_EPOCH };
        let page = read(self.kind, &self.path, &query).into_seen().unwrap();
        // Which file it is differs from one checkout to the next.
        TurnPage { position: headcount::core::lead::turns::TranscriptPosition { file: 0, ..page.position }, ..page }
    }
}

pub(crate) fn read(kind: AgentKind, path: &Path, query: &TurnQuery<'_>) -> Fact<TurnPage> {
    let transcript = Transcript { path: path.to_path_buf(), modified: DateTime::UNIX_EPOCH, is_archived: false };
    agent::of(kind).unwrap().turns(&transcript, &ConversationId("x".to_owned()), query)
}

/// Every recording there is.
pub(crate) fn recordings() -> Vec<Recording> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/turns");
    let mut found = Vec::new();
    for kind in AgentKind::ALL {
        for entry in std::fs::read_dir(root.join(kind.as_str())).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "jsonl") {
                found.push(Recording { kind, path });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty());
    found
}

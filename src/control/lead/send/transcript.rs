//! Whether a transcript holds a text that was said after a moment. Of a file of lines only what was appended since is read; of a
//! database the newest turns.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::addressee::Found;
use crate::agent::{Adapter, TurnQuery};
use crate::core::ids::ConversationId;
use crate::core::lead::send::SaidAs;
use crate::core::lead::turns::{PromptLine, TranscriptPosition};
use crate::core::observe::Transcript;

/// How much is read at most; a turn that says more has long begun.
const MOST: u64 = 64 << 20;

/// A transcript that is searched for a text.
#[derive(Debug)]
pub(super) enum SearchedTranscript {
    /// Lines of a file.
    Lines(TranscriptTail),
    /// Turns of a conversation in a database.
    Turns {
        /// Where they are.
        place: Transcript,
        /// The conversation.
        id: ConversationId,
        /// Only what was said after this counts.
        from: TranscriptPosition,
        /// When it was looked at last.
        looked: Option<Instant>,
    },
}

/// How often a database is looked at.
const LOOK_AT_TURNS: Duration = Duration::from_millis(60);

impl SearchedTranscript {
    /// What is said from that position on in what was found then; `None`: there is no transcript yet.
    pub(super) fn from(found: &Found, adapter: &dyn Adapter, from: TranscriptPosition) -> Option<Self> {
        let place = found.transcript.clone()?;
        Some(if adapter.shares_its_store() {
            Self::Turns { place, id: found.conversation.clone()?, from, looked: None }
        } else {
            Self::Lines(TranscriptTail { path: place.path, from: from.end, rest: Vec::new() })
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Lines(tail) => &tail.path,
            Self::Turns { place, .. } => &place.path,
        }
    }

    /// How what came since the last call holds a text.
    pub(super) fn said(&mut self, adapter: &dyn Adapter, now: DateTime<Utc>, is_it: impl Fn(&str) -> bool) -> Option<SaidAs> {
        let (place, id, from, looked) = match self {
            Self::Lines(tail) => return tail.said(adapter, is_it),
            Self::Turns { place, id, from, looked } => (place, id, from, looked),
        };
        if looked.is_some_and(|looked| looked.elapsed() < LOOK_AT_TURNS) {
            return None;
        }
        *looked = Some(Instant::now());
        let page = adapter.turns(place, id, &TurnQuery { last: 4, after: Some(from), now }).into_seen()?;
        let is_it = |line: &&PromptLine| from.is_before(line, &page.position) && is_it(&line.text);
        let is_prompt = page.turns.iter().flat_map(|turn| &turn.lines).any(|line| is_it(&line));
        let is_queued = || page.queued.iter().any(|line| is_it(&line));
        is_prompt.then_some(SaidAs::Prompt).or_else(|| is_queued().then_some(SaidAs::Queued))
    }
}

/// A transcript from a place on.
#[derive(Debug)]
pub(super) struct TranscriptTail {
    path: PathBuf,
    from: u64,
    rest: Vec<u8>,
}

fn open(path: &Path) -> std::io::Result<File> {
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no regular file")) }
}

impl TranscriptTail {
    /// How the lines that were appended since the last call hold a text.
    fn said(&mut self, adapter: &dyn Adapter, is_it: impl Fn(&str) -> bool) -> Option<SaidAs> {
        let mut file = open(&self.path).ok()?;
        file.seek(SeekFrom::Start(self.from)).ok()?;
        let mut new = Vec::new();
        let read = file.take(MOST).read_to_end(&mut new).ok()?;
        self.from += read as u64;
        self.rest.extend(new);
        let end = self.rest.iter().rposition(|byte| *byte == b'\n')? + 1;
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let said = lines.filter_map(|line| adapter.said(line));
        let said: Vec<SaidAs> = said.filter(|said| is_it(&said.text)).map(|said| said.held_as).collect();
        said.iter().copied().find(|said| *said == SaidAs::Prompt).or_else(|| said.first().copied())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_whole_lines_that_were_appended_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let line = |text: &str| format!("{{\"type\":\"user\",\"message\":{{\"content\":\"{text}\"}}}}");
        std::fs::write(&path, line("old") + "\n").unwrap();
        let adapter = crate::agent::of(crate::core::ids::AgentKind::Claude).unwrap();
        let mut tail = TranscriptTail { path: path.clone(), from: path.metadata().unwrap().len(), rest: Vec::new() };
        assert_eq!(tail.said(adapter, |said| said == "old"), None, "it stood there before");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let text = line("new");
        file.write_all(&text.as_bytes()[..20]).unwrap();
        assert_eq!(tail.said(adapter, |said| said == "new"), None);
        file.write_all(&text.as_bytes()[20..]).unwrap();
        file.write_all(b"\nnonsense\n").unwrap();
        assert_eq!(tail.said(adapter, |said| said == "new"), Some(SaidAs::Prompt));
        assert_eq!(tail.said(adapter, |said| said == "new"), None);
        assert_eq!(
            TranscriptTail { path, from: 0, rest: Vec::new() }.said(adapter, |said| said == "old"),
            Some(SaidAs::Prompt)
        );
    }
}

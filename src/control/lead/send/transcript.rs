//! Whether a transcript holds a text that was said after a moment, and whether the service of the agent's model refused it. Of a file of
//! lines only what was appended since is read; of a database, and of a file that was written anew, the newest turns.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::addressee::Found;
use super::pause::GrowingPause;
use crate::agent::{Adapter, TurnQuery};
use crate::core::ids::ConversationId;
use crate::core::lead::send::SaidAs;
use crate::core::lead::turns::{PromptLine, TranscriptPosition, TurnError, TurnPage, TurnUptake, uptake};
use crate::core::observe::Transcript;

/// How much is read at most; a turn that says more has long begun.
const MOST: u64 = 64 << 20;
/// How long it is looked whether the service of its model refuses a text: always, and where it refused the one before it.
const ANSWERING: Duration = Duration::from_millis(500);
const REFUSING_AGAIN: Duration = Duration::from_secs(5);

/// A transcript that is searched for a text.
#[derive(Debug)]
pub(super) struct SearchedTranscript {
    place: Transcript,
    id: ConversationId,
    /// Only what was written after this counts.
    from: TranscriptPosition,
    /// Its lines, while it is the file that it was.
    tail: Option<TranscriptTail>,
    /// When its turns were looked at last.
    looked: Option<Instant>,
}

/// How often turns are looked at.
const LOOK_AT_TURNS: Duration = Duration::from_millis(60);

impl SearchedTranscript {
    /// What is said from that position on in what was found then; `None`: there is no transcript yet.
    pub(super) fn from(found: &Found, adapter: &dyn Adapter, from: TranscriptPosition) -> Option<Self> {
        let (place, id) = (found.transcript.clone()?, found.conversation.clone()?);
        let is_file = from.file != 0 && !adapter.shares_its_store();
        let tail = is_file.then(|| TranscriptTail { path: place.path.clone(), from, rest: Vec::new() });
        Some(Self { place, id, from, tail, looked: None })
    }

    /// The conversation.
    pub(super) fn id(&self) -> &ConversationId {
        &self.id
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.place.path
    }

    /// How what came since the last call holds a text.
    pub(super) fn said(&mut self, adapter: &dyn Adapter, now: DateTime<Utc>, is_it: impl Fn(&str) -> bool) -> Option<SaidAs> {
        if let Some(tail) = &mut self.tail {
            match tail.said(adapter, &is_it) {
                Ok(said) => return said,
                // Where a line stands in it says nothing of when it was written.
                Err(WrittenAnew) => self.tail = None,
            }
        }
        let page = self.page(adapter, now, 4)?;
        let is_it = |line: &&PromptLine| self.from.is_before(line, &page.position) && is_it(&line.text);
        let is_prompt = page.turns.iter().flat_map(|turn| &turn.lines).any(|line| is_it(&line));
        let is_queued = || page.queued.iter().any(|line| is_it(&line));
        is_prompt.then_some(SaidAs::Prompt).or_else(|| is_queued().then_some(SaidAs::Queued))
    }

    /// By what the service of its model refused a text that was said, if that is written soon.
    pub(super) fn refusal(
        &mut self,
        adapter: &dyn Adapter,
        now: impl Fn() -> DateTime<Utc>,
        is_it: impl Fn(&str) -> bool,
    ) -> Option<TurnError> {
        let (begun, mut patience, mut pause) = (Instant::now(), ANSWERING, GrowingPause::new());
        while begun.elapsed() < patience {
            let page = self.page(adapter, now(), 2);
            match page.as_ref().map(|page| uptake(page, &is_it, &self.from)) {
                Some(TurnUptake::Refused(error)) => return Some(error.clone()),
                Some(TurnUptake::Taken) => return None,
                Some(TurnUptake::Open { after_refusal: true }) => patience = REFUSING_AGAIN,
                Some(TurnUptake::Open { after_refusal: false }) | None => {}
            }
            pause.wait();
        }
        None
    }

    /// Its newest turns, if they were not just looked at.
    fn page(&mut self, adapter: &dyn Adapter, now: DateTime<Utc>, last: usize) -> Option<TurnPage> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_AT_TURNS) {
            return None;
        }
        self.looked = Some(Instant::now());
        adapter.turns(&self.place, &self.id, &TurnQuery { last, after: Some(&self.from), now }).into_seen()
    }
}

/// A transcript from a place on.
#[derive(Debug)]
struct TranscriptTail {
    path: PathBuf,
    from: TranscriptPosition,
    rest: Vec<u8>,
}

/// It is another file by now, or shorter than it was.
struct WrittenAnew;

fn open(path: &Path) -> std::io::Result<File> {
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no regular file")) }
}

impl TranscriptTail {
    /// How the lines that were appended since the last call hold a text.
    fn said(&mut self, adapter: &dyn Adapter, is_it: impl Fn(&str) -> bool) -> Result<Option<SaidAs>, WrittenAnew> {
        let Ok(mut file) = open(&self.path) else { return Ok(None) };
        let is_same = |metadata: std::fs::Metadata| metadata.ino() == self.from.file && metadata.len() >= self.from.end;
        if !file.metadata().is_ok_and(is_same) {
            return Err(WrittenAnew);
        }
        let mut new = Vec::new();
        let read = file.seek(SeekFrom::Start(self.from.end)).and_then(|_| file.take(MOST).read_to_end(&mut new));
        self.from.end += read.unwrap_or_default() as u64;
        self.rest.extend(new);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(None) };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let said = lines.filter_map(|line| adapter.said(line));
        let said: Vec<SaidAs> = said.filter(|said| is_it(&said.text)).map(|said| said.held_as).collect();
        Ok(said.iter().copied().find(|said| *said == SaidAs::Prompt).or_else(|| said.first().copied()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use super::*;

    fn line(text: &str) -> String {
        format!("{{\"type\":\"user\",\"message\":{{\"content\":\"{text}\"}}}}\n")
    }

    fn tail(path: &Path, end: u64) -> TranscriptTail {
        let from = TranscriptPosition { file: path.metadata().unwrap().ino(), end, at: DateTime::UNIX_EPOCH };
        TranscriptTail { path: path.to_owned(), from, rest: Vec::new() }
    }

    fn said(tail: &mut TranscriptTail, text: &str) -> Option<SaidAs> {
        let adapter = crate::agent::of(crate::core::ids::AgentKind::Claude).unwrap();
        tail.said(adapter, |said| said == text).unwrap_or_else(|WrittenAnew| panic!("it is another file"))
    }

    #[test]
    fn only_whole_lines_that_were_appended_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        std::fs::write(&path, line("old")).unwrap();
        let mut new = tail(&path, path.metadata().unwrap().len());
        assert_eq!(said(&mut new, "old"), None, "it stood there before");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let text = line("new");
        file.write_all(&text.as_bytes()[..20]).unwrap();
        assert_eq!(said(&mut new, "new"), None);
        file.write_all(&text.as_bytes()[20..]).unwrap();
        file.write_all(b"nonsense\n").unwrap();
        assert_eq!(said(&mut new, "new"), Some(SaidAs::Prompt));
        assert_eq!(said(&mut new, "new"), None);
        assert_eq!(said(&mut tail(&path, 0), "old"), Some(SaidAs::Prompt));
    }

    #[test]
    fn in_a_file_that_was_written_anew_no_place_says_what_is_new() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        std::fs::write(&path, line("old")).unwrap();
        let adapter = crate::agent::of(crate::core::ids::AgentKind::Claude).unwrap();
        let mut shorter = tail(&path, path.metadata().unwrap().len() + 1);
        assert!(shorter.said(adapter, |_| true).is_err());
        let mut other = tail(&path, 0);
        std::fs::write(dir.path().join("new"), line("old")).unwrap();
        std::fs::rename(dir.path().join("new"), &path).unwrap();
        assert!(other.said(adapter, |_| true).is_err());
    }
}

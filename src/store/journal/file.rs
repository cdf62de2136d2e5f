//! The lines of one journal file: all of them, or as many from its end as say what is still open. Never writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::TextHash;
use super::{EntryId, JournalEntry, Note};

/// How much of the end is read first; doubled until a decision is in it. Passes end with one, so the first is nearly always enough.
const FIRST_TAIL: u64 = 64 * 1024;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum JournalLine {
    /// These entries count.
    Committed { committed: Vec<EntryId> },
    /// These never will.
    Aborted { aborted: Vec<EntryId> },
    /// A change about which a later line decides.
    Entry(Box<JournalEntry>),
    /// Any other entry.
    Note(Box<Note>),
}

impl JournalLine {
    pub(super) fn committed(&self) -> &[EntryId] {
        match self {
            Self::Committed { committed } => committed,
            Self::Aborted { .. } | Self::Entry(_) | Self::Note(_) => &[],
        }
    }

    pub(super) fn decided(&self) -> &[EntryId] {
        match self {
            Self::Committed { committed: ids } | Self::Aborted { aborted: ids } => ids,
            Self::Entry(_) | Self::Note(_) => &[],
        }
    }
}

/// What the end of a file says.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The highest number given.
    pub(super) last: EntryId,
    /// Entries not decided, with the hash the manifest has if they happened.
    pub(super) open: Vec<(EntryId, TextHash)>,
}

/// Every line that can be read; `None` if there is no file.
pub(super) fn lines(path: &Path) -> io::Result<Option<Vec<JournalLine>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(parse(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The end of a file, back to the last decision before the open entries.
pub(super) fn tail(path: &Path) -> io::Result<Tail> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tail::default()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let mut span = FIRST_TAIL;
    loop {
        let start = length.saturating_sub(span);
        let mut bytes = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, start)?;
        let whole = if start == 0 { 0 } else { bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1) };
        let lines = parse(&bytes[whole..]);
        // Whoever writes entries first decides about all earlier ones, so nothing before a decision is open. The last entry may
        // have a higher number than the last decision.
        let (decisions, entries): (Vec<_>, Vec<_>) = lines.iter().partition(|line| !line.decided().is_empty());
        if start == 0 || (!decisions.is_empty() && !entries.is_empty()) {
            return Ok(summary(&lines));
        }
        span *= 2;
    }
}

fn summary(lines: &[JournalLine]) -> Tail {
    let mut tail = Tail { last: EntryId::ZERO, open: Vec::new() };
    for line in lines {
        match line {
            JournalLine::Entry(entry) => {
                tail.last = tail.last.max(entry.id);
                tail.open.push((entry.id, entry.after));
            }
            JournalLine::Note(note) => {
                tail.last = tail.last.max(note.id);
                tail.open.extend(note.after.map(|after| (note.id, after)));
            }
            decision => {
                for id in decision.decided() {
                    tail.last = tail.last.max(*id);
                    tail.open.retain(|(open, _)| open != id);
                }
            }
        }
    }
    tail
}

fn parse(bytes: &[u8]) -> Vec<JournalLine> {
    bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Whether the file does not end with a newline.
pub(super) fn ends_torn(file: &File, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != [b'\n'])
}

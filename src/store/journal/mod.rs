//! The journal of one manifest: what was recorded, and how to take it back. Append-only; never edits a line.
//!
//! Lines of JSON, one file per 5 MiB, five older ones kept. Every entry has a number, a kind, a time and a line about it. The
//! numbers are the order. A kind that this version does not know is kept, numbered and shown by these fields alone.
//!
//! An edit of the manifest is written *before* the manifest is replaced and counts only once a later line says
//! `{"committed": ["000123"]}`. If we are killed in between, the next [`Journal::begin`] compares the text with the entry's
//! `after` hash: equal, and the change did happen; else it is aborted. Edits and the line that decides about them are always in
//! the same file. Any other entry counts as it stands.
//!
//! A line cut short by a crash or a full disk is skipped by readers and closed by the next writer.

mod entry;
mod file;
mod removed;
mod renames;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs4::TryLockError;

use super::TextHash;
use super::paths::{ManifestDir, PathError};
use super::replace;
pub use entry::{EditRecord, EntryId, EntryRecord, JournalEntry, NewEntry, NewNote, NotAnEntryId, Note};
use file::{JournalLine, Tail};
pub use removed::RemovedEntry;
pub use renames::Renames;

/// A journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its directory.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A file of it.
    #[error("cannot {action} journal {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else kept its lock for too long.
    #[error("journal is locked: {} is held by another program, waited {:.1} s", lock.display(), waited.as_secs_f32())]
    Locked {
        /// The sidecar.
        lock: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// An entry cannot be put into JSON.
    #[error("cannot encode a journal entry")]
    Encode(#[source] serde_json::Error),
}

impl JournalError {
    /// Whether trying again later may help: somebody else was at it.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }
}

/// The journal of one manifest.
///
/// Writing needs the manifest's lock, which cannot be passed along because an entry is written while an update is under way;
/// a lock of its own keeps lines whole all the same.
#[derive(Debug, Clone)]
pub struct Journal {
    directory: ManifestDir,
    limit: u64,
    keep: usize,
    wait: Duration,
}

/// Entries written and not yet decided.
#[derive(Debug)]
#[must_use = "entries count only after `commit`"]
pub struct Intent {
    ids: Vec<EntryId>,
}

impl Intent {
    /// The numbers of the entries.
    pub fn ids(&self) -> &[EntryId] {
        &self.ids
    }
}

impl Journal {
    /// The journal in this directory.
    pub fn new(directory: &ManifestDir) -> Self {
        Self { directory: directory.clone(), limit: 5 << 20, keep: 5, wait: Duration::from_secs(10) }
    }

    /// The same, waiting as long as this for its lock.
    #[must_use]
    pub fn waiting(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// Writes entries, on disk, before the manifest's text `before` is replaced by `after`. Entries left open by somebody who
    /// was killed, or by an earlier plan of this update, are decided first: under the lock `before` is what the manifest holds.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing counts.
    pub fn begin(&self, entries: Vec<NewEntry>, before: TextHash, after: TextHash) -> Result<Intent, JournalError> {
        self.directory.create()?;
        let _guard = self.guard()?;
        let tail = self.tail()?;
        self.decide(&tail, before)?;
        self.rotate()?;
        let mut id = tail.last;
        let mut lines = Vec::new();
        let mut ids = Vec::with_capacity(entries.len());
        for new in entries {
            id = id.next();
            ids.push(id);
            lines.push(JournalLine::Entry(Box::new(JournalEntry::new(id, new, before, after))));
        }
        self.append(&lines)?;
        Ok(Intent { ids })
    }

    /// Notes something that is no edit, on disk.
    ///
    /// # Errors
    /// [`JournalError`]; then it is not noted.
    pub fn note(&self, notes: Vec<NewNote>) -> Result<(), JournalError> {
        if notes.is_empty() {
            return Ok(());
        }
        self.directory.create()?;
        let _guard = self.guard()?;
        let mut id = self.tail()?.last;
        let mut lines = Vec::with_capacity(notes.len());
        for new in notes {
            id = id.next();
            lines.push(JournalLine::Note(Box::new(Note::new(id, new))));
        }
        self.append(&lines)
    }

    /// Writes a note of a change that is no recorded drift, on disk, before the manifest's text `before` is replaced by `after`:
    /// like an entry it counts once it is committed.
    ///
    /// # Errors
    /// [`JournalError`]; then nothing counts.
    pub fn begin_note(&self, note: NewNote, before: TextHash, after: TextHash) -> Result<Intent, JournalError> {
        self.directory.create()?;
        let _guard = self.guard()?;
        let tail = self.tail()?;
        self.decide(&tail, before)?;
        self.rotate()?;
        let id = tail.last.next();
        self.append(&[JournalLine::Note(Box::new(Note { after: Some(after), ..Note::new(id, note) }))])?;
        Ok(Intent { ids: vec![id] })
    }

    /// The manifest was replaced: the entries count.
    ///
    /// # Errors
    /// [`JournalError`]; the next writer will find out.
    pub fn commit(&self, intent: Intent) -> Result<(), JournalError> {
        let _guard = self.guard()?;
        self.append(&[JournalLine::Committed { committed: intent.ids }])
    }

    /// The manifest was not replaced: the entries never count.
    ///
    /// # Errors
    /// [`JournalError`]; the next writer will find out.
    pub fn abort(&self, intent: Intent) -> Result<(), JournalError> {
        let _guard = self.guard()?;
        self.append(&[JournalLine::Aborted { aborted: intent.ids }])
    }

    /// The changes that count, newest first. Needs no lock and creates nothing.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        Ok(self.records()?.into_iter().filter_map(EntryRecord::into_edit).collect())
    }

    /// Every entry that counts, newest first: by number, whatever the clock said. Needs no lock and creates nothing.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn records(&self) -> Result<Vec<EntryRecord>, JournalError> {
        // By number, because a rotation while we read shows the same entries twice.
        let mut found = BTreeMap::new();
        for number in 0..=self.keep {
            let path = self.path(number);
            let Some(lines) = file::lines(&path).map_err(io_error("read", &path))? else { continue };
            let committed: BTreeSet<EntryId> = lines.iter().flat_map(|line| line.committed().iter().copied()).collect();
            found.extend(lines.into_iter().filter_map(|line| match line {
                JournalLine::Entry(entry) if committed.contains(&entry.id) => Some((entry.id, EntryRecord::Edit(*entry))),
                JournalLine::Note(note) if note.after.is_none() || committed.contains(&note.id) => {
                    Some((note.id, EntryRecord::Note(*note)))
                }
                _ => None,
            }));
        }
        Ok(found.into_values().rev().collect())
    }

    /// The current file (0) or an older one.
    fn path(&self, number: usize) -> PathBuf {
        match number {
            0 => self.directory.file("journal.jsonl"),
            number => self.directory.file(&format!("journal.{number}.jsonl")),
        }
    }

    /// A lock on a sidecar, because rotation renames the files. Others have it for a few writes; one that has it for longer is
    /// stopped, or on a disk that hangs, and must not stop us too.
    fn guard(&self) -> Result<File, JournalError> {
        let path = self.directory.file("journal.lock");
        let file = replace::append(&path).map_err(io_error("open lock of", &path))?;
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match fs4::FileExt::try_lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    let waited = started.elapsed();
                    let Some(left) = self.wait.checked_sub(waited).filter(|left| !left.is_zero()) else {
                        return Err(JournalError::Locked { lock: path, waited });
                    };
                    std::thread::sleep(pause.min(left));
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
            }
        }
    }

    fn tail(&self) -> Result<Tail, JournalError> {
        for number in 0..=self.keep {
            let path = self.path(number);
            let tail = file::tail(&path).map_err(io_error("read", &path))?;
            if tail.last != EntryId::ZERO {
                return Ok(tail);
            }
        }
        Ok(Tail::default())
    }

    /// Decides about entries a killed pass left open, by the hash of what the manifest holds now.
    fn decide(&self, tail: &Tail, current: TextHash) -> Result<(), JournalError> {
        let (committed, aborted): (Vec<_>, Vec<_>) = tail.open.iter().partition(|(_, after)| *after == current);
        let ids = |decided: Vec<(EntryId, TextHash)>| decided.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        let (committed, aborted) = (ids(committed), ids(aborted));
        let lines = [JournalLine::Committed { committed }, JournalLine::Aborted { aborted }];
        self.append(&lines.into_iter().filter(|line| !line.decided().is_empty()).collect::<Vec<_>>())
    }

    fn rotate(&self) -> Result<(), JournalError> {
        let current = self.path(0);
        match current.metadata() {
            Ok(metadata) if metadata.len() >= self.limit => {}
            _ => return Ok(()),
        }
        // The oldest is overwritten by the last but one; with nothing to keep the current file is.
        for number in (0..self.keep).rev() {
            let (from, to) = (self.path(number), self.path(number + 1));
            match std::fs::rename(&from, &to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("rotate", &from)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn append(&self, lines: &[JournalLine]) -> Result<(), JournalError> {
        if lines.is_empty() {
            return Ok(());
        }
        let path = self.path(0);
        let mut file = replace::append(&path).map_err(io_error("open", &path))?;
        let length = file.metadata().map_err(io_error("examine", &path))?.len();
        let mut text = Vec::new();
        if file::ends_torn(&file, length).map_err(io_error("read", &path))? {
            text.push(b'\n');
        }
        for line in lines {
            serde_json::to_writer(&mut text, line).map_err(JournalError::Encode)?;
            text.push(b'\n');
        }
        // A file that is new is only as safe as its name in the directory.
        let named = || if length == 0 { replace::sync(&path) } else { Ok(()) };
        let written = file.write_all(&text).and_then(|()| file.sync_data()).and_then(|()| named());
        written.map_err(|source| {
            // Half an entry would be skipped anyway; on a full disk the space is better given back.
            let _ = file.set_len(length);
            io_error("write", &path)(source)
        })
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source }
}

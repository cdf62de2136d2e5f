//! One update under the lock: read, plan, exchange, verify, again. Owns the order of the steps described in [`super`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::super::TextHash;
use super::look::{self, WhenOpen};
use super::swap::{ExpectedText, SwapNames, is_unsupported};
use super::{
    LockedManifest, ManifestError, Replace, Snapshot, TextChange, UpdateCause, UpdateError, UpdateOutcome, WriteStep, temp,
};

const OPEN_ELSEWHERE: &str = "another program has it open for writing";
const STILL_CHANGING: &str = "it keeps changing";
const SAVED_MEANWHILE: &str = "other programs keep saving it";

/// What became of one attempt.
enum Attempt {
    /// The new text is in place and on disk.
    Done,
    /// Somebody saved first; their version is in place.
    Moved,
}

impl LockedManifest {
    /// Has a change planned on the text and writes it; see [`ManifestFile::update`](super::ManifestFile::update).
    ///
    /// # Errors
    /// The plan's own; [`ManifestError::Busy`] if editors do not stand still for [`UpdateOptions::editor_wait`](super::UpdateOptions);
    /// refusals, [`ManifestError::NoSpace`] and others of the file system. In every case the manifest holds the newest version
    /// anyone saved.
    pub fn update<E>(
        &mut self,
        mut plan: impl FnMut(&Snapshot) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<UpdateOutcome, UpdateError<E>> {
        let change = self.attempts(&mut plan);
        let saved = self.saved().to_vec();
        match change {
            Ok(change) => Ok(UpdateOutcome { change, saved }),
            Err(cause) => Err(UpdateError { saved, cause }),
        }
    }

    fn attempts<E>(
        &mut self,
        plan: &mut impl FnMut(&Snapshot) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<TextChange, UpdateCause<E>> {
        let started = Instant::now();
        let deadline = started + self.options.editor_wait;
        loop {
            let snapshot = self.read_settled(started, deadline).map_err(UpdateCause::Manifest)?;
            self.options.steps.took(WriteStep::Read);
            let text = match plan(&snapshot).map_err(UpdateCause::Plan)? {
                Some(text) if text != snapshot.bytes => text,
                _ => return Ok(TextChange::Unchanged),
            };
            self.options.steps.took(WriteStep::Planned);
            temp::refuse(self.path(), &snapshot.stat).map_err(UpdateCause::Manifest)?;
            let new = TextHash::of(&text);
            match self.attempt(&snapshot, &text, new).map_err(UpdateCause::Manifest)? {
                Attempt::Done => return Ok(TextChange::Written { old: snapshot.hash, new }),
                Attempt::Moved if Instant::now() >= deadline => {
                    return Err(UpdateCause::Manifest(self.busy(SAVED_MEANWHILE, started.elapsed())));
                }
                Attempt::Moved => {}
            }
        }
    }

    fn read_settled(&self, started: Instant, deadline: Instant) -> Result<Snapshot, ManifestError> {
        let (snapshot, held) = look::settled(self.path(), &self.file.pace, deadline, WhenOpen::Never)?;
        if snapshot.settled {
            return Ok(snapshot);
        }
        Err(self.busy(if held { OPEN_ELSEWHERE } else { STILL_CHANGING }, started.elapsed()))
    }

    fn busy(&self, why: &'static str, waited: Duration) -> ManifestError {
        ManifestError::Busy { path: self.path().to_owned(), why, waited }
    }

    fn attempt(&mut self, snapshot: &Snapshot, text: &[u8], new: TextHash) -> Result<Attempt, ManifestError> {
        let names = SwapNames::new(snapshot.hash, new);
        let (steps, manifest) = (self.options.steps.clone(), self.path().to_owned());
        let written = self.beside.temp(&names, "tmp");
        let written_file = match temp::write(&written, &manifest, &snapshot.stat, text, &steps) {
            Ok(file) => file,
            // The manifest went away while its attributes were read: read again, which says so if it stays away.
            Err(ManifestError::Missing { .. }) => return Ok(Attempt::Moved),
            Err(error) => return Err(error),
        };
        if self.options.replace == Replace::Rename {
            return self.rename(&written, snapshot);
        }
        let swap = self.beside.temp(&names, "swap");
        if let Err(source) = std::fs::rename(&written, &swap) {
            let _ = std::fs::remove_file(&written);
            return Err(ManifestError::beside("rename", &written, &manifest, source));
        }
        steps.took(WriteStep::Ready);
        let (_pinned, stat) = written_file;
        match self.beside.exchange(&swap) {
            Ok(()) => steps.took(WriteStep::Exchanged),
            Err(errno) if is_unsupported(errno) => return self.rename(&swap, snapshot),
            Err(errno) => {
                self.beside.unlink(&swap)?;
                return match errno {
                    // An editor has moved the manifest away and is about to create it anew, or it was removed.
                    Errno::NOENT => Ok(Attempt::Moved),
                    errno => Err(ManifestError::beside("exchange", &swap, &manifest, errno)),
                };
            }
        }
        let ours = ExpectedText::Ours { inode: Some((stat.device, stat.inode)), hash: new.short(32) };
        self.judge(&swap, snapshot, &names, ours)
    }

    /// What came out of the first exchange: the text the plan was made on, or somebody's newer version?
    fn judge(
        &mut self,
        swap: &Path,
        snapshot: &Snapshot,
        names: &SwapNames,
        ours: ExpectedText,
    ) -> Result<Attempt, ManifestError> {
        let out = look::look(swap);
        self.options.steps.took(WriteStep::Judged);
        if let Ok(out) = &out
            && out.is_quiet()
            && out.hash == snapshot.hash
            && out.stat.same_attributes(&snapshot.stat)
        {
            let synced = self.beside.sync();
            // Asked last of all: an editor that was on its way into the file has announced itself by now.
            if out.guard.holds() {
                self.beside.unlink(swap)?;
                return synced.map(|()| Attempt::Done);
            }
        }
        drop(out);
        self.beside.put_back(swap, names, ours)?;
        Ok(Attempt::Moved)
    }

    /// Replacement where the file system cannot exchange: compared just before a plain rename.
    fn rename(&mut self, written: &PathBuf, snapshot: &Snapshot) -> Result<Attempt, ManifestError> {
        self.options.steps.took(WriteStep::Ready);
        let now = look::look(self.path());
        let same = matches!(&now, Ok(now) if now.is_quiet()
            && now.hash == snapshot.hash
            && now.stat.same_attributes(&snapshot.stat)
            && now.guard.holds());
        if !same {
            self.beside.unlink(written)?;
            return Ok(Attempt::Moved);
        }
        if let Err(source) = std::fs::rename(written, self.path()) {
            let _ = self.beside.unlink(written);
            return Err(ManifestError::beside("rename", written, self.path(), source));
        }
        drop(now);
        self.options.steps.took(WriteStep::Exchanged);
        self.beside.sync()?;
        Ok(Attempt::Done)
    }
}

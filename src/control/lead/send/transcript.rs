//! Whether a transcript holds a text that was said after a moment. Reads only what was appended since.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::agent::Adapter;
use crate::core::lead::send::SaidAs;

/// How much is read at most; a turn that says more has long begun.
const MOST: u64 = 64 << 20;

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
    /// What is appended from now on; all of it if it is not there yet.
    pub(super) fn new(path: PathBuf) -> Self {
        let from = open(&path).and_then(|file| file.metadata()).map_or(0, |metadata| metadata.len());
        Self { path, from, rest: Vec::new() }
    }

    /// All of a file that was not there before.
    pub(super) fn whole(path: PathBuf) -> Self {
        Self { path, from: 0, rest: Vec::new() }
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How the lines that were appended since the last call hold a text.
    pub(super) fn said(&mut self, adapter: &dyn Adapter, is_it: impl Fn(&str) -> bool) -> Option<SaidAs> {
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
        let mut tail = TranscriptTail::new(path.clone());
        assert_eq!(tail.said(adapter, |said| said == "old"), None, "it stood there before");
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        let text = line("new");
        file.write_all(&text.as_bytes()[..20]).unwrap();
        assert_eq!(tail.said(adapter, |said| said == "new"), None);
        file.write_all(&text.as_bytes()[20..]).unwrap();
        file.write_all(b"\nnonsense\n").unwrap();
        assert_eq!(tail.said(adapter, |said| said == "new"), Some(SaidAs::Prompt));
        assert_eq!(tail.said(adapter, |said| said == "new"), None);
        assert_eq!(TranscriptTail::whole(path).said(adapter, |said| said == "old"), Some(SaidAs::Prompt));
    }
}

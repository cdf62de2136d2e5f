//! Bounded, read-only looks into files that agents own. Never reads a whole transcript, never waits on a pipe.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path};

use chrono::{DateTime, Utc};

use crate::core::fact::Fact;
use crate::core::observe::Transcript;

/// How much of the beginning or end of a transcript is looked at.
pub(super) const WINDOW: u64 = 64 << 10;

/// Why a file could not be read, in a word where there is one.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// That a file could not be read, and why.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("cannot read {}: {}", path.display(), reason(error))
}

/// Whether a workspace an agent wrote down is `cwd`, a real path: as it is written, or where it leads.
pub(super) fn leads_to(workspace: &Path, cwd: &Path) -> bool {
    workspace == cwd || workspace.canonicalize().is_ok_and(|real| real == cwd)
}

/// The name of a path, if it is one that is meant, and what it leads to is in a directory under that name: through links and second
/// mounts too. Looks at no file of another name.
pub(super) fn name_in<'a>(dir: &Path, path: &'a Path, is_meant: impl FnOnce(&str) -> bool) -> Option<&'a str> {
    let name = path.file_name()?.to_str().filter(|name| is_meant(name))?;
    (path.parent() == Some(dir) || are_one(&dir.join(name), path)).then_some(name)
}

/// Whether two paths lead to one file or directory, through links and second mounts too.
fn are_one(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|it| (it.dev(), it.ino()));
    identity(one).is_some_and(|it| identity(other) == Some(it))
}

/// Whether an id can be a part of a file's name. One that cannot names no file, and must not lead out of a directory.
pub(super) fn is_file_name(id: &str) -> bool {
    let mut parts = Path::new(id).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == id) && !id.contains('\0')
}

/// Whether it reads like a UUID, in the usual 36 characters.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Opens a regular file for reading; anything else is an error. Not blocking, so that a pipe of that name holds nobody up.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let metadata = regular(&file)?;
    Ok((file, metadata))
}

fn regular(file: &File) -> io::Result<Metadata> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(metadata)
}

/// A small file, whole. One larger than `most` is unknown.
pub(super) fn small(path: &Path, most: u64) -> Fact<Vec<u8>> {
    let read = || {
        let (file, metadata) = open(path)?;
        // One byte of room more than it holds: a read that leaves it empty has reached the end.
        let mut text = vec![0; usize::try_from(metadata.len().min(most)).unwrap_or(0) + 1];
        let filled = (&file).read(&mut text)?;
        let is_whole = filled < text.len();
        text.truncate(filled);
        if !is_whole {
            file.take(most + 1 - filled as u64).read_to_end(&mut text)?;
        }
        if text.len() as u64 > most {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("larger than {most} bytes")));
        }
        Ok(text)
    };
    match read() {
        Ok(text) => Fact::Seen(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Fact::Absent,
        Err(error) => Fact::Unknown(unreadable(path, &error)),
    }
}

/// The beginning and the end of a file, each whole lines of at most 64 KiB; the end is empty where the beginning is all.
pub(super) struct Edges {
    /// Whole lines from the beginning.
    pub(super) head: Vec<u8>,
    /// Whole lines up to the end.
    pub(super) tail: Vec<u8>,
}

impl Edges {
    /// Every line of both, in order.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.head.split(|byte| *byte == b'\n').chain(self.tail.split(|byte| *byte == b'\n')).filter(|line| !line.is_empty())
    }
}

/// Reads the edges of a transcript. A line cut by the window is left out.
pub(super) fn edges(path: &Path) -> io::Result<Edges> {
    let (mut file, metadata) = open(path)?;
    let mut head = Vec::new();
    (&mut file).take(WINDOW).read_to_end(&mut head)?;
    let size = metadata.len();
    let mut tail = Vec::new();
    if size > WINDOW {
        head.truncate(head.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
        let (whole, from) = (head.len() as u64, size.saturating_sub(WINDOW));
        file.seek(SeekFrom::Start(from.max(whole)))?;
        file.take(size - from.max(whole)).read_to_end(&mut tail)?;
        // Behind the whole lines of the head begins another one.
        if from > whole {
            tail.drain(..tail.iter().position(|byte| *byte == b'\n').map_or(tail.len(), |at| at + 1));
        }
    }
    Ok(Edges { head, tail })
}

/// The whole lines at the end of a file, out of at most `most` bytes of it, and whether they are all it holds. A last line that
/// is not ended is being written and left out.
pub(super) fn tail(path: &Path, most: u64) -> io::Result<(Vec<u8>, bool)> {
    let (file, metadata) = open(path)?;
    window(&file, &metadata, most).map(|window| (window.text, window.from == 0))
}

/// The end of a file.
pub(super) struct EndWindow {
    /// Whole lines.
    pub(super) text: Vec<u8>,
    /// How many bytes stand before them.
    pub(super) from: u64,
    /// The number of the file in its file system.
    pub(super) inode: u64,
}

/// As [`tail`], but of a file that stands there itself: no link leads anywhere else.
pub(super) fn end_window(path: &Path, most: u64) -> io::Result<EndWindow> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW).open(path)?;
    let metadata = regular(&file)?;
    window(&file, &metadata, most)
}

fn window(mut file: &File, metadata: &Metadata, most: u64) -> io::Result<EndWindow> {
    let mut from = metadata.len().saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.take(most).read_to_end(&mut text)?;
    text.truncate(text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    if from > 0 {
        let cut = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1);
        text.drain(..cut);
        from += cut as u64;
    }
    Ok(EndWindow { text, from, inode: metadata.ino() })
}

/// Whether no other file of its kind in its directory changed after it; not if that is unknown. Files that links lead to count
/// as if they lay there.
pub(super) fn is_latest(path: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|metadata| metadata.modified());
    let Ok(own) = modified(path) else { return false };
    let Some(Ok(mut entries)) = path.parent().map(std::fs::read_dir) else { return false };
    entries.all(|entry| {
        let Ok(entry) = entry else { return false };
        let other = entry.path();
        other == path || other.extension() != path.extension() || modified(&other).is_ok_and(|at| at <= own)
    })
}

/// When a file came into being, where the file system tells; and when it last changed.
pub(super) fn times(metadata: &Metadata) -> (Option<DateTime<Utc>>, DateTime<Utc>) {
    let modified = metadata.modified().map_or(DateTime::UNIX_EPOCH, DateTime::from);
    (metadata.created().ok().map(DateTime::from), modified)
}

/// Whether no file of a directory can have come into being since then: that would have changed the directory, and here files
/// tell when they were born, so that an older one that was only written to is known to be older.
pub(super) fn is_unchanged_since(dir: &Path, since: DateTime<Utc>) -> bool {
    let Ok(metadata) = std::fs::metadata(dir) else { return false };
    let (born, modified) = times(&metadata);
    // Whoever sets the time of modification back leaves a trace here.
    let changed = DateTime::from_timestamp(metadata.ctime(), 0);
    born.is_some() && modified < since && changed.is_some_and(|changed| changed < since)
}

/// The transcript at a path. Looks at the file's name only, so that one without permission to read is still there.
pub(super) fn transcript(path: &Path) -> Fact<Transcript> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            Fact::Seen(Transcript { path: path.to_path_buf(), modified: times(&metadata).1, is_archived: false })
        }
        Ok(_) => Fact::Unknown(format!("{} is not a regular file", path.display())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Fact::Absent,
        Err(error) => Fact::Unknown(format!("cannot examine {}: {}", path.display(), reason(&error))),
    }
}

/// The first transcript among paths; without one, the first reason why it could not be told.
pub(super) fn first_transcript<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Fact<Transcript> {
    let mut verdict = Fact::Absent;
    for path in paths {
        match transcript(path.as_ref()) {
            Fact::Seen(found) => return Fact::Seen(found),
            Fact::Unknown(why) if verdict.is_absent() => verdict = Fact::Unknown(why),
            Fact::Unknown(_) | Fact::Absent => {}
        }
    }
    verdict
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_the_edges_of_a_huge_file_are_read_and_cut_lines_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge.jsonl");
        let mut file = File::create(&path).unwrap();
        writeln!(file, "first").unwrap();
        file.seek(SeekFrom::Start(1 << 30)).unwrap();
        writeln!(file, "\nlast").unwrap();
        let edges = edges(&path).unwrap();
        assert!(edges.head.len() <= WINDOW as usize && edges.tail.len() <= WINDOW as usize);
        assert_eq!(edges.lines().collect::<Vec<_>>(), [b"first".as_slice(), b"last".as_slice()]);
    }

    #[test]
    fn a_file_a_little_larger_than_the_window_is_not_read_twice() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let line = format!("{}\n", "x".repeat(999));
        std::fs::write(&path, line.repeat(70)).unwrap();
        let count = edges(&path).unwrap().lines().count();
        assert_eq!(count, 70, "none is lost at the edge of the window, and none comes twice");
    }

    #[test]
    fn a_pipe_or_directory_in_place_of_a_file_is_unknown_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(small(&fifo, 10).why_unknown().is_some());
        assert!(transcript(&fifo).why_unknown().is_some());
        assert!(small(dir.path(), 10).why_unknown().is_some());
        assert!(small(&dir.path().join("none"), 10).is_absent());
        std::fs::write(dir.path().join("large"), [b'x'; 11]).unwrap();
        assert!(small(&dir.path().join("large"), 10).why_unknown().is_some());
    }

    #[test]
    fn a_workspace_is_the_same_as_written_or_where_it_leads_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let (lab, link, gone) = (root.join("lab"), root.join("link"), root.join("gone"));
        std::fs::create_dir(&lab).unwrap();
        std::os::unix::fs::symlink(&lab, &link).unwrap();
        assert!(leads_to(&lab, &lab) && leads_to(&link, &lab));
        assert!(leads_to(&gone, &gone), "also when it no longer exists");
        assert!(!leads_to(&root, &lab) && !leads_to(&gone, &lab) && !leads_to(Path::new("lab"), &lab));
    }

    #[test]
    fn an_id_cannot_lead_out_of_its_directory() {
        for odd in ["", ".", "..", "../x", "a/b", "/etc/passwd", "a/", "x\0"] {
            assert!(!is_file_name(odd), "{odd:?}");
        }
        assert!(is_file_name("my-own.id_1") && is_uuid("11111111-2222-4333-8444-555555555555"));
        assert!(!is_uuid("11111111-2222-4333-8444-55555555555g") && !is_uuid("latest"));
    }
}

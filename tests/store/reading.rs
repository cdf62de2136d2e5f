//! Reading without a lock: what is waited for, what is not, and that nothing is created.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use headcount::store::TextHash;
use headcount::store::manifest::{ManifestError, ManifestFile, Pace};

use crate::support::{NAME, Place};

// Longer than any file is old, those of the kernel included, which are as old as the machine is up.
const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

#[test]
fn an_old_text_is_read_at_once_and_reading_creates_nothing() {
    let place = Place::new("text\n");
    // Reading it again would wait an hour.
    let manifest = place.manifest().with_pace(Pace { young: Duration::from_secs(1), again: NEVER, limit: NEVER, known: None });
    let snapshot = manifest.read().unwrap();
    assert_eq!((snapshot.bytes.as_slice(), snapshot.settled), (b"text\n".as_slice(), true));
    assert_eq!((snapshot.hash, &snapshot.path), (TextHash::of(b"text\n"), &place.path));
    assert_eq!(place.names().into_iter().collect::<Vec<_>>(), [NAME]);
}

#[test]
fn half_a_text_whose_writer_is_still_at_it_is_waited_for() {
    let place = Place::new("old\n");
    let mut editor = File::create(&place.path).unwrap();
    editor.write_all(b"half").unwrap();
    // An hour of holding still would be believed, so only the closing ends the wait.
    let manifest =
        place.manifest().with_pace(Pace { young: NEVER, again: Duration::from_millis(1), limit: NEVER, known: None });
    let reader = std::thread::spawn(move || manifest.read().unwrap());
    for _ in 0..200 {
        assert!(!reader.is_finished(), "half a text was believed");
        std::thread::yield_now();
    }
    editor.write_all(b" and half\n").unwrap();
    drop(editor);
    let snapshot = reader.join().unwrap();
    assert_eq!((snapshot.bytes.as_slice(), snapshot.settled), (b"half and half\n".as_slice(), true));
}

#[test]
fn a_text_held_open_but_still_is_read_and_one_never_still_is_called_unsettled() {
    let place = Place::new("text\n");
    let holder = File::options().append(true).open(&place.path).unwrap();
    let still = Pace { young: Duration::from_millis(5), again: Duration::from_millis(1), limit: NEVER, known: None };
    assert!(place.manifest().with_pace(still).read().unwrap().settled);
    let impatient = Pace { young: NEVER, again: Duration::from_millis(1), limit: Duration::from_millis(10), known: None };
    let snapshot = place.manifest().with_pace(impatient).read().unwrap();
    assert_eq!((snapshot.bytes.as_slice(), snapshot.settled), (b"text\n".as_slice(), false));
    drop(holder);
}

#[test]
fn a_text_that_is_another_at_each_read_is_never_called_settled() {
    // The kernel makes up a new one for each reader.
    let manifest = ManifestFile::open(Path::new("/proc/sys/kernel/random/uuid")).unwrap();
    let pace = Pace { young: NEVER, again: Duration::from_millis(1), limit: Duration::from_millis(20), known: None };
    let snapshot = manifest.with_pace(pace).read().unwrap();
    assert_eq!((snapshot.bytes.len(), snapshot.settled), (37, false));
}

#[test]
fn a_young_text_is_believed_when_two_reads_agree() {
    let place = Place::new("text\n");
    let pace = Pace { young: NEVER, again: Duration::from_millis(1), limit: NEVER, known: None };
    assert!(place.manifest().with_pace(pace).read().unwrap().settled);
}

#[test]
fn a_name_that_is_missing_while_an_editor_moves_files_about_is_waited_for() {
    let place = Place::new("old\n");
    let manifest = place.manifest();
    let aside = place.dir.path().join("aside");
    fs::rename(&place.path, &aside).unwrap();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| manifest.read());
        fs::write(&place.path, "new\n").unwrap();
        assert_eq!(reader.join().unwrap().unwrap().bytes, b"new\n");
    });
}

#[test]
fn what_is_not_a_readable_regular_file_is_refused_with_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().canonicalize().unwrap().join(name);
    let open = |name: &str| ManifestFile::open(&at(name)).unwrap_err();
    assert!(matches!(open("missing"), ManifestError::Missing { path } if path == at("missing")));
    fs::create_dir(at("directory")).unwrap();
    assert!(matches!(open("directory"), ManifestError::Directory { .. }));
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), 0o600.into()).unwrap();
    assert!(matches!(open("pipe"), ManifestError::NotRegular { kind: "pipe", .. }));
    let _listener = UnixListener::bind(at("socket")).unwrap();
    assert!(matches!(open("socket"), ManifestError::NotRegular { kind: "socket", .. }));
    symlink(at("nowhere"), at("dangling")).unwrap();
    assert!(matches!(open("dangling"), ManifestError::Missing { .. }));
    symlink(at("loop"), at("loop")).unwrap();
    let error = open("loop");
    assert!(matches!(&error, ManifestError::Unreadable { .. }), "{error:?}");
    assert!(std::error::Error::source(&error).is_some(), "the system's own words are kept");
    fs::write(at("file"), "").unwrap();
    assert!(matches!(open("file/below"), ManifestError::Unreadable { .. }));
    assert_eq!(error.to_string(), format!("cannot read manifest {}", at("loop").display()));
}

#[test]
fn a_young_text_that_is_known_to_be_whole_is_read_once_and_any_other_is_not() {
    let place = Place::new("text\n");
    let known = |text: &str| Some(headcount::store::TextHash::of(text.as_bytes()));
    let read = |known| {
        let pace = Pace { young: NEVER, again: Duration::from_millis(1), limit: Duration::ZERO, known };
        place.manifest().with_pace(pace).read().unwrap().settled
    };
    assert!(read(known("text\n")));
    assert!(!read(known("other\n")) && !read(None));
}

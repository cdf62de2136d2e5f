//! Whatever stands where an agent's files should be: nobody panics, nobody hangs, and nothing is proven by it.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use headcount::core::fact::Fact;
use headcount::core::observe::Activity;

use super::kit::{Den, Said, await_some, files, mentioned, proven};
use super::specimens::all;

/// Longer than any of this may take, on however busy a machine.
const BOUND: Duration = Duration::from_secs(20);

/// What may stand in the place of a file.
#[derive(Debug, Clone, Copy)]
enum Horror {
    Empty,
    Garbage,
    Truncated,
    Huge,
    Binary,
    Nested,
    Fifo,
    Circle,
    Dangling,
    Directory,
}

const HORRORS: [Horror; 10] = [
    Horror::Empty,
    Horror::Garbage,
    Horror::Truncated,
    Horror::Huge,
    Horror::Binary,
    Horror::Nested,
    Horror::Fifo,
    Horror::Circle,
    Horror::Dangling,
    Horror::Directory,
];

impl Horror {
    /// Puts it in the place of a file.
    fn replace(self, path: &Path) {
        let was = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        match self {
            Self::Empty => fs::write(path, "").unwrap(),
            Self::Garbage => fs::write(path, "{\"sessionId\": [\n\u{fffd}]]\n\n}{\nnull\n7\n\"x\"\n[]\n{}\n").unwrap(),
            Self::Truncated => fs::write(path, &was[..was.len() / 2]).unwrap(),
            Self::Huge => File::create(path).unwrap().set_len(8 << 30).unwrap(),
            Self::Binary => {
                let mut state = 0x9e37_79b9_u32;
                let bytes: Vec<u8> = std::iter::repeat_with(|| {
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    state.to_le_bytes()[0]
                })
                .take(300_000)
                .collect();
                fs::write(path, bytes).unwrap();
            }
            Self::Nested => fs::write(path, "[".repeat(60_000)).unwrap(),
            Self::Fifo => {
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
            }
            Self::Circle => symlink(path, path).unwrap(),
            Self::Dangling => symlink("/nowhere/at/all", path).unwrap(),
            Self::Directory => fs::create_dir(path).unwrap(),
        }
    }

    /// Whether nothing is left of what the file said.
    fn is_total(self) -> bool {
        !matches!(self, Self::Truncated)
    }
}

/// Asks everything within the bound.
fn ask(den: &Den<'_>, process: &headcount::host::ProcessInfo, what: &str) -> Said {
    std::thread::scope(|scope| {
        let (done, answer) = mpsc::channel();
        scope.spawn(move || drop(done.send(den.ask(process))));
        match answer.recv_timeout(BOUND) {
            Ok(said) => said,
            // A thread that hangs cannot be ended, only the whole program.
            Err(mpsc::RecvTimeoutError::Timeout) => {
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "{what}: no answer within {BOUND:?}");
                std::process::abort();
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{what}: it panicked"),
        }
    })
}

#[test]
fn in_place_of_every_file_at_once_nothing_is_proven_and_nobody_works() {
    for specimen in &all() {
        let den = Den::new(specimen);
        let live = den.start("");
        for horror in HORRORS {
            let what = format!("{}, all {horror:?}", specimen.kind);
            den.restore();
            if let Some(vouch) = specimen.vouch {
                vouch(&den.home(), &live.process, specimen.id);
            }
            for path in files(&den.home()) {
                horror.replace(&path);
            }
            let said = ask(&den, &live.process, &what);
            assert_eq!(proven(&said.ladder), None, "{what}: {said:?}");
            if horror.is_total() {
                assert!(!matches!(said.turn, Fact::Seen(Activity::Working | Activity::Waiting)), "{what}: {said:?}");
                assert!(
                    !matches!(horror, Horror::Fifo | Horror::Circle | Horror::Directory) || said.transcript.seen().is_none(),
                    "{what}: {said:?}"
                );
            }
        }
    }
}

#[test]
fn in_place_of_any_one_file_no_other_conversation_is_proven() {
    for specimen in &all() {
        let den = Den::new(specimen);
        let live = den.start("");
        let prepare = || {
            den.restore();
            if let Some(vouch) = specimen.vouch {
                vouch(&den.home(), &live.process, specimen.id);
            }
            files(&den.home())
        };
        let whole: Vec<String> = {
            prepare();
            let ladder = den.ladder(&live.process);
            // What is held open is gone with the home; what is written there is back.
            let is_written = specimen.vouch.is_some() && specimen.holds.is_empty();
            assert_eq!(proven(&ladder).is_some(), is_written, "{}: {ladder:?}", specimen.kind);
            mentioned(&ladder)
        };
        let count = prepare().len();
        assert!(count > 0, "{}", specimen.kind);
        for (at, horror) in (0..count).flat_map(|at| HORRORS.map(|horror| (at, horror))) {
            let path = prepare().swap_remove(at);
            horror.replace(&path);
            let what = format!("{}, {horror:?} in place of {}", specimen.kind, path.display());
            let said = ask(&den, &live.process, &what);
            assert!(proven(&said.ladder).is_none_or(|id| id == specimen.id), "{what}: {said:?}");
            assert!(mentioned(&said.ladder).iter().all(|id| whole.contains(id)), "{what}: {said:?}");
        }
    }
}

#[test]
fn in_place_of_every_directory_neither() {
    for specimen in &all() {
        let den = Den::new(specimen);
        let live = den.start("");
        await_some("the stand-in", || Some(den.ladder(&live.process)));
        for horror in [Horror::Empty, Horror::Fifo, Horror::Circle, Horror::Dangling] {
            den.restore();
            let home = den.home();
            let inside: Vec<_> = fs::read_dir(&home).unwrap().flatten().map(|entry| entry.path()).collect();
            for dir in inside.iter().filter(|path| path.is_dir()) {
                fs::remove_dir_all(dir).unwrap();
                fs::write(dir, "").unwrap();
                horror.replace(dir);
            }
            let what = format!("{}, {horror:?} for directories", specimen.kind);
            let said = ask(&den, &live.process, &what);
            assert_eq!(proven(&said.ladder), None, "{what}: {said:?}");
            assert!(!matches!(said.turn, Fact::Seen(Activity::Working | Activity::Waiting)), "{what}: {said:?}");
        }
    }
}

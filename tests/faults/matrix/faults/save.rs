//! What people, editors and file systems do to the manifest. Never judges.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Fault;
use crate::matrix::Outcome::{self, Error, Later};
use crate::matrix::Tried;
use crate::matrix::stage::{Stage, age, files, save};
use crate::matrix::verb::Verb::{self, Check, Diff, Doctor, Explain, History, Init, JobSubmit, Mcp, Reconcile, Status, Undo};

/// A manifest that cannot be used is an error of every command that needs it.
const UNUSABLE: &[(&[Verb], Outcome)] =
    &[(&[Status, Mcp, Diff, Explain, Check, Doctor, Undo, Reconcile], Error(1)), (&[JobSubmit], Later)];

/// The same if there is not even a file whose journal could be meant.
const MISSING: &[(&[Verb], Outcome)] =
    &[(&[Status, Mcp, Diff, Explain, History, Check, Doctor, Undo, Reconcile], Error(1)), (&[JobSubmit], Later)];

/// What is half written is not read: whoever catches no pause says so. The link is made once there is one.
const SAVING: &[(&[Verb], Outcome)] = &[
    (&[Status, Mcp, Diff, Explain, Check, Doctor, Undo, Reconcile], Outcome::Survived),
    (&[Status, Diff, Explain, Check, Undo, Reconcile], Error(75)),
    (&[Mcp], Error(1)),
    (&[JobSubmit], Outcome::Survived),
    (&[JobSubmit], Later),
];

/// What cannot be written in place is refused by every command that writes it.
const REFUSED: &[(&[Verb], Outcome)] = &[(&[Undo, Reconcile], Error(3)), (&[JobSubmit], Later), (&[Doctor], Error(1))];

pub(super) fn all() -> Vec<Fault> {
    let unusable = |name, strike| Fault { expected: UNUSABLE, heal: restore, ..Fault::new(name, strike) };
    let missing = |name, strike| Fault { expected: MISSING, heal: restore, ..Fault::new(name, strike) };
    vec![
        missing("deleted, then created anew", |stage| {
            fs::remove_file(stage.manifest()).unwrap();
            Ok(())
        }),
        missing("moved away, then back", |stage| {
            fs::rename(stage.manifest(), stage.root().join("moved.yaml")).unwrap();
            Ok(())
        }),
        Fault {
            heal: restore,
            // The journal is that of the file the link leads to, and that one has none yet.
            expected: &[(&[Undo], Error(1))],
            ..Fault::new("replaced by a symlink", |stage| {
                let real = stage.root().join("real.yaml");
                fs::rename(stage.manifest(), &real).unwrap();
                symlink(real, stage.manifest()).unwrap();
                Ok(())
            })
        },
        Fault {
            heal: restore,
            expected: &[(&[JobSubmit], Later)],
            ..Fault::new("truncated at a line", |stage| {
                stage.settle = "5s";
                cut(stage, "  - name: \"ended\"", false)
            })
        },
        unusable("half saved, just now", |stage| cut(stage, "enewed\"", true)),
        unusable("invalid", |stage| {
            save(&stage.manifest(), "version: 1\nsessions: [\n");
            Ok(())
        }),
        unusable("empty", |stage| {
            save(&stage.manifest(), "");
            Ok(())
        }),
        Fault {
            heal: restore,
            expected: REFUSED,
            ..Fault::new("hard-linked", |stage| {
                fs::hard_link(stage.manifest(), stage.desk().join("other.yaml")).unwrap();
                Ok(())
            })
        },
        Fault {
            heal: restore,
            expected: REFUSED,
            ..Fault::new("read-only file", |stage| {
                fs::set_permissions(stage.manifest(), Permissions::from_mode(0o444)).unwrap();
                Ok(())
            })
        },
        Fault {
            heal: restore,
            expected: &[(&[Undo, Reconcile], Error(3)), (&[JobSubmit], Later), (&[Init, Doctor], Error(1))],
            ..Fault::new("read-only directory", |stage| {
                fs::set_permissions(stage.desk(), Permissions::from_mode(0o555)).unwrap();
                refuses(&stage.desk())
            })
        },
        Fault {
            heal: restore,
            expected: MISSING,
            ..Fault::new("unreadable file of another user", |stage| {
                fs::set_permissions(stage.manifest(), Permissions::from_mode(0o600)).unwrap();
                chown(stage.manifest(), Some(65534), Some(65534)).map_err(|error| format!("not root: {error}"))?;
                match fs::read(stage.manifest()) {
                    Ok(_) => Err("this user may read everything".to_owned()),
                    Err(_) => Ok(()),
                }
            })
        },
        Fault {
            heal: restore,
            expected: REFUSED,
            ..Fault::new("readable file of another user", |stage| {
                fs::set_permissions(stage.manifest(), Permissions::from_mode(0o644)).unwrap();
                chown(stage.manifest(), Some(65534), Some(65534)).map_err(|error| format!("not root: {error}"))
            })
        },
        Fault {
            heal: |stage| {
                stage.release();
                restore(stage);
            },
            expected: &[(&[Undo, Reconcile, Init], Error(1)), (&[JobSubmit], Later)],
            ..Fault::new("file system full", |stage| {
                let desk = stage.desk();
                full(stage, desk)
            })
        },
        Fault { heal: restore, ..Fault::new("saved by renaming, again and again", |stage| keeps_saving(stage, true)) },
        Fault {
            heal: restore,
            expected: SAVING,
            ..Fault::new("saved in place, again and again", |stage| keeps_saving(stage, false))
        },
        Fault {
            expected: &[(&[Undo, Reconcile], Error(75)), (&[JobSubmit], Later)],
            ..Fault::new("lock held by another", |stage| {
                let lock = stage.desk().join("agent-sessions.yaml.lock");
                let file = fs::File::options().create(true).append(true).open(lock).unwrap();
                file.lock().map_err(|error| format!("the lock is not to be had: {error}"))?;
                stage.held.push(file);
                stage.lock_wait = "500ms";
                Ok(())
            })
        },
    ]
}

/// The manifest is an ordinary file again, as it was before anything happened to it.
fn restore(stage: &mut Stage) {
    let _ = fs::set_permissions(stage.desk(), Permissions::from_mode(0o700));
    let _ = fs::remove_file(stage.desk().join("other.yaml"));
    // It was made for the file's owner, who may have been another one.
    let _ = fs::remove_file(stage.desk().join("agent-sessions.yaml.lock"));
    save(&stage.manifest(), &stage.baseline.clone());
}

/// Only the text before a mark is left.
fn cut(stage: &Stage, mark: &str, fresh: bool) -> Tried {
    let text = stage.text();
    let at = text.find(mark).expect("the mark");
    fs::write(stage.manifest(), &text[..at]).unwrap();
    if !fresh {
        age(&stage.manifest());
    }
    Ok(())
}

/// Whether this user is really refused.
fn refuses(directory: &std::path::Path) -> Tried {
    let file = directory.join("try");
    if fs::write(&file, "").is_ok() {
        let _ = fs::remove_file(file);
        return Err("this user may write everywhere".to_owned());
    }
    Ok(())
}

/// Puts a small file system in place of a directory, with what was in it, and fills it.
pub(super) fn full(stage: &mut Stage, directory: PathBuf) -> Tried {
    let kept = stage.root().join("kept");
    let _ = fs::remove_dir_all(&kept);
    let copied = Command::new("cp").arg("-a").arg(&directory).arg(&kept).status().unwrap();
    assert!(copied.success());
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=256k,mode=700", "headcount-faults"]).arg(&directory);
    let mounted = mount.output().map_err(|error| format!("mount: {error}"))?;
    if !mounted.status.success() {
        return Err("a small file system cannot be mounted: not root, or not allowed".to_owned());
    }
    stage.mounts.push(directory.clone());
    // No file of ours has room left in its last page.
    for path in files(&kept).into_iter().filter(|path| path.ends_with("journal.jsonl")) {
        let length = path.metadata().unwrap().len();
        let mut journal = fs::File::options().append(true).open(path).unwrap();
        std::io::Write::write_all(&mut journal, "\n".repeat(usize::try_from(4096 - length % 4096).unwrap()).as_bytes())
            .unwrap();
    }
    let copied = Command::new("cp").arg("-a").arg(kept.join(".")).arg(&directory).status().unwrap();
    assert!(copied.success());
    let mut filler = fs::File::create(directory.join("filler")).unwrap();
    let block = [b'x'; 512];
    while std::io::Write::write_all(&mut filler, &block).is_ok() {}
    Ok(())
}

/// A person saves a version every few milliseconds, each with a comment of its own, until told to stop.
fn keeps_saving(stage: &mut Stage, by_renaming: bool) -> Tried {
    let (path, draft, stop) = (stage.manifest(), stage.root().join("draft.yaml"), stage.stop.clone());
    stage.saves = Some(std::thread::spawn(move || {
        let mut count = 0;
        // A person does not save for ever: the command gets its turn at last.
        while !stop.load(Ordering::Relaxed) && count < 60 {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let text = format!("{text}# saved {}.\n", count + 1);
            if by_renaming {
                fs::write(&draft, text).unwrap();
                fs::rename(&draft, &path).unwrap();
            } else {
                let mut file = fs::File::options().write(true).truncate(true).open(&path).unwrap();
                let (first, rest) = text.as_bytes().split_at(text.len() / 2);
                std::io::Write::write_all(&mut file, first).unwrap();
                std::thread::sleep(Duration::from_millis(1));
                std::io::Write::write_all(&mut file, rest).unwrap();
            }
            count += 1;
            std::thread::sleep(Duration::from_millis(7));
        }
        count
    }));
    Ok(())
}

//! Updates in a quiet world: what is written, kept, locked and counted.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::time::Duration;

use headcount::store::TextHash;
use headcount::store::manifest::{
    ManifestError, ManifestFile, Replace, TextChange, UpdateCause, UpdateOptions, exchange_supported,
};

use crate::support::{NAME, Place, again, append, increment, make_old, no_change, subject_of};

fn both_ways() -> [UpdateOptions; 2] {
    [UpdateOptions::default(), UpdateOptions { replace: Replace::Rename, ..UpdateOptions::default() }]
}

#[test]
fn an_update_writes_every_byte_and_leaves_only_its_lock() {
    for options in both_ways() {
        let place = Place::new("a: 1\r\nb: \"\u{e9}\"\r\n\tno newline at the end");
        let old = TextHash::of(place.text().as_bytes());
        let outcome = place.manifest().update(&options, append("\r\nc")).unwrap();
        let text = "a: 1\r\nb: \"\u{e9}\"\r\n\tno newline at the end\r\nc";
        assert_eq!(outcome.change, TextChange::Written { old, new: TextHash::of(text.as_bytes()) });
        assert_eq!((place.text().as_str(), outcome.saved.len()), (text, 0));
        place.assert_no_litter();
        let lock = fs::metadata(place.dir.path().join(format!("{NAME}.lock"))).unwrap();
        assert_eq!(lock.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn nothing_is_written_when_the_plan_changes_nothing() {
    let place = Place::new("same\n");
    let before = fs::metadata(&place.path).unwrap();
    let same =
        |snapshot: &headcount::store::manifest::Snapshot| Ok::<_, std::convert::Infallible>(Some(snapshot.bytes.clone()));
    for outcome in [
        place.manifest().update(&UpdateOptions::default(), same),
        place.manifest().update(&UpdateOptions::default(), no_change),
    ] {
        assert_eq!(outcome.unwrap().change, TextChange::Unchanged);
    }
    let after = fs::metadata(&place.path).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
}

#[test]
fn a_plan_that_fails_is_told_as_it_is_and_writes_nothing() {
    let place = Place::new("text\n");
    let refused = "refused".parse::<u32>().unwrap_err();
    let error = place.manifest().update(&UpdateOptions::default(), |_| Err(refused.clone())).unwrap_err();
    assert!(matches!(&error.cause, UpdateCause::Plan(e) if *e == refused));
    assert_eq!(error.to_string(), refused.to_string());
    assert_eq!(place.text(), "text\n");
    place.assert_no_litter();
}

#[test]
fn mode_owner_and_attributes_are_kept() {
    for options in both_ways() {
        let place = Place::new("text\n");
        fs::set_permissions(&place.path, Permissions::from_mode(0o664)).unwrap();
        let has_attribute = rustix::fs::setxattr(&place.path, "user.note", b"mine", rustix::fs::XattrFlags::empty()).is_ok();
        let is_root = rustix::process::geteuid().is_root();
        if is_root {
            std::os::unix::fs::chown(&place.path, Some(12345), Some(23456)).unwrap();
        }
        let before = fs::metadata(&place.path).unwrap();
        place.manifest().update(&options, append("more\n")).unwrap();
        let after = fs::metadata(&place.path).unwrap();
        assert_ne!(before.ino(), after.ino());
        assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
        assert_eq!(after.mode() & 0o777, 0o664);
        if has_attribute {
            let mut value = [0; 16];
            let length = rustix::fs::getxattr(&place.path, "user.note", &mut value).unwrap();
            assert_eq!(&value[..length], b"mine");
        }
        if is_root {
            let lock = fs::metadata(place.dir.path().join(format!("{NAME}.lock"))).unwrap();
            assert_eq!(lock.uid(), 12345, "the manifest's owner must be able to lock it");
        }
    }
}

#[test]
fn a_symlinked_manifest_stays_a_link_and_both_names_are_locked() {
    let place = Place::new("text\n");
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link.yaml");
    symlink(&place.path, &link).unwrap();
    let manifest = ManifestFile::open(&link).unwrap();
    assert_eq!(manifest.resolved().unwrap(), place.path);
    manifest.update(&UpdateOptions::default(), append("more\n")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(place.text(), "text\nmore\n");
    assert!(elsewhere.path().join("link.yaml.lock").exists());
    place.assert_no_litter();

    let held = place.manifest().lock(&UpdateOptions::default()).unwrap();
    let hasty = UpdateOptions { lock_wait: Duration::from_millis(1), ..UpdateOptions::default() };
    assert!(manifest.lock(&hasty).unwrap_err().is_busy(), "the link's user meets the file's user at the file's lock");
    drop(held);
    let held = manifest.lock(&UpdateOptions::default()).unwrap();
    assert!(place.manifest().lock(&hasty).unwrap_err().is_busy());
    drop(held);
}

#[test]
fn a_lock_that_is_not_given_up_is_named_with_its_holder() {
    let place = Place::new("text\n");
    let held = place.manifest().lock(&UpdateOptions::default()).unwrap();
    let hasty = UpdateOptions { lock_wait: Duration::from_millis(5), ..UpdateOptions::default() };
    let error = place.manifest().lock(&hasty).unwrap_err();
    match &error {
        ManifestError::Locked { holder, waited, .. } => {
            assert_eq!(*holder, Some(std::process::id()));
            assert!(*waited >= hasty.lock_wait);
        }
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains(&format!("held by process {}", std::process::id())), "{error}");
    drop(held);
    place.manifest().lock(&hasty).unwrap();
}

#[test]
fn a_lock_whose_file_was_deleted_keeps_later_comers_out_all_the_same() {
    let place = Place::new("text\n");
    let lock = place.dir.path().join(format!("{NAME}.lock"));
    let held = place.manifest().lock(&UpdateOptions::default()).unwrap();
    fs::remove_file(&lock).unwrap();
    drop(held);
    let held = place.manifest().lock(&UpdateOptions::default()).unwrap();
    assert!(lock.exists(), "the lock is on the file that bears the name");
    let hasty = UpdateOptions { lock_wait: Duration::from_millis(1), ..UpdateOptions::default() };
    assert!(place.manifest().lock(&hasty).is_err());
    drop(held);
}

#[test]
fn a_link_pointed_elsewhere_while_the_lock_is_awaited_is_followed() {
    let (one, two) = (Place::new("one\n"), Place::new("two\n"));
    let link = one.dir.path().join("a-link");
    symlink(&one.path, &link).unwrap();
    let held = one.manifest().lock(&UpdateOptions::default()).unwrap();
    let waiting = std::thread::spawn({
        let manifest = ManifestFile::open(&link).unwrap();
        move || manifest.update(&UpdateOptions::default(), append("more\n")).unwrap()
    });
    // Sidecars are locked in the order of their paths, so when the link's is there the file's is awaited.
    while !one.dir.path().join("a-link.lock").exists() {
        std::thread::yield_now();
    }
    let other = one.dir.path().join("other");
    symlink(&two.path, &other).unwrap();
    fs::rename(&other, &link).unwrap();
    drop(held);
    waiting.join().unwrap();
    assert_eq!((one.text().as_str(), two.text().as_str()), ("one\n", "two\nmore\n"));
}

#[test]
fn an_exchange_is_found_to_work_without_leaving_a_file() {
    let dir = tempfile::tempdir().unwrap();
    assert!(exchange_supported(dir.path()).unwrap(), "ext4, xfs, btrfs and tmpfs can");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert!(exchange_supported(&dir.path().join("missing")).is_err());
}

const INCREMENTS: usize = 50;

/// Not a test of its own: what the four processes below do.
#[test]
fn child_that_increments() {
    let Some(path) = subject_of("writing::child_that_increments") else { return };
    let manifest = ManifestFile::open(&path).unwrap();
    for _ in 0..INCREMENTS {
        increment(&manifest).unwrap();
    }
}

#[test]
fn four_processes_that_count_lose_no_increment() {
    let place = Place::new("0\n");
    let children: Vec<_> = (0..4).map(|_| again("writing::child_that_increments", &place.path).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(place.text(), "200\n");
    place.assert_no_litter();
}

#[test]
fn threads_that_count_by_two_names_lose_no_increment() {
    for replace in [Replace::Exchange, Replace::Rename] {
        let place = Place::fast("0\n");
        let link = place.dir.path().join("a-link");
        symlink(&place.path, &link).unwrap();
        std::thread::scope(|scope| {
            for path in [&place.path, &link] {
                scope.spawn(move || {
                    let manifest = ManifestFile::open(path).unwrap().with_pace(crate::support::quick());
                    let options = UpdateOptions { replace, lock_wait: Duration::from_secs(60), ..UpdateOptions::default() };
                    for _ in 0..INCREMENTS {
                        manifest
                            .update(&options, |now| {
                                let number: u64 = String::from_utf8_lossy(&now.bytes).trim().parse()?;
                                Ok::<_, std::num::ParseIntError>(Some(format!("{}\n", number + 1).into_bytes()))
                            })
                            .unwrap();
                    }
                });
            }
        });
        assert_eq!(place.text(), "100\n");
        make_old(&place.path);
    }
}

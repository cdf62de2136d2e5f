//! Manifests that are not replaced, each with its reason, and disks that are full. The file stays as it was.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use headcount::store::manifest::{ManifestError, ManifestFile, Replace, UpdateCause, UpdateError, UpdateOptions};

use crate::support::{Place, again, append, subject_of, wrapped};

fn refusal(place: &Place, options: &UpdateOptions) -> ManifestError {
    let before = place.text();
    let error = place.manifest().update(options, append("more\n")).unwrap_err();
    assert_eq!((place.text(), error.saved.len()), (before, 0));
    match error.cause {
        UpdateCause::Manifest(error) => error,
        UpdateCause::Plan(never) => match never {},
    }
}

#[test]
fn a_hard_linked_manifest_is_refused() {
    let place = Place::new("text\n");
    let twin = place.dir.path().join("twin");
    fs::hard_link(&place.path, &twin).unwrap();
    let error = refusal(&place, &UpdateOptions::default());
    assert!(matches!(error, ManifestError::HardLinked { links: 2, .. }) && error.is_refusal());
    assert_eq!(place.manifest().check_replaceable().unwrap_err().to_string(), error.to_string());
    fs::remove_file(twin).unwrap();
    place.assert_no_litter();
}

#[test]
fn a_manifest_without_write_permission_is_refused_even_for_root() {
    let place = Place::new("text\n");
    fs::set_permissions(&place.path, Permissions::from_mode(0o444)).unwrap();
    let error = refusal(&place, &UpdateOptions::default());
    assert!(matches!(error, ManifestError::ReadOnlyFile { .. }) && error.is_refusal());
    assert_eq!(place.manifest().check_replaceable().unwrap_err().to_string(), error.to_string());
    place.assert_no_litter();
}

#[test]
fn a_manifest_that_stays_open_in_an_editor_is_left_alone_and_called_busy() {
    for replace in [Replace::Exchange, Replace::Rename] {
        let place = Place::new("text\n");
        let editor = File::options().append(true).open(&place.path).unwrap();
        let options = UpdateOptions { editor_wait: Duration::from_millis(20), replace, ..UpdateOptions::default() };
        let error = refusal(&place, &options);
        assert!(matches!(error, ManifestError::Busy { .. }) && error.is_busy(), "{error:?}");
        assert!(error.to_string().contains("another program has it open for writing"), "{error}");
        place.assert_no_litter();
        drop(editor);
        place.manifest().update(&options, append("more\n")).unwrap();
    }
}

/// Runs a child test; false, with the reason on stderr, if this machine does not let us set the stage.
fn staged(mut command: Command, what: &str) -> bool {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.code() == Some(77) {
        eprintln!("SKIPPED: {what}: {}", told.trim());
        return false;
    }
    assert!(status.success() && told.contains("staged"), "{told}");
    true
}

/// What an update ended with is what can be seen beforehand, as `headcount doctor` does.
fn assert_foretold<E: std::fmt::Debug>(path: &Path, error: &UpdateError<E>) {
    let seen = ManifestFile::open(path).unwrap().check_replaceable().unwrap_err();
    let UpdateCause::Manifest(ended) = &error.cause else { panic!("{error:?}") };
    assert_eq!(seen.to_string(), ended.to_string());
}

/// A mount namespace of its own, so that nothing stays mounted; 77 if that is not permitted.
fn in_namespace(setup: &str, name: &str, place: &Place) -> Command {
    let script = format!(r#"unshare -m true || exit 77; exec unshare -m sh -c '{setup} || exit 77; exec "$@"' sh "$@""#);
    let mut command = wrapped(&["sh", "-c", &script, "sh"], name, &place.path);
    command.env("DIR", place.dir.path());
    command
}

/// Not a test of its own: on a tmpfs of 64 KiB.
#[test]
fn child_on_a_full_disk() {
    let Some(path) = subject_of("refusals::child_on_a_full_disk") else { return };
    let dir = path.parent().unwrap();
    fs::write(&path, "x".repeat(40_000)).unwrap();
    println!("staged");
    let manifest = ManifestFile::open(&path).unwrap();
    for replace in [Replace::Exchange, Replace::Rename] {
        let error = manifest.update(&UpdateOptions { replace, ..UpdateOptions::default() }, append("more\n")).unwrap_err();
        assert!(matches!(error.cause, UpdateCause::Manifest(ManifestError::NoSpace { .. })), "{error:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "x".repeat(40_000));
        let names = crate::support::names(dir);
        assert_eq!(names.len(), 2, "litter: {names:?}");
    }
    let shorter = |_: &headcount::store::manifest::Snapshot| Ok::<_, std::convert::Infallible>(Some(b"short\n".to_vec()));
    manifest.update(&UpdateOptions::default(), shorter).unwrap();
}

#[test]
fn a_full_disk_is_said_and_leaves_the_manifest_and_no_litter() {
    let place = Place::new("");
    let setup = r#"mount -t tmpfs -o size=64k headcount-test "$DIR""#;
    staged(in_namespace(setup, "refusals::child_on_a_full_disk", &place), "mounting a small tmpfs");
}

/// Not a test of its own: with `ulimit -f 16` and its signal ignored.
#[test]
fn child_with_a_file_size_limit() {
    let Some(path) = subject_of("refusals::child_with_a_file_size_limit") else { return };
    println!("staged");
    let manifest = ManifestFile::open(&path).unwrap();
    let grown = vec![b'x'; 20_000];
    let error =
        manifest.update(&UpdateOptions::default(), |_| Ok::<_, std::convert::Infallible>(Some(grown.clone()))).unwrap_err();
    assert!(matches!(error.cause, UpdateCause::Manifest(ManifestError::NoSpace { .. })), "{error:?}");
}

#[test]
fn a_text_beyond_the_allowed_file_size_is_refused_like_a_full_disk() {
    let place = Place::new("text\n");
    let limits = r#"trap "" 25; ulimit -f 16 || exit 77; exec "$@""#;
    let command = wrapped(&["sh", "-c", limits, "sh"], "refusals::child_with_a_file_size_limit", &place.path);
    assert!(staged(command, "limiting the size of files"));
    assert_eq!(place.text(), "text\n");
    place.assert_no_litter();
}

/// Not a test of its own: where the manifest is mounted on itself.
#[test]
fn child_on_a_mount_point() {
    let Some(path) = subject_of("refusals::child_on_a_mount_point") else { return };
    println!("staged");
    let error = ManifestFile::open(&path).unwrap().update(&UpdateOptions::default(), append("more\n")).unwrap_err();
    assert!(matches!(error.cause, UpdateCause::Manifest(ManifestError::MountPoint { .. })), "{error:?}");
    assert_foretold(&path, &error);
}

#[test]
fn a_manifest_that_is_a_mount_point_is_refused() {
    let place = Place::new("text\n");
    let setup = format!(r#"mount --bind "$DIR/{0}" "$DIR/{0}""#, crate::support::NAME);
    if staged(in_namespace(&setup, "refusals::child_on_a_mount_point", &place), "mounting a file") {
        place.assert_no_litter();
        assert_eq!(place.text(), "text\n");
    }
}

/// Not a test of its own: where nothing can be made beside the manifest.
#[test]
fn child_in_a_read_only_directory() {
    let Some(path) = subject_of("refusals::child_in_a_read_only_directory") else { return };
    println!("staged");
    let manifest = ManifestFile::open(&path).unwrap();
    assert_eq!(manifest.read().unwrap().bytes, b"text\n", "reading needs nothing beside it");
    let error = manifest.update(&UpdateOptions::default(), append("more\n")).unwrap_err();
    assert!(matches!(error.cause, UpdateCause::Manifest(ManifestError::ReadOnlyDirectory { .. })), "{error:?}");
    assert_foretold(&path, &error);
}

#[test]
fn a_manifest_on_a_read_only_mount_is_refused() {
    let place = Place::new("text\n");
    let setup = r#"mount --bind "$DIR" "$DIR" && mount -o remount,ro,bind "$DIR""#;
    staged(in_namespace(setup, "refusals::child_in_a_read_only_directory", &place), "mounting read-only");
    assert_eq!(place.names().len(), 1);
}

#[test]
fn a_manifest_in_a_read_only_directory_is_refused() {
    let place = Place::new("text\n");
    fs::set_permissions(place.dir.path(), Permissions::from_mode(0o555)).unwrap();
    let mut command = again("refusals::child_in_a_read_only_directory", &place.path);
    if rustix::process::geteuid().is_root() {
        // Root may write there all the same.
        command.uid(65534).gid(65534);
        if command.output().is_err() {
            eprintln!("SKIPPED: this test cannot be run as another user from where it lies");
            return;
        }
    }
    assert!(staged(command, "running as another user"));
    assert_eq!(place.names().len(), 1);
    fs::set_permissions(place.dir.path(), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_chattr_has_fixed_is_refused_with_its_name() {
    let chattr =
        |flag: &str, path: &Path| Command::new("chattr").arg(flag).arg(path).output().is_ok_and(|out| out.status.success());
    for (flag, is_directory) in [("i", false), ("a", false), ("i", true), ("a", true)] {
        let place = Place::new("text\n");
        let at = if is_directory { place.dir.path().canonicalize().unwrap() } else { place.path.canonicalize().unwrap() };
        if !chattr(&format!("+{flag}"), &at) {
            eprintln!("SKIPPED: chattr +{flag} does nothing here");
            return;
        }
        let ended = std::panic::catch_unwind(|| {
            let error = refusal(&place, &UpdateOptions::default());
            let seen = place.manifest().check_replaceable().unwrap_err();
            (error, seen)
        });
        assert!(chattr(&format!("-{flag}"), &at), "{} cannot be removed", at.display());
        let (error, seen) = ended.unwrap();
        assert!(
            matches!(&error, ManifestError::Unchangeable { at: named, .. } if *named == at) && error.is_refusal(),
            "{error:?}"
        );
        assert_eq!(seen.to_string(), error.to_string());
        place.assert_no_litter();
    }
}

#[test]
fn a_lock_that_cannot_be_opened_is_seen_beforehand() {
    for make in
        [|path: &Path| fs::create_dir(path).unwrap(), |path: &Path| std::os::unix::fs::symlink("/dev/null", path).unwrap()]
    {
        let place = Place::new("text\n");
        let mut sidecar = place.path.clone().into_os_string();
        sidecar.push(".lock");
        make(Path::new(&sidecar));
        let error = place.manifest().update(&UpdateOptions::default(), append("more\n")).unwrap_err();
        assert_foretold(&place.path, &error);
    }
}

#[test]
fn a_link_to_what_is_refused_is_refused_with_the_files_own_name() {
    let place = Place::new("text\n");
    let link = place.dir.path().join("link.yaml");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    assert!(ManifestFile::open(&link).unwrap().check_replaceable().is_ok(), "a link is followed");
    fs::hard_link(&place.path, place.dir.path().join("twin")).unwrap();
    let error = ManifestFile::open(&link).unwrap().update(&UpdateOptions::default(), append("more\n")).unwrap_err();
    assert!(matches!(error.cause, UpdateCause::Manifest(ManifestError::HardLinked { .. })), "{error:?}");
    assert_foretold(&link, &error);
    assert_eq!((fs::read_link(&link).unwrap(), place.text()), (place.path.clone(), "text\n".to_owned()));
}

/// Not a test of its own: as a user who may write the manifest but does not own it.
#[test]
fn child_that_is_not_the_owner() {
    let Some(path) = subject_of("refusals::child_that_is_not_the_owner") else { return };
    println!("staged");
    let error = ManifestFile::open(&path).unwrap().update(&UpdateOptions::default(), append("more\n")).unwrap_err();
    assert!(
        matches!(&error.cause, UpdateCause::Manifest(ManifestError::Attributes { what, .. }) if what == "owner"),
        "{error:?}"
    );
    assert_foretold(&path, &error);
}

#[test]
fn a_manifest_whose_owner_cannot_be_kept_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can make a file of somebody else");
        return;
    }
    let place = Place::new("text\n");
    fs::set_permissions(place.dir.path(), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&place.path, Permissions::from_mode(0o666)).unwrap();
    let mut command = again("refusals::child_that_is_not_the_owner", &place.path);
    command.uid(65534).gid(65534);
    if command.output().is_err() {
        eprintln!("SKIPPED: this test cannot be run as another user from where it lies");
        return;
    }
    assert!(staged(command, "running as another user"));
    assert_eq!(place.text(), "text\n");
    place.assert_no_litter();
}

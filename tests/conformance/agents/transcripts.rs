//! Where a conversation is found, where it is not, and what is left as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::kit::{Den, RECORDED, copy, every, later, picture, recorded};
use super::specimens::{OTHER, all};

#[test]
fn a_recorded_conversation_is_found_by_its_id_and_no_other_is() {
    for specimen in &all() {
        let den = Den::new(specimen);
        if !den.has_readable_transcripts("finding conversations") {
            continue;
        }
        let found = den.transcript(specimen.id);
        let found = found.seen().unwrap_or_else(|| panic!("{}: {found:?}", specimen.kind));
        assert!(found.path.starts_with(den.home()) && found.path.is_file(), "{found:?}");
        assert!(den.transcript(specimen.cut).seen().is_some(), "{}", specimen.kind);
        for other in [OTHER.to_owned(), format!("{}x", specimen.id), specimen.id[..specimen.id.len() - 1].to_owned()] {
            assert!(den.transcript(&other).is_absent(), "{}: {other}", specimen.kind);
        }
        fs::remove_dir_all(den.home()).unwrap();
        assert!(den.transcript(specimen.id).is_absent(), "{}: no home at all", specimen.kind);
    }
}

#[test]
fn an_id_that_leads_elsewhere_finds_nothing() {
    for specimen in &all() {
        let den = Den::new(specimen);
        if !den.has_readable_transcripts("hostile ids") {
            continue;
        }
        let found = den.transcript(specimen.id).into_seen().unwrap().path;
        let (stem, parent) = (found.file_stem().unwrap().to_str().unwrap(), found.parent().unwrap());
        let beside = parent.file_name().unwrap().to_str().unwrap();
        let mut odd: Vec<String> =
            ["", ".", "..", "/", "../x", "a/b", "/etc/passwd", "x\0y", "*", "?", "%", "' or 1=1 --", "\n", "é漢"]
                .map(str::to_owned)
                .into();
        odd.extend([
            format!("../{beside}/{stem}"),
            format!("../{beside}/{}", specimen.id),
            format!("./{}", specimen.id),
            format!("{}/", specimen.id),
            format!("{}/../{}", specimen.id, specimen.id),
            format!("{}\0", specimen.id),
            parent.join(stem).display().to_string(),
            parent.join(specimen.id).display().to_string(),
            "x".repeat(100_000),
        ]);
        for id in odd {
            let said = den.transcript(&id);
            let short: String = id.chars().take(80).collect();
            assert!(said.seen().is_none(), "{}: {short:?} found {said:?}", specimen.kind);
        }
    }
}

#[test]
fn a_directory_that_cannot_be_listed_leaves_it_unknown() {
    for specimen in &all() {
        let den = Den::new(specimen);
        if !den.has_readable_transcripts("unreadable directories") {
            continue;
        }
        // A circle of links in the place of the home: there is something, and nobody can look into it.
        fs::remove_dir_all(den.home()).unwrap();
        std::os::unix::fs::symlink(den.home(), den.home()).unwrap();
        let said = den.transcript(specimen.id);
        assert!(said.why_unknown().is_some(), "{}: {said:?}", specimen.kind);
    }
}

#[test]
fn what_may_not_be_read_is_unknown_and_not_absent() {
    if !rustix::process::getuid().is_root() {
        return asked_by_who_may_not();
    }
    // Again as a user who owns nothing here. A copy, because the directory of the original need not be open to that user.
    let dir = tempfile::tempdir().unwrap();
    let (program, homes) = (dir.path().join("tests"), dir.path().join("transcripts"));
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    copy(&recorded(), &homes);
    for path in every(dir.path()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    let module = module_path!().split_once("::").unwrap().1;
    let test = format!("{module}::asked_by_who_may_not");
    command.args(["--exact", &test, "--nocapture"]).current_dir("/").env(RECORDED, &homes);
    match command.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "SKIPPED unreadable homes: setpriv cannot be run: {error}");
        }
    }
}

/// Run as another user by the test above; root may read everything, so there is nothing to ask for it.
#[test]
fn asked_by_who_may_not() {
    if rustix::process::getuid().is_root() {
        return;
    }
    for specimen in &all() {
        let den = Den::new(specimen);
        if !den.has_readable_transcripts("unreadable homes") {
            continue;
        }
        assert!(den.transcript(specimen.id).seen().is_some(), "{}", specimen.kind);
        fs::set_permissions(den.home(), fs::Permissions::from_mode(0o000)).unwrap();
        let said = den.transcript(specimen.id);
        fs::set_permissions(den.home(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(said.why_unknown().is_some(), "{}: {said:?}", specimen.kind);
    }
}

#[test]
fn whatever_is_asked_everything_stays_as_it_was_to_the_byte_and_the_nanosecond() {
    for specimen in &all() {
        let den = Den::new(specimen);
        let live = den.start("");
        if let Some(vouch) = specimen.vouch {
            vouch(&den.home(), &live.process, specimen.id);
        }
        let home = den.root().join("home");
        let before = picture(&home);
        let said = den.ask(&live.process);
        assert_eq!(said.ladder.readings.len(), den.ask(&later(&live.process)).ladder.readings.len());
        for id in [specimen.cut, OTHER] {
            den.turn(&live.process, id);
        }
        den.agent().quick_identity(&live.process, &den.home());
        assert!(picture(&home) == before, "{}: something in its home has changed", specimen.kind);
    }
}

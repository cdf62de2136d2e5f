//! Makes the links and scripts by which headcount is called as another tool. Replaces only what leads to a headcount already; never what
//! somebody else has put there.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::core::links::{LinkForm, LinkOutcome, LinkReport};

/// The second line of a script of ours, by which it is known again.
const SIGNATURE: &str = "# Written by headcount links";

/// Makes links or scripts of these names below a directory, which is made if it is not there.
pub fn make(program: &Path, directory: &Path, form: LinkForm, names: &[&str]) -> Vec<LinkReport> {
    let made = |name: &&str| {
        let path = directory.join(name);
        let (outcome, message) = match one(program, &path, form) {
            Ok(Some(outcome)) => (outcome, None),
            Ok(None) => (LinkOutcome::Refused, Some("it does not lead to headcount, and was left as it is".to_owned())),
            Err(error) => (LinkOutcome::Failed, Some(error.to_string())),
        };
        LinkReport { path, form, outcome, message }
    };
    names.iter().map(made).collect()
}

/// `None`: something else has this name.
fn one(program: &Path, path: &Path, form: LinkForm) -> io::Result<Option<LinkOutcome>> {
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            return put(program, path, form).map(|()| Some(LinkOutcome::Made));
        }
        other => other?,
    };
    let is_current = match form {
        LinkForm::Link if metadata.is_symlink() => {
            let target = fs::read_link(path)?;
            if !leads_to_headcount(&target) {
                return Ok(None);
            }
            target == program
        }
        LinkForm::Script if metadata.is_file() => {
            let text = fs::read(path)?;
            if text.split(|byte| *byte == b'\n').nth(1) != Some(SIGNATURE.as_bytes()) {
                return Ok(None);
            }
            text == script(program)?.as_bytes()
        }
        LinkForm::Link | LinkForm::Script => return Ok(None),
    };
    if is_current {
        return Ok(Some(LinkOutcome::Unchanged));
    }
    put(program, path, form).map(|()| Some(LinkOutcome::Changed))
}

/// A link of an earlier headcount, whether that is still there or not.
fn leads_to_headcount(target: &Path) -> bool {
    target.file_name().is_some_and(|name| name == "headcount")
}

/// Puts it there in one step: under another name first.
fn put(program: &Path, path: &Path, form: LinkForm) -> io::Result<()> {
    let temporary = beside(path);
    let _ = fs::remove_file(&temporary);
    match form {
        LinkForm::Link => symlink(program, &temporary)?,
        LinkForm::Script => {
            let text = script(program)?;
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&temporary)?;
            file.write_all(text.as_bytes())?;
        }
    }
    fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

/// A script that is the tool of the name that it is called by.
fn script(program: &Path) -> io::Result<String> {
    let program = program.to_str().ok_or_else(|| io::Error::other("the path of headcount is no text"))?;
    Ok(format!("#!/usr/bin/env bash\n{SIGNATURE}\nexec -a \"$0\" {} \"$@\"\n", shell_words::quote(program)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn outcomes(program: &str, directory: &Path, form: LinkForm) -> Vec<LinkOutcome> {
        make(Path::new(program), directory, form, &["one", "b/two"]).into_iter().map(|it| it.outcome).collect()
    }

    #[test]
    fn what_leads_to_headcount_is_renewed_and_everything_else_stays() {
        use LinkOutcome::{Changed, Made, Refused, Unchanged};
        for form in [LinkForm::Link, LinkForm::Script] {
            let place = tempfile::tempdir().unwrap();
            let directory = place.path().join("new");
            assert_eq!(outcomes("/a/headcount", &directory, form), [Made, Made]);
            assert_eq!(outcomes("/a/headcount", &directory, form), [Unchanged, Unchanged]);
            assert_eq!(outcomes("/b/headcount", &directory, form), [Changed, Changed]);
            fs::remove_file(directory.join("one")).unwrap();
            fs::write(directory.join("one"), "#!/bin/sh\necho mine\n").unwrap();
            fs::remove_file(directory.join("b/two")).unwrap();
            symlink("/usr/bin/true", directory.join("b/two")).unwrap();
            assert_eq!(outcomes("/b/headcount", &directory, form), [Refused, Refused]);
            assert_eq!(fs::read_link(directory.join("b/two")).unwrap(), Path::new("/usr/bin/true"));
            let mut left: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            left.sort();
            assert_eq!(left, ["b", "one"]);
        }
    }

    #[test]
    fn a_script_calls_headcount_by_its_own_name() {
        let place = tempfile::tempdir().unwrap();
        let program = place.path().join("it's headcount");
        fs::write(&program, "#!/bin/bash\nprintf '%s|' \"$@\"\n").unwrap();
        fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        make(&program, place.path(), LinkForm::Script, &["scripts/tool"]);
        let ran = std::process::Command::new("bash").arg(place.path().join("scripts/tool")).args(["a b", ""]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ran.stdout), "a b||", "{ran:?}");
    }
}

//! What can happen to headcount's own files: journal, state, job registry. Never judges.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::Fault;
use crate::matrix::Outcome::{CannotTell, Error, Later};
use crate::matrix::Tried;
use crate::matrix::stage::Stage;
use crate::matrix::verb::Verb::{Doctor, Explain, History, JobList, JobPublish, JobSubmit, Reconcile, Undo};

pub(super) fn all() -> Vec<Fault> {
    vec![
        Fault {
            heal: Stage::release,
            expected: &[(&[Undo, Reconcile], Error(1)), (&[JobSubmit], Later)],
            ..Fault::new("state on a full file system", |stage| {
                let state = stage.state();
                super::save::full(stage, state)
            })
        },
        Fault {
            heal: |stage| open_up(&stage.state()),
            expected: &[(&[Undo, Reconcile, History, Doctor], Error(1)), (&[JobSubmit], Later), (&[Explain], CannotTell)],
            ..Fault::new("state directory unreadable", |stage| shut(&stage.state()))
        },
        Fault::new("journal torn at its end", |stage| {
            let journal = stage.own_state().join("journal.jsonl");
            let mut text = fs::read(&journal).unwrap();
            text.extend_from_slice(b"{\"id\": 99, \"at\": \"2026-");
            fs::write(journal, text).unwrap();
            Ok(())
        }),
        Fault::new("a line of garbage inside the journal", |stage| {
            let journal = stage.own_state().join("journal.jsonl");
            let text = fs::read_to_string(&journal).unwrap();
            let (first, rest) = text.split_once('\n').unwrap();
            fs::write(journal, format!("{first}\n\u{1b}[31m\0 garbage\n{rest}")).unwrap();
            Ok(())
        }),
        Fault::new("state file is garbage", |stage| {
            fs::write(stage.own_state().join("state.json"), "\0\u{1b}{{{{").unwrap();
            Ok(())
        }),
        Fault::new("a torn job in the registry", |stage| {
            fs::write(stage.jobs().join("torn0000.json"), "{\"job_id\": \"torn0000\", \"sta").unwrap();
            Ok(())
        }),
        Fault {
            heal: |stage| open_up(&stage.jobs()),
            expected: &[(&[JobSubmit, JobPublish, Doctor], Error(1))],
            ..Fault::new("job registry read-only", |stage| {
                fs::set_permissions(stage.jobs(), Permissions::from_mode(0o500)).unwrap();
                match fs::write(stage.jobs().join("try"), "") {
                    Ok(()) => Err("this user may write everywhere".to_owned()),
                    Err(_) => Ok(()),
                }
            })
        },
        Fault {
            heal: |stage| open_up(&stage.jobs()),
            expected: &[(&[JobSubmit, JobPublish, JobList, Doctor], Error(1))],
            ..Fault::new("job registry unreadable", |stage| shut(&stage.jobs()))
        },
    ]
}

fn shut(directory: &Path) -> Tried {
    fs::set_permissions(directory, Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(directory).is_ok() {
        open_up(directory);
        return Err("this user may read everything".to_owned());
    }
    Ok(())
}

fn open_up(directory: &Path) {
    let _ = fs::set_permissions(directory, Permissions::from_mode(0o700));
}

//! What can happen to the files of the agents. Never judges; undoes what it did to them.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::atomic::Ordering;

use super::Fault;
use crate::matrix::Outcome::{self, CannotTell};
use crate::matrix::stage::{Kind, files};
use crate::matrix::verb::Verb::{self, Diff, Explain, Mcp, Reconcile, Status, Watch};

/// Only what has to do with sessions looks at the agents' files.
const LOOKING: &[Verb] = &[Status, Mcp, Diff, Explain, Reconcile, Watch, Verb::Init];

const CANNOT_TELL: &[(&[Verb], Outcome)] = &[(&[Status, Mcp, Diff, Reconcile, Explain], CannotTell)];

/// Nor can a first manifest be told whose conversations cannot be looked up.
const CORRUPT: &[(&[Verb], Outcome)] = &[(&[Status, Mcp, Diff, Reconcile, Explain, Verb::Init], CannotTell)];

pub(super) fn all() -> Vec<Fault> {
    let opencode = |name, strike| Fault {
        kind: Kind::Opencode,
        verbs: LOOKING,
        expected: CANNOT_TELL,
        heal: |stage| {
            let _ = fs::rename(stage.root().join("database"), stage.database());
        },
        ..Fault::new(name, strike)
    };
    vec![
        Fault {
            verbs: LOOKING,
            heal: |stage| {
                stage.transcripts_gone = false;
                let projects = stage.world().home().join(".claude/projects");
                let _ = fs::remove_dir_all(&projects);
                let _ = fs::rename(stage.root().join("projects"), projects);
            },
            ..Fault::new("transcripts removed", |stage| {
                stage.transcripts_gone = true;
                fs::rename(stage.world().home().join(".claude/projects"), stage.root().join("projects")).unwrap();
                Ok(())
            })
        },
        Fault {
            verbs: LOOKING,
            expected: CANNOT_TELL,
            heal: |stage| {
                let projects = stage.world().home().join(".claude/projects");
                fs::set_permissions(projects, Permissions::from_mode(0o700)).unwrap();
            },
            ..Fault::new("transcripts unreadable", |stage| {
                let projects = stage.world().home().join(".claude/projects");
                fs::set_permissions(&projects, Permissions::from_mode(0o0)).unwrap();
                match fs::read_dir(&projects) {
                    Ok(_) => Err("this user may read everything".to_owned()),
                    Err(_) => Ok(()),
                }
            })
        },
        Fault {
            verbs: LOOKING,
            heal: |stage| stage.transcripts_grow = false,
            ..Fault::new("30,000 transcript lines in a burst", |stage| {
                stage.transcripts_grow = true;
                let all = files(&stage.world().home().join(".claude/projects"));
                let path = all.into_iter().next().expect("a transcript");
                let stop = stage.stop.clone();
                std::thread::spawn(move || {
                    let mut file = fs::File::options().append(true).open(path).unwrap();
                    for number in 0..30_000 {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        writeln!(file, "{{\"type\":\"assistant\",\"message\":{{\"text\":\"line {number} \\u001b[31m\"}}}}")
                            .unwrap();
                    }
                });
                Ok(())
            })
        },
        Fault {
            expected: &[],
            ..opencode("OpenCode database locked", |stage| {
                // A process of its own: locks of one process do not show in itself.
                fs::copy(stage.database(), stage.root().join("database")).unwrap();
                let script = "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\n\
                          c.execute('BEGIN EXCLUSIVE')\nprint('held',flush=True)\ntime.sleep(1000)\n";
                let mut command = stage.command("python3");
                command.args(["-c", script]).arg(stage.database()).stdout(Stdio::piped());
                let mut child = command.spawn().map_err(|error| format!("python3, which holds the lock: {error}"))?;
                let mut line = String::new();
                let _ = std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line);
                stage.children.push(child);
                if line == "held\n" { Ok(()) } else { Err("python3 has no sqlite3".to_owned()) }
            })
        },
        Fault {
            expected: CORRUPT,
            ..opencode("OpenCode database corrupt", |stage| {
                fs::copy(stage.database(), stage.root().join("database")).unwrap();
                let mut bytes = fs::read(stage.database()).unwrap();
                let end = bytes.len();
                bytes[16..end].fill(0x5a);
                fs::write(stage.database(), bytes).unwrap();
                Ok(())
            })
        },
    ]
}

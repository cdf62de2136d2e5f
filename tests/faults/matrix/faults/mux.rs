//! What can happen to tmux and zellij. Never judges.

use std::fs;
use std::os::unix::net::UnixListener;

use rustix::process::Signal;

use super::Fault;
use crate::matrix::Outcome::{self, CannotTell};
use crate::matrix::stage::{Kind, Stage};
use crate::matrix::verb::Verb::{self, Diff, Explain, Init, Mcp, Reconcile, Status, Watch};
use crate::support::await_some;
use crate::zellij::{gone, signal};

/// A server that does not answer is unknown; what was known before stays.
const CANNOT_TELL: &[(&[Verb], Outcome)] = &[(&[Status, Mcp, Diff, Explain, Init, Reconcile], CannotTell)];

pub(super) fn all() -> Vec<Fault> {
    let tmux = |name, strike| Fault { expected: CANNOT_TELL, ..Fault::new(name, strike) };
    let zellij = |name, strike| Fault { kind: Kind::Zellij, expected: CANNOT_TELL, ..Fault::new(name, strike) };
    vec![
        Fault {
            destroys: true,
            heal: begin_again,
            ..Fault::new("tmux server killed, then started anew", |stage| {
                let server = stage.server();
                signal(server, Signal::KILL);
                gone(server);
                all_ended(stage);
                Ok(())
            })
        },
        tmux("tmux server stopped, then resumed", |stage| {
            let server = stage.server();
            stage.wedge(server);
            Ok(())
        }),
        Fault {
            heal: |stage| {
                let _ = fs::rename(stage.root().join("away"), stage.world().socket());
            },
            ..tmux("tmux socket removed, server alive", |stage| {
                fs::rename(stage.world().socket(), stage.root().join("away")).unwrap();
                Ok(())
            })
        },
        Fault {
            from_the_start: true,
            expected: &[
                (&[Status, Mcp, Diff, Explain, Init, Reconcile, Watch], CannotTell),
                (&[Verb::Doctor], Outcome::Error(1)),
            ],
            ..Fault::new("tmux missing from PATH", |stage| {
                stage.variables.push(("PATH".to_owned(), "/nowhere".to_owned()));
                Ok(())
            })
        },
        Fault {
            from_the_start: true,
            heal: |stage| {
                let _ = fs::remove_file(stage.root().join("bin/tmux"));
            },
            expected: &[
                (&[Status, Mcp, Diff, Explain, Init, Reconcile, Watch], CannotTell),
                (&[Verb::Doctor], Outcome::Error(1)),
            ],
            ..Fault::new("tmux too old", |stage| {
                // The stand-ins' PATH begins here, the harness's own tmux is found beyond it.
                stage
                    .world()
                    .program("tmux", "#!/bin/sh\ncase $1 in -V) echo 'tmux 2.8' ;; *) echo '2.8|1|||||||||' ;; esac\n");
                Ok(())
            })
        },
        zellij("zellij server stopped, then resumed", |stage| {
            let server = stage.zellij().server(&stage.steady);
            stage.wedge(server);
            Ok(())
        }),
        Fault {
            kind: Kind::Zellij,
            destroys: true,
            ..Fault::new("zellij server killed", |stage| {
                let server = stage.zellij().server(&stage.steady);
                signal(server, Signal::KILL);
                gone(server);
                let steady = stage.steady.clone();
                stage.has_ended(&steady);
                Ok(())
            })
        },
        Fault {
            kind: Kind::Zellij,
            from_the_start: true,
            ..Fault::new("zellij missing from PATH", |stage| {
                stage.variables.push(("PATH".to_owned(), "/usr/bin:/bin".to_owned()));
                Ok(())
            })
        },
        Fault {
            kind: Kind::Zellij,
            from_the_start: true,
            heal: |stage| {
                let _ = fs::remove_dir_all(stage.zellij().base().join("0.43.1"));
            },
            expected: &[(&[Status, Mcp, Diff, Reconcile, Watch, Explain], CannotTell)],
            ..Fault::new("zellij too old", |stage| {
                // Where the older generation keeps its sockets.
                let old = stage.zellij().base().join("0.43.1");
                fs::create_dir_all(&old).unwrap();
                let ended = old.join(&stage.ended);
                let socket = UnixListener::bind(ended).map_err(|error| format!("a socket: {error}"))?;
                stage.sockets.push(socket);
                Ok(())
            })
        },
    ]
}

/// Waits until nobody is alive any more.
fn all_ended(stage: &mut Stage) {
    let names: Vec<String> = stage.truth.keys().cloned().collect();
    for name in names {
        stage.has_ended(&name);
    }
}

/// The server and two of the sessions are there again, in other conversations.
fn begin_again(stage: &mut Stage) {
    if stage.truth.values().any(Option::is_some) {
        return;
    }
    let refused = || std::os::unix::net::UnixStream::connect(stage.world().socket()).is_err().then_some(());
    await_some("the end of the old server", refused);
    let workspace = stage.world().workspace("shop");
    for name in [stage.steady.clone(), stage.frail.clone()] {
        let alive = stage.start(&name, &workspace);
        stage.truth.insert(name.clone(), Some(alive));
        // A conversation in which nothing was said replaces none.
        stage.prompt(&name, "again");
    }
}

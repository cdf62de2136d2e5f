//! What observation sees of a real tmux server, real processes and files on disk, and what it says when it cannot see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

#[path = "../support/odd.rs"]
mod odd;
#[path = "../support/mod.rs"]
mod support;

mod agents;
mod codex;
mod copilot;
mod custom;
mod doors;
mod elsewhere;
mod gemini;
mod hidden;
mod identity;
mod names;
mod opencode;
mod peers;
mod pi;
mod servers;
mod sessions;
mod transcripts;
mod turns;
mod users;

use headcount::control::observe::{Observer, observe};
use headcount::core::fact::Fact;
use headcount::core::manifest::Manifest;
use headcount::core::observe::{Agent, MuxSession, Observation, Server};
use headcount::host::LocalHost;

/// One look at a test's world, with some variables set otherwise.
fn look_with(world: &support::World, variables: &[(&str, &str)], manifest: &Manifest) -> Observation {
    let env = world.environ(variables);
    let host = Box::new(LocalHost::named(support::HOST, env.clone()));
    observe(&Observer { host, ..Observer::local(env) }, manifest)
}

/// One look at a test's world.
fn look(world: &support::World, manifest: &Manifest) -> Observation {
    look_with(world, &[], manifest)
}

/// The default server, which must have been seen.
fn default_server(seen: &Observation) -> &Server {
    match &seen.servers[&support::server("default")] {
        Fact::Seen(server) => server,
        other => panic!("the default server: {other:?}"),
    }
}

/// A session of the default server, which must be there.
fn session<'a>(seen: &'a Observation, name: &str) -> &'a MuxSession {
    let server = default_server(seen);
    server.sessions.iter().find(|session| session.name == name).unwrap_or_else(|| panic!("{name:?}: {server:?}"))
}

/// The agents in all panes of a session of the default server.
fn agents<'a>(seen: &'a Observation, name: &str) -> Vec<&'a Agent> {
    let panes = session(seen, name).panes.iter();
    panes
        .flat_map(|pane| pane.agents.seen().unwrap_or_else(|| panic!("{name}: {:?}", pane.agents)))
        .map(std::sync::Arc::as_ref)
        .collect()
}

/// Runs one test of this program again as a user who owns nothing here. Only root can; others ask the question themselves.
fn as_nobody(test: &str, variables: &[(&str, &std::ffi::OsStr)]) {
    // A copy, because the directory of the original need not be open to that user.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    for path in [dir.path(), &copy] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&copy).args(["--exact", test, "--nocapture"]);
    match command.envs(variables.iter().copied()).current_dir("/").output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
        }
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: setpriv cannot be run: {error}");
        }
    }
}

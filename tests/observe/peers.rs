//! Who counts as another agent in the workspace, where his directory is gone or may not be looked at.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use headcount::core::fact::Fact;
use headcount::core::manifest::Manifest;
use headcount::core::observe::Agent;
use headcount::host::{Host, LocalHost};

use crate::support::aider::{declaring, install, prompt};
use crate::support::{HOST, World, await_some, manifest};
use crate::{agents, look};

/// What the stand-in is called, for each test otherwise: another's agents may not be looked at either.
const LONER: &str = "loner";
const HERMIT: &str = "hermit";

fn world(program: &str) -> World {
    let world = World::new();
    install(&world);
    fs::rename(world.root().join("bin/aider"), world.root().join("bin").join(program)).unwrap();
    world
}

/// A manifest that declares the program a world has.
fn declared(world: &World, name: &str) -> Manifest {
    let is_there = |program: &&str| world.root().join("bin").join(program).exists();
    let program = [LONER, HERMIT].into_iter().find(is_there).unwrap();
    let text = declaring([format!("name: {name}, agent: aider")]);
    manifest(&text.replace("programs: [aider]", &format!("programs: [{program}]")))
}

/// The only agent of a session, once there is one.
fn agent(world: &World, name: &str) -> Agent {
    await_some(name, || agents(&look(world, &declared(world, name)), name).first().map(|agent| (*agent).clone()))
}

fn peers(world: &World, name: &str) -> Fact<u32> {
    agent(world, name).ladder.peers
}

/// A process of a test, which ends with it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_whose_directory_was_deleted_counts_where_that_was() {
    let world = world(LONER);
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    world.session("far", &other, &format!("exec {LONER}"));
    agent(&world, "far");
    fs::remove_dir(&other).unwrap();
    // Its directory was moved first, so it is deleted under another name than it was started in.
    world.session("moved", &cwd, &format!("exec {LONER}"));
    agent(&world, "moved");
    let away = world.root().join("lab/away");
    fs::rename(&cwd, &away).unwrap();
    fs::remove_dir(&away).unwrap();
    fs::create_dir(&cwd).unwrap();
    let old = world.session("old", &cwd, &format!("exec {LONER}"));
    agent(&world, "old");
    fs::remove_dir(&cwd).unwrap();
    fs::create_dir(&cwd).unwrap();
    world.session("s", &cwd, &format!("exec {LONER}"));
    agent(&world, "s");
    prompt(&world, "s", &cwd, 0);
    assert_eq!(peers(&world, "s"), Fact::Seen(3), "those that go on in directories that had this name");
    let gone = LocalHost::named(HOST, world.environ(&[])).cwd(old);
    assert!(gone.why_unknown().is_some_and(|why| why.contains("deleted")), "{gone:?}");
    world.tmux(["kill-session", "-t", "=old"]);
    await_some("its end", || (peers(&world, "s") == Fact::Seen(2)).then_some(()));
    world.tmux(["kill-session", "-t", "=moved"]);
    await_some("its end", || (peers(&world, "s") == Fact::Seen(1)).then_some(()));
}

#[test]
fn an_agent_that_may_not_be_looked_at_counts_unless_it_cannot_have_written_what_appeared() {
    if !rustix::process::getuid().is_root() {
        let _ = writeln!(std::io::stderr(), "SKIPPED agents of other users: only root can start some");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let hidden = dir.path().join(HERMIT);
    fs::copy("/bin/sleep", &hidden).unwrap();
    // A program that may not be read hides where it works, even from its own user.
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o111)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let stranger = |options: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65533", "--regid=65533", "--clear-groups"]).args(options);
        command.args(["bash", "-c", &format!("exec -a {HERMIT} sleep 600")]).current_dir("/").spawn().map(Running)
    };
    match stranger(&[]) {
        Ok(other) => {
            let (pid, path) = (other.0.id().to_string(), hidden.as_os_str());
            crate::as_nobody("peers::seen_by_one_who_may_not_look", &[("HC_OTHER", OsStr::new(&pid)), ("HC_HIDDEN", path)]);
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED agents of other users: setpriv cannot be run: {error}");
        }
    }
    let capable = stranger(&["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]);
    if let Ok(capable) = capable {
        let pid = capable.0.id().to_string();
        crate::as_nobody("peers::seen_by_one_who_may_not_look", &[("HC_CAPABLE", OsStr::new(&pid))]);
    }
}

/// Run as another user by the test above; by itself it has nobody to look at.
#[test]
fn seen_by_one_who_may_not_look() {
    let of = |name: &str| std::env::var_os(name);
    let Some(pid) = of("HC_OTHER").or(of("HC_CAPABLE")).map(|pid| pid.to_str().unwrap().parse().unwrap()) else { return };
    let world = world(HERMIT);
    let cwd = world.workspace("w");
    let host = LocalHost::named(HOST, world.environ(&[]));
    let is_running = |pid: u32| host.process(pid).seen().is_some_and(|process| process.argv[0] == HERMIT).then_some(());
    await_some("the other user's", || is_running(pid));
    assert!(host.cwd(pid).why_unknown().is_some(), "it can be looked at");
    world.session("s", &cwd, &format!("exec {HERMIT}"));
    agent(&world, "s");
    let (_, path) = prompt(&world, "s", &cwd, 0);
    let is_unknown = |when: &str| {
        let peers = peers(&world, "s");
        assert!(peers.why_unknown().is_some_and(|why| why.contains("working directory")), "{when}: {peers:?}");
    };
    if of("HC_CAPABLE").is_some() {
        return is_unknown("one that may write anybody's files");
    }
    assert_eq!(peers(&world, "s"), Fact::Seen(1), "another user's");
    for mode in [0o666, 0o664, 0o642] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        is_unknown("others may write it");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(peers(&world, "s"), Fact::Seen(1));
    let hidden = Running(own(&PathBuf::from(of("HC_HIDDEN").unwrap())));
    await_some("the hidden one", || is_running(hidden.0.id()));
    assert!(host.cwd(hidden.0.id()).why_unknown().is_some(), "it does not hide");
    is_unknown("one of this very user");
}

fn own(program: &Path) -> Child {
    Command::new(program).arg0(HERMIT).arg("600").current_dir("/").spawn().unwrap()
}

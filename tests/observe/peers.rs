//! Who counts as another agent in the workspace, where his directory is gone or may not be looked at.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use headcount::core::fact::Fact;
use headcount::core::observe::Agent;
use headcount::host::{Host, LocalHost};

use crate::support::aider::{declaring, install, prompt};
use crate::support::{HOST, World, await_some, manifest};
use crate::{agents, look};

/// A world whose stand-in has a name of its own: nobody else's agents, not even those of the same test run elsewhere, are of its
/// kind.
struct Lone {
    world: World,
    program: String,
}

impl Lone {
    fn new(program: String) -> Self {
        let world = World::new();
        install(&world);
        let bin = world.root().join("bin");
        fs::rename(bin.join("aider"), bin.join(&program)).unwrap();
        Self { world, program }
    }

    /// Starts the stand-in in a session and waits until it is seen.
    fn start(&self, name: &str, cwd: &Path) -> u32 {
        let pid = self.world.session(name, cwd, &format!("exec {}", self.program));
        self.agent(name);
        pid
    }

    /// The only agent of a session, once there is one.
    fn agent(&self, name: &str) -> Agent {
        let text = declaring([format!("name: {name}, agent: aider")]);
        let manifest = manifest(&text.replace("programs: [aider]", &format!("programs: [{}]", self.program)));
        await_some(name, || agents(&look(&self.world, &manifest), name).first().map(|agent| (*agent).clone()))
    }

    fn peers(&self, name: &str) -> Fact<u32> {
        self.agent(name).ladder.peers
    }

    fn host(&self) -> LocalHost {
        LocalHost::named(HOST, self.world.environ(&[]))
    }
}

/// A name that nobody else has, nor another test of this process.
fn own_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("loner-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
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
    let lone = Lone::new(own_name());
    let world = &lone.world;
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    lone.start("far", &other);
    fs::remove_dir(&other).unwrap();
    // Its directory was moved first, so it is deleted under another name than it was started in.
    lone.start("moved", &cwd);
    let away = world.root().join("lab/away");
    fs::rename(&cwd, &away).unwrap();
    fs::remove_dir(&away).unwrap();
    fs::create_dir(&cwd).unwrap();
    let old = lone.start("old", &cwd);
    fs::remove_dir(&cwd).unwrap();
    fs::create_dir(&cwd).unwrap();
    lone.start("s", &cwd);
    prompt(world, "s", &cwd, 0);
    assert_eq!(lone.peers("s"), Fact::Seen(3), "those that go on in directories that had this name");
    let gone = lone.host().cwd(old);
    assert!(gone.why_unknown().is_some_and(|why| why.contains("deleted")), "{gone:?}");
    world.tmux(["kill-session", "-t", "=old"]);
    await_some("its end", || (lone.peers("s") == Fact::Seen(2)).then_some(()));
    world.tmux(["kill-session", "-t", "=moved"]);
    await_some("its end", || (lone.peers("s") == Fact::Seen(1)).then_some(()));
}

#[test]
fn an_agent_below_a_script_of_its_name_counts_once_and_where_it_went() {
    let lone = Lone::new(own_name());
    let world = &lone.world;
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    let script = world.root().join(&lone.program);
    let itself = world.root().join("bin").join(&lone.program);
    fs::write(&script, format!("#!/bin/bash\n(cd {cwd:?} && exec {itself:?})\ntrue\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    lone.start("s", &cwd);
    prompt(world, "s", &cwd, 0);
    assert_eq!(lone.peers("s"), Fact::Seen(1));
    world.session("below", &other, &format!("exec {script:?}"));
    await_some("the other one", || (lone.peers("s") == Fact::Seen(2)).then_some(()));
}

#[test]
fn an_agent_that_may_not_be_looked_at_counts_unless_what_appeared_is_anothers_file() {
    if !rustix::process::getuid().is_root() {
        let _ = writeln!(std::io::stderr(), "SKIPPED agents of other users: only root can start some");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = own_name();
    let hidden = dir.path().join(&program);
    fs::copy("/bin/sleep", &hidden).unwrap();
    // A program that may not be read hides where it works, even from its own user.
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o111)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Root's agent is no other user's: whose file it is decides, and not who might have written it.
    for user in ["65533", "0"] {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
        command.args(["bash", "-c", &format!("exec -a {program} sleep 600")]).current_dir("/");
        match command.spawn().map(Running) {
            Ok(other) => {
                let pid = other.0.id().to_string();
                let variables = [("HC_OTHER", OsStr::new(&pid)), ("HC_HIDDEN", hidden.as_os_str())];
                crate::as_nobody("peers::seen_by_one_who_may_not_look", &variables);
            }
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "SKIPPED agents of other users: setpriv cannot be run: {error}");
            }
        }
    }
}

/// Run as another user by the test above; by itself it has nobody to look at.
#[test]
fn seen_by_one_who_may_not_look() {
    let Some(other) = std::env::var("HC_OTHER").ok().map(|pid| pid.parse::<u32>().unwrap()) else { return };
    let hidden = std::path::PathBuf::from(std::env::var_os("HC_HIDDEN").unwrap());
    let program = hidden.file_name().unwrap().to_str().unwrap();
    let lone = Lone::new(program.to_owned());
    let host = lone.host();
    let await_hidden = |pid: u32| {
        let is_running = || host.process(pid).seen().is_some_and(|process| process.argv[0] == program);
        await_some("the other", || is_running().then_some(()));
        assert!(host.cwd(pid).why_unknown().is_some(), "it can be looked at");
    };
    await_hidden(other);
    let cwd = lone.world.workspace("w");
    lone.start("s", &cwd);
    let (_, path) = prompt(&lone.world, "s", &cwd, 0);
    for mode in [0o644, 0o666, 0o600] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(lone.peers("s"), Fact::Seen(1), "another user's");
    }
    let own = Running(Command::new(&hidden).arg0(program).arg("600").current_dir("/").spawn().unwrap());
    await_hidden(own.0.id());
    let peers = lone.peers("s");
    assert!(peers.why_unknown().is_some_and(|why| why.contains("working directory")), "one of this very user: {peers:?}");
}

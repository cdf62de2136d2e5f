//! Acting from within a service of systemd: what is begun gets a scope of its own, or is not begun. The service is a real control
//! group; systemd is a stand-in, because few places where tests run have one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::in_zellij::with_zellij;
use super::support::await_some;
use super::{Ran, Scene};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";

/// A control group that is named as a service, and one that is named as a scope; removed at the end.
struct Groups {
    service: PathBuf,
    scope: PathBuf,
}

impl Groups {
    /// `None`: there can be none here, which is said.
    fn new() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
        let unique = format!("headcount-{}-{:?}", std::process::id(), std::thread::current().id()).replace(['(', ')'], "");
        let made = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().find_map(|mount| {
            let mount = Path::new(mount).join(&own);
            let groups =
                Self { service: mount.join(format!("{unique}.service")), scope: mount.join(format!("{unique}.scope")) };
            let is_there = |path: &Path| fs::create_dir(path).is_ok() && path.join("cgroup.procs").exists();
            let is_made = mount.join("cgroup.procs").exists() && is_there(&groups.service) && is_there(&groups.scope);
            // What cannot be entered is no use.
            (is_made && groups.can_be_entered()).then_some(groups)
        });
        if made.is_none() {
            eprintln!("SKIPPED a service of systemd: no control group of version 2 can be made here");
        }
        made
    }

    fn can_be_entered(&self) -> bool {
        let script = format!("echo $$ > '{}'", self.service.join("cgroup.procs").display());
        std::process::Command::new("sh").args(["-c", &script]).output().is_ok_and(|output| output.status.success())
    }

    /// Runs headcount in the service.
    fn run(&self, scene: &Scene, words: &[&str]) -> Ran {
        let mut command = std::process::Command::new("sh");
        let script = format!("echo $$ > '{}' && exec \"$@\"", self.service.join("cgroup.procs").display());
        let headcount = scene.command(words);
        command.args(["-c", &script, "sh"]).arg(headcount.get_program()).args(headcount.get_args()).env_clear();
        command.envs(headcount.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("INVOCATION_ID", "0123");
        Ran::from(command.current_dir(scene.world.root().join("lab")).output().unwrap())
    }

    fn is_in(&self, pid: u32, group: &Path) -> bool {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        groups.contains(group.file_name().unwrap().to_str().unwrap())
    }

    /// A stand-in for systemd-run: notes its options, and has the command carried out in the scope.
    fn systemd(&self, scene: &Scene) -> PathBuf {
        let log = scene.world.root().join("systemd-run.log");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> '{}'\nwhile [ \"$1\" != -- ]; do shift; done; shift\n\
             echo $$ > '{}' && exec \"$@\"\n",
            log.display(),
            self.scope.join("cgroup.procs").display()
        );
        program(scene, "systemd-run", &script);
        log
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // What ran there may take a moment to be gone.
        for group in [&self.service, &self.scope] {
            for _ in 0..200 {
                if fs::remove_dir(group).is_ok() || !group.exists() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

/// Puts a program into the PATH of this world.
fn program(scene: &Scene, name: &str, script: &str) {
    let path = scene.world.root().join("bin").join(name);
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn started_in_a_scope(groups: &Groups, scene: &Scene) {
    let log = groups.systemd(scene);
    assert_eq!(groups.run(scene, &["plan", "--json"]).is(2).json()["actions"][0]["state"], "planned");
    assert_eq!(groups.run(scene, &["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    let (pid, _) = scene.agents().remove(0);
    let top = await_some("the agent's ancestors", || outermost(pid));
    assert!(groups.is_in(pid, &groups.scope), "the agent is in the scope");
    assert!(groups.is_in(top, &groups.scope), "and so is its server");
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.lines().all(|line| line.starts_with("--user --scope --quiet --collect -- ")), "{said}");
}

/// The outermost process above one that is not the first of the machine: the multiplexer's server.
fn outermost(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent: u32 = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    if name.starts_with("tmux") || name.starts_with("zellij") { Some(pid) } else { outermost(parent) }
}

#[test]
fn a_server_that_a_service_begins_has_a_scope_of_its_own() {
    let Some(groups) = Groups::new() else { return };
    let scene = Scene::new(ONE);
    started_in_a_scope(&groups, &scene);
    // Its server runs: what speaks to it needs no scope.
    let log = scene.world.root().join("systemd-run.log");
    fs::remove_file(&log).unwrap();
    program(&scene, "systemd-run", "#!/bin/sh\nexit 1\n");
    scene.world.tmux(["new-session", "-d", "-s", "another", "sleep", "600"]);
    assert_eq!(groups.run(&scene, &["stop", "one", "--yes", "--json"]).is(0).outcome("one").0, "stop done");
    assert_eq!(groups.run(&scene, &["start", "one", "--fresh", "--json"]).is(0).outcome("one").1, "");
    scene.world.tmux(["kill-server"]);
}

#[test]
fn a_zellij_server_that_a_service_begins_has_a_scope_of_its_own() {
    let Some(groups) = Groups::new() else { return };
    let Some((scene, zellij)) = with_zellij(&ONE.replace("desired", "mux: zellij, desired")) else { return };
    started_in_a_scope(&groups, &scene);
    drop((scene, zellij));
}

#[test]
fn without_a_scope_a_service_begins_no_server() {
    let Some(groups) = Groups::new() else { return };
    let scene = Scene::new(ONE);
    let blocked = |why: &str| {
        let plan = groups.run(&scene, &["plan", "--json"]).is(3).json();
        let blocked = &plan["actions"][0]["blocked"];
        assert_eq!(blocked["code"], "no-scope");
        assert!(blocked["message"].as_str().unwrap().contains(why), "{blocked}");
        assert_eq!(groups.run(&scene, &["apply", "--yes", "--json"]).is(3).outcome("one").1, "no-scope");
    };
    program(&scene, "systemd-run", "#!/bin/sh\necho 'Failed to connect to user scope bus: No medium found' >&2\nexit 1\n");
    blocked("(Failed to connect to user scope bus: No medium found)");
    assert!(scene.agents().is_empty());
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done", "outside of a service");
}

//! Which thread a Codex is in, by the lock that a process holds. The lock is held by this very program under Codex's name.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use headcount::core::fact::Fact;
use headcount::core::ids::ConversationId;
use headcount::core::observe::Agent;
use headcount::core::observe::identity::{Rung, RungValue};

use crate::support::{World, await_some, entries};
use crate::{agents, look};

const ID: &str = "01a1fc1b-b7b6-7361-96bb-4283a7de4ab6";

/// A process that holds a lock until the end of its test.
struct Holder(Child);

impl Holder {
    /// One with these arguments before those that make it hold the lock.
    fn new(lock: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg0("codex").args(args).args(["--exact", "codex::hold", "--nocapture"]).env("HC_LOCK", lock);
        let holder = Self(command.spawn().unwrap());
        await_some("the lock", || lock.with_extension("held").exists().then_some(()));
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Run as a process of its own by the tests below; by itself it has nothing to hold.
#[test]
fn hold() {
    let Some(path) = std::env::var_os("HC_LOCK").map(PathBuf::from) else { return };
    let mut files = Vec::new();
    for path in std::iter::once(path.clone()).chain(std::env::var_os("HC_LOCK_TOO").map(PathBuf::from)) {
        let file = fs::File::create(&path).unwrap();
        fs4::FileExt::lock(&file).unwrap();
        files.push(file);
    }
    fs::write(path.with_extension("held"), "").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(600));
}

fn lock(world: &World) -> PathBuf {
    let locks = world.home().join(".codex/thread-writer-locks");
    fs::create_dir_all(&locks).unwrap();
    locks.join(format!("{ID}.lock"))
}

fn codex(world: &World, name: &str) -> Agent {
    let manifest = entries([format!("name: {name}, agent: codex")]);
    await_some(name, || agents(&look(world, &manifest), name).first().map(|agent| (*agent).clone()))
}

fn proof(agent: &Agent) -> Option<(String, Rung)> {
    agent.ladder.proof().into_seen().map(|(id, rung)| (id.as_str().to_owned(), rung))
}

#[test]
fn a_thread_among_the_arguments_is_in_use_as_long_as_the_daemon_has_it_open() {
    let world = World::new();
    let cwd = world.workspace("w");
    world.session("s", &cwd, &format!("exec bash -c 'exec -a codex bash -c \"read x\" codex resume {ID}'"));
    let named = Some((ID.to_owned(), Rung::Start));
    assert_eq!(proof(&codex(&world, "s")), named, "a Codex without locks");
    let lock = lock(&world);
    let doubt = || {
        let agent = codex(&world, "s");
        let start = agent.ladder.readings.into_iter().find(|reading| reading.rung == Rung::Start).unwrap();
        assert_eq!(start.fact, Fact::Absent);
        start.looked_at
    };
    assert!(doubt().contains("no process has"), "it went on in another thread");
    let daemon = Holder::new(&lock, &["app-server"]);
    assert_eq!(proof(&codex(&world, "s")), named);
    drop(daemon);
    assert!(doubt().contains("no process has"), "a lock that was left is nobody's");
    fs::remove_file(lock.with_extension("held")).unwrap();
    let other = Holder::new(&lock, &[]);
    assert!(doubt().contains(&format!("process {} has", other.0.id())), "it shows that the thread is open elsewhere");
}

#[test]
fn a_lock_is_found_in_a_home_behind_a_link() {
    let world = World::new();
    let (cwd, away) = (world.workspace("w"), world.root().join("dotfiles"));
    fs::create_dir(&away).unwrap();
    std::os::unix::fs::symlink(&away, world.home().join(".codex")).unwrap();
    let exe = std::env::current_exe().unwrap();
    let lock = lock(&world);
    let command = format!("HC_LOCK={lock:?} exec bash -c 'exec -a codex {exe:?} --exact codex::hold --nocapture'");
    world.session("s", &cwd, &command);
    await_some("the lock", || lock.with_extension("held").exists().then_some(()));
    let held = codex(&world, "s").ladder.readings.into_iter().find(|reading| reading.rung == Rung::Held).unwrap();
    assert_eq!(held.fact, Fact::Seen(RungValue::Id(ConversationId(ID.to_owned()))));
}

#[test]
fn a_codex_that_also_has_its_sub_agents_thread_open_is_in_its_own() {
    let world = World::new();
    let cwd = world.workspace("w");
    let (exe, lock) = (std::env::current_exe().unwrap(), lock(&world));
    let other = "01a1fc1c-a7a8-7250-96eb-9fac0638249e";
    let too = lock.with_file_name(format!("{other}.lock"));
    let day = world.home().join(".codex/sessions/2026/11/29");
    fs::create_dir_all(&day).unwrap();
    let write = |id: &str, more: &str| {
        let line = format!(
            r#"{{"type":"session_meta","payload":{{"id":"{id}","cwd":{cwd:?},"timestamp":"2026-11-29T01:00:00Z"{more}}}}}"#
        );
        fs::write(day.join(format!("rollout-2026-11-29T01-00-00-{id}.jsonl")), line + "\n").unwrap();
    };

    let command =
        format!("HC_LOCK={lock:?} HC_LOCK_TOO={too:?} exec bash -c 'exec -a codex {exe:?} --exact codex::hold --nocapture'");
    world.session("s", &cwd, &command);
    await_some("the locks", || lock.with_extension("held").exists().then_some(()));
    write(ID, "");
    write(other, &format!(r#","source":{{"subagent":{{"thread_spawn":{{"parent_thread_id":"{ID}"}}}}}}"#));
    assert_eq!(proof(&codex(&world, "s")), Some((ID.to_owned(), Rung::Held)));
    write(other, &format!(r#","forked_from_id":"{ID}""#));
    assert_eq!(proof(&codex(&world, "s")), None, "it may show either");
}

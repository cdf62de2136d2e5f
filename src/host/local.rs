//! The machine headcount runs on. Joins the ways of reading processes; never interprets what they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Command, CommandOutput, Environ, Hold, Host, Listener, NamespacePid, ProcessInfo, ProcessRow, Rights, RunError,
    SocketReply, SocketRequest, container, hold, pidfd, procfs, ps, question, run, socket,
};
use crate::core::fact::Fact;
use crate::core::observe::Boot;

/// Where Linux names the running boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Two readings of the clocks differ by less than this unless the clock was set. Within it the first one stands, so that a
/// process has one start time for as long as it lives.
const SAME_BOOT: TimeDelta = TimeDelta::milliseconds(50);
/// How long one `ps` may serve, on hosts that need it.
const FRESH: Duration = Duration::from_millis(500);

/// The local machine.
#[derive(Debug)]
pub struct LocalHost {
    name: String,
    env: Environ,
    ticks_per_second: u64,
    booted: Mutex<DateTime<Utc>>,
    /// Set where there is no `/proc`, or not ours.
    ps: Option<Mutex<Snapshot>>,
}

/// What the last `ps` said.
#[derive(Debug)]
struct Snapshot {
    taken: Option<Instant>,
    /// Whether no other is ever taken.
    is_final: bool,
    processes: Result<BTreeMap<u32, ProcessInfo>, String>,
}

impl LocalHost {
    /// The local machine, under the name the kernel gives it; children get `env`.
    pub fn new(env: Environ) -> Self {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self::named(name, env)
    }

    /// The same under another name.
    pub fn named(name: impl Into<String>, env: Environ) -> Self {
        // Where `/proc` is not ours `ps`, which reads it as well, knows no better.
        let blind = container::blindness().map(|why| Snapshot { is_final: true, processes: Err(why), ..Snapshot::default() });
        let is_elsewhere = || !cfg!(target_os = "linux") && !Path::new("/proc/self/stat").exists();
        let ps = blind.map(Mutex::new).or_else(|| is_elsewhere().then(Mutex::default));
        Self {
            name: name.into(),
            env,
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            booted: Mutex::new(boot_time()),
            ps,
        }
    }

    /// Reads processes by `ps` even where there is a `/proc`.
    #[cfg(test)]
    fn by_ps(mut self) -> Self {
        self.ps = Some(Mutex::default());
        self
    }

    /// The beginning of the boot, the same to the millisecond until the clock is set.
    fn booted(&self) -> DateTime<Utc> {
        *self.booted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refresh_boot(&self) -> DateTime<Utc> {
        let reading = boot_time();
        let mut booted = self.booted.lock().unwrap_or_else(PoisonError::into_inner);
        if (reading - *booted).abs() > SAME_BOOT {
            *booted = reading;
        }
        *booted
    }

    /// Asks a fresh enough `ps`.
    fn ask_ps<T>(&self, ps: &Mutex<Snapshot>, ask: impl FnOnce(&BTreeMap<u32, ProcessInfo>) -> Fact<T>) -> Fact<T> {
        let mut snapshot = ps.lock().unwrap_or_else(PoisonError::into_inner);
        if !snapshot.is_final && snapshot.taken.is_none_or(|taken| taken.elapsed() > FRESH) {
            snapshot.processes = match run::run(&ps::command(), &self.env) {
                Ok(output) if output.is_success() => {
                    let all = ps::parse(&String::from_utf8_lossy(&output.stdout), self.now());
                    Ok(all.into_iter().map(|process| (process.pid, process)).collect())
                }
                Ok(output) => Err(format!("ps failed: {}", String::from_utf8_lossy(&output.stderr).trim())),
                Err(error) => Err(format!("ps: {error}")),
            };
            snapshot.taken = Some(Instant::now());
        }
        match &snapshot.processes {
            Ok(processes) => ask(processes),
            Err(why) => Fact::Unknown(why.clone()),
        }
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { taken: None, is_final: false, processes: Ok(BTreeMap::new()) }
    }
}

/// Now less the time since boot, sleep included.
fn boot_time() -> DateTime<Utc> {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let up = rustix::time::clock_gettime(clock);
    let up = TimeDelta::new(up.tv_sec, u32::try_from(up.tv_nsec).unwrap_or(0)).unwrap_or(TimeDelta::zero());
    let at = Utc::now() - up;
    DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at)
}

impl Host for LocalHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn boot(&self) -> Fact<Boot> {
        let at = self.refresh_boot();
        match std::fs::read_to_string(BOOT_ID) {
            Ok(id) => Fact::Seen(Boot { id: id.trim().to_owned(), at }),
            Err(error) => Fact::Unknown(format!("cannot read {BOOT_ID}: {error}")),
        }
    }

    fn run(&self, command: &Command) -> Result<CommandOutput, RunError> {
        run::run(command, &self.env)
    }

    fn feed(&self, command: &Command, input: &[u8]) -> Result<CommandOutput, RunError> {
        run::feed(command, input, &self.env)
    }

    fn process(&self, pid: u32) -> Fact<ProcessInfo> {
        match &self.ps {
            None => procfs::process(pid, self.booted(), self.ticks_per_second),
            Some(ps) => self.ask_ps(ps, |all| all.get(&pid).map_or(Fact::Absent, |process| Fact::Seen(process.clone()))),
        }
    }

    fn stat(&self, pid: u32) -> Fact<ProcessInfo> {
        match &self.ps {
            None => procfs::glance(pid, self.booted(), self.ticks_per_second),
            Some(_) => self.process(pid).map(|process| ProcessInfo { argv: Vec::new(), ..process }),
        }
    }

    fn with_arguments(&self, process: ProcessInfo) -> Fact<ProcessInfo> {
        if self.ps.is_some() { self.process(process.pid) } else { procfs::with_arguments(process) }
    }

    fn hold(&self, pid: u32, started: DateTime<Utc>) -> Option<Hold> {
        if self.ps.is_some() {
            return None;
        }
        let handle = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?).and_then(|pid| pidfd::handle_on(pid).ok())?;
        // Asked only now: from here on the handle is on one process for good.
        let is_it = self.stat(pid).seen().is_some_and(|process| process.started == started);
        is_it.then_some(Hold { pid, started, handle: Some(handle) })
    }

    fn live(&self, holds: &[&Hold]) -> Vec<bool> {
        hold::live(holds)
    }

    fn is_stopped(&self, pid: u32) -> bool {
        self.ps.is_none() && procfs::is_stopped(pid)
    }

    fn exe(&self, pid: u32) -> Option<String> {
        if self.ps.is_some() { None } else { procfs::exe(pid) }
    }

    fn cwd(&self, pid: u32) -> Fact<PathBuf> {
        if self.ps.is_some() {
            return Fact::Unknown("ps does not show the working directory of a process".to_owned());
        }
        procfs::cwd(pid)
    }

    fn former_cwd(&self, pid: u32) -> Option<PathBuf> {
        if self.ps.is_some() { None } else { procfs::former_cwd(pid) }
    }

    fn own_pid(&self, pid: u32) -> Fact<NamespacePid> {
        if self.ps.is_some() { Fact::Seen(NamespacePid { pid, is_of_our_time: true }) } else { container::selfhood(pid) }
    }

    fn namespace(&self) -> Option<String> {
        container::namespace()
    }

    fn rights(&self, pid: u32) -> Fact<Rights> {
        if self.ps.is_some() {
            return Fact::Unknown("ps does not show on whose behalf a process acts".to_owned());
        }
        procfs::rights(pid)
    }

    fn open_files(&self, pid: u32) -> Fact<Vec<PathBuf>> {
        if self.ps.is_some() {
            return Fact::Unknown("ps does not show which files a process holds open".to_owned());
        }
        procfs::open_files(pid)
    }

    fn lockers(&self, path: &Path) -> Fact<Vec<u32>> {
        if self.ps.is_some() {
            return Fact::Unknown("ps does not show who holds a file locked".to_owned());
        }
        procfs::lockers(path)
    }

    fn group(&self, pid: u32) -> Option<u32> {
        if self.ps.is_none() {
            return procfs::group(pid);
        }
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
        u32::try_from(rustix::process::getpgid(Some(pid)).ok()?.as_raw_nonzero().get()).ok()
    }

    fn environ(&self, pid: u32) -> Fact<Environ> {
        if self.ps.is_some() {
            return Fact::Unknown("ps does not show the environment of a process".to_owned());
        }
        procfs::environ(pid)
    }

    fn shares(&self, pid: u32, path: &Path) -> Fact<bool> {
        // Who has no `/proc` has no containers in it either.
        if self.ps.is_some() { Fact::Seen(true) } else { container::shares(pid, path) }
    }

    fn children(&self, pid: u32) -> Vec<u32> {
        match &self.ps {
            None => procfs::children(pid),
            Some(ps) => self
                .ask_ps(ps, |all| Fact::Seen(all.values().filter(|it| it.parent == pid).map(|it| it.pid).collect()))
                .seen()
                .cloned()
                .unwrap_or_default(),
        }
    }

    fn is_childless(&self, pid: u32) -> bool {
        self.ps.is_none() && procfs::is_childless(pid)
    }

    fn table(&self) -> Fact<Vec<ProcessRow>> {
        match &self.ps {
            None => procfs::table(),
            Some(ps) => {
                let lineage =
                    |it: &ProcessInfo| ProcessRow { pid: it.pid, parent: it.parent, name: it.name.clone(), image: None };
                self.ask_ps(ps, |all| Fact::Seen(all.values().map(lineage).collect()))
            }
        }
    }

    fn listener(&self, path: &Path) -> Listener {
        socket::listener(path)
    }

    fn is_bound(&self, path: &Path) -> bool {
        socket::is_bound(path)
    }

    fn listening(&self) -> Fact<Vec<PathBuf>> {
        socket::listening()
    }

    fn ask(&self, sockets: &[PathBuf], question: &SocketRequest<'_>, deadline: Duration) -> Vec<SocketReply> {
        question::ask(sockets, question, deadline)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn local() -> LocalHost {
        LocalHost::new(Environ::of_this_process())
    }

    #[test]
    fn a_process_started_when_the_clock_said_so_and_keeps_its_start() {
        let host = local();
        let before = Utc::now();
        let mut child = std::process::Command::new("sleep").arg("600").current_dir("/").spawn().unwrap();
        let after = Utc::now();
        let seen = host.process(child.id());
        let again = host.boot().seen().map(|_| host.process(child.id()));
        let (cwd, exe) = (host.cwd(child.id()), host.exe(child.id()));
        let children = host.children(std::process::id());
        let childless = (host.is_childless(child.id()), host.is_childless(std::process::id()));
        let table = host.table();
        child.kill().unwrap();
        child.wait().unwrap();
        let process = seen.seen().expect("the child");
        // Ticks are 10 ms, and a clock tick may fall on either side.
        let slack = TimeDelta::milliseconds(60);
        assert!(process.started >= before - slack && process.started <= after + slack, "{before} {} {after}", process.started);
        assert_eq!(again, Some(seen.clone()));
        assert_eq!(process.argv, ["sleep", "600"]);
        assert_eq!(cwd, Fact::Seen(PathBuf::from("/")));
        assert!(exe.is_some());
        assert!(children.contains(&child.id()));
        assert_eq!(childless, (true, false), "that we have none is true of our first thread only");
        let mine = |it: &ProcessRow| (it.pid, it.parent, it.name.as_str()) == (child.id(), std::process::id(), "sleep");
        assert!(table.seen().unwrap().iter().any(mine));
        assert_eq!(host.process(child.id()), Fact::Absent);
    }

    #[test]
    fn ps_gives_the_same_family_as_proc() {
        let (by_ps, by_proc) = (local().by_ps(), local());
        let me = std::process::id();
        let (a, b) = (by_ps.process(me), by_proc.process(me));
        let (a, b) = (a.seen().unwrap(), b.seen().unwrap());
        assert_eq!((a.parent, a.has_terminal), (b.parent, b.has_terminal));
        assert!((a.started - b.started).abs() < TimeDelta::seconds(3));
        assert!(by_ps.cwd(me).why_unknown().is_some());
        assert!(by_ps.table().seen().unwrap().iter().any(|it| it.pid == me && it.parent == b.parent));
    }
}

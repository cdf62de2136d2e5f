//! Processes that the process table leaves out, as where `/proc` is mounted with `hidepid`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use headcount::control::observe::{World, observe};
use headcount::core::fact::Fact;
use headcount::core::observe::Boot;
use headcount::host::{
    Answer, Command, Environ, Host, Lineage, Listener, LocalHost, Output, ProcessInfo, Question, Rights, RunError,
};

use crate::support::{self, await_some, entries};

/// This machine as a user sees it to whom processes of this name are another's.
struct Hidden {
    local: LocalHost,
    name: &'static str,
}

impl Hidden {
    fn hides(&self, pid: u32) -> bool {
        self.local.glance(pid).seen().is_some_and(|process| process.name == self.name)
    }

    fn unless_hidden<T>(&self, pid: u32, fact: Fact<T>) -> Fact<T> {
        if self.hides(pid) { Fact::Unknown(format!("process {pid}: hidden from this user")) } else { fact }
    }
}

impl Host for Hidden {
    fn name(&self) -> &str {
        self.local.name()
    }
    fn now(&self) -> DateTime<Utc> {
        self.local.now()
    }
    fn boot(&self) -> Fact<Boot> {
        self.local.boot()
    }
    fn run(&self, command: &Command) -> Result<Output, RunError> {
        self.local.run(command)
    }
    fn process(&self, pid: u32) -> Fact<ProcessInfo> {
        self.unless_hidden(pid, self.local.process(pid))
    }
    fn glance(&self, pid: u32) -> Fact<ProcessInfo> {
        self.unless_hidden(pid, self.local.glance(pid))
    }
    fn exe(&self, pid: u32) -> Option<String> {
        self.local.exe(pid)
    }
    fn cwd(&self, pid: u32) -> Fact<PathBuf> {
        self.local.cwd(pid)
    }
    fn former_cwd(&self, pid: u32) -> Option<PathBuf> {
        self.local.former_cwd(pid)
    }
    fn rights(&self, pid: u32) -> Fact<Rights> {
        self.local.rights(pid)
    }
    fn open_files(&self, pid: u32) -> Fact<Vec<PathBuf>> {
        self.local.open_files(pid)
    }
    fn lockers(&self, path: &Path) -> Fact<Vec<u32>> {
        self.local.lockers(path)
    }
    fn environ(&self, pid: u32) -> Fact<Environ> {
        self.local.environ(pid)
    }
    fn shares(&self, pid: u32, path: &Path) -> Fact<bool> {
        self.local.shares(pid, path)
    }
    fn children(&self, pid: u32) -> Vec<u32> {
        self.local.children(pid)
    }
    fn table(&self) -> Fact<Vec<Lineage>> {
        self.local.table().map(|all| all.into_iter().filter(|process| process.name != self.name).collect())
    }
    fn listener(&self, socket: &Path) -> Listener {
        self.local.listener(socket)
    }
    fn listening(&self) -> Fact<Vec<PathBuf>> {
        self.local.listening()
    }
    fn ask(&self, sockets: &[PathBuf], question: &Question<'_>, deadline: Duration) -> Vec<Answer> {
        self.local.ask(sockets, question, deadline)
    }
}

#[test]
fn a_process_that_only_its_parent_names_is_unknown_and_not_nothing() {
    let world = support::World::new();
    let pane = world.session("s", &world.workspace("w"), "sleep 600; true");
    let env = world.environ(&[]);
    await_some("the child", || LocalHost::new(env.clone()).children(pane).first().copied());
    let look = |name| {
        let host = Box::new(Hidden { local: LocalHost::named(support::HOST, env.clone()), name });
        let seen = observe(&World { host, ..World::local(env.clone()) }, &entries(["name: s, agent: claude"]));
        crate::session(&seen, "s").panes[0].agents.clone()
    };
    assert_eq!(look("nothing"), Fact::Seen(Vec::new()));
    await_some("the sleep", || look("sleep").why_unknown().map(|why| assert!(why.contains("hidden"), "{why}")));
}

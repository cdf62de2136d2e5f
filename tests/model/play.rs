//! A world, a person, a watch: takes steps, makes passes, and has each judged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use headcount::control::pass::{self, Mode, Options, Pass, PassError, Passer, Versions};
use headcount::control::watch::wake::Scope;
use headcount::core::ids::{MuxKind, ServerKey};
use headcount::core::manifest::select::Selection;
use headcount::host::Host as _;
use headcount::store::manifest::{Step as Writing, Steps};
use headcount::store::paths::StateHome;

use super::fake::{Fake, Running};
use super::oracle::{self, WINDOW, entries};
use super::page::Page;
use super::step::{Deed, Place, SERVERS, Step};
use super::truth::{Name, Truth, full, key, name, transcript};

/// A save that waits for its moment in the middle of a write, and what came of it.
#[derive(Default)]
struct Race {
    waits: Option<Save>,
    saved: Option<Page>,
}

/// What is saved, and when.
struct Save {
    deed: Deed,
    at: Writing,
    number: usize,
    marks: Vec<String>,
}

/// Everything that is in motion.
pub struct Play {
    /// Where all of it is, until it is dropped.
    _dir: tempfile::TempDir,
    fake: Fake,
    options: Options,
    passer: Passer,
    race: Arc<Mutex<Race>>,
    /// The conversations there were, in order.
    ids: Arc<Mutex<Vec<String>>>,
    marks: Vec<String>,
    /// What the last pass left, if it is known what the watch makes of it.
    left: Option<String>,
    /// When the watch was first shown that a person had changed an entry.
    touched: BTreeMap<Name, i64>,
    /// The text of a pass that did not believe it yet, and when that was.
    small: Option<(String, i64)>,
    pending: Scope,
    is_deaf: bool,
    next: u32,
    pub passes: u64,
}

fn none() -> Scope {
    Scope::Sessions(BTreeSet::new())
}

fn server(at: usize) -> Scope {
    Scope::Server(ServerKey { mux: MuxKind::Tmux, server: SERVERS[at].to_owned() })
}

/// Scopes as the loop unites them.
fn united(a: Scope, b: Scope) -> Scope {
    match (a, b) {
        (Scope::Sessions(a), Scope::Sessions(b)) => Scope::Sessions(a.into_iter().chain(b).collect()),
        (Scope::Sessions(none), other) | (other, Scope::Sessions(none)) if none.is_empty() => other,
        (Scope::Server(a), Scope::Server(b)) if a == b => Scope::Server(a),
        _ => Scope::All,
    }
}

/// Saves as most editors do: a new file over the old one. Long ago, so that nobody waits for it to stand still.
fn save(path: &Path, text: &str) {
    let draft = path.with_file_name("draft");
    fs::write(&draft, text).unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    fs::File::options().append(true).open(&draft).unwrap().set_modified(then).unwrap();
    fs::rename(&draft, path).unwrap();
}

impl Play {
    pub fn new() -> Self {
        // In memory where that is to be had: what is synced to a disk is not what is tested here.
        let memory = Path::new("/dev/shm");
        let builder = tempfile::Builder::new().prefix("headcount-model-").tempdir_in(memory);
        let dir = builder.or_else(|_| tempfile::tempdir()).unwrap();
        let fake = Fake::new(dir.path());
        fs::create_dir_all(transcript(&fake, "x").parent().unwrap()).unwrap();
        let manifest = dir.path().join("agent-sessions.yaml");
        save(&manifest, "# the sessions of a test\nversion: 1\nsessions:\n");
        let (race, ids) = (Arc::<Mutex<Race>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let listener = steps(manifest.clone(), Arc::clone(&race), Arc::clone(&ids));
        let update = headcount::store::manifest::Options { steps: listener, ..Default::default() };
        let options = Options {
            manifest,
            state_home: StateHome::at(dir.path().join("state")),
            selection: Selection::default(),
            settle: Duration::from_secs(u64::try_from(WINDOW).unwrap()),
            strict: false,
            mode: Mode::Record,
            consumer: Some("watch".to_owned()),
            update,
            versions: Some(Versions::default()),
            jobs: None,
            tells_settling: false,
            tells_jobs: true,
        };
        let passer = Passer::new(Arc::new(fake.world()), options.clone());
        Self {
            _dir: dir,
            fake,
            options,
            passer,
            race,
            ids,
            marks: Vec::new(),
            left: None,
            touched: BTreeMap::new(),
            small: None,
            pending: Scope::All,
            is_deaf: false,
            next: 100,
            passes: 0,
        }
    }

    fn now(&self) -> i64 {
        self.fake.now().timestamp()
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.options.manifest).unwrap()
    }

    fn wait(&self, seconds: i64) {
        let mut table = self.fake.table();
        table.later += TimeDelta::seconds(seconds);
    }

    /// Takes a step.
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Wait(seconds) => self.wait(i64::try_from(*seconds).unwrap()),
            Step::Deafen => {
                self.pending = none();
                self.is_deaf = true;
            }
            Step::Edit(deed) => {
                let mut page = Page::of(&self.text(), &self.marks);
                self.next += 1;
                page.edit(deed, &self.ids.lock().unwrap(), usize::try_from(self.next).unwrap());
                save(&self.options.manifest, &page.text());
                self.marks = page.marks;
            }
            Step::Pass => self.pass(false),
            Step::Race { deed, at } => {
                self.next += 1;
                let (number, marks) = (usize::try_from(self.next).unwrap(), self.marks.clone());
                let save = Save { deed: deed.clone(), at: Writing::ALL[*at], number, marks };
                self.race.lock().unwrap().waits = Some(save);
                self.pass(false);
                *self.race.lock().unwrap() = Race::default();
            }
            Step::Resync => self.pass(true),
            Step::Restart => {
                let versions = Some(Versions::default());
                self.options.versions = versions;
                self.passer = Passer::new(Arc::new(self.fake.world()), self.options.clone());
                (self.left, self.small, self.pending) = (None, None, Scope::All);
                self.touched.clear();
            }
            Step::Settle => self.settle(),
            step => {
                let heard = self.happen(step);
                self.pending = united(std::mem::replace(&mut self.pending, none()), heard);
            }
        }
    }

    /// A process that begins now.
    fn start(&mut self, parent: u32, program: &str) -> u32 {
        self.next += 1;
        let running = Running { parent, ticks: u64::from(self.next), argv: vec![program.to_owned()] };
        self.fake.table().processes.insert(self.next, running);
        self.next
    }

    /// An agent enters a conversation: one there was, or a new one.
    fn enter(&mut self, pid: u32, resumes: Option<usize>) {
        let mut ids = self.ids.lock().unwrap();
        let known = resumes.and_then(|at| ids.iter().rev().nth(at).cloned());
        let id = known.unwrap_or_else(|| {
            self.next += 1;
            format!("00000000-0000-4000-8000-{:012}", self.next)
        });
        if !ids.contains(&id) {
            ids.push(id.clone());
        }
        let ticks = self.fake.table().processes[&pid].ticks;
        let entry = format!("{{\"pid\":{pid},\"sessionId\":\"{id}\",\"procStart\":\"{ticks}\"}}");
        fs::write(self.fake.registry(pid), entry).unwrap();
    }

    fn agent(&self, at: Place) -> Option<super::truth::Agent> {
        Truth::of(&self.fake).agents(&full(at)).first().cloned()
    }

    fn panes(&self, at: Place) -> Vec<u32> {
        Truth::of(&self.fake).panes.remove(&full(at)).unwrap_or_default()
    }

    /// The processes of these panes and below.
    fn processes(&self, panes: &[u32]) -> Vec<u32> {
        let table = self.fake.table();
        let is_there = |pid: &u32, parent: &u32| panes.contains(pid) || panes.contains(parent);
        table.processes.iter().filter(|(pid, process)| is_there(pid, &process.parent)).map(|(pid, _)| *pid).collect()
    }

    fn end(&self, server: usize) {
        let sessions = self.fake.table().servers.remove(SERVERS[server]).unwrap_or_default();
        let gone = self.processes(&sessions.into_values().flatten().collect::<Vec<_>>());
        self.fake.table().processes.retain(|pid, _| !gone.contains(pid));
    }

    /// Changes the world, and gives what a source says of it.
    fn happen(&mut self, step: &Step) -> Scope {
        match *step {
            Step::Create { at, below_shell, resumes } => {
                if self.panes(at).is_empty() {
                    let top = self.start(1, if below_shell { "bash" } else { "claude" });
                    let agent = if below_shell { self.start(top, "claude") } else { top };
                    self.enter(agent, resumes);
                    let now = self.fake.now();
                    let mut table = self.fake.table();
                    table.made.insert(top, now);
                    table.servers.entry(SERVERS[at.server].to_owned()).or_default().insert(name(at.name), vec![top]);
                }
                server(at.server)
            }
            Step::Split(at) => {
                if !self.panes(at).is_empty() {
                    let pid = self.start(1, "claude");
                    self.enter(pid, None);
                    let mut table = self.fake.table();
                    table.servers.get_mut(SERVERS[at.server]).unwrap().get_mut(&name(at.name)).unwrap().push(pid);
                }
                server(at.server)
            }
            Step::Kill(at) => {
                let gone = self.processes(&self.panes(at));
                let mut table = self.fake.table();
                table.processes.retain(|pid, _| !gone.contains(pid));
                if let Some(sessions) = table.servers.get_mut(SERVERS[at.server]) {
                    sessions.remove(&name(at.name));
                    if sessions.is_empty() {
                        table.servers.remove(SERVERS[at.server]);
                    }
                }
                server(at.server)
            }
            Step::Exit(at) => {
                if let Some(agent) = self.agent(at) {
                    self.fake.table().processes.remove(&agent.pid);
                }
                Scope::Sessions([key(&full(at))].into())
            }
            // A shell's children are seen by whoever looks at everything, or at them.
            Step::Launch(at) => {
                let shell = self.panes(at).first().copied().filter(|pid| self.processes(&[*pid]) == [*pid]);
                if let Some(shell) = shell.filter(|_| self.agent(at).is_none()) {
                    let pid = self.start(shell, "claude");
                    self.enter(pid, None);
                }
                Scope::Sessions([key(&full(at))].into())
            }
            Step::Clear { at, resumes } => {
                if let Some(agent) = self.agent(at) {
                    self.enter(agent.pid, resumes);
                }
                Scope::Sessions([key(&full(at))].into())
            }
            Step::Rename { at, to } => {
                let mut table = self.fake.table();
                if let Some(sessions) = table.servers.get_mut(SERVERS[at.server])
                    && !sessions.contains_key(&name(to))
                    && let Some(panes) = sessions.remove(&name(at.name))
                {
                    sessions.insert(name(to), panes);
                }
                server(at.server)
            }
            Step::Reuse(at) => {
                self.next += 1;
                let ticks = u64::from(self.next);
                if let Some(agent) = self.agent(at) {
                    self.fake.table().processes.entry(agent.pid).and_modify(|process| process.ticks = ticks);
                }
                Scope::Sessions([key(&full(at))].into())
            }
            Step::Transcript(at) => {
                if let Some(id) = self.agent(at).and_then(|agent| agent.id) {
                    let path = transcript(&self.fake, &id);
                    if fs::remove_file(&path).is_err() {
                        // Of another workspace: when it came into being is told by the real clock, which is not that of this world.
                        let line = format!("{{\"type\":\"user\",\"cwd\":\"/elsewhere\",\"sessionId\":\"{id}\"}}\n");
                        fs::write(&path, line).unwrap();
                    }
                }
                Scope::Sessions([key(&full(at))].into())
            }
            Step::Hide(at) => {
                let all = self.processes(&self.panes(at));
                let mut table = self.fake.table();
                match all.iter().any(|pid| table.hidden.contains(pid)) {
                    true => table.hidden.clear(),
                    false => table.hidden.extend(all),
                }
                none()
            }
            Step::Wedge(at) => {
                let mut table = self.fake.table();
                match table.mute.iter().position(|mute| mute == SERVERS[at]) {
                    Some(at) => drop(table.mute.remove(at)),
                    None => table.mute.push(SERVERS[at].to_owned()),
                }
                none()
            }
            Step::End(at) => {
                self.end(at);
                server(at)
            }
            Step::Reboot => {
                self.end(0);
                self.end(1);
                let mut table = self.fake.table();
                (table.boots, table.hidden, table.mute) = (table.boots + 1, Vec::new(), Vec::new());
                Scope::All
            }
            Step::Disconnect => {
                let mut table = self.fake.table();
                table.by_program = !table.by_program;
                none()
            }
            _ => none(),
        }
    }

    /// Everything answers again and time passes: then what is written is the whole truth, and another look changes nothing.
    fn settle(&mut self) {
        {
            let mut table = self.fake.table();
            (table.hidden, table.mute) = (Vec::new(), Vec::new());
        }
        if Page::of(&self.text(), &[]).is_broken() {
            self.take(&Step::Edit(Deed::Break));
        }
        self.pass(false);
        for _ in 0..4 {
            self.wait(WINDOW + 1);
            self.pass(true);
        }
        let text = self.text();
        let truth = Truth::of(&self.fake);
        self.wait(WINDOW + 1);
        let pass = self.passer.pass(&Scope::All).unwrap();
        assert!(pass.report.unknown.is_empty(), "everything answers: {:#?}\n{text}{truth}", pass.report.unknown);
        oracle::settled(&text, &truth);
        assert_eq!(self.text(), text, "a quiet world was written about");
        assert_eq!((pass.report.counts.applied, pass.report.counts.new), (0, 0), "news of a quiet world: {:#?}", pass.report);
    }

    /// A pass about what was heard, or about everything.
    fn pass(&mut self, everything: bool) {
        self.passes += 1;
        let heard = std::mem::replace(&mut self.pending, none());
        let scope = if everything { Scope::All } else { heard };
        let (before, truth, now) = (self.text(), Truth::of(&self.fake), self.now());
        let passed = self.passer.pass(&scope);
        let saved = self.race.lock().unwrap().saved.take();
        let after = self.text();
        let pass = match passed {
            Ok(pass) => pass,
            Err(error) => return self.refused(error, &before, &after, saved, (scope, now)),
        };
        self.is_deaf &= scope != Scope::All;
        if saved.is_none() {
            self.note_touched(&before, now);
        }
        let base = match &saved {
            Some(page) => {
                self.marks.clone_from(&page.marks);
                page.text()
            }
            None => before,
        };
        oracle::kept(&self.marks, &after, &pass.saved);
        if !Page::of(&after, &[]).is_broken() {
            // A save in the middle may itself have been read, or not: what it touched is not known.
            let touched = (saved.is_none() && self.left.is_some()).then_some(&self.touched);
            oracle::judge(&base, &after, &truth, now, touched, self.is_deaf);
            if saved.is_none() && !self.is_deaf {
                let has_transcript = |id: &str| transcript(&self.fake, id).exists();
                oracle::hear(&pass.report, &after, &truth, &has_transcript);
                self.compare(&pass);
            }
        }
        self.left = saved.is_none().then_some(after);
        self.small = None;
    }

    /// A pass that found nothing it could believe leaves everything as it is.
    fn refused(&mut self, error: PassError, before: &str, after: &str, saved: Option<Page>, (scope, now): (Scope, i64)) {
        self.pending = united(std::mem::replace(&mut self.pending, none()), scope);
        let is_broken = Page::of(after, &[]).is_broken();
        match error {
            PassError::Shrunken { .. } => {
                if self.small.as_ref().is_none_or(|(text, _)| text != after) {
                    self.small = Some((after.to_owned(), now));
                }
            }
            PassError::Invalid { .. } if is_broken => {}
            other => panic!("{other:?}\n{after}"),
        }
        match saved {
            Some(page) => {
                assert_eq!(after, page.text(), "a refused pass has written");
                (self.marks, self.left) = (page.marks, None);
            }
            None => assert_eq!(after, before, "a refused pass has written"),
        }
    }

    /// Notes which entries a person has changed since the last pass.
    fn note_touched(&mut self, before: &str, now: i64) {
        let Some(left) = &self.left else { return self.touched.clear() };
        let said = |text: &str| -> BTreeMap<Name, _> { entries(text).iter().map(|it| (it.name(), it.said())).collect() };
        let (was, is) = (said(left), said(before));
        let since = self.small.as_ref().filter(|(text, _)| text == before).map_or(now, |(_, since)| *since);
        let names: BTreeSet<&Name> = was.keys().chain(is.keys()).collect();
        let changed = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
        self.touched.extend(changed.map(|name| (name.clone(), since)));
    }

    /// A look at everything, with no memory of earlier ones, finds nothing that this pass left to write.
    fn compare(&mut self, pass: &Pass) {
        if self.passes % 3 != 0 {
            return;
        }
        let hidden = { let table = self.fake.table(); !table.hidden.is_empty() || !table.mute.is_empty() };
        let looking = Options { mode: Mode::Look, ..self.options.clone() };
        let fresh = pass::run(&self.fake.world(), &looking).unwrap();
        assert!(hidden || fresh.report.diff.is_empty(), "left undone by {:#?}:\n{}", pass.report.drifts, fresh.report.diff);
    }
}

/// Saves what waits to be saved at the step it waits for.
fn steps(manifest: PathBuf, race: Arc<Mutex<Race>>, ids: Arc<Mutex<Vec<String>>>) -> Steps {
    Steps::new(move |step| {
        let mut race = race.lock().unwrap();
        let Some(Save { deed, number, marks, .. }) = race.waits.take_if(|save| save.at == step) else { return };
        let text = fs::read_to_string(&manifest).unwrap();
        let mut page = Page::of(&text, &marks);
        page.edit(&deed, &ids.lock().unwrap(), number);
        save(&manifest, &page.text());
        race.saved = Some(page);
    })
}

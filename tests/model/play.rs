//! A world, a person, a watch: takes steps, makes passes, and has each judged.

mod happen;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use chrono::TimeDelta;
use headcount::control::pass::{self, ManifestHistory, Mode, Pass, PassError, PassOptions, PassRunner};
use headcount::control::watch::wake::Scope;
use headcount::core::ids::{MuxKind, ServerKey};
use headcount::core::manifest::select::Selection;
use headcount::host::Host as _;
use headcount::store::manifest::{WriteStep as Writing, WriteSteps};
use headcount::store::paths::StateHome;

use super::fake::Fake;
use super::oracle::{self, Known, Records, WINDOW, entries};
use super::page::Page;
use super::step::{Deed, SERVERS, Step};
use super::truth::{Name, Truth, transcript};

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
    options: PassOptions,
    passer: PassRunner,
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
    /// The ids that stand in the manifest, and the processes that were in order in them.
    records: Records,
    known: Known,
    /// What passes left as the manifest.
    texts: Vec<String>,
    pending: Scope,
    is_deaf: bool,
    next: u32,
    pub passes: u64,
}

/// What a manifest begins with.
const FIRST: &str =
    "# the sessions of a test\nversion: 1\nagents:\n  robot: { programs: [robot], id_flags: [--resume] }\nsessions:\n";

fn none() -> Scope {
    Scope::sessions(BTreeSet::new())
}

fn server(at: usize) -> Scope {
    Scope::server(ServerKey { mux: MuxKind::Tmux, server: SERVERS[at].to_owned() })
}

/// Saves as most editors do: a new file over the old one. At a time of the world, so that nobody waits for it to stand still.
fn save(path: &Path, text: &str, now: i64) {
    let draft = path.with_file_name("draft");
    fs::write(&draft, text).unwrap();
    stamp(&draft, now);
    fs::rename(&draft, path).unwrap();
}

/// Lets a file have been changed now, by the clock of the world.
fn stamp(path: &Path, now: i64) {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now).unwrap());
    fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
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
        save(&manifest, FIRST, fake.now().timestamp());
        let (race, ids) = (Arc::<Mutex<Race>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let listener = steps(manifest.clone(), Arc::clone(&race), Arc::clone(&ids), fake.clone());
        let update = headcount::store::manifest::UpdateOptions { steps: listener, ..Default::default() };
        let options = PassOptions {
            manifest,
            state_home: StateHome::at(dir.path().join("state")),
            selection: Selection::default(),
            settle: Duration::from_secs(u64::try_from(WINDOW).unwrap()),
            strict: false,
            mode: Mode::Record,
            consumer: Some("watch".to_owned()),
            update,
            versions: Some(ManifestHistory::default()),
            jobs: None,
            tells_settling: false,
            tells_jobs: true,
            held: None,
        };
        let passer = PassRunner::new(Arc::new(fake.world()), options.clone());
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
            records: Records::default(),
            known: Known::new(),
            texts: Vec::new(),
            pending: Scope::ALL,
            is_deaf: false,
            next: 100,
            passes: 0,
        }
    }

    fn now(&self) -> i64 {
        self.fake.now().timestamp()
    }

    /// The seconds that nobody sets.
    fn later(&self) -> i64 {
        self.fake.table().later.num_seconds()
    }

    /// A person saves another text.
    fn save(&mut self, text: &str) {
        let (before, later) = (self.text(), self.later());
        save(&self.options.manifest, text, self.now());
        if !Page::of(&before, &[]).is_broken() && !Page::of(text, &[]).is_broken() {
            oracle::note_edit(&mut self.known, &before, text);
            self.records.note_save(text, later);
        } else {
            (self.known, self.records) = Default::default();
        }
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
                self.save(&page.text());
                self.marks = page.marks;
            }
            Step::Checkout(back) => {
                if let Some(text) = self.texts.iter().rev().nth(*back).cloned() {
                    self.save(&text);
                    self.marks.retain(|mark| text.contains(mark.as_str()));
                }
            }
            Step::Forget => {
                let state = self.options.manifest.with_file_name("state");
                assert!(fs::remove_dir_all(&state).is_ok() || !state.exists());
                (self.known, self.records) = Default::default();
                self.take(&Step::Restart);
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
                let versions = Some(ManifestHistory::default());
                self.options.versions = versions;
                self.passer = PassRunner::new(Arc::new(self.fake.world()), self.options.clone());
                (self.left, self.small, self.pending) = (None, None, Scope::ALL);
                self.touched.clear();
            }
            Step::Settle => self.settle(),
            step => {
                let heard = self.happen(step);
                self.pending.unite(heard);
            }
        }
    }

    /// Everything answers again and time passes: then what is written is the whole truth, and another look changes nothing.
    fn settle(&mut self) {
        {
            let lost: Vec<u32> = Truth::of(&self.fake).lost.into_keys().collect();
            let gone = self.processes(&lost);
            let mut table = self.fake.table();
            (table.hidden, table.mute) = (Vec::new(), Vec::new());
            table.processes.retain(|pid, _| !gone.contains(pid));
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
        let pass = self.passer.pass(&Scope::ALL).unwrap();
        let elsewhere = oracle::elsewhere(&text, &truth);
        let unknown: Vec<_> = pass.report.unknown.iter().filter(|unknown| !elsewhere.contains(&unknown.scope)).collect();
        assert!(unknown.is_empty(), "everything answers: {unknown:#?}\n{text}{truth}");
        oracle::settled(&text, &truth, &|id| transcript(&self.fake, id).exists());
        assert_eq!(self.text(), text, "a quiet world was written about");
        assert_eq!((pass.report.counts.applied, pass.report.counts.new), (0, 0), "news of a quiet world: {:#?}", pass.report);
    }

    /// A pass about what was heard, or about everything.
    fn pass(&mut self, everything: bool) {
        self.passes += 1;
        let heard = std::mem::replace(&mut self.pending, none());
        let scope = if everything { Scope::ALL } else { heard };
        let (before, truth, now) = (self.text(), Truth::of(&self.fake), self.now());
        let passed = self.passer.pass(&scope);
        let saved = self.race.lock().unwrap().saved.take();
        let after = self.text();
        if after != before {
            stamp(&self.options.manifest, now);
        }
        let pass = match passed {
            Ok(pass) => pass,
            Err(error) => return self.refused(error, &before, &after, saved, (scope, now)),
        };
        self.is_deaf &= scope != Scope::ALL;
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
        self.texts.extend((self.texts.last() != Some(&after)).then(|| after.clone()));
        if !Page::of(&after, &[]).is_broken() {
            // A save in the middle may itself have been read, or not: what it touched is not known.
            let touched = (saved.is_none() && self.left.is_some()).then_some(&self.touched);
            oracle::judge(&base, &after, &truth, now, touched, self.is_deaf);
            if saved.is_some() {
                (self.known, self.records) = Default::default();
            } else {
                self.records.hold_younger(&base, &after, &truth);
                let later = self.later();
                self.records.note_pass(&after, later);
            }
            if saved.is_none() && !self.is_deaf {
                oracle::weakest(&after, &pass.report, &truth, &mut self.known);
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
        self.pending.unite(scope);
        let is_broken = Page::of(after, &[]).is_broken();
        match error {
            PassError::Shrunken { .. } => {
                if self.small.as_ref().is_none_or(|(text, since)| text != after || *since > now) {
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
                (self.known, self.records) = Default::default();
            }
            None => assert_eq!(after, before, "a refused pass has written"),
        }
    }

    /// Notes which entries a person has changed since the last pass.
    fn note_touched(&mut self, before: &str, now: i64) {
        // What was old stays so when the clock is set back, and what is still to come then is old.
        self.touched.retain(|_, at| oracle::is_fresh(*at, now));
        let Some(left) = &self.left else { return self.touched.clear() };
        let said = |text: &str| -> BTreeMap<Name, _> { entries(text).iter().map(|it| (it.name(), it.said())).collect() };
        let (was, is) = (said(left), said(before));
        let since =
            self.small.as_ref().filter(|(text, since)| text == before && *since <= now).map_or(now, |(_, since)| *since);
        let names: BTreeSet<&Name> = was.keys().chain(is.keys()).collect();
        let changed = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
        self.touched.extend(changed.map(|name| (name.clone(), since)));
    }

    /// A look at everything, with no memory of earlier ones, finds nothing that this pass left to write.
    fn compare(&mut self, pass: &Pass) {
        if !self.passes.is_multiple_of(3) {
            return;
        }
        let hidden = {
            let table = self.fake.table();
            !table.hidden.is_empty() || !table.mute.is_empty()
        };
        let looking = PassOptions { mode: Mode::Look, ..self.options.clone() };
        let fresh = pass::run(&self.fake.world(), &looking).unwrap();
        assert!(hidden || fresh.report.diff.is_empty(), "left undone by {:#?}:\n{}", pass.report.drifts, fresh.report.diff);
    }
}

/// Saves what waits to be saved at the step it waits for.
fn steps(manifest: PathBuf, race: Arc<Mutex<Race>>, ids: Arc<Mutex<Vec<String>>>, fake: Fake) -> WriteSteps {
    WriteSteps::new(move |step| {
        let mut race = race.lock().unwrap();
        let Some(Save { deed, number, marks, .. }) = race.waits.take_if(|save| save.at == step) else { return };
        let text = fs::read_to_string(&manifest).unwrap();
        let mut page = Page::of(&text, &marks);
        page.edit(&deed, &ids.lock().unwrap(), number);
        save(&manifest, &page.text(), fake.now().timestamp());
        race.saved = Some(page);
    })
}

//! Every editor at every step of an update, a death of ours at every step, and both: nobody's save may be lost.
//!
//! An update calls its listener after each step, and the listener lets editors act there. What is owed at the end follows one
//! rule: a saved version may only disappear if an editor overwrote or removed it *while it was the manifest's content*.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use headcount::store::manifest::{Replace, TextChange, UpdateCause, UpdateOptions, WriteStep, WriteSteps};

use crate::support::{NAME, Place, append, make_old, no_change};

const OURS: &str = "# headcount was here\n";
const BASE: &str = "<v0> as it was\n";

/// What an editor does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Writes another file and renames it over the manifest.
    Rename,
    /// Truncates, writes, closes.
    InPlace,
    /// Truncates and writes half; writes the rest this many steps later, or when the update has given up.
    Hold(usize),
    /// Opens for writing without truncating, and writes only later.
    Linger(usize),
    /// As `Hold`, but is killed then: half a text stays.
    HoldKilled(usize),
    /// Twice in a row by rename.
    Twice,
    /// In place, then by rename.
    Mixed,
    /// Moves the manifest away, writes it anew, deletes the old one.
    Anew,
    /// The same, with the manifest missing for this many steps.
    AnewSlowly(usize),
    /// Deletes it.
    Remove,
    /// Takes away the group's right to read.
    Chmod,
}

/// The editors, and what they are owed.
struct World {
    path: PathBuf,
    saves: usize,
    owed: BTreeSet<String>,
    pending: Vec<(usize, Pending)>,
    chmod: bool,
}

enum Pending {
    Finish { file: File, inode: u64, truncate: bool, killed: bool, orphaned: bool },
    Create,
}

impl World {
    fn new(path: &Path) -> Self {
        let owed = [String::from("<v0>")].into();
        Self { path: path.to_owned(), saves: 0, owed, pending: Vec::new(), chmod: false }
    }

    fn marker(&mut self) -> String {
        self.saves += 1;
        format!("<v{}>", self.saves)
    }

    /// An editor destroys what the file at `path` holds.
    fn overwritten(&mut self, path: &Path) {
        let text = fs::read_to_string(path).unwrap_or_default();
        self.owed.retain(|marker| !text.contains(marker.as_str()));
    }

    /// An editor takes the manifest's name away from its inode, in which another one may still be writing.
    fn unlinked(&mut self, path: &Path) {
        self.overwritten(path);
        let gone = fs::metadata(path).map(|metadata| metadata.ino()).ok();
        for (_, pending) in &mut self.pending {
            if let Pending::Finish { inode, orphaned, .. } = pending {
                *orphaned |= Some(*inode) == gone;
            }
        }
    }

    fn save_by_rename(&mut self) {
        let marker = self.marker();
        let other = self.path.with_extension("editor");
        fs::write(&other, format!("{marker} saved by rename\n")).unwrap();
        self.unlinked(&self.path.clone());
        fs::rename(&other, &self.path).unwrap();
        self.owed.insert(marker);
    }

    fn save_in_place(&mut self) {
        let marker = self.marker();
        self.overwritten(&self.path.clone());
        fs::write(&self.path, format!("{marker} saved in place\n")).unwrap();
        self.owed.insert(marker);
    }

    fn hold(&mut self, steps: usize, truncate: bool, killed: bool) {
        let path = self.path.clone();
        if truncate {
            self.overwritten(&path);
        }
        let opened = OpenOptions::new().write(true).truncate(truncate).create(truncate).open(&path);
        let Ok(mut file) = opened else { return };
        if truncate {
            file.write_all(b"half of ").unwrap();
        }
        let inode = file.metadata().unwrap().ino();
        self.pending.push((steps, Pending::Finish { file, inode, truncate, killed, orphaned: false }));
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Rename => self.save_by_rename(),
            Act::InPlace => self.save_in_place(),
            Act::Hold(steps) => self.hold(steps, true, false),
            Act::Linger(steps) => self.hold(steps, false, false),
            Act::HoldKilled(steps) => self.hold(steps, true, true),
            Act::Twice => {
                self.save_by_rename();
                self.save_by_rename();
            }
            Act::Mixed => {
                self.save_in_place();
                self.save_by_rename();
            }
            Act::Anew | Act::AnewSlowly(_) => {
                let aside = self.path.with_extension("aside");
                self.unlinked(&self.path.clone());
                if fs::rename(&self.path, &aside).is_ok() {
                    fs::remove_file(aside).unwrap();
                }
                match act {
                    Act::AnewSlowly(steps) => self.pending.push((steps, Pending::Create)),
                    _ => self.save_in_place(),
                }
            }
            Act::Remove => {
                self.unlinked(&self.path.clone());
                let _ = fs::remove_file(&self.path);
            }
            Act::Chmod => {
                self.chmod = fs::set_permissions(&self.path, Permissions::from_mode(0o600)).is_ok();
            }
        }
    }

    /// A step has passed.
    fn tick(&mut self) {
        let due: Vec<usize> = (0..self.pending.len()).filter(|at| self.pending[*at].0 == 0).collect();
        for at in due.into_iter().rev() {
            let (_, pending) = self.pending.remove(at);
            self.finish(pending);
        }
        for (steps, _) in &mut self.pending {
            *steps -= 1;
        }
    }

    fn finish(&mut self, pending: Pending) {
        match pending {
            Pending::Create => self.save_in_place(),
            Pending::Finish { killed: true, .. } => {}
            Pending::Finish { mut file, inode, truncate, orphaned, .. } => {
                // It goes on writing to the file it opened, under whatever name that is now, over whoever else wrote there.
                let files = fs::read_dir(self.path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
                let named: Vec<_> = files.filter(|path| fs::metadata(path).is_ok_and(|m| m.ino() == inode)).collect();
                named.iter().for_each(|path| self.overwritten(path));
                if !truncate {
                    file.set_len(0).unwrap();
                }
                let marker = self.marker();
                file.write_all(format!("{marker} finished in place\n").as_bytes()).unwrap();
                if !orphaned {
                    self.owed.insert(marker);
                }
            }
        }
    }

    fn finish_all(&mut self) {
        for (_, pending) in std::mem::take(&mut self.pending) {
            self.finish(pending);
        }
    }
}

struct Death;

/// One run: editors act at the given calls of the listener, and we die at one. Says how many calls there were.
fn run(acts: &[(usize, Act)], death: Option<usize>, replace: Replace) -> usize {
    let about = format!("{acts:?} death {death:?} {replace:?}");
    let place = Place::fast(BASE);
    fs::set_permissions(&place.path, Permissions::from_mode(0o640)).unwrap();
    let world = Arc::new(Mutex::new(World::new(&place.path)));
    let calls = Arc::new(Mutex::new(Vec::<WriteStep>::new()));
    let steps = WriteSteps::new({
        let (world, calls, acts) = (Arc::clone(&world), Arc::clone(&calls), acts.to_vec());
        move |step| {
            let mut calls = calls.lock().unwrap();
            let mut world = world.lock().unwrap();
            world.tick();
            acts.iter().filter(|(at, _)| *at == calls.len()).for_each(|(_, act)| world.act(*act));
            calls.push(step);
            let dies = death == Some(calls.len() - 1);
            drop((calls, world));
            if dies {
                // As good as `kill -9`: no code of an update runs while the stack unwinds, and the lock goes with its file.
                panic_any(Death);
            }
        }
    });
    let options = UpdateOptions { steps, replace, editor_wait: Duration::from_millis(8), ..UpdateOptions::default() };
    let manifest = place.manifest();
    let ended = catch_unwind(AssertUnwindSafe(|| manifest.update(&options, append(OURS))));
    world.lock().unwrap().finish_all();

    let mut reported: Vec<PathBuf> = match &ended {
        Ok(Ok(outcome)) => outcome.saved.clone(),
        Ok(Err(error)) => error.saved.clone(),
        Err(death) => {
            assert!(death.is::<Death>(), "a panic that is not ours: {about}");
            Vec::new()
        }
    };
    let world = world.lock().unwrap();
    if ended.is_err() && place.path.exists() {
        make_old(&place.path);
        let patient = UpdateOptions::default();
        reported.extend(place.manifest().update(&patient, no_change).unwrap_or_else(|e| panic!("{about}: {e:?}")).saved);
    }
    check(&place, &world, &reported, ended.is_err(), &about);
    let plain = acts.iter().all(|(_, act)| matches!(act, Act::Rename | Act::InPlace | Act::Twice | Act::Mixed));
    if plain && (death.is_none() || acts.len() < 2) && replace == Replace::Exchange {
        let newest = format!("<v{}>", world.saves);
        assert!(place.text().contains(&newest), "{about}: the newest version {newest} is not the manifest");
    }
    if acts.is_empty() {
        assert!(reported.is_empty(), "{about}: kept {reported:?} although nobody saved");
    }
    if let Ok(Err(error)) = &ended {
        let expected = matches!(&error.cause, UpdateCause::Manifest(e) if e.is_busy() || !place.path.exists() || acts.iter().any(|(_, act)| matches!(act, Act::AnewSlowly(_))));
        assert!(expected, "{about}: {error:?}");
    }
    if let (Ok(_), [(_, act)]) = (&ended, acts)
        && !matches!(act, Act::Remove | Act::Anew | Act::AnewSlowly(_))
    {
        assert!(reported.is_empty(), "{about}: one editor's save belongs in the manifest, not beside it: {reported:?}");
    }
    if let Ok(Ok(outcome)) = &ended
        && acts.is_empty()
    {
        assert!(matches!(outcome.change, TextChange::Written { .. }));
        assert_eq!(place.text(), format!("{BASE}{OURS}"));
    }
    calls.lock().unwrap().len()
}

fn check(place: &Place, world: &World, reported: &[PathBuf], died: bool, about: &str) {
    let names = place.names();
    let saved: BTreeSet<PathBuf> = names
        .iter()
        .filter(|name| name.starts_with(&format!("{NAME}.saved-")))
        .map(|name| place.path.with_file_name(name))
        .collect();
    let litter: Vec<_> = names
        .iter()
        .filter(|name| *name != NAME && **name != format!("{NAME}.lock") && !saved.contains(&place.path.with_file_name(name)))
        .collect();
    if place.path.exists() {
        assert!(litter.is_empty(), "{about}: litter {litter:?}");
    }
    let told: BTreeSet<PathBuf> = reported.iter().cloned().collect();
    if died {
        assert!(told.is_subset(&saved), "{about}: reported {told:?}, there {saved:?}");
    } else {
        assert_eq!(told, saved, "{about}: what is kept is reported");
    }
    let everything: Vec<String> =
        names.iter().filter_map(|name| fs::read_to_string(place.path.with_file_name(name)).ok()).collect();
    for marker in &world.owed {
        assert!(
            everything.iter().any(|text| text.contains(marker.as_str())),
            "{about}: {marker} is lost; there is {everything:?}"
        );
    }
    for path in &saved {
        let text = fs::read_to_string(path).unwrap();
        assert!(text != BASE && text != format!("{BASE}{OURS}"), "{about}: kept what nobody needs: {text:?}");
    }
    if let Ok(text) = fs::read_to_string(&place.path) {
        let body = text.strip_suffix(OURS).unwrap_or(&text);
        let whole =
            body.is_empty() || body == "half of " || (body.contains("<v") && body.ends_with('\n') && !body.contains(OURS));
        assert!(whole, "{about}: not a whole version: {text:?}");
        let mode = fs::metadata(&place.path).unwrap().mode() & 0o777;
        // A mode has no hash in the name of the leftover: the module says that a death there costs it.
        let only_chmod = world.saves == 0 && world.pending.is_empty() && world.chmod && !died;
        assert!(!only_chmod || mode == 0o600, "{about}: the change of mode was lost");
    }
}

const ACTS: [Act; 17] = [
    Act::Rename,
    Act::InPlace,
    Act::Hold(0),
    Act::Hold(1),
    Act::Hold(2),
    Act::Hold(99),
    Act::Linger(0),
    Act::Linger(1),
    Act::Linger(3),
    Act::Linger(99),
    Act::HoldKilled(1),
    Act::Twice,
    Act::Mixed,
    Act::Anew,
    Act::AnewSlowly(1),
    Act::Remove,
    Act::Chmod,
];
const SAVERS: [Act; 6] = [Act::Rename, Act::InPlace, Act::Hold(1), Act::Linger(2), Act::Anew, Act::Remove];

/// Quiets the message of the deaths, which are part of the tests.
fn quiet_deaths() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Death>() {
                loud(info);
            }
        }));
    });
}

/// Calls `run` with `at` = 0, 1, … until a run is so short that its step number `at` never came.
fn at_each_step(mut run: impl FnMut(usize) -> usize) -> usize {
    (0..).find(|at| run(*at) <= *at).unwrap()
}

#[test]
fn an_update_in_a_quiet_world_takes_the_steps_in_their_order() {
    let place = Place::fast(BASE);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let steps = WriteSteps::new({
        let calls = Arc::clone(&calls);
        move |step| calls.lock().unwrap().push(step)
    });
    place.manifest().update(&UpdateOptions { steps, ..UpdateOptions::default() }, append(OURS)).unwrap();
    let expected: Vec<WriteStep> =
        WriteStep::ALL.into_iter().filter(|step| !matches!(step, WriteStep::PutBack | WriteStep::Kept)).collect();
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[test]
fn one_editor_at_any_step_loses_nothing() {
    for act in ACTS {
        let steps = at_each_step(|at| run(&[(at, act)], None, Replace::Exchange));
        assert!(steps >= 11, "{act:?} met only {steps} steps");
    }
}

#[test]
fn two_editors_at_any_two_steps_lose_nothing() {
    let all_steps = |first, second| {
        at_each_step(|one| {
            let mut longest = 0;
            at_each_step(|later| {
                let calls = run(&[(one, first), (one + later, second)], None, Replace::Exchange);
                longest = longest.max(calls);
                calls.saturating_sub(one)
            });
            longest
        });
    };
    // Most of the time is spent waiting for editors, so every pair has a thread.
    std::thread::scope(|scope| {
        for (first, second) in ACTS.into_iter().flat_map(|first| SAVERS.map(|second| (first, second))) {
            scope.spawn(move || all_steps(first, second));
        }
    });
}

#[test]
fn a_death_at_any_step_beside_an_editor_at_any_step_loses_nothing() {
    quiet_deaths();
    for act in ACTS {
        at_each_step(|at| {
            let mut longest = 0;
            at_each_step(|death| {
                let calls = run(&[(at, act)], Some(death), Replace::Exchange);
                longest = longest.max(calls);
                calls
            });
            longest
        });
    }
}

#[test]
fn a_death_among_two_editors_loses_nothing() {
    quiet_deaths();
    // The editors that matter most, where they can meet an exchange: from just before it to just after what it leads to.
    for first in [Act::Rename, Act::InPlace, Act::Linger(3)] {
        for second in [Act::Rename, Act::InPlace, Act::Anew] {
            for (one, two) in (5..9).flat_map(|one| (one..12).map(move |two| (one, two))) {
                at_each_step(|death| run(&[(one, first), (two, second)], Some(death), Replace::Exchange));
            }
        }
    }
}

#[test]
fn a_death_at_any_step_of_a_lonely_update_leaves_a_whole_version_and_nothing_else() {
    quiet_deaths();
    for replace in [Replace::Exchange, Replace::Rename] {
        assert!(at_each_step(|death| run(&[], Some(death), replace)) >= 8);
    }
}

#[test]
fn without_exchange_only_a_save_between_comparison_and_rename_can_be_lost() {
    for act in ACTS {
        // Up to and with the step before the comparison; the rename follows it without a step in between.
        for at in 0..7 {
            run(&[(at, act)], None, Replace::Rename);
        }
    }
}

/// An editor that found the old inode before the exchange and asks the file system to open it only after we have judged it.
#[test]
fn an_editor_that_is_already_on_its_way_into_the_old_file_gets_it_back() {
    let place = Place::fast(BASE);
    let editor = Arc::new(Mutex::new(None));
    let steps = WriteSteps::new({
        let (editor, dir) = (Arc::clone(&editor), place.path.parent().unwrap().to_owned());
        move |step| {
            let mut editor = editor.lock().unwrap();
            if step != WriteStep::Judged || editor.is_some() {
                return;
            }
            let swap = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
            let swap = swap.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "swap")).unwrap();
            let inode = fs::metadata(&swap).unwrap().ino();
            *editor = Some(std::thread::spawn(move || fs::write(swap, "<v1> saved in place\n").unwrap()));
            // It is inside `open` when the kernel says that our lease is being broken.
            let breaking = |line: &str| line.contains("BREAKING") && line.contains(&format!(":{inode} "));
            while !fs::read_to_string("/proc/locks").unwrap().lines().any(breaking) {
                std::thread::yield_now();
            }
        }
    });
    let outcome = place.manifest().update(&UpdateOptions { steps, ..UpdateOptions::default() }, append(OURS)).unwrap();
    editor.lock().unwrap().take().unwrap().join().unwrap();
    assert!(outcome.saved.is_empty());
    assert_eq!(place.text(), format!("<v1> saved in place\n{OURS}"));
    place.assert_no_litter();
}

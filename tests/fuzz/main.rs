//! Every fuzz target for a moment: its seeds, the seeds damaged, and bytes of no meaning. `./x fuzz` has more patience.

#![allow(clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use targets::{ALL, CUT, Target};

/// One damage done to an input.
#[derive(Debug, Clone)]
enum Damage {
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Set(prop::sample::Index, u8),
    Splice(prop::sample::Index, prop::sample::Index, prop::sample::Index),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let at = any::<prop::sample::Index>;
        let words: &[&[u8]] = &[b"\"", b"{", b"}", b"[", b"\n", b"\\u0000", b": ", b"null", b"-1", b"\xff", &[CUT], b"|", b"#"];
        prop_oneof![
            at().prop_map(Self::Cut),
            (at(), any::<u8>()).prop_map(|(at, length)| Self::Remove(at, length)),
            (at(), prop::sample::select(words)).prop_map(|(at, word)| Self::Insert(at, word.to_vec())),
            (at(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (at(), at(), at()).prop_map(|(at, from, to)| Self::Splice(at, from, to)),
        ]
    }

    fn apply(&self, input: &mut Vec<u8>) {
        let place = |at: &prop::sample::Index, input: &[u8]| at.index(input.len() + 1);
        match self {
            Self::Cut(at) => input.truncate(place(at, input)),
            Self::Remove(at, length) => {
                let at = place(at, input);
                input.drain(at..input.len().min(at + usize::from(*length)));
            }
            Self::Insert(at, word) => drop(input.splice(place(at, input)..place(at, input), word.iter().copied())),
            Self::Set(at, byte) => {
                let at = place(at, input);
                if let Some(there) = input.get_mut(at) {
                    *there = *byte;
                }
            }
            Self::Splice(at, from, to) => {
                let (from, to) = (place(from, input), place(to, input));
                let copied = input[from.min(to)..from.max(to).min(from.min(to) + 300)].to_vec();
                let at = place(at, input);
                input.splice(at..at, copied);
            }
        }
    }
}

/// Runs a target and says, where it fails, with what.
fn run(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        eprintln!("target {} fails with {:?}", target.name, input.escape_ascii().to_string());
        resume_unwind(panic);
    }
}

fn play(name: &str) {
    let target = ALL.iter().find(|target| target.name == name).expect("a target");
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| run(target, seed));
    let cases = ProptestConfig { cases: 96, failure_persistence: None, max_shrink_iters: 400, ..ProptestConfig::default() };
    let damaged =
        (any::<prop::sample::Index>(), prop::collection::vec(Damage::any(), 0..6)).prop_map(move |(seed, damages)| {
            let mut input = seed.get(&seeds).clone();
            damages.iter().for_each(|damage| damage.apply(&mut input));
            input
        });
    let inputs = prop_oneof![5 => damaged, 1 => prop::collection::vec(any::<u8>(), 0..200)];
    TestRunner::new(cases)
        .run(&inputs, |input| {
            run(target, &input);
            Ok(())
        })
        .unwrap();
}

/// Writes the seeds of every target below a directory, as the fuzzer keeps its inputs.
fn write_seeds(directory: &Path) {
    for target in &ALL {
        let below = directory.join(target.name);
        std::fs::create_dir_all(&below).unwrap();
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(below.join(format!("seed-{number}")), seed).unwrap();
        }
    }
}

/// `./x fuzz` asks for them by HEADCOUNT_FUZZ_SEEDS.
#[test]
fn seeds_are_written_where_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let asked = std::env::var_os("HEADCOUNT_FUZZ_SEEDS");
    let directory = asked.map_or_else(|| dir.path().to_path_buf(), Into::into);
    write_seeds(&directory);
    let written = std::fs::read(directory.join("hooks/seed-0")).unwrap();
    assert_eq!(Some(written), (targets::hooks::seeds()).into_iter().next());
}

#[test]
fn every_target_is_offered_to_the_fuzzer_and_no_other() {
    let offered = |directory: &str, strip: &str| {
        let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).unwrap();
        let mut names: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap().replace(strip, "")).collect();
        names.sort();
        names
    };
    let mut named: Vec<&str> = ALL.iter().map(|target| target.name).collect();
    named.sort_unstable();
    assert_eq!(offered("fuzz/fuzz_targets", ".rs"), named);
}

macro_rules! targets {
    ($($test:ident: $name:literal,)*) => {
        $(#[test] fn $test() { play($name); })*

        #[test]
        fn every_target_is_run_here() {
            assert_eq!(ALL.map(|target| target.name), [$($name),*]);
        }
    };
}

targets! {
    a_manifest_loads_or_says_where_it_is_wrong: "manifest",
    an_edit_of_any_text_is_exact_or_refused: "edits",
    rows_of_tmux_say_the_same_when_written_again: "tmux",
    a_zellij_session_lives_only_if_its_server_says_so: "zellij",
    no_transcript_makes_an_id_up: "transcripts",
    hook_events_told_twice_are_told_once: "hooks",
    a_file_of_another_tool_makes_entries_that_a_manifest_takes: "imports",
    no_event_of_a_job_is_believed_twice: "events",
    what_other_hosts_say_changes_no_view_of_one: "fleet",
    a_registry_in_any_condition_is_read_and_written: "registry",
    what_another_host_says_is_read_or_refused_and_shown_safely: "remote",
    what_a_project_keeps_of_a_task_names_it_and_is_recapped: "tasks",
    no_text_of_a_crew_leaves_its_place_and_no_log_ends_a_task_twice: "crew",
    a_journal_in_any_condition_loses_nothing_that_counted: "journal",
}

//! What proves which conversation a live process is in, and what does not.

use headcount::core::fact::Fact;
use headcount::core::observe::Activity;
use headcount::core::observe::identity::Rung;

use super::kit::{Den, await_some, later, proven};
use super::specimens::{OTHER, all};

/// Whether an agent is said to be at work, or to wait in the middle of it.
fn is_busy(turn: &Fact<Activity>) -> bool {
    matches!(turn, Fact::Seen(Activity::Working | Activity::Waiting))
}

#[test]
fn an_id_among_the_arguments_is_proof_unless_it_is_forked_or_continued() {
    for specimen in &all() {
        for arguments in specimen.naming {
            let den = Den::new(specimen);
            let live = den.start(arguments);
            let ladder = den.ladder(&live.process);
            let start = ladder.readings.iter().find(|reading| reading.rung == Rung::Start);
            let said = start.and_then(|reading| reading.fact.seen()).map(|found| format!("{found:?}"));
            assert!(said.is_some_and(|said| said.contains(specimen.id)), "{}: {arguments}: {ladder:?}", specimen.kind);
        }
        for arguments in specimen.doubtful {
            let den = Den::new(specimen);
            let live = den.start(arguments);
            let ladder = den.ladder(&live.process);
            let start = ladder.readings.iter().find(|reading| reading.rung == Rung::Start);
            let said = start.and_then(|reading| reading.fact.seen());
            assert_eq!(said, None, "{}: {arguments}", specimen.kind);
        }
    }
}

#[test]
fn a_ladder_has_each_rung_at_most_once_and_in_its_order() {
    for specimen in &all() {
        let den = Den::new(specimen);
        let live = den.start("");
        let rungs: Vec<Rung> = den.ladder(&live.process).readings.iter().map(|reading| reading.rung).collect();
        assert!(rungs.is_sorted_by(|a, b| a < b) && !rungs.is_empty(), "{}: {rungs:?}", specimen.kind);
    }
}

#[test]
fn files_that_name_a_live_process_prove_its_conversation_and_a_reused_pid_proves_nothing() {
    for specimen in &all() {
        let den = Den::new(specimen);
        let live = den.start("");
        if let Some(vouch) = specimen.vouch {
            vouch(&den.home(), &live.process, specimen.id);
            await_some(specimen.kind.as_str(), || proven(&den.ladder(&live.process)).filter(|id| id == specimen.id));
        }
    }
    for specimen in all() {
        // The same files, left by another process.
        let specimen = super::specimens::Specimen { holds: "", ..specimen };
        let den = Den::new(&specimen);
        let live = den.start("");
        if let Some(stale) = specimen.stale {
            stale(&den.home(), &live.process, specimen.id);
        }
        assert_eq!(proven(&den.ladder(&live.process)), None, "{}", specimen.kind);
        assert_eq!(den.agent().quick_identity(&live.process, &den.home()), None, "{}", specimen.kind);
        assert!(!is_busy(&den.turn(&later(&live.process), specimen.id)), "{}", specimen.kind);
    }
}

#[test]
fn what_is_recorded_of_others_is_said_of_no_one() {
    for specimen in &all() {
        let den = Den::new(specimen);
        let live = den.start("");
        let specimen = super::specimens::Specimen { holds: "", ..*specimen };
        // A process of the pid that stands in the files, which began after all of them were written.
        let heir = headcount::host::ProcessInfo { pid: specimen.left_by, ..later(&live.process) };
        for id in [specimen.id, specimen.cut] {
            let turn = den.turn(&heir, id);
            assert!(!is_busy(&turn), "{}: a turn of before its start is not its work: {turn:?}", specimen.kind);
        }
        let turn = den.turn(&heir, OTHER);
        assert!(turn.seen().is_none(), "{}: no such conversation, and it is {turn:?}", specimen.kind);
    }
}

#[test]
fn an_agent_without_a_home_on_disk_is_in_no_conversation_and_does_nothing() {
    for specimen in all() {
        let specimen = super::specimens::Specimen { holds: "", ..specimen };
        let den = Den::new(&specimen);
        let live = den.start("");
        std::fs::remove_dir_all(den.home()).unwrap();
        let said = den.ask(&live.process);
        assert_eq!(proven(&said.ladder), None, "{}", specimen.kind);
        assert!(said.ladder.readings.iter().all(|reading| reading.fact.is_absent()), "{}: {said:?}", specimen.kind);
        assert_eq!(said.turn, Fact::Absent, "{}", specimen.kind);
    }
}

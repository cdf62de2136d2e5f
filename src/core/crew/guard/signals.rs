//! What points to a drift in what a worker said: how often it said what, words of its own, and how much of its task it still names.

use std::collections::BTreeSet;

use regex::Regex;
use serde::Serialize;

use super::TrailEntry;

/// Something that points to a drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DriftSignal {
    /// It has lost what it knew.
    #[serde(rename = "event:context_compacted")]
    ContextCompacted,
    /// It does, or asks about, something else than what was wanted.
    #[serde(rename = "event:misunderstood_request")]
    MisunderstoodRequest,
    /// It does not come closer to an end.
    #[serde(rename = "event:wrong_approach")]
    WrongApproach,
    /// It gave up, or was ended.
    #[serde(rename = "event:turn_aborted")]
    TurnAborted,
    /// What it made does not work.
    #[serde(rename = "event:buggy_code")]
    BuggyCode,
    /// It changed more than it should.
    #[serde(rename = "event:excessive_changes")]
    ExcessiveChanges,
    /// A command of it failed.
    #[serde(rename = "nonzero-exit-code")]
    NonzeroExit,
}

impl DriftSignal {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContextCompacted => "event:context_compacted",
            Self::MisunderstoodRequest => "event:misunderstood_request",
            Self::WrongApproach => "event:wrong_approach",
            Self::TurnAborted => "event:turn_aborted",
            Self::BuggyCode => "event:buggy_code",
            Self::ExcessiveChanges => "event:excessive_changes",
            Self::NonzeroExit => "nonzero-exit-code",
        }
    }
}

/// So many questions, and so many reports without an end, are one too many.
const QUESTIONS: usize = 2;
const REPORTS: usize = 3;

/// Less than this share of the words of a task in an answer means that it answers something else.
const OVERLAP: f64 = 0.2;

/// Words that a worker says of itself where something is wrong.
const WORDS: [(DriftSignal, &str); 6] = [
    (
        DriftSignal::ContextCompacted,
        r"(?:context[ _](?:was )?compacted|compaction|lost (?:the |my |all )?context|forgot(?:ten)?|forget|no longer remember|session drift|memory (?:gap|loss|break))",
    ),
    (
        DriftSignal::MisunderstoodRequest,
        r"(?:misunderst(?:ood|anding)|misread|wrong (?:task|target|repo|repository|file|branch|approach)|off[- ]track|not what was asked|drift(?:ed|ing)?)",
    ),
    (
        DriftSignal::WrongApproach,
        r"(?:stuck|looping|circling|(?:going|running) in circles|no progress|not progressing|blocked|unclear|unsure|not sure|guess(?:ing|ed)?|confused|dead end)",
    ),
    (
        DriftSignal::TurnAborted,
        r"(?:abort(?:ed|ing)?|cancell?ed|timed out|time-?out|gave up|given up|giving up|interrupted|stopped responding)",
    ),
    (
        DriftSignal::BuggyCode,
        r"(?:traceback|exception|panicked|segfault|syntax error|(?:build|compile|compilation|tests?) fail(?:ed|s|ure|ures)?|compile error|runtime error|regression)",
    ),
    (
        DriftSignal::ExcessiveChanges,
        r"(?:too broad|oversho(?:o|t)t?|changed too much|too many (?:files|changes)|excessive changes|(?:touched|changed) unrelated|rewrote everything)",
    ),
];

/// A command that failed. A number behind it is looked at: 0 is none.
const EXIT: &str = r"(?i)\b(?:exit (?:code|status)|exited with(?: code)?|return ?code|rc|code)\s*[:=]?\s*(\d+)|\b(non-?zero)\b";

/// Words that say nothing about a task.
const FILLERS: [&str; 30] = [
    "the", "and", "for", "with", "that", "this", "into", "from", "under", "over", "about", "your", "their", "then", "than",
    "have", "has", "been", "were", "will", "would", "should", "could", "task", "note", "are", "was", "not", "all", "you",
];

/// What points to a drift, each once.
pub(super) fn found(of_worker: &[&TrailEntry], expected: &str, actual: &str) -> Vec<DriftSignal> {
    let count = |kind: &str| of_worker.iter().filter(|it| it.kind == kind).count();
    let mut signals = Vec::new();
    let mut add = |signal: DriftSignal, is_so: bool| {
        if is_so && !signals.contains(&signal) {
            signals.push(signal);
        }
    };
    add(DriftSignal::MisunderstoodRequest, count("ASK") >= QUESTIONS);
    add(DriftSignal::WrongApproach, count("STATUS") >= REPORTS);
    add(DriftSignal::TurnAborted, count("FAIL") > 0);
    let text = of_worker.iter().map(|it| it.summary.as_str()).collect::<Vec<_>>().join(" ");
    for (signal, words) in WORDS {
        add(signal, Regex::new(&format!(r"(?i)\b{words}\b")).is_ok_and(|words| words.is_match(&text)));
    }
    add(DriftSignal::NonzeroExit, has_failed_command(&text));
    add(DriftSignal::WrongApproach, !actual.is_empty() && overlap(expected, actual) < OVERLAP);
    signals
}

fn has_failed_command(text: &str) -> bool {
    let Ok(exit) = Regex::new(EXIT) else { return false };
    let failed = |number: &str| number.bytes().any(|digit| digit != b'0');
    exit.captures_iter(text).any(|found| found.get(1).is_none_or(|number| failed(number.as_str())))
}

/// The words of a text that say what it is about.
fn words(text: &str) -> BTreeSet<String> {
    let text = text.to_lowercase();
    let Ok(word) = Regex::new(r"[\p{Latin}0-9_./:-]{3,}") else { return BTreeSet::new() };
    let words = word.find_iter(&text).map(|word| word.as_str().trim_matches(['.', '/', ':', '-']));
    words.filter(|word| word.len() >= 3 && !FILLERS.contains(word)).map(str::to_owned).collect()
}

/// The share of the words of a task that its answer has too. A task without words of its own has all of them.
pub(super) fn overlap(expected: &str, actual: &str) -> f64 {
    let (expected, actual) = (words(expected), words(actual));
    if expected.is_empty() {
        return 1.0;
    }
    #[allow(clippy::cast_precision_loss, reason = "nobody says so many words")]
    let share = expected.intersection(&actual).count() as f64 / expected.len() as f64;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one() {
        assert!(WORDS.iter().all(|(_, words)| Regex::new(words).is_ok()) && Regex::new(EXIT).is_ok());
    }

    #[test]
    fn words_of_trouble_are_found_and_others_are_not() {
        use DriftSignal::{
            BuggyCode, ContextCompacted, ExcessiveChanges, MisunderstoodRequest, NonzeroExit, TurnAborted, WrongApproach,
        };
        let of = |summary: &str| {
            let summary = summary.to_owned();
            let entry = TrailEntry { seq: 1, from: "w".into(), to: "m".into(), kind: "HEARTBEAT".into(), summary };
            found(&[&entry], "", "")
        };
        for (text, signal) in [
            ("I lost context after the restart", ContextCompacted),
            ("Context compacted, I forgot the plan", ContextCompacted),
            ("I misread the goal", MisunderstoodRequest),
            ("That was the wrong repo", MisunderstoodRequest),
            ("stuck at the parser", WrongApproach),
            ("gave up", TurnAborted),
            ("it timed out", TurnAborted),
            ("Traceback (most recent call last)", BuggyCode),
            ("tests failed", BuggyCode),
            ("touched unrelated files", ExcessiveChanges),
            ("overshot", ExcessiveChanges),
            ("cargo ended with exit code 101", NonzeroExit),
            ("rc=2", NonzeroExit),
            ("a non-zero status", NonzeroExit),
        ] {
            assert_eq!(of(text), [signal], "{text}");
        }
        for text in ["all done", "exit code 0", "rc=00", "the encoder works", "unblocked", "exceptional work", "aborticide"] {
            assert_eq!(of(text), [], "{text}");
        }
    }

    #[test]
    fn how_much_of_a_task_an_answer_names_is_measured() {
        let near = |expected: &str, actual: &str, share: f64| (overlap(expected, actual) - share).abs() < 1e-9;
        assert!(near("Fix the failing tests in src/auth.ts.", "Fixed src/auth.ts, tests pass", 0.5));
        assert!(near("the task", "anything", 1.0) && near("", "x", 1.0));
        assert!(near("Fix auth", "wrote a poem", 0.0));
        assert!(near("修复测试", "写了一首诗", 1.0), "words that cannot be told apart say nothing");
    }
}

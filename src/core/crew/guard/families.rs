//! What signals point to: sixteen kinds of failure, seven families of them, how sure that is, and which move of a manager fits each.

use std::fmt::Write as _;

use regex::Regex;
use serde::Serialize;

use super::{DriftSignal, GuardCase, GuardMode};

/// A kind of failure, by its number in the map that these families come from.
struct Kind {
    number: u8,
    label: &'static str,
    words: &'static [&'static str],
}

/// Words are looked for from their beginning on: `recurs` is also in `recursion`.
const KINDS: [Kind; 16] = [
    Kind {
        number: 1,
        label: "claims without a source",
        words: &["hallucinat", "made up", "wrong source", "no source", "wrong chunk"],
    },
    Kind {
        number: 2,
        label: "request taken for another",
        words: &["misunderst", "misread", "misinterpret", "not what was asked"],
    },
    Kind {
        number: 3,
        label: "steps that lose the way",
        words: &["long chain", "reasoning chain", "chain of steps", "lost the thread"],
    },
    Kind { number: 4, label: "sure and wrong", words: &["overconfident", "confident but wrong", "bluff", "claimed it works"] },
    Kind { number: 5, label: "similar is not the same", words: &["embedding", "wrong match", "retrieval", "similar but"] },
    Kind {
        number: 6,
        label: "reasoning that breaks off",
        words: &["contradict", "logic collapse", "inconsisten", "does not follow"],
    },
    Kind {
        number: 7,
        label: "memory that ends with a session",
        words: &["forgot", "context_compacted", "lost context", "session drift", "memory"],
    },
    Kind {
        number: 8,
        label: "failure that nobody can see",
        words: &["black box", "no trace", "no logs", "missing logs", "no visibility"],
    },
    Kind { number: 9, label: "work that frays", words: &["drift", "fragment", "incoheren", "falls apart"] },
    Kind { number: 10, label: "no next step", words: &["stuck", "frozen", "no idea", "dead end"] },
    Kind {
        number: 11,
        label: "form that carries the wrong thing",
        words: &["json", "schema", "malformed", "wrong format", "encoding"],
    },
    Kind {
        number: 12,
        label: "thinking about thinking",
        words: &["recurs", "self-reference", "endless loop", "going in circles"],
    },
    Kind {
        number: 13,
        label: "agents in each other's way",
        words: &["multi-agent", "race condition", "conflict", "another worker", "overwrote"],
    },
    Kind {
        number: 14,
        label: "begun in the wrong order",
        words: &["bootstrap", "startup", "not ready", "init order", "before it was up"],
    },
    Kind { number: 15, label: "waiting for each other", words: &["deadlock", "deploy", "waits for itself", "circular wait"] },
    Kind {
        number: 16,
        label: "broken before the first use",
        words: &["pre-deploy", "missing secret", "version mismatch", "ci gate", "not installed"],
    },
];

/// What a manager does about a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagerMove {
    /// Ask for the source of each claim.
    Reground,
    /// Make the goal smaller, and agree on a checkpoint.
    Narrow,
    /// Tell it again what was said, and who owns what.
    Replay,
    /// See that tools, panes and commands work.
    CheckReadiness,
    /// Make the failure visible first.
    Expose,
    /// Say what may not be touched.
    Tighten,
    /// Mend the format.
    RepairFormat,
    /// Wait, and look again.
    Observe,
}

/// A family of failures.
#[derive(Debug, PartialEq, Eq)]
pub struct FailureFamily {
    /// Its id: `F1` to `F7`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What is broken.
    pub invariant: &'static str,
    kinds: &'static [u8],
    words: &'static [&'static str],
    signals: &'static [DriftSignal],
    /// What a manager does about it.
    pub manager_move: ManagerMove,
    /// The same in words.
    pub fix: &'static str,
    /// What would make it worse.
    pub misrepair: &'static str,
    meaning: &'static str,
}

/// All of them.
const FAMILIES: [FailureFamily; 7] = [
    FailureFamily {
        id: "F1",
        name: "Grounding & Evidence",
        invariant: "anchor_to_claim_coupling_broken",
        kinds: &[1, 5],
        words: &["hallucinat", "grounding", "evidence", "wrong source", "no source", "made up", "wrong reference"],
        signals: &[],
        manager_move: ManagerMove::Reground,
        fix: "demand the source of each claim: path, line, output",
        misrepair: "asking for a better wording of claims that nothing supports",
        meaning: "What the worker says is not tied to what it has seen.",
    },
    FailureFamily {
        id: "F2",
        name: "Reasoning & Progression",
        invariant: "progression_continuity_broken",
        kinds: &[2, 3, 4, 6, 10, 12],
        words: &["reasoning", "contradict", "loop", "in circles", "no progress", "next step", "dead end"],
        signals: &[DriftSignal::WrongApproach, DriftSignal::MisunderstoodRequest, DriftSignal::ExcessiveChanges],
        manager_move: ManagerMove::Narrow,
        fix: "narrow the goal and set a checkpoint before the next step",
        misrepair: "repeating the whole goal, louder and longer",
        meaning: "The worker moves, and not towards the goal.",
    },
    FailureFamily {
        id: "F3",
        name: "State & Continuity",
        invariant: "state_continuity_broken",
        kinds: &[7, 13],
        words: &["memory", "ownership", "continuity", "session drift", "multi-agent", "handover", "another worker"],
        signals: &[DriftSignal::ContextCompacted],
        manager_move: ManagerMove::Replay,
        fix: "replay the context and say anew who owns what",
        misrepair: "adding instructions to a worker that has lost the earlier ones",
        meaning: "What was known or owned before is gone.",
    },
    FailureFamily {
        id: "F4",
        name: "Execution & Contract",
        invariant: "execution_skeleton_closure_broken",
        kinds: &[14, 15, 16],
        words: &["bootstrap", "readiness", "not ready", "deadlock", "protocol", "contract", "transport", "permission denied"],
        signals: &[DriftSignal::TurnAborted, DriftSignal::BuggyCode, DriftSignal::ExcessiveChanges, DriftSignal::NonzeroExit],
        manager_move: ManagerMove::CheckReadiness,
        fix: "check that tools, panes and commands are ready before you change the task",
        misrepair: "rewriting the prompt while the command itself fails",
        meaning: "What should be carried out does not come to its end.",
    },
    FailureFamily {
        id: "F5",
        name: "Observability & Diagnosability",
        invariant: "failure_path_visibility_broken",
        kinds: &[8],
        words: &["black box", "no logs", "no trace", "visibility", "audit", "traceab", "silent"],
        signals: &[],
        manager_move: ManagerMove::Expose,
        fix: "make the failure visible first: logs, outputs, exit codes",
        misrepair: "trying repairs while nobody sees what fails",
        meaning: "Something fails where nobody can see it.",
    },
    FailureFamily {
        id: "F6",
        name: "Boundary & Safety",
        invariant: "boundary_integrity_broken",
        kinds: &[9],
        words: &["boundary", "safety", "out of scope", "drift", "unrelated", "overshoot", "not allowed"],
        signals: &[],
        manager_move: ManagerMove::Tighten,
        fix: "tighten the scope: name what may be touched and what may not",
        misrepair: "watching more closely while the scope stays open",
        meaning: "The worker leaves what it was given.",
    },
    FailureFamily {
        id: "F7",
        name: "Representation & Localization",
        invariant: "representation_container_fidelity_broken",
        kinds: &[11],
        words: &["json", "schema", "encoding", "malformed", "layout", "wrong format", "truncated"],
        signals: &[],
        manager_move: ManagerMove::RepairFormat,
        fix: "repair the format or the container before what it carries",
        misrepair: "correcting the content of what arrives garbled",
        meaning: "The content may be right, and what carries it is not.",
    },
];

/// A kind of failure that a text names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct KindFound {
    number: u8,
    label: &'static str,
    confidence: &'static str,
}

/// Which family it is, and how sure that is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Atlas {
    /// The family, or `unresolved`.
    pub primary_family: String,
    secondary_family: String,
    why_primary_not_secondary: String,
    broken_invariant: &'static str,
    best_current_fit: &'static str,
    fit_level: &'static str,
    /// What to mend first.
    pub fix_surface_direction: &'static str,
    /// What would make it worse.
    pub misrepair_risk: &'static str,
    /// `high`, `medium` or `low`.
    pub confidence: &'static str,
    /// `sufficient`, `partial` or `weak`.
    pub evidence_sufficiency: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FixRoute {
    family: Option<&'static str>,
    page: Option<&'static str>,
    minimal_fix: Option<&'static str>,
}

/// What a case points to, as it stands in `diagnosis.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardDiagnosis {
    status: &'static str,
    diagnostic_mode: GuardMode,
    implementation_state: &'static str,
    pm1_candidates: Vec<KindFound>,
    /// The family.
    pub atlas: Atlas,
    global_fix_route: FixRoute,
    source_case: String,
    references_used: Vec<&'static str>,
    /// What a manager does about it.
    pub manager_move: ManagerMove,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    need_more_evidence: bool,
}

/// Where the rules of this are written down.
const RULES: &str = "docs/crew.md#the-drift-guard";

/// A family with what points to it.
struct Scored {
    family: &'static FailureFamily,
    score: usize,
    by: Vec<String>,
}

/// Whether a text has a word, from its beginning on.
fn has(text: &str, word: &str) -> bool {
    Regex::new(&format!(r"(?i)(?:^|[^\p{{L}}\p{{N}}]){}", regex::escape(word))).is_ok_and(|word| word.is_match(text))
}

fn kinds(text: &str) -> Vec<KindFound> {
    let mut found: Vec<(usize, &Kind)> =
        KINDS.iter().map(|kind| (kind.words.iter().filter(|word| has(text, word)).count(), kind)).collect();
    found.retain(|(count, _)| *count > 0);
    found.sort_by_key(|(count, kind)| (std::cmp::Reverse(*count), kind.number));
    let kind = |(count, kind): (usize, &Kind)| {
        let confidence = if count >= 2 { "high" } else { "medium" };
        KindFound { number: kind.number, label: kind.label, confidence }
    };
    found.into_iter().take(3).map(kind).collect()
}

fn scored(text: &str, signals: &[DriftSignal], kinds: &[KindFound]) -> Vec<Scored> {
    let score = |family: &'static FailureFamily| {
        let (mut score, mut by) = (0, Vec::new());
        for word in family.words.iter().filter(|word| has(text, word)) {
            score += if word.contains(' ') { 2 } else { 1 };
            by.push((*word).to_owned());
        }
        for kind in kinds.iter().filter(|kind| family.kinds.contains(&kind.number)) {
            score += 2;
            by.push(format!("pm1:{}", kind.number));
        }
        for signal in signals.iter().filter(|signal| family.signals.contains(signal)) {
            score += 1;
            by.push(signal.as_str().to_owned());
        }
        Scored { family, score, by }
    };
    let mut all: Vec<Scored> = FAMILIES.iter().map(score).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.score));
    all
}

/// How sure a family is, and how much speaks for it.
const fn certainty(score: usize, second: usize, evidence: usize) -> (&'static str, &'static str) {
    match score {
        6.. if score - second >= 2 && evidence >= 2 => ("high", "sufficient"),
        3.. => ("medium", "partial"),
        _ => ("low", "weak"),
    }
}

impl GuardDiagnosis {
    /// Of a case.
    pub(super) fn of(case: &GuardCase, mode: GuardMode) -> Self {
        let signals = &case.candidate_failure_signals;
        let mut text = format!("{} {}", case.expected, case.actual);
        for part in case.evidence.iter().map(String::as_str).chain(signals.iter().map(|signal| signal.as_str())) {
            let _ = write!(text, " {part}");
        }
        let pm1_candidates = kinds(&text);
        let ranked = scored(&text, signals, &pm1_candidates);
        let first = ranked.first().filter(|first| first.score > 0);
        let second = ranked.get(1).filter(|second| second.score > 0);
        let score = |one: Option<&Scored>| one.map_or(0, |one| one.score);
        let (confidence, evidence_sufficiency) = certainty(score(first), score(second), case.evidence.len());
        let titled = |one: &Scored| format!("{} {}", one.family.id, one.family.name);
        let points = |one: &Scored| one.by.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        let why = match (first, second) {
            (None, _) => "nothing that was said points to a family".to_owned(),
            (Some(first), None) => format!("only {} has something that points to it: {}", first.family.id, points(first)),
            (Some(first), Some(second)) => format!(
                "{} has {} points ({}), {} has {} ({})",
                first.family.id,
                first.score,
                points(first),
                second.family.id,
                second.score,
                points(second)
            ),
        };
        let family = first.map(|first| first.family);
        let atlas = Atlas {
            primary_family: first.map_or_else(|| "unresolved".to_owned(), titled),
            secondary_family: second.map_or_else(|| "none".to_owned(), titled),
            why_primary_not_secondary: why,
            broken_invariant: family.map_or("undetermined", |family| family.invariant),
            best_current_fit: if family.is_some() { "family-level" } else { "no-fit" },
            fit_level: if family.is_some() { "family" } else { "coarse" },
            fix_surface_direction: family.map_or("collect more of what was said before you decide", |family| family.fix),
            misrepair_risk: family.map_or("choosing a family that nothing points to", |family| family.misrepair),
            confidence,
            evidence_sufficiency,
        };
        let routed = family.filter(|_| confidence != "low");
        Self {
            status: "ok",
            diagnostic_mode: mode,
            implementation_state: "headcount-heuristic",
            pm1_candidates,
            atlas,
            global_fix_route: FixRoute {
                family: routed.map(|family| family.name),
                page: routed.map(|_| RULES),
                minimal_fix: routed.map(|family| family.fix),
            },
            source_case: case.source_session.clone(),
            references_used: vec![RULES],
            manager_move: routed.map_or(ManagerMove::Observe, |family| family.manager_move),
            meaning: family.filter(|_| mode == GuardMode::Teaching).map(|family| family.meaning),
            need_more_evidence: evidence_sufficiency == "weak",
        }
    }
}

/// Whether a diagnosis is sure enough to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WritebackGate {
    /// Whether it is.
    pub allow: bool,
    confidence: &'static str,
    evidence_sufficiency: &'static str,
}

/// What may be kept of a diagnosis, as it stands in `event.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuardEvent {
    status: &'static str,
    event_type: String,
    target_skill_id: &'static str,
    decision_reason: String,
    /// Whether it may be kept.
    pub writeback_gate: WritebackGate,
    pm1_candidates: Vec<KindFound>,
    atlas: Atlas,
    global_fix_route: FixRoute,
    source_case: String,
}

impl GuardEvent {
    /// Of a diagnosis.
    pub(super) fn of(diagnosis: &GuardDiagnosis) -> Self {
        let atlas = &diagnosis.atlas;
        let family = atlas.primary_family.split(' ').next().and_then(|id| id.strip_prefix('F'));
        let event_type = match (family, diagnosis.pm1_candidates.first()) {
            (Some(number), _) => format!("problemmap-atlas-f{number}"),
            (None, Some(kind)) => format!("problemmap-pm1-{:02}", kind.number),
            (None, None) => "problemmap-unresolved".to_owned(),
        };
        let (confidence, evidence_sufficiency) = (atlas.confidence, atlas.evidence_sufficiency);
        let allow = confidence != "low" && evidence_sufficiency != "weak";
        let verdict = if allow { "it may be kept" } else { "it is too weak to be kept" };
        Self {
            status: "ok",
            event_type,
            target_skill_id: "crew-manager",
            decision_reason: format!("confidence {confidence}, evidence {evidence_sufficiency}: {verdict}"),
            writeback_gate: WritebackGate { allow, confidence, evidence_sufficiency },
            pm1_candidates: diagnosis.pm1_candidates.clone(),
            atlas: atlas.clone(),
            global_fix_route: diagnosis.global_fix_route.clone(),
            source_case: diagnosis.source_case.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_belongs_to_one_family_and_scores_follow_the_table() {
        let mut all: Vec<u8> = FAMILIES.iter().flat_map(|family| family.kinds).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (1..=16).collect::<Vec<_>>());
        assert!(KINDS.iter().map(|kind| kind.number).eq(1..=16));
        for (score, second, evidence, expected) in [
            (0, 0, 9, ("low", "weak")),
            (2, 0, 9, ("low", "weak")),
            (3, 3, 0, ("medium", "partial")),
            (6, 4, 2, ("high", "sufficient")),
            (6, 5, 2, ("medium", "partial")),
            (6, 4, 1, ("medium", "partial")),
            (9, 0, 2, ("high", "sufficient")),
        ] {
            assert_eq!(certainty(score, second, evidence), expected, "{score} {second} {evidence}");
        }
    }

    #[test]
    fn a_word_counts_one_with_a_blank_two_a_kind_two_and_a_signal_one() {
        let score = |text: &str, signals: &[DriftSignal], id: &str| {
            let all = scored(text, signals, &kinds(text));
            all.into_iter().find(|one| one.family.id == id).map(|one| one.score)
        };
        assert_eq!(score("readiness", &[], "F4"), Some(1));
        assert_eq!(score("permission denied", &[], "F4"), Some(2));
        assert_eq!(score("a bootstrap", &[], "F4"), Some(3), "a word, and kind 14");
        assert_eq!(score("", &[DriftSignal::TurnAborted, DriftSignal::NonzeroExit], "F4"), Some(2));
        assert_eq!(score("", &[DriftSignal::ExcessiveChanges], "F2"), Some(1));
        assert_eq!(score("we reopen and anti-loop", &[], "F2"), Some(1));
        assert_eq!(score("the developer", &[], "F4"), Some(0), "a word begins where it begins");
    }
}

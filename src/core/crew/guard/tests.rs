//! Whole looks at what was said.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn entry(seq: u64, from: &str, to: &str, kind: &str, summary: &str) -> Value {
    json!({"seq": seq, "ts": "t", "task_id": "t1", "from": from, "to": to, "type": kind, "summary": summary, "artifact_path": null})
}

fn request() -> GuardRequest<'static> {
    GuardRequest {
        task: "t1",
        worker: "w",
        manager: "manager",
        expected: None,
        window: Some(12),
        mode: GuardMode::Strict,
        source: "/c",
    }
}

const GOAL: &str = "Fix the failing parser tests";

fn goal() -> Value {
    entry(1, "manager", "w", "TASK_ASSIGN", GOAL)
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn a_worker_that_keeps_asking_has_misunderstood_and_its_goal_is_narrowed() {
    let asks = (2..4).map(|seq| entry(seq, "w", "manager", "ASK", "Which parser tests do you mean?"));
    let report = look(&std::iter::once(goal()).chain(asks).collect::<Vec<_>>(), &request()).unwrap();
    assert_eq!(report.case.candidate_failure_signals, [DriftSignal::MisunderstoodRequest]);
    assert_eq!((report.case.expected.as_str(), report.case.actual.as_str()), (GOAL, "Which parser tests do you mean?"));
    assert_eq!(report.diagnosis.atlas.primary_family, "F2 Reasoning & Progression");
    assert_eq!((report.diagnosis.atlas.confidence, report.diagnosis.manager_move), ("medium", ManagerMove::Narrow));
    let event = serde_json::to_value(&report.event).unwrap();
    assert_eq!(event["event_type"], "problemmap-atlas-f2");
    assert_eq!(event["writeback_gate"], json!({"allow": true, "confidence": "medium", "evidence_sufficiency": "partial"}));
}

#[test]
fn the_three_documents_have_their_fields() {
    let said = [goal(), entry(2, "w", "manager", "FAIL", "gave up: the tests failed with exit code 101, parser not ready")];
    let report = look(&said, &request()).unwrap();
    let case = serde_json::to_value(&report.case).unwrap();
    let fields = "actual anchor_event_type anchor_index anchor_reasons candidate_failure_signals evidence expected recent_actions \
        source_case source_session status task_id worker_id";
    assert_eq!(keys(&case).join(" "), fields);
    assert_eq!(case["evidence"][0], format!("seq=1 manager->w type=TASK_ASSIGN: {GOAL}"));
    assert_eq!((case["anchor_index"].as_u64(), case["anchor_event_type"].as_str()), (Some(2), Some("FAIL")));
    let signals = json!(["event:turn_aborted", "event:buggy_code", "nonzero-exit-code"]);
    assert_eq!((&case["candidate_failure_signals"], &case["anchor_reasons"]), (&signals, &signals));
    let diagnosis = serde_json::to_value(&report.diagnosis).unwrap();
    let fields = "atlas diagnostic_mode global_fix_route implementation_state manager_move pm1_candidates references_used \
        source_case status";
    assert_eq!(keys(&diagnosis).join(" "), fields);
    let fields = "best_current_fit broken_invariant confidence evidence_sufficiency fit_level fix_surface_direction misrepair_risk \
        primary_family secondary_family why_primary_not_secondary";
    assert_eq!(keys(&diagnosis["atlas"]).join(" "), fields);
    assert_eq!(diagnosis["atlas"]["broken_invariant"], "execution_skeleton_closure_broken");
    assert_eq!((&diagnosis["atlas"]["confidence"], &diagnosis["manager_move"]), (&json!("high"), &json!("check-readiness")));
    assert_eq!(diagnosis["pm1_candidates"][0]["number"], 14);
    assert_eq!(keys(&diagnosis["global_fix_route"]), ["family", "minimal_fix", "page"]);
    let event = serde_json::to_value(&report.event).unwrap();
    let fields =
        "atlas decision_reason event_type global_fix_route pm1_candidates source_case status target_skill_id writeback_gate";
    assert_eq!(keys(&event).join(" "), fields);
}

#[test]
fn where_nothing_is_wrong_nothing_is_claimed() {
    let said = [goal(), entry(2, "w", "manager", "RESULT", "The parser tests pass, fix committed")];
    let report = look(&said, &request()).unwrap();
    assert_eq!(report.case.candidate_failure_signals, []);
    assert_eq!((report.diagnosis.atlas.primary_family.as_str(), report.diagnosis.atlas.confidence), ("unresolved", "low"));
    assert_eq!(report.diagnosis.manager_move, ManagerMove::Observe);
    let (diagnosis, event) = (serde_json::to_value(&report.diagnosis).unwrap(), serde_json::to_value(&report.event).unwrap());
    assert_eq!((&diagnosis["need_more_evidence"], &event["event_type"]), (&json!(true), &json!("problemmap-unresolved")));
    assert_eq!(event["writeback_gate"]["allow"], false);
}

#[test]
fn a_result_beside_the_goal_is_measured_also_against_another_goal() {
    let said = [goal(), entry(2, "w", "manager", "RESULT", "Wrote a poem about spring")];
    assert_eq!(look(&said, &request()).unwrap().case.candidate_failure_signals, [DriftSignal::WrongApproach]);
    let poem = GuardRequest { expected: Some("Write a poem about spring"), ..request() };
    assert_eq!(look(&said, &poem).unwrap().case.candidate_failure_signals, []);
}

#[test]
fn only_what_this_worker_and_its_manager_said_of_the_task_counts() {
    let other_task = json!({"seq": 9, "task_id": "t2", "from": "w", "to": "manager", "type": "FAIL", "summary": "gave up"});
    let odd = [json!(null), json!(3), json!({"task_id": "t1"}), json!({"task_id": "t1", "seq": "x", "from": 4})];
    let mut said = vec![goal(), other_task, entry(2, "v", "manager", "FAIL", "gave up"), entry(3, "v", "w", "FAIL", "gave up")];
    said.extend(odd);
    said.push(entry(4, "w", "boss", "STATUS", "parser tests found"));
    let report = look(&said, &GuardRequest { manager: "boss", ..request() }).unwrap();
    assert_eq!((report.case.evidence.len(), report.case.candidate_failure_signals.len()), (2, 0));
    // A window is the end of that.
    let reports = (5..9).map(|seq| entry(seq, "w", "mgr", "STATUS", "parser tests"));
    let said: Vec<Value> = said.into_iter().chain(reports).collect();
    let of = |window| look(&said, &GuardRequest { window, ..request() }).unwrap().case.evidence.len();
    assert_eq!((of(Some(2)), of(Some(12)), of(None)), (2, 5, 5));
    for (task, worker) in [("../x", "w"), ("t1", "a/b"), (".", "w"), ("", "w"), ("t 1", "w")] {
        assert!(matches!(look(&said, &GuardRequest { task, worker, ..request() }), Err(GuardRefusal::BadName(_))));
    }
    let nobody = look(&said, &GuardRequest { worker: "nobody", ..request() });
    assert_eq!(nobody.unwrap_err().to_string(), "no context events found for task=t1 worker=nobody");
}

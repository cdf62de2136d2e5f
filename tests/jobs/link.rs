//! A job in its session's entry: by `submit`, by the next pass, and taken back.

use crate::place::{Place, Ran};

const MANIFEST: &str = "# mine\nversion: 1\nsessions:\n  - name: lab     # keep\n    agent: claude\n  - {name: two, agent: codex, delegate_job_id: null}\n";

fn place() -> Place {
    let place = Place::new();
    place.write("agent-sessions.yaml", MANIFEST);
    place
}

fn manifest(place: &Place) -> String {
    std::fs::read_to_string(place.work().join("agent-sessions.yaml")).unwrap()
}

fn submit(place: &Place, session: &str) -> (String, Ran) {
    let ran = place.run(&["job", "submit", "--prompt", "x", "--agent-session", session]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    (ran.stdout.trim().to_owned(), ran)
}

#[test]
fn submitting_records_the_job_in_the_entry_and_nothing_else() {
    let place = place();
    let (one, ran) = submit(&place, "tmux:lab");
    assert_eq!(ran.stderr, "");
    let expected = MANIFEST.replace("agent: claude\n", &format!("agent: claude\n    delegate_job_id: {one}\n"));
    let unquoted = |text: String| text.replace('"', "");
    assert_eq!(unquoted(manifest(&place)), expected);
    let (two, _) = submit(&place, "tmux:two");
    assert_eq!(unquoted(manifest(&place)), expected.replace("delegate_job_id: null", &format!("delegate_job_id: {two}")));
    let status = place.run(&["status"]);
    assert!(status.stdout.contains(&format!("{one} pending")), "{}", status.stdout);
    let history = place.run(&["history"]).stdout;
    assert!(history.contains("delegated") && history.contains(&one), "{history}");
}

#[test]
fn a_link_is_taken_back_like_any_change_and_stays_away_once_the_job_has_ended() {
    let place = place();
    let (id, _) = submit(&place, "tmux:lab");
    assert_eq!(place.run(&["job", "publish", &id, "completed"]).code, Some(0));
    let undone = place.run(&["undo", "1"]);
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert_eq!(manifest(&place), MANIFEST);
    assert_eq!(place.run(&["reconcile"]).code, Some(0));
    assert_eq!(manifest(&place), MANIFEST);
}

#[test]
fn without_an_entry_the_job_is_submitted_and_the_next_pass_that_finds_one_links_it() {
    let place = place();
    let (id, ran) = submit(&place, "tmux:later");
    assert!(ran.stderr.contains("the manifest has no entry named later") && ran.stderr.contains(&id), "{}", ran.stderr);
    assert_eq!(manifest(&place), MANIFEST);
    place.write("agent-sessions.yaml", format!("{MANIFEST}  - {{name: later, agent: claude}}\n"));
    let diff = place.run(&["diff", "--settle", "0s", "--json"]);
    assert_eq!(diff.code, Some(2));
    let report: serde_json::Value = serde_json::from_str(&diff.stdout).unwrap();
    assert_eq!((&report["drifts"][0]["class"], &report["drifts"][0]["code"]), (&"delegated".into(), &"I".into()));
    assert_eq!(report["drifts"][0]["edits"][0]["to"], id.as_str());
    assert_eq!(place.run(&["reconcile", "--settle", "0s"]).code, Some(0));
    assert!(manifest(&place).contains(&id));
    assert_eq!(place.run(&["diff", "--settle", "0s"]).code, Some(0), "a second pass has nothing to do");
}

#[test]
fn without_a_manifest_the_job_is_submitted_all_the_same() {
    let place = Place::new();
    let (id, ran) = submit(&place, "tmux:lab");
    assert!(ran.stderr.contains("no manifest found"), "{}", ran.stderr);
    assert_eq!(place.run(&["job", "show", &id]).code, Some(0));
}

#[test]
fn a_job_of_another_registry_in_the_entry_is_not_replaced() {
    let place = Place::new();
    let text = "version: 1\nsessions:\n  - {name: lab, agent: claude, delegate_job_id: elsewhere}\n";
    place.write("agent-sessions.yaml", text);
    let (_, ran) = submit(&place, "tmux:lab");
    assert!(ran.stderr.contains("the entry names job elsewhere"), "{}", ran.stderr);
    assert_eq!(manifest(&place), text);
    let status = place.run(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["sessions"][0]["job"], "elsewhere");
    assert!(status["sessions"][0].get("job_status").is_none());
}

#[test]
fn status_says_how_the_job_of_a_session_is() {
    let place = place();
    let (id, _) = submit(&place, "tmux:lab");
    place.run(&["job", "publish", &id, "permission_required"]);
    let row = || -> serde_json::Value {
        let status: serde_json::Value = serde_json::from_str(&place.run(&["status", "--json"]).stdout).unwrap();
        status["sessions"][0].clone()
    };
    assert_eq!((&row()["job_status"], &row()["job_event"]), (&"running".into(), &"permission_required".into()));
    assert!(place.run(&["status"]).stdout.contains("running, asks permission"));
    let record = place.home().join(".local/state/headcount/jobs").join(format!("{id}.json"));
    let mut old: serde_json::Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    for field in ["created_at", "updated_at"] {
        old[field] = "2020-01-01T00:00:00Z".into();
    }
    old["timeout_sec"] = serde_json::Value::Null;
    std::fs::write(&record, old.to_string()).unwrap();
    assert_eq!(row()["job_timed_out"], "idle");
    let explained = place.run(&["explain", "lab"]).stdout;
    assert!(explained.contains(&format!("{id}, running, last event permission_required (number 1)")), "{explained}");
    assert!(explained.contains(", idle"), "{explained}");
}

#[test]
fn a_registry_that_cannot_be_read_links_nothing_and_says_so() {
    let place = place();
    place.write("jobs", "a file");
    let mut command = place.command();
    command.env("HEADCOUNT_JOBS", place.work().join("jobs")).args(["reconcile", "--settle", "0s"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot read the job registry"), "{}", ran.stderr);
    assert_eq!(manifest(&place), MANIFEST);
}

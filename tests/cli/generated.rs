//! Generated files are what the program generates. `UPDATE=1` writes them anew.

use std::path::Path;

use crate::support::Place;

/// Fails if a file of the repository is not what the program prints; with `UPDATE=1` makes it that.
fn assert_generated(arguments: &[&str], file: &str) {
    let ran = Place::new().run(arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &ran.stdout).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == ran.stdout, "{file} is stale; UPDATE=1 cargo test --test cli -- generated:: writes it");
}

#[test]
fn the_schemas_in_the_repository_are_the_ones_the_program_prints() {
    for (document, file) in [
        ("manifest", "agent-sessions.schema.json"),
        ("report", "report.schema.json"),
        ("status", "status.schema.json"),
        ("describe", "describe.schema.json"),
        ("history", "history.schema.json"),
        ("events", "events.schema.json"),
        ("event", "event.schema.json"),
        ("job", "job.schema.json"),
        ("job-event", "job-event.schema.json"),
        ("host", "host.schema.json"),
        ("session", "session.schema.json"),
        ("drift", "drift.schema.json"),
        ("fleet", "fleet.schema.json"),
        ("fleet-events", "fleet-events.schema.json"),
        ("wait", "wait.schema.json"),
    ] {
        assert_generated(&["schema", document], &format!("schema/{file}"));
    }
}

#[test]
fn the_reference_of_the_manifest_is_the_one_the_program_prints() {
    assert_generated(&["schema", "manifest", "--markdown"], "docs/manifest.md");
    let ran = Place::new().run(&["schema", "report", "--markdown"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""), "there is a page of the manifest only");
}

#[test]
fn the_schemas_are_valid_schemas() {
    for document in [
        "manifest",
        "report",
        "status",
        "history",
        "events",
        "event",
        "job",
        "job-event",
        "host",
        "session",
        "drift",
        "fleet",
        "fleet-events",
    ] {
        let schema: serde_json::Value = serde_json::from_str(&Place::new().run(&["schema", document]).stdout).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{document}");
    }
}

#[test]
fn the_report_schema_accepts_a_report_and_refuses_what_is_none() {
    let schema = serde_json::from_str(&Place::new().run(&["schema", "report"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let report = serde_json::json!({
        "schema": "headcount/report/v1", "manifest": "/a.yaml", "host": "h", "observed_at": "2026-11-21T08:00:00Z",
        "dry_run": true, "in_sync": true,
        "counts": {"declared": 0, "running": 0, "drifts": 0, "new": 0, "applied": 0, "unknown": 0},
        "drifts": [], "unknown": [], "diff": ""
    });
    assert!(validator.is_valid(&report));
    for field in ["counts", "drifts", "diff", "in_sync"] {
        let mut broken = report.clone();
        broken.as_object_mut().unwrap().remove(field);
        assert!(!validator.is_valid(&broken), "{field}");
    }
}

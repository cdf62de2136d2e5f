//! When a job is recorded in an entry, and when whoever wrote another one there is believed.

use std::time::Duration;

use super::world::{Scene, ago, claude, manifest, now, one, scene};
use crate::core::drift::Class;
use crate::core::job::{Job, JobStatus, NewJob};

fn job(id: &str, session: &str, seconds_ago: i64) -> Job {
    Job::new(NewJob {
        id: id.parse().unwrap(),
        at: ago(seconds_ago),
        prompt: None,
        agent: None,
        agent_session: Some(session.to_owned()),
        timeout: Some(Duration::from_secs(3600)),
        idle_timeout: Some(Duration::from_secs(120)),
        expected_artifacts: Vec::new(),
        auth_token: None,
        root: None,
        broker: None,
    })
}

fn with(fields: &str, jobs: Vec<Job>) -> Scene {
    Scene { jobs, ..scene(one(fields), vec![claude("s", 100)]) }
}

/// The edits and dispositions of the job's drift, as words.
fn linked(scene: &Scene) -> Vec<String> {
    let drifts = scene.drifts().into_iter().filter(|drift| drift.class == Class::Delegated);
    let edit = |edit: &crate::core::edit::Edit| format!("{}={}", edit.path, edit.to.clone().unwrap_or_default());
    drifts.flat_map(|drift| drift.edits().iter().map(edit).collect::<Vec<_>>()).collect()
}

#[test]
fn an_entry_gets_the_newest_open_job_that_names_its_session() {
    let link = |id: &str| vec![format!("sessions[0].delegate_job_id=\"{id}\"")];
    let ended = |mut job: Job| {
        job.status = JobStatus::Completed;
        job
    };
    for (why, fields, jobs, expected) in [
        ("none yet", "", vec![job("a", "tmux:s", 10)], link("a")),
        ("a null", ", delegate_job_id: null", vec![job("a", "tmux:s", 10)], link("a")),
        ("the newest", "", vec![job("b", "tmux:s", 10), job("a", "tmux:s", 20)], link("b")),
        ("it is there", ", delegate_job_id: a", vec![job("a", "tmux:s", 10)], vec![]),
        ("ended", "", vec![ended(job("a", "tmux:s", 10))], vec![]),
        ("timed out", "", vec![job("a", "tmux:s", 4000)], vec![]),
        ("only idle", "", vec![job("a", "tmux:s", 400)], link("a")),
        ("another session", "", vec![job("a", "tmux:t", 10)], vec![]),
        ("another multiplexer", "", vec![job("a", "zellij:s", 10)], vec![]),
        ("no session", "", vec![job("a", "s", 10)], vec![]),
        ("archived", ", status: archived", vec![job("a", "tmux:s", 10)], vec![]),
        ("suspended", ", suspend: true", vec![job("a", "tmux:s", 10)], vec![]),
        ("elsewhere", ", host: other", vec![job("a", "tmux:s", 10)], vec![]),
    ] {
        assert_eq!(linked(&with(fields, jobs)), expected, "{why}");
    }
}

#[test]
fn a_recorded_job_gives_way_only_if_it_is_over_or_older_here() {
    let link = vec!["sessions[0].delegate_job_id=\"new\"".to_owned()];
    let new = || job("new", "tmux:s", 10);
    let with_status = |mut job: Job, status| {
        job.status = status;
        job
    };
    for (why, old, expected) in [
        ("it ended", Some(with_status(job("old", "tmux:t", 20), JobStatus::Error)), link.clone()),
        ("it timed out", Some(job("old", "tmux:t", 4000)), link.clone()),
        ("it is older", Some(job("old", "tmux:s", 20)), link),
        ("it was delegated to something else and runs", Some(job("old", "tmux:t", 20)), vec![]),
        ("nobody here knows it", None, vec![]),
    ] {
        let jobs = old.into_iter().chain([new()]).collect();
        assert_eq!(linked(&with(", delegate_job_id: old", jobs)), expected, "{why}");
    }
}

#[test]
fn a_name_on_two_servers_is_no_address_for_a_job() {
    let both =
        manifest("version: 1\nsessions:\n  - { name: s, agent: claude }\n  - { name: s, agent: claude, server: other }\n");
    assert!(linked(&Scene { jobs: vec![job("a", "tmux:s", 10)], ..scene(both, Vec::new()) }).is_empty());
}

#[test]
fn tmux_spells_a_name_with_a_dot_its_own_way_and_the_job_finds_it() {
    let dotted = manifest("version: 1\nsessions:\n  - { name: a.b, agent: claude }\n");
    for name in ["tmux:a.b", "tmux:a_b"] {
        let scene = Scene { jobs: vec![job("a", name, 10)], ..scene(dotted.clone(), Vec::new()) };
        assert_eq!(linked(&scene).len(), 1, "{name}");
    }
}

#[test]
fn a_job_is_recorded_beside_any_other_drift_and_whatever_is_unknown() {
    let gone = Scene { jobs: vec![job("a", "tmux:s", 10)], ..scene(one(", status: running"), Vec::new()) };
    assert_eq!(gone.words(), ["dead:record", "delegated:record"]);
    let mut unknown = with("", vec![job("a", "tmux:s", 10)]);
    for server in unknown.observation.servers.values_mut() {
        *server = crate::core::fact::Fact::Unknown("timed out".to_owned());
    }
    assert_eq!(unknown.words(), ["delegated:record"]);
}

#[test]
fn a_person_who_has_just_written_another_job_is_left_alone_for_the_window() {
    let jobs = || vec![job("old", "tmux:s", 20), job("new", "tmux:s", 10)];
    let mut touched = with(", delegate_job_id: old", jobs());
    let key = touched.manifest.sessions[0].key.clone();
    touched.touched.insert(key.clone(), now());
    assert!(touched.words().contains(&"delegated:settling".to_owned()), "{:?}", touched.words());
    touched.touched.insert(key, ago(60));
    assert!(touched.words().contains(&"delegated:record".to_owned()));
    let ignored = with(", ignore: [delegated]", jobs());
    assert!(ignored.words().contains(&"delegated:ignored".to_owned()));
}

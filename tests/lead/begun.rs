//! Sessions that `new` declares: in a conversation that is there, with what another holds, or with a job.

use super::support::await_end;
use super::{Scene, is_alive};

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running }\n";

/// A world with one session in a conversation that was spoken in.
fn spoken() -> (Scene, u32, String) {
    let scene = Scene::new(ONE);
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    scene.run(&["record", "--settle", "0s"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    (scene, pid, id)
}

#[test]
fn a_conversation_that_is_there_is_taken_on_under_a_new_name() {
    let (scene, pid, id) = spoken();
    let lab = scene.world.workspace("one");
    let new = ["new", "two", "--agent", "claude", "--conversation", &id, "--cwd", lab.to_str().unwrap(), "--json"];
    let before = scene.text();
    let refused = scene.run(&new).is(3);
    assert!(refused.stderr.contains("the conversation is the one of one"), "{}", refused.stderr);
    assert_eq!(scene.text(), before, "two entries never hold one conversation");
    // One that somebody is in, of which no entry knows.
    scene.run(&["rm", "one", "--keep-running"]).is(0);
    let ran = scene.run(&new).is(3);
    assert_eq!(ran.outcome("two").1, "claimed");
    assert!(ran.stderr.contains("`headcount rm two` takes it out"), "{}", ran.stderr);
    assert_eq!(scene.agents(), [(pid, id.clone())]);
    scene.world.tmux(["kill-session", "-t", "=one"]);
    await_end(pid);
    assert_eq!(scene.run(&["start", "two", "--json"]).is(0).outcome("two").0, "resume done");
    assert_eq!(scene.agents()[0].1, id);
    assert_eq!(scene.recorded("two", "session_id"), id.as_str());
    scene.run(&["diff"]).is(0);
}

#[test]
fn a_conversation_that_is_not_there_is_not_begun_under_its_id() {
    let scene = Scene::new(ONE);
    let id = "7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90";
    let ran = scene.run(&["new", "two", "--agent", "claude", "--conversation", id, "--json"]).is(3);
    assert_eq!(ran.outcome("two").1, "stale-id");
    assert!(scene.agents().is_empty());
    scene.run(&["new", "x", "--agent", "claude", "--conversation", "--resume"]).is(64);
    scene.run(&["new", "x", "--agent", "claude", "--conversation", id, "--prompt", "go"]).is(64);
}

#[test]
fn a_fork_begins_a_conversation_of_its_own() {
    let (scene, pid, id) = spoken();
    let forked = scene.run(&["new", "two", "--agent", "claude", "--fork", &id, "--json"]).is(0);
    assert_eq!(forked.outcome("two").0, "start done");
    let agents = scene.agents();
    assert_eq!(agents.len(), 2, "{agents:?}");
    assert!(is_alive(pid) && agents.iter().any(|(_, other)| *other != id));
    let (child, new) = agents.into_iter().find(|(_, other)| *other != id).unwrap();
    assert_eq!(scene.recorded("two", "session_id"), new.as_str());
    assert_eq!(scene.recorded("two", "cwd"), scene.world.workspace("one").to_str().unwrap(), "it begins where the other is");
    let words = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap();
    assert!(words.contains(&format!("--resume\0{id}\0--fork-session\0--session-id\0{new}")), "{words:?}");
    scene.run(&["diff"]).is(0);
    let before = scene.text();
    let refused = scene.run(&["new", "three", "--agent", "gemini", "--fork", "abc"]).is(3);
    assert!(refused.stderr.contains("unsupported"), "{}", refused.stderr);
    assert_eq!(scene.text(), before);
}

#[test]
fn a_job_is_registered_with_the_session_that_works_on_it() {
    let scene = Scene::new(ONE);
    let ran = scene.run(&["new", "two", "--agent", "claude", "--submit-job", "write the report", "--json"]).is(0);
    assert_eq!(ran.outcome("two").0, "start done");
    let id = scene.recorded("two", "delegate_job_id").as_str().unwrap().to_owned();
    assert!(ran.stderr.contains(&format!("job {id} was registered")), "{}", ran.stderr);
    let jobs = scene.run(&["job", "list", "--json"]).is(0).json();
    let job = &jobs["jobs"][0];
    assert_eq!((&job["job_id"], &job["prompt"]), (&id.into(), &"write the report".into()));
    assert_eq!(job["agent_session"], "tmux:two");
    assert_eq!(scene.recorded("two", "prompt"), "write the report");
    scene.run(&["diff"]).is(0);
    // What cannot be declared leaves no job behind.
    scene.run(&["new", "two", "--agent", "claude", "--submit-job", "again"]).is(3);
    let jobs = scene.run(&["job", "list", "--json"]).is(0).json();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs}");
}

//! `headcount links`: what it makes, what it leaves alone, and that a link is the tool of its name.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Place, program};

#[test]
fn links_are_made_once_and_lead_to_this_program() {
    let place = Place::new();
    let ran = place.run(&["links", "bin", "--skill", "skill"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stdout.lines().all(|line| line.starts_with("made ")), "{}", ran.stdout);
    let link = place.work().join("bin/emit-event");
    assert_eq!(std::fs::read_link(&link).unwrap(), program());
    let again = place.run(&["links", "bin", "--skill", "skill"]);
    assert_eq!(again.code, Some(0));
    assert!(again.stdout.lines().all(|line| line.starts_with("unchanged ")), "{}", again.stdout);
}

#[test]
fn what_is_not_ours_stays_and_is_said() {
    let place = Place::new();
    place.write("bin/emit-event", "#!/bin/sh\n");
    let ran = place.run(&["links", "bin"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.contains("left alone") && ran.stdout.contains("it does not lead to headcount"), "{}", ran.stdout);
    assert_eq!(std::fs::read_to_string(place.work().join("bin/emit-event")).unwrap(), "#!/bin/sh\n");
    assert_eq!(place.run(&["links"]).code, Some(64));
}

#[test]
fn a_link_and_a_script_are_the_tool_of_their_name() {
    let place = Place::new();
    assert_eq!(place.run(&["links", "bin", "--skill", "skill"]).code, Some(0));
    let workers = place.work().join("workers");
    std::fs::create_dir(&workers).unwrap();
    std::fs::write(workers.join("s1.meta"), r#"{"tmux_name":"w","session_id":"s1","cwd":"/w"}"#).unwrap();
    let [link, script] = ["bin/emit-event", "skill/hooks/emit-event"].map(|path| place.work().join(path));
    let mut bash = Command::new("bash");
    bash.arg(script);
    for mut command in [Command::new(link), bash] {
        // The payload has no line end, and the pipe stays open.
        let mut child = command.env("CSD_WORKER_DIR", &workers).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(br#"{"hook_event_name":"Stop","session_id":"s1","cwd":"/w"}"#).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"decision\":\"approve\"}\n");
        drop(stdin);
    }
    let events = std::fs::read_to_string(workers.join("s1.events.jsonl")).unwrap();
    assert_eq!(events.lines().filter(|line| line.starts_with(r#"{"event":"stop","ts":""#)).count(), 2, "{events}");
}

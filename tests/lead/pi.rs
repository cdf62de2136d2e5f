//! An agent that keeps no arguments and no registry: what headcount began it in is what its launcher says.

use std::time::Duration;

use serde_json::Value;

use super::Scene;
use super::support::await_some;

const ONE: &str = "  - { name: one, agent: pi, cwd: LAB/one, desired: running }\n";

/// A stand-in for Pi: in the place of its arguments there is only its name, and a conversation is on disk from its first answer on.
pub(super) fn scene(entries: &str) -> Scene {
    let scene = Scene::new(entries);
    let inner = scene.world.root().join("pi-itself");
    std::fs::write(
        &inner,
        r#"id=; set -- $PI_ARGS
prompt=
while [ $# -gt 0 ]; do case $1 in --session-id|--session) id=$2; shift ;; --) shift; prompt=$*; break ;; esac; shift; done
cwd=$(pwd -P); name=${cwd#/}; dir=$HOME/.pi/agent/sessions/--${name//\//-}--
now() { date -u +%FT%T.%3NZ; }
begun=$(now)
say() {
  mkdir -p "$dir"
  file=$(ls "$dir"/*_"$id".jsonl 2>/dev/null | head -1)
  if [ -z "$file" ]; then
    name=${begun//:/-}; file=$dir/${name/./-}_$id.jsonl
    echo "{\"type\":\"session\",\"version\":3,\"id\":\"$id\",\"cwd\":\"$cwd\",\"timestamp\":\"$begun\"}" >"$file"
  fi
  for message in "\"role\":\"user\",\"content\":\"$1\"" '"role":"assistant","stopReason":"stop"'; do
    echo "{\"type\":\"message\",\"timestamp\":\"$(now)\",\"message\":{$message}}" >>"$file"
  done
}
footer() { printf '%s\n0.0%%/128k (auto)     some-model\n' "$cwd"; }
[ -z "$prompt" ] || say "$prompt"
footer
while read -r line; do
  case $line in /new) read -r id < /proc/sys/kernel/random/uuid; begun=$(now) ;; *) say "$line" ;; esac
  footer
done
"#,
    )
    .unwrap();
    let script = format!("#!/bin/bash\nexport PI_ARGS=\"$*\"\nexec -a pi bash {}\n", inner.display());
    scene.world.program("pi", &script);
    scene
}

fn row(scene: &Scene) -> Value {
    let status = scene.run(&["status", "one", "--json"]).json();
    status["sessions"].as_array().unwrap().iter().find(|row| row["session"]["name"] == "one").unwrap().clone()
}

fn answered(scene: &Scene, id: &str) {
    scene.world.type_line("one", "hello");
    let directory = scene.world.home().join(".pi/agent/sessions");
    let name = format!("_{id}.jsonl");
    let _ = await_some("the answer", || {
        let mut files =
            std::fs::read_dir(&directory).ok()?.filter_map(|dir| std::fs::read_dir(dir.ok()?.path()).ok()).flatten();
        files.find(|file| {
            let file = file.as_ref().unwrap();
            let is_its = id.is_empty() || file.file_name().to_string_lossy().ends_with(&name);
            is_its && std::fs::read_to_string(file.path()).unwrap().contains("\"stop\"")
        })
    });
}

#[test]
fn what_the_launcher_began_is_its_conversation_until_it_may_have_left_it() {
    let scene = scene(ONE);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    let id = scene.recorded("one", "session_id").as_str().unwrap().to_owned();
    assert_eq!(row(&scene)["id_rung"], "start");
    let explained = scene.run(&["explain", "one"]).is(0).stdout;
    assert!(explained.contains("which began it"), "{explained}");
    answered(&scene, &id);
    // It goes on in it after the end of its server, and is restarted in it.
    scene.world.tmux(["kill-server"]);
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "resume done");
    assert_eq!((row(&scene)["session_id"].as_str(), row(&scene)["id_rung"].as_str()), (Some(id.as_str()), Some("start")));
    let pid = row(&scene)["pid"].clone();
    assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(0).outcome("one").0, "restart done");
    assert_ne!(row(&scene)["pid"], pid);
    answered(&scene, &id);
    // In the same directory, each is in its own.
    let two = ONE.replace("one, agent", "two, agent");
    std::fs::write(scene.manifest(), format!("{}{}", scene.text(), two.replace("LAB", &lab(&scene)))).unwrap();
    assert_eq!(scene.run(&["start", "two", "--json"]).is(0).outcome("two").0, "start done");
    assert_ne!(scene.recorded("two", "session_id"), id.as_str());
    scene.run(&["stop", "two", "--yes", "--now"]).is(0);
    // A person begins another one.
    std::thread::sleep(Duration::from_millis(20));
    scene.world.type_line("one", "/new");
    scene.world.type_line("one", "hello");
    let doubtful = await_some("the doubt", || {
        let diff = scene.run(&["diff", "--json"]).json();
        diff["drifts"].as_array()?.iter().find(|drift| drift["class"] == "ambiguous").cloned()
    });
    assert!(doubtful["message"].as_str().unwrap().contains(&id), "{doubtful}");
    assert_eq!(scene.run(&["restart", "one", "--yes", "--json"]).is(3).outcome("one").1, "no-id");
}

fn lab(scene: &Scene) -> String {
    scene.world.workspace("one").parent().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn what_another_program_began_below_the_launcher_is_in_nothing_that_headcount_named() {
    let command = "command: [sh, -c, 'pi; true']";
    let scene = scene(&ONE.replace("desired: running", &format!("desired: running, {command}")));
    assert_eq!(scene.run(&["apply", "--yes", "--json"]).is(0).outcome("one").0, "start done");
    assert_eq!(row(&scene)["session_id"], Value::Null);
    assert_eq!(scene.recorded("one", "session_id"), Value::Null);
}

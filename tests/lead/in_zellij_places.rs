//! Sessions of zellij get other names, and other places: in their conversation, or not at all.

use super::in_zellij::{panes, prompt, with_zellij};
use super::support::{await_end, await_some};
use super::zellij::{Zellij, signal};
use super::{Scene, is_alive};
use rustix::process::Signal;

const TWO: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, mux: zellij } # mine\n  \
                   - { name: two, agent: claude, cwd: LAB/two, mux: zellij }\n";

fn running() -> Option<(Scene, Zellij)> {
    let (scene, zellij) = with_zellij(TWO)?;
    scene.run(&["apply", "--yes"]).is(0);
    prompt(&scene, &zellij, "one");
    scene.run(&["record", "--settle", "0s"]).is(0);
    Some((scene, zellij))
}

fn names(zellij: &Zellij) -> Vec<String> {
    let sockets = std::fs::read_dir(zellij.socket("any").parent().unwrap()).unwrap();
    let names = sockets.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

#[test]
fn what_is_known_of_a_session_follows_it_to_its_new_name() {
    let Some((scene, zellij)) = running() else { return };
    let (agents, servers, before) = (scene.agents(), zellij.servers(), scene.text());
    assert_eq!(scene.run(&["rename", "one", "three", "--json"]).is(0).outcome("three").0, "rename done");
    assert_eq!((scene.agents(), zellij.servers(), names(&zellij)), (agents.clone(), servers.clone(), vec!["three".to_owned()]));
    assert_eq!(scene.text(), before.replace("name: one,", "name: three,"));
    scene.run(&["diff"]).is(0);
    assert_eq!(scene.run(&["plan", "--json"]).is(0).json()["counts"]["met"], 1);
    // It is still the one that headcount made: it comes back in the place of its pane, and goes with its agent.
    zellij.type_line("three", "/exit");
    await_end(agents[0].0);
    await_some("the end of its pane", || (panes(&zellij, "three")[0]["exited"] == true).then_some(()));
    scene.run(&["record", "--settle", "0s"]).is(0);
    assert_eq!(scene.run(&["start", "three", "--json"]).is(0).outcome("three").0, "resume done");
    assert_eq!((zellij.servers(), panes(&zellij, "three").len()), (servers, 1));
    // Its server takes the socket of its first name away when it ends, whoever has that by then.
    assert_eq!(scene.run(&["rename", "three", "one", "--json"]).is(3).outcome("three").1, "foreign-name");
    scene.run(&["rename", "three", "four"]).is(0);
    assert_eq!((names(&zellij), scene.text().contains("name: four,")), (vec!["four".to_owned()], true));
    scene.world.workspace("two");
    scene.write(
        &(scene.text().split_once("sessions:\n").unwrap().1.to_owned()
            + "  - { name: one, agent: claude, cwd: LAB/two, desired: running, mux: zellij }\n"),
    );
    assert_eq!(scene.run(&["apply", "one", "--yes", "--json"]).is(3).outcome("one").1, "foreign-name");
    scene.run(&["stop", "four", "--yes"]).is(0);
    assert!(zellij.servers().is_empty() && scene.agents().is_empty());
    scene.run(&["apply", "one", "--yes"]).is(0);
    assert_eq!((zellij.servers().len(), scene.agents().len()), (1, 1));
}

#[test]
fn a_name_that_somebody_has_is_not_taken_away() {
    let Some((scene, zellij)) = running() else { return };
    let (agents, before) = (scene.agents(), scene.text());
    zellij.run(["attach", "--create-background", "theirs", "--", "sleep", "600"]);
    let theirs = zellij.server("theirs");
    let code = |to: &str| scene.run(&["rename", "one", to, "--json"]).is(3).outcome("one").1;
    assert_eq!(code("theirs"), "foreign-name");
    assert_eq!(code("two"), "foreign-name", "it has an entry");
    assert_eq!(code("a/b"), "unsupported");
    assert_eq!(code(&"x".repeat(120)), "unsupported");
    assert_eq!(zellij.server("theirs"), theirs);
    assert_eq!((scene.agents(), scene.text()), (agents, before));
    // Nor is one that zellij would bring back.
    let kept = scene.world.root().join("cache/zellij/contract_version_1/session_info/ended");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("session-layout.kdl"), "").unwrap();
    assert_eq!(code("ended"), "foreign-name");
    signal(theirs, Signal::KILL);
}

#[test]
fn killed_at_any_moment_the_same_rename_finishes_it() {
    for step in 0..6 {
        let Some((scene, zellij)) = running() else { return };
        let agents = scene.agents();
        let mut child = scene.command(&["rename", "one", "three"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(step * 40));
        let _ = child.kill();
        child.wait().unwrap();
        let is_done = scene.text().contains("name: three,");
        scene.run(&["rename", if is_done { "three" } else { "one" }, "three"]).is(0);
        assert_eq!((scene.agents(), names(&zellij)), (agents, vec!["three".to_owned()]), "step {step}");
        scene.run(&["diff"]).is(0);
    }
}

#[test]
fn a_session_goes_on_in_the_other_multiplexer_and_comes_back() {
    let Some((scene, zellij)) = running() else { return };
    let (pid, id) = scene.agents().remove(0);
    assert_eq!(scene.run(&["move", "one", "--mux", "tmux", "--yes", "--json"]).is(0).outcome("one").0, "move done");
    assert!(!is_alive(pid) && zellij.servers().is_empty());
    assert_eq!(scene.world.tmux(["list-sessions", "-F", "#{session_name}"]), "one");
    assert_eq!((scene.agents().len(), &scene.agents()[0].1), (1, &id));
    assert_eq!(scene.recorded("one", "mux"), "tmux");
    assert!(scene.text().contains("# mine"));
    scene.run(&["diff"]).is(0);
    let notes = scene.run(&["history", "one", "--json"]).is(0).json();
    let has = |kind: &str| notes["notes"].as_array().unwrap().iter().any(|note| note["kind"] == kind);
    assert!(has("moved-across"), "{notes}");
    assert!(notes["operations"].as_array().unwrap().iter().any(|it| it["session"]["mux"] == "zellij"), "{notes}");
    scene.run(&["move", "one", "--mux", "zellij", "--yes"]).is(0);
    assert_eq!((scene.agents().len(), &scene.agents()[0].1, zellij.servers().len()), (1, &id, 1));
    // Another directory of sockets is another server.
    let other = scene.world.root().join("z2");
    scene.run(&["move", "one", "--server", other.to_str().unwrap(), "--yes"]).is(0);
    assert_eq!((scene.agents().len(), &scene.agents()[0].1), (1, &id));
    assert!(other.join("contract_version_1/one").exists() && names(&zellij).is_empty());
    scene.run(&["diff"]).is(0);
    scene.run(&["stop", "one", "--yes"]).is(0);
    assert!(scene.agents().is_empty());
}

#[test]
fn what_could_not_go_on_in_the_other_multiplexer_is_not_stopped() {
    let Some((scene, zellij)) = running() else { return };
    let (agents, before) = (scene.agents(), scene.text());
    let code = |words: &[&str]| scene.run(&[&["move", "one", "--yes", "--json"], words].concat()).is(3).outcome("one").1;
    scene.world.session("one", &scene.world.workspace("two"), "sleep 600");
    assert_eq!(code(&["--mux", "tmux"]), "foreign-name");
    let long = scene.world.root().join("x".repeat(120));
    assert_eq!(code(&["--server", long.to_str().unwrap()]), "unsupported");
    assert_eq!((scene.agents(), scene.text(), zellij.servers().len()), (agents, before, 1));
}

#[test]
fn a_new_one_begins_in_zellij_where_that_is_asked_for_or_usual() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    let lab = scene.world.workspace("one");
    let new = |words: &[&str]| scene.run(&[&["new", "--agent", "claude", "--cwd", lab.to_str().unwrap()], words].concat());
    new(&["fresh", "--mux", "zellij"]).is(0);
    assert_eq!((scene.agents().len(), names(&zellij)), (1, vec!["fresh".to_owned()]));
    assert_eq!((scene.recorded("fresh", "mux"), scene.recorded("fresh", "status")), ("zellij".into(), "running".into()));
    let before = scene.text();
    for (name, why) in [("a/b", "unsupported"), (&*"x".repeat(120), "unsupported")] {
        let refused = new(&[name, "--mux", "zellij"]).is(3);
        assert!(refused.stderr.contains(why) && refused.stderr.contains("nothing was done"), "{refused:?}");
    }
    assert_eq!(scene.text(), before);
    scene.write_with("defaults: { mux: zellij }\n", "");
    new(&["usual"]).is(0);
    assert_eq!(names(&zellij), ["fresh", "usual"]);
    assert!(!scene.text().contains("mux: tmux"), "{}", scene.text());
}

//! What is said of one session on one page.

use super::Scene;

const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, task: ENG-1, env: { TOKEN: a-secret } }\n  \
    - { name: two, agent: codex, cwd: LAB/two }\n";

#[test]
fn a_session_is_described_from_its_entry_to_what_is_next() {
    let scene = Scene::new(ONE);
    let page = |name: &str| scene.run(&["describe", name]).is(0).stdout;
    let before = page("one");
    assert!(before.contains("next          start") && !before.contains("attach  "), "{before}");
    assert!(page("two").contains("next          nothing: its entry has no `desired`"), "{}", page("two"));
    scene.run(&["apply", "--yes"]).is(0);
    scene.prompt("one", &scene.world.workspace("one"));
    scene.run(&["handoff", "one", "--as", "ann", "--for", "1h"]).is(0);
    let (pid, id) = scene.agents().remove(0);
    let text = page("ENG-1");
    for part in [
        "nothing: it is as wanted (running)".to_owned(),
        "by ann since".to_owned(),
        format!("{pid} in pane %0"),
        format!("{id} (registry)"),
        "task          ENG-1".to_owned(),
        "headcount attach one".to_owned(),
        "last start: ".to_owned(),
        "start done".to_owned(),
        "handoff done".to_owned(),
    ] {
        assert!(text.contains(&part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("a-secret"));
    let json = scene.run(&["describe", "one", "--json"]).is(0);
    assert!(!json.stdout.contains("a-secret"));
    let json = json.json();
    assert_eq!((&json["schema"], &json["row"]["hold"]["holder"]), (&"headcount/describe/v1".into(), &"ann".into()));
    assert_eq!(json["ledger"]["assigned"], id.as_str());
    assert_eq!(json["operations"].as_array().unwrap().len(), 2);
    assert_eq!(scene.run(&["describe", "one", "-n", "1", "--json"]).is(0).json()["operations"][0]["action"], "handoff");
    // What was done under another name stays its own.
    scene.run(&["release", "one", "--as", "ann"]).is(0);
    scene.run(&["rename", "one", "three"]).is(0);
    let json = scene.run(&["describe", "three", "--json"]).is(0).json();
    let actions: Vec<_> = json["operations"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["rename", "release", "handoff", "start"]);
    assert!(scene.run(&["explain", "three"]).is(0).stdout.contains("rename done"));
    scene.world.tmux(["kill-server"]);
    let json = scene.run(&["describe", "three", "--json"]).is(0).json();
    assert_eq!((&json["next"]["plan"]["action"], &json["next"]["plan"]["conversation"]), (&"resume".into(), &id.into()));
    assert!(scene.run(&["describe", "*"]).is(3).stderr.contains("several"));
    scene.run(&["describe", "nobody"]).is(1);
}

//! Sessions that no entry declares, meant by their pane or the id of their conversation, with a manifest or without one.

use serde_json::Value;

use super::sending::Talker;
use super::support::await_some;

#[test]
fn what_no_entry_declares_is_talked_to_by_its_pane_and_by_its_conversation() {
    for talker in Talker::undeclared() {
        let (pane, id) = (talker.pane(), talker.claude.id.0.clone());
        let run = |words: &[&str]| talker.scene.run(words);
        let idle = |reference: &str| drop(run(&["wait", reference, "--for", "idle", "--timeout", "20s"]).is(0));
        idle(&pane);
        run(&["send", &pane, "to a pane"]).is(0);
        idle(&id);
        assert_eq!(run(&["ask", &id, "to a conversation\n@@say the answer"]).is(0).stdout, "the answer\n");
        idle(&pane);
        // Its name is nobody's.
        run(&["send", "one", "to a name"]).is(1);
        assert_eq!(talker.prompts(), ["to a pane", "to a conversation\n@@say the answer"]);
        let described: Value = serde_json::from_str(&run(&["describe", &id, "--json"]).is(0).stdout).unwrap();
        assert_eq!(described["last_turn"]["text"], "the answer", "{described}");
        run(&["send", &pane, "ask\n@@ask touch asked"]).is(0);
        let asked = await_some("its question", || {
            let asked: Value = serde_json::from_str(&run(&["answer", &id, "--json"]).stdout).ok()?;
            (asked["outcome"] == "asked").then_some(asked)
        });
        assert!(asked["question"]["text"].as_str().unwrap().contains("touch asked"), "{asked}");
        run(&["answer", &pane, "deny"]).is(0);
        idle(&pane);
        let printed = run(&["attach", &pane, "--print"]).is(0).stdout;
        assert!(printed.contains("attach"), "{printed}");
        // A text waits only for what a watch knows.
        run(&["send", &pane, "later", "--queue"]).is(3);
        // Nothing of it was declared, and nothing is left.
        assert!(!talker.scene.text().contains("name: one"));
        let left = std::fs::read_dir(talker.scene.state().join("unlisted")).map(Iterator::count).unwrap_or(0);
        assert_eq!(left, 0);
    }
}

#[test]
fn no_manifest_is_needed_for_a_pane_or_a_conversation() {
    let talker = Talker::undeclared().next().unwrap();
    let (pane, id) = (talker.pane(), talker.claude.id.0.clone());
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(talker.scene.world.variables()).env_remove("HEADCOUNT_MANIFEST").args(words);
        super::Ran::from(command.current_dir(talker.cwd()).stdin(std::process::Stdio::null()).output().unwrap())
    };
    run(&["send", &pane, "without a manifest"]).is(0);
    run(&["wait", &id, "--for", "idle", "--timeout", "20s"]).is(0);
    assert_eq!(talker.prompts(), ["without a manifest"]);
    run(&["send", "tmux:default:%99", "nobody"]).is(1);
    run(&["send", "00000000-0000-4000-8000-000000000000", "nobody"]).is(1);
    // A shell is no agent.
    talker.tmux(&["new-session", "-d", "-s", "shell", "sh"]);
    let shell = talker.tmux(&["display", "-p", "-t", "=shell:", "#{pane_id}"]);
    let said = run(&["send", &format!("tmux:default:{}", shell.trim()), "to a shell"]).is(1).stderr;
    assert!(said.contains("no agent"), "{said}");
}

#[test]
fn a_pane_means_its_own_agent_and_no_other_of_its_session() {
    let talker = Talker::undeclared().next().unwrap();
    let first = talker.pane();
    talker.tmux(&["split-window", "-t", "=one:", "exec claude"]);
    await_some("the second agent", || talker.scene.run(&["send", &first, "x", "--dry-run"]).stderr.is_empty().then_some(()));
    for reference in [first.as_str(), &talker.claude.id.0] {
        let ran = talker.scene.run(&["send", reference, "to one of two"]);
        assert!(ran.code == Some(0) || ran.code == Some(3), "{ran:?}");
        let is_said = ran.code == Some(0);
        let times = talker.prompts().iter().filter(|prompt| *prompt == "to one of two").count();
        assert!(times > 0 || !is_said, "it was said to the other one: {ran:?}");
        talker.is_idle();
    }
}

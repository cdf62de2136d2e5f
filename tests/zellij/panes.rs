//! What runs in the panes of a session: agents, bare shells, what has ended, what hides its environment.

use headcount::core::fact::Fact;
use headcount::core::observe::Pane;

use crate::support::{await_some, recorded};
use crate::zellij::{Zellij, gone, signal};
use crate::{agents, entry, look, session};

#[test]
fn the_agent_of_a_pane_is_found_with_its_conversation_s_evidence() {
    let Some(zellij) = Zellij::new() else { return };
    let cwd = zellij.world().workspace("w");
    let claude = zellij.claude_session("s", &cwd);
    let found = look(&zellij, &entry("name: s"));
    let agents = agents(session(&found, "s"));
    assert_eq!(agents.len(), 1);
    assert_eq!((agents[0].process.pid, &agents[0].cwd), (claude.pid, &Fact::Seen(cwd)));
    let proof = agents[0].ladder.readings.iter().find_map(|reading| reading.fact.seen());
    assert!(format!("{proof:?}").contains(claude.id.as_str()), "{proof:?}");
}

#[test]
fn a_pane_whose_command_ended_is_dead_and_says_how() {
    let Some(zellij) = Zellij::new() else { return };
    let home = zellij.world().home();
    for (name, script, how) in
        [("left", "read line; exit 3", "exit status 3"), ("killed", "exec sleep 600", "exit status unknown")]
    {
        let pid = zellij.session(name, &home, &["sh", "-c", script]);
        match name {
            "left" => zellij.type_line(name, "now"),
            _ => signal(pid, rustix::process::Signal::KILL),
        }
        gone(pid);
        let dead = await_some("the dead pane", || {
            let found = look(&zellij, &entry(&format!("name: {name}, status: running")));
            session(&found, name).panes.iter().find_map(|pane| pane.dead.clone())
        });
        assert_eq!(dead, how, "{name}");
    }
}

#[test]
fn a_program_that_cleared_its_environment_is_found_all_the_same() {
    let Some(zellij) = Zellij::new() else { return };
    let home = format!("HOME={}", zellij.world().home().display());
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    let program = zellij.world().claude().display().to_string();
    let script = format!("exec env -i '{home}' '{path}' '{program}'");
    // Its own pane cannot be waited for by its id: it does not know it.
    let words = ["attach", "--create-background", "bare", "--", "sh", "-c", script.as_str()];
    let output = zellij.run(words);
    assert!(output.status.success(), "{output:?}");
    // Until `sh` has become the agent, it knows its pane.
    await_some("the agent, in a pane without an id", || {
        let found = look(&zellij, &entry("name: bare"));
        let is_it =
            |pane: &std::sync::Arc<Pane>| pane.id == "terminal_?" && pane.agents.seen().is_some_and(|it| !it.is_empty());
        session(&found, "bare").panes.iter().any(is_it).then_some(())
    });
}

#[test]
fn a_bare_shell_is_no_agent_and_zellij_is_asked_whether_it_is_all() {
    let Some(zellij) = Zellij::new() else { return };
    let pid = zellij.session("s", &zellij.world().home(), &["sleep", "600"]);
    let declared = entry(&format!("name: s, status: running, {}", recorded("terminal_0", pid)));
    // A zellij that has only just been started may not answer yet, which is a doubt.
    let pane = await_some("the list of the panes", || {
        let found = look(&zellij, &declared);
        let [pane] = session(&found, "s").panes.as_slice() else { return None };
        Some(pane.clone())
    });
    assert_eq!((pane.runs.as_str(), &pane.agents), ("sleep", &Fact::Seen(Vec::new())));
}

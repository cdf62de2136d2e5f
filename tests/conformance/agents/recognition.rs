//! Who is an agent, and who only looks like one.

use headcount::agent;
use headcount::core::ids::AgentKind;

use super::kit::Den;
use super::specimens::{Specimen, all};

fn kind(exe: &str, line: &str) -> Option<AgentKind> {
    let argv = shell_words::split(line).unwrap();
    agent::Agents::default().identify(&argv, || Some(exe.to_owned())).map(|(agent, _)| agent.kind())
}

#[test]
fn every_agent_has_its_specimen() {
    let kinds: Vec<AgentKind> = all().iter().map(|specimen| specimen.kind).collect();
    assert_eq!(kinds, AgentKind::ALL);
}

#[test]
fn an_agent_is_recognised_however_it_is_run_and_its_arguments_are_its_own() {
    for Specimen { kind: expected, program, script, .. } in all() {
        let mut lines = vec![
            (program, format!("{program} --flag")),
            (program, format!("/opt/bin/{program} --flag")),
            (program, format!("{program}.exe --flag")),
            (program, "renamed --flag".to_owned()),
            ("node", format!("node --max-old-space-size=1 /usr/bin/{program} --flag")),
            ("bash", format!("/bin/bash /opt/bin/{program} --flag")),
            ("dash", format!("sh -e ./{program} --flag")),
        ];
        lines.extend(script.map(|script| ("node", format!("node {script} --flag"))));
        for (exe, line) in lines {
            assert_eq!(kind(exe, &line), Some(expected), "{line}");
            let argv = shell_words::split(&line).unwrap();
            let (_, invocation) = agent::Agents::default().identify(&argv, || Some(exe.to_owned())).unwrap();
            assert_eq!(invocation.args, ["--flag"], "{line}");
        }
    }
}

#[test]
fn what_only_mentions_an_agent_or_serves_it_is_none() {
    for Specimen { program, services, .. } in all() {
        let mut lines: Vec<(&str, String)> = [
            ("vim", "vim PROGRAM"),
            ("tail", "tail -f PROGRAM.log"),
            ("less", "less /home/dev/PROGRAM/README"),
            ("rg", "rg PROGRAM"),
            ("bash", "bash -c PROGRAM"),
            ("bash", "bash -lc 'PROGRAM --flag'"),
            ("bash", "bash PROGRAM.sh"),
            ("bash", "sh -s PROGRAM"),
            ("node", "node -e PROGRAM"),
            ("node", "node server.js PROGRAM"),
            ("python3", "python3 -m http.server PROGRAM"),
            ("tmux", "tmux new-session -s lab-creator-PROGRAM PROGRAM"),
            ("sleep", "PROGRAM-helper --flag"),
        ]
        .map(|(exe, line)| (exe, line.replace("PROGRAM", program)))
        .into();
        lines.extend(services.iter().map(|service| (program, format!("/opt/bin/{program} {service} --flag"))));
        for (exe, line) in lines {
            assert_eq!(kind(exe, &line), None, "{line}");
        }
    }
}

#[test]
fn a_live_process_of_it_is_recognised() {
    for specimen in &all() {
        // It is started once it is recognised.
        let live = Den::new(specimen).start("--flag");
        assert!(live.process.argv.iter().any(|word| word.ends_with(specimen.program)), "{:?}", live.process);
    }
}

//! Tables of lead fields: what is read, what is refused, in its place and with what was meant.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::core::manifest::{Environment, Manifest, Remark, read};

fn try_read(text: &str) -> Result<(Manifest, Vec<Remark>), Vec<Remark>> {
    let raw: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let mut merged = raw.clone();
    merged.apply_merge().unwrap();
    read(&raw, &merged, &Environment { home: "/home/dev".into(), host: "dev1".to_owned() })
}

fn entry(agent: &str, fields: &str) -> String {
    format!("version: 1\nsessions: [{{ name: s, agent: {agent}, {fields} }}]\n")
}

/// The place, the message and the hint of the first fatal remark.
fn refused(text: &str) -> (String, String, String) {
    let remarks = try_read(text).expect_err(text);
    let fatal = remarks.into_iter().find(|remark| remark.fatal).unwrap();
    (fatal.path.to_string(), fatal.message, fatal.hint.unwrap_or_default())
}

#[test]
fn everything_that_leads_a_session_is_read() {
    let text = "version: 1\nsessions:\n  - name: s\n    agent: claude\n    desired: running\n    restart: { policy: on-failure, \
                first: 1m, attempts: 3 }\n    args: [--model, sonnet, --verbose]\n    command: [mise, exec, --, claude]\n    \
                env: { TZ: UTC, TOKEN: { file: ~/token } }\n    prompt: Begin.\n    permissions: edit\n    trust: true\n    \
                task: ENG-1\n    deadline: 5h\n    crew: { name: shop, role: worker }\n";
    let (manifest, remarks) = try_read(text).unwrap();
    assert_eq!(remarks, []);
    let session = &manifest.sessions[0];
    let waits = Backoff { first: Some(Duration::from_secs(60)), attempts: Some(3), ..Backoff::default() };
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        session.lead,
        Lead {
            desired: Some(Desired::Running),
            restart: Some(Restart { policy: RestartPolicy::OnFailure, backoff: waits }),
            args: words("--model sonnet --verbose"),
            command: words("mise exec -- claude"),
            env_files: [("TOKEN".to_owned(), "/home/dev/token".into())].into(),
            prompt: Some("Begin.".to_owned()),
            permissions: Some(Permissions::Edit),
            trust: Some(true),
            task: Some("ENG-1".to_owned()),
            deadline: Some(Duration::from_secs(5 * 3600)),
            crew: Some(Crew { name: "shop".to_owned(), role: CrewRole::Worker }),
            ..Lead::default()
        }
    );
    assert_eq!(session.env, [("TZ".to_owned(), "UTC".to_owned())].into());
    let lines = session.lead.lines(session.env.keys());
    assert!(
        lines.contains(&"env TZ=*** TOKEN=***".to_owned()) && lines.contains(&"crew worker of shop".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn the_policy_the_hosts_and_the_drive_of_a_manifest_are_read() {
    let text = "version: 1\nlead: { parallel: 3, spacing: 0, ready: 90s, backoff: { first: 3m, factor: 1.5, most: 1h } }\n\
                hosts: { ml: { ssh: [ml-a, ml-b], attach: mosh, manifest: ~/a.yaml } }\n\
                agents: { aider: { programs: [aider], drive: { id_flag: --session, ready: \"aider> \", end: ~, quit: [C-d], grace: 5s, \
                permission: { bypass: [--yes-always] } } } }\nsessions: []\n";
    let (manifest, remarks) = try_read(text).unwrap();
    assert_eq!(remarks, []);
    assert_eq!((manifest.lead.parallel, manifest.lead.spacing), (Some(3), Some(Duration::ZERO)));
    assert_eq!(manifest.lead.backoff.factor, Some(1.5));
    assert_eq!((manifest.hosts["ml"].ssh.len(), manifest.hosts["ml"].attach), (2, Some(Attach::Mosh)));
    let drive = manifest.agents.definitions()[0].drive.as_ref().unwrap();
    assert_eq!((drive.ready.as_deref(), drive.end.as_deref(), drive.quit.len()), (Some("aider> "), None, 1));
    assert_eq!(drive.permission["bypass"], ["--yes-always"]);
}

#[test]
fn what_is_wrong_is_named_in_its_place_with_what_was_meant() {
    let aider = "version: 1\nagents: { aider: { programs: [aider], id_flags: [--session], drive: { permission: { bypass: [--yes] } } } }\n\
                 sessions: [{ name: s, agent: aider, args: ARGS }]\n";
    for (text, path, message, hint) in [
        (entry("claude", "desired: runing"), "sessions[0].desired", "unknown desired", "`running`"),
        (entry("claude", "restart: onfailure"), "sessions[0].restart", "unknown restart", "`on-failure`"),
        (entry("claude", "restart: { first: 1m }"), "sessions[0].restart", "no `policy`", "on-failure"),
        (entry("claude", "restart: { policy: allways }"), "sessions[0].restart.policy", "unknown policy", "`always`"),
        (entry("claude", "restart: { policy: always, first: 2h, most: 1h }"), "sessions[0].restart.most", "shorter", "longest"),
        (entry("claude", "restart: 5"), "sessions[0].restart", "a word or a mapping", "on-failure"),
        (entry("claude", "permissions: yolo"), "sessions[0].permissions", "unknown permissions", "ask, edit, bypass"),
        (entry("claude", "deadline: 5 hours"), "sessions[0].deadline", "is no duration", ""),
        (entry("claude", "deadline: 0"), "sessions[0].deadline", "over before", "leave it out"),
        (entry("claude", "restart: { policy: always, first: 2h }"), "sessions[0].restart", "`most` is shorter", "1h"),
        (
            "version: 1\nlead: { backoff: { first: 30m } }\ndefaults: { restart: { policy: always, most: 10m } }\n\
             sessions: [{ name: s, agent: pi }]\n"
                .to_owned(),
            "defaults.restart",
            "`most` is shorter",
            "",
        ),
        (entry("claude", "env: { A: [x] }"), "sessions[0].env.A", "a mapping of text to text", ""),
        (
            "version: 1\ndefaults: { env: { A: ~ } }\nsessions: [{ name: s, agent: pi }]\n".to_owned(),
            "defaults.env.A",
            "a mapping of text to text",
            "",
        ),
        (entry("claude", "trust: 1"), "sessions[0].trust", "true or false", ""),
        (entry("claude", "crew: { name: x }"), "sessions[0].crew", "no `role`", "worker"),
        (entry("claude", "crew: { name: x, role: boss }"), "sessions[0].crew.role", "unknown role", "manager, worker"),
        (entry("claude", "args: [fix it]"), "sessions[0].args[0]", "is no flag", "`prompt:`"),
        (entry("claude", "args: [--model, sonnet, go]"), "sessions[0].args[2]", "is no flag", ""),
        (entry("claude", "args: [--verbose, go]"), "sessions[0].args[1]", "is no flag", ""),
        (entry("claude", "args: [--model=sonnet, go]"), "sessions[0].args[1]", "is no flag", ""),
        (entry("claude", "args: [--, go]"), "sessions[0].args[0]", "is no flag", ""),
        (entry("claude", "args: [--resume, x]"), "sessions[0].args[0]", "which conversation", "leave it out"),
        (entry("claude", "args: [--session-id=x]"), "sessions[0].args[0]", "which conversation", ""),
        (entry("claude", "args: [-p]"), "sessions[0].args[0]", "without its terminal", "interactive"),
        (entry("gemini", "args: [-i, x]"), "sessions[0].args[0]", "says a prompt", "`prompt:`"),
        (
            entry("claude", "args: [--dangerously-skip-permissions], permissions: ask"),
            "sessions[0].args[0]",
            "beside `permissions`",
            "one of the two",
        ),
        (entry("claude", "args: [-rabc]"), "sessions[0].args[0]", "which conversation", ""),
        (entry("codex", "args: [exec]"), "sessions[0].args[0]", "is no flag", ""),
        (aider.replace("ARGS", "[--session, x]"), "sessions[0].args[0]", "which conversation", ""),
        (aider.replace("ARGS", "[--yes], permissions: edit"), "sessions[0].args[0]", "beside `permissions`", ""),
        (entry("claude", "args: --model"), "sessions[0].args", "a list of text", ""),
        (entry("claude", "command: []"), "sessions[0].command", "no program", "mise"),
        (entry("claude", "command: [docker, exec, x]"), "sessions[0].command[0]", "`docker exec` leads elsewhere", "see"),
        (entry("claude", "command: [sh, -c, exec ssh h claude]"), "sessions[0].command[2]", "`ssh` leads elsewhere", ""),
        (
            entry("claude", "command: [mise, exec, --, claude, --resume, x]"),
            "sessions[0].command[4]",
            "which conversation",
            "out",
        ),
        (entry("claude", "command: claude"), "sessions[0].command", "a list of text", ""),
        (entry("claude", "command: [env, A=b, /usr/bin/ssh, h]"), "sessions[0].command[2]", "leads elsewhere", "`hosts:`"),
        (entry("claude", "env: { TMUX_TMPDIR: /x }"), "sessions[0].env.TMUX_TMPDIR", "may not set", "multiplexer"),
        (entry("claude", "env: { ZELLIJ: x }"), "sessions[0].env.ZELLIJ", "may not set", ""),
        (entry("claude", "env: { HEADCOUNT_X: { file: /x } }"), "sessions[0].env.HEADCOUNT_X", "may not set", "headcount sets"),
        (entry("claude", "env: { A: { file: x } }"), "sessions[0].env.A.file", "must be absolute", "~/"),
        (entry("claude", "env: { A: { path: /x } }"), "sessions[0].env.A", "`file`", "~/secrets/a"),
        (
            "version: 1\ndefaults: { env: { TMUX: x } }\nsessions: [{ name: s, agent: pi }]\n".to_owned(),
            "defaults.env.TMUX",
            "may not",
            "",
        ),
        ("version: 1\nlead: [x]\n".to_owned(), "lead", "must be a mapping", "parallel"),
        ("version: 1\nlead: { parallel: 0 }\n".to_owned(), "lead.parallel", "above 0", ""),
        ("version: 1\nlead: { spacing: soon }\n".to_owned(), "lead.spacing", "no duration", ""),
        ("version: 1\nlead: { backoff: { factor: 0.5 } }\n".to_owned(), "lead.backoff.factor", "at least 1", ""),
        ("version: 1\nhosts: { tmux: { ssh: [a] } }\n".to_owned(), "hosts.tmux", "no host can be called", "tmux, zellij"),
        ("version: 1\nhosts: { ml: { ssh: [-oProxyCommand=x] } }\n".to_owned(), "hosts.ml.ssh[0]", "is no host", ""),
        ("version: 1\nhosts: { ml: { ssh: [\"a b\"] } }\n".to_owned(), "hosts.ml.ssh[0]", "is no host", ""),
        ("version: 1\nhosts: { ml: { attach: telnet } }\n".to_owned(), "hosts.ml.attach", "unknown attach", "ssh, mosh"),
        (
            "version: 1\nagents: { a: { programs: [a], drive: { grace: x } } }\n".to_owned(),
            "agents.a.drive.grace",
            "no duration",
            "",
        ),
    ] {
        let (found, said, hinted) = refused(&text);
        assert_eq!(found, path, "{text}");
        assert!(said.contains(message) && hinted.contains(hint), "{text}: {said} / {hinted}");
    }
}

#[test]
fn flags_with_their_values_are_good_args() {
    for (agent, args) in [
        ("claude", "[--model, opus, --verbose, --add-dir, ../x, --debug]"),
        ("codex", "[-m, o3, -c, model_reasoning_effort=high]"),
        ("gemini", "[--model=pro, -d]"),
        ("pi", "[--provider, x, --model, 5]"),
        ("claude", "[]"),
        ("claude", "null"),
    ] {
        assert!(try_read(&entry(agent, &format!("args: {args}"))).is_ok(), "{agent} {args}");
    }
}

#[test]
fn what_counts_only_in_an_entry_is_ignored_in_the_defaults_and_said() {
    for (field, value) in [
        ("desired", "running"),
        ("prompt", "go"),
        ("task", "x"),
        ("trust", "true"),
        ("permissions", "bypass"),
        ("command", "[docker]"),
    ] {
        let text =
            format!("version: 1\ndefaults: {{ {field}: {value}, deadline: 1h }}\nsessions: [{{ name: s, agent: pi }}]\n");
        let (manifest, remarks) = try_read(&text).unwrap();
        let expected = Lead { deadline: Some(Duration::from_secs(3600)), ..Lead::default() };
        assert_eq!(manifest.sessions[0].lead, expected, "{text}");
        let [remark] = remarks.as_slice() else { panic!("{text}: {remarks:?}") };
        assert_eq!((remark.path.to_string(), remark.about_key), (format!("defaults.{field}"), true));
        assert!(remark.message.contains("ignored here") && remark.hint.is_some());
    }
    let text = "version: 1\ndefaults: { restart: always, args: [--debug], env: { A: { file: /a }, B: b } }\n\
                sessions: [{ name: s, agent: pi, env: { A: own, B: { file: /b } } }]\n";
    let (manifest, remarks) = try_read(text).unwrap();
    let session = &manifest.sessions[0];
    assert_eq!((remarks.len(), session.lead.args.len(), session.lead.restart.unwrap().policy), (0, 1, RestartPolicy::Always));
    assert_eq!(session.env, [("A".to_owned(), "own".to_owned())].into(), "the entry's own kind of value counts");
    assert_eq!(session.lead.env_files.get("B").map(std::path::PathBuf::as_path), Some(Path::new("/b")));
    assert_eq!(session.lead.env_files.len(), 1);
}

#[test]
fn a_session_that_is_wished_to_run_and_suspended_is_warned_about() {
    for word in ["suspend", "unmanaged"] {
        let (manifest, remarks) = try_read(&entry("pi", &format!("desired: running, {word}: true"))).unwrap();
        assert!(manifest.sessions[0].suspend);
        let [remark] = remarks.as_slice() else { panic!("{remarks:?}") };
        assert_eq!(remark.path.to_string(), format!("sessions[0].{word}"));
        assert!(remark.message.contains("desired: running"));
    }
    assert_eq!(try_read(&entry("pi", "desired: stopped, suspend: true")).unwrap().1, []);
}

#[test]
fn two_names_that_a_multiplexer_makes_one_are_warned_about() {
    let text = |mux: &str| {
        format!("version: 1\ndefaults: {{ mux: {mux} }}\nsessions: [{{ name: a.b, agent: pi }}, {{ name: a_b, agent: pi }}]\n")
    };
    let (manifest, remarks) = try_read(&text("tmux")).unwrap();
    assert_eq!(manifest.sessions.len(), 2);
    let [remark] = remarks.as_slice() else { panic!("{remarks:?}") };
    assert_eq!(remark.path.to_string(), "sessions[1].name");
    assert!(remark.message.contains("`a_b` and `a.b` the same session") && !remark.fatal, "{remark:?}");
    assert_eq!(try_read(&text("zellij")).unwrap().1, []);
    let apart = text("tmux").replace("name: a_b,", "name: a_b, server: x,");
    assert_eq!(try_read(&apart).unwrap().1, [], "on another server it is another session");
}

#[test]
fn what_is_odd_and_harmless_is_a_warning_in_its_place() {
    let drive = "version: 1\nagents: { a: { programs: [a], drive: { permission: { byass: [--yes] } } } }\n";
    for (text, path, message, hint) in [
        (
            entry("claude", "args: [--dangerously-skip-permissions]"),
            "sessions[0].args[0]",
            "your consent",
            "permissions: bypass",
        ),
        (entry("codex", "args: [-a, never]"), "sessions[0].args[0]", "your consent", ""),
        (entry("claude", "restart: { policy: never, first: 1m }"), "sessions[0].restart", "count for nothing", "on-failure"),
        (entry("claude", "restart: { policy: always, frist: 1m }"), "sessions[0].restart.frist", "unknown key", "`first`"),
        (entry("claude", "crew: { name: x, role: worker, x: 1 }"), "sessions[0].crew.x", "unknown key", ""),
        (entry("claude", "env: { 1: x }"), "sessions[0].env", "a number, not text", ""),
        (drive.to_owned(), "agents.a.drive.permission.byass", "unknown key", "`bypass`"),
        ("version: 1\nlead: { paralel: 2 }\n".to_owned(), "lead.paralel", "unknown key", "`parallel`"),
        ("version: 1\nhosts: { ml: { shh: [a] } }\n".to_owned(), "hosts.ml.shh", "unknown key", "`ssh`"),
    ] {
        let (_, remarks) = try_read(&text).unwrap_or_else(|remarks| panic!("{text}: {remarks:?}"));
        let [remark] = remarks.as_slice() else { panic!("{text}: {remarks:?}") };
        assert_eq!(remark.path.to_string(), path, "{text}");
        assert!(remark.message.contains(message), "{text}: {remark:?}");
        assert!(remark.hint.as_deref().unwrap_or_default().contains(hint), "{text}: {remark:?}");
    }
}

#[test]
fn the_older_dialect_has_the_same_fields() {
    let text = "lead: { parallel: 4 }\nhosts: { ml: { ssh: [a] } }\nsessions:\n- tmux_session: s-creator-claude\n  workspace: /w\n  \
                desired: stopped\n  restart: always\n  prompt: Go.\n  command: [mise, exec, --, claude]\n";
    let (manifest, remarks) = try_read(text).unwrap();
    assert_eq!(remarks, []);
    let lead = &manifest.sessions[0].lead;
    assert_eq!((lead.desired, lead.restart.map(|it| it.policy)), (Some(Desired::Stopped), Some(RestartPolicy::Always)));
    assert_eq!((lead.prompt.as_deref(), lead.command.len()), (Some("Go."), 4));
    assert_eq!((manifest.lead.parallel, manifest.hosts.len()), (Some(4), 1));
}

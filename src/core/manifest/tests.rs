//! Reading both dialects, and where each field is written back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path as FilePath, PathBuf};

use serde_json::json;

use super::names::Field;
use super::*;
use crate::core::agents::Declared;
use crate::core::class::Class;
use crate::core::ids::MuxKind;

fn try_read(text: &str) -> Result<(Manifest, Vec<Remark>), Vec<Remark>> {
    let raw: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let mut merged = raw.clone();
    merged.apply_merge().unwrap();
    read(&raw, &merged, &Environment { home: PathBuf::from("/home/dev"), host: "dev1".to_owned() })
}

fn good(text: &str) -> Manifest {
    let (manifest, remarks) = try_read(text).unwrap();
    assert_eq!(remarks, [], "{text}");
    manifest
}

/// Where the id of the first entry would be written.
fn id_path(manifest: &Manifest) -> String {
    let session = &manifest.sessions[0];
    session.entry.set(Field::SessionId, session.agent, json!("new")).unwrap().path.to_string()
}

#[test]
fn a_current_entry_has_its_defaults_and_its_own_fields() {
    let manifest = good(
        "version: 1\ndefaults: { mux: zellij, labels: { team: a, tier: 1 }, agent: codex }\nsessions:\n\
         - { name: s, cwd: ~/lab/x/, labels: { team: b }, server: /run/work }\n",
    );
    let session = &manifest.sessions[0];
    assert_eq!((session.key.mux, session.agent), (MuxKind::Zellij, AgentKind::Codex));
    assert_eq!(session.cwd.as_deref(), Some(FilePath::new("/home/dev/lab/x")));
    assert_eq!(session.labels.get("team").map(String::as_str), Some("b"));
    assert_eq!(session.labels.get("tier").map(String::as_str), Some("1"));
    assert_eq!(session.key.to_string(), "s (zellij:/run/work)");
}

#[test]
fn a_named_server_of_zellij_is_warned_about_because_there_is_no_such_thing() {
    let (manifest, remarks) =
        try_read("version: 1\nsessions: [{ name: s, agent: claude, mux: zellij, server: canary }]\n").unwrap();
    assert_eq!(manifest.sessions[0].key.server, "canary");
    let [remark] = remarks.as_slice() else { panic!("{remarks:?}") };
    assert!(!remark.fatal && remark.message.contains("no server named \"canary\""), "{remark:?}");
    assert!(remark.hint.as_deref().is_some_and(|hint| hint.contains("ZELLIJ_SOCKET_DIR")), "{remark:?}");
    for fine in ["default", "/run/z"] {
        good(&format!("version: 1\nsessions: [{{ name: s, agent: claude, mux: zellij, server: {fine} }}]\n"));
    }
}

#[test]
fn an_older_entry_reads_the_same() {
    let manifest = good(
        "sessions:\n- tmux_session: lab-x-creator-agy\n  workspace: /w\n  tmux_server: canary\n  status: running\n\
         \n  antigravity_conversation_id_own: 5f0c\n  last_visible_status: idle\n  delegate_job_id: abc12345\n",
    );
    let session = &manifest.sessions[0];
    assert_eq!(session.agent, AgentKind::Antigravity, "told by the name");
    assert_eq!(session.key.server, "canary");
    assert_eq!(session.recorded.session_id, Some(ConversationId("5f0c".to_owned())));
    assert_eq!(session.recorded.delegate_job_id.as_deref(), Some("abc12345"));
}

#[test]
fn an_id_is_read_from_the_first_place_that_is_not_null_and_written_to_the_first_that_exists() {
    let entry = "sessions:\n- tmux_session: s\n  agent: claude\n  workspace: /w\n";
    let identity = "  agent_identities: { claude: { session_id: ID, project_cwd: /w } }\n";
    let table = [
        ("", None, "sessions[0].claude_session_id_own"),
        ("  claude_session_id_own: own\n", Some("own"), "sessions[0].claude_session_id_own"),
        ("  claude_session_id_own: null\n  session_id: plain\n", Some("plain"), "sessions[0].claude_session_id_own"),
        ("  session_id: null\n", None, "sessions[0].session_id"),
        (&identity.replace("ID", "ident"), Some("ident"), "sessions[0].agent_identities.claude.session_id"),
        (&identity.replace("ID", "null"), None, "sessions[0].agent_identities.claude.session_id"),
        (&identity.replace("ID", "ident").replace("/w }", "/other }"), None, "sessions[0].claude_session_id_own"),
    ];
    for (fields, id, path) in table {
        let manifest = good(&format!("{entry}{fields}"));
        assert_eq!(manifest.sessions[0].recorded.session_id.as_ref().map(ConversationId::as_str), id, "{fields}");
        assert_eq!(id_path(&manifest), path, "{fields}");
    }
}

#[test]
fn a_current_file_gets_a_plain_session_id() {
    assert_eq!(id_path(&good("version: 1\nsessions: [{ name: s, agent: antigravity }]\n")), "sessions[0].session_id");
}

#[test]
fn a_top_level_identity_is_lent_only_to_the_one_entry_of_its_workspace() {
    let identity = "agent_identities: { claude: { session_id: lent, project_cwd: ~/w } }\nsessions:\n";
    let entry = |name: &str| format!("- {{ tmux_session: {name}, agent: claude, workspace: /home/dev/w }}\n");
    let one = good(&format!("{identity}{}", entry("a")));
    assert_eq!(one.sessions[0].recorded.session_id, Some(ConversationId("lent".to_owned())));
    assert!(one.sessions[0].recorded.id_is_lent);
    assert_eq!(id_path(&one), "sessions[0].claude_session_id_own", "an identity is never written");
    let two = good(&format!("{identity}{}{}", entry("a"), entry("b")));
    assert!(two.sessions.iter().all(|session| session.recorded.session_id.is_none()));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_a_hint() {
    let table = [
        ("- 1\n", "<root>", "a manifest is a mapping", ""),
        ("version: 2\n", "version", "unsupported manifest version: 2", "version: 1"),
        ("version: 1\nsessions: {}\n", "sessions", "must be a list", "- name"),
        ("version: 1\nsessions: [x]\n", "sessions[0]", "cannot be text", "`name`"),
        ("version: 1\nsessions: [{ agent: claude }]\n", "sessions[0]", "has no name", "name:"),
        ("version: 1\nsessions: [{ name: s }]\n", "sessions[0]", "names no agent", "claude, codex"),
        ("version: 1\nsessions: [{ name: 12, agent: claude }]\n", "sessions[0].name", "must be text", "in quotes"),
        ("version: 1\nsessions: [{ name: s, agent: clause }]\n", "sessions[0].agent", "unknown agent", "`claude`"),
        ("version: 1\nsessions: [{ name: s, agent: claude, status: runing }]\n", "sessions[0].status", "status", "`running`"),
        ("version: 1\nsessions: [{ name: s, agent: claude, suspend: 1 }]\n", "sessions[0].suspend", "true or false", ""),
        (
            "version: 1\nsessions: [{ name: s, agent: claude, ignore: [ded] }]\n",
            "sessions[0].ignore[0]",
            "drift class",
            "`dead`",
        ),
        ("version: 1\nsessions: [{ name: s, agent: claude, server: a/b }]\n", "sessions[0].server", "absolute", "tmux -L"),
        ("version: 1\nsessions: [{ name: s, agent: claude, pane: { pid: x } }]\n", "sessions[0].pane.pid", "process id", ""),
        (
            "version: 1\nsessions: [{ name: s, tmux_session: t, agent: pi }]\n",
            "sessions[0].tmux_session",
            "contradict",
            "keep one",
        ),
        ("version: 1\ndefaults: { status: running }\n", "defaults.status", "one session", "declared"),
        (
            "version: 1\nsessions: [{ name: s, agent: pi }, { name: s, agent: pi }]\n",
            "sessions[1].name",
            "declared twice",
            "entry 1 of the list",
        ),
    ];
    for (text, path, message, hint) in table {
        let remarks = try_read(text).unwrap_err();
        let fatal = remarks.iter().find(|remark| remark.fatal).unwrap();
        let shown = if fatal.path.0.is_empty() { "<root>".to_owned() } else { fatal.path.to_string() };
        assert_eq!(shown, path, "{text}");
        assert!(fatal.message.contains(message), "{text}: {}", fatal.message);
        assert!(fatal.hint.clone().unwrap_or_default().contains(hint), "{text}: {:?}", fatal.hint);
    }
}

#[test]
fn unknown_keys_are_warned_about_with_what_was_meant() {
    let text = "version: 1\nx-mine: 1\nsesions: []\nsessions: [{ name: s, agent: pi, x-a: 1, seen_at: z, wrkspace: /w }]\n";
    let (_, remarks) = try_read(text).unwrap();
    let question = |remark: &Remark| remark.hint.clone().unwrap_or_default().split_inclusive('?').next().unwrap().to_owned();
    let shown: Vec<_> = remarks.iter().map(|r| (r.path.to_string(), r.about_key, question(r))).collect();
    assert_eq!(
        shown,
        [
            ("sesions".to_owned(), true, "did you mean `sessions`?".to_owned()),
            ("sessions[0].wrkspace".to_owned(), true, "did you mean `workspace`?".to_owned())
        ]
    );
}

#[test]
fn a_slip_of_the_fingers_is_understood_even_in_a_short_word() {
    for (typed, meant) in [
        ("cdw", "cwd"),
        ("wcd", "cwd"),
        ("agnet", "agent"),
        ("stauts", "status"),
        ("nmae", "name"),
        ("hots", "host"),
        ("mxu", "mux"),
        ("evn", "env"),
        ("pnae", "pane"),
        ("workspcae", "workspace"),
        ("claude_sesion_id_own", "claude_session_id_own"),
        ("lable", "labels"),
    ] {
        let (_, remarks) = try_read(&format!("version: 1\nsessions: [{{ name: s, agent: pi, {typed}: x }}]\n")).unwrap();
        let hint = remarks[0].hint.clone().unwrap_or_default();
        assert!(hint.starts_with(&format!("did you mean `{meant}`?")), "{typed}: {hint}");
    }
    for far in ["note", "colour", "q", "zz"] {
        let (_, remarks) = try_read(&format!("version: 1\nsessions: [{{ name: s, agent: pi, {far}: x }}]\n")).unwrap();
        assert_eq!(remarks[0].hint, None, "{far}");
    }
}

#[test]
fn every_mistake_of_an_entry_is_told_at_once() {
    let told = |text: &str| -> Vec<String> {
        let mut paths: Vec<String> = try_read(text).unwrap_err().iter().map(|remark| remark.path.to_string()).collect();
        paths.sort();
        paths
    };
    let entry = "version: 1\nsessions: [{ name: 1, agent: clod, cwd: [], status: ruming, session_id: 7, pane: { pid: x } }]\n";
    let fields = ["agent", "cwd", "name", "pane.pid", "session_id", "status"];
    assert_eq!(told(entry), fields.map(|field| format!("sessions[0].{field}")));
    assert_eq!(told("version: 1\nsessions: [{ status: ruming }]\n"), ["sessions[0]", "sessions[0]", "sessions[0].status"]);
    let older =
        "sessions: [{ tmux_session: s-creator-nobody, status: ruming, claude_session_id_own: 7, codex_session_id_own: x }]\n";
    assert_eq!(told(older), ["sessions[0]", "sessions[0].claude_session_id_own", "sessions[0].status"]);
}

#[test]
fn a_mistake_in_the_defaults_is_told_once_however_many_entries_meet_it() {
    let text = "version: 1\ndefaults: { mux: screen }\nsessions: [{ name: a, agent: pi }, { name: b, agent: pi }]\n";
    let remarks = try_read(text).unwrap_err();
    assert_eq!(remarks.iter().map(|remark| remark.path.to_string()).collect::<Vec<_>>(), ["defaults.mux"]);
}

#[test]
fn the_same_name_on_two_servers_is_two_sessions() {
    let text = "version: 1\nsessions: [{ name: s, agent: pi }, { name: s, agent: pi, server: canary }, { name: s, agent: pi, host: h2 }]\n";
    assert_eq!(good(text).sessions.len(), 3);
}

#[test]
fn a_field_that_comes_through_a_merge_is_recorded_as_the_entry_s_own() {
    let text = "version: 1\nx-base: &base { agent: claude, status: running }\nsessions:\n- { <<: *base, name: s }\n";
    let session = &good(text).sessions[0];
    assert_eq!(session.recorded.status, Some(Status::Running));
    let edit = session.entry.set(Field::Status, session.agent, json!("terminated")).unwrap();
    assert_eq!((edit.path.to_string().as_str(), edit.from), ("sessions[0].status", None));
}

#[test]
fn a_stamp_in_any_zone_counts_and_ours_opens_no_window() {
    let text = |mode: &str| {
        format!(
            "version: 1\nsessions: [{{ name: s, agent: pi, terminated_at: \"2026-11-21T01:00:00+01:00\", termination_mode: {mode} }}]\n"
        )
    };
    let at = "2026-11-21T00:00:00Z".parse().unwrap();
    assert_eq!(good(&text("manual")).sessions[0].recorded.touched_at, [at]);
    let ours = &good(&text("auto-detected")).sessions[0].recorded;
    assert_eq!((ours.touched_at.as_slice(), ours.terminated_at), (&[][..], Some(at)));
}

#[test]
fn the_lists_of_agents_multiplexers_and_classes_have_every_one_there_is() {
    // What derives the schema sees the variants themselves; the lists are written by hand.
    fn variants<T: schemars::JsonSchema>() -> Vec<String> {
        let schema = schemars::schema_for!(T).to_value();
        let one = |schema: &serde_json::Value| match (schema.get("const"), schema.get("enum")) {
            (Some(word), _) => vec![word.clone()],
            (None, Some(words)) => words.as_array().cloned().unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        // Agents that a manifest declares are beside those it need not.
        let several = schema.get("oneOf").or_else(|| schema.get("anyOf"));
        let several = several.and_then(|all| all.as_array()).into_iter().flatten().flat_map(one);
        several.chain(one(&schema)).map(|word| word.as_str().unwrap().to_owned()).collect()
    }
    assert_eq!(variants::<AgentKind>(), AgentKind::ALL.each_ref().map(AgentKind::as_str));
    assert_eq!(variants::<MuxKind>(), MuxKind::ALL.map(MuxKind::as_str));
    assert_eq!(variants::<Class>(), Class::ALL.map(Class::as_str));
}

#[test]
fn a_declared_agent_is_an_agent_in_this_manifest_and_in_no_other() {
    let agents =
        "agents:\n  aider: { programs: [aider], aliases: [aid], home: ~/.aider, id: '[0-9]+', resume: [-r, '{id}'] }\n";
    let entry = "sessions: [{ name: s, agent: aid, agent_identities: { aider: { session_id: i } } }]\n";
    let manifest = good(&format!("version: 1\n{agents}{entry}"));
    let [definition] = manifest.agents.definitions() else { panic!("{manifest:?}") };
    assert_eq!((definition.programs.as_slice(), definition.home.as_deref()), (&["aider".to_owned()][..], Some("~/.aider")));
    assert!(definition.is_id("12") && !definition.is_id("1a"));
    let session = &manifest.sessions[0];
    let kind = AgentKind::Custom(definition.name);
    assert_eq!((session.agent, session.agent.to_string().as_str()), (kind, "aider"));
    assert_eq!(id_path(&manifest), "sessions[0].agent_identities.aider.session_id");
    assert_eq!(manifest.agents.kinds().count(), AgentKind::ALL.len() + 1);
    let pattern = &manifest.discovery[0];
    assert_eq!(pattern.agents("x-creator-aid", &manifest.agents), [kind]);
    assert_eq!(pattern.agents("x-creator-aid", &Declared::default()), []);
    let undeclared = try_read(&format!("version: 1\n{entry}")).unwrap_err();
    assert_eq!(undeclared[0].message, "unknown agent \"aid\"");
}

#[test]
fn the_older_dialect_knows_no_declared_agents_and_says_what_it_always_said() {
    let (manifest, remarks) = try_read("agents: { aider: { programs: [aider] } }\nsessions: []\n").unwrap();
    assert!(manifest.agents.definitions().is_empty());
    assert_eq!((remarks.len(), remarks[0].message.as_str(), remarks[0].fatal), (1, "unknown key `agents`", false));
    let (_, remarks) = try_read("agnts: x\nsessions: []\n").unwrap();
    assert_ne!(remarks[0].hint.as_deref(), Some("did you mean `agents`?"), "a key it does not know is not proposed either");
}

#[test]
fn a_declaration_is_bounded_in_every_direction() {
    let agent = |fields: &str| format!("version: 1\nagents: {{ a: {{ programs: [p], {fields} }} }}\n");
    let items = |count: usize| (0..count).map(|at| format!("w{at}")).collect::<Vec<_>>().join(", ");
    for (text, told) in [
        (agent(&format!("aliases: [{}]", items(17))), "more than 16 items"),
        (agent(&format!("packages: [{}]", "x".repeat(513))), "more than 512 bytes"),
        (agent("resume: [\"{id}\", \"{id}\"]"), "2 times"),
        (agent("id: 12"), "must be text"),
        (agent("id_flags: --id"), "must be a list"),
        (agent("id_flags: [\"\"]"), "must not be empty"),
        (agent("packages: [\"a\\tb\"]"), "control character"),
        (
            format!(
                "version: 1\nagents:\n{}",
                (0..65).map(|at| format!("  a{at}: {{ programs: [p{at}] }}\n")).collect::<String>()
            ),
            "more than 64 agents",
        ),
        ("version: 1\nagents: { 1: { programs: [p] } }\n".to_owned(), "name is text"),
    ] {
        let remarks = try_read(&text).unwrap_err();
        assert!(remarks.iter().any(|remark| remark.fatal && remark.message.contains(told)), "{told}: {remarks:?}");
    }
    let most = (0..64).map(|at| format!("  a{at}: {{ programs: [p{at}] }}\n")).collect::<String>();
    assert_eq!(good(&format!("version: 1\nagents:\n{most}sessions: []\n")).agents.definitions().len(), 64);
}

#[test]
fn an_entry_whose_place_may_be_meant_by_an_unknown_key_is_in_doubt_and_no_other() {
    let doubt = |text: &str| try_read(text).unwrap().0.sessions[0].doubt.clone();
    let v1 = |fields: &str| format!("version: 1\nsessions: [{{ name: s, agent: pi{fields} }}]\n");
    for key in ["tmux_sever", "Server", "tmux_socket", "hots", "hostname", "mxu", "cdw", "tmux_sesion"] {
        let text = v1(&format!(", {key}: work"));
        let why = doubt(&text).unwrap_or_else(|| panic!("{key}")).why;
        assert!(why.starts_with(&format!("its entry has the unknown key `{key}`, which may mean `")), "{why}");
        let hint = try_read(&text).unwrap().1[0].hint.clone().unwrap();
        assert!(hint.contains("this session is not judged"), "the warning says it too: {hint}");
    }
    for fields in [
        ", tmux_sever: work, server: work",
        ", servr: null",
        ", x-server: work",
        ", cmd: pi",
        ", lables: {}",
        ", nmae: s",
        ", agnet: pi",
        ", tmux_window: 2",
    ] {
        assert_eq!(doubt(&v1(fields)), None, "{fields}");
    }
    let older = "sessions: [{ tmux_session: s, agent: pi, tmux_socket: work }]\n";
    assert!(doubt(older).unwrap().why.contains("may mean `tmux_server`"), "in the file's own words");
}

#[test]
fn what_was_probably_meant_for_all_sessions_puts_those_in_doubt_that_do_not_say_it() {
    let sessions = "sessions: [{ name: a, agent: pi }, { name: b, agent: pi, server: own }]\n";
    for (outside, why) in [
        ("defaults: { servr: work }\n", "`defaults` has the unknown key `servr`, which may mean `server`"),
        ("default: { tmux_server: work }\n", "outside its sessions the manifest has the unknown key `default`"),
        ("tmux_server: work\n", "outside its sessions the manifest has `tmux_server`, which has no effect there"),
        ("hostname: elsewhere\n", "the unknown key `hostname`, which may mean `host`"),
    ] {
        let (manifest, remarks) = try_read(&format!("version: 1\n{outside}{sessions}")).unwrap();
        let [a, b] = manifest.sessions.as_slice() else { panic!("{manifest:?}") };
        assert!(a.doubt.as_ref().is_some_and(|doubt| doubt.why.contains(why)), "{outside}: {:?}", a.doubt);
        assert_eq!(b.doubt.is_some(), outside.starts_with("hostname"), "{outside}: {:?}", b.doubt);
        assert!(remarks.iter().any(|remark| !remark.fatal && remark.hint.is_some()), "{outside}: {remarks:?}");
    }
    for outside in ["name: mine\n", "default: { labels: {} }\n", "defaults: { servr: work, server: work }\n", "notes: x\n"] {
        let (manifest, _) = try_read(&format!("version: 1\n{outside}{sessions}")).unwrap();
        assert!(manifest.sessions.iter().all(|session| session.doubt.is_none()), "{outside}");
    }
}

/// A file of multi-agent-mux's newest shape.
const NEWEST: &str = "agent_identities: {}\ntmux_sessions:\n- name: lab-a-creator-claude\n  status: running\n  tmux_server: canary\n  \
                      role: reviewer\n  start_command: claude --model sonnet\n  mcp_attachments: [files]\n  claude_session_id_own: 0d4b\n\
                      - name: lab-b-creator-hermes\n  status: stopped\n  role: worker\n  hermes_conversation_id_own: h-1\n\
                      - name: odd\n  status: running\n  cline_conversation_id_own: null\n";

#[test]
fn a_file_of_multi_agent_muxs_newest_shape_is_read_and_written_in_its_own_words() {
    let (manifest, remarks) = try_read(NEWEST).unwrap();
    assert_eq!(remarks, []);
    let agents: Vec<&str> = manifest.sessions.iter().map(|session| session.agent.as_str()).collect();
    assert_eq!(agents, ["claude", "hermes", "cline"], "by the name's suffix, or by the only own id");
    let ids: Vec<_> =
        manifest.sessions.iter().map(|session| session.recorded.session_id.as_ref().map(|id| id.as_str())).collect();
    assert_eq!(ids, [Some("0d4b"), Some("h-1"), None]);
    assert_eq!(manifest.list, "tmux_sessions");
    let odd = &manifest.sessions[2];
    let edit = odd.entry.set(Field::SessionId, odd.agent, serde_json::json!("c-1")).unwrap();
    assert_eq!(edit.path.to_string(), "tmux_sessions[2].cline_conversation_id_own");
}

#[test]
fn an_agent_of_multi_agent_mux_is_known_by_name_in_any_file_unless_the_file_declares_it() {
    let manifest = good("version: 1\nsessions: [{ name: s, agent: hermes }]\n");
    assert_eq!(manifest.sessions[0].agent.as_str(), "hermes");
    let manifest = good("version: 1\nagents: { hermes: { programs: [hermes-cli] } }\nsessions: [{ name: s, agent: hermes }]\n");
    assert_eq!(manifest.agents.definitions().len(), 1);
    assert_eq!(manifest.agents.definitions()[0].programs, ["hermes-cli"]);
    assert_eq!(good("version: 1\nsessions: [{ name: s, agent: pi }]\n").agents, Declared::default());
}

#[test]
fn sessions_that_were_not_understood_are_an_error_and_never_none() {
    let entry = "[{ name: a-creator-claude, status: running }]";
    for (text, path, message) in [
        (format!("tmux_sessions: {entry}\nsessions: {entry}\n"), "tmux_sessions", "both there"),
        (format!("project:\n  - {{ sessions: {entry} }}\n"), "project", "unknown key `project`"),
        (format!("sessions: []\nhosts_of: {{ a: {{ b: {entry} }} }}\n"), "hosts_of", "unknown key `hosts_of`"),
        ("version: 1\nsessionss: []\n".to_owned(), "sessionss", "unknown key `sessionss`"),
        ("version: 1\nmux_sessions: [a, b]\n".to_owned(), "mux_sessions", "unknown key `mux_sessions`"),
        (format!("version: 1\nsessions: []\ntmux_sessions: {entry}\n"), "tmux_sessions", "both there"),
        (format!("agent_sessions: {entry}\n"), "agent_sessions", "unknown key `agent_sessions`"),
        (format!("version: 1\nsesions: {entry}\n"), "sesions", "unknown key `sesions`"),
        (format!("version: 1\nsessions: {entry}\nmore: {entry}\n"), "more", "unknown key `more`"),
        (
            "version: 1\nagent_sessions: { a-creator-claude: { agent: claude, cwd: /x } }\n".to_owned(),
            "agent_sessions",
            "unknown",
        ),
        ("version: 1\nzellij_sessions: [{ agent: claude, session_id: x }]\n".to_owned(), "zellij_sessions", "unknown"),
    ] {
        let remarks = try_read(&text).unwrap_err();
        let fatal = remarks.iter().find(|remark| remark.fatal).unwrap();
        assert_eq!(fatal.path.to_string(), path, "{text}");
        assert!(fatal.message.contains(message) && fatal.hint.is_some(), "{text}: {}", fatal.message);
    }
    for fine in [
        format!("version: 1\nx-base: {entry}\n"),
        "version: 1\nsessions: []\nprojects: [{ name: a, cwd: /x }]\n".to_owned(),
        "version: 1\nsessions: null\ntmux_sessions: []\n".to_owned(),
        "tmux_sessions:\n".to_owned(),
        "{ version: 1, tmux_sessions: null, sessions: [] }\n".to_owned(),
    ] {
        assert!(try_read(&fine).is_ok(), "{fine}");
    }
}

#[test]
fn an_older_entry_takes_its_agent_from_the_end_of_its_name_or_from_its_own_id() {
    let agent = |entry: &str| try_read(&format!("tmux_sessions:\n- {entry}\n")).map(|(it, _)| it.sessions[0].agent.to_string());
    for (entry, expected) in [
        ("{ name: lab-claude }", "claude"),
        ("{ name: lab-x-creator-claude-code }", "claude"),
        ("{ name: lab-agy, agy_conversation_id_own: a }", "antigravity"),
        ("{ name: lab, cline_conversation_id_own: ~ }", "cline"),
        ("{ name: lab-codex, claude_session_id_own: ~ }", "codex"),
        ("{ name: lab-codex, agent: pi, claude_session_id_own: a }", "pi"),
    ] {
        assert_eq!(agent(entry).unwrap(), expected, "{entry}");
    }
    for (entry, message, hint) in [
        (
            "{ name: lab-codex, claude_session_id_own: a }",
            "says codex, `claude_session_id_own` says claude",
            "`agent: codex` or",
        ),
        ("{ name: lab, claude_session_id_own: a, codex_session_id_own: b }", "names no agent", "add `agent:`"),
        ("{ name: -claude }", "names no agent", ""),
        ("{ name: labclaude }", "names no agent", ""),
    ] {
        let remarks = agent(entry).unwrap_err();
        let [remark] = remarks.as_slice() else { panic!("{entry}: {remarks:?}") };
        assert!(remark.fatal && remark.message.contains(message), "{remark:?}");
        assert!(remark.hint.as_deref().unwrap_or_default().contains(hint), "{remark:?}");
    }
}

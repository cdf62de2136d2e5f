//! Where recorded and live conversations are looked up, and what is said when they cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::observe::{Observation, Transcript, TranscriptKey};

use crate::support::{World, entries, manifest};
use crate::{look, look_with};

const ID: &str = "11111111-2222-4333-8444-555555555555";

fn fact<'a>(seen: &'a Observation, kind: AgentKind, home: &Path, id: &str) -> &'a Fact<Transcript> {
    let key = TranscriptKey { kind, home: home.to_path_buf(), id: ConversationId(id.to_owned()) };
    seen.transcripts.get(&key).unwrap_or_else(|| panic!("{key:?}: {:?}", seen.transcripts))
}

fn path(fact: &Fact<Transcript>) -> PathBuf {
    fact.seen().unwrap_or_else(|| panic!("{fact:?}")).path.clone()
}

/// Puts recorded state of a real agent below the world's home.
fn install(world: &World, agent: &str) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts").join(agent);
    copy(&from, &world.home());
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn conversations_recorded_by_real_agents_are_found() {
    let world = World::new();
    for agent in ["claude", "codex", "pi", "gemini", "copilot", "antigravity"] {
        install(&world, agent);
    }
    let home = world.home();
    for (kind, below, id, file) in [
        (
            AgentKind::Claude,
            ".claude",
            "33333333-2222-4333-8444-555555555555",
            "projects/-home-dev-lab-checkout-v2/33333333-2222-4333-8444-555555555555.jsonl",
        ),
        (
            AgentKind::Codex,
            ".codex",
            "01a1fc1d-6298-7bd0-8509-01c8f09c524a",
            "sessions/2026/11/21/rollout-2026-11-21T03-19-06-01a1fc1d-6298-7bd0-8509-01c8f09c524a.jsonl",
        ),
        (
            AgentKind::Pi,
            ".pi/agent",
            "my-own.id_1",
            "sessions/--home-dev-lab-landing_page--/2026-11-21T03-24-48-886Z_my-own.id_1.jsonl",
        ),
        (
            AgentKind::Copilot,
            ".copilot",
            "43d46416-ca36-4f89-962d-0ed53462d0c5",
            "session-state/43d46416-ca36-4f89-962d-0ed53462d0c5/events.jsonl",
        ),
        (
            AgentKind::Antigravity,
            ".gemini/antigravity-cli",
            "5f0c9a52-3f1e-4c55-9a55-0d5c1f7a0002",
            "conversations/5f0c9a52-3f1e-4c55-9a55-0d5c1f7a0002.db",
        ),
    ] {
        let missing = format!("9{}", &id[1..]);
        let seen = look(
            &world,
            &entries([
                format!("name: a, agent: {kind}, cwd: /home/dev/lab/checkout.v2, session_id: {id:?}"),
                format!("name: b, agent: {kind}, cwd: /home/dev/lab/checkout.v2, session_id: {missing:?}"),
            ]),
        );
        assert_eq!(path(fact(&seen, kind, &home.join(below), id)), home.join(below).join(file), "{kind}");
        assert_eq!(fact(&seen, kind, &home.join(below), &missing), &Fact::Absent, "{kind}");
    }
}

#[test]
fn geminis_short_names_are_confirmed_by_the_id_inside() {
    let world = World::new();
    install(&world, "gemini");
    let chats = world.home().join(".gemini/tmp/landing-page/chats");
    let text = fs::read_to_string(chats.join("session-2026-11-21T03-28-44444444.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let id = first["sessionId"].as_str().unwrap();
    let twin = format!("{}-0000-4000-8000-000000000000", &id[..8]);
    let manifest =
        entries([format!("name: a, agent: gemini, session_id: {id}"), format!("name: b, agent: gemini, session_id: {twin}")]);
    let seen = look(&world, &manifest);
    let home = world.home().join(".gemini");
    assert!(path(fact(&seen, AgentKind::Gemini, &home, id)).starts_with(&chats));
    assert_eq!(fact(&seen, AgentKind::Gemini, &home, &twin), &Fact::Absent);
}

#[test]
fn a_conversation_in_a_database_that_cannot_be_read_is_not_said_to_be_gone() {
    let world = World::new();
    let home = world.home().join(".local/share/opencode");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("opencode.db"), "").unwrap();
    let seen = look(&world, &entries(["name: a, agent: opencode, session_id: ses_1"]));
    assert!(fact(&seen, AgentKind::Opencode, &home, "ses_1").why_unknown().is_some_and(|why| why.contains("no such table")));
}

#[test]
fn a_conversation_is_looked_up_in_the_home_of_its_live_agent_of_its_entry_and_of_its_identity() {
    let world = World::new();
    let cwd = world.workspace("w");
    let claude = world.claude_session("live", &cwd);
    let file = world.prompt("live", &cwd, &claude);
    let other = world.root().join("other");
    let dir = other.join("projects/-somewhere");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(format!("{ID}.jsonl")), "").unwrap();
    let text = format!(
        "agent_identities:\n  claude: {{ session_id: 33333333-x, project_cwd: /w }}\nsessions:\n\
         - {{ name: live, agent: claude, cwd: {cwd:?}, session_id: {ID} }}\n\
         - {{ name: away, agent: claude, cwd: /x, session_id: {ID}, env: {{ CLAUDE_CONFIG_DIR: {other:?} }} }}\n"
    );
    let manifest = manifest(&text);
    let seen = look(&world, &manifest);
    let home = world.home().join(".claude");
    assert_eq!(path(fact(&seen, AgentKind::Claude, &home, claude.id.as_str())), file);
    assert_eq!(fact(&seen, AgentKind::Claude, &home, ID), &Fact::Absent);
    assert_eq!(path(fact(&seen, AgentKind::Claude, &other, ID)), dir.join(format!("{ID}.jsonl")));
    assert_eq!(fact(&seen, AgentKind::Claude, &home, "33333333-x"), &Fact::Absent);
    assert_eq!(seen.fallback_homes, [Fact::Seen(home.clone()), Fact::Seen(other)]);
    assert_eq!(seen.own_homes[&AgentKind::Claude], Fact::Seen(home));
}

#[test]
fn without_a_home_nothing_is_said_to_be_absent() {
    let world = World::new();
    let env = [("HOME", "")];
    let seen = look_with(&world, &env, &entries([format!("name: a, agent: claude, session_id: {ID}")]));
    assert!(seen.transcripts.is_empty());
    assert!(seen.fallback_homes[0].why_unknown().is_some());
}

#[test]
fn transcripts_that_may_not_be_listed_are_unknown() {
    let world = World::new();
    let projects = world.home().join(".claude/projects");
    fs::create_dir_all(projects.join("-closed")).unwrap();
    fs::set_permissions(projects.join("-closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if rustix::process::getuid().is_root() {
        for dir in [world.root(), &world.home(), &world.home().join(".claude"), &projects] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        }
        crate::as_nobody("transcripts::looked_up_as_somebody_else", &[("HC_HOME", world.home().join(".claude").as_os_str())]);
    } else {
        looked_up(&world.home().join(".claude"));
    }
    fs::set_permissions(projects.join("-closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

/// Run as another user by the test above; by itself it has nothing to look up.
#[test]
fn looked_up_as_somebody_else() {
    if let Some(home) = std::env::var_os("HC_HOME") {
        looked_up(Path::new(&home));
    }
}

fn looked_up(home: &Path) {
    let (shelf, id) = (headcount::agent::TranscriptIndex::new(), ConversationId(ID.into()));
    let found = headcount::agent::of(AgentKind::Claude).unwrap().transcript(&shelf, home, &id, &[]);
    assert!(found.why_unknown().is_some_and(|why| why.ends_with("permission denied")), "{found:?}");
}

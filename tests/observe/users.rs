//! Agents of every kind that other users run beside one's own: whose file a conversation is in decides who began it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command};

use chrono::{TimeDelta, Utc};
use headcount::core::fact::Fact;
use headcount::core::observe::identity::{Rung, RungValue};

use crate::support::{World, await_some, entries, opencode};
use crate::{agents, look};

const ID: &str = "11111111-2222-4333-8444-555555555555";
const ROW: &str = "ses_e03da5ce8ffe1oElFNqYhDS7aa";

/// A kind whose conversations are told by when they came into being, and what its agent does at the first prompt.
struct Kind {
    name: &'static str,
    id: &'static str,
    prompt: fn(&World, &Path),
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "claude",
        id: ID,
        prompt: |world, cwd| {
            let line = serde_json::json!({ "type": "user", "cwd": cwd, "sessionId": ID, "timestamp": Utc::now() });
            write(&world.transcript(cwd, &headcount::core::ids::ConversationId(ID.to_owned())), &line);
        },
    },
    Kind {
        name: "codex",
        id: ID,
        prompt: |world, cwd| {
            let now = Utc::now();
            let payload = serde_json::json!({ "id": ID, "timestamp": now, "cwd": cwd, "source": "cli" });
            let line = serde_json::json!({ "timestamp": now, "type": "session_meta", "payload": payload });
            let name = format!(".codex/sessions/{}-{ID}.jsonl", now.format("%Y/%m/%d/rollout-%Y-%m-%dT%H-%M-%S"));
            write(&world.home().join(name), &line);
        },
    },
    Kind {
        name: "pi",
        id: ID,
        prompt: |world, cwd| {
            let now = Utc::now();
            let line = serde_json::json!({ "type": "session", "version": 3, "id": ID, "cwd": cwd, "timestamp": now });
            let dir = format!(".pi/agent/sessions/--{}--", cwd.to_str().unwrap()[1..].replace('/', "-"));
            write(&world.home().join(dir).join(format!("{}_{ID}.jsonl", now.format("%Y-%m-%dT%H-%M-%S-%3fZ"))), &line);
        },
    },
    Kind {
        name: "gemini",
        id: ID,
        prompt: |world, cwd| {
            let home = world.home().join(".gemini");
            let now = Utc::now();
            let line = serde_json::json!({ "sessionId": ID, "projectHash": "x", "startTime": now, "kind": "main" });
            let name = format!("tmp/slug/chats/session-{}-11111111.jsonl", now.format("%Y-%m-%dT%H-%M"));
            write(&home.join(name), &line);
            write(&home.join("projects.json"), &serde_json::json!({ "projects": { cwd.to_str().unwrap(): "slug" } }));
            fs::write(home.join("tmp/slug/.project_root"), cwd.to_str().unwrap()).unwrap();
        },
    },
    // Typed into its pane: the stand-in has the database open, as the real one has as long as it lives.
    Kind {
        name: "opencode",
        id: ROW,
        prompt: |world, cwd| {
            world.type_line("opencode", &crate::opencode::insert(ROW, cwd, Utc::now().timestamp_millis(), None));
        },
    },
];

fn write(path: &Path, line: &serde_json::Value) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("{line}\n")).unwrap();
}

/// The processes of a test, which end with it.
struct Others(Vec<Child>);

impl Drop for Others {
    fn drop(&mut self) {
        for other in &mut self.0 {
            let _ = other.kill();
            let _ = other.wait();
        }
    }
}

#[test]
fn agents_of_other_users_hide_no_conversation_of_any_kind() {
    if !rustix::process::getuid().is_root() {
        let _ = writeln!(std::io::stderr(), "SKIPPED every kind of agent of other users: only root can start some");
        return;
    }
    let mut others = Others(Vec::new());
    for (user, kind) in ["0", "65533"].iter().flat_map(|user| KINDS.iter().map(move |kind| (user, kind))) {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]);
        command.args(["bash", "-c", &format!("exec -a {} sleep 600", kind.name)]).current_dir("/");
        match command.spawn() {
            Ok(other) => others.0.push(other),
            Err(error) => {
                let _ =
                    writeln!(std::io::stderr(), "SKIPPED every kind of agent of other users: setpriv cannot be run: {error}");
                return;
            }
        }
    }
    crate::as_nobody("users::seen_beside_agents_of_others", &[("HC_BESIDE", OsStr::new("others"))]);
}

/// Run as another user by the test above; by itself it has nobody beside it.
#[test]
fn seen_beside_agents_of_others() {
    if std::env::var_os("HC_BESIDE").is_none() {
        return;
    }
    let world = World::new();
    let database = world.home().join(".local/share/opencode/opencode.db");
    opencode::record(&database);
    let itself = std::env::current_exe().unwrap();
    for kind in &KINDS {
        let cwd = world.workspace(kind.name);
        let runs = match kind.name {
            "opencode" => format!("{itself:?} --exact opencode::writes_as_opencode_does --nocapture"),
            _ => "sleep 600".to_owned(),
        };
        let command = format!("HC_DATABASE={database:?} exec bash -c 'exec -a {} {runs}'", kind.name);
        world.session(kind.name, &cwd, &command);
        let manifest = entries([format!("name: {0}, agent: {0}", kind.name)]);
        let agent = || agents(&look(&world, &manifest), kind.name).first().map(|agent| (*agent).clone());
        let started = await_some(kind.name, agent).process.started;
        // What came into being within a second of the start may be older than it.
        await_some("a second", || (Utc::now() - started > TimeDelta::milliseconds(1200)).then_some(()));
        (kind.prompt)(&world, &cwd);
        let ladder = await_some(&format!("the conversation of {}", kind.name), || {
            let ladder = agent()?.ladder;
            let shows = |fact: &Fact<RungValue>| matches!(fact, Fact::Seen(RungValue::Appeared(all)) if all.iter().any(|it| it.id.as_str() == kind.id));
            ladder.readings.iter().any(|it| it.rung == Rung::Appeared && shows(&it.fact)).then_some(ladder)
        });
        assert_eq!(ladder.peers, Fact::Seen(1), "{}: {ladder:#?}", kind.name);
    }
}

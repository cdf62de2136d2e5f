//! The table: of each agent, how it is called, where it keeps its files, what a real one left there, and what names a process.

use std::fs;
use std::path::Path;

use headcount::agent::Agents;
use headcount::core::agents::{Definition, Template};
use headcount::core::ids::{AgentKind, AgentName};
use headcount::host::ProcessInfo;

/// An id that no specimen records.
pub const OTHER: &str = "99999999-2222-4333-8444-555555555555";

/// Puts into a home what names a process as being in a conversation.
pub type Plant = fn(home: &Path, process: &ProcessInfo, id: &str);

/// One agent.
pub struct Specimen {
    /// Which.
    pub kind: AgentKind,
    /// What people type.
    pub program: &'static str,
    /// A script of its package, where a script interpreter runs it.
    pub script: Option<&'static str>,
    /// First arguments with which it is nobody's agent.
    pub services: &'static [&'static str],
    /// Its home below HOME.
    pub home: &'static str,
    /// A variable that moves the home, what it is set to, and the home then.
    pub moved: Option<(&'static str, &'static str, &'static str)>,
    /// What a real one left, below `tests/data/transcripts`: copied, it is HOME.
    pub recorded: &'static str,
    /// A conversation in it, and the workspace it was in.
    pub id: &'static str,
    pub cwd: &'static str,
    /// A conversation in it that was cut short while a turn was going on.
    pub cut: &'static str,
    /// Arguments that name the conversation `ID` beyond doubt, if there are any.
    pub naming: &'static [&'static str],
    /// Arguments that mention `ID` without saying that the process is in it.
    pub doubtful: &'static [&'static str],
    /// What its stand-in does before it waits, in shell; `$ID` is the conversation.
    pub holds: &'static str,
    /// Files that name a live process. Agents that leave none have none.
    pub vouch: Option<Plant>,
    /// The same files as another process of this pid would have left them.
    pub stale: Option<Plant>,
    /// The pid that stands in the recorded files.
    pub left_by: u32,
    /// Where a manifest says that its transcripts are, if headcount does not know it by itself.
    pub declared: Option<&'static str>,
}

impl Specimen {
    /// Every agent there is where this one is: those headcount knows by itself, and it.
    pub fn agents(&self) -> Agents {
        let definition = self.declared.map(|template| Definition {
            programs: vec![self.program.to_owned()],
            home: Some(format!("~/{}", self.home)),
            transcripts: Some(Template::parse(template).unwrap()),
            ..Definition::named(AgentName::new(self.kind.as_str()).unwrap())
        });
        Agents::with(&definition.into_iter().collect())
    }
}

fn claude_registry(home: &Path, pid: u32, start: &str, id: &str) {
    fs::create_dir_all(home.join("sessions")).unwrap();
    let text = serde_json::json!({ "pid": pid, "sessionId": id, "procStart": start, "status": "busy" });
    fs::write(home.join(format!("sessions/{pid}.json")), text.to_string()).unwrap();
}

/// Agents that a manifest declares. They leave what Claude Code leaves, and nothing else is known of them.
pub fn declared() -> [Specimen; 2] {
    ["projects/{workspace}/{id}.jsonl", "projects/*/{id}.jsonl"].map(|template| {
        let [claude, ..] = all();
        let kind = AgentKind::named("goose").unwrap();
        Specimen { kind, program: "goose", vouch: None, stale: None, declared: Some(template), ..claude }
    })
}

/// Every agent that headcount knows by itself.
pub fn all() -> [Specimen; 7] {
    [
        Specimen {
            kind: AgentKind::Claude,
            program: "claude",
            script: Some("/opt/node_modules/@anthropic-ai/claude-code/cli.js"),
            services: &["mcp"],
            home: ".claude",
            moved: Some(("CLAUDE_CONFIG_DIR", "/c", "/c")),
            recorded: "claude",
            id: "33333333-2222-4333-8444-555555555555",
            cwd: "/home/dev/lab/checkout.v2",
            cut: "7c1d52ce-9f0e-4f7f-a3f5-1b60a31d0001",
            naming: &["--session-id ID", "--resume ID", "-r ID", "--resume=ID"],
            doubtful: &[
                "--resume ID --fork-session",
                "--session-id ID --continue",
                "-c --resume ID",
                "--resume",
                "-- --resume ID",
            ],
            holds: "",
            vouch: Some(|home, process, id| {
                claude_registry(home, process.pid, &process.start_ticks.unwrap().to_string(), id);
            }),
            stale: Some(|home, process, id| claude_registry(home, process.pid, "1", id)),
            left_by: 28207,
            declared: None,
        },
        Specimen {
            kind: AgentKind::Codex,
            program: "codex",
            script: Some("/opt/node_modules/@openai/codex/bin/codex.js"),
            services: &["app-server", "pid-update-loop", "mcp-server"],
            home: ".codex",
            moved: Some(("CODEX_HOME", "/x", "/x")),
            recorded: "codex",
            id: "01a1fc18-dd1c-78e3-a69d-bea89863b6d3",
            cwd: "/home/dev/lab/checkout.v2",
            cut: "01a1fc1b-b7b6-7361-96bb-4283a7de4ab6",
            naming: &["resume ID"],
            doubtful: &["fork ID", "resume --last", "resume --last ID", "exec ID"],
            holds: "mkdir -p \"$HOME/.codex/thread-writer-locks\"; exec 9>\"$HOME/.codex/thread-writer-locks/$ID.lock\"",
            vouch: Some(|_, _, _| ()),
            stale: Some(|home, _, id| fs::write(home.join(format!("thread-writer-locks/{id}.lock")), "").unwrap()),
            left_by: 1,
            declared: None,
        },
        Specimen {
            kind: AgentKind::Antigravity,
            program: "agy",
            script: None,
            services: &[],
            home: ".gemini/antigravity-cli",
            moved: None,
            recorded: "antigravity",
            id: "5f0c9a52-3f1e-4c55-9a55-0d5c1f7a0002",
            cwd: "/home/dev/lab/checkout.v2",
            cut: "5f0c9a52-3f1e-4c55-9a55-0d5c1f7a0001",
            naming: &[],
            doubtful: &["--resume ID", "--conversation ID"],
            holds: "",
            vouch: None,
            stale: None,
            left_by: 1,
            declared: None,
        },
        Specimen {
            kind: AgentKind::Pi,
            program: "pi",
            script: Some("/opt/node_modules/@earendil-works/pi-coding-agent/dist/cli.js"),
            services: &[],
            home: ".pi/agent",
            moved: None,
            recorded: "pi",
            id: "my-own.id_1",
            cwd: "/home/dev/lab/landing_page",
            cut: "01a1fc21-9bf4-7601-bb55-70acf8452c25",
            naming: &["--session-id ID"],
            doubtful: &["--fork ID", "--session-id ID --continue", "--session-id ID -c", "--session"],
            holds: "",
            vouch: None,
            stale: None,
            left_by: 1,
            declared: None,
        },
        Specimen {
            kind: AgentKind::Opencode,
            program: "opencode",
            script: Some("/opt/node_modules/opencode-ai/bin/opencode.js"),
            services: &["serve", "web", "mcp", "acp"],
            home: ".local/share/opencode",
            moved: Some(("XDG_DATA_HOME", "/d", "/d/opencode")),
            recorded: "opencode",
            id: OPENCODE,
            cwd: "/home/dev/lab/landing_page",
            cut: OPENCODE,
            naming: &["-s ID", "--session ID"],
            doubtful: &["-s ID --fork", "--continue -s ID", "-s"],
            holds: "",
            vouch: None,
            stale: None,
            left_by: 1,
            declared: None,
        },
        Specimen {
            kind: AgentKind::Gemini,
            program: "gemini",
            script: Some("/opt/node_modules/@google/gemini-cli/dist/index.js"),
            services: &["mcp", "extensions", "hooks"],
            home: ".gemini",
            moved: None,
            recorded: "gemini",
            id: "44444444-2222-4333-8444-555555555555",
            cwd: "/home/dev/lab/landing_page",
            cut: "44444444-2222-4333-8444-555555555555",
            naming: &["--session-id ID", "--resume ID"],
            doubtful: &["--resume latest", "--resume 3", "--resume", "-- --resume ID"],
            holds: "",
            vouch: None,
            stale: None,
            left_by: 1,
            declared: None,
        },
        Specimen {
            kind: AgentKind::Copilot,
            program: "copilot",
            script: Some("/opt/node_modules/@github/copilot/index.js"),
            services: &["mcp"],
            home: ".copilot",
            moved: Some(("COPILOT_HOME", "/p", "/p")),
            recorded: "copilot",
            id: "43d46416-ca36-4f89-962d-0ed53462d0c5",
            cwd: "/home/dev/lab/landing_page",
            cut: "43d46416-ca36-4f89-962d-0ed53462d0c5",
            naming: &["--session-id ID", "--resume=ID"],
            doubtful: &["--continue --resume=ID", "--resume", "-- --resume=ID"],
            holds: r#"d=$HOME/.copilot/session-state/$ID; mkdir -p "$d"; printf %s $$ > "$d/inuse.$$.lock"; exec 9>"$d/inuse.$$.hold""#,
            vouch: Some(|_, _, _| ()),
            stale: Some(|home, process, id| {
                let lock = home.join(format!("session-state/{id}/inuse.{}.lock", process.pid));
                fs::create_dir_all(lock.parent().unwrap()).unwrap();
                fs::write(&lock, process.pid.to_string()).unwrap();
                let before = std::time::SystemTime::from(process.started) - std::time::Duration::from_secs(3600);
                fs::File::options().write(true).open(lock).unwrap().set_modified(before).unwrap();
            }),
            left_by: 10288,
            declared: None,
        },
    ]
}

/// The conversation in the recorded database.
const OPENCODE: &str = "ses_e03da5ce8ffe1oElFNqYhDS7Qe";

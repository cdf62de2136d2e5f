//! The JSON Schema of a manifest, for editors. Describes the format; reading it is `read`'s, spelling it is `names`'s.
#![allow(dead_code, reason = "the fields exist to be described, not to be read")]

mod lead;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use self::lead::{DeclaredOfOne, DriveTable, HostSchema, LeadPolicy, RestartSchema, Variable};
use super::Status;
use super::names::own_id_keys;
use crate::core::class::Class;
use crate::core::ids::{AgentKind, AgentName, MuxKind, ServerKey};

/// The address of the schema, as its `$id` says it.
pub const ID: &str = "headcount/agent-sessions/v1";

/// The schema as a JSON value.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Document).to_value();
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("$id".to_owned(), json!(ID));
    }
    schema
}

/// A manifest of coding-agent sessions, kept true by headcount.
#[derive(JsonSchema)]
#[schemars(title = "agent-sessions.yaml", extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
struct Document {
    /// The version of the format. Without it, headcount reads and writes the file as multi-agent-mux does.
    #[schemars(extend("examples" = [1], "const" = 1))]
    version: Option<u32>,
    /// Agents that are not built in, by name (lower-case letters, digits and dashes).
    #[schemars(extend("propertyNames" = {"pattern": AgentName::PATTERN, "maxLength": 32}, "examples" = [{"aider": {"programs": ["aider"]}}]))]
    agents: Option<BTreeMap<String, DeclaredAgent>>,
    /// Declared fields that every session has unless its entry says otherwise.
    #[schemars(extend("examples" = [{"mux": "zellij"}]))]
    defaults: Option<Declared>,
    /// Which sessions without an entry headcount adds. The agent in the name must be alive in the session.
    #[schemars(extend("examples" = [{"names": ["*-creator-{agent}", "{agent}-*"]}]))]
    discovery: Option<Discovery>,
    /// The sessions.
    #[schemars(extend("examples" = [[{"name": "shop-web-creator-claude", "agent": "claude"}]]))]
    sessions: Option<Vec<Session>>,
    /// How sessions are led.
    #[schemars(extend("examples" = [{"parallel": 2, "spacing": "1s"}]))]
    lead: Option<LeadPolicy>,
    /// Other hosts, by the names that commands use (`-H ml`, `ml:SESSION`).
    #[schemars(extend("propertyNames" = {"pattern": "^(?!(tmux|zellij|https?)$)[^-:/\\s][^:/\\s]*$"}, "examples" = [{"ml": {"ssh": ["ml-primary", "ml-fallback"]}}]))]
    hosts: Option<BTreeMap<String, HostSchema>>,
    /// The MQTT broker of `watch --subscribe` and `--publish`; the environment (`MQTT_BROKER` …) takes precedence.
    #[schemars(extend("examples" = [{"broker": "broker.example", "tls": true}]))]
    mqtt: Option<Mqtt>,
    /// Older name of `sessions`; not beside it.
    #[schemars(extend("examples" = [[{"name": "shop-web-creator-claude", "status": "running"}]]))]
    tmux_sessions: Option<Vec<Session>>,
    /// Older dialect: the conversation of an agent in a workspace, where only one entry of that agent works there.
    #[schemars(extend("examples" = [{"claude": {"session_id": "0d4b8c62-6f0e-4a53-9d57-6b1f2f0a7c11", "project_cwd": "/home/ada/shop/web"}}]))]
    agent_identities: Option<BTreeMap<String, Identity>>,
}

/// An agent that is not built in.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
struct DeclaredAgent {
    /// Base names of its program, or of its script when an interpreter runs it. The first is what people type.
    #[schemars(length(min = 1, max = 16), extend("examples" = [["aider"]]))]
    programs: Vec<String>,
    /// Other names people use for it.
    #[schemars(length(max = 16), inner(regex(pattern = AgentName::PATTERN), length(max = 32)), extend("examples" = [["aid"]]))]
    aliases: Option<Vec<String>>,
    /// Directories that only its scripts and binaries are in, such as an npm package's name.
    #[schemars(length(max = 16), extend("examples" = [["@acme/planer"]]))]
    packages: Option<Vec<String>>,
    /// Where it keeps its files: absolute, `~`, or beginning with `~/`.
    #[schemars(regex(pattern = "^(/|~$|~/)"), extend("examples" = ["~/.aider"], "default" = "~"))]
    home: Option<String>,
    /// The variable of its environment that names another home.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"), extend("examples" = ["AIDER_HOME"]))]
    home_env: Option<String>,
    /// Where its transcripts are: below its home, absolute, or below `{cwd}/`. `{id}` must occur once. `{workspace}` is the
    /// workspace's path with a dash for every character but ASCII letters and digits; `*` is any text within a name, `?` one
    /// character.
    #[schemars(length(max = 512), regex(pattern = r"\{id\}"), extend("examples" = ["chats/{workspace}/*-{id}.jsonl"]))]
    transcripts: Option<String>,
    /// A regular expression for the whole id. Without one, any text that can be part of a file name is an id.
    #[schemars(length(min = 1, max = 256), extend("examples" = ["[0-9a-f]{8}"]))]
    id: Option<String>,
    /// Flags whose value is the exact id of the conversation.
    #[schemars(length(max = 16), extend("examples" = [["--session", "--resume"]]))]
    id_flags: Option<Vec<String>>,
    /// Flags that make the id among the arguments differ from the id in use, such as one that forks the conversation.
    #[schemars(length(max = 16), extend("examples" = [["--fork"]]))]
    fork_flags: Option<Vec<String>>,
    /// The arguments that resume a conversation, `{id}` once among them.
    #[schemars(length(max = 16), extend("examples" = [["--resume", "{id}"]]))]
    resume: Option<Vec<String>>,
    /// How to start and stop it. headcount never tries what is missing.
    #[schemars(extend("examples" = [{"ready": "aider> ", "submit": "Enter"}]))]
    drive: Option<DriveTable>,
}

/// Which sessions without an entry headcount adds. The agent in the name must be alive in the session.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct Discovery {
    /// Patterns of session names: `*` is any text, `?` one character, `{agent}` an agent's name or alias.
    #[schemars(extend("examples" = [["*-creator-{agent}", "{agent}-*"]], "default" = ["*-creator-{agent}"]))]
    names: Option<Vec<String>>,
}

/// The MQTT broker. Never write a password here.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
struct Mqtt {
    /// The host: a name or an address.
    #[schemars(length(min = 1), extend("examples" = ["broker.example"]))]
    broker: Option<String>,
    /// The port; 1883, or 8883 with TLS.
    #[schemars(range(min = 1, max = 65535), extend("examples" = [8883]))]
    port: Option<u16>,
    /// Whether to use TLS; on if certificates are set.
    #[schemars(extend("examples" = [true]))]
    tls: Option<bool>,
    /// The user.
    #[schemars(extend("examples" = ["dev1"]))]
    username: Option<String>,
    /// The file whose first line is the password.
    #[schemars(extend("examples" = ["~/.config/headcount/mqtt-password"]))]
    password_file: Option<String>,
    /// The CA certificates that vouch for the broker (PEM); by default those of the system.
    #[schemars(extend("examples" = ["ca.pem"]))]
    ca_certs: Option<String>,
    /// The client's certificate (PEM).
    #[schemars(extend("examples" = ["dev1.pem"]))]
    certfile: Option<String>,
    /// The client's key (PEM); without it, the key is in `certfile`.
    #[schemars(extend("examples" = ["dev1.key"]))]
    keyfile: Option<String>,
    /// The prefix of client ids.
    #[schemars(extend("examples" = ["laptop"], "default" = "headcount"))]
    client_id_prefix: Option<String>,
    /// The root of the topics of jobs.
    #[schemars(extend("examples" = ["jobs"], "default" = "python/mqtt/jobs"))]
    root: Option<String>,
}

/// What people declare of a session.
#[derive(JsonSchema)]
struct Declared {
    /// The coding agent that runs in the session.
    #[schemars(extend("examples" = ["claude"]))]
    agent: Option<Agent>,
    /// The workspace: absolute, or beginning with `~/`.
    #[schemars(extend("examples" = ["~/shop/web"]))]
    cwd: Option<String>,
    /// Older name of `cwd`.
    #[schemars(extend("examples" = ["/home/ada/shop/web"]))]
    workspace: Option<String>,
    /// The multiplexer.
    #[schemars(extend("examples" = ["zellij"], "default" = "tmux"))]
    mux: Option<MuxKind>,
    /// The server: a `tmux -L` name or the absolute path of its socket; for zellij, a path as in `ZELLIJ_SOCKET_DIR`.
    #[schemars(extend("examples" = ["canary"], "default" = ServerKey::DEFAULT))]
    server: Option<String>,
    /// Older name of `server`.
    #[schemars(extend("examples" = ["canary"]))]
    tmux_server: Option<String>,
    /// The host of the session. headcount judges only sessions of its own host; others are `elsewhere`.
    #[schemars(extend("examples" = ["dev1"]))]
    host: Option<String>,
    /// Labels, for `-l key=value`.
    #[schemars(extend("examples" = [{"team": "web"}]))]
    labels: Option<BTreeMap<String, Scalar>>,
    /// Do not judge this session at all, and do nothing to it, by name either.
    #[schemars(extend("examples" = [true], "default" = false))]
    suspend: Option<bool>,
    /// Other name of `suspend`.
    #[schemars(extend("examples" = [true]))]
    unmanaged: Option<bool>,
    /// Drift classes that are listed but do not count.
    #[schemars(extend("examples" = [["moved", "agent-gone"]]))]
    ignore: Option<Vec<Class>>,
    /// When headcount starts it again: a word, or a mapping with its own waits (no effect yet).
    #[schemars(extend("examples" = ["on-failure"], "default" = "never"))]
    restart: Option<RestartSchema>,
    /// Flags after the agent's own, with their values. Flags for an id, a prompt or a run without a terminal are
    /// not allowed. One that lets the agent act unasked needs your consent; beside `permissions` it is an error.
    #[schemars(extend("examples" = [["--model", "opus"]]))]
    args: Option<Vec<Scalar>>,
    /// Environment of the agent; shows where its files are while no process does. headcount shows its values as `***`;
    /// `{file: PATH}` keeps a value out of the manifest. Not `HEADCOUNT_…`, `TMUX…` or `ZELLIJ…`.
    #[schemars(extend("propertyNames" = {"pattern": "^(?!HEADCOUNT_|TMUX|ZELLIJ)[^=]+$"}, "examples" = [{"CLAUDE_CONFIG_DIR": "/home/ada/.claude-work"}]))]
    env: Option<BTreeMap<String, Variable>>,
    /// How long a series of starts may take (no effect yet).
    #[schemars(regex(pattern = "^([0-9]+(ms|s|m|h|d))+$"), extend("examples" = ["5h"]))]
    deadline: Option<String>,
}

/// One session: what people declare, then what headcount records.
#[derive(JsonSchema)]
#[schemars(transform = older_id_keys, extend(
    "anyOf" = [{"required": ["name"]}, {"required": ["tmux_session"]}],
    "unevaluatedProperties" = false
))]
struct Session {
    /// The name of the multiplexer session.
    #[schemars(length(min = 1), extend("examples" = ["shop-web-creator-claude"]))]
    name: Option<String>,
    /// Older name of `name`.
    #[schemars(extend("examples" = ["shop-web-creator-claude"]))]
    tmux_session: Option<String>,
    #[serde(flatten)]
    declared: Declared,
    #[serde(flatten)]
    of_one: DeclaredOfOne,
    /// Recorded: the state of the session; missing if headcount never saw it.
    #[schemars(extend("examples" = ["running"]))]
    status: Option<Status>,
    /// Recorded: the agent's own id of the conversation; null until there is one.
    #[schemars(extend("examples" = ["4f0c2a9e-6a57-4b0e-9d3c-0e6f6f1f7a21"]))]
    session_id: Option<String>,
    /// Recorded: the pane the agent runs in.
    #[schemars(extend("examples" = [{"id": "%0", "pid": 32064, "cmd": "claude", "cwd": "/home/ada/shop/web"}]))]
    pane: Option<Pane>,
    /// Recorded: when it ended, RFC 3339.
    #[schemars(extend("examples" = ["2026-11-21T09:22:47Z"]))]
    terminated_at: Option<String>,
    /// Recorded: how it ended; `auto-detected` if headcount found out.
    #[schemars(extend("examples" = ["auto-detected"]))]
    termination_mode: Option<String>,
    /// Recorded: what was last visible of it.
    #[schemars(extend("examples" = ["auto-registered"]))]
    last_visible_status: Option<String>,
    /// Recorded: a note about that.
    #[schemars(extend("examples" = ["paused until the API is stable"]))]
    last_visible_note: Option<String>,
    /// Older dialect: why it was stopped.
    #[schemars(extend("examples" = ["done"]))]
    stop_reason: Option<String>,
    /// Older dialect: whether the stopped session can be resumed.
    #[schemars(extend("examples" = [true]))]
    resumable: Option<bool>,
    /// The delegated job this session works on.
    #[schemars(extend("examples" = ["6rvrhxmx"]))]
    delegate_job_id: Option<String>,
    /// Older dialect: the conversation per agent.
    #[schemars(extend("examples" = [{"claude": {"session_id": "0d4b8c62-6f0e-4a53-9d57-6b1f2f0a7c11", "project_cwd": "/home/ada/shop/web"}}]))]
    agent_identities: Option<BTreeMap<String, Identity>>,
}

/// A pane as recorded: a hint to confirm by pid, never an address.
#[derive(JsonSchema)]
struct Pane {
    /// The multiplexer's id of the pane, such as `%3`.
    #[schemars(extend("examples" = ["%0"]))]
    id: Option<String>,
    /// The process that the pane was created for.
    #[schemars(extend("examples" = [32064]))]
    pid: Option<u32>,
    /// The agent that ran in it.
    #[schemars(extend("examples" = ["claude"]))]
    cmd: Option<String>,
    /// The agent's working directory.
    #[schemars(extend("examples" = ["/home/ada/shop/web"]))]
    cwd: Option<String>,
}

/// The conversation of an agent in one workspace.
#[derive(JsonSchema)]
struct Identity {
    /// The conversation.
    #[schemars(extend("examples" = ["0d4b8c62-6f0e-4a53-9d57-6b1f2f0a7c11"]))]
    session_id: Option<String>,
    /// The same, as Antigravity calls it.
    #[schemars(extend("examples" = ["7c1d52ce-9f0e-4f7f-a3b1-2d0c9a1b6e55"]))]
    conversation_id: Option<String>,
    /// The only workspace it is valid in.
    #[schemars(extend("examples" = ["/home/ada/shop/web"]))]
    project_cwd: Option<String>,
}

/// Text, or a number or boolean that is taken as text.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Scalar {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// A boolean.
    Flag(bool),
}

/// An agent by its name or an alias.
struct Agent;

impl JsonSchema for Agent {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Agent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = AgentKind::ALL.iter().flat_map(|kind| kind.names()).collect();
        json_schema!({
            "description": "A coding agent by its name or an alias; one that is not listed is declared at `agents`.",
            "anyOf": [{ "enum": words }, { "type": "string", "pattern": AgentName::PATTERN }]
        })
    }
}

/// Allows the older dialect's own-id keys, other tools' `*_at` stamps and the user's own `x-` keys.
fn older_id_keys(schema: &mut Schema) {
    let keys: Vec<String> = AgentKind::ALL.iter().flat_map(own_id_keys).collect();
    let pattern = format!("^({})$", keys.join("|"));
    let id = json!({ "type": ["string", "null"], "description": "Older dialect: the session's own conversation id." });
    schema.insert("patternProperties".to_owned(), json!({ pattern: id, "^x-": true, "_at(_epoch)?$": true }));
}

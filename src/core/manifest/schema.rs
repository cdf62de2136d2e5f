//! The JSON Schema of a manifest, for editors. Describes the format; reading it is `read`'s, spelling it is `names`'s.
#![allow(dead_code, reason = "the fields exist to be described, not to be read")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::Status;
use super::names::own_id_keys;
use crate::core::agents::NAME;
use crate::core::drift::Class;
use crate::core::ids::{AgentKind, MuxKind};

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
    /// The format's version. Without it the file is read and written as multi-agent-mux does.
    #[schemars(extend("const" = 1))]
    version: Option<u32>,
    /// Agents that headcount does not know by itself, by their names: small letters, digits and dashes.
    #[schemars(extend("propertyNames" = {"pattern": NAME, "maxLength": 32}))]
    agents: Option<BTreeMap<String, DeclaredAgent>>,
    /// Declared fields that every session has unless its entry says otherwise.
    defaults: Option<Declared>,
    /// Which sessions without an entry are ours.
    discovery: Option<Discovery>,
    /// The sessions.
    sessions: Option<Vec<Session>>,
    /// The MQTT broker of `watch --subscribe` and `--publish`; the environment (`MQTT_BROKER` …) wins.
    mqtt: Option<Mqtt>,
    /// Older dialect: the conversation of an agent in a workspace, where only one entry of that agent works there.
    agent_identities: Option<BTreeMap<String, Identity>>,
}

/// An agent that headcount does not know by itself.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
struct DeclaredAgent {
    /// Base names of its program, or of its script when an interpreter runs it. The first is what people type.
    #[schemars(length(min = 1, max = 16))]
    programs: Vec<String>,
    /// Other names people use for it.
    #[schemars(length(max = 16), inner(regex(pattern = NAME), length(max = 32)))]
    aliases: Option<Vec<String>>,
    /// Directories that only its scripts and binaries are in, such as an npm package's name.
    #[schemars(length(max = 16))]
    packages: Option<Vec<String>>,
    /// Where it keeps its files: absolute, `~`, or beginning with `~/`.
    #[schemars(regex(pattern = "^(/|~$|~/)"), extend("default" = "~"))]
    home: Option<String>,
    /// The variable of its environment that names another home.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    home_env: Option<String>,
    /// Where its transcripts are, below its home, absolute, or below `{cwd}/`: `{id}` once; `{workspace}` is the workspace's path
    /// with a dash for every character but ASCII letters and digits; `*` is any text within a name, `?` one character.
    #[schemars(length(max = 512), regex(pattern = r"\{id\}"))]
    transcripts: Option<String>,
    /// A regular expression that the whole of an id matches; without one an id is any text that can be part of a file's name.
    #[schemars(length(min = 1, max = 256))]
    id: Option<String>,
    /// Flags whose value is the exact id of the conversation.
    #[schemars(length(max = 16))]
    id_flags: Option<Vec<String>>,
    /// Flags with which an id among the arguments is not the id in use, such as one that forks the conversation.
    #[schemars(length(max = 16))]
    fork_flags: Option<Vec<String>>,
    /// The arguments that resume a conversation, `{id}` once among them.
    #[schemars(length(max = 16))]
    resume: Option<Vec<String>>,
}

/// Which sessions without an entry are ours.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
struct Discovery {
    /// Patterns of session names: `*` is any text, `?` one character, `{agent}` an agent's name or alias.
    #[schemars(extend("default" = ["*-creator-{agent}"]))]
    names: Option<Vec<String>>,
}

/// The MQTT broker. A password never stands here.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
struct Mqtt {
    /// The host: a name or an address.
    #[schemars(length(min = 1))]
    broker: Option<String>,
    /// The port; 1883, or 8883 with TLS.
    #[schemars(range(min = 1, max = 65535))]
    port: Option<u16>,
    /// Whether to speak TLS; on if certificates are named.
    tls: Option<bool>,
    /// The user.
    username: Option<String>,
    /// The file whose first line is the password.
    password_file: Option<String>,
    /// The certificates of the authorities that vouch for the broker (PEM); the system's, if none are named.
    ca_certs: Option<String>,
    /// The client's certificate (PEM).
    certfile: Option<String>,
    /// The client's key (PEM); without it, the key is in `certfile`.
    keyfile: Option<String>,
    /// What client ids begin with.
    client_id_prefix: Option<String>,
    /// Where the topics of jobs begin.
    #[schemars(extend("default" = "python/mqtt/jobs"))]
    root: Option<String>,
}

/// What people declare of a session.
#[derive(JsonSchema)]
struct Declared {
    /// The coding agent that runs in the session.
    agent: Option<Agent>,
    /// The workspace: absolute, or beginning with `~/`.
    cwd: Option<String>,
    /// Older name of `cwd`.
    workspace: Option<String>,
    /// The multiplexer.
    mux: Option<MuxKind>,
    /// The server: a `tmux -L` name, or the absolute path of its socket.
    server: Option<String>,
    /// Older name of `server`.
    tmux_server: Option<String>,
    /// The host the session lives on; headcount judges only sessions of its own host.
    host: Option<String>,
    /// Labels, for `-l key=value`.
    labels: Option<BTreeMap<String, Scalar>>,
    /// Do not judge this session at all.
    suspend: Option<bool>,
    /// Drift classes that are listed but do not count.
    ignore: Option<Vec<Class>>,
    /// What enforce mode shall make of it; decides nothing in observe mode.
    desired: Option<Desired>,
    /// When enforce mode starts it again; decides nothing in observe mode.
    restart: Option<Restart>,
    /// Arguments of the agent; decide nothing in observe mode.
    args: Option<Vec<Scalar>>,
    /// Environment of the agent; tells where its files are when no process does.
    env: Option<BTreeMap<String, Scalar>>,
    /// The first prompt; decides nothing in observe mode.
    prompt: Option<String>,
}

/// One session: what people declare, then what headcount records.
#[derive(JsonSchema)]
#[schemars(transform = older_id_keys, extend(
    "anyOf" = [{"required": ["name"]}, {"required": ["tmux_session"]}],
    "unevaluatedProperties" = false
))]
struct Session {
    /// The name of the multiplexer session.
    #[schemars(length(min = 1))]
    name: Option<String>,
    /// Older name of `name`.
    tmux_session: Option<String>,
    #[serde(flatten)]
    declared: Declared,
    /// Recorded: what became of the session; missing if it was never seen.
    status: Option<Status>,
    /// Recorded: the agent's own id of the conversation; null until it materialises.
    session_id: Option<String>,
    /// Recorded: the pane the agent runs in.
    pane: Option<Pane>,
    /// Recorded: when it ended, RFC 3339.
    terminated_at: Option<String>,
    /// Recorded: how it ended; `auto-detected` if headcount found out.
    termination_mode: Option<String>,
    /// Recorded: what was last visible of it.
    last_visible_status: Option<String>,
    /// Recorded: a note about that.
    last_visible_note: Option<String>,
    /// The delegated job this session works on.
    delegate_job_id: Option<String>,
    /// Older dialect: the conversation per agent.
    agent_identities: Option<BTreeMap<String, Identity>>,
}

/// A pane as recorded: a hint to confirm by pid, never an address.
#[derive(JsonSchema)]
struct Pane {
    /// The multiplexer's id of it, `%3`.
    id: Option<String>,
    /// The process the pane was made for.
    pid: Option<u32>,
    /// The agent that ran in it.
    cmd: Option<String>,
    /// The agent's working directory.
    cwd: Option<String>,
}

/// The conversation of an agent in one workspace.
#[derive(JsonSchema)]
struct Identity {
    /// The conversation.
    session_id: Option<String>,
    /// The same, as Antigravity calls it.
    conversation_id: Option<String>,
    /// The only workspace it is valid in.
    project_cwd: Option<String>,
}

/// What enforce mode shall make of a session.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Desired {
    /// Alive.
    Running,
    /// Ended.
    Stopped,
    /// Put away.
    Archived,
}

/// A restart policy: a word, or a mapping with more.
#[derive(JsonSchema)]
#[serde(untagged)]
enum Restart {
    /// A word.
    Word(String),
    /// A mapping.
    Policy(BTreeMap<String, Value>),
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
            "anyOf": [{ "enum": words }, { "type": "string", "pattern": NAME }]
        })
    }
}

/// Allows the older dialect's own-id keys, other tools' `*_at` stamps and the user's own `x-` keys.
fn older_id_keys(schema: &mut Schema) {
    let keys: Vec<String> = AgentKind::ALL.iter().flat_map(|kind| own_id_keys(*kind)).collect();
    let pattern = format!("^({})$", keys.join("|"));
    let id = json!({ "type": ["string", "null"], "description": "Older dialect: the session's own conversation id." });
    schema.insert("patternProperties".to_owned(), json!({ pattern: id, "^x-": true, "_at$": true }));
}

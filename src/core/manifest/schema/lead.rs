//! The parts of the schema that say how sessions are led. Describes the format; reading it is `lead`'s.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::Scalar;
use crate::core::manifest::lead::{Attach, CrewRole, Desired, Permissions, RestartPolicy};

/// How to drive a declared agent.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
pub(super) struct DriveTable {
    /// Its own arguments on every start.
    #[schemars(extend("examples" = [["--no-update"]]))]
    start: Option<Vec<String>>,
    /// The flag that gives a new conversation its id.
    #[schemars(extend("examples" = ["-s"]))]
    id_flag: Option<String>,
    /// What its screen shows when it is ready. Without it, a start is never more than `unverified`.
    #[schemars(extend("examples" = ["aider> "]))]
    ready: Option<String>,
    /// What its composer begins with. Keys that quit it are typed only where the cursor stands right behind that.
    #[schemars(extend("examples" = ["> "]))]
    composer: Option<String>,
    /// The key that submits (no effect yet).
    #[schemars(extend("examples" = ["Enter"]))]
    submit: Option<String>,
    /// What its screen shows when a turn has ended (no effect yet).
    #[schemars(extend("examples" = ["Tokens:"]))]
    end: Option<String>,
    /// The keys and texts that quit it, or one of `SIGTERM`, `SIGINT`, `SIGHUP`. Without it, headcount stops no such agent.
    #[schemars(extend("examples" = [["C-d"]]))]
    quit: Option<Vec<String>>,
    /// How long it may take to quit.
    #[schemars(extend("examples" = ["5s"]))]
    grace: Option<Span>,
    /// What its screen shows when it asks about a workspace. headcount says so, and leaves the answer to you.
    #[schemars(extend("examples" = ["Do you trust"]))]
    trust: Option<String>,
    /// Its flags by the words of `permissions`.
    #[schemars(extend("examples" = [{"bypass": ["--yes-always"]}]))]
    permission: Option<BTreeMap<String, Vec<String>>>,
}

/// How the sessions of a manifest are led.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
pub(super) struct LeadPolicy {
    /// Operations at once.
    #[schemars(range(min = 1), extend("examples" = [4], "default" = 2))]
    parallel: Option<u32>,
    /// Time between two starts.
    #[schemars(extend("examples" = ["5s"], "default" = "1s"))]
    spacing: Option<Span>,
    /// How long an agent may take to be ready.
    #[schemars(extend("examples" = ["2m"], "default" = "60s"))]
    ready: Option<Span>,
    /// How long starts wait after failures.
    #[schemars(extend("examples" = [{"first": "3m", "factor": 2, "most": "1h", "attempts": 10}]))]
    backoff: Option<Waits>,
}

/// How long starts wait after failures.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
pub(super) struct Waits {
    /// The first wait.
    #[schemars(extend("examples" = ["1m"], "default" = "3m"))]
    first: Option<Span>,
    /// How many times longer each further wait is.
    #[schemars(range(min = 1), extend("examples" = [1.5], "default" = 2))]
    factor: Option<f64>,
    /// The longest wait.
    #[schemars(extend("examples" = ["30m"], "default" = "1h"))]
    most: Option<Span>,
    /// The number of starts before headcount gives up.
    #[schemars(range(min = 1), extend("examples" = [5], "default" = 10))]
    attempts: Option<u32>,
}

/// Another host.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
#[schemars(rename = "Host")]
pub(super) struct HostSchema {
    /// Names for ssh; headcount uses the first that answers.
    #[schemars(inner(regex(pattern = r"^[^-\s]\S*$")), extend("examples" = [["ml-primary", "ml-fallback"]]))]
    ssh: Option<Vec<String>>,
    /// How to reach its terminal.
    #[schemars(extend("examples" = ["mosh"], "default" = "ssh"))]
    attach: Option<Attach>,
    /// Its manifest, there.
    #[schemars(length(min = 1), extend("examples" = ["~/agents.yaml"]))]
    manifest: Option<String>,
    /// Its headcount, there.
    #[schemars(length(min = 1), extend("examples" = ["~/.cargo/bin/headcount"]))]
    headcount: Option<String>,
}

/// What people declare of one session alone: ignored in `defaults`.
#[derive(JsonSchema)]
pub(super) struct DeclaredOfOne {
    /// The state that the session should have. Without it, headcount only follows the session.
    #[schemars(extend("examples" = ["running"]))]
    desired: Option<Desired>,
    /// The command to run instead of the agent's program, whose arguments follow it. It must not
    /// lead to another machine, container or terminal.
    #[schemars(length(min = 1), extend("examples" = [["mise", "exec", "--", "claude"]]))]
    command: Option<Vec<Scalar>>,
    /// The first message of the conversation.
    #[schemars(extend("examples" = ["Fix the failing tests."]))]
    prompt: Option<String>,
    /// How far the agent may go without asking.
    #[schemars(extend("examples" = ["edit"], "default" = "ask"))]
    permissions: Option<Permissions>,
    /// Whether to answer the agent's question about this workspace.
    #[schemars(extend("examples" = [true]))]
    trust: Option<bool>,
    /// The work it is about: a tracker's id, an address, words.
    #[schemars(extend("examples" = ["ENG-123"]))]
    task: Option<String>,
    /// The crew it belongs to.
    #[schemars(extend("examples" = [{"name": "shop", "role": "worker"}]))]
    crew: Option<CrewSchema>,
    /// Its role in multi-agent-mux; shown, never changed.
    #[schemars(extend("examples" = ["reviewer"]))]
    role: Option<String>,
    /// How multi-agent-mux started it; shown, never changed.
    #[schemars(extend("examples" = ["claude --model sonnet"]))]
    start_command: Option<String>,
    /// What multi-agent-mux attached to it; shown, never changed.
    #[schemars(extend("examples" = [["files"]]))]
    mcp_attachments: Option<Attachments>,
}

/// What was attached, in one of two shapes.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum Attachments {
    /// Names.
    List(Vec<Scalar>),
    /// More by names.
    ByName(BTreeMap<String, Value>),
}

/// A crew.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
#[schemars(rename = "Crew")]
pub(super) struct CrewSchema {
    /// Its name.
    #[schemars(length(min = 1), extend("examples" = ["shop"]))]
    name: String,
    /// The session's part in it.
    #[schemars(extend("examples" = ["worker"]))]
    role: CrewRole,
}

/// A restart policy: a word, or a mapping with more.
#[derive(JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Restart")]
pub(super) enum RestartSchema {
    /// A word.
    Word(RestartPolicy),
    /// A mapping.
    Policy(RestartWaits),
}

/// A restart policy with waits of its own.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false, "patternProperties" = {"^x-": true}))]
pub(super) struct RestartWaits {
    /// When.
    #[schemars(extend("examples" = ["on-failure"]))]
    policy: RestartPolicy,
    /// The first wait.
    #[schemars(extend("examples" = ["1m"]))]
    first: Option<Span>,
    /// How many times longer each further wait is.
    #[schemars(range(min = 1), extend("examples" = [1.5]))]
    factor: Option<f64>,
    /// The longest wait.
    #[schemars(extend("examples" = ["30m"]))]
    most: Option<Span>,
    /// The number of starts before headcount gives up.
    #[schemars(range(min = 1), extend("examples" = [5]))]
    attempts: Option<u32>,
}

/// A value of a variable, or the file that holds it.
#[derive(JsonSchema)]
#[serde(untagged)]
pub(super) enum Variable {
    /// The value.
    Value(Scalar),
    /// The file.
    File(VariableFile),
}

/// The file that holds a variable's value.
#[derive(JsonSchema)]
#[schemars(extend("additionalProperties" = false))]
pub(super) struct VariableFile {
    /// Absolute, or beginning with `~/`.
    #[schemars(regex(pattern = "^(/|~/)"), extend("examples" = ["~/secrets/token"]))]
    file: String,
}

/// A length of time.
pub(super) struct Span;

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string", "pattern": "^(0|([0-9]+(ms|s|m|h|d))+)$" }, { "const": 0 }] })
    }
}

//! The arguments of each tool, and the command they mean. Owns their names, limits and the words a model reads of them; runs nothing.

use schemars::JsonSchema;
use serde::Deserialize;

use super::call::{MOST_ROWS, MOST_TURNS, ToolCall, USUAL_ROWS};
use crate::core::ids::AgentKind;
use crate::core::lead::conditions::Condition;
use crate::core::lead::is_pattern;

/// What a tool is called with.
pub(super) trait ToolArguments: JsonSchema + for<'a> Deserialize<'a> {
    /// The command that is meant.
    ///
    /// # Errors
    /// Why the arguments make no sense: one line.
    fn call(self) -> Result<ToolCall, String>;
}

/// Which sessions to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    /// Names of sessions; `*` and `?` are wildcards. Without it: all.
    #[serde(default)]
    sessions: Vec<String>,
    /// Only sessions of these agents, such as claude or codex.
    #[serde(default)]
    agents: Vec<AgentKind>,
    /// At most so many sessions, from 1 to 200; 50 where it is missing.
    limit: Option<usize>,
    /// The next_cursor of the page before.
    cursor: Option<String>,
}

impl ToolArguments for ListInput {
    fn call(self) -> Result<ToolCall, String> {
        let mut call = ToolCall::new(&["status", "--json"]);
        for agent in self.agents {
            call = call.option("agent", Some(agent.as_str()))?;
        }
        call.page(self.limit, MOST_ROWS, USUAL_ROWS, self.cursor)?.on(self.sessions)
    }
}

/// One session.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DescribeInput {
    /// The session: its name, MUX:SERVER:PANE, a job id, or the whole id of its conversation.
    session: String,
}

impl ToolArguments for DescribeInput {
    fn call(self) -> Result<ToolCall, String> {
        ToolCall::new(&["describe", "--json"]).on(vec![self.session])
    }
}

/// One session of the manifest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExplainInput {
    /// The name of the session.
    session: String,
}

impl ToolArguments for ExplainInput {
    fn call(self) -> Result<ToolCall, String> {
        if is_pattern(&self.session) {
            return Err("session is the name of one session, without wildcards".to_owned());
        }
        ToolCall::new(&["explain"]).on(vec![self.session])
    }
}

/// What is compared.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareInput {
    /// Names of sessions; `*` and `?` are wildcards. Without it: all.
    #[serde(default)]
    sessions: Vec<String>,
    /// At most so many rows, from 1 to 200; 50 where it is missing.
    limit: Option<usize>,
    /// The next_cursor of the page before.
    cursor: Option<String>,
}

impl CompareInput {
    fn of(self, verb: &str) -> Result<ToolCall, String> {
        ToolCall::new(&[verb, "--json"]).page(self.limit, MOST_ROWS, USUAL_ROWS, self.cursor)?.on(self.sessions)
    }
}

/// The same for `diff`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct DiffInput(CompareInput);

impl ToolArguments for DiffInput {
    fn call(self) -> Result<ToolCall, String> {
        self.0.of("diff")
    }
}

/// The same for `plan`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct PlanInput(CompareInput);

impl ToolArguments for PlanInput {
    fn call(self) -> Result<ToolCall, String> {
        self.0.of("plan")
    }
}

/// The same for `history`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct HistoryInput(CompareInput);

impl ToolArguments for HistoryInput {
    fn call(self) -> Result<ToolCall, String> {
        self.0.of("history")
    }
}

/// What to wait for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitInput {
    /// The sessions.
    sessions: Vec<String>,
    /// Any of these conditions.
    #[serde(rename = "for")]
    conditions: Vec<Condition>,
    /// Whether one of several sessions is enough.
    #[serde(default)]
    any: bool,
    /// Count only what begins after this call.
    #[serde(default)]
    next: bool,
    /// Count only what comes after the text of this receipt; not together with next.
    after: Option<String>,
    /// How long to wait, from 1 to 600; 60 where it is missing.
    timeout_seconds: Option<u64>,
}

impl ToolArguments for WaitInput {
    fn call(self) -> Result<ToolCall, String> {
        if self.sessions.is_empty() || self.conditions.is_empty() {
            return Err("sessions and for each name at least one".to_owned());
        }
        if self.next && self.after.is_some() {
            return Err("next and after do not go together".to_owned());
        }
        let conditions: Vec<&str> = self.conditions.iter().map(|condition| condition.as_str()).collect();
        let call = ToolCall::new(&["wait", "--json"]).option("for", Some(conditions.join(",")))?;
        let call = call.flag("any", self.any).flag("next", self.next).option("after", self.after)?;
        call.waiting(self.timeout_seconds)?.on(self.sessions)
    }
}

/// Which turns to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadTurnInput {
    /// The session, as for describe. Leave it out with receipt.
    session: Option<String>,
    /// The receipt of a text: the turn that took it in.
    receipt: Option<String>,
    /// At most so many turns, from 1 to 20; 1 where it is missing. The newest, or with cursor the first behind it.
    limit: Option<usize>,
    /// The next_cursor of an earlier answer: only turns after it, and one that was still open.
    cursor: Option<String>,
    /// Show thinking as well.
    #[serde(default)]
    full: bool,
}

impl ToolArguments for ReadTurnInput {
    fn call(self) -> Result<ToolCall, String> {
        let call = ToolCall::new(&["read", "--json"]).flag("full", self.full);
        let call = call.page(self.limit, MOST_TURNS, 1, self.cursor)?;
        match (self.session, self.receipt) {
            (Some(session), None) => {
                let last = if call.page.cursor.is_some() { MOST_ROWS } else { call.page.limit };
                call.option("last", Some(last.to_string()))?.on(vec![session])
            }
            (None, Some(receipt)) => call.option("receipt", Some(receipt)),
            _ => Err("give either session or receipt".to_owned()),
        }
    }
}

/// Which events to show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsInput {
    /// The session.
    session: String,
    /// At most so many events, from 1 to 200; 50 where it is missing. The newest, or with cursor the first behind it.
    limit: Option<usize>,
    /// The next_cursor of an earlier answer: only events after it.
    cursor: Option<String>,
}

impl ToolArguments for EventsInput {
    fn call(self) -> Result<ToolCall, String> {
        ToolCall::new(&["events", "--json"]).page(self.limit, MOST_ROWS, USUAL_ROWS, self.cursor)?.on(vec![self.session])
    }
}

/// What to send.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendInput {
    /// The session, as for describe.
    session: String,
    /// The text. It may not begin with / ! or #.
    text: String,
    /// A key of your own: under one key a text is sent to a conversation only once, however often you call.
    key: Option<String>,
    /// If the agent works, wait in a queue for the end of its turn instead of being held.
    #[serde(default)]
    queue: bool,
    /// Only say whether it could be sent.
    #[serde(default)]
    dry_run: bool,
}

impl ToolArguments for SendInput {
    fn call(self) -> Result<ToolCall, String> {
        let call = ToolCall::new(&["send", "--json"]).option("id", self.key)?;
        call.flag("queue", self.queue).flag("dry-run", self.dry_run).text(self.text)?.on(vec![self.session])
    }
}

/// What to ask.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskInput {
    /// The session, as for describe.
    session: String,
    /// The text. It may not begin with / ! or #.
    text: String,
    /// A key of your own: under one key a text is sent to a conversation only once.
    key: Option<String>,
    /// How long to wait for the end of its turn, from 1 to 600; 60 where it is missing.
    timeout_seconds: Option<u64>,
}

impl ToolArguments for AskInput {
    fn call(self) -> Result<ToolCall, String> {
        // The line that tells the receipt is of this level.
        let call = ToolCall::new(&["ask", "--json", "--verbose"]).option("id", self.key)?;
        call.waiting(self.timeout_seconds)?.text(self.text)?.on(vec![self.session])
    }
}

/// What to take in hand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HandoffInput {
    /// The name of the session.
    session: String,
    /// For so many minutes, from 1 to 1440. Without it until 30 minutes after somebody was last there.
    minutes: Option<u64>,
}

impl ToolArguments for HandoffInput {
    fn call(self) -> Result<ToolCall, String> {
        if self.minutes.is_some_and(|minutes| minutes == 0 || minutes > 1440) {
            return Err("minutes is from 1 to 1440".to_owned());
        }
        let minutes = self.minutes.map(|minutes| format!("{minutes}m"));
        ToolCall::new(&["handoff", "--json"]).option("for", minutes)?.on(vec![self.session])
    }
}

/// What to give back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseInput {
    /// The name of the session.
    session: String,
}

impl ToolArguments for ReleaseInput {
    fn call(self) -> Result<ToolCall, String> {
        ToolCall::new(&["release", "--json"]).on(vec![self.session])
    }
}

/// What to answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerInput {
    /// The session, as for describe.
    session: String,
    /// approve, deny, or the number of a choice. Without it the question is only shown.
    choice: Option<String>,
    /// The hash that came with the question; a choice needs it, so that nothing else is answered.
    expect: Option<String>,
}

impl ToolArguments for AnswerInput {
    fn call(self) -> Result<ToolCall, String> {
        if self.choice.is_some() && self.expect.is_none() {
            return Err("a choice needs expect: call answer without a choice first, and give the hash it shows".to_owned());
        }
        if let Some(choice) = &self.choice
            && !(["approve", "deny"].contains(&choice.as_str()) || choice.bytes().all(|byte| byte.is_ascii_digit()))
        {
            return Err("choice is approve, deny or a number".to_owned());
        }
        let call = ToolCall::new(&["answer", "--json"]).option("expect", self.expect)?;
        let last = self.choice.into_iter().collect();
        Ok(ToolCall { last, ..call.on(vec![self.session])? })
    }
}

/// What to start.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartInput {
    /// Names of sessions; `*` and `?` are wildcards.
    sessions: Vec<String>,
}

impl ToolArguments for StartInput {
    fn call(self) -> Result<ToolCall, String> {
        named(&self.sessions)?;
        ToolCall::new(&["start", "--json", "--yes"]).on(self.sessions)
    }
}

/// What to end.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EndInput {
    /// Names of sessions; `*` and `?` are wildcards.
    sessions: Vec<String>,
    /// How long the turn of a working agent may take to end, from 1 to 600; 60 where it is missing.
    timeout_seconds: Option<u64>,
}

impl EndInput {
    fn of(self, verb: &str) -> Result<ToolCall, String> {
        named(&self.sessions)?;
        ToolCall::new(&[verb, "--json", "--yes"]).waiting(self.timeout_seconds)?.on(self.sessions)
    }
}

/// The same for `stop`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct StopInput(EndInput);

impl ToolArguments for StopInput {
    fn call(self) -> Result<ToolCall, String> {
        self.0.of("stop")
    }
}

/// The same for `restart`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct RestartInput(EndInput);

impl ToolArguments for RestartInput {
    fn call(self) -> Result<ToolCall, String> {
        self.0.of("restart")
    }
}

/// A command without names would mean every session.
fn named(sessions: &[String]) -> Result<(), String> {
    if sessions.is_empty() { Err("sessions names at least one".to_owned()) } else { Ok(()) }
}

/// What to begin.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewInput {
    /// The agent, such as claude or codex.
    agent: AgentKind,
    /// The directory it works in; that of headcount where it is missing.
    cwd: Option<String>,
    /// What to say first.
    prompt: Option<String>,
    /// The work it is about: the id or the address of an issue, or words.
    task: Option<String>,
}

impl ToolArguments for NewInput {
    fn call(self) -> Result<ToolCall, String> {
        let call = ToolCall::new(&["new", "--json"]).option("agent", Some(self.agent.as_str()))?;
        call.option("cwd", self.cwd)?.option("prompt", self.prompt)?.option("task", self.task)
    }
}

/// What to make so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyInput {
    /// Names of sessions; `*` and `?` are wildcards. Without it: all that you may act on.
    #[serde(default)]
    sessions: Vec<String>,
}

impl ToolArguments for ApplyInput {
    fn call(self) -> Result<ToolCall, String> {
        ToolCall::new(&["apply", "--json", "--yes"]).on(self.sessions)
    }
}

//! The turns in a transcript of Claude Code. Which prompt a line belongs to, and which prompts the conversation consists of, its
//! ancestry tells: lines are not in causal order, tools that ran side by side make branches, and what was rewound stays in the file.
//!
//! Measured with 2.1.197 and 2.1.329. The end of a turn is its line `turn_duration`, and not an answer that says `end_turn`: a hook
//! may send the agent on, and sub-agents in the background come back. An error of the API is the end of a turn without that line.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::agent::turns::{LineRead, Lines, Parsed, arguments, text_of};
use crate::core::lead::send::{Said, SaidAs};
use crate::core::lead::turns::{PromptLine, Turn, TurnDraft, TurnEnd, TurnErrorKind};

/// Kinds of lines that belong to the conversation.
const KINDS: [&str; 5] = ["user", "assistant", "system", "attachment", "queue-operation"];

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    uuid: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parent_uuid: Option<Cow<'a, str>>,
    /// What a compaction follows.
    #[serde(borrow, default)]
    logical_parent_uuid: Option<Cow<'a, str>>,
    #[serde(default)]
    is_sidechain: bool,
    #[serde(default)]
    is_meta: bool,
    #[serde(default)]
    is_compact_summary: bool,
    #[serde(default)]
    is_api_error_message: bool,
    #[serde(default)]
    error: Option<Value>,
    /// What it knew of the limits of use. Measured with 2.1.329.
    #[serde(default)]
    quota_limits: Value,
    #[serde(default)]
    timestamp: Option<DateTime<Utc>>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(default)]
    attachment: Value,
    #[serde(default)]
    origin: Value,
    #[serde(borrow, default)]
    subtype: Option<Cow<'a, str>>,
    #[serde(default)]
    pending_background_agent_count: u64,
    #[serde(borrow, default)]
    operation: Option<Cow<'a, str>>,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    content: Value,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
}

/// What a user line is.
enum Asked {
    /// A person's words.
    Prompt(String),
    /// A command of the agent's own, or of the shell: a turn only where the agent answers it.
    Command(String),
    /// What tools gave, or what the agent tells itself: no words of a person.
    Other,
}

/// A line that has a place in the ancestry.
struct Node<'a> {
    parent: Option<Cow<'a, str>>,
    /// The prompt that this line is.
    prompt: Option<usize>,
}

/// A prompt and what followed it.
struct Thread {
    draft: TurnDraft,
    /// Its line.
    id: String,
    is_command: bool,
}

/// What lines come to.
pub(super) fn parse(lines: &Lines<'_>) -> Parsed {
    let mut read = Vec::new();
    let mut has_gap = false;
    for line in lines.each() {
        match line {
            LineRead::Whole(place, text) => read.extend(relevant(text).map(|line| (place, line))),
            LineRead::TooLong(beginning) => has_gap |= is_of_conversation(beginning),
        }
    }
    let mut nodes: HashMap<String, Node<'_>> = HashMap::new();
    let mut threads: Vec<Thread> = Vec::new();
    let mut queued: Vec<PromptLine> = Vec::new();
    let mut members = Vec::new();
    for (place, line) in read {
        if line.kind == "queue-operation" {
            queue(&mut queued, &line, place);
            continue;
        }
        let Some(id) = line.uuid.as_deref().map(str::to_owned).filter(|_| !line.is_sidechain) else { continue };
        if nodes.contains_key(&id) {
            continue;
        }
        let mut prompt = None;
        if let (Asked::Prompt(text), is_command) | (Asked::Command(text), is_command) = asked(&line) {
            let mut draft = TurnDraft::begun(line.timestamp);
            draft.ask(text, line.timestamp, place);
            prompt = Some(threads.len());
            threads.push(Thread { draft, id: id.clone(), is_command });
        }
        let parent = line.parent_uuid.clone().or_else(|| line.logical_parent_uuid.clone());
        nodes.insert(id.clone(), Node { parent, prompt });
        members.push((id, place, line));
    }
    let mut owners = Owners { nodes: &nodes, known: HashMap::new() };
    let mut before = (!lines.is_all).then(TurnDraft::cut);
    for (id, place, line) in &members {
        match owners.of(id) {
            Some(owner) => {
                if let Some(thread) = threads.get_mut(owner).filter(|thread| thread.id != *id) {
                    add(&mut thread.draft, line, *place);
                }
            }
            None => {
                if let Some(before) = &mut before {
                    add(before, line, *place);
                }
            }
        }
    }
    if has_gap {
        threads.iter_mut().for_each(|thread| thread.draft.lacks_a_line());
    }
    let chain = chain(&threads, &mut owners);
    let before = before.filter(|before| !before.is_empty());
    let (turns, aside) = assemble(threads, &chain, before);
    Parsed { turns, aside, queued }
}

/// Which prompt a line belongs to: its nearest ancestor that is one, or itself.
struct Owners<'n, 'a> {
    nodes: &'n HashMap<String, Node<'a>>,
    known: HashMap<String, Option<usize>>,
}

impl Owners<'_, '_> {
    fn of(&mut self, id: &str) -> Option<usize> {
        let mut way = Vec::new();
        let mut at = id.to_owned();
        let owner = loop {
            if let Some(known) = self.known.get(&at) {
                break *known;
            }
            let Some(node) = self.nodes.get(&at) else { break None };
            // A branch copies what a compaction keeps behind it, and then leads back to it.
            self.known.insert(at.clone(), node.prompt);
            if node.prompt.is_some() {
                break node.prompt;
            }
            way.push(at);
            let Some(parent) = &node.parent else { break None };
            at = parent.clone().into_owned();
        };
        for id in way {
            self.known.insert(id, owner);
        }
        owner
    }

    /// The prompt before a prompt.
    fn before(&mut self, id: &str) -> Option<usize> {
        let parent = self.nodes.get(id)?.parent.clone()?;
        self.of(&parent)
    }
}

/// The prompts that the conversation consists of now: the last one, and those before it.
fn chain(threads: &[Thread], owners: &mut Owners<'_, '_>) -> Vec<usize> {
    let mut chain = Vec::new();
    let mut next = threads.len().checked_sub(1);
    while let Some(at) = next.filter(|at| !chain.contains(at)) {
        chain.push(at);
        next = threads.get(at).and_then(|thread| owners.before(&thread.id));
    }
    chain.reverse();
    chain
}

fn assemble(threads: Vec<Thread>, chain: &[usize], before: Option<TurnDraft>) -> (Vec<Turn>, Vec<Turn>) {
    let (mut turns, mut aside) = (Vec::new(), Vec::new());
    let is_turn = |thread: &Thread| !thread.is_command || thread.draft.has_answer();
    let last = chain.last().copied();
    turns.extend(before.map(|mut before| {
        if last.is_some() {
            before.is_followed();
        }
        before.finish()
    }));
    for (at, mut thread) in threads.into_iter().enumerate() {
        if !is_turn(&thread) {
            continue;
        }
        if Some(at) != last {
            thread.draft.is_followed();
        }
        if chain.contains(&at) { &mut turns } else { &mut aside }.push(thread.draft.finish());
    }
    (turns, aside)
}

fn relevant(text: &[u8]) -> Option<Line<'_>> {
    let Kind { kind } = serde_json::from_slice(text).ok()?;
    if !KINDS.contains(&kind.as_ref()) {
        return None;
    }
    serde_json::from_slice(text).ok()
}

/// What somebody said by a line: a prompt, or one that waits for the turn to end.
pub(super) fn said(text: &[u8]) -> Option<Said> {
    let line = relevant(text).filter(|line| !line.is_sidechain)?;
    let is_queued = line.kind == "queue-operation" && line.operation.as_deref() == Some("enqueue");
    let queued = Some(text_of(&line.content)).filter(|text| is_queued && !is_notification(text));
    match (queued, asked(&line).0) {
        (Some(text), _) => Some(Said { held_as: SaidAs::Queued, text: unwrapped(&text) }),
        (None, Asked::Prompt(text) | Asked::Command(text)) => Some(Said { held_as: SaidAs::Prompt, text }),
        (None, Asked::Other) => None,
    }
}

/// Whether a line that is too long to be read is a part of the conversation: those that are not say their type first.
fn is_of_conversation(beginning: &[u8]) -> bool {
    beginning.starts_with(b"{\"parentUuid\"")
}

/// What is typed while the agent works waits in a queue, and is taken from its front, or by its text.
fn queue(queued: &mut Vec<PromptLine>, line: &Line<'_>, place: u64) {
    let text = text_of(&line.content);
    match line.operation.as_deref() {
        Some("enqueue") if !is_notification(&text) => {
            queued.push(PromptLine { text: unwrapped(&text), at: line.timestamp, place, step: 0 });
        }
        // Notifications of the agent's own are queued too, and are not counted here.
        Some("dequeue") if !queued.is_empty() => drop(queued.remove(0)),
        Some("remove") => {
            let text = unwrapped(&text);
            if let Some(at) = queued.iter().position(|line| line.text == text) {
                queued.remove(at);
            }
        }
        Some("popAll") => queued.clear(),
        _ => {}
    }
}

fn is_notification(text: &str) -> bool {
    text.trim_start().starts_with("<task-notification>")
}

fn asked(line: &Line<'_>) -> (Asked, bool) {
    let is_plain = line.kind == "user" && !line.is_meta && !line.is_compact_summary;
    let Some(message) = line.message.as_ref().filter(|_| is_plain) else { return (Asked::Other, false) };
    let is_tools = message.content.as_array().is_some_and(|parts| parts.iter().any(|part| kind_of(part) == "tool_result"));
    let is_agents = line.origin.get("kind").and_then(Value::as_str) == Some("task-notification");
    let text = text_of(&message.content);
    if is_tools || is_agents || is_notification(&text) || is_interruption(&text) {
        return (Asked::Other, false);
    }
    if let Some(command) = tagged(&text, "bash-input") {
        return (Asked::Command(format!("!{command}")), true);
    }
    if let Some(name) = tagged(&text, "command-name") {
        let arguments = tagged(&text, "command-args").unwrap_or_default();
        return (Asked::Command(format!("{name} {arguments}").trim().to_owned()), true);
    }
    let is_output = ["<local-command-", "<bash-stdout>", "<bash-stderr>"].iter().any(|tag| text.starts_with(tag));
    if is_output { (Asked::Other, false) } else { (Asked::Prompt(unwrapped(&text)), false) }
}

fn kind_of(part: &Value) -> &str {
    part.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn is_interruption(text: &str) -> bool {
    matches!(text, "[Request interrupted by user]" | "[Request interrupted by user for tool use]")
}

fn tagged<'t>(text: &'t str, tag: &str) -> Option<&'t str> {
    let rest = text.split_once(&format!("<{tag}>"))?.1;
    rest.split_once(&format!("</{tag}>")).map(|(inner, _)| inner)
}

/// A prompt as it was typed: 2.1.329 puts long pastes between marks of its own.
fn unwrapped(text: &str) -> String {
    const OPEN: &str = "<pasted_content id=\"";
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPEN) {
        let Some((id, body)) = after.split_once("\">\n") else { break };
        let close = format!("\n</pasted_content id=\"{id}\">\n");
        let Some((inner, tail)) = body.split_once(&close) else { break };
        out.push_str(before.strip_suffix("\n\n").unwrap_or(before));
        out.push_str(inner);
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Adds what a line says to the turn it belongs to.
fn add(draft: &mut TurnDraft, line: &Line<'_>, place: u64) {
    let at = line.timestamp;
    match line.kind.as_ref() {
        "assistant" => answer(draft, line),
        "user" if line.is_meta || line.is_compact_summary => {
            let text = line.message.as_ref().map(|message| text_of(&message.content)).unwrap_or_default();
            // The answer so far was not the last word.
            if text.starts_with("Stop hook feedback:") {
                draft.give("", text, false, at);
            }
        }
        "user" => {
            let content = line.message.as_ref().map_or(&Value::Null, |message| &message.content);
            let parts = content.as_array().map(Vec::as_slice).unwrap_or_default();
            for part in parts.iter().filter(|part| kind_of(part) == "tool_result") {
                let id = part.get("tool_use_id").and_then(Value::as_str).unwrap_or_default();
                let failed = part.get("is_error").and_then(Value::as_bool).unwrap_or(false);
                draft.give(id, text_of(part.get("content").unwrap_or(&Value::Null)), failed, at);
            }
            let text = text_of(content);
            if is_interruption(&text) {
                draft.end(TurnEnd::Interrupted, Some("interruption"), at);
            } else if is_notification(&text) {
                draft.give("", tagged(&text, "summary").unwrap_or(&text).to_owned(), false, at);
            } else if let Some(output) = tagged(&text, "bash-stdout") {
                let errors = tagged(&text, "bash-stderr").unwrap_or_default();
                draft.give("", format!("{output}{errors}"), false, at);
            }
        }
        // Typed while a tool ran, and taken in between two requests.
        "attachment" if line.attachment.get("type").and_then(Value::as_str) == Some("queued_command") => {
            let is_persons = line.attachment.get("commandMode").and_then(Value::as_str).is_none_or(|mode| mode == "prompt");
            let text = text_of(line.attachment.get("prompt").unwrap_or(&Value::Null));
            if is_persons && !is_notification(&text) {
                draft.ask(unwrapped(&text), at, place);
            }
        }
        "system" if line.subtype.as_deref() == Some("turn_duration") && !draft.has_failed_end() => {
            // What runs on in the background comes back, and the agent goes on then.
            if line.pending_background_agent_count == 0 {
                draft.end(TurnEnd::Done, Some("turn_duration"), at);
            } else {
                draft.goes_on();
            }
        }
        _ => {}
    }
}

fn answer(draft: &mut TurnDraft, line: &Line<'_>) {
    let Some(message) = &line.message else { return };
    let at = line.timestamp;
    if line.is_api_error_message {
        let kind = match line.error.as_ref().and_then(Value::as_str) {
            Some("rate_limit") => TurnErrorKind::RateLimited,
            Some("authentication_failed" | "oauth_org_not_allowed") => TurnErrorKind::AuthFailed,
            _ => TurnErrorKind::Error,
        };
        draft.fail(kind, text_of(&message.content), Some("API error"), at);
        return draft.limit_resets(line.quota_limits.get("resetsAt").and_then(Value::as_i64));
    }
    if message.model.as_deref() == Some("<synthetic>") {
        // Put there when a conversation is resumed whose last turn was cut off.
        return draft.is_followed();
    }
    if draft.has_failed_end() {
        // What a sub-agent brought after an error is answered all the same.
        draft.goes_on();
    }
    let mut is_text = false;
    for part in message.content.as_array().map(Vec::as_slice).unwrap_or_default() {
        let word = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        is_text = false;
        match kind_of(part) {
            "text" => {
                is_text = true;
                draft.write(word("text"), at);
            }
            "thinking" => draft.think(word("thinking"), at),
            "tool_use" | "server_tool_use" | "mcp_tool_use" => {
                draft.call(&word("id"), word("name"), arguments(part.get("input").unwrap_or(&Value::Null)), at);
            }
            kind if kind.ends_with("_tool_result") => {
                draft.give(&word("tool_use_id"), text_of(part.get("content").unwrap_or(&Value::Null)), false, at);
            }
            _ => {}
        }
    }
    // Each part of an answer is a line, and every one of them says how the answer ends.
    if is_text && matches!(message.stop_reason.as_deref(), Some("end_turn" | "stop_sequence" | "max_tokens" | "refusal")) {
        draft.end(TurnEnd::Done, None, at);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn user(content: Value) -> Value {
        json!({"type": "user", "message": {"role": "user", "content": content}})
    }

    #[test]
    fn only_a_prompt_or_its_place_in_the_queue_counts() {
        let of = |line: &Value| said(&serde_json::to_vec(line).unwrap()).map(|said| (said.held_as, said.text));
        let prompt = |text: &str| Some((SaidAs::Prompt, text.to_owned()));
        assert_eq!(of(&user("a b".into())), prompt("a b"));
        assert_eq!(of(&user(json!([{"type": "text", "text": "a b"}]))), prompt("a b"));
        let queued = json!({"type": "queue-operation", "operation": "enqueue", "content": "a b"});
        assert_eq!(of(&queued), Some((SaidAs::Queued, "a b".to_owned())));
        let wrapped = "\n\n<pasted_content id=\"e0b4\">\n1\n2\n</pasted_content id=\"e0b4\">\n";
        assert_eq!(of(&user(wrapped.into())), prompt("1\n2"));
        let other = "<pasted_content id=\"e0b4\">\n1\n</pasted_content id=\"other\">";
        assert_eq!(of(&user(other.into())), prompt(other));
        let command = "<command-name>/compact</command-name>\n<command-message>compact</command-message>\n\
            <command-args>keep it short</command-args>";
        assert_eq!(of(&user(command.into())), prompt("/compact keep it short"));
        let mut meta = user("a b".into());
        meta["isMeta"] = true.into();
        let mut side = user("a b".into());
        side["isSidechain"] = true.into();
        let result = user(json!([{"type": "tool_result", "content": "a b"}]));
        let dequeued = json!({"type": "queue-operation", "operation": "dequeue", "content": "a b"});
        let own = json!({"type": "assistant", "message": {"content": "a b"}});
        for other in [meta, side, result, dequeued, own, json!(null), json!([])] {
            assert_eq!(of(&other), None, "{other}");
        }
    }
}

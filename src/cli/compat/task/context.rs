//! `get-cross-session-context`: what is known of another task, its session, and what was said there last. Looks only.

use std::ffi::OsString;
use std::fmt::Write as _;

use chrono::SecondsFormat;
use clap::{Args as _, Command, FromArgMatches as _};
use serde_json::{Value, json};

use super::json;
use super::target::{NONE, Resolved, SessionTarget, TargetArgs, Task, TaskFound, resolve};
use crate::cli::args::Globals;
use crate::cli::commands::reading::world;
use crate::cli::output::Streams;
use crate::control::lead::reading;
use crate::control::observe::Observer;
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::lead::turns::TurnStepKind;
use crate::core::text::{printable, printable_lines};

/// The longest text of a message, in characters.
const LONGEST: usize = 400;

#[derive(Debug, clap::Args)]
struct ContextArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Include the last N messages of its conversation
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    include_transcript_tail: i64,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// A message of a conversation.
struct Message {
    at: String,
    role: &'static str,
    text: String,
}

/// Runs it; gives its exit code.
pub(super) fn run(rest: &[OsString]) -> u8 {
    let about = "Show what is known of another task, its zellij session and its conversation";
    let command = ContextArgs::augment_args(Command::new("get-cross-session-context").about(about)).infer_long_args(true);
    let args = match super::parsed(command, rest).map(|matches| ContextArgs::from_arg_matches(&matches)) {
        Ok(Ok(args)) => args,
        Ok(Err(_)) => return 2,
        Err(code) => return code,
    };
    let out = Streams::new(&Globals::guess(&[]));
    let world = world();
    let resolved = resolve(&args.target, &world);
    let tab = args.target.tab_name.as_deref();
    let TaskFound::One(task) = &resolved.found else {
        let text = if args.json { json::text(&resolved.json()) + "\n" } else { unresolved(&resolved, tab, &world) };
        let _ = out.answer(&text);
        return 2;
    };
    let session = SessionTarget::of(task, tab, &world);
    let messages = match usize::try_from(args.include_transcript_tail) {
        Ok(most) if most > 0 => messages(task, most, &world),
        _ => Vec::new(),
    };
    let text = if args.json {
        let mut value = resolved.json();
        value["session"] = session.json();
        if !messages.is_empty() {
            value["transcript_messages"] = messages.iter().map(Message::json).collect();
        }
        json::text(&value) + "\n"
    } else {
        page(&resolved, task, &session, &messages)
    };
    u8::from(out.answer(&text).is_err())
}

impl Message {
    fn json(&self) -> Value {
        // Which part of an answer it is, no agent says but Codex.
        json!({ "timestamp": self.at, "role": self.role, "phase": "", "text": self.text })
    }
}

/// The last messages of the conversation that a task names.
fn messages(task: &Task, most: usize, world: &Observer) -> Vec<Message> {
    let id = task.value("agent_session_id");
    let declared = Declared::default();
    let Ok(Fact::Seen(subject)) = reading::of_conversation(world, &declared, id) else { return Vec::new() };
    // Each turn has at least one.
    let Fact::Seen(page) = reading::last_turns(world, &declared, &subject, most) else { return Vec::new() };
    let mut messages = Vec::new();
    for turn in &page.turns {
        let stamp = |at: Option<chrono::DateTime<chrono::Utc>>| {
            at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
        };
        if let Some(prompt) = &turn.prompt {
            messages.push(Message { at: stamp(turn.started_at), role: "user", text: cut(prompt) });
        }
        let said = turn.steps.iter().filter(|step| step.kind == TurnStepKind::Text && !step.text.trim().is_empty());
        messages.extend(said.map(|step| Message {
            at: stamp(step.at.or(turn.ended_at)),
            role: "assistant",
            text: cut(&step.text),
        }));
    }
    messages.split_off(messages.len().saturating_sub(most))
}

fn cut(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let head: String = text.chars().take(LONGEST - 3).collect();
    format!("{}...", head.trim_end())
}

fn unresolved(resolved: &Resolved, tab: Option<&str>, world: &Observer) -> String {
    let mut text = head(resolved);
    match &resolved.found {
        TaskFound::One(_) => {}
        TaskFound::Nothing(why) => {
            let _ = writeln!(text, "Warning: {}", printable(why));
        }
        TaskFound::Several(tasks, why) => {
            let _ = writeln!(text, "Warning: {why}");
            for (number, task) in tasks.iter().enumerate() {
                text.push('\n');
                block(&mut text, &format!("Candidate {}", number + 1), task, &SessionTarget::of(task, tab, world));
            }
        }
    }
    text
}

fn page(resolved: &Resolved, task: &Task, session: &SessionTarget, messages: &[Message]) -> String {
    let mut text = head(resolved) + "\n";
    block(&mut text, "Primary", task, session);
    if !messages.is_empty() {
        text.push_str("\nTranscript Tail:\n");
        for message in messages {
            let said = printable_lines(&message.text);
            let _ = writeln!(text, "  - [{}] {}: {said}", message.at, message.role);
        }
    }
    text
}

fn head(resolved: &Resolved) -> String {
    let Resolved { source, query, machine, .. } = resolved;
    format!("Resolution Source: {source}\nQuery: {}\nCurrent Machine: {}\n", printable(query), printable(machine))
}

fn block(text: &mut String, label: &str, task: &Task, session: &SessionTarget) {
    let _ = writeln!(text, "{label}:");
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "  {label}: {}", printable(value));
    };
    line("Project Root", task.project_root());
    line("Task Folder", &task.task_dir);
    line("Status File", &task.status_file);
    for (label, name) in [
        ("Tracker Kind", "tracker_kind"),
        ("Tracker URL", "tracker_url"),
        ("Tracker Human ID", "tracker_human_id"),
        ("Tracker Title", "tracker_title"),
        ("Machine", "machine"),
        ("Coding Agent", "coding_agent"),
        ("Agent Session ID", "agent_session_id"),
        ("Transcript Path", "transcript_path"),
    ] {
        line(label, task.value(name));
    }
    line("Zellij Session", &session.name);
    line("Zellij State", session.state());
    line("Zellij Link", task.value("zellij_link"));
    line("Selected Tab", &format!("{} ({})", session.tab.as_deref().unwrap_or(NONE), session.reason));
    let tabs = session.tab_names();
    if !tabs.is_empty() {
        line("Tab Names", &tabs.join(", "));
    }
    let mut list = |label: &str, lines: Vec<String>, indent: &str| {
        if !lines.is_empty() {
            let _ = writeln!(text, "  {label}:");
            lines.iter().for_each(|line| {
                let _ = writeln!(text, "{indent}- {}", printable(line));
            });
        }
    };
    let clients = session.look.iter().flat_map(|look| &look.clients);
    list("Clients", clients.map(|it| format!("{} {} {}", it.id, it.pane, it.command)).collect(), "    ");
    list("Warnings", session.warnings.clone(), "    ");
    list("Recap", task.recap.to_vec(), "    ");
}

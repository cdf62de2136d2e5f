//! `send-zellij-message`: a short text to the agent in another task's zellij session. Shows what it would do, unless `--execute`.

use std::ffi::OsString;

use clap::{Args as _, Command, FromArgMatches as _, ValueEnum};
use serde_json::{Value, json};

use super::json;
use super::target::{NONE, Resolved, SessionTarget, TargetArgs, Task, TaskFound, resolve};
use crate::cli::args::Globals;
use crate::cli::commands::lead::UnlistedAct;
use crate::cli::commands::reading::world;
use crate::cli::output::Streams;
use crate::control::lead::{self, Queueing, SendRequest, SentText};
use crate::control::tasks::session::{SeatedAgent, ZellijState};
use crate::core::ids::AgentKind;
use crate::core::lead::BlockCode;
use crate::core::lead::send::{SendOutcome, SendReceipt, TextOptions};
use crate::core::text::printable;

/// The longest text, in characters.
const LONGEST: usize = 2000;
/// From here on Codex may need a second Enter.
const LONG: usize = 1024;
/// The name that errors begin with.
const NAME: &str = "send-zellij-message";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Submit {
    /// Leave it in the composer.
    None,
    /// Press Enter behind it.
    Enter,
}

#[derive(Debug, clap::Args)]
struct MessageArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: String,
    /// Whether Enter is pressed behind it
    #[arg(long, value_name = "SUBMIT", value_enum, default_value_t = Submit::None)]
    submit: Submit,
    /// Do it; without this it is only shown what would be done
    #[arg(long)]
    execute: bool,
    /// Type where Claude Code suggests a text; a suggestion is told from a draft by how it is drawn
    #[arg(long)]
    replace_claude_suggestion: bool,
    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

/// How far it came, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict {
    exit: u8,
    outcome: &'static str,
    agent_pane: &'static str,
    composer_state: &'static str,
    composer_preflight: String,
    text_staging: &'static str,
    submit_action: &'static str,
    delivery: &'static str,
    receipt: String,
}

/// Runs it; gives its exit code.
pub(super) fn run(rest: &[OsString]) -> u8 {
    let about = "Show, or send, a short text to the agent in another task's zellij session";
    let command = MessageArgs::augment_args(Command::new(NAME).about(about)).infer_long_args(true);
    let args = match super::parsed(command, rest).map(|matches| MessageArgs::from_arg_matches(&matches)) {
        Ok(Ok(args)) => args,
        Ok(Err(_)) => return 2,
        Err(code) => return code,
    };
    let out = Streams::new(&Globals::guess(&[]));
    let failed = |why: &str| {
        out.stderr(&format!("{NAME}: {}\n", printable(why)));
        2
    };
    if let Err(why) = fits(&args.text) {
        return failed(&why);
    }
    let world = world();
    let mut resolved = resolve(&args.target, &world);
    if let (Some(session), TaskFound::Several(..)) = (&args.target.zellij_session, &resolved.found) {
        resolved.found = TaskFound::One(Box::new(Task::untracked(session, &resolved.machine)));
        resolved.source = "zellij_session_explicit";
    }
    let task = match &resolved.found {
        TaskFound::One(task) => task,
        TaskFound::Several(_, why) | TaskFound::Nothing(why) => {
            if args.json {
                let _ = out.answer(&(json::text(&resolved.json()) + "\n"));
            } else {
                out.stderr(&format!("{}\n", printable(why)));
            }
            return 2;
        }
    };
    let target = SessionTarget::of(task, args.target.tab_name.as_deref(), &world);
    if let Some(why) = unfit(&args, &resolved, task, &target) {
        return failed(&why);
    }
    let (agent, verdict) = match seated(task, &target) {
        Err(why) => (None, Verdict::unsafe_target(&why)),
        Ok(agent) => {
            let verdict = send(&args, &target, &agent).unwrap_or_else(|why| Verdict::unsafe_target(&why));
            (Some(agent), verdict)
        }
    };
    let value = payload(&args, &resolved, task, &target, (agent.as_ref(), &verdict));
    let text = if args.json { json::text(&value) + "\n" } else { page(&value) };
    if out.answer(&text).is_err() { 1 } else { verdict.exit }
}

/// Whether a text may be sent at all.
fn fits(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("message text is required".to_owned())
    } else if text.chars().count() > LONGEST {
        Err(format!("message exceeds {LONGEST} characters"))
    } else if text.contains('\r') {
        Err("carriage return characters are not allowed; use \\n and --submit enter instead".to_owned())
    } else if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        Err("message contains unsupported control characters".to_owned())
    } else {
        Ok(())
    }
}

/// Why nothing is said to a session at all.
fn unfit(args: &MessageArgs, resolved: &Resolved, task: &Task, target: &SessionTarget) -> Option<String> {
    let Some(look) = &target.look else { return Some("target does not expose a zellij session name.".to_owned()) };
    let (name, machine) = (&target.name, task.value("machine"));
    match look.state {
        ZellijState::Exited => return Some(format!("zellij session `{name}` is exited.")),
        ZellijState::Missing => return Some(format!("there is no zellij session `{name}` here.")),
        ZellijState::Current | ZellijState::Active | ZellijState::Unknown => {}
    }
    if machine != NONE && machine != resolved.machine && args.target.zellij_session.is_none() {
        return Some(format!(
            "target task resolves to a different machine (`{machine}`); run this helper on that machine or use an explicit local \
            --zellij-session override for debug work."
        ));
    }
    if target.tab.is_none() && args.target.tab_name.is_some() {
        return Some("the tab that was named is not in this session.".to_owned());
    }
    let has_several = target.tab.is_none() && look.tabs.len() > 1;
    has_several.then(|| "multiple tab names exist for this session; pass --tab-name to avoid guessing.".to_owned())
}

/// The one agent that is meant.
fn seated(task: &Task, target: &SessionTarget) -> Result<SeatedAgent, String> {
    let Some(look) = &target.look else { return Err("its session was not looked at".to_owned()) };
    let Some(agents) = &look.agents else {
        return Err(format!("what runs in it cannot be told: {}", look.warnings.join("; ")));
    };
    let tab = target.tab.as_ref().and_then(|name| look.tabs.iter().find(|tab| tab.name == *name));
    let is_in = |it: &&SeatedAgent| tab.is_none_or(|tab| tab.panes.contains(&it.pane));
    let expected = task.says.get("coding_agent").and_then(|name| name.to_lowercase().parse::<AgentKind>().ok());
    let is_expected = |it: &&SeatedAgent| expected.is_none_or(|kind| it.agent == kind);
    let found: Vec<&SeatedAgent> = agents.iter().filter(is_in).filter(is_expected).collect();
    match (found.as_slice(), expected) {
        ([one], _) => Ok((*one).clone()),
        ([], Some(kind)) => Err(format!("task metadata expects {kind}, and no such agent runs in the selected tab")),
        ([], None) => Err("no agent runs in the selected tab".to_owned()),
        (several, _) => Err(format!("{} agents run in the selected tab", several.len())),
    }
}

/// Sends it, or shows what that would do.
fn send(args: &MessageArgs, target: &SessionTarget, to: &SeatedAgent) -> Result<Verdict, String> {
    let Some(look) = &target.look else { return Err("its session was not looked at".to_owned()) };
    let key = &look.key;
    let entry = json!({ "name": key.name, "agent": to.agent.as_str(), "mux": "zellij", "server": key.server });
    let act = UnlistedAct::new(&entry, NAME).map_err(|error| error.message())?;
    let send = SendRequest {
        session: key.clone(),
        agent: to.agent,
        what: SentText::New(args.text.clone(), TextOptions::default()),
        key: None,
        is_preview: !args.execute,
        submits: args.submit == Submit::Enter,
        interrupts: false,
        mid_turn: false,
        queueing: Queueing::Never,
    };
    let receipt = lead::send(&act.world, &act.request, &send).map_err(|error| error.to_string())?;
    Ok(Verdict::of(&receipt, args.submit == Submit::Enter, args.execute))
}

impl Verdict {
    /// Nothing was resolved that could be typed to.
    fn unsafe_target(why: &str) -> Self {
        Self {
            exit: 2,
            outcome: "unsafe_target",
            agent_pane: "unsafe",
            composer_state: "unavailable",
            composer_preflight: "pending".to_owned(),
            text_staging: "not_attempted",
            submit_action: "not_requested",
            delivery: "not_requested",
            receipt: format!("No mutation occurred. Resolve the target pane manually: {why}"),
        }
    }

    /// Of a receipt.
    fn of(receipt: &SendReceipt, submits: bool, executes: bool) -> Self {
        let message = &receipt.message;
        let safe = Self {
            exit: 0,
            outcome: "preview_safe",
            agent_pane: "resolved",
            composer_state: "empty",
            composer_preflight: "safe_empty".to_owned(),
            text_staging: "not_attempted",
            submit_action: "not_requested",
            delivery: "not_requested",
            receipt: String::new(),
        };
        let staging = if receipt.phases.staged.is_some() { "verified" } else { "unverified" };
        let submit = match (submits, receipt.phases.submitted.is_some()) {
            (false, _) => "not_requested",
            (true, true) => "sent",
            (true, false) => "failed",
        };
        let state = match receipt.code {
            Some(BlockCode::Draft) => Some("nonempty"),
            Some(BlockCode::Working) => Some("busy"),
            Some(BlockCode::Dialog | BlockCode::Busy) => Some("ambiguous"),
            _ => None,
        };
        match (receipt.outcome, state) {
            (SendOutcome::Preview, _) => {
                Self { receipt: format!("No mutation occurred: {message}. --execute does it."), ..safe }
            }
            (SendOutcome::Held, Some(state)) => Self {
                exit: if executes { 3 } else { 0 },
                outcome: if executes { "unsafe_composer" } else { "preview_unsafe" },
                composer_state: state,
                composer_preflight: format!("unsafe_{state}"),
                receipt: if executes {
                    format!("No mutation occurred. Inspect and manually resolve the target composer: {message}")
                } else {
                    format!("Execution would fail closed: {message}")
                },
                ..safe
            },
            (SendOutcome::Held | SendOutcome::Refused | SendOutcome::Waiting | SendOutcome::Duplicate, _) => {
                Self::unsafe_target(message)
            }
            (SendOutcome::Delivered | SendOutcome::Queued, _) => Self {
                outcome: "delivered",
                text_staging: "verified",
                submit_action: "sent",
                delivery: "verified_new_turn",
                receipt: message.clone(),
                ..safe
            },
            (SendOutcome::Staged, _) if !submits => {
                Self { outcome: "staged", text_staging: "verified", receipt: message.clone(), ..safe }
            }
            (SendOutcome::Staged | SendOutcome::Unverified | SendOutcome::Rejected, _) => Self {
                exit: 4,
                outcome: "unverified",
                text_staging: staging,
                submit_action: submit,
                delivery: if submits { "unverified" } else { "not_requested" },
                receipt: format!("Do not claim delivery. Inspect the pane manually before retrying: {message}"),
                ..safe
            },
        }
    }
}

/// The whole of it, as it is printed.
fn payload(
    args: &MessageArgs,
    resolved: &Resolved,
    task: &Task,
    target: &SessionTarget,
    (agent, verdict): (Option<&SeatedAgent>, &Verdict),
) -> Value {
    let executed = args.execute && !matches!(verdict.text_staging, "not_attempted");
    let is_codex = agent.is_some_and(|it| it.agent == AgentKind::Codex);
    let characters = args.text.chars().count();
    let runtime = std::env::var("XDG_RUNTIME_DIR").unwrap_or_else(|_| NONE.to_owned());
    let mut value = json!({
        "resolution_source": resolved.source,
        "query": resolved.query,
        "current_machine": resolved.machine,
        "target_machine": task.value("machine"),
        "task_dir": task.task_dir,
        "status_file": task.status_file,
        "zellij_session": target.name,
        "zellij_state": target.state(),
        "tab_names": target.tab_names(),
        "selected_tab_name": target.tab.as_deref().unwrap_or(NONE),
        "submit": if args.submit == Submit::Enter { "enter" } else { "none" },
        "execute": args.execute,
        "replace_claude_suggestion": args.replace_claude_suggestion,
        "zellij_runtime_dir": runtime,
        "message_length": characters,
        "message_preview": preview(&args.text),
        "secondary_submit_enter": is_codex && (characters >= LONG || args.text.contains('\n')),
        "warnings": target.warnings,
        "phases": {
            "target_resolution": "resolved",
            "agent_pane": verdict.agent_pane,
            "composer_preflight": verdict.composer_preflight,
            "suggestion_probe": "not_requested",
            "text_staging": verdict.text_staging,
            "submit_action": verdict.submit_action,
            "delivery": verdict.delivery,
        },
        "outcome": verdict.outcome,
        "executed": executed,
        "probe_executed": false,
        "delivered": verdict.outcome == "delivered",
        "actionable_receipt": verdict.receipt,
    });
    if let Some(agent) = agent {
        value["agent"] = json!(agent.agent.as_str());
        value["agent_pane_id"] = json!(agent.pane);
        value["composer_state"] = json!(verdict.composer_state);
    }
    value
}

fn preview(text: &str) -> String {
    const MOST: usize = 120;
    let line = text.replace('\n', "\\n");
    if line.chars().count() <= MOST { line } else { line.chars().take(MOST - 3).collect::<String>() + "..." }
}

/// The same for people.
fn page(value: &Value) -> String {
    let text = |field: &str| match &value[field] {
        Value::String(text) => printable(text).into_owned(),
        Value::Null => NONE.to_owned(),
        other => other.to_string(),
    };
    let mut page = String::new();
    for (label, field) in [
        ("Outcome", "outcome"),
        ("Zellij Session", "zellij_session"),
        ("Zellij State", "zellij_state"),
        ("Selected Tab", "selected_tab_name"),
        ("Agent", "agent"),
        ("Agent Pane", "agent_pane_id"),
        ("Task Folder", "task_dir"),
        ("Submit", "submit"),
        ("Message Length", "message_length"),
        ("Message Preview", "message_preview"),
        ("Executed", "executed"),
        ("Delivered", "delivered"),
        ("Receipt", "actionable_receipt"),
    ] {
        page += &format!("{label}: {}\n", text(field));
    }
    let warnings = value["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
    warnings.for_each(|warning| page += &format!("Warning: {}\n", printable(warning)));
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{MuxKind, SessionKey};
    use crate::core::lead::send::{RECEIPT_SCHEMA, SendPhases};

    fn receipt(outcome: SendOutcome, code: Option<BlockCode>, reached: usize) -> SendReceipt {
        let at = |phase: usize| (reached >= phase).then(chrono::Utc::now);
        let phases = SendPhases { staged: at(1), submitted: at(2), delivered: at(3), ..SendPhases::default() };
        SendReceipt {
            schema: RECEIPT_SCHEMA.to_owned(),
            id: None,
            session: SessionKey { mux: MuxKind::Zellij, server: "default".into(), name: "one".into(), host: "h".into() },
            agent: AgentKind::Codex,
            conversation: None,
            phases,
            outcome,
            code,
            message: "why".to_owned(),
            evidence: Vec::new(),
            steered: false,
            stripped: 0,
            duplicate_of: None,
            first_outcome: None,
            took_ms: 0,
        }
    }

    #[test]
    fn each_end_of_a_send_has_its_outcome_phases_and_exit_code() {
        use SendOutcome::{Delivered, Held, Preview, Refused, Rejected, Staged, Unverified};
        let draft = Some(BlockCode::Draft);
        for (outcome, code, reached, submits, executes, expected) in [
            (
                Preview,
                None,
                0,
                true,
                false,
                (0, "preview_safe", "safe_empty", "not_attempted", "not_requested", "not_requested"),
            ),
            (
                Held,
                draft,
                0,
                true,
                false,
                (0, "preview_unsafe", "unsafe_nonempty", "not_attempted", "not_requested", "not_requested"),
            ),
            (
                Held,
                draft,
                0,
                true,
                true,
                (3, "unsafe_composer", "unsafe_nonempty", "not_attempted", "not_requested", "not_requested"),
            ),
            (
                Held,
                Some(BlockCode::Working),
                0,
                true,
                true,
                (3, "unsafe_composer", "unsafe_busy", "not_attempted", "not_requested", "not_requested"),
            ),
            (
                Held,
                Some(BlockCode::Attached),
                0,
                true,
                true,
                (2, "unsafe_target", "pending", "not_attempted", "not_requested", "not_requested"),
            ),
            (
                Held,
                Some(BlockCode::Unknown),
                0,
                true,
                false,
                (2, "unsafe_target", "pending", "not_attempted", "not_requested", "not_requested"),
            ),
            (Refused, None, 0, true, true, (2, "unsafe_target", "pending", "not_attempted", "not_requested", "not_requested")),
            (Staged, None, 1, false, true, (0, "staged", "safe_empty", "verified", "not_requested", "not_requested")),
            (Staged, None, 1, true, true, (4, "unverified", "safe_empty", "verified", "failed", "unverified")),
            (Unverified, None, 0, false, true, (4, "unverified", "safe_empty", "unverified", "not_requested", "not_requested")),
            (Unverified, None, 2, true, true, (4, "unverified", "safe_empty", "verified", "sent", "unverified")),
            (Rejected, None, 2, true, true, (4, "unverified", "safe_empty", "verified", "sent", "unverified")),
            (Delivered, None, 3, true, true, (0, "delivered", "safe_empty", "verified", "sent", "verified_new_turn")),
        ] {
            let it = Verdict::of(&receipt(outcome, code, reached), submits, executes);
            let seen = (it.exit, it.outcome, it.composer_preflight.as_str(), it.text_staging, it.submit_action, it.delivery);
            assert_eq!(seen, expected, "{outcome:?} {code:?} {submits} {executes}");
            assert!(it.receipt.contains("why"));
        }
    }

    #[test]
    fn a_text_has_to_be_one_that_can_be_typed() {
        for (text, why) in [
            ("", "required"),
            (" \n", "required"),
            ("a\rb", "carriage return"),
            ("a\u{1b}b", "control characters"),
            (&"x".repeat(LONGEST + 1), "exceeds 2000"),
        ] {
            assert!(fits(text).is_err_and(|it| it.contains(why)), "{text:?}");
        }
        assert!(fits(&"é".repeat(LONGEST)).is_ok() && fits("a\n\t$(b) 'c' \"d\"").is_ok());
        assert_eq!(preview("a\nb"), "a\\nb");
        assert_eq!(preview(&"é".repeat(121)).chars().count(), 120);
    }
}

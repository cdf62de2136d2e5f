//! Hooks of Pi: an extension for one session. Writes nothing.

use crate::agent::hooks::{HookCarrier, HookCommand, HookInstall, SIGNATURE};
use crate::core::hooks::HookKind;

/// The name of the extension.
const FILE: &str = "headcount.js";

/// An extension, given on the command line; those of the person stay. Measured on 0.87.1: `session_start` comes at launch and after each
/// change of the conversation, `input` with every prompt, also one that steers a running turn, `agent_settled` when Pi goes on with
/// nothing by itself, after an error as well.
pub(super) fn carrier(command: &HookCommand) -> HookCarrier {
    HookCarrier::of_files(vec![(FILE, extension(command))], |place| vec!["-e".to_owned(), format!("{place}/{FILE}")])
}

fn extension(command: &HookCommand) -> String {
    // Strings of JSON are strings of JavaScript; the event comes last.
    let [program, arguments @ .., _] = command.words(HookKind::Stop.as_str());
    let told: Vec<&str> = command.told().into_iter().collect();
    // Named as those of Claude Code.
    let tool = |(event, word): (&str, &str)| {
        format!(
            "  pi.on(\"{event}\", (event, ctx) => emit(\"{word}\", ctx, {{ tool_name: event?.toolName, tool_input: event?.input }}));\n"
        )
    };
    let tools: String =
        ["tool_call", "tool_result"].into_iter().zip(command.events_of_tools().iter().copied()).map(tool).collect();
    let [program, arguments, told] = [serde_json::json!(program), serde_json::json!(arguments), serde_json::json!(told)];
    format!(
        r#"{SIGNATURE}: tells it when this session begins, takes a prompt, settles and ends.
import {{ spawn }} from "node:child_process";
export default function (pi) {{
  let failed;
  const emit = (event, ctx, more) => {{
    try {{
      const child = spawn({program}, [...{arguments}, event, ...{told}], {{ stdio: ["pipe", "ignore", "ignore"] }});
      child.on("error", () => {{}});
      child.stdin.on("error", () => {{}});
      const session = ctx?.sessionManager;
      child.stdin.end(JSON.stringify({{
        session_id: session?.getSessionId?.(), transcript_path: session?.getSessionFile?.(), cwd: ctx?.cwd, ...more,
      }}));
      child.unref();
    }} catch {{}}
  }};
  pi.on("session_start", (event, ctx) => emit("SessionStart", ctx, {{ source: event?.reason }}));
  pi.on("input", (event, ctx) => {{ failed = undefined; emit("UserPromptSubmit", ctx, {{ prompt: event?.text }}); }});
  pi.on("agent_end", (event) => {{
    const last = event?.messages?.at?.(-1);
    failed = last?.stopReason === "error" ? "error" : undefined;
  }});
  pi.on("agent_settled", (event, ctx) => emit(failed ? "StopFailure" : "Stop", ctx, {{ error: failed }}));
{tools}  pi.on("session_shutdown", (event, ctx) => emit("SessionEnd", ctx, {{ reason: event?.reason }}));
}}
"#
    )
}

/// A file of its own among a person's extensions.
pub(super) fn settings(command: &HookCommand) -> HookInstall {
    HookInstall::of_file("extensions/headcount.js", extension(command))
}

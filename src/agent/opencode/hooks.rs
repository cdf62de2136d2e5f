//! Hooks of OpenCode: a plugin for one session. Writes nothing.

use serde_json::json;

use crate::agent::hooks::{HookCarrier, HookCommand, SIGNATURE};
use crate::core::hooks::HookKind;

/// The name of the plugin.
const FILE: &str = "headcount.js";
/// What holds more configuration, whose plugins come to those of the person's files.
const VARIABLE: &str = "OPENCODE_CONFIG_CONTENT";

/// A plugin, named by a variable: OpenCode has no flag for that. Measured on 1.18.33, where a prompt and the end of a turn are told, and a
/// conversation when it is made; one that is gone on in tells with its first prompt.
pub(super) fn carrier(command: &HookCommand) -> HookCarrier {
    HookCarrier {
        files: vec![(FILE, plugin(command))],
        args: Box::new(|_| Vec::new()),
        set: Box::new(|place| {
            // Blanks and the like are escaped in such an address.
            let address: String = format!("{place}/{FILE}").bytes().map(escaped).collect();
            vec![(VARIABLE, json!({ "plugin": [format!("file://{address}")] }).to_string())]
        }),
    }
}

fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

fn plugin(command: &HookCommand) -> String {
    // Strings of JSON are strings of JavaScript; the event comes last.
    let [program, arguments @ .., _] = command.words(HookKind::Stop.as_str());
    let (program, arguments) = (json!(program), json!(arguments));
    format!(
        r#"{SIGNATURE}: tells it when this session begins, takes a prompt, asks and settles.
import {{ spawn }} from "node:child_process";
export const Headcount = async ({{ directory }}) => {{
  // Sessions of sub-agents are not the session of this process.
  const inner = new Set();
  const emit = (event, id, more) => {{
    if (!id || inner.has(id)) return;
    try {{
      const child = spawn({program}, [...{arguments}, event], {{ stdio: ["pipe", "ignore", "ignore"] }});
      child.on("error", () => {{}});
      child.stdin.on("error", () => {{}});
      child.stdin.end(JSON.stringify({{ session_id: id, cwd: directory, ...more }}));
      child.unref();
    }} catch {{}}
  }};
  return {{
    event: async ({{ event }}) => {{
      const it = event?.properties ?? {{}};
      if (event?.type === "session.created" || event?.type === "session.updated") {{
        if (it.info?.parentID) inner.add(it.info.id);
        else if (event.type === "session.created") emit("SessionStart", it.info?.id, {{ source: "startup" }});
      }}
      if (event?.type === "permission.asked") emit("PermissionRequest", it.sessionID, {{ tool_name: it.permission }});
      if (event?.type === "session.error") emit("StopFailure", it.sessionID, {{ error: it.error?.name }});
      if (event?.type === "session.idle") emit("Stop", it.sessionID);
    }},
    "chat.message": async (input, output) => {{
      const parts = (output?.parts ?? []).filter((part) => part?.type === "text" && !part.synthetic);
      emit("UserPromptSubmit", input?.sessionID, {{ prompt: parts.map((part) => part.text).join("\n") }});
    }},
  }};
}};
"#
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::core::ids::AgentKind;

    #[test]
    fn the_plugin_is_named_by_an_address_whatever_its_directory_is_called() {
        let command = HookCommand::new(Path::new("/h"), Path::new("/s"), AgentKind::Opencode);
        let carrier = command.map(|command| carrier(&command));
        let set = carrier.map(|carrier| (carrier.set)("/a b/é")).unwrap_or_default();
        assert_eq!(set, [(VARIABLE, r#"{"plugin":["file:///a%20b/%C3%A9/headcount.js"]}"#.to_owned())]);
    }
}

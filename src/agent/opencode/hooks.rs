//! Hooks of OpenCode: a plugin for one session. Writes nothing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

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
        delay: Some(delay),
    }
}

/// With any plugin OpenCode shows nothing before it has installed this package in each of its directories. Where it cannot get it, that
/// takes more than a minute, at every start (1.18.33).
const PACKAGE: &str = "@opencode-ai/plugin";

fn delay(variable: &dyn Fn(&str) -> Option<String>, cwd: Option<&Path>) -> Option<&'static str> {
    let path = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = path("HOME");
    let settings = path("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    // The first one is made if it is missing.
    let is_ready = settings.is_some_and(|settings| has_package(&settings.join("opencode")));
    let above = cwd.into_iter().flat_map(Path::ancestors).chain(home.as_deref()).map(|directory| directory.join(".opencode"));
    let mut others = above.chain(path("OPENCODE_CONFIG_DIR")).filter(|directory| directory.is_dir());
    (!is_ready || !others.all(|directory| has_package(&directory)))
        .then_some("a plugin makes it wait for packages that it has not installed yet")
}

/// Whether OpenCode finds nothing left to install there.
fn has_package(directory: &Path) -> bool {
    let lock = std::fs::read(directory.join("package-lock.json")).unwrap_or_default();
    let lock: Value = serde_json::from_slice(&lock).unwrap_or_default();
    directory.join("node_modules").is_dir() && !lock["packages"][""]["dependencies"][PACKAGE].is_null()
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::core::ids::AgentKind;

    #[test]
    fn the_plugin_is_named_by_an_address_whatever_its_directory_is_called() {
        let command = HookCommand::new(Path::new("/h"), Path::new("/s"), AgentKind::Opencode);
        let carrier = command.map(|command| carrier(&command));
        let set = carrier.map(|carrier| (carrier.set)("/a b/é")).unwrap_or_default();
        assert_eq!(set, [(VARIABLE, r#"{"plugin":["file:///a%20b/%C3%A9/headcount.js"]}"#.to_owned())]);
    }

    #[test]
    fn a_plugin_is_used_only_where_nothing_is_left_to_install() {
        let lab = tempfile::tempdir().unwrap();
        let home = lab.path().join("home");
        let cwd = home.join("code/project");
        std::fs::create_dir_all(&cwd).unwrap();
        let install = |directory: &Path| {
            std::fs::create_dir_all(directory.join("node_modules")).unwrap();
            let lock = json!({ "packages": { "": { "dependencies": { PACKAGE: "1.18.33" } } } });
            std::fs::write(directory.join("package-lock.json"), lock.to_string()).unwrap();
        };
        let with = |more: Option<(&str, &Path)>| {
            let text = |path: &Path| path.to_str().map(ToOwned::to_owned);
            let variable = |name: &str| match more {
                Some((other, path)) if other == name => text(path),
                _ => (name == "HOME").then(|| text(&home)).flatten(),
            };
            delay(&variable, Some(&cwd)).is_none()
        };
        assert!(!with(None), "a first start installs");
        install(&home.join(".config/opencode"));
        assert!(with(None));
        let other = lab.path().join("other");
        assert!(!with(Some(("XDG_CONFIG_HOME", &other))));
        install(&other.join("opencode"));
        assert!(with(Some(("XDG_CONFIG_HOME", &other))));
        std::fs::create_dir(home.join("code/.opencode")).unwrap();
        assert!(!with(None), "a project has its own");
        install(&home.join("code/.opencode"));
        assert!(with(None));
        let own = lab.path().join("own");
        std::fs::create_dir(&own).unwrap();
        assert!(!with(Some(("OPENCODE_CONFIG_DIR", &own))));
        std::fs::write(own.join("package-lock.json"), "{").unwrap();
        assert!(!with(Some(("OPENCODE_CONFIG_DIR", &own))));
        install(&own);
        assert!(with(Some(("OPENCODE_CONFIG_DIR", &own))));
        assert!(delay(&|_| None, None).is_some(), "nobody knows where it is");
    }
}

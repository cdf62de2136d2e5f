//! Hooks of Copilot: a plugin for one session. Writes nothing.

use serde_json::{Map, Value, json};

use crate::agent::hooks::{HookCarrier, HookCommand, HookInstall, PATIENCE};
use crate::core::hooks::HookKind;

/// The events that are told, seen on 1.0.102, where `sessionStart` comes with the first prompt. `errorOccurred` is left out: what it is
/// about may be tried again.
pub(super) const EVENTS: [(&str, HookKind); 6] = [
    ("sessionStart", HookKind::SessionStart),
    ("userPromptSubmitted", HookKind::UserPromptSubmit),
    ("permissionRequest", HookKind::PermissionRequest),
    ("notification", HookKind::Notification),
    ("agentStop", HookKind::Stop),
    ("sessionEnd", HookKind::SessionEnd),
];

/// A plugin, given on the command line; those of the person stay.
pub(super) fn carrier(command: &HookCommand) -> HookCarrier {
    let plugin = json!({
        "name": "headcount",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Tells headcount when this session begins, takes a prompt, asks, yields and ends.",
        "hooks": "hooks.json"
    });
    let files = vec![("plugin.json", plugin.to_string()), ("hooks.json", hooks(command).to_string())];
    HookCarrier::of_files(files, |place| vec!["--plugin-dir".to_owned(), place.to_owned()])
}

/// A file of hooks.
fn hooks(command: &HookCommand) -> Value {
    let hook = |kind: HookKind| json!([{ "type": "command", "bash": command.line(kind.as_str()), "timeoutSec": PATIENCE }]);
    let hooks: Map<String, Value> = EVENTS.iter().map(|(event, kind)| ((*event).to_owned(), hook(*kind))).collect();
    json!({ "version": 1, "hooks": hooks })
}

/// A file of its own beside those of a person.
pub(super) fn settings(command: &HookCommand) -> HookInstall {
    HookInstall::of_file("hooks/headcount.json", format!("{:#}\n", hooks(command)))
}

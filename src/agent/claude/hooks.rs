//! Hooks of Claude Code: which of its events are told, and what brings them into one session. Writes nothing.

use serde_json::json;

use crate::agent::hooks::{HookCarrier, HookCommand, HookInstall, PATIENCE, groups};
use crate::core::hooks::HookKind;

/// The events that are told, seen on 2.1.329. Those of tools are left out: they come often, and the transcript has them.
pub(super) const EVENTS: [(&str, HookKind); 7] = [
    ("SessionStart", HookKind::SessionStart),
    ("UserPromptSubmit", HookKind::UserPromptSubmit),
    ("PermissionRequest", HookKind::PermissionRequest),
    ("Notification", HookKind::Notification),
    ("Stop", HookKind::Stop),
    ("StopFailure", HookKind::StopFailure),
    ("SessionEnd", HookKind::SessionEnd),
];

/// A plugin for one session. It stands beside the person's own `--settings`, of which only the last one would count, and copies
/// nothing of what that holds.
pub(super) fn carrier(command: &HookCommand) -> HookCarrier {
    let plugin = json!({
        "name": "headcount",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "Tells headcount when this session begins, takes a prompt, asks, yields and ends."
    });
    let hooks = json!({ "hooks": groups(command, &EVENTS, PATIENCE) });
    let files = vec![(".claude-plugin/plugin.json", plugin.to_string()), ("hooks/hooks.json", hooks.to_string())];
    HookCarrier::of_files(files, |place| vec!["--plugin-dir".to_owned(), place.to_owned()])
}

/// What comes into a person's own settings.
pub(super) fn settings(command: &HookCommand) -> HookInstall {
    HookInstall::of_groups("settings.json", groups(command, &EVENTS, PATIENCE))
}

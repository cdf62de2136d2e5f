//! Hooks of Codex: which of its events are told, and what brings them into one session. Writes nothing.

use crate::agent::hooks::{HookCarrier, HookCommand, HookConsent, HookInstall, PATIENCE, groups};
use crate::core::hooks::HookKind;

/// The events that are told, seen on 0.169.0, where `SessionStart` comes with the first prompt.
pub(super) const EVENTS: [(&str, HookKind); 5] = [
    ("SessionStart", HookKind::SessionStart),
    ("UserPromptSubmit", HookKind::UserPromptSubmit),
    ("PermissionRequest", HookKind::PermissionRequest),
    ("Stop", HookKind::Stop),
    ("SessionEnd", HookKind::SessionEnd),
];

/// Settings for one session, which stand beside those of the person's files. Codex asks before it runs a hook that it does not know, and
/// the flag against that holds for every hook: only where it asks nothing anyway.
pub(super) fn carrier(command: &HookCommand, consent: HookConsent) -> Option<HookCarrier> {
    (consent == HookConsent::Unasked).then(|| {
        let flag = |(event, kind): (&str, &str)| {
            // Strings of JSON are strings of TOML.
            let line = serde_json::Value::from(command.line(kind));
            ["-c".to_owned(), format!("hooks.{event}=[{{hooks=[{{type=\"command\",command={line},timeout={PATIENCE}}}]}}]")]
        };
        let tools = command.events_of_tools().iter().map(|event| (*event, *event));
        let events = EVENTS.iter().map(|(event, kind)| (*event, kind.as_str())).chain(tools);
        let trust = std::iter::once("--dangerously-bypass-hook-trust".to_owned());
        HookCarrier::of_args(trust.chain(events.flat_map(flag)).collect())
    })
}

/// What comes into a person's own file of hooks.
pub(super) fn settings(command: &HookCommand) -> HookInstall {
    let note = "Codex asks at its next start whether it may run them";
    HookInstall { note: Some(note), ..HookInstall::of_groups("hooks.json", groups(command, &EVENTS, PATIENCE)) }
}

//! Hooks of Gemini: which of its events are told. It takes hooks for one session only from files of root's, so there are none for that;
//! a person can have them in their own settings. Writes nothing.

use crate::agent::hooks::{HookCommand, HookInstall, PATIENCE, groups};
use crate::core::hooks::HookKind;

/// The events that are told, by the names of 0.61.0.
const EVENTS: [(&str, HookKind); 5] = [
    ("SessionStart", HookKind::SessionStart),
    ("BeforeAgent", HookKind::UserPromptSubmit),
    ("Notification", HookKind::Notification),
    ("AfterAgent", HookKind::Stop),
    ("SessionEnd", HookKind::SessionEnd),
];

/// What comes into a person's own settings. Its patience is in milliseconds.
pub(super) fn settings(command: &HookCommand) -> HookInstall {
    HookInstall::of_groups("settings.json", groups(command, &EVENTS, PATIENCE * 1000))
}

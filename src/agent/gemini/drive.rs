//! How Gemini is driven.

use crate::agent::drive::{LaunchTable, PromptForm, ReadySign};

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: "0.61.0",
    id_flag: Some("--session-id"),
    always: &[],
    permissions: [
        Some(&["--approval-mode", "default"]),
        Some(&["--approval-mode", "auto_edit"]),
        Some(&["--approval-mode", "yolo"]),
    ],
    prompt: Some(PromptForm::Joined("--prompt-interactive=")),
    commands: &['/', '!'],
    ready: ReadySign::Screen(
        &["Type your message or @path/to/file"],
        &["Do you trust the files", "Waiting for authentication"],
    ),
    is_group: true,
    grace: 10,
    blank: &["GEMINI_CLI", "GEMINI_CLI_NO_RELAUNCH"],
    set: &[],
};

//! How Copilot is driven.

use crate::agent::drive::{LaunchTable, PromptForm, ReadySign};

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: "1.0.102",
    id_flag: Some("--session-id"),
    always: &[],
    permissions: [Some(&[]), None, Some(&["--yolo"])],
    prompt: Some(PromptForm::Joined("--interactive=")),
    commands: &['/', '!'],
    ready: ReadySign::Screen(&["❯", "commands"], &["Confirm folder trust"]),
    is_group: true,
    grace: 15,
    blank: &["COPILOT_CLI", "COPILOT_AGENT_SESSION_ID", "COPILOT_LOADER_PID", "COPILOT_CLI_BINARY_VERSION"],
    set: &[],
};

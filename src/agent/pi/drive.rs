//! How Pi is driven.

use crate::agent::drive::{LaunchTable, PromptForm, ReadySign};

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: "0.87.1",
    id_flag: Some("--session-id"),
    always: &[],
    // It has no modes: whatever it does it does unasked.
    permissions: [None, None, Some(&[])],
    prompt: Some(PromptForm::Last),
    // It would look for a file of that name, and end without one.
    commands: &['@'],
    // The end of its footer: how much of the model's window is used.
    ready: ReadySign::LastLine(&["%/", "?/"]),
    is_group: true,
    grace: 10,
    blank: &["PI_SESSION_ID", "PI_SESSION_FILE", "PI_PROVIDER", "PI_MODEL", "PI_REASONING_LEVEL", "PI_CODING_AGENT"],
    set: &[],
};

//! How OpenCode is driven.

use crate::agent::drive::{LaunchTable, PromptForm, ReadySign};

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: "1.18.33",
    id_flag: None,
    always: &[],
    permissions: [Some(&[]), None, None],
    prompt: Some(PromptForm::Joined("--prompt=")),
    commands: &['/', '!'],
    ready: ReadySign::Screen(&["ctrl+p commands"], &[]),
    is_group: true,
    grace: 20,
    blank: &["OPENCODE", "OPENCODE_PID"],
    set: &[],
};

//! How OpenCode is driven.

use rustix::process::Signal;

use crate::agent::dialogs::Dialogs;
use crate::agent::drive::{LaunchTable, PromptForm, QuitForm, ReadySign};
use crate::agent::recognise::Words;
use crate::core::ids::MuxKind;

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: Some("1.18.33"),
    muxes: &[MuxKind::Tmux, MuxKind::Zellij],
    id_flag: None,
    always: Words::Own(&[]),
    permissions: [Some(Words::Own(&[])), None, None],
    prompt: Some(PromptForm::Joined("--prompt=")),
    commands: &['/', '!'],
    ready: ReadySign::Screen(Words::Own(&["ctrl+p commands"])),
    settle: 0,
    dialogs: Dialogs::Own(&[]),
    composer: None,
    quit: QuitForm::Signal(Signal::TERM),
    is_group: true,
    grace: 20,
    blank: &["OPENCODE", "OPENCODE_PID"],
    set: &[],
};

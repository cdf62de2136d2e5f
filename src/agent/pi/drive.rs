//! How Pi is driven.

use std::borrow::Cow;

use rustix::process::Signal;

use crate::agent::dialogs::{Dialogs, StartDialog};
use crate::agent::drive::{LaunchTable, PromptForm, QuitForm, ReadySign};
use crate::agent::recognise::Words;
use crate::core::ids::MuxKind;
use crate::core::lead::DialogSubject;

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: Some("0.87.1"),
    muxes: &[MuxKind::Tmux, MuxKind::Zellij],
    id_flag: Some(Cow::Borrowed("--session-id")),
    always: Words::Own(&[]),
    // It has no modes: whatever it does it does unasked.
    permissions: [None, None, Some(Words::Own(&[]))],
    prompt: Some(PromptForm::Last),
    // It would look for a file of that name, and end without one.
    commands: &['@'],
    // The end of its footer: how much of the model's window is used.
    ready: ReadySign::LastLine(Words::Own(&["%/", "?/"])),
    settle: 0,
    // Asked before it takes the terminal over, of a conversation that began elsewhere.
    dialogs: Dialogs::Own(&[StartDialog {
        subject: DialogSubject::Other("whether to fork a conversation of another directory"),
        shows: Words::Own(&["Session found in different project", "Fork this session into current directory?"]),
        answer: None,
    }]),
    composer: None,
    quit: QuitForm::Signal(Signal::TERM),
    is_group: true,
    grace: 10,
    blank: &["PI_SESSION_ID", "PI_SESSION_FILE", "PI_PROVIDER", "PI_MODEL", "PI_REASONING_LEVEL", "PI_CODING_AGENT"],
    set: &[],
};

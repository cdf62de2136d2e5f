//! How Copilot is driven.

use std::borrow::Cow;

use rustix::process::Signal;

use crate::agent::dialogs::{DialogAnswer, Dialogs, StartDialog};
use crate::agent::drive::{LaunchTable, PromptForm, QuitForm, ReadySign};
use crate::agent::recognise::Words;
use crate::core::ids::MuxKind;
use crate::core::lead::DialogSubject;

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: Some("1.0.102"),
    muxes: &[MuxKind::Tmux, MuxKind::Zellij],
    id_flag: Some(Cow::Borrowed("--session-id")),
    always: Words::Own(&[]),
    permissions: [Some(Words::Own(&[])), None, Some(Words::Own(&["--yolo"]))],
    prompt: Some(PromptForm::Joined("--interactive=")),
    commands: &['/', '!'],
    ready: ReadySign::Screen(Words::Own(&["❯", "/ commands"])),
    settle: 0,
    dialogs: Dialogs::Own(&[
        StartDialog {
            subject: DialogSubject::Trust,
            shows: Words::Own(&["Confirm folder trust", "Do you trust the files in this folder?", "3. No (Esc)"]),
            answer: Some(DialogAnswer { mark: "❯", rows: &["1. Yes", "2. Yes, and remember", "3. No (Esc)"], yes: 0 }),
        },
        // It takes commands, `/login` among them, and no prompts.
        StartDialog {
            subject: DialogSubject::Login,
            shows: Words::Own(&["Please use /login to sign in to use Copilot", "/ commands"]),
            answer: None,
        },
        StartDialog {
            subject: DialogSubject::Other("whether to open a conversation that is in use"),
            shows: Words::Own(&["Session in use", "Go back (Esc)"]),
            answer: None,
        },
    ]),
    composer: None,
    quit: QuitForm::Signal(Signal::TERM),
    is_group: true,
    grace: 15,
    blank: &["COPILOT_CLI", "COPILOT_AGENT_SESSION_ID", "COPILOT_LOADER_PID", "COPILOT_CLI_BINARY_VERSION"],
    set: &[],
};

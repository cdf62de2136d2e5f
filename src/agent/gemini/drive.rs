//! How Gemini is driven.

use std::borrow::Cow;

use rustix::process::Signal;

use crate::agent::dialogs::{DialogAnswer, Dialogs, StartDialog};
use crate::agent::drive::{LaunchTable, PromptForm, QuitForm, ReadySign};
use crate::agent::recognise::Words;
use crate::core::ids::MuxKind;
use crate::core::lead::DialogSubject;

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: Some("0.61.0"),
    muxes: &[MuxKind::Tmux, MuxKind::Zellij],
    id_flag: Some(Cow::Borrowed("--session-id")),
    always: Words::Own(&[]),
    permissions: [
        Some(Words::Own(&["--approval-mode", "default"])),
        Some(Words::Own(&["--approval-mode", "auto_edit"])),
        Some(Words::Own(&["--approval-mode", "yolo"])),
    ],
    prompt: Some(PromptForm::Joined("--prompt-interactive=")),
    commands: &['/', '!'],
    ready: ReadySign::Screen(Words::Own(&["Type your message or @path/to/file"])),
    // Its question of trust comes 0.15 s after its composer.
    settle: 1500,
    // It begins anew below the answered question, which stays on the screen.
    dialogs: Dialogs::Own(&[
        StartDialog {
            subject: DialogSubject::Trust,
            shows: Words::Own(&["Do you trust the files in this folder?", "1. Trust folder", "3. Don't trust"]),
            answer: Some(DialogAnswer {
                mark: "●",
                rows: &["1. Trust folder", "2. Trust parent folder", "3. Don't trust"],
                yes: 0,
            }),
        },
        StartDialog {
            subject: DialogSubject::Login,
            shows: Words::Own(&["How would you like to authenticate", "(Use Enter to select)"]),
            answer: None,
        },
        StartDialog { subject: DialogSubject::Login, shows: Words::Own(&["Enter the authorization code"]), answer: None },
        StartDialog { subject: DialogSubject::Passing, shows: Words::Own(&["Waiting for authentication"]), answer: None },
        StartDialog { subject: DialogSubject::Passing, shows: Words::Own(&["Gemini CLI is restarting"]), answer: None },
    ]),
    composer: None,
    quit: QuitForm::Signal(Signal::TERM),
    is_group: true,
    grace: 10,
    blank: &["GEMINI_CLI", "GEMINI_CLI_NO_RELAUNCH"],
    set: &[],
};

//! How Codex is driven, and who has one of its threads open.

use std::path::Path;

use rustix::process::Signal;

use super::held::lock;
use crate::agent::dialogs::{DialogAnswer, Dialogs, StartDialog};
use crate::agent::drive::{Holder, LaunchTable, PromptForm, QuitForm, ReadySign};
use crate::agent::recognise::Words;
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, MuxKind};
use crate::core::lead::DialogSubject;
use crate::host::Host;

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: Some("0.169.0"),
    muxes: &[MuxKind::Tmux, MuxKind::Zellij],
    id_flag: None,
    // A daemon would hold the thread for it, beyond its own end.
    always: Words::Own(&["--disable", "daemon_auto_start"]),
    permissions: [
        Some(Words::Own(&["--ask-for-approval", "on-request", "--sandbox", "read-only"])),
        Some(Words::Own(&["--ask-for-approval", "on-request", "--sandbox", "workspace-write"])),
        Some(Words::Own(&["--dangerously-bypass-approvals-and-sandbox"])),
    ],
    prompt: Some(PromptForm::Last),
    // It would run the rest in a shell, unasked.
    commands: &['!'],
    ready: ReadySign::Held,
    settle: 0,
    // It asks about repositories only.
    dialogs: Dialogs::Own(&[
        StartDialog {
            subject: DialogSubject::Trust,
            shows: Words::Own(&["Trust this folder?", "1. Trust and continue"]),
            answer: Some(DialogAnswer {
                mark: "›",
                rows: &["1. Trust and continue", "2. Back to Agent Command Center"],
                yes: 0,
            }),
        },
        StartDialog {
            subject: DialogSubject::Login,
            shows: Words::Own(&["Sign in with ChatGPT", "Press enter to continue"]),
            answer: None,
        },
        StartDialog {
            subject: DialogSubject::Update,
            shows: Words::Own(&["Update available", "1. Update now", "2. Skip"]),
            answer: None,
        },
        StartDialog {
            subject: DialogSubject::Other("in which directory to go on"),
            shows: Words::Own(&["Use session directory", "Use current directory"]),
            answer: None,
        },
        StartDialog { subject: DialogSubject::Passing, shows: Words::Own(&["Resuming session"]), answer: None },
    ]),
    composer: None,
    quit: QuitForm::Signal(Signal::TERM),
    is_group: false,
    grace: 10,
    blank: &[
        "CODEX_THREAD_ID",
        "CODEX_SESSION_ID",
        "CODEX_TOOL_CALL_ID",
        "CODEX_CI",
        "CODEX_VERSION",
        "CODEX_MANAGED_BY_NPM",
        "CODEX_MANAGED_PACKAGE_ROOT",
        "CODEX_SANDBOX",
        "CODEX_SANDBOX_NETWORK_DISABLED",
    ],
    set: &[],
};

/// Who has a thread open, by its lock.
pub(super) fn holder(host: &dyn Host, home: &Path, id: &ConversationId) -> Holder {
    let path = lock(home, id);
    match path.symlink_metadata() {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Fact::Absent,
        Err(error) => return Fact::Unknown(format!("cannot look at {}: {error}", path.display())),
    }
    match host.lockers(&path) {
        Fact::Seen(pids) => match pids.first() {
            Some(pid) => Fact::Seen(format!("process {pid} has it open")),
            None => Fact::Absent,
        },
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why),
    }
}

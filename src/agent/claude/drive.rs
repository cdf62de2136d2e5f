//! How Claude Code is driven, and who has one of its conversations open.

use std::borrow::Cow;
use std::path::Path;

use rustix::process::Signal;

use super::entries::{MOST, RegistryVerdict, verify};
use super::files;
use crate::agent::dialogs::{DialogAnswer, Dialogs, StartDialog};
use crate::agent::drive::{Holder, LaunchTable, PromptForm, QuitForm, ReadySign};
use crate::agent::recognise::Words;
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, MuxKind};
use crate::core::lead::DialogSubject;
use crate::host::Host;

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: Some("2.1.329"),
    muxes: &[MuxKind::Tmux, MuxKind::Zellij],
    id_flag: Some(Cow::Borrowed("--session-id")),
    always: Words::Own(&[]),
    // Without a flag it begins in a mode that does not always ask.
    permissions: [
        Some(Words::Own(&["--permission-mode", "default"])),
        Some(Words::Own(&["--permission-mode", "acceptEdits"])),
        Some(Words::Own(&["--dangerously-skip-permissions"])),
    ],
    prompt: Some(PromptForm::Last),
    commands: &['/'],
    ready: ReadySign::Idle,
    settle: 0,
    dialogs: Dialogs::Own(&[
        StartDialog {
            subject: DialogSubject::Trust,
            shows: Words::Own(&["Accessing workspace", "Yes, I trust this folder"]),
            answer: Some(DialogAnswer { mark: "❯", rows: &["No, exit", "Yes, I trust this folder"], yes: 1 }),
        },
        StartDialog {
            subject: DialogSubject::Bypass,
            shows: Words::Own(&["running in Bypass Permissions mode", "Yes, I accept"]),
            answer: Some(DialogAnswer { mark: "❯", rows: &["No, exit", "Yes, I accept"], yes: 1 }),
        },
        StartDialog {
            subject: DialogSubject::Login,
            shows: Words::Own(&["Select login method:", "Anthropic Console account"]),
            answer: None,
        },
        StartDialog {
            subject: DialogSubject::Login,
            shows: Words::Own(&["Browser didn't open?", "Paste code here if prompted"]),
            answer: None,
        },
        StartDialog {
            subject: DialogSubject::Other("whether to use the API key of its environment"),
            shows: Words::Own(&["Detected a custom API key", "Do you want to use this API key?"]),
            answer: None,
        },
    ]),
    composer: None,
    quit: QuitForm::Signal(Signal::TERM),
    is_group: false,
    grace: 10,
    // Of an agent around it: it would write into that one's conversation, or save none at all.
    blank: &[
        "CLAUDECODE",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_SESSION_KIND",
        "CLAUDE_CODE_SESSION_ATTENDED",
        "CLAUDE_CODE_CHILD_NOTES_DIR",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_EXECPATH",
        "CLAUDE_CODE_MESSAGING_SOCKET",
        "CLAUDE_CODE_MESSAGING_TOKEN",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_BG_BACKEND",
        "CLAUDE_PID",
        "AI_AGENT",
    ],
    // `←` on an empty composer would park the conversation under another id.
    set: &[("CLAUDE_CODE_DISABLE_AGENT_VIEW", "1")],
};

/// Who has a conversation open, by the registry: every interactive and every background process has a file there.
pub(super) fn holder(host: &dyn Host, home: &Path, id: &ConversationId) -> Holder {
    let directory = home.join("sessions");
    let files = match directory.read_dir() {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Fact::Absent,
        Err(error) => return Fact::Unknown(format!("cannot list {}: {error}", directory.display())),
    };
    let mut unknown = None;
    for path in files.filter_map(|file| Some(file.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
        let Some(pid) = name.and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Fact::Seen(text) = files::small(&path, MOST) else { continue };
        // Most files are of other conversations, and of processes that need not be looked at.
        if !String::from_utf8_lossy(&text).contains(id.as_str()) {
            continue;
        }
        let Fact::Seen(process) = host.process(pid) else { continue };
        match verify(&text, pid, &process) {
            Ok(Some(RegistryVerdict::In(other) | RegistryVerdict::Parked { id: other, .. })) if other == *id => {
                return Fact::Seen(format!("process {pid} is in it"));
            }
            Ok(_) => {}
            Err(why) => unknown = Some(format!("{}: {why}", path.display())),
        }
    }
    unknown.map_or(Fact::Absent, Fact::Unknown)
}

//! How Codex is driven, and who has one of its threads open.

use std::path::Path;

use super::held::LOCKS;
use crate::agent::drive::{Holder, LaunchTable, PromptForm, ReadySign};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::host::Host;

pub(super) static TABLE: LaunchTable = LaunchTable {
    version: "0.169.0",
    id_flag: None,
    // A daemon would hold the thread for it, beyond its own end.
    always: &["--disable", "daemon_auto_start"],
    permissions: [
        Some(&["--ask-for-approval", "on-request", "--sandbox", "read-only"]),
        Some(&["--ask-for-approval", "on-request", "--sandbox", "workspace-write"]),
        Some(&["--dangerously-bypass-approvals-and-sandbox"]),
    ],
    prompt: Some(PromptForm::Last),
    // It would run the rest in a shell, unasked.
    commands: &['!'],
    ready: ReadySign::Held,
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
    let path = home.join(LOCKS).join(format!("{}.lock", id.as_str()));
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

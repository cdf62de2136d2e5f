//! What an agent said of itself through a hook, in one form for all agents. Owns the words; never reads or writes an event.
//!
//! An event belongs to the process that sent it. Which conversation it names is only a claim of that process.

use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ids::{AgentKind, ConversationId, UnknownName};

/// The schema of the document that `headcount hooks status --json` prints.
pub const HOOKS_SCHEMA: &str = "headcount/hooks/v1";

/// Whether hooks of headcount are in an agent's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HookStanding {
    /// Those of this headcount and this state directory.
    Installed,
    /// Those of another headcount or state directory, or of an older form.
    Other,
    /// None.
    Absent,
    /// The agent keeps no files here.
    NoHome,
    /// headcount cannot put hooks into settings of this agent.
    Unsupported,
    /// That cannot be told.
    Unknown,
}

/// Hooks in the settings of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AgentHooks {
    /// The agent.
    pub agent: AgentKind,
    /// Whether they are there.
    pub standing: HookStanding,
    /// The file they are in, or would be; the home that is missing where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Hooks in the settings of the agents that were asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HooksReport {
    /// `headcount/hooks/v1`.
    pub schema: String,
    /// Each.
    pub agents: Vec<AgentHooks>,
}

/// What happened. The words are those of Claude Code and Codex; each agent's table says which hook of its own means which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HookKind {
    /// A conversation began, or goes on, in this process.
    SessionStart,
    /// A prompt was taken: sent, or queued while a turn runs.
    UserPromptSubmit,
    /// It asks for a permission.
    PermissionRequest,
    /// It wants to be looked at: it asks something, or has waited for a while.
    Notification,
    /// A turn yielded. The transcript says whether it is over.
    Stop,
    /// A turn ended in an error of the model's service.
    StopFailure,
    /// This process has left the conversation.
    SessionEnd,
}

impl HookKind {
    /// Every kind, in the order of a session's life.
    pub const ALL: [Self; 7] = [
        Self::SessionStart,
        Self::UserPromptSubmit,
        Self::PermissionRequest,
        Self::Notification,
        Self::Stop,
        Self::StopFailure,
        Self::SessionEnd,
    ];

    /// The word in event files, reports and hook commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SessionStart => "SessionStart",
            Self::UserPromptSubmit => "UserPromptSubmit",
            Self::PermissionRequest => "PermissionRequest",
            Self::Notification => "Notification",
            Self::Stop => "Stop",
            Self::StopFailure => "StopFailure",
            Self::SessionEnd => "SessionEnd",
        }
    }
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HookKind {
    type Err = UnknownName;

    /// The word, or the same in lower case with `_` or `-` between its parts, as other tools write it.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let plain: String = s.chars().filter(|c| !matches!(c, '_' | '-')).collect();
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(&plain)).ok_or_else(|| UnknownName(s.to_owned()))
    }
}

/// A process as the kernel tells it apart: its id, and field 22 of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessMark {
    /// The id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
}

/// What is kept of a prompt: enough to know it again, not to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PromptMark {
    /// Its length in characters, as the agent gave it.
    pub length: u64,
    /// The SHA-256, in hex, of the prompt without white space and without the marks that an agent puts around a long paste.
    pub sha256: String,
}

impl PromptMark {
    /// The mark of a prompt.
    pub fn of(text: &str) -> Self {
        let mut hash = Sha256::new();
        for word in without_paste_marks(text).split_whitespace() {
            hash.update(word.as_bytes());
        }
        let mut sha256 = String::with_capacity(64);
        for byte in hash.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Self { length: text.chars().count() as u64, sha256 }
    }

    /// Whether it is of this very text, white space and marks of a paste aside.
    pub fn is_of(&self, text: &str) -> bool {
        self.sha256 == Self::of(text).sha256
    }
}

/// The lines of a text but for `<pasted_content id="6243">` and its end, which Claude Code 2.1.329 puts around a paste of four lines or
/// more: a text that holds such a line itself has the same mark as one without.
fn without_paste_marks(text: &str) -> String {
    let is_mark = |line: &str| {
        let line = line.trim();
        line.strip_prefix("<pasted_content id=\"")
            .or_else(|| line.strip_prefix("</pasted_content id=\""))
            .and_then(|rest| rest.strip_suffix("\">"))
            .is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    text.split_inclusive('\n').filter(|line| !is_mark(line)).collect()
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEvent {
    /// When it was written down.
    pub at: DateTime<Utc>,
    /// The agent, as its hook's command says.
    pub agent: AgentKind,
    /// What happened.
    pub kind: HookKind,
    /// The process that ran the hook: the nearest one above that is no shell.
    pub process: ProcessMark,
    /// What is above that process, nearest first.
    pub ancestors: Vec<ProcessMark>,
    /// The conversation it claims to be about.
    pub session_id: Option<ConversationId>,
    /// The transcript it names.
    pub transcript: Option<PathBuf>,
    /// The working directory it names.
    pub cwd: Option<PathBuf>,
    /// The prompt of a [`HookKind::UserPromptSubmit`].
    pub prompt: Option<PromptMark>,
    /// A word about it: how a session started or ended, what a notification is about, the tool that needs a permission.
    pub detail: Option<String>,
    /// The agent's own id of the turn or prompt.
    pub turn: Option<String>,
    /// How many tasks go on in the background, where the event says so.
    pub background: Option<u32>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_the_spellings_of_other_tools() {
        for (text, kind) in [
            ("Stop", HookKind::Stop),
            ("user_prompt_submit", HookKind::UserPromptSubmit),
            ("session-end", HookKind::SessionEnd),
            ("PERMISSIONREQUEST", HookKind::PermissionRequest),
        ] {
            assert_eq!(text.parse(), Ok(kind));
        }
        for kind in HookKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("PreToolUse".parse::<HookKind>().is_err());
    }

    #[test]
    fn the_mark_of_a_prompt_knows_its_text_again_however_it_was_pasted() {
        let text = "one\n\ttwo  three\nfour\n";
        let pasted = format!("\n\n<pasted_content id=\"6243\">\n{text}\n</pasted_content id=\"6243\">\n");
        assert!(PromptMark::of(&pasted).is_of(text));
        assert!(PromptMark::of(text).is_of("one two three four"));
        assert!(!PromptMark::of(text).is_of("one two three five"));
        assert_eq!(PromptMark::of("é\u{1f600}").length, 2);
        // SHA-256 of "ab".
        assert!(PromptMark::of(" a b\n").sha256.starts_with("fb8e20fc2e4c3f24"));
    }
}

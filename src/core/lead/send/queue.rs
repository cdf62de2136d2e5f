//! Texts that wait until an agent takes them: which hold is waited out, which text is next, and how they are listed. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::receipt::SendReceipt;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::{BlockCode, Blocked, OperationId};

/// The schema of what `queue` prints.
pub const QUEUE_SCHEMA: &str = "headcount/queue/v1";

/// How long a text waits.
const WAITS: TimeDelta = TimeDelta::hours(24);

/// As many texts wait for one conversation.
pub const MOST_WAITING: usize = 256;

/// A text that waits for a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingText {
    /// The shape of the file.
    pub version: u32,
    /// The name that its receipt will have.
    pub id: OperationId,
    /// The session in which that conversation was.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The only conversation that gets it.
    pub conversation: ConversationId,
    /// The text, as it is typed.
    pub text: String,
    /// The key it was sent under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Since when it waits.
    pub since: DateTime<Utc>,
    /// Who sent it.
    pub by: String,
    /// Why it was not delivered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<(BlockCode, String)>,
}

impl WaitingText {
    /// The shape that this headcount reads and writes.
    pub const VERSION: u32 = 1;

    /// When it is dropped.
    pub fn until(&self) -> DateTime<Utc> {
        self.since + WAITS
    }

    /// Whether it has waited too long. A clock that was set back makes nothing older.
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        now >= self.until()
    }

    /// The key under which it is delivered at most once.
    pub fn delivery_key(&self) -> String {
        self.key.clone().unwrap_or_else(|| format!("queue {}", self.id))
    }
}

/// Whether what holds a text passes by itself, so that the text may wait for it.
pub const fn is_waited_out(code: BlockCode) -> bool {
    use BlockCode::{Attached, Busy, Dialog, Draft, Held, NoAgent, Settling, Unknown, Working};
    matches!(code, Working | Busy | Dialog | Draft | Attached | Held | Settling | Unknown | NoAgent)
}

/// The first text of each conversation, the earliest first: only after that comes the next one.
pub fn first_of_each(texts: &[WaitingText]) -> Vec<&WaitingText> {
    let mut first: Vec<&WaitingText> = Vec::new();
    for text in texts {
        if !first.iter().any(|it| (&it.conversation, it.agent) == (&text.conversation, text.agent)) {
            first.push(text);
        }
    }
    first
}

/// A waiting text as `queue` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueRow {
    /// Its name, and that of its receipt.
    pub id: OperationId,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// The only conversation that gets it.
    pub conversation: ConversationId,
    /// Its length in bytes.
    pub bytes: usize,
    /// Its first characters, on one line.
    pub begins: String,
    /// Since when it waits, UTC.
    pub since: DateTime<Utc>,
    /// When it is dropped, UTC.
    pub until: DateTime<Utc>,
    /// Who sent it.
    pub by: String,
    /// Why it was not delivered at the last try.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub code: Option<BlockCode>,
    /// The same as a line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

impl QueueRow {
    /// How many characters of a text are listed.
    const SHOWN: usize = 60;

    /// Of this text.
    pub fn of(text: &WaitingText) -> Self {
        let words = text.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let (code, message) = text.held.clone().unzip();
        Self {
            id: text.id.clone(),
            session: text.session.clone(),
            agent: text.agent,
            conversation: text.conversation.clone(),
            bytes: text.text.len(),
            begins: words.chars().take(Self::SHOWN).collect(),
            since: text.since,
            until: text.until(),
            by: text.by.clone(),
            code,
            message,
        }
    }
}

/// What `queue` prints as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueReport {
    /// `headcount/queue/v1`.
    pub schema: String,
    /// The texts that wait now, the earliest first.
    pub texts: Vec<QueueRow>,
    /// What became of those that `--now` delivered.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub receipts: Vec<SendReceipt>,
    /// Those that `--drop` took back.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub dropped: Vec<OperationId>,
}

/// Why a text may not wait.
///
/// # Errors
/// Why not.
pub fn may_wait(waiting: usize, is_carried: bool, keeps: bool, manifest: &str) -> Result<(), Blocked> {
    if waiting >= MOST_WAITING {
        let why = format!("{waiting} texts wait for this conversation, and no more are kept; `headcount queue` shows them");
        return Err(Blocked::new(BlockCode::Busy, why));
    }
    if !is_carried && !keeps {
        let why = format!(
            "nobody would deliver it later: run `headcount watch --deliver -f {manifest}` first, or keep it for one that begins \
             later with `--keep`"
        );
        return Err(Blocked::new(BlockCode::Unsupported, why));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::ids::{MuxKind, ServerKey};

    fn text(count: u32, conversation: &str) -> WaitingText {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::milliseconds(i64::from(count));
        WaitingText {
            version: WaitingText::VERSION,
            id: OperationId::new(at, 1, count),
            session: ServerKey::default_of(MuxKind::Tmux).session_key("s", "here"),
            agent: AgentKind::Claude,
            conversation: ConversationId(conversation.to_owned()),
            text: "a\n b\tc".repeat(40),
            key: None,
            since: at,
            by: "somebody".to_owned(),
            held: None,
        }
    }

    #[test]
    fn only_the_first_text_of_a_conversation_is_next() {
        let (one, two) = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222");
        let texts = [text(0, one), text(1, one), text(2, two), text(3, one)];
        let first: Vec<_> = first_of_each(&texts).into_iter().map(|it| it.id.clone()).collect();
        assert_eq!(first, [texts[0].id.clone(), texts[2].id.clone()]);
        let mut other = text(4, one);
        other.agent = AgentKind::Codex;
        assert_eq!(first_of_each(&[texts[0].clone(), other]).len(), 2, "an id is one of its agent");
    }

    #[test]
    fn a_text_waits_for_a_day_whatever_the_clock_does() {
        let text = text(0, "11111111-1111-4111-8111-111111111111");
        let after = |hours: i64| text.is_expired(text.since + TimeDelta::hours(hours));
        assert_eq!([after(-100), after(0), after(23), after(24)], [false, false, false, true]);
    }

    #[test]
    fn what_is_listed_of_a_text_is_short_and_on_one_line() {
        let row = QueueRow::of(&text(0, "11111111-1111-4111-8111-111111111111"));
        assert_eq!((row.begins.chars().count(), row.bytes), (60, 240));
        assert!(!row.begins.contains(['\n', '\t']));
    }

    #[test]
    fn a_text_that_nobody_would_deliver_is_kept_only_where_that_is_asked_for() {
        let code = |waiting, is_carried, keeps| may_wait(waiting, is_carried, keeps, "m").err().map(|it| it.code);
        assert_eq!(code(0, true, false), None);
        assert_eq!(code(0, false, true), None);
        assert_eq!(code(0, false, false), Some(BlockCode::Unsupported));
        assert_eq!(code(MOST_WAITING, true, true), Some(BlockCode::Busy));
    }

    #[test]
    fn a_text_waits_only_for_what_passes_by_itself() {
        assert!(is_waited_out(BlockCode::Working) && is_waited_out(BlockCode::Draft) && is_waited_out(BlockCode::NoAgent));
        assert!(!is_waited_out(BlockCode::Unsupported) && !is_waited_out(BlockCode::Ambiguous));
    }
}

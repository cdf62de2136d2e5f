//! Texts that wait until an agent takes them, one private file each, named so that the earliest sorts first. Never decides when one is
//! delivered.

use std::path::Path;

use super::operations::OperationError;
use super::paths::StateHome;
use super::records::Records;
use crate::core::ids::SessionKey;
use crate::core::lead::OperationId;
use crate::core::lead::send::WaitingText;

/// The texts of one user on this host.
#[derive(Debug, Clone)]
pub struct TextQueue {
    records: Records,
}

impl TextQueue {
    /// Those in this state directory.
    pub fn new(home: &StateHome) -> Self {
        Self { records: Records::new(home.path().join("queue")) }
    }

    /// The directory they are in.
    pub fn path(&self) -> &Path {
        self.records.path()
    }

    /// Makes that directory, for whoever waits for something in it.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn create(&self) -> Result<(), OperationError> {
        self.records.create()
    }

    /// Keeps a text. It is on disk, or not there.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn put(&self, text: &WaitingText) -> Result<(), OperationError> {
        self.records.put(text.id.as_str(), text)
    }

    /// The texts that wait, the earliest first. What cannot be read, or was written by a newer headcount, is left alone.
    pub fn all(&self) -> Vec<WaitingText> {
        let mut texts: Vec<WaitingText> = self.records.all();
        texts.retain(|text| text.version <= WaitingText::VERSION);
        texts.sort_by(|one, other| one.id.cmp(&other.id));
        texts
    }

    /// Those for one session.
    pub fn of(&self, session: &SessionKey) -> Vec<WaitingText> {
        let mut texts = self.all();
        texts.retain(|text| text.session == *session);
        texts
    }

    /// Whether this one still waits.
    pub fn holds(&self, id: &OperationId) -> bool {
        self.records.place(id.as_str()).exists()
    }

    /// Notes why a text was not delivered, if it still waits.
    pub fn note(&self, text: &WaitingText) {
        self.records.note(text.id.as_str(), text);
    }

    /// Takes a text out; `false`: it was not there.
    ///
    /// # Errors
    /// [`OperationError`].
    pub fn take(&self, id: &OperationId) -> Result<bool, OperationError> {
        self.records.take(id.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey};

    fn text(count: u32) -> WaitingText {
        let at = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        WaitingText {
            version: WaitingText::VERSION,
            id: OperationId::new(at, 7, count),
            session: ServerKey::default_of(MuxKind::Tmux).session_key("s", "here"),
            agent: AgentKind::Claude,
            conversation: ConversationId("11111111-1111-4111-8111-111111111111".to_owned()),
            text: format!("text {count}"),
            key: None,
            since: at,
            by: "somebody".to_owned(),
            held: None,
        }
    }

    #[test]
    fn texts_are_private_in_order_and_taken_once() {
        let temp = tempfile::tempdir().unwrap();
        let queue = TextQueue::new(&StateHome::at(temp.path()));
        assert!(queue.all().is_empty() && !queue.path().exists(), "a look makes nothing");
        for count in [2, 0, 1] {
            queue.put(&text(count)).unwrap();
        }
        assert!(queue.put(&text(1)).is_err(), "a name is given once");
        let all: Vec<_> = queue.all().into_iter().map(|it| it.text).collect();
        assert_eq!(all, ["text 0", "text 1", "text 2"]);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(queue.path()), mode(&queue.records.place(text(0).id.as_str()))), (0o700, 0o600));
        assert!(queue.take(&text(1).id).unwrap() && !queue.take(&text(1).id).unwrap());
        assert_eq!(queue.of(&text(0).session).len(), 2);
        // One that was taken out does not come back by a note.
        queue.note(&text(1));
        assert!(!queue.holds(&text(1).id));
    }

    #[test]
    fn what_cannot_be_read_or_is_of_a_newer_headcount_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let queue = TextQueue::new(&StateHome::at(temp.path()));
        queue.put(&text(0)).unwrap();
        queue.put(&WaitingText { version: WaitingText::VERSION + 1, ..text(1) }).unwrap();
        std::fs::write(queue.path().join("0-0.json"), "{").unwrap();
        let open = queue.path().join("1-1.json");
        std::fs::write(&open, serde_json::to_vec(&text(3)).unwrap()).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(queue.all(), [text(0)], "others could have written that one");
        assert_eq!(std::fs::read_dir(queue.path()).unwrap().count(), 4);
    }
}

//! The secret of a job. Owns that it is never shown by accident; never draws the random bytes itself.

use std::fmt::{self, Write as _};

/// The secret that a job's events are signed with. Shown by nothing but [`JobToken::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct JobToken(String);

impl JobToken {
    /// A token of these bytes, in hex.
    pub fn minted(random: &[u8; 32]) -> Self {
        Self(random.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    /// A token as it stands in a record; `None` for an empty one, which would let everybody sign.
    pub fn recorded(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The token itself: for signing, for the record, and for `--print-token`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for JobToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

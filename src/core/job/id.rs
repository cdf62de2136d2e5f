//! The id of a job: what may be one, and how one is minted. Never draws the random bytes itself.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The id of a job: 1 to 64 of `A-Z a-z 0-9 _ -`. It is the name of its files and a level of its topic, so nothing else may
/// ever be one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[A-Za-z0-9_-]{1,64}$"))]
pub struct JobId(String);

/// Not the id of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not a job id (1 to 64 of A-Z a-z 0-9 _ -)", shortened(.0))]
pub struct NotAJobId(String);

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl JobId {
    /// The longest id, in bytes.
    pub const MAX: usize = 64;

    /// How many characters a minted id has.
    pub const MINTED: usize = 8;

    /// An id of eight lower-case letters and digits from random bytes; `None` if there are too few of them. Bytes that would
    /// make some characters likelier than others are passed over.
    pub fn minted(random: &[u8]) -> Option<Self> {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let fair = random.iter().filter(|byte| **byte < 252);
        let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 36)).copied().map(char::from));
        let id: String = letters.take(Self::MINTED).collect();
        (id.len() == Self::MINTED).then_some(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if (1..=Self::MAX).contains(&s.len()) && s.bytes().all(is_legal) {
            Ok(Self(s.to_owned()))
        } else {
            Err(NotAJobId(s.to_owned()))
        }
    }
}

impl TryFrom<String> for JobId {
    type Error = NotAJobId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

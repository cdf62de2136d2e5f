//! Why edits are not made: what, where, on one line. Decides nothing.

use std::ops::Range;

use crate::core::edit::Path;
use crate::core::text::printable;

/// Why edits were not made. Nothing of the text is changed when one of them is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is not a manifest that loads.
    #[error("manifest does not load: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
        /// Where.
        span: Option<Range<usize>>,
    },
    /// Something else stands there than the edit expects.
    #[error("{path} has changed: {reason}")]
    Changed {
        /// The node.
        path: Path,
        /// What stands there.
        reason: String,
        /// Where.
        span: Option<Range<usize>>,
    },
    /// The node cannot be written without changing something else.
    #[error("cannot write {path}: {reason}")]
    NotEditable {
        /// The node.
        path: Path,
        /// Why.
        reason: String,
        /// Where.
        span: Option<Range<usize>>,
    },
    /// The edited text would have differed in more than the intended change.
    #[error("the edit would change more than intended: {reason}")]
    Guard {
        /// What else would have changed.
        reason: String,
        /// Where, in the text before the edit.
        span: Option<Range<usize>>,
    },
}

impl Refusal {
    /// The reason on one line, for reports.
    pub fn why(&self) -> String {
        printable(&self.to_string()).into_owned()
    }

    /// The bytes it is about, in the text that was to be edited.
    pub fn span(&self) -> Option<&Range<usize>> {
        match self {
            Self::Unreadable { span, .. }
            | Self::Changed { span, .. }
            | Self::NotEditable { span, .. }
            | Self::Guard { span, .. } => span.as_ref(),
        }
    }
}

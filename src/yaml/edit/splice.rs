//! A change of some bytes of a text, and what it is for. Applies nothing.

use std::ops::Range;

use crate::core::edit::Path;

/// What a splice is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// New text between existing bytes.
    Insert,
    /// Another text for a value.
    Replace,
    /// A node goes.
    Remove,
}

/// Another text for some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    /// The bytes.
    pub(crate) range: Range<usize>,
    /// What takes their place.
    pub(crate) text: String,
    /// What for.
    pub(crate) purpose: Purpose,
    /// The node that changes.
    pub(crate) path: Path,
}

impl Splice {
    pub(super) fn replace(path: &Path, range: Range<usize>, text: String) -> Self {
        Self { range, text, purpose: Purpose::Replace, path: path.clone() }
    }

    pub(super) fn insert(path: &Path, offset: usize, text: String) -> Self {
        Self { range: offset..offset, text, purpose: Purpose::Insert, path: path.clone() }
    }

    pub(super) fn remove(path: &Path, range: Range<usize>) -> Self {
        Self { range, text: String::new(), purpose: Purpose::Remove, path: path.clone() }
    }
}

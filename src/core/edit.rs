//! Changes to a manifest as values: where, from what, to what. Never touches text; `yaml` turns them into bytes.

use std::fmt;

use serde_json::Value;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The value under this key of a mapping.
    Key(String),
    /// The item at this index of a sequence, from 0.
    Index(usize),
}

/// The way to a node of a document, as in `sessions[2].pane.pid`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(pub Vec<Segment>);

impl Path {
    /// The whole document.
    pub fn root() -> Self {
        Self::default()
    }

    /// This path and one key more.
    #[must_use]
    pub fn key(&self, key: impl Into<String>) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Key(key.into()));
        Self(segments)
    }

    /// This path and one index more.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut segments = self.0.clone();
        segments.push(Segment::Index(index));
        Self(segments)
    }

    /// The path without its last step, and that step; `None` for the root.
    pub fn split_last(&self) -> Option<(Self, &Segment)> {
        let (last, rest) = self.0.split_last()?;
        Some((Self(rest.to_vec()), last))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if position == 0 => f.write_str(key)?,
                Segment::Key(key) => write!(f, ".{key}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// One change of one node.
///
/// `None` means *the node is not there*, which is not the same as `null`: `from: None` inserts, `to: None` removes, and an
/// edit is undone by exchanging the two. Appending to a sequence is an insertion at the index equal to its length.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The node to change.
    pub path: Path,
    /// What stands there now; an edit applies only if this is so.
    pub from: Option<Value>,
    /// What shall stand there.
    pub to: Option<Value>,
    /// For an insertion into a mapping: the key after which the new one reads best, if that key is there.
    pub after: Option<String>,
}

impl Edit {
    /// A change of `path` from one value to another.
    pub fn new(path: Path, from: Option<Value>, to: Option<Value>) -> Self {
        Self { path, from, to, after: None }
    }

    /// The edit that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self { path: self.path.clone(), from: self.to.clone(), to: self.from.clone(), after: self.after.clone() }
    }
}

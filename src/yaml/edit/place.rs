//! Finding the node a step is about, and whether it may be written at all. Never writes.

use yaml_edit::SyntaxKind as Kind;

use super::{Refusal, line_of};
use crate::core::edit::Path;
use crate::yaml::scalar::Quotes;
use crate::yaml::tree::{NodePlace, SyntaxNode, SyntaxTree, is_like_json, key_of, significant, span_of, untagged};

/// A text and its tree.
pub(super) struct Site<'a> {
    pub(super) text: &'a str,
    pub(super) tree: &'a SyntaxTree,
}

impl Site<'_> {
    /// The node at `path`, which may be written: it stands there itself, not behind an alias or merge key, and no alias
    /// elsewhere repeats it.
    pub(super) fn locate(&self, path: &Path) -> Result<NodePlace, Refusal> {
        let mut trail = self.tree.trail(path);
        for place in &trail {
            if let Some(content) = &place.content
                && untagged(content).kind() == Kind::ALIAS
            {
                let name = content.text().to_string();
                return Err(self.refuse(path, format!("it is the alias {name}; write its value there instead"), Some(content)));
            }
            if let Some(anchor) = place.anchor() {
                let name = anchor.text().trim_start_matches('&');
                if let Some((_, alias)) = self.tree.aliases().iter().find(|(alias, _)| alias == name) {
                    let line = line_of(self.text, alias);
                    let reason =
                        format!("it belongs to the anchor &{name}, which line {line} repeats; write the value out there");
                    let span = Some(span_of(&anchor));
                    return Err(Refusal::NotEditable { path: path.clone(), reason, span });
                }
            }
        }
        if trail.len() == path.0.len() + 1
            && let Some(place) = trail.pop()
        {
            return Ok(place);
        }
        let last = trail.pop().map(|place| place.entry);
        Err(self.refuse(path, "it is not written there itself; write it out in its place", last.as_ref()))
    }

    /// The mapping or sequence at `path`.
    pub(super) fn collection(&self, path: &Path, kind: Kind) -> Result<SyntaxNode, Refusal> {
        let place = self.locate(path)?;
        match place.content.as_ref().map(untagged) {
            Some(node) if node.kind() == kind => Ok(node),
            _ => Err(self.refuse(path, "it is not written as a collection", Some(&place.entry))),
        }
    }

    pub(super) fn refuse(&self, path: &Path, reason: impl Into<String>, node: Option<&SyntaxNode>) -> Refusal {
        let span = node.and_then(|node| key_of(node).as_ref().and_then(significant).or_else(|| significant(node)));
        Refusal::NotEditable { path: path.clone(), reason: reason.into(), span }
    }
}

/// The quotes of what is written into a collection, or in place of an entry of one.
pub(super) fn quotes_in(node: &SyntaxNode) -> Quotes {
    if is_like_json(node) { Quotes::Double } else { Quotes::Needed }
}

/// The quotes of text that takes the place of a scalar: those that it has, if any.
pub(super) fn quotes_of(scalar: &SyntaxNode) -> Option<Quotes> {
    match scalar.text().char_at(0.into()) {
        Some('"') => Some(Quotes::Double),
        Some('\'') => Some(Quotes::Single),
        _ => None,
    }
}

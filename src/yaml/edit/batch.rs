//! Splices collected against one syntax tree, as long as no step disturbs what an earlier one found. Never decides how a
//! step is written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::place::Site;
use super::splice::Splice;
use super::{NodeChange, Refusal};
use crate::core::edit::{Path, Segment};
use crate::yaml::guard;
use crate::yaml::tree::{NodePlace, SyntaxNode, SyntaxTree, is_flow, untagged};

/// Order of splices: by place, then from the inside out (what is new in a nested collection stands before what is new after
/// it), then as they came.
type Key = (usize, usize, Reverse<usize>, usize);

/// Edits in progress.
pub(super) struct EditBatch {
    text: String,
    tree: SyntaxTree,
    splices: BTreeMap<Key, Splice>,
    changes: Changes,
}

/// What the collected splices change, so that it can be told whether a step disturbs them.
#[derive(Default)]
struct Changes {
    /// Changed nodes.
    touched: HashSet<Path>,
    /// All nodes above them.
    above: HashSet<Path>,
    /// New keys, each with the key it was put after.
    inserted: HashMap<Path, Option<String>>,
    /// Collections with new entries.
    grown: HashSet<Path>,
    /// Collections that lost entries: how many, and of a sequence the least index lost.
    shrunk: HashMap<Path, (usize, usize)>,
}

impl EditBatch {
    /// Of a text, for about so many steps.
    pub(super) fn new(text: &str, count: usize) -> Result<Self, Refusal> {
        let changes = Changes {
            touched: HashSet::with_capacity(count),
            above: HashSet::with_capacity(count),
            inserted: HashMap::with_capacity(count),
            ..Changes::default()
        };
        Ok(Self { text: text.to_owned(), tree: tree_of(text)?, splices: BTreeMap::new(), changes })
    }

    /// Adds a step.
    pub(super) fn add(&mut self, step: &NodeChange) -> Result<(), Refusal> {
        if self.changes.disturbed_by(step, &self.tree) {
            self.flush()?;
        }
        let mut splices = self.splices_of(step)?;
        if splices.iter().any(|splice| self.overlaps(&splice.range)) {
            self.flush()?;
            splices = self.splices_of(step)?;
        }
        self.changes.note(step);
        for splice in splices {
            let key = (splice.range.start, splice.range.end, Reverse(splice.path.0.len()), self.splices.len());
            self.splices.insert(key, splice);
        }
        Ok(())
    }

    /// The edited text.
    pub(super) fn finish(mut self) -> Result<String, Refusal> {
        if !self.splices.is_empty() {
            self.text = self.spliced()?;
        }
        Ok(self.text)
    }

    fn splices_of(&self, step: &NodeChange) -> Result<Vec<Splice>, Refusal> {
        let site = Site { text: &self.text, tree: &self.tree };
        match step {
            NodeChange::Replace(path, value) => site.replace(path, value),
            NodeChange::Insert(parent, key, value, after) => {
                site.insert(parent, key, value, self.changes.known(parent, after.as_deref()))
            }
            NodeChange::Append(parent, index, value) => site.append(parent, *index, value),
            NodeChange::Remove(path) => site.remove(path),
        }
    }

    fn overlaps(&self, range: &Range<usize>) -> bool {
        let key = (range.start, range.end, Reverse(0), usize::MAX);
        let before = self.splices.range(..key).next_back();
        let after = self.splices.range(key..).next();
        before.is_some_and(|(_, splice)| splice.range.end > range.start)
            || after.is_some_and(|(_, splice)| splice.range.start < range.end)
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        if !self.splices.is_empty() {
            let text = self.spliced()?;
            self.tree = tree_of(&text)?;
            self.text = text;
        }
        self.splices.clear();
        self.changes = Changes::default();
        Ok(())
    }

    fn spliced(&self) -> Result<String, Refusal> {
        let mut out = String::with_capacity(self.text.len() + 256 * self.splices.len());
        let mut done = 0;
        for splice in self.splices.values() {
            guard::confined(&self.text, &self.tree, splice)?;
            out.push_str(&self.text[done..splice.range.start]);
            out.push_str(&splice.text);
            done = splice.range.end;
        }
        out.push_str(&self.text[done..]);
        Ok(out)
    }
}

pub(super) fn tree_of(text: &str) -> Result<SyntaxTree, Refusal> {
    let tree = SyntaxTree::parse(text);
    match &tree.fault {
        None => Ok(tree),
        Some((message, span)) => Err(Refusal::NotEditable {
            path: Path::root(),
            reason: format!("headcount cannot edit this text: {message}"),
            span: Some(span.clone()),
        }),
    }
}

impl Changes {
    /// Whether a step must see the text with the changes so far.
    fn disturbed_by(&self, step: &NodeChange, tree: &SyntaxTree) -> bool {
        let path = step.path();
        let mut prefix = Path::root();
        for segment in &path.0 {
            if let Segment::Index(index) = segment
                && self.shrunk.get(&prefix).is_some_and(|(_, least)| least <= index)
            {
                return true;
            }
            prefix.0.push(segment.clone());
            if self.touched.contains(&prefix) {
                return true;
            }
        }
        let Some((parent, _)) = path.split_last() else { return !self.touched.is_empty() };
        let (grown, lost) = (self.grown.contains(&parent), self.shrunk.get(&parent).map_or(0, |(count, _)| *count));
        let collection = || tree.trail(&parent).pop().and_then(|place| place.content).map(|content| untagged(&content));
        self.above.contains(&path)
            || match step {
                // Where nothing is written in `{ a:, b: 1 }`, a value and a new entry go to the same place.
                NodeChange::Replace(..) => grown && collection().is_some_and(|collection| has_gap(tree, &collection)),
                NodeChange::Insert(..) | NodeChange::Append(..) => {
                    let gap = |collection| has_gap(tree, &collection);
                    lost > 0 || (self.above.contains(&parent) && collection().is_none_or(gap))
                }
                // The first and the last one left are removed in another way than the others.
                NodeChange::Remove(_) => {
                    let plain = |collection| is_plain_removal(tree, &collection, &path, lost);
                    grown || (lost > 0 && !collection().is_some_and(plain))
                }
            }
    }

    /// The key to insert after. A key put in just now is not in the tree; what it was put after is.
    fn known<'a>(&'a self, parent: &Path, after: Option<&'a str>) -> Option<&'a str> {
        let after = after?;
        self.inserted.get(&parent.key(after)).map_or(Some(after), Option::as_deref)
    }

    fn note(&mut self, step: &NodeChange) {
        let path = step.path();
        let mut above = path.clone();
        // Above one that is known, all are.
        while above.0.pop().is_some() && !self.above.contains(&above) {
            self.above.insert(above.clone());
        }
        if let Some((parent, last)) = path.split_last() {
            match step {
                NodeChange::Replace(..) => {}
                NodeChange::Insert(_, _, _, after) => {
                    let after = self.known(&parent, after.as_deref()).map(str::to_owned);
                    self.inserted.insert(path.clone(), after);
                    self.grown.insert(parent);
                }
                NodeChange::Append(..) => {
                    self.grown.insert(parent);
                }
                NodeChange::Remove(_) => {
                    let index = if let Segment::Index(index) = last { *index } else { 0 };
                    let (count, least) = self.shrunk.entry(parent).or_insert((0, index));
                    *count += 1;
                    *least = index.min(*least);
                }
            }
        }
        self.touched.insert(path);
    }
}

/// Whether an entry in braces or brackets has no value written, or there is no entry at all.
fn has_gap(tree: &SyntaxTree, collection: &SyntaxNode) -> bool {
    let entries = tree.entries(collection);
    is_flow(collection) && (entries.is_empty() || entries.iter().any(|entry| NodePlace::of_entry(entry).content.is_none()))
}

/// Whether an entry is neither the first nor the last one left nor written in flow style, so that its lines go and nothing
/// else.
fn is_plain_removal(tree: &SyntaxTree, collection: &SyntaxNode, path: &Path, lost: usize) -> bool {
    let entries = tree.entries(collection);
    let entry = tree.trail(path).pop().map(|place| place.entry);
    !is_flow(collection) && entries.first() != entry.as_ref() && lost + 1 < entries.len()
}

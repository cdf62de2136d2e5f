//! Where the items of a manifest's list of sessions stand in its text, as far as that is beyond doubt. Never edits anything.

use std::ops::Range;

use serde_yaml::{Mapping, Value};

use super::reader::repeats_anchor_set_twice;
use super::text::BOM;
use super::untyped;

/// The line before the items.
const HEAD: &str = "sessions:\n";

/// The places of the items: each has whole lines of its own, from its dash to the line before the next one's.
///
/// What is said here is proven, not guessed, when it is made: every item, read alone below a `sessions:` of its own, has the
/// value it has in the whole; and the text without the items, read with an empty list in their place, has all the other values. So
/// the text is the concatenation of parts that mean by themselves what they mean together.
///
/// An item that is being edited needs no such proof of what it was: the guard proves what it is afterwards, which is what counts.
///
/// That stays so when one item's lines are replaced by others that are, alone, again exactly one item (which is what the guard
/// checks there). A YAML reader takes nothing from one item to the next but these things, and none of them is there:
///
/// * an open quote, brace or bracket: alone, the item would not load;
/// * an anchor whose alias stands elsewhere, a tag handle: alone, the item with the alias would not load; texts with directives
///   or merge keys, or that set an anchor twice and repeat it, are not indexed at all;
/// * a scalar that goes on below: a plain one ends at a line that is indented no deeper than the item's dash, a block scalar at
///   one indented less than its own text, and the next item's dash, or the next key, is such a line;
/// * what only the first line or the whole text has: the byte order mark, the kind of line breaks, the final newline. Texts
///   with anything but plain LF lines that all end are not indexed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Items {
    /// Where the first item begins; each ends where the next one does, the last at the last of these.
    bounds: Vec<usize>,
}

impl Items {
    /// The places of the items of a text with this value; `None` if there is any doubt.
    pub(super) fn of(text: &str, value: &Value) -> Option<Self> {
        let items = Self::candidates(text, value)?;
        let mut list = sessions(value)?.iter().enumerate();
        let is_alone = |(index, item)| items.chunk(text, index).is_some_and(|chunk| Self::is_alone(chunk, item));
        (list.all(is_alone) && items.proven_frame(text, value).is_some()).then_some(items)
    }

    /// The places that these items can only have, if they have any: each of them is still to be proven to read alone as it does
    /// in the whole, before it is edited or afterwards, and so is what is around them.
    pub(super) fn candidates(text: &str, value: &Value) -> Option<Self> {
        let list = sessions(value).filter(|list| !list.is_empty())?;
        if repeats_anchor_set_twice(text) {
            return None;
        }
        Self::guess(text).filter(|items| items.bounds.len() == list.len() + 1)
    }

    /// Whether the lines of an item read alone as this item and nothing else.
    pub(super) fn is_alone(chunk: &str, item: &Value) -> bool {
        let Ok(alone) = untyped::read(&Self::alone(chunk)) else { return false };
        sessions(&alone).map(Vec::as_slice) == Some(std::slice::from_ref(item)) && is_list_alone(&alone)
    }

    /// What the text says with an empty list in the place of the items, if it says all else then as well.
    pub(super) fn proven_frame(&self, text: &str, value: &Value) -> Option<Value> {
        untyped::read(&self.frame(text)?).ok().filter(|read| without_items(value).as_ref() == Some(read))
    }

    /// The text with an empty list in the place of the items.
    fn frame(&self, text: &str) -> Option<String> {
        let (head, _) = bounds(text)?;
        Some(format!("{}{SESSIONS}: []\n{}", text.get(..head)?, text.get(*self.bounds.last()?..)?))
    }

    /// Where the items of a text seem to stand: nothing is proven of them.
    pub(super) fn guess(text: &str) -> Option<Self> {
        bounds(text).filter(|_| is_plain(text)).map(|(_, bounds)| Self { bounds })
    }

    /// The bytes of all items.
    pub(super) fn whole(&self) -> Range<usize> {
        self.bounds.first().copied().unwrap_or_default()..self.bounds.last().copied().unwrap_or_default()
    }

    /// The items that a range of bytes touches.
    pub(super) fn touching(&self, range: &Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
        let spans = self.bounds.windows(2).map(|pair| pair[0]..pair[1]).enumerate();
        let range = range.clone();
        spans.filter(move |(_, span)| span.start < range.end && range.start < span.end)
    }

    /// The lines of an item.
    pub(super) fn chunk<'a>(&self, text: &'a str, index: usize) -> Option<&'a str> {
        text.get(self.range(index)?)
    }

    /// How far the places in a text of one item alone are from those in the whole.
    pub(super) const fn shift(start: usize) -> usize {
        start.saturating_sub(HEAD.len())
    }

    fn range(&self, index: usize) -> Option<Range<usize>> {
        Some(*self.bounds.get(index)?..*self.bounds.get(index + 1)?)
    }

    /// An item's lines as a text of their own.
    pub(super) fn alone(chunk: &str) -> String {
        format!("{HEAD}{chunk}")
    }

    /// What that text says.
    pub(super) fn value_alone(item: Value) -> Value {
        list_alone(vec![item])
    }

    /// The lines of an item in a text of its own after an edit; `None` if they cannot take the place of the ones before.
    pub(super) fn replacement<'a>(before: &str, alone: &'a str) -> Option<&'a str> {
        let chunk = alone.strip_prefix(HEAD)?;
        let indent = |text: &str| text.len() - text.trim_start_matches(' ').len();
        let is_one = is_plain(chunk) && bounds(alone)? == (0, vec![HEAD.len(), alone.len()]);
        (is_one && indent(chunk) == indent(before)).then_some(chunk)
    }

    /// The text with other lines for some items, which come in order.
    pub(super) fn splice<'a>(&self, text: &str, changes: impl Iterator<Item = (usize, &'a str)>) -> Option<String> {
        let mut out = String::with_capacity(text.len() + 256);
        let mut done = 0;
        for (index, chunk) in changes {
            let range = self.range(index)?;
            out.push_str(text.get(done..range.start)?);
            out.push_str(chunk);
            done = range.end;
        }
        out.push_str(text.get(done..)?);
        Some(out)
    }

    /// The places after some items, which come in order, got lines of another length.
    pub(super) fn resized(&self, mut changes: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut change = changes.next();
        let mut bounds = Vec::with_capacity(self.bounds.len());
        let mut end = self.bounds.first().copied().unwrap_or_default();
        bounds.push(end);
        for (index, pair) in self.bounds.windows(2).enumerate() {
            let length = match change.filter(|(changed, _)| *changed == index) {
                Some((_, length)) => {
                    change = changes.next();
                    length
                }
                None => pair.iter().rev().copied().reduce(|end, start| end - start).unwrap_or_default(),
            };
            end += length;
            bounds.push(end);
        }
        Self { bounds }
    }
}

/// Whether a text has nothing in it that makes one part depend on another: only LF lines, all ended, no byte order mark,
/// directive, marker of a document, tab or merge key.
fn is_plain(text: &str) -> bool {
    let strange = ['\r', '\t', BOM, '\u{85}', '\u{2028}', '\u{2029}'];
    let is_marker = |line: &str| line.starts_with('%') || line.starts_with("---") || line.starts_with("...");
    text.ends_with('\n') && !text.contains(strange) && !text.contains("<<") && !text.lines().any(is_marker)
}

/// Where the line of the list begins, and where each item does, with the end of the last. A guess, to be proven.
fn bounds(text: &str) -> Option<(usize, Vec<usize>)> {
    let is_head = |line: &str| {
        let rest = line.strip_prefix(SESSIONS).and_then(|rest| rest.strip_prefix(':'));
        rest.is_some_and(|rest| rest.trim_start_matches(' ').is_empty() || rest.trim_start_matches(' ').starts_with('#'))
    };
    let mut lines = text.split_inclusive('\n').scan(0, |offset, line| {
        let start = *offset;
        *offset += line.len();
        Some((start, line.trim_end_matches('\n')))
    });
    let (head, _) = lines.find(|(_, line)| is_head(line))?;
    let (mut bounds, mut dash) = (Vec::new(), None);
    for (start, line) in lines {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let is_item = content.starts_with("- ");
        match dash {
            None if is_item => {
                dash = Some(indent);
                bounds.push(start);
            }
            None => return None,
            Some(dash) if indent > dash => {}
            Some(dash) if indent == dash && is_item => bounds.push(start),
            Some(_) => {
                bounds.push(start);
                return Some((head, bounds));
            }
        }
    }
    dash?;
    bounds.push(text.len());
    Some((head, bounds))
}

/// Whether a document has nothing but the list.
fn is_list_alone(value: &Value) -> bool {
    matches!(value, Value::Mapping(top) if top.len() == 1)
}

/// The value with an empty list.
fn without_items(value: &Value) -> Option<Value> {
    let Value::Mapping(top) = value else { return None };
    let empty = |(key, value): (&Value, &Value)| {
        let value = if key.as_str() == Some(SESSIONS) { Value::Sequence(Vec::new()) } else { value.clone() };
        (key.clone(), value)
    };
    Some(Value::Mapping(top.iter().map(empty).collect()))
}
/// The key of the list.
pub(super) const SESSIONS: &str = "sessions";

/// The list of sessions.
pub(super) fn sessions(value: &Value) -> Option<&Vec<Value>> {
    match value {
        Value::Mapping(top) => match top.get(SESSIONS) {
            Some(Value::Sequence(list)) => Some(list),
            _ => None,
        },
        _ => None,
    }
}

/// A document with nothing but this list.
pub(super) fn list_alone(list: Vec<Value>) -> Value {
    let mut top = Mapping::new();
    top.insert(Value::String(SESSIONS.to_owned()), Value::Sequence(list));
    Value::Mapping(top)
}

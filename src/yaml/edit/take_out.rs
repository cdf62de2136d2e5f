//! One item of a list taken out of a text with everything that is its own, its comments included, and put back. Decides nothing about
//! when; never takes a line of anything else.

use serde_json::Value as Json;
use serde_yaml::Value;

use super::batch::tree_of;
use super::layout::{end_with_comments, lines_end};
use super::model::{NodeChange, take};
use super::place::Site;
use super::{Refusal, apply};
use crate::core::edit::{Edit, Path, Segment};
use crate::yaml::load::unreadable_text;
use crate::yaml::text::{break_at, line_start};
use crate::yaml::tree::within_flow;
use crate::yaml::{guard, untyped};

/// A text without one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOut {
    /// The text that is left.
    pub text: String,
    /// Where something was taken out.
    pub offset: usize,
    /// The bytes that were taken out there.
    pub taken: String,
    /// What stands in their place: nothing, or an empty list.
    pub put: String,
    /// What the item said.
    pub value: Json,
}

/// Takes the item at `path` out, with its comments: those in its lines, and those below that are indented as a part of it.
///
/// # Errors
/// Something else needs it, or its lines are not its own; then nothing was changed.
pub fn take_out(text: &str, path: &Path) -> Result<TakenOut, Refusal> {
    let value = read(text)?;
    let tree = tree_of(text)?;
    let site = Site { text, tree: &tree };
    let mut splices = site.remove(path)?;
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let entry = tree.trail(path).pop().map(|place| place.entry);
    if let (Some(entry), Some(last)) = (entry.filter(|entry| !within_flow(entry)), splices.last_mut())
        && let Some(end) = lines_end(text, &entry)
    {
        let below = end_with_comments(text, &entry, end);
        if below > end && below > last.range.end {
            let is_whole = last.range.end == line_start(text, last.range.end);
            last.range.end = if is_whole { below } else { without_break(text, below) };
            if below == text.len() && !text.ends_with(['\n', '\r']) {
                last.range.start = text[..last.range.start].trim_end_matches([' ', '\t', '\r', '\n']).len();
            }
        }
    }
    let (Some(first), Some(last)) = (splices.first(), splices.last()) else {
        return Err(site.refuse(path, "its position is unknown", None));
    };
    let (offset, end) = (first.range.start, last.range.end);
    let (mut put, mut done) = (String::new(), offset);
    for splice in &splices {
        put.push_str(text.get(done..splice.range.start).unwrap_or_default());
        put.push_str(&splice.text);
        done = splice.range.end;
    }
    let left = [&text[..offset], &put, &text[end..]].concat();
    let step = NodeChange::Remove(path.clone());
    let mut intended = value.clone();
    take(&mut intended, &step);
    guard::check(text, &left, &value, &intended, &[step])?;
    let said = super::model::lookup(&value, path).and_then(|item| serde_json::to_value(item).ok());
    let value = said.ok_or_else(|| site.refuse(path, "it has keys that are no text", None))?;
    Ok(TakenOut { text: left, offset, taken: text[offset..end].to_owned(), put, value })
}

/// Puts an item back as the one at `path`: its own lines before those of the item that stands there now, or behind the last one.
/// Where its lines alone cannot stand there it is written anew at the end of the list, by its value.
///
/// # Errors
/// It cannot be written there at all; then nothing was changed.
pub fn put_back(text: &str, path: &Path, lines: &str, value: &Json) -> Result<String, Refusal> {
    if let Some(new) = with_lines(text, path, lines, value) {
        return Ok(new);
    }
    let Some((list, _)) = path.split_last() else { return apply(text, &[]) };
    let count = match super::model::lookup(&read(text)?, &list) {
        Some(Value::Sequence(items)) => items.len(),
        Some(Value::Null) => return apply(text, &[Edit::new(list, Some(Json::Null), Some(Json::Array(vec![value.clone()])))]),
        _ => 0,
    };
    apply(text, &[Edit::new(list.index(count), None, Some(value.clone()))])
}

/// The text with the very lines of an item, if it then says just that.
fn with_lines(text: &str, path: &Path, lines: &str, value: &Json) -> Option<String> {
    let (list, Segment::Index(index)) = path.split_last()? else { return None };
    let is_whole = lines.trim_start_matches([' ', '\t']).starts_with('-') && lines.ends_with(['\n', '\r']);
    let tree = tree_of(text).ok()?;
    let item = |index: usize| tree.trail(&list.index(index)).pop().filter(|place| !within_flow(&place.entry));
    let before = untyped::read(text).ok()?;
    let Some(Value::Sequence(items)) = super::model::lookup(&before, &list) else { return None };
    if !is_whole || items.is_empty() || *index > items.len() {
        return None;
    }
    let offset = if *index < items.len() {
        let start = crate::yaml::tree::significant(&item(*index)?.entry)?.start;
        Some(line_start(text, start)).filter(|line| text[*line..start].trim_matches([' ', '\t']).is_empty())?
    } else {
        let entry = item(items.len() - 1)?.entry;
        Some(end_with_comments(text, &entry, lines_end(text, &entry)?)).filter(|end| *end == line_start(text, *end))?
    };
    let new = [&text[..offset], lines, &text[offset..]].concat();
    let mut intended = before.clone();
    let Some(Value::Sequence(items)) = super::model::lookup_mut(&mut intended, &list) else { return None };
    items.insert(*index, serde_yaml::to_value(value).ok()?);
    (untyped::read(&new).ok()? == intended).then_some(new)
}

fn read(text: &str) -> Result<Value, Refusal> {
    untyped::read(text).map_err(|unreadable| {
        let diagnostic = unreadable_text(text, &unreadable);
        Refusal::Unreadable { reason: diagnostic.message, span: diagnostic.span }
    })
}

/// The place before the line break that ends at `end`, if one does.
fn without_break(text: &str, end: usize) -> usize {
    let before = text[..end].trim_end_matches(['\n', '\r']).len();
    if before + break_at(text, before).len() == end { before } else { end }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn item(index: usize) -> Path {
        Path::root().key("sessions").index(index)
    }

    const TEXT: &str = "version: 1\n# all of them\nsessions:\n  # the first\n  - name: a # its name\n    agent: claude\n      # below it\n\n  \
        # the second\n  - name: b\n    # inside\n    env: { X: \"1\" }\n  - {name: c, agent: pi} # c\n# the end\n";

    #[test]
    fn an_item_goes_with_its_own_comments_and_comes_back_byte_for_byte() {
        for (index, kept) in [(0, "# the first"), (1, "# the second"), (2, "# the end")] {
            let out = take_out(TEXT, &item(index)).unwrap();
            assert!(out.text.contains(kept), "{}", out.text);
            assert!(!out.text.contains(["# its name", "# inside", "# c\n"][index]), "{}", out.text);
            let whole = [&out.text[..out.offset], &out.taken, &out.text[out.offset + out.put.len()..]].concat();
            assert_eq!(whole, TEXT);
            let back = put_back(&out.text, &item(index), &out.taken, &out.value).unwrap();
            assert_eq!(untyped::read(&back).unwrap(), untyped::read(TEXT).unwrap());
            assert!(back.contains(["# its name", "# inside", "# c\n"][index]), "{back}");
        }
    }

    #[test]
    fn the_only_item_leaves_an_empty_list() {
        for text in [
            "version: 1\nsessions:\n  - name: a # x\n    agent: claude\n    # more\nlead: {}\n",
            "version: 1\nsessions:\n- name: a\n  agent: claude\n    # more",
            "sessions: [{name: a}] # one\n",
            "version: 1\r\nsessions:\r\n  - name: a\r\n",
        ] {
            let out = take_out(text, &item(0)).unwrap();
            assert!(out.text.contains("[]") && !out.text.contains("more"), "{}", out.text);
            assert_eq!([&out.text[..out.offset], &out.taken, &out.text[out.offset + out.put.len()..]].concat(), text);
            let back = put_back(&out.text, &item(0), &out.taken, &out.value).unwrap();
            assert!(back.contains("name: a"), "{back}");
        }
    }

    #[test]
    fn what_others_need_is_not_taken_out() {
        let text = "sessions:\n  - &one\n    name: a\n    agent: pi\n  - <<: *one\n    name: b\n";
        assert!(take_out(text, &item(0)).unwrap_err().why().contains("anchor"));
        assert_eq!(take_out(text, &item(1)).unwrap().text, "sessions:\n  - &one\n    name: a\n    agent: pi\n");
    }

    #[test]
    fn where_its_lines_do_not_fit_any_more_it_is_written_anew() {
        let value = json!({"name": "a", "agent": "pi"});
        for text in ["sessions: []\n", "sessions: [{name: b}]\n", "sessions:\n", "sessions:\n      - name: b\n"] {
            let back = put_back(text, &item(0), "  - name: a\n    agent: pi\n", &value).unwrap();
            let read = untyped::read(&back).unwrap();
            let Some(Value::Sequence(items)) = super::super::model::lookup(&read, &Path::root().key("sessions")) else {
                panic!("{back}")
            };
            assert!(items.contains(&serde_yaml::to_value(&value).unwrap()), "{back}");
        }
    }
}

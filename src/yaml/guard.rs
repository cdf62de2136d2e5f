//! The guard around every edit: exactly the intended values change, and only bytes of the touched nodes. Never repairs.

use std::ops::Range;

use serde_yaml::Value;

use super::edit::layout::{end_with_comments, lines_end};
use super::edit::model::{NodeChange, lookup, lookup_mut, take};
use super::edit::refusal::Refusal;
use super::edit::splice::{Purpose, Splice};
use super::text::{BOM, break_at, break_kinds, line_before, line_end, position};
use super::tree::{SyntaxNode, SyntaxTree, significant, within_flow};
use super::untyped;
use crate::core::edit::{Path, Segment};

/// Judges an edited text: `value` is what `old` says, `intended` what `new` must say. Gives what it does say.
pub(super) fn check(old: &str, new: &str, value: &Value, intended: &Value, steps: &[NodeChange]) -> Result<Value, Refusal> {
    let read =
        untyped::read(new).map_err(|unreadable| refuse(format!("the edited text does not load: {}", unreadable.error)))?;
    if let Some(path) = difference(intended, &read, Path::root()) {
        let span = SyntaxTree::parse(old).span(&path, false);
        return Err(Refusal::Guard { reason: format!("the edited text would have another value at {path}"), span });
    }
    if old.contains("<<") {
        through_merges(old, value.clone(), intended, read.clone(), steps)?;
    }
    if old.starts_with(BOM) != new.starts_with(BOM) {
        return Err(refuse("the byte order mark would change"));
    }
    let kinds = break_kinds(old);
    let had_any = kinds.contains(&true);
    if had_any && kinds.iter().zip(break_kinds(new)).any(|(before, after)| after && !before) {
        return Err(refuse("the line endings would change"));
    }
    if old.ends_with(['\n', '\r']) != new.ends_with(['\n', '\r']) {
        return Err(refuse("the final newline would change"));
    }
    Ok(read)
}

/// The second comparison: with merge keys applied, nothing but the same nodes may have changed either.
fn through_merges(old: &str, value: Value, intended: &Value, read: Value, steps: &[NodeChange]) -> Result<(), Refusal> {
    let merge = |value: Value| untyped::merged(value).map_err(|error| refuse(format!("a merge key would break: {error}")));
    let mut expected = merge(value)?;
    let told = merge(intended.clone())?;
    let read = merge(read)?;
    for step in steps {
        overlay(&mut expected, &told, step);
    }
    match difference(&expected, &read, Path::root()) {
        None => Ok(()),
        Some(path) => {
            let span = SyntaxTree::parse(old).span(&path, false);
            Err(Refusal::Guard {
                reason: format!("the change would reach {path} through a merge key; write that value out there"),
                span,
            })
        }
    }
}

/// A step on the merged value: an own key hides the merged one of that name, which shows again when the own one goes.
fn overlay(expected: &mut Value, told: &Value, step: &NodeChange) {
    take(expected, step);
    if let NodeChange::Remove(path) = step
        && let (Some((parent, Segment::Key(key))), Some(merged)) = (path.split_last(), lookup(told, path))
        && let Some(Value::Mapping(mapping)) = lookup_mut(expected, &parent)
    {
        mapping.insert(Value::String(key.clone()), merged.clone());
    }
}

/// The first node in which two values differ.
fn difference(expected: &Value, found: &Value, path: Path) -> Option<Path> {
    match (expected, found) {
        _ if expected == found => None,
        (Value::Mapping(expected), Value::Mapping(found)) => {
            for (key, value) in expected {
                let Value::String(name) = key else { continue };
                match found.get(key) {
                    Some(other) if value == other => {}
                    Some(other) => return difference(value, other, path.key(name)),
                    None => return Some(path.key(name)),
                }
            }
            let extra = found.keys().find(|key| !expected.contains_key(*key)).and_then(Value::as_str);
            Some(extra.map_or(path.clone(), |name| path.key(name)))
        }
        (Value::Sequence(expected), Value::Sequence(found)) => {
            let pairs = expected.iter().zip(found);
            let same = pairs.take_while(|(value, other)| value == other).count();
            match (expected.get(same), found.get(same)) {
                (Some(value), Some(other)) => difference(value, other, path.index(same)),
                _ => Some(path.index(same)),
            }
        }
        _ => Some(path),
    }
}

/// Judges one splice of a text: it stays within the lines of its node, takes no comment, and leaves none without its node.
pub(super) fn confined(text: &str, tree: &SyntaxTree, splice: &Splice) -> Result<(), Refusal> {
    if splice.range.is_empty() {
        return Ok(());
    }
    let refuse = |reason: String, span: Range<usize>| Err(Refusal::Guard { reason, span: Some(span) });
    let mut trail = tree.trail(&splice.path);
    let place = trail.pop().filter(|_| trail.len() == splice.path.0.len());
    // An item that is appended to `[]` takes the place of the brackets.
    let place = place.or_else(|| trail.pop().filter(|_| splice.purpose == Purpose::Replace));
    let Some((entry, node)) = place.and_then(|place| Some((place.entry.clone(), significant(&place.entry)?))) else {
        return refuse(format!("{} would move", splice.path), splice.range.clone());
    };
    let mut lines = lines_of(text, &node);
    // The blank lines below a block scalar may be a part of it.
    lines.end = lines.end.max(entry.text_range().end().into());
    if splice.purpose == Purpose::Remove {
        // The next entry moves up to a dash; the comma before an entry in braces goes with it.
        let next = entry.next_sibling().as_ref().and_then(significant);
        lines.end = lines.end.max(next.map_or(0, |next| next.start));
        let before = entry.prev_sibling().filter(|_| within_flow(&entry)).as_ref().and_then(significant);
        lines.start = lines.start.min(before.map_or(lines.start, |before| before.end));
    }
    // Blank lines around a removed node may have to go with it.
    let blank =
        |range: Range<usize>| splice.purpose == Purpose::Remove && text.get(range).unwrap_or_default().trim().is_empty();
    if (splice.range.start < lines.start && !blank(splice.range.start..lines.start))
        || (splice.range.end > lines.end && !blank(lines.end..splice.range.end))
    {
        return refuse(format!("lines outside {} would change", splice.path), splice.range.clone());
    }
    // headcount writes no comments, so every one was put there by a person, even inside a node that headcount wrote.
    let inside = if text[splice.range.clone()].contains('#') { tree.comments(&splice.range) } else { Vec::new() };
    if let Some(comment) = inside.into_iter().next() {
        let reason = format!(
            "a comment at {} would be lost (line {}); move it above the entry",
            splice.path,
            position(text, comment.start).0
        );
        return refuse(reason, comment);
    }
    if splice.purpose == Purpose::Remove
        && let Some(comment) = comments_below(text, tree, &entry)
    {
        let line = position(text, comment.start).0;
        return refuse(
            format!("a comment of {} would stay behind (line {line}); move it above the entry", splice.path),
            comment,
        );
    }
    Ok(())
}

/// The first of the comments that stand below an entry and are indented as a part of it.
fn comments_below(text: &str, tree: &SyntaxTree, entry: &SyntaxNode) -> Option<Range<usize>> {
    let end = lines_end(text, entry).filter(|_| !within_flow(entry))?;
    tree.comments(&(end..end_with_comments(text, entry, end))).into_iter().next()
}

/// The lines of a node, with the line break before them and the one after.
fn lines_of(text: &str, node: &Range<usize>) -> Range<usize> {
    let end = line_end(text, node.end);
    line_before(text, node.start)..end + break_at(text, end).len()
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Refusal::Guard { reason: reason.into(), span: None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::yaml::edit::model::take;

    const OLD: &str = "base: &base\n  mux: tmux\nsessions:\n  - <<: *base\n    name: a # n\n    status: running\n  - name: b\n";

    fn status() -> Path {
        Path::root().key("sessions").index(0).key("status")
    }

    fn judged(old: &str, new: &str, step: NodeChange) -> Result<(), String> {
        let value = untyped::read(old).unwrap();
        let mut intended = value.clone();
        take(&mut intended, &step);
        check(old, new, &value, &intended, &[step]).map(|_| ()).map_err(|refusal| refusal.why())
    }

    #[test]
    fn the_intended_change_passes_and_any_other_is_refused() {
        let step = || NodeChange::Replace(status(), json!("stopped"));
        let good = OLD.replace("running", "stopped");
        assert_eq!(judged(OLD, &good, step()), Ok(()));
        for (bad, reason) in [
            (OLD.to_owned(), "sessions[0].status"),
            (good.replace("name: b", "name: c"), "sessions[1].name"),
            (good.replace("  - name: b\n", ""), "sessions[1]"),
            (good.replace("name: b\n", "name: b\n    x: 1\n"), "sessions[1].x"),
            (good.replace("mux: tmux", "mux: zellij"), "base.mux"),
            (good.replace("name: b", "name: ["), "does not load"),
            (format!("\u{feff}{good}"), "byte order mark"),
            (good.replace("a # n\n", "a # n\r\n"), "line endings"),
            (good.trim_end().to_owned(), "final newline"),
        ] {
            assert_ne!(bad, good, "{reason}");
            let refused = judged(OLD, &bad, step()).unwrap_err();
            assert!(refused.contains(reason), "{refused} does not name {reason}:\n{bad}");
        }
    }

    #[test]
    fn an_own_key_may_hide_a_merged_one_and_show_it_again() {
        let mux = Path::root().key("sessions").index(0).key("mux");
        let parent = Path::root().key("sessions").index(0);
        let hidden = OLD.replace("name: a # n\n", "name: a # n\n    mux: zellij\n");
        assert_eq!(judged(OLD, &hidden, NodeChange::Insert(parent, "mux".to_owned(), json!("zellij"), None)), Ok(()));
        assert_eq!(judged(&hidden, OLD, NodeChange::Remove(mux)), Ok(()));
    }

    #[test]
    fn a_change_that_reaches_another_entry_through_a_merge_is_refused() {
        let base = Path::root().key("base").key("mux");
        let refused =
            judged(OLD, &OLD.replace("mux: tmux", "mux: zellij"), NodeChange::Replace(base, json!("zellij"))).unwrap_err();
        assert!(refused.contains("sessions[0]"), "{refused}");
    }

    fn splice(range: Range<usize>, purpose: Purpose) -> Result<(), String> {
        let splice = Splice { range, text: String::new(), purpose, path: Path::root().key("sessions").index(0).key("name") };
        confined(OLD, &SyntaxTree::parse(OLD), &splice).map_err(|refusal| refusal.why())
    }

    #[test]
    fn a_splice_stays_within_the_lines_of_its_node() {
        let start = OLD.find("a # n").unwrap();
        assert_eq!(splice(start..start + 1, Purpose::Replace), Ok(()));
        let next = OLD.find("running").unwrap();
        assert!(splice(start..next, Purpose::Replace).unwrap_err().contains("lines outside"));
        assert!(splice(0..start, Purpose::Remove).unwrap_err().contains("lines outside"));
    }

    #[test]
    fn a_splice_takes_no_comment_whatever_it_is_for() {
        let start = OLD.find("a # n").unwrap();
        for (start, purpose) in [(start, Purpose::Replace), (start - 6, Purpose::Remove)] {
            let refused = splice(start..OLD.find("# n").unwrap() + 3, purpose).unwrap_err();
            assert!(refused.contains("a comment at sessions[0].name would be lost (line 5)"), "{refused}");
        }
    }
}

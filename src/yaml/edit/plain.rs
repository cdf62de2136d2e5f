//! New keys of an item that is written as plainly as can be: their lines are found without a syntax tree. Judges nothing, and
//! gives way wherever anything is out of the ordinary.

use std::collections::HashMap;

use serde_json::Value;

use super::NodeChange;
use super::layout::pair;
use crate::core::edit::Path;

/// The text with these keys put in, as a batch of splices would put them; `None` unless the text is a list of one item, a mapping
/// with a line for each key and no more, and each step puts in a key of it.
pub(super) fn inserted(text: &str, steps: &[NodeChange]) -> Option<String> {
    let steps: Vec<_> = steps.iter().map(insertion).collect::<Option<_>>()?;
    let mut lines = text.split_inclusive('\n');
    let head = lines.next()?;
    let list = head.strip_suffix(":\n").filter(|list| is_word(list))?;
    let mut lines: Vec<&str> = lines.collect();
    // Blank lines are no part of the last entry.
    let end = lines.iter().rposition(|line| *line != "\n")? + 1;
    let blank = lines.split_off(end);
    let first = lines.first()?;
    let dash = first.len() - first.trim_start_matches(' ').len();
    let after_dash = first.get(dash..)?.strip_prefix('-')?;
    let indent = dash + 1 + after_dash.len() - after_dash.trim_start_matches(' ').len();
    if indent == dash + 1 {
        return None;
    }
    let margins = std::iter::once(" -").chain(std::iter::repeat(" "));
    let keys: Vec<&str> =
        lines.iter().zip(margins).map(|(line, margin)| key_at(line, indent, margin)).collect::<Option<_>>()?;
    let last = keys.len() - 1;
    // A new key stands where the one stands that it comes after, behind what was put there before.
    let mut places: HashMap<&str, usize> = keys.iter().enumerate().map(|(at, key)| (*key, at)).collect();
    let mut below: Vec<String> = vec![String::new(); lines.len()];
    for (parent, key, value, after) in steps {
        if *parent != Path::root().key(list).index(0) {
            return None;
        }
        let at = after.and_then(|after| places.get(after).copied()).unwrap_or(last);
        places.insert(key, at);
        for (n, line) in pair(key, value, indent).iter().enumerate() {
            let margin = if n == 0 { " ".repeat(indent) } else { String::new() };
            below[at].push_str(&format!("{margin}{line}\n"));
        }
    }
    let lines = lines.into_iter().zip(&below).flat_map(|(line, below)| [line, below.as_str()]);
    Some(std::iter::once(head).chain(lines).chain(blank).collect())
}

fn insertion(step: &NodeChange) -> Option<(&Path, &str, &Value, Option<&str>)> {
    match step {
        NodeChange::Insert(parent, key, value, after) => Some((parent, key, value, after.as_deref())),
        NodeChange::Replace(..) | NodeChange::Append(..) | NodeChange::Remove(_) => None,
    }
}

/// The key of a line that begins there, behind nothing but such characters.
fn key_at<'a>(line: &'a str, indent: usize, margin: &str) -> Option<&'a str> {
    let (before, entry) = line.split_at_checked(indent)?;
    if before.trim_start_matches(|c| margin.contains(c)).is_empty() { plain_key(entry) } else { None }
}

/// The key of a line with a value that ends there: words, a path, a number, or something in braces or quotes that ends on it.
fn plain_key(line: &str) -> Option<&str> {
    let (key, value) = line.strip_suffix('\n')?.split_once(": ")?;
    let is_odd = |c: char| matches!(c, '&' | '*' | '!' | '|' | '>' | '@' | '`' | '\'' | '\\') || c.is_control();
    let value = value.split_once(" #").map_or(value, |(value, _)| value);
    let ends = match value.chars().next()? {
        '"' => value.trim_end().len() > 1 && value.trim_end().ends_with('"') && value.matches('"').count() == 2,
        '{' => value.trim_end().ends_with('}') && value.matches(['{', '}']).count() == 2 && !value.contains('['),
        first => (first.is_alphanumeric() || matches!(first, '/' | '~' | '_' | '.')) && !value.contains(['"', '{', '[']),
    };
    (is_word(key) && ends && !key.contains(is_odd) && !value.contains(is_odd)).then_some(key)
}

/// Whether a key is written as it reads.
fn is_word(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    const PLAIN: &str = "sessions:\n  - name: a   # it's \"A\"\n    cwd: /x y\n    pane: { id: \"%3\", pid: 7 }\n\n";

    fn insert(key: &str, value: &Value, after: Option<&str>) -> NodeChange {
        NodeChange::Insert(Path::root().key("sessions").index(0), key.to_owned(), value.clone(), after.map(str::to_owned))
    }

    #[test]
    fn a_new_key_stands_behind_the_one_it_comes_after_and_what_was_put_there_before() {
        let steps = [
            insert("status", &json!("running"), Some("cwd")),
            insert("session_id", &json!("x"), Some("status")),
            insert("note", &json!("a: b"), None),
            insert("labels", &json!({ "a": [1] }), Some("cwd")),
            insert("more", &json!([{ "a": 1, "b": 2 }]), Some("nothing")),
        ];
        let edited = inserted(PLAIN, &steps).unwrap();
        let expected = PLAIN
            .replace("/x y\n", "/x y\n    status: running\n    session_id: x\n    labels: { a: [1] }\n")
            .replace("}\n\n", "}\n    note: \"a: b\"\n    more:\n      - a: 1\n        b: 2\n\n");
        assert_eq!(edited, expected);
        assert_eq!(super::super::batched(PLAIN, &steps, steps.len()).unwrap(), edited);
    }

    #[test]
    fn what_is_not_written_plainly_is_left_to_the_tree() {
        let steps = [insert("status", &json!("running"), None)];
        assert!(inserted(PLAIN, &steps).is_some());
        for odd in [
            PLAIN.replace("/x y", "&a /x"),
            PLAIN.replace("/x y", "|\n      x"),
            PLAIN.replace("/x y", "/x\n      y"),
            PLAIN.replace("/x y", "'x'"),
            PLAIN.replace("/x y", "\"x\n      y\""),
            PLAIN.replace("/x y", "[a]"),
            PLAIN.replace("/x y", ""),
            PLAIN.replace(" /x y", "\t/x"),
            PLAIN.replace("pid: 7 }", "pid: 7,\n      x: y }"),
            PLAIN.replace("    cwd", "    # a comment\n    cwd"),
            PLAIN.replace("    cwd", "    \"cwd\""),
            PLAIN.replace("    cwd", "  cwd"),
            PLAIN.replace("}\n\n", "}\n\n    # a comment\n"),
            PLAIN.replace('\n', "\r\n"),
            PLAIN.trim_end().to_owned(),
            PLAIN.replace("- name", "-\n    name"),
            format!("{PLAIN}  - name: b\n"),
            format!("version: 1\n{PLAIN}"),
        ] {
            assert_eq!(inserted(&odd, &steps), None, "{odd}");
        }
        let path = Path::root().key("sessions").index(0).key("cwd");
        assert_eq!(inserted(PLAIN, &[NodeChange::Replace(path.clone(), json!("/y"))]), None);
        assert_eq!(inserted(PLAIN, &[NodeChange::Remove(path)]), None);
    }
}

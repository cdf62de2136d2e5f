//! What must hold of every edit that was made: exactly the intended value, no comment, no other line.

use headcount::core::edit::Edit;
use serde_json::Value;

use super::world::{at, edited};

/// The value of a text as another reading of the same reader: into JSON, keys in any order.
pub fn value(text: &str) -> Value {
    try_value(text).expect("a value JSON can say")
}

/// `None` also of a text that only the rewriting of `yaml::reader` makes readable.
pub fn try_value(text: &str) -> Option<Value> {
    serde_json::to_value(raw_value(text)?).ok()
}

/// libyaml takes three characters for line breaks that are none in YAML 1.2: others stand in for them.
pub fn raw_value(text: &str) -> Option<serde_yaml::Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_yaml::from_str(&text.replace('\u{85}', "\u{f085}").replace('\u{2028}', "\u{f028}").replace('\u{2029}', "\u{f029}"))
        .ok()
}

fn comments(text: &str) -> Vec<String> {
    yaml_edit::YamlFile::parse(text).tree().comments().map(|comment| comment.text().to_owned()).collect()
}

/// The bytes in which two texts differ, after taking away what they begin and end with in common.
fn windows<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let (a, b) = (old.as_bytes(), new.as_bytes());
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let tail = a[head..].iter().rev().zip(b[head..].iter().rev()).take_while(|(x, y)| x == y).count();
    let cut = |text: &'a str| {
        let (mut start, mut end) = (head, text.len() - tail);
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        &text[start..end]
    };
    (cut(old), cut(new))
}

fn is_scalar(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_object() && !value.is_array())
}

/// What must hold of every edit that was made, whatever the text.
pub fn check(old: &str, new: &str, edit: &Edit) {
    let context = || format!("{edit:?}\n--- old\n{old}\n--- new\n{new}\n");
    let Some(before) = try_value(old) else { return };
    assert_eq!(value(new), edited(&before, edit), "another value\n{}", context());
    assert_eq!(old.starts_with('\u{feff}'), new.starts_with('\u{feff}'), "the byte order mark\n{}", context());
    assert_eq!(old.ends_with('\n'), new.ends_with('\n'), "the final newline\n{}", context());
    let (lf, crlf) = (|text: &str| text.replace("\r\n", "").contains('\n'), |text: &str| text.contains("\r\n"));
    assert!((lf(old) || !lf(new)) || !crlf(old), "LF lines in a CRLF file\n{}", context());
    assert!(crlf(old) || !crlf(new), "CRLF lines in an LF file\n{}", context());
    let (was, is) = (comments(old), comments(new));
    let (gone, came) = windows(old, new);
    let parent = edit.path.split_last().map(|(parent, _)| parent).unwrap();
    let siblings = at(&before, &parent)
        .map_or(0, |parent| parent.as_object().map_or(0, serde_json::Map::len).max(parent.as_array().map_or(0, Vec::len)));
    match (&edit.from, &edit.to) {
        (None, _) => {
            assert_eq!(was, is, "the comments\n{}", context());
            if siblings > 0 {
                // A comma may have come before a comment, and a line behind it.
                assert!(came.contains(gone), "an insertion took {gone:?}\n{}", context());
            }
        }
        (Some(from), Some(to)) => {
            assert_eq!(was, is, "the comments\n{}", context());
            let one_line = is_scalar(Some(from)) && is_scalar(Some(to)) && !gone.contains('\n');
            assert!(!one_line || !came.contains('\n'), "a line became several\n{}", context());
            if one_line {
                assert_eq!(old.lines().count(), new.lines().count(), "{}", context());
            }
        }
        (Some(_), None) => {
            assert_eq!(was, is, "the comments\n{}", context());
            if siblings > 1 {
                assert!(gone.contains(came), "a removal wrote {came:?}\n{}", context());
            }
        }
    }
}

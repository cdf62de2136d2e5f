//! Comments behind the first lines of items. Never changes what a text says.

use super::Refusal;
use super::batch::tree_of;
use crate::core::edit::Path;
use crate::core::text::printable;
use crate::yaml::text::line_end;
use crate::yaml::tree::{significant, within_flow};
use crate::yaml::untyped;

/// Puts a comment behind the first line of each of these items. Those that stand within brackets, or have a comment there, go without.
///
/// # Errors
/// The text cannot be read.
pub fn annotate(text: &str, comments: &[(Path, String)]) -> Result<String, Refusal> {
    let tree = tree_of(text)?;
    let place = |path: &Path| {
        // A trail ends where there is nothing more.
        let mut trail = tree.trail(path);
        let is_there = trail.len() == path.0.len() + 1;
        let entry = trail.pop().filter(|place| is_there && !within_flow(&place.entry))?.entry;
        let start = significant(&entry)?.start;
        let end = line_end(text, start);
        tree.comments(&(start..end)).is_empty().then_some(end)
    };
    let mut places: Vec<(usize, &str)> =
        comments.iter().filter_map(|(path, comment)| Some((place(path)?, comment.as_str()))).collect();
    places.sort_by_key(|(end, _)| *end);
    let (mut new, mut done) = (String::with_capacity(text.len()), 0);
    for (end, comment) in places {
        new.push_str(&text[done..end]);
        new.push_str(" # ");
        new.push_str(&printable(comment));
        done = end;
    }
    new.push_str(&text[done..]);
    let says_the_same = untyped::read(text).ok().is_some_and(|before| untyped::read(&new).is_ok_and(|after| after == before));
    Ok(if says_the_same { new } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn item(index: usize) -> Path {
        Path::root().key("sessions").index(index)
    }

    #[test]
    fn a_comment_stands_behind_the_first_line_of_its_item() {
        let text = "version: 1\r\nsessions:\r\n  - name: a\r\n    agent: pi\r\n  - name: \"b # no\"\r\n  - {name: c}\r\n";
        let new = annotate(text, &[(item(1), "two\nlines".to_owned()), (item(0), "one".to_owned())]).unwrap();
        assert!(new.contains("- name: a # one\r\n") && new.contains("- name: \"b # no\" # two"), "{new}");
        assert_eq!(new.lines().count(), text.lines().count());
    }

    #[test]
    fn what_the_text_says_is_never_changed() {
        for text in [
            "sessions: [{name: a}]\n",
            "sessions:\n  - name: a # mine\n",
            "sessions:\n  - name: \"a\n      b\"\n",
            "sessions: []\n",
        ] {
            let new = annotate(text, &[(item(0), "x".to_owned())]).unwrap();
            assert_eq!(untyped::read(&new).unwrap(), untyped::read(text).unwrap());
            assert_eq!(new, text, "no place for it");
        }
        let block = "sessions:\n  - name: |\n      a\n";
        let new = annotate(block, &[(item(0), "x".to_owned())]).unwrap();
        assert_eq!(untyped::read(&new).unwrap(), untyped::read(block).unwrap());
    }
}

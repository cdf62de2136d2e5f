//! Unified diffs that `patch` applies. Never decides what to change.

use std::fmt::Write as _;

use similar::{Algorithm, DiffTag, TextDiff};

use crate::core::text::printable;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The unified diff from `old` to `new`; empty if they are equal.
///
/// `label` is the name of both sides. `patch -p0` and `patch FILE` apply the result, whatever the line ends and whether or
/// not there is a final newline.
pub fn unified_diff(old: &str, new: &str, label: &str) -> String {
    if old == new {
        return String::new();
    }
    // Lines end with LF only: to `patch`, a CR is a character of its line.
    let before: Vec<&str> = old.split_inclusive('\n').collect();
    let after: Vec<&str> = new.split_inclusive('\n').collect();
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_slices(&before, &after);
    let name = printable(label);
    // A tab ends a name that holds blanks.
    let end = if name.contains(char::is_whitespace) { "\t" } else { "" };
    let mut out = format!("--- {name}{end}\n+++ {name}{end}\n");
    for group in diff.grouped_ops(CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let old_range = first.old_range().start..last.old_range().end;
        let new_range = first.new_range().start..last.new_range().end;
        let _ = writeln!(out, "@@ -{} +{} @@", extent(&old_range), extent(&new_range));
        for op in &group {
            let old_lines = before.get(op.old_range()).unwrap_or_default();
            let new_lines = after.get(op.new_range()).unwrap_or_default();
            if op.tag() == DiffTag::Equal {
                old_lines.iter().for_each(|line| push(&mut out, ' ', line));
            } else {
                old_lines.iter().for_each(|line| push(&mut out, '-', line));
                new_lines.iter().for_each(|line| push(&mut out, '+', line));
            }
        }
    }
    out
}

fn push(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

/// The lines of one side, as a hunk's header says them: an empty range names the line before it.
fn extent(range: &std::ops::Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        length => format!("{},{length}", range.start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(unified_diff("a\n", "a\n", "x"), "");
    }

    #[test]
    fn a_changed_line_is_shown_between_its_neighbours() {
        assert_eq!(
            unified_diff("a\nb\nc\n", "a\nB\nc\n", "m.yaml"),
            "--- m.yaml\n+++ m.yaml\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
        );
    }

    #[test]
    fn a_missing_final_newline_is_said() {
        assert_eq!(
            unified_diff("a", "a\nb", "my file"),
            "--- my file\t\n+++ my file\t\n@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n"
        );
    }

    #[test]
    fn a_label_cannot_forge_a_line() {
        assert!(unified_diff("a\n", "b\n", "x\n+++ /etc/passwd").starts_with("--- x\\n+++ /etc/passwd\t\n+++ x"));
    }
}

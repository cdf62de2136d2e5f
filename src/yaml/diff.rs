//! Unified diffs that `patch` applies. Never decides what to change.

use std::collections::HashMap;
use std::ops::Range;

use similar::algorithms::{self, Capture, Compact, DiffHook as _, NoFinishHook, Replace};
use similar::{Algorithm, DiffOp, DiffTag, group_diff_ops};

use super::private;
use crate::core::text::printable;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// The unified diff from `old` to `new`; empty if they are equal.
///
/// `label` is the name of both sides. `patch -p0` and `patch FILE` apply the result, whatever the line ends and whether or
/// not there is a final newline. No value of an `env` is in it: such a line is no context, and where one changes itself it is
/// masked, so that its hunk is for reading alone.
pub fn unified_diff(old: &str, new: &str, label: &str) -> String {
    unified_diff_between(old, new, label, ["", ""])
}

/// The same, with a word behind the name that says what each side is. `patch` takes it for a time that it cannot read.
pub fn unified_diff_between(old: &str, new: &str, label: &str, sides: [&str; 2]) -> String {
    if old == new {
        return String::new();
    }
    let (before, after) = (Side::of(old), Side::of(new));
    let ops = compared(&before.lines, &after.lines);
    let name = printable(label);
    // A tab ends a name that holds blanks, or that something follows.
    let end =
        |side: &str| if side.is_empty() && !name.contains(char::is_whitespace) { String::new() } else { format!("\t{side}") };
    let mut out = format!("--- {name}{}\n+++ {name}{}\n", end(sides[0]), end(sides[1]));
    for group in group_diff_ops(ops, CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (hidden_before, hidden_after) = (
            before.private(first.old_range().start..last.old_range().end),
            after.private(first.new_range().start..last.new_range().end),
        );
        let mut lines = Vec::new();
        for op in &group {
            if op.tag() == DiffTag::Equal {
                lines.extend(op.old_range().zip(op.new_range()).map(|(old, new)| Line { sign: ' ', old, new }));
            } else {
                lines.extend(op.old_range().map(|old| Line { sign: '-', old, new: op.new_range().start }));
                lines.extend(op.new_range().map(|new| Line { sign: '+', old: op.old_range().end, new }));
            }
        }
        let is_hidden = |line: &Line| line.sign == ' ' && before.masked(line.old, &hidden_before).is_some();
        let hunks: Vec<&[Line]> = lines.split(is_hidden).collect();
        for (index, hunk) in hunks.iter().enumerate() {
            let hunk = with_even_context(hunk, (index > 0, index + 1 < hunks.len()));
            if !hunk.is_empty() {
                out.push_str(&header(hunk));
            }
            for Line { sign, old, new } in hunk {
                let (side, number, hidden) =
                    if *sign == '+' { (&after, *new, &hidden_after) } else { (&before, *old, &hidden_before) };
                let masked = side.masked(number, hidden);
                push(&mut out, *sign, masked.as_deref().unwrap_or_else(|| side.lines.get(number).copied().unwrap_or_default()));
            }
        }
    }
    out
}

/// What becomes of each line. Only the lines between those that surely stay are compared, so that a thousand changed entries cost a
/// thousand small comparisons: Myers' is quadratic in what changes.
fn compared(before: &[&str], after: &[&str]) -> Vec<DiffOp> {
    let mut found = Compact::new(Replace::new(Capture::new()), before, after);
    let is_same = |(old, new): &(&&str, &&str)| old == new;
    let begin = before.iter().zip(after).take_while(is_same).count();
    let rest = [before, after].map(|lines| &lines[begin..]);
    let end = rest[0].iter().rev().zip(rest[1].iter().rev()).take_while(is_same).count();
    let changed = rest.map(|lines| &lines[..lines.len() - end]);
    let ends = changed.map(|lines| begin + lines.len());
    if begin > 0 {
        let Ok(()) = found.equal(0, 0, begin);
    }
    let (mut old, mut new) = (begin, begin);
    let landmarks = landmarks(changed[0], changed[1]).into_iter().map(|(kept, its)| (begin + kept, begin + its));
    for (kept, its) in landmarks.chain([(ends[0], ends[1])]) {
        let mut part = NoFinishHook::new(&mut found);
        let Ok(()) = algorithms::diff(Algorithm::Myers, &mut part, before, old..kept, after, new..its);
        if kept < ends[0] {
            let Ok(()) = found.equal(kept, its, 1);
        }
        (old, new) = (kept + 1, its + 1);
    }
    if end > 0 {
        let Ok(()) = found.equal(ends[0], ends[1], end);
    }
    let Ok(()) = found.finish();
    found.into_inner().into_inner().into_ops()
}

/// The lines that stay: both sides have each exactly once, and in the same order, of all such lines as many as possible.
fn landmarks(before: &[&str], after: &[&str]) -> Vec<(usize, usize)> {
    // How often each side has a line, and where it has it last.
    let mut places: HashMap<&str, [(usize, usize); 2]> = HashMap::new();
    for (side, lines) in [before, after].into_iter().enumerate() {
        for (at, line) in lines.iter().enumerate() {
            let place = &mut places.entry(line).or_default()[side];
            *place = (place.0 + 1, at);
        }
    }
    let once = |[old, new]: [(usize, usize); 2]| (old.0 == 1 && new.0 == 1).then_some((old.1, new.1));
    let mut all: Vec<(usize, usize)> = places.into_values().filter_map(once).collect();
    all.sort_unstable();
    // The longest run in which the second side rises too: of each length, the run that ends lowest.
    let (mut ends, mut previous): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    for (at, (_, new)) in all.iter().enumerate() {
        let length = ends.partition_point(|end| all[*end].1 < *new);
        previous.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut run: Vec<_> = std::iter::successors(ends.last().copied(), |at| previous[*at]).map(|at| all[at]).collect();
    run.reverse();
    run
}

/// A line of a hunk: its sign, and the numbers of the lines of both sides at it, from 0.
#[derive(Debug, Clone, Copy)]
struct Line {
    sign: char,
    old: usize,
    new: usize,
}

/// One text of a diff. Lines end with LF only: to `patch`, a CR is a character of its line.
struct Side<'a> {
    text: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Side<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, lines: text.split_inclusive('\n').collect() }
    }

    /// Where a line stands in the text.
    fn range(&self, line: usize) -> Range<usize> {
        let Some(text) = self.lines.get(line) else { return self.text.len()..self.text.len() };
        let start = text.as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + text.len()
    }

    fn private(&self, lines: Range<usize>) -> Vec<Range<usize>> {
        private::values(self.text, &(self.range(lines.start).start..self.range(lines.end).start))
    }

    /// A line as it may be shown; `None` if it may as it is.
    fn masked(&self, line: usize, private: &[Range<usize>]) -> Option<String> {
        private::masked(self.text, self.range(line), private)
    }
}

/// A hunk that was cut from its neighbours: as many lines of context on both sides, because `patch` takes one with fewer on one side
/// to be at that end of the file. Empty if nothing in it changes.
fn with_even_context(hunk: &[Line], is_cut: (bool, bool)) -> &[Line] {
    let is_context = |line: &&Line| line.sign == ' ';
    let before = hunk.iter().take_while(is_context).count();
    if before == hunk.len() {
        return &[];
    }
    let after = hunk.iter().rev().take_while(is_context).count();
    let even = before.min(after).min(CONTEXT);
    let (before, after) = if is_cut == (false, false) { (0, 0) } else { (before - even, after - even) };
    hunk.get(before..hunk.len() - after).unwrap_or_default()
}

fn header(hunk: &[Line]) -> String {
    let count = |sign: char| hunk.iter().filter(|line| line.sign != sign).count();
    let (old, new) = hunk.first().map_or((0, 0), |line| (line.old, line.new));
    format!("@@ -{} +{} @@\n", extent(&(old..old + count('+'))), extent(&(new..new + count('-'))))
}

fn push(out: &mut String, sign: char, line: &str) {
    out.push(sign);
    out.push_str(line);
    if !line.ends_with('\n') {
        out.push_str("\n\\ No newline at end of file\n");
    }
}

/// The lines of one side, as a hunk's header says them: an empty range names the line before it.
fn extent(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        length => format!("{},{length}", range.start + 1),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

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
    fn what_each_side_is_stands_behind_its_name() {
        let diff = unified_diff_between("a\n", "b\n", "m.yaml", ["(declared)", "(observed)"]);
        assert!(diff.starts_with("--- m.yaml\t(declared)\n+++ m.yaml\t(observed)\n@@"), "{diff}");
    }

    #[test]
    fn a_missing_final_newline_is_said() {
        assert_eq!(
            unified_diff("a", "a\nb", "my file"),
            "--- my file\t\n+++ my file\t\n@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline at end of file\n"
        );
    }

    /// The text that `patch` makes of another, and whether it could.
    fn patched(old: &str, diff: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let (file, hunks) = (dir.path().join("m.yaml"), dir.path().join("diff"));
        std::fs::write(&file, old).unwrap();
        std::fs::write(&hunks, diff).unwrap();
        let ran = std::process::Command::new("patch").arg("--fuzz=0").arg(&file).arg(&hunks).output().unwrap();
        ran.status.success().then(|| std::fs::read_to_string(&file).unwrap())
    }

    #[test]
    fn context_shows_no_value_of_an_env_and_the_hunk_still_applies() {
        let env = "    env:\n      TOKEN: hush\n      OTHER: hush\n";
        let flow = "    env: { TOKEN: hush }\n";
        for env in [env, flow] {
            for text in [
                format!("version: 1\nsessions:\n  - name: a\n    status: running\n{env}  - name: b\n    agent: pi\n"),
                format!("version: 1\nsessions:\n  - name: a\n{env}    status: running\n    agent: pi\n"),
                format!(
                    "version: 1\nsessions:\n  - name: a\n    status: running\n{env}    x: 1\n    status2: running\n    pane: 1\n"
                ),
                format!("version: 1\nsessions:\n  - name: a\n{env}    agent: pi\n    status: running"),
                format!("version: 1\ndefaults:\n{}sessions:\n  - status: running\n", env.replace("    ", "  ")),
                format!("version: 1\nsessions:\n  - name: a\n{env}{}    status: running\n", "    x: 1\n".repeat(3)),
            ] {
                let new = text.replace("running", "terminated\n    terminated_at: now");
                let diff = unified_diff(&text, &new, "m.yaml");
                assert!(!diff.contains("hush") && diff.contains("+"), "{diff}");
                assert_eq!(patched(&text, &diff).as_deref(), Some(new.as_str()), "{text}\n{diff}");
            }
        }
    }

    #[test]
    fn a_changed_line_with_a_value_of_an_env_is_masked() {
        let old = "version: 1\nsessions:\n  - { name: a, env: { TOKEN: hush }, status: running }\n";
        let diff = unified_diff(old, &old.replace("running", "stopped"), "m.yaml");
        assert!(
            diff.contains("-  - { name: a, env: ***, status: running }\n+  - { name: a, env: ***, status: stopped }\n"),
            "{diff}"
        );
    }

    #[test]
    fn each_change_among_many_is_shown_by_itself_and_in_its_place() {
        let text = |entry: &dyn Fn(usize) -> String| (0..400).map(entry).collect::<String>();
        let old = text(&|n| format!("  - name: n{n}\n    agent: pi\n    cwd: /w{}\n", n % 7));
        let new =
            text(&|n| format!("  - name: n{n}\n    agent: pi\n    cwd: /w{}\n    status: running\n    pid: {n}\n", n % 7));
        let diff = unified_diff(&old, &new, "m.yaml");
        assert_eq!(diff.lines().filter(|line| line.starts_with('+')).count(), 801, "{diff}");
        assert_eq!(diff.lines().filter(|line| line.starts_with('-')).count(), 1);
        assert_eq!(patched(&old, &diff), Some(new));
    }

    proptest! {
        #[test]
        fn a_diff_makes_the_new_text_of_the_old_one(old in "([a-e]?\n){0,12}[a-c]?", new in "([a-e]?\n){0,12}[a-c]?") {
            let diff = unified_diff(&old, &new, "m.yaml");
            prop_assert!(diff.is_empty() == (old == new));
            prop_assert!(old.is_empty() || diff.is_empty() || patched(&old, &diff).as_deref() == Some(&new), "{diff}");
        }
    }

    #[test]
    fn a_label_cannot_forge_a_line() {
        assert!(unified_diff("a\n", "b\n", "x\n+++ /etc/passwd").starts_with("--- x\\n+++ /etc/passwd\t\n+++ x"));
    }
}

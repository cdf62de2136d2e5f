//! A unified diff for people and for `patch`. Owns its colours; never its contents.

use super::{Style, Terminal};
use crate::core::text::printable;

/// The diff as it is for a program, or coloured and made safe for a terminal.
pub(crate) fn render(diff: &str, look: &Terminal) -> String {
    if !look.tty && !look.color {
        return diff.to_owned();
    }
    let mut text = String::with_capacity(diff.len() * 2);
    for line in diff.split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let style = match content.as_bytes() {
            [b'-', b'-', b'-', b' ', ..] | [b'+', b'+', b'+', b' ', ..] => Style::Strong,
            [b'@', ..] => Style::Note,
            [b'+', ..] => Style::Good,
            [b'-', ..] => Style::Bad,
            [b'\\', ..] => Style::Dim,
            _ => Style::Plain,
        };
        // The carriage return of a CRLF file would jump to the start of the line; tabs are harmless and part of the layout.
        let shown: Vec<_> = content.strip_suffix('\r').unwrap_or(content).split('\t').map(printable).collect();
        text.push_str(&look.paint(style, &shown.join("\t")));
        if line.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str =
        "--- a.yaml\n+++ a.yaml\n@@ -1,2 +1,2 @@\n name: \u{1b}[31mx\r\n-a: 1\n+a: 2\n\\ No newline at end of file\n";

    #[test]
    fn a_pipe_gets_the_diff_byte_for_byte() {
        let look = Terminal { color: false, width: None, tty: false, now: chrono::DateTime::UNIX_EPOCH };
        assert_eq!(render(DIFF, &look), DIFF);
    }

    #[test]
    fn a_terminal_gets_no_raw_control_characters() {
        let look = Terminal { color: false, width: Some(80), tty: true, now: chrono::DateTime::UNIX_EPOCH };
        let text = render(DIFF, &look);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.contains(" name: \\u{1b}[31mx\n"));
    }
}

//! What is said about a manifest's text, and how it is shown. Never decides what is wrong.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::private;
use super::text::{BOM, first_line, line_end, line_start, position};
use super::untyped;
use crate::core::text::printable;

/// Something to say about a place in a manifest's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the manifest cannot be used because of it.
    pub fatal: bool,
    /// What is wrong, one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The bytes it is about.
    pub span: Option<Range<usize>>,
}

impl Diagnostic {
    /// The line and column of its place in `text`, both from 1, the column in characters; `None` if it has no place.
    pub fn position(&self, text: &str) -> Option<(usize, usize)> {
        self.span.as_ref().map(|span| position(text, span.start))
    }
}

/// A line is shown up to this many characters past what is marked.
const TAIL: usize = 200;

/// The longest part of a line that is marked, in characters.
const LONGEST_MARK: usize = 120;

/// A marked place further right than this is named by line and column and not shown: the line is no text for people.
const FURTHEST: usize = 2000;

/// Diagnostics as annotated snippets, each ending with a newline, an empty line between two.
///
/// Control characters of the source, the name and the messages are shown escaped, never sent to the terminal.
pub fn render(diagnostics: &[Diagnostic], file_name: &str, text: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let name = printable(file_name);
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        let level = if diagnostic.fatal { Level::ERROR } else { Level::WARNING };
        let mut group = Group::with_title(level.primary_title(printable(&diagnostic.message)));
        group = match &diagnostic.span {
            Some(span) => match Shown::of(text, span) {
                Ok(shown) => group.element(
                    Snippet::source(shown.line)
                        .line_start(shown.number)
                        .path(name.as_ref())
                        .annotation(AnnotationKind::Primary.span(shown.mark)),
                ),
                Err((line, column)) => group.element(Origin::path(name.as_ref()).line(line).char_column(column)),
            },
            None => group.element(Origin::path(name.as_ref())),
        };
        if let Some(hint) = &diagnostic.hint {
            group = group.element(Level::HELP.message(printable(hint)));
        }
        out.push_str(&renderer.render(&[group]));
        out.push('\n');
    }
    out
}

/// One line of the source made safe to show, with the mark in its own bytes.
struct Shown {
    line: String,
    number: usize,
    mark: Range<usize>,
}

impl Shown {
    /// The line a span starts in, or only its place if that line is no text for people.
    fn of(text: &str, span: &Range<usize>) -> Result<Self, (usize, usize)> {
        let span = first_line(text, span);
        let (number, column) = position(text, span.start);
        if column > FURTHEST {
            return Err((number, column));
        }
        let start = line_start(text, span.start);
        let mut private = private::values(text, &(start..line_end(text, span.start)));
        if untyped::read(text).is_err() {
            private.extend(private::seeming(text));
        }
        let mut line = String::new();
        let mut mark = 0..0;
        let mut after = 0;
        for (index, c) in text[start..line_end(text, span.start)].char_indices() {
            let at = start + index;
            if at == span.start {
                mark.start = line.len();
            }
            if at >= span.start {
                after += 1;
            }
            if after > TAIL {
                line.push('…');
                break;
            }
            // Every character stays one character, so that columns stay true.
            match c {
                BOM if at == 0 => {}
                c if private.iter().any(|value| value.contains(&at)) && !c.is_whitespace() => line.push('*'),
                '\t' => line.push(' '),
                c if printable(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8() => line.push('\u{fffd}'),
                c => line.push(c),
            }
            if at < span.end && after <= LONGEST_MARK {
                mark.end = line.len();
            }
        }
        if span.start >= line_end(text, span.start) {
            mark.start = line.len();
        }
        mark.end = mark.end.max(mark.start);
        Ok(Self { line, number, mark })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(message: &str, span: Option<Range<usize>>) -> Diagnostic {
        Diagnostic { fatal: true, message: message.to_owned(), hint: None, span }
    }

    #[test]
    fn the_place_is_file_line_and_column_with_a_caret_under_it() {
        let text = "version: 1\nstatus: runing # x\n";
        let start = text.find("runing").unwrap();
        let diagnostic =
            Diagnostic { hint: Some("did you mean running?".to_owned()), ..at("bad status", Some(start..start + 6)) };
        let shown = render(&[diagnostic], "m.yaml", text, false);
        assert_eq!(
            shown,
            "error: bad status\n --> m.yaml:2:9\n  |\n2 | status: runing # x\n  |         ^^^^^^\n  |\n  = help: did you mean running?\n"
        );
    }

    #[test]
    fn nothing_of_the_source_the_name_or_the_message_reaches_the_terminal_raw() {
        let hostile = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{85}\t\u{2028}";
        let text = format!("a: '{hostile}'\r\nb: 1\r\n");
        let diagnostic = Diagnostic { hint: Some(hostile.to_owned()), ..at(hostile, Some(3..5)) };
        let shown = render(&[diagnostic], &format!("f{hostile}\n.yaml"), &text, false);
        for c in hostile.chars().filter(|c| *c != '\t' && !c.is_ascii_graphic()) {
            assert!(!shown.contains(c), "{c:?} in {shown:?}");
        }
        assert!(!shown.contains('\r'));
        assert!(shown.contains(":1:4\n"), "{shown}");
    }

    #[test]
    fn no_value_of_an_env_is_shown() {
        let text = "sessions:\n  - { name: a, env: { TOKEN: hush }, statsu: running }\n";
        let start = text.find("statsu").unwrap();
        let shown = render(&[at("m", Some(start..start + 6))], "f", text, false);
        assert!(!shown.contains("hush") && shown.contains("env: * ****** **** *, statsu: running"), "{shown}");
    }

    #[test]
    fn the_shown_column_is_the_column_of_the_position() {
        let text = "\u{feff}é: 漢字 \u{1b} x: y\r\n";
        let start = text.find('y').unwrap();
        let diagnostic = at("m", Some(start..start + 1));
        let (line, column) = diagnostic.position(text).unwrap();
        assert!(render(&[diagnostic], "f", text, false).contains(&format!("f:{line}:{column}\n")));
    }

    #[test]
    fn any_span_of_any_text_can_be_rendered() {
        let long = "x".repeat(100_000);
        for text in ["", "\u{feff}", "é", "a\r\n\r\nb", "漢\n", long.as_str()] {
            for start in [0, 1, 2, 3, 100, text.len(), text.len() + 5] {
                for length in [0, 1, 7, 2_000_000] {
                    let shown = render(&[at("m", Some(start..start + length))], "f", text, true);
                    assert!(shown.len() < 3000, "{}", shown.len());
                }
            }
        }
    }

    #[test]
    fn a_diagnostic_without_a_place_names_the_file() {
        assert_eq!(render(&[at("gone", None)], "f.yaml", "", false), "error: gone\n--> f.yaml\n");
    }
}

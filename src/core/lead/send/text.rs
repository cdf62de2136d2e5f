//! What may be typed: a text as it would arrive, or why it may not. Pure.

use super::composer::ComposerTable;

/// The longest text that is typed, in bytes.
pub const LONGEST: usize = 100 << 10;

/// What a text is sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextOptions {
    /// Whether control characters are taken out of it instead of refusing it.
    pub strip: bool,
    /// Whether it may be a command of the agent.
    pub command: bool,
}

/// A text that may be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typable {
    /// It.
    pub text: String,
    /// How many control characters were taken out.
    pub stripped: usize,
}

/// Why a text may not be typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextRefusal {
    /// There is nothing in it.
    #[error("the text is empty")]
    Empty,
    /// It holds characters that a terminal would obey.
    #[error("the text holds control characters ({0}), which a terminal would obey; `--strip` takes them out")]
    Control(usize),
    /// It is too long.
    #[error("the text has {0} bytes, and more than {LONGEST} are not typed; put it into a file and name that")]
    TooLong(usize),
    /// The agent would take it for a command.
    #[error("the agent takes a text that begins with `{0}` for a command; `--command` sends it as one")]
    Command(char),
    /// Enter would not send it.
    #[error("Enter does not send a text that ends in `{0}`; end it with something else")]
    Continued(char),
}

/// Whether a terminal would obey it: C0 without tab and line feed, DEL, C1.
fn is_control(it: char) -> bool {
    it.is_control() && it != '\t' && it != '\n'
}

/// Whether an agent takes it from the ends of a text before it reads that. What is written in JavaScript takes a byte order mark, too.
fn is_trimmed(it: char) -> bool {
    it.is_whitespace() || it == '\u{feff}'
}

/// A text without what a terminal would obey.
pub fn without_controls(text: &str) -> String {
    text.chars().filter(|it| !is_control(*it)).collect()
}

/// A text as it is typed into a composer.
///
/// # Errors
/// [`TextRefusal`]: it may not be.
pub fn typable(text: &str, options: TextOptions, table: &ComposerTable) -> Result<Typable, TextRefusal> {
    let controls = text.chars().filter(|it| is_control(*it)).count();
    if controls > 0 && !options.strip {
        return Err(TextRefusal::Control(controls));
    }
    let text = without_controls(text);
    if text.len() > LONGEST {
        return Err(TextRefusal::TooLong(text.len()));
    }
    let begin = text.trim_start_matches(is_trimmed).chars().next().ok_or(TextRefusal::Empty)?;
    if table.commands.contains(&begin) && !options.command {
        return Err(TextRefusal::Command(begin));
    }
    if let Some(end) = text.trim_end_matches(is_trimmed).chars().next_back().filter(|end| table.continues.contains(end)) {
        return Err(TextRefusal::Continued(end));
    }
    Ok(Typable { text, stripped: controls })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::composer::tests::CLAUDE;
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_refused_or_taken_out_and_all_else_arrives() {
        let plain = TextOptions::default();
        let kept = "tabs\tand lines\n  \"quotes\" 'q' $(x) `y` @@ é 漢字 😀 a;\n;";
        assert_eq!(typable(kept, plain, &CLAUDE).unwrap(), Typable { text: kept.to_owned(), stripped: 0 });
        for odd in ["\u{1b}[201~", "a\rb", "a\u{7f}", "\u{9b}31m", "\0", "a\u{3}"] {
            assert_eq!(typable(odd, plain, &CLAUDE), Err(TextRefusal::Control(1)), "{odd:?}");
        }
        let stripped = typable("a\u{1b}[201~\r\nb\u{9b}", TextOptions { strip: true, command: false }, &CLAUDE).unwrap();
        assert_eq!(stripped, Typable { text: "a[201~\nb".to_owned(), stripped: 3 });
        assert_eq!(typable("", plain, &CLAUDE), Err(TextRefusal::Empty));
        assert_eq!(typable(" \n\t", plain, &CLAUDE), Err(TextRefusal::Empty));
        assert_eq!(typable("\u{1b}", TextOptions { strip: true, command: false }, &CLAUDE), Err(TextRefusal::Empty));
        assert_eq!(typable(&"x".repeat(LONGEST + 1), plain, &CLAUDE), Err(TextRefusal::TooLong(LONGEST + 1)));
        assert!(typable(&"x".repeat(LONGEST), plain, &CLAUDE).is_ok());
    }

    #[test]
    fn a_command_is_sent_only_as_one_and_what_enter_would_not_send_never() {
        let (plain, command) = (TextOptions::default(), TextOptions { command: true, strip: false });
        for text in ["/clear", "!ls", "#note", "  /clear", "\n!rm", "\u{feff}/clear", "\u{a0}\u{feff} !ls"] {
            assert!(matches!(typable(text, plain, &CLAUDE), Err(TextRefusal::Command(_))), "{text}");
            assert!(typable(text, command, &CLAUDE).is_ok(), "{text}");
        }
        for text in ["a\\", "a\\ \n", "a\\\u{feff}"] {
            assert_eq!(typable(text, command, &CLAUDE), Err(TextRefusal::Continued('\\')), "{text:?}");
        }
    }
}

//! A line that is being typed in a shell: its words without their quotes, and quotes for what is put at its end. Pure.

use crate::cli::args::Asking;

/// The quotes that are open at some place of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    None,
    /// `'…`
    Single,
    /// `"…`
    Double,
    /// `$'…`
    Dollar,
}

/// A line that is being typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The words before the one at the cursor.
    pub(super) words: Vec<String>,
    /// The word at the cursor, up to it.
    pub(super) current: String,
    /// The quotes the cursor is in.
    pub(super) open: Quotes,
}

impl Line {
    /// Reads what stands before the cursor.
    pub(super) fn read(text: &str, shell: Asking) -> Self {
        let mut line = Self { words: Vec::new(), current: String::new(), open: Quotes::None };
        // Whether a word has begun: it may be as empty as ''.
        let mut begun = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            match (line.open, c) {
                (Quotes::None, c) if c.is_whitespace() => {
                    if begun {
                        line.words.push(std::mem::take(&mut line.current));
                    }
                    begun = false;
                    continue;
                }
                (Quotes::None, '\'') => line.open = Quotes::Single,
                (Quotes::None, '"') => line.open = Quotes::Double,
                (Quotes::None, '$') if next == Some('\'') && shell != Asking::Fish => {
                    line.open = Quotes::Dollar;
                    chars.next();
                }
                (Quotes::Single | Quotes::Dollar, '\'') | (Quotes::Double, '"') => line.open = Quotes::None,
                (open, '\\') if escapes(open, next, shell) => line.current.extend(chars.next()),
                (_, c) => line.current.push(c),
            }
            begun = true;
        }
        line
    }
}

/// Whether a backslash makes what follows it mean itself.
fn escapes(open: Quotes, next: Option<char>, shell: Asking) -> bool {
    match open {
        Quotes::None => true,
        Quotes::Single => shell == Asking::Fish && matches!(next, Some('\'' | '\\')),
        Quotes::Double => matches!(next, Some('$' | '`' | '"' | '\\')),
        Quotes::Dollar => matches!(next, Some('\'' | '"' | '\\')),
    }
}

/// `text` as bash reads it back where these quotes are open. They stay open: readline closes them.
pub(super) fn quoted(text: &str, open: Quotes) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match (open, c) {
            // No backslash keeps it from the history inside quotes.
            (Quotes::Double, '!') => out.push_str("\"\\!\""),
            (Quotes::Single, '\'') => out.push_str("'\\''"),
            (Quotes::Double, '$' | '`' | '"' | '\\') | (Quotes::Dollar, '\'' | '\\') => out.extend(['\\', c]),
            (Quotes::None, c) if c.is_ascii() && !is_plain(c) => out.extend(['\\', c]),
            (_, c) => out.push(c),
        }
    }
    out
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_its_shell_would() {
        use Asking::{Bash, Fish, Zsh};
        for (shell, text, words, current, open) in [
            (Bash, "headcount explain ", &["headcount", "explain"][..], "", Quotes::None),
            (Bash, "headcount  exp", &["headcount"], "exp", Quotes::None),
            (Bash, "", &[], "", Quotes::None),
            (Bash, r"h my\ s", &["h"], "my s", Quotes::None),
            (Bash, r"h my\", &["h"], "my", Quotes::None),
            (Bash, r#"h "my s"#, &["h"], "my s", Quotes::Double),
            (Bash, r#"h "a\"\$\b" x"#, &["h", r#"a"$\b"#], "x", Quotes::None),
            (Bash, "h 'it", &["h"], "it", Quotes::Single),
            (Bash, r"h 'a\' b", &["h", r"a\"], "b", Quotes::None),
            (Bash, r"h 'it'\''s", &["h"], "it's", Quotes::Single),
            (Bash, r"h $'it\'s", &["h"], "it's", Quotes::Dollar),
            (Bash, "h '' x", &["h", ""], "x", Quotes::None),
            (Bash, "h --class=dead,mo", &["h"], "--class=dead,mo", Quotes::None),
            (Zsh, r"h my\ s", &["h"], "my s", Quotes::None),
            (Fish, r"h 'it\'s", &["h"], "it's", Quotes::Single),
            (Fish, "h $'it", &["h"], "$it", Quotes::Single),
        ] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(Line::read(text, shell), Line { words, current: current.to_owned(), open }, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_is_read_back_as_it_was_in_every_quote() {
        let hard = r#"a b'c"d$HOME`e`\f!g*h~i(j);k&|<l>{m}[n]#o é"#;
        for (begin, open) in [("", Quotes::None), ("'", Quotes::Single), ("\"", Quotes::Double), ("$'", Quotes::Dollar)] {
            let text = format!("h {begin}{}", quoted(hard, open));
            let line = Line::read(&text, Asking::Bash);
            assert_eq!((line.current.as_str(), line.open), (hard, open), "{text}");
        }
    }
}

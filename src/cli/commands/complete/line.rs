//! A line that is being typed in a shell: its words without their quotes, and quotes for what is put at its end. Pure.

use crate::cli::args::CompletionShell;

/// The quotes that are open at some place of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenQuote {
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
pub(super) struct CommandLine {
    /// The words before the one at the cursor.
    pub(super) words: Vec<String>,
    /// The word at the cursor, up to it.
    pub(super) current: String,
    /// The quotes the cursor is in.
    pub(super) open: OpenQuote,
}

impl CommandLine {
    /// Reads what stands before the cursor.
    pub(super) fn read(text: &str, shell: CompletionShell) -> Self {
        let mut line = Self { words: Vec::new(), current: String::new(), open: OpenQuote::None };
        // Whether a word has begun: it may be as empty as ''.
        let mut begun = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next = chars.peek().copied();
            match (line.open, c) {
                (OpenQuote::None, c) if c.is_whitespace() => {
                    if begun {
                        line.words.push(std::mem::take(&mut line.current));
                    }
                    begun = false;
                    continue;
                }
                (OpenQuote::None, '\'') => line.open = OpenQuote::Single,
                (OpenQuote::None, '"') => line.open = OpenQuote::Double,
                (OpenQuote::None, '$') if next == Some('\'') && shell != CompletionShell::Fish => {
                    line.open = OpenQuote::Dollar;
                    chars.next();
                }
                (OpenQuote::Single | OpenQuote::Dollar, '\'') | (OpenQuote::Double, '"') => line.open = OpenQuote::None,
                (open, '\\') if escapes(open, next, shell) => line.current.extend(chars.next()),
                (_, c) => line.current.push(c),
            }
            begun = true;
        }
        line
    }
}

/// Whether a backslash makes what follows it mean itself.
fn escapes(open: OpenQuote, next: Option<char>, shell: CompletionShell) -> bool {
    match open {
        OpenQuote::None => true,
        OpenQuote::Single => shell == CompletionShell::Fish && matches!(next, Some('\'' | '\\')),
        OpenQuote::Double => matches!(next, Some('$' | '`' | '"' | '\\')),
        OpenQuote::Dollar => matches!(next, Some('\'' | '"' | '\\')),
    }
}

/// `text` as bash reads it back where these quotes are open. They stay open: readline closes them.
pub(super) fn quoted(text: &str, open: OpenQuote) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match (open, c) {
            // No backslash keeps it from the history inside quotes.
            (OpenQuote::Double, '!') => out.push_str("\"\\!\""),
            (OpenQuote::Single, '\'') => out.push_str("'\\''"),
            (OpenQuote::Double, '$' | '`' | '"' | '\\') | (OpenQuote::Dollar, '\'' | '\\') => out.extend(['\\', c]),
            (OpenQuote::None, c) if c.is_ascii() && !is_plain(c) => out.extend(['\\', c]),
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
        use CompletionShell::{Bash, Fish, Zsh};
        for (shell, text, words, current, open) in [
            (Bash, "headcount explain ", &["headcount", "explain"][..], "", OpenQuote::None),
            (Bash, "headcount  exp", &["headcount"], "exp", OpenQuote::None),
            (Bash, "", &[], "", OpenQuote::None),
            (Bash, r"h my\ s", &["h"], "my s", OpenQuote::None),
            (Bash, r"h my\", &["h"], "my", OpenQuote::None),
            (Bash, r#"h "my s"#, &["h"], "my s", OpenQuote::Double),
            (Bash, r#"h "a\"\$\b" x"#, &["h", r#"a"$\b"#], "x", OpenQuote::None),
            (Bash, "h 'it", &["h"], "it", OpenQuote::Single),
            (Bash, r"h 'a\' b", &["h", r"a\"], "b", OpenQuote::None),
            (Bash, r"h 'it'\''s", &["h"], "it's", OpenQuote::Single),
            (Bash, r"h $'it\'s", &["h"], "it's", OpenQuote::Dollar),
            (Bash, "h '' x", &["h", ""], "x", OpenQuote::None),
            (Bash, "h --class=dead,mo", &["h"], "--class=dead,mo", OpenQuote::None),
            (Zsh, r"h my\ s", &["h"], "my s", OpenQuote::None),
            (Fish, r"h 'it\'s", &["h"], "it's", OpenQuote::Single),
            (Fish, "h $'it", &["h"], "$it", OpenQuote::Single),
        ] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(CommandLine::read(text, shell), CommandLine { words, current: current.to_owned(), open }, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_is_read_back_as_it_was_in_every_quote() {
        let hard = r#"a b'c"d$HOME`e`\f!g*h~i(j);k&|<l>{m}[n]#o é"#;
        for (begin, open) in
            [("", OpenQuote::None), ("'", OpenQuote::Single), ("\"", OpenQuote::Double), ("$'", OpenQuote::Dollar)]
        {
            let text = format!("h {begin}{}", quoted(hard, open));
            let line = CommandLine::read(&text, CompletionShell::Bash);
            assert_eq!((line.current.as_str(), line.open), (hard, open), "{text}");
        }
    }
}

//! What the ids of a declared agent look like. Matches in time linear in the text, whatever the pattern.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use regex::{Regex, RegexBuilder};

/// The longest pattern, in bytes.
const LONGEST: usize = 256;
/// The longest id, in bytes: what a file's name can hold.
const LONGEST_ID: usize = 255;
/// What a compiled pattern may take, in bytes.
const SIZE: usize = 256 << 10;
/// How deep groups may be nested.
const DEEPEST: u32 = 16;

/// A regular expression that the whole of an id matches.
#[derive(Debug, Clone)]
pub struct IdPattern {
    text: String,
    regex: Regex,
}

impl IdPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(format!("it must have between 1 and {LONGEST} bytes"));
        }
        // By itself first: one that is only whole inside our group would mean something else there.
        build(text)?;
        Ok(Self { text: text.to_owned(), regex: build(&format!(r"\A(?:{text})\z"))? })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of a text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

fn build(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(SIZE).dfa_size_limit(SIZE).nest_limit(DEEPEST).build().map_err(|error| match error {
        // The last line says what is wrong; those before it draw the pattern.
        regex::Error::Syntax(told) => {
            let told = told.lines().last().unwrap_or_default();
            told.strip_prefix("error: ").unwrap_or(told).to_owned()
        }
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        other => other.to_string(),
    })
}

impl PartialEq for IdPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for IdPattern {}

impl PartialOrd for IdPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for IdPattern {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for IdPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// Whether a text can be an id at all: part of a file's name, and no flag.
pub fn is_id_text(text: &str) -> bool {
    !matches!(text, "" | "." | "..")
        && text.len() <= LONGEST_ID
        && !text.starts_with('-')
        && !text.chars().any(|c| c == '/' || c.is_control())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_the_whole_id_however_it_is_written() {
        for (pattern, text, expected) in [
            ("[0-9a-f]{8}", "0123abcd", true),
            ("[0-9a-f]{8}", "0123abcd-", false),
            ("[0-9a-f]{8}", "x0123abcd", false),
            ("^[0-9a-f]+$", "0123abcd", true),
            ("a|b", "ab", false),
            ("a|b", "b", true),
            ("(?i)A", "a", true),
            ("(?m)^a$", "a\nb", false),
            ("a.c", "a\nc", false),
        ] {
            assert_eq!(IdPattern::parse(pattern).unwrap().matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_bad_or_huge_pattern_is_refused_and_a_costly_one_is_not() {
        for bad in ["", "(", "a)|(?:b", "[", "*", "(?<x", r"\1", "(?x) a # open", &"a".repeat(LONGEST + 1)] {
            let told = IdPattern::parse(bad).unwrap_err();
            assert!(!told.is_empty() && !told.contains('\n'), "{bad}: {told}");
        }
        assert_eq!(IdPattern::parse("(((((x{99}){99}){99}){99}){99})").unwrap_err(), "it is too large");
        assert!(IdPattern::parse(&"(".repeat(200)).is_err());
        // Where backtracking would take longer than anybody lives.
        assert!(!IdPattern::parse("(a*)*b").unwrap().matches(&"a".repeat(255)));
    }

    #[test]
    fn an_id_is_part_of_a_file_s_name_and_no_flag() {
        for odd in ["", ".", "..", "a/b", "../x", "-r", "--last", "a\0", "a\nb", &"a".repeat(256)] {
            assert!(!is_id_text(odd), "{odd:?}");
        }
        for plain in ["a", "...", "a.b_c-1", "ä", "a b"] {
            assert!(is_id_text(plain), "{plain:?}");
        }
    }
}

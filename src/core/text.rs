//! Text from outside made safe to show. Never decides what to show.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

/// A time as headcount writes it everywhere: RFC 3339, UTC, whole seconds, `Z`.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Times in documents, as [`stamp`] writes them: `#[serde(with = "seconds")]`.
pub mod seconds {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Whole seconds.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::stamp(*at))
    }

    /// Any RFC 3339 time.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        DateTime::deserialize(deserializer)
    }

    /// The same of a time that may not be there.
    pub mod option {
        use chrono::{DateTime, Utc};
        use serde::{Deserialize as _, Deserializer, Serializer};

        /// Whole seconds, or null.
        ///
        /// # Errors
        /// Those of the serializer.
        #[allow(clippy::ref_option, reason = "serde gives a reference to the field")]
        pub fn serialize<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Any RFC 3339 time, or null.
        ///
        /// # Errors
        /// Those of the deserializer.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
            Option::deserialize(deserializer)
        }
    }
}

/// `text` on one line with every control character, bidirectional override and line separator escaped, so that a hostile
/// name can neither move the cursor nor forge a line.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Text of several lines, safe to show: as [`printable`], but line ends, tabs and what joins letters or pictures stay, and colours
/// are taken out.
pub fn printable_lines(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            safe.push('\n');
        }
        push_safely(&uncoloured(line.strip_suffix('\r').unwrap_or(line)), &mut safe);
    }
    safe
}

/// The same, but colours stay.
pub fn printable_coloured(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(COLOUR) {
        push_safely(before, &mut safe);
        match colour(after) {
            Some((colour, after)) => {
                safe.push_str(COLOUR);
                safe.push_str(colour);
                rest = after;
            }
            None => {
                push_safely(COLOUR, &mut safe);
                rest = after;
            }
        }
    }
    push_safely(rest, &mut safe);
    safe
}

/// Where a text ends whose last letters may be the beginning of a colour.
pub fn coloured_end(text: &str) -> usize {
    /// Longer than any colour is.
    const LONGEST: usize = 32;
    let Some(at) = text.rfind('\u{1b}').filter(|at| text.len() - at < LONGEST) else { return text.len() };
    let rest = text.get(at + 1..).unwrap_or_default();
    let may_be = rest.is_empty() || rest.strip_prefix('[').is_some_and(|rest| !rest.contains(|c| !is_of_colour(c)));
    if may_be { at } else { text.len() }
}

fn push_safely(text: &str, safe: &mut String) {
    let stays = |c: char| matches!(c, '\n' | '\t' | '\u{200c}' | '\u{200d}');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| is_unsafe(c) && !stays(c)) {
        let (before, after) = rest.split_at(at);
        let end = after.chars().next().map_or(after.len(), char::len_utf8);
        let (odd, after) = after.split_at(end);
        safe.push_str(before);
        safe.push_str(&printable(odd));
        rest = after;
    }
    safe.push_str(rest);
}

/// How the sequences begin by which programs colour a text: `ESC [ 1 ; 32 m`.
const COLOUR: &str = "\u{1b}[";

fn is_of_colour(c: char) -> bool {
    c.is_ascii_digit() || c == ';' || c == ':'
}

/// The colour that a text begins with, behind [`COLOUR`], and what follows it.
fn colour(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !is_of_colour(c))?;
    text.get(end..)?.starts_with('m').then(|| text.split_at(end + 1))
}

/// A line without colours.
fn uncoloured(line: &str) -> Cow<'_, str> {
    if !line.contains(COLOUR) {
        return Cow::Borrowed(line);
    }
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(COLOUR) {
        plain.push_str(before);
        rest = match colour(after) {
            Some((_, rest)) => rest,
            None => {
                plain.push_str(COLOUR);
                after
            }
        };
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::{printable, printable_lines};

    #[test]
    fn an_escape_sequence_in_a_name_cannot_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d"), "a\\u{1b}[31mb\\nc\\u{202e}d");
        assert!(matches!(printable("plain é 漢"), std::borrow::Cow::Borrowed(_)));
    }

    #[test]
    fn lines_of_others_keep_their_shape_and_nothing_that_moves_a_cursor() {
        for (text, expected) in [
            ("one\r\n\ttwo\n", "one\n\ttwo\n"),
            ("\u{1b}[1;32mgreen\u{1b}[0m \u{1b}[2Jgone", "green \\u{1b}[2Jgone"),
            ("\u{1b}[", "\\u{1b}["),
            ("over\rwritten\u{7}", "over\\rwritten\\u{7}"),
            ("\u{1b}]0;title\u{7}x", "\\u{1b}]0;title\\u{7}x"),
            ("👩\u{200d}🔧 a\u{200c}b \u{202e}c", "👩\u{200d}🔧 a\u{200c}b \\u{202e}c"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ] {
            assert_eq!(printable_lines(text), expected, "{text:?}");
        }
    }
}

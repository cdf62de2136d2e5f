//! How values are written: on one line, and reading the same in YAML 1.1 and 1.2. Never looks at existing text.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Which text is put in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Text that any reader could take for something else.
    Needed,
    /// All of it, in single quotes if it can be written in them.
    Single,
    /// All of it and all keys, in double quotes, so that a reader of JSON understands it too.
    Double,
}

/// A value on one line: collections in flow style, text that any reader could take for something else in double quotes.
pub(super) fn inline(value: &Value) -> String {
    inline_in(value, Quotes::Needed)
}

/// A value on one line, with text in such quotes.
pub(super) fn inline_in(value: &Value, quotes: Quotes) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => numeral(number),
        Value::String(text) => string_in(text, quotes),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| inline_in(item, quotes)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(key, value)| pair_in(key, value, quotes)).collect();
            format!("{{ {} }}", fields.join(", "))
        }
    }
}

/// `key: value` on one line, with text in such quotes.
pub(super) fn pair_in(key: &str, value: &Value, quotes: Quotes) -> String {
    format!("{}: {}", string_in(key, quotes), inline_in(value, quotes))
}

fn string_in(text: &str, quotes: Quotes) -> String {
    let needs_double = |c: char| needs_escape(c) || c.is_control();
    match quotes {
        Quotes::Needed => string(text),
        Quotes::Single if !text.contains(needs_double) => format!("'{}'", text.replace('\'', "''")),
        Quotes::Single | Quotes::Double => quoted(text),
    }
}

/// A number. YAML 1.1 wants a point in every float and a sign on every exponent.
fn numeral(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Text, plain if every reader takes it for that text, else in double quotes.
pub(super) fn string(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Whether text may stand without quotes, in block and flow style, in YAML 1.1 and 1.2. Judged by what is surely allowed,
/// not by what is known to be misread.
fn is_plain(text: &str) -> bool {
    let begins_well = text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '_'))
        || ["~/", "./", "../"].iter().any(|prefix| text.starts_with(prefix))
        || is_uuid(text);
    let is_word =
        ["null", "true", "false", "yes", "no", "on", "off", "y", "n"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '~' | '+' | '@' | ' ');
    begins_well && !is_word && !text.ends_with(' ') && text.chars().all(allowed)
}

/// 8-4-4-4-12 hexadecimal digits: no reader takes that for a number or a date, even without letters.
fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut groups = text.split('-');
    lengths.iter().all(|length| {
        groups.next().is_some_and(|group| group.len() == *length && group.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }) && groups.next().is_none()
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // The one escape that YAML and JSON share; all these characters have four digits.
            c if needs_escape(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Characters YAML does not print, takes for line breaks, or that would not be seen in an editor.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn text_other_readers_take_for_something_else_is_quoted() {
        for text in [
            "",
            " ",
            "~",
            "null",
            "Null",
            "NULL",
            "yes",
            "No",
            "on",
            "OFF",
            "y",
            "N",
            "true",
            "False",
            "1",
            "-1",
            "+1",
            "0123",
            "0o7",
            "0x1f",
            "1_000",
            "12:30:45",
            "1e5",
            "1.5",
            ".5",
            ".inf",
            "-.inf",
            ".nan",
            "2026-11-21",
            "2026-11-21T10:00:00Z",
            "%3",
            "<<",
            "=",
            "---",
            "...",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "a:",
            "*a",
            "&a",
            "!a",
            "|",
            ">",
            "@a",
            "`a",
            "{a",
            "[a",
            "a,b",
            "'a",
            "\"a",
            "a ",
            " a",
            "a\nb",
            "a\tb",
            "12345678",
            "?",
            "? a",
            "a]",
            "a}",
            "\u{feff}a",
            "a\u{85}b",
            "\u{7f}",
            "1234-12-12",
        ] {
            let written = string(text);
            assert!(written.starts_with('"'), "{text:?} was written {written}");
            assert_eq!(serde_yaml::from_str::<String>(&written).unwrap(), text, "{written}");
        }
    }

    #[test]
    fn ordinary_words_paths_and_uuids_stay_plain() {
        for text in [
            "running",
            "claude",
            "/home/dev/lab/landing_page",
            "~/lab",
            "./a",
            "b3a7c0de-1234-4abc-8def-0123456789ab",
            "12345678-1234-1234-1234-123456789012",
            "lab-landing-page-creator-claude",
            "auto-registered",
            "two words",
            "Zoë",
            "漢字",
        ] {
            assert_eq!(string(text), text);
            assert_eq!(serde_yaml::from_str::<serde_yaml::Value>(text).unwrap().as_str(), Some(text));
        }
    }

    #[test]
    fn maps_are_written_in_flow_style_on_one_line() {
        let pane = json!({"id": "%3", "pid": 1, "cmd": "claude", "cwd": "/x", "none": null, "l": ["a", 1.5, true], "m": {}});
        assert_eq!(inline(&pane), "{ id: \"%3\", pid: 1, cmd: claude, cwd: /x, none: null, l: [a, 1.5, true], m: {} }");
    }

    #[test]
    fn every_character_can_be_written_and_read_back() {
        for code in (0..=0x3100).chain(0xd7f0..=0x1_0010).chain([0x1_f600, 0x1_fffe, 0x10_ffff]) {
            let Some(c) = char::from_u32(code) else { continue };
            for text in [c.to_string(), format!("a{c}b"), format!("a {c} b")] {
                for quotes in [Quotes::Needed, Quotes::Single, Quotes::Double] {
                    let line = format!("{{ {}, l: 1 }}", pair_in("k", &json!(text), quotes));
                    let read: serde_yaml::Value = serde_yaml::from_str(&line).unwrap();
                    assert_eq!(read["k"].as_str(), Some(text.as_str()), "{line}");
                }
                assert_eq!(serde_json::from_str::<String>(&quoted(&text)).unwrap(), text);
            }
        }
    }

    #[test]
    fn floats_have_a_point_and_a_signed_exponent() {
        assert_eq!(inline(&json!(1e300)), "1.0e+300");
        assert_eq!(inline(&json!(1.5e-300)), "1.5e-300");
        assert_eq!(inline(&json!(2.0)), "2.0");
    }
}

//! Documents for programs, safe on a terminal too. Never changes what a document says.

use std::fmt::Write as _;

use serde::Serialize;

use crate::core::text::printable;

/// `document` as JSON on one line. As safe as [`render`].
pub(crate) fn line(document: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(safe(&serde_json::to_string(document)?))
}

/// `document` as indented JSON with a final newline. Characters a terminal could obey are written as `\u` escapes, which
/// every JSON reader turns back.
pub(crate) fn render(document: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(safe(&serde_json::to_string_pretty(document)?))
}

fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c == '\n' || matches!(printable(c.encode_utf8(&mut [0; 4])), std::borrow::Cow::Borrowed(_)) {
            safe.push(c);
        } else {
            // Everything unsafe lies in the basic plane, so one escape does.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        }
    }
    safe.push('\n');
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::render;

    #[test]
    fn a_hostile_name_is_escaped_and_reads_back_the_same() {
        let value = serde_json::json!({"name": "a\u{1b}[31m\u{9b}2J\u{202e}é\n\u{7f}"});
        let text = render(&value).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!text.contains('\u{202e}'));
        assert!(text.contains('é'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}

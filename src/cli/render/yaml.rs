//! Documents for programs as YAML, safe on a terminal too. Never changes what a document says.

use serde::Serialize;

use super::json;
use crate::yaml;

/// `document` in block style. Text that any reader could take for something else is in double quotes, in which YAML knows
/// the escapes of JSON.
pub(crate) fn render(document: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(json::escaped(&yaml::block(&serde_json::to_value(document)?)))
}

/// `document` as one of a stream.
pub(crate) fn line(document: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(format!("---\n{}", render(document)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{line, render};

    #[test]
    fn a_hostile_name_is_escaped_and_reads_back_the_same() {
        let value = serde_json::json!({"name": "a\u{1b}[31m\u{9b}2J\u{202e}é\n\u{7f}", "\u{1b}": ["\u{85}", "\u{feff}"]});
        let text = render(&value).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}') && text.contains('é'));
        assert_eq!(serde_yaml::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_stream_is_documents_that_each_read_back() {
        let stream = [serde_json::json!({"type": "started"}), serde_json::json!([])].map(|it| line(&it).unwrap()).concat();
        assert_eq!(stream, "---\ntype: started\n---\n[]\n");
    }
}

//! Documents as these tools write them: the keys in order, two blanks, ASCII only. Pure.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// A document, without a line feed at its end.
pub(super) fn text(value: &Value) -> String {
    let plain = serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
    let mut ascii = String::with_capacity(plain.len());
    for c in plain.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            ascii.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            let pairs = names.into_iter().filter_map(|name| Some((name.clone(), sorted(fields.get(name)?))));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_in_order_and_all_is_ascii() {
        let value = json!({ "b": [], "a": { "z": "é😀", "y": null }, "\u{7f}": 1 });
        let expected =
            "{\n  \"a\": {\n    \"y\": null,\n    \"z\": \"\\u00e9\\ud83d\\ude00\"\n  },\n  \"b\": [],\n  \"\\u007f\": 1\n}";
        assert_eq!(text(&value), expected);
        assert_eq!(serde_json::from_str::<Value>(&text(&value)).ok(), Some(value));
    }
}

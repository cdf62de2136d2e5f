//! A whole document in block style, for readers of answers. Manifests are edited instead (`edit`), never written whole.

use serde_json::Value;

use super::scalar::{self, Quotes};

/// A value in block style with a final newline. Reads the same in YAML 1.1 and 1.2; text outside ASCII is in double quotes.
pub fn block(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                out.push_str(&format!("{margin}{}:", text(key)));
                below(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                write(item, indent + 2, &mut inner);
                // The dash stands where the item's margin was.
                out.push_str(&format!("{margin}- {}", inner.trim_start_matches(' ')));
            }
        }
        leaf => out.push_str(&format!("{margin}{}\n", inline(leaf))),
    }
}

/// What follows a key: a leaf beside it, a collection below it.
fn below(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            write(value, indent, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(value, indent, out);
        }
        leaf => out.push_str(&format!(" {}\n", inline(leaf))),
    }
}

fn inline(leaf: &Value) -> String {
    match leaf {
        Value::String(string) => text(string),
        leaf => scalar::inline(leaf),
    }
}

fn text(string: &str) -> String {
    if string.is_ascii() {
        scalar::string(string)
    } else {
        scalar::inline_in(&Value::String(string.to_owned()), Quotes::Double)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::block;

    #[test]
    fn a_document_reads_like_one_that_a_person_wrote() {
        let value = json!({"schema": "a/v1", "in_sync": false, "rows": [{"name": "lab", "drifts": ["dead"], "job": null}, []],
            "why": "no: really", "none": {}});
        let expected = "schema: a/v1\nin_sync: false\nrows:\n  - name: lab\n    drifts:\n      - dead\n    job: null\n  - []\n\
            why: \"no: really\"\nnone: {}\n";
        assert_eq!(block(&value), expected);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[ -~]{0,9}".prop_map(Value::from),
            prop::sample::select(vec!["no", "0x1f", "1e3", "12:30", "~", "", " a", "- a", "# a", "2026-11-29"])
                .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let map = prop::collection::btree_map(any::<String>(), inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::from),
                map.prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_reads_back_the_same(value in value()) {
            prop_assert_eq!(serde_yaml::from_str::<Value>(&block(&value)).unwrap(), value);
        }
    }
}

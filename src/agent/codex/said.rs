//! The texts that a rollout of Codex says were said to it.

use serde_json::Value;

use crate::core::lead::send::{Said, SaidAs};

/// What was said by a line.
pub(super) fn said(line: &Value) -> Option<Said> {
    let payload = &line["payload"];
    let is_user = line["type"] == "response_item" && payload["type"] == "message" && payload["role"] == "user";
    let parts = payload["content"].as_array().filter(|_| is_user)?;
    let texts = parts.iter().filter(|part| part["type"] == "input_text").filter_map(|part| part["text"].as_str());
    Some(Said { held_as: SaidAs::Prompt, text: texts.collect() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_user_said_counts() {
        let item = |role: &str, text: &str| {
            json!({"type": "response_item", "payload": {"type": "message", "role": role,
                "content": [{"type": "input_text", "text": text}]}})
        };
        assert_eq!(said(&item("user", "a b")), Some(Said { held_as: SaidAs::Prompt, text: "a b".to_owned() }));
        for other in [item("developer", "a b"), json!({"type": "event_msg"}), json!(null)] {
            assert_eq!(said(&other), None, "{other}");
        }
    }
}

//! The texts that a transcript of Claude Code says were said to it.

use serde_json::Value;

use crate::core::lead::send::{Said, SaidAs};

/// What was said by a line.
pub(super) fn said(line: &Value) -> Option<Said> {
    let is = |field: &str, word: &str| line[field] == word;
    if is("type", "queue-operation") {
        let text = line["content"].as_str().filter(|_| is("operation", "enqueue"))?;
        return Some(Said { held_as: SaidAs::Queued, text: text.to_owned() });
    }
    // What it says to itself, and what its sub-agents are told, is nobody's prompt.
    let is_own = line["isMeta"] == true || line["isSidechain"] == true;
    if !is("type", "user") || is_own {
        return None;
    }
    let text = match &line["message"]["content"] {
        Value::String(said) => said.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> =
                parts.iter().filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect();
            (!texts.is_empty()).then(|| texts.concat())?
        }
        _ => return None,
    };
    let text = pasted(&text).or_else(|| command(&text)).unwrap_or(text);
    Some(Said { held_as: SaidAs::Prompt, text })
}

/// What a long text is wrapped in: `<pasted_content id="X">`, lines, `</pasted_content id="X">`.
fn pasted(text: &str) -> Option<String> {
    let (id, rest) = text.trim().strip_prefix("<pasted_content id=\"")?.split_once("\">\n")?;
    let inside = rest.strip_suffix(&format!("\n</pasted_content id=\"{id}\">"))?;
    Some(inside.to_owned())
}

/// A command as it was typed: `<command-name>/x</command-name>`, and its arguments.
fn command(text: &str) -> Option<String> {
    let tag = |name: &str| Some(text.split_once(&format!("<{name}>"))?.1.split_once(&format!("</{name}>"))?.0);
    let name = tag("command-name").filter(|_| text.trim_start().starts_with("<command-"))?;
    Some(format!("{name} {}", tag("command-args").unwrap_or_default()).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(content: Value) -> Value {
        json!({"type": "user", "message": {"role": "user", "content": content}})
    }

    #[test]
    fn only_a_prompt_or_its_place_in_the_queue_counts() {
        let of = |line: &Value| said(line).map(|said| (said.held_as, said.text));
        let prompt = |text: &str| Some((SaidAs::Prompt, text.to_owned()));
        assert_eq!(of(&user("a b".into())), prompt("a b"));
        assert_eq!(of(&user(json!([{"type": "text", "text": "a b"}]))), prompt("a b"));
        let queued = json!({"type": "queue-operation", "operation": "enqueue", "content": "a b"});
        assert_eq!(of(&queued), Some((SaidAs::Queued, "a b".to_owned())));
        let wrapped = "\n\n<pasted_content id=\"e0b4\">\n1\n2\n</pasted_content id=\"e0b4\">\n";
        assert_eq!(of(&user(wrapped.into())), prompt("1\n2"));
        let other = "<pasted_content id=\"e0b4\">\n1\n</pasted_content id=\"other\">";
        assert_eq!(of(&user(other.into())), prompt(other));
        let command = "<command-name>/compact</command-name>\n<command-message>compact</command-message>\n\
            <command-args>keep it short</command-args>";
        assert_eq!(of(&user(command.into())), prompt("/compact keep it short"));
        let mut meta = user("a b".into());
        meta["isMeta"] = true.into();
        let mut side = user("a b".into());
        side["isSidechain"] = true.into();
        let result = user(json!([{"type": "tool_result", "content": "a b"}]));
        let dequeued = json!({"type": "queue-operation", "operation": "dequeue", "content": "a b"});
        let own = json!({"type": "assistant", "message": {"content": "a b"}});
        for other in [meta, side, result, dequeued, own, json!(null), json!([])] {
            assert_eq!(of(&other), None, "{other}");
        }
    }
}

//! What a live Gemini is doing, by the last message of its chat. Counts only messages since the process started.
//!
//! An answer is recorded before the tools it asks for have run, and tells nothing of them until they have: whether the agent is
//! done, at work on a tool or waits for leave to run it, the chat does not say. The title of its pane does.

use chrono::{DateTime, Utc};

use super::chat::ChatMessage;
use super::tail;
use crate::agent::LiveConversation;
use crate::core::fact::Fact;
use crate::core::observe::Activity;

pub(super) fn of(scene: &LiveConversation<'_>) -> Fact<Activity> {
    let Some(transcript) = scene.transcript else { return Fact::Absent };
    match tail::records::<ChatMessage>(&transcript.path) {
        Ok(messages) => told(&messages, scene.process.started).map_or(Fact::Absent, Fact::Seen),
        Err(why) => Fact::Unknown(why),
    }
}

/// What the title says (0.61): `◇  Ready (<directory>)`, and the like.
pub(super) fn of_title(title: &str) -> Option<Activity> {
    match title.chars().next()? {
        '\u{25c7}' => Some(Activity::Idle),
        '\u{2726}' => Some(Activity::Working),
        '\u{270b}' => Some(Activity::Waiting),
        _ => None,
    }
}

fn told(messages: &[ChatMessage], since: DateTime<Utc>) -> Option<Activity> {
    let mut newest = messages.iter().rev().take_while(|message| message.timestamp >= since);
    // Other notices may stand anywhere.
    let last = newest.find(|message| message.kind != "info" || message.content == "Request cancelled.")?;
    match last.kind.as_str() {
        // A prompt, or what a tool gave: the model's word is next.
        "user" => Some(Activity::Working),
        "error" | "info" => Some(Activity::Idle),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told_of(messages: &[Value]) -> Option<Activity> {
        let message = |(n, value): (usize, &Value)| {
            let mut value = value.clone();
            (value["id"], value["timestamp"]) = (json!(format!("m{n}")), json!(format!("2026-11-21T03:00:{n:02}Z")));
            serde_json::from_value::<ChatMessage>(value).unwrap()
        };
        let messages: Vec<ChatMessage> = messages.iter().enumerate().map(message).collect();
        told(&messages, "2026-11-21T03:00:00Z".parse().unwrap())
    }

    #[test]
    fn the_first_sign_of_a_title_says_what_it_is_doing() {
        for (title, expected) in [
            ("◇  Ready (landing_page)", Some(Activity::Idle)),
            ("✦  Working… (landing_page)", Some(Activity::Working)),
            ("✋  Action Required (landing_page)", Some(Activity::Waiting)),
            ("Gemini CLI (landing_page)", None),
            ("bash", None),
            ("", None),
        ] {
            assert_eq!(of_title(title), expected, "{title}");
        }
    }

    #[test]
    fn only_what_the_last_message_proves_is_said() {
        let prompt = json!({"type": "user", "content": [{"text": "hello"}]});
        let result = json!({"type": "user", "content": [{"functionResponse": {"id": "c"}}]});
        let silent = json!({"type": "gemini", "content": ""});
        let answer = json!({"type": "gemini", "content": "let me see"});
        let ran = json!({"type": "gemini", "content": "", "toolCalls": [{"id": "c", "status": "success"}]});
        let cancelled = json!({"type": "info", "content": "Request cancelled."});
        let failed = json!({"type": "error", "content": "[API Error: …]"});
        let notice = json!({"type": "info", "content": "Another model is used."});
        for (messages, expected) in [
            (vec![], None),
            (vec![&prompt], Some(Activity::Working)),
            (vec![&prompt, &silent], None),
            (vec![&prompt, &answer], None),
            (vec![&prompt, &silent, &ran], None),
            (vec![&prompt, &silent, &ran, &result], Some(Activity::Working)),
            (vec![&prompt, &cancelled], Some(Activity::Idle)),
            (vec![&prompt, &failed], Some(Activity::Idle)),
            (vec![&prompt, &notice], Some(Activity::Working)),
            (vec![&prompt, &failed, &notice], Some(Activity::Idle)),
            (vec![&prompt, &answer, &notice], None),
            (vec![&notice], None),
        ] {
            let messages: Vec<Value> = messages.into_iter().cloned().collect();
            assert_eq!(told_of(&messages), expected, "{messages:?}");
        }
    }

    #[test]
    fn messages_of_an_earlier_process_say_nothing() {
        let messages: Vec<ChatMessage> =
            serde_json::from_value(json!([{"id": "a", "timestamp": "2026-11-21T03:00:00Z", "type": "user", "content": "x"}]))
                .unwrap();
        assert_eq!(told(&messages, "2026-11-21T03:00:01Z".parse().unwrap()), None);
        assert_eq!(told(&messages, "2026-11-21T03:00:00Z".parse().unwrap()), Some(Activity::Working));
    }
}

//! From the text of an option to its value, with an error that says what was expected. Pure.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command};

use crate::core::drift::Class;
use crate::core::duration::expected;
pub(super) use crate::core::duration::parse as duration;
use crate::core::events::Event;
use crate::core::hooks::HookKind;
use crate::core::ids::{AgentKind, ConversationId, MuxKind, UnknownName};
use crate::core::lead::conditions::Condition;
use crate::core::lead::send::AnswerChoice;

/// A time between two things that happen again and again; not so short that nothing else would.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    if period < Duration::from_millis(100) { Err(expected("less than 100ms is too often")) } else { Ok(period) }
}

/// How many.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "expected a number such as 5".to_owned())
}

/// How many, perhaps none.
pub(super) fn any_count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a number such as 5".to_owned())
}

/// A moment: an RFC 3339 time, or how long ago it was.
pub(super) fn since(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(at) = text.parse::<DateTime<Utc>>() {
        return Ok(at);
    }
    let ago = duration(text).ok().and_then(|ago| Utc::now().checked_sub_signed(TimeDelta::from_std(ago).ok()?));
    ago.ok_or_else(|| "expected a time such as 2026-11-29T18:00:00Z, or how long ago it was, such as 10m".to_owned())
}

/// A label selector `key=value`.
pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let Some((key, value)) = text.split_once('=') else {
        return Err("expected KEY=VALUE, as in `-l team=web`".to_owned());
    };
    let value = value.strip_prefix('=').unwrap_or(value);
    if key.ends_with('!') {
        return Err("`!=` is not supported; only KEY=VALUE is".to_owned());
    }
    if key.is_empty() {
        return Err("the key is empty; expected KEY=VALUE, as in `-l team=web`".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// The name of a consumer: it becomes a key of a state file and is shown to people.
pub(super) fn consumer(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 || !text.chars().all(fine) {
        return Err("expected 1 to 64 letters, digits, `-`, `_` or `.`".to_owned());
    }
    Ok(text.to_owned())
}

/// One of these, by its word.
pub(super) fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    word: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.map(word))
        .try_map(move |text| all.into_iter().find(|one| word(*one) == text).ok_or(UnknownName(text)))
}

/// A drift class by its word or its letter.
pub(super) fn class() -> impl TypedValueParser<Value = Class> {
    let words = Class::ALL.map(|class| PossibleValue::new(class.as_str()).alias(letter(class)));
    PossibleValuesParser::new(words)
        .try_map(|word| Class::ALL.into_iter().find(|class| letter(*class) == word).map_or_else(|| word.parse(), Ok))
}

/// What the long help says of `--class`.
pub(super) fn class_help() -> String {
    format!("Only drifts of these classes: {}", Class::ALL.map(Class::as_str).join(", "))
}

/// What the long help says of `--agent`.
pub(super) fn agent_help() -> String {
    format!("Only sessions of these agents: {}", agents())
}

/// Every agent, in words.
pub(super) fn agents() -> String {
    let known = AgentKind::ALL.map(|agent| agent.as_str().to_owned()).join(", ");
    format!("{known}, or one that the manifest declares")
}

const fn letter(class: Class) -> &'static str {
    match class {
        Class::Dead => "A",
        Class::Unregistered => "B",
        Class::NewId => "C",
        Class::StaleId => "D",
        Class::AgentGone => "E",
        Class::Revived => "F",
        Class::Moved => "G",
        Class::Ambiguous => "H",
        Class::Delegated => "I",
    }
}

/// An agent by its canonical name or an alias, or any other word that can be one: only the manifest tells whether it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentParser;

impl AgentParser {
    fn known() -> impl TypedValueParser<Value = String> {
        let words = AgentKind::ALL.each_ref().map(|agent| PossibleValue::new(agent.as_str()).aliases(agent.names().skip(1)));
        PossibleValuesParser::new(words)
    }
}

impl TypedValueParser for AgentParser {
    type Value = AgentKind;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<AgentKind, clap::Error> {
        if let Some(agent) = value.to_str().and_then(AgentKind::named) {
            return Ok(agent);
        }
        let refused = Self::known().try_map(|word| word.parse::<AgentKind>());
        refused.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let known: Vec<PossibleValue> = Self::known().possible_values()?.collect();
        Some(Box::new(known.into_iter()))
    }
}

/// A multiplexer.
pub(super) fn mux() -> impl TypedValueParser<Value = MuxKind> {
    PossibleValuesParser::new(MuxKind::ALL.map(MuxKind::as_str)).try_map(|word| word.parse::<MuxKind>())
}

/// The id of a conversation, as it may be an argument of an agent.
pub(crate) fn conversation(text: &str) -> Result<ConversationId, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    match text {
        "" => Err("it is empty".to_owned()),
        _ if text.len() > 128 => Err("it has more than 128 bytes".to_owned()),
        _ if text.starts_with('-') || !text.chars().all(is_plain) => Err("it is no id of a conversation".to_owned()),
        _ => Ok(ConversationId(text.to_owned())),
    }
}

/// What a holder of a session is called.
pub(crate) fn holder(text: &str) -> Result<String, String> {
    match text {
        "" => Err("it is empty".to_owned()),
        _ if text.trim() != text || text.chars().any(char::is_control) => Err("it holds odd white space".to_owned()),
        _ if text.len() > 64 => Err("it has more than 64 bytes".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A condition that can be waited for.
pub(crate) fn condition() -> impl TypedValueParser<Value = Condition> {
    let words = Condition::ALL.into_iter().filter(|it| *it != Condition::Unknown).map(Condition::as_str);
    PossibleValuesParser::new(words).try_map(|word| word.parse::<Condition>())
}

/// What a question of an agent is answered with.
pub(crate) fn answer(text: &str) -> Result<AnswerChoice, String> {
    match text {
        "approve" => Ok(AnswerChoice::Approve),
        "deny" => Ok(AnswerChoice::Deny),
        _ => text.parse().map(AnswerChoice::Number).map_err(|_| "say approve, deny or the number of a choice".to_owned()),
    }
}

/// The beginning of a hash, as long as it is shown at most.
pub(crate) fn hash(text: &str) -> Result<String, String> {
    let is_hash = (6..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| text.to_ascii_lowercase()).ok_or_else(|| "it is not 6 to 12 hexadecimal digits".to_owned())
}

/// A kind of hook event.
pub(crate) fn hook_kind(text: &str) -> Result<HookKind, String> {
    let all = || HookKind::ALL.map(HookKind::as_str).join(", ");
    text.parse().map_err(|_| format!("no event is called so; there are {}", all()))
}

/// A kind of event and the command for it.
pub(crate) fn on_event(text: &str) -> Result<(&'static str, OsString), String> {
    let (word, command) = text.split_once('=').ok_or("write EVENT=CMD, such as `back=notify-send back`")?;
    // An error is one of the watch.
    let conditions = Condition::ALL.into_iter().filter(|it| *it != Condition::Unknown).map(Condition::as_str);
    let all: Vec<&str> = Event::HAPPENINGS.into_iter().chain(conditions.filter(|word| *word != "error")).collect();
    let event = all.iter().copied().find(|known| *known == word);
    let event = event.ok_or_else(|| format!("no event is called {word}; there are {}", all.join(", ")))?;
    if command.trim().is_empty() {
        return Err("there is no command".to_owned());
    }
    Ok((event, command.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("1s500ms", 1_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_bad_duration_says_what_is_wrong_with_it() {
        for (text, part) in [
            ("", "it is empty"),
            ("5", "5 needs a unit; 5s"),
            ("soon", "cannot begin with 's'"),
            ("-5s", "cannot begin with '-'"),
            ("1.5s", "fractions"),
            ("5 s", "fractions"),
            ("5sec", "\"sec\" is not a unit"),
            ("99999999999999999999s", "too long"),
            ("18446744073709551615d", "too long"),
            ("5é", "fractions"),
        ] {
            let error = duration(text).err().unwrap_or_default();
            assert!(error.contains(part), "{text}: {error}");
            assert!(error.ends_with("1h30m or 1d"), "{text}: {error}");
        }
    }

    #[test]
    fn a_label_selector_is_an_equation() {
        assert_eq!(label("team=web"), Ok(("team".to_owned(), "web".to_owned())));
        assert_eq!(label("team==web"), Ok(("team".to_owned(), "web".to_owned())));
        assert_eq!(label("url=a=b"), Ok(("url".to_owned(), "a=b".to_owned())));
        assert_eq!(label("empty="), Ok(("empty".to_owned(), String::new())));
        for text in ["team", "=web", "team!=web", ""] {
            assert!(label(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_class_has_its_own_letter() {
        for class in Class::ALL {
            assert_eq!(letter(class), class.code().to_string());
        }
    }

    #[test]
    fn a_consumer_is_a_plain_word() {
        assert!(consumer("ci-bot_2.0").is_ok());
        for text in ["", "a b", "a/b", "é", "x".repeat(65).as_str()] {
            assert!(consumer(text).is_err(), "{text}");
        }
    }
}

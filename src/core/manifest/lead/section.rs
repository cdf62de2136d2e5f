//! A mapping of a manifest with the remarks about it: each field by its type. Knows no field.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_yaml::{Mapping, Value};

use super::super::remark::{Remarks, closest, noun};
use crate::core::duration;
use crate::core::edit::{Path, Segment};

/// A mapping, its place, and where remarks go.
pub(in crate::core::manifest) struct LeadSection<'a> {
    pub(in crate::core::manifest) path: Path,
    pub(in crate::core::manifest) fields: &'a Mapping,
    pub(in crate::core::manifest) remarks: &'a mut Remarks,
}

impl<'a> LeadSection<'a> {
    /// The mapping at `path`; a fatal remark if it is something else.
    pub(in crate::core::manifest) fn of(path: Path, value: &'a Value, example: &str, remarks: &'a mut Remarks) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::Mapping(fields) => Some(Self { path, fields, remarks }),
            other => {
                let name = if let Some(Segment::Key(key)) = path.0.last() { key.clone() } else { path.to_string() };
                remarks.fatal(path, format!("`{name}` must be a mapping, this is {}", noun(other)), Some(example.to_owned()));
                None
            }
        }
    }

    /// Warns about keys that are none of these.
    pub(in crate::core::manifest) fn known(&mut self, keys: &[&str]) {
        for key in self.fields.keys() {
            match key.as_str() {
                Some(key) if keys.contains(&key) => {}
                Some(key) => self.remarks.unknown_key(self.path.key(key), key, keys.iter().map(|word| (*word).to_owned())),
                None => self.remarks.warn(self.path.clone(), format!("a key here is {}, not text", noun(key)), None),
            }
        }
    }

    /// What stands at a key, unless that is null.
    pub(in crate::core::manifest) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    pub(in crate::core::manifest) fn wrong(&mut self, key: &str, expected: &str, value: &Value) {
        let message = format!("`{key}` must be {expected}, this is {}", noun(value));
        self.remarks.fatal(self.path.key(key), message, None);
    }

    pub(in crate::core::manifest) fn text(&mut self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::String(text) if text.is_empty() => {
                self.remarks.fatal(
                    self.path.key(key),
                    format!("`{key}` is empty"),
                    Some("leave the key out instead".to_owned()),
                );
                None
            }
            Value::String(text) => Some(text.clone()),
            other => {
                self.wrong(key, "text", other);
                None
            }
        }
    }

    /// A list of text; one text stands for a list of it.
    pub(in crate::core::manifest) fn list(&mut self, key: &str) -> Vec<String> {
        match self.get(key) {
            None => Vec::new(),
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Sequence(items)) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(other) => {
                self.wrong(key, "a list of text", other);
                Vec::new()
            }
        }
    }

    pub(in crate::core::manifest) fn duration(&mut self, key: &str) -> Option<Duration> {
        let value = self.get(key)?;
        match duration_of(value) {
            Ok(duration) => Some(duration),
            Err(why) => {
                self.remarks.fatal(self.path.key(key), format!("`{key}` is no duration: {why}"), None);
                None
            }
        }
    }

    /// A whole number above zero.
    pub(in crate::core::manifest) fn count(&mut self, key: &str) -> Option<u32> {
        let value = self.get(key)?;
        match value.as_u64().and_then(|number| u32::try_from(number).ok()).filter(|number| *number > 0) {
            Some(number) => Some(number),
            None => {
                self.wrong(key, "a whole number above 0", value);
                None
            }
        }
    }

    /// A number that is at least 1.
    pub(in crate::core::manifest) fn factor(&mut self, key: &str) -> Option<f64> {
        let value = self.get(key)?;
        match value.as_f64().filter(|number| number.is_finite() && *number >= 1.0) {
            Some(number) => Some(number),
            None => {
                self.wrong(key, "a number of at least 1", value);
                None
            }
        }
    }

    /// One of a few words.
    pub(in crate::core::manifest) fn word<T: Copy>(&mut self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        let text = match self.get(key)? {
            Value::String(text) => text,
            other => {
                self.wrong(key, "a word", other);
                return None;
            }
        };
        let found = words.iter().find(|(word, _)| word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.remarks.fatal(self.path.key(key), format!("unknown {key} {text:?}"), Some(meant(text, words)));
        }
        found
    }

    /// A mapping of some of these words to lists of text.
    pub(in crate::core::manifest) fn lists(&mut self, key: &str, words: &[&str]) -> BTreeMap<String, Vec<String>> {
        let Some(value) = self.get(key) else { return BTreeMap::new() };
        let Some(mut inner) = LeadSection::of(self.path.key(key), value, "a mapping of words to lists of flags", self.remarks)
        else {
            return BTreeMap::new();
        };
        inner.known(words);
        let keys: Vec<&str> = inner.fields.keys().filter_map(Value::as_str).collect();
        keys.into_iter().map(|key| (key.to_owned(), inner.list(key))).collect()
    }
}

/// What was probably meant, or what may be said.
pub(super) fn meant<T>(text: &str, words: &[(&'static str, T)]) -> String {
    let all = || words.iter().map(|(word, _)| *word);
    match closest(text, all()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("it is one of {}", all().collect::<Vec<_>>().join(", ")),
    }
}

/// A duration as it is written; `0` may be a number.
pub(super) fn duration_of(value: &Value) -> Result<Duration, String> {
    match value {
        Value::String(text) => duration::parse(text),
        Value::Number(number) => duration::parse(&number.to_string()),
        other => Err(duration::expected(&format!("it is {}", noun(other)))),
    }
}

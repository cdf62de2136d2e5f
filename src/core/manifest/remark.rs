//! What is wrong with a manifest, or odd: remarks about its nodes, and what a mistyped word was probably meant to be. Pure.

use serde_yaml::Value;

use super::names::is_own_key;
use crate::core::edit::Path;

/// Something to say about a node of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The node.
    pub path: Path,
    /// Whether it is about the node's key rather than its value.
    pub about_key: bool,
    /// Whether the manifest cannot be used because of it. Otherwise it is a warning (an error with `--strict`).
    pub fatal: bool,
    /// One line: what is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The remarks made so far.
#[derive(Debug, Default)]
pub(super) struct Remarks(pub(super) Vec<Remark>);

impl Remarks {
    /// A value that makes the manifest unusable.
    pub(super) fn fatal(&mut self, path: Path, message: impl Into<String>, hint: Option<String>) {
        let remark = Remark { path, about_key: false, fatal: true, message: message.into(), hint };
        // What is wrong in `defaults` is met again in every entry, and told once.
        if !self.0.contains(&remark) {
            self.0.push(remark);
        }
    }

    /// A key that makes the manifest unusable.
    pub(super) fn fatal_key(&mut self, path: Path, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Remark { path, about_key: true, fatal: true, message: message.into(), hint });
    }

    /// A value that is odd but harmless.
    pub(super) fn warn(&mut self, path: Path, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Remark { path, about_key: false, fatal: false, message: message.into(), hint });
    }

    /// A key nothing knows that was probably meant to be `meant`, which says where a session is; and whom that concerns.
    pub(super) fn doubtful_key(&mut self, path: Path, key: &str, meant: &str, whom: &str) {
        let hint = format!("did you mean `{meant}`? Until you fix that, {whom} not judged; start keys of your own with `x-`");
        self.push(Remark { path, about_key: true, fatal: false, message: format!("unknown key `{key}`"), hint: Some(hint) });
    }

    /// Any other remark.
    pub(super) fn push(&mut self, remark: Remark) {
        self.0.push(remark);
    }

    /// A key nothing knows, with what may have been meant. Keys beginning with `x-` are the user's own.
    pub(super) fn unknown_key(&mut self, path: Path, key: &str, known: impl Iterator<Item = String>) {
        if is_own_key(key) {
            return;
        }
        let hint = closest(key, known).map(|word| format!("did you mean `{word}`?"));
        self.0.push(Remark { path, about_key: true, fatal: false, message: format!("unknown key `{key}`"), hint });
    }
}

/// How many slips of the fingers may be in a word of this length.
pub(super) fn slips_allowed(word: &str) -> usize {
    match word.chars().count() {
        0 | 1 => 0,
        2..=5 => 1,
        _ => 2,
    }
}

/// The known word closest to a mistyped one, if any is close: one that begins alike, or that a slip of the fingers or two (a
/// letter too many, missing, wrong, or two swapped) makes of it.
pub(super) fn closest(word: &str, known: impl Iterator<Item = impl Into<String>>) -> Option<String> {
    let allowed = slips_allowed(word);
    known
        .map(|candidate| -> String { candidate.into() })
        .filter_map(|candidate| {
            let slips = strsim::osa_distance(word, &candidate);
            let alike = strsim::jaro_winkler(word, &candidate);
            (slips <= allowed || alike > 0.8).then_some((slips, alike, candidate))
        })
        .min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)))
        .map(|(_, _, candidate)| candidate)
}

/// What to do about a value that is wrong only for its tag, which is not named: it may be private.
pub(super) fn tag_hint(value: &Value) -> Option<String> {
    matches!(value, Value::Tagged(_)).then(|| "take its tag, which begins with `!`, out".to_owned())
}

/// A scalar as text; `None` for null and collections.
pub(super) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}

/// What a value is, for messages.
pub(super) fn noun(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}

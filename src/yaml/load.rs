//! From text to a manifest, every remark with its place. Never changes the text.

use std::ops::Range;

use serde_yaml::Value;

use super::text::{break_at, line_end, line_start, offset_of};
use super::tree::SyntaxTree;
use super::untyped::{self, Unreadable, UnreadableCause};
use super::{Diagnostic, Document};
use crate::core::manifest::{self, Environment, Manifest, Remark};

/// A manifest that can be used, and what is odd about it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedManifest {
    /// The manifest.
    pub manifest: Manifest,
    /// What `--strict` makes errors.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a manifest.
///
/// # Errors
/// Everything that is wrong with it, of which at least one diagnostic is fatal.
pub fn load(text: &str, env: &Environment) -> Result<LoadedManifest, Vec<Diagnostic>> {
    Document::read(text)?.load(env)
}

/// The manifest that a text with this value says.
pub(super) fn load_value(text: &str, raw: &Value, env: &Environment) -> Result<LoadedManifest, Vec<Diagnostic>> {
    let merged;
    let merged = if text.contains("<<") {
        merged = untyped::merged(raw.clone()).map_err(|error| vec![bad_merge(text, &error)])?;
        &merged
    } else {
        raw
    };
    match manifest::read(raw, merged, env) {
        Ok((manifest, remarks)) => Ok(LoadedManifest { manifest, warnings: place(text, remarks) }),
        Err(remarks) => Err(place(text, remarks)),
    }
}

/// Gives remarks their places. The tree is only made when there is something to say.
fn place(text: &str, remarks: Vec<Remark>) -> Vec<Diagnostic> {
    if remarks.is_empty() {
        return Vec::new();
    }
    let tree = SyntaxTree::parse(text);
    remarks
        .into_iter()
        .map(|remark| Diagnostic {
            fatal: remark.fatal,
            span: tree.span(&remark.path, remark.about_key),
            message: remark.message,
            hint: remark.hint,
        })
        .collect()
}

fn fatal(message: impl Into<String>, hint: Option<&str>, span: Option<Range<usize>>) -> Diagnostic {
    Diagnostic { fatal: true, message: message.into(), hint: hint.map(str::to_owned), span }
}

/// A document that is no mapping.
pub(super) fn wrong_shape(text: &str, raw: &Value) -> Option<Diagnostic> {
    let kind = match raw {
        Value::Mapping(_) => return None,
        Value::Null => {
            let hint = "a manifest begins with `version: 1` and `sessions:`";
            return Some(fatal("manifest is empty", Some(hint), None));
        }
        Value::Sequence(_) => "a list",
        Value::Tagged(_) => "a tagged value",
        Value::Bool(_) | Value::Number(_) | Value::String(_) => "a single value",
    };
    let hint = match raw {
        Value::Sequence(_) => "put the entries below a `sessions:` key",
        Value::Tagged(_) => "take the tag before it out",
        _ => "a manifest is a mapping: `version: 1`, `sessions:`, …",
    };
    let span = SyntaxTree::parse(text).span(&crate::core::edit::Path::root(), false);
    Some(fatal(format!("the top level of a manifest is a mapping, this is {kind}"), Some(hint), span))
}

fn bad_merge(text: &str, error: &serde_yaml::Error) -> Diagnostic {
    // The reader does not say which merge key it is about; if there is only one, it is that one.
    let mut found = text.match_indices("<<");
    let span = match (found.next(), found.next()) {
        (Some((start, key)), None) => Some(start..start + key.len()),
        _ => None,
    };
    fatal(format!("bad merge key `<<`: {error}"), Some("a merge key takes a mapping or a list of mappings: `<<: *base`"), span)
}

/// The diagnostic for a text that is not one YAML document.
pub(super) fn unreadable_text(text: &str, unreadable: &Unreadable) -> Diagnostic {
    match &unreadable.cause {
        UnreadableCause::Duplicate(key) => {
            let span = SyntaxTree::parse(text).second_key(&unreadable.path, key);
            let hint = if key == "<<" { "merge several with one key: `<<: [*a, *b]`" } else { "keep one of the two" };
            return fatal(format!("duplicate key `{key}`"), Some(hint), span.or_else(|| located(text, unreadable)));
        }
        UnreadableCause::TooMuch => return too_much(text, unreadable),
        UnreadableCause::Reader => {}
    }
    let full = unreadable.error.to_string();
    let message = full.split(" at line ").next().unwrap_or(&full);
    if message.contains("more than one document") {
        let span = second_document(text);
        return fatal("manifest has more than one document", Some("keep one document; remove the `---` between them"), span);
    }
    if message.contains("repetition limit") {
        return too_much(text, unreadable);
    }
    if message.contains("recursion limit") {
        return fatal("values are nested too deeply", None, located(text, unreadable));
    }
    if message.contains("control characters are not allowed") {
        let found = text.char_indices().find(|(_, c)| is_forbidden(*c));
        let span = found.map(|(start, c)| start..start + c.len_utf8());
        let hint = "remove the character, or write it escaped in double quotes (\"\\x1b\")";
        return fatal("control characters are not allowed", Some(hint), span);
    }
    let context = full.split_once(", while ").map_or("", |(_, context)| context);
    if message.contains("unexpected end of stream") && context.contains("quoted scalar") {
        let start = place_in(context).map(|(line, column)| offset_of(text, line, column));
        return fatal("quoted text is not closed", Some("add the closing quote"), start.map(|start| start..start + 1));
    }
    if context.contains("flow ")
        && let Some((line, column)) = place_in(context)
    {
        let hint = format!("the bracket at line {line}, column {column} may not be closed");
        return fatal(message, Some(&hint), located(text, unreadable));
    }
    let span = located(text, unreadable);
    let hint = span.as_ref().and_then(|span| syntax_hint(text, message, span.start));
    fatal(message, hint, span)
}

fn too_much(text: &str, unreadable: &Unreadable) -> Diagnostic {
    let span = SyntaxTree::parse(text).span(&unreadable.path, true);
    fatal("the aliases of this file expand to too much", Some("write the values out instead of repeating them"), span)
}

/// The line and column at the end of a reader's message.
fn place_in(message: &str) -> Option<(usize, usize)> {
    let (line, column) = message.rsplit_once(" at line ")?.1.split_once(" column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

/// Whether libyaml refuses a character.
fn is_forbidden(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn located(text: &str, unreadable: &Unreadable) -> Option<Range<usize>> {
    let location = unreadable.error.location()?;
    let start = offset_of(text, location.line(), location.column());
    let length = text[start..].chars().next().filter(|c| !matches!(c, '\n' | '\r')).map_or(0, char::len_utf8);
    Some(start..start + length)
}

fn second_document(text: &str) -> Option<Range<usize>> {
    let second = SyntaxTree::parse(text).documents().nth(1)?;
    let start = usize::from(second.text_range().start());
    let mut start = line_start(text, start);
    while start < text.len() && !text[start..].starts_with("---") {
        start = line_end(text, start);
        start += break_at(text, start).len();
    }
    (start < text.len()).then(|| start..start + 3)
}

/// Whether this line or the one before has a comment as other languages write it.
fn has_foreign_comment(text: &str, at: usize) -> bool {
    let start = line_start(text, at);
    let lines = &text[line_start(text, start.saturating_sub(1))..line_end(text, at)];
    lines.lines().any(|line| line.split_whitespace().any(|word| word.starts_with("//") || word.starts_with("/*")))
}

/// What to do about the commonest mistakes; libyaml names the symptom only.
fn syntax_hint(text: &str, message: &str, at: usize) -> Option<&'static str> {
    let next = text[at..].chars().next();
    let line = &text[line_start(text, at)..line_end(text, at)];
    match next {
        _ if line.trim_start_matches(' ').starts_with('\t') => Some("indent with spaces; YAML does not allow tabs"),
        Some('%') if message.contains("cannot start any token") => Some("put text that begins with % in quotes: \"%3\""),
        Some('@' | '`') => Some("put text that begins with this character in quotes"),
        _ if message.contains("mapping values are not allowed") => {
            Some("put text that holds `: ` in quotes, or check the indentation of this line")
        }
        _ if message.contains("unknown anchor") => Some("the anchor (`&name`) must stand before its alias (`*name`)"),
        _ if message.contains("escape character") => Some("write a backslash in double quotes twice: `\\\\`"),
        _ if message.contains("escape code") => Some("write the character itself: `\\u` with half of a pair is none"),
        _ if message.contains("expected ':'") => {
            Some("a key and its `: ` stand on one line, within 1024 characters; put text that is no key in quotes")
        }
        _ if message.contains("did not find expected") && has_foreign_comment(text, at) => Some("a comment begins with `#`"),
        _ if message.contains("did not find expected") => Some("check the indentation and the brackets before this place"),
        _ => None,
    }
}

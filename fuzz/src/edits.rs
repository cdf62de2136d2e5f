//! Histories of edits, of texts somebody wrote or of none: an edit that is not refused changes its value and no other byte, by item
//! as in the whole, and what expects something else is refused.

#[path = "../../tests/yaml_properties/exact.rs"]
mod exact;
#[path = "../../tests/yaml_properties/world.rs"]
mod world;

use headcount::core::edit::Edit;
use headcount::core::manifest::Environment;
use headcount::yaml::{Document, Refusal, apply, unified_diff};
use serde_json::Value;
use world::{Dice, Style, any_edit, manifest, ordinary_edit};

use super::{choice, data, files};

/// Longer texts are left to the benchmarks.
const LONGEST: usize = 16_384;

pub fn run(data: &[u8]) {
    let Some((seed, rest)) = data.split_first_chunk::<8>() else { return };
    let (how, text) = choice(rest);
    let Ok(text) = std::str::from_utf8(text) else { return };
    if text.len() > LONGEST {
        return;
    }
    let mut dice = Dice(u64::from_le_bytes(*seed));
    let written = text.is_empty().then(|| manifest(&mut dice, &Style { anchors: how & 8 != 0 }));
    let Ok(mut document) = Document::read(written.as_deref().unwrap_or(text)) else { return };
    if how & 16 != 0 {
        document = document.indexed();
    }
    for _ in 0..=how & 7 {
        let Some(before) = plain(document.text()) else { return };
        let is_any = how & 32 != 0 || !is_ordinary(&before);
        if before.as_object().is_none_or(|fields| fields.keys().all(|key| key == "<<")) {
            return;
        }
        let edit = if is_any { any_edit(&mut dice, &before) } else { ordinary_edit(&mut dice, &before) };
        match step(&document, &before, &edit) {
            Some(new) => document = new,
            None => continue,
        }
    }
}

/// What a text says, if JSON says it in the same words: no key that is not a text, no tag.
fn plain(text: &str) -> Option<Value> {
    fn is_plain(value: &serde_yaml::Value) -> bool {
        match value {
            serde_yaml::Value::Mapping(fields) => fields.iter().all(|(key, value)| key.is_string() && is_plain(value)),
            serde_yaml::Value::Sequence(items) => items.iter().all(is_plain),
            serde_yaml::Value::Number(number) => number.as_f64().is_some_and(f64::is_finite),
            serde_yaml::Value::Tagged(_) => false,
            _ => true,
        }
    }
    let raw = exact::raw_value(text)?;
    is_plain(&raw).then(|| serde_json::to_value(raw).ok()).flatten()
}

/// Whether it has the shape of a manifest: every entry a mapping with something in it.
fn is_ordinary(value: &Value) -> bool {
    let is_entry = |entry: &Value| entry.as_object().is_some_and(|fields| !fields.is_empty());
    match value.get("sessions") {
        Some(Value::Array(entries)) => entries.iter().all(is_entry),
        other => other.is_none_or(Value::is_null),
    }
}

fn step(document: &Document, before: &Value, edit: &Edit) -> Option<Document> {
    let text = document.text();
    let whole = apply(text, std::slice::from_ref(edit));
    let wrong = Edit { from: Some(Value::from("something nobody wrote")), ..edit.clone() };
    assert!(apply(text, &[wrong]).is_err(), "it expected something else: {edit:?}\n{text}");
    match (document.apply(std::slice::from_ref(edit)), whole) {
        (Ok(new), Ok(whole)) => {
            assert_eq!(new.text(), whole, "by item and as a whole: {edit:?}\n{text}");
            exact::check(text, &whole, edit);
            assert_eq!(unified_diff(text, &whole, "m.yaml").is_empty(), text == whole);
            let env = Environment { home: "/home/dev".into(), host: "dev1".to_owned() };
            if let Ok(loaded) = document.load(&env)
                && let Some(by_entry) = new.load_after(document, &loaded, &env)
            {
                assert_eq!(new.load(&env), Ok(by_entry), "by entry and as a whole: {edit:?}\n{text}");
            }
            let back = apply(&whole, &[edit.inverse()]);
            if let Ok(back) = &back {
                assert_eq!(
                    exact::try_value(back).as_ref(),
                    Some(before),
                    "taken back: {edit:?}\n{text}\n---\n{whole}\n---\n{back}"
                );
            }
            Some(new)
        }
        (Err(ours), Err(whole)) => {
            assert_eq!(ours, whole, "by item and as a whole: {edit:?}\n{text}");
            if let Refusal::Guard { span: Some(span), .. } = ours {
                assert!(text.get(span).is_some(), "a refusal about nothing in the text: {edit:?}\n{text}");
            }
            None
        }
        (ours, whole) => panic!("{ours:?}\n{whole:?}\n{edit:?}\n{text}"),
    }
}

/// Texts to begin with: those of the tables of edits, each with edits of any kind and with those headcount makes.
pub fn seeds() -> Vec<Vec<u8>> {
    let before = |path: &std::path::PathBuf| path.file_name().is_some_and(|name| name == "before.yaml");
    let texts = files(&data("edits")).into_iter().filter(|path| before(path)).map(|path| std::fs::read(path).unwrap());
    let seed = |(at, text): (usize, Vec<u8>)| {
        let how = if at % 2 == 0 { 0x12 } else { 0x32 };
        [&at.to_le_bytes(), [how].as_slice(), &text].concat()
    };
    let mut seeds: Vec<Vec<u8>> = texts.enumerate().map(seed).collect();
    seeds.extend((0..8u8).map(|at| [&[at; 8], [at * 9].as_slice()].concat()));
    seeds
}

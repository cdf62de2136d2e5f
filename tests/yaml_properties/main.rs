//! Random manifests, random histories of edits: exactly the intended values change and every other byte stays.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod exact;
mod world;

use std::path::PathBuf;

use exact::{check, try_value, value};
use headcount::core::edit::Edit;
use headcount::core::manifest::Environment;
use headcount::yaml::{Document, Refusal, apply, decode, load, render, unified_diff};
use proptest::prelude::*;
use serde_json::Value;
use world::{Dice, Style, any_edit, edited, json_manifest, manifest, ordinary_edit};

/// The value with merge keys applied.
fn merged(text: &str) -> Value {
    let mut raw: serde_yaml::Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).expect("a document");
    raw.apply_merge().expect("a merge that works");
    serde_json::to_value(raw).expect("a value JSON can say")
}

fn expect_undo(old: &str, new: &str, edit: &Edit) {
    let back =
        apply(new, &[edit.inverse()]).unwrap_or_else(|refusal| panic!("cannot undo {edit:?}: {refusal}\n{old}\n---\n{new}"));
    assert_eq!(value(&back), value(old), "undo of {edit:?}\n{old}\n---\n{new}\n---\n{back}");
}

/// The text after an ordinary edit, which may only be refused if it would take a person's comment away.
fn made(text: &str, edit: &Edit) -> Option<String> {
    match apply(text, std::slice::from_ref(edit)) {
        Ok(new) => Some(new),
        Err(Refusal::Guard { reason, .. }) if edit.to.is_none() && reason.starts_with("a comment") && text.contains('#') => {
            None
        }
        Err(refusal) => panic!("{edit:?}: {refusal}\n{text}"),
    }
}

/// Any edits of a random manifest, one after the other.
fn any_edits_are_exact_or_refused(seed: u64, length: usize, anchors: bool) {
    let mut dice = Dice(seed);
    let mut text = manifest(&mut dice, &Style { anchors });
    for _ in 0..length {
        let edit = any_edit(&mut dice, &value(&text));
        match apply(&text, std::slice::from_ref(&edit)) {
            Ok(new) => {
                check(&text, &new, &edit);
                if anchors {
                    let (before, after) = (merged(&text), merged(&new));
                    let untouched = |value: &Value| value.get("base").cloned();
                    if edit.path.to_string().starts_with("sessions") {
                        assert_eq!(untouched(&before), untouched(&after));
                    }
                }
                text = new;
            }
            Err(Refusal::NotEditable { reason, .. }) => {
                assert!(anchors || reason.contains("would be empty"), "{:?}: {}\n{}", edit, reason, text);
            }
            Err(Refusal::Guard { reason, .. }) => {
                assert!(reason.contains("comment"), "{:?}: {}\n{}", edit, reason, text);
            }
            Err(other) => panic!("{:?}: {}\n{}", edit, other, text),
        }
    }
}

/// A history of edits made on a document that knows where its items stand, each also made on the whole text.
fn by_item_is_as_by_the_whole(seed: u64, length: usize, any: bool, at_once: usize) {
    let mut dice = Dice(seed);
    let anchors = dice.chance(4);
    let text = manifest(&mut dice, &Style { anchors });
    let read = |text: &str| Document::read(text).expect("a document").indexed();
    let mut document = read(&text);
    for _ in 0..length {
        let (mut edits, mut expected) = (Vec::new(), value(document.text()));
        for _ in 0..at_once {
            if expected.as_object().is_none_or(serde_json::Map::is_empty) {
                break;
            }
            let edit = if any { any_edit(&mut dice, &expected) } else { ordinary_edit(&mut dice, &expected) };
            expected = edited(&expected, &edit);
            edits.push(edit);
        }
        match (document.apply(&edits), apply(document.text(), &edits)) {
            (Ok(new), Ok(whole)) => {
                assert_eq!(new.text(), whole, "{edits:?}\n{}", document.text());
                assert_eq!(
                    new.clone().indexed(),
                    read(&whole),
                    "what is known of it is not what is read of it\n{edits:?}\n{}",
                    document.text()
                );
                reads_alike(&document, &new);
                document = new;
            }
            (Err(refused), Err(whole)) => assert_eq!(refused, whole),
            (ours, whole) => panic!("{ours:?}\n{whole:?}\n{edits:?}\n{}", document.text()),
        }
    }
}

/// What is read of the changed entries alone is what is read of the whole.
fn reads_alike(before: &Document, after: &Document) {
    let env = Environment { home: PathBuf::from("/home/dev"), host: "dev1".to_owned() };
    let Ok(loaded) = before.load(&env) else { return };
    if let Some(by_entry) = after.load_after(before, &loaded, &env) {
        assert_eq!(after.load(&env), Ok(by_entry), "{}\n---\n{}", before.text(), after.text());
    }
}

#[test]
fn histories_that_once_failed_are_exact_or_refused() {
    // A key is removed behind a block text, with comments below the text that are indented deeper than the key.
    any_edits_are_exact_or_refused(3_310_780_077_292_896_478, 5, false);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_headcount_writes_into_ordinary_manifests_is_never_refused(seed: u64, length in 1usize..12) {
        let mut dice = Dice(seed);
        let mut text = manifest(&mut dice, &Style { anchors: false });
        for _ in 0..length {
            let edit = ordinary_edit(&mut dice, &value(&text));
            let Some(new) = made(&text, &edit) else { continue };
            check(&text, &new, &edit);
            expect_undo(&text, &new, &edit);
            text = new;
        }
    }

    #[test]
    fn a_history_made_at_once_says_the_same_as_one_made_step_by_step(seed: u64, length in 1usize..20) {
        let mut dice = Dice(seed);
        let first = manifest(&mut dice, &Style { anchors: false });
        let (mut text, mut edits) = (first.clone(), Vec::new());
        for _ in 0..length {
            let edit = ordinary_edit(&mut dice, &value(&text));
            let Some(new) = made(&text, &edit) else { continue };
            text = new;
            edits.push(edit);
        }
        let at_once = apply(&first, &edits).unwrap_or_else(|refusal| panic!("{refusal}\n{first}\n{edits:?}"));
        prop_assert_eq!(value(&at_once), value(&text));
        let inverse: Vec<Edit> = edits.iter().rev().map(Edit::inverse).collect();
        let back = apply(&at_once, &inverse).unwrap_or_else(|refusal| panic!("undo: {refusal}\n{at_once}\n{inverse:?}"));
        prop_assert_eq!(value(&back), value(&first));
    }

    #[test]
    fn any_edit_of_any_node_is_exact_or_refused(seed: u64, length in 1usize..12, anchors: bool) {
        any_edits_are_exact_or_refused(seed, length, anchors);
    }

    #[test]
    fn an_item_edited_alone_is_as_if_the_whole_were(seed: u64, length in 1usize..12, any: bool, at_once in 1usize..4) {
        by_item_is_as_by_the_whole(seed, length, any, at_once);
    }

    #[test]
    fn a_manifest_that_is_json_stays_json(seed: u64, length in 1usize..12) {
        let mut dice = Dice(seed);
        let (mut text, any) = (json_manifest(&mut dice), dice.chance(2));
        for _ in 0..length {
            let before = value(&text);
            if before.as_object().is_none_or(serde_json::Map::is_empty) {
                break;
            }
            let edit = if any { any_edit(&mut dice, &before) } else { ordinary_edit(&mut dice, &before) };
            match apply(&text, std::slice::from_ref(&edit)) {
                Ok(new) => {
                    check(&text, &new, &edit);
                    match serde_json::from_str::<Value>(&new) {
                        Ok(read) => prop_assert_eq!(read, value(&new)),
                        Err(error) => prop_assert!(false, "{:?}: {}\n{}\n---\n{}", edit, error, text, new),
                    }
                    text = new;
                }
                Err(refusal) => prop_assert!(false, "{:?}: {}\n{}", edit, refusal, text),
            }
        }
    }

    #[test]
    fn an_edit_that_expects_something_else_is_refused(seed: u64) {
        let mut dice = Dice(seed);
        let text = manifest(&mut dice, &Style { anchors: false });
        let mut edit = any_edit(&mut dice, &value(&text));
        edit.from = Some(serde_json::json!("something nobody wrote"));
        let refused = matches!(apply(&text, &[edit]), Err(Refusal::Changed { .. }));
        prop_assert!(refused);
    }

    #[test]
    fn no_text_makes_anything_panic_and_what_is_edited_is_exact(seed: u64, cuts in 1usize..6) {
        let mut dice = Dice(seed);
        let text = manifest(&mut dice, &Style { anchors: true });
        let edit = any_edit(&mut dice, &value(&text));
        let mut chars: Vec<char> = text.chars().collect();
        let noise: Vec<char> = "&*!|>%@`:-?,[]{}#'\"\\ \n\r\t\u{feff}\u{85}\u{2028}~<a1".chars().collect();
        for _ in 0..cuts {
            let place = dice.below(chars.len());
            match dice.below(4) {
                0 => chars.truncate(place.max(1)),
                1 => { chars.remove(place); }
                _ => chars.insert(place, *dice.pick(&noise)),
            }
            if chars.is_empty() {
                chars.push('a');
            }
        }
        let mutated: String = chars.into_iter().collect();
        prop_assert_eq!(decode(mutated.as_bytes()).unwrap(), &mutated);
        let env = Environment { home: PathBuf::from("/home/dev"), host: "dev1".to_owned() };
        let diagnostics = match load(&mutated, &env) {
            Ok(loaded) => loaded.warnings,
            Err(errors) => {
                prop_assert!(errors.iter().any(|error| error.fatal), "an error without a fatal diagnostic");
                errors
            }
        };
        for diagnostic in &diagnostics {
            if let Some(span) = &diagnostic.span {
                prop_assert!(span.start <= span.end && span.end <= mutated.len());
            }
        }
        let shown = render(&diagnostics, "m.yaml", &mutated, false);
        prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", shown);
        if let Ok(document) = Document::read(&mutated) {
            let document = document.indexed().apply(std::slice::from_ref(&edit)).map(|new| new.text().to_owned());
            prop_assert_eq!(document, apply(&mutated, std::slice::from_ref(&edit)));
        }
        if let Ok(new) = apply(&mutated, std::slice::from_ref(&edit)) {
            // A mutated text may have keys JSON cannot say; then only its being readable is checked.
            if let Some(before) = try_value(&mutated) {
                prop_assert_eq!(value(&new), edited(&before, &edit));
            }
            prop_assert!(unified_diff(&mutated, &new, "m.yaml").is_empty() == (mutated == new));
        }
    }
}

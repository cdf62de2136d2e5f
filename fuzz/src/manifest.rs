//! The text of a manifest: it loads or says where it is wrong, in words a terminal can be shown, and one reading of it is like
//! another.

use std::collections::HashSet;
use std::path::PathBuf;

use headcount::core::manifest::Environment;
use headcount::yaml::{Diagnostic, Document, LoadedManifest, apply, decode, load, render, unified_diff};

use super::{data, files};

pub fn run(data: &[u8]) {
    match decode(data) {
        Ok(text) => look(text),
        Err(diagnostic) => {
            assert!(diagnostic.fatal);
            shown(&[diagnostic], &String::from_utf8_lossy(data));
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    let mut seeds: Vec<Vec<u8>> =
        files(&data("manifests")).iter().filter(|path| yaml(path)).map(|path| std::fs::read(path).unwrap()).collect();
    // What YAML 1.2 allows and YAML 1.1 reads otherwise or not at all.
    seeds.extend(STANDARD.map(|text| text.as_bytes().to_vec()));
    seeds
}

const STANDARD: [&str; 6] = [
    "{\"version\": 1, \"sessions\": [{\"name\"\n: \"a \\ud83d\\ude80 b\", \"agent\": \"claude\", \"cwd\": \"\\/x\"}]}\n",
    "%FOO x\n%YAML 1.3\n---\nversion: 1\n\t\n\t# c\nsessions:\n  - name: a \u{2028} b\n    agent: claude # \u{85} c\n",
    "version: 1\nx-a: &a.b c\nsessions:\n  - name: *a.b\n    agent: claude\n    status: !!null\n    session_id: !!null ''\n",
    "{version: 1, sessions: [\n\t{name: a, agent: claude, status: , session_id:}, # c\n\t{? name\n: ?b, : x, agent: pi}]}\n",
    "version: 1\nsessions:\n-\tname: 'a\u{7f}b'\n  agent: ! claude\n  : x\n",
    "version: 1\nsessions:\n  - name: a\n    agent: claude\n    prompt: |+\n      do it",
];

fn env() -> Environment {
    Environment { home: PathBuf::from("/home/dev"), host: "dev1".to_owned() }
}

fn look(text: &str) {
    let loaded = load(text, &env());
    let document = Document::read(text);
    assert_eq!(document.as_ref().map_err(Clone::clone).and_then(|document| document.load(&env())), loaded, "two readings");
    match &loaded {
        Ok(LoadedManifest { manifest, warnings }) => {
            let mut keys = HashSet::new();
            assert!(manifest.sessions.iter().all(|session| keys.insert(&session.key)), "two entries of one session");
            assert!(manifest.sessions.iter().enumerate().all(|(at, session)| session.index == at));
            assert!(warnings.iter().all(|warning| !warning.fatal), "{warnings:?}");
            shown(warnings, text);
        }
        Err(errors) => {
            assert!(errors.iter().any(|error| error.fatal), "refused, and nothing is wrong: {errors:?}");
            shown(errors, text);
        }
    }
    let Ok(document) = document else { return };
    assert_eq!(apply(text, &[]).as_deref(), Ok(text));
    assert!(unified_diff(text, text, "m.yaml").is_empty());
    let indexed = document.indexed();
    assert_eq!(indexed.load(&env()), loaded, "knowing where the items stand");
    if text.ends_with('\n') && text.is_ascii() && !text.contains('\r') {
        let more = load(&format!("{text}# said\n"), &env());
        assert_eq!(more.map(|it| it.manifest).ok(), loaded.map(|it| it.manifest).ok(), "a comment says something");
    }
}

/// Nothing that is shown moves a cursor, and every place is in the text.
fn shown(diagnostics: &[Diagnostic], text: &str) {
    for diagnostic in diagnostics {
        let Some(span) = &diagnostic.span else { continue };
        assert!(text.get(span.clone()).is_some(), "{diagnostic:?} is not in the text");
        diagnostic.position(text).expect("a place");
    }
    let page = render(diagnostics, "m.yaml", text, false);
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{page:?}");
    assert_eq!(page.is_empty(), diagnostics.is_empty());
    assert!(page.len() <= 2000 * (1 + diagnostics.len()) + 4 * text.len().min(4000) * diagnostics.len(), "a page without end");
}

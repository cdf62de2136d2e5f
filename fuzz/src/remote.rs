//! What another host says: each line is read or refused, and nothing of it reaches a terminal but text and colours, wherever it was cut.

use headcount::control::remote::{BoundedLine, next_line};
use headcount::core::remote::{LONGEST_LINE, ServeCall, ServeReply, ServeRequest, ShownPieces};
use headcount::core::text::stamp;

use super::desk::when;

pub fn run(data: &[u8]) {
    let mut rest = data;
    while let Some(line) = next_line(&mut rest).unwrap() {
        let BoundedLine::Text(line) = line else {
            assert!(data.len() > LONGEST_LINE);
            return;
        };
        if let Ok(request) = serde_json::from_str::<ServeRequest>(&line) {
            let again = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<ServeRequest>(&again).unwrap(), request);
        }
        if let Ok(ServeReply::Out { text, .. } | ServeReply::Err { text, .. }) = serde_json::from_str(&line) {
            shown(&text);
        }
        shown(&line);
    }
}

/// Shows a text whole and in two pieces.
fn shown(text: &str) {
    let show = |pieces: &[&str]| {
        let mut shown = ShownPieces::default();
        let mut said: String = pieces.iter().map(|piece| shown.next(piece)).collect();
        said.push_str(&shown.rest());
        said
    };
    let whole = show(&[text]);
    let cut = (text.len() / 2..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap();
    let (before, after) = text.split_at(cut);
    assert_eq!(show(&[before, after]), whole);
    for (at, _) in whole.match_indices('\u{1b}') {
        let colour = whole[at..].strip_prefix("\u{1b}[").unwrap_or_else(|| panic!("{whole:?}"));
        let end = colour.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':');
        assert!(end.is_some_and(|end| colour[end..].starts_with('m')), "{whole:?}");
    }
    assert!(!whole.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t' | '\u{1b}')), "{whole:?}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let call = ServeCall { id: 1, words: vec!["send".into(), "--".into(), "one".into()], ..ServeCall::default() };
    let request = serde_json::to_string(&ServeRequest::Run(call)).unwrap();
    let hello = format!("{{\"hello\":{{\"protocol\":1,\"version\":\"1\",\"host\":\"h\",\"now\":{:?}}}}}", stamp(when()));
    let out = r#"{"out":{"id":1,"text":"a \u001b[1;32mgreen\u001b[0m \u001b[2J\u001b]0;t\u0007 \u001b["}}"#;
    let end = r#"{"end":{"id":1,"exit":4,"why":"no"}}"#;
    [request, format!("Welcome\n{hello}\n{out}\n{end}\n"), "\u{1b}[3".to_owned()].map(String::into_bytes).to_vec()
}

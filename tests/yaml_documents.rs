//! Documents that YAML 1.2 allows, as people and programs write them: each is read, and edited as a pass would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::useless_format)]

use headcount::core::edit::{Edit, Path};
use headcount::core::manifest::{Environment, Manifest};
use headcount::yaml::{Document, apply, load};
use serde_json::json;

const ENTRY: &str = "  - name: b-creator-claude\n    agent: claude\n";

/// What each is an example of, and its text. The first session is always the same.
fn documents() -> Vec<(&'static str, String)> {
    let e = ENTRY;
    let v = format!("version: 1\nsessions:\n{e}");
    vec![
        ("json surrogate", "{\"version\": 1, \"sessions\": [{\"name\": \"b-creator-claude\", \"agent\": \"claude\", \"prompt\": \"\\ud83d\\ude80\"}]}\n".into()),
        ("block surrogate", format!("{v}    prompt: \"\\uD83D\\uDE80 go\"\n")),
        ("json slash", "{\"version\": 1, \"sessions\": [{\"name\": \"b-creator-claude\", \"agent\": \"claude\", \"cwd\": \"\\/x\"}]}\n".into()),
        ("json colon next line", "{\"version\"\n: 1, \"sessions\": [{\"name\": \"b-creator-claude\", \"agent\": \"claude\"}]}\n".into()),
        ("json tabs", "{\n\t\"version\": 1,\n\t\"sessions\": [\n\t\t{\n\t\t\t\"name\": \"b-creator-claude\",\n\t\t\t\"agent\": \"claude\"\n\t\t}\n\t]\n}\n".into()),
        ("json compact", "{\"version\":1,\"sessions\":[{\"name\":\"b-creator-claude\",\"agent\":\"claude\"}]}".into()),
        ("json del", "{\"version\": 1, \"sessions\": [{\"name\": \"b-creator-claude\", \"agent\": \"claude\", \"prompt\": \"a\u{7f}b\"}]}\n".into()),
        ("tab blank", format!("version: 1\n\t\nsessions:\n{e}")),
        ("spaces tab blank", format!("version: 1\nsessions:\n{e}  \t \n{}", e.replace("b-c","c-c"))),
        ("tab comment", format!("version: 1\n\t# c\nsessions:\n{e}")),
        ("tab comment in entry", format!("{v}  \t# c\n    cwd: /x\n")),
        ("tab blank in list", format!("version: 1\nsessions:\n\t\n{e}\t\n    cwd: /x\n\t")),
        ("tab at end", format!("{v}\t")),
        ("tab in block scalar", format!("{v}    prompt: |\n      a\n      \t\n      b\n    cwd: /x\n")),
        ("short tab in block scalar", format!("{v}    prompt: |\n      a\n   \n      b\n    cwd: /x\n")),
        ("u2028 comment", format!("{v}    # pasted \u{2028} text\n")),
        ("u85 comment", format!("{v}    # pasted \u{85} text\n")),
        ("u2028 quoted", format!("{v}    prompt: \"a \u{2028} b\"\n")),
        ("u2028 plain", format!("{v}    prompt: a \u{2028} b\n")),
        ("u85 plain", format!("{v}    prompt: a\u{85}b\n")),
        ("u2029 block", format!("{v}    prompt: |\n      a \u{2029} b\n    cwd: /x\n")),
        ("no newline block", format!("{v}    prompt: |\n      do it")),
        ("no newline block keep", format!("{v}    prompt: |+\n      do it")),
        ("no newline folded", format!("{v}    prompt: >\n      do it")),
        ("no newline block strip", format!("{v}    prompt: |-\n      do it")),
        ("no newline plain", format!("{v}    prompt: do it")),
        ("null tag", format!("{v}    status: !!null\n")),
        ("null tag ~", format!("{v}    status: !!null ~\n")),
        ("null tag quoted", format!("{v}    status: !!null ''\n")),
        ("null tag on id", format!("{v}    session_id: !!null null\n")),
        ("str tag", format!("{v}    session_id: !!str 5\n")),
        ("int tag", format!("version: !!int 1\nsessions:\n{e}")),
        ("int tag quoted", format!("version: !!int \"1\"\nsessions:\n{e}")),
        ("bool tag", format!("{v}    suspend: !!bool false\n")),
        ("bool tag quoted", format!("{v}    suspend: !!bool \"false\"\n")),
        ("map tag", format!("!!map\nversion: 1\nsessions:\n{e}")),
        ("map tag root doc", format!("--- !!map\nversion: 1\nsessions:\n{e}")),
        ("seq tag", format!("version: 1\nsessions: !!seq\n{e}")),
        ("map tag entry", format!("version: 1\nsessions:\n  - !!map\n    name: b-creator-claude\n    agent: claude\n")),
        ("map tag entry flow", format!("version: 1\nsessions:\n  - !!map {{name: b-creator-claude, agent: claude}}\n")),
        ("verbatim tag", format!("version: 1\nsessions:\n  - name: !<tag:yaml.org,2002:str> b-creator-claude\n    agent: claude\n")),
        ("non-specific", format!("version: 1\nsessions:\n  - name: ! b-creator-claude\n    agent: claude\n")),
        ("local tag", format!("{v}    x-a: !foo bar\n")),
        ("local tag map", format!("{v}    x-a: !foo {{a: 1}}\n")),
        ("tag handle", format!("%TAG !e! tag:example.com,2000:\n---\n{v}    x-a: !e!foo bar\n")),
        ("tag handle core", format!("%TAG !y! tag:yaml.org,2002:\n---\n{v}    cwd: !y!str /x\n")),
        ("binary", format!("{v}    x-a: !!binary aGVsbG8=\n")),
        ("timestamp", format!("{v}    x-a: !!timestamp 2001-12-14\n")),
        ("set", format!("{v}    x-a: !!set {{a, b}}\n")),
        ("omap", format!("{v}    x-a: !!omap [a: 1, b: 2]\n")),
        ("float tag", format!("{v}    x-a: !!float 3\n")),
        ("yaml12", format!("%YAML 1.2\n---\n{v}")),
        ("yaml13", format!("%YAML 1.3\n---\n{v}")),
        ("yaml1.2 c", format!("%YAML 1.2 # c\n---\n{v}")),
        ("reserved dir", format!("%FOO bar\n---\n{v}")),
        ("doc end", format!("---\n{v}...\n# c\n")),
        ("anchor dots", format!("version: 1\nx-b: &a.b /x\nsessions:\n{e}    cwd: *a.b\n")),
        ("anchor unicode", format!("version: 1\nx-b: &é /x\nsessions:\n{e}    cwd: *é\n")),
        ("anchor slash", format!("version: 1\nx-b: &a/b:c /x\nsessions:\n{e}    cwd: *a/b:c\n")),
        ("dash tab", format!("version: 1\nsessions:\n  - name: b-creator-claude\n    agent: claude\n    ignore:\n    -\tmoved\n")),
        ("colon tab", format!("version:\t1\nsessions:\t\n  - name:\tb-creator-claude\t\n    agent:\tclaude\t# x\n")),
        ("dash flow map", "version: 1\nsessions:\n- {name: b-creator-claude, agent: claude}\n".into()),
        ("qm keys", "? version\n: 1\n? sessions\n:\n- ? name\n  : b-creator-claude\n  ? agent\n  : claude\n".into()),
        ("qm flow", "{? version : 1, ? sessions : [{? name : b-creator-claude, agent: claude}]}\n".into()),
        ("plain odd", format!("{v}    x-a: [-a, ?b, :c, a#b, \"x\":1, a?b, a:b]\n    x-b: ?x\n    x-c: -x\n    x-d: :x\n")),
        ("flow multi key", format!("{v}    x-a: {{ \"a\n      b\": 1 }}\n")),
        ("flow colon next line", format!("{v}    x-a: {{ \"a\"\n      : 1, b\n      : 2 }}\n")),
        ("flow single pair", format!("{v}    x-a: [a: 1, ? b : 2, {{c}}, : 3]\n")),
        ("flow comments", "version: 1\nsessions: [ # c\n  # d\n  {name: b-creator-claude, # e\n   agent: claude} # f\n  , # g\n]\n".into()),
        ("dq folds", format!("{v}    prompt: \"a\\\n      b\n\n      \\  c\\tD \\e\\_\\N\\L\\P\\0\\a\\v\\x41\\u0042\\U00000043\\/\\\"\"\n")),
        ("backslash tab", format!("{v}    prompt: \"a\\\tb\"\n")),
        ("sq", format!("{v}    prompt: 'it''s\n      x'\n")),
        ("multi plain", format!("{v}    prompt: a\n      b\n\n      c\n    cwd: /x\n")),
        ("indent indicator", format!("{v}    prompt: |2\n        a\n      b\n    cwd: /x\n")),
        ("indicator strip", format!("{v}    prompt: >1-\n      a\n     b\n    cwd: /x\n")),
        ("block comment", format!("{v}    prompt: | # c\n      a\n    cwd: /x\n")),
        ("doc start same line", "--- {version: 1, sessions: [{name: b-creator-claude, agent: claude}]}\n".into()),
        ("doc start comment", format!("--- # c\n{v}")),
        ("two markers", format!("# c\n---\n# d\n{v}...\n")),
        ("cr only", v.replace('\n', "\r")),
        ("crlf tab", format!("version: 1\n\t\nsessions:\n{e}").replace('\n', "\r\n")),
        ("bom tab", format!("\u{feff}version: 1\n\t\nsessions:\n{e}")),
        ("bom in doc", format!("# c\n\u{feff}---\n{v}")),
        ("null words", format!("{v}    status: Null\n    session_id: ~\n    pane: NULL\n")),
        ("octal", format!("{v}    x-a: [0o17, 0x1F, +1, .5, 1., 1e3, -.INF, .NaN, 012, 1_0]\n")),
        ("empty key", format!("{v}    : x\n")),
        ("null val flow", "{version: 1, sessions: [{name: b-creator-claude, agent: claude, status: , session_id:}]}\n".into()),
        ("flow empty", format!("{v}    x-a: {{a, b: , c:}}\n")),
        ("alias key", format!("version: 1\nx-k: &k name\nsessions:\n  - *k : b-creator-claude\n    agent: claude\n")),
        ("anchor on key", format!("version: 1\nsessions:\n  - &k name: b-creator-claude\n    agent: claude\n")),
        ("anchor entry", format!("version: 1\nsessions:\n  - &k\n    name: b-creator-claude\n    agent: claude\n")),
        ("tag anchor", format!("version: 1\nsessions:\n  - &k !!map\n    name: b-creator-claude\n    agent: claude\n")),
        ("anchor tag val", format!("{v}    status: !!str &s running\n")),
        ("hash in plain", format!("{v}    prompt: a#b\n")),
        ("low flow", "version: 1\nsessions: [\n{name: b-creator-claude,\nagent: claude}\n]\n".into()),
        ("trailing space", "version: 1   \nsessions:   \n  - name: b-creator-claude   \n    agent: claude   \n".into()),
        ("mixed indents", "version: 1\nsessions:\n       - name: b-creator-claude\n         agent: claude\n         pane:\n          id: \"%1\"\n".into()),
        ("nested seq", format!("{v}    x-a:\n    - - a\n      - b\n    - - c\n")),
        ("dash alone", "version: 1\nsessions:\n  -\n    name: b-creator-claude\n    agent: claude\n".into()),
        ("dash comment", "version: 1\nsessions:\n  - # c\n    name: b-creator-claude\n    agent: claude\n".into()),
        ("long key", format!("{v}    x-{}: 1\n", "a".repeat(1000))),
        ("quoted keys", "\"version\": 1\n'sessions':\n  - \"name\": b-creator-claude\n    'agent': claude\n".into()),
        ("escaped key", "\"\\x76ersion\": 1\nsessions:\n  - \"na\\u006de\": b-creator-claude\n    agent: claude\n".into()),
        ("percent text", format!("{v}    x-a: a %b\n    prompt: |\n      %x\n    cwd: /x\n")),
        ("percent col0", format!("{v}    prompt: \"a\n%x\"\n")),
        ("emoji", format!("{v}    prompt: 🚀\n")),
        ("nbsp", format!("{v}    prompt: a\u{a0}b\n")),
        ("c1 quoted", format!("{v}    prompt: \"a\u{9f}b\"\n")),
        ("del quoted", format!("{v}    prompt: 'a\u{7f}b'\n")),
        ("fffe quoted", format!("{v}    prompt: 'a\u{fffe}b'\n")),
        ("two entries trail", format!("version: 1\nsessions: [\n  {{name: b-creator-claude, agent: claude}}  # the b one\n]\n")),
        ("tab before value nl", format!("version: 1\nsessions:\n{e}    pane:\t\n      id: \"%1\"\n")),
        ("flow tabs nl", format!("{v}    x-a: [\n\ta,\n\tb\n\t]\n")),
        ("plain tab cont", format!("{v}    prompt: a\n      \tb\n    cwd: /x\n")),
        ("comment end no nl", format!("{v}# end")),
        ("only spaces end", format!("{v}   ")),
        ("u2028 key", format!("{v}    x-\u{2028}a: 1\n    \"x-\u{85}b\": 2\n")),
        ("json comments", "{ # c\n \"version\": 1, # d\n \"sessions\": [ {\"name\": \"b-creator-claude\", \"agent\": \"claude\"} # e\n ]\n}\n".into()),
        ("json trailing commas", "{\"version\": 1, \"sessions\": [{\"name\": \"b-creator-claude\", \"agent\": \"claude\",},],}\n".into()),
        ("bom after a marker", format!("---\n\u{feff}{v}")),
        ("two document ends", format!("{v}...\n...\n")),
        ("complex keys", format!("? [k]\n: 1\n{v}    ? [a, b]\n    : x\n    ? {{a: b}}\n    : x\n    ~: x\n")),
        ("merge in a merge", format!("version: 1\nx-a: &a {{cwd: /x}}\nx-b: &b\n  <<: *a\nsessions:\n{e}    <<: [*b]\n")),
        ("merged env", format!("version: 1\nx-a: &a {{A: x}}\nx-b: &b {{<<: *a, B: y}}\nsessions:\n{e}    env: {{<<: *b, C: z}}\n")),
        ("unknown dir + yaml", format!("%YAML 1.2\n%FOO\n---\n{v}")),
    ]
}

fn read(text: &str) -> Manifest {
    let environment = Environment { home: "/home/dev".into(), host: "dev1".to_owned() };
    load(text, &environment).unwrap_or_else(|diagnostics| panic!("{diagnostics:?}\n{text:?}")).manifest
}

fn session() -> Path {
    Path::root().key("sessions").index(0)
}

/// The text after an edit, which the edit that takes it back brings back to what it said.
fn edited(what: &str, text: &str, edit: &Edit) -> String {
    let new = apply(text, std::slice::from_ref(edit)).unwrap_or_else(|refusal| panic!("{what}: {refusal}\n{text:?}"));
    let by_item = Document::read(text).unwrap().indexed().apply(std::slice::from_ref(edit)).unwrap();
    assert_eq!(by_item.text(), new, "{what}");
    if edit.path.0.len() > 2 {
        let back = apply(&new, &[edit.inverse()]).unwrap_or_else(|refusal| panic!("{what}, undone: {refusal}\n{new:?}"));
        assert_eq!(read(&back), read(text), "{what}\n{new:?}\n{back:?}");
    }
    new
}

#[test]
fn every_document_that_yaml_allows_is_read() {
    for (what, text) in documents() {
        let manifest = read(&text);
        assert_eq!(manifest.sessions.first().map(|session| session.key.name.as_str()), Some("b-creator-claude"), "{what}");
    }
}

#[test]
fn every_document_that_yaml_allows_is_edited() {
    for (what, text) in documents() {
        let before = read(&text);
        let new = edited(what, &text, &Edit::new(session().key("seen_at"), None, Some(json!("2026-11-21T07:30:00Z"))));
        assert_eq!(
            read(&new).sessions[0].recorded.touched_at.len(),
            before.sessions[0].recorded.touched_at.len() + 1,
            "{what}"
        );
        let recorded = &before.sessions[0].entry;
        let id =
            recorded.set(headcount::core::manifest::names::Field::SessionId, before.sessions[0].agent, json!("x-1")).unwrap();
        let new = edited(what, &text, &id);
        assert_eq!(read(&new).sessions[0].recorded.session_id.as_ref().map(|id| id.0.as_str()), Some("x-1"), "{what}");
        let entry = json!({"name": "z", "agent": "pi", "pane": {"id": "%1"}});
        let last = Path::root().key("sessions").index(before.sessions.len());
        let new = edited(what, &text, &Edit::new(last, None, Some(entry)));
        let after = read(&new);
        assert_eq!(after.sessions.last().map(|session| session.key.name.as_str()), Some("z"), "{what}\n{new}");
        assert_eq!(after.sessions[0], before.sessions[0], "{what}");
    }
}

#[test]
fn what_a_document_says_is_what_yaml_says_it_says() {
    let says = |text: &str| {
        let text = format!("version: 1\nsessions:\n{ENTRY}    labels: {{ l: {text} }}\n");
        read(&text).sessions[0].labels["l"].clone()
    };
    for (written, said) in [
        ("\"\\ud83d\\uDE80 go\"", "🚀 go"),
        ("\"\\\\ud83d\\\\ude80\"", "\\ud83d\\ude80"),
        ("'\\ud83d\\ude80'", "\\ud83d\\ude80"),
        ("\\ud83d\\ude80", "\\ud83d\\ude80"),
        ("\"\\ud83d\\ude80 \u{2028} \\ue000\"", "🚀 \u{2028} \u{e000}"),
        ("\"a\u{85}b\"", "a\u{85}b"),
        ("a \u{2028} b", "a \u{2028} b"),
        ("'a\u{7f}\u{9f}b'", "a\u{7f}\u{9f}b"),
        ("! b", "b"),
    ] {
        assert_eq!(says(written), said, "{written}");
    }
    let anchors = "version: 1\nx: [&a.b one, &a/b two, &aé three]\nsessions:\n  - name: *a/b\n    agent: claude\n";
    assert_eq!(read(anchors).sessions[0].key.name, "two");
}

#[test]
fn what_yaml_does_not_allow_is_not_read() {
    let environment = Environment { home: "/home/dev".into(), host: "dev1".to_owned() };
    for text in [
        "version: 1\nsessions:\n\t- name: b\n\t  agent: claude\n",
        "version: 1\nsessions:\n-\tname: b\n\tagent: claude\n",
        "version: 1\nsessions:\n  - name: \"\\ud83d\"\n    agent: claude\n",
        "version: 1\nsessions:\n  - name: \"\\ude80\\ud83d\"\n    agent: claude\n",
        "version: 1\nsessions:\n  - name: a\u{7f}b\n    agent: claude\n",
        "version: 1\nsessions:\n  - name: *nobody.here\n    agent: claude\n",
        "version: 1\n\t\nversion: 1\n",
    ] {
        assert!(load(text, &environment).is_err(), "{text:?}");
    }
}

#[test]
fn a_comment_behind_an_entry_in_brackets_stays_behind_it() {
    let entry = json!({"name": "b", "agent": "pi"});
    let append =
        |text: &str| apply(text, &[Edit::new(Path::root().key("sessions").index(1), None, Some(entry.clone()))]).unwrap();
    let text = "version: 1\nsessions: [\n  {name: a, agent: pi}  # the a one\n]\n";
    let expected = "version: 1\nsessions: [\n  {name: a, agent: pi},  # the a one\n  { name: b, agent: pi }\n]\n";
    assert_eq!(append(text), expected);
    let text = "version: 1\nsessions: [\n  {name: a, agent: pi},  # the a one\n]\n";
    assert_eq!(append(text), expected.replace("pi }", "pi },"));
}

#[test]
fn a_block_text_that_ends_the_file_without_a_line_break_keeps_its_words() {
    for (header, expected) in [("|", "|-"), (">", ">-"), ("|+", "|-"), ("|-", "|-"), ("|2", "|2-")] {
        let text = format!("version: 1\nsessions:\n{ENTRY}    prompt: {header} # c\n      do it");
        let new = apply(&text, &[Edit::new(session().key("status"), None, Some(json!("running")))]).unwrap();
        let wanted = format!("version: 1\nsessions:\n{ENTRY}    prompt: {expected} # c\n      do it\n    status: running");
        assert_eq!(new, wanted);
    }
}

//! What is put into settings comes out again, and nothing else is touched.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;

fn wanted() -> Vec<(String, Value)> {
    let group = |word: &str| json!([{ "type": "command", "command": format!("/h hook emit {word} || :"), "timeout": 5 }]);
    ["SessionStart", "Stop"].map(|event| (event.to_owned(), json!({ "hooks": group(event) }))).into()
}

fn is_ours(command: &str) -> bool {
    command.contains("hook emit")
}

const TEXTS: [&str; 16] = [
    "{}",
    "{ }\n",
    "{\n}\n",
    "{\"a\":1}",
    "{\n  \"a\": 1\n}\n",
    "{\r\n\t\"a\": \"{[\\\"\",\r\n\t\"b\": []\r\n}",
    "{\n    \"hooks\": {}\n}",
    "{\n  \"hooks\": {\n    \"Stop\": [\n    ]\n  },\n  \"z\": null\n}\n",
    "{\"hooks\":{\"Stop\":[]}}",
    "{\"hooks\": {\"Stop\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"echo ]},\"}]}]}, \"b\": {\"hooks\": {}}}",
    "{\"hooks\": {\"PreToolUse\": [{\"matcher\": \"Bash\", \"hooks\": []}], \"SessionStart\": [ 1 , 2 ]}}",
    "  {\n  \"h\u{e9}\\u0022\": \"\u{1f600}\"\n  }  \n\n",
    "{\"hooks\": {\"Stop\": [{\"hooks\": 7}], \"SessionStart\": [[], \"x\"]}}",
    "{\n\n\n  \"a\": {\"b\": {\"c\": [1, 2.5e-3, true]}}  ,\n \"d\":{}}",
    "{\"a\"\n:\n1\n}",
    "\n{\n  \"hooks\"  :  {  }  \n}\n",
];

#[test]
fn what_was_put_in_is_there_once_and_comes_out_to_the_byte() {
    for text in TEXTS {
        let pieces = insertions(text, &wanted()).unwrap();
        let after = with_pieces(text, &pieces);
        let read: Value = serde_json::from_str(&after).unwrap_or_else(|error| panic!("{error}:\n{after}"));
        for (event, group) in wanted() {
            let groups = read["hooks"][&event].as_array().unwrap();
            assert_eq!(groups.iter().filter(|it| **it == group).count(), 1, "{after}");
        }
        assert_eq!(insertions(&after, &wanted()).unwrap(), [], "{after}");
        assert_eq!(without_pieces(&after, &pieces).as_deref(), Some(text), "{after}");
        assert_eq!(without_pieces(&format!("{after} "), &pieces), Some(format!("{text} ")));
        // Without knowing what was put in, all that is ours goes, and what others see is what they saw.
        let removed = removal(&after, is_ours).unwrap().unwrap();
        let [mut before, mut now]: [Value; 2] = [text, removed.as_str()].map(|text| serde_json::from_str(text).unwrap());
        [&mut before, &mut now].into_iter().for_each(forget_empty);
        assert_eq!(before, now, "{text}\n{after}\n{removed}");
        assert_eq!(removal(&removed, is_ours).unwrap(), None);
        assert!(
            commands(&after).unwrap().iter().any(|it| is_ours(it)) && !commands(text).unwrap().iter().any(|it| is_ours(it))
        );
    }
}

/// Lists of hooks that hold nothing say nothing.
fn forget_empty(value: &mut Value) {
    let Some(object) = value.as_object_mut() else { return };
    if let Some(hooks) = object.get_mut("hooks").and_then(Value::as_object_mut) {
        hooks.retain(|_, list| list != &json!([]));
        if hooks.is_empty() {
            object.remove("hooks");
        }
    }
}

#[test]
fn ours_go_from_among_others_wherever_they_stand() {
    let ours = r#"{"command":"hook emit"}"#;
    for (before, after) in [
        (format!(r#"{{"hooks":{{"A":[{{"hooks":[{ours}, 1 , {ours}]}}]}}}}"#), r#"{"hooks":{"A":[{"hooks":[1]}]}}"#),
        (format!(r#"{{"hooks":{{"A":[{{"hooks":[{ours}]}},2,{{"hooks":[{ours}]}}]}}}}"#), r#"{"hooks":{"A":[2]}}"#),
        (format!(r#"{{"hooks":{{"A":[{{"hooks":[{ours}]}}], "B":[3]}}}}"#), r#"{"hooks":{"B":[3]}}"#),
        (format!(r#"{{"x":1, "hooks":{{"A":[{{"hooks":[{ours},{ours}]}}]}}, "y":2}}"#), r#"{"x":1, "y":2}"#),
        (format!(r#"{{ "hooks":{{"A":[{{"hooks":[{ours}]}}]}} }}"#), "{}"),
    ] {
        assert_eq!(removal(&before, is_ours).unwrap().as_deref(), Some(after), "{before}");
    }
}

#[test]
fn what_is_not_plain_or_not_of_that_shape_is_left_alone() {
    for text in ["", "// a\n{}", "{\"a\":1,}", "{", "\u{feff}{}"] {
        assert!(matches!(insertions(text, &wanted()), Err(SettingsError::Syntax(_))), "{text}");
        assert!(removal(text, is_ours).is_err());
    }
    for text in ["[]", "1", "{\"hooks\":[]}", "{\"hooks\":{\"Stop\":{}}}", "{\"hooks\":{},\"hooks\":{}}", "{\"hooks\":null}"] {
        assert!(matches!(insertions(text, &wanted()), Err(SettingsError::Shape(_))), "{text}");
    }
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    assert!(matches!(insertions(&deep, &wanted()), Err(SettingsError::Syntax(_))));
}

#[test]
fn pieces_that_stand_there_no_more_are_told() {
    let pieces = insertions("{}", &wanted()).unwrap();
    let after = with_pieces("{}", &pieces).replace("timeout", "time-out");
    assert_eq!(without_pieces(&after, &pieces), None);
}

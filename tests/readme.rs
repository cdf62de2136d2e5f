//! The README says what is so: its commands parse, its links lead somewhere, its tables are those of the program.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};

use headcount::core::drift::Class;
use headcount::core::ids::AgentKind;
use headcount::core::manifest::names::{Field, top};
use headcount::core::observe::identity::Rung;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The lines below a heading, to the next one of the same level.
fn section(title: &str) -> String {
    let text = readme();
    let (_, after) = text.split_once(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no section {title}"));
    after.split("\n## ").next().unwrap().to_owned()
}

/// The rows of the first table of a text, without its head.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let rows: Vec<Vec<String>> = lines.skip(2).map(cells).collect();
    assert!(!rows.is_empty(), "no table in:\n{text}");
    rows
}

/// The text of the fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let fenced = text.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).filter(|(word, _)| *word == language).map(|(_, b)| b.to_owned()).collect()
}

/// Every piece of `code` within prose.
fn code_spans() -> Vec<String> {
    let text = readme();
    // Every other piece between two fences is prose.
    let prose: Vec<&str> = text.split("\n```").step_by(2).collect();
    prose.iter().flat_map(|prose| prose.split('`').skip(1).step_by(2)).map(|span| span.replace('\n', " ")).collect()
}

fn headcount(arguments: &[String]) -> Output {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.args(arguments).env_clear().env("HOME", place.path()).current_dir(place.path()).output().unwrap()
}

#[test]
fn every_command_line_shown_parses() {
    let typed = blocks("").join("\n");
    let typed = typed.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line)).map(str::to_owned);
    let lines: Vec<String> =
        typed.chain(code_spans()).filter(|line| line == "headcount" || line.starts_with("headcount ")).collect();
    assert!(lines.len() > 15, "{lines:?}");
    for line in lines {
        let mut arguments = shell_words::split(&line).unwrap();
        arguments.remove(0);
        arguments.push("--help".to_owned());
        let output = headcount(&arguments);
        assert_eq!(output.status.code(), Some(0), "`{line}`: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_option_and_verb_named_alone_exists() {
    let helps: String = ["", "status", "diff", "record", "watch", "check", "job", "job submit", "job events", "fleet status"]
        .iter()
        .map(|verb| {
            let arguments: Vec<String> = verb.split_whitespace().chain(["--help"]).map(str::to_owned).collect();
            String::from_utf8(headcount(&arguments).stdout).unwrap()
        })
        .collect();
    for span in code_spans().iter().filter(|span| span.starts_with("--")) {
        let option = span.split([' ', '=']).next().unwrap();
        assert!(helps.contains(option), "{option} is in no help");
    }
}

#[test]
fn what_is_said_of_x_is_what_x_offers() {
    let output = Command::new("bash").arg(root().join("x")).arg("help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let readme = readme();
    let named: Vec<&str> =
        readme.match_indices("./x ").filter_map(|(at, _)| readme[at + 4..].split_whitespace().next()).collect();
    assert!(named.len() >= 2, "{named:?}");
    for word in named {
        let word = word.trim_matches('`');
        assert!(help.lines().any(|line| line.split_whitespace().next() == Some(word)), "./x {word} is not in ./x help");
    }
}

#[test]
fn every_relative_link_exists() {
    let text = readme();
    let links: Vec<&str> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 8, "{links:?}");
    for link in links.into_iter().filter(|link| !link.starts_with("https://")) {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(text.contains(&format!("<a id=\"{anchor}\">")), "no anchor {link}"),
            None => assert!(root().join(link).is_file(), "{link} is not there"),
        }
    }
}

#[test]
fn the_drift_table_lists_every_class_with_its_code_and_nothing_else() {
    let listed: Vec<(String, String)> =
        rows(&section("Drift")).into_iter().map(|row| (row[0].trim_matches('`').to_owned(), row[1].clone())).collect();
    let expected = Class::ALL.map(|class| (class.as_str().to_owned(), class.code().to_string()));
    assert_eq!(listed, expected);
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = String::from_utf8(headcount(&["--help".to_owned()]).stdout).unwrap();
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let told: Vec<(String, String)> = codes
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.trim().split_once(' '))
        .map(|(code, meaning)| (code.to_owned(), meaning.trim().to_owned()))
        .collect();
    let listed: Vec<(String, String)> =
        rows(&section("Exit codes")).into_iter().map(|row| (row[0].clone(), row[1].replace('`', ""))).collect();
    assert!(told.len() >= 7, "{help}");
    assert_eq!(listed, told);
}

#[test]
fn the_manifest_reference_names_every_field_in_every_spelling_and_every_agent() {
    let reference = section("The manifest");
    let agents = AgentKind::ALL.iter().flat_map(|kind| kind.names());
    let keys = top::ALL.iter().copied().filter(|key| *key != top::SESSIONS);
    for word in Field::all_names().chain(agents).chain(keys) {
        let named = reference.split('`').skip(1).step_by(2).any(|span| span.split([':', ' ']).next() == Some(word));
        assert!(named, "`{word}` is not in the reference");
    }
    for row in reference.lines().filter(|line| line.starts_with("| `")) {
        for key in row.split('|').skip(1).take(2).flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
            assert!(Field::of_key(key).is_some(), "`{key}` is no field");
        }
    }
}

#[test]
fn the_ladder_has_every_rung_in_its_order() {
    let text = section("How a conversation is proven");
    let listed: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| Some(line.split_once('*')?.0.to_owned() + line.split('*').nth(1)?))
        .collect();
    assert_eq!(listed, Rung::ALL.map(|rung| format!("{}. {}", rung.number(), rung.as_str())));
}

#[test]
fn the_manifest_of_the_tour_is_valid() {
    let manifests = blocks("yaml");
    assert!(!manifests.is_empty());
    for manifest in manifests {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, &manifest).unwrap();
        let arguments = ["check", "--strict", file.path().to_str().unwrap()].map(str::to_owned);
        let output = headcount(&arguments);
        assert_eq!(output.status.code(), Some(0), "{manifest}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_report_shown_has_only_fields_that_reports_have() {
    let schema = std::fs::read_to_string(root().join("schema/report.schema.json")).unwrap();
    let reports = blocks("json");
    assert_eq!(reports.len(), 1);
    let report: serde_json::Value = serde_json::from_str(&reports[0]).unwrap();
    let mut waiting = vec![&report];
    while let Some(value) = waiting.pop() {
        for (key, value) in value.as_object().into_iter().flatten() {
            assert!(schema.contains(&format!("\"{key}\": {{")), "{key} is no field of a report");
            waiting.push(value);
        }
        waiting.extend(value.as_array().into_iter().flatten());
    }
}

#[test]
fn no_path_of_a_developers_machine_is_shown() {
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        for path in ["/root", "/work", "/tmp/"] {
            assert!(!text.contains(path), "{document} shows {path}");
        }
    }
}

//! The README is a front door: short, with the tables of the program. `docs.rs` checks its commands, links and examples.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};

use headcount::core::drift::Class;
use headcount::core::ids::AgentKind;

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

fn headcount(arguments: &[String]) -> Output {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.args(arguments).env_clear().env("HOME", place.path()).current_dir(place.path()).output().unwrap()
}

#[test]
fn it_fits_a_first_reading() {
    assert!(readme().lines().count() <= 250);
}

#[test]
fn every_agent_is_listed() {
    let listed = rows(&section("Agents and multiplexers"));
    for kind in AgentKind::ALL {
        assert!(listed.iter().any(|row| row[0].contains(&format!("(`{kind}`"))), "{kind}");
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
        let word = word.trim_matches(['`', ',', '.']);
        assert!(help.lines().any(|line| line.split_whitespace().next() == Some(word)), "./x {word} is not in ./x help");
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
        rows(&section("Scripting")).into_iter().map(|row| (row[0].clone(), row[1].replace('`', ""))).collect();
    assert!(told.len() >= 7, "{help}");
    assert_eq!(listed, told);
}

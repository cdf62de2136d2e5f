//! Readers that go away and places that are full.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::support::{Place, Ran};

#[test]
fn a_reader_that_went_away_is_no_error_and_nothing_is_said() {
    for arguments in [&["schema", "report"][..], &["completions", "zsh"], &["--help"], &["man"]] {
        let place = Place::new();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command().args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let ran = Ran::from(output);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = Ran::from(place.command().args(["schema", "report"]).stdout(full).output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.starts_with("error: cannot write the answer to stdout"), "{}", ran.stderr);
}

#[test]
fn a_stderr_that_went_away_does_not_change_how_it_ends() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = place.command().args(["-vvv", "status"]).stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

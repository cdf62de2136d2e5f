//! Help: for every verb, as one snapshot each.

use crate::support::{Place, verbs};

#[test]
fn the_help_of_headcount_is_as_agreed() {
    let ran = Place::new().run(&["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!("help", ran.stdout);
}

#[test]
fn the_help_of_every_verb_is_as_agreed() {
    for verb in verbs() {
        let ran = Place::new().run(&[&verb, "--help"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{verb}");
        insta::assert_snapshot!(format!("help_{verb}"), ran.stdout);
    }
}

#[test]
fn the_short_help_of_every_verb_fits_80_columns_of_examples() {
    for verb in verbs() {
        let help = Place::new().run(&[&verb, "-h"]).stdout;
        let examples = help.lines().skip_while(|line| *line != "Examples:");
        for line in examples {
            assert!(line.chars().count() <= 80, "{verb}: {line}");
        }
    }
}

#[test]
fn asking_for_help_in_either_order_gives_the_same() {
    let place = Place::new();
    assert_eq!(place.run(&["help", "diff"]).stdout, place.run(&["diff", "--help"]).stdout);
}

#[test]
fn the_version_is_the_one_of_the_package() {
    let ran = Place::new().run(&["--version"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), concat!("headcount ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn every_verb_has_a_manual_page_and_its_options_are_in_it() {
    let place = Place::new();
    assert!(place.run(&["man"]).stdout.contains(".TH headcount 1"));
    for verb in verbs() {
        let ran = place.run(&["man", &verb]);
        assert_eq!(ran.code, Some(0), "{verb}: {}", ran.stderr);
        assert!(ran.stdout.contains(&format!(".TH headcount-{verb} 1")), "{verb}");
        assert!(ran.stdout.contains("\\-\\-manifest"), "{verb}");
    }
    let ran = place.run(&["man", "frobnicate"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(64), ""));
    assert!(ran.stderr.contains("hint: the verbs are status, "), "{}", ran.stderr);
}

#[test]
fn every_manual_page_is_put_where_man_finds_it() {
    let place = Place::new();
    let directory = place.work().join("share/man1");
    let ran = place.run(&["man", "--dir", directory.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let read = |page: &str| std::fs::read_to_string(directory.join(page)).unwrap();
    assert_eq!(read("headcount.1"), place.run(&["man"]).stdout);
    assert_eq!(read("headcount-job-submit.1"), place.run(&["man", "job", "submit"]).stdout);
    for verb in verbs() {
        assert_eq!(read(&format!("headcount-{verb}.1")), place.run(&["man", &verb]).stdout);
    }
    let count = std::fs::read_dir(&directory).unwrap().count();
    assert!(ran.stdout.starts_with(&format!("{count} pages in ")), "{}", ran.stdout);

    let file = place.write("a-file", "");
    let ran = place.run(&["man", "--dir", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""));
    assert!(ran.stderr.contains("a-file"), "{}", ran.stderr);
}

#[test]
fn every_shell_gets_a_completion_script_that_knows_the_verbs() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = Place::new().run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}: {}", ran.stderr);
        assert!(verbs().iter().all(|verb| ran.stdout.contains(verb.as_str())), "{shell}");
    }
}

#[test]
fn the_bash_completion_script_is_valid_bash() {
    let script = Place::new().run(&["completions", "bash"]).stdout;
    let status = std::process::Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
    assert!(status.success());
}

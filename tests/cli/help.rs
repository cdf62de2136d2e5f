//! Help: for every verb, as one snapshot each.

use crate::support::{Place, Ran, commands, verbs};

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

/// Every page of help: headcount's own, that of each verb, and that of each verb below one.
fn pages() -> Vec<Vec<String>> {
    let mut pages = vec![Vec::new()];
    pages.extend(verbs().into_iter().map(|verb| vec![verb]));
    pages.extend(commands().into_iter().filter(|command| command.len() > 1));
    pages
}

/// `-h` is read in a terminal that nobody has made larger.
#[test]
fn the_short_help_fits_a_terminal_of_24_lines_and_80_columns() {
    let short = Place::new().run(&["-h"]).stdout;
    assert!(
        short.contains(
            "release, attach,\nallow, consent\nDrive: send, queue, ask, answer, wait, read, logs, events, hooks, screen, links\nDelegate: job, crew, mcp, serve, ui\nSet up: init, import"
        ),
        "{short}"
    );
    for page in pages() {
        let run =
            |option: &str| Ran::from(Place::new().command().args(&page).arg(option).env("COLUMNS", "80").output().unwrap());
        let (short, long) = (run("-h"), run("--help"));
        assert_eq!(short.code, Some(0), "{page:?}: {}", short.stderr);
        let lines = short.stdout.lines().count();
        assert!(lines <= 24, "{page:?} has {lines} lines:\n{}", short.stdout);
        assert!(short.stdout.lines().all(|line| line.chars().count() <= 80), "{page:?}:\n{}", short.stdout);
        assert!(long.stdout.lines().count() > lines, "{page:?}");
        assert!(short.stdout.contains("  -h, --help "), "{page:?}:\n{}", short.stdout);
    }
}

/// What `--help` says below the options, on a terminal of this width.
fn below_the_options(page: &[String], columns: &str) -> Vec<String> {
    let output = Place::new().command().args(page).arg("--help").env("COLUMNS", columns).output().unwrap();
    let help = Ran::from(output).stdout;
    let options = help.rfind("-h, --help").expect("the last of the global options");
    help[options..].lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn no_example_in_the_help_is_broken_at_80_columns_so_each_can_be_copied() {
    for page in pages() {
        let narrow = below_the_options(&page, "80");
        for line in below_the_options(&page, "100").iter().filter(|line| line.starts_with("  ")) {
            assert!(narrow.contains(line), "{page:?}: {line}");
        }
    }
}

#[test]
fn no_paragraph_of_the_help_is_broken_before_the_terminal_ends() {
    for page in pages() {
        let lines = below_the_options(&page, "100");
        for pair in lines.windows(2) {
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
            let next = pair[1].split(' ').next().unwrap_or_default();
            let fits = pair[0].chars().count() + 1 + next.chars().count() <= 100;
            assert!(!(is_prose(&pair[0]) && is_prose(&pair[1]) && fits), "{page:?}: {pair:?}");
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
    assert!(ran.stderr.contains("hint: the commands are status, "), "{}", ran.stderr);
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

/// Those that ask headcount at each TAB are tried in their shells, in `completion.rs`.
#[test]
fn other_shells_get_a_completion_script_that_knows_the_verbs() {
    for shell in ["elvish", "powershell"] {
        let ran = Place::new().run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{shell}: {}", ran.stderr);
        assert!(verbs().iter().all(|verb| ran.stdout.contains(verb.as_str())), "{shell}");
    }
}

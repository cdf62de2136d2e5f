//! The README and the pages under `docs/` are right: their commands parse, their links lead somewhere, their examples hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use headcount::bus::{MAX_PACKET, MAX_PAYLOAD};
use headcount::core::fleet::REFRESH;
use headcount::core::ids::{AgentKind, MuxKind, SessionKey};
use headcount::core::job::{DEFAULT_ROOT, JobEvent, JobToken, events_topic, sign};
use headcount::core::manifest::names::{Field, top};
use headcount::core::mqtt::{HostTopics, VARIABLES};
use headcount::core::observe::identity::Rung;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and every page with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(root().join("docs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "md"));
    let paths = paths.chain([root().join("README.md")]);
    let pages: Vec<_> = paths.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect();
    assert!(pages.len() >= 13, "the pages were not found");
    pages
}

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// What a claim about acting rests on.
#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let text = page("security.md");
    let (_, acting) = text.split_once("<a id=\"acting\">").unwrap();
    let (acting, _) = acting.split_once("\n## ").unwrap();
    let names: Vec<&str> = acting.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() >= 3).collect();
    assert!(names.len() >= 13, "{names:?}");
    let mut sources = String::new();
    let mut open = vec![root().join("tests")];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "{name}");
    }
}

/// The fenced blocks of a text, each with its language.
fn blocks(text: &str) -> Vec<(String, String)> {
    let fenced = text.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    fenced.map(|(language, block)| (language.to_owned(), block.to_owned())).collect()
}

fn blocks_of(text: &str, language: &str) -> Vec<String> {
    blocks(text).into_iter().filter(|(of, _)| of == language).map(|(_, block)| block).collect()
}

/// Every piece of `code` within prose.
fn code_spans(text: &str) -> Vec<String> {
    let prose: Vec<&str> = text.split("\n```").step_by(2).collect();
    prose.iter().flat_map(|prose| prose.split('`').skip(1).step_by(2)).map(|span| span.replace('\n', " ")).collect()
}

fn headcount(arguments: &[&str]) -> Output {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.args(arguments).env_clear().env("HOME", place.path()).current_dir(place.path()).output().unwrap()
}

#[test]
fn every_command_line_shown_parses() {
    let mut count = 0;
    for (path, text) in pages() {
        let typed = blocks_of(&text, "").join("\n");
        let typed = typed.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line).to_owned());
        for line in typed.chain(code_spans(&text)).filter(|line| line == "headcount" || line.starts_with("headcount ")) {
            let mut arguments = shell_words::split(&line).unwrap();
            arguments.push("--help".to_owned());
            let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
            let output = headcount(&arguments);
            assert_eq!(
                output.status.code(),
                Some(0),
                "{} `{line}`: {}",
                path.display(),
                String::from_utf8_lossy(&output.stderr)
            );
            count += 1;
        }
    }
    assert!(count >= 30, "{count}");
}

#[test]
fn every_option_named_alone_exists() {
    let place = tempfile::tempdir().unwrap();
    let output = headcount(&["man", "--dir", place.path().to_str().unwrap()]);
    assert!(output.status.success());
    let manuals = std::fs::read_dir(place.path()).unwrap().map(|page| std::fs::read_to_string(page.unwrap().path()).unwrap());
    let manuals: String = manuals.collect::<String>().replace("\\-", "-");
    // Of cargo, of the benchmarks, and of csd.
    let others = ["--no-default-features", "--markdown", "--force", "--snapshot"];
    for (path, text) in pages() {
        for span in code_spans(&text).iter().filter(|span| span.starts_with("--")) {
            let option = span.split([' ', '=']).next().unwrap();
            assert!(manuals.contains(option) || others.contains(&option), "{}: {option} is in no manual", path.display());
        }
    }
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let letters = heading.to_lowercase();
    letters
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| Some(line.strip_prefix('#')?.trim_start_matches('#').trim())).map(slug);
    let named = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    headings.chain(named).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_place_in_it() {
    let mut count = 0;
    for (path, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            count += 1;
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {link} is not there", path.display());
            if let Some(anchor) = anchor {
                let anchors = anchors(&std::fs::read_to_string(&target).unwrap());
                assert!(anchors.contains(anchor), "{}: {link} has no such place: {anchors:?}", path.display());
            }
        }
    }
    assert!(count > 90, "{count}");
}

#[test]
fn every_manifest_shown_is_valid() {
    let manifests: Vec<String> = pages().iter().flat_map(|(_, text)| blocks_of(text, "yaml")).collect();
    assert!(!manifests.is_empty());
    for manifest in manifests {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, &manifest).unwrap();
        let output = headcount(&["check", "--strict", file.path().to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{manifest}\n{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_manifest_reference_names_every_field_in_every_spelling_and_every_agent() {
    let reference = page("manifest.md");
    let agents = AgentKind::ALL.iter().flat_map(|kind| kind.names());
    let keys = top::ALL.iter().copied();
    for word in Field::all_names().chain(agents).chain(keys) {
        let named = reference.split('`').skip(1).step_by(2).any(|span| span.split([':', ' ']).next() == Some(word));
        assert!(named, "`{word}` is not in the reference");
    }
    let mut rows = 0;
    for section in ["A session, declared", "A session, recorded"] {
        let (_, text) = reference.split_once(&format!("\n## {section}\n")).unwrap();
        let text = text.split("\n## ").next().unwrap();
        for key in text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()) {
            assert!(Field::of_key(key).is_some(), "`{key}` is no field");
            rows += 1;
        }
    }
    assert!(rows > 20, "{rows}");
}

#[test]
fn the_ladder_has_every_rung_in_its_order() {
    let listed: Vec<String> = page("evidence.md")
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .filter_map(|line| Some(line.split_once('*')?.0.to_owned() + line.split('*').nth(1)?))
        .collect();
    assert_eq!(listed, Rung::ALL.map(|rung| format!("{}. {}", rung.number(), rung.as_str())));
}

#[test]
fn the_report_shown_has_only_fields_that_reports_have() {
    let schema = std::fs::read_to_string(root().join("schema/report.schema.json")).unwrap();
    let reports = blocks_of(&page("json.md"), "json");
    assert_eq!(reports.len(), 1);
    let report: Value = serde_json::from_str(&reports[0]).unwrap();
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
fn every_payload_shown_is_of_its_schema() {
    let payloads = blocks_of(&page("mqtt.md"), "json");
    assert_eq!(payloads.len(), 2);
    for payload in payloads {
        let payload: Value = serde_json::from_str(&payload).unwrap();
        let schema = if payload.get("event").is_some() { "job-event" } else { "host" };
        let schema: Value = serde_json::from_slice(&headcount(&["schema", schema]).stdout).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&payload).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {payload}");
        let known = schema["properties"].as_object().unwrap();
        for field in payload.as_object().unwrap().keys() {
            assert!(known.contains_key(field), "{field} is no field of it");
        }
    }
}

/// The signed event of the page on MQTT.
fn signed_event() -> JobEvent {
    let payloads = blocks_of(&page("mqtt.md"), "json");
    payloads.iter().find_map(|payload| serde_json::from_str(payload).ok()).expect("an event is shown")
}

#[test]
fn the_signature_shown_is_that_of_the_event_shown_and_changes_with_every_field_of_it() {
    let text = page("mqtt.md");
    let token = text.split("token=").nth(1).unwrap().lines().next().unwrap();
    let token = JobToken::recorded(token).unwrap();
    let event = signed_event();
    let shown = event.hmac.clone().unwrap();
    assert_eq!(sign(&event, &token), shown);
    let others = [
        JobEvent { seq: 8, ..event.clone() },
        JobEvent { job_id: "6rvrhxmy".parse().unwrap(), ..event.clone() },
        JobEvent { timestamp: "2026-11-21T09:40:01Z".to_owned(), ..event.clone() },
        JobEvent { detail: String::new(), ..event.clone() },
        JobEvent { data: None, ..event.clone() },
        JobEvent { event: headcount::core::job::EventKind::Completed, ..event.clone() },
    ];
    for other in others {
        assert_ne!(sign(&other, &token), shown, "{other:?}");
    }
}

#[test]
fn the_commands_shown_for_signing_give_the_signature_shown() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("SKIPPED the commands for signing: openssl is not installed");
        return;
    }
    let scripts = blocks_of(&page("mqtt.md"), "sh");
    assert_eq!(scripts.len(), 1);
    let output = Command::new("sh").args(["-euc", &scripts[0]]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), signed_event().hmac.unwrap());
}

#[test]
fn the_topics_variables_and_limits_told_are_those_of_the_program() {
    let text = page("mqtt.md");
    let topics = HostTopics::new("host");
    let key = SessionKey { host: "host".into(), mux: MuxKind::Tmux, server: "server".into(), name: "name".into() };
    let told = |topic: String, words: &[&str]| {
        words
            .iter()
            .fold(topic, |topic, word| topic.replacen(word, &format!("<{}>", if *word == "tmux" { "mux" } else { word }), 1))
    };
    for topic in [
        told(topics.state(), &["host"]),
        told(topics.drift(), &["host"]),
        told(topics.session(&key), &["host", "tmux", "server", "name"]),
        events_topic("<root>", &"job".parse().unwrap()).replace("job", "<job>"),
    ] {
        assert!(text.contains(&format!("| `{topic}` |")), "{topic}");
    }
    assert!(text.contains(&format!("`{DEFAULT_ROOT}`")));
    assert_eq!((MAX_PAYLOAD, MAX_PACKET, REFRESH), (64 << 10, 1 << 20, 300), "64 KiB, 1 MiB and five minutes are told");
    for variable in VARIABLES {
        assert!(text.contains(variable), "{variable} is not on the page");
    }
}

#[test]
fn no_line_is_too_wide_to_review() {
    for (path, text) in pages().into_iter().filter(|(path, _)| !path.ends_with("docs/manifest.md")) {
        for line in text.lines() {
            // The row of a table cannot be wrapped.
            let most = if line.starts_with('|') { 300 } else { 160 };
            assert!(line.chars().count() <= most, "{}: {line}", path.display());
        }
    }
}

#[test]
fn no_path_of_a_developers_machine_is_shown() {
    let others = ["ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name));
    let others = others.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()));
    for (page, text) in pages().into_iter().chain(others) {
        // Where every tmux has its sockets, and every csd its workers, is nobody's own path.
        let shared = ["/tmp/tmux-UID", "/tmp/csd-workers", "/tmp/claude-workers"];
        let text = shared.iter().fold(text, |text, path| text.replace(path, ""));
        for path in ["/root", "/work", "/tmp/"] {
            assert!(!text.contains(path), "{} shows {path}", page.display());
        }
    }
}

/// Every Rust source of the package, in one text.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|it| it == "rs") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    text
}

#[test]
fn the_architecture_names_paths_and_types_that_exist() {
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let sources = ["src", "tests", "fuzz/src"].map(|folder| sources(&root().join(folder))).concat();
    let words: BTreeSet<&str> = sources.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let (mut paths, mut names) = (0, 0);
    for span in code_spans(&architecture) {
        let is_path = span.contains('/') && !span.starts_with("./") && !span.contains([' ', '<']);
        if is_path {
            let places = [span.clone(), format!("src/{span}"), format!("src/{span}.rs"), format!("src/control/{span}.rs")];
            assert!(places.iter().any(|place| root().join(place).exists()), "{span} does not exist");
            paths += 1;
        } else if span.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) && span.contains(char::is_uppercase) {
            for word in span.split(':').filter(|word| !word.is_empty()) {
                assert!(words.contains(word), "{span} does not exist");
            }
            names += 1;
        }
    }
    assert!(paths > 30 && names > 20, "{paths} paths, {names} names");
}

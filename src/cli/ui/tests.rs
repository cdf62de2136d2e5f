//! Keys and pictures of the ui by tables: no terminal, no session.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::attention::Attention;
use super::draw::draw;
use super::model::{AskedQuestion, Effect, HostPicture, Shown, Ui, UiMode};
use crate::core::report::status::StatusReport;

const NOW: &str = "2026-01-02T03:04:05Z";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

/// A session and the conditions that hold.
fn row(name: &str, observed: &str, conditions: &[(&str, &str)]) -> serde_json::Value {
    let conditions: Vec<_> = conditions
        .iter()
        .map(|(condition, since)| json!({"condition": condition, "since": since, "source": "registry", "evidence": "it says so"}))
        .collect();
    json!({
        "session": {"name": name, "mux": "tmux", "server": "default", "host": "here"}, "agent": "claude", "declared": "running",
        "observed": observed, "drifts": [], "conditions": conditions, "cwd": "/work",
    })
}

fn report(rows: &[serde_json::Value]) -> StatusReport {
    let counts = json!({"declared": 0, "running": 0, "drifts": 0, "new": 0, "applied": 0, "unknown": 0});
    serde_json::from_value(json!({
        "schema": "headcount/status/v1", "manifest": "/m", "host": "here", "observed_at": NOW, "in_sync": true,
        "counts": counts, "sessions": rows, "unknown": [],
    }))
    .unwrap()
}

fn ui(rows: &[serde_json::Value]) -> Ui {
    let mut ui = Ui { now: now(), ..Ui::default() };
    ui.looked(Ok(report(rows)));
    ui
}

const EARLIER: &str = "2026-01-02T03:00:05Z";

/// One of each, in no order.
fn all() -> Vec<serde_json::Value> {
    vec![
        row("g-ended", "gone", &[("ended", EARLIER)]),
        row("f-idle", "alive", &[("idle", EARLIER), ("ready", EARLIER)]),
        row("h-unknown", "unknown", &[("unknown", EARLIER)]),
        row("e-working", "alive", &[("working", EARLIER), ("ready", EARLIER)]),
        row("d-ended", "alive", &[("idle", EARLIER), ("turn-ended", EARLIER)]),
        row("c-limited", "alive", &[("rate-limited", EARLIER), ("turn-ended", EARLIER)]),
        row("b-crashed", "gone", &[("crashed", EARLIER)]),
        row("a-asks", "alive", &[("needs-input", EARLIER)]),
    ]
}

fn press(ui: &mut Ui, text: &str) -> Vec<Effect> {
    let key = |letter| match letter {
        '⏎' => KeyCode::Enter,
        '⎋' => KeyCode::Esc,
        letter => KeyCode::Char(letter),
    };
    text.chars().flat_map(|letter| ui.key(KeyEvent::new(key(letter), KeyModifiers::NONE))).collect()
}

fn picture(ui: &mut Ui, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(frame, ui)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn what_needs_a_person_comes_first_and_a_turn_that_was_seen_goes_down() {
    let mut ui = ui(&all());
    let names = |ui: &Ui| ui.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(ui.rows.iter().map(|row| row.notice.attention).collect::<Vec<_>>(), Attention::ALL);
    assert!(names(&ui).is_sorted());
    ui.select(3);
    let key = ui.selected.clone().unwrap();
    let effects = press(&mut ui, "l");
    assert!(effects.contains(&Effect::Seen(key.clone(), Some(now()))), "{effects:?}");
    ui.saw(&key, Some(now()));
    assert_eq!(ui.row_of(&key).unwrap().notice.attention, Attention::Idle);
    assert_eq!(ui.selected, Some(key.clone()), "what is selected stays so wherever it goes");
    // A turn that ended after that is not seen.
    ui.saw(&key, Some(now() - TimeDelta::hours(1)));
    assert_eq!(ui.row_of(&key).unwrap().notice.attention, Attention::Unseen);
}

#[test]
fn no_single_key_acts_on_what_runs() {
    for letter in (' '..='~').chain(['⏎', '⎋']) {
        let mut ui = ui(&[row("one", "alive", &[("working", EARLIER)])]);
        let effects = press(&mut ui, &letter.to_string());
        let acts = effects.iter().filter(|effect| matches!(effect, Effect::Act(act) if act.words[0] != "start"));
        assert_eq!(acts.count(), 0, "{letter}: {effects:?}");
    }
    let mut ui = ui(&[row("one", "alive", &[("working", EARLIER)])]);
    assert_eq!(press(&mut ui, "Xx⏎ "), []);
    assert!(matches!(ui.mode, UiMode::Confirm { .. }));
    let effects = press(&mut ui, "y");
    let [Effect::Act(act)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(act.words, ["stop", "--", "tmux:default:one"]);
    assert!(!act.is_sure, "what the command itself would ask is still asked");
    // And then with its own words.
    ui.acted(1, act.clone(), "", Some("Somebody is at a terminal. End it all the same?".to_owned()), true);
    assert!(picture(&mut ui, 80, 24).contains("Somebody is at a terminal"));
    let effects = press(&mut ui, "y");
    let [Effect::Act(act)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(act.is_sure);
}

#[test]
fn an_answer_is_given_only_to_the_question_that_was_shown() {
    let mut ui = ui(&all());
    let key = ui.selected.clone().unwrap();
    press(&mut ui, "a");
    assert_eq!(press(&mut ui, "y12"), [], "nothing is shown yet");
    let choices = vec!["Yes".to_owned(), "No".to_owned()];
    let question = AskedQuestion { text: "Run it?".into(), choices, hash: "3f8a".into(), is_on_screen_only: false };
    ui.asked(&key, Ok(question));
    assert!(picture(&mut ui, 80, 24).contains("Run it?"));
    assert_eq!(press(&mut ui, "3"), [], "there are two choices");
    let effects = press(&mut ui, "2");
    let Some(Effect::Act(act)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(act.words, ["answer", "--expect", "3f8a", "--", "tmux:default:a-asks", "2"]);
}

#[test]
fn a_text_is_sent_with_enter_and_is_not_lost_with_esc() {
    let mut ui = ui(&all());
    press(&mut ui, "shello⎋");
    assert!(matches!(ui.mode, UiMode::List));
    press(&mut ui, "s");
    let effects = press(&mut ui, " q⏎");
    let Some(Effect::Act(act)) = effects.first() else { panic!("{effects:?}") };
    assert_eq!(act.words, ["send", "--", "tmux:default:a-asks", "hello q"]);
    let mut empty = super::tests::ui(&all());
    assert_eq!(press(&mut empty, "s⏎-⏎"), [], "nothing, and what stands for the standard input");
}

#[test]
fn a_filter_finds_by_name_and_condition_and_esc_takes_it_away() {
    let mut ui = ui(&all());
    press(&mut ui, "/working⏎");
    assert_eq!(ui.visible.len(), 1);
    assert_eq!(ui.row().unwrap().name, "e-working");
    press(&mut ui, "⎋");
    assert_eq!((ui.visible.len(), ui.row().unwrap().name.as_str()), (8, "e-working"));
}

#[test]
fn the_screens_are_as_agreed() {
    let mut ui = ui(&all());
    let mut far = report(&[row("far", "alive", &[("idle", EARLIER)])]);
    far.host = "here".to_owned();
    ui.heard("ml".to_owned(), HostPicture::Seen(Box::new(far)));
    ui.heard("gone".to_owned(), HostPicture::Blind("gone cannot be reached".to_owned()));
    let key = ui.selected.clone().unwrap();
    let cells = |text: &str| {
        let cell = |it: char| crate::core::lead::send::ScreenCell { text: it.to_string(), ..Default::default() };
        crate::core::lead::send::ScreenRow { cells: text.chars().map(cell).collect() }
    };
    let rows = ["Do you want to proceed?", " > 1. Yes", "   2. No"].map(cells).into();
    ui.showed(key, Shown::Pane(crate::core::lead::send::PaneScreen { rows, cursor: None }));
    ui.say("✓ delivered far  0.1 s", false);
    for (columns, rows) in [(80, 24), (120, 16), (40, 12)] {
        insta::assert_snapshot!(format!("list_{columns}x{rows}"), picture(&mut ui, columns, rows));
    }
    press(&mut ui, "n");
    insta::assert_snapshot!("new_60x14", picture(&mut ui, 60, 14));
    press(&mut ui, "⎋?");
    insta::assert_snapshot!("help_80x24", picture(&mut ui, 80, 24));
}

#[test]
fn a_terminal_with_no_room_shows_what_is_asked_of_which_session() {
    let mut ui = ui(&[row("web-creator", "alive", &[("needs-input", EARLIER)])]);
    assert!(picture(&mut ui, 20, 5).contains(" ? web-creator"));
    press(&mut ui, "X");
    let small = picture(&mut ui, 20, 5);
    assert!(small.contains("Stop") && small.contains("y yes"), "{small}");
    press(&mut ui, "n");
    let choices = vec!["Yes".to_owned(), "No".to_owned()];
    let question = AskedQuestion { text: "A\nB\nC\nRun it?".into(), choices, hash: "3f8a".into(), is_on_screen_only: false };
    press(&mut ui, "a");
    ui.asked(&ui.selected.clone().unwrap(), Ok(question));
    assert!(picture(&mut ui, 20, 6).contains("2. No"));
}

#[test]
fn a_job_whose_agent_asks_is_told_of_beside_the_sessions() {
    let mut ui = ui(&all());
    let job = |state: &str| {
        let session = json!({"name": "claude-fix", "mux": "tmux", "server": "default", "host": "here"});
        json!({"job": "abc12345", "session": session, "agent": "claude", "state": state, "attempts": 1, "elapsed": 9})
    };
    for (state, says) in [("working", false), ("needs-input", true)] {
        let mut seen = report(&all());
        seen.jobs = vec![serde_json::from_value(job(state)).unwrap()];
        ui.looked(Ok(seen));
        assert_eq!(picture(&mut ui, 80, 24).contains("1 job asks (m)"), says);
    }
    press(&mut ui, "m");
    assert!(picture(&mut ui, 80, 24).contains("asks      job abc12345 waits for an answer in the tmux session claude-fix"));
}

#[test]
fn a_text_that_is_read_fits_whatever_the_terminal_becomes() {
    let mut ui = ui(&all());
    picture(&mut ui, 80, 24);
    press(&mut ui, "d");
    let words: Vec<String> = (0..40).map(|it| format!("word{it}")).collect();
    ui.printed(1, Some(vec![words.join(" ")]));
    for columns in [80, 40, 100, 30] {
        let shown = picture(&mut ui, columns, 24);
        assert!(words.iter().all(|word| shown.contains(word.as_str())), "{columns}: {shown}");
    }
}

#[test]
fn hostile_names_and_any_size_draw_without_harm() {
    let long = "漢字".repeat(60);
    let names = ["a\u{1b}[2Jb\nc", "\u{202e}evil", long.as_str(), "e\u{301}\u{200d}", ""];
    let rows: Vec<_> = names.iter().map(|name| row(name, "alive", &[("needs-input", EARLIER)])).collect();
    let mut ui = ui(&rows);
    for keys in ["", "s", "⎋n", "⎋X", "⎋a", "⎋?", "⎋/x", "⎋d", "⎋m"] {
        press(&mut ui, keys);
        for columns in [1, 2, 3, 5, 8, 20, 39, 40, 80, 100, 200] {
            for rows in [1, 2, 3, 4, 5, 7, 10, 24, 60] {
                let picture = picture(&mut ui, columns, rows);
                let is_harmful = |it: char| (it.is_control() && it != '\n') || it == '\u{202e}';
                assert!(!picture.contains(is_harmful), "{columns}x{rows}: {picture:?}");
            }
        }
    }
}

#[test]
fn of_a_thousand_sessions_the_last_is_reached_by_a_key() {
    let rows: Vec<_> = (0..1000).map(|at| row(&format!("session-{at:03}"), "alive", &[("idle", EARLIER)])).collect();
    let mut ui = ui(&rows);
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    press(&mut ui, "G");
    terminal.draw(|frame| draw(frame, &mut ui)).unwrap();
    let shown = terminal.backend().to_string();
    assert!(shown.contains("session-999") && !shown.contains("session-000"), "{shown}");
}

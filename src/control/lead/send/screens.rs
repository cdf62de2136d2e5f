//! The composers of real agents, as they were recorded (`tests/data/screens/AGENT-VERSION-MULTIPLEXER-STATE.screen`: width, height
//! and cursor, then the capture), and thousands of screens that are nearly those.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use crate::agent;
use crate::core::ids::AgentKind;
use crate::core::lead::send::{
    Composer, ComposerTable, PaneScreen, ScreenCell, Staged, TextShape, composer, has_popup, squeezed, staged,
};
use crate::mux::screen::screen;

fn recorded(name: &str) -> PaneScreen {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/screens").join(format!("{name}.screen"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (first, captured) = text.split_once('\n').unwrap();
    let numbers: Vec<Option<usize>> = first.split(' ').map(|it| it.parse().ok()).collect();
    let [Some(width), Some(height), x, y] = numbers.as_slice() else { panic!("{first}") };
    screen(captured, (*width, *height), x.zip(*y))
}

fn table(agent: AgentKind) -> &'static ComposerTable {
    agent::of(agent).unwrap().composer().unwrap()
}

fn how(screen: &PaneScreen, text: &str, table: &ComposerTable) -> Staged {
    let squeezed = squeezed(text);
    let is_it = |held: &str| held == squeezed;
    let text = TextShape { is_it: &is_it, characters: text.chars().count(), line_ends: text.matches('\n').count() };
    staged(&composer(screen, table), &text, table)
}

/// What a recorded screen shows: of a draft, how far it is held.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    Empty,
    Draft(Staged),
    Dialog,
    /// Not to be told.
    Unseen,
}

fn seq(n: u32) -> String {
    (1..=n).map(|i| i.to_string()).collect::<Vec<_>>().join("\n")
}

/// The states in which the composers were recorded, and what had been pasted.
fn states() -> Vec<(&'static str, String)> {
    let text = |state, text: &str| (state, text.to_owned());
    vec![
        text("empty", ""),
        text("working", ""),
        text("turnend", ""),
        text("afterperm", ""),
        text("error", ""),
        text("perm", ""),
        // What Esc stopped before it was answered Claude puts back.
        text("aftererror", "fail\n@@error 529"),
        text("draft1", "hello world, one line"),
        text("draft4", "first line\nsecond line\n\n  fourth indented\ttab"),
        text("wrap", &"wrap ".repeat(60)),
        text("long700", &"x".repeat(700)),
        text("long2100", &"word ".repeat(420)),
        text("lines11", &seq(11)),
        text("lines30", &seq(30)),
        text("lines400", &seq(400)),
        text("slash", "/mod"),
        text("at", "see @"),
        text("backslash", "ends in backslash \\"),
        text("emoji", "emoji 😀 wide 漢字 é “q”"),
        text("workdraft", "typed midturn"),
    ]
}

fn shown(agent: AgentKind, is_tmux: bool, state: &str) -> Shown {
    use AgentKind::{Claude, Codex, Copilot, Gemini, Opencode, Pi};
    use Shown::{Dialog, Draft, Empty, Unseen};
    use Staged::{Counted, No, Uncounted, Whole};
    match (agent, state) {
        // Pi asks for no permission.
        (Pi, "perm") => Empty,
        (Claude, "aftererror") if is_tmux => Draft(Whole),
        (_, "empty" | "working" | "turnend" | "afterperm" | "error" | "aftererror") => Empty,
        (_, "perm") | (Copilot, "slash" | "at") => Dialog,
        (Opencode | Gemini, "slash" | "at") => Unseen,
        (Claude, "long2100") => Draft(Uncounted),
        (Codex | Gemini | Pi, "long2100") | (Gemini, "long700") | (Opencode, "wrap" | "long700" | "long2100") => Draft(Counted),
        (Codex, "lines11") => Draft(Whole),
        // Its beginning is out of sight.
        (Codex, "lines30") => Draft(No),
        (_, "lines11" | "lines30" | "lines400") | (Claude | Opencode, "draft4") => Draft(Counted),
        _ => Draft(Whole),
    }
}

/// The agents, and the version and the multiplexer in the names of their screens.
const RECORDED: [(AgentKind, &str); 12] = [
    (AgentKind::Claude, "claude-2.1.329-tmux"),
    (AgentKind::Claude, "claude-2.1.329-zellij"),
    (AgentKind::Codex, "codex-0.169.0-tmux"),
    (AgentKind::Codex, "codex-0.169.0-zellij"),
    (AgentKind::Copilot, "copilot-1.0.102-tmux"),
    (AgentKind::Copilot, "copilot-1.0.102-zellij"),
    (AgentKind::Gemini, "gemini-0.61.0-tmux"),
    (AgentKind::Gemini, "gemini-0.61.0-zellij"),
    (AgentKind::Opencode, "opencode-1.18.33-tmux"),
    (AgentKind::Opencode, "opencode-1.18.33-zellij"),
    (AgentKind::Pi, "pi-0.87.1-tmux"),
    (AgentKind::Pi, "pi-0.87.1-zellij"),
];

#[test]
fn a_recorded_composer_is_read_as_what_it_holds() {
    let mut wrong = Vec::new();
    for (agent, version) in RECORDED {
        let table = table(agent);
        for (state, text) in states() {
            // These were not recorded so.
            if ["claude-2.1.329-tmux-at", "codex-0.169.0-tmux-at"].contains(&format!("{version}-{state}").as_str()) {
                continue;
            }
            let screen = recorded(&format!("{version}-{state}"));
            let expected = shown(agent, version.ends_with("tmux"), state);
            let read = composer(&screen, table);
            let is = match &read {
                Composer::Empty => Shown::Empty,
                Composer::Dialog(_) => Shown::Dialog,
                Composer::Unseen(_) => Shown::Unseen,
                Composer::Holds(_) => Shown::Draft(how(&screen, &text, table)),
            };
            if is != expected {
                wrong.push(format!("{version} {state}: {expected:?}, not {read:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_recorded_question_is_read_with_its_choices() {
    for (agent, version) in RECORDED.into_iter().filter(|(agent, _)| *agent != AgentKind::Pi) {
        let screen = recorded(&format!("{version}-perm"));
        let read = table(agent).question(&screen).unwrap_or_else(|| panic!("{version}: {}", screen.text()));
        assert!(read.text.contains("touch "), "{version}: {read:?}");
        let first = if agent == AgentKind::Gemini { "Allow once" } else { "Yes" };
        if agent != AgentKind::Opencode {
            assert!(read.choices.len() >= 3 && read.choices[0].starts_with(first), "{version}: {read:?}");
            assert_eq!(read.highlighted, Some(1), "{version}: {read:?}");
        }
        assert!(screen.shows(&read.pattern()), "{version}: {}", read.pattern());
        for state in ["empty", "turnend", "draft1", "working"] {
            assert_eq!(table(agent).question(&recorded(&format!("{version}-{state}"))), None, "{version} {state}");
        }
    }
}

#[test]
fn a_list_that_enter_would_choose_from_is_seen() {
    let claude_slash = recorded("claude-2.1.329-tmux-slash");
    assert!(has_popup(&claude_slash, table(AgentKind::Claude)));
    assert!(!has_popup(&recorded("claude-2.1.329-tmux-draft1"), table(AgentKind::Claude)));
    assert!(!has_popup(&recorded("codex-0.169.0-tmux-draft1"), table(AgentKind::Codex)));
}

/// Numbers that look random, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

/// Where a screen's composer shows letters of a draft.
fn letters(screen: &PaneScreen, text: &str) -> Vec<(usize, usize)> {
    let row_of = |row: &usize| screen.rows.get(*row).is_some_and(|it| it.text().contains(text));
    let rows: Vec<usize> = (0..screen.rows.len()).filter(row_of).collect();
    let [row] = rows.as_slice() else { return Vec::new() };
    let cells = &screen.rows[*row].cells;
    (2..cells.len()).filter(|column| !cells[*column].is_blank()).map(|column| (*row, column)).collect()
}

#[test]
fn ten_thousand_screens_that_are_nearly_ours_never_hold_our_text() {
    let mut dice = Dice(7);
    let mut count = 0;
    for (agent, version) in RECORDED {
        let table = table(agent);
        for (state, text) in
            [("draft1", "hello world, one line"), ("backslash", "ends in backslash \\"), ("workdraft", "typed midturn")]
        {
            let base = recorded(&format!("{version}-{state}"));
            if shown(agent, version.ends_with("tmux"), state) != Shown::Draft(Staged::Whole) {
                continue;
            }
            assert_eq!(how(&base, text, table), Staged::Whole);
            let places = letters(&base, text);
            assert!(places.len() > 5, "{version} {state}");
            for _ in 0..500 {
                let mut screen = base.clone();
                let (row, column) = places[dice.below(places.len())];
                let cells = &mut screen.rows[row].cells;
                match dice.below(if table.dialogs.is_empty() { 4 } else { 5 }) {
                    // A letter more, one less, another one, one drawn otherwise; a line more.
                    0 => cells.insert(column, ScreenCell { text: "z".to_owned(), ..ScreenCell::default() }),
                    1 => drop(cells.remove(column)),
                    2 => cells[column].text = if cells[column].text == "y" { "x" } else { "y" }.to_owned(),
                    3 => {
                        let line =
                            "  more".chars().map(|it| ScreenCell { text: it.to_string(), ..ScreenCell::default() }).collect();
                        screen.rows.insert(row + 1, crate::core::lead::send::ScreenRow { cells: line });
                        if dice.below(2) == 0 {
                            screen.cursor = screen.cursor.map(|(column, row)| (column, row + 1));
                        }
                    }
                    _ => {
                        let at = dice.below(screen.rows.len());
                        let dialog = *table.dialogs.first().unwrap();
                        let line = format!("{dialog}Yes")
                            .chars()
                            .map(|it| ScreenCell { text: it.to_string(), ..ScreenCell::default() })
                            .collect();
                        screen.rows[at] = crate::core::lead::send::ScreenRow { cells: line };
                    }
                }
                let read = how(&screen, text, table);
                assert!(!matches!(read, Staged::Whole | Staged::Counted), "{version} {state}: {}", screen.text());
                count += 1;
            }
        }
    }
    assert!(count > 10_000);
}

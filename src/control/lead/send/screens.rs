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
    let numbers: Vec<usize> = first.split(' ').map(|it| it.parse().unwrap()).collect();
    let [width, height, x, y] = numbers.as_slice() else { panic!("{first}") };
    screen(captured, (*width, *height), (*x, *y))
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

/// What the recorded screens show: a draft is told by its text, and how far it is held.
enum Shown {
    Empty,
    Draft(String, Staged),
    Dialog,
}

fn seq(n: u32) -> String {
    (1..=n).map(|i| i.to_string()).collect::<Vec<_>>().join("\n")
}

/// The recorded states of both agents: how far each holds the draft that stands in its composer.
fn rows(agent: AgentKind) -> Vec<(&'static str, Shown)> {
    use Shown::{Dialog, Draft, Empty};
    use Staged::{Counted, No, Uncounted, Whole};
    let draft = |text: &str, how| Draft(text.to_owned(), how);
    let is_claude = agent == AgentKind::Claude;
    let either = |claude, codex| if is_claude { claude } else { codex };
    vec![
        ("empty", Empty),
        ("working", Empty),
        ("turnend", Empty),
        ("afterperm", Empty),
        ("error", Empty),
        // What Esc stopped before it was answered Claude puts back.
        ("aftererror", if is_claude { draft("fail\n@@error 529", Whole) } else { Empty }),
        ("draft1", draft("hello world, one line", Whole)),
        ("draft4", draft("first line\nsecond line\n\n  fourth indented\ttab", either(Counted, Whole))),
        ("wrap", draft(&"wrap ".repeat(60), Whole)),
        ("long700", draft(&"x".repeat(700), Whole)),
        ("long2100", draft(&"word ".repeat(420), either(Uncounted, Counted))),
        ("lines11", draft(&seq(11), either(Counted, Whole))),
        // In Codex its beginning is out of sight.
        ("lines30", draft(&seq(30), either(Counted, No))),
        ("lines400", draft(&seq(400), Counted)),
        ("slash", draft("/mod", Whole)),
        ("backslash", draft("ends in backslash \\", Whole)),
        ("emoji", draft("emoji 😀 wide 漢字 é “q”", Whole)),
        ("workdraft", draft("typed midturn", Whole)),
        ("perm", Dialog),
    ]
}

/// The agents, and the version and the multiplexer in the names of their screens.
const RECORDED: [(AgentKind, &str); 2] = [(AgentKind::Claude, "claude-2.1.329-tmux"), (AgentKind::Codex, "codex-0.169.0-tmux")];

#[test]
fn a_recorded_composer_is_read_as_what_it_holds() {
    for (agent, version) in RECORDED {
        let table = table(agent);
        for (state, shown) in rows(agent) {
            let screen = recorded(&format!("{version}-{state}"));
            let read = composer(&screen, table);
            let why = format!("{version} {state}: {read:?}");
            match shown {
                Shown::Empty => assert_eq!(read, Composer::Empty, "{why}"),
                Shown::Draft(text, expected) => assert_eq!(how(&screen, &text, table), expected, "{why}"),
                Shown::Dialog => assert!(matches!(read, Composer::Dialog(_)), "{why}"),
            }
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
            assert_eq!(how(&base, text, table), Staged::Whole);
            let places = letters(&base, text);
            assert!(places.len() > 5, "{version} {state}");
            for _ in 0..1700 {
                let mut screen = base.clone();
                let (row, column) = places[dice.below(places.len())];
                let cells = &mut screen.rows[row].cells;
                match dice.below(5) {
                    // A letter more, one less, another one, one drawn otherwise; a line more.
                    0 => cells.insert(column, ScreenCell { text: "z".to_owned(), ..ScreenCell::default() }),
                    1 => drop(cells.remove(column)),
                    2 => cells[column].text = if cells[column].text == "y" { "x" } else { "y" }.to_owned(),
                    3 => {
                        let line =
                            "  more".chars().map(|it| ScreenCell { text: it.to_string(), ..ScreenCell::default() }).collect();
                        screen.rows.insert(row + 1, crate::core::lead::send::ScreenRow { cells: line });
                        if dice.below(2) == 0 {
                            screen.cursor.1 += 1;
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

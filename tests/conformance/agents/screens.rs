//! What real agents showed at their start: which dialog that is, which of its rows is highlighted, and which key leads on.

use std::path::Path;

use headcount::agent::Agents;
use headcount::agent::drive::LaunchTable;
use headcount::core::ids::AgentKind;
use headcount::core::lead::{DialogSubject, TypedKey};

const AGENTS: [AgentKind; 6] =
    [AgentKind::Claude, AgentKind::Codex, AgentKind::Copilot, AgentKind::Gemini, AgentKind::Opencode, AgentKind::Pi];

fn screen(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/screens").join(name).with_extension("txt");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The table of the agent that a sample is of.
fn with_table<T>(name: &str, ask: impl Fn(&LaunchTable) -> T) -> T {
    let agents = Agents::default();
    let agent = AGENTS.into_iter().find(|agent| name.starts_with(&format!("{agent}-"))).unwrap();
    ask(agents.of(agent).unwrap().drive().unwrap())
}

#[test]
fn dialogs_of_real_agents_are_told_apart() {
    use DialogSubject::{Bypass, Login, Other, Passing, Trust};
    for (name, subject) in [
        ("claude-trust", Trust),
        ("claude-bypass", Bypass),
        ("claude-api-key", Other("whether to use the API key of its environment")),
        ("claude-login", Login),
        ("claude-login-code", Login),
        ("codex-trust", Trust),
        ("codex-login", Login),
        ("codex-directory", Other("in which directory to go on")),
        ("copilot-trust", Trust),
        ("copilot-login", Login),
        ("gemini-trust", Trust),
        ("gemini-waiting", Passing),
        // The question of trust, already answered, still stands above it.
        ("gemini-login", Login),
        ("pi-fork", Other("whether to fork a conversation of another directory")),
    ] {
        with_table(name, |table| {
            assert_eq!(table.dialog(&screen(name)).map(|dialog| dialog.subject), Some(subject), "{name}");
            assert!(!table.is_ready_on(&screen(name)), "{name}");
        });
    }
}

#[test]
fn an_agent_that_takes_prompts_or_asks_in_the_middle_of_a_turn_shows_no_dialog_of_a_start() {
    for (name, is_ready) in [
        ("claude-idle", false),
        ("codex-idle", false),
        ("copilot-idle", true),
        ("copilot-working", false),
        ("copilot-permission", false),
        ("gemini-idle", true),
        ("gemini-permission", false),
        ("opencode-idle", true),
        ("pi-idle", true),
    ] {
        with_table(name, |table| {
            assert!(table.dialog(&screen(name)).is_none(), "{name}");
            assert_eq!(table.is_ready_on(&screen(name)), is_ready, "{name}");
        });
    }
}

#[test]
fn a_key_leads_from_the_highlighted_row_to_the_one_that_says_yes() {
    for (name, marked, plain, key) in [
        ("claude-trust", "❯ No, exit", "  No, exit", TypedKey::Down),
        ("claude-bypass", "❯ No, exit", "  No, exit", TypedKey::Down),
        ("codex-trust", "› 1. Trust", "  1. Trust", TypedKey::Enter),
        ("copilot-trust", "❯ 1. Yes", "  1. Yes", TypedKey::Enter),
        ("gemini-trust", "● 1. Trust", "  1. Trust", TypedKey::Enter),
    ] {
        with_table(name, |table| {
            let shown = screen(name);
            let answer = table.dialog(&shown).unwrap().answer.as_ref().unwrap();
            let row = answer.highlighted(&shown).unwrap_or_else(|| panic!("{name}: no row is highlighted"));
            assert_eq!(answer.key(row), key, "{name}");
            assert!(shown.contains(&answer.shown(row).unwrap()), "{name}");
            // Without its mark, with a row that is not known, or with a row missing, no key is known.
            assert!(shown.contains(marked), "{name}");
            assert_eq!(answer.highlighted(&shown.replace(marked, plain)), None, "{name}");
            assert_eq!(answer.highlighted(&shown.replace(marked, &format!("{}3 years", &marked[..marked.len() - 2]))), None);
            let last = answer.rows[answer.rows.len() - 1];
            assert_eq!(answer.highlighted(&shown.replace(last, "Something else")), None, "{name}");
            // The last row is highlighted instead.
            let other = shown.replace(marked, plain).replace(&format!("  {last}"), &format!("{} {last}", answer.mark));
            let row = answer.highlighted(&other).unwrap_or_else(|| panic!("{name}: {other}"));
            let expected = if answer.yes == row { TypedKey::Enter } else { TypedKey::Up };
            assert_eq!((row, answer.key(row)), (answer.rows.len() - 1, expected), "{name}");
        });
    }
}

#[test]
fn what_is_asked_of_a_screen_is_plain_text() {
    // tmux searches for it as a pattern within a format, where these would stand for anything.
    let is_plain = |text: &&str| !text.is_empty() && !text.contains(|c: char| c.is_control() || "#{}[]*\\".contains(c));
    for agent in AGENTS {
        let agents = Agents::default();
        let table = agents.of(agent).unwrap().drive().unwrap();
        for dialog in table.dialogs.iter() {
            let rows = dialog.answer.iter().flat_map(|answer| answer.rows.iter().copied().chain([answer.mark]));
            let odd: Vec<&str> = dialog.shows.iter().chain(rows).filter(|text| !is_plain(text)).collect();
            assert!(odd.is_empty(), "{agent}: {odd:?}");
        }
        for subject in [DialogSubject::Trust, DialogSubject::Bypass] {
            assert!(table.other_screens(subject).iter().all(is_plain), "{agent}");
        }
    }
}

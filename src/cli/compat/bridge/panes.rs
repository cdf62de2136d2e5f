//! `tmux-bridge`: its commands, and what each prints. What is read and typed, and whether it may be, is decided elsewhere.

use std::fmt::Write as _;

use super::Failure;
use crate::cli::{asker, run_pass};
use crate::control::lead::bridge::{BridgeError, PaneBridge, is_reachable, of_variable, socket};
use crate::core::bridge::is_key;
use crate::core::text::printable;

const VERSION: &str = "2.0.0";

/// The lines that are read above what a pane shows, if nobody says how many.
const LINES: u32 = 50;

const USAGE: &str = "\
tmux-bridge: read and type into other panes of tmux

Usage: tmux-bridge <command> [args...]

Commands:
  list                      Show all panes: target, session, size, process, label, directory
  type <target> <text>      Type a text; Enter is not pressed
  message <target> <text>   The same, behind a line that says who sends it and where to reply
  read <target> [lines]     Print what a pane shows, and so many lines above that (50)
  keys <target> <key>...    Press keys: Enter, Escape, C-c, y, ...
  name <target> <label>     Give a pane a label
  resolve <label>           Print the pane that has a label
  id                        Print the pane that this runs in ($TMUX_PANE)
  doctor                    Show which tmux server is used, and what is wrong
  version                   Print the version

A target is a pane of tmux (%N, session:window.pane) or a label.
Before type, message and keys, the pane has to be read; each of them uses that up.

Environment:
  TMUX_BRIDGE_SOCKET        The socket of the tmux server to use
";

/// Runs it; gives what it prints.
pub(super) fn run(words: &[String]) -> Result<String, Failure> {
    let (command, rest) = match words.split_first() {
        None => return Ok(USAGE.to_owned()),
        Some((command, rest)) => (command.as_str(), rest),
    };
    match command {
        "-h" | "--help" | "help" => return Ok(USAGE.to_owned()),
        "version" => return Ok(format!("tmux-bridge {VERSION}\n")),
        "id" => return own_pane().map(|pane| pane + "\n"),
        "doctor" => return doctor(),
        _ => {}
    }
    let needs = match command {
        "list" => 0,
        "read" | "resolve" => 1,
        "type" | "message" | "msg" | "keys" | "name" => 2,
        other => {
            return Err(Failure::error(format!("unknown command: {}. Run 'tmux-bridge' for usage.", printable(other))));
        }
    };
    if rest.len() < needs {
        let name = if command == "msg" { "message" } else { command };
        let why = format!("'{name}' requires at least {needs} argument(s). Run 'tmux-bridge' for usage.");
        return Err(Failure::error(why));
    }
    let bridge = bridge()?;
    let done = |result: Result<(), BridgeError>| result.map(|()| String::new()).map_err(Failure::error);
    match (command, rest) {
        ("list", _) => list(&bridge),
        ("read", [target, rest @ ..]) => bridge.read(target, lines(rest.first())?).map_err(Failure::error),
        ("resolve", [label, ..]) => bridge.labelled(label).map(|pane| pane + "\n").map_err(Failure::error),
        ("name", [target, label, ..]) => done(bridge.find(target).and_then(|pane| bridge.label(&pane, label))),
        ("type", [target, text, ..]) => done(bridge.read_before(target).and_then(|pane| bridge.type_text(&pane, text))),
        ("message" | "msg", [target, text, ..]) => {
            let to = bridge.read_before(target).map_err(Failure::error)?;
            let text = format!("{} {text}", header(&bridge)?);
            done(bridge.type_text(&to, &text))
        }
        ("keys", [target, keys @ ..]) => {
            let to = bridge.read_before(target).map_err(Failure::error)?;
            if let Some(odd) = keys.iter().find(|key| !is_key(key)) {
                let odd = printable(odd);
                let why = format!("'{odd}' is no key of tmux; nothing was pressed. 'tmux-bridge type' types a text");
                return Err(Failure::error(why));
            }
            done(bridge.press(&to, keys))
        }
        _ => Ok(String::new()),
    }
}

fn bridge() -> Result<PaneBridge, Failure> {
    let (world, state) = run_pass::here().map_err(|error| Failure::error(error.message()))?;
    let holder = asker::holder(&state);
    PaneBridge::new(world, state, holder).map_err(Failure::error)
}

fn lines(word: Option<&String>) -> Result<u32, Failure> {
    let Some(word) = word else { return Ok(LINES) };
    let lines = word.parse().ok().filter(|lines| *lines <= 1_000_000);
    lines.ok_or_else(|| Failure::error(format!("'read' takes a number of lines, not '{}'", printable(word))))
}

fn own_pane() -> Result<String, Failure> {
    let pane = std::env::var("TMUX_PANE").ok().filter(|pane| !pane.is_empty());
    pane.ok_or_else(|| Failure::error("not running inside a tmux pane ($TMUX_PANE is unset)"))
}

/// What stands before a message: who sends it, and where a reply goes.
fn header(bridge: &PaneBridge) -> Result<String, Failure> {
    let pane = own_pane()?;
    let own = bridge.find(&pane).map_err(Failure::error)?;
    let from = if own.label.is_empty() { &pane } else { &own.label };
    let (from, session) = (printable(from), printable(&own.session));
    Ok(format!("[tmux-bridge from:{from} pane:{pane} at:{session}:{} — load the smux skill to reply]", own.place))
}

fn list(bridge: &PaneBridge) -> Result<String, Failure> {
    let row = |fields: [&str; 6]| {
        let [target, place, size, process, label, cwd] = fields.map(printable);
        format!("{target:<8} {place:<16} {size:<10} {process:<25} {label:<10} {cwd}\n")
    };
    let home = std::env::var("HOME").ok().filter(|home| home.len() > 1);
    let mut text = row(["TARGET", "SESSION:WIN", "SIZE", "PROCESS", "LABEL", "CWD"]);
    for (pane, runs) in bridge.list().map_err(Failure::error)? {
        let below = home.as_deref().and_then(|home| pane.cwd.strip_prefix(home));
        let below = below.filter(|below| below.is_empty() || below.starts_with('/'));
        let cwd = below.map_or_else(|| pane.cwd.clone(), |below| format!("~{below}"));
        let label = if pane.label.is_empty() { "-" } else { &pane.label };
        let place = format!("{}:{}", pane.session, pane.window);
        text.push_str(&row([&pane.id, &place, &pane.size, runs.as_deref().unwrap_or("?"), label, &cwd]));
    }
    Ok(text)
}

fn doctor() -> Result<String, Failure> {
    let (world, state) = run_pass::here().map_err(|error| Failure::error(error.message()))?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let shown = |name: &str| variable(name).map_or_else(|| "<unset>".to_owned(), |value| printable(&value).into_owned());
    let mut is_well = true;
    let mut text = format!("tmux-bridge doctor v{VERSION}\n---\n");
    for name in ["TMUX_PANE", "TMUX", "TMUX_BRIDGE_SOCKET"] {
        let _ = writeln!(text, "{:<19} {}", format!("{name}:"), shown(name));
    }
    if let Some(named) = of_variable(&world.env) {
        let how = match (is_reachable(&world, &named), named.exists()) {
            (true, _) => "reachable",
            (false, true) => "exists but not responding",
            (false, false) => "MISSING — stale env",
        };
        is_well &= how == "reachable";
        let _ = writeln!(text, "$TMUX socket:       {} ({how})", printable(&named.to_string_lossy()));
    }
    text.push_str("---\n");
    let detected = socket(&world);
    match &detected {
        Ok(socket) => drop(writeln!(text, "Detected socket:    {}", printable(&socket.to_string_lossy()))),
        Err(_) => text.push_str("Detected socket:    FAILED — no reachable tmux server found\n"),
    }
    is_well &= detected.is_ok();
    text.push_str("---\n");
    let holder = asker::holder(&state);
    if let Some(bridge) = detected.ok().and_then(|_| PaneBridge::new(world, state, holder).ok()) {
        if let Some(pane) = variable("TMUX_PANE") {
            let is_there = bridge.find(&pane).is_ok();
            is_well &= is_there;
            let how = if is_there { "visible to server" } else { "NOT visible to server" };
            let _ = writeln!(text, "This pane ({}): {how}", printable(&pane));
        }
        let panes = bridge.list().unwrap_or_default();
        let labelled = panes.iter().filter(|(pane, _)| !pane.label.is_empty()).count();
        let _ = writeln!(text, "Total panes:        {}\nLabeled panes:      {labelled}", panes.len());
    }
    if is_well {
        return Ok(text + "---\nStatus: OK\n");
    }
    text.push_str("---\nStatus: ISSUES DETECTED\n\n");
    text.push_str("No tmux server answers where this looks, or it does not have this pane.\n");
    text.push_str("Start a new shell in tmux, or set TMUX_BRIDGE_SOCKET to the socket of its server.\n");
    Err(Failure { printed: text, said: None })
}

//! What a live session shows inside: its tabs with their panes, and who is attached to it. Asks; changes nothing.

use std::path::PathBuf;

use serde::Deserialize;

use super::{address, panes, wire};
use crate::core::observe::MuxSession;
use crate::host::{Environ, Host};

/// A tab of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZellijTab {
    /// Its number, which it keeps.
    pub id: u64,
    /// Its name, raw: show it only through [`crate::core::text::printable`].
    pub name: String,
    /// The terminal panes in it.
    pub panes: Vec<String>,
}

/// Somebody who is attached to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZellijClient {
    /// Its number.
    pub id: String,
    /// The pane it looks at.
    pub pane: String,
    /// What runs there, as zellij says it.
    pub command: String,
}

/// A row of the list of panes, as far as it is about tabs.
#[derive(Debug, Deserialize)]
struct Row {
    id: u32,
    is_plugin: bool,
    tab_id: u64,
    tab_position: u64,
    tab_name: String,
}

/// The tabs of a session, in their order.
///
/// # Errors
/// One line: it does not answer, or is only just being set up.
pub fn tabs(host: &dyn Host, env: &Environ, server: &str, session: &MuxSession) -> Result<Vec<ZellijTab>, String> {
    parse_tabs(&wire::list_panes(host, &socket(env, server, session)?)?)
}

/// Who is attached to a session.
///
/// # Errors
/// The same.
pub fn clients(host: &dyn Host, env: &Environ, server: &str, session: &MuxSession) -> Result<Vec<ZellijClient>, String> {
    let text = wire::ask(host, &socket(env, server, session)?, wire::LIST_CLIENTS, session.process)?;
    parse_clients(&String::from_utf8_lossy(&text)).ok_or_else(|| "cannot parse zellij's list of clients".to_owned())
}

/// One that is just being set up does not survive a question.
fn socket(env: &Environ, server: &str, session: &MuxSession) -> Result<PathBuf, String> {
    if session.process.is_none() || session.may_be_starting() {
        return Err("it does not answer, or is only just being set up".to_owned());
    }
    address::base(server, env).map(|base| address::sockets(&base).join(&session.name))
}

/// The tabs that a list of panes tells of, in their order.
///
/// # Errors
/// It is no such list.
pub(super) fn parse_tabs(text: &[u8]) -> Result<Vec<ZellijTab>, String> {
    let mut rows: Vec<Row> =
        serde_json::from_slice(text).map_err(|error| format!("cannot parse zellij's list of panes: {error}"))?;
    rows.sort_by_key(|row| (row.tab_position, row.id));
    let mut tabs: Vec<ZellijTab> = Vec::new();
    for row in rows {
        let at = tabs.iter().position(|tab| tab.id == row.tab_id).unwrap_or(tabs.len());
        if at == tabs.len() {
            tabs.push(ZellijTab { id: row.tab_id, name: row.tab_name, panes: Vec::new() });
        }
        tabs[at].panes.extend((!row.is_plugin).then(|| panes::terminal(row.id)));
    }
    Ok(tabs)
}

fn parse_clients(text: &str) -> Option<Vec<ZellijClient>> {
    let mut lines = text.lines();
    lines.next().filter(|title| title.starts_with("CLIENT_ID"))?;
    let client = |line: &str| {
        let (id, rest) = line.trim().split_once(char::is_whitespace)?;
        let (pane, command) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        Some(ZellijClient { id: id.to_owned(), pane: pane.to_owned(), command: command.trim().to_owned() })
    };
    Some(lines.filter_map(client).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn panes_are_gathered_by_their_tabs_in_order() {
        let row = |id: u32, plugin: bool, tab: u64, position: u64, name: &str| {
            format!(
                r#"{{"id":{id},"is_plugin":{plugin},"tab_id":{tab},"tab_position":{position},"tab_name":"{name}","more":1}}"#
            )
        };
        let text =
            format!("[{},{},{}]", row(3, false, 5, 1, "two"), row(0, true, 7, 0, "[ENG-1]"), row(1, false, 7, 0, "[ENG-1]"));
        let tabs = parse_tabs(text.as_bytes()).unwrap();
        let seen: Vec<_> = tabs.iter().map(|tab| (tab.id, tab.name.as_str(), tab.panes.clone())).collect();
        let pane = |id: &str| vec![id.to_owned()];
        assert_eq!(seen, [(7, "[ENG-1]", pane("terminal_1")), (5, "two", pane("terminal_3"))]);
        assert!(parse_tabs(b"[{}]").is_err() && parse_tabs(b"").is_err());
    }

    #[test]
    fn clients_are_listed_below_a_title() {
        let text = "CLIENT_ID ZELLIJ_PANE_ID RUNNING_COMMAND\n1         terminal_0     vim a b\n12 terminal_3 N/A\n";
        let clients = parse_clients(text).unwrap();
        assert_eq!(clients[0], ZellijClient { id: "1".into(), pane: "terminal_0".into(), command: "vim a b".into() });
        assert_eq!(clients[1].pane, "terminal_3");
        assert_eq!(parse_clients("CLIENT_ID ZELLIJ_PANE_ID RUNNING_COMMAND\n"), Some(Vec::new()));
        assert_eq!(parse_clients("something else"), None);
    }
}

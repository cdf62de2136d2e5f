//! What the list of `zellij action list-panes --all --json` says, and what of it the processes of a session did not. Pure: bytes in, panes out.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::panes::{dead, doubt, terminal};
use crate::core::observe::Pane;

/// A terminal pane as zellij lists it. Fields beyond these are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Listed {
    pub(super) id: u32,
    is_plugin: bool,
    exited: bool,
    exit_status: Option<i32>,
    is_held: bool,
    /// Left out by none that was measured, and nothing that decides.
    #[serde(default)]
    title: String,
    /// Left out where a pane runs the usual shell.
    #[serde(default)]
    terminal_command: Option<String>,
    #[serde(default)]
    pane_content_columns: usize,
    #[serde(default)]
    pane_content_rows: usize,
    /// The column and the row, from 0; left out where a program hides it.
    #[serde(default, rename = "cursor_coordinates_in_pane")]
    pub(super) cursor: Option<(usize, usize)>,
}

/// Parses the list; panes of plugins are left out.
///
/// # Errors
/// If it is not the list of 0.44 or newer: every field has to be there.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Listed>, String> {
    let mut all: Vec<Listed> =
        serde_json::from_slice(text).map_err(|error| format!("cannot parse zellij's list of panes: {error}"))?;
    all.retain(|pane| !pane.is_plugin);
    Ok(all)
}

/// The titles of the panes of a list, by pane.
pub(super) fn titles(listed: Vec<Listed>) -> impl Iterator<Item = (String, String)> {
    listed.into_iter().map(|pane| (terminal(pane.id), pane.title))
}

/// The panes of a list that are not among those whose processes were found: dead ones, and a doubt for each live one whose
/// process is missing, as far as processes without an id cannot be theirs.
pub(super) fn beside(listed: &[Listed], found: &[Arc<Pane>]) -> Vec<Pane> {
    let known: BTreeSet<&str> = found.iter().filter(|pane| pane.pid.is_some()).map(|pane| pane.id.as_str()).collect();
    let mut nameless = found.iter().filter(|pane| pane.pid.is_some() && !pane.id.ends_with(char::is_numeric)).count();
    let mut others = Vec::new();
    for pane in listed.iter().filter(|pane| !known.contains(terminal(pane.id).as_str())) {
        if pane.exited || pane.is_held {
            others.push(dead(pane.id, pane.ending()));
        } else if nameless > 0 {
            nameless -= 1;
        } else {
            others.push(doubt(format!("zellij shows pane {}, but its process was not found", terminal(pane.id))));
        }
    }
    others
}

impl Listed {
    /// Whether its process is gone and the pane is only kept.
    pub(super) fn has_ended(&self) -> bool {
        self.exited || self.is_held
    }

    /// Its columns and rows.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        let size = (self.pane_content_columns, self.pane_content_rows);
        (size.0 > 0 && size.1 > 0).then_some(size)
    }

    /// Whether this is the last word of what it was made to run.
    pub(super) fn runs(&self, last: &str) -> bool {
        self.terminal_command.as_deref().is_some_and(|command| command.ends_with(last))
    }

    /// How it ended. zellij has no status of a process that a signal ended, nor of one that was never started.
    fn ending(&self) -> String {
        match (self.exited, self.exit_status) {
            (true, Some(status)) => format!("exit status {status}"),
            (true, None) => "exit status unknown".to_owned(),
            (false, _) => "waits to be started".to_owned(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::fact::Fact;

    fn row(id: u32, more: &str) -> String {
        format!(
            r#"{{"id":{id},"is_plugin":false,"title":"a \"b\" [c] (EXITED) é","pane_command":null,"exited":false,"exit_status":null,"is_held":false{more}}}"#
        )
        .replace(r#""exited":false,"exit_status":null,"is_held":false,"#, "")
    }

    fn list(rows: &[String]) -> Vec<Listed> {
        parse(format!("[{}]\n", rows.join(",")).as_bytes()).unwrap()
    }

    fn found(id: &str, pid: u32) -> Arc<Pane> {
        Pane { pid: Some(pid), agents: Fact::Absent, dead: None, ..dead(0, String::new()) }.named(id).into()
    }

    impl Pane {
        fn named(mut self, id: &str) -> Self {
            id.clone_into(&mut self.id);
            self
        }
    }

    #[test]
    fn a_dead_pane_says_how_it_ended_or_that_nobody_knows() {
        for (fields, expected) in [
            (r#","exited":true,"exit_status":3,"is_held":true"#, "exit status 3"),
            (r#","exited":true,"exit_status":null,"is_held":true"#, "exit status unknown"),
            (r#","exited":true,"exit_status":0,"is_held":false"#, "exit status 0"),
            (r#","exited":false,"exit_status":null,"is_held":true"#, "waits to be started"),
        ] {
            let others = beside(&list(&[row(4, fields)]), &[]);
            assert_eq!((others[0].id.as_str(), others[0].dead.as_deref()), ("terminal_4", Some(expected)));
            assert_eq!(others[0].agents, Fact::Seen(Vec::new()));
        }
    }

    #[test]
    fn a_live_pane_without_a_process_is_a_doubt_unless_a_process_without_an_id_may_be_its() {
        let listed = list(&[row(0, ""), row(1, "")]);
        let both = [found("terminal_0", 7), found("terminal_1", 8)];
        assert!(beside(&listed, &both).is_empty());
        assert!(beside(&listed, &[found("terminal_0", 7), found("terminal_?", 8)]).is_empty());
        let others = beside(&listed, &both[..1]);
        assert_eq!(others.len(), 1);
        assert!(others[0].agents.why_unknown().unwrap().contains("terminal_1"), "{others:?}");
    }

    #[test]
    fn panes_of_plugins_are_left_out_and_anything_else_is_refused() {
        let plugin = row(0, "").replace(r#""is_plugin":false"#, r#""is_plugin":true"#);
        assert!(list(&[plugin]).is_empty());
        for odd in
            ["", "{}", "[{}]", "[1]", "No active session", r#"[{"id":-1,"is_plugin":false,"exited":false,"is_held":false}]"#]
        {
            assert!(parse(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}

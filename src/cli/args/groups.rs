//! The commands in the groups that the help of headcount shows them in. Owns that order; never what a command does.

use std::fmt::Write as _;

use clap::Command;
use clap::builder::{StyledStr, Styles};

/// The groups.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Look", &["status", "diff", "describe", "explain", "history", "fleet"]),
    ("Record", &["record", "watch", "undo"]),
    (
        "Lead",
        &[
            "plan", "apply", "start", "stop", "restart", "new", "rm", "forget", "rename", "move", "handoff", "release",
            "attach", "allow", "consent",
        ],
    ),
    ("Drive", &["send", "queue", "ask", "answer", "wait", "read", "logs", "events", "hooks", "screen", "links"]),
    ("Delegate", &["job", "crew", "mcp", "serve", "ui"]),
    (SET_UP, &["init", "import", "check", "doctor", "demo", "schema", "completions", "man"]),
];

const SET_UP: &str = "Set up";
/// Those of which the short help shows more than names.
const SHOWN: [&str; 2] = ["Look", "Record"];

/// The help of headcount: the groups stand where clap would list the commands.
pub(super) const TEMPLATE: &str =
    "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Global options:\n{options}{after-help}";

/// Every command with its one line; the short help only names most.
pub(super) fn help(command: &Command, long: bool) -> StyledStr {
    let shown = |title: &str| long || SHOWN.contains(&title);
    let verbs = || GROUPS.iter().filter(|(title, _)| shown(title)).flat_map(|(_, verbs)| verbs.iter());
    let found = |verb: &str| command.find_subcommand(verb);
    let label = |verb: &str| match found(verb).map(|verb| verb.get_visible_aliases().collect::<Vec<_>>()) {
        Some(aliases) if long && !aliases.is_empty() => format!("{verb} ({})", aliases.join(", ")),
        _ => verb.to_owned(),
    };
    let width = verbs().map(|verb| label(verb).len()).max().unwrap_or(0);
    let header = Styles::styled().get_header().to_owned();
    let mut text = String::new();
    for (title, verbs) in GROUPS {
        if !shown(title) {
            // clap breaks a line of words behind a styled one.
            let _ = writeln!(text, "{title}: {}", verbs.join(", "));
            continue;
        }
        let _ = writeln!(text, "{header}{title}:{header:#}");
        for verb in verbs {
            let about = found(verb).and_then(Command::get_about).map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {:width$}  {about}", label(verb));
        }
    }
    text.truncate(text.trim_end().len());
    text.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_that_is_shown_is_in_one_group() {
        let listed: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        let command = crate::cli::args::whole();
        let all: BTreeSet<&str> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(Command::get_name).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<&str>>(), all);
        assert_eq!(listed.len(), all.len());
    }
}

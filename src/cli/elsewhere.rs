//! Commands that people know from other programs and headcount does not have. Owns what it says to run instead; runs nothing.

use clap::error::{ContextKind, ContextValue};

use super::error::{CliError, Exit};

/// Words, and what to do instead.
const ELSEWHERE: [(&[&str], &str); 20] = [
    (&["log", "tail"], "`headcount logs SESSION` shows a conversation; `headcount history` what headcount recorded"),
    (&["journal"], "`headcount history` shows what headcount recorded, newest first"),
    (&["list", "get", "sessions"], "`headcount status` (or `ls`) lists the sessions, `headcount job list` the jobs"),
    (
        &["show", "inspect", "info", "why"],
        "`headcount describe SESSION` shows all that is known of a session, `explain` why it is believed",
    ),
    (
        &["monitor", "follow", "daemon", "run", "top"],
        "`headcount watch` keeps recording, `headcount status -w` only keeps showing",
    ),
    (&["drift", "preview"], "`headcount diff` shows every drift, and the change that would record it"),
    (&["sync", "refresh", "update", "save", "scan", "discover"], "`headcount record` records in the manifest what runs"),
    (&["revert", "rollback"], "`headcount undo ENTRY` takes one change back; `headcount history` shows the numbers"),
    (&["lint", "verify"], "`headcount check` validates a manifest, `headcount doctor` checks this machine"),
    (
        &["add", "register", "adopt"],
        "`headcount new` declares a session and starts it; `headcount record` adds entries for sessions that run",
    ),
    (
        &["delete", "remove", "del", "unregister", "erase"],
        "`headcount rm SESSION` stops a session and takes its entry out; with --keep-running it only takes the entry out",
    ),
    (
        &["enforce"],
        "`headcount watch --enforce` keeps the sessions as the manifest wants them, `headcount apply` makes them so once",
    ),
    (
        &["create", "launch", "spawn", "open"],
        "`headcount start SESSION` starts what has an entry, `headcount new` declares a session and starts it",
    ),
    (
        &["kill", "terminate", "quit", "close", "kill-session"],
        "`headcount stop SESSION` asks the agent to end; with --kill it kills what does not",
    ),
    (
        &["resume", "restore", "continue"],
        "`headcount start SESSION` goes on in its conversation, `headcount apply` brings back all that should run",
    ),
    (&["enter", "switch", "a"], "`headcount attach SESSION` opens a session in this terminal"),
    (
        &["send-keys", "type", "prompt", "say", "tell", "converse", "chat"],
        "`headcount send SESSION TEXT` sends a text to an agent and says whether it was delivered",
    ),
    (
        &["submit", "cancel", "publish", "prune", "delegate", "task", "jobs"],
        "`headcount job` has the commands for jobs: run, submit, list, show, events, publish, cancel, wait, logs, stop, resume, prune",
    ),
    (
        &["hosts", "machines", "nodes"],
        "`headcount status -H all` shows every host of the manifest, `headcount fleet status` those that publish on the MQTT broker",
    ),
    (
        &["ssh", "remote"],
        "`headcount -H HOST status` runs a command on a host of the manifest, `headcount attach HOST:SESSION` opens a session there",
    ),
];

/// The same below `headcount job`.
const OF_JOBS: [(&[&str], &str); 6] = [
    (
        &["kill", "abort", "end"],
        "`headcount job stop ID` stops a job that headcount runs, `headcount job cancel ID` cancels any other",
    ),
    (&["get", "status", "describe", "info", "inspect"], "`headcount job show ID` shows one job"),
    (&["ls", "ps"], "`headcount job list` lists the jobs"),
    (
        &["log", "tail", "follow"],
        "`headcount job logs ID -f` prints what its agent says, `headcount job events ID --follow` its events",
    ),
    (
        &["new", "add", "create", "start", "delegate"],
        "`headcount job run` has an agent do a job, `headcount job submit` only adds one",
    ),
    (&["rm", "delete", "remove", "clean", "gc"], "`headcount job prune` removes jobs that have ended"),
];

/// What to do instead of a command that does not exist.
fn hint(table: &[(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&word)).map(|(_, hint)| *hint)
}

/// The answer to a command that does not exist: what to run instead, or where the commands are listed.
pub(super) fn answer(error: &clap::Error) -> Option<CliError> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    // The usage names the command that was asked for one below it.
    let text = error.render().to_string();
    let above = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("headcount");
    let above = above.split([' ']).take_while(|word| !word.starts_with(['[', '<'])).collect::<Vec<_>>().join(" ");
    let known = match above.as_str() {
        "headcount" => hint(&ELSEWHERE, word),
        "headcount job" => hint(&OF_JOBS, word),
        _ => None,
    };
    let similar = || match error.get(ContextKind::SuggestedSubcommand)? {
        ContextValue::String(one) => Some(format!("did you mean `{above} {one}`?")),
        ContextValue::Strings(many) => Some(format!("did you mean `{above} {}`?", many.last()?)),
        _ => None,
    };
    let hint = known.map(str::to_owned).or_else(similar).unwrap_or_else(|| format!("`{above} -h` lists the commands"));
    Some(CliError::new(Exit::Usage, format!("there is no command `{above} {word}`")).hint(hint))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::args::command;

    #[test]
    fn no_word_is_a_command_and_none_has_two_answers() {
        let root = command();
        let job = root.find_subcommand("job").unwrap();
        for (command, table) in [(&root, &ELSEWHERE[..]), (job, &OF_JOBS)] {
            let mut seen = BTreeSet::new();
            for word in table.iter().flat_map(|(words, _)| *words) {
                assert!(command.find_subcommand(word).is_none(), "{word} is a command");
                assert!(seen.insert(word), "{word} is there twice");
            }
        }
    }

    #[test]
    fn every_command_that_is_named_parses() {
        for (_, hint) in ELSEWHERE.iter().chain(&OF_JOBS) {
            // What stands in `…`: the odd pieces.
            for quoted in hint.split('`').skip(1).step_by(2).filter(|text| text.starts_with("headcount ")) {
                let words: Vec<&str> = quoted
                    .split(' ')
                    .map(|word| match word {
                        "ID" => "abc12345",
                        "ENTRY" => "1",
                        word => word,
                    })
                    .collect();
                let parsed = command().try_get_matches_from(words);
                // What is left out, such as the prompt of a job, is for the person to say.
                use clap::error::ErrorKind::{
                    DisplayHelpOnMissingArgumentOrSubcommand, MissingRequiredArgument, MissingSubcommand,
                };
                let left_out = [DisplayHelpOnMissingArgumentOrSubcommand, MissingRequiredArgument, MissingSubcommand];
                assert!(parsed.as_ref().err().is_none_or(|error| left_out.contains(&error.kind())), "{quoted}: {parsed:?}");
            }
        }
    }

    #[test]
    fn the_verbs_of_the_field_have_an_answer() {
        for word in ["enforce", "send-keys", "log", "journal", "list", "get", "kill", "resume", "remove", "rollback"] {
            assert!(hint(&ELSEWHERE, word).is_some(), "{word}");
        }
        assert_eq!(hint(&ELSEWHERE, "frobnicate"), None);
    }
}

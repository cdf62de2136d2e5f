//! Rung 4 of the evidence ladder: an exact id among the arguments an agent was started with. Pure but for the chain it is
//! given.

use super::live_process::LiveProcess;
use super::{Adapter, files};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Rung, RungReading, RungValue};
use crate::host::ProcessInfo;

/// What is looked at.
pub(super) const ARGUMENTS: &str = "the arguments it was started with";

/// Tells an exact id from a name, an index or a search text.
type IsId = fn(&str) -> bool;

/// How an agent is told which conversation to use.
pub(super) struct Flags {
    /// Flags whose value is an exact id.
    pub(super) exact: &'static [(&'static str, IsId)],
    /// A first word whose next word is the id, as in `codex resume ID`.
    pub(super) verb: Option<&'static str>,
    /// Words with which the id given is not the id in use: forks, "the last one".
    pub(super) never: &'static [&'static str],
}

/// Any text that is not another flag.
pub(super) fn any(value: &str) -> bool {
    !value.is_empty() && !value.starts_with('-')
}

/// A UUID.
pub(super) fn uuid(value: &str) -> bool {
    files::is_uuid(value)
}

/// What a command line says of the conversation in use.
#[derive(Debug, PartialEq, Eq)]
enum ArgvVerdict<'a> {
    /// Nothing.
    Nothing,
    /// It is this one.
    Id(&'a str),
    /// It cannot be told from arguments: a fork, the last one, or two ids.
    Untold,
}

/// How the arguments of one agent are read.
pub(super) trait ArgvReader {
    /// Whether with this word the id given is not the id in use.
    fn voids(&self, word: &str) -> bool;

    /// The id that a word, with the one after it, names.
    fn id<'a>(&self, word: &'a str, next: Option<&'a str>) -> Option<&'a str>;
}

impl ArgvReader for Flags {
    fn voids(&self, word: &str) -> bool {
        self.never.contains(&word)
    }

    fn id<'a>(&self, word: &'a str, next: Option<&'a str>) -> Option<&'a str> {
        if self.verb == Some(word) {
            return next.filter(|next| uuid(next));
        }
        self.exact.iter().find_map(|(flag, is_id)| value(word, next, flag).filter(|value| is_id(value)))
    }
}

/// The value of a flag, given as the next word or behind a `=`.
pub(super) fn value<'a>(word: &'a str, next: Option<&'a str>, flag: &str) -> Option<&'a str> {
    if word == flag { next } else { word.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')) }
}

fn said<'a>(args: &'a [String], flags: &impl ArgvReader) -> ArgvVerdict<'a> {
    let words: Vec<&str> = args.iter().map(String::as_str).take_while(|word| *word != "--").collect();
    if words.iter().any(|word| flags.voids(word)) {
        return ArgvVerdict::Untold;
    }
    let mut found: Option<&str> = None;
    for (at, word) in words.iter().enumerate() {
        let value = flags.id(word, words.get(at + 1).copied());
        match (found, value) {
            (Some(one), Some(other)) if one != other => return ArgvVerdict::Untold,
            (None, Some(_)) => found = value,
            _ => {}
        }
    }
    found.map_or(ArgvVerdict::Nothing, ArgvVerdict::Id)
}

/// The id that the command lines of a wrapper and of what it wraps name, outermost first. A wrapper may add a fork of its own,
/// or choose another conversation than the one it was asked for: the innermost has the last word.
fn id<'a>(chain: impl IntoIterator<Item = &'a [String]>, flags: &impl ArgvReader) -> ArgvVerdict<'a> {
    let mut found = ArgvVerdict::Nothing;
    for args in chain {
        match said(args, flags) {
            ArgvVerdict::Untold => return ArgvVerdict::Untold,
            ArgvVerdict::Id(id) => found = ArgvVerdict::Id(id),
            ArgvVerdict::Nothing => {}
        }
    }
    found
}

/// The conversation that arguments name exactly.
pub(super) fn named(args: &[String], flags: &impl ArgvReader) -> Option<ConversationId> {
    match said(args, flags) {
        ArgvVerdict::Id(id) => Some(ConversationId(id.to_owned())),
        ArgvVerdict::Nothing | ArgvVerdict::Untold => None,
    }
}

/// What the arguments of the process, or of the process it wraps, say. Where they say nothing, as those of a program that puts its
/// name in their place, what our own launcher gave it counts as they would have.
pub(super) fn reading<'a>(subject: &'a LiveProcess<'_>, agent: &dyn Adapter, flags: &impl ArgvReader) -> RungReading {
    let args = |process: &'a ProcessInfo| {
        agent.recognise("", &process.argv).map_or(&process.argv[1.min(process.argv.len())..], |it| it.args)
    };
    let reading = |looked_at: String, id: Option<ConversationId>| {
        let fact = id.map_or(Fact::Absent, |id| Fact::Seen(RungValue::Id(id)));
        RungReading { rung: Rung::Start, looked_at, fact }
    };
    let arguments = || ARGUMENTS.to_owned();
    match (id(subject.chain().map(args), flags), &subject.launched) {
        (ArgvVerdict::Id(id), _) => reading(arguments(), Some(ConversationId(id.to_owned()))),
        (ArgvVerdict::Nothing, Some(launched)) => {
            reading(format!("operation {}, which began it", launched.operation), Some(launched.id.clone()))
        }
        (ArgvVerdict::Nothing | ArgvVerdict::Untold, _) => reading(arguments(), None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const A: &str = "11111111-2222-4333-8444-555555555555";
    const B: &str = "22222222-2222-4333-8444-555555555555";
    const FLAGS: Flags = Flags {
        exact: &[("--session-id", uuid), ("--resume", uuid), ("-r", uuid)],
        verb: Some("resume"),
        never: &["--fork-session", "--continue", "-c"],
    };

    fn told<'a>(verdict: &ArgvVerdict<'a>) -> Option<&'a str> {
        match verdict {
            ArgvVerdict::Id(id) => Some(id),
            ArgvVerdict::Nothing | ArgvVerdict::Untold => None,
        }
    }

    #[test]
    fn only_an_exact_id_that_stays_in_use_counts() {
        for (line, expected) in [
            (format!("--session-id {A}"), Some(A)),
            (format!("--session-id={A} --model x"), Some(A)),
            (format!("-r {A}"), Some(A)),
            (format!("--resume={A} --resume {A}"), Some(A)),
            (format!("resume {A}"), Some(A)),
            (format!("--resume {A} --fork-session"), None),
            (format!("--resume {A} --session-id {B}"), None),
            (format!("--session-id {A} -c"), None),
            (format!("--continue --session-id {A}"), None),
            ("--resume".to_owned(), None),
            ("--resume my-chat".to_owned(), None),
            ("resume --last".to_owned(), None),
            (format!("-- --session-id {A}"), None),
            (format!("'text that says --session-id {A}'"), None),
            (format!("--session-ids {A}"), None),
        ] {
            let args = shell_words::split(&line).unwrap();
            assert_eq!(told(&id([args.as_slice()], &FLAGS)), expected, "{line}");
        }
    }

    #[test]
    fn what_a_wrapper_wraps_has_the_last_word_and_a_fork_anywhere_voids_it() {
        for (lines, expected) in [
            ([format!("--resume {A}"), format!("--resume {A}")], Some(A)),
            ([format!("--resume {A}"), String::new()], Some(A)),
            ([String::new(), format!("--resume {B}")], Some(B)),
            ([format!("--resume {A}"), format!("--resume {B}")], Some(B)),
            ([format!("--resume {A}"), format!("--resume {A} --fork-session")], None),
            ([format!("--resume {A} --fork-session"), format!("--resume {A}")], None),
            ([format!("--resume {A}"), "--continue".to_owned()], None),
            ([format!("--resume {A}"), format!("--resume {A} --session-id {B}")], None),
        ] {
            let chain = lines.map(|line| shell_words::split(&line).unwrap());
            assert_eq!(told(&id(chain.iter().map(Vec::as_slice), &FLAGS)), expected, "{chain:?}");
        }
    }
}

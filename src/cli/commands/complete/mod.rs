//! `headcount complete`: what can be typed next, for the scripts of `headcount completions`. Reads the manifest and, where an id
//! of a job or of the journal is expected, those; asks no multiplexer and no agent, because a person waits for it.

mod line;
mod place;

use std::path::PathBuf;

use clap::{Arg, Command};

use self::line::{CommandLine, OpenQuote, quoted};
use self::place::{Cursor, ExpectedWord};
use crate::cli::Context;
use crate::cli::args::{self, CompleteArgs, CompletionShell};
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::{registry, run_pass};
use crate::core::manifest::Manifest;
use crate::core::text::printable;
use crate::store::journal::{EntryRecord, Journal, Note};
use crate::store::manifest::ManifestFile;
use crate::store::paths::StateHome;

/// Prints `files`, `directories` or `words`, then each word on a line of its own, with what it is after a tab.
pub(crate) fn run(args: &CompleteArgs, context: &Context) -> Result<Exit, CliError> {
    let line = CommandLine::read(&args.line, args.shell);
    let mut root = args::command();
    root.build();
    let program = line.words.iter().position(|word| word.rsplit('/').next() == Some("headcount")).unwrap_or(0);
    let place = Cursor::find(&root, line.words.get(program + 1..).unwrap_or_default(), &line.current);
    let words = match offers(&place, &line.current) {
        Offers::Files => return context.out.answer("files\n").map(|()| Exit::Done),
        Offers::Directories => return context.out.answer("directories\n").map(|()| Exit::Done),
        Offers::Words(words) => words,
    };
    let mut answer = String::from("words\n");
    for (word, about) in words {
        // No shell can be handed a line break here, and no terminal should be handed what is not shown.
        if printable(&word) != word {
            continue;
        }
        let about = printable(&about);
        match args.shell {
            // Bash takes the words as they are, and needs them quoted; zsh and fish choose and quote.
            CompletionShell::Bash => {
                if let Some(word) = for_bash(&word, &line, args) {
                    answer.push_str(&format!("{word}\n"));
                }
            }
            _ if about.is_empty() => answer.push_str(&format!("{word}\n")),
            _ => answer.push_str(&format!("{word}\t{about}\n")),
        }
    }
    context.out.answer(&answer)?;
    Ok(Exit::Done)
}

/// The part of a word that readline is to put in place of what it replaces, if the word begins with what was typed.
fn for_bash(word: &str, line: &CommandLine, args: &CompleteArgs) -> Option<String> {
    if !word.starts_with(&line.current) {
        return None;
    }
    // What is left of the cursor's word before the place where readline begins to replace.
    let kept = args.replaced.as_deref().and_then(|replaced| args.line.strip_suffix(replaced));
    let kept = kept.map_or(CommandLine { words: Vec::new(), current: String::new(), open: OpenQuote::None }, |text| {
        CommandLine::read(text, CompletionShell::Bash)
    });
    word.strip_prefix(&kept.current).map(|rest| quoted(rest, kept.open))
}

/// What can be typed at a place.
#[derive(Debug, PartialEq, Eq)]
enum Offers {
    /// The names of files, which the shell knows best.
    Files,
    Directories,
    /// Whole words, each with what it is.
    Words(Vec<(String, String)>),
}

fn offers(place: &Cursor<'_>, current: &str) -> Offers {
    let named = |name: &str, about: Option<String>| (name.to_owned(), about.unwrap_or_default());
    match &place.expected {
        ExpectedWord::Option => {
            let shown = place.command.get_arguments().filter(|arg| !arg.is_hide_set());
            let options = shown.filter_map(|arg| Some(named(&format!("--{}", arg.get_long()?), about(arg))));
            Offers::Words(options.collect())
        }
        ExpectedWord::Value(option, before) => with_prefix(values(option, place), option, before, current),
        ExpectedWord::Word(positional) => {
            let verbs = place.command.get_subcommands().filter(|verb| !verb.is_hide_set() && place.positionals.is_empty());
            let mut words: Vec<_> =
                verbs.map(|verb| named(verb.get_name(), verb.get_about().map(ToString::to_string))).collect();
            match positional.map(|positional| values(positional, place)) {
                Some(Offers::Words(more)) => {
                    words.extend(more.into_iter().filter(|(word, _)| !place.positionals.contains(word)));
                }
                Some(other) => return other,
                None => {}
            }
            Offers::Words(words)
        }
    }
}

/// The values with what has to stand before them in the word: the option, and the values that came before in a list.
fn with_prefix(offers: Offers, option: &Arg, before: &str, current: &str) -> Offers {
    let Offers::Words(words) = offers else { return offers };
    let typed = current.get(before.len()..).unwrap_or_default();
    let list = option.get_value_delimiter().and_then(|comma| typed.rfind(comma)).map_or("", |at| &typed[..=at]);
    Offers::Words(words.into_iter().map(|(word, about)| (format!("{before}{list}{word}"), about)).collect())
}

fn about(arg: &Arg) -> Option<String> {
    arg.get_help().map(ToString::to_string)
}

/// What an argument may be, by the words its parser knows or by the kind of thing its name says it takes.
fn values(arg: &Arg, place: &Cursor<'_>) -> Offers {
    let mut words: Vec<(String, String)> = arg
        .get_possible_values()
        .into_iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()))
        .collect();
    let plain = |words: Vec<String>| words.into_iter().map(|word| (word, String::new())).collect::<Vec<_>>();
    match Kind::of(arg) {
        Kind::File => return Offers::Files,
        Kind::Directory => return Offers::Directories,
        Kind::Session => words.extend(sessions(place, |manifest| {
            manifest.sessions.iter().map(|entry| (entry.key.name.clone(), entry.agent.as_str().to_owned())).collect()
        })),
        Kind::SessionOfMux => words.extend(sessions(place, |manifest| {
            let named = manifest.sessions.iter();
            named
                .map(|entry| (format!("{}:{}", entry.key.mux.as_str(), entry.key.name), entry.agent.as_str().to_owned()))
                .collect()
        })),
        Kind::Label => words.extend(sessions(place, |manifest| {
            let labels = manifest.sessions.iter().flat_map(|entry| &entry.labels);
            plain(labels.map(|(key, value)| format!("{key}={value}")).collect())
        })),
        // The manifest may declare agents of its own.
        Kind::Agent => words.extend(sessions(place, |manifest| {
            plain(manifest.sessions.iter().map(|entry| entry.agent.as_str().to_owned()).collect())
        })),
        Kind::Command => words.extend(commands(place)),
        Kind::Job => words.extend(jobs(place)),
        Kind::Entry => words.extend(entries(place)),
        Kind::Host => words.extend(sessions(place, |manifest| plain(manifest.hosts.keys().cloned().collect()))),
        Kind::Free => {}
    }
    let mut seen = std::collections::HashSet::new();
    words.retain(|(word, _)| seen.insert(word.clone()));
    Offers::Words(words)
}

/// What kind of thing an argument takes, beside the words its parser knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Session,
    SessionOfMux,
    Label,
    Agent,
    Command,
    Job,
    Entry,
    Host,
    File,
    Directory,
    /// Text, numbers, durations: nobody can know.
    Free,
}

/// The kind for each name of a value in the help. A test sees to it that every argument is here.
const KINDS: [(&str, Kind); 50] = [
    ("NAME", Kind::Session),
    ("REF", Kind::Session),
    ("SESSION", Kind::Session),
    ("MUX:NAME", Kind::SessionOfMux),
    ("KEY=VALUE", Kind::Label),
    ("AGENT", Kind::Agent),
    ("COMMAND", Kind::Command),
    ("ID", Kind::Job),
    ("ENTRY", Kind::Entry),
    ("FILE", Kind::File),
    ("HOST", Kind::Host),
    ("PATH", Kind::File),
    ("CREW", Kind::Directory),
    ("DIR", Kind::Directory),
    ("DIRECTORY", Kind::Directory),
    ("ANSWER", Kind::Free),
    ("ARGS", Kind::Free),
    ("GOAL", Kind::Free),
    ("NOTE", Kind::Free),
    ("SEQ", Kind::Free),
    ("TOKEN", Kind::Free),
    ("VERB", Kind::Free),
    ("CLASS", Kind::Free),
    ("CMD", Kind::Free),
    ("CONDITION", Kind::Free),
    ("COUNT", Kind::Free),
    ("DOCUMENT", Kind::Free),
    ("DURATION", Kind::Free),
    ("EVENT", Kind::Free),
    ("EVENT=CMD", Kind::Free),
    ("KEY", Kind::Free),
    ("MODE", Kind::Free),
    ("N", Kind::Free),
    ("PROMPT", Kind::Free),
    ("RECEIPT", Kind::Free),
    ("TASK", Kind::Free),
    ("FORM", Kind::Free),
    ("FORMAT", Kind::Free),
    ("HASH", Kind::Free),
    ("JSON", Kind::Free),
    ("SERVER", Kind::Free),
    ("MUX", Kind::Free),
    ("SHELL", Kind::Free),
    ("STATUS", Kind::Free),
    ("TEXT", Kind::Free),
    ("TIME", Kind::Free),
    ("TOOL", Kind::Free),
    ("TYPE", Kind::Free),
    ("WHAT", Kind::Free),
    ("WHEN", Kind::Free),
];

impl Kind {
    fn of(arg: &Arg) -> Self {
        let name = arg.get_value_names().and_then(<[_]>::first).map(|name| name.as_str()).unwrap_or_default();
        // `--consumer NAME` is no session.
        if name == "NAME" && arg.get_long().is_some() {
            return Self::Free;
        }
        KINDS.iter().find(|(known, _)| *known == name).map_or(Self::Free, |(_, kind)| *kind)
    }
}

/// The file an option names, as the shell would have expanded it.
fn option_path(place: &Cursor<'_>, id: &str) -> Option<PathBuf> {
    let (_, text) = place.options.iter().rev().find(|(option, _)| *option == id)?;
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => Some(PathBuf::from(home).join(rest)),
        _ => Some(PathBuf::from(text)),
    }
}

fn manifest_path(place: &Cursor<'_>) -> Option<PathBuf> {
    let found = manifest_path::find(option_path(place, "manifest").as_deref(), &Surroundings::real());
    found.ok().map(|found| found.path)
}

/// What the manifest knows; nothing if there is none or it cannot be used.
fn sessions(place: &Cursor<'_>, list: impl FnOnce(&Manifest) -> Vec<(String, String)>) -> Vec<(String, String)> {
    manifest_path(place).and_then(|path| run_pass::declared(&path)).map(|manifest| list(&manifest)).unwrap_or_default()
}

/// The commands that have a manual page.
fn commands(place: &Cursor<'_>) -> Vec<(String, String)> {
    let root = args::command();
    let above = place.positionals.iter().try_fold(&root, |above, word| above.find_subcommand(word));
    let shown = above.into_iter().flat_map(Command::get_subcommands).filter(|verb| !verb.is_hide_set());
    shown.map(|verb| (verb.get_name().to_owned(), verb.get_about().map(ToString::to_string).unwrap_or_default())).collect()
}

fn jobs(place: &Cursor<'_>) -> Vec<(String, String)> {
    let Ok(state) = StateHome::from_environment(|name| std::env::var_os(name)) else { return Vec::new() };
    let registry = registry::find(option_path(place, "registry").as_deref(), manifest_path(place).as_deref(), &state);
    let jobs = registry.list().map(|listing| listing.jobs).unwrap_or_default();
    jobs.iter().rev().map(|job| (job.id.to_string(), job.status.as_str().to_owned())).collect()
}

fn entries(place: &Cursor<'_>) -> Vec<(String, String)> {
    let entries = || {
        let manifest = ManifestFile::open(&manifest_path(place)?).ok()?.resolved().ok()?;
        let state = StateHome::from_environment(|name| std::env::var_os(name)).ok()?;
        Journal::new(&state.of_manifest(&manifest)).records().ok()
    };
    let shown = entries().unwrap_or_default().into_iter().filter_map(|record| match record {
        EntryRecord::Edit(entry) => Some((entry.id.to_string(), format!("{} {}", entry.session.name, entry.class.as_str()))),
        EntryRecord::Note(note) if note.kind == Note::REMOVED => {
            Some((note.id.to_string(), format!("{} {}", note.session?.name, note.kind)))
        }
        EntryRecord::Note(_) => None,
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn root() -> Command {
        let mut root = args::command();
        root.build();
        root
    }

    fn words(line: &str) -> Vec<String> {
        let line = CommandLine::read(line, CompletionShell::Fish);
        let root = root();
        match offers(&Cursor::find(&root, &line.words[1..], &line.current), &line.current) {
            Offers::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn the_place_of_the_cursor_decides_what_is_offered() {
        for (line, offered, not) in [
            ("headcount ", &["status", "record", "job"][..], &["complete", "--manifest"][..]),
            ("headcount -", &["--manifest", "--color", "--help"], &["status"]),
            ("headcount --color ", &["auto", "never"], &["status"]),
            ("headcount --color=", &["--color=auto"], &["auto"]),
            ("headcount -f x.yaml st", &["status"], &[]),
            ("headcount status --", &["--output", "--watch", "--manifest"], &["--emit-diff"]),
            ("headcount status -o ", &["wide", "json", "yaml"], &["--watch"]),
            ("headcount status -w", &["--watch"], &["wide"]),
            ("headcount status -owi", &["-owide"], &[]),
            ("headcount diff --class dead,", &["dead,moved"], &["moved"]),
            ("headcount diff --class=dead,mo", &["--class=dead,moved"], &[]),
            ("headcount job ", &["submit", "wait"], &["status"]),
            ("headcount job publish abc12345 ", &["started", "completed"], &["submit"]),
            ("headcount man ", &["status", "job"], &["complete"]),
            ("headcount man job ", &["submit"], &["status"]),
            ("headcount completions ", &["bash", "fish"], &["tcsh"]),
            ("headcount status -f ", &["Files"], &["wide"]),
            ("headcount check ", &["Files"], &[]),
            ("headcount man --dir ", &["Directories"], &[]),
        ] {
            let words = words(line);
            assert!(offered.iter().all(|word| words.iter().any(|offered| offered == word)), "{line}: {words:?}");
            assert!(not.iter().all(|word| words.iter().all(|offered| offered != word)), "{line}: {words:?}");
        }
    }

    #[test]
    fn every_argument_has_a_kind() {
        fn look(command: &Command) {
            for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
                let names = arg.get_value_names().unwrap_or_default();
                assert_eq!(names.len(), 1, "{} of {}: {names:?}", arg.get_id(), command.get_name());
                assert!(KINDS.iter().any(|(known, _)| *known == names[0].as_str()), "{} of {}", names[0], command.get_name());
            }
            command.get_subcommands().filter(|verb| !verb.is_hide_set() && verb.get_name() != "help").for_each(look);
        }
        look(&root());
    }

    #[test]
    fn bash_gets_only_what_readline_replaces() {
        for (line, replaced, word, reply) in [
            ("h explain my", "my", "my lab", Some(r"my\ lab")),
            (r"h explain my\ l", r"my\ l", "my lab", Some(r"my\ lab")),
            ("h explain \"my", "my", "my lab", Some("my lab")),
            ("h explain 'it", "it", "it's", Some(r"it'\''s")),
            ("h explain my\" l", " l", "my lab", Some(" lab")),
            ("h explain a:b", "b", "a:bc", Some("bc")),
            ("h --color=au", "au", "--color=auto", Some("auto")),
            ("h explain x", "x", "my lab", None),
            ("h explain ", "", "$HOME", Some(r"\$HOME")),
        ] {
            let args =
                CompleteArgs { shell: CompletionShell::Bash, line: line.to_owned(), replaced: Some(replaced.to_owned()) };
            assert_eq!(for_bash(word, &CommandLine::read(line, CompletionShell::Bash), &args).as_deref(), reply, "{line}");
        }
    }
}

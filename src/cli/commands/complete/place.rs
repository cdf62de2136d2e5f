//! What the command line expects at the cursor: a command, an option, or the value of an argument. Reads the arguments of clap;
//! knows no session.

use clap::{Arg, Command};

/// What is expected at the cursor, and what was typed before that matters for it.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    /// The command that is being typed.
    pub(super) command: &'a Command,
    /// What is expected.
    pub(super) expected: ExpectedWord<'a>,
    /// The values of options typed so far, by the id of the option.
    pub(super) options: Vec<(&'a str, String)>,
    /// The positional arguments typed so far.
    pub(super) positionals: Vec<String>,
}

/// What may stand at the cursor.
#[derive(Debug)]
pub(super) enum ExpectedWord<'a> {
    /// The value of an option, after this much of the word, such as `--class=`.
    Value(&'a Arg, String),
    /// The name of an option.
    Option,
    /// A command or a positional argument.
    Word(Option<&'a Arg>),
}

impl<'a> Cursor<'a> {
    /// Follows the words after the name of the program; `root` is built, so that every command has the global options.
    pub(super) fn find(root: &'a Command, words: &[String], current: &str) -> Self {
        let mut place = Self { command: root, expected: ExpectedWord::Option, options: Vec::new(), positionals: Vec::new() };
        let mut waiting: Option<&Arg> = None;
        let mut only_positionals = false;
        for word in words {
            if let Some(option) = waiting.take() {
                place.options.push((option.get_id().as_str(), word.clone()));
            } else if !only_positionals && word == "--" {
                only_positionals = true;
            } else if !only_positionals && word.starts_with('-') && word.len() > 1 {
                match place.option(word) {
                    Some((option, Some(value))) => place.options.push((option.get_id().as_str(), value)),
                    Some((option, None)) => waiting = Some(option),
                    None => {}
                }
            } else if let Some(verb) = place.command.find_subcommand(word).filter(|_| place.positionals.is_empty()) {
                place.command = verb;
            } else {
                place.positionals.push(word.clone());
            }
        }
        place.expected = match waiting {
            Some(option) => ExpectedWord::Value(option, String::new()),
            None if only_positionals || !current.starts_with('-') => ExpectedWord::Word(place.positional()),
            None => match place.option(current) {
                Some((option, Some(value))) => {
                    ExpectedWord::Value(option, current.get(..current.len() - value.len()).unwrap_or_default().to_owned())
                }
                _ => ExpectedWord::Option,
            },
        };
        place
    }

    /// The option of a word that takes a value, with the value if the word has it too.
    fn option(&self, word: &str) -> Option<(&'a Arg, Option<String>)> {
        let takes_value = |arg: &&Arg| arg.get_action().takes_values();
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
            let named =
                |arg: &&Arg| arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name));
            return self.command.get_arguments().find(named).filter(takes_value).map(|arg| (arg, value));
        }
        // Of `-vo=json` and the like: flags, then an option with the rest for its value.
        let mut letters = word.strip_prefix('-')?.chars();
        while let Some(letter) = letters.next() {
            let named = |arg: &&Arg| arg.get_short() == Some(letter);
            if let Some(arg) = self.command.get_arguments().find(named).filter(takes_value) {
                let rest = letters.as_str();
                let value = rest.strip_prefix('=').unwrap_or(rest);
                return Some((arg, (!rest.is_empty()).then(|| value.to_owned())));
            }
        }
        None
    }

    /// The positional argument that comes next; one that takes several is the last.
    fn positional(&self) -> Option<&'a Arg> {
        let all: Vec<&Arg> = self.command.get_positionals().collect();
        let takes_more = |arg: &&&Arg| arg.get_num_args().is_some_and(|count| count.max_values() > 1);
        all.get(self.positionals.len()).or_else(|| all.last().filter(takes_more)).copied()
    }
}

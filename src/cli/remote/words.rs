//! A command line as the headcount of another host is given it: the verb, its options, its operands, spelled one way. Owns that
//! spelling and which operands name sessions; never says where a command is run.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::cli::error::{CliError, Exit};

/// Options about this process: they are not handed on, or said in another way.
const OF_HERE: [&str; 5] = ["manifest", "host", "color", "help", "version"];

/// The commands whose NAMEs are sessions.
const BY_NAME: [&str; 7] = ["status", "diff", "explain", "record", "watch", "history", "new"];

/// A command line taken apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct CommandWords {
    /// The verb, and the one below it.
    pub(crate) verb: Vec<String>,
    /// `--option` or `--option=value`, each with its name.
    pub(crate) options: Vec<(String, String)>,
    /// What stands without an option.
    pub(crate) operands: Vec<Operand>,
    /// What stands behind `--`, if this command has something of its own there.
    pub(crate) rest: Option<Vec<String>>,
}

/// A word without an option.
#[derive(Debug, Clone)]
pub(crate) struct Operand {
    /// The word.
    pub(crate) text: String,
    /// Whether it names sessions.
    pub(crate) is_reference: bool,
}

impl CommandWords {
    /// Takes a command line apart.
    ///
    /// # Errors
    /// A word is not UTF-8.
    pub(crate) fn of(root: &Command, matches: &ArgMatches) -> Result<Self, CliError> {
        let (mut command, mut matches) = (root, matches);
        let mut words = Self::default();
        while let Some((name, below)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            words.verb.push(name.to_owned());
            (command, matches) = (found, below);
        }
        words.rest = command.get_arguments().any(Arg::is_last_set).then(Vec::new);
        for arg in command.get_arguments().filter(|arg| !OF_HERE.contains(&arg.get_id().as_str())) {
            words.add(arg, matches)?;
        }
        if words.verb.is_empty() {
            words.verb.push("status".to_owned());
        }
        Ok(words)
    }

    fn add(&mut self, arg: &Arg, matches: &ArgMatches) -> Result<(), CliError> {
        let id = arg.get_id().as_str();
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            return Ok(());
        }
        let flag = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => String::new(),
        };
        match arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => self.options.push((id.to_owned(), flag)),
            ArgAction::Count => {
                self.options.extend(std::iter::repeat_n((id.to_owned(), flag), usize::from(matches.get_count(id))));
            }
            ArgAction::Set | ArgAction::Append => {
                for value in matches.get_raw(id).into_iter().flatten() {
                    let odd = || CliError::new(Exit::Usage, "a word of the command is not UTF-8; nothing was sent");
                    let value = value.to_str().ok_or_else(odd)?;
                    self.put(arg, &flag, value);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn put(&mut self, arg: &Arg, flag: &str, value: &str) {
        if arg.is_last_set() {
            self.rest.get_or_insert_default().push(value.to_owned());
        } else if arg.is_positional() {
            let name = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
            let verb = self.verb.first().map(String::as_str).unwrap_or("status");
            let is_reference = name == "REF" || name == "NAME" && BY_NAME.contains(&verb);
            self.operands.push(Operand { text: value.to_owned(), is_reference });
        } else {
            self.options.push((arg.get_id().to_string(), format!("{flag}={value}")));
        }
    }

    /// Leaves out the options of these names.
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.options.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    /// With an option more.
    pub(crate) fn with(mut self, option: &str) -> Self {
        self.options.push((String::new(), option.to_owned()));
        self
    }

    /// The words in the order in which they are typed.
    pub(crate) fn typed(self) -> Vec<String> {
        let operands = self.operands.into_iter().map(|operand| operand.text);
        let mut words = self.verb;
        words.extend(self.options.into_iter().map(|(_, option)| option));
        match self.rest {
            // Where nothing of its own stands behind two dashes, they keep an operand from being an option.
            None => {
                let mut operands = operands.peekable();
                words.extend(operands.peek().map(|_| "--".to_owned()));
                words.extend(operands);
            }
            Some(rest) => {
                words.extend(operands);
                words.push("--".to_owned());
                words.extend(rest);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::cli::args;

    fn typed(line: &[&str]) -> Vec<String> {
        let typed = args::parse(line).unwrap();
        CommandWords::of(&typed.command, &typed.matches).unwrap().typed()
    }

    #[test]
    fn a_command_line_is_spelled_so_that_it_means_the_same_there() {
        for (line, words) in [
            (&["headcount"][..], &["status"][..]),
            (&["headcount", "-H", "ml", "ls", "-o", "wide", "a*"], &["status", "--output=wide", "--", "a*"]),
            (&["headcount", "send", "-H", "ml", "one", "-x y", "-y"], &["send", "--yes", "--", "one", "-x y"]),
            (&["headcount", "-f", "x", "--color", "never", "up", "one", "two"], &["start", "--", "one", "two"]),
            (
                &["headcount", "status", "-l", "a=b,c=d", "-vv"],
                &["status", "--label=a=b", "--label=c=d", "--verbose", "--verbose"],
            ),
            (
                &["headcount", "new", "n", "--agent", "claude", "--prompt", "--x", "--", "--model", "y"],
                &["new", "--agent=claude", "--prompt=--x", "n", "--", "--model", "y"],
            ),
            (&["headcount", "new", "n", "--agent", "claude"], &["new", "--agent=claude", "n", "--"]),
            (&["headcount", "job", "--registry", "d", "show", "abc12345"], &["job", "show", "--registry=d", "--", "abc12345"]),
            (&["headcount", "logs", "one", "-f", "-n3"], &["logs", "--follow", "--lines=3", "--", "one"]),
        ] {
            let mut expected: Vec<&str> = words.to_vec();
            let mut said = typed(line);
            assert_eq!(said.first().map(String::as_str), expected.first().copied());
            // Options may come in any order.
            let at = |words: &[String]| words.iter().position(|word| word == "--").unwrap_or(words.len());
            let (end, until) = (at(&said), at(&expected.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()));
            said[..end].sort();
            expected[..until].sort_unstable();
            assert_eq!(said, expected, "{line:?}");
            let again: Vec<String> = std::iter::once("headcount".to_owned()).chain(typed(line)).collect();
            let again: Vec<&str> = again.iter().map(String::as_str).collect();
            assert_eq!(typed(&again), typed(line), "{line:?}");
        }
    }

    #[test]
    fn every_reference_of_the_help_is_one() {
        for (line, reference) in [
            (&["headcount", "rename", "x:one", "two"][..], "x:one"),
            (&["headcount", "diff", "x:one"], "x:one"),
            (&["headcount", "send", "x:one", "a:b"], "x:one"),
            (&["headcount", "wait", "x:one", "--for", "idle"], "x:one"),
        ] {
            let typed = args::parse(line).unwrap();
            let words = CommandWords::of(&typed.command, &typed.matches).unwrap();
            let found: Vec<&str> =
                words.operands.iter().filter(|operand| operand.is_reference).map(|operand| operand.text.as_str()).collect();
            assert_eq!(found, [reference], "{line:?}");
        }
    }
}

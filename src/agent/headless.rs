//! How an agent does a job without anybody at its terminal: the arguments that it takes for that, and how its output reads. Values with
//! the version they were measured on; starts nothing.

use serde_json::Value;

use crate::core::job::run::{JobOpening, StreamNews};
use crate::core::manifest::lead::Permissions;

/// How one agent is run without a terminal. It takes the prompt on its standard input.
#[derive(Debug)]
pub struct HeadlessTable {
    /// The version that all of this was measured on.
    pub version: &'static str,
    /// Arguments before all others.
    pub first: &'static [&'static str],
    /// The arguments of its middle permission mode and of the one that asks nothing; `None`: it has no such mode.
    pub permissions: [Option<&'static [&'static str]>; 2],
    /// The flag that gives a new conversation an id of ours, a UUID; `None`: it takes none.
    pub id_flag: Option<&'static str>,
    /// How a conversation is gone on in.
    pub resume: ResumeForm,
    /// Arguments behind all others.
    pub last: &'static [&'static str],
    /// Reads a line of its output.
    pub read: fn(&Value) -> StreamNews,
}

/// How the id of a conversation stands in the arguments that resume it.
#[derive(Debug, Clone, Copy)]
pub enum ResumeForm {
    /// In the word behind this one.
    Behind(&'static str),
    /// In one word with this.
    Joined(&'static str),
}

impl HeadlessTable {
    /// The arguments of a permission mode; `None`: nobody answers in that mode, or it has none.
    pub const fn mode(&self, permissions: Permissions) -> Option<&'static [&'static str]> {
        let [edit, bypass] = self.permissions;
        match permissions {
            Permissions::Ask => None,
            Permissions::Edit => edit,
            Permissions::Bypass => bypass,
        }
    }

    /// The arguments behind the program.
    pub fn arguments(
        &self,
        opening: &JobOpening,
        assigned: Option<&str>,
        permissions: Permissions,
        own: &[String],
    ) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let conversation = match (opening, self.resume) {
            (JobOpening::Resumed(id), ResumeForm::Behind(word)) => vec![word.to_owned(), id.clone()],
            (JobOpening::Resumed(id), ResumeForm::Joined(flag)) => vec![format!("{flag}{id}")],
            (JobOpening::New, _) => match self.id_flag.zip(assigned) {
                Some((flag, id)) => vec![flag.to_owned(), id.to_owned()],
                None => Vec::new(),
            },
        };
        let mode = words(self.mode(permissions).unwrap_or_default());
        [words(self.first), mode, own.to_vec(), conversation, words(self.last)].concat()
    }
}

/// A text at a path of keys.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, key| value.get(key))?.as_str()
}

/// A deed as one line: the tool, and what it is about.
pub(super) fn deed(tool: &str, input: Option<&Value>) -> String {
    const TELLING: [&str; 7] = ["command", "file_path", "filePath", "path", "pattern", "url", "description"];
    let about = input.and_then(|input| TELLING.iter().find_map(|key| input.get(key)?.as_str()));
    let about = about.and_then(|about| about.lines().next()).unwrap_or_default();
    format!("{tool} {about}").trim_end().chars().take(160).collect()
}

//! From the untyped `agents:` of a document to definitions of agents, with everything that is wrong with them. Pure.

use std::collections::HashMap;

use serde_yaml::{Mapping, Value};

use super::lead::drive_of;
use super::names::{agent as keys, top};
use super::remark::{Remarks, noun};
use crate::core::agents::{Declared, Definition, INTERPRETERS, IdPattern, LAUNCHERS, Template};
use crate::core::edit::Path;
use crate::core::ids::{AgentKind, AgentName};

/// More agents than this are not taken.
const MOST: usize = 64;
/// The most items of a list.
const MOST_ITEMS: usize = 16;
/// The longest text, in bytes.
const LONGEST: usize = 512;

/// The agents a document declares.
pub(super) fn read(node: Option<&Value>, remarks: &mut Remarks) -> Declared {
    let path = Path::root().key(top::AGENTS);
    let agents = match node {
        None | Some(Value::Null) => return Declared::default(),
        Some(Value::Mapping(agents)) => agents,
        Some(other) => {
            let hint = "agents: { aider: { programs: [aider] } }".to_owned();
            remarks.fatal(path, format!("`agents` must be a mapping, this is {}", noun(other)), Some(hint));
            return Declared::default();
        }
    };
    if agents.len() > MOST {
        remarks.fatal(path, format!("more than {MOST} agents are declared"), None);
        return Declared::default();
    }
    let mut taken = Taken::default();
    let mut found = Vec::new();
    for (name, fields) in agents {
        let Some(name) = name.as_str() else {
            remarks.fatal(path.clone(), format!("an agent's name is text, this is {}", noun(name)), None);
            continue;
        };
        let Value::Mapping(fields) = fields else {
            let hint = format!("{name}: {{ programs: [{name}] }}");
            remarks.fatal(path.key(name), format!("an agent is a mapping, this is {}", noun(fields)), Some(hint));
            continue;
        };
        let mut reader = Reader { path: path.key(name), fields, remarks };
        found.extend(reader.definition(name, &mut taken));
    }
    found.into_iter().collect()
}

/// Names and programs, and the agent that has them.
#[derive(Default)]
struct Taken {
    names: HashMap<String, String>,
    programs: HashMap<String, String>,
}

/// Reads one definition. What is wrong is left out, and a fatal remark says so.
struct Reader<'a> {
    path: Path,
    fields: &'a Mapping,
    remarks: &'a mut Remarks,
}

impl Reader<'_> {
    /// `None` if its name is none.
    fn definition(&mut self, name: &str, taken: &mut Taken) -> Option<Definition> {
        for key in self.fields.keys() {
            match key.as_str() {
                Some(key) if keys::ALL.contains(&key) => {}
                Some(key) => {
                    self.remarks.unknown_key(self.path.key(key), key, keys::ALL.iter().map(|word| (*word).to_owned()));
                }
                None => self.remarks.warn(self.path.clone(), format!("a key here is {}, not text", noun(key)), None),
            }
        }
        self.claim_name(self.path.clone(), name, name, taken);
        Some(Definition {
            aliases: self.aliases(name, taken),
            programs: self.programs(name, taken),
            packages: self.list(keys::PACKAGES, |text| match text.split('/').all(|part| !matches!(part, "" | "." | "..")) {
                true => Ok(()),
                false => Err("a package is one or more directories, as in `@scope/name`".to_owned()),
            }),
            home: self.checked(keys::HOME, |text| match text == "~" || text.starts_with("~/") || text.starts_with('/') {
                true => Ok(text.to_owned()),
                false => Err("`home` must be an absolute path, or one that begins with `~/`".to_owned()),
            }),
            home_env: self.checked(keys::HOME_ENV, |text| match is_variable(text) {
                true => Ok(text.to_owned()),
                false => Err("`home_env` must be the name of a variable, as in `AIDER_HOME`".to_owned()),
            }),
            transcripts: self.checked(keys::TRANSCRIPTS, |text| {
                Template::parse(text).map_err(|why| format!("invalid `transcripts`: {why}"))
            }),
            id: self.checked(keys::ID, |text| {
                IdPattern::parse(text).map_err(|why| format!("`id` is not a usable regular expression: {why}"))
            }),
            id_flags: self.list(keys::ID_FLAGS, is_flag),
            fork_flags: self.list(keys::FORK_FLAGS, is_flag),
            resume: self.resume(),
            drive: self.fields.get(keys::DRIVE).and_then(|node| drive_of(node, self.path.key(keys::DRIVE), self.remarks)),
            name: AgentName::new(name)?,
        })
    }

    /// Refuses a name that is not one, or is somebody else's.
    fn claim_name(&mut self, path: Path, agent: &str, name: &str, taken: &mut Taken) {
        let problem = if AgentName::new(name).is_none() {
            Some((
                format!("an agent cannot be named {name:?}"),
                "use lower-case letters, digits and dashes, at most 32".to_owned(),
            ))
        } else if let Ok(known) = name.parse::<AgentKind>() {
            let hint = "write it at `agent:` without declaring it".to_owned();
            Some((format!("`{name}` is a name of {known}, which is built in"), hint))
        } else {
            let other = taken.names.insert(name.to_owned(), agent.to_owned());
            other.map(|other| {
                (format!("`{name}` is already a name of `{other}`"), "every agent needs names of its own".to_owned())
            })
        };
        let Some((message, hint)) = problem else { return };
        match agent == name {
            true => self.remarks.fatal_key(path, message, Some(hint)),
            false => self.remarks.fatal(path, message, Some(hint)),
        }
    }

    fn aliases(&mut self, name: &str, taken: &mut Taken) -> Vec<String> {
        let aliases = self.list(keys::ALIASES, |_| Ok(()));
        for (index, alias) in aliases.iter().enumerate() {
            let path = self.path.key(keys::ALIASES).index(index);
            self.claim_name(path, name, alias, taken);
        }
        aliases
    }

    fn programs(&mut self, name: &str, taken: &mut Taken) -> Vec<String> {
        let programs = self.list(keys::PROGRAMS, is_program);
        if programs.is_empty() && self.fields.get(keys::PROGRAMS).is_none_or(is_nothing) {
            let hint = format!("add `{}: [{name}]` with the base names of its program", keys::PROGRAMS);
            self.remarks.fatal(self.path.clone(), format!("agent `{name}` names no program"), Some(hint));
        }
        for (index, program) in programs.iter().enumerate() {
            if let Some(other) = taken.programs.insert(program.clone(), name.to_owned()) {
                let path = self.path.key(keys::PROGRAMS).index(index);
                let hint = "headcount recognises an agent by its program, so each agent needs programs of its own".to_owned();
                self.remarks.fatal(path, format!("`{program}` is already a program of `{other}`"), Some(hint));
            }
        }
        programs
    }

    fn resume(&mut self) -> Vec<String> {
        let args = self.list(keys::RESUME, |_| Ok(()));
        let count: usize = args.iter().map(|arg| arg.matches(Definition::ID).count()).sum();
        if !args.is_empty() && count != 1 {
            let hint = "resume: [--resume, \"{id}\"]".to_owned();
            let message = format!("`resume` must contain `{{id}}` once, and contains it {count} times");
            self.remarks.fatal(self.path.key(keys::RESUME), message, Some(hint));
        }
        args
    }

    /// A field that is one text, read by `check`.
    fn checked<T>(&mut self, key: &str, check: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let path = self.path.key(key);
        let checked = match self.fields.get(key)? {
            Value::Null => return None,
            Value::String(text) => plain(text).and_then(|()| check(text)),
            other => Err(format!("`{key}` must be text, this is {}", noun(other))),
        };
        checked.map_err(|message| self.remarks.fatal(path, message, None)).ok()
    }

    /// A field that is a list of texts, of which `check` says what is wrong.
    fn list(&mut self, key: &str, check: impl Fn(&str) -> Result<(), String>) -> Vec<String> {
        let path = self.path.key(key);
        let items = match self.fields.get(key) {
            None | Some(Value::Null) => return Vec::new(),
            Some(Value::Sequence(items)) if items.len() > MOST_ITEMS => {
                self.remarks.fatal(path, format!("`{key}` has more than {MOST_ITEMS} items"), None);
                return Vec::new();
            }
            Some(Value::Sequence(items)) => items,
            Some(other) => {
                self.remarks.fatal(path, format!("`{key}` must be a list of text, this is {}", noun(other)), None);
                return Vec::new();
            }
        };
        let mut found = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let checked = match item {
                Value::String(text) => plain(text).and_then(|()| check(text)),
                other => Err(format!("an item of `{key}` is text, this is {}", noun(other))),
            };
            match checked {
                Ok(()) => found.extend(item.as_str().map(str::to_owned)),
                Err(message) => self.remarks.fatal(path.index(index), message, None),
            }
        }
        found
    }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || matches!(value, Value::Sequence(items) if items.is_empty())
}

/// Refuses what can be in no name and no argument.
fn plain(text: &str) -> Result<(), String> {
    match text {
        "" => Err("it must not be empty".to_owned()),
        _ if text.len() > LONGEST => Err(format!("it must not have more than {LONGEST} bytes")),
        _ if text.chars().any(char::is_control) => Err("it must not contain a control character".to_owned()),
        _ => Ok(()),
    }
}

fn is_program(text: &str) -> Result<(), String> {
    // `python3.11` is `python`, as where processes are told.
    let stem = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if text.contains('/') || matches!(text, "." | "..") {
        return Err(format!("name a program by its base name, without a directory, not {text:?}"));
    }
    if INTERPRETERS.contains(&stem) || LAUNCHERS.contains(&text) {
        return Err(format!("`{text}` runs other programs; name the one it runs"));
    }
    if let Some(name) = text.strip_suffix(".exe") {
        return Err(format!("leave `.exe` out: write {name:?}"));
    }
    match text.parse::<AgentKind>() {
        Ok(known) => Err(format!("`{text}` is a name of {known}, which is built in")),
        Err(_) => Ok(()),
    }
}

fn is_flag(text: &str) -> Result<(), String> {
    let is_flag = text.len() > 1 && text.starts_with('-') && text != "--" && !text.contains(['=', ' ']);
    if is_flag { Ok(()) } else { Err(format!("a flag begins with `-` and has no value: {text:?} is not one")) }
}

fn is_variable(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

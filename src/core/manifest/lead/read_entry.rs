//! From the untyped lead fields of an entry to a [`Lead`], with everything that is wrong with them. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_yaml::Value;

use super::flags::{self, FlagKind};
use super::read_file::backoff_of;
use super::section::duration_of;
use super::{Backoff, Crew, CrewRole, Desired, Lead, LeadSection, Permissions, Restart, RestartPolicy};
use crate::core::agents::Declared;
use crate::core::ids::AgentKind;
use crate::core::manifest::Environment;
use crate::core::manifest::names::{Field, lead};
use crate::core::manifest::read_entry::Fields;
use crate::core::manifest::remark::{noun, scalar_text};

impl Fields<'_> {
    /// Everything that says how the session is led, but for the variables; `agent` knows which flags are whose.
    pub(in crate::core::manifest) fn lead(&mut self, agent: Option<AgentKind>, agents: &Declared) -> Lead {
        let desired = self.lead_word(Field::Desired, &Desired::WORDS);
        if let (Some(Desired::Running), Some((place, Value::Bool(true)))) = (desired, self.value(Field::Suspend)) {
            let hint = "a suspended session is not started, also by name; take one of the two out".to_owned();
            let path = self.path_of(place);
            self.remarks.warn(path, "`suspend` stands beside `desired: running`", Some(hint));
        }
        let permissions = self.lead_word(Field::Permissions, &Permissions::WORDS);
        Lead {
            desired,
            restart: self.restart(),
            args: self.args((agent, agents), permissions),
            command: self.command(agent, agents),
            env_files: BTreeMap::new(),
            prompt: self.text(Field::Prompt),
            permissions,
            trust: self.value(Field::Trust).is_some().then(|| self.flag(Field::Trust)),
            task: self.text(Field::Task),
            deadline: self.lead_duration(Field::Deadline),
            crew: self.crew(),
            role: self.text(Field::Role),
            start_command: self.text(Field::StartCommand),
            mcp_attachments: self.attachments(),
        }
    }

    fn lead_word<T: Copy>(&mut self, field: Field, words: &[(&'static str, T)]) -> Option<T> {
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        self.one_of(field, find, || words.iter().map(|(word, _)| *word).collect())
    }

    fn lead_duration(&mut self, field: Field) -> Option<Duration> {
        let (place, value) = self.value(field)?;
        match duration_of(value) {
            Ok(Duration::ZERO) => {
                let hint = Some("leave it out where there is none".to_owned());
                let path = self.path_of(place);
                self.remarks.fatal(path, format!("`{}` is over before anything starts", field.name()), hint);
                None
            }
            Ok(duration) => Some(duration),
            Err(why) => {
                let path = self.path_of(place);
                self.remarks.fatal(path, format!("`{}` is no duration: {why}", field.name()), None);
                None
            }
        }
    }

    /// A word, or a mapping with a policy and waits of its own.
    fn restart(&mut self) -> Option<Restart> {
        let (place, value) = self.value(Field::Restart)?;
        let path = self.path_of(place);
        match value {
            Value::String(_) => {
                let policy = self.lead_word(Field::Restart, &RestartPolicy::WORDS)?;
                Some(Restart { policy, backoff: Backoff::default() })
            }
            Value::Mapping(_) => {
                let mut section = LeadSection::of(path, value, "restart: { policy: on-failure }", self.remarks)?;
                section.known(&lead::RESTART_KEYS);
                let backoff = backoff_of(&mut section);
                if section.get(lead::POLICY).is_none() {
                    let hint = "policy: never, on-failure or always".to_owned();
                    let path = section.path.clone();
                    section.remarks.fatal(path, "`restart` says no `policy`", Some(hint));
                }
                let policy = section.word(lead::POLICY, &RestartPolicy::WORDS)?;
                if policy == RestartPolicy::Never && backoff != Backoff::default() {
                    let (path, hint) = (section.path.clone(), "policy: on-failure, or leave the waits out".to_owned());
                    section.remarks.warn(path, "`restart` says `never`, so its waits count for nothing", Some(hint));
                }
                Some(Restart { policy, backoff })
            }
            other => {
                let hint = "restart: on-failure".to_owned();
                self.remarks.fatal(path, format!("`restart` must be a word or a mapping, this is {}", noun(other)), Some(hint));
                None
            }
        }
    }

    /// A list of words, numbers and truth values as the text they are written as.
    fn word_list(&mut self, field: Field) -> Vec<String> {
        let Some((place, value)) = self.value(field) else { return Vec::new() };
        let words = value.as_sequence().map(|items| items.iter().map(scalar_text).collect::<Option<Vec<String>>>());
        words.flatten().unwrap_or_else(|| {
            let path = self.path_of(place);
            self.wrong_type(path, field, "a list of text", value);
            Vec::new()
        })
    }

    /// Flags only: what is a value is known by the flag before it.
    fn args(&mut self, (agent, agents): (Option<AgentKind>, &Declared), permissions: Option<Permissions>) -> Vec<String> {
        let args = self.word_list(Field::Args);
        let (Some(agent), Some((place, _))) = (agent, self.value(Field::Args)) else { return args };
        let path = self.path_of(place);
        let mut before: Option<&String> = None;
        for (index, word) in args.iter().enumerate() {
            let path = path.index(index);
            let is_flag = word.starts_with('-') && word.len() > 1 && word != "--";
            let is_value = before.is_some_and(|flag| flags::takes_value(agent, flag));
            match flags::kind(agents, agent, word).filter(|_| is_flag) {
                Some(FlagKind::Permission) if permissions.is_some() => {
                    let hint = "keep one of the two".to_owned();
                    self.remarks.fatal(path, format!("{word:?} stands beside `permissions`"), Some(hint));
                }
                Some(FlagKind::Permission) => {
                    let hint = "`permissions: edit` and `permissions: bypass` are its plain form".to_owned();
                    let message = format!("{word:?} says what the agent may do without asking; a start needs your consent");
                    self.remarks.warn(path, message, Some(hint));
                }
                Some(kind) => {
                    if let Some((why, hint)) = misplaced(kind) {
                        self.remarks.fatal(path, format!("{word:?} {why}"), Some(hint.to_owned()));
                    }
                }
                None if is_flag || is_value => {}
                None => {
                    let hint = "write a prompt at `prompt:`".to_owned();
                    self.remarks.fatal(path, format!("{word:?} is no flag: `args` hold flags and their values"), Some(hint));
                }
            }
            // A value is no flag, and no value follows it.
            before = Some(word).filter(|_| is_flag);
        }
        args
    }

    fn command(&mut self, agent: Option<AgentKind>, agents: &Declared) -> Vec<String> {
        let command = self.word_list(Field::Command);
        let Some((place, value)) = self.value(Field::Command) else { return command };
        let path = self.path_of(place);
        if value.as_sequence().is_some_and(Vec::is_empty) || command.first().is_some_and(String::is_empty) {
            self.remarks.fatal(path, "`command` names no program", Some("command: [mise, exec, --, claude]".to_owned()));
        } else if let Some((at, door)) = flags::door(&command) {
            let hint =
                "headcount could not see what it starts; run headcount over there, or name the host at `hosts:`".to_owned();
            self.remarks.fatal(path.index(at), format!("`{door}` leads elsewhere"), Some(hint));
        } else if let Some(agent) = agent {
            // What follows the agent's own program is what `args` would say.
            let is_program = |word: &String| agents.names(&agent).any(|name| word.rsplit('/').next() == Some(name));
            let from = command.iter().position(is_program).map_or(command.len(), |at| at + 1);
            for (index, word) in command.iter().enumerate().skip(from) {
                if let Some((why, hint)) = flags::kind(agents, agent, word).and_then(misplaced) {
                    self.remarks.fatal(path.index(index), format!("{word:?} {why}"), Some(hint.to_owned()));
                }
            }
        }
        command
    }

    fn crew(&mut self) -> Option<Crew> {
        let (place, value) = self.value(Field::Crew)?;
        let path = self.path_of(place);
        let mut section = LeadSection::of(path, value, "crew: { name: shop, role: worker }", self.remarks)?;
        section.known(&[lead::NAME, lead::ROLE]);
        for key in [lead::NAME, lead::ROLE] {
            if section.get(key).is_none() {
                let path = section.path.clone();
                let hint = "crew: { name: shop, role: worker }".to_owned();
                section.remarks.fatal(path, format!("`crew` says no `{key}`"), Some(hint));
            }
        }
        Some(Crew { name: section.text(lead::NAME)?, role: section.word(lead::ROLE, &CrewRole::WORDS)? })
    }

    /// Kept as they are: what they say is multi-agent-mux's.
    fn attachments(&mut self) -> Vec<String> {
        match self.value(Field::McpAttachments) {
            Some((_, Value::Sequence(items))) => items.iter().filter_map(scalar_text).collect(),
            Some((_, Value::Mapping(fields))) => fields.keys().filter_map(scalar_text).collect(),
            Some((_, other)) => scalar_text(other).into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// Why a flag does not belong into `args` or behind a command, and what to do about it.
const fn misplaced(kind: FlagKind) -> Option<(&'static str, &'static str)> {
    match kind {
        FlagKind::Id => Some(("says which conversation, which headcount does itself", "leave it out")),
        FlagKind::Prompt => Some(("says a prompt", "write it at `prompt:`")),
        FlagKind::Headless => Some(("runs the agent without its terminal", "leave it out: a session is interactive")),
        FlagKind::Permission => None,
    }
}

/// The beginnings of variables that a multiplexer or headcount sets itself.
const OWN: [&str; 3] = ["HEADCOUNT_", "TMUX", "ZELLIJ"];

impl Fields<'_> {
    /// Checks the names of variables, and takes those out whose values stand in files.
    pub(in crate::core::manifest) fn env_files(&mut self, environment: &Environment) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        for (path, key, value) in self.entries(Field::Env) {
            if let Some(own) = OWN.iter().find(|own| key.starts_with(**own)) {
                let whose = if *own == "HEADCOUNT_" { "headcount" } else { "the multiplexer" };
                let hint = format!("leave it out: {whose} sets `{own}…` itself");
                self.remarks.fatal_key(path.clone(), format!("`env` may not set `{key}`"), Some(hint));
            } else if key.is_empty() || key.contains(['=', '\0']) {
                let hint = Some("a variable's name has no `=`".to_owned());
                self.remarks.fatal_key(path.clone(), format!("{key:?} is not the name of a variable"), hint);
            }
            let Value::Mapping(fields) = value else {
                // The entry's own text comes after a file of the defaults.
                files.remove(key);
                continue;
            };
            match (fields.get("file").and_then(Value::as_str), fields.len()) {
                (Some(text), 1) if environment.expand(text).is_absolute() => {
                    files.insert(key.to_owned(), environment.expand(text));
                }
                (Some(_), 1) => {
                    let hint = "write an absolute path, or one that begins with `~/`".to_owned();
                    self.remarks.fatal(path.key("file"), "a variable's file must be absolute", Some(hint));
                }
                _ => {
                    let hint = format!("{key}: {{ file: ~/secrets/{} }}", key.to_lowercase());
                    let message = format!("`{key}` must be text, or say the `file` its value stands in");
                    self.remarks.fatal(path, message, Some(hint));
                }
            }
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::super::section::meant;
    use super::*;

    #[test]
    fn every_word_has_a_hint_when_it_is_mistyped() {
        assert_eq!(meant("onfailure", &RestartPolicy::WORDS), "did you mean `on-failure`?");
        assert_eq!(meant("zzz", &Desired::WORDS), "it is one of running, stopped, archived");
    }
}

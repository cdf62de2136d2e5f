//! How one session of an agent is made to tell what it does: the command of a hook, and what carries hooks into a start. Values only;
//! writes no file, and knows of none of the agent's own.

use std::path::Path;

use crate::core::hooks::HookKind;
use crate::core::ids::AgentKind;

/// How long an agent waits for a hook, in seconds. The hook itself ends before that.
pub const PATIENCE: u32 = 5;

/// What every hook of an agent runs.
#[derive(Debug, Clone)]
pub struct HookCommand {
    program: String,
    state: String,
    agent: AgentKind,
    told: Option<String>,
}

impl HookCommand {
    /// The command with this headcount and this state directory, by their absolute paths. `None` if one of them is not absolute, or
    /// cannot be written into a file of an agent.
    pub fn new(program: &Path, state: &Path, agent: AgentKind) -> Option<Self> {
        let plain = |path: &Path| {
            let text = path.to_str().filter(|text| path.is_absolute() && !text.chars().any(char::is_control))?;
            Some(text.to_owned())
        };
        Some(Self { program: plain(program)?, state: plain(state)?, agent, told: None })
    }

    /// The same for a tool that hears of events in a directory of its own, if there is one. `None`: nobody can be told there.
    pub fn telling(self, told: Option<&Path>) -> Option<Self> {
        let Some(told) = told else { return Some(self) };
        let told = told.to_str().filter(|text| told.is_absolute() && !text.chars().any(char::is_control))?.to_owned();
        Some(Self { told: Some(told), ..self })
    }

    /// Events that only such a tool is told of.
    pub fn events_of_tools(&self) -> &'static [&'static str] {
        if self.told.is_some() { &["PreToolUse", "PostToolUse"] } else { &[] }
    }

    /// The directory of such a tool, behind the words for an event.
    pub fn told(&self) -> Option<&str> {
        self.told.as_deref()
    }

    /// Its words for an event.
    pub fn words<'a>(&'a self, event: &'a str) -> [&'a str; 6] {
        [&self.program, "hook", "emit", &self.state, self.agent.as_str(), event]
    }

    /// The same as a line of a shell, which ends well and says nothing even if headcount is there no more.
    pub fn line(&self, event: &str) -> String {
        format!("{} 2>/dev/null || :", shell_words::join(self.words(event).into_iter().chain(self.told())))
    }
}

/// What depends on the directory that the files are in.
pub type OfPlace<T> = Box<dyn Fn(&str) -> T>;

/// Why an agent would be held up by its hooks, given what its variables will be and where it is started.
pub type HookDelay = fn(&dyn Fn(&str) -> Option<String>, Option<&Path>) -> Option<&'static str>;

/// What carries hooks into one start of an agent.
pub struct HookCarrier {
    /// Files in a directory of their own: path in it, and content.
    pub files: Vec<(&'static str, String)>,
    /// Arguments before those of the entry, given that directory.
    pub args: OfPlace<Vec<String>>,
    /// Variables, given that directory. One that the entry sets itself means that there are no hooks.
    pub set: OfPlace<Vec<(&'static str, String)>>,
    /// Asked before each start: then there are no hooks either.
    pub delay: Option<HookDelay>,
}

impl HookCarrier {
    /// Arguments alone.
    pub fn of_args(args: Vec<String>) -> Self {
        Self { files: Vec::new(), args: Box::new(move |_| args.clone()), set: Box::new(|_| Vec::new()), delay: None }
    }

    /// Files, and the arguments that name their directory.
    pub fn of_files(files: Vec<(&'static str, String)>, args: impl Fn(&str) -> Vec<String> + 'static) -> Self {
        Self { files, args: Box::new(args), set: Box::new(|_| Vec::new()), delay: None }
    }
}

/// How a script of ours begins, by which it is known again.
pub const SIGNATURE: &str = "// Written by headcount";

/// What a person can have put into an agent's own settings, so that sessions tell of themselves that headcount did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookInstall {
    /// The file, in the agent's home.
    pub file: &'static str,
    /// Groups of hooks that come to those that are in it, by event.
    pub groups: Vec<(String, serde_json::Value)>,
    /// The whole file instead, where it is one of headcount's own.
    pub content: Option<String>,
    /// What a person has to do beside that, if anything.
    pub note: Option<&'static str>,
}

impl HookInstall {
    /// Groups that come to those in a file.
    pub fn of_groups(file: &'static str, groups: serde_json::Map<String, serde_json::Value>) -> Self {
        let first = |(event, list): (String, serde_json::Value)| Some((event, list.as_array()?.first()?.clone()));
        Self { file, groups: groups.into_iter().filter_map(first).collect(), content: None, note: None }
    }

    /// A file of its own.
    pub fn of_file(file: &'static str, content: String) -> Self {
        Self { file, groups: Vec::new(), content: Some(content), note: None }
    }
}

/// What a start says about permissions, where a hook needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookConsent {
    /// The agent asks.
    Asks,
    /// A person has consented that it asks nothing.
    Unasked,
}

/// The groups of hooks as Claude Code, Codex and Gemini have them in their settings: for each of their events one command.
pub fn groups(command: &HookCommand, events: &[(&str, HookKind)], timeout: u32) -> serde_json::Map<String, serde_json::Value> {
    let group = |kind: &str| serde_json::json!([{ "hooks": [{ "type": "command", "command": command.line(kind), "timeout": timeout }] }]);
    let tools = command.events_of_tools().iter().map(|event| (*event, *event));
    let events = events.iter().map(|(event, kind)| (*event, kind.as_str())).chain(tools);
    events.map(|(event, kind)| (event.to_owned(), group(kind))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_hook_survives_any_path_and_ends_well_without_headcount() {
        let command = |program: &str, state: &str| HookCommand::new(Path::new(program), Path::new(state), AgentKind::Claude);
        let line = command("/opt/it's a \"$HOME\"/headcount", "/s p/x").unwrap().line("Stop");
        let ran = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert!(ran.status.success() && ran.stdout.is_empty() && ran.stderr.is_empty(), "{ran:?}");
        let temp = tempfile::tempdir().unwrap();
        let echo = temp.path().join("it's \"$HOME\" & echo");
        std::fs::write(&echo, "#!/bin/sh\nprintf '%s|' \"$@\"\nexit 3\n").unwrap();
        std::fs::set_permissions(&echo, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let line = HookCommand::new(&echo, Path::new("/s p/x"), AgentKind::Claude).unwrap().line("Stop");
        let ran = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!((ran.status.code(), ran.stdout.as_slice()), (Some(0), &b"hook|emit|/s p/x|claude|Stop|"[..]));
        assert!(command("headcount", "/s").is_none() && command("/h", "s").is_none() && command("/h\n", "/s").is_none());
    }
}

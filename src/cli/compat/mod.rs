//! Other tools that headcount is when it is called by their names: which name is which tool, and what a tool's folder holds. Each tool
//! has a folder or a file here, which turns arguments into a request and an answer into its own texts, files and exit codes. None of
//! it passes through headcount's own arguments.

mod bridge;
mod csd;
mod task;

use std::ffi::OsString;
use std::path::Path;

use crate::core::links::LinkForm;

/// A tool that headcount stands in for.
pub(crate) struct FrontEnd {
    /// The names that `headcount links` makes for it.
    pub(crate) links: &'static [&'static str],
    /// Further names that it answers to, if there are any.
    pub(crate) also: fn(&str) -> bool,
    /// Runs it, by the name it was called by and with the arguments behind that; gives its exit code.
    pub(crate) run: fn(&str, &[OsString]) -> u8,
}

/// All of them. To add one, write its module here, and its value in this list.
const FRONT_ENDS: &[FrontEnd] = &[
    bridge::TMUX_BRIDGE,
    bridge::INIT_RUNTIME,
    bridge::APPEND_CONTEXT,
    bridge::SEND_TASK,
    bridge::SEND_REPLY,
    bridge::PROBLEMMAP_GUARD,
    csd::CSD,
    csd::EMIT_EVENT,
    task::CONTEXT,
    task::MESSAGE,
    task::START,
    task::WORK,
];

/// The files of a skill that is driven by such a tool, below its directory.
const OF_SKILL: &[&str] = &["scripts/csd", "hooks/emit-event"];

/// Runs the tool that the command line names by its first word; `None`: it names none, so this is headcount itself.
pub(crate) fn run(arguments: &[OsString]) -> Option<u8> {
    let (program, rest) = arguments.split_first()?;
    let name = Path::new(program).file_name()?.to_str()?;
    let front_end = FRONT_ENDS.iter().find(|it| it.links.contains(&name) || (it.also)(name))?;
    Some((front_end.run)(name, rest))
}

/// Tells the tool that hears of events in a directory of one. `event` is the agent's own word.
pub(crate) fn tell(directory: &Path, event: &str, said: &[u8]) {
    csd::tell(directory, event, said);
}

/// Where csd's workers are, and why that cannot be relied on, if it cannot.
pub(crate) fn csd_place() -> (std::path::PathBuf, Option<String>) {
    csd::place()
}

/// What `headcount links` makes: links in a directory, scripts in that of a skill.
pub(crate) fn wanted(form: LinkForm) -> Vec<&'static str> {
    match form {
        LinkForm::Link => FRONT_ENDS.iter().flat_map(|it| it.links).copied().collect(),
        LinkForm::Script => OF_SKILL.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_tools_answer_to_one_name_and_headcount_is_none_of_them() {
        let all = wanted(LinkForm::Link);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for name in all.iter().chain(&["headcount"]) {
            let answers = |it: &&FrontEnd| it.links.contains(name) || (it.also)(name);
            let count = FRONT_ENDS.iter().filter(answers).count();
            assert_eq!(count, usize::from(*name != "headcount"), "{name}");
        }
        assert!(run(&["/usr/bin/headcount".into()]).is_none() && run(&[]).is_none());
    }

    #[test]
    fn a_script_of_a_skill_is_called_as_a_tool() {
        let all = wanted(LinkForm::Link);
        for path in wanted(LinkForm::Script) {
            let name = Path::new(path).file_name().and_then(|name| name.to_str());
            assert!(name.is_some_and(|name| all.contains(&name)), "{path}");
        }
    }
}

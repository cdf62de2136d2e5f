//! `recover`: adopts every worker that is gone, after a reboot or a crash of tmux; without `--execute` shows which that would be. This
//! command is headcount's own. Ids come from headcount's records or from saved command lines, never from a directory alone.

use super::files::is_plain;
use super::{Answer, Csd, Failure, is_there, launch, note, texts};
use crate::core::fact::Fact;
use crate::core::ids::AgentKind;

/// Somebody who may be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lost {
    name: String,
    cwd: String,
    /// The conversation; `None`: only a directory is known.
    id: Option<String>,
    /// The arguments of the caller.
    args: Vec<String>,
}

/// Adopts each, or shows what would be done.
pub(super) fn recover(csd: &Csd, snapshot: Option<&str>, execute: bool) -> Answer {
    let fleet = csd.fleet()?;
    let (mut lost, mut lines) = (Vec::new(), Vec::new());
    match snapshot {
        Some(path) => {
            let read = std::fs::read(path).map_err(|error| Failure::error(format!("cannot read {path}: {error}")))?;
            lost.extend(saved(&String::from_utf8_lossy(&read)));
        }
        None => {
            for entry in fleet.entries().map_err(Failure::error)? {
                let cwd = entry.cwd.as_ref().map(|cwd| cwd.display().to_string()).unwrap_or_default();
                if entry.agent == AgentKind::Claude {
                    let id = entry.conversation.map(|id| id.as_str().to_owned());
                    lost.push(Lost { name: entry.name, cwd, id, args: entry.arguments });
                } else {
                    lines.push(format!("- {}  left alone: {} cannot be adopted", entry.name, entry.agent));
                }
            }
        }
    }
    let mut failed = 0;
    for one in lost {
        let name = one.name.clone();
        let said = match (is_there(&fleet, &one.name), &one.id) {
            (Fact::Unknown(why), _) => format!("- {name}  left alone: whether its session exists is unknown: {why}"),
            (Fact::Seen(()), _) if snapshot.is_none() => format!("= {name}  its session is there"),
            (_, None) => format!("? {name}  no id is known; candidates are the conversations in {}", one.cwd),
            (_, Some(id)) => {
                let words = launch::with_args([&csd.path, "adopt", &name, &one.cwd, id].map(str::to_owned).into(), &one.args);
                let words = words.iter().map(|word| texts::quoted(word)).collect::<Vec<_>>().join(" ");
                match execute.then(|| launch::adopt(csd, (&name, &one.cwd, id), one.args.clone())) {
                    None => format!("+ {name}  {words}"),
                    Some(Ok(_)) => format!("✓ {name}  {words}"),
                    Some(Err(failure)) => {
                        failed += 1;
                        note(&failure.text);
                        format!("! {name}  not adopted")
                    }
                }
            }
        };
        lines.push(said);
    }
    if lines.is_empty() {
        note("Nothing to recover");
    } else if !execute && lines.iter().any(|line| line.starts_with('+')) {
        note("Nothing was done; --execute adopts the ones marked +");
    }
    match failed {
        0 => Ok(lines.join("\n")),
        _ => {
            super::say(&lines.join("\n"));
            Err(Failure::error(format!("{failed} not adopted")))
        }
    }
}

/// The panes of Claude Code in a snapshot of tmux-resurrect: lines of fields between tabs, some with a colon in front.
fn saved(text: &str) -> Vec<Lost> {
    let pane = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let ["pane", session, _, _, _, _, _, cwd, _, _, command, ..] = fields.as_slice() else { return None };
        let plain = |field: &str| field.strip_prefix(':').unwrap_or(field).replace("\\ ", " ");
        let words = shell_words::split(&plain(command)).ok()?;
        let is_claude = |word: &String| word.rsplit('/').next() == Some("claude");
        let at = words.iter().position(is_claude)?;
        let id = words[at..].iter().enumerate().find_map(|(index, word)| match word.split_once('=') {
            Some(("--session-id" | "--resume", id)) => Some(id.to_owned()),
            _ if matches!(word.as_str(), "--session-id" | "--resume" | "-r") => words.get(at + index + 1).cloned(),
            _ => None,
        });
        let id = id.filter(|id| is_plain(id));
        is_plain(session).then(|| Lost { name: (*session).to_owned(), cwd: plain(cwd), id, args: Vec::new() })
    };
    text.lines().filter_map(pane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_saved_command_line_tells_an_id() {
        let text = "state\ta\tb\n\
            pane\tone\t0\t1\t:*\t0\ttitle\t:/home/dev/a\\ b\t1\tclaude\t:claude --session-id 5e1f0c1e-0000 --model x\n\
            pane\ttwo\t0\t1\t:*\t0\ttitle\t:/home/dev/two\t1\tclaude\t:/usr/bin/claude --resume=abcdef12\n\
            pane\tthree\t0\t1\t:*\t0\ttitle\t:/home/dev/three\t1\tclaude\t:claude\n\
            pane\tfour\t0\t1\t:*\t0\ttitle\t:/home/dev/four\t1\tbash\t:\n\
            pane\tfi:ve\t0\t1\t:*\t0\ttitle\t:/home/dev/five\t1\tclaude\t:claude -r x\n";
        let lost = |name: &str, cwd: &str, id: Option<&str>| Lost {
            name: name.to_owned(),
            cwd: cwd.to_owned(),
            id: id.map(str::to_owned),
            args: Vec::new(),
        };
        let expected = [
            lost("one", "/home/dev/a b", Some("5e1f0c1e-0000")),
            lost("two", "/home/dev/two", Some("abcdef12")),
            lost("three", "/home/dev/three", None),
        ];
        assert_eq!(saved(text), expected);
    }
}

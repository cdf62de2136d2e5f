//! Flags of agents that do not belong into `args`, and programs whose panes cannot be looked into. Tables only.
//!
//! Of Claude Code 2.1.329, Codex 0.169, Pi 0.87, OpenCode 1.18, Gemini CLI 0.61, Copilot CLI 1.0.102 and agy.

use crate::core::ids::AgentKind;

/// Why a flag does not belong into `args`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It says which conversation: headcount does.
    Id,
    /// It says a prompt.
    Prompt,
    /// It makes the agent run without a terminal.
    Headless,
    /// It says what the agent may do without asking.
    Permission,
}

/// The flags of one agent, by what they are.
struct Table {
    id: &'static [&'static str],
    prompt: &'static [&'static str],
    headless: &'static [&'static str],
    permission: &'static [&'static str],
    /// Flags that take no value: a word behind one stands alone.
    alone: &'static [&'static str],
}

const NOTHING: Table = Table { id: &[], prompt: &[], headless: &[], permission: &[], alone: &[] };

const fn table(agent: AgentKind) -> Table {
    match agent {
        AgentKind::Claude => Table {
            id: &["--session-id", "--resume", "-r", "--continue", "-c", "--fork-session", "--from-pr", "--teleport"],
            prompt: &[],
            headless: &["-p", "--print", "--input-format", "--output-format", "--bg", "--background"],
            permission: &["--dangerously-skip-permissions", "--allow-dangerously-skip-permissions", "--permission-mode"],
            alone: &[
                "--verbose",
                "--ide",
                "--chrome",
                "--no-chrome",
                "--strict-mcp-config",
                "--disable-slash-commands",
                "--bare",
            ],
        },
        AgentKind::Codex => Table {
            id: &["--last", "--all"],
            prompt: &[],
            headless: &["--json"],
            permission: &[
                "--dangerously-bypass-approvals-and-sandbox",
                "--dangerously-bypass-hook-trust",
                "--yolo",
                "--full-auto",
                "--ask-for-approval",
                "-a",
                "--sandbox",
                "-s",
            ],
            alone: &["--oss", "--search", "--no-alt-screen"],
        },
        AgentKind::Antigravity => Table {
            id: &["--conversation", "--continue", "-c"],
            prompt: &["--prompt-interactive", "-i", "--prompt"],
            headless: &["-p", "--print"],
            permission: &["--dangerously-skip-permissions"],
            alone: &[],
        },
        AgentKind::Pi => Table {
            id: &["--session", "--session-id", "--continue", "-c", "--resume", "-r", "--fork", "--no-session"],
            prompt: &[],
            headless: &["-p", "--print", "--mode"],
            permission: &[],
            alone: &["--verbose", "--offline", "--no-tools", "--no-extensions", "--no-skills"],
        },
        AgentKind::Opencode => Table {
            id: &["--session", "-s", "--continue", "-c", "--fork"],
            prompt: &["--prompt"],
            headless: &[],
            permission: &["--auto", "--dangerously-skip-permissions"],
            alone: &["--print-logs", "--pure"],
        },
        AgentKind::Gemini => Table {
            id: &["--session-id", "--session-file", "--resume", "-r", "--list-sessions", "--delete-session"],
            prompt: &["--prompt-interactive", "-i"],
            headless: &["--prompt", "-p", "--output-format", "-o", "--acp", "--experimental-acp"],
            permission: &["--yolo", "-y", "--approval-mode", "--allowed-tools", "--skip-trust"],
            alone: &["--debug", "-d", "--sandbox", "-s", "--screen-reader"],
        },
        AgentKind::Copilot => Table {
            id: &["--session-id", "--resume", "-r", "--continue"],
            prompt: &["--interactive", "-i"],
            headless: &["--prompt", "-p", "--acp"],
            permission: &[
                "--allow-all-tools",
                "--allow-all-paths",
                "--allow-all-urls",
                "--allow-all",
                "--yolo",
                "--allow-tool",
            ],
            alone: &["--no-color", "--banner", "--no-custom-instructions"],
        },
        AgentKind::Custom(_) => NOTHING,
    }
}

/// What a word of `args` is to this agent, if it does not belong there.
pub(super) fn kind(agent: AgentKind, word: &str) -> Option<Kind> {
    let flag = word.split_once('=').map_or(word, |(flag, _)| flag);
    if let AgentKind::Custom(custom) = agent {
        let definition = custom.definition();
        let drive = definition.drive.as_ref();
        let named = definition.id_flags.iter().chain(&definition.fork_flags);
        let is_id = named.chain(drive.and_then(|drive| drive.id_flag.as_ref())).any(|it| it == flag);
        let is_permission = drive.is_some_and(|drive| drive.permission.values().flatten().any(|it| it == flag));
        return if is_id { Some(Kind::Id) } else { is_permission.then_some(Kind::Permission) };
    }
    let Table { id, prompt, headless, permission, .. } = table(agent);
    let kinds = [(id, Kind::Id), (prompt, Kind::Prompt), (headless, Kind::Headless), (permission, Kind::Permission)];
    kinds.into_iter().find(|(flags, _)| flags.contains(&flag)).map(|(_, kind)| kind)
}

/// Whether a word behind this one may be its value.
pub(super) fn takes_value(agent: AgentKind, word: &str) -> bool {
    word.starts_with('-') && !word.contains('=') && word != "--" && !table(agent).alone.contains(&word)
}

/// Programs that lead to another machine, container or terminal: what they start cannot be seen from here.
const DOORS: [&str; 20] = [
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "oc",
    "lxc",
    "incus",
    "machinectl",
    "distrobox",
    "toolbox",
    "ssh",
    "autossh",
    "mosh",
    "mosh-client",
    "et",
    "tmux",
    "zellij",
    "screen",
    "nsenter",
    "vagrant",
];

/// Programs that run the one that follows them.
const STARTERS: [&str; 9] = ["env", "sudo", "doas", "nohup", "nice", "ionice", "setsid", "stdbuf", "exec"];

/// The word of a command that is a door to elsewhere.
pub(super) fn door(command: &[String]) -> Option<usize> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    for (at, word) in command.iter().enumerate() {
        if DOORS.contains(&base(word).as_str()) {
            return Some(at);
        }
        let is_passed = word.starts_with('-') || word.contains('=') || STARTERS.contains(&base(word).as_str());
        if !is_passed {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_seen_behind_what_only_starts_it() {
        let door = |text: &str| door(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for (text, at) in [("docker exec x", 0), ("/usr/bin/ssh h", 0), ("env A=b sudo -n podman run", 4)] {
            assert_eq!(door(text), Some(at), "{text}");
        }
        for text in ["mise exec -- claude", "claude", "nice claude --ssh", "node docker.js"] {
            assert_eq!(door(text), None, "{text}");
        }
    }
}

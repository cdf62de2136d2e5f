//! Flags of agents that do not belong into `args`, and programs whose panes cannot be looked into. Tables only.
//!
//! Of Claude Code 2.1.329, Codex 0.169, Pi 0.87, OpenCode 1.18, Gemini CLI 0.61, Copilot CLI 1.0.102 and agy.

use crate::core::agents::Declared;
use crate::core::doors;
use crate::core::ids::AgentKind;
use crate::core::manifest::Session;

/// Why a flag does not belong into `args`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlagKind {
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
pub(super) fn kind(agents: &Declared, agent: AgentKind, word: &str) -> Option<FlagKind> {
    let flag = word.split_once('=').map_or(word, |(flag, _)| flag);
    if let AgentKind::Custom(_) = agent {
        let definition = agents.definition(agent)?;
        let drive = definition.drive.as_ref();
        let named = definition.id_flags.iter().chain(&definition.fork_flags);
        let is_id = named.chain(drive.and_then(|drive| drive.id_flag.as_ref())).any(|it| it == flag);
        let is_permission = drive.is_some_and(|drive| drive.permission.values().flatten().any(|it| it == flag));
        return if is_id { Some(FlagKind::Id) } else { is_permission.then_some(FlagKind::Permission) };
    }
    let Table { id, prompt, headless, permission, .. } = table(agent);
    let kinds =
        [(id, FlagKind::Id), (prompt, FlagKind::Prompt), (headless, FlagKind::Headless), (permission, FlagKind::Permission)];
    // A value may stand right behind a flag of one letter.
    let is_short = |short: &&str| short.len() == 2 && !flag.starts_with("--") && flag.starts_with(*short);
    kinds.into_iter().find(|(flags, _)| flags.iter().any(|it| *it == flag || is_short(it))).map(|(_, kind)| kind)
}

/// Whether a word of an agent's arguments says which conversation it is in, or makes it run without a terminal.
pub fn is_not_for_workers(agent: AgentKind, word: &str) -> bool {
    let kind = kind(&Declared::default(), agent, word).filter(|_| word.starts_with('-'));
    matches!(kind, Some(FlagKind::Id | FlagKind::Headless))
}

/// The first of these words that is not an agent's to take from elsewhere: an id, a prompt, a flag about terminals or permissions.
pub fn misplaced<'a>(agents: &Declared, agent: AgentKind, words: &'a [String]) -> Option<&'a str> {
    let is_setting = |word: &str| SETTINGS.iter().any(|setting| word.contains(setting));
    words
        .iter()
        .map(String::as_str)
        .find(|word| is_setting(word) || word.starts_with('-') && kind(agents, agent, word).is_some())
}

/// Settings that say the same where a flag takes any setting.
const SETTINGS: [&str; 6] =
    ["bypassPermissions", "defaultMode", "approval_policy", "sandbox_mode", "danger-full-access", "default_permissions"];

/// Whether the `args` or the `command` of an entry say what its agent may do without asking.
pub fn has_permission_flag(agents: &Declared, session: &Session) -> bool {
    has_permission_words(agents, session.agent, session.lead.args.iter().chain(session.lead.command.iter().skip(1)))
}

/// The same of arguments.
pub fn has_permission_words<'a>(agents: &Declared, agent: AgentKind, words: impl IntoIterator<Item = &'a String>) -> bool {
    let is_setting = |word: &String| SETTINGS.iter().any(|setting| word.contains(setting));
    let is_flag = |word: &String| word.starts_with('-') && kind(agents, agent, word) == Some(FlagKind::Permission);
    words.into_iter().any(|word| is_setting(word) || is_flag(word))
}

/// Whether a word behind this one may be its value.
pub(super) fn takes_value(agent: AgentKind, word: &str) -> bool {
    word.starts_with('-') && !word.contains('=') && word != "--" && !table(agent).alone.contains(&word)
}

/// Programs that run the one that follows them.
const STARTERS: [&str; 11] = ["env", "sudo", "doas", "nohup", "nice", "ionice", "setsid", "stdbuf", "exec", "time", "timeout"];
/// Programs that run a text behind `-c`.
const SHELLS: [&str; 7] = ["sh", "bash", "zsh", "dash", "ksh", "mksh", "fish"];

/// The word of a command that leads elsewhere, and what it leads through.
pub(super) fn door(command: &[String]) -> Option<(usize, String)> {
    let base = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut may_be_value = false;
    for (at, word) in command.iter().enumerate() {
        let (name, rest) = (base(word), &command[at + 1..]);
        if let Some(door) = doors::door(&name, rest) {
            return Some((at, door));
        }
        if SHELLS.contains(&name.as_str()) {
            return script(rest).and_then(|(index, text)| Some((at + 1 + index, door_in_text(text)?)));
        }
        let is_flag = word.starts_with('-');
        let is_passed = is_flag || word.contains('=') || STARTERS.contains(&name.as_str());
        if !is_passed && !may_be_value {
            // What starts an agent in some environment has its command behind two dashes: `mise exec -- claude`.
            let inner = rest.iter().position(|word| word == "--")? + at + 2;
            return door(command.get(inner..)?).map(|(index, door)| (inner + index, door));
        }
        // `sudo -u dev ssh`, `timeout 5h ssh`.
        may_be_value = (is_flag && word != "--") || name == "timeout";
    }
    None
}

/// The text that a shell with these arguments runs, and where it stands.
fn script(args: &[String]) -> Option<(usize, &str)> {
    let is_command = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let at = args.iter().position(is_command)? + 1;
    Some((at, args.get(at)?))
}

/// What one of the commands of a shell's text leads through. Quotes are passed over: this looks, and a shell reads.
fn door_in_text(text: &str) -> Option<String> {
    let commands = text.split(['\n', ';', '|', '&', '(', ')', '{', '}', '`']);
    commands
        .map(|command| command.split_whitespace().map(|word| word.replace(['"', '\''], "")).collect::<Vec<_>>())
        .find_map(|words| door(&words).map(|(_, door)| door))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_is_seen_behind_what_only_starts_it() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (text, at, through) in [
            ("docker exec x", 0, "docker exec"),
            ("/usr/bin/ssh h", 0, "ssh"),
            ("env A=b sudo -n podman run x", 4, "podman run"),
            ("sudo -u dev ssh h", 3, "ssh"),
            ("timeout 5h mosh h", 2, "mosh"),
            ("mise exec -- ssh h", 3, "ssh"),
            ("tmux", 0, "tmux"),
        ] {
            assert_eq!(door(&words(text)), Some((at, through.to_owned())), "{text}");
        }
        for text in ["cd /x && exec ssh h claude", "FOO=1 docker exec x claude", "test -d x || \"kubectl\" exec p -- claude"] {
            assert!(door(&["bash".to_owned(), "-lc".to_owned(), text.to_owned()]).is_some_and(|(at, _)| at == 2), "{text}");
        }
        for text in
            ["mise exec -- claude", "claude", "nice claude --ssh", "node docker.js", "docker build x", "sh -c claude", "sh"]
        {
            assert_eq!(door(&words(text)), None, "{text}");
        }
    }

    #[test]
    fn a_value_may_stand_right_behind_a_short_flag() {
        assert_eq!(kind(&Declared::default(), AgentKind::Claude, "-rabc"), Some(FlagKind::Id));
        assert_eq!(kind(&Declared::default(), AgentKind::Gemini, "-ihello"), Some(FlagKind::Prompt));
        assert_eq!(kind(&Declared::default(), AgentKind::Claude, "--resume-not"), None);
        assert_eq!(kind(&Declared::default(), AgentKind::Codex, "-mo3"), None);
    }
}

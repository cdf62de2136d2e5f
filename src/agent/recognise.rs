//! Telling agents from other programs by their command lines. Pure: never looks at a process itself.

/// A few words: an adapter's own, or those that a manifest declares.
#[derive(Debug, Clone)]
pub enum Words {
    /// An adapter's own.
    Own(&'static [&'static str]),
    /// Those that a manifest declares.
    Declared(Vec<String>),
}

impl Words {
    /// The first of them.
    pub fn first(&self) -> Option<&str> {
        self.iter().next()
    }

    /// The words, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (own, declared): (&[&str], &[String]) = match self {
            Self::Own(words) => (words, &[]),
            Self::Declared(words) => (&[], words),
        };
        own.iter().copied().chain(declared.iter().map(String::as_str))
    }
}

/// What an agent's programs are called.
#[derive(Debug, Clone)]
pub struct ProgramNames {
    /// Base names of its program, and of its script when an interpreter runs it. The first is what people type.
    pub programs: Words,
    /// Directories that only its scripts and binaries are in, such as an npm package's name.
    pub packages: Words,
    /// First arguments that make it something else than an agent someone talks to: a daemon, a helper.
    pub services: &'static [&'static str],
    /// Whether a JavaScript runtime that runs it is only a loader, with the agent itself below.
    pub has_node_loader: bool,
}

/// What kind of program runs another program's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpreter {
    /// A shell.
    Shell,
    /// Node, Bun or Deno.
    Node,
    /// Python, Ruby, Perl.
    Script,
}

impl Interpreter {
    /// Whether people write scripts for it that start something else, in a place and with an environment of their own.
    pub fn is_of_scripts(self) -> bool {
        matches!(self, Self::Shell | Self::Script)
    }
}

/// How a recognised agent was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// What runs it; `None` if it is a program of its own.
    pub via: Option<Interpreter>,
    /// Its arguments, without the program and the interpreter's own.
    pub args: &'a [String],
}

/// The program a command line runs: the script, when there is an interpreter in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program<'a> {
    /// What runs it.
    via: Option<Interpreter>,
    /// Its path as given; `None` for an interpreter that runs no script.
    path: Option<&'a str>,
    /// What follows.
    args: &'a [String],
}

/// Names under which an agent's own binary, or one beside it, serves an agent instead of being one: Codex' sandbox, its patch
/// tool and its code-mode host (0.147 and later).
const HELPERS: &[&str] = &["codex-linux-sandbox", "codex-execve-wrapper", "codex-code-mode-host", "apply_patch", "applypatch"];

/// The last component of a path.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What people call the program of this name: without what an installer adds to it where a wrapper has the plain name, as Nix
/// (`.claude-wrapped`, `.claude-unwrapped`, `..claude-wrapped-wrapped`, `.claude-wrapped_`) and Guix (`.claude-real`) do.
fn plain_name(name: &str) -> &str {
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let mut plain = name.trim_end_matches('_');
    while let Some(inner) = ["-wrapped", "-unwrapped", "-real"].iter().find_map(|added| plain.strip_suffix(added)) {
        plain = inner.strip_prefix('.').unwrap_or(inner);
    }
    if plain.is_empty() || plain == name.trim_end_matches('_') { name } else { plain }
}

impl ProgramNames {
    /// Whether this is one of the agent's programs, as someone talks to it. `exe`, the path of the file it executes (may be empty),
    /// counts only for a program of its own.
    pub fn matches(&self, program: &Program<'_>, exe: &str) -> bool {
        self.are_of(program, exe) && self.may_be(program)
    }

    /// Whether this is one of the agent's programs, called as one of these services.
    pub fn matches_service(&self, program: &Program<'_>, services: &[&str]) -> bool {
        self.are_of(program, "") && program.args.first().is_some_and(|first| services.contains(&first.as_str()))
    }

    fn are_of(&self, program: &Program<'_>, exe: &str) -> bool {
        let Some(path) = program.path else { return false };
        if HELPERS.contains(&plain_name(base(path))) {
            return false;
        }
        let named = |path: &&str| self.is_listed_as(base(path));
        // Packages bring binaries of other programs with them, such as `rg`; the agent's own is called after its version.
        let is_own = |path: &&str| program.via.is_some() || is_version(base(path));
        let packaged = |path: &&str| is_own(path) && self.packages.iter().any(|package| has_directory(path, package));
        let mut paths = [path, if program.via.is_none() { exe } else { "" }].into_iter();
        paths.any(|path| named(&path) || packaged(&path))
    }

    /// Whether this is what a process of the agent is listed as, in the 15 characters there are for that.
    pub fn is_listed_as(&self, name: &str) -> bool {
        self.programs.iter().any(|program| program == plain_name(name))
    }

    /// Whether a program of whatever name may be one that someone talks to: it is not called as a service.
    pub fn may_be(&self, program: &Program<'_>) -> bool {
        !program.args.first().is_some_and(|first| self.services.contains(&first.as_str()))
    }

    /// Whether an agent called like this is only a wrapper, with the agent itself below it.
    pub fn is_wrapper(&self, invocation: &Invocation<'_>) -> bool {
        match invocation.via {
            Some(Interpreter::Shell | Interpreter::Script) => true,
            Some(Interpreter::Node) => self.has_node_loader,
            None => false,
        }
    }
}

/// Whether a flag is among an agent's own arguments: as a word or in front of a `=`, and not behind a `--`.
pub(super) fn has_flag(args: &[String], flag: &str) -> bool {
    let mut own = args.iter().take_while(|word| *word != "--");
    own.any(|word| word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

/// Whether a name is a version's: `2.1.329`.
fn is_version(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}

/// Whether `directory` (one or more components) stands whole in `path`, above the last component.
fn has_directory(path: &str, directory: &str) -> bool {
    path.match_indices(directory).any(|(at, _)| path[..at].ends_with('/') && path[at + directory.len()..].starts_with('/'))
}

impl<'a> Program<'a> {
    /// What a command line runs; `None` if it is empty.
    pub fn of(argv: &'a [String]) -> Option<Self> {
        let (first, rest) = argv.split_first()?;
        // A login shell's name starts with a dash.
        let name = base(first.strip_prefix('-').unwrap_or(first));
        // npm puts what it was asked for in the place of its arguments: `npm exec @openai/codex`. What that runs is below it.
        if first.starts_with("npm ") {
            return Some(Self { via: Some(Interpreter::Node), path: None, args: rest });
        }
        // The loader of another libc than the system's runs the program as its argument, as wrappers of Nix and Termux ask it to.
        if is_loader(name) {
            let at = loaded(rest)?;
            return Self::of(&rest[at..]);
        }
        let Some(via) = interpreter(name) else { return Some(Self { via: None, path: Some(first), args: rest }) };
        let script = script(via, rest);
        let (path, args) = script.map_or((None, rest), |at| (Some(rest[at].as_str()), &rest[at + 1..]));
        Some(Self { via: Some(via), path, args })
    }

    /// Its name, as people say it; `None` for an interpreter that runs no script.
    pub fn name(&self) -> Option<&'a str> {
        let name = base(self.path?);
        Some(plain_name(name.strip_prefix('-').unwrap_or(name)))
    }

    /// Whether it is an interpreter, with or without a script.
    pub fn is_interpreter(&self) -> bool {
        self.via.is_some()
    }

    /// How it is called.
    pub fn invocation(&self) -> Invocation<'a> {
        Invocation { via: self.via, args: self.args }
    }
}

/// Whether a name is a dynamic loader's: `ld-linux-x86-64.so.2`, `ld-musl-x86_64.so.1`, `ld.so`.
fn is_loader(name: &str) -> bool {
    name == "ld.so" || ["ld-linux", "ld-musl"].iter().any(|start| name.starts_with(start)) && name.contains(".so")
}

/// Where the program stands among a loader's arguments.
fn loaded(args: &[String]) -> Option<usize> {
    const VALUED: &[&str] = &[
        "--library-path",
        "--inhibit-rpath",
        "--audit",
        "--preload",
        "--argv0",
        "--glibc-hwcaps-prepend",
        "--glibc-hwcaps-mask",
    ];
    let mut at = 0;
    while args.get(at)?.starts_with('-') {
        at += 1 + usize::from(VALUED.contains(&args[at].as_str()));
    }
    Some(at)
}

fn interpreter(name: &str) -> Option<Interpreter> {
    // python3.11, node20, ruby2.7
    match plain_name(name).trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "zsh" | "dash" | "ash" | "ksh" | "mksh" | "fish" => Some(Interpreter::Shell),
        "node" | "nodejs" | "bun" | "deno" => Some(Interpreter::Node),
        "python" | "ruby" | "perl" => Some(Interpreter::Script),
        _ => None,
    }
}

/// Where the script stands among an interpreter's arguments: the first that is neither a flag nor a flag's value. `None` if
/// there is none, or a flag says that the program's text is an argument or a module.
fn script(via: Interpreter, args: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        let takes_value = match (via, arg.as_str()) {
            (_, "--") => return (at + 1 < args.len()).then_some(at + 1),
            (_, "-") => return None,
            (Interpreter::Node, "run") if at == 0 => false,
            // The name of a package, whose program it starts as a child.
            (Interpreter::Node, "x") if at == 0 => return None,
            (_, word) if !word.starts_with(['-', '+']) => return Some(at),
            (Interpreter::Shell, "--rcfile" | "--init-file" | "-o" | "+o" | "-O" | "+O") => true,
            (Interpreter::Shell, flag) if is_cluster(flag) && flag.contains(['c', 's']) => return None,
            (Interpreter::Node, "-e" | "--eval" | "-p" | "--print" | "-pe" | "-i" | "--interactive") => return None,
            (
                Interpreter::Node,
                "-r" | "--require" | "--import" | "--loader" | "--experimental-loader" | "-C" | "--conditions",
            ) => true,
            (Interpreter::Script, "-c" | "-m" | "-e" | "-E") => return None,
            (Interpreter::Script, "-W" | "-X") => true,
            _ => false,
        };
        at += 1 + usize::from(takes_value);
    }
    None
}

/// Whether a flag is one dash and letters, `-lc`.
fn is_cluster(flag: &str) -> bool {
    flag.strip_prefix('-').is_some_and(|letters| !letters.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use crate::agent::Agents;
    use crate::core::ids::AgentKind::{self, Antigravity, Claude, Codex, Copilot, Gemini, Opencode, Pi};

    fn kind(exe: &str, line: &str) -> Option<AgentKind> {
        let argv = shell_words::split(line).unwrap();
        Agents::default().identify(&argv, || Some(exe.to_owned())).map(|(agent, _)| agent.kind())
    }

    #[test]
    fn agents_are_recognised_however_they_were_installed() {
        for (exe, line, expected) in [
            ("claude.exe", "claude", Claude),
            ("2.1.197", "claude --resume x", Claude),
            ("2.1.197", "/home/dev/.local/share/claude/versions/2.1.197", Claude),
            ("claude", "renamed", Claude),
            ("node", "node /usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", Claude),
            ("bash", "/bin/bash /opt/bin/claude --session-id x", Claude),
            ("bash", "bash -l -o pipefail --rcfile /x /opt/bin/claude", Claude),
            ("dash", "sh -e ./claude", Claude),
            ("node", "node /usr/local/bin/codex", Codex),
            ("codex", "/opt/lib/codex resume u", Codex),
            ("node", "node /opt/node_modules/@openai/codex/bin/codex.js", Codex),
            ("agy", "/opt/agy", Antigravity),
            ("node", "pi", Pi),
            ("node", "node /opt/node_modules/@earendil-works/pi-coding-agent/dist/cli.js", Pi),
            ("node", "node /opt/node_modules/@earendil-works/pi-coding-agent/dist/bundle/cli.js --session-id x", Pi),
            ("node", "pi '' '' ''", Pi),
            ("bash", "/bin/bash /opt/bin/pi --session-id my-own.id_1", Pi),
            ("opencode", "opencode -s ses_1", Opencode),
            ("opencode.exe", "/opt/node_modules/opencode-ai/bin/opencode.exe", Opencode),
            ("opencode", "/opt/node_modules/opencode-linux-x64/bin/opencode /home/dev/lab", Opencode),
            ("node", "node /opt/node_modules/opencode-ai/bin/opencode run hello", Opencode),
            ("node", "node --max-old-space-size=8192 /usr/bin/gemini", Gemini),
            ("node", "node /opt/node_modules/@google/gemini-cli/dist/index.js -y", Gemini),
            ("node", "/usr/bin/node --max-old-space-size=12052 /opt/node_modules/.bin/gemini -m gemini-2.5-flash", Gemini),
            ("node", "node -r ts-node/register /usr/bin/copilot", Copilot),
            ("node", "node /opt/node_modules/.bin/copilot --resume=u", Copilot),
            ("node", "node /opt/node_modules/@github/copilot/npm-loader.js", Copilot),
            ("copilot", "/opt/node_modules/@github/copilot-linux-x64/copilot --resume=u", Copilot),
            ("copilot", "/x/node_modules/@github/copilot/node_modules/@github/copilot-linux-x64/copilot", Copilot),
            ("bun", "bun run /opt/bin/opencode", Opencode),
            // Words that name a service only where they stand first.
            ("claude", "claude --resume u daemon", Claude),
            ("claude", "claude 'daemon run'", Claude),
            ("claude", "claude attach 1a2b3c4d", Claude),
            ("codex", "codex 'app-server, explained'", Codex),
            ("python3.11", "python3.11 -u -W error /opt/bin/claude", Claude),
            // What Nix and Guix call a program that a wrapper of its name runs.
            (
                "/nix/store/x-claude-code-2.1/bin/.claude-unwrapped",
                "/nix/store/x-claude-code-2.1/bin/.claude-unwrapped",
                Claude,
            ),
            ("/nix/store/x/bin/.claude-wrapped", "/run/current-system/sw/bin/claude --resume u", Claude),
            ("/nix/store/x/bin/.claude-wrapped", "cc", Claude),
            ("/nix/store/x/bin/..opencode-wrapped-wrapped", "/nix/store/x/bin/..opencode-wrapped-wrapped", Opencode),
            ("/nix/store/x/bin/.codex-wrapped_", ".codex-wrapped_", Codex),
            ("/gnu/store/x/bin/.pi-real", ".pi-real", Pi),
            ("bash", "bash -e /nix/store/x/bin/.gemini-wrapped", Gemini),
            ("node", "node /nix/store/x/bin/.copilot-wrapped", Copilot),
            ("agy-unwrapped", "agy-unwrapped", Antigravity),
            // The name says no more than a version, and the path of the file does.
            ("/home/dev/.local/share/claude/versions/2.1.329", "2.1.329", Claude),
            ("/home/dev/.local/share/claude/versions/2.1.329", "cc --resume u", Claude),
            ("/lib/ld-linux-x86-64.so.2", "/lib/ld-linux-x86-64.so.2 /home/dev/.local/share/claude/versions/2.1.329", Claude),
            ("ld-musl-aarch64.so.1", "ld-musl-aarch64.so.1 --library-path /x --argv0 y /nix/x/bin/.codex-wrapped", Codex),
        ] {
            assert_eq!(kind(exe, line), Some(expected), "{exe}: {line}");
        }
    }

    #[test]
    fn programs_that_only_mention_an_agent_are_none() {
        for (exe, line) in [
            ("bash", "bash"),
            ("bash", "-bash"),
            ("bash", "bash -c 'claude --resume x'"),
            ("bash", "bash -lc claude"),
            ("bash", "sh -s claude"),
            ("vim", "vim claude"),
            ("tail", "tail -f claude.log"),
            ("bash", "bash claude.sh"),
            ("bash", "bash /home/dev/claude/run"),
            ("node", "node -e claude"),
            // What npm and Bun start is below them, and only that is the agent.
            ("node", "'npm exec @openai/codex' '' ''"),
            ("node", "'npm exec @github/copilot'"),
            ("node", "'npm run /opt/bin/claude'"),
            ("bun", "bun x @openai/codex"),
            ("bun", "bun x claude --resume u"),
            ("node", "node server.js claude"),
            ("python3", "python3 -m http.server claude"),
            ("python3", "python3 -c claude"),
            ("less", "less /opt/@openai/codex/README"),
            ("codex", "codex app-server --listen unix:///x"),
            ("claude", "claude mcp serve"),
            ("claude.exe", "claude daemon run --origin transient"),
            ("claude.exe", "claude bg-pty-host --bg-pty-host /tmp/cc-daemon-0/x.sock 200 50 -- claude --session-id u"),
            ("2.1.329", "/home/dev/.local/share/claude/versions/2.1.329 bg-spare --bg-spare /tmp/y.claim.sock"),
            ("rg", "/opt/node_modules/@anthropic-ai/claude-code/vendor/ripgrep/x64-linux/rg TODO"),
            ("codex-code-mode-host", "/opt/node_modules/@openai/codex/vendor/bin/codex-code-mode-host"),
            ("codex", "codex-code-mode-host"),
            ("codex", "codex-linux-sandbox --sandbox-policy x -- bash -c true"),
            ("codex", "/tmp/arg0/apply_patch"),
            ("codex", "codex exec-server"),
            ("codex", "codex responses-api-proxy --port 1"),
            ("codex", "/x/packages/app-server-daemon/codex app-server --listen unix:///x"),
            ("node", "node /usr/bin/gemini mcp list"),
            ("node", "node /usr/bin/gemini extensions list"),
            ("node", "node /usr/bin/gemini skills list"),
            ("copilot", "/opt/@github/copilot-linux-x64/copilot mcp list"),
            ("tail", "tail -f .copilot/session-state/u/events.jsonl"),
            ("vim", "vim .gemini/settings.json"),
            ("node", "node gemini.js"),
            ("rg", "rg pi"),
            ("opencode", "opencode serve --port 4096"),
            ("opencode", "opencode attach http://127.0.0.1:4096"),
            ("opencode", "opencode session list"),
            ("node", "node /opt/raspberry-pi/blink.js"),
            ("python3", "python3 /opt/pi.py"),
            ("node", "node /opt/node_modules/@openai/codex-sdk-x/y.js"),
            ("/nix/store/x/bin/.claude-wrapped", ".claude-wrapped mcp serve"),
            ("/nix/store/x/bin/.vim-wrapped", ".vim-wrapped claude"),
            (".claude-wrapped-notes", ".claude-wrapped-notes"),
            ("/nix/store/x-claude-code-2.1/bin/rg", "rg"),
            ("/opt/node_modules/@anthropic-ai/claude-code/vendor/ripgrep/rg", "rg TODO"),
            ("/opt/versions/2.1.329", "2.1.329"),
            ("/lib/ld-linux-x86-64.so.2", "/lib/ld-linux-x86-64.so.2 --list"),
            ("/lib/ld-linux-x86-64.so.2", "/lib/ld-linux-x86-64.so.2 /bin/vim claude"),
            ("codex", ".codex-linux-sandbox-wrapped"),
            ("_", "-wrapped"),
        ] {
            assert_eq!(kind(exe, line), None, "{exe}: {line}");
        }
        assert!(Agents::default().identify(&[], || None).is_none());
    }

    #[test]
    fn an_agent_that_names_its_parent_is_led_and_one_that_only_mentions_a_parent_is_not() {
        for (line, expected) in [
            ("claude --agent-id mate@team --agent-name mate --team-name team", true),
            ("claude.exe --agent-id=mate@team", true),
            ("claude --model opus --parent-session-id 11111111-2222-4333-8444-555555555555", true),
            ("codex --parent-session-id u", true),
            ("node /usr/bin/gemini --parent-session-id=u", true),
            ("pi --parent-session-id u", true),
            ("claude", false),
            ("claude --agent reviewer", false),
            ("claude --agents '{}' --agent-idle", false),
            ("claude -- --agent-id mate", false),
            ("claude 'what does --parent-session-id do?'", false),
            // No flag of any other agent's that means a parent.
            ("codex --agent-id x", false),
        ] {
            let argv = shell_words::split(line).unwrap();
            let agents = Agents::default();
            let (agent, invocation) = agents.identify(&argv, || None).unwrap();
            assert_eq!(agent.is_led(&invocation), expected, "{line}");
        }
    }

    #[test]
    fn arguments_are_those_of_the_agent_and_not_of_its_interpreter() {
        let argv = shell_words::split("node --max-old-space-size=1 /usr/bin/gemini --resume u").unwrap();
        let (_, invocation) = Agents::default().identify(&argv, || None).unwrap();
        assert_eq!(invocation.args, ["--resume", "u"]);
    }
}

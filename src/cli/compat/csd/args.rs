//! What can be typed after `csd`: from words to a command, or to what is wrong with them. Never acts.

/// What is asked of csd.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CsdCommand {
    Help,
    Launch { harness: String, name: String, cwd: String, args: Vec<String> },
    Adopt { name: String, cwd: String, id: String, args: Vec<String> },
    List { all: bool, pattern: Option<String> },
    Prune,
    GrantConsent,
    Recover { snapshot: Option<String>, execute: bool },
    Worker(String, WorkerVerb),
}

/// What is asked of one worker.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum WorkerVerb {
    Converse { with_turn: bool, prompt: String, patience: Patience },
    Send(String),
    WaitForTurn { patience: Patience, after: Option<usize> },
    Status,
    ReadEvents { last: Option<i64>, kind: Option<String>, follow: bool },
    ReadTurn { full: bool },
    Stop,
    Handoff,
    SessionId,
    EventsFile,
}

/// For how long something is waited for, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Patience {
    /// At most.
    pub(super) timeout: f64,
    /// At most without an event of the worker.
    pub(super) idle: Option<f64>,
}

/// The subcommands that are about no worker, and those that are about one.
const TOP: [&str; 7] = ["launch", "adopt", "list", "prune", "grant-consent", "recover", "help"];
const OF_WORKER: [&str; 10] =
    ["converse", "send", "wait-for-turn", "status", "read-events", "read-turn", "stop", "handoff", "session-id", "events-file"];

/// What is wrong with the words. The text stands as it is told.
pub(super) type Mistake = String;

fn mistake<T>(text: impl Into<String>) -> Result<T, Mistake> {
    Err(text.into())
}

/// Reads the words behind the program.
pub(super) fn parse(words: &[String]) -> Result<CsdCommand, Mistake> {
    let (mut worker, mut rest) = (None, words);
    loop {
        rest = match rest {
            [flag, value, behind @ ..] if flag == "--worker" => {
                worker = Some(value.clone());
                behind
            }
            [flag] if flag == "--worker" => return mistake("Error: --worker expects a name or a session id"),
            [flag, behind @ ..] if flag.starts_with("--worker=") => {
                worker = flag.strip_prefix("--worker=").map(str::to_owned);
                behind
            }
            _ => break,
        };
    }
    if worker.as_deref() == Some("") {
        return mistake("Error: --worker expects a name or a session id");
    }
    let Some((verb, rest)) = rest.split_first() else { return mistake(super::texts::USAGE) };
    let verb = if matches!(verb.as_str(), "--help" | "-h") { "help" } else { verb.as_str() };
    match (TOP.contains(&verb), OF_WORKER.contains(&verb), worker) {
        (true, _, Some(_)) => mistake(format!("Error: '{verb}' takes no --worker")),
        (true, _, None) => top(verb, rest),
        (_, true, Some(worker)) => of_worker(verb, rest).map(|verb| CsdCommand::Worker(worker, verb)),
        (_, true, None) => mistake(format!("Error: '{verb}' needs --worker <name>")),
        _ => mistake(format!("Error: unknown subcommand '{verb}'\n\n{}", super::texts::USAGE)),
    }
}

const LAUNCH: &str = "Usage: launch [--harness claude|codex|pi] <tmux-name> <working-dir> [-- <args>]";
const ADOPT: &str = "Usage: adopt <tmux-name> <working-dir> <session-id> [-- <args>]";

fn top(verb: &str, rest: &[String]) -> Result<CsdCommand, Mistake> {
    match verb {
        "launch" => {
            let (harness, rest) = match rest {
                [flag, harness, rest @ ..] if flag == "--harness" => (harness.clone(), rest),
                [flag, rest @ ..] if flag.starts_with("--harness=") => (flag["--harness=".len()..].to_owned(), rest),
                _ => ("claude".to_owned(), rest),
            };
            let (words, args) = behind_dashes(rest);
            match words {
                [name, cwd] => Ok(CsdCommand::Launch { harness, name: name.clone(), cwd: cwd.clone(), args }),
                _ => mistake(LAUNCH),
            }
        }
        "adopt" => {
            let (words, args) = behind_dashes(rest);
            match words {
                [name, cwd, id] => Ok(CsdCommand::Adopt { name: name.clone(), cwd: cwd.clone(), id: id.clone(), args }),
                _ => mistake(ADOPT),
            }
        }
        "list" => {
            let (mut all, mut pattern) = (false, None);
            for word in rest {
                match word.as_str() {
                    "--all" => all = true,
                    option if option.starts_with('-') => return mistake(format!("Error: unknown option '{option}' for list")),
                    _ if pattern.is_some() => return mistake("Error: list takes at most one pattern argument"),
                    _ => pattern = Some(word.clone()),
                }
            }
            Ok(CsdCommand::List { all, pattern })
        }
        "recover" => {
            let (mut snapshot, mut execute, mut words) = (None, false, rest.iter());
            while let Some(word) = words.next() {
                match word.as_str() {
                    "--execute" => execute = true,
                    "--snapshot" => match words.next() {
                        Some(file) => snapshot = Some(file.clone()),
                        None => return mistake("Error: --snapshot expects a file for recover"),
                    },
                    other => return mistake(format!("Error: unknown option '{other}' for recover")),
                }
            }
            Ok(CsdCommand::Recover { snapshot, execute })
        }
        _ if !rest.is_empty() && verb != "help" => mistake(format!("Error: {verb} takes no arguments")),
        "prune" => Ok(CsdCommand::Prune),
        "grant-consent" => Ok(CsdCommand::GrantConsent),
        _ => Ok(CsdCommand::Help),
    }
}

/// The words before two dashes, and those behind them.
fn behind_dashes(words: &[String]) -> (&[String], Vec<String>) {
    match words.iter().position(|word| word == "--") {
        Some(at) => (&words[..at], words[at + 1..].to_vec()),
        None => (words, Vec::new()),
    }
}

fn of_worker(verb: &str, rest: &[String]) -> Result<WorkerVerb, Mistake> {
    let is_flag = |flag: &str| rest.first().is_some_and(|word| word == flag);
    match verb {
        "converse" => {
            const USAGE: &str = "Usage: converse [--with-turn] [--idle-timeout S] <prompt-text> [timeout-seconds]";
            let (mut with_turn, mut idle, mut words) = (false, None, rest);
            loop {
                words = match words {
                    [flag, behind @ ..] if flag == "--with-turn" => {
                        with_turn = true;
                        behind
                    }
                    [flag, behind @ ..] if flag == "--idle-timeout" => {
                        idle = Some(idle_seconds(verb, behind.first())?);
                        &behind[1..]
                    }
                    _ => break,
                };
            }
            let prompt = words.first().filter(|prompt| !prompt.trim().is_empty());
            let Some(prompt) = prompt else { return mistake(USAGE) };
            let Some(timeout) = words.get(1).map_or(Some(120.0), |word| seconds(word)) else {
                return mistake("Error: converse timeout must be a number");
            };
            Ok(WorkerVerb::Converse { with_turn, prompt: prompt.clone(), patience: Patience { timeout, idle } })
        }
        "send" => match rest.first().filter(|prompt| !prompt.trim().is_empty()) {
            Some(prompt) => Ok(WorkerVerb::Send(prompt.clone())),
            None => mistake("Usage: send <prompt-text>"),
        },
        "wait-for-turn" => {
            let (mut timeout, mut idle, mut after, mut words) = (60.0, None, None, rest.iter());
            while let Some(word) = words.next() {
                if word == "--after-line" {
                    let Some(line) = words.next().and_then(|line| line.parse().ok()) else {
                        return mistake("Error: --after-line expects a number for wait-for-turn");
                    };
                    after = Some(line);
                } else if word == "--idle-timeout" {
                    idle = Some(idle_seconds(verb, words.next())?);
                } else if let Some(given) = seconds(word).filter(|_| word.starts_with(|c: char| c.is_ascii_digit())) {
                    timeout = given;
                } else {
                    return mistake(format!("Error: unknown option '{word}' for wait-for-turn"));
                }
            }
            Ok(WorkerVerb::WaitForTurn { patience: Patience { timeout, idle }, after })
        }
        "read-events" => read_events(rest),
        "read-turn" => Ok(WorkerVerb::ReadTurn { full: is_flag("--full") }),
        "status" => Ok(WorkerVerb::Status),
        "stop" => Ok(WorkerVerb::Stop),
        "handoff" => Ok(WorkerVerb::Handoff),
        "session-id" => Ok(WorkerVerb::SessionId),
        _ => Ok(WorkerVerb::EventsFile),
    }
}

fn read_events(rest: &[String]) -> Result<WorkerVerb, Mistake> {
    let (mut last, mut kind, mut follow, mut words) = (None, None, false, rest.iter());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--follow" => follow = true,
            "--last" => match words.next().and_then(|count| count.parse().ok()) {
                Some(count) => last = Some(count),
                None => return mistake("Error: --last expects a number for read-events"),
            },
            "--type" => match words.next().filter(|kind| !kind.starts_with("--")) {
                Some(word) if super::files::WorkerEvent::is_known(word) => kind = Some(word.clone()),
                Some(word) => return mistake(format!("Error: '{word}' is not a known event")),
                None => return mistake("Error: --type expects a value for read-events"),
            },
            other => return mistake(format!("Error: unknown option '{other}' for read-events")),
        }
    }
    Ok(WorkerVerb::ReadEvents { last, kind, follow })
}

fn idle_seconds(verb: &str, word: Option<&String>) -> Result<f64, Mistake> {
    let given = word.and_then(|word| seconds(word)).filter(|given| *given > 0.0);
    given.ok_or_else(|| format!("Error: --idle-timeout expects a number of seconds for {verb}"))
}

fn seconds(word: &str) -> Option<f64> {
    word.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && (0.0..=1e9).contains(seconds))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<CsdCommand, Mistake> {
        parse(&shell_words::split(line).unwrap())
    }

    #[test]
    fn words_are_read_as_csd_reads_them() {
        let worker = |verb| Ok(CsdCommand::Worker("w".to_owned(), verb));
        let (name, cwd) = ("w".to_owned(), "/d".to_owned());
        let args = vec!["--model".to_owned(), "x".to_owned()];
        assert_eq!(
            read("launch --harness codex w /d -- --model x"),
            Ok(CsdCommand::Launch { harness: "codex".to_owned(), name: name.clone(), cwd: cwd.clone(), args })
        );
        let id = "abcdef12".to_owned();
        assert_eq!(read("adopt w /d abcdef12"), Ok(CsdCommand::Adopt { name, cwd, id, args: Vec::new() }));
        assert_eq!(read("--worker x --worker=w status"), worker(WorkerVerb::Status));
        let patience = |timeout, idle| Patience { timeout, idle };
        let with = |with_turn, patience| WorkerVerb::Converse { with_turn, prompt: "hi there".to_owned(), patience };
        let converse = |with_turn, timeout| with(with_turn, patience(timeout, None));
        assert_eq!(read("--worker w converse 'hi there'"), worker(converse(false, 120.0)));
        assert_eq!(read("--worker w converse --with-turn 'hi there' 1.5"), worker(converse(true, 1.5)));
        let wait = |idle| WorkerVerb::WaitForTurn { patience: patience(2.5, idle), after: Some(3) };
        assert_eq!(read("--worker w wait-for-turn 9 --after-line 3 2.5"), worker(wait(None)));
        assert_eq!(read("--worker w wait-for-turn --idle-timeout 4 --after-line 3 2.5"), worker(wait(Some(4.0))));
        let idle = with(true, patience(120.0, Some(0.5)));
        assert_eq!(read("--worker w converse --idle-timeout 0.5 --with-turn 'hi there'"), worker(idle));
        let events = WorkerVerb::ReadEvents { last: Some(2), kind: Some("stop".to_owned()), follow: true };
        assert_eq!(read("--worker w read-events --last 2 --type stop --follow"), worker(events));
        assert_eq!(read("list --all x"), Ok(CsdCommand::List { all: true, pattern: Some("x".to_owned()) }));
        assert_eq!(read("help"), Ok(CsdCommand::Help));
    }

    #[test]
    fn mistakes_are_told_in_the_words_of_csd() {
        for (line, told) in [
            ("", "Usage:"),
            ("frobnicate", "unknown"),
            ("--worker", "worker"),
            ("--worker= status", "worker"),
            ("--worker w launch x /d", "worker"),
            ("--worker w grant-consent", "worker"),
            ("send hi", "worker"),
            ("--worker w send ' '", "Usage: send <prompt-text>"),
            ("--worker w converse", "Usage: converse"),
            ("--worker w converse --idle-timeout", "Error: --idle-timeout expects a number of seconds for converse"),
            (
                "--worker w wait-for-turn --idle-timeout 0",
                "Error: --idle-timeout expects a number of seconds for wait-for-turn",
            ),
            ("--worker w converse hi soon", "Error: converse timeout must be a number"),
            ("--worker w wait-for-turn soon", "Error: unknown option 'soon' for wait-for-turn"),
            ("--worker w wait-for-turn --after-line x", "Error: --after-line expects a number for wait-for-turn"),
            ("--worker w read-events --last x", "Error: --last expects a number for read-events"),
            ("--worker w read-events --type --follow", "Error: --type expects a value for read-events"),
            ("--worker w read-events --type nothing", "is not a known event"),
            ("list --x", "Error: unknown option '--x' for list"),
            ("list a b", "Error: list takes at most one pattern argument"),
            ("launch w", "Usage: launch"),
        ] {
            let mistake = read(line).unwrap_err();
            assert!(mistake.contains(told), "{line}: {mistake}");
        }
    }
}

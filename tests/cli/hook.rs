//! `headcount hook emit` as an agent runs it: it writes one line, or nothing, and never holds the agent up. The process of the test is
//! what ran the hook.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headcount::core::hooks::{HookEvent, HookKind, ProcessMark};
use headcount::store::hooks::{HookPosition, dropped, newest_binding, since};
use headcount::store::paths::StateHome;

use crate::support::{Place, Ran, program};

/// Longer than it may take by far, on a machine that has no time.
const LONG: Duration = Duration::from_secs(30);

fn state(place: &Place) -> StateHome {
    let state = place.home().join("state");
    std::fs::create_dir_all(&state).unwrap();
    StateHome::at(state)
}

fn emit(state: &Path, agent: &str, event: &str) -> Command {
    let mut command = Command::new(program());
    command.env_clear().args(["hook", "emit"]).arg(state).args([agent, event]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(mut command: Command, payload: &str) -> Ran {
    let mut child = command.spawn().unwrap();
    // It may have ended already.
    let _ = child.stdin.take().unwrap().write_all(payload.as_bytes());
    Ran::from(child.wait_with_output().unwrap())
}

fn this() -> ProcessMark {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start_ticks = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
    ProcessMark { pid: std::process::id(), start_ticks }
}

fn events(state: &StateHome) -> Vec<HookEvent> {
    since(state, this(), HookPosition::default()).unwrap().0
}

fn silent(ran: &Ran) {
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{ran:?}");
}

#[test]
fn an_event_is_one_private_line_that_keeps_no_word_of_the_prompt() {
    let (place, payload) = (Place::new(), r#"{"session_id":"abc","cwd":"/w","prompt":"say nothing of this"}"#);
    let state = state(&place);
    silent(&said(emit(state.path(), "claude", "UserPromptSubmit"), payload));
    let file = state.hooks().join(format!("{}.jsonl", std::process::id()));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.ends_with('\n') && text.lines().count() == 1 && !text.contains("nothing"), "{text}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&state.hooks())), (0o600, 0o700));
    let event = events(&state).remove(0);
    assert_eq!((event.kind, event.session_id.unwrap().0.as_str()), (HookKind::UserPromptSubmit, "abc"));
    assert!(event.prompt.unwrap().is_of("say nothing of this"));
    assert!(!event.ancestors.is_empty(), "what is above the agent");
}

#[test]
fn a_shell_in_between_is_not_the_agent_and_another_process_is_never_believed() {
    let (place, payload) = (Place::new(), r#"{"session_id":"abc"}"#);
    let state = state(&place);
    let through = |shell: &str, then: &str| {
        let mut command = Command::new(shell);
        command.args(["-c", &format!("\"$0\" hook emit \"$1\" claude SessionStart{then}")]).arg(program()).arg(state.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    silent(&said(through("sh", "; true"), payload));
    assert_eq!(newest_binding(&state, this().pid, this().start_ticks).unwrap().unwrap().session_id.0, "abc");
    // A program between the two, such as one that an agent's tool runs: its event is its own, whatever it says it is about.
    std::fs::remove_dir_all(state.hooks()).unwrap();
    let script = "import subprocess,sys; subprocess.run(sys.argv[1:], input=b'{\"session_id\":\"abc\"}')";
    let mut forger = Command::new("python3");
    forger.args(["-c", script]).arg(program()).args(["hook", "emit"]).arg(state.path()).args(["claude", "SessionStart"]);
    assert!(forger.status().unwrap().success());
    assert_eq!(newest_binding(&state, this().pid, this().start_ticks).unwrap(), None);
    assert_eq!(std::fs::read_dir(state.hooks()).unwrap().count(), 2, "its own file, and the counter");
}

#[test]
fn it_ends_whatever_becomes_of_its_input() {
    let place = Place::new();
    let state = state(&place);
    let within = |child: &mut Child, what: &str| {
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < LONG, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(child.wait().unwrap().code(), Some(0), "{what}");
    };
    // The pipe stays open: whole, cut short, and without a word.
    for (at, payload) in [r#"{"session_id":"abc"}"#, r#"{"session_id":"#, ""].into_iter().enumerate() {
        let mut child = emit(state.path(), "claude", "Stop").spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(payload.as_bytes()).unwrap();
        stdin.flush().unwrap();
        within(&mut child, payload);
        assert_eq!(events(&state).len(), at + 1, "{payload}");
        drop(stdin);
    }
    // It never ends, and is no event.
    let mut yes = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
    let mut child = emit(state.path(), "claude", "Stop");
    let mut child = child.stdin(yes.stdout.take().unwrap()).spawn().unwrap();
    within(&mut child, "an endless input");
    yes.kill().unwrap();
    yes.wait().unwrap();
    // A prompt too long to keep is an event without its mark, and the agent's write succeeds.
    let long = format!(r#"{{"session_id":"abc","prompt":"{}"}}"#, "long ".repeat(400_000));
    let mut child = emit(state.path(), "claude", "UserPromptSubmit").spawn().unwrap();
    child.stdin.take().unwrap().write_all(long.as_bytes()).unwrap();
    within(&mut child, "a long prompt");
    assert_eq!(events(&state).pop().unwrap().prompt, None);
}

#[test]
fn whatever_is_wrong_it_says_nothing_and_ends_well() {
    let place = Place::new();
    let state = state(&place);
    let (home, payload) = (place.home(), r#"{"session_id":"abc"}"#);
    let missing = home.join("missing");
    silent(&said(emit(&missing, "claude", "Stop"), payload));
    assert!(!missing.exists(), "it makes no state directory");
    std::fs::write(home.join("file"), "").unwrap();
    for (path, agent, event) in [
        (home.join("file"), "claude", "Stop"),
        (PathBuf::from("relative"), "claude", "Stop"),
        (PathBuf::new(), "claude", "Stop"),
        (state.path().into(), "nobody", "Stop"),
        (state.path().into(), "claude", "Teleported"),
        (state.path().into(), "", ""),
    ] {
        silent(&said(emit(&path, agent, event), payload));
    }
    for words in [&[][..], &["x"], &["/", "claude"], &["/", "claude", "Stop", "more"]] {
        let mut command = Command::new(program());
        command.env_clear().args(["hook", "emit"]).args(words);
        silent(&said(
            {
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                command
            },
            payload,
        ));
    }
    assert!(!state.hooks().exists());
    // What stands in the place of its file is left alone.
    let file = state.hooks().join(format!("{}.jsonl", std::process::id()));
    let target = home.join("target");
    std::fs::write(&target, "").unwrap();
    for stand_in in ["link", "directory", "pipe", "socket"] {
        std::fs::create_dir(state.hooks()).unwrap();
        match stand_in {
            "link" => symlink(&target, &file).unwrap(),
            "directory" => std::fs::create_dir(&file).unwrap(),
            "pipe" => assert!(Command::new("mkfifo").arg(&file).status().unwrap().success()),
            _ => drop(std::os::unix::net::UnixListener::bind(&file).unwrap()),
        }
        silent(&said(emit(state.path(), "claude", "Stop"), payload));
        std::fs::remove_dir_all(state.hooks()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "");
    // Nor does it write where everybody may.
    std::fs::create_dir(state.hooks()).unwrap();
    std::fs::set_permissions(state.hooks(), std::fs::Permissions::from_mode(0o777)).unwrap();
    silent(&said(emit(state.path(), "claude", "Stop"), payload));
    symlink(&home, home.join("elsewhere")).unwrap();
    std::fs::remove_dir_all(state.hooks()).unwrap();
    symlink(home.join("elsewhere"), state.hooks()).unwrap();
    silent(&said(emit(state.path(), "claude", "Stop"), payload));
    assert!(!home.join(format!("{}.jsonl", std::process::id())).exists());
}

#[test]
fn an_event_that_cannot_be_written_is_counted_and_spoils_no_other() {
    let (place, payload) = (Place::new(), r#"{"session_id":"abc"}"#);
    let state = state(&place);
    silent(&said(emit(state.path(), "claude", "SessionStart"), payload));
    assert_eq!(dropped(&state).unwrap(), 0);
    // A limit on the length of files stands for a full disk. It ends in the middle of a line.
    let file = state.hooks().join(format!("{}.jsonl", std::process::id()));
    let filler = std::fs::read_to_string(&file).unwrap();
    let mut text = filler.repeat((1024 - 10) / filler.len());
    text.push_str(&filler[..1024 - 10 - text.len()].replace('\n', " "));
    std::fs::write(&file, &text).unwrap();
    for _ in 0..2 {
        let mut shell = Command::new("bash");
        shell.args(["-c", "ulimit -f 1; \"$0\" hook emit \"$1\" claude Stop; exit $?"]).arg(program()).arg(state.path());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        silent(&said(shell, payload));
    }
    assert_eq!(dropped(&state).unwrap(), 2);
    let before = events(&state).len();
    silent(&said(emit(state.path(), "claude", "SessionEnd"), payload));
    let after = events(&state);
    assert_eq!((after.len(), after.last().unwrap().kind), (before + 1, HookKind::SessionEnd), "on a line of its own");
}

#[test]
fn many_at_once_are_whole_lines() {
    let place = Place::new();
    let state = state(&place);
    let all: Vec<Child> = (0..24)
        .map(|at| {
            let mut child = emit(state.path(), "codex", "Stop").spawn().unwrap();
            child.stdin.take().unwrap().write_all(format!(r#"{{"turn_id":"{at}"}}"#).as_bytes()).unwrap();
            child
        })
        .collect();
    for child in all {
        silent(&Ran::from(child.wait_with_output().unwrap()));
    }
    let mut turns: Vec<u32> = events(&state).into_iter().map(|event| event.turn.unwrap().parse().unwrap()).collect();
    turns.sort_unstable();
    assert_eq!(turns, (0..24).collect::<Vec<_>>());
}

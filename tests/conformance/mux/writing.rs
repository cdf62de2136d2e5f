//! The cases of the writing side: what is made is where it is said to be, and nothing is made anywhere else. They know nothing of any one
//! multiplexer.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Instant;

use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, MuxKind, ServerKey, SessionKey};
use headcount::core::lead::{Action, ActionKind, Operation, OperationId, Permit, Placed, Standing, Target};
use headcount::core::observe::Server;
use headcount::host::{Environ, Host as _, LocalHost};
use headcount::mux::drive::{MuxDrive, PaneCommand, ServerSurroundings};
use headcount::mux::{self, tmux, zellij};

use super::bench::{Bench, Stopped, kill};
use crate::support::await_some;

fn drive(bench: &dyn Bench) -> &'static dyn MuxDrive {
    match bench.kind() {
        MuxKind::Tmux => &tmux::drive::TmuxDrive,
        MuxKind::Zellij => &zellij::drive::ZellijDrive,
    }
}

fn environ(bench: &dyn Bench) -> Environ {
    bench.surroundings().into_iter().chain([("SECRET".into(), "hidden".into())]).collect()
}

fn list(bench: &dyn Bench) -> Fact<Server> {
    let env = environ(bench);
    mux::of(bench.kind()).list(&LocalHost::new(env.clone()), &env, ServerKey::DEFAULT)
}

fn names(bench: &dyn Bench) -> Vec<String> {
    list(bench).seen().map_or(Vec::new(), |server| server.sessions.iter().map(|it| it.name.clone()).collect())
}

fn key(bench: &dyn Bench, name: &str) -> SessionKey {
    SessionKey { name: name.to_owned(), mux: bench.kind(), server: ServerKey::DEFAULT.to_owned(), host: "h".to_owned() }
}

fn permit(bench: &dyn Bench, name: &str, target: Target) -> Permit {
    let at = chrono::Utc::now();
    let operation = Operation {
        id: OperationId::new(at, std::process::id(), 0),
        action: ActionKind::Start,
        session: key(bench, name),
        agent: AgentKind::Claude,
        conversation: None,
        begun: at,
        boot: None,
        since_boot: None,
        cause: None,
        by: "a test".to_owned(),
        engine: (1, None),
        renaming: None,
    };
    let action = Action { kind: ActionKind::Start, target, conversation: None, rung: None };
    Permit::new(&operation, &Standing::Planned(action)).unwrap()
}

/// Makes a pane that runs these words.
fn place(bench: &dyn Bench, permit: &Permit, words: &[&str], cwd: &Path) -> Result<Placed, String> {
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let path = bench.world().variables().into_iter().find(|(name, _)| name == "PATH").unwrap().1;
    let path = [path, "/given".into()].join(OsStr::new(":"));
    let surroundings = ServerSurroundings { withheld: &["SECRET".to_owned()], path: Some(path.as_os_str()), is_scoped: false };
    let command = PaneCommand { words: &words, cwd, surroundings, last: None };
    let env = environ(bench);
    drive(bench).prepare(&env, ServerKey::DEFAULT)?;
    drive(bench).place((&LocalHost::new(env.clone()), &env), permit, &command)
}

const SLEEP: [&str; 2] = ["sleep", "600"];

fn create(bench: &dyn Bench, name: &str) -> Result<Placed, String> {
    place(bench, &permit(bench, name, Target::NewSession), &SLEEP, &bench.world().home())
}

fn words_of(pid: u32) -> Vec<String> {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    text.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(|it| String::from_utf8_lossy(it).into_owned()).collect()
}

/// Whether a pane is in a session of this name, as its server lists it.
fn is_in(bench: &dyn Bench, name: &str, placed: &Placed) -> bool {
    let key = key(bench, name);
    let found = list(bench);
    let sessions = found.seen().map_or(&[][..], |server| &server.sessions);
    let own: Vec<_> = sessions.iter().filter(|session| key.names().any(|name| name == session.name.as_str())).collect();
    own.len() == 1 && own[0].panes.iter().any(|pane| pane.id == placed.pane && pane.pid == Some(placed.pid))
}

pub fn a_server_begins_with_its_first_session_and_what_that_is_given(bench: &dyn Bench) {
    let placed = create(bench, "one").unwrap();
    assert!(placed.is_new_session && is_in(bench, "one", &placed), "{placed:?}");
    assert_eq!(words_of(placed.pid), SLEEP);
    let env = environ(bench);
    let host = LocalHost::new(env);
    let server = host.stat(placed.server).into_seen().unwrap();
    assert_eq!(placed.server_start, server.start_ticks);
    for pid in [placed.server, placed.pid] {
        let given = host.environ(pid).into_seen().unwrap();
        assert_eq!(given.get("SECRET"), None, "what is withheld");
        let path = given.get("PATH").unwrap().to_string_lossy().into_owned();
        assert!(path.ends_with(":/given"), "{path}");
    }
    let second = create(bench, "two").unwrap();
    assert!(is_in(bench, "two", &second) && is_in(bench, "one", &placed));
}

pub fn a_name_that_is_there_is_not_made_again(bench: &dyn Bench) {
    let placed = create(bench, "one").unwrap();
    let why = create(bench, "one").unwrap_err();
    assert!(why.contains("duplicate session"), "{why}");
    assert!(is_in(bench, "one", &placed));
    assert_eq!(names(bench), ["one"]);
    assert_eq!(words_of(placed.pid), SLEEP, "the first one goes on");
}

pub fn a_directory_that_is_gone_keeps_no_pane_from_being_made(bench: &dyn Bench) {
    let gone = bench.world().root().join("gone");
    let placed = place(bench, &permit(bench, "one", Target::NewSession), &SLEEP, &gone).unwrap();
    assert!(is_in(bench, "one", &placed), "the launcher says what is missing");
}

pub fn hostile_names_are_made_as_they_are_or_refused_before(bench: &dyn Bench) {
    let env = environ(bench);
    let mut made = 0;
    for name in bench.hostile() {
        match drive(bench).refusal(&env, &key(bench, name)) {
            Some(why) => assert!(!why.is_empty() && !why.chars().any(char::is_control), "{name:?}: {why:?}"),
            None => {
                let placed = create(bench, name).unwrap_or_else(|why| panic!("{name:?}: {why}"));
                assert!(is_in(bench, name, &placed), "{name:?}: {:?}", names(bench));
                made += 1;
            }
        }
    }
    assert_eq!(names(bench).len(), made);
    assert!(made > bench.hostile().len() / 2, "{made}");
}

pub fn a_program_that_ends_at_once_leaves_no_session(bench: &dyn Bench) {
    let permit = permit(bench, "one", Target::NewSession);
    let placed = place(bench, &permit, &["sh", "-c", "exit 7"], &bench.world().home());
    let env = environ(bench);
    let host = LocalHost::new(env.clone());
    match &placed {
        Ok(placed) => drive(bench).tidy((&host, &env), &permit, placed, true).unwrap(),
        Err(_) => drive(bench).abandon((&host, &env), &permit).unwrap(),
    }
    await_some("no session", || names(bench).is_empty().then_some(()));
    let again = create(bench, "one").unwrap();
    assert!(is_in(bench, "one", &again));
}

pub fn a_wedged_server_makes_nothing_that_is_said_to_be_there(bench: &dyn Bench) {
    let placed = create(bench, "one").unwrap();
    let target = Target::NewWindow { session: placed.session.clone(), server: Some(placed.server) };
    let permit = permit(bench, "one", target);
    let env = environ(bench);
    let host = LocalHost::new(env.clone());
    {
        let _stopped = Stopped::new(placed.server);
        let begun = Instant::now();
        place(bench, &permit, &SLEEP, &bench.world().home()).unwrap_err();
        assert!(drive(bench).view((&host, &env), ServerKey::DEFAULT, &placed).is_none());
        assert!(begun.elapsed().as_secs() < 40, "{:?}", begun.elapsed());
    }
    await_some("the session", || is_in(bench, "one", &placed).then_some(()));
    assert_eq!(names(bench), ["one"]);
}

pub fn a_session_that_vanished_gets_no_pane_and_no_server_begins(bench: &dyn Bench) {
    let placed = create(bench, "one").unwrap();
    let target = Target::NewWindow { session: placed.session.clone(), server: Some(placed.server) };
    let permit = permit(bench, "one", target);
    let other = create(bench, "other").unwrap();
    bench.end("one");
    place(bench, &permit, &SLEEP, &bench.world().home()).unwrap_err();
    assert_eq!(names(bench), ["other"]);
    bench.end("other");
    await_some("no server", || list(bench).is_absent().then_some(()));
    place(bench, &permit, &SLEEP, &bench.world().home()).unwrap_err();
    assert!(list(bench).is_absent(), "{other:?}");
}

pub fn a_server_that_took_the_place_of_another_gets_no_pane(bench: &dyn Bench) {
    let placed = create(bench, "one").unwrap();
    let target = Target::NewWindow { session: placed.session.clone(), server: Some(placed.server) };
    let permit = permit(bench, "one", target);
    kill(placed.server);
    // Its first session has the same id, or the same name.
    bench.start("one");
    let panes = || list(bench).seen().map(|server| server.sessions.iter().map(|it| it.panes.len()).sum::<usize>());
    await_some("its pane", || (panes() == Some(1)).then_some(()));
    place(bench, &permit, &SLEEP, &bench.world().home()).unwrap_err();
    assert_eq!(panes(), Some(1));
}

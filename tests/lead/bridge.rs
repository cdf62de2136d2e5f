//! headcount as tmux-bridge, on a real tmux: what is read and typed, and what is refused before anything is.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Ran;
use super::support::{World, await_some};

/// A tmux server with a pane that repeats each line, %0, and the names by which headcount is another tool.
pub(crate) struct Bridge {
    pub(crate) world: World,
}

impl Bridge {
    pub(crate) fn new() -> Self {
        let world = World::new();
        world.session("work", &world.workspace("one"), "exec cat");
        let links = Command::new(env!("CARGO_BIN_EXE_headcount"));
        let links =
            { links }.args(["links"]).arg(world.root().join("bin")).env_clear().envs(world.variables()).output().unwrap();
        assert!(links.status.success(), "{links:?}");
        Self { world }
    }

    /// A call of a tool by its name, from somewhere outside of tmux.
    pub(crate) fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.arg0(self.world.root().join("bin").join(name)).env_clear().envs(self.world.variables());
        command.stdin(Stdio::null()).current_dir(self.world.root().join("lab")).args(words);
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        Ran::from(self.command("tmux-bridge", words).output().unwrap())
    }

    /// The same as from a pane.
    fn from(&self, pane: &str, words: &[&str]) -> Ran {
        let socket = format!("{},1,0", self.world.socket().display());
        Ran::from(self.command("tmux-bridge", words).env("TMUX", socket).env("TMUX_PANE", pane).output().unwrap())
    }

    pub(crate) fn screen(&self, pane: &str) -> String {
        self.world.tmux(["capture-pane", "-p", "-J", "-t", pane])
    }

    #[track_caller]
    fn shows(&self, pane: &str, text: &str) {
        let shown = || self.screen(pane);
        await_some(&format!("{text:?} in {:?}", shown()), || shown().contains(text).then_some(()));
    }

    /// Another pane that repeats each line, and its process.
    pub(crate) fn pane(&self) -> (String, u32) {
        let made = self.world.tmux([
            "split-window",
            "-d",
            "-t",
            "work:",
            "-P",
            "-F",
            "#{pane_id} #{pane_pid}",
            "-c",
            "#{pane_current_path}",
            "exec cat",
        ]);
        let (id, pid) = made.split_once(' ').unwrap();
        (id.to_owned(), pid.parse().unwrap())
    }

    #[track_caller]
    fn is_unread(&self, pane: &str, ran: Ran) {
        let ran = ran.is(1);
        let why = format!("error: must read the pane before interacting. Run: tmux-bridge read {pane}\n");
        assert_eq!((ran.stderr, ran.stdout.as_str()), (why, ""));
    }
}

#[test]
fn a_pane_is_read_before_each_text_and_each_key() {
    let bridge = Bridge::new();
    bridge.is_unread("%0", bridge.run(&["type", "%0", "first"]));
    bridge.is_unread("%0", bridge.run(&["keys", "%0", "Enter"]));
    bridge.is_unread("%0", bridge.from("%0", &["message", "work:0.0", "hello"]));
    let read = bridge.run(&["read", "%0"]).is(0);
    assert_eq!(read.stdout.trim(), "", "{read:?}");
    let typed = bridge.run(&["type", "work:0.0", "first"]).is(0);
    assert_eq!((typed.stdout.as_str(), typed.stderr.as_str()), ("", ""));
    bridge.shows("%0", "first");
    assert_eq!(bridge.screen("%0").trim(), "first", "and no Enter");
    bridge.is_unread("%0", bridge.run(&["keys", "%0", "Enter"]));
    assert_eq!(bridge.run(&["read", "%0", "20"]).is(0).stdout.lines().next(), Some("first"));
    bridge.run(&["keys", "0", "Enter", "y", "Enter"]).is(0);
    // Its terminal may repeat a key before what runs there repeats the line.
    let lines = || {
        bridge
            .screen("%0")
            .split_whitespace()
            .fold([0, 0], |[first, y], it| [first + usize::from(it == "first"), y + usize::from(it == "y")])
    };
    await_some("both lines, twice", || (lines() == [2, 2]).then_some(()));
    bridge.is_unread("%0", bridge.run(&["type", "%0", "second"]));
    assert_eq!(
        bridge.run(&["read"]).is(1).stderr,
        "error: 'read' requires at least 1 argument(s). Run 'tmux-bridge' for usage.\n"
    );
    assert!(bridge.run(&["read", "%0", "many"]).is(1).stderr.starts_with("error: 'read' takes a number of lines"));
}

#[test]
fn a_mark_is_of_one_server_one_pane_and_one_process() {
    let bridge = Bridge::new();
    let (other, _) = bridge.pane();
    bridge.run(&["read", "%0"]).is(0);
    bridge.is_unread(&other, bridge.run(&["type", &other, "x"]));
    // The same id on another server.
    let second = bridge.world.named_socket("second");
    bridge.world.session_on(&second, "work", &bridge.world.workspace("two"), "exec cat");
    let there =
        Ran::from(bridge.command("tmux-bridge", &["type", "%0", "x"]).env("TMUX_BRIDGE_SOCKET", &second).output().unwrap());
    bridge.is_unread("%0", there);
    // Another process in the same pane.
    bridge.world.tmux(["respawn-pane", "-k", "-t", "%0", "exec cat"]);
    bridge.is_unread("%0", bridge.run(&["type", "%0", "x"]));
    // Another server behind the same socket, which begins to count anew.
    bridge.run(&["read", "%0"]).is(0);
    bridge.world.crash_server();
    bridge.world.session("work", &bridge.world.workspace("one"), "exec cat");
    bridge.is_unread("%0", bridge.run(&["type", "%0", "x"]));
    assert_eq!(bridge.screen("%0").trim(), "");
}

#[test]
fn panes_have_labels_and_stand_in_a_list() {
    let bridge = Bridge::new();
    let (other, _) = bridge.pane();
    assert_eq!(bridge.run(&["resolve", "codex"]).is(1).stderr, "error: no pane found with label 'codex'\n");
    bridge.run(&["name", &other, "codex"]).is(0);
    assert_eq!(bridge.run(&["resolve", "codex"]).is(0).stdout, format!("{other}\n"));
    assert_eq!(bridge.world.tmux(["show-options", "-p", "-v", "-t", &other, "@name"]), "codex");
    bridge.run(&["read", "codex"]).is(0);
    bridge.run(&["type", "codex", "to you"]).is(0);
    bridge.shows(&other, "to you");
    let list = bridge.run(&["list"]).is(0).stdout;
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines[0], "TARGET   SESSION:WIN      SIZE       PROCESS                   LABEL      CWD");
    let of = |id: &str| (*lines.iter().find(|line| line.starts_with(&format!("{id} "))).unwrap()).to_owned();
    let size = bridge.world.tmux(["display-message", "-p", "-t", &other, "#{pane_width}x#{pane_height}"]);
    let cwd = bridge.world.workspace("one");
    assert_eq!(of(&other), format!("{other:<8} {:<16} {size:<10} {:<25} {:<10} {}", "work:0", "cat", "codex", cwd.display()));
    assert!(of("%0").contains(&format!("{:<25} {:<10} ", "cat", "-")), "{list}");
    // What runs in a shell of the pane, and what is below the home.
    std::fs::create_dir_all(bridge.world.home().join("a b")).unwrap();
    bridge.world.session("shop", &bridge.world.home().join("a b"), "sleep 60 & wait");
    let row = await_some("its child", || {
        let list = bridge.run(&["list"]).stdout;
        list.lines().find(|line| line.contains(" shop:0 ") && line.contains(" sleep ")).map(str::to_owned)
    });
    assert!(row.ends_with(" ~/a b"), "{row}");
    for target in ["%99", "nope:0.0", "work:7", "%0;"] {
        let ran = bridge.run(&["read", target]).is(1);
        let why = match target {
            "%0;" => "error: no pane found with label '%0;'\n".to_owned(),
            _ => format!("error: invalid target: {target}\n"),
        };
        assert_eq!(ran.stderr, why);
    }
    bridge.run(&["name", "%0", "a\nb"]).is(1);
    assert_eq!(bridge.run(&["resolve", ""]).is(1).stderr, "error: no pane found with label ''\n");
}

#[test]
fn a_text_is_typed_as_it_is_and_nothing_in_it_is_obeyed() {
    let bridge = Bridge::new();
    let hostile = r#"it's "q" $HOME $(touch x) `y` #{pane_id} ~ ; %1 {a} \; é漢 -l ;"#;
    let long = "word ".repeat(4000);
    for (text, shown) in [(hostile, hostile), ("-X", "-X"), ("two\nlines\tx", "lines"), (long.as_str(), "word word")] {
        let (pane, _) = bridge.pane();
        bridge.world.tmux(["select-layout", "-t", "work:", "even-vertical"]);
        bridge.run(&["read", &pane]).is(0);
        bridge.run(&["type", &pane, text]).is(0);
        bridge.shows(&pane, shown);
        bridge.world.tmux(["kill-pane", "-t", &pane]);
    }
    // What a terminal would obey.
    bridge.run(&["read", "%0"]).is(0);
    for text in ["a\u{1b}[31m", "a\rb", "a\u{3}"] {
        assert!(bridge.run(&["type", "%0", text]).is(1).stderr.contains("control characters"));
    }
    for keys in [&["rm -rf"][..], &["Enter", "yes"], &["\u{1b}"], &[""]] {
        let ran = bridge.run(&[&["keys", "%0"], keys].concat()).is(1);
        assert!(ran.stderr.contains("is no key of tmux"), "{ran:?}");
    }
    assert_eq!(bridge.screen("%0").trim(), "");
    // None of that used the mark up.
    bridge.run(&["type", "%0", ""]).is(0);
    bridge.is_unread("%0", bridge.run(&["keys", "%0", "Enter"]));
}

#[test]
fn a_message_says_who_sends_it_and_where_to_reply() {
    let bridge = Bridge::new();
    let (other, _) = bridge.pane();
    let send = |text: &str| {
        bridge.run(&["read", &other]).is(0);
        bridge.from("%0", &["msg", &other, text]).is(0);
    };
    send("hello");
    bridge.shows(&other, "[tmux-bridge from:%0 pane:%0 at:work:0.0 — load the smux skill to reply] hello");
    bridge.run(&["name", "%0", "claude"]).is(0);
    send("again");
    bridge.shows(&other, "[tmux-bridge from:claude pane:%0 at:work:0.0 — load the smux skill to reply] again");
    bridge.run(&["read", &other]).is(0);
    let unset = "error: not running inside a tmux pane ($TMUX_PANE is unset)\n";
    assert_eq!(bridge.run(&["message", &other, "x"]).is(1).stderr, unset);
    assert_eq!(bridge.run(&["id"]).is(1).stderr, unset);
    assert_eq!(bridge.from("%0", &["id"]).is(0).stdout, "%0\n");
}

#[test]
fn a_pane_that_would_not_take_it_gets_nothing() {
    let bridge = Bridge::new();
    let refused = |why: &str| {
        bridge.run(&["read", "%0"]).is(0);
        let ran = bridge.run(&["type", "%0", "lost"]).is(1);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(why), "{ran:?}");
    };
    bridge.world.tmux(["copy-mode", "-t", "%0"]);
    refused("copy mode");
    bridge.world.tmux(["send-keys", "-t", "%0", "-X", "cancel"]);
    bridge.world.tmux(["set-option", "-w", "-t", "%0", "synchronize-panes", "on"]);
    refused("goes to others too");
    bridge.world.tmux(["set-option", "-w", "-t", "%0", "synchronize-panes", "off"]);
    bridge.world.tmux(["select-pane", "-d", "-t", "%0"]);
    refused("takes no keys");
    bridge.world.tmux(["select-pane", "-e", "-t", "%0"]);
    assert_eq!(bridge.screen("%0").trim(), "");
    bridge.run(&["type", "%0", "taken"]).is(0);
    bridge.world.tmux(["set-option", "-w", "-t", "%0", "remain-on-exit", "on"]);
    bridge.run(&["read", "%0"]).is(0);
    bridge.run(&["keys", "%0", "C-c"]).is(0);
    await_some("its end", || (bridge.world.tmux(["display-message", "-p", "-t", "%0", "#{pane_dead}"]) == "1").then_some(()));
    refused("has ended");
}

#[test]
fn of_several_that_type_at_once_one_read_lets_one() {
    let bridge = Bridge::new();
    bridge.run(&["read", "%0"]).is(0);
    let children: Vec<_> =
        (0..6).map(|_| bridge.command("tmux-bridge", &["type", "%0", "x"]).stderr(Stdio::null()).spawn().unwrap()).collect();
    let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code()).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    bridge.shows("%0", "x");
    assert_eq!(bridge.screen("%0").trim(), "x");
}

#[test]
fn a_session_that_somebody_has_in_hand_is_left_alone() {
    let scene = super::Scene::new("  - { name: work, agent: claude, cwd: LAB/one }\n");
    let bridge = Bridge { world: World::new() };
    scene.world.session("work", &scene.world.workspace("one"), "exec cat");
    let call = |words: &[&str]| {
        let mut command = bridge.command("tmux-bridge", words);
        Ran::from(command.env_clear().envs(scene.world.variables()).output().unwrap())
    };
    call(&["read", "%0"]).is(0);
    scene.run(&["handoff", "work", "--as", "somebody", "--for", "1h"]).is(0);
    let ran = call(&["type", "%0", "x"]).is(1);
    assert!(ran.stderr.contains("somebody has it in hand"), "{ran:?}");
    scene.run(&["release", "work", "--as", "somebody"]).is(0);
    call(&["type", "%0", "x"]).is(0);
}

#[test]
fn what_it_says_of_itself() {
    let bridge = Bridge::new();
    let usage = bridge.run(&[]).is(0).stdout;
    assert!(usage.contains("Usage: tmux-bridge <command>") && usage.ends_with('\n'), "{usage}");
    for help in ["help", "-h", "--help"] {
        assert_eq!(bridge.run(&[help]).is(0).stdout, usage);
    }
    assert_eq!(bridge.run(&["version"]).is(0).stdout, "tmux-bridge 2.0.0\n");
    let unknown = bridge.run(&["explode"]).is(1).stderr;
    assert_eq!(unknown, "error: unknown command: explode. Run 'tmux-bridge' for usage.\n");
    let socket = bridge.world.socket();
    bridge.run(&["name", "%0", "me"]).is(0);
    let well = bridge.from("%0", &["doctor"]).is(0).stdout;
    for line in [
        "tmux-bridge doctor v2.0.0",
        "TMUX_PANE:          %0",
        &format!("$TMUX socket:       {} (reachable)", socket.display()),
        &format!("Detected socket:    {}", socket.display()),
        "This pane (%0): visible to server",
        "Total panes:        1",
        "Labeled panes:      1",
        "Status: OK",
    ] {
        assert!(well.lines().any(|shown| shown == line), "{line}\n{well}");
    }
    let ill = bridge.from("%7", &["doctor"]).is(1).stdout;
    assert!(ill.contains("This pane (%7): NOT visible to server\n") && ill.contains("Status: ISSUES DETECTED\n"), "{ill}");
    let with = |name: &str, value: &Path, words: &[&str]| {
        Ran::from(bridge.command("tmux-bridge", words).env(name, value).output().unwrap())
    };
    let none = bridge.world.root().join("none");
    let ran = with("TMUX_BRIDGE_SOCKET", &none, &["list"]).is(1);
    assert_eq!(ran.stderr, format!("error: TMUX_BRIDGE_SOCKET={} is not a valid socket\n", none.display()));
    bridge.world.tmux(["kill-server"]);
    let ran = with("TMUX", &socket, &["list"]).is(1);
    let why = format!("error: cannot find a reachable tmux server (TMUX={}, TMUX_PANE=<unset>)\n", socket.display());
    assert_eq!(ran.stderr, why);
    assert!(with("TMUX", &socket, &["doctor"]).is(1).stdout.contains("Detected socket:    FAILED"));
}

#[test]
fn in_a_pane_without_its_variable_the_server_of_that_pane_is_found() {
    let bridge = Bridge::new();
    // Its own server has the later name, and both have a %0.
    let second = bridge.world.named_socket("zz");
    let out = bridge.world.root().join("out");
    let command = format!("env -u TMUX tmux-bridge doctor >{o}.new 2>&1; mv {o}.new {o}; exec cat", o = out.display());
    bridge.world.session_on(&second, "other", &bridge.world.workspace("two"), &command);
    let said = await_some("what it says", || std::fs::read_to_string(&out).ok());
    assert!(said.contains(&format!("Detected socket:    {}\n", second.display())), "{said}");
}

//! The tools that begin a session for a task and hand a terminal over to one, called by their own names.

use std::path::Path;

use super::across::{called, tool};
use super::in_zellij::with_zellij;
use super::support::await_some;
use super::zellij::Zellij;
use super::{Ran, Scene};

const START: &str = "start-zellij-session-for-task";

/// A stand-in for Codex: it has a thread open, draws its composer, and writes down what it was given.
const CODEX: &str = "#!/bin/bash\nmkdir -p \"$HOME/.codex/thread-writer-locks\"\n\
    exec 9>\"$HOME/.codex/thread-writer-locks/01a1fc1b-b7b6-7361-96bb-4283a7de4ab6.lock\"\nflock 9\n\
    printf '%s\\0' \"$@\" >\"$HOME/argv\"\nenv >\"$HOME/environ\"\n\
    printf '\\033[2J\\033[1;1H\\033[1m\u{203a}\\033[0m \\033[2mAsk Codex to do anything\\033[0m\\r\\n\\r\\n  fake-model\\033[1;3H'\n\
    exec -a codex sleep 600\n";

/// An ssh that finds its only host in another home here.
const SSH: &str = "#!/bin/bash\nprintf '%s\\n' \"$*\" >>\"$HOME/ssh\"\nwhile [ \"$1\" != -- ]; do shift; done\nshift\n\
    [ \"$1\" = box ] || exit 255\nshift\nexport HOME=\"$HOME/there\"\nmkdir -p \"$HOME\"\ncd \"$HOME\"\nexec bash -c \"$*\"\n";

fn consent(scene: &Scene) {
    Ran::from(tool(scene, "headcount", &["consent", "bypass", "--yes"]).output().unwrap()).is(0);
}

fn given(home: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(home.join("argv")).unwrap_or_default();
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// The names of the tabs of a session. A client that a busy server leaves without an answer prints nothing.
fn tabs(zellij: &Zellij, session: &str) -> Vec<u8> {
    let session = format!("--session={session}");
    let names = || Some(zellij.run([session.as_str(), "action", "query-tab-names"]).stdout).filter(|it| !it.is_empty());
    await_some("the names of its tabs", names)
}

#[test]
fn a_dry_run_says_what_is_missing_and_what_it_would_do() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    let dry = called(&scene, START, &["--dry-run", "fix", "it"]).is(0);
    assert!(dry.stdout.contains("Session Name: fix-it\n") && dry.stdout.contains("exec codex "), "{dry:?}");
    assert_eq!(dry.stderr, format!("{START}: codex is required on the current machine\n"));
    consent(&scene);
    let refused = called(&scene, START, &["fix", "it"]).is(1);
    assert_eq!((refused.stdout.as_str(), refused.stderr), ("", dry.stderr));
    assert!(zellij.servers().is_empty());
}

#[test]
fn a_session_is_begun_for_a_task_once_its_pane_shows_the_agent() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    scene.world.program("codex", CODEX);
    let words = [
        "--session-name",
        "eng-7",
        "https://linear.app/acme/issue/ENG-7/fix-login",
        "and",
        "\"quote\" 'it' $(touch oops) `x`\nnow é",
    ];
    // What it would do, and that nobody has consented to it, make nothing.
    let dry = called(&scene, START, &[&["--dry-run"][..], &words].concat()).is(0).stdout;
    for line in [
        "Target: here\n",
        "Resolved Host: local\n",
        "Session Name: eng-7\n",
        "Tab Name: [ENG-7]\n",
        "Tracker Kind: linear\n",
        "Tracker URL: https://linear.app/acme/issue/ENG-7\n",
        "Prompt: $start-new-task https://linear.app",
        "Attach Hint: zellij attach eng-7\n",
        "Launch Script:\ncd ",
        "Codex App Notify: false\n",
    ] {
        assert!(dry.contains(line), "{line} is not in\n{dry}");
    }
    let refused = called(&scene, START, &words).is(1);
    assert!(refused.stderr.contains("headcount consent bypass"), "{refused:?}");
    assert!(zellij.servers().is_empty() && given(&scene.world.home()).is_empty());
    consent(&scene);
    let mut command = tool(&scene, START, &words);
    command.env("CODEX_THREAD_ID", "another").env("CODEX_ANYTHING", "x").env("ZELLIJ", "0").env("ZELLIJ_SESSION_NAME", "outer");
    let ran = Ran::from(command.output().unwrap()).is(0);
    for line in [
        "Started detached task session.\n",
        "Session: eng-7\n",
        "Tab: [ENG-7]\n",
        "Attach: zellij attach eng-7\n",
        "Zellij Link: none\n",
    ] {
        assert!(ran.stdout.contains(line), "{line} is not in\n{}", ran.stdout);
    }
    let argv = given(&scene.world.home());
    assert!(argv.iter().any(|word| word == "--dangerously-bypass-approvals-and-sandbox"), "{argv:?}");
    assert_eq!(argv.last().unwrap(), &format!("$start-new-task {}", words[2..].join(" ")));
    let environ = std::fs::read_to_string(scene.world.home().join("environ")).unwrap();
    assert!(!environ.contains("CODEX_") && !environ.contains("outer"), "{environ}");
    assert_eq!(tabs(&zellij, "eng-7"), b"[ENG-7]\n");
    assert!(!scene.world.workspace("one").join("oops").exists());
    assert_eq!(std::fs::read_dir(scene.state().join("unlisted")).unwrap().count(), 0);
    // Its name is taken.
    let again = called(&scene, START, &words).is(1);
    assert_eq!(again.stderr, format!("{START}: session already exists: eng-7 (attach with: zellij attach eng-7)\n"));
    assert_eq!(zellij.servers().len(), 1);
}

#[test]
fn codex_is_begun_by_what_tells_of_its_questions_where_that_is_there() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    scene.world.program("codex", CODEX);
    scene.world.program("codex-app-notify-session", "#!/bin/bash\ntouch \"$HOME/notified\"\nexec codex \"$@\"\n");
    consent(&scene);
    let ran = called(&scene, START, &["--no-codex-app-notify", "--tab-name", "mine", "plain", "words"]).is(0);
    assert!(ran.stdout.contains("Codex App Notify: false\n") && !scene.world.home().join("notified").exists(), "{ran:?}");
    assert_eq!(tabs(&zellij, "plain-words"), b"mine\n");
    zellij.kill_session("plain-words");
    let ran = called(&scene, START, &["plain", "words"]).is(0);
    assert!(ran.stdout.contains("Codex App Notify: true\n") && scene.world.home().join("notified").exists(), "{ran:?}");
    assert_eq!(given(&scene.world.home()).last().unwrap(), "$start-new-task plain words");
}

#[test]
fn what_does_not_come_about_leaves_nothing_and_what_ended_is_left() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    consent(&scene);
    let cache = scene.world.root().join("cache/zellij/contract_version_1/session_info/over");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("session-layout.kdl"), "layout {}").unwrap();
    scene.world.program("codex", "#!/bin/bash\necho it is broken\nexit 3\n");
    let long = "x".repeat(200_000);
    for (words, why) in [
        (&["over"][..], "session already exists: over (attach with: zellij attach over)"),
        (&["--frobnicate", "x"], "unknown argument: --frobnicate"),
        (&[], "task description or tracker reference is required"),
        (&["--session-name", "a b", "x"], "invalid session name: a b"),
        (&["--session-name", "../x", "x"], "invalid session name: ../x"),
        (&["--target", "moon", "x"], "unsupported or unreachable target: moon"),
        (&["--project-root", "/nowhere", "x"], "there is no project root /nowhere"),
        (&["https://jira.acme.dev/browse/ENG-1"], "no tracker is known at jira.acme.dev"),
        (&["https://github.com/acme/web/issues/7"], "could not resolve a canonical project root for this task"),
        (&[&long[..120_000]], "bytes"),
        (&["broken"], "Codex did not start"),
    ] {
        let ran = called(&scene, START, words).is(1);
        assert!(ran.stderr.contains(&format!("{START}: ")) && ran.stderr.contains(why), "{why}: {ran:?}");
    }
    assert!(cache.join("session-layout.kdl").exists());
    await_some("no session", || zellij.servers().is_empty().then_some(()));
}

#[test]
fn another_host_does_it_by_the_same_tool() {
    let Some((scene, zellij)) = with_zellij("") else { return };
    scene.world.program("codex", CODEX);
    scene.world.program("ssh", SSH);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_headcount"), scene.world.root().join("bin/headcount")).unwrap();
    let home = scene.world.home();
    let there = home.join("there");
    let run = |words: &[&str]| {
        let mut command = tool(&scene, START, &[&["--target", "box"][..], words].concat());
        std::fs::create_dir_all(home.join("pro/web")).unwrap();
        command.env("BOT_BOX_HOST", "box").current_dir(home.join("pro/web"));
        Ran::from(command.output().unwrap())
    };
    // Nothing is made where the project is not there.
    let missing = run(&["fix", "it"]).is(1);
    assert!(missing.stderr.contains("there is no project root ./pro/web"), "{missing:?}");
    std::fs::create_dir_all(there.join("pro/web")).unwrap();
    let dry = run(&["--dry-run", "fix", "it"]).is(0).stdout;
    assert!(
        dry.contains("Target: box\nResolved Host: box\nSession Name: fix-it\n")
            && dry.contains("Attach Hint: work-box fix-it\n"),
        "{dry}"
    );
    assert!(run(&["fix", "it"]).is(1).stderr.contains("consent bypass"));
    let mut command = tool(&scene, "headcount", &["consent", "bypass", "--yes"]);
    Ran::from(command.env("HOME", &there).output().unwrap()).is(0);
    let ran = run(&["fix", "$(touch", "oops)"]).is(0);
    assert!(
        ran.stdout.contains("Resolved Host: box\n") && ran.stdout.contains("Zellij Link: remote-machine-local\n"),
        "{ran:?}"
    );
    assert_eq!(given(&there).last().unwrap(), "$start-new-task fix $(touch oops)");
    assert!(
        run(&["fix", "$(touch", "oops)"])
            .is(1)
            .stderr
            .contains("session already exists on box: fix-touch-oops (attach with: work-box fix-touch-oops)")
    );
    assert_eq!(zellij.servers().len(), 1);
    let outside = Ran::from(tool(&scene, START, &["--target", "box", "x"]).env("BOT_BOX_HOST", "box").output().unwrap()).is(1);
    assert!(outside.stderr.contains("live under $HOME"), "{outside:?}");
    assert!(
        Ran::from(tool(&scene, START, &["--target", "box", "x"]).env("BOT_BOX_HOST", "-oProxyCommand=x").output().unwrap())
            .is(1)
            .stderr
            .contains("no name of a host")
    );
}

#[test]
fn a_terminal_is_handed_over_here_and_on_other_hosts() {
    let scene = Scene::new("");
    scene.world.program("zellij", "#!/bin/bash\nprintf 'zellij %s\\n' \"$*\"\n");
    let ssh =
        "#!/bin/bash\ncase \"$*\" in *'command -v mosh-server'*) exit \"${NO_MOSH:-0}\" ;; esac\nprintf 'ssh %s\\n' \"$*\"\n";
    scene.world.program("ssh", ssh);
    scene.world.program("mosh", "#!/bin/bash\nprintf 'mosh %s\\n' \"$*\"\n");
    let by = |name: &str, words: &[&str], no_mosh: &str| {
        let mut command = tool(&scene, name, words);
        Ran::from(command.env("BOT_BOX_HOST_PRIMARY", "box").env("NO_MOSH", no_mosh).output().unwrap())
    };
    let run = |name: &str, words: &[&str]| by(name, words, "0");
    assert_eq!(run("work-here", &["lab"]).is(0).stdout, "zellij attach --create lab\n");
    assert_eq!(run("work-box-ssh", &["my lab"]).is(0).stdout, "ssh -t -- box zellij attach --create 'my lab'\n");
    assert_eq!(run("work-box", &["my lab"]).is(0).stdout, "mosh -- box zellij attach --create my lab\n");
    assert_eq!(run("mbox", &[]).is(0).stdout, "mosh -- box\n");
    // mosh is not on that side.
    assert_eq!(by("mbox", &[], "1").is(0).stdout, "ssh -t -- box\n");
    let fell_back = by("work-box-mosh", &["lab"], "1").is(0);
    assert_eq!(fell_back.stdout, "ssh -t -- box zellij attach --create lab\n");
    assert!(fell_back.stderr.contains("ssh takes you there"), "{fell_back:?}");
    for (name, words, why) in [
        ("work-here", &["-x"][..], "takes no session name"),
        ("work-here", &["a/b"], "takes no session name"),
        ("work-here", &["a", "b"], "too many arguments"),
        ("work-moon", &["a"], "no host is known as moon"),
        ("work-moon-mosh", &["a"], "BOT_MOON_HOST"),
    ] {
        let ran = run(name, words).is(1);
        assert!(ran.stderr.starts_with(&format!("{name}: ")) && ran.stderr.contains(why), "{ran:?}");
    }
    let nested = Ran::from(tool(&scene, "work-here", &["lab"]).env("ZELLIJ", "0").output().unwrap()).is(1);
    assert!(nested.stderr.contains("zellij cannot be opened inside zellij"), "{nested:?}");
    assert!(run("work-here", &["--help"]).is(0).stdout.contains("Usage: work-here [SESSION]"));
}

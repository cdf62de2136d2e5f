//! What wakes the loop when nothing else would for an hour, and that it does not wake itself.

use std::time::Duration;

use rustix::process::Signal;

use crate::run::{Watch, declare, headcount, running, text};
use crate::support::{World, await_end, await_some};

/// A watch whose resync is an hour away.
fn patient(world: &World, more: &[&str]) -> Watch {
    let usual = ["watch", "--json", "--interval", "1h", "--settle", "0s", "--heartbeat", "100ms"];
    Watch::start(headcount(world, &[&usual[..], more].concat()))
}

/// A patient watch of the one session `s`, which has made its first passes.
fn at_rest(world: &World) -> Watch {
    world.claude_session("s", &world.workspace("shop"));
    declare(world, &running(world, &["s"]));
    let mut watch = patient(world, &[]);
    watch.until("drift moved applied s");
    quiet(&mut watch);
    watch
}

/// Waits until three heartbeats in a row know of no further pass, and gives how many were made.
fn quiet(watch: &mut Watch) -> u64 {
    let (mut passes, mut same) = (0, 0);
    for _ in 0..100 {
        let now = watch.until("heartbeat")["passes"].as_u64().unwrap();
        same = if now == passes { same + 1 } else { 0 };
        passes = now;
        if same == 3 && passes > 0 {
            return passes;
        }
    }
    panic!("it never comes to rest: {passes} passes");
}

#[test]
fn it_comes_to_rest_after_its_own_writes_and_stays_there() {
    let world = World::new();
    let shop = world.workspace("shop");
    for name in ["a", "b", "c"] {
        world.claude_session(name, &shop);
    }
    declare(&world, &running(&world, &["a", "b", "c", "gone"]));
    let mut watch = patient(&world, &[]);
    watch.until("drift dead applied gone");
    let passes = quiet(&mut watch);
    assert!(passes < 12, "{passes} passes for one change");
    assert_eq!(quiet(&mut watch), passes, "a quiet world is left alone");
}

#[test]
fn the_end_and_the_start_of_a_session_wake_it_with_and_without_a_control_client() {
    for more in [&[][..], &["--no-control-client"]] {
        let world = World::new();
        let shop = world.workspace("shop");
        world.claude_session("s", &shop);
        world.session("keeper", &shop, "exec sleep 1000");
        declare(&world, &running(&world, &["s"]));
        let mut watch = patient(&world, more);
        watch.until("drift moved applied s");
        quiet(&mut watch);
        world.tmux(["kill-session", "-t", "=s"]);
        let told = watch.until("drift dead applied s");
        assert_ne!(told["reasons"], serde_json::json!(["resync"]));
        assert!(text(&world).contains("status: terminated"));
        world.claude_session("s", &shop);
        watch.until("drift revived applied s");
        world.claude_session("new-creator-claude", &shop);
        watch.until("drift unregistered applied new-creator-claude");
    }
}

#[test]
fn the_end_of_a_whole_server_and_a_new_one_in_its_place_wake_it() {
    let world = World::new();
    let shop = world.workspace("shop");
    let mut watch = at_rest(&world);
    world.tmux(["kill-server"]);
    watch.until("drift dead applied s");
    quiet(&mut watch);
    world.claude_session("s", &shop);
    watch.until("drift revived applied s");
}

#[test]
fn another_conversation_of_a_live_agent_wakes_it() {
    let world = World::new();
    let shop = world.workspace("shop");
    let claude = world.claude_session("s", &shop);
    declare(&world, &running(&world, &["s"]));
    let mut watch = patient(&world, &[]);
    watch.until("drift new-id applied s");
    quiet(&mut watch);
    world.type_line("s", "/clear");
    watch.until("drift new-id applied s");
    let now = world.registered(claude.pid);
    assert_ne!(now.id, claude.id);
    assert!(text(&world).contains(now.id.as_str()));
}

#[test]
fn what_a_hook_tells_wakes_it_and_it_comes_to_rest_again() {
    let world = World::new();
    let claude = world.claude_session("s", &world.workspace("shop"));
    declare(&world, &running(&world, &["s"]));
    let mut watch = patient(&world, &[]);
    watch.until("drift moved applied s");
    let mut passes = quiet(&mut watch);
    let hooks = world.home().join(".local/state/headcount/hooks");
    // The directory, a file in it, and a line of that.
    std::fs::create_dir_all(&hooks).unwrap();
    let file = hooks.join(format!("{}.jsonl", claude.pid));
    for _ in 0..2 {
        let mut append = std::fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
        std::io::Write::write_all(&mut append, b"{}\n").unwrap();
        drop(append);
        await_some("a pass", || (watch.until("heartbeat")["passes"].as_u64().unwrap() > passes).then_some(()));
        let now = quiet(&mut watch);
        assert!(now - passes < 6, "{} passes for one line", now - passes);
        passes = now;
    }
}

#[test]
fn a_save_wakes_it_and_so_does_a_manifest_that_comes_back() {
    let world = World::new();
    declare(&world, &running(&world, &["one"]));
    let mut watch = patient(&world, &[]);
    watch.until("drift dead applied one");
    quiet(&mut watch);
    declare(&world, &running(&world, &["one", "two"]));
    let told = watch.until("drift dead applied two");
    assert!(told["reasons"].as_array().unwrap().contains(&"manifest".into()), "{told}");
    quiet(&mut watch);
    std::fs::remove_file(crate::run::manifest(&world)).unwrap();
    watch.until("error pass");
    declare(&world, &running(&world, &["three"]));
    watch.until("drift dead applied three");
}

#[test]
fn a_manifest_that_is_broken_when_the_watch_begins_is_taken_up_when_it_is_mended() {
    let world = World::new();
    declare(&world, "version: 1\nsessions: 7\n");
    let mut watch = patient(&world, &[]);
    watch.until("error pass");
    quiet(&mut watch);
    declare(&world, &running(&world, &["gone"]));
    watch.until("drift dead applied gone");
}

#[test]
fn an_agent_that_ends_in_a_session_that_stays_wakes_it() {
    let world = World::new();
    let shop = world.workspace("shop");
    let pid = world.session("s", &shop, "claude; exec sleep 1000");
    let claude = await_some("the agent", || {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
        children.split_whitespace().next()?.parse::<u32>().ok()
    });
    world.registered(claude);
    declare(&world, &running(&world, &["s"]));
    let mut watch = patient(&world, &[]);
    watch.until("drift moved applied s");
    quiet(&mut watch);
    world.type_line("s", "/exit");
    watch.until("drift agent-gone flagged s");
}

#[test]
fn a_transcript_that_appears_wakes_it() {
    let world = World::new();
    let shop = world.workspace("shop");
    // Without a registry there is nothing but the transcript to know the conversation by.
    world.session("s", &shop, "exec claude --no-registry");
    declare(&world, &running(&world, &["s"]));
    let mut watch = patient(&world, &[]);
    watch.until("drift moved applied s");
    // What appears within a second of the start of a process cannot be told from what was there before it.
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        watch.until("heartbeat");
    }
    quiet(&mut watch);
    world.type_line("s", "hello");
    let told = watch.until("drift new-id applied s");
    // The agent's whole home is new: whichever of its directories was heard first.
    let reasons = told["reasons"].as_array().unwrap();
    assert!(["transcript", "registry"].iter().any(|reason| reasons.contains(&(*reason).into())), "{told}");
}

#[test]
fn a_watch_that_is_suspended_holds_up_no_server_that_ends_and_looks_again_when_it_goes_on() {
    let world = World::new();
    let shop = world.workspace("shop");
    // By then there is a control client.
    let mut watch = at_rest(&world);
    watch.signal(Signal::TSTP);
    let stat = format!("/proc/{}/stat", watch.pid().as_raw_nonzero());
    await_some("the stop", || std::fs::read_to_string(&stat).unwrap().contains(") T ").then_some(()));
    let server: u32 = world.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
    world.tmux(["kill-server"]);
    await_end(server);
    watch.signal(Signal::CONT);
    watch.until("drift dead applied s");
    world.claude_session("s", &shop);
    watch.until("drift revived applied s");
    assert_eq!(watch.terminate().status.code(), Some(0));
}

#[test]
fn what_was_lost_because_too_much_happened_at_once_is_made_up_for_by_a_look_at_everything() {
    let most = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap_or_default();
    let Some(most) = most.trim().parse::<usize>().ok().filter(|most| *most <= 100_000) else {
        eprintln!("SKIPPED a full queue of file events: this kernel keeps {}", most.trim());
        return;
    };
    let world = World::new();
    let (shop, yard) = (world.workspace("shop"), world.workspace("yard"));
    let busy = world.claude_session("s", &shop);
    let transcripts = world.prompt("s", &shop, &busy).parent().unwrap().to_path_buf();
    let claude = world.claude_session("t", &yard);
    let other = format!("  - {{ name: t, agent: claude, cwd: {:?}, status: running }}\n", yard.display().to_string());
    declare(&world, &(running(&world, &["s"]) + &other));
    let mut watch = patient(&world, &[]);
    watch.until("drift moved applied t");
    quiet(&mut watch);
    // While nobody reads them, more happens than the kernel keeps; that the other one changed its conversation is lost behind.
    watch.signal(Signal::STOP);
    for n in 0..most {
        std::fs::write(transcripts.join(format!("{n}.txt")), "").unwrap();
    }
    world.type_line("t", "/clear");
    let now = await_some("another conversation", || Some(world.registered(claude.pid)).filter(|now| now.id != claude.id));
    watch.signal(Signal::CONT);
    // Nothing but a look at everything finds it. Which reason stands first depends on which thread runs first.
    watch.until("drift new-id applied t");
    assert!(text(&world).contains(now.id.as_str()));
}

#[test]
fn files_that_cannot_be_watched_at_first_are_watched_once_they_can() {
    let world = World::new();
    declare(&world, &running(&world, &["one"]));
    // In a namespace of its own there may be no watcher of files until somebody allows it.
    let limit = "/proc/sys/user/max_inotify_instances";
    let mut probe = std::process::Command::new("unshare");
    if !probe.args(["-r", "sh", "-c", &format!("echo 0 > {limit}")]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED a watch that may have no file watcher: no user namespace here");
        return;
    }
    let script = format!(
        "echo 0 > {limit}; {{ while [ ! -e allowed ]; do sleep 0.05; done; echo 9 > {limit}; : > done; }} & exec \"$0\" \"$@\""
    );
    let program = headcount(&world, &["watch", "--json", "--interval", "1s", "--settle", "0s", "--heartbeat", "100ms"]);
    let mut command = std::process::Command::new("unshare");
    command.args(["-r", "sh", "-c", &script]).arg(program.get_program()).args(program.get_args());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(world.root());
    let mut watch = Watch::start(command);
    let said = watch.until("error source");
    assert!(said["message"].as_str().unwrap().starts_with("files are polled only, once an interval"), "{said}");
    std::fs::write(world.root().join("allowed"), "").unwrap();
    await_some("the allowance", || world.root().join("done").exists().then_some(()));
    // The directories are looked at again after ten seconds.
    let is_healed = (0..150).any(|_| watch.until("heartbeat")["degraded"].as_array().is_none_or(Vec::is_empty));
    assert!(is_healed, "{:?}", watch.seen.last());
    declare(&world, &running(&world, &["one", "two"]));
    let told = watch.until("drift dead applied two");
    assert!(told["reasons"].as_array().unwrap().contains(&"manifest".into()), "{told}");
}

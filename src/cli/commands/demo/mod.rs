//! `headcount demo`: a private tmux server, a temp home, one of each drift, and sessions that come back, start to finish. Touches nothing of yours.

mod world;

use std::fs;
use std::io;
use std::process::Stdio;

use chrono::Utc;

use crate::cli::Context;
use crate::cli::args::ColorChoice;
use crate::cli::error::{CliError, Exit};
use crate::core::job::{Job, NewJob};
use crate::store::jobs::{JobsError, Registry};
use world::DemoWorld;

/// The settle window of the demo, so that nobody has to wait.
const SETTLE: &str = "0s";

/// The sessions that will be alive: name, and the conversation of each stand-in.
const ALIVE: [(&str, &str); 5] = [
    ("shop-creator-claude", "22222222-2222-4222-8222-222222222222"),
    ("blog-creator-claude", "33333333-3333-4333-8333-333333333333"),
    ("wiki-creator-claude", "44444444-4444-4444-8444-444444444444"),
    ("docs-creator-claude", "55555555-5555-4555-8555-555555555555"),
    ("api-creator-claude", "66666666-6666-4666-8666-666666666666"),
];

/// What the manifest says before anything is recorded, written by hand and out of date.
const MANIFEST: &str = "\
# Written by hand some days ago. Comments and order stay as they are.
version: 1
sessions:
  - name: lab-creator-claude      # its tmux session is gone
    agent: claude
    cwd: ~/lab
    status: running
    pane: { id: \"%9\", pid: 4194303, cmd: claude }
  - name: shop-creator-claude     # somebody typed /clear in it
    agent: claude
    cwd: ~/shop
    status: running
    session_id: 11111111-1111-4111-8111-111111111111
  - name: blog-creator-claude     # was started again
    agent: claude
    cwd: ~/blog
    status: terminated
    terminated_at: \"2026-01-01T09:00:00Z\"
    session_id: 33333333-3333-4333-8333-333333333333
  - name: wiki-creator-claude     # lives in another pane now
    agent: claude
    cwd: ~/wiki
    status: running
    session_id: 44444444-4444-4444-8444-444444444444
    pane: { id: \"%7\", pid: 4194302, cmd: claude }   # before the reboot
  - name: docs-creator-claude     # two agents in one workspace
    agent: claude
    cwd: ~/docs
    status: running
    session_id: 55555555-5555-4555-8555-555555555555
  - name: ops-creator-claude      # only a shell is left
    agent: claude
    cwd: ~/ops
    status: running
  - name: old-creator-claude      # its transcript was deleted
    agent: claude
    cwd: ~/old
    status: stopped
    session_id: 77777777-7777-4777-8777-777777777777
";

/// Where the second part is played: what should run, and is made to.
const WANTED: &str = "\
version: 1
lead: { spacing: 0s }
sessions:
  - { name: app-creator-claude, agent: claude, cwd: ~/app, desired: running }
  - { name: web-creator-claude, agent: claude, cwd: ~/web, desired: running }
";

/// Builds the world, shows its drift, records it, and shows that a second pass is quiet.
pub(crate) fn run(context: &Context) -> Result<Exit, CliError> {
    let failed = |error: io::Error| {
        CliError::new(Exit::Failure, format!("cannot set up the demo: {error}"))
            .hint("it needs tmux 3.2 or newer in PATH; `headcount doctor` says what is missing")
    };
    let world = build().map_err(failed)?;
    let say = |text: &str| context.out.answer(text);
    say("A private tmux server, a temporary HOME, stand-in agents. Nothing of yours is touched.\n")?;
    let chapters: [(&str, &[&str]); 6] = [
        ("The declared sessions, and the state each one is really in:", &["status"]),
        ("The changes that a pass would record, as a plan and a patch:", &["diff"]),
        ("Record them. headcount writes only what changed; comments and order stay:", &["record"]),
        ("A second pass has nothing left to record. You decide about the flagged drifts:", &["record"]),
        ("The journal has every change, and `headcount undo` takes one back:", &["history"]),
        ("The evidence behind a verdict:", &["explain", "shop-creator-claude"]),
    ];
    for (title, arguments) in chapters {
        say(&format!("\n{title}\n\n$ headcount {}\n", arguments.join(" ")))?;
        show(&world, arguments, context).map_err(failed)?;
    }
    lead(&world, context, &failed)?;
    say("\nThe private server and the temporary HOME are removed.\n")?;
    drop(world);
    Ok(Exit::Done)
}

/// The other direction: the sessions follow the manifest, also after their server died.
fn lead(world: &DemoWorld, context: &Context, failed: &dyn Fn(io::Error) -> CliError) -> Result<(), CliError> {
    let say = |text: &str| context.out.answer(text);
    world.end_server().map_err(failed)?;
    fs::write(world.manifest(), WANTED).map_err(failed)?;
    for name in ["app", "web"] {
        world.workspace(name).map_err(failed)?;
    }
    say("\nThe other direction: another manifest says what should run, and headcount sees to it.\n")?;
    let chapters: [(&str, &[&str]); 5] = [
        ("What it would do:", &["plan"]),
        ("Do it:", &["apply", "--yes"]),
        ("Now the tmux server dies, and every agent with it. Each goes on in its own conversation:", &["plan"]),
        ("Bring them back:", &["apply", "--yes"]),
        ("`headcount watch --enforce` does that by itself. A second apply has nothing to do:", &["apply", "--yes"]),
    ];
    for (index, (title, arguments)) in chapters.into_iter().enumerate() {
        if index == 2 {
            world.end_server().map_err(failed)?;
        }
        say(&format!("\n{title}\n\n$ headcount {}\n", arguments.join(" ")))?;
        show(world, arguments, context).map_err(failed)?;
    }
    Ok(())
}

/// One of each drift: dead, unregistered, new-id, stale-id, agent-gone, revived, moved, ambiguous, delegated.
fn build() -> io::Result<DemoWorld> {
    let world = DemoWorld::new()?;
    fs::write(world.manifest(), MANIFEST)?;
    for (name, id) in ALIVE {
        let workspace = world.workspace(name.trim_end_matches("-creator-claude"))?;
        world.session(name, &workspace, &world.agent_line(id))?;
    }
    let docs = world.workspace("docs")?;
    let line = world.agent_line("88888888-8888-4888-8888-888888888888");
    world.tmux(&["split-window", "-d", "-t", "=docs-creator-claude:", "-c", &docs.to_string_lossy(), &line])?;
    world.session("ops-creator-claude", &world.workspace("ops")?, "exec sh")?;
    delegate(&world, "wiki-creator-claude").map_err(io::Error::other)?;
    world.await_agents(ALIVE.len() + 1)?;
    Ok(world)
}

/// A job for a session whose entry does not name it yet, in the registry the demo's verbs find.
fn delegate(world: &DemoWorld, session: &str) -> Result<(), JobsError> {
    let job = |id, auth_token| {
        Job::new(NewJob {
            id,
            at: Utc::now(),
            prompt: Some("write the page about backups".to_owned()),
            agent: Some("claude".to_owned()),
            agent_session: Some(format!("tmux:{session}")),
            timeout: None,
            idle_timeout: None,
            expected_artifacts: Vec::new(),
            auth_token,
            root: None,
            broker: None,
        })
    };
    Registry::at(world.jobs()).add(false, job).map(drop)
}

/// Runs a verb of this very program in the world, its answer on our stdout.
fn show(world: &DemoWorld, arguments: &[&str], context: &Context) -> io::Result<()> {
    let mut command = world.command(std::env::current_exe()?);
    command.args(arguments);
    if !matches!(arguments, ["history" | "plan" | "apply", ..]) {
        command.args(["--settle", SETTLE]);
    }
    let color = match (context.globals.color, context.out.look.color) {
        (ColorChoice::Never, _) => "never",
        (_, true) => "always",
        (_, false) => "auto",
    };
    command.args(["--color", color]).stdin(Stdio::null()).status().map(drop)
}

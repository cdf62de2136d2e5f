//! The same on a real tmux server with stand-in agents: whole passes, compared report by report, and what they record.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use headcount::control::observe::Observer;
use headcount::control::pass::{self, Mode, Pass, PassOptions, PassRunner};
use headcount::control::watch::queue::Queue;
use headcount::control::watch::wake::{Reason, Scope, Wake};
use headcount::core::drift::Class;
use headcount::core::ids::{MuxKind, SessionKey};
use headcount::core::manifest::select::Selection;
use headcount::host::LocalHost;
use headcount::store::paths::StateHome;
use serde_json::Value;

use crate::support::{self, HOST, await_end, await_some, server};

/// Enough luck for a test: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

struct Scene {
    world: support::World,
    dice: Dice,
    /// The live sessions and the stand-in in each, if it has one.
    live: Vec<(String, Option<support::Claude>)>,
    made: usize,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let scene = Self { world: support::World::new(), dice: Dice(seed), live: Vec::new(), made: 0 };
        scene.world.session("keeper", &scene.world.workspace("keeper"), "exec sleep 100000");
        scene.declare("");
        scene
    }

    fn manifest(&self) -> PathBuf {
        self.world.home().join("agent-sessions.yaml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.manifest()).unwrap()
    }

    /// Adds to the manifest, as a person long done with it.
    fn declare(&self, entry: &str) {
        let before = std::fs::read_to_string(self.manifest()).unwrap_or_else(|_| "version: 1\nsessions:\n".to_owned());
        std::fs::write(self.manifest(), before + entry).unwrap();
        let then = std::time::SystemTime::now() - Duration::from_secs(60);
        std::fs::File::options().append(true).open(self.manifest()).unwrap().set_modified(then).unwrap();
    }

    fn options(&self, mode: Mode) -> PassOptions {
        PassOptions {
            manifest: self.manifest(),
            state_home: StateHome::from_environment(|name| match name {
                "HOME" => Some(self.world.home().into_os_string()),
                _ => None,
            })
            .unwrap(),
            selection: Selection::default(),
            settle: Duration::ZERO,
            strict: false,
            mode,
            consumer: None,
            update: headcount::store::manifest::UpdateOptions::default(),
            versions: None,
            jobs: None,
            tells_settling: true,
            tells_jobs: false,
            held: None,
        }
    }

    fn view(&self) -> Observer {
        let env = self.world.environ(&[]);
        Observer { host: Box::new(LocalHost::named(HOST, env.clone())), ..Observer::local(env) }
    }

    fn any_live(&mut self) -> Option<usize> {
        if self.live.is_empty() { None } else { Some(self.dice.roll(self.live.len())) }
    }

    fn key(name: &str) -> SessionKey {
        SessionKey { name: name.to_owned(), mux: MuxKind::Tmux, server: "default".to_owned(), host: HOST.to_owned() }
    }

    fn one(name: &str) -> Scope {
        Scope::sessions([Self::key(name)].into())
    }

    /// Changes something, waits until it is so, and says what a source would say of it.
    fn change(&mut self) -> (&'static str, Scope) {
        let everything_there = Scope::server(server("default"));
        match self.dice.roll(9) {
            0..=2 => {
                self.made += 1;
                let name = format!("s{}-creator-claude", self.made);
                let cwd = self.world.workspace(&name);
                let claude = if self.dice.roll(2) == 0 {
                    self.world.claude_session(&name, &cwd)
                } else {
                    let shell = self.world.session(&name, &cwd, "exec bash -c 'claude; exec sleep 100000'");
                    let children = format!("/proc/{shell}/task/{shell}/children");
                    let child = await_some("the agent below the shell", || {
                        std::fs::read_to_string(&children).ok()?.split_ascii_whitespace().next()?.parse().ok()
                    });
                    self.world.registered(child)
                };
                if self.dice.roll(3) > 0 {
                    self.declare(&format!("  - name: {name}\n    agent: claude\n    cwd: {}\n", cwd.display()));
                }
                self.live.push((name, Some(claude)));
                ("create", everything_there)
            }
            3 => {
                let Some(at) = self.any_live() else { return ("nothing", Scope::sessions(BTreeSet::new())) };
                let (name, claude) = self.live.remove(at);
                self.world.tmux(["kill-session", "-t", &format!("={name}")]);
                if let Some(claude) = claude {
                    await_end(claude.pid);
                }
                ("kill", Self::one(&name))
            }
            4 => {
                let Some(at) = self.any_live() else { return ("nothing", Scope::sessions(BTreeSet::new())) };
                let old = self.live[at].0.clone();
                self.made += 1;
                let new = format!("s{}-creator-claude", self.made);
                self.world.tmux(["rename-session", "-t", &format!("={old}"), &new]);
                self.live[at].0 = new;
                ("rename", everything_there)
            }
            5 => {
                let Some(at) = self.any_live() else { return ("nothing", Scope::sessions(BTreeSet::new())) };
                let name = self.live[at].0.clone();
                let format = ["-P", "-F", "#{pane_pid}"];
                let words = ["split-window", "-d", "-t", &format!("={name}:")].map(str::to_owned);
                let pid = self.world.tmux(words.iter().map(String::as_str).chain(format).chain(["exec sleep 100000"]));
                await_some("the other pane's program", || {
                    std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().filter(|comm| comm.trim() == "sleep")
                });
                ("split", everything_there)
            }
            6 => {
                let Some((name, claude)) = self.any_agent() else { return ("nothing", Scope::sessions(BTreeSet::new())) };
                self.world.type_line(&name, "/clear");
                let next = await_some("another conversation", || {
                    Some(self.world.registered(claude.pid)).filter(|next| next.id != claude.id)
                });
                self.live.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, it)| *it = Some(next.clone()));
                ("clear", Self::one(&name))
            }
            7 => {
                let Some((name, claude)) = self.any_agent() else { return ("nothing", Scope::sessions(BTreeSet::new())) };
                let encode = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
                let cwd = std::fs::read_link(format!("/proc/{}/cwd", claude.pid)).unwrap();
                let encoded: String = cwd.to_str().unwrap().chars().map(encode).collect();
                let path = self.world.home().join(format!(".claude/projects/{encoded}/{}.jsonl", claude.id));
                let kept = path.with_extension("kept");
                // There, away, there again.
                if kept.exists() {
                    std::fs::rename(&kept, &path).unwrap();
                } else if path.exists() {
                    std::fs::rename(&path, &kept).unwrap();
                } else {
                    self.world.type_line(&name, "hello");
                    await_some("the transcript", || path.exists().then_some(()));
                }
                ("transcript", Self::one(&name))
            }
            _ => {
                let Some((name, claude)) = self.any_agent() else { return ("nothing", Scope::sessions(BTreeSet::new())) };
                self.world.type_line(&name, "/exit");
                await_end(claude.pid);
                let there = self.world.tmux(["list-panes", "-a", "-F", "#{session_name}"]).lines().any(|it| it == name);
                self.live.retain(|(other, _)| *other != name || there);
                self.live.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, it)| *it = None);
                if there {
                    // Below a shell: the pane stays, with the program after the agent.
                    await_some("what follows the agent", || {
                        let panes = self.world.tmux(["list-panes", "-s", "-t", &format!("={name}"), "-F", "#{pane_pid}"]);
                        let comm = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                        panes.lines().all(|pid| comm(pid).trim() == "sleep").then_some(())
                    });
                }
                ("exit", Self::one(&name))
            }
        }
    }

    fn any_agent(&mut self) -> Option<(String, support::Claude)> {
        let all: Vec<_> = self.live.iter().filter_map(|(name, claude)| Some((name.clone(), claude.clone()?))).collect();
        if all.is_empty() { None } else { Some(all[self.dice.roll(all.len())].clone()) }
    }
}

/// What a pass says, less when it says so.
fn said(pass: &Pass) -> Value {
    let mut all = serde_json::json!({ "report": pass.report, "status": pass.status() });
    scrub(&mut all);
    all
}

fn scrub(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !matches!(key.as_str(), "observed_at" | "first_seen" | "settles_at"));
            // The journal, the diff and the edits hold the moment a session was found dead.
            for (key, value) in fields.iter_mut() {
                if key == "diff" {
                    let text = value.as_str().unwrap_or_default().lines().filter(|line| !line.contains("terminated_at"));
                    *value = text.collect::<Vec<_>>().join("\n").into();
                }
            }
            let is_stamp = fields.get("path").and_then(Value::as_str).is_some_and(|path| path.ends_with("terminated_at"));
            if is_stamp {
                fields.remove("to");
            }
            fields.values_mut().for_each(scrub);
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        _ => {}
    }
}

/// What a source would call such a change.
fn reason(what: &str) -> Reason {
    match what {
        // As of an agent that has no registry.
        "clear" | "transcript" => Reason::Transcript,
        "kill" | "exit" => Reason::Process(1),
        _ => Reason::Mux(server("default")),
    }
}

fn play(seed: u64) {
    let mut scene = Scene::new(seed);
    let looking = scene.options(Mode::Look);
    let mut narrow = PassRunner::new(Arc::new(scene.view()), looking.clone());
    let mut recording = PassRunner::new(Arc::new(scene.view()), scene.options(Mode::Record));
    let mut queue = Queue::new();
    let mut history = Vec::new();
    for _ in 0..14 {
        let (what, scope) = scene.change();
        history.push(what);
        queue.push(Wake { reason: reason(what), scope });
        // Now and then several changes meet one pass.
        if scene.dice.roll(3) == 0 {
            continue;
        }
        let scope = queue.take().unwrap().scope.unwrap();
        let full = pass::run(&scene.view(), &looking).unwrap();
        let part = narrow.pass(&scope).unwrap();
        assert_eq!(said(&part), said(&full), "seed {seed}, {scope:?} after {history:?}");
        // It records what it sees, and the truth is then in the file: a look at everything finds nothing left to write.
        recording.pass(&scope).unwrap();
        let after = pass::run(&scene.view(), &looking).unwrap();
        assert_eq!(after.report.diff, "", "seed {seed}, {scope:?} after {history:?}: {}", scene.text());
    }
}

#[test]
fn on_a_real_server_passes_about_a_part_end_where_passes_about_all_end() {
    for seed in 1..=3 {
        play(seed);
    }
}

#[test]
fn the_look_that_answers_two_wakes_misses_no_transcript_that_went_while_a_session_came() {
    let scene = Scene::new(0);
    let cwd = scene.world.workspace("w");
    let claude = scene.world.claude_session("lane", &cwd);
    let transcript = scene.world.prompt("lane", &cwd, &claude);
    scene.declare(&format!(
        "  - {{ name: lane, agent: claude, cwd: {:?}, status: running, session_id: {} }}\n",
        cwd.display().to_string(),
        claude.id
    ));
    // It has to remember that the transcript was there.
    let mut narrow = PassRunner::new(Arc::new(scene.view()), scene.options(Mode::Record));
    let stale = |pass: &Pass| pass.report.drifts.iter().filter(|drift| drift.class == Class::StaleId).count();
    assert_eq!(stale(&narrow.pass(&Scope::ALL).unwrap()), 0);
    std::fs::remove_file(transcript).unwrap();
    scene.world.session("other", &cwd, "exec sleep 1000");
    let mut queue = Queue::new();
    queue.push(Wake { reason: Reason::Mux(server("default")), scope: Scope::server(server("default")) });
    queue.push(Wake { reason: Reason::Transcript, scope: Scene::one("lane") });
    let both = queue.take().unwrap().scope.unwrap();
    assert_eq!(stale(&narrow.pass(&both).unwrap()), 1, "{both:?}");
}

#[test]
fn a_manifest_edited_between_two_passes_is_judged_as_it_is_now() {
    let scene = Scene::new(0);
    let cwd = scene.world.workspace("w");
    scene.world.claude_session("lane", &cwd);
    let mut narrow = PassRunner::new(Arc::new(scene.view()), scene.options(Mode::Look));
    let nothing = Scope::sessions(BTreeSet::new());
    assert_eq!(narrow.pass(&nothing).unwrap().report.counts.declared, 0);
    scene.declare(&format!("  - name: lane\n    agent: claude\n    cwd: {}\n", cwd.display()));
    let pass = narrow.pass(&nothing).unwrap();
    assert_eq!((pass.report.counts.declared, pass.report.counts.running), (1, 1));
    assert!(!pass.report.diff.is_empty());
}

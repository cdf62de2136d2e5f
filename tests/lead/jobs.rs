//! Jobs that headcount runs, in a real tmux and with stand-ins that write what Claude Code and Codex write: what they end as, what
//! becomes of them when something is killed, and that nothing is done twice.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::{await_end, await_some};
use super::{Ran, Scene, is_alive};

/// What `claude -p` writes, and what `codex exec --json` does. What a prompt holds says what happens: `@@exit N`, `@@hang`, `@@slow S`,
/// `@@mute` (nothing is written), `@@deaf` (it ends by no signal that asks), `@@child` (the agent itself is a child). Each conversation is a file, and one that is begun or gone
/// on in by two at a time leaves `second`.
pub(super) const AGENT: &str = r#"#!/usr/bin/env python3
import fcntl, json, os, re, signal, subprocess, sys, time, uuid
words, name = sys.argv[1:], os.path.basename(sys.argv[0])
prompt = sys.stdin.read()
home = os.environ["HOME"] + "/talks"
os.makedirs(home, exist_ok=True)
def after(*flags):
    return next((words[at + 1] for at, word in enumerate(words[:-1]) if word in flags), None)
resumed = after("--resume") if name == "claude" else after("resume")
own = resumed or after("--session-id") or str(uuid.uuid4())
path = f"{home}/{own}"
# One that was killed before it had written its first prompt down has no conversation either.
if resumed and not (os.path.exists(path) and os.path.getsize(path)):
    print(f"no conversation {resumed}", file=sys.stderr)
    sys.exit(1)
told = prompt if not resumed else open(path).read().split("\0")[0]
if "@@child" in prompt and "child" not in os.environ:
    sys.exit(subprocess.run([sys.executable, sys.argv[0]] + words, input=prompt, text=True, env={**os.environ, "child": "1"}).returncode)
alone = open(f"{path}.lock", "a")
try:
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    open(os.environ["HOME"] + "/second", "a").write(f"{own}\n")
def say(**line):
    print(json.dumps(line), flush=True)
if "@@mute" not in prompt:
    if name == "claude":
        say(type="system", subtype="init", session_id=own)
    else:
        say(type="thread.started", thread_id=own)
with open(path, "a") as file:
    file.write(prompt + "\0")
slow = re.search(r"@@slow ([0-9.]+)", prompt)
time.sleep(float(slow.group(1)) if slow else 0)
if "@@deaf" in prompt:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "@@hang" in prompt:
    time.sleep(600)
code = re.search(r"@@exit (\d+)", told)
if code and int(code.group(1)):
    sys.exit(int(code.group(1)))
if "@@fail" in told:
    say(type="result", subtype="error_during_execution", is_error=True, errors=["the model said no"])
    sys.exit(1)
answer = f"done: {len(told)} {prompt[:20]}"
if name == "claude":
    say(type="assistant", message={"content": [{"type": "text", "text": answer}]}, session_id=own)
    say(type="result", subtype="success", is_error=False, result=answer, session_id=own)
else:
    say(type="item.completed", item={"type": "agent_message", "text": answer})
    say(type="turn.completed")
"#;

/// A scene without entries, with both stand-ins.
fn scene() -> Scene {
    let scene = Scene::new("  []\n");
    std::fs::write(scene.manifest(), "version: 1\nlead: { backoff: { first: 0s, most: 0s } }\nsessions: []\n").unwrap();
    for name in ["claude", "codex"] {
        scene.world.program(name, AGENT);
    }
    scene
}

impl Scene {
    fn job(&self, agent: &str, prompt: &str, more: &[&str]) -> String {
        let words = ["job", "run", "--agent", agent, "--headless", "--permissions", "edit", "--prompt", prompt];
        // A server that just ends says nothing of its sessions, and then nothing is begun.
        let begun = || Some(self.run(&[&words[..], more].concat())).filter(|ran| !ran.stderr.contains("error: unknown: "));
        await_some("the job", begun).is(0).stdout.lines().next().unwrap().to_owned()
    }

    fn job_file(&self, id: &str, name: &str) -> PathBuf {
        self.state().join("jobs").join(id).join(name)
    }

    fn job_text(&self, id: &str, name: &str) -> String {
        std::fs::read_to_string(self.job_file(id, name)).unwrap_or_default()
    }

    fn job_done(&self, id: &str) -> Value {
        await_some("the end of the job", || serde_json::from_str(&self.job_text(id, "done")).ok())
    }

    fn job_launcher(&self, id: &str) -> u32 {
        await_some("the launcher", || {
            let lock: Value = serde_json::from_str(&self.job_text(id, "lock")).ok()?;
            u32::try_from(lock["pid"].as_u64()?).ok()
        })
    }

    fn job_agent(&self, id: &str, attempt: usize) -> u32 {
        await_some("the agent", || self.job_text(id, &format!("agent.{attempt}")).trim().parse().ok())
    }

    /// What its agent said. There `-f` follows.
    fn job_logs(&self, id: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(self.world.variables()).args(["job", "logs", "-f", id]);
        Ran::from(command.output().unwrap())
    }

    /// What the pane of a job shows.
    fn job_pane(&self, session: &str) -> String {
        self.world.tmux(["capture-pane", "-p", "-t", &format!("={session}:")])
    }

    fn prompts(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.world.home().join("talks")).into_iter().flatten();
        let all = all.map(|file| file.unwrap().path()).filter(|path| path.extension().is_none());
        all.map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_job_is_done_and_says_so_in_each_of_its_files_and_in_its_pane() {
    let scene = scene();
    for agent in ["claude", "codex"] {
        let notified = scene.world.root().join(format!("{agent}.notified"));
        let command = format!("cat >>'{}'; echo >>'{}'", notified.display(), notified.display());
        let id = scene.job(agent, "do it", &["--name", "fix.1", "--notify", &command]);
        assert_eq!(scene.run(&["job", "wait", &id]).is(0).stdout, format!("{id}: completed.\n"));
        let done = scene.job_done(&id);
        assert_eq!(
            (done["outcome"].as_str(), done["code"].as_i64(), done["attempts"].as_i64()),
            (Some("completed"), Some(0), Some(1))
        );
        assert_eq!(done["last_message"], "done: 5 do it");
        assert_eq!(done["session_id"].as_str().unwrap(), scene.job_text(&id, "session-id").trim());
        assert_eq!(scene.job_text(&id, "prompt"), "do it");
        await_some("the mark of the end", || scene.job_pane(&format!("{agent}-fix_1")).contains("__TASK_DONE__").then_some(()));
        await_some("what is told", || notified.exists().then_some(()));
        let events = scene.run(&["job", "events", &id, "--json"]).is(0).stdout;
        let kinds: Vec<Value> =
            events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone()).collect();
        assert_eq!(kinds, ["started", "completed"]);
        assert!(scene.job_logs(&id).is(0).stdout.contains("done: 5 do it"));
        let listed = scene.run(&["job", "list", "--json"]).is(0).json();
        let of = |row: &&Value| row["job_id"] == id.as_str();
        let run = listed["jobs"].as_array().unwrap().iter().find(of).unwrap()["run"].clone();
        assert_eq!((run["state"].as_str(), run["last_line"].as_str()), (Some("over"), Some("done: 5 do it")));
        let status = scene.run(&["status", "--json"]).is(0).json();
        assert!(status["jobs"].as_array().unwrap().iter().any(|row| row["job"] == id.as_str() && row["state"] == "completed"));
        assert!(status["sessions"].as_array().unwrap().is_empty(), "no entry: {status}");
        // Told once, also by whoever comes later.
        scene.run(&["job", "resume", &id]).is(0);
        assert_eq!(std::fs::read_to_string(&notified).unwrap().matches("headcount/job-done/v1").count(), 1);
        // Its name is taken as long as its pane is there.
        let again = ["job", "run", "--agent", agent, "--headless", "--permissions", "edit", "--prompt", "x", "--name", "fix.1"];
        assert!(scene.run(&again).is(3).stderr.contains("nothing was done"));
        scene.run(&["job", "stop", &id]).is(0);
        scene.run(&again).is(0);
    }
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_made() {
    let scene = scene();
    let run = |more: &[&str]| scene.run(&[&["job", "run", "--headless", "--prompt", "x"][..], more].concat());
    let refused = |ran: Ran, code: i32, word: &str| assert!(ran.stderr.contains(word), "{word}: {:?}", ran.is(code));
    refused(run(&["--agent", "claude"]), 3, "nobody is there to answer");
    refused(run(&["--agent", "claude", "--permissions", "bypass"]), 3, "consent");
    refused(run(&["--agent", "pi", "--permissions", "edit"]), 3, "unsupported");
    refused(run(&["--agent", "antigravity", "--permissions", "edit"]), 3, "has not been measured");
    refused(run(&["--agent", "claude", "--permissions", "edit", "--", "--resume", "x"]), 64, "--resume");
    refused(run(&["--agent", "claude", "--permissions", "edit", "--cwd", "/nowhere"]), 1, "/nowhere");
    for name in ["", "A", "a b", "a:b", "ä", "$(touch OOPS)", "#{pid}", &"a".repeat(49)] {
        refused(run(&["--agent", "claude", "--permissions", "edit", "--name", name]), 64, "is no name");
    }
    std::fs::remove_file(scene.world.root().join("bin/codex")).unwrap();
    refused(run(&["--agent", "codex", "--permissions", "edit"]), 3, "not in the PATH");
    std::fs::write(scene.manifest(), "version: 1\nsessions:\n  - { name: claude-mine, agent: claude, cwd: /tmp }\n").unwrap();
    refused(run(&["--agent", "claude", "--permissions", "edit", "--name", "mine"]), 3, "declared");
    assert!(!scene.state().join("jobs").exists(), "nothing is left");
    assert!(!scene.world.root().join("lab/OOPS").exists());
    assert!(scene.prompts().is_empty());
}

#[test]
fn a_prompt_arrives_as_it_is() {
    let scene = scene();
    let long = format!("{}\n\"'`$(touch OOPS)`\\ ; # {{}} é\t\n", "0123456789".repeat(10 << 10));
    let file = scene.world.root().join("task.md");
    std::fs::write(&file, &long).unwrap();
    let words = ["job", "run", "--agent", "codex", "--headless", "--permissions", "edit", "--wait", "--file"];
    scene.run(&[&words[..], &[file.to_str().unwrap()]].concat()).is(0);
    assert_eq!(scene.prompts(), [format!("{long}\0")]);
    assert!(!scene.world.root().join("lab/OOPS").exists());
    let id = scene.job("claude", "--help\n$(touch OOPS)", &["--name", "-x"]);
    scene.run(&["job", "wait", &id]).is(0);
    assert!(scene.prompts().contains(&"--help\n$(touch OOPS)\0".to_owned()));
}

#[test]
fn an_agent_that_fails_is_tried_again_and_the_job_fails_with_its_reason() {
    let scene = scene();
    // It names its conversation and brings nothing.
    for (prompt, attempts) in [("@@exit 7", 3), ("@@fail", 3), ("@@mute @@exit 7", 3)] {
        let id = scene.job("claude", prompt, &[]);
        let ran = scene.run(&["job", "wait", &id]);
        let done = scene.job_done(&id);
        assert_eq!(ran.code, Some(1), "{prompt}: {ran:?} {done}");
        let known = (done["outcome"].as_str(), done["attempts"].as_i64());
        assert_eq!(known, (Some("failed"), Some(attempts)), "{prompt}: {done}");
        let code = done["code"].as_i64().unwrap();
        let session = format!("claude-{id}");
        await_some("the mark", || scene.job_pane(&session).contains(&format!("__TASK_FAILED__ {code}")).then_some(()));
        assert!(!scene.job_pane(&session).contains("__TASK_DONE__"));
    }
    // The prompt is said again only where it never began.
    let of = |prompt: &str| scene.prompts().iter().map(|said| said.matches(&format!("{prompt}\0")).count()).sum::<usize>();
    assert_eq!(of("@@mute @@exit 7"), 3);
}

#[test]
fn the_time_of_a_job_ends_and_so_does_its_agent() {
    let scene = scene();
    let id = scene.job("codex", "@@hang", &["--deadline", "1s"]);
    let agent = scene.job_agent(&id, 1);
    let done = scene.job_done(&id);
    assert_eq!((done["outcome"].as_str(), done["reason"].as_str()), (Some("failed"), Some("its time is over")));
    await_end(agent);
}

#[test]
fn stopping_ends_the_agent_its_pane_and_the_job_whoever_is_left() {
    let scene = scene();
    for killed in [false, true] {
        let id = scene.job("claude", "@@hang @@child", &[]);
        let (agent, launcher) = (scene.job_agent(&id, 1), scene.job_launcher(&id));
        scene.run(&["job", "cancel", &id]).is(3);
        if killed {
            kill(launcher);
            await_end(launcher);
            assert!(is_alive(agent), "it outlives its launcher");
        }
        assert_eq!(scene.run(&["job", "stop", &id]).is(0).stdout, format!("{id}: stopped.\n"));
        await_end(agent);
        await_end(launcher);
        assert_eq!(scene.job_done(&id)["outcome"], "stopped");
        assert_eq!(scene.run(&["job", "show", &id, "--json"]).is(0).json()["job"]["status"], "cancelled");
        // Nothing goes on with it.
        scene.run(&["job", "resume", &id]).is(0);
        scene.run(&["job", "resume", "--all"]).is(0);
        scene.run(&["job", "prune", "--older-than", "0s"]).is(0);
        assert!(!scene.state().join("jobs").join(&id).exists());
    }
}

#[test]
fn a_job_goes_on_in_its_conversation_whatever_is_killed() {
    let scene = scene();
    for victim in ["agent", "launcher", "pane", "server"] {
        let id = scene.job("codex", "hello @@slow 1", &["--name", victim]);
        let (agent, launcher) = (scene.job_agent(&id, 1), scene.job_launcher(&id));
        let talk = |conversation: &str| std::fs::read_to_string(scene.world.home().join("talks").join(conversation));
        // What it had not taken in would be said again.
        await_some("the prompt", || talk(scene.job_text(&id, "session-id").trim()).ok().filter(|talk| talk.ends_with('\0')));
        match victim {
            "agent" => kill(agent),
            "launcher" => {
                kill(launcher);
                await_end(launcher);
            }
            "pane" => drop(scene.world.tmux(["kill-session", "-t", &format!("=codex-{victim}")])),
            _ => scene.world.crash_server(),
        }
        if victim != "agent" {
            await_end(launcher);
            await_some("a lost job", || {
                let listed = scene.run(&["job", "list", "--json"]).is(0).json();
                let row = listed["jobs"].as_array().unwrap().iter().find(|row| row["job_id"] == id.as_str()).cloned();
                (row.unwrap()["run"]["state"] == "lost").then_some(())
            });
            // A look does nothing.
            scene.run(&["status"]).is(0);
            assert!(scene.job_text(&id, "done").is_empty());
            assert_eq!(scene.run(&["job", "resume", &id]).is(0).stdout, format!("{id}: begun.\n"));
            assert!(scene.run(&["job", "resume", &id]).is(0).stdout.contains("skipped"));
        }
        let done = scene.job_done(&id);
        assert_eq!(done["outcome"], "completed", "{victim}: {done}");
        let expected = if victim == "launcher" { "hello @@slow 1\0" } else { "hello @@slow 1\0Continue the previous task\0" };
        assert_eq!(talk(done["session_id"].as_str().unwrap()).unwrap(), expected, "{victim}");
    }
    assert!(!scene.saw_a_second());
}

#[test]
fn an_enforcing_watch_goes_on_with_what_was_lost() {
    let scene = scene();
    let id = scene.job("claude", "hello @@slow 2", &[]);
    await_some("the conversation", || (!scene.job_text(&id, "session-id").is_empty()).then_some(()));
    scene.world.crash_server();
    await_end(scene.job_launcher(&id));
    let mut watch = scene.command(&["watch", "--enforce", "--interval", "1s"]);
    let mut watch = watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let done = scene.job_done(&id);
    assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(2)));
    let _ = watch.kill();
    let _ = watch.wait();
    assert!(!scene.saw_a_second());
}

#[test]
fn what_starts_the_agent_may_be_killed_and_no_second_one_begins() {
    let scene = scene();
    let id = scene.job("claude", "hello @@child @@slow 1", &[]);
    await_some("the conversation", || (!scene.job_text(&id, "session-id").is_empty()).then_some(()));
    kill(scene.job_agent(&id, 1));
    assert_eq!(scene.job_done(&id)["outcome"], "completed");
    assert!(!scene.saw_a_second());
}

#[test]
fn an_agent_that_will_not_end_is_killed_only_if_somebody_says_so() {
    let scene = scene();
    let id = scene.job("codex", "@@hang @@deaf", &[]);
    await_some("the conversation", || (!scene.job_text(&id, "session-id").is_empty()).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    scene.run(&["job", "stop", &id, "--timeout", "500ms"]).is(75);
    let agent = scene.job_agent(&id, 1);
    assert!(is_alive(agent));
    scene.run(&["job", "stop", &id, "--kill"]).is(0);
    await_end(agent);
    assert_eq!(scene.job_done(&id)["outcome"], "stopped");
}

#[test]
fn what_was_lost_waits_while_its_name_is_somebody_elses() {
    let scene = scene();
    let id = scene.job("codex", "hello @@slow 1", &["--name", "taken"]);
    let launcher = scene.job_launcher(&id);
    scene.world.crash_server();
    await_end(launcher);
    scene.world.tmux(["new-session", "-d", "-s", "codex-taken", "sleep 60"]);
    assert!(scene.run(&["job", "resume", &id]).is(3).stdout.contains("foreign-name"));
    scene.world.tmux(["kill-session", "-t", "=codex-taken"]);
    scene.run(&["job", "resume", "--all"]).is(0);
    assert_eq!(scene.job_done(&id)["outcome"], "completed");
    let failing = ["job", "run", "--agent", "claude", "--headless", "--permissions", "edit", "--prompt", "@@fail", "--wait"];
    scene.run(&failing).is(1);
}

/// How many jobs are killed at: a few as a test, many by `./x soak jobs`.
fn soaked() -> usize {
    std::env::var("HEADCOUNT_SOAK_JOBS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

#[test]
fn jobs_that_are_killed_at_random_moments_end_once_and_none_is_lost() {
    let all = soaked();
    let worlds = 4;
    let seed: u64 = std::env::var("HEADCOUNT_SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let soak = |world: usize| move || soak(seed.wrapping_add(world as u64), all.div_ceil(worlds));
        let running: Vec<_> = (0..worlds).map(|world| scope.spawn(soak(world))).collect();
        running.into_iter().map(|world| world.join().unwrap()).collect()
    });
    let sum = |of: fn(&Tally) -> usize| tallies.iter().map(of).sum::<usize>();
    eprintln!(
        "{} jobs, {} kills ({} agents, {} launchers, {} panes, {} servers, {} watches): {} completed, {} failed, {} attempts",
        sum(|it| it.jobs),
        sum(|it| it.kills.iter().sum()),
        sum(|it| it.kills[0]),
        sum(|it| it.kills[1]),
        sum(|it| it.kills[2]),
        sum(|it| it.kills[3]),
        sum(|it| it.kills[4]),
        sum(|it| it.completed),
        sum(|it| it.failed),
        sum(|it| it.attempts),
    );
    assert_eq!(sum(|it| it.completed) + sum(|it| it.failed), sum(|it| it.jobs));
}

#[derive(Default)]
struct Tally {
    jobs: usize,
    kills: [usize; 5],
    completed: usize,
    failed: usize,
    attempts: usize,
}

fn watching(scene: &Scene) -> Child {
    let mut watch = scene.command(&["watch", "--enforce", "--interval", "1s"]);
    watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// One job after another in one world, with a watch that goes on with what is lost, and killers that never rest.
fn soak(seed: u64, jobs: usize) -> Tally {
    let scene = scene();
    let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut roll = move |most: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % most
    };
    let mut tally = Tally { jobs, ..Tally::default() };
    let mut watch = watching(&scene);
    for number in 0..jobs {
        let agent = ["claude", "codex"][number % 2];
        let child = ["", " @@child"][number / 2 % 2];
        let id = scene.job(agent, &format!("task {number} @@slow 0.4{child}"), &["--attempts", "1000"]);
        let began = Instant::now();
        while scene.job_text(&id, "done").is_empty() {
            assert!(
                began.elapsed() < Duration::from_secs(300),
                "job {id} is lost: {}",
                scene.run(&["job", "show", &id]).stdout
            );
            std::thread::sleep(Duration::from_millis(roll(500)));
            // Later on it is left alone more often, or it would never end.
            if roll(4 + 4 * u64::try_from(tally.kills.iter().sum::<usize>() % 3).unwrap()) > 3 {
                continue;
            }
            let victim = usize::try_from(roll(5)).unwrap();
            let attempts = scene.job_text(&id, "attempts").matches("\"begun\"").count();
            let pid = match victim {
                0 => scene.job_text(&id, &format!("agent.{attempts}")).trim().parse().ok(),
                1 => serde_json::from_str::<Value>(&scene.job_text(&id, "lock"))
                    .ok()
                    .and_then(|it| u32::try_from(it["pid"].as_u64()?).ok()),
                3 => {
                    let asked = Command::new("tmux")
                        .arg("-S")
                        .arg(scene.world.socket())
                        .args(["display-message", "-p", "#{pid}"])
                        .output();
                    asked.ok().and_then(|it| String::from_utf8_lossy(&it.stdout).trim().parse().ok())
                }
                4 => Some(watch.id()),
                _ => None,
            };
            let is_killed = match pid {
                Some(pid) => {
                    is_alive(pid) && Command::new("kill").args(["-9", &pid.to_string()]).output().unwrap().status.success()
                }
                None if victim == 2 => {
                    let name = format!("={agent}-{id}");
                    let killed =
                        Command::new("tmux").arg("-S").arg(scene.world.socket()).args(["kill-session", "-t", &name]).output();
                    killed.unwrap().status.success()
                }
                None => false,
            };
            if is_killed {
                tally.kills[victim] += 1;
            }
            if victim == 4 {
                let _ = watch.wait();
                watch = watching(&scene);
            }
        }
        let done = scene.job_done(&id);
        let said = done["session_id"].as_str().unwrap_or_default();
        match done["outcome"].as_str() {
            Some("completed") => {
                tally.completed += 1;
                // The file agrees with what the agent wrote and with the conversation.
                let output = scene.job_text(&id, "output.log");
                let last = output.lines().rfind(|line| line.contains("done: ")).unwrap();
                assert!(last.contains(done["last_message"].as_str().unwrap()), "{last} {done}");
                let talk = std::fs::read_to_string(scene.world.home().join("talks").join(said)).unwrap();
                assert_eq!(talk.matches(&format!("task {number} ")).count(), 1, "{talk:?}");
            }
            Some("failed") => {
                assert!(!done["reason"].as_str().unwrap().is_empty());
                tally.failed += 1;
            }
            other => panic!("{other:?}"),
        }
        assert!(scene.prompts().iter().any(|talk| talk.contains(&format!("task {number} "))), "{number}");
        tally.attempts += usize::try_from(done["attempts"].as_u64().unwrap()).unwrap();
        scene.run(&["job", "stop", &id]).is(0);
    }
    let _ = watch.kill().and_then(|()| watch.wait());
    assert!(!scene.saw_a_second());
    tally
}

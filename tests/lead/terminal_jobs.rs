//! Jobs whose agent is at a terminal, in a real tmux and a real zellij: what its turns tell, what somebody can answer, and what becomes of
//! them when something is killed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::in_zellij::with_zellij;
use super::support::{await_end, await_some};
use super::zellij::Zellij;
use super::{Ran, Scene, is_alive};

/// A world with a stand-in that can be typed to, and no entry.
pub(super) struct Desk {
    pub(super) scene: Scene,
    zellij: Option<Zellij>,
}

impl Desk {
    fn new(scene: Scene, zellij: Option<Zellij>) -> Self {
        std::fs::write(scene.manifest(), "version: 1\nlead: { backoff: { first: 0s, most: 0s } }\nsessions: []\n").unwrap();
        // Two at a time in one conversation leave `second`.
        let alone = "import fcntl\nalone = open(os.path.expanduser('~/alone-' + session), 'a')\ntry:\n    \
                     fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)\nexcept OSError:\n    \
                     open(os.path.expanduser('~/second'), 'a').write(session)\nstate = {";
        let text = include_str!("../support/talking_claude.py").replacen("state = {", alone, 1);
        scene.world.program("claude", &text);
        scene.world.workspace("one");
        Self { scene, zellij }
    }

    pub(super) fn in_tmux() -> Self {
        Self::new(Scene::new("  []\n"), None)
    }

    pub(super) fn everywhere() -> impl Iterator<Item = Self> {
        let in_zellij = || with_zellij("  []\n").map(|(scene, zellij)| Self::new(scene, Some(zellij)));
        [Some(Self::in_tmux()), in_zellij()].into_iter().flatten()
    }

    fn mux(&self) -> &'static str {
        if self.zellij.is_some() { "zellij" } else { "tmux" }
    }

    pub(super) fn begin(&self, prompt: &str, more: &[&str]) -> Ran {
        let words = ["job", "run", "--agent", "claude", "--mux", self.mux(), "--prompt", prompt];
        let begun =
            || Some(self.scene.run(&[&words[..], more].concat())).filter(|ran| !ran.stderr.contains("error: unknown: "));
        await_some("the job", begun)
    }

    pub(super) fn job(&self, prompt: &str, more: &[&str]) -> String {
        self.begin(prompt, more).is(0).stdout.lines().next().unwrap().to_owned()
    }

    pub(super) fn text(&self, id: &str, name: &str) -> String {
        std::fs::read_to_string(self.scene.state().join("jobs").join(id).join(name)).unwrap_or_default()
    }

    pub(super) fn done(&self, id: &str) -> Value {
        in_time("the end of the job", || serde_json::from_str(&self.text(id, "done")).ok())
    }

    fn agent(&self, id: &str, attempt: u32) -> u32 {
        await_some("its agent", || self.text(id, &format!("agent.{attempt}")).trim().parse().ok())
    }

    fn launcher(&self, id: &str) -> u32 {
        let lock: Value = serde_json::from_str(&self.text(id, "lock")).unwrap();
        u32::try_from(lock["pid"].as_u64().unwrap()).unwrap()
    }

    pub(super) fn has_begun(&self, id: &str) {
        in_time("its prompt", || self.text(id, "output.log").contains("conversation").then_some(()));
    }

    /// Kills the server of a session.
    pub(super) fn crash(&self, session: &str) {
        match &self.zellij {
            None => self.scene.world.crash_server(),
            Some(zellij) => super::zellij::signal(zellij.server(session), rustix::process::Signal::KILL),
        }
    }

    fn state(&self, id: &str) -> String {
        let listed = self.scene.run(&["job", "list", "--json"]).is(0).json();
        let row = listed["jobs"].as_array().unwrap().iter().find(|row| row["job_id"] == id).unwrap().clone();
        row["run"]["state"].as_str().unwrap().to_owned()
    }

    pub(super) fn kinds(&self, id: &str) -> Vec<String> {
        let lines = self.scene.run(&["job", "events", id, "--json"]).is(0).stdout;
        let kind = |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned();
        lines.lines().map(kind).collect()
    }

    fn awaits_screen(&self, pane: &str, text: &str) {
        await_some(text, || self.scene.run(&["screen", pane]).stdout.contains(text).then_some(()));
    }

    /// What its agent said. There `-f` follows.
    fn logs(&self, id: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(self.scene.world.variables()).args(["job", "logs", "-f", id]);
        Ran::from(command.output().unwrap()).is(0).stdout
    }

    /// What was said in a conversation, in order.
    pub(super) fn prompts(&self, conversation: &str) -> Vec<String> {
        let id = headcount::core::ids::ConversationId(conversation.to_owned());
        let lab = self.scene.world.root().join("lab");
        let text = std::fs::read_to_string(self.scene.world.transcript(&lab, &id)).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let lines = lines.filter(|line| line["type"] == "user");
        lines.filter_map(|line| Some(line["message"]["content"].as_str()?.to_owned())).collect()
    }

    /// The pane of a session, as a REF.
    fn pane(&self, session: &str) -> String {
        match &self.zellij {
            None => {
                let id = self.scene.world.tmux(["display", "-p", "-t", &format!("={session}:"), "#{pane_id}"]);
                format!("tmux:default:{}", id.trim())
            }
            Some(_) => "zellij:default:terminal_0".to_owned(),
        }
    }
}

/// The same as `await_some` for what takes several starts on a busy machine.
pub(super) fn in_time<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_job_at_a_terminal_is_done_when_its_turn_is_and_its_agent_stays() {
    for desk in Desk::everywhere() {
        let notified = desk.scene.world.root().join("notified");
        let command = format!("cat >>'{}'; echo >>'{}'", notified.display(), notified.display());
        let id = desk.job("do it\n@@say all done", &["--name", "fix.1", "--notify", &command]);
        assert_eq!(desk.scene.run(&["job", "wait", &id, "--timeout", "60s"]).is(0).stdout, format!("{id}: completed.\n"));
        let done = desk.done(&id);
        let known = (done["outcome"].as_str(), done["attempts"].as_i64(), done["last_message"].as_str());
        assert_eq!(known, (Some("completed"), Some(1), Some("all done")), "{done}");
        let conversation = done["session_id"].as_str().unwrap();
        assert_eq!(conversation, desk.text(&id, "session-id").trim());
        assert_eq!(desk.prompts(conversation), ["do it\n@@say all done"]);
        assert_eq!(desk.kinds(&id), ["started", "completed"]);
        assert!(desk.logs(&id).contains("all done"));
        await_some("what is told", || notified.exists().then_some(()));
        let status = desk.scene.run(&["status", "--json"]).is(0).json();
        assert!(status["jobs"].as_array().unwrap().iter().any(|row| row["job"] == id.as_str() && row["state"] == "completed"));
        // Somebody can go on talking to it; that is nothing to the job.
        let (agent, launcher) = (desk.agent(&id, 1), desk.launcher(&id));
        assert!(is_alive(agent));
        let session = if desk.zellij.is_some() { "claude-fix.1" } else { "claude-fix_1" };
        let pane = desk.pane(session);
        desk.scene.run(&["ask", &pane, "and now\n@@say more", "--yes"]).is(0);
        desk.scene.run(&["job", "resume", "--all"]).is(0);
        assert_eq!(std::fs::read_to_string(&notified).unwrap().matches("headcount/job-done/v1").count(), 1);
        assert!(desk.begin("x", &["--name", "fix.1"]).is(3).stderr.contains("nothing was done"));
        // It ends with the job's pane.
        desk.scene.run(&["job", "prune", "--older-than", "0s"]).is(0);
        await_end(agent);
        await_end(launcher);
        assert!(!desk.scene.state().join("jobs").join(&id).exists());
        let id = desk.job("again", &["--name", "fix.1"]);
        let waited = desk.scene.run(&["job", "wait", &id, "--timeout", "60s"]);
        assert_eq!(waited.code, Some(0), "{waited:?} {} {}", desk.text(&id, "asks"), desk.text(&id, "output.log"));
        // Ended by somebody at its terminal, its pane says how the job ended.
        Command::new("kill").arg(desk.agent(&id, 1).to_string()).status().unwrap();
        let pane = desk.pane(session);
        desk.awaits_screen(&pane, "__TASK_DONE__");
        desk.scene.run(&["job", "stop", &id]).is(0);
    }
}

#[test]
fn what_its_agent_asks_is_told_and_a_person_answers() {
    for desk in Desk::everywhere() {
        let id = desk.job("run it\n@@ask ls", &["--name", "asks"]);
        await_some("its question", || (desk.state(&id) == "needs-input").then_some(()));
        let pane = desk.pane("claude-asks");
        desk.awaits_screen(&pane, "Do you want to proceed?");
        await_some("its event", || desk.kinds(&id).contains(&"permission_required".to_owned()).then_some(()));
        assert!(desk.text(&id, "done").is_empty());
        let card = desk.scene.run(&["job", "show", &id]).is(0).stdout;
        assert!(card.contains("asks") && card.contains("attach") && card.contains("deadline"), "{card}");
        desk.scene.run(&["answer", &pane, "approve", "--yes"]).is(0);
        desk.scene.run(&["job", "wait", &id, "--timeout", "60s"]).is(0);
        assert_eq!(desk.kinds(&id).iter().filter(|kind| *kind == "completed").count(), 1);
        desk.scene.run(&["job", "stop", &id]).is(0);
    }
}

#[test]
fn it_goes_on_in_its_conversation_whatever_is_killed() {
    for desk in Desk::everywhere() {
        for victim in ["agent", "launcher", "server"] {
            let id = desk.job("hello\n@@slow 300", &["--name", victim]);
            desk.has_begun(&id);
            let (agent, launcher) = (desk.agent(&id, 1), desk.launcher(&id));
            match victim {
                "agent" => kill(agent),
                "launcher" => kill(launcher),
                _ => desk.crash(&format!("claude-{victim}")),
            }
            await_end(agent);
            if victim != "agent" {
                await_end(launcher);
                assert!(desk.text(&id, "done").is_empty(), "{victim}");
                let begun = || Some(desk.scene.run(&["job", "resume", &id])).filter(|ran| !ran.stdout.contains("unknown: "));
                assert_eq!(await_some("its return", begun).is(0).stdout, format!("{id}: begun.\n"));
                assert!(desk.scene.run(&["job", "resume", &id]).is(0).stdout.contains("skipped"));
            }
            let done = desk.done(&id);
            assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(2)), "{victim} {done}");
            let conversation = done["session_id"].as_str().unwrap();
            assert_eq!(desk.prompts(conversation), ["hello\n@@slow 300", "Continue the previous task"], "{victim}");
            desk.scene.run(&["job", "stop", &id]).is(0);
        }
    }
}

#[test]
fn a_turn_that_was_over_before_its_agent_was_killed_is_not_done_again() {
    let desk = Desk::in_tmux();
    let id = desk.job("hello\n@@slow 1", &[]);
    desk.has_begun(&id);
    // Its launcher sees nothing of the end.
    let (agent, launcher) = (desk.agent(&id, 1), desk.launcher(&id));
    let conversation =
        await_some("its conversation", || Some(desk.text(&id, "session-id").trim().to_owned()).filter(|id| !id.is_empty()));
    Command::new("kill").args(["-STOP", &launcher.to_string()]).status().unwrap();
    let path =
        desk.scene.world.transcript(&desk.scene.world.root().join("lab"), &headcount::core::ids::ConversationId(conversation));
    await_some("its end", || std::fs::read_to_string(&path).unwrap().contains("turn_duration").then_some(()));
    kill(launcher);
    await_end(launcher);
    await_end(agent);
    desk.scene.run(&["job", "resume", &id]).is(0);
    let done = desk.done(&id);
    assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(1)), "{done}");
}

#[test]
fn a_turn_that_fails_is_tried_again_and_what_a_person_ends_is_not() {
    let desk = Desk::in_tmux();
    let id = desk.job("@@error overloaded", &["--attempts", "2"]);
    let done = desk.done(&id);
    // The second attempt goes on, and does.
    assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(2)), "{done}");
    let id = desk.job("hello\n@@slow 300", &[]);
    desk.has_begun(&id);
    Command::new("kill").arg(desk.agent(&id, 1).to_string()).status().unwrap();
    let done = desk.done(&id);
    assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("failed"), Some(1)), "{done}");
    assert!(done["reason"].as_str().unwrap().contains("somebody ended its agent"), "{done}");
    await_some("the mark", || {
        desk.scene
            .world
            .tmux(["capture-pane", "-p", "-t", &format!("=claude-{id}:")])
            .contains("__TASK_FAILED__ 143")
            .then_some(())
    });
}

#[test]
fn stopping_and_time_end_its_agent() {
    for desk in Desk::everywhere() {
        let id = desk.job("hello\n@@slow 300", &["--name", "stopped"]);
        desk.has_begun(&id);
        let (agent, launcher) = (desk.agent(&id, 1), desk.launcher(&id));
        assert_eq!(desk.scene.run(&["job", "stop", &id]).is(0).stdout, format!("{id}: stopped.\n"));
        await_end(agent);
        await_end(launcher);
        assert_eq!(desk.done(&id)["outcome"], "stopped");
        let id = desk.job("hello\n@@slow 300", &["--name", "late", "--deadline", "8s"]);
        let done = desk.done(&id);
        assert_eq!((done["outcome"].as_str(), done["reason"].as_str()), (Some("failed"), Some("its time is over")));
        await_end(desk.agent(&id, 1));
        desk.scene.run(&["job", "stop", &id]).is(0);
        if let Some(zellij) = &desk.zellij {
            assert!(zellij.servers().is_empty(), "nothing is left");
        }
    }
}

#[test]
fn an_agent_that_nobody_uses_any_more_ends_with_its_pane() {
    for desk in Desk::everywhere() {
        // Somebody goes on with it, and then leaves a draft.
        let id = desk.job("do it\n@@say all done", &["--name", "kept", "--keep", "8s"]);
        desk.scene.run(&["job", "wait", &id, "--timeout", "60s"]).is(0);
        let (agent, launcher, pane) = (desk.agent(&id, 1), desk.launcher(&id), desk.pane("claude-kept"));
        desk.scene.run(&["ask", &pane, "and now\n@@slow 8", "--yes"]).is(0);
        let asked = Instant::now();
        assert!(is_alive(agent), "it was used after its end");
        await_end(agent);
        assert!(asked.elapsed() > Duration::from_secs(7), "its time begins anew: {:?}", asked.elapsed());
        await_end(launcher);
        assert_eq!(desk.done(&id)["outcome"], "completed");
        if let Some(zellij) = &desk.zellij {
            // It keeps a pane whose program has ended.
            assert!(!zellij.servers().is_empty());
            let mut watch = desk.scene.command(&["watch", "--enforce", "--interval", "1s"]);
            let mut watch = watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            in_time("the end of its session", || zellij.servers().is_empty().then_some(()));
            let _ = watch.kill();
            let _ = watch.wait();
        }
        desk.scene.run(&["job", "stop", &id]).is(0);
        let id = desk.job("do it\n@@say all done", &["--name", "draft", "--keep", "1s"]);
        desk.scene.run(&["job", "wait", &id, "--timeout", "60s"]).is(0);
        let agent = desk.agent(&id, 1);
        if desk.zellij.is_none() {
            desk.scene.world.tmux(["send-keys", "-t", "=claude-draft:", "-l", "half a thought"]);
            std::thread::sleep(Duration::from_secs(6));
            assert!(is_alive(agent), "a draft is a person's");
        }
        desk.scene.run(&["job", "stop", &id]).is(0);
        await_end(agent);
    }
}

#[test]
fn what_cannot_be_typed_is_refused_and_nothing_is_made() {
    let desk = Desk::in_tmux();
    for prompt in ["/clear", "!ls", "ends in \\", "esc \u{1b}[201~", &"x".repeat(101 << 10)] {
        desk.begin(prompt, &[]).is(3);
    }
    assert!(desk.begin("x", &["--permissions", "bypass"]).is(3).stderr.contains("consent"));
    assert!(!desk.scene.state().join("jobs").exists(), "nothing is left");
}

#[test]
fn an_enforcing_watch_goes_on_with_what_was_lost_at_a_terminal() {
    let desk = Desk::in_tmux();
    let id = desk.job("hello\n@@slow 300", &[]);
    desk.has_begun(&id);
    let launcher = desk.launcher(&id);
    desk.scene.world.crash_server();
    await_end(launcher);
    let mut watch = desk.scene.command(&["watch", "--enforce", "--interval", "1s"]);
    let mut watch = watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let done = desk.done(&id);
    assert_eq!((done["outcome"].as_str(), done["attempts"].as_i64()), (Some("completed"), Some(2)), "{done}");
    let _ = watch.kill();
    let _ = watch.wait();
}

/// How many jobs are killed at: a few as a test, many by `./x soak jobs`.
fn soaked() -> usize {
    std::env::var("HEADCOUNT_SOAK_JOBS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

#[test]
fn jobs_that_are_killed_at_a_terminal_end_once_and_none_is_lost() {
    let seed: u64 = std::env::var("HEADCOUNT_SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7);
    let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut roll = move |most: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % most
    };
    let desk = Desk::in_tmux();
    let watching = || {
        let mut watch = desk.scene.command(&["watch", "--enforce", "--interval", "1s"]);
        watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let (mut watch, mut kills, mut attempts) = (watching(), 0, 0);
    for number in 0..soaked() {
        let id = desk.job(&format!("task {number}\n@@slow 1"), &["--attempts", "1000"]);
        let begun = Instant::now();
        // Later on it is left alone, or it would never end.
        let mut left = 1 + roll(4);
        while desk.text(&id, "done").is_empty() {
            assert!(begun.elapsed().as_secs() < 300, "job {id} is lost: {}", desk.scene.run(&["job", "show", &id]).stdout);
            std::thread::sleep(Duration::from_millis(roll(1500)));
            if left == 0 {
                continue;
            }
            let attempt = desk.text(&id, "attempts").matches("\"begun\"").count();
            let pid = match roll(5) {
                0 => desk.text(&id, &format!("agent.{attempt}")).trim().parse().ok(),
                1 => serde_json::from_str::<Value>(&desk.text(&id, "lock")).ok().and_then(|it| it["pid"].as_u64()),
                2 => {
                    let mut tmux = Command::new("tmux");
                    tmux.arg("-S").arg(desk.scene.world.socket()).args(["kill-session", "-t", &format!("=claude-{id}")]);
                    left -= u64::from(tmux.output().unwrap().status.success());
                    None
                }
                3 => {
                    let mut tmux = Command::new("tmux");
                    tmux.arg("-S").arg(desk.scene.world.socket()).args(["display-message", "-p", "#{pid}"]);
                    String::from_utf8_lossy(&tmux.output().unwrap().stdout).trim().parse().ok()
                }
                _ => {
                    let _ = watch.kill();
                    let _ = watch.wait();
                    watch = watching();
                    None
                }
            };
            if let Some(pid) = pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| is_alive(*pid)) {
                left -= u64::from(Command::new("kill").args(["-9", &pid.to_string()]).output().unwrap().status.success());
                kills += 1;
            }
        }
        let done = desk.done(&id);
        assert_eq!(done["outcome"], "completed", "{done}");
        // The file agrees with the transcript, and the prompt was said once.
        let said = desk.prompts(done["session_id"].as_str().unwrap());
        assert_eq!(said.iter().filter(|said| said.starts_with(&format!("task {number}\n"))).count(), 1, "{said:?} {done}");
        assert!(said.iter().skip(1).all(|said| said == "Continue the previous task"), "{said:?}");
        attempts += done["attempts"].as_u64().unwrap();
        desk.scene.run(&["job", "stop", &id]).is(0);
    }
    let _ = watch.kill();
    let _ = watch.wait();
    eprintln!("{} jobs at a terminal, {kills} kills, {attempts} attempts", soaked());
    assert!(!desk.scene.saw_a_second());
}

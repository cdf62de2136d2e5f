//! The verbs that make a pass, against a private tmux server with stand-in agents.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Ran, program};
use crate::world::{World, await_some};

/// A world with a manifest: `alive` runs and is not recorded yet, `gone` is recorded as running and is not there.
pub(crate) struct Scene {
    pub(crate) world: World,
}

const DEAD: &str = "  - name: gone-creator-claude\n    agent: claude\n    cwd: /tmp\n    status: running\n";

impl Scene {
    pub(crate) fn new(manifest: &str) -> Self {
        let scene = Self { world: World::new() };
        std::fs::write(scene.manifest(), manifest).unwrap();
        scene
    }

    /// One session that is alive, one that is gone.
    pub(crate) fn drifted() -> Self {
        let scene = Self::new("");
        let cwd = scene.world.workspace("alive");
        scene.world.claude_session("alive-creator-claude", &cwd);
        let alive = format!(
            "  - name: alive-creator-claude   # a comment that stays\n    agent: claude\n    cwd: {}\n    labels: {{ team: web }}\n",
            cwd.display()
        );
        std::fs::write(scene.manifest(), format!("version: 1\nsessions:\n{alive}{DEAD}")).unwrap();
        scene
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.world.root().join("agent-sessions.yaml")
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.manifest()).unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).env_clear().envs(self.world.variables()).current_dir(self.world.root()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// The document a verb prints, which must agree with its schema.
    pub(crate) fn document(&self, arguments: &[&str], schema: &str) -> Value {
        let ran = self.run(arguments);
        let document: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no JSON: {ran:?}"));
        let schema: Value = serde_json::from_str(&self.run(&["schema", schema]).stdout).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?} in {document}");
        document
    }
}

#[test]
fn diff_ends_with_2_on_drift_0_in_sync_and_writes_nothing() {
    let scene = Scene::drifted();
    let before = scene.text();
    let ran = scene.run(&["diff", "--settle", "0s"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), ""), "{}", ran.stdout);
    assert!(ran.stdout.contains("- gone-creator-claude\n    dead "), "{}", ran.stdout);
    assert!(ran.stdout.contains("Run `headcount record` to record them.\n"), "{}", ran.stdout);
    assert_eq!(scene.text(), before);
    assert!(!scene.world.home().join(".local").exists());

    assert_eq!(scene.run(&["record", "--settle", "0s"]).code, Some(0));
    let ran = scene.run(&["diff", "--settle", "0s"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "In sync: 2 declared, 1 running. Nothing to record.\n"));
}

#[test]
fn verbose_adds_the_evidence_and_to_a_diff_the_edits_that_its_patch_shows_anyway() {
    let scene = Scene::drifted();
    let (edit, fact) = ("~ status: running → terminated", "tmux:default answered without it");
    for (arguments, edits, facts) in [
        (&["diff", "--settle", "0s"][..], false, false),
        (&["diff", "--settle", "0s", "-v"], true, true),
        (&["record", "--settle", "0s", "--dry-run"], true, false),
        (&["record", "--settle", "0s", "--dry-run", "-v"], true, true),
    ] {
        let stdout = scene.run(arguments).stdout;
        assert_eq!((stdout.contains(edit), stdout.contains(fact)), (edits, facts), "{arguments:?}\n{stdout}");
        assert_eq!(stdout.contains("\n-    status: running\n+    status: terminated\n"), arguments[0] == "diff", "{stdout}");
    }
    let json = |arguments: &[&str]| scene.document(arguments, "report")["drifts"][0]["evidence"].clone();
    assert!(!json(&["diff", "--json", "--settle", "0s"]).as_array().unwrap().is_empty(), "a report has its evidence always");
}

#[test]
fn the_patch_that_diff_prints_gives_what_record_writes() {
    let scene = Scene::drifted();
    let ran = scene.run(&["diff", "--settle", "0s"]);
    let patched = scene.world.root().join("patched.yaml");
    std::fs::copy(scene.manifest(), &patched).unwrap();
    let patch = scene.world.root().join("all.patch");
    std::fs::write(&patch, &ran.stdout).unwrap();
    let status = Command::new("patch").args(["-s", "-p0"]).arg(&patched).arg(&patch).status().unwrap();
    assert!(status.success());
    scene.run(&["record", "--settle", "0s"]);
    let stamp = |text: &str| text.lines().filter(|line| !line.contains("terminated_at")).collect::<Vec<_>>().join("\n");
    assert_eq!(stamp(&std::fs::read_to_string(patched).unwrap()), stamp(&scene.text()));
}

#[test]
fn record_records_says_what_and_keeps_comments() {
    let scene = Scene::drifted();
    let ran = scene.run(&["record", "--once", "--settle", "0s"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("Marked terminated.\n") && ran.stdout.contains("~ status: running → terminated"),
        "{}",
        ran.stdout
    );
    assert!(scene.text().contains("# a comment that stays") && scene.text().contains("status: terminated"), "{}", scene.text());
    let history = scene.run(&["history"]);
    assert!(history.stdout.starts_with("ENTRY"), "{}", history.stdout);
    let one = scene.run(&["history", "-n", "1", "gone-*"]);
    assert_eq!(one.stdout.lines().count(), 3, "{}", one.stdout);
    assert!(one.stdout.contains("gone-creator-claude"), "{}", one.stdout);
}

#[test]
fn a_dry_run_says_the_same_and_records_nothing() {
    let scene = Scene::drifted();
    let before = scene.text();
    let ran = scene.run(&["record", "--dry-run", "--settle", "0s"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stdout.contains("To be marked terminated.\n") && ran.stdout.contains("Not recorded (dry run)"),
        "{}",
        ran.stdout
    );
    assert_eq!(scene.text(), before);
    assert!(!scene.world.home().join(".local").exists());
}

#[test]
fn with_exit_code_status_and_record_tell_drift_too() {
    let scene = Scene::drifted();
    assert_eq!(scene.run(&["status"]).code, Some(0));
    assert_eq!(scene.run(&["status", "--exit-code"]).code, Some(2));
    assert_eq!(scene.run(&["record", "--exit-code", "--settle", "0s"]).code, Some(2));
    assert_eq!(scene.run(&["record", "--exit-code", "--settle", "0s"]).code, Some(0));
    assert_eq!(scene.run(&["status", "--exit-code", "--settle", "0s"]).code, Some(0));
}

#[test]
fn what_is_unknown_is_4_never_in_sync() {
    let manifest =
        "version: 1\nsessions:\n  - { name: x-creator-claude, agent: claude, cwd: /tmp, server: canary, status: running }\n";
    let scene = Scene::new(manifest);
    // A server that accepts and never answers.
    let _wedged = UnixListener::bind(scene.world.named_socket("canary")).unwrap();
    let ran = scene.run(&["diff"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
    assert!(ran.stdout.starts_with("No drift seen, but something is unknown.\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Unknown:\n  tmux:canary"), "{}", ran.stdout);
    assert_eq!(scene.run(&["status", "--exit-code"]).code, Some(4));
    assert_eq!(scene.run(&["record", "--exit-code"]).code, Some(4));
    assert_eq!(scene.run(&["record"]).code, Some(0));
    assert_eq!(scene.text(), manifest);
}

#[test]
fn the_documents_agree_with_their_schemas_and_record_announces_a_drift_once() {
    let scene = Scene::drifted();
    let status = scene.document(&["status", "--json"], "status");
    assert_eq!(status["sessions"].as_array().unwrap().len(), 2);
    let diff = scene.document(&["diff", "--json", "--class", "dead"], "report");
    assert_eq!((diff["dry_run"].as_bool(), diff["drifts"][0]["class"].as_str()), (Some(true), Some("dead")));
    std::fs::write(scene.manifest(), format!("version: 1\nsessions:\n{DEAD}    ignore: [dead]\n  - {{ name: b-creator-claude, agent: claude, cwd: /tmp, status: stopped, session_id: 00000000-0000-4000-8000-000000000000 }}\n")).unwrap();
    let news = |arguments: &[&str]| scene.document(arguments, "report")["counts"]["new"].as_u64().unwrap();
    let first = news(&["record", "--json", "--settle", "0s", "b-*"]);
    assert_eq!(first, 1);
    assert_eq!(news(&["record", "--json", "--settle", "0s", "b-*"]), 0);
    assert_eq!(news(&["record", "--json", "--settle", "0s", "b-*", "--consumer", "ci"]), 1);
    assert_eq!(news(&["record", "--json", "--settle", "0s", "b-*", "--consumer", "ci"]), 0);
}

/// Scripts know `record` as `reconcile`, with these flags.
#[test]
fn the_older_name_of_record_does_the_same_with_all_its_flags() {
    let scene = Scene::drifted();
    let older =
        ["reconcile", "--once", "--emit-diff", "--dry-run", "--settle", "0s", "--consumer", "ci", "--lock-timeout", "1s"];
    let newer = ["record", "--json", "--dry-run", "--settle", "0s", "--consumer", "ci"];
    // Two runs may fall into two seconds.
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d:.]+Z").unwrap();
    let report = |arguments: &[&str]| {
        let report = scene.document(arguments, "report").to_string();
        time.replace_all(&report, "TIME").into_owned()
    };
    // Two passes may fall into two seconds, and their times differ then.
    assert!((0..5).any(|_| report(&older) == report(&newer)), "{} {}", report(&older), report(&newer));
    assert_eq!(scene.run(&["reconcile", "--exit-code", "--settle", "0s"]).code, Some(2));
    assert!(scene.text().contains("terminated"), "{}", scene.text());
}

#[test]
fn other_words_for_a_command_do_the_same() {
    let scene = Scene::drifted();
    for word in ["ls", "ps"] {
        assert_eq!(scene.run(&[word, "-o", "name"]).stdout, scene.run(&["status", "-o", "name"]).stdout);
    }
    assert_eq!(scene.run(&["validate"]).stdout, scene.run(&["check"]).stdout);
}

/// The same document, whichever way it is asked for.
#[test]
fn every_document_is_there_as_json_and_as_yaml() {
    let scene = Scene::drifted();
    scene.run(&["record", "--settle", "0s"]);
    for verb in [&["status"][..], &["diff"], &["record", "--dry-run"], &["history"], &["job", "list"]] {
        let run = |more: &[&str]| scene.run(&[verb, more].concat()).stdout;
        let mut documents = [
            serde_json::from_str::<serde_json::Value>(&run(&["--json"])).unwrap(),
            serde_json::from_str(&run(&["-o", "json"])).unwrap(),
            serde_yaml::from_str(&run(&["-o", "yaml"])).unwrap(),
        ];
        for document in &mut documents {
            assert!(document["schema"].as_str().unwrap().starts_with("headcount/"), "{verb:?}");
            document.as_object_mut().unwrap().remove("observed_at");
        }
        assert_eq!(documents[0], documents[1], "{verb:?}");
        assert_eq!(documents[0], documents[2], "{verb:?}");
    }
}

#[test]
fn selection_narrows_what_is_shown_and_recorded() {
    let scene = Scene::drifted();
    let names = |arguments: &[&str]| scene.run(&[&["status", "-o", "name"], arguments].concat()).stdout;
    assert_eq!(names(&[]), "alive-creator-claude\ngone-creator-claude\n");
    assert_eq!(names(&["gone-*"]), "gone-creator-claude\n");
    assert_eq!(names(&["-l", "team=web"]), "alive-creator-claude\n");
    assert_eq!(names(&["-l", "team=ops"]), "");
    assert_eq!(names(&["--class", "dead"]), "gone-creator-claude\n");
    assert_eq!(names(&["--class", "A"]), "gone-creator-claude\n");
    assert_eq!(names(&["--agent", "claude-code"]), "alive-creator-claude\ngone-creator-claude\n");
    assert_eq!(names(&["--agent", "codex,pi"]), "");
    scene.run(&["record", "--settle", "0s", "alive-*"]);
    assert!(scene.text().contains("status: running\n    session_id") || scene.text().contains("pane:"), "{}", scene.text());
    assert!(!scene.text().contains("terminated"), "{}", scene.text());
}

#[test]
fn a_full_name_that_is_not_there_is_an_error_with_a_hint() {
    let scene = Scene::drifted();
    for (verb, more) in
        [("status", &[][..]), ("diff", &[]), ("explain", &[]), ("diff", &["--class", "dead"]), ("status", &["--agent", "pi"])]
    {
        let ran = scene.run(&[&[verb, "lab-typo"], more].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{verb}");
        assert!(ran.stderr.starts_with("error: no session named lab-typo\nhint: "), "{verb}: {}", ran.stderr);
    }
    let before = scene.text();
    assert_eq!(scene.run(&["record", "lab-typo"]).code, Some(1));
    assert_eq!(scene.text(), before);
    assert_eq!(scene.run(&["status", "lab-*"]).code, Some(0));
}

#[test]
fn explain_names_the_rungs_and_the_verdict() {
    let scene = Scene::drifted();
    let ran = scene.run(&["explain", "alive-creator-claude"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for part in
        ["Evidence for its conversation, strongest first", "► 1 registry", "Verdict", "What would change headcount's mind"]
    {
        assert!(ran.stdout.contains(part), "{part}:\n{}", ran.stdout);
    }
}

#[test]
fn a_change_that_is_refused_is_3_and_the_manifest_stays() {
    let anchored = "version: 1\nsessions:\n  - { name: a-creator-claude, agent: claude, cwd: /tmp, status: &s running }\n  - { name: b-creator-claude, agent: claude, cwd: /tmp, status: *s }\n";
    let scene = Scene::new(anchored);
    let ran = scene.run(&["record", "--settle", "0s"]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("(refused: "), "{}", ran.stdout);
    assert_eq!(scene.text(), anchored);

    let scene = Scene::drifted();
    let other = scene.world.root().join("other.yaml");
    std::fs::hard_link(scene.manifest(), &other).unwrap();
    let ran = scene.run(&["record", "--settle", "0s"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(ran.stderr.starts_with("error: refusing to replace manifest"), "{}", ran.stderr);
}

#[test]
fn a_lock_that_is_held_is_75_with_the_holder_and_ctrl_c_while_waiting_is_130() {
    let scene = Scene::drifted();
    let mut sidecar = std::fs::File::create(scene.world.root().join("agent-sessions.yaml.lock")).unwrap();
    std::io::Write::write_all(&mut sidecar, std::process::id().to_string().as_bytes()).unwrap();
    fs4::FileExt::try_lock(&sidecar).unwrap();
    assert_eq!(scene.run(&["diff", "--settle", "0s"]).code, Some(2), "looking takes no lock");

    let waiting = scene.command(&["record", "--settle", "0s"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut interrupted = scene.command(&["record", "--settle", "0s"]).stdout(Stdio::null()).spawn().unwrap();
    let pid = interrupted.id();
    // It has the sidecar open only once it waits for it.
    let lock = scene.world.root().join("agent-sessions.yaml.lock");
    await_some("the wait for the lock", || {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        files.flatten().find(|file| std::fs::read_link(file.path()).is_ok_and(|target| target == lock))
    });
    let pid = rustix::process::Pid::from_child(&interrupted);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(interrupted.wait().unwrap().code(), Some(130));

    let ran = Ran::from(waiting.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(75), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("process {}", std::process::id())), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
}

#[test]
fn a_manifest_that_does_not_parse_is_1_with_its_place_and_is_not_written() {
    let broken = "version: 1\nsessions:\n  - name: [\n";
    let scene = Scene::new(broken);
    for verb in ["status", "diff", "record"] {
        let ran = scene.run(&[verb]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{verb}");
        assert!(ran.stderr.contains("agent-sessions.yaml:"), "{verb}: {}", ran.stderr);
    }
    assert_eq!(scene.text(), broken);
}

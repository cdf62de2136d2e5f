//! Work by reference: sessions that are made for it and found by it, and the folders that projects keep of it.

use std::path::{Path, PathBuf};

use super::Scene;
use super::in_zellij::with_zellij;

const LINEAR: &str = "https://linear.app/acme/issue/ENG-7/fix-the-login";

/// Makes a project, and a folder in it for a task, whose metadata hold this.
pub(super) fn home(project: &Path, folder: &str, metadata: &[(&str, &str)]) -> PathBuf {
    std::fs::create_dir_all(project).unwrap();
    std::fs::write(project.join("AGENTS.md"), "# Rules\n").unwrap();
    let folder = project.join("context/daily/2026-11-29").join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let block: String = metadata.iter().map(|(label, value)| format!("- {label}: {value}\n")).collect();
    let text = format!(
        "# Mend the login\n\n<!-- TASK-METADATA:START -->\n## Task Metadata\n{block}<!-- TASK-METADATA:END -->\n\n\
        ## Current State\n- the form is done\n\n## Next Steps\n- the mail\n"
    );
    std::fs::write(folder.join("status.md"), text).unwrap();
    folder
}

/// A directory that git would take for a clone.
fn clone(directory: &Path, origin: &str) {
    std::fs::create_dir_all(directory.join(".git")).unwrap();
    std::fs::write(directory.join(".git/config"), format!("[remote \"origin\"]\n\turl = {origin}\n")).unwrap();
}

fn lab(scene: &Scene) -> PathBuf {
    scene.world.workspace("one").parent().unwrap().to_path_buf()
}

#[test]
fn a_session_is_made_for_an_issue_and_found_by_every_way_to_say_it() {
    let scene = Scene::new("  - { name: other, agent: claude, cwd: LAB/one }\n");
    let made = scene.run(&["new", "--agent", "claude", "--cwd", "one", "--task", LINEAR, "--json"]).is(0);
    assert_eq!(made.outcome("eng-7-fix-the-login").0, "start done");
    assert_eq!(scene.recorded("eng-7-fix-the-login", "task"), LINEAR);
    for text in [LINEAR, "ENG-7", "eng-7", "eng-7-fix-the-login", "https://linear.app/acme/issue/ENG-7"] {
        let seen = scene.run(&["describe", text, "--json"]).is(0).json();
        assert_eq!(seen["row"]["session"]["name"], "eng-7-fix-the-login", "{text}");
        assert_eq!(seen["about"]["id"], "ENG-7");
    }
    // Its name is taken.
    let text = scene.text();
    let again = scene.run(&["new", "--agent", "claude", "--cwd", "one", "--task", LINEAR]).is(3);
    assert!(again.stderr.contains("has an entry already"), "{again:?}");
    assert_eq!((scene.text(), scene.agents().len()), (text, 1));
    // A second one is about the same: neither is guessed.
    scene.run(&["new", "second", "--agent", "claude", "--cwd", "one", "--task", "ENG-7", "--json"]).is(0);
    let several = scene.run(&["describe", "ENG-7"]).is(3);
    assert!(several.stderr.contains("eng-7-fix-the-login") && several.stderr.contains("second"), "{several:?}");
}

#[test]
fn what_is_no_task_makes_nothing() {
    let scene = Scene::new("  - { name: other, agent: claude, cwd: LAB/one }\n");
    let text = scene.text();
    let long = "x".repeat(100_000);
    for (task, code, why) in [
        ("https://jira.acme.dev/browse/ENG-1", 64, "no tracker is known at jira.acme.dev"),
        ("https://linear.app/acme", 64, "is not the address of an issue"),
        ("https://github.com/acme/web/pull/7", 64, "is not the address of an issue"),
        ("  ", 64, "no task was given"),
        (long.as_str(), 64, "at most 2000 characters"),
        ("https://github.com/acme/web/issues/7", 3, "no project here or beside is a clone of its repository"),
    ] {
        let ran = scene.run(&["new", "--agent", "claude", "--task", task]).is(code);
        assert!(ran.stderr.contains(why), "{ran:?}");
        assert_eq!(scene.text(), text);
    }
    assert!(scene.agents().is_empty());
}

#[test]
fn words_with_every_odd_sign_are_a_task() {
    let scene = Scene::new("  - { name: other, agent: claude, cwd: LAB/one }\n");
    let words = "Fix `it` \"now\": $(touch oops)\n'{ yaml: no }' # é";
    scene.run(&["new", "--agent", "claude", "--cwd", "one", "--task", words, "--json"]).is(0);
    assert_eq!(scene.recorded("fix-it-now-touch-oops-yaml-no", "task"), words);
    assert!(!lab(&scene).join("oops").exists());
    scene.run(&["describe", "fix-it-now-touch-oops-yaml-no"]).is(0);
    scene.run(&["describe", words]).is(0);
}

#[test]
fn an_issue_of_a_repository_is_worked_on_in_its_clone() {
    let scene = Scene::new("  - { name: other, agent: claude, cwd: LAB/one }\n");
    let lab = lab(&scene);
    clone(&lab.join("web"), "git@github.com:Acme/Web.git");
    clone(&lab.join("api"), "git@github.com:Acme/api.git");
    std::fs::write(lab.join("one/AGENTS.md"), "").unwrap();
    let issue = "https://github.com/acme/web/issues/7";
    let new = |name: &str| {
        let mut command = scene.command(&["new", name, "--agent", "claude", "--task", issue, "--json"]);
        super::Ran::from(command.current_dir(lab.join("one")).output().unwrap())
    };
    assert_eq!(new("first").is(0).outcome("first").0, "start done");
    assert_eq!(scene.recorded("first", "cwd"), lab.join("web").to_str().unwrap());
    clone(&lab.join("web-again"), "https://github.com/acme/web");
    let several = new("second").is(3);
    assert!(several.stderr.contains("web-again") && several.stderr.contains("--cwd"), "{several:?}");
    assert_eq!(scene.run(&["describe", "web-issue-7", "--json"]).is(0).json()["row"]["session"]["name"], "first");
}

#[test]
fn the_folder_of_a_task_is_shown_and_none_is_no_failure() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one, task: ENG-7 }\n");
    let project = lab(&scene).join("one");
    let page = || scene.run(&["describe", "one"]).is(0).stdout;
    assert!(page().contains("no project has a folder for it yet"), "{}", page());
    let said =
        [("Tracker Human ID", "ENG-7"), ("Tracker Title", "Login"), ("Zellij Session", "login"), ("Machine", "\u{1b}[31mred")];
    let folder = home(&project, "09h05m07sPST-mend-login", &said);
    let text = page();
    for part in
        [folder.to_str().unwrap(), "about: Mend the login", "status: the form is done", "steps: the mail", "title: Login"]
    {
        assert!(text.replace("\n                ", "").contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "what a folder says is only shown");
    let json = scene.run(&["describe", "one", "--json"]).is(0).json();
    assert_eq!(json["about"]["homes"][0]["metadata"]["zellij_session"], "login");
    // Another project has one too: the newest goes first.
    std::fs::write(project.join("AGENTS.md"), "task-status-root: notes/YYYY-MM-DD/<task-slug>\n").unwrap();
    std::fs::create_dir_all(project.join("notes")).unwrap();
    std::fs::rename(project.join("context/daily/2026-11-29"), project.join("notes/2026-11-29")).unwrap();
    let beside = home(&lab(&scene).join("beside"), "login", &[said[0], ("Last Synced", "2026-11-29 ~03:05pm PST")]);
    let homes = scene.run(&["describe", "one", "--json"]).is(0).json()["about"]["homes"].clone();
    assert_eq!((homes[0]["folder"].as_str(), homes.as_array().unwrap().len()), (beside.to_str(), 2));
}

#[test]
fn a_session_is_found_by_the_task_whose_folder_names_it() {
    let Some((scene, _zellij)) = with_zellij(
        "  - { name: login, agent: claude, cwd: LAB/one, mux: zellij }\n  - { name: login, agent: claude, cwd: LAB/one }\n  \
        - { name: mail, agent: codex, cwd: LAB/one, session_id: 01a1fc1b-b7b6-7361-96bb-4283a7de4ab6 }\n",
    ) else {
        return;
    };
    let project = lab(&scene).join("one");
    home(&project, "mend-login", &[("Tracker Human ID", "ENG-7"), ("Zellij Session", "login")]);
    home(&project, "send-mail", &[("Agent Session ID", "01a1fc1b-b7b6-7361-96bb-4283a7de4ab6")]);
    for (text, name, mux) in [("ENG-7", "login", "zellij"), ("mend-login", "login", "zellij"), ("send-mail", "mail", "tmux")] {
        let seen = scene.run(&["describe", text, "--json"]).is(0).json();
        assert_eq!((&seen["row"]["session"]["name"], &seen["row"]["session"]["mux"]), (&name.into(), &mux.into()), "{text}");
    }
    // By its session alone, without a task in the entry.
    assert_eq!(
        scene.run(&["describe", "zellij:default:login", "--json"]).is(0).json()["about"]["homes"][0]["metadata"]["tracker_human_id"],
        "ENG-7"
    );
    // A part of a name is not it.
    scene.run(&["describe", "mend"]).is(1);
    scene.run(&["describe", "ENG-8"]).is(1);
}

#[test]
fn the_tab_of_a_new_zellij_session_is_called_after_its_issue() {
    let Some((scene, _zellij)) = with_zellij("  - { name: other, agent: claude, cwd: LAB/one }\n") else { return };
    let made = scene.run(&["new", "--agent", "claude", "--cwd", "one", "--mux", "zellij", "--task", "ENG-7", "--json"]).is(0);
    assert_eq!(made.outcome("eng-7").0, "start done", "{made:?}");
    let seen = scene.run(&["describe", "ENG-7", "--json"]).is(0).json();
    assert_eq!(seen["tabs"], serde_json::json!(["[ENG-7]"]));
}

//! The command that resumes a conversation by hand: pasted into a shell, it starts the agent with the right arguments, in the right
//! directory and with the right home, whatever these are called; or the reason why there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use headcount::agent::{Agents, resume};
use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::report::rows::Resumable;
use headcount::host::Environ;

use super::kit::{Den, environ, files};
use super::specimens::{OTHER, Specimen, all};

/// What people call directories, and what nobody should.
const NAMES: [&str; 9] = [
    "plain",
    "a b",
    "it's \"q\"",
    "$HOME `id` $(id)",
    "line\nbreak\ttab",
    "-dash",
    "\\back\\",
    "漢é~*?",
    "\u{202e}rtl\u{1b}[31m",
];

/// The agents that can resume a conversation by its id.
fn resumable() -> impl Iterator<Item = Specimen> {
    all().into_iter().filter(|it| it.kind != AgentKind::Antigravity)
}

/// Makes the specimen's conversation one of this directory, in all that the agent left.
fn move_to(den: &Den<'_>, home: &Path, cwd: &Path) {
    let (old, new) = (den.specimen.cwd, cwd.to_str().unwrap());
    let inner = |path: &str| {
        let text = serde_json::to_string(path).unwrap();
        text[1..text.len() - 1].to_owned()
    };
    for file in files(home) {
        if file.extension().is_some_and(|extension| extension == "db") {
            if let Ok(database) = rusqlite::Connection::open(&file) {
                let _ = database.execute("UPDATE session SET directory = ?1", [new]);
            }
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let is_plain = file.file_name().unwrap() == ".project_root";
        fs::write(&file, if is_plain { text.replace(old, new) } else { text.replace(&inner(old), &inner(new)) }).unwrap();
    }
    // Claude names the directory of its transcripts after the workspace.
    let dashed = |path: &str| -> String {
        path.encode_utf16()
            .map(|unit| u8::try_from(unit).ok().filter(u8::is_ascii_alphanumeric).map_or('-', char::from))
            .collect()
    };
    let projects = home.join("projects");
    if projects.is_dir() {
        fs::rename(projects.join(dashed(old)), projects.join(dashed(new))).unwrap();
    }
}

/// A den whose conversation is in a directory of this name and whose home is below one of this name, at both paths.
fn moved<'a>(specimen: &'a Specimen, name: &str) -> (Den<'a>, PathBuf, PathBuf) {
    let den = Den::new(specimen);
    let (cwd, above) = (den.root().join("lab").join(name), den.root().join("homes").join(name));
    fs::create_dir_all(&cwd).unwrap();
    fs::create_dir_all(&above).unwrap();
    let home = above.join(Path::new(specimen.home).file_name().unwrap());
    fs::rename(den.home(), &home).unwrap();
    move_to(&den, &home, &cwd);
    (den, home, cwd)
}

/// The command for the specimen's conversation in a home; nothing but its files says where it was.
fn command(den: &Den<'_>, home: &Path, env: &Environ, cwds: &[&Path]) -> Result<String, String> {
    let id = ConversationId(den.specimen.id.to_owned());
    let transcript = den.agent().transcript(&headcount::agent::TranscriptIndex::new(), home, &id, cwds);
    resume::command(
        &Agents::default(),
        &Resumable {
            agent: den.specimen.kind,
            id: &id,
            home: Fact::Seen(home.to_path_buf()),
            transcript: Some(&transcript),
            cwds: cwds.to_vec(),
        },
        env,
    )
}

/// What the agent's stand-in was started with, after a shell ran the command.
struct Started {
    args: Vec<String>,
    cwd: PathBuf,
    env: Environ,
}

fn run(den: &Den<'_>, shell: &str, command: &str, env: &Environ) -> Started {
    let bin = den.root().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let [args, cwd, variables] = ["args", "cwd", "env"].map(|name| bin.join(name));
    let program = bin.join(den.specimen.program);
    let show = |path: &Path| path.display().to_string();
    let text = format!(
        "#!/bin/bash\nprintf '%s\\0' \"$@\" > {}\nprintf %s \"$(pwd -P; printf x)\" > {}\ncat /proc/self/environ > {}\n",
        show(&args),
        show(&cwd),
        show(&variables)
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let mut ran = Command::new(shell);
    ran.arg("-c").arg(command).env_clear().envs(env.pairs()).env("PATH", path).current_dir("/");
    let ran = ran.output().unwrap();
    assert!(ran.status.success(), "{shell}: {command}: {ran:?}");
    let words = fs::read_to_string(&args).unwrap();
    let cwd = fs::read_to_string(&cwd).unwrap();
    Started {
        args: words.split_terminator('\0').map(str::to_owned).collect(),
        cwd: PathBuf::from(cwd.strip_suffix("\nx").unwrap()),
        env: Environ::from_bytes(fs::read(&variables).unwrap()),
    }
}

#[test]
fn pasted_into_a_shell_it_leads_to_the_conversation_whatever_its_directory_and_home_are_called() {
    for specimen in &resumable().collect::<Vec<_>>() {
        let args = Den::new(specimen).agent().resume_args(&ConversationId(specimen.id.to_owned())).unwrap();
        for name in NAMES {
            let (den, home, cwd) = moved(specimen, name);
            let person = den.root().join("person");
            let env = environ(&[("HOME", person.to_str().unwrap())]);
            let what = format!("{}: {name:?}", specimen.kind);
            let command = command(&den, &home, &env, &[]).unwrap_or_else(|why| panic!("{what}: {why}"));
            assert!(!command.contains(|c: char| c.is_control() || c == '\u{202e}'), "it can be shown as it is: {command:?}");
            let started = run(&den, "bash", &command, &env);
            assert_eq!((&started.args, &started.cwd), (&args, &cwd), "{what}: {command}");
            assert_eq!(den.agent().home(&started.env), Some(home.clone()), "{what}: {command}");
            assert_eq!(started.env.path("HOME"), Some(person), "{what}: {command}");
            if !command.contains("$'") {
                assert_eq!(run(&den, "sh", &command, &env).cwd, cwd, "{what}: {command}");
            }
        }
    }
}

#[test]
fn a_home_that_the_shell_leads_to_is_not_named_and_a_variable_that_leads_elsewhere_is_taken_away() {
    for specimen in &resumable().collect::<Vec<_>>() {
        let den = Den::new(specimen);
        let cwd = den.root().join("lab");
        fs::create_dir_all(&cwd).unwrap();
        move_to(&den, &den.home(), &cwd);
        let person = den.root().join("home");
        let person = person.to_str().unwrap();
        let plain = environ(&[("HOME", person)]);
        let usual = command(&den, &den.home(), &plain, &[]).unwrap();
        assert!(usual.starts_with(&format!("cd {} && {} ", cwd.display(), specimen.program)), "{usual}");
        for variable in den.agent().home_variables() {
            let elsewhere = environ(&[("HOME", person), (variable, "/elsewhere")]);
            let command = command(&den, &den.home(), &elsewhere, &[]).unwrap();
            let started = run(&den, "sh", &command, &elsewhere);
            assert_eq!(den.agent().home(&started.env), Some(den.home()), "{}: {command}", specimen.kind);
        }
        // By another name it is the same home.
        let link = den.root().join("link");
        std::os::unix::fs::symlink(person, &link).unwrap();
        let linked = environ(&[("HOME", link.to_str().unwrap())]);
        assert_eq!(command(&den, &den.home(), &linked, &[]).unwrap(), usual, "{}", specimen.kind);
    }
}

#[test]
fn the_files_of_a_conversation_say_where_it_was_and_no_guess_outdoes_them() {
    for specimen in &resumable().collect::<Vec<_>>() {
        let (den, home, cwd) = moved(specimen, "here");
        let other = den.root().join("lab/other");
        fs::create_dir_all(&other).unwrap();
        let env = environ(&[("HOME", "/nobody")]);
        let command = command(&den, &home, &env, &[&other]).unwrap();
        assert!(command.starts_with(&format!("cd {} && ", cwd.display())), "{}: {command}", specimen.kind);
    }
}

#[test]
fn without_a_command_the_reason_is_said() {
    for specimen in &all() {
        let (den, home, cwd) = moved(specimen, "here");
        let env = environ(&[("HOME", "/nobody")]);
        let command = |home: &Path| command(&den, home, &env, &[&cwd]);
        if specimen.kind == AgentKind::Antigravity {
            assert!(command(&home).unwrap_err().contains("not known"), "nobody knows how to resume it");
            continue;
        }
        let what = specimen.kind;
        assert!(command(&home).is_ok(), "{what}");
        fs::rename(&cwd, den.root().join("lab/renamed")).unwrap();
        let why = command(&home).unwrap_err();
        assert!(why.contains(cwd.to_str().unwrap()) && why.contains("is gone"), "{what}: {why}");
        fs::rename(den.root().join("lab/renamed"), &cwd).unwrap();

        let none = den.root().join("none");
        assert!(command(&none).unwrap_err().contains("no transcript"), "{what}");

        for (id, home, needle) in [
            (OTHER, Fact::Unknown("nobody may look".to_owned()), "nobody may look"),
            ("-x", Fact::Seen(home.clone()), "option"),
            ("--help", Fact::Seen(home.clone()), "option"),
        ] {
            let id = ConversationId(id.to_owned());
            let it = Resumable { agent: specimen.kind, id: &id, home, transcript: None, cwds: vec![&cwd] };
            let why = resume::command(&Agents::default(), &it, &env).unwrap_err();
            assert!(why.contains(needle), "{what}: {why}");
        }
        let transcript = den.agent().transcript(
            &headcount::agent::TranscriptIndex::new(),
            &home,
            &ConversationId(specimen.id.to_owned()),
            &[&cwd],
        );
        let file = transcript.into_seen().unwrap().path;
        // Only root may give a file away; everyone else has nobody's to look at.
        if std::os::unix::fs::chown(&file, Some(65_534), None).is_ok() {
            assert!(command(&home).unwrap_err().contains("another user (uid 65534)"), "{what}");
        }
    }
}

#[test]
fn the_words_are_the_same_whatever_the_id_is() {
    let hostile = ["$(rm x)", "`rm x`", "a;rm x", "a'b", "a\"b", "a b", "a\nb", "*", "~", "a|b", "$HOME", "a\\b", "漢"];
    for specimen in &resumable().collect::<Vec<_>>() {
        let den = Den::new(specimen);
        let env = environ(&[("HOME", den.root().join("home").to_str().unwrap())]);
        for id in hostile {
            let id = ConversationId(id.to_owned());
            let (root, home) = (den.root(), Fact::Seen(den.home()));
            let it = Resumable { agent: specimen.kind, id: &id, home, transcript: None, cwds: vec![&root] };
            let started = run(&den, "bash", &resume::command(&Agents::default(), &it, &env).unwrap(), &env);
            assert_eq!(started.args, den.agent().resume_args(&id).unwrap(), "{}: {id}", specimen.kind);
        }
    }
}

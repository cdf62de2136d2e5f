//! What is read of OpenCode's database, in every state it can be in, and that a look leaves no trace.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use headcount::agent::{self, LiveConversation, TranscriptIndex, WatchQuery};
use headcount::core::fact::Fact;
use headcount::core::ids::{AgentKind, ConversationId};
use headcount::core::observe::identity::{Rung, RungValue};
use headcount::core::observe::{Activity, Agent, Transcript};
use headcount::host::ProcessInfo;
use rusqlite::Connection;

use crate::support::{World, await_some, entries, opencode};
use crate::{agents, look};

const RECORDED: &str = "ses_e03da5ce8ffe1oElFNqYhDS7Qe";

/// The database of a home with what a real OpenCode recorded, closed properly: nothing is beside it.
pub(crate) fn recorded(home: &Path) -> PathBuf {
    let path = home.join("opencode.db");
    opencode::record(&path);
    assert_eq!(names(home), ["opencode.db"]);
    path
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Everything in a directory that a look could have changed.
fn snapshot(dir: &Path) -> Vec<(String, Vec<u8>, u64, i64, i64, u32)> {
    let file = |name: String| {
        let path = dir.join(&name);
        let metadata = path.metadata().unwrap();
        (name, fs::read(&path).unwrap(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.mode())
    };
    names(dir).into_iter().map(file).collect()
}

fn find(home: &Path, id: &str) -> Fact<Transcript> {
    agent::of(AgentKind::Opencode).unwrap().transcript(&TranscriptIndex::new(), home, &ConversationId(id.into()), &[])
}

/// Another process that has the database open, as OpenCode has: locks of one process do not show in itself.
struct Writer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Writer {
    fn open(path: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "opencode::writes_as_opencode_does", "--nocapture"]).env("HC_DATABASE", path);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// Runs statements, and waits until they are.
    fn run(&mut self, sql: &str) {
        writeln!(self.input, "{sql}").unwrap();
        let mut lines = (&mut self.output).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.ends_with("done.")), "{sql}");
    }

    /// Closes the database and ends.
    fn close(self) {
        let Self { mut child, input, mut output } = self;
        drop(input);
        std::io::copy(&mut output, &mut std::io::sink()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Run as a process of its own by the tests here; by itself it has nothing to write.
#[test]
fn writes_as_opencode_does() {
    let Some(path) = std::env::var_os("HC_DATABASE") else { return };
    let mut connection = Connection::open(&path).unwrap();
    let mut output = std::io::stdout();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        if line == "again" {
            connection.close().unwrap();
            // What the last writer leaves behind because somebody looks is not empty; an empty log was made by who looked.
            let log = PathBuf::from(&path).with_extension("db-wal");
            assert!(log.metadata().map_or(true, |log| log.len() > 0));
            connection = Connection::open(&path).unwrap();
        } else {
            connection.execute_batch(&line).unwrap();
        }
        writeln!(output, "done.").unwrap();
    }
}

pub(crate) fn insert(id: &str, directory: &Path, created: i64, parent: Option<&str>) -> String {
    let parent = parent.map_or("NULL".to_owned(), |parent| format!("'{parent}'"));
    format!(
        "INSERT INTO session (id, project_id, parent_id, slug, directory, title, version, time_created, time_updated) \
         VALUES ('{id}', 'global', {parent}, 's', '{}', 't', '1.18.33', {created}, {created});",
        directory.display()
    )
}

#[test]
fn a_conversation_is_a_row_and_gone_only_if_the_row_is() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("o'p en?c#o%de");
    assert_eq!(find(&home, RECORDED), Fact::Absent, "no home");
    let path = recorded(&home);
    let found = find(&home, RECORDED).into_seen().unwrap();
    assert_eq!((found.path, found.modified.timestamp_millis()), (path.clone(), 1_795_231_951_721));
    assert_eq!(find(&path, RECORDED).into_seen().unwrap().path, path, "a home that is a database");
    for other in ["ses_none", "", "' OR 1 --", "%"] {
        assert_eq!(find(&home, other), Fact::Absent, "{other}");
    }
    fs::rename(&path, home.join("opencode-dev.db")).unwrap();
    assert!(find(&home, RECORDED).seen().is_some(), "of another channel");
    fs::rename(home.join("opencode-dev.db"), dir.path().join("away.db")).unwrap();
    assert_eq!(find(&home, RECORDED), Fact::Absent, "moved away");
    fs::create_dir(home.join("storage")).unwrap();
    assert!(find(&home, RECORDED).why_unknown().is_some(), "files of a version before there was a database");
}

#[test]
fn a_database_that_links_lead_to_is_one_database_and_read_with_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let (home, disk) = (root.join("opencode"), root.join("disk"));
    fs::create_dir_all(&home).unwrap();
    let real = recorded(&disk);
    let mut writer = Writer::open(&real);
    writer.run(&insert("ses_new", Path::new("/w"), 1, None));
    for link in ["opencode.db", "opencode-dev.db", "opencode-old.db"] {
        std::os::unix::fs::symlink(if link == "opencode.db" { &real } else { Path::new("opencode.db") }, home.join(link))
            .unwrap();
        let before = (snapshot(&disk), names(&home));
        for (of, home) in [("home", home.as_path()), ("database", &home.join(link))] {
            let found = find(home, "ses_new");
            assert_eq!(found.seen().map(|it| &it.path), Some(&real), "{link}, by its {of}: {found:?}");
            assert_eq!(find(home, "ses_none"), Fact::Absent, "{link}, by its {of}");
        }
        assert!((snapshot(&disk), names(&home)) == before, "{link}: nothing is made beside either name");
    }
    let places =
        agent::of(AgentKind::Opencode).unwrap().watch_dirs(WatchQuery { home: &home, cwd: None, now: chrono::Utc::now() });
    assert_eq!(places.transcripts, [disk, home], "where its log is, and where another database may come to be");
    writer.kill();
}

#[test]
fn a_look_leaves_no_trace_whatever_state_the_database_is_in() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("opencode");
    let path = recorded(&home);
    let looks = |state: &str, id: &str| {
        let before = snapshot(&home);
        let found = find(&home, id);
        assert!(found.seen().is_some(), "{state}: {found:?}");
        assert!(
            snapshot(&home) == before,
            "{state}: {:?} was {:?}",
            names(&home),
            before.iter().map(|it| &it.0).collect::<Vec<_>>()
        );
    };
    looks("closed", RECORDED);
    let mut writer = Writer::open(&path);
    writer.run("SELECT count(*) FROM session;");
    looks("open, nothing written", RECORDED);
    writer.run(&insert("ses_new", Path::new("/w"), 1, None));
    assert_eq!(names(&home), ["opencode.db", "opencode.db-shm", "opencode.db-wal"]);
    looks("open, what is asked for is only in the log", "ses_new");
    writer.run(&format!("BEGIN IMMEDIATE; {}", insert("ses_half", Path::new("/w"), 1, None)));
    looks("in the midst of a transaction", "ses_new");
    assert_eq!(find(&home, "ses_half"), Fact::Absent, "not committed");
    writer.run("ROLLBACK; PRAGMA wal_checkpoint(PASSIVE);");
    looks("the log has been taken in", "ses_new");
    writer.run(&insert("ses_newer", Path::new("/w"), 1, None));
    writer.kill();
    assert_eq!(names(&home), ["opencode.db", "opencode.db-shm", "opencode.db-wal"]);
    looks("left by a process that was killed", "ses_newer");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o555)).unwrap();
    looks("in a directory nobody writes to", "ses_newer");
    if rustix::process::getuid().is_root() {
        for dir in [dir.path(), &home] {
            fs::set_permissions(dir, fs::Permissions::from_mode(0o555)).unwrap();
        }
        for name in names(&home) {
            fs::set_permissions(home.join(name), fs::Permissions::from_mode(0o444)).unwrap();
        }
        let before = snapshot(&home);
        crate::as_nobody("opencode::looked_at_by_somebody_else", &[("HC_HOME", home.as_os_str())]);
        assert!(snapshot(&home) == before);
    }
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    let mut writer = Writer::open(&path);
    writer.run("SELECT count(*) FROM session;");
    writer.close();
    assert_eq!(names(&home), ["opencode.db"], "a writer that closes can still take its log away");
    looks("closed again", "ses_newer");
}

/// Run as another user by the test above; by itself it has nothing to look at.
#[test]
fn looked_at_by_somebody_else() {
    if let Some(home) = std::env::var_os("HC_HOME") {
        let found = find(Path::new(&home), "ses_newer");
        assert!(found.seen().is_some(), "{found:?}");
    }
}

#[test]
fn a_writer_that_comes_and_goes_is_neither_hindered_nor_misread() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let mut writer = Writer::open(&path);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let (mut seen, until) = (0, Instant::now() + Duration::from_secs(60));
            while seen < 500 {
                let found = find(dir.path(), RECORDED);
                assert!(found.why_unknown().map_or(!found.is_absent(), |why| why.contains("locked")), "{found:?}");
                assert!(Instant::now() < until, "the writer lets nobody see anything: {seen} looks");
                seen += u32::from(found.seen().is_some());
            }
        });
        while !looking.is_finished() {
            writer.run("PRAGMA busy_timeout = 5000; UPDATE session SET time_updated = time_updated + 1;");
            writer.run("again");
        }
        looking.join().unwrap();
    });
    writer.run("SELECT count(*) FROM session;");
    writer.close();
    assert_eq!(names(dir.path()), ["opencode.db"], "no log was left that its writer did not make");
}

#[test]
fn an_index_that_its_writer_has_yet_to_make_is_waited_for_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let mut writer = Writer::open(&path);
    writer.run("UPDATE session SET time_updated = time_updated + 1;");
    // As it is between a writer's opening the database and its reading the log.
    let index = fs::OpenOptions::new().write(true).open(path.with_extension("db-shm")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&index, &[0; 136], 0).unwrap();
    let before = snapshot(dir.path());
    let found = find(dir.path(), RECORDED);
    assert!(found.why_unknown().is_some_and(|why| why.contains("locked, or changes too fast")), "{found:?}");
    assert!(snapshot(dir.path()) == before);
    writer.run("SELECT count(*) FROM session;");
    assert!(find(dir.path(), RECORDED).seen().is_some());
    writer.close();
}

#[test]
fn a_database_that_is_not_as_it_was_known_is_unknown_and_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let case = |name: &str, spoil: &dyn Fn(&Path, &Path)| {
        let home = dir.path().join(name);
        let path = recorded(&home);
        spoil(&home, &path);
        let begun = Instant::now();
        for id in [RECORDED, "ses_none"] {
            let found = find(&home, id);
            assert!(found.why_unknown().is_some_and(|why| why.contains("opencode.db")), "{name}: {found:?}");
        }
        // The work is limited, not the time: a busy machine takes longer over it.
        assert!(begun.elapsed() < Duration::from_secs(30), "{name}");
    };
    let change = |path: &Path, sql: &str| Connection::open(path).unwrap().execute_batch(sql).unwrap();
    case("no-column", &|_, path| change(path, "ALTER TABLE session RENAME COLUMN time_updated TO updated"));
    case("no-table", &|_, path| change(path, "PRAGMA foreign_keys = OFF; ALTER TABLE session RENAME TO sessions"));
    case("empty", &|_, path| fs::write(path, "").unwrap());
    case("garbage", &|_, path| fs::write(path, "x".repeat(10_000)).unwrap());
    case("half", &|_, path| fs::write(path, &fs::read(path).unwrap()[..4096]).unwrap());
    case("directory", &|_, path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    case("link", &|_, path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/nowhere", path).unwrap();
    });
    case("circle", &|_, path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink(path, path).unwrap();
    });
    case("pipe", &|_, path| {
        fs::remove_file(path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    });
    case("log-without-index", &|home, _| fs::write(home.join("opencode.db-wal"), "x").unwrap());
    case("journal", &|home, _| fs::write(home.join("opencode.db-journal"), "x").unwrap());
    case("endless", &|_, path| {
        let rows = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS id, x AS time_updated FROM n";
        change(path, &format!("PRAGMA foreign_keys = OFF; DROP TABLE session; CREATE VIEW session AS {rows}"));
    });
}

#[test]
fn a_locked_database_is_unknown_in_bounded_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let mut writer = Writer::open(&path);
    writer.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
    writer.run(&insert("ses_new", Path::new("/w"), 1, None));
    let begun = Instant::now();
    let found = find(dir.path(), RECORDED);
    assert!(found.why_unknown().is_some_and(|why| why.contains("locked")), "{found:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    writer.kill();
}

/// The only agent of a session, once there is one.
pub(crate) fn agent_of(world: &World, name: &str) -> Agent {
    let manifest = entries([format!("name: {name}, agent: opencode")]);
    await_some(name, || agents(&look(world, &manifest), name).first().map(|agent| (*agent).clone()))
}

pub(crate) fn appeared(agent: &Agent) -> Vec<String> {
    match agent.ladder.readings.iter().find(|reading| reading.rung == Rung::Appeared).map(|reading| &reading.fact) {
        Some(Fact::Seen(RungValue::Appeared(all))) => all.iter().map(|it| it.id.as_str().to_owned()).collect(),
        Some(Fact::Absent) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_people_began_in_the_workspace_since_the_start_is_shown_with_the_number_of_peers() {
    let world = World::new();
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    let link = world.root().join("link");
    std::os::unix::fs::symlink(&cwd, &link).unwrap();
    let path = recorded(&world.home().join(".local/share/opencode"));
    world.program("opencode", "#!/bin/bash\nsleep 600\n");
    world.session("s", &cwd, "exec opencode");
    let agent = agent_of(&world, "s");
    assert_eq!(appeared(&agent), [] as [&str; 0]);
    let started = agent.process.started;
    let at = |seconds: i64| (started + TimeDelta::seconds(seconds)).timestamp_millis();
    let mut writer = Writer::open(&path);
    writer.run(&insert("ses_before", &cwd, at(-60), None));
    writer.run(&insert("ses_elsewhere", &other, at(5), None));
    writer.run(&insert("ses_sub", &cwd, at(6), Some("ses_ours")));
    writer.run(&insert("ses_ours", &link, at(4), None));
    // Taken from somewhere else later: the order of insertion is not that of time.
    writer.run(&insert("ses_imported", &cwd, at(-600), None));
    let agent = agent_of(&world, "s");
    assert_eq!((appeared(&agent), agent.ladder.peers), (vec!["ses_ours".to_owned()], Fact::Seen(1)));
    world.session("twin", &cwd, "exec opencode");
    agent_of(&world, "twin");
    assert_eq!(agent_of(&world, "s").ladder.peers, Fact::Seen(2));
    writer.run("ALTER TABLE session RENAME COLUMN directory TO place;");
    let readings = agent_of(&world, "s").ladder.readings;
    assert!(readings.iter().any(|it| it.rung == Rung::Appeared && it.fact.why_unknown().is_some()), "{readings:?}");
    writer.close();
}

#[test]
fn a_server_of_the_same_home_may_have_begun_what_appeared_wherever_it_works_itself() {
    let world = World::new();
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    let path = recorded(&world.home().join(".local/share/opencode"));
    world.program("opencode", "#!/bin/bash\nsleep 600\n");
    world.session("s", &cwd, "exec opencode");
    let started = agent_of(&world, "s").process.started;
    let mut writer = Writer::open(&path);
    writer.run(&insert("ses_new", &cwd, (started + TimeDelta::seconds(5)).timestamp_millis(), None));
    // A shell that has just forked, and is not yet its `sleep`, counts for a moment.
    let peers = |expected: u32| {
        await_some("the peers", || (agent_of(&world, "s").ladder.peers == Fact::Seen(expected)).then_some(()));
    };
    peers(1);
    let runs = |pid: u32, word: &str| {
        let is_it =
            || fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|text| text.ends_with(format!("{word}\0").as_bytes()));
        await_some(word, || is_it().then_some(()));
    };
    // The one keeps its conversations elsewhere, the other has none of its own.
    runs(world.session("far", &cwd, "XDG_DATA_HOME=/nowhere exec opencode serve"), "serve");
    runs(world.session("client", &cwd, "exec opencode attach"), "attach");
    peers(1);
    runs(world.session("near", &other, "exec opencode serve"), "serve");
    peers(2);
    writer.close();
}

#[test]
fn among_very_many_conversations_only_the_newest_are_looked_at() {
    let world = World::new();
    let cwd = world.workspace("w");
    let path = recorded(&world.home().join(".local/share/opencode"));
    let fill = |from: i64, to: i64, created: i64| {
        let row = insert("ses_N", &cwd, created, None).replace("'ses_N'", "'ses_' || x").replace("VALUES (", "SELECT ");
        let rows = format!("WITH RECURSIVE n(x) AS (SELECT {from} UNION ALL SELECT x + 1 FROM n WHERE x < {to})");
        Connection::open(&path).unwrap().execute_batch(&format!("{rows} {}", row.replace(");", " FROM n;"))).unwrap();
    };
    fill(1, 100_000, 1);
    world.program("opencode", "#!/bin/bash\nsleep 600\n");
    world.session("s", &cwd, "exec opencode");
    let started = agent_of(&world, "s").process.started.timestamp_millis();
    fill(100_001, 100_001, started + 5_000);
    assert_eq!(appeared(&agent_of(&world, "s")), ["ses_100001"]);
    fill(100_002, 100_400, started + 5_000);
    let readings = agent_of(&world, "s").ladder.readings;
    assert!(readings.iter().any(|it| it.rung == Rung::Appeared && it.fact.why_unknown().is_some()), "more than are looked at");
}

#[test]
fn a_conversation_is_the_latest_until_another_of_its_workspace_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let cwd = dir.path().canonicalize().unwrap();
    let link = cwd.join("link");
    std::os::unix::fs::symlink(&cwd, &link).unwrap();
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let is_latest = |id: &str| {
        let transcript = find(dir.path(), id).into_seen().unwrap();
        agent::of(AgentKind::Opencode).unwrap().is_latest(&transcript, &ConversationId(id.into()), &cwd)
    };
    let at = 1_900_000_000_000;
    change(&insert("ses_ours", &cwd, at, None));
    change(&insert("ses_older", &cwd, at - 1, None));
    change(&insert("ses_elsewhere", Path::new("/w"), at + 1, None));
    change(&insert("ses_sub", &cwd, at + 1, Some("ses_ours")));
    assert!(is_latest("ses_ours") && !is_latest("ses_older"));
    change(&insert("ses_newer", &link, at + 1, None));
    assert!(!is_latest("ses_ours") && is_latest("ses_newer"));
    let transcript = find(dir.path(), "ses_newer").into_seen().unwrap();
    change("ALTER TABLE session RENAME COLUMN directory TO place");
    assert!(!agent::of(AgentKind::Opencode).unwrap().is_latest(&transcript, &ConversationId("ses_newer".into()), &cwd));
}

#[test]
fn the_turn_is_that_of_the_newest_message_of_this_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = recorded(dir.path());
    let transcript = find(dir.path(), RECORDED).into_seen().unwrap();
    let id = ConversationId(RECORDED.into());
    let turn = |started: i64| {
        let process = ProcessInfo {
            pid: 1,
            parent: 0,
            started: chrono::DateTime::from_timestamp_millis(started).unwrap(),
            start_ticks: None,
            has_terminal: true,
            foreground: None,
            name: "opencode".into(),
            argv: vec!["opencode".into()],
        };
        let host = headcount::host::LocalHost::new(headcount::host::Environ::default());
        let scene =
            LiveConversation { host: &host, process: &process, home: dir.path(), id: &id, transcript: Some(&transcript) };
        agent::of(AgentKind::Opencode).unwrap().activity(&scene)
    };
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    assert_eq!(turn(0), Fact::Seen(Activity::Idle), "finished");
    change("DELETE FROM message WHERE time_created > 1795231944000");
    assert_eq!(turn(1_795_231_933_000), Fact::Seen(Activity::Working), "begun by this process");
    let tool = |state: &str| {
        change(&format!(
            "REPLACE INTO part (id, message_id, session_id, time_created, time_updated, data) SELECT 'prt_newest', id, session_id, 1, 1, \
             '{{\"type\":\"tool\",\"tool\":\"bash\",\"state\":{state}}}' FROM message WHERE time_created = 1795231933477"
        ));
        turn(1_795_231_933_000)
    };
    assert_eq!(tool(r#"{"status":"running","input":{}}"#), Fact::Absent, "a tool that may wait for leave to run");
    assert_eq!(tool(r#"{"status":"running","input":{},"metadata":{"output":""}}"#), Fact::Seen(Activity::Working), "it runs");
    assert_eq!(tool(r#"{"status":"completed","input":{},"output":"x"}"#), Fact::Seen(Activity::Working));
    let refused = r#"{"status":"error","input":{},"error":"The user rejected permission to use this specific tool call."}"#;
    assert_eq!(tool(refused), Fact::Seen(Activity::Working), "the message is not at its end");
    change(
        "UPDATE message SET data = json_set(data, '$.time.completed', 1795231933500, '$.finish', 'tool-calls') \
         WHERE time_created = 1795231933477",
    );
    assert_eq!(tool(refused), Fact::Seen(Activity::Idle), "a person said no, which ends the turn");
    assert_eq!(tool(r#"{"status":"error","input":{},"error":"exit 1"}"#), Fact::Seen(Activity::Working), "it goes on");
    assert_eq!(turn(1_795_231_940_000), Fact::Seen(Activity::Idle), "left for ever by one that was killed");
    change(&format!("UPDATE message SET data = '{}' WHERE time_created = 1795231933477", "x".repeat(300_000)));
    assert!(turn(0).why_unknown().is_some(), "too much to read");
    change("DROP INDEX message_session_time_created_id_idx");
    assert!(turn(0).why_unknown().is_some(), "not without an index");
}

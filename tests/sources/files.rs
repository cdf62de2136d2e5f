//! Wakes from the file system.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use headcount::control::watch::sources::Watched;
use headcount::control::watch::wake::{Reason, Scope};

use crate::ear::{Ear, options, sessions};
use crate::support::World;

fn manifest(world: &World) -> Watched {
    let path = world.workspace("m").join("agents.yaml");
    fs::write(&path, "version: 1\n").unwrap();
    Watched { manifest: path.clone(), resolved: path, ..Watched::default() }
}

#[tokio::test]
async fn the_manifest_wakes_the_loop_however_it_is_saved() {
    let world = World::new();
    let mut ear = Ear::start(options(&world), manifest(&world)).await;
    let path = ear.watched.manifest.clone();
    let beside = path.with_file_name("agents.yaml~new");
    type Save<'a> = (&'a str, Box<dyn Fn()>);
    let (p, b) = (path.clone(), beside.clone());
    let ways: Vec<Save<'_>> = vec![
        ("rename", {
            let (p, b) = (p.clone(), b.clone());
            Box::new(move || {
                fs::write(&b, "version: 1\n# a\n").unwrap();
                fs::rename(&b, &p).unwrap();
            })
        }),
        ("appended in place", {
            let p = p.clone();
            Box::new(move || writeln!(fs::OpenOptions::new().append(true).open(&p).unwrap(), "# b").unwrap())
        }),
        ("truncated and written", {
            let p = p.clone();
            Box::new(move || fs::write(&p, "version: 1\n# c\n").unwrap())
        }),
        ("deleted", {
            let p = p.clone();
            Box::new(move || fs::remove_file(&p).unwrap())
        }),
        ("made again", {
            let p = p.clone();
            Box::new(move || fs::write(&p, "version: 1\n# d\n").unwrap())
        }),
        ("renamed away", {
            let (p, b) = (p.clone(), b.clone());
            Box::new(move || fs::rename(&p, &b).unwrap())
        }),
        (
            "linked back",
            Box::new(move || {
                fs::hard_link(&b, &p).unwrap();
                fs::remove_file(&b).unwrap();
            }),
        ),
    ];
    // Twice, because a watch that dies with a file hears the first time only.
    for _ in 0..2 {
        for (way, save) in &ways {
            save();
            assert_eq!(ear.hear(way, Reason::Manifest).await, Scope::ALL);
            ear.settle().await;
        }
    }
}

#[tokio::test]
async fn a_manifest_behind_links_is_heard_at_each_of_them() {
    let world = World::new();
    let mut ear = Ear::start(options(&world), manifest(&world)).await;
    let (path, real) = (ear.watched.manifest.clone(), world.workspace("real").join("truth.yaml"));
    let middle = world.workspace("middle").join("link.yaml");
    fs::write(&real, "version: 1\n").unwrap();
    symlink(&real, &middle).unwrap();
    fs::remove_file(&path).unwrap();
    symlink("../middle/link.yaml", &path).unwrap();
    ear.hear("replaced by a link", Reason::Manifest).await;
    ear.watched.resolved.clone_from(&real);
    ear.rewatch().await;

    fs::write(&real, "version: 1\n# a\n").unwrap();
    ear.hear("the file", Reason::Manifest).await;
    ear.settle().await;
    for link in [&middle, &path] {
        fs::remove_file(link).unwrap();
        symlink(&real, link).unwrap();
        ear.hear("a link", Reason::Manifest).await;
        ear.settle().await;
    }
    let moved = world.root().join("lab/moved");
    fs::rename(real.parent().unwrap(), &moved).unwrap();
    ear.hear("the directory is gone", Reason::Manifest).await;
    ear.settle().await;
    fs::create_dir(real.parent().unwrap()).unwrap();
    fs::write(&real, "version: 1\n").unwrap();
    ear.hear("the directory is back", Reason::Manifest).await;
    ear.settle().await;
    fs::write(&real, "version: 1\n# b\n").unwrap();
    ear.hear("the file in the new directory", Reason::Manifest).await;
}

#[tokio::test]
async fn reading_files_and_what_others_do_beside_them_wakes_nobody() {
    let world = World::new();
    let registry = world.home().join(".claude/sessions");
    fs::create_dir_all(&registry).unwrap();
    let mut watched = manifest(&world);
    watched.registries.insert(registry.clone());
    let mut ear = Ear::start(options(&world), watched).await;
    let path = ear.watched.manifest.clone();
    for name in ["agents.yaml.lock", ".agents.yaml.1.2.swap", ".x.tmp", "agents.yaml.saved-2026", "other.yaml"] {
        fs::write(path.with_file_name(name), "x").unwrap();
        fs::remove_file(path.with_file_name(name)).unwrap();
    }
    fs::read(&path).unwrap();
    fs::read_dir(&registry).unwrap().for_each(drop);
    for name in ["7.lock", ".7.tmp"] {
        fs::write(registry.join(name), "x").unwrap();
    }
    // The kernel keeps the order, so whatever these called for would have come before this.
    fs::write(registry.join("7.json"), "{}").unwrap();
    let heard = ear.until("the registry", |wake| wake.reason == Reason::Registry).await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(ear.settle().await.iter().all(|wake| wake.reason == Reason::Registry));
}

/// A world whose transcripts of one session will be in a directory that is not there yet.
async fn awaiting(world: &World, dir: &Path) -> Ear {
    let mut watched = Watched::default();
    watched.files.insert(dir.to_path_buf(), sessions(&["lane-1"]));
    watched.registries.insert(world.home().join(".claude/sessions"));
    Ear::start(options(world), watched).await
}

#[tokio::test]
async fn the_first_file_of_a_new_directory_is_never_missed() {
    let world = World::new();
    let root = world.home().join("a");
    for round in 0..12 {
        let dir = root.join(format!("{round}/projects/-x"));
        let mut ear = awaiting(&world, &dir).await;
        let file = dir.join("1.jsonl");
        let written = file.clone();
        let writer = std::thread::spawn(move || {
            fs::create_dir_all(written.parent().unwrap()).unwrap();
            fs::write(&written, "{}\n").unwrap();
        });
        // The last wake comes when the file is there, for a wake is answered by looking.
        let heard = ear.until("a wake with the file there", |it| it.reason == Reason::Transcript && file.exists()).await;
        assert!(
            heard.iter().all(|wake| wake.scope == Scope::sessions(sessions(&["lane-1"])) || wake.reason != Reason::Transcript)
        );
        writer.join().unwrap();
        ear.settle().await;
        fs::write(dir.join("2.jsonl"), "{}\n").unwrap();
        ear.hear("the second file", Reason::Transcript).await;
        ear.sources.stop().await;
    }
}

#[tokio::test]
async fn a_directory_that_is_replaced_is_watched_again() {
    let world = World::new();
    let dir = world.home().join(".claude/projects/-x");
    let mut ear = awaiting(&world, &dir).await;
    for round in 0..3 {
        fs::create_dir_all(&dir).unwrap();
        ear.hear("it is there", Reason::Transcript).await;
        ear.settle().await;
        assert!(ear.sources.directories().contains(&dir), "round {round}: {:?}", ear.sources.directories());
        fs::write(dir.join("1.jsonl"), "{}\n").unwrap();
        ear.hear("a file", Reason::Transcript).await;
        ear.settle().await;
        if round == 1 {
            fs::rename(&dir, dir.with_file_name("-moved")).unwrap();
        } else {
            fs::remove_dir_all(dir.parent().unwrap()).unwrap();
        }
        ear.hear("it is gone", Reason::Transcript).await;
        ear.settle().await;
        assert!(!ear.sources.directories().contains(&dir), "round {round}");
    }
}

#[tokio::test]
async fn what_no_longer_matters_is_no_longer_watched() {
    let world = World::new();
    let dir = world.home().join(".claude/projects/-x");
    fs::create_dir_all(&dir).unwrap();
    let mut ear = awaiting(&world, &dir).await;
    assert!(ear.sources.directories().contains(&dir));
    ear.watched.files.clear();
    ear.rewatch().await;
    assert!(!ear.sources.directories().contains(&dir));
    fs::create_dir_all(world.home().join(".claude/sessions")).unwrap();
    ear.hear("the registry", Reason::Registry).await;
    assert!(ear.settle().await.iter().all(|wake| wake.reason == Reason::Registry));
}

#[tokio::test]
async fn thirty_thousand_appends_are_a_few_wakes() {
    let world = World::new();
    let dir = world.home().join(".claude/projects/-x");
    fs::create_dir_all(&dir).unwrap();
    let files: Vec<PathBuf> = (0..10).map(|n| dir.join(format!("{n}.jsonl"))).collect();
    files.iter().for_each(|file| fs::write(file, "{}\n").unwrap());
    let mut ear = awaiting(&world, &dir).await;
    let begun = std::time::Instant::now();
    let writer = std::thread::spawn(move || {
        let mut open: Vec<fs::File> =
            files.iter().map(|file| fs::OpenOptions::new().append(true).open(file).unwrap()).collect();
        for n in 0..30_000 {
            let at = n % open.len();
            open[at].write_all(b"{\"type\":\"user\"}\n").unwrap();
        }
    });
    let mut heard = ear.until("the burst", |wake| matches!(wake.reason, Reason::Transcript | Reason::Overflow)).await;
    while !writer.is_finished() {
        heard.extend(ear.settle().await);
    }
    writer.join().unwrap();
    heard.extend(ear.settle().await);
    // One at once, then one each second, and perhaps one that tells of a loss.
    let most = usize::try_from(begun.elapsed().as_secs()).unwrap() + 4;
    assert!(heard.len() <= most, "{} wakes in {:?}", heard.len(), begun.elapsed());
    // What comes after the burst is heard as before.
    fs::write(dir.join("new.jsonl"), "{}\n").unwrap();
    ear.hear("a new file", Reason::Transcript).await;
}

#[tokio::test]
async fn a_server_that_starts_is_heard_of_and_looked_at_three_times() {
    let world = World::new();
    let socket = world.named_socket("canary");
    fs::remove_dir(socket.parent().unwrap()).unwrap();
    let mut watched = Watched::default();
    let key = crate::support::server("canary");
    let server = headcount::control::watch::sources::ServerWatch { socket: socket.clone(), ..Default::default() };
    watched.servers.insert(key.clone(), server);
    let mut ear = Ear::start(options(&world), watched).await;
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(socket.parent().unwrap()).unwrap();
    ear.hear("the directory of sockets", Reason::Server).await;
    ear.settle().await;
    world.tmux_on(&socket, ["new-session", "-d", "-s", "a", "sleep 600"]);
    let begun = std::time::Instant::now();
    for probe in 0..3 {
        assert_eq!(ear.hear("a probe", Reason::Server).await, Scope::server(key.clone()), "probe {probe}");
    }
    assert!(begun.elapsed().as_millis() >= 100, "the last probe came too early");
}

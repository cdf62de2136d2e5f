//! A stand-in for an agent that headcount does not know by itself, and how a manifest declares it.

use std::path::{Path, PathBuf};

use super::{World, await_some};

/// Leaves a transcript in its workspace's directory at the first prompt. Typing a line is a prompt; `/exit` ends it.
const AIDER: &str = r#"#!/bin/bash
id=
while [ $# -gt 0 ]; do
  case $1 in
    --session-id|--resume) id=$2; shift ;;
    --session-id=*|--resume=*) id=${1#*=} ;;
  esac
  shift
done
[ -n "$id" ] || { read -r id < /proc/sys/kernel/random/uuid; id=${id%%-*}; }
cwd=$(pwd -P)
dir=${AIDER_HOME:-$HOME/.aider}/sessions/${cwd//[^A-Za-z0-9]/-}
while read -r line; do
  [ "$line" = /exit ] && exit 0
  mkdir -p "$dir"
  set -- "$dir"/*-"$id".jsonl
  [ -e "$1" ] || set -- "$dir/$(date +%Y%m%d)-chat-$id.jsonl"
  printf '{}\n' >> "$1"
done
"#;

/// How a manifest declares the stand-in, as one flow mapping.
pub const AGENT: &str = r#"{ programs: [aider], aliases: [aid], home: ~/.aider, home_env: AIDER_HOME, transcripts: "sessions/{workspace}/*-{id}.jsonl", id: "[0-9a-f]{8}", id_flags: [--session-id, --resume], fork_flags: [--fork], resume: [--resume, "{id}"] }"#;

/// A manifest that declares the stand-in, with these entries, each a flow mapping's fields.
pub fn declaring<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> String {
    let items: String = entries.into_iter().map(|fields| format!("  - {{ {} }}\n", fields.as_ref())).collect();
    let sessions = if items.is_empty() { "sessions: []\n".to_owned() } else { format!("sessions:\n{items}") };
    format!("version: 1\nagents:\n  aider: {AGENT}\n{sessions}")
}

/// Puts the stand-in into a world's PATH.
pub fn install(world: &World) {
    world.program("aider", AIDER);
}

/// The directory of a workspace's transcripts, below a home of the stand-in.
pub fn directory(home: &Path, cwd: &Path) -> PathBuf {
    let word: String = cwd.to_str().unwrap().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    home.join("sessions").join(word)
}

/// Gives the stand-in in a session, older than the second within which nothing can be told, a prompt; and waits for its
/// transcript beside `others`.
pub fn prompt(world: &World, name: &str, cwd: &Path, others: usize) -> (String, PathBuf) {
    let created: u64 = world.tmux(["display", "-p", "-t", &format!("={name}:"), "#{session_created}"]).parse().unwrap();
    let age = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().saturating_sub(created);
    await_some("an age of three seconds", || (age() >= 3).then_some(()));
    world.type_line(name, "hello");
    let dir = directory(&world.home().join(".aider"), cwd);
    let files = || -> Vec<PathBuf> {
        std::fs::read_dir(&dir).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
    };
    let newest = |files: Vec<PathBuf>| files.into_iter().max_by_key(|path| path.metadata().unwrap().created().unwrap());
    let path = await_some("the transcript", || Some(files()).filter(|all| all.len() > others).and_then(newest));
    let stem = path.file_stem().unwrap().to_str().unwrap();
    (stem.rsplit('-').next().unwrap().to_owned(), path)
}

//! The files of csd's workers: where they are and what is in them. Files of the original are read, and left as they are.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Where workers were, and where they are by now.
const OLD: &str = "/tmp/claude-workers";
const NEW: &str = "/tmp/csd-workers";
/// How much of a small file is read.
const MOST: u64 = 1 << 20;
/// The same of an events file.
const MOST_EVENTS: u64 = 256 << 20;

/// An event of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorkerEvent {
    SessionStart,
    UserPromptSubmit,
    PreToolUse,
    PostToolUse,
    Stop,
    SessionEnd,
}

impl WorkerEvent {
    /// Every kind.
    pub(super) const ALL: [Self; 6] =
        [Self::SessionStart, Self::UserPromptSubmit, Self::PreToolUse, Self::PostToolUse, Self::Stop, Self::SessionEnd];

    /// The word of csd, and that of the hook.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::SessionStart => ("session_start", "SessionStart"),
            Self::UserPromptSubmit => ("user_prompt_submit", "UserPromptSubmit"),
            Self::PreToolUse => ("pre_tool_use", "PreToolUse"),
            Self::PostToolUse => ("post_tool_use", "PostToolUse"),
            Self::Stop => ("stop", "Stop"),
            Self::SessionEnd => ("session_end", "SessionEnd"),
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        self.words().0
    }

    /// Whether a word is one of csd's.
    pub(super) fn is_known(word: &str) -> bool {
        Self::ALL.into_iter().any(|kind| kind.as_str() == word)
    }

    /// What a line of an events file tells; `None`: nothing that csd knows.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Line {
            event: String,
        }
        let line: Line = serde_json::from_str(line).ok()?;
        Self::ALL.into_iter().find(|kind| kind.as_str() == line.event)
    }

    pub(super) fn of_hook(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.words().1 == name)
    }
}

/// What is known of a worker. The order of the keys is csd's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WorkerMeta {
    pub(super) tmux_name: String,
    pub(super) session_id: String,
    #[serde(default)]
    pub(super) cwd: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) harness: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) transcript_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) invocation: Option<Vec<String>>,
}

/// A time in csd's files: UTC, whole seconds.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Whether a name or an id can be part of a file's name.
pub(super) fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && name.len() <= 200 && !name.starts_with(['.', '-']) && name.bytes().all(is_plain)
}

/// The directory of all workers.
#[derive(Debug, Clone)]
pub(super) struct Workers {
    directory: PathBuf,
}

impl Workers {
    /// The directory that the environment names, else the usual one. One that another user could have put there is not used.
    pub(super) fn of_environment() -> Result<Self, String> {
        let workers = Self::at(directory());
        workers.check().map(|()| workers)
    }

    pub(super) fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let shown = self.directory.display();
        match self.directory.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(format!("cannot look at {shown}: {error}")),
            Ok(it) if !it.is_dir() => Err(format!("{shown} is no directory; set CSD_WORKER_DIR to one of your own")),
            Ok(it) if it.uid() != rustix::process::geteuid().as_raw() => {
                Err(format!("{shown} belongs to another user; set CSD_WORKER_DIR to a directory of your own"))
            }
            Ok(it) if it.mode() & 0o022 != 0 => Err(format!("others can write into {shown}; run: chmod 700 {shown}")),
            Ok(_) => Ok(()),
        }
    }

    /// Makes the directory, for its owner alone.
    pub(super) fn prepare(&self) -> Result<(), String> {
        let fail = |error: io::Error| format!("cannot use {}: {error}", self.directory.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(fail)?;
        self.check()?;
        fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o700)).map_err(fail)?;
        if self.directory == Path::new(NEW) {
            // Callers of earlier versions look there.
            let _ = std::os::unix::fs::symlink(NEW, OLD);
        }
        Ok(())
    }

    /// Where the homes of workers are that have one of their own.
    pub(super) fn homes(&self) -> PathBuf {
        self.directory.join("homes")
    }

    /// Where the events of a conversation are.
    pub(super) fn events_file(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.events.jsonl"))
    }

    fn meta_file(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.meta"))
    }

    fn harness_file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.harness"))
    }

    /// What is known of a worker by its id.
    pub(super) fn meta(&self, id: &str) -> Option<WorkerMeta> {
        let text = is_plain(id).then(|| small(&self.meta_file(id)).ok())??;
        serde_json::from_slice(&text).ok()
    }

    /// All that are known, in the order of their ids.
    pub(super) fn metas(&self) -> Vec<WorkerMeta> {
        self.named("meta").iter().filter_map(|id| self.meta(id)).collect()
    }

    /// The names of the files with this ending.
    fn named(&self, ending: &str) -> Vec<String> {
        let files =
            fs::read_dir(&self.directory).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> =
            files.filter_map(|name| Some(name.strip_suffix(ending)?.strip_suffix('.')?.to_owned())).collect();
        names.sort();
        names
    }

    pub(super) fn write_meta(&self, meta: &WorkerMeta) -> io::Result<()> {
        let text = serde_json::to_vec(meta).map_err(io::Error::other)?;
        self.replace(&self.meta_file(&meta.session_id), &text, 0o600)
    }

    /// Which agent runs in a worker whose id may not be known yet.
    pub(super) fn harness(&self, name: &str) -> Option<String> {
        let text = is_plain(name).then(|| small(&self.harness_file(name)).ok())??;
        Some(String::from_utf8(text).ok()?.trim().to_owned())
    }

    pub(super) fn write_harness(&self, name: &str, harness: &str) -> io::Result<()> {
        self.replace(&self.harness_file(name), harness.as_bytes(), 0o600)
    }

    /// Appends a line to the events of a conversation, whole.
    pub(super) fn append(&self, id: &str, line: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let mut file = options.open(self.events_file(id))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        file.write_all(format!("{line}\n").as_bytes())
    }

    /// The whole lines of the events of a conversation; `None`: there is no such file.
    pub(super) fn events(&self, id: &str) -> Option<Vec<String>> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = is_plain(id).then(|| options.open(self.events_file(id)).ok())??;
        let mut text = Vec::new();
        file.take(MOST_EVENTS).read_to_end(&mut text).ok()?;
        let text = String::from_utf8_lossy(&text);
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        Some(whole.lines().map(str::to_owned).collect())
    }

    /// The program that is csd for one worker.
    pub(super) fn shim(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }

    /// Writes it.
    pub(super) fn write_shim(&self, name: &str, program: &Path) -> io::Result<()> {
        let shim = self.shim(name);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.directory.join("bin"))?;
        let words = [self.directory.to_string_lossy(), program.to_string_lossy()];
        let [directory, program] = words.map(|word| shell_words::quote(&word).into_owned());
        let text = format!(
            "#!/usr/bin/env bash\nexport CSD_WORKER_DIR={directory}\nexec -a csd {program} --worker \"{name}\" \"$@\"\n"
        );
        self.replace(&shim, text.as_bytes(), 0o755)
    }

    /// The directory itself.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The names of workers that were launched and have no meta.
    pub(super) fn unregistered(&self) -> Vec<String> {
        let known: Vec<String> = self.metas().into_iter().map(|meta| meta.tmux_name).collect();
        let shims = fs::read_dir(self.directory.join("bin")).into_iter().flatten();
        let shims = shims.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = self.named("harness").into_iter().chain(shims).filter(|name| is_plain(name)).collect();
        names.retain(|name| !known.contains(name));
        names.sort();
        names.dedup();
        names
    }

    /// Takes away everything of a worker: what is known of it, its events, its program, its home.
    pub(super) fn remove(&self, name: &str) {
        self.remove_files(name);
        let home = self.homes().join(name);
        if is_plain(name) && home.symlink_metadata().is_ok_and(|it| it.is_dir()) {
            let _ = fs::remove_dir_all(home);
        }
    }

    /// The same but for its home.
    pub(super) fn remove_files(&self, name: &str) {
        for meta in self.metas().into_iter().filter(|meta| meta.tmux_name == name) {
            for file in [self.meta_file(&meta.session_id), self.events_file(&meta.session_id)] {
                let _ = fs::remove_file(file);
            }
        }
        if is_plain(name) {
            let _ = fs::remove_file(self.harness_file(name));
            let _ = fs::remove_file(self.shim(name));
        }
    }

    /// Lets the events of a conversation begin anew.
    pub(super) fn begin_events(&self, id: &str) -> io::Result<()> {
        match fs::remove_file(self.events_file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Puts a file there in one step.
    fn replace(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        let written = file.write_all(content).and_then(|()| fs::rename(&temporary, path));
        written.inspect_err(|_| drop(fs::remove_file(&temporary)))
    }
}

/// Where workers are, and why that cannot be relied on, if it cannot.
pub(in crate::cli) fn place() -> (PathBuf, Option<String>) {
    let directory = directory();
    let problem = Workers::at(directory.clone()).check().err();
    (directory, problem)
}

fn directory() -> PathBuf {
    std::env::var_os("CSD_WORKER_DIR").filter(|name| !name.is_empty()).map_or_else(usual, PathBuf::from)
}

/// The usual directory: the old one where only that is there, because no link can take its place.
fn usual() -> PathBuf {
    let is_old = Path::new(OLD).symlink_metadata().is_ok_and(|it| it.is_dir()) && Path::new(NEW).symlink_metadata().is_err();
    PathBuf::from(if is_old { OLD } else { NEW })
}

/// The content of a small regular file, never of what somebody has put in its place.
fn small(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    read(file)
}

fn read(file: File) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = Vec::new();
    file.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}

//! A home with what a real agent left in it, a live stand-in, and the questions an adapter is asked. Only processes started here
//! are ended, and nothing outside the temporary directory is touched.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use headcount::agent::live_process::WrapperChain;
use headcount::agent::{Adapter, Agents, LiveConversation, LiveProcess, TranscriptIndex};
use headcount::core::fact::Fact;
use headcount::core::ids::ConversationId;
use headcount::core::observe::identity::{Ladder, RungValue};
use headcount::core::observe::{Activity, Transcript};
use headcount::host::{Environ, Host, LocalHost, ProcessInfo};

use super::specimens::Specimen;

/// What an adapter said.
#[derive(Debug, PartialEq)]
pub struct Said {
    pub ladder: Ladder,
    pub transcript: Fact<Transcript>,
    pub turn: Fact<Activity>,
}

/// A home of one agent, as a real one left it.
pub struct Den<'a> {
    pub specimen: &'a Specimen,
    dir: tempfile::TempDir,
    host: LocalHost,
    agents: Agents,
    /// Another name of the agent's home.
    alias: Option<PathBuf>,
}

impl<'a> Den<'a> {
    pub fn new(specimen: &'a Specimen) -> Self {
        let dir = tempfile::Builder::new().prefix("hc").tempdir().unwrap();
        let host = LocalHost::named("here", Environ::of_this_process());
        let den = Self { specimen, dir, host, agents: specimen.agents(), alias: None };
        fs::create_dir(den.root().join("home")).unwrap();
        den.restore();
        den
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    /// The agent's home.
    pub fn home(&self) -> PathBuf {
        self.alias.clone().unwrap_or_else(|| self.root().join("home").join(self.specimen.home))
    }

    /// Asks about the agent's home by another name from now on.
    pub fn known_as(&mut self, home: PathBuf) {
        self.alias = Some(home);
    }

    pub fn agent(&self) -> &dyn Adapter {
        self.agents.of(self.specimen.kind).unwrap()
    }

    /// Puts everything back as it was recorded.
    pub fn restore(&self) {
        let home = self.root().join("home");
        fs::remove_dir_all(&home).unwrap();
        copy(&recorded().join(self.specimen.recorded), &home);
        assert!(self.home().is_dir(), "{} left nothing", self.specimen.kind);
    }

    /// Starts the agent's stand-in and waits until it runs. It ends with what is given back.
    pub fn start(&self, arguments: &str) -> Live {
        let bin = self.root().join("bin");
        fs::create_dir_all(&bin).unwrap();
        let program = bin.join(self.specimen.program);
        let ready = bin.join("ready");
        let text = format!("#!/bin/bash\n{}\n: > {}\nread -r _\n", self.specimen.holds, ready.display());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(!ready.exists(), "one stand-in a den");
        let arguments = arguments.replace("ID", self.specimen.id);
        let mut command = Command::new(&program);
        command.args(arguments.split_whitespace()).env("HOME", self.root().join("home")).env("ID", self.specimen.id);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        let process = await_some("the stand-in", || {
            let process = self.host.process(pid).into_seen()?;
            let named = self.agents.identify(&process.argv, || self.host.exe(pid))?.0.kind();
            (named == self.specimen.kind && ready.exists()).then_some(process)
        });
        Live { child, process }
    }

    /// What every rung says of a process.
    pub fn ladder(&self, process: &ProcessInfo) -> Ladder {
        let children = |pid| self.host.children(pid);
        let cwd = Fact::Seen(PathBuf::from(self.specimen.cwd));
        let home = self.home();
        let subject = LiveProcess::new(
            WrapperChain::new(&self.host, (self.agent(), &self.agents), process, &children),
            (&cwd, &home),
            true,
        );
        Ladder { readings: self.agent().ladder(&subject), said: self.agent().recent_messages(&subject), ..Ladder::default() }
    }

    /// Where the conversation is.
    pub fn transcript(&self, id: &str) -> Fact<Transcript> {
        let id = ConversationId(id.to_owned());
        self.agent().transcript(&TranscriptIndex::new(), &self.home(), &id, &[Path::new(self.specimen.cwd)])
    }

    /// What a process in a conversation is doing.
    pub fn turn(&self, process: &ProcessInfo, id: &str) -> Fact<Activity> {
        let (transcript, home, id) = (self.transcript(id).into_seen(), self.home(), ConversationId(id.to_owned()));
        self.agent().activity(&LiveConversation {
            host: &self.host,
            process,
            home: &home,
            id: &id,
            transcript: transcript.as_ref(),
        })
    }

    /// Everything that can be asked about the specimen's conversation.
    pub fn ask(&self, process: &ProcessInfo) -> Said {
        Said {
            ladder: self.ladder(process),
            transcript: self.transcript(self.specimen.id),
            turn: self.turn(process, self.specimen.id),
        }
    }

    /// Whether this build reads where its conversations are; says so on stderr where it does not.
    pub fn has_readable_transcripts(&self, what: &str) -> bool {
        let can = self.agent().has_readable_transcripts();
        if !can {
            use std::io::Write as _;
            let kind = self.specimen.kind;
            let _ =
                writeln!(std::io::stderr(), "SKIPPED {what} for {kind}: this build does not read where its conversations are");
        }
        can
    }
}

/// A running stand-in.
pub struct Live {
    child: Child,
    pub process: ProcessInfo,
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The id that rungs 1 to 4 prove, if they do.
pub fn proven(ladder: &Ladder) -> Option<String> {
    ladder.proof().seen().map(|(id, _)| id.as_str().to_owned())
}

/// Every id that any rung so much as mentions.
pub fn mentioned(ladder: &Ladder) -> Vec<String> {
    let found = ladder.readings.iter().filter_map(|reading| reading.fact.seen());
    let ids = found.flat_map(|found| match found {
        RungValue::Id(id) | RungValue::Mapped { id, .. } => vec![id.as_str().to_owned()],
        RungValue::Appeared(all) => all.iter().map(|one| one.id.as_str().to_owned()).collect(),
    });
    ids.collect()
}

/// A process that began after everything that was ever recorded.
pub fn later(process: &ProcessInfo) -> ProcessInfo {
    ProcessInfo { started: "2100-01-01T00:00:00Z".parse().unwrap(), ..process.clone() }
}

/// Everything below a directory: name, kind, mode, size, times to the nanosecond, and the bytes of files.
pub fn picture(dir: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for path in every(dir) {
        let it = fs::symlink_metadata(&path).unwrap();
        let bytes = if it.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        all.insert(path, (it.mode(), it.len(), it.mtime() * 1_000_000_000 + it.mtime_nsec(), it.ctime(), bytes));
    }
    all
}

/// Every path below a directory, itself included.
pub fn every(dir: &Path) -> Vec<PathBuf> {
    let mut all = vec![dir.to_path_buf()];
    if !fs::symlink_metadata(dir).unwrap().is_dir() {
        return all;
    }
    for entry in fs::read_dir(dir).unwrap().flatten() {
        all.extend(every(&entry.path()));
    }
    all
}

/// Every regular file below a directory.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    every(dir).into_iter().filter(|path| path.is_file()).collect()
}

/// Where the recorded homes are: beside the sources, unless another copy is named.
pub fn recorded() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    std::env::var_os(RECORDED).map_or_else(beside, PathBuf::from)
}

/// Names another copy of the recorded homes.
pub const RECORDED: &str = "HEADCOUNT_TEST_TRANSCRIPTS";

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An environment of these variables.
pub fn environ(variables: &[(&str, &str)]) -> Environ {
    variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

/// Waits until `ask` gives something; fails after ten seconds.
pub fn await_some<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

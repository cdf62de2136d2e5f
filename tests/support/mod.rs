//! A private world for tests: a home, a tmux server of its own that dies with it, and a stand-in for Claude Code that leaves
//! on disk what the real one leaves. Nothing outside the temporary directory is touched.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

pub mod aider;
pub mod opencode;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use headcount::core::ids::{ConversationId, MuxKind, ServerKey};
use headcount::core::manifest::{Environment, Manifest, Remark, read};
use headcount::host::Environ;

/// What Claude Code leaves behind, in a few lines of shell: a registry entry at once (unless told not to), a transcript at the
/// first prompt. Typing a line is a prompt; `/clear` begins another conversation, with a transcript at once; so does starting with
/// `--fork-session`, without one unless `--session-id` gives it;
/// `/turn STATUS [WAITING FOR]` says what it is doing; `/exit` ends it in order.
const CLAUDE: &str = r#"#!/bin/bash
id=; own=; registry=yes; transcript=; fork=; status=idle
while [ $# -gt 0 ]; do
  case $1 in
    --resume|-r) id=$2; shift ;;
    --session-id) id=$2; own=$2; shift ;;
    --session-id=*|--resume=*) id=${1#*=} ;;
    --no-registry) registry= ;;
    --prompted) transcript=now ;;
    --fork-session) fork=yes ;;
    --) transcript=now; break ;;
  esac
  shift
done
[ -z "$fork" ] || id=$own
home=${CLAUDE_CONFIG_DIR:-$HOME/.claude}
cwd=$(pwd -P; printf x); cwd=${cwd%?x}
quoted=${cwd//\\/\\\\}; quoted=${quoted//\"/\\\"}; quoted=${quoted//$'\n'/\\n}
read -r stat < /proc/$$/stat; set -- ${stat##*) }; start=${20}
begin() {
  [ -n "$id" ] || read -r id < /proc/sys/kernel/random/uuid
  [ -n "$registry" ] || return
  mkdir -p "$home/sessions"
  local waits=; case $status in *\ *) waits=",\"waitingFor\":\"${status#* }\"" ;; esac
  printf '{"pid":%d,"sessionId":"%s","cwd":"%s","procStart":"%s","kind":"interactive","status":"%s"%s}' \
    $$ "$id" "$quoted" "$start" "${status%% *}" "$waits" > "$home/sessions/.$$.new" && mv "$home/sessions/.$$.new" "$home/sessions/$$.json"
}
prompt() {
  local dir="$home/projects/${cwd//[^A-Za-z0-9]/-}"
  mkdir -p "$dir"
  printf '{"type":"mode","mode":"normal","sessionId":"%s"}\n{"type":"user","cwd":"%s","sessionId":"%s","timestamp":"%s"}\n' \
    "$id" "$quoted" "$id" "$(date -u +%FT%T.000Z)" >> "$dir/$id.jsonl"
}
trap 'rm -f "$home/sessions/$$.json"; exit 0' HUP TERM INT
begin
[ -n "$transcript" ] && prompt
while read -r line; do
  case $line in
    /exit) rm -f "$home/sessions/$$.json"; exit 0 ;;
    /clear) read -r id < /proc/sys/kernel/random/uuid; prompt; begin ;;
    /turn\ *) status=${line#/turn }; begin ;;
    *) prompt ;;
  esac
done
"#;

/// A world of its own.
pub struct World {
    dir: tempfile::TempDir,
    root: PathBuf,
}

impl World {
    /// A home, a directory of programs with the stand-in, and no server yet.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("hc").tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for name in ["home", "lab", "bin", "tmux"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let world = Self { dir, root };
        world.program("claude", CLAUDE);
        fs::create_dir_all(world.socket().parent().unwrap()).unwrap();
        fs::set_permissions(world.socket().parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        world
    }

    /// The directory all of it is in, symlinks resolved.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// HOME.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The socket of the default server of this world.
    pub fn socket(&self) -> PathBuf {
        self.named_socket("default")
    }

    /// The socket of another server of this world.
    pub fn named_socket(&self, name: &str) -> PathBuf {
        self.root.join("tmux").join(format!("tmux-{}", rustix::process::getuid().as_raw())).join(name)
    }

    /// The stand-in for Claude Code.
    pub fn claude(&self) -> PathBuf {
        self.root.join("bin/claude")
    }

    /// Puts an executable into the world's PATH.
    pub fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// From here on the stand-in is started by a script of its name, which stays until it has ended.
    pub fn wrap_claude(&self) {
        let inner = self.root.join("inner");
        fs::create_dir(&inner).unwrap();
        fs::rename(self.claude(), inner.join("claude")).unwrap();
        self.program("claude", &format!("#!/bin/sh\n{}/claude \"$@\"\ntrue\n", inner.display()));
    }

    /// A workspace below `lab`, made if it is not there.
    pub fn workspace(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let path = self.root.join("lab").join(name.as_ref());
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// The whole environment of a program run in this world.
    pub fn variables(&self) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut dirs = vec![self.root.join("bin")];
        dirs.extend(std::env::split_paths(&path));
        [
            ("HOME", self.home().into_os_string()),
            ("PATH", std::env::join_paths(dirs).unwrap()),
            ("TMUX_TMPDIR", self.root.join("tmux").into_os_string()),
            ("ZELLIJ_SOCKET_DIR", self.root.join("zellij").into_os_string()),
            ("SHELL", "/bin/sh".into()),
            ("TERM", "screen".into()),
            ("LANG", "C.UTF-8".into()),
        ]
        .into_iter()
        .map(|(name, value)| (OsString::from(name), value))
        .collect()
    }

    /// The same as the library takes it, with some variables set otherwise.
    pub fn environ(&self, others: &[(&str, &str)]) -> Environ {
        let others = others.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        self.variables().into_iter().chain(others).collect()
    }

    /// Runs tmux against the default server of this world and gives what it said.
    pub fn tmux<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> String {
        self.tmux_on(&self.socket(), args)
    }

    /// Runs tmux against the server behind a socket.
    pub fn tmux_on<I: AsRef<OsStr>>(&self, socket: &Path, args: impl IntoIterator<Item = I>) -> String {
        let output = self.try_tmux(socket, args);
        assert!(output.status.success(), "tmux: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
    }

    /// Ends the default server as a crash does: it closes no session before.
    pub fn crash_server(&self) {
        let pid: u32 = self.tmux(["display-message", "-p", "#{pid}"]).parse().unwrap();
        let handle = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(handle, rustix::process::Signal::KILL).unwrap();
        await_some("the end of the server", || (!Path::new(&format!("/proc/{pid}/exe")).exists()).then_some(()));
    }

    fn try_tmux<I: AsRef<OsStr>>(&self, socket: &Path, args: impl IntoIterator<Item = I>) -> Output {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(socket).args(args);
        command.env_clear().envs(self.variables()).stdin(std::process::Stdio::null()).output().expect("tmux")
    }

    /// Starts a detached session that runs a shell command, and gives its pane's process id.
    pub fn session(&self, name: &str, cwd: &Path, command: &str) -> u32 {
        self.session_on(&self.socket(), name, cwd, command)
    }

    /// The same on another server of this world.
    pub fn session_on(&self, socket: &Path, name: &str, cwd: &Path, command: &str) -> u32 {
        let format = "#{pane_pid}";
        let cwd = cwd.as_os_str();
        let words = [OsStr::new("new-session"), "-d".as_ref(), "-P".as_ref(), "-F".as_ref(), format.as_ref(), "-s".as_ref()];
        let words = words.into_iter().chain([OsStr::new(name), "-c".as_ref(), cwd, "--".as_ref(), command.as_ref()]);
        self.tmux_on(socket, words).parse().expect("a process id")
    }

    /// Starts the stand-in in a session of its own and waits until its registry entry is there.
    pub fn claude_session(&self, name: &str, cwd: &Path) -> Claude {
        let pid = self.session(name, cwd, "exec claude");
        self.registered(pid)
    }

    /// Waits for the registry entry of a stand-in in this world's own Claude home.
    pub fn registered(&self, pid: u32) -> Claude {
        let id = await_some("the registry entry", || self.registry(pid));
        Claude { pid, id: ConversationId(id) }
    }

    fn registry(&self, pid: u32) -> Option<String> {
        let text = fs::read_to_string(self.home().join(format!(".claude/sessions/{pid}.json"))).ok()?;
        let entry: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(entry["sessionId"].as_str()?.to_owned())
    }

    /// Types a line into a session of the default server, as a person would.
    pub fn type_line(&self, name: &str, line: &str) {
        self.tmux(["send-keys", "-t", &format!("={name}:"), "-l", line]);
        self.tmux(["send-keys", "-t", &format!("={name}:"), "Enter"]);
    }

    /// The file of a conversation in this world's own Claude home, for a workspace whose path holds only ASCII.
    pub fn transcript(&self, cwd: &Path, id: &ConversationId) -> PathBuf {
        let encoded: String = cwd.to_str().unwrap().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.home().join(".claude/projects").join(encoded).join(format!("{}.jsonl", id.as_str()))
    }

    /// Gives the stand-in in a session its first prompt and waits for the transcript.
    pub fn prompt(&self, name: &str, cwd: &Path, claude: &Claude) -> PathBuf {
        self.type_line(name, "hello");
        let path = self.transcript(cwd, &claude.id);
        await_some("the transcript", || path.exists().then(|| path.clone()))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let Ok(entries) = fs::read_dir(self.socket().parent().unwrap()) else { return };
        for socket in entries.flatten() {
            let _ = self.try_tmux(&socket.path(), ["kill-server"]);
        }
    }
}

/// A running stand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claude {
    /// Its process.
    pub pid: u32,
    /// The conversation it is in.
    pub id: ConversationId,
}

/// Waits until `ask` gives something; fails after half a minute, which a busy machine may need.
pub fn await_some<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a process is no more.
pub fn await_end(pid: u32) {
    await_some("the end of the process", || (!is_alive(pid)).then_some(()));
}

/// Whether a process is there and has a thread that runs. Reaped or not: whoever adopts it may take their time. One whose first thread
/// ended may hold its files and locks for some 30 ms.
pub fn is_alive(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    stats.into_iter().any(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
}

/// The name that entries without `host:` have in these tests.
pub const HOST: &str = "here";

/// A manifest from its text.
pub fn manifest(text: &str) -> Manifest {
    let (manifest, remarks) = manifest_with_remarks(text);
    assert!(remarks.is_empty(), "{remarks:?}");
    manifest
}

/// The same of a text there is something to say about.
pub fn manifest_with_remarks(text: &str) -> (Manifest, Vec<Remark>) {
    let raw: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let environment = Environment { home: PathBuf::from("/nowhere"), host: HOST.to_owned() };
    read(&raw, &raw, &environment).unwrap()
}

/// A manifest of entries, each given as one flow mapping's fields: `name: lane-1, agent: claude, cwd: /x`.
pub fn entries<S: AsRef<str>>(fields: impl IntoIterator<Item = S>) -> Manifest {
    let items: String = fields.into_iter().map(|fields| format!("  - {{ {} }}\n", fields.as_ref())).collect();
    manifest(&format!("version: 1\nsessions:\n{items}"))
}

/// The key of a tmux server.
pub fn server(name: &str) -> ServerKey {
    ServerKey { mux: MuxKind::Tmux, server: name.to_owned() }
}

/// The recorded pane of an entry, as a field of its flow mapping.
pub fn recorded(id: &str, pid: u32) -> String {
    format!("pane: {{ id: {id:?}, pid: {pid}, cmd: claude, cwd: /x }}")
}

//! Which sessions are alive in a socket directory, and whether one may be that is not seen. Asks sockets; starts no program.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{address, panes, wire};
use crate::core::fact::Fact;
use crate::core::observe::{MuxSession, Pane, Server, Viewpoint};
use crate::host::{Host, ProcessInfo, ProcessRow, SocketReply};

/// A server that has no pane at this age is no longer being set up.
const GROWN: TimeDelta = TimeDelta::seconds(10);
/// Nor is one that cannot be seen, if its socket has this age.
const GROWN_UNSEEN: TimeDelta = TimeDelta::seconds(5);
/// The socket of zellij's web server, which stands among those of the sessions (`WEBSERVER_SOCKET_PATH`).
const WEB_SERVER: &str = "web_server_bus";

/// What is alive below a socket directory; `elsewhere` is another one that may be meant.
pub(super) fn list(host: &dyn Host, base: &Path, elsewhere: Option<&Path>) -> Fact<Server> {
    let look = || look(host, base, elsewhere);
    match look() {
        // A server that began or ended between the first and the last question looks like a hidden one: asked again, it does not.
        Ok(server) if server.unlisted.is_some() => verdict(look()),
        first => verdict(first),
    }
}

fn verdict(looked: Result<Server, String>) -> Fact<Server> {
    match looked {
        Err(why) => Fact::Unknown(why),
        Ok(Server { sessions, unlisted: None, .. }) if sessions.is_empty() => Fact::Absent,
        Ok(Server { sessions, unlisted: Some(why), .. }) if sessions.is_empty() => Fact::Unknown(why),
        Ok(server) => Fact::Seen(server),
    }
}

fn look(host: &dyn Host, base: &Path, elsewhere: Option<&Path>) -> Result<Server, String> {
    let directory = address::sockets(base);
    let names = names(&directory).map_err(|error| format!("cannot read {}: {error}", directory.display()))?;
    let listening = match host.listening() {
        Fact::Seen(listening) => listening,
        Fact::Absent => return Err("this system does not show which sockets are in use".to_owned()),
        Fact::Unknown(why) => return Err(why),
    };
    let servers = if names.is_empty() { BTreeMap::new() } else { servers(host, &directory)? };
    let (sessions, reached) = sessions(host, &directory, names, &servers);
    let unlisted = hidden(&listening, base, reached);
    let unlisted = unlisted.or_else(|| elsewhere.and_then(|other| alive_in(&listening, other)));
    Ok(Server { unlisted, sessions: sessions.into_iter().map(Arc::new).collect(), ..Server::default() })
}

/// A server's process.
struct Running {
    process: ProcessInfo,
    /// The name its session began with.
    name: OsString,
    panes: Vec<Pane>,
    /// Whether it may be spoken to. One whose first client has not been set up yet panics when another one leaves it (seen with
    /// 0.45.1): the session somebody is just starting would be gone. Panes come after that.
    is_set_up: bool,
}

/// The servers of a directory. Found by the whole process table: the kernel's list of one process's children may miss some while
/// others end, and a pane that is missed would be an agent that is gone.
fn servers(host: &dyn Host, directory: &Path) -> Result<BTreeMap<u32, Running>, String> {
    let table = match host.table() {
        Fact::Seen(table) => table,
        Fact::Absent => return Err("cannot list the processes of this host".to_owned()),
        Fact::Unknown(why) => return Err(why),
    };
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for ProcessRow { pid, parent, .. } in &table {
        children.entry(*parent).or_default().push(*pid);
    }
    let real = directory.canonicalize().ok();
    let session_of = |process: &ProcessInfo| {
        let [_, option, socket, ..] = process.argv.as_slice() else { return None };
        let socket = Path::new(socket);
        // It was given the directory with its symlinks, or without, or with others.
        let is_here = |parent: &Path| parent == directory || (real.is_some() && parent.canonicalize().ok() == real);
        let is_ours = option == "--server" && socket.parent().is_some_and(is_here);
        is_ours.then(|| socket.file_name().map(OsString::from)).flatten()
    };
    let mut servers = BTreeMap::new();
    for pid in table.iter().filter(|it| it.name.contains("zellij")).map(|it| it.pid) {
        let Fact::Seen(process) = host.process(pid) else { continue };
        let Some(name) = session_of(&process) else { continue };
        let panes = panes::of(host, &process, children.get(&pid).map_or(&[][..], Vec::as_slice));
        let is_set_up = !panes.is_empty() || host.now() - process.started >= GROWN;
        servers.insert(pid, Running { process, name, panes, is_set_up });
    }
    Ok(servers)
}

/// The sessions behind these sockets, and how many of the sockets lead to somebody.
fn sessions(
    host: &dyn Host,
    directory: &Path,
    names: BTreeSet<OsString>,
    servers: &BTreeMap<u32, Running>,
) -> (Vec<MuxSession>, usize) {
    // A session has been set up before it can be renamed, so one that has not stands under the name its server began with.
    let named =
        |is_set_up: bool| servers.values().filter(move |server| server.is_set_up == is_set_up).map(|server| &server.name);
    let (young, grown): (BTreeSet<&OsString>, BTreeSet<&OsString>) = (named(false).collect(), named(true).collect());
    // Of a server in another PID namespace only the socket tells how long it has been there. A renamed one is known by its old name.
    let is_partial = Viewpoint { pids: host.namespace(), ..Viewpoint::default() }.is_partial();
    let unmatched = names.iter().filter(|name| is_partial && !grown.contains(name) && !young.contains(name));
    let unmatched: BTreeSet<OsString> = unmatched.filter(|name| host.is_bound(&directory.join(name))).cloned().collect();
    let renamed = grown.iter().filter(|name| !names.contains(**name)).count();
    let is_hidden = |name: &OsString| unmatched.len() > renamed && unmatched.contains(name);
    let is_young = |name: &OsString| young.contains(name) || (is_hidden(name) && is_new(host, &directory.join(name)));
    let (waits, asked): (Vec<OsString>, Vec<OsString>) = names.into_iter().partition(is_young);
    let sockets: Vec<PathBuf> = asked.iter().map(|name| directory.join(name)).collect();
    let answers = wire::greet(host, &sockets);
    let mut reached: Vec<MuxSession> =
        asked.into_iter().zip(answers).filter_map(|(name, answer)| session(name, servers, answer)).collect();
    reached.extend(waits.into_iter().map(|name| unclear(name, MuxSession::STARTING.to_owned())));
    reached.sort_by(|a, b| a.name.cmp(&b.name));
    let count = reached.len();
    (reached, count)
}

/// Whether a socket was made so lately that its server may not have been set up. Not even if the clock was set meanwhile.
fn is_new(host: &dyn Host, socket: &Path) -> bool {
    let made = socket.symlink_metadata().and_then(|metadata| metadata.modified()).ok().map(DateTime::<Utc>::from);
    made.is_some_and(|made| (host.now() - made).abs() < GROWN_UNSEEN)
}

/// The session behind a socket; `None` if nobody is there.
fn session(name: OsString, servers: &BTreeMap<u32, Running>, answer: SocketReply) -> Option<MuxSession> {
    let unclear = |why: &str| Some(unclear(name.clone(), why.to_owned()));
    match answer {
        SocketReply::Nobody => None,
        SocketReply::Stranger => unclear("another process listens on its socket"),
        SocketReply::Failed(why) => unclear(&why),
        SocketReply::Silent => unclear(&format!("its zellij server did not answer within {} s", wire::DEADLINE.as_secs())),
        SocketReply::Said(heard, _) if !wire::is_connected(&heard) => unclear("cannot parse the answer of its zellij server"),
        SocketReply::Said(_, pid) => match pid.and_then(|pid| servers.get(&pid)) {
            None => unclear("the process of its zellij server was not found"),
            Some(Running { process, panes, .. }) => Some(MuxSession {
                created: Some(process.started),
                process: Some(process.pid),
                panes: panes.iter().cloned().map(Arc::new).collect(),
                ..named(name)
            }),
        },
    }
}

fn named(name: OsString) -> MuxSession {
    let name = name.to_string_lossy().into_owned();
    MuxSession { id: name.clone(), name, created: None, process: None, panes: Vec::new() }
}

/// A session of which nothing more can be told.
fn unclear(name: OsString, why: String) -> MuxSession {
    MuxSession { panes: vec![Arc::new(panes::doubt(why))], ..named(name) }
}

/// The sockets in a directory, in order.
fn names(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(BTreeSet::new());
        }
        Err(error) => return Err(error),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name() != WEB_SERVER && entry.file_type().is_ok_and(|kind| kind.is_socket()) {
            names.insert(entry.file_name());
        }
    }
    Ok(names)
}

/// Why there may be more than what could be reached: more servers listen below the directory than its sockets lead to, or some
/// are of another generation. A socket is listed under the name it began with, so the renamed ones are only counted.
fn hidden(listening: &[PathBuf], base: &Path, reached: usize) -> Option<String> {
    let ours = address::sockets(base);
    let (mut here, mut other) = (0, None);
    for (below, name) in listening.iter().filter_map(|path| Some((relative(path, base)?, path.file_name()?))) {
        if base.join(&below) == ours {
            here += usize::from(name != WEB_SERVER);
        } else if is_generation(&below) {
            other = Some(below);
        }
    }
    if here > reached {
        return Some(match here - reached {
            1 => "a zellij server is alive, but its socket was removed".to_owned(),
            several => format!("{several} zellij servers are alive, but their sockets were removed"),
        });
    }
    other.map(|other| {
        let shown = base.join(&other);
        match super::version(&format!("zellij {}", other.display())) {
            Err(too_old) => format!("{too_old}, and has sessions in {}", shown.display()),
            Ok(_) => format!("there are sessions in {}, whose name is not a known version", shown.display()),
        }
    })
}

/// Where a socket's directory is below a socket directory; either may be written with its symlinks or without.
fn relative(socket: &Path, base: &Path) -> Option<PathBuf> {
    let directory = socket.parent()?;
    let below = |directory: &Path, base: &Path| directory.strip_prefix(base).ok().map(Path::to_path_buf);
    below(directory, base).or_else(|| {
        let base = base.canonicalize().ok()?;
        // Of all the sockets of a host only those that can be zellij's are worth resolving.
        let is_zellij_s = directory.file_name().is_some_and(|name| is_generation(Path::new(name)));
        let resolved = || if is_zellij_s { directory.canonicalize().ok() } else { None };
        below(directory, &base).or_else(|| below(&resolved()?, &base))
    })
}

/// zellij parts its generations by a directory each: `contract_version_1`, before 0.44 the version itself.
fn is_generation(directory: &Path) -> bool {
    let mut names = directory.iter();
    // What lies deeper is no generation's: some other program keeps its sockets below.
    let (Some(name), None) = (names.next().and_then(OsStr::to_str), names.next()) else { return false };
    name.starts_with("contract_version_") || name.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3
}

fn alive_in(listening: &[PathBuf], other: &Path) -> Option<String> {
    let lives = listening.iter().any(|path| relative(path, other).is_some_and(|below| is_generation(&below)));
    lives.then(|| format!("there are zellij sessions in {}, and XDG_RUNTIME_DIR is not set here", other.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn why(listening: &[&str], reached: usize) -> Option<String> {
        hidden(&listening.iter().map(PathBuf::from).collect::<Vec<_>>(), Path::new("/nowhere/z"), reached)
    }

    #[test]
    fn servers_are_counted_because_a_renamed_one_is_listed_under_its_old_name() {
        let two = ["/nowhere/z/contract_version_1/a", "/nowhere/z/contract_version_1/a", "/other/contract_version_1/c"];
        assert_eq!(why(&two, 2), None);
        assert_eq!(why(&two, 3), None, "one in another network namespace is reached and not listed");
        assert_eq!(why(&two, 1).unwrap(), "a zellij server is alive, but its socket was removed");
        assert_eq!(why(&two, 0).unwrap(), "2 zellij servers are alive, but their sockets were removed");
        assert_eq!(why(&["/nowhere/z/contract_version_1/web_server_bus"], 0), None);
        assert_eq!(why(&["/nowhere/z/contract_version_1/deeper/x", "/nowhere/z/log"], 0), None);
    }

    #[test]
    fn sessions_of_another_generation_are_named_by_their_directory() {
        let old = "zellij 0.43.1 is older than 0.44, and has sessions in /nowhere/z/0.43.1";
        assert_eq!(why(&["/nowhere/z/0.43.1/a"], 0).as_deref(), Some(old));
        assert!(why(&["/nowhere/z/contract_version_2/a"], 0).unwrap().contains("not a known version"));
        assert_eq!(why(&["/nowhere/z/mine/a", "/nowhere/z/1.2/a"], 0), None);
    }

    #[test]
    fn a_server_is_found_below_a_directory_written_with_a_symlink() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap().join("real");
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, dir.path().join("link")).unwrap();
        let listening = [real.join("contract_version_1/a")];
        assert!(hidden(&listening, &dir.path().join("link"), 0).is_some());
        // Or one that was itself started with the symlink.
        std::fs::create_dir(real.join("contract_version_1")).unwrap();
        let listening = [dir.path().join("link/contract_version_1/a")];
        assert!(hidden(&listening, &real, 0).is_some());
        assert!(hidden(&listening, &dir.path().join("other"), 0).is_none());
    }

    #[test]
    fn a_directory_that_is_not_there_holds_nothing_and_one_that_may_not_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(names(&dir.path().join("missing")).unwrap().is_empty());
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(names(&dir.path().join("file/below")).unwrap().is_empty());
        assert!(names(dir.path()).unwrap().is_empty(), "a file is no socket");
        let _web = std::os::unix::net::UnixListener::bind(dir.path().join(WEB_SERVER)).unwrap();
        let _one = std::os::unix::net::UnixListener::bind(dir.path().join("two\nlines")).unwrap();
        assert_eq!(names(dir.path()).unwrap().into_iter().collect::<Vec<_>>(), ["two\nlines"]);
    }
}

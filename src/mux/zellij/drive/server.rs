//! The processes of zellij's servers: begins one, finds those that headcount began, and the panes of one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::message::{self, FirstClient};
use super::session::{GONE, ServedSession, until};
use super::{MuxDrive as _, ZellijDrive};
use crate::core::ids::SessionKey;
use crate::core::lead::{OperationId, Permit};
use crate::core::text::printable;
use crate::host::{Command, Environ, Host, ProcessInfo};
use crate::mux::drive::{MuxPlace, PaneCommand};
use crate::mux::zellij::{address, listing, panes, wire};

/// How long a server may take to begin, and to make a pane.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a server that is just beginning is left alone.
const YOUTH: Duration = Duration::from_secs(3);

/// The variable by which a server says which operation made it: that, `@`, and the server's own socket. Its panes inherit it, so
/// another server may have it too; that has another socket.
const MARK: &str = "HEADCOUNT_SERVER";

/// Begins a server and its session, whose only pane runs these words.
pub(super) fn begin(
    (host, env): MuxPlace<'_>,
    permit: &Permit,
    command: &PaneCommand<'_>,
    (words, cwd): (&[String], &str),
) -> Result<ProcessInfo, String> {
    let operation = permit.operation();
    let key = &operation.session;
    let socket = ZellijDrive.socket(env, key)?;
    // A server takes the socket of another one away without asking.
    if host.is_bound(&socket) {
        return Err("duplicate session: somebody listens on its socket".to_owned());
    }
    let base = address::base(&key.server, env)?;
    let mark = format!("{}@{}", operation.id, socket.display());
    let variables = [
        ("ZELLIJ", OsString::from("0")),
        ("ZELLIJ_SESSION_NAME", OsString::from(&key.name)),
        ("ZELLIJ_SOCKET_DIR", base.into_os_string()),
        (MARK, OsString::from(mark)),
    ];
    let zellij = ["zellij".into(), "--server".into(), socket.clone().into_os_string()];
    let begun = command.surroundings.words(&variables).into_iter().chain(zellij);
    match host.run(&Command::of(begun, DEADLINE)) {
        Ok(output) if output.is_success() => {}
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("zellij began no server: {}", printable(said.lines().last().unwrap_or_default())));
        }
        Err(error) => return Err(error.to_string()),
    }
    let (config, config_dir) = configuration(env);
    let first = FirstClient { config: config.as_deref(), config_dir: config_dir.as_deref(), cwd, words };
    let first = message::first_client(&first);
    // It listens a moment after it has begun, and is another process until it has become a daemon.
    let begun = until(DEADLINE, || {
        let Some(server) = made_by(host, &socket, &operation.id) else { return Ok(None) };
        Ok(wire::tell(host, &socket, &first, server.pid)?.then_some(server))
    })?;
    begun.ok_or_else(|| "zellij's server has begun and does not listen on its socket".to_owned())
}

/// Where zellij would look for its configuration, as far as it is there: the file, and the directory.
fn configuration(env: &Environ) -> (Option<PathBuf>, Option<PathBuf>) {
    let named = env.path("ZELLIJ_CONFIG_DIR");
    let usual = [env.path("HOME").map(|home| home.join(".config")), env.path("XDG_CONFIG_HOME"), Some(PathBuf::from("/etc"))];
    let usual = usual.into_iter().flatten().map(|directory| directory.join("zellij"));
    let directory = named.clone().or_else(|| usual.into_iter().find(|directory| directory.join("config.kdl").is_file()));
    let file = env.path("ZELLIJ_CONFIG_FILE").or_else(|| Some(directory.as_ref()?.join("config.kdl")));
    (file.filter(|file| file.is_file()), named)
}

/// Waits for the pane of a server that runs these words: its id and its process, or zero if that has ended by now.
pub(super) fn await_pane(
    (host, env): MuxPlace<'_>,
    key: &SessionKey,
    server: &ProcessInfo,
    words: &[String],
) -> Result<(String, u32), String> {
    let mut looked = Instant::now();
    let found = until(DEADLINE, || {
        if let Some(found) = running(host, server).into_iter().find(|(_, _, argv)| argv == words) {
            return Ok(Some(Ok((found.0, found.1))));
        }
        if host.stat(server.pid).seen().is_none_or(|now| now.start_ticks != server.start_ticks) {
            return Ok(Some(Err("its zellij server ended as it began".to_owned())));
        }
        // A server that is still being set up is not to be spoken to.
        if looked.elapsed() < YOUTH {
            return Ok(None);
        }
        looked = Instant::now();
        let there = ServedSession::of(host, env, key, server.pid, server.start_ticks)?.ok_or(GONE)?;
        let launch = words.last().map_or("", String::as_str);
        let ended = there.panes(host)?.into_iter().find(|pane: &listing::Listed| pane.has_ended() && pane.runs(launch));
        Ok(ended.map(|pane| Ok((panes::terminal(pane.id), 0))))
    })?;
    found.unwrap_or_else(|| Err("zellij made no pane".to_owned()))
}

/// The panes of a server that have a process: their ids, processes and arguments.
pub(super) fn running(host: &dyn Host, server: &ProcessInfo) -> Vec<(String, u32, Vec<String>)> {
    let table = host.table().into_seen().unwrap_or_default();
    let children: Vec<u32> = table.iter().filter(|row| row.parent == server.pid).map(|row| row.pid).collect();
    let panes = panes::of(host, server, &children).into_iter();
    panes.filter_map(|pane| Some((pane.id, pane.pid?, host.process(pane.pid?).into_seen()?.argv))).collect()
}

/// The server that an operation made with this socket.
pub(super) fn made_by(host: &dyn Host, socket: &Path, operation: &OperationId) -> Option<ProcessInfo> {
    all(host, socket).into_iter().find(|process| maker(host, process).as_ref() == Some(operation))
}

/// The servers that were begun with a socket: that of one that was renamed may be another one's by now.
pub(super) fn all(host: &dyn Host, socket: &Path) -> Vec<ProcessInfo> {
    let table = host.table().into_seen().unwrap_or_default();
    let servers = table.iter().filter(|row| row.name.contains("zellij")).filter_map(|row| host.process(row.pid).into_seen());
    servers.filter(|process| socket_of(process).is_some_and(|own| own == socket)).collect()
}

/// The operation that made a server, as that says itself.
pub(super) fn maker(host: &dyn Host, server: &ProcessInfo) -> Option<OperationId> {
    let environ = host.environ(server.pid).into_seen()?;
    let (operation, socket) = environ.get(MARK)?.to_str()?.split_once('@')?;
    let is_its = socket_of(server).is_some_and(|own| own == Path::new(socket));
    OperationId::parse(operation).filter(|_| is_its)
}

fn socket_of(process: &ProcessInfo) -> Option<&Path> {
    match process.argv.as_slice() {
        [_, option, socket, ..] if option == "--server" => Some(Path::new(socket)),
        _ => None,
    }
}

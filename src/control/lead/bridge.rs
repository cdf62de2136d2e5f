//! Panes of one tmux server, as tmux-bridge reads and types into them: which server is meant, and that a pane was read before anything
//! goes into it. What may be typed where is decided in `core`; never starts or ends anything.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{act, effects, holds};
use crate::control::observe::Observer;
use crate::core::bridge::PaneWord;
use crate::core::ids::{MuxKind, ServerKey, SessionKey};
use crate::core::lead::send::{PaneAddress, TypingPermit, may_type_as_read, without_controls};
use crate::core::lead::{LeadProfile, OperationId};
use crate::core::text::printable;
use crate::host::{Environ, Listener, ancestry};
use crate::mux::tmux::{address, panes};
use crate::store::operations::{LedgerFile, SessionLock};
use crate::store::paths::StateHome;
use crate::store::read_marks::{MarkedPane, ReadMarks};

pub use crate::mux::tmux::panes::{ListedPane, NamedPane};

/// How long another headcount may be at the session.
const WAITS: Duration = Duration::from_secs(5);
/// So often a pane is looked at again that changes while it is typed into.
const TRIES: usize = 5;
/// A text that is longer is pasted: tmux takes no longer command.
const LONGEST_TYPED: usize = 2000;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BridgeError {
    /// No server can be reached.
    #[error("cannot find a reachable tmux server (TMUX={tmux}, TMUX_PANE={pane})")]
    NoServer {
        /// `$TMUX`.
        tmux: String,
        /// `$TMUX_PANE`.
        pane: String,
    },
    /// The variable that names the socket names none.
    #[error("TMUX_BRIDGE_SOCKET={0} is not a valid socket")]
    NoSocket(String),
    /// Nobody has this label.
    #[error("no pane found with label '{0}'")]
    NoLabel(String),
    /// tmux knows no such pane.
    #[error("invalid target: {0}")]
    NoPane(String),
    /// It was not read before.
    #[error("must read the pane before interacting. Run: tmux-bridge read {0}")]
    Unread(String),
    /// Something else: one line.
    #[error("{0}")]
    Other(String),
}

fn other(why: impl Into<String>) -> BridgeError {
    BridgeError::Other(why.into())
}

/// The panes of a server.
pub struct PaneBridge {
    world: Observer,
    state: StateHome,
    /// The socket of the server.
    pub socket: PathBuf,
    server: String,
    holder: String,
}

/// The value of a variable, for people.
fn shown(env: &Environ, name: &str) -> String {
    env.get(name)
        .filter(|value| !value.is_empty())
        .map_or_else(|| "<unset>".to_owned(), |value| printable(&value.to_string_lossy()).into_owned())
}

/// Whether a server answers at a socket.
pub fn is_reachable(world: &Observer, socket: &Path) -> bool {
    matches!(world.host.listener(socket), Listener::Listening(_))
}

/// The socket of the server that this process runs in, in the order of tmux-bridge: the variable of its own, `$TMUX`, the server whose
/// pane `$TMUX_PANE` is, the usual one.
///
/// # Errors
/// [`BridgeError`]: none can be reached.
pub fn socket(world: &Observer) -> Result<PathBuf, BridgeError> {
    let env = &world.env;
    if let Some(named) = env.path("TMUX_BRIDGE_SOCKET") {
        let is_socket = named.metadata().is_ok_and(|it| std::os::unix::fs::FileTypeExt::is_socket(&it.file_type()));
        return if is_socket { Ok(named) } else { Err(BridgeError::NoSocket(shown(env, "TMUX_BRIDGE_SOCKET"))) };
    }
    if let Some(socket) = of_variable(env).filter(|socket| is_reachable(world, socket)) {
        return Ok(socket);
    }
    let usual = address::socket(ServerKey::DEFAULT, env).ok();
    if let Some(pane) = env.get("TMUX_PANE").and_then(OsStr::to_str) {
        // Every server has a %1: ours is the one whose pane this process runs in.
        let above: Vec<u32> = ancestry::of_this_process().iter().map(|above| above.pid).collect();
        let directory = usual.as_deref().and_then(Path::parent).map(std::fs::read_dir);
        let mut all: Vec<PathBuf> = directory.into_iter().flatten().flatten().flatten().map(|entry| entry.path()).collect();
        all.sort();
        let is_ours = |socket: &PathBuf| {
            is_reachable(world, socket)
                && panes::find(world.host.as_ref(), socket, pane).is_ok_and(|it| it.is_some_and(|it| above.contains(&it.pid)))
        };
        if let Some(found) = all.into_iter().find(is_ours) {
            return Ok(found);
        }
    }
    let none = || BridgeError::NoServer { tmux: shown(env, "TMUX"), pane: shown(env, "TMUX_PANE") };
    usual.filter(|socket| is_reachable(world, socket)).ok_or_else(none)
}

/// The socket that `$TMUX` names.
pub fn of_variable(env: &Environ) -> Option<PathBuf> {
    let value = env.path("TMUX")?.into_os_string().into_string().ok()?;
    value.split(',').next().filter(|socket| !socket.is_empty()).map(PathBuf::from)
}

impl PaneBridge {
    /// The panes of the server that is meant, for somebody who may have sessions in hand under this name.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn new(world: Observer, state: StateHome, holder: String) -> Result<Self, BridgeError> {
        let socket = socket(&world)?;
        // One server has one name, or two locks would be one session's.
        let real = match (socket.parent().and_then(|parent| parent.canonicalize().ok()), socket.file_name()) {
            (Some(parent), Some(name)) => parent.join(name),
            _ => socket.clone(),
        };
        let usual = address::socket(ServerKey::DEFAULT, &world.env).ok();
        let is_usual = usual.as_deref().and_then(Path::parent) == real.parent();
        let name = real.file_name().filter(|_| is_usual).unwrap_or(real.as_os_str());
        let server = name.to_str().ok_or_else(|| other("the path of the tmux socket is no text"))?.to_owned();
        Ok(Self { world, state, socket: real, server, holder })
    }

    /// All panes, with the name of what runs in each: the first child of the process that the pane was made for, else that itself.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn list(&self) -> Result<Vec<(ListedPane, Option<String>)>, BridgeError> {
        let host = self.world.host.as_ref();
        let table = host.table().into_seen().unwrap_or_default();
        let runs = |pane: &ListedPane| {
            let children = table.iter().filter(|row| row.parent == pane.pid);
            let first = children.min_by_key(|row| row.pid).or_else(|| table.iter().find(|row| row.pid == pane.pid));
            first.map(|row| row.name.clone())
        };
        let all = panes::all(host, &self.socket).map_err(other)?;
        Ok(all.into_iter().map(|pane| (runs(&pane), pane)).map(|(runs, pane)| (pane, runs)).collect())
    }

    /// The first pane of this label.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn labelled(&self, label: &str) -> Result<String, BridgeError> {
        let all = panes::all(self.world.host.as_ref(), &self.socket).map_err(other)?;
        let first = all.into_iter().find(|pane| !label.is_empty() && pane.label == label);
        first.map(|pane| pane.id).ok_or_else(|| BridgeError::NoLabel(printable(label).into_owned()))
    }

    /// The pane that a word means.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn find(&self, word: &str) -> Result<NamedPane, BridgeError> {
        let target = match PaneWord::of(word) {
            PaneWord::Tmux(target) => target.to_owned(),
            PaneWord::Label(label) => self.labelled(label)?,
        };
        let found = panes::find(self.world.host.as_ref(), &self.socket, &target).map_err(other)?;
        found.ok_or_else(|| BridgeError::NoPane(printable(word).into_owned()))
    }

    /// What a pane shows, and so many lines above that. From here on something may be typed into it, once.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn read(&self, word: &str, lines: u32) -> Result<String, BridgeError> {
        let pane = self.find(word)?;
        let read = panes::read(self.world.host.as_ref(), &self.socket, &pane.id, lines).map_err(other)?;
        let (pane, text) = read.ok_or_else(|| BridgeError::NoPane(printable(word).into_owned()))?;
        let set = self.marked(&pane, |marks, pane| marks.set(pane));
        set.map_err(|error| other(format!("cannot keep the mark that {} was read: {error}", pane.id)))?;
        Ok(text)
    }

    fn marked<T>(&self, pane: &NamedPane, act: impl FnOnce(&ReadMarks, &MarkedPane<'_>) -> T) -> T {
        let boot = self.world.host.boot().into_seen().map(|boot| boot.id);
        let socket = self.socket.to_string_lossy();
        let marked = MarkedPane { socket: &socket, boot: boot.as_deref(), server: pane.server, pane: &pane.id, pid: pane.pid };
        act(&ReadMarks::new(&self.state), &marked)
    }

    /// The pane that a word means, if it was read.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn read_before(&self, word: &str) -> Result<NamedPane, BridgeError> {
        let pane = self.find(word)?;
        let is_read = self.marked(&pane, ReadMarks::is_set);
        if is_read { Ok(pane) } else { Err(BridgeError::Unread(pane.id)) }
    }

    /// Types a text into a pane that was read. A long one, and one of several lines, is pasted.
    ///
    /// # Errors
    /// [`BridgeError`]: nothing was typed, or it says that this cannot be told.
    pub fn type_text(&self, pane: &NamedPane, text: &str) -> Result<(), BridgeError> {
        if without_controls(text) != text {
            return Err(other("the text holds control characters, which a terminal obeys; nothing was typed. Take them out"));
        }
        if text.is_empty() {
            return self.act(pane, &|_| Ok(true));
        }
        let is_pasted = text.contains(['\n', '\t']) || text.len() > LONGEST_TYPED;
        self.act(pane, &|permit| match is_pasted {
            true => effects::paste(&self.world, permit, text),
            false => effects::type_letters(&self.world, permit, text),
        })
    }

    /// Presses keys in a pane that was read.
    ///
    /// # Errors
    /// As for [`Self::type_text`].
    pub fn press(&self, pane: &NamedPane, keys: &[String]) -> Result<(), BridgeError> {
        self.act(pane, &|permit| effects::press_all(&self.world, permit, keys))
    }

    /// Gives a pane a label.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn label(&self, pane: &NamedPane, label: &str) -> Result<(), BridgeError> {
        if label.chars().any(char::is_control) {
            return Err(other("the label holds control characters; it was not given"));
        }
        match effects::label(&self.world, &self.address(pane), label) {
            Ok(true) => Ok(()),
            Ok(false) => Err(BridgeError::NoPane(pane.id.clone())),
            Err(why) => Err(other(why)),
        }
    }

    fn address(&self, pane: &NamedPane) -> PaneAddress {
        let session = SessionKey {
            host: self.world.host.name().to_owned(),
            mux: MuxKind::Tmux,
            server: self.server.clone(),
            name: pane.session.clone(),
        };
        PaneAddress { session, server: pane.server, id: pane.id.clone(), pid: pane.pid }
    }

    /// Does something to a pane that was read. Its mark goes first: whatever becomes of this, nobody types a second time unread.
    fn act(&self, pane: &NamedPane, act: &dyn Fn(&TypingPermit) -> Result<bool, String>) -> Result<(), BridgeError> {
        let to = self.address(pane);
        let _lock = self.lock(&to.session)?;
        self.is_free(&to.session)?;
        let host = self.world.host.as_ref();
        let id = OperationId::new(host.now(), std::process::id(), 0);
        let permit = || {
            let view = effects::composer_pane(&self.world, &to);
            let view = view.map_err(|why| other(format!("{} cannot be looked at: {why}", pane.id)))?;
            may_type_as_read(&id, &to, &view, LeadProfile::BRIDGE).map_err(|blocked| other(blocked.message))
        };
        let mut may = permit()?;
        let taken = self.marked(pane, ReadMarks::take);
        if !taken.map_err(|error| other(format!("cannot take the mark of {}: {error}", pane.id)))? {
            return Err(BridgeError::Unread(pane.id.clone()));
        }
        for _ in 0..TRIES {
            match act(&may) {
                Ok(true) => return Ok(()),
                // What runs in it may begin and end programs all the time.
                Ok(false) => may = permit()?,
                Err(why) => {
                    return Err(other(format!("whether it came to {} cannot be told: {why}. Read it again", pane.id)));
                }
            }
        }
        Err(other(format!("{} changes all the time, and nothing was typed. Read it again", pane.id)))
    }

    /// The lock of the session, so that no headcount types at the same time.
    fn lock(&self, session: &SessionKey) -> Result<SessionLock, BridgeError> {
        act::lock_within(&self.world, &self.state, session, WAITS)
            .map_err(|blocked| other(format!("{}: {}", printable(&session.name), blocked.message)))
    }

    /// Whether nobody else has the session in hand.
    fn is_free(&self, session: &SessionKey) -> Result<(), BridgeError> {
        let ledger = LedgerFile::new(&self.state).read();
        let ledger = ledger.map_err(|error| other(format!("whether somebody has it in hand cannot be told: {error}")))?;
        let held = holds::of(&self.world, ledger.of(session), session, None);
        match held.filter(|held| held.holder != self.holder) {
            Some(held) => Err(other(format!("{}: {}", printable(&session.name), held.blocked(session).message))),
            None => Ok(()),
        }
    }
}

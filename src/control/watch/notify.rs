//! Tells systemd that the watch is ready, alive or ending: sd_notify(3). Never fails a watch; without a supervisor it says
//! nothing.

use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Who supervises this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supervisor {
    /// `$NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    pub socket: Option<OsString>,
    /// `$WATCHDOG_USEC`, if `$WATCHDOG_PID` is this process: after so long a silence it is restarted.
    pub watchdog: Option<Duration>,
}

impl Supervisor {
    /// Variables of a supervised process that its children must not inherit.
    pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

    /// What the environment says of it.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let number = |name: &str| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_other = number("WATCHDOG_PID").is_some_and(|pid| pid != u64::from(std::process::id()));
        Self {
            socket: variable("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            watchdog: number("WATCHDOG_USEC").filter(|usec| *usec > 0 && !is_other).map(Duration::from_micros),
        }
    }

    /// Says something, for instance `READY=1`.
    pub(super) fn say(&self, state: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = send(socket, state)
        {
            tracing::debug!(%error, "cannot notify the supervisor");
        }
    }
}

fn send(socket: &OsString, state: &str) -> std::io::Result<()> {
    let address = match socket.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let sender = UnixDatagram::unbound()?;
    // A supervisor that does not read must not stop the loop.
    sender.set_nonblocking(true)?;
    sender.send_to_addr(state.as_bytes(), &address).map(|_| ())
}

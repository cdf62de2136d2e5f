//! The `mqtt:` section of a manifest. Never holds a password: only the name of the file it is in.

use std::path::PathBuf;

/// What a manifest says of the broker. What it leaves open is for the environment and the defaults to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The host.
    pub broker: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Whether to speak TLS.
    pub tls: Option<bool>,
    /// The user.
    pub username: Option<String>,
    /// The file the password is in.
    pub password_file: Option<PathBuf>,
    /// The certificates of the authorities that vouch for the broker (PEM).
    pub ca_certs: Option<PathBuf>,
    /// The client's certificate (PEM).
    pub certfile: Option<PathBuf>,
    /// The client's key (PEM); without it, the key is in `certfile`.
    pub keyfile: Option<PathBuf>,
    /// What client ids begin with.
    pub client_id_prefix: Option<String>,
    /// Where the topics of jobs begin.
    pub root: Option<String>,
}

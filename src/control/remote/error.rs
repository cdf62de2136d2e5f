//! Why another host could not be talked to. Owns the words; exit codes are picked elsewhere.

use std::time::Duration;

/// Why another host could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There is no ssh.
    #[error("ssh is not in PATH")]
    NoSsh,
    /// ssh would take its name for something else.
    #[error("{name:?} is no host")]
    Unfit {
        /// The name.
        name: String,
    },
    /// It is down, refuses, or does not answer.
    #[error("{name} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        name: String,
        /// What ssh says.
        why: String,
    },
    /// There is no headcount.
    #[error("{name} has no headcount: there is no program {program} there")]
    NoHeadcount {
        /// The host.
        name: String,
        /// What was looked for.
        program: String,
    },
    /// Its headcount knows no `serve`.
    #[error("the headcount of {name} is older than this one ({}), and cannot be used from here", env!("CARGO_PKG_VERSION"))]
    TooOld {
        /// The host.
        name: String,
    },
    /// Its headcount speaks another protocol.
    #[error("{name} runs headcount {version}, and this one ({}) does not know how to talk to it", env!("CARGO_PKG_VERSION"))]
    OtherVersion {
        /// The host.
        name: String,
        /// Its version.
        version: String,
    },
    /// Something else answers.
    #[error("what answers on {name} is no headcount: {said}")]
    Garbled {
        /// The host.
        name: String,
        /// What it says.
        said: String,
    },
    /// The connection broke.
    #[error("the connection to {name} was cut")]
    Cut {
        /// The host.
        name: String,
    },
    /// The connection stands, and nothing comes.
    #[error("{name} has said nothing for {} s", after.as_secs())]
    Hung {
        /// The host.
        name: String,
        /// How long it was waited.
        after: Duration,
    },
    /// The answer is longer than any may be.
    #[error("{name} says more than an answer may hold")]
    TooMuch {
        /// The host.
        name: String,
    },
    /// The command is longer than any may be.
    #[error("the command is longer than 1 MiB; nothing was sent")]
    TooLong,
}

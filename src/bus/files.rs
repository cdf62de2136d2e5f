//! The files a broker's secrets and certificates are in. Read anew for each connection, so that a renewed certificate is used;
//! never written, never shown.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::core::mqtt::{Broker, Password, Secret};

/// The longest file that is read.
const LONGEST: u64 = 1 << 20;

/// A file that is named for the broker cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot read the {what} {}: {source}", path.display())]
    Read { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("the {what} {} is empty or not text", path.display())]
    Text { what: &'static str, path: PathBuf },
}

/// The bytes of a file.
pub(super) fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    let fail = |source| FileError::Read { what, path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)).map_err(fail)?;
    Ok(bytes)
}

/// The password, if there is one.
pub(super) fn password(broker: &Broker) -> Result<Option<Secret>, FileError> {
    match &broker.password {
        Password::None => Ok(None),
        Password::Given(secret) => Ok(Some(secret.clone())),
        Password::InFile(path) => {
            let text = String::from_utf8(read("password file", path)?).ok();
            let line = text.as_deref().and_then(|text| text.lines().next()).filter(|line| !line.is_empty());
            line.map(|line| Some(Secret::new(line)))
                .ok_or_else(|| FileError::Text { what: "password file", path: path.clone() })
        }
    }
}

/// The password file or client key of a broker, if others than its owner can read it: one line to warn with.
pub fn exposed_secret(broker: &Broker) -> Option<String> {
    let password = match &broker.password {
        Password::InFile(path) => Some(("password file", path.as_path())),
        Password::None | Password::Given(_) => None,
    };
    let key = broker.keyfile.as_deref().map(|path| ("client key", path));
    password.into_iter().chain(key).find_map(|(what, path)| {
        let mode = path.metadata().ok()?.mode() & 0o777;
        (mode & 0o044 != 0)
            .then(|| format!("other users can read the {what} {} (mode {mode:03o}); run `chmod 600` on it", path.display()))
    })
}

//! A set of environment variables as a value. Never changes the environment of this process.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Environment variables, kept as the kernel gives them (`NAME=value`, NUL after each) because most are never asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environ {
    raw: Vec<u8>,
}

impl Environ {
    /// From the bytes of `/proc/PID/environ`.
    pub fn from_bytes(raw: Vec<u8>) -> Self {
        Self { raw }
    }

    /// The environment this process was started in.
    pub fn of_this_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable; the last one wins if it stands twice.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        let assignments = self.raw.split(|byte| *byte == 0);
        let values = assignments.rev().filter_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        values.map(OsStr::from_bytes).next()
    }

    /// The value of a variable that names a path; an empty value counts as not set.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// These variables with others laid over them.
    pub fn overlaid<'a>(&self, others: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let mut raw = self.raw.clone();
        if raw.last().is_some_and(|last| *last != 0) {
            raw.push(0);
        }
        for (name, value) in others {
            push(&mut raw, OsStr::new(name), OsStr::new(value));
        }
        Self { raw }
    }

    /// These variables with another value of one.
    pub fn with(&self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.pairs().chain([(OsStr::new(name), value.as_ref())]).map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// These variables less those of these names.
    pub fn without(&self, names: &[&str]) -> Self {
        let kept = self.pairs().filter(|(name, _)| !names.iter().any(|gone| name == gone));
        kept.map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// Every variable. One that stands twice comes twice, the one in force last.
    pub fn pairs(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.raw.split(|byte| *byte == 0).filter_map(|entry| {
            let at = entry.iter().position(|byte| *byte == b'=')?;
            (at > 0).then(|| (OsStr::from_bytes(&entry[..at]), OsStr::from_bytes(&entry[at + 1..])))
        })
    }
}

impl FromIterator<(OsString, OsString)> for Environ {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(pairs: I) -> Self {
        let mut raw = Vec::new();
        for (name, value) in pairs {
            push(&mut raw, &OsString::from_vec(name.into_vec()), &value);
        }
        Self { raw }
    }
}

fn push(raw: &mut Vec<u8>, name: &OsStr, value: &OsStr) {
    raw.extend_from_slice(name.as_bytes());
    raw.push(b'=');
    raw.extend_from_slice(value.as_bytes());
    raw.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_laid_over_another_wins_and_an_empty_path_counts_as_unset() {
        let base = Environ::from_bytes(b"HOME=/home/dev\0PATH=/bin\0CODEX_HOME=\0=odd\0torn".to_vec());
        assert_eq!(base.get("HOME"), Some(OsStr::new("/home/dev")));
        assert_eq!(base.path("CODEX_HOME"), None);
        assert_eq!(base.get("torn"), None);
        let (name, value) = ("HOME".to_owned(), "/other".to_owned());
        let over = base.overlaid([(&name, &value)]);
        assert_eq!(over.path("HOME"), Some(PathBuf::from("/other")));
        assert_eq!(over.get("PATH"), Some(OsStr::new("/bin")));
    }
}

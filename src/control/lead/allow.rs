//! Which manifests may act: one that was found in the working directory only as it was allowed. And the user's consent to agents
//! that ask nothing. Never acts on a session.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::core::lead::{BlockCode, Blocked};
use crate::core::manifest::Manifest;
use crate::core::text::printable;
use crate::store::TextHash;
use crate::store::paths::StateHome;

/// What a manifest would run, as text: one line per fact, each entry by its name. Values of variables are digests.
pub fn scope_of(manifest: &Manifest) -> Vec<String> {
    let mut lines: Vec<String> = manifest.agents.definitions().iter().map(|it| format!("agent {it:?}")).collect();
    for session in &manifest.sessions {
        let lead = &session.lead;
        let name = printable(&session.key.name);
        let mut fact = |what: &str, value: String| lines.push(format!("{name}: {what} {value}"));
        fact("agent", session.agent.to_string());
        fact("server", format!("{} {}", session.key.mux, printable(&session.key.server)));
        if let Some(cwd) = &session.cwd {
            fact("cwd", printable(&cwd.display().to_string()).into_owned());
        }
        if !lead.command.is_empty() {
            fact("command", format!("{:?}", lead.command));
        }
        if !lead.args.is_empty() {
            fact("args", format!("{:?}", lead.args));
        }
        for (key, value) in &session.env {
            fact("env", format!("{} {}", printable(key), TextHash::of(value.as_bytes()).short(12)));
        }
        for (key, path) in &lead.env_files {
            fact("env", format!("{} from {}", printable(key), path.display()));
        }
        if let Some(permissions) = lead.permissions {
            fact("permissions", format!("{permissions:?}").to_lowercase());
        }
        if let Some(trust) = lead.trust {
            fact("trust", trust.to_string());
        }
        if let Some(prompt) = &lead.prompt {
            fact("prompt", format!("{prompt:?}"));
        }
    }
    lines.extend(manifest.hosts.iter().map(|(name, host)| format!("host {}: {host:?}", printable(name))));
    lines
}

/// Whether a manifest may act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Allowed,
    /// It was never allowed.
    Never,
    /// It was allowed with other content; the lines that it was allowed with.
    Changed(Vec<String>),
    /// Somebody else can write it, or a directory above it.
    Shared(PathBuf),
}

impl Permission {
    /// Why it may not act.
    pub fn refusal(&self) -> Option<Blocked> {
        let message = match self {
            Self::Allowed => return None,
            Self::Never => {
                "this manifest lies in the working directory; `headcount allow` shows what it would run and allows it"
            }
            Self::Changed(_) => "what this manifest would run has changed; `headcount allow` shows how and allows it",
            Self::Shared(path) => {
                let message = format!("{} can be written by other users, so its manifest may start nothing", path.display());
                return Some(Blocked::new(BlockCode::NotAllowed, message));
            }
        };
        Some(Blocked::new(BlockCode::NotAllowed, message))
    }
}

/// The permission of one manifest, on disk.
#[derive(Debug, Clone)]
pub struct PermissionFile {
    path: PathBuf,
    manifest: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Allowed {
    version: u32,
    manifest: String,
    scope: Vec<String>,
}

impl PermissionFile {
    /// That of a manifest, symlinks resolved.
    pub fn new(home: &StateHome, manifest: &Path) -> Self {
        let name = TextHash::of(manifest.as_os_str().as_encoded_bytes()).short(16);
        Self { path: home.path().join("allowed").join(format!("{name}.json")), manifest: manifest.to_path_buf() }
    }

    /// Whether it may act with this scope. One that a person named need not be allowed: `is_found` says that nobody did.
    pub fn permission(&self, scope: &[String], is_found: bool) -> Permission {
        if let Some(path) = shared(&self.manifest) {
            return Permission::Shared(path);
        }
        if !is_found {
            return Permission::Allowed;
        }
        match self.read() {
            None => Permission::Never,
            Some(allowed) if allowed == scope => Permission::Allowed,
            Some(allowed) => Permission::Changed(allowed),
        }
    }

    fn read(&self) -> Option<Vec<String>> {
        let allowed: Allowed = serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()?;
        (allowed.version == 1 && allowed.manifest == self.manifest.to_string_lossy()).then_some(allowed.scope)
    }

    /// Allows it with this scope.
    ///
    /// # Errors
    /// Its file cannot be written.
    pub fn allow(&self, scope: &[String]) -> io::Result<()> {
        let allowed = Allowed { version: 1, manifest: self.manifest.to_string_lossy().into_owned(), scope: scope.to_vec() };
        write(&self.path, &serde_json::to_vec(&allowed).map_err(io::Error::other)?)
    }

    /// Takes the permission back; whether there was one.
    ///
    /// # Errors
    /// Its file cannot be removed.
    pub fn revoke(&self) -> io::Result<bool> {
        remove(&self.path)
    }
}

fn consent_path(home: &StateHome) -> PathBuf {
    home.path().join("consent").join("bypass")
}

/// Whether the user has consented to agents that ask nothing.
pub(super) fn has_consent(home: &StateHome) -> bool {
    consent_path(home).symlink_metadata().is_ok_and(|it| it.is_file())
}

/// Consents to agents that ask nothing.
///
/// # Errors
/// Its file cannot be written.
pub fn consent(home: &StateHome) -> io::Result<()> {
    write(&consent_path(home), b"")
}

/// Takes the consent back; whether there was one.
///
/// # Errors
/// Its file cannot be removed.
pub fn withdraw_consent(home: &StateHome) -> io::Result<bool> {
    remove(&consent_path(home))
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut temp = tempfile::NamedTempFile::new_in(directory)?;
    io::Write::write_all(&mut temp, text)?;
    temp.as_file().sync_all()?;
    temp.persist(path)?;
    Ok(())
}

fn remove(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What another user can write: the manifest or a directory above it. A directory in which everybody keeps only what is his own
/// (`/tmp`) does not count.
fn shared(manifest: &Path) -> Option<PathBuf> {
    let ours = rustix::process::geteuid().as_raw();
    let is_shared = |path: &&Path| {
        let Ok(metadata) = path.symlink_metadata() else { return true };
        let is_sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        // Where everybody has a group of his own, it has his number.
        let is_own_group = metadata.gid() == ours;
        let others = if is_own_group { 0o002 } else { 0o022 };
        let is_open = metadata.mode() & others != 0 && !is_sticky;
        is_open || !(metadata.uid() == ours || metadata.uid() == 0)
    };
    manifest.ancestors().filter(|path| !path.as_os_str().is_empty()).find(is_shared).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_manifest_that_was_found_acts_only_as_it_was_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let home = StateHome::at(root.join("state"));
        let manifest = root.join("m.yaml");
        std::fs::write(&manifest, "").unwrap();
        let file = PermissionFile::new(&home, &manifest);
        let (one, two) = (vec!["a".to_owned()], vec!["b".to_owned()]);
        assert_eq!(file.permission(&one, false), Permission::Allowed);
        assert_eq!(file.permission(&one, true), Permission::Never);
        file.allow(&one).unwrap();
        assert_eq!(file.permission(&one, true), Permission::Allowed);
        assert_eq!(file.permission(&two, true), Permission::Changed(one.clone()));
        assert!(file.revoke().unwrap() && !file.revoke().unwrap());
        assert_eq!(file.permission(&one, true), Permission::Never);
        for (path, mode) in [(&manifest, 0o602), (&root, 0o777)] {
            let before = path.metadata().unwrap().permissions();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(file.permission(&one, false), Permission::Shared(path.clone()), "however it was named");
            std::fs::set_permissions(path, before).unwrap();
        }
    }
}

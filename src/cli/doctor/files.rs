//! The manifest and what stands beside it: whether it can be read, locked, replaced without loss, and remembered.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Examiner, Finding, Grade};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::plural;
use crate::cli::{Context, run_pass};
use crate::core::manifest::Dialect;
use crate::host::locks;
use crate::store::file_lease::{self, LeaseKind};
use crate::store::manifest::{ManifestFile, database_beside, exchange_supported};
use crate::store::paths::StateHome;
use crate::yaml;

pub(super) fn rows(examiner: &Examiner, context: &Context) -> Vec<Finding> {
    let mut rows = Vec::new();
    let (option, around) = (context.globals.manifest.as_deref(), Surroundings::real());
    match manifest_path::find(option, &around) {
        Err(error) => {
            // A machine is not at fault for what nobody has written yet.
            let row = if manifest_path::is_named(option, &around) { Finding::fail } else { Finding::warn };
            rows.push(row("manifest", error.message(), error.hints().collect::<Vec<_>>().join("; ")));
        }
        Ok(found) => match ManifestFile::open(&found.path).and_then(|file| Ok((file.resolved()?, file.read()?, file))) {
            Err(error) => {
                let error = crate::cli::error::CliError::from(error);
                rows.push(Finding::fail("manifest", error.message(), error.hints().collect::<Vec<_>>().join("; ")));
            }
            Ok((resolved, snapshot, file)) => {
                rows.push(match manifest(&found.path, &found.source, &snapshot.bytes) {
                    Finding { grade: Grade::Fail, found, .. } if !snapshot.settled => {
                        Finding::warn("manifest", found, "another program is saving it; run `headcount doctor` again")
                    }
                    row => row,
                });
                rows.extend(overwriter(&resolved, &snapshot.bytes));
                rows.push(lock(&resolved));
                rows.push(permissions(&file));
                rows.push(exchange(&resolved));
                rows.push(leases(&resolved));
            }
        },
    }
    rows.push(state(examiner));
    rows
}

fn manifest(path: &Path, source: &str, bytes: &[u8]) -> Finding {
    const WHAT: &str = "manifest";
    let shown = path.display();
    let text = match yaml::decode(bytes) {
        Ok(text) => text,
        Err(diagnostic) => {
            return Finding::fail(WHAT, format!("{shown}: {}", diagnostic.message), "`headcount check` shows the place");
        }
    };
    match yaml::load(text, &run_pass::surroundings()) {
        Err(diagnostics) => {
            let first = diagnostics.first().map(|diagnostic| diagnostic.message.as_str()).unwrap_or_default();
            Finding::fail(WHAT, format!("{shown} ({source}) cannot be used: {first}"), "`headcount check` shows the place")
        }
        Ok(loaded) => {
            let found = format!("{shown} ({source}), {}", plural(loaded.manifest.sessions.len(), "session", "sessions"));
            match loaded.warnings.len() {
                0 => Finding::fine(WHAT, found),
                count => Finding::warn(
                    WHAT,
                    format!("{found}, {}", plural(count, "warning", "warnings")),
                    "`headcount check` shows them",
                ),
            }
        }
    }
}

/// The store of multi-agent-mux beside its manifest, which rewrites the manifest from it.
fn overwriter(manifest: &Path, bytes: &[u8]) -> Option<Finding> {
    let loaded = yaml::load(yaml::decode(bytes).ok()?, &run_pass::surroundings()).ok()?;
    let database = database_beside(manifest).filter(|_| loaded.manifest.dialect == Dialect::MultiAgentMux)?;
    let found = format!("multi-agent-mux keeps its sessions in {}", database.display());
    Some(Finding::warn("other store", found, "its next write may overwrite what headcount records; record again after it"))
}

/// Who holds the lock, from the kernel's list of locks: taking it to find out would get in others' way.
fn lock(manifest: &Path) -> Finding {
    let mut sidecar = manifest.as_os_str().to_owned();
    sidecar.push(".lock");
    lock_row("lock", &PathBuf::from(sidecar))
}

pub(super) fn lock_row(what: &'static str, sidecar: &Path) -> Finding {
    let Ok(metadata) = sidecar.metadata() else { return Finding::fine(what, "free") };
    let Ok(list) = std::fs::read_to_string(locks::LIST) else {
        let found = format!("unknown: {} cannot be read", locks::LIST);
        return Finding::warn(what, found, "commands that need the lock wait for it");
    };
    match holder(&list, metadata.ino()) {
        None => Finding::fine(what, "free"),
        Some(pid) => {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let found = format!("held by process {pid} ({})", name.trim());
            Finding::warn(what, found, "another headcount is running; if it hangs, stop that process")
        }
    }
}

/// The process that holds a flock on the file of this inode, by the kernel's list.
fn holder(list: &str, inode: u64) -> Option<u32> {
    let is_flock = |lock: &locks::FileLock<'_>| (lock.kind, lock.access) == ("FLOCK", "WRITE");
    list.lines().filter_map(|line| locks::of(line, inode)).find(is_flock).map(|lock| lock.pid)
}

/// The writer's own check says whether it can write.
fn permissions(manifest: &ManifestFile) -> Finding {
    const WHAT: &str = "permissions";
    match manifest.check_replaceable() {
        Ok(()) => Finding::fine(WHAT, "you can write the manifest and its directory"),
        Err(error) => {
            let error = crate::cli::error::CliError::from(error);
            Finding::fail(WHAT, error.message(), error.hints().collect::<Vec<_>>().join("; "))
        }
    }
}

fn exchange(manifest: &Path) -> Finding {
    const WHAT: &str = "exchange";
    match exchange_supported(parent(manifest)) {
        Ok(true) => Finding::fine(WHAT, "this file system can exchange two files: no save is lost"),
        Ok(false) => Finding::warn(
            WHAT,
            "this file system cannot exchange two files",
            "headcount compares the manifest just before it replaces it instead; a save in that instant would be lost",
        ),
        Err(error) => Finding::warn(WHAT, format!("cannot be tested: {error}"), "see the row about permissions"),
    }
}

fn leases(manifest: &Path) -> Finding {
    const WHAT: &str = "read leases";
    match File::open(manifest).and_then(|file| file_lease::ask(&file)) {
        Ok(LeaseKind::Granted(_)) => Finding::fine(WHAT, "work here: headcount notices an editor that has the manifest open"),
        Ok(LeaseKind::Writer) => {
            Finding::warn(WHAT, "a program has the manifest open for writing", "headcount waits until it is closed")
        }
        Ok(LeaseKind::Unavailable) => Finding::warn(
            WHAT,
            "not available for this file",
            "headcount notices an open editor only when it saves; owning the manifest usually helps",
        ),
        Err(error) => Finding::warn(WHAT, error.to_string(), "see the row about permissions"),
    }
}

fn state(examiner: &Examiner) -> Finding {
    const WHAT: &str = "state";
    let home = match StateHome::from_environment(|name| examiner.variable(name)) {
        Ok(home) => home,
        Err(error) => return Finding::fail(WHAT, error.to_string(), "set HOME or XDG_STATE_HOME"),
    };
    let shown = home.path().display();
    let metadata = match home.path().metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::fine(WHAT, format!("{shown}, which headcount creates when it first records something"));
        }
        Err(error) => {
            let hint = "give yourself permission on the directories above it, or set XDG_STATE_HOME";
            return Finding::fail(WHAT, format!("{shown} cannot be examined: {error}"), hint);
        }
    };
    if !metadata.is_dir() {
        return Finding::fail(WHAT, format!("{shown} is not a directory"), "move it away, or set XDG_STATE_HOME");
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Finding::fail(WHAT, format!("{shown} belongs to user {}", metadata.uid()), "chown it, or set XDG_STATE_HOME");
    }
    if let Err(error) = home.path().read_dir() {
        let found = format!("{shown} cannot be read: {error}");
        return Finding::fail(WHAT, found, format!("chmod u+rwx {shown}, or set XDG_STATE_HOME"));
    }
    let open = open_to_others(home.path(), 0);
    if open > 0 {
        let found = format!("{shown}: {} open to others", plural(open, "file or directory is", "files or directories are"));
        return Finding::warn(WHAT, found, format!("chmod -R go= {shown}"));
    }
    Finding::fine(WHAT, format!("{shown}, private"))
}

/// How many files and directories below (and with) this one others may look into.
fn open_to_others(path: &Path, depth: u8) -> usize {
    let Ok(metadata) = path.symlink_metadata() else { return 0 };
    if metadata.is_symlink() {
        return 0;
    }
    let own = usize::from(metadata.permissions().mode() & 0o077 != 0);
    let entries = if metadata.is_dir() && depth < 4 { std::fs::read_dir(path).ok() } else { None };
    own + entries.into_iter().flatten().flatten().map(|entry| open_to_others(&entry.path(), depth + 1)).sum::<usize>()
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_read_from_the_kernels_list_and_a_waiter_is_none() {
        let locks = "1: POSIX  ADVISORY  READ 11 08:01:77 128 128\n\
                     2: FLOCK  ADVISORY  WRITE 4711 00:2a:123 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 4712 00:2a:123 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 9 00:2a:1234 0 EOF\n";
        assert_eq!(holder(locks, 123), Some(4711));
        assert_eq!(holder(locks, 1234), Some(9));
        assert_eq!(holder(locks, 77), None);
        assert_eq!(holder("", 123), None);
    }
}

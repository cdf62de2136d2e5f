//! From where a look is made: the PID namespace, and which directories the servers' sockets are in. Concludes nothing from it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::Observer;
use crate::core::fact::Fact;
use crate::core::ids::ServerKey;
use crate::core::observe::{Server, Viewpoint};
use crate::mux;

/// From where these servers are seen.
pub(super) fn of(world: &Observer, servers: &BTreeMap<ServerKey, Fact<Server>>) -> Viewpoint {
    let directory = |key: &ServerKey| {
        let directory = mux::of(key.mux).directory(&world.env, &key.server)?;
        Some((key.clone(), identity(&directory)?))
    };
    Viewpoint { pids: world.host.namespace(), directories: servers.keys().filter_map(directory).collect(), is_guest: false }
}

/// Whether a manifest is another user's.
pub(in crate::control) fn is_guest(manifest: &Path) -> bool {
    manifest.metadata().is_ok_and(|metadata| metadata.uid() != rustix::process::getuid().as_raw())
}

/// What a directory is, whatever it is called. Its device is left aside: a container that is started again gets another one for
/// the same files. Its birth is not told by every file system.
fn identity(directory: &Path) -> Option<String> {
    let metadata = directory.metadata().ok()?;
    let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    Some(match born {
        Some(born) => format!("{}@{}.{:09}", metadata.ino(), born.as_secs(), born.subsec_nanos()),
        None => metadata.ino().to_string(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_identity_under_any_name_and_gives_it_to_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&two).unwrap();
        let known = identity(&one).unwrap();
        assert_ne!(known, identity(&two).unwrap());
        std::fs::write(one.join("socket"), "").unwrap();
        std::fs::rename(&one, dir.path().join("other")).unwrap();
        assert_eq!((identity(&dir.path().join("other")), identity(&one)), (Some(known), None));
    }
}

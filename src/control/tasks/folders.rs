//! The task folders of one project. Follows no link to a file, and reads no file without end.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::core::task::{TaskHome, TaskMetadata, recap, status_root};

/// Where tasks are if a project says nothing else.
const USUAL: &str = "context/daily";
/// The files that tell agents about a project, the first one that says something wins.
const INSTRUCTIONS: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];
/// The file that says how a task stands; the second name is the older one.
const STATUS: [&str; 2] = ["status.md", "README.md"];
/// The longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;
/// At most as many days are looked at, and as many tasks of each.
const MOST: usize = 4000;

/// Where a project keeps its tasks.
pub(super) fn root(project: &Path) -> PathBuf {
    let said = INSTRUCTIONS.iter().find_map(|name| status_root(&text(&project.join(name))?));
    project.join(said.as_deref().unwrap_or(USUAL))
}

/// The task folders of a project whose name is such a one.
pub(super) fn of(project: &Path, is_it: impl Fn(&str) -> bool) -> Vec<TaskHome> {
    let root = root(project);
    let days = below(&root).into_iter().filter(|day| is_date(&name(day)));
    let folders = days.flat_map(|day| below(&day));
    folders.filter(|folder| is_it(&name(folder))).map(|folder| read(project, &root, &folder)).collect()
}

/// What a task folder holds.
pub(super) fn read(project: &Path, root: &Path, folder: &Path) -> TaskHome {
    let status = STATUS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let said = status.as_deref().and_then(text).unwrap_or_default();
    let written = status.as_deref().and_then(|path| path.metadata().ok()).map_or(0, |metadata| metadata.mtime());
    TaskHome {
        project: project.to_path_buf(),
        root: root.to_path_buf(),
        folder: folder.to_path_buf(),
        written,
        says: TaskMetadata::read(&said),
        recap: recap(&said),
        status,
    }
}

/// The text of a regular file, as far as it is not too long.
pub(super) fn text(path: &Path) -> Option<String> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.take(MOST).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `2026-11-29`.
fn is_date(name: &str) -> bool {
    let form = "0000-00-00";
    let is = |(is, want): (u8, u8)| if want == b'0' { is.is_ascii_digit() } else { is == want };
    name.len() == form.len() && name.bytes().zip(form.bytes()).all(is)
}

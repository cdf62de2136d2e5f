//! The kernel's list of the locks that processes have. Knows a file by its inode only.

/// Every lock of the host's processes.
pub const LIST: &str = "/proc/locks";

/// A lock that a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLock<'a> {
    /// `FLOCK`, `POSIX`, `OFDLCK` and others.
    pub kind: &'a str,
    /// `READ` or `WRITE`.
    pub access: &'a str,
    /// Who has it.
    pub pid: u32,
}

/// The lock of a line such as `13: FLOCK  ADVISORY  WRITE 27179 fe:00:10469865 0 EOF`, if it is of the file of this inode; a line with
/// an arrow is of one that waits for it. The device is left aside: overlay and btrfs show another one than stat does.
pub fn of(line: &str, inode: u64) -> Option<FileLock<'_>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, kind, _, access, pid, place, ..] = words.as_slice() else { return None };
    let is_it = *kind != "->" && place.rsplit(':').next()?.parse() == Ok(inode);
    is_it.then(|| pid.parse().ok()).flatten().map(|pid| FileLock { kind, access, pid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_a_lock_of_the_file_is_told() {
        let line = "13: FLOCK  ADVISORY  WRITE 27179 fe:00:10469865 0 EOF";
        assert_eq!(of(line, 10_469_865), Some(FileLock { kind: "FLOCK", access: "WRITE", pid: 27_179 }));
        assert_eq!(of(line, 10_469_866), None);
        for other in ["", "13:", "14: -> FLOCK  ADVISORY  WRITE 7 fe:00:5 0 EOF", "15: OFDLCK ADVISORY  READ -1 fe:00:5 0 EOF"]
        {
            assert_eq!(of(other, 5), None, "{other}: waits for it, or does not say who it is");
        }
    }
}

//! Whether a process did anything since it was last asked after, for one small read. Never says what it did.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::procfs::file;

/// How long and how often the kernel has let the first thread of a process run. As long as that is the same, the thread began
/// nothing and became no other program.
#[derive(Debug)]
pub struct CpuTicks {
    pid: u32,
    counted: File,
    before: Counts,
}

/// Running time, waiting time and turns, as the kernel writes them: three numbers of at most 20 digits.
type Counts = [u8; 64];

impl CpuTicks {
    /// That of a process by now; `None` if there is none of that id, or the kernel does not count it.
    pub fn of(pid: u32) -> Option<Self> {
        let counted = File::open(file(pid, "schedstat")).ok()?;
        let before = read(&counted)?;
        Some(Self { pid, counted, before })
    }

    /// Whether it has done nothing since.
    pub fn is_still(&self) -> bool {
        read(&self.counted).is_some_and(|now| now == self.before)
    }

    /// The same, and from now on it is asked what it did since now.
    pub fn was_still(&mut self) -> bool {
        let now = read(&self.counted);
        let was_still = now == Some(self.before);
        self.before = now.unwrap_or(self.before);
        was_still
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

fn read(counted: &File) -> Option<Counts> {
    let mut counts = [0; 64];
    counted.read_at(&mut counts, 0).ok()?;
    // A kernel that does not count says nothing but noughts.
    (!counts.starts_with(b"0 0 0")).then_some(counts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_shell_that_waits_does_not_stir_and_one_that_starts_or_becomes_something_does() {
        let mut shell = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (pid, mut stdin) = (shell.id(), shell.stdin.take().unwrap());
        let mut said = BufReader::new(shell.stdout.take().unwrap()).lines();
        let state = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let waits = || while !state(pid).contains(") S ") {};
        waits();
        let first = CpuTicks::of(pid).unwrap();
        assert!(first.is_still() && first.is_still());
        stdin.write_all(b"sleep 600 & echo $!\n").unwrap();
        let child: u32 = said.next().unwrap().unwrap().parse().unwrap();
        waits();
        assert!(!first.is_still());
        let second = CpuTicks::of(pid).unwrap();
        stdin.write_all(b"kill $!; wait; exec sleep 600\n").unwrap();
        while !state(pid).contains("(sleep) S ") {}
        assert!(!second.is_still());
        let third = CpuTicks::of(pid).unwrap();
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert!(!third.is_still() && CpuTicks::of(pid).is_none() && CpuTicks::of(child).is_none());
    }
}

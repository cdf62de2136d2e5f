//! Whether a process did anything between two looks, for one small read. Never says what it did.

use std::path::Path;

use super::procfs::{file, slurp};

/// How long and how often the kernel has let the first thread of a process run. As long as that is the same, the thread began
/// nothing and became no other program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stir(Vec<u8>);

impl Stir {
    /// That of a process; `None` if there is none of that id, or the kernel does not count it.
    pub fn of(pid: u32) -> Option<Self> {
        // Running time, waiting time and turns; a kernel that does not count says nothing but noughts.
        let counted = slurp(&file(pid, "schedstat")).ok()?;
        (!counted.starts_with(b"0 0 0")).then_some(Self(counted))
    }
}

/// Whether a process is a single thread without children: whatever begins below it is begun by that thread. `false` if that cannot be
/// told.
pub fn is_alone(pid: u32) -> bool {
    let is_single = || std::fs::read_dir(file(pid, "task")).is_ok_and(|tasks| tasks.count() == 1);
    // The kernel may miss some of several children, never all of them.
    let children = slurp(&file(pid, &Path::new("task").join(pid.to_string()).join("children").to_string_lossy()));
    children.is_ok_and(|children| children.is_empty()) && is_single()
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
        let (first, alone) = (Stir::of(pid).unwrap(), is_alone(pid));
        assert!(alone && Stir::of(pid).unwrap() == first);
        stdin.write_all(b"sleep 600 & echo $!\n").unwrap();
        let child: u32 = said.next().unwrap().unwrap().parse().unwrap();
        waits();
        assert!(Stir::of(pid).unwrap() != first && !is_alone(pid));
        stdin.write_all(b"kill $!; wait; exec sleep 600\n").unwrap();
        while !state(pid).contains("(sleep) S ") {}
        assert_ne!(Stir::of(pid).unwrap(), first);
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert!(Stir::of(pid).is_none() && !is_alone(pid) && Stir::of(child).is_none());
    }

    #[test]
    fn a_process_of_several_threads_is_not_alone() {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        assert!(!is_alone(std::process::id()));
        drop(end);
        assert!(thread.join().unwrap().is_err());
    }
}

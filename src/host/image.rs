//! Which program a process executes, for one small read: enough to tell it from another, not what it is. Reads no arguments.

use super::procfs::{children, children_of_one_thread, file, parse_stat, slurp};

pub use super::procfs::Image;

/// A process as it is now.
#[derive(Debug)]
pub struct ProcessSnapshot {
    pid: u32,
    /// Its program; `None` where the kernel does not tell us.
    pub image: Option<Image>,
    /// Whether it has no second thread, which could do something while the first does nothing.
    pub is_single: bool,
}

impl ProcessSnapshot {
    /// That of a process; `None` if there is none of that id, or it is hidden from us.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = parse_stat(&slurp(&file(pid, "stat")).ok()?)?;
        Some(Self { pid, image: Image::of(&stat), is_single: stat.threads == 1 })
    }

    /// The children of the process, as [`Host::children`](super::Host::children) tells them.
    pub fn children(&self) -> Vec<u32> {
        if self.is_single { children_of_one_thread(self.pid) } else { children(self.pid) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_executes_the_same_program_again_has_another_image() {
        let mut shell = Command::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (pid, mut stdin) = (shell.id(), shell.stdin.take().unwrap());
        let mut said = BufReader::new(shell.stdout.take().unwrap()).lines();
        let mut image_after = |line: &str| {
            stdin.write_all(line.as_bytes()).unwrap();
            said.next().unwrap().unwrap();
            ProcessSnapshot::of(pid).unwrap().image.unwrap()
        };
        let first = image_after("echo\n");
        assert_eq!(image_after("echo\n"), first);
        let second = image_after("exec sh -c 'echo; exec sh'\n");
        assert_eq!((second.start_ticks, &second.name), (first.start_ticks, &first.name));
        assert_ne!(second, first);
        let here = ProcessSnapshot::of(pid).unwrap();
        assert!(here.is_single && here.children().is_empty());
        image_after("sleep 600 & echo\n");
        let child = ProcessSnapshot::of(pid).unwrap().children();
        assert_eq!(child.len(), 1);
        stdin.write_all(b"kill $!; wait\n").unwrap();
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert!(ProcessSnapshot::of(pid).is_none());
    }

    #[test]
    fn a_process_of_several_threads_is_not_single() {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        assert!(!ProcessSnapshot::of(std::process::id()).unwrap().is_single);
        drop(end);
        assert!(thread.join().unwrap().is_err());
    }
}

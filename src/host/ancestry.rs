//! The processes above this one. Reads only `/proc`, and of each process one file; where there is none that is ours it knows nothing.

use super::{container, procfs};

/// How far up it is looked.
const DEEPEST: usize = 24;

/// A process above this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The name the kernel has for it.
    pub name: String,
}

/// Those above this process, the nearest first, the first process of the system left out. Empty where they cannot be told for sure.
pub fn of_this_process() -> Vec<Ancestor> {
    let mut above = Vec::new();
    if container::blindness().is_some() {
        return above;
    }
    let mut pid = std::os::unix::process::parent_id();
    while pid > 1 && above.len() < DEEPEST {
        let stat = procfs::slurp(&procfs::file(pid, "stat")).ok();
        let Some(stat) = stat.and_then(|text| procfs::parse_stat(&text)) else { break };
        above.push(Ancestor { pid, start_ticks: stat.start_ticks, name: stat.name });
        pid = stat.parent;
    }
    // It may have ended while we looked; then what was read is another's.
    if above.first().is_some_and(|nearest| nearest.pid != std::os::unix::process::parent_id()) { Vec::new() } else { above }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_parent_and_goes_up() {
        let above = of_this_process();
        assert_eq!(above[0].pid, std::os::unix::process::parent_id());
        assert_eq!(Some(above[0].start_ticks), procfs::start_ticks(above[0].pid).unwrap());
        assert!(above.iter().all(|ancestor| ancestor.pid > 1));
    }
}

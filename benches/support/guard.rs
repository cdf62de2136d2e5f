//! The end of a benchmark's world, however the benchmark ends: a shell waits on a pipe that closes with the benchmark (also one that
//! was interrupted or killed), then ends every process that has the world's home and removes its directory. Knows a process by its
//! environment, never by its name.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What is left of a world is ended in rounds: a process may be starting another one. `grep -z` reads an environment by its entries;
/// its exit code says nothing, because processes end while it reads.
const SCRIPT: &str = r#"
read -r _
for round in 1 2 3; do
    found=$(grep -lszxF "HOME=$1/home" /proc/[0-9]*/environ)
    [ -n "$found" ] || break
    for it in $found; do it=${it#/proc/}; kill -9 "${it%/environ}"; done 2>/dev/null
    sleep 0.05
done
exec rm -rf "$1"
"#;

/// Ends a world when it is dropped, and when the program that holds it is gone.
pub struct Guard(Child);

impl Guard {
    /// Stands over the world in this directory, whose processes have `home` below it as HOME.
    pub fn over(root: &Path) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "guard"]).arg(root).current_dir("/").stdin(Stdio::piped());
        // Not of the group that a terminal interrupts.
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

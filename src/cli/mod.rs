//! The command line: arguments, verbs, rendering, exit codes. The only part that prints.

/// Runs the program and gives its exit code.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}

//! The program: hands the arguments to the library's command line and ends with its exit code.

fn main() -> std::process::ExitCode {
    headcount::cli::main()
}

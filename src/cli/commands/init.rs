//! `headcount init`: a first manifest from what is running now. Never replaces a file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::args::InitArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::render::plural;
use crate::cli::{Context, run_pass};
use crate::control::init::compose;
use crate::core::text::printable;
use crate::store::paths::StateHome;

/// Where it is written unless somebody says otherwise.
pub(super) const HERE: &str = "agent-sessions.yaml";

/// Composes the manifest and writes or prints it.
pub(crate) fn run(args: &InitArgs, context: &Context) -> Result<Exit, CliError> {
    // Where every other verb will look for it.
    let meant = manifest_path::meant(context.globals.manifest.as_deref(), &Surroundings::real());
    let path = meant.unwrap_or_else(|| PathBuf::from(HERE));
    let state_home = StateHome::from_environment(|name| std::env::var_os(name))?;
    let first = compose(run_pass::world(&state_home)).map_err(|refusal| CliError::caused_by(Exit::Failure, &refusal))?;
    for line in &first.left_out {
        context.out.note(&format!("skipped: {line}"));
    }
    if args.dry_run {
        context.out.answer(&first.text)?;
        return Ok(Exit::Done);
    }
    write(&path, &first.text).map_err(|error| failed(&path, &error))?;
    let count = plural(first.sessions, "session", "sessions");
    context.out.answer(&format!("Wrote {} with {count}.\n", printable(&path.display().to_string())))?;
    if first.sessions == 0 {
        context.out.note(
            "no coding agent runs in a tmux or zellij session of yours; declare sessions by hand, each with `name:` and `agent:`",
        );
    }
    Ok(Exit::Done)
}

/// Creates the file, which must not be there, and makes sure it is on disk.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Ours, and not whole: better none than half of one.
        let _ = std::fs::remove_file(path);
    }
    written
}

pub(super) fn failed(path: &Path, error: &io::Error) -> CliError {
    let path = path.display();
    if error.kind() == io::ErrorKind::AlreadyExists {
        return CliError::new(Exit::Refused, format!("{path} already exists"))
            .hint("`headcount init --dry-run` prints the manifest; `headcount record` adds new sessions to an existing one");
    }
    CliError::new(Exit::Failure, format!("cannot write {path}: {error}")).hint("use --manifest to write it elsewhere")
}

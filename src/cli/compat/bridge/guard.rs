//! `problemmap-guard`: whether a worker has drifted off its task, as a manager's script asks. Its texts are headcount's own, and it runs
//! nothing else.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as _, Command, FromArgMatches as _};
use serde_json::{Value, json};

use crate::cli::args::Globals;
use crate::cli::error::{CliError, Exit};
use crate::cli::output::Streams;
use crate::control::context::{GuardError, KeptGuard, guard};
use crate::core::crew::guard::{GuardMode, GuardRequest};

/// How it is called.
const NAME: &str = "problemmap-guard";

#[derive(Debug, clap::Args)]
struct GuardArgs {
    /// The runtime directory
    #[arg(value_name = "RUNTIME_DIR")]
    directory: PathBuf,
    /// The task
    #[arg(value_name = "TASK_ID")]
    task: String,
    /// The worker
    #[arg(value_name = "WORKER_ID")]
    worker: String,
    /// What was to be done; without it, what the manager told the worker last
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    expected: Option<String>,
    /// How the manager is called, beside manager and mgr
    #[arg(long, value_name = "NAME", default_value = "manager")]
    manager_id: String,
    /// So many entries from the end; 0: all
    #[arg(long, value_name = "N", default_value_t = 12, allow_negative_numbers = true)]
    window: i64,
    /// How the diagnosis is written
    #[arg(long, value_name = "MODE", default_value = "strict", value_parser = mode)]
    mode: GuardMode,
    /// No effect: headcount has the rules itself
    #[arg(long)]
    ensure_upstream: bool,
    /// No effect, for the same reason
    #[arg(long, value_name = "PATH")]
    problemmap_root: Option<PathBuf>,
    /// Where the three documents are written; without it, below the artifacts
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

fn mode(word: &str) -> Result<GuardMode, String> {
    let found = GuardMode::ALL.into_iter().find(|mode| mode.as_str() == word);
    found.ok_or_else(|| "a mode is strict, teaching, repair_preview or compact".to_owned())
}

/// Runs it; gives its exit code.
pub(super) fn run(rest: &[OsString]) -> u8 {
    let out = Streams::new(&Globals::guess(&[]));
    let about = "Tell by what was said of a task whether its worker has drifted off it; nothing is done about it";
    let command = GuardArgs::augment_args(Command::new(NAME).about(about)).infer_long_args(true);
    let words = std::iter::once(OsString::from(NAME)).chain(rest.iter().cloned());
    let args = match command.try_get_matches_from(words).and_then(|matches| GuardArgs::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            out.stderr(&error.render().to_string());
            return 2;
        }
        Err(help) => return u8::from(out.answer(&help.render().to_string()).is_err()),
    };
    if args.ensure_upstream || args.problemmap_root.is_some() {
        super::note(
            "--ensure-upstream and --problemmap-root have no effect: headcount has the rules itself and runs nothing else",
        );
    }
    let request = GuardRequest {
        task: &args.task,
        worker: &args.worker,
        manager: &args.manager_id,
        expected: args.expected.as_deref().filter(|text| !text.is_empty()),
        window: usize::try_from(args.window).ok().filter(|window| *window > 0),
        mode: args.mode,
        source: "",
    };
    let (value, code) = match guard(&args.directory, &request, args.output_dir.as_deref()) {
        Ok(kept) => (summary(&kept), 0),
        Err(error) => (json!({"status": "error", "error": told(&error)}), 1),
    };
    let text = serde_json::to_string_pretty(&value).unwrap_or_default();
    if out.answer(&(text + "\n")).is_err() { 1 } else { code }
}

fn told(error: &GuardError) -> String {
    CliError::caused_by(Exit::Failure, error).message()
}

fn summary(kept: &KeptGuard) -> Value {
    let (case, diagnosis) = (&kept.report.case, &kept.report.diagnosis);
    let [case_path, diagnosis_path, event_path] = &kept.paths;
    json!({
        "status": "ok",
        "task_id": case.task_id,
        "worker_id": case.worker_id,
        "signals": case.candidate_failure_signals,
        "diagnosis": {
            "primary_family": diagnosis.atlas.primary_family,
            "confidence": diagnosis.atlas.confidence,
            "fix_surface_direction": diagnosis.atlas.fix_surface_direction,
            "misrepair_risk": diagnosis.atlas.misrepair_risk,
        },
        "manager_move": diagnosis.manager_move,
        "writeback_gate": kept.report.event.writeback_gate,
        "paths": {"case": case_path, "diagnosis": diagnosis_path, "event": event_path},
    })
}

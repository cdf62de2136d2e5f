//! Runs the program in a world and reads what it says. Every report it prints is checked against the published schema.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::World;

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program in a world, with its manifest.
pub(crate) trait Headcount {
    /// Where the manifest is.
    fn manifest(&self) -> PathBuf;
    /// Writes the manifest, long finished.
    fn declare(&self, text: &str);
    /// What the manifest says now.
    fn text(&self) -> String;
    /// The command, about to run.
    fn headcount(&self, arguments: &[&str]) -> Command;
    /// Runs it.
    fn run(&self, arguments: &[&str]) -> Ran;
    /// The report of `diff --json --settle 0s` with further arguments.
    fn diff(&self, arguments: &[&str]) -> Value;
    /// The report of `reconcile --emit-diff --settle 0s` with further arguments; it must succeed.
    fn reconcile(&self, arguments: &[&str]) -> Value;
}

impl Headcount for World {
    fn manifest(&self) -> PathBuf {
        self.home().join("agent-sessions.yaml")
    }

    fn declare(&self, text: &str) {
        std::fs::write(self.manifest(), text).unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        std::fs::File::options().append(true).open(self.manifest()).unwrap().set_modified(then).unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.manifest()).unwrap()
    }

    fn headcount(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_headcount"));
        command.env_clear().envs(self.variables()).env("HEADCOUNT_MANIFEST", self.manifest()).args(arguments);
        command.current_dir(self.root()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.headcount(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8");
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    fn diff(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["diff", "--json", "--settle", "0s"], arguments].concat());
        let report = report(&ran);
        let expected = match (report["counts"]["drifts"].as_u64().unwrap(), report["in_sync"].as_bool().unwrap()) {
            (1.., _) => 2,
            (0, false) => 4,
            (0, true) => 0,
        };
        assert_eq!(ran.code, expected, "{ran:?}");
        report
    }

    fn reconcile(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[&["reconcile", "--emit-diff", "--settle", "0s"], arguments].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        report(&ran)
    }
}

/// The report a run printed.
pub(crate) fn report(ran: &Ran) -> Value {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let validator = SCHEMA.get_or_init(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/report.schema.json");
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    });
    let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    if let Err(error) = validator.validate(&report) {
        panic!("the report is not as its schema says: {error}");
    }
    report
}

/// The drifts of a report as `class state session` lines.
pub(crate) fn lines(report: &Value) -> Vec<String> {
    let word = |drift: &Value, key: &str| drift[key].as_str().unwrap().to_owned();
    let line = |drift: &Value| {
        format!("{} {} {}", word(drift, "class"), word(drift, "state"), drift["session"]["name"].as_str().unwrap())
    };
    report["drifts"].as_array().unwrap().iter().map(line).collect()
}

/// The first message of a report.
pub(crate) fn message(report: &Value) -> &str {
    report["drifts"][0]["message"].as_str().unwrap()
}

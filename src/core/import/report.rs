//! What `headcount import --json` prints. Owns the shape; never decides what is in it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ImportTool, LeftOut};
use crate::core::ids::{AgentKind, SessionKey};

/// The schema of the document that `headcount import --json` prints.
pub const IMPORT_SCHEMA: &str = "headcount/import/v1";

/// What was imported, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImportReport {
    /// `headcount/import/v1`.
    pub schema: String,
    /// The manifest.
    pub manifest: PathBuf,
    /// Whether it was only shown what would be done.
    pub dry_run: bool,
    /// Whether the manifest was changed.
    pub written: bool,
    /// The files that were read.
    pub sources: Vec<SourceRow>,
    /// The sessions that have an entry now.
    pub imported: Vec<ImportedSession>,
    /// What has none, and why.
    pub left_out: Vec<LeftOutRow>,
}

/// A file of another tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SourceRow {
    /// Whose it is.
    pub tool: ImportTool,
    /// Where it is.
    pub path: PathBuf,
    /// The version that it says it has, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Why it could not be read, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A session that has an entry now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImportedSession {
    /// The tool that knew it.
    pub tool: ImportTool,
    /// What it is called there.
    pub title: String,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// Where it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Its conversation, if the tool knew it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// What of it was not taken.
    pub not_taken: Vec<String>,
}

/// What has no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOutRow {
    /// The tool that knew it.
    pub tool: ImportTool,
    /// What it is called there.
    pub what: String,
    /// Why it has none.
    pub why: String,
}

impl LeftOutRow {
    /// What is left out, of a tool.
    pub fn of(tool: ImportTool, LeftOut { what, why }: LeftOut) -> Self {
        Self { tool, what, why }
    }
}

//! Links by whose names headcount is another tool: what became of each. Owns the words; makes none.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

/// The schema of the document that `headcount links --json` prints.
pub const LINKS_SCHEMA: &str = "headcount/links/v1";

/// How a name leads to headcount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkForm {
    /// A symbolic link.
    Link,
    /// A script for bash, which can also be run as `bash FILE`.
    Script,
}

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkOutcome {
    /// It was made.
    Made,
    /// It led to another headcount, and leads to this one now.
    Changed,
    /// It was there already.
    Unchanged,
    /// Something else has this name, and was left alone.
    Refused,
    /// It could not be made.
    Failed,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LinkReport {
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub form: LinkForm,
    /// What became of it.
    pub outcome: LinkOutcome,
    /// Why, where it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LinksReport {
    /// `headcount/links/v1`.
    pub schema: String,
    /// The headcount that they lead to.
    pub program: PathBuf,
    /// Each.
    pub links: Vec<LinkReport>,
}

//! What a report says of the work that a session is about, as values. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::task::{TaskHome, TaskReference};

/// The work that a session is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskReport {
    /// Its name, by which it is found too; none if its reference could not be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slug: Option<String>,
    /// The tracker that has it: `linear` or `github`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tracker: Option<String>,
    /// Its id there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// Its address there, if the reference tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// The folders that projects keep for it, newest first; none is there before somebody makes one.
    pub homes: Vec<TaskHomeReport>,
}

/// The folder of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskHomeReport {
    /// Its project.
    pub project: String,
    /// Itself.
    pub folder: String,
    /// Its status file, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status_file: Option<String>,
    /// What its block of metadata says, by field.
    #[serde(rename = "metadata")]
    pub says: BTreeMap<String, String>,
    /// The same in three lines: what it is about, how it stands, what comes next.
    pub recap: Vec<String>,
}

impl TaskReport {
    /// Of a reference, if it can be read, and the folders that were found.
    pub fn new(reference: Option<&TaskReference>, homes: &[TaskHome]) -> Self {
        let issue = reference.and_then(|reference| reference.issue.as_ref());
        Self {
            slug: reference.map(TaskReference::slug),
            tracker: issue.map(|issue| issue.kind().to_owned()),
            id: issue.map(crate::core::task::TrackerIssue::human_id),
            url: issue.and_then(crate::core::task::TrackerIssue::url),
            homes: homes.iter().map(TaskHomeReport::of).collect(),
        }
    }
}

impl TaskHomeReport {
    /// Of a folder.
    pub fn of(home: &TaskHome) -> Self {
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        Self {
            project: text(&home.project),
            folder: text(&home.folder),
            status_file: home.status.as_deref().map(text),
            says: home.says.said().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            recap: home.recap.to_vec(),
        }
    }
}

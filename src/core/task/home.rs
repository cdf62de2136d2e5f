//! What a task's own folder says of it: the block of metadata in its status file, and a recap. Pure.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::NaiveDateTime;

/// What stands for a value that is not there.
const NONE: &str = "none";
/// The block of metadata is between these lines.
const BLOCK: [&str; 2] = ["<!-- TASK-METADATA:START -->", "<!-- TASK-METADATA:END -->"];
/// The longest line of a recap, in characters.
const LONGEST: usize = 240;

/// The fields of a block: as it spells them, and as they are called here.
const FIELDS: [(&str, &str); 25] = [
    ("Tracker Kind", "tracker_kind"),
    ("Tracker URL", "tracker_url"),
    ("Tracker Human ID", "tracker_human_id"),
    ("Tracker Title", "tracker_title"),
    ("Machine", "machine"),
    ("Coding Agent", "coding_agent"),
    ("Agent Session ID", "agent_session_id"),
    ("Task Folder", "task_folder"),
    ("Task Status Path", "task_status_path"),
    ("Transcript Path", "transcript_path"),
    ("Last Synced", "last_synced_at"),
    ("Workspace Path", "workspace_path"),
    ("Zellij Session", "zellij_session"),
    ("Zellij Link", "zellij_link"),
    ("Remote Session Anchor Kind", "remote_session_anchor_kind"),
    ("Remote Session Anchor ID", "remote_session_anchor_id"),
    ("GitHub Issue", "github_issue"),
    ("GitHub Repo", "github_repo"),
    ("GitHub Issue Number", "github_issue_number"),
    ("Linear Issue ID", "linear_issue_id"),
    ("Linear Issue Identifier", "linear_issue_identifier"),
    ("Linear Team ID", "linear_team_id"),
    ("Linear Team Name", "linear_team_name"),
    ("Linear Project ID", "linear_project_id"),
    ("Linear Project Name", "linear_project_name"),
];

/// The metadata of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskMetadata(BTreeMap<&'static str, String>);

impl TaskMetadata {
    /// Of a status file. Marks of the block inside of a fence of code do not count.
    pub fn read(text: &str) -> Self {
        let (mut is_fenced, mut is_in) = (false, false);
        let mut values = BTreeMap::new();
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.starts_with("```") {
                is_fenced = !is_fenced;
            } else if is_fenced {
            } else if trimmed == BLOCK[0] {
                is_in = true;
            } else if trimmed == BLOCK[1] {
                is_in = false;
            } else if is_in
                && let Some((label, value)) = trimmed.strip_prefix('-').and_then(|bullet| bullet.split_once(':'))
                && let Some((_, name)) = FIELDS.iter().find(|(field, _)| *field == label.trim())
                && let value = value.trim()
                && !value.is_empty()
                && !value.eq_ignore_ascii_case(NONE)
            {
                values.insert(*name, value.to_owned());
            }
        }
        Self(values)
    }

    /// A value, if there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same with a value more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Some((_, name)) = FIELDS.iter().find(|(_, field)| *field == name) {
            self.0.insert(name, value.to_owned());
        }
        self
    }

    /// What it says, without what is not there.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Every field, with `none` for what is not there.
    pub fn all(&self) -> BTreeMap<&'static str, String> {
        FIELDS.iter().map(|(_, name)| (*name, self.get(name).unwrap_or(NONE).to_owned())).collect()
    }

    /// When it was last brought up to date, as it says itself (`2026-11-29 ~03:05pm PST`); good for an order only.
    fn synced(&self) -> Option<NaiveDateTime> {
        let text = self.get("last_synced_at")?.replace('~', "");
        let text = text.trim().trim_end_matches("PST").trim_end();
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %I:%M%P").ok()
    }
}

/// The place of a task among others: the newest is the greatest.
pub type TaskRank = (Option<NaiveDateTime>, i64, String);

/// The folder of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskHome {
    /// The project it belongs to.
    pub project: PathBuf,
    /// Where the project keeps its tasks.
    pub root: PathBuf,
    /// Itself.
    pub folder: PathBuf,
    /// Its status file, if there is one.
    pub status: Option<PathBuf>,
    /// When that was last written, in seconds since 1970.
    pub written: i64,
    /// What the status file says.
    pub says: TaskMetadata,
    /// The same in three lines.
    pub recap: [String; 3],
}

impl TaskHome {
    /// The name of its folder.
    pub fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Its place among others.
    pub fn rank(&self) -> TaskRank {
        (self.says.synced(), self.written, self.name())
    }
}

/// The name of the work in the name of its folder, which may begin with a time: `09h05m07sPST-fix-login`.
pub fn folder_slug(name: &str) -> &str {
    let is_time = |head: &str| {
        let form = "00h00m00sPST";
        head.len() == form.len()
            && head.bytes().zip(form.bytes()).all(|(is, want)| if want == b'0' { is.is_ascii_digit() } else { is == want })
    };
    name.split_once('-').filter(|(head, _)| is_time(head)).map_or(name, |(_, slug)| slug)
}

/// Where a project keeps its tasks, by what its instructions to agents say: relative to the project.
pub fn status_root(instructions: &str) -> Option<String> {
    let line = instructions.lines().find_map(|line| line.trim().strip_prefix("task-status-root:"))?;
    let value = line.trim().trim_matches(['"', '\'', '`']);
    let cut = ["/YYYY-MM-DD", "/<task-slug>", "<task-slug>"].iter().filter_map(|mark| value.find(mark)).min();
    let value = value[..cut.unwrap_or(value.len())].trim_end_matches('/');
    (!value.is_empty()).then(|| value.to_owned())
}

/// What a status file says, in three lines.
pub fn recap(status: &str) -> [String; 3] {
    let inline = |label: &str| {
        let marks = [format!("**{label}**:"), format!("**{label}:**")];
        let of = |line: &str| {
            let line = line.trim().trim_start_matches(['-', '*', '+']).trim_start();
            // The dash of a list goes, and with it the marks of what is bold.
            let bare = [format!("{label}**:"), format!("{label}:**")];
            let rest = marks.iter().chain(&bare).find_map(|mark| line.strip_prefix(mark.as_str()))?;
            Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty())
        };
        status.lines().find_map(of)
    };
    let title = || status.lines().find_map(|line| line.trim().strip_prefix("# ")).map(|title| title.trim().to_owned());
    let current = bullets(status, "Current State");
    let joined = |all: &[String]| (!all.is_empty()).then(|| all.iter().take(2).cloned().collect::<Vec<_>>().join("; "));
    let about = inline("Goal").or_else(title).or_else(|| current.first().cloned());
    let now = inline("Status").or_else(|| joined(&current));
    let next = joined(&bullets(status, "Next Steps"));
    let line = |label: &str, value: Option<String>| {
        let text = format!("{label}: {}", value.as_deref().unwrap_or("not recorded"));
        if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST - 3).collect::<String>() + "..." }
    };
    [line("What this task is about", about), line("Current status", now), line("Next steps", next)]
}

/// The items of a list below a heading.
fn bullets(text: &str, heading: &str) -> Vec<String> {
    let mut is_in = false;
    let mut items = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') {
            is_in = line.trim_start_matches('#').trim().eq_ignore_ascii_case(heading);
        } else if is_in {
            let numbered = line.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok()).map(|(_, item)| item);
            let item = ["- ", "* ", "+ "].iter().find_map(|mark| line.strip_prefix(mark)).or(numbered);
            items.extend(item.map(|item| item.trim().trim_start_matches("[ ] ").trim_start_matches("[x] ").to_owned()));
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "# Fix the login\n\n<!-- TASK-METADATA:START -->\n## Task Metadata\n- Tracker Kind: linear\n\
        - Tracker URL: https://linear.app/acme/issue/ENG-1\n- Tracker Human ID: ENG-1\n- Tracker Title: None\n- Zellij Session: eng-1-fix\n\
        - Last Synced: 2026-11-29 ~03:05pm PST\n- Something Else: x\n<!-- TASK-METADATA:END -->\n- Machine: outside\n```\n\
        <!-- TASK-METADATA:START -->\n- Machine: in a fence\n<!-- TASK-METADATA:END -->\n```\n## Current State\n- one\n- two\n- three\n\
        ## Next Steps\n1. first\n2. second\n3. third\n";

    #[test]
    fn the_block_of_metadata_is_read_and_nothing_beside_it() {
        let metadata = TaskMetadata::read(STATUS);
        assert_eq!(metadata.get("tracker_human_id"), Some("ENG-1"));
        assert_eq!(metadata.get("tracker_url"), Some("https://linear.app/acme/issue/ENG-1"));
        assert_eq!(metadata.get("tracker_title"), None, "any case of none is none");
        assert_eq!(metadata.get("machine"), None, "outside, and in a fence");
        assert_eq!(metadata.said().count(), 5);
        let all = metadata.all();
        assert_eq!((all.len(), all["machine"].as_str(), all["zellij_session"].as_str()), (25, "none", "eng-1-fix"));
        assert_eq!(TaskMetadata::read("").said().count(), 0);
    }

    #[test]
    fn tasks_are_in_the_order_in_which_they_say_they_were_synced() {
        let at = |text: &str| TaskMetadata::default().with("last_synced_at", text).synced();
        assert!(at("2026-11-29 ~12:59pm PST") < at("2026-11-29 ~01:00pm PST"));
        assert!(at("2026-11-29 ~12:30am PST") < at("2026-11-29 ~01:00am PST"));
        assert!(at("yesterday").is_none() && at("yesterday") < at("2026-11-29 ~01:00am PST"));
    }

    #[test]
    fn a_recap_has_three_lines_whatever_there_is() {
        let expected = ["What this task is about: Fix the login", "Current status: one; two", "Next steps: first; second"]
            .map(str::to_owned);
        assert_eq!(recap(STATUS), expected);
        let inline = "# Title\n- **Goal**: Ship it\n**Status:** half done\n";
        assert_eq!(recap(inline)[..2], ["What this task is about: Ship it".to_owned(), "Current status: half done".to_owned()]);
        assert_eq!(recap("")[2], "Next steps: not recorded");
        let long = recap(&format!("# {}", "é".repeat(500)));
        assert_eq!(long[0].chars().count(), LONGEST);
        assert!(long[0].ends_with("..."));
    }

    #[test]
    fn a_folder_may_begin_with_a_time() {
        assert_eq!(folder_slug("09h05m07sPST-fix-login"), "fix-login");
        for plain in ["fix-login", "9h05m07sPST-fix", "09h05m07sPST", "-x", "éh05m07sPST-fix"] {
            assert_eq!(folder_slug(plain), plain);
        }
    }

    #[test]
    fn a_project_says_where_its_tasks_are() {
        for (text, expected) in [
            ("# A\n  task-status-root: `context/tasks`\ntask-status-root: second\n", Some("context/tasks")),
            ("task-status-root: \"notes/YYYY-MM-DD/<task-slug>\"", Some("notes")),
            ("task-status-root: notes/<task-slug>/", Some("notes")),
            ("task-status-root:\n", None),
            ("", None),
        ] {
            assert_eq!(status_root(text).as_deref(), expected, "{text}");
        }
    }
}

//! What tmux-resurrect saves, version 4.0.0 and before it: a line for each pane, of fields between tabs. Reads the lines; never decides
//! which pane is an agent's.

use super::{ForeignFile, ForeignProgram, ForeignSession};

/// The fields of a pane's line that are in the same place in every version: the session, the directory, the command.
const SESSION: usize = 1;
const DIRECTORY: usize = 7;
const COMMAND: usize = 10;

/// The panes of a saved file. `full_command` is what `ps` shows, so its words are not told apart from blanks within them.
///
/// # Errors
/// It is no such file.
pub fn resurrect(text: &str) -> Result<ForeignFile, String> {
    let mut file = ForeignFile::default();
    let mut is_one = text.trim().is_empty();
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(COMMAND + 1, '\t').collect();
        is_one |= matches!(fields.first(), Some(&("pane" | "window" | "state" | "grouped_session"))) && fields.len() > 1;
        let (Some(&"pane"), Some(name), Some(directory), Some(command)) =
            (fields.first(), fields.get(SESSION), fields.get(DIRECTORY), fields.get(COMMAND))
        else {
            continue;
        };
        let words = command.strip_prefix(':').unwrap_or(command).split_whitespace().map(str::to_owned).collect();
        // It escapes blanks for its own restore.
        let directory = directory.strip_prefix(':').unwrap_or(directory).replace("\\ ", " ");
        let session = ForeignSession::new(name, ForeignProgram::Commands(vec![words]));
        file.sessions.push(ForeignSession { cwd: Some(directory), ..session });
    }
    if is_one { Ok(file) } else { Err("it holds no line that tmux-resurrect writes".to_owned()) }
}

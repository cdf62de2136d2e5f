//! A turn as Markdown, and a conversation as a log, for people. What agents wrote stays as it is here: who prints it makes it safe.

use super::{Style, Terminal};
use crate::core::lead::turns::{LogEntry, LogKind, Turn, TurnEnd, TurnStepKind};
use crate::core::text::stamp;

/// So many lines of what a tool gave are shown in a log.
const MOST_LINES: usize = 10;
/// How far the text of a log is indented.
const INDENT: &str = "    ";

/// A turn as Markdown: what was asked as a quotation, then what the agent did and wrote. `full`: also what tools gave, and what was
/// thought.
pub(crate) fn markdown(turn: &Turn, full: bool, look: &Terminal) -> String {
    let mut blocks = Vec::new();
    let when = turn.started_at.or_else(|| turn.steps.first().and_then(|step| step.at)).map(stamp).unwrap_or_default();
    let how = if turn.end == TurnEnd::Open { "not ended" } else { turn.end.as_str() };
    blocks.push(Style::Strong.paint(&format!("## {when} {how}").replace("  ", " "), look.color));
    match &turn.prompt {
        Some(prompt) => blocks.push(quoted(prompt, look)),
        None if turn.partial => blocks.push("(its beginning was not read)".to_owned()),
        None => {}
    }
    let mut is_list = false;
    for step in &turn.steps {
        let (block, is_item) = match step.kind {
            TurnStepKind::Text => (step.text.trim_matches('\n').to_owned(), false),
            TurnStepKind::Prompt => (quoted(&step.text, look), false),
            TurnStepKind::Tool => {
                let tool = step.tool.as_deref().unwrap_or("tool");
                (format!("- {} {}", code(tool), inline(&step.text)).trim_end().to_owned(), true)
            }
            TurnStepKind::Result if full && !step.text.trim().is_empty() => (fenced(&step.text), false),
            TurnStepKind::Thinking if full => (quoted(&format!("(thinking) {}", step.text), look), false),
            TurnStepKind::Result | TurnStepKind::Thinking => continue,
        };
        match blocks.last_mut() {
            Some(last) if is_item && is_list => {
                last.push('\n');
                last.push_str(&block);
            }
            _ => blocks.push(block),
        }
        is_list = is_item;
    }
    if let Some(error) = &turn.error {
        blocks.push(format!("**{}:** {}", error.kind.as_str(), error.message));
    }
    blocks.join("\n\n") + "\n"
}

fn quoted(text: &str, look: &Terminal) -> String {
    let lines: Vec<String> = text.trim_matches('\n').lines().map(|line| format!("> {line}").trim_end().to_owned()).collect();
    Style::Dim.paint(&lines.join("\n"), look.color)
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

/// Text in one line of code, or its first line.
fn inline(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    match (first.is_empty(), lines.next()) {
        (true, _) => String::new(),
        (false, None) => code(first),
        (false, Some(_)) => format!("{} …", code(first)),
    }
}

/// A block of code that nothing in it can end.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// An entry of a log: time, what it is, and its text below.
pub(crate) fn log_entry(entry: &LogEntry, full: bool, look: &Terminal) -> String {
    let when = entry.at.map_or_else(|| "-".to_owned(), stamp);
    let (word, style) = match entry.kind {
        LogKind::Prompt => ("prompt", Style::Strong),
        LogKind::Text => ("text", Style::Good),
        LogKind::Thinking => ("thinking", Style::Dim),
        LogKind::Tool => (entry.tool.as_deref().unwrap_or("tool"), Style::Note),
        LogKind::Result if entry.failed => ("failed", Style::Bad),
        LogKind::Result => ("result", Style::Dim),
        LogKind::End => ("end", Style::Dim),
    };
    let head = format!("{} {}", Style::Dim.paint(&when, look.color), style.paint(word, look.color));
    let lines: Vec<&str> = entry.text.trim_matches('\n').lines().collect();
    let is_short = matches!(entry.kind, LogKind::End | LogKind::Tool) && lines.len() <= 1;
    if is_short || lines.is_empty() {
        return format!("{head} {}", lines.concat()).trim_end().to_owned() + "\n";
    }
    let most = if full || !matches!(entry.kind, LogKind::Result | LogKind::Tool) { usize::MAX } else { MOST_LINES };
    let mut text = format!("{head}\n");
    for line in lines.iter().take(most) {
        text.push_str(format!("{INDENT}{line}").trim_end());
        text.push('\n');
    }
    if lines.len() > most {
        text.push_str(&format!("{INDENT}… {} more lines\n", lines.len() - most));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::core::lead::turns::TurnDraft;

    fn plain() -> Terminal {
        Terminal { color: false, width: None, tty: false, now: DateTime::UNIX_EPOCH }
    }

    fn turn() -> Turn {
        let mut draft = TurnDraft::begun(None);
        draft.ask("do it\nwell".into(), Some(DateTime::UNIX_EPOCH), 0);
        draft.think("hm".into(), None);
        draft.call("1", "Bash".into(), "ls".into(), None);
        draft.call("2", "Bash".into(), "cat a\ncat b".into(), None);
        draft.give("1", "a ``` b\n".into(), false, None);
        draft.write("There **are** two.\n".into(), None);
        draft.end(TurnEnd::Done, Some("mark"), None);
        draft.finish()
    }

    #[test]
    fn a_turn_is_a_quotation_a_list_and_text() {
        let expected =
            "## 1970-01-01T00:00:00Z done\n\n> do it\n> well\n\n- `Bash` `ls`\n- `Bash` `cat a` …\n\nThere **are** two.\n";
        assert_eq!(markdown(&turn(), false, &plain()), expected);
        let full = markdown(&turn(), true, &plain());
        assert!(full.contains("> (thinking) hm") && full.contains("````\na ``` b\n````"), "{full}");
    }

    #[test]
    fn a_log_shows_a_few_lines_of_what_a_tool_gave() {
        let text = (0..12).map(|n| format!("{n}\n")).collect::<String>();
        let entry = LogEntry { at: None, kind: LogKind::Result, tool: None, failed: true, text };
        let short = log_entry(&entry, false, &plain());
        assert!(short.starts_with("- failed\n    0\n") && short.ends_with("    9\n    … 2 more lines\n"), "{short}");
        assert_eq!(log_entry(&entry, true, &plain()).lines().count(), 13);
        let end =
            LogEntry { at: Some(DateTime::UNIX_EPOCH), kind: LogKind::End, tool: None, failed: false, text: "done".into() };
        assert_eq!(log_entry(&end, false, &plain()), "1970-01-01T00:00:00Z end done\n");
    }
}

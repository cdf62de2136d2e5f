//! The texts of csd: its usage, its panel, a turn as it prints one. Values to text; nothing else.

use crate::core::lead::turns::{Turn, TurnStepKind};

/// Its usage.
pub(super) const USAGE: &str = "\
Usage: csd <subcommand> [args]
       csd --worker <name> <subcommand> [args]

Without a worker:
  launch [--harness claude|codex|pi] <tmux-name> <working-dir> [-- <args>]
  adopt <tmux-name> <working-dir> <session-id> [-- <args>]
  list [--all] [pattern]
  prune
  recover [--snapshot <file>] [--execute]
  grant-consent
  help

Of one worker, by its name or session id:
  converse [--with-turn] [--idle-timeout S] <prompt-text> [timeout-seconds]
  send <prompt-text>
  wait-for-turn [timeout-seconds] [--idle-timeout S] [--after-line N]
  status
  read-events [--last N] [--type T] [--follow]
  read-turn [--full]
  stop
  handoff
  session-id
  events-file";

/// What is asked before the consent is written down.
pub(super) const CONSENT: &str = "\
claude-session-driver launches workers that run without asking you for permission: they read, write and
execute whatever they decide to, as you. Type 'yes' to consent: ";

/// How a launch without consent ends.
pub(super) fn no_consent(csd: &str) -> String {
    format!(
        "Error: claude-session-driver requires one-time consent before launching workers.\nRun: {} grant-consent",
        quoted(csd)
    )
}

/// What a panel says of a worker.
pub(super) struct Panel<'a> {
    pub(super) head: &'a str,
    pub(super) name: &'a str,
    pub(super) id: &'a str,
    pub(super) cwd: &'a str,
    pub(super) events: &'a str,
    pub(super) reproduce: &'a [String],
}

/// The panel on stderr.
pub(super) fn panel(panel: &Panel<'_>) -> String {
    let Panel { head, name, id, cwd, events, reproduce } = panel;
    let words: Vec<String> = reproduce.iter().map(|word| quoted(word)).collect();
    format!(
        "{head}\n  tmux:       {name}\n  session_id: {id}\n  cwd:        {cwd}\n  events:     {events}\n  reproduce: {}",
        words.join(" ")
    )
}

/// A word of a shell, as csd quotes it.
pub(super) fn quoted(word: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:=@-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_bare) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Seconds as they were typed.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds}s")
}

/// A start that failed, with what its pane showed last.
pub(super) fn failed_start(why: &str, screen: Option<&str>) -> String {
    let lines: Vec<&str> = screen.unwrap_or_default().lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(20)..];
    let frame = "----------";
    let shown = if last.is_empty() { "(nothing)".to_owned() } else { last.join("\n") };
    format!(
        "Error: Worker session failed to start within 30 seconds ({why})\n\nLast visible content in the worker pane:\n{frame}\n{shown}\n{frame}"
    )
}

/// A turn as `read-turn` prints it. What a tool gave is cut to five lines unless it is `full` or an error.
pub(super) fn turn(turn: &Turn, full: bool) -> String {
    let mut blocks: Vec<String> = turn.prompt.iter().map(|prompt| format!("**Prompt:** {}", prompt.trim_end())).collect();
    for step in &turn.steps {
        let text = step.text.trim_end();
        blocks.push(match step.kind {
            TurnStepKind::Text if !text.is_empty() => text.to_owned(),
            TurnStepKind::Thinking if !text.is_empty() => {
                text.lines().map(|line| format!("> {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
            }
            TurnStepKind::Prompt => format!("**Prompt:** {text}"),
            TurnStepKind::Tool => {
                let name = step.tool.as_deref().unwrap_or("tool");
                let input = step.input.as_deref().map_or_else(|| serde_json::json!(text).to_string(), pretty);
                format!("**Tool: {name}**\n```json\n{input}\n```")
            }
            TurnStepKind::Result => {
                let title = if step.failed { "Tool Error" } else { "Result" };
                format!("**{title}:**\n```\n{}\n```", cut(text, full || step.failed))
            }
            TurnStepKind::Text | TurnStepKind::Thinking => continue,
        });
    }
    blocks.join("\n\n") + "\n"
}

fn pretty(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json);
    value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.to_owned())
}

fn cut(text: &str, full: bool) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if full || lines.len() <= 5 {
        return text.to_owned();
    }
    format!("{}\n... ({} lines total)", lines[..5].join("\n"), lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lead::turns::{ToolInput, TurnDraft, TurnEnd};

    #[test]
    fn a_turn_is_markdown_with_what_tools_were_given_and_gave() {
        let mut draft = TurnDraft::begun(None);
        draft.ask("count".into(), None, 0);
        draft.think("hm\nso".into(), None);
        let input = ToolInput { text: "seq 8".into(), json: Some(r#"{"command":"seq 8"}"#.into()) };
        draft.call("1", "Bash".into(), input, None);
        draft.give("1", "1\n2\n3\n4\n5\n6\n7\n8\n".into(), false, None);
        draft.write("eight".into(), None);
        draft.end(TurnEnd::Done, None, None);
        let made = draft.finish();
        let expected = "**Prompt:** count\n\n> hm\n> so\n\n**Tool: Bash**\n```json\n{\n  \"command\": \"seq 8\"\n}\n```\n\n\
            **Result:**\n```\n1\n2\n3\n4\n5\n... (8 lines total)\n```\n\neight\n";
        assert_eq!(turn(&made, false), expected);
        assert!(turn(&made, true).contains("7\n8\n```"));
    }

    #[test]
    fn a_word_is_quoted_only_where_a_shell_needs_it() {
        for (word, expected) in [("a/b.c:d=e@f-g", "a/b.c:d=e@f-g"), ("", "''"), ("a b", "'a b'"), ("it's", "'it'\\''s'")] {
            assert_eq!(quoted(word), expected);
        }
    }
}

//! `doctor` for people: a row per check, and what to do below those that are not fine. Checks nothing.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use super::{Style, Terminal, hanging, plural};
use crate::cli::doctor::{Finding, Grade};

/// The rows, their hints and a last line that counts.
pub(crate) fn render(rows: &[Finding], look: &Terminal) -> String {
    let widest = rows.iter().map(|row| row.what.width()).max().unwrap_or(0);
    let mut text = String::new();
    for row in rows {
        let (word, style) = match row.grade {
            Grade::Fine => ("ok  ", Style::Good),
            Grade::Warn => ("warn", Style::Warn),
            Grade::Fail => ("fail", Style::Bad),
        };
        let indent = word.len() + 2 + widest + 2;
        let found = hanging(&row.found, indent, Style::Plain, look);
        let _ = writeln!(text, "{}  {:widest$}  {found}", look.paint(style, word), row.what);
        if let Some(hint) = &row.hint {
            let _ = writeln!(text, "{:indent$}→ {}", "", hanging(hint, indent + 2, Style::Plain, look));
        }
    }
    let _ = writeln!(text, "\n{}", verdict(rows, look));
    text
}

fn verdict(rows: &[Finding], look: &Terminal) -> String {
    let count = |grade: Grade| rows.iter().filter(|row| row.grade == grade).count();
    let warnings = plural(count(Grade::Warn), "warning", "warnings");
    match (count(Grade::Fail), count(Grade::Warn)) {
        (0, 0) => look.paint(Style::Good, "All is well."),
        (0, _) => format!("{} {warnings}.", look.paint(Style::Good, "It will do.")),
        (fails, _) => {
            let failed = plural(fails, "check failed", "checks failed");
            format!("{}, {warnings}.", look.paint(Style::Bad, &failed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Terminal {
        Terminal { color: false, width: Some(80), tty: true, now: chrono::DateTime::UNIX_EPOCH }
    }

    fn row(grade: Grade, what: &'static str, hint: Option<&str>) -> Finding {
        Finding { grade, what, found: format!("found {what}\u{1b}[31m"), hint: hint.map(str::to_owned) }
    }

    #[test]
    fn hints_stand_below_their_row_and_the_last_line_counts() {
        let rows = [
            row(Grade::Fine, "tmux", None),
            row(Grade::Warn, "locale", Some("set it")),
            row(Grade::Fail, "lock", Some("wait")),
        ];
        assert_eq!(
            render(&rows, &look()),
            "ok    tmux    found tmux\\u{1b}[31m\n\
             warn  locale  found locale\\u{1b}[31m\n              → set it\n\
             fail  lock    found lock\\u{1b}[31m\n              → wait\n\n\
             1 check failed, 1 warning.\n"
        );
        assert!(render(&rows[..1], &look()).ends_with("\nAll is well.\n"));
        assert!(render(&rows[..2], &look()).ends_with("\nIt will do. 1 warning.\n"));
    }
}

//! What `wait` came to, for people. Only words and colours.

use std::fmt::Write as _;

use super::{Style, Terminal};
use crate::core::lead::conditions::{WaitEnd, WaitReport, WaitSession};
use crate::core::text::printable;

/// A line for each session, and what came of it.
pub(crate) fn render(report: &WaitReport, look: &Terminal) -> String {
    let mut text = String::new();
    for session in &report.sessions {
        let (sign, style) = match (&session.met, &session.why) {
            (Some(_), _) => ("✓", Style::Good),
            (None, Some(_)) => ("!", Style::Bad),
            (None, None) => ("~", Style::Warn),
        };
        let name = look.paint(Style::Strong, &printable(&session.session.to_string()));
        let _ = writeln!(text, "{} {name}  {}", look.paint(style, sign), state(session));
    }
    let seconds = report.took_ms as f64 / 1000.0;
    let rest = match report.end {
        WaitEnd::Met => return text,
        WaitEnd::TimedOut => format!("It did not come in {seconds:.1} s.\n"),
        WaitEnd::Never => "It can no longer come.\n".to_owned(),
        WaitEnd::Unknown => {
            format!("Nothing told in {seconds:.1} s whether it holds; `headcount explain` shows the evidence.\n")
        }
    };
    text + &rest
}

fn state(session: &WaitSession) -> String {
    let known = session.state().map(|it| format!("{}: {}", it.condition, printable(&it.evidence)));
    match (&session.met, &session.why) {
        (None, Some(why)) => printable(why).into_owned(),
        _ => known.unwrap_or_else(|| "nothing is known of it".to_owned()),
    }
}

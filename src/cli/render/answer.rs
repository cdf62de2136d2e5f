//! A question of an agent, and what became of its answer, for people. Only words and colours.

use super::{Style, Terminal};
use crate::core::lead::send::{AgentQuestion, AnswerOutcome, AnswerReport};
use crate::core::text::printable;

/// One line for what became of it; the question where nothing was answered.
pub(crate) fn report(report: &AnswerReport, look: &Terminal) -> String {
    let (sign, style) = match report.outcome {
        AnswerOutcome::Answered => ("✓", Style::Good),
        AnswerOutcome::Asked => ("?", Style::Warn),
        AnswerOutcome::Held | AnswerOutcome::Unverified => ("!", Style::Bad),
    };
    let code = report.code.map(|code| format!(" ({})", code.as_str())).unwrap_or_default();
    let session = look.paint(Style::Strong, &printable(&report.session.to_string()));
    let sign = look.paint(style, sign);
    let question = || report.question.iter().map(|question| shown(question, look)).collect::<String>();
    let hash = report.hash.as_deref().unwrap_or_default();
    match report.outcome {
        AnswerOutcome::Asked => format!("{sign} {session} asks  {}\n{}", look.paint(Style::Dim, hash), question()),
        AnswerOutcome::Answered => {
            let chosen = printable(report.chosen.as_deref().unwrap_or_default()).into_owned();
            let took = report.took_ms as f64 / 1000.0;
            format!("{sign} {} {session}  {chosen}  {took:.1} s\n", look.paint(style, report.outcome.as_str()))
        }
        AnswerOutcome::Held | AnswerOutcome::Unverified => {
            let outcome = look.paint(style, report.outcome.as_str());
            format!("{sign} {outcome}{code} {session}\n  {}\n{}", printable(&report.message), question())
        }
    }
}

fn shown(question: &AgentQuestion, look: &Terminal) -> String {
    let mut text = String::new();
    for line in question.text.lines() {
        text.push_str(&format!("  {} {}\n", look.paint(Style::Dim, "│"), printable(line)));
    }
    for (at, choice) in question.choices.iter().enumerate() {
        let mark = if question.highlighted == Some(at + 1) { ">" } else { " " };
        text.push_str(&format!("  {mark} {}. {}\n", at + 1, printable(choice)));
    }
    text
}

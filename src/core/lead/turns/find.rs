//! Which turn answers a text that was sent, by where its line stands in the transcript. That a turn ended after the text was sent
//! proves nothing.

use super::draft::answer;
use super::{PromptLine, TranscriptPosition, Turn, TurnEnd, TurnError, TurnErrorKind, TurnPage, TurnStepKind};

/// What a transcript says of a text that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnReply<'a> {
    /// Nothing.
    Missing,
    /// It waits for the turn that goes on.
    Queued(&'a PromptLine),
    /// A turn took it in.
    InTurn(TurnAnswer<'a>),
}

/// The turn that took a text in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnAnswer<'a> {
    /// The turn.
    pub turn: &'a Turn,
    /// The line of the text.
    pub line: &'a PromptLine,
    /// Whether the line holds this text and nothing else, white space aside.
    pub is_exact: bool,
    /// Whether the turn took in something else after it, which it answers as well.
    pub is_shared: bool,
    /// Whether the conversation went on without it.
    pub is_aside: bool,
    /// In how many lines since that position it stands.
    pub count: usize,
    /// What the agent wrote after it.
    pub text: String,
}

/// What became of a text that was sent at that position, or later.
pub fn answer_to<'a>(page: &'a TurnPage, text: &str, after: Option<&TranscriptPosition>) -> TurnReply<'a> {
    let wanted = words(text);
    if wanted.is_empty() {
        return TurnReply::Missing;
    }
    let is_new = |line: &PromptLine| after.is_none_or(|after| after.is_before(line, &page.position));
    let turns = page.turns.iter().map(|turn| (turn, false)).chain(page.aside.iter().map(|turn| (turn, true)));
    let lines = turns.flat_map(|(turn, is_aside)| turn.lines.iter().map(move |line| (turn, line, is_aside)));
    let mut found: Vec<_> = lines
        .filter(|(_, line, _)| is_new(line))
        .filter_map(|(turn, line, is_aside)| Some((turn, line, is_aside, is_of(line, &wanted)?)))
        .collect();
    // A line of nothing but the text before one that only contains it; of equals the first.
    let has_exact = found.iter().any(|(.., is_exact)| *is_exact);
    found.retain(|(.., is_exact)| *is_exact == has_exact);
    let first = found.iter().min_by_key(|(_, line, ..)| line.place);
    if let Some(&(turn, line, is_aside, is_exact)) = first {
        let from = if turn.lines.first() == Some(line) { 0 } else { line.step + 1 };
        return TurnReply::InTurn(TurnAnswer {
            turn,
            line,
            is_exact,
            is_shared: turn.lines.last() != Some(line),
            is_aside,
            count: found.len(),
            text: answer(&turn.steps, from),
        });
    }
    let waits = page.queued.iter().find(|line| is_new(line) && is_of(line, &wanted).is_some());
    waits.map_or(TurnReply::Missing, TurnReply::Queued)
}

/// What the service of an agent's model made of a text that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnUptake<'a> {
    /// Nothing follows it yet. `after_refusal`: what was asked before it was refused.
    Open {
        /// Whether what was asked before it was refused.
        after_refusal: bool,
    },
    /// The agent goes on with it, or its turn ended otherwise.
    Taken,
    /// It was refused before anything else followed.
    Refused(&'a TurnError),
}

/// What the service of its model made of the first such line that was written after that position.
pub fn uptake<'a>(page: &'a TurnPage, is_it: impl Fn(&str) -> bool, after: &TranscriptPosition) -> TurnUptake<'a> {
    let is_ours = |line: &PromptLine| after.is_before(line, &page.position) && is_it(&line.text);
    let mut before = None;
    for turn in &page.turns {
        if !turn.lines.iter().any(is_ours) {
            before = Some(turn);
            continue;
        }
        let is_bare = turn.steps.iter().all(|step| step.kind == TurnStepKind::Prompt);
        return match refusal(turn).filter(|_| is_bare) {
            Some(error) => TurnUptake::Refused(error),
            None if is_bare && turn.end == TurnEnd::Open => {
                TurnUptake::Open { after_refusal: before.and_then(refusal).is_some() }
            }
            None => TurnUptake::Taken,
        };
    }
    TurnUptake::Open { after_refusal: before.and_then(refusal).is_some() }
}

/// By what a turn was refused, if the agent's own mark says that it was.
pub fn refusal(turn: &Turn) -> Option<&TurnError> {
    let is_refused = |error: &&TurnError| matches!(error.kind, TurnErrorKind::RateLimited | TurnErrorKind::AuthFailed);
    turn.error.as_ref().filter(|_| turn.end == TurnEnd::Error && turn.mark.is_some()).filter(is_refused)
}

/// Whether a line holds these words: and nothing else (`true`), or among others.
fn is_of(line: &PromptLine, wanted: &[&str]) -> Option<bool> {
    let there = words(&line.text);
    if there == wanted {
        return Some(true);
    }
    there.windows(wanted.len()).any(|part| part == wanted).then_some(false)
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::super::{TurnDraft, TurnEnd};
    use super::*;

    fn position(file: u64, end: u64) -> TranscriptPosition {
        TranscriptPosition { file, end, at: DateTime::UNIX_EPOCH }
    }

    fn turn(prompt: &str, place: u64, text: &str) -> Turn {
        let mut draft = TurnDraft::begun(None);
        draft.ask(prompt.to_owned(), Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(place as i64)), place);
        draft.write(text.to_owned(), None);
        draft.end(TurnEnd::Done, Some("mark"), None);
        draft.finish()
    }

    fn page(turns: Vec<Turn>) -> TurnPage {
        TurnPage { turns, aside: Vec::new(), queued: Vec::new(), position: position(1, 1000), is_all: true }
    }

    fn text_of(reply: &TurnReply<'_>) -> Option<(String, usize, bool)> {
        match reply {
            TurnReply::InTurn(answer) => Some((answer.text.clone(), answer.count, answer.is_exact)),
            TurnReply::Missing | TurnReply::Queued(_) => None,
        }
    }

    #[test]
    fn the_line_of_the_text_decides_and_not_which_turn_ended_last() {
        let page =
            page(vec![turn("say  hello\n", 10, "old"), turn("say hello", 20, "new"), turn("something else", 30, "other")]);
        assert_eq!(text_of(&answer_to(&page, "say hello", None)), Some(("old".into(), 2, true)));
        assert_eq!(text_of(&answer_to(&page, "say hello", Some(&position(1, 11)))), Some(("new".into(), 1, true)));
        assert_eq!(text_of(&answer_to(&page, "say hello", Some(&position(1, 21)))), None);
        assert_eq!(answer_to(&page, " \n", None), TurnReply::Missing);
    }

    #[test]
    fn a_line_that_only_contains_the_text_counts_where_none_is_it() {
        let one = page(vec![turn("half a draft say hello", 10, "merged"), turn("say hello", 20, "exact")]);
        assert_eq!(text_of(&answer_to(&one, "say hello", None)), Some(("exact".into(), 1, true)));
        let one = page(vec![turn("half a draft say hello", 10, "merged"), turn("say hellos", 20, "no")]);
        assert_eq!(text_of(&answer_to(&one, "say hello", None)), Some(("merged".into(), 1, false)));
    }

    #[test]
    fn in_a_transcript_that_was_written_anew_the_time_decides() {
        let page = page(vec![turn("x", 10, "a"), turn("x", 20, "b")]);
        let then = TranscriptPosition { file: 2, end: 5000, at: DateTime::UNIX_EPOCH + TimeDelta::seconds(15) };
        assert_eq!(text_of(&answer_to(&page, "x", Some(&then))).unwrap().0, "b");
        let cut = TranscriptPosition { file: 1, ..then };
        assert_eq!(text_of(&answer_to(&page, "x", Some(&cut))).unwrap().0, "b", "shorter than it was");
    }

    #[test]
    fn what_a_turn_took_in_is_answered_by_what_stands_after_it() {
        let mut draft = TurnDraft::begun(None);
        draft.ask("one".into(), None, 1);
        draft.write("begun".into(), None);
        draft.ask("two".into(), None, 2);
        let (open, mut page) = (draft.clone().finish(), page(Vec::new()));
        page.turns = vec![open];
        assert_eq!(text_of(&answer_to(&page, "two", None)).unwrap().0, "");
        draft.write("both".into(), None);
        page.turns = vec![draft.finish()];
        let TurnReply::InTurn(first) = answer_to(&page, "one", None) else { panic!() };
        assert!(first.is_shared && first.text == "both");
        let TurnReply::InTurn(second) = answer_to(&page, "two", None) else { panic!() };
        assert!(!second.is_shared && second.text == "both");
    }

    #[test]
    fn what_waits_is_no_turn_and_what_was_taken_back_is_said() {
        let mut page = page(Vec::new());
        page.queued = vec![PromptLine { text: "later".into(), at: None, place: 7, step: 0 }];
        assert!(matches!(answer_to(&page, "later", Some(&position(1, 7))), TurnReply::Queued(_)));
        assert_eq!(answer_to(&page, "later", Some(&position(1, 8))), TurnReply::Missing);
        page.aside = vec![turn("later", 9, "")];
        assert!(matches!(answer_to(&page, "later", None), TurnReply::InTurn(answer) if answer.is_aside));
    }
}

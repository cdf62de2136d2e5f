//! A turn while its lines are read one after the other. Knows no agent's format.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{PromptLine, ToolInput, Turn, TurnEnd, TurnError, TurnErrorKind, TurnStep, TurnStepKind};

/// A turn that is being put together.
#[derive(Debug, Clone)]
pub struct TurnDraft {
    prompt: Option<String>,
    lines: Vec<PromptLine>,
    started_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    end: TurnEnd,
    mark: Option<&'static str>,
    error: Option<TurnError>,
    steps: Vec<TurnStep>,
    calls: BTreeSet<String>,
    is_cut: bool,
}

impl TurnDraft {
    /// A turn that nobody asked for, so far.
    pub fn begun(at: Option<DateTime<Utc>>) -> Self {
        Self {
            prompt: None,
            lines: Vec::new(),
            started_at: at,
            ended_at: None,
            end: TurnEnd::Open,
            mark: None,
            error: None,
            steps: Vec::new(),
            calls: BTreeSet::new(),
            is_cut: false,
        }
    }

    /// A turn that began before what is read.
    pub fn cut() -> Self {
        Self { is_cut: true, ..Self::begun(None) }
    }

    /// Whether nothing stands in it yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.steps.is_empty()
    }

    /// Whether nobody asked anything in it, as far as was read.
    pub fn is_unasked(&self) -> bool {
        self.lines.is_empty() && !self.is_cut
    }

    /// Whether it has ended, as far as its lines tell.
    pub fn has_ended(&self) -> bool {
        self.end != TurnEnd::Open
    }

    /// Whether it has ended in another way than by an answer.
    pub fn has_failed_end(&self) -> bool {
        matches!(self.end, TurnEnd::Error | TurnEnd::Interrupted)
    }

    /// Whether the agent wrote anything in it, or failed to.
    pub fn has_answer(&self) -> bool {
        self.error.is_some() || self.steps.iter().any(|step| matches!(step.kind, TurnStepKind::Text | TurnStepKind::Tool))
    }

    /// What it did last.
    pub fn last(&self) -> Option<TurnStepKind> {
        self.steps.last().map(|step| step.kind)
    }

    /// Notes that a line of it could not be read.
    pub fn lacks_a_line(&mut self) {
        self.is_cut = true;
    }

    /// Something was asked: the prompt, or something more in the middle of the turn.
    pub fn ask(&mut self, text: String, at: Option<DateTime<Utc>>, place: u64) {
        let is_first = self.lines.is_empty() && self.steps.is_empty() && !self.is_cut;
        self.lines.push(PromptLine { text: text.clone(), at, place, step: self.steps.len() });
        if is_first {
            self.started_at = at.or(self.started_at);
            self.prompt = Some(text);
        } else {
            self.step(TurnStepKind::Prompt, None, text, at);
        }
    }

    /// The agent wrote something.
    pub fn write(&mut self, text: String, at: Option<DateTime<Utc>>) {
        if !text.trim().is_empty() {
            self.step(TurnStepKind::Text, None, text, at);
        }
    }

    /// The agent thought something.
    pub fn think(&mut self, text: String, at: Option<DateTime<Utc>>) {
        if !text.trim().is_empty() {
            self.step(TurnStepKind::Thinking, None, text, at);
        }
    }

    /// A tool was called.
    pub fn call(&mut self, id: &str, tool: String, input: ToolInput, at: Option<DateTime<Utc>>) {
        self.step(TurnStepKind::Tool, Some(tool), input.text, at);
        if let Some(step) = self.steps.last_mut() {
            step.input = input.json;
        }
        self.calls.insert(id.to_owned());
    }

    /// A tool gave something. It may be one that was called before what is read.
    pub fn give(&mut self, id: &str, text: String, failed: bool, at: Option<DateTime<Utc>>) {
        self.step(TurnStepKind::Result, None, text, at);
        if let Some(step) = self.steps.last_mut() {
            step.failed = failed;
        }
        self.calls.remove(id);
    }

    fn step(&mut self, kind: TurnStepKind, tool: Option<String>, text: String, at: Option<DateTime<Utc>>) {
        // Whatever was taken for its end was none.
        self.goes_on();
        self.steps.push(TurnStep { kind, at, tool, failed: false, text, input: None });
    }

    /// It goes on after what looked like its end.
    pub fn goes_on(&mut self) {
        (self.end, self.mark, self.ended_at, self.error) = (TurnEnd::Open, None, None, None);
    }

    /// It has ended. `mark`: what the agent calls that; without one the end is only likely.
    pub fn end(&mut self, end: TurnEnd, mark: Option<&'static str>, at: Option<DateTime<Utc>>) {
        (self.end, self.mark, self.ended_at) = (end, mark, at);
        if end != TurnEnd::Done {
            self.calls.clear();
        }
    }

    /// It has failed. Without a mark it may be tried again.
    pub fn fail(&mut self, kind: TurnErrorKind, message: String, mark: Option<&'static str>, at: Option<DateTime<Utc>>) {
        self.end(TurnEnd::Error, mark, at);
        self.error = Some(TurnError { kind, message, resets_at: None });
    }

    /// The limit by which it failed is over then, in seconds since 1970.
    pub fn limit_resets(&mut self, seconds: Option<i64>) {
        if let Some(error) = self.error.as_mut().filter(|error| error.kind == TurnErrorKind::RateLimited) {
            error.resets_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        }
    }

    /// It ended as it had when that was kept, whatever was written after that.
    pub fn ends_as(&mut self, kept: &Self) {
        self.end(kept.end, kept.mark, kept.ended_at);
        self.error.clone_from(&kept.error);
    }

    /// Another turn follows in the same conversation: one without an end has none to come.
    pub fn is_followed(&mut self) {
        if self.end == TurnEnd::Open {
            self.end(TurnEnd::Interrupted, Some("another turn"), None);
        }
    }

    /// The turn as far as it has come.
    pub fn finish(self) -> Turn {
        let pending = self.calls.len();
        Turn {
            text: answer(&self.steps, 0),
            partial: self.is_cut || self.end == TurnEnd::Open,
            prompt: self.prompt,
            started_at: self.started_at,
            ended_at: self.ended_at,
            end: self.end,
            error: self.error,
            steps: self.steps,
            lines: self.lines,
            mark: self.mark,
            pending,
        }
    }
}

/// What was written last among steps, not before the step of that number. What stands between two tools is one answer, whatever was
/// thought in between.
pub(super) fn answer(steps: &[TurnStep], from: usize) -> String {
    let (mut parts, mut is_over) = (Vec::new(), false);
    for step in steps.get(from..).unwrap_or_default().iter().rev() {
        match step.kind {
            TurnStepKind::Text if !is_over => parts.push(step.text.trim_matches('\n')),
            TurnStepKind::Text | TurnStepKind::Thinking => {}
            // Nothing asked before this is answered by what stands before it.
            TurnStepKind::Prompt => break,
            TurnStepKind::Tool | TurnStepKind::Result => is_over = !parts.is_empty(),
        }
    }
    parts.reverse();
    parts.join("\n\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn asked(text: &str) -> TurnDraft {
        let mut draft = TurnDraft::begun(None);
        draft.ask(text.to_owned(), None, 0);
        draft
    }

    #[test]
    fn the_answer_is_what_was_written_after_the_last_tool() {
        let mut draft = asked("do it");
        draft.write("let me see".to_owned(), None);
        draft.call("1", "Bash".to_owned(), "ls".into(), None);
        assert_eq!(draft.clone().finish().text, "let me see", "as far as it has come");
        draft.give("1", "a b".to_owned(), false, None);
        draft.write("there are".to_owned(), None);
        draft.think("two".to_owned(), None);
        draft.write("two\n".to_owned(), None);
        let turn = draft.finish();
        assert_eq!((turn.text.as_str(), turn.pending, turn.partial), ("there are\n\ntwo", 0, true));
        assert_eq!(turn.prompt.as_deref(), Some("do it"));
    }

    #[test]
    fn what_was_written_before_something_more_was_asked_does_not_answer_it() {
        let mut draft = asked("one");
        draft.write("first".to_owned(), None);
        draft.ask("two".to_owned(), None, 9);
        assert_eq!(draft.clone().finish().text, "");
        draft.write("second".to_owned(), None);
        let turn = draft.finish();
        assert_eq!((turn.text.as_str(), turn.lines.len(), turn.prompt.as_deref()), ("second", 2, Some("one")));
        assert_eq!(turn.lines[1].step, 1);
    }

    #[test]
    fn a_step_after_an_end_takes_the_end_back_and_another_turn_gives_one() {
        let mut draft = asked("x");
        draft.end(TurnEnd::Done, Some("mark"), None);
        assert!(draft.has_ended());
        draft.write("a hook made it go on".to_owned(), None);
        assert!(!draft.has_ended());
        draft.is_followed();
        let turn = draft.finish();
        assert_eq!((turn.end, turn.mark, turn.partial), (TurnEnd::Interrupted, Some("another turn"), false));
    }

    #[test]
    fn an_interrupted_turn_waits_for_no_tool() {
        let mut draft = asked("x");
        draft.call("1", "Bash".to_owned(), "".into(), None);
        assert_eq!(draft.clone().finish().pending, 1);
        draft.end(TurnEnd::Interrupted, Some("mark"), None);
        assert_eq!(draft.finish().pending, 0);
    }
}

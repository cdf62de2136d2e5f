//! What becomes of an answer to a question that an agent asks on its screen. Values, and whether a key may be pressed. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::composer::ComposerTable;
use super::guard::{Addressee, ComposerPane, TypingPermit, has_its_terminal, held, is_its_pane, permit_for};
use super::question::AgentQuestion;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::operation::OperationId;
use crate::core::lead::{BlockCode, Blocked, TypedKey};
use crate::core::observe::Activity;

/// The schema of what `answer --json` prints.
pub const ANSWER_SCHEMA: &str = "headcount/answer/v1";

/// What is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerChoice {
    /// What was asked for is granted, this once.
    Approve,
    /// It is not.
    Deny,
    /// The choice of this number.
    Number(usize),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerOutcome {
    /// Nothing was chosen: this is what is asked.
    Asked,
    /// It was given, and the question is gone.
    Answered,
    /// Nothing was pressed that gives an answer.
    Held,
    /// A key was pressed, and what became of it could not be seen.
    Unverified,
}

impl AnswerOutcome {
    /// The word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asks",
            Self::Answered => "answered",
            Self::Held => "held",
            Self::Unverified => "unverified",
        }
    }
}

/// What became of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnswerReport {
    /// `headcount/answer/v1`.
    pub schema: String,
    /// The operation, if a key was pressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<OperationId>,
    /// The session.
    pub session: SessionKey,
    /// Its agent.
    pub agent: AgentKind,
    /// What it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<AgentQuestion>,
    /// By what the question is known: `--expect` compares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// What was chosen, in the words of the screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// How it ended.
    pub outcome: AnswerOutcome,
    /// Why nothing was pressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<BlockCode>,
    /// One line: what is so, and what to do.
    pub message: String,
    /// How long it took.
    pub took_ms: u64,
}

/// Whether a question waits, by something other than the screen; `is_screen_enough` where nothing else tells of this agent.
///
/// # Errors
/// Why nothing may be answered.
pub fn is_asking(to: &Addressee, is_screen_enough: bool) -> Result<(), Blocked> {
    let agent = to.agent;
    has_its_terminal(to)?;
    match to.activity {
        Some(Activity::Waiting) => Ok(()),
        None if is_screen_enough => Ok(()),
        None => {
            held(BlockCode::Unknown, format!("only the screen tells that {agent} asks something; `--screen-only` goes by that"))
        }
        Some(Activity::Starting) => {
            held(BlockCode::Busy, format!("{agent} is starting; answer that yourself, or say `trust: true` in its entry"))
        }
        Some(_) => held(BlockCode::Unknown, format!("{agent} says that it waits for no answer")),
    }
}

/// The number of a choice; `None` for the one that Esc stands for.
///
/// # Errors
/// There is no such choice.
pub fn number(choice: AnswerChoice, question: &AgentQuestion, grants: &[&str]) -> Result<Option<usize>, Blocked> {
    match choice {
        AnswerChoice::Deny => Ok(None),
        AnswerChoice::Approve => match question.choices.first() {
            Some(first) if grants.iter().any(|word| first.starts_with(word)) => Ok(Some(1)),
            Some(_) => held(BlockCode::Dialog, "it asks for no permission; give the number of a choice"),
            None => held(BlockCode::Unsupported, "how it is granted has not been measured; `deny` can be said"),
        },
        AnswerChoice::Number(number) if (1..=question.choices.len()).contains(&number) => Ok(Some(number)),
        AnswerChoice::Number(_) => held(BlockCode::Dialog, format!("it has {} choices", question.choices.len())),
    }
}

/// The key that comes next on the way to a choice, and the permission to press it: only this question may be on the screen. Enter is
/// pressed on the choice alone.
///
/// # Errors
/// Why not: nothing may be pressed.
pub fn may_choose(
    operation: &OperationId,
    to: &Addressee,
    pane: &ComposerPane,
    table: &ComposerTable,
    (asked, number): (&AgentQuestion, Option<usize>),
) -> Result<(TypingPermit, TypedKey), Blocked> {
    is_its_pane(to, pane)?;
    let Some(now) = table.question(&pane.screen).filter(|now| now.is_same(asked)) else {
        return held(BlockCode::Dialog, "another question, or none, stands there by now; look again");
    };
    let marker = table.questions.map_or("", |questions| questions.marker);
    let mut words = vec![(true, asked.pattern())];
    words.extend(now.highlighted.map(|number| (true, format!("{marker}{number}. "))));
    let key = match (number, now.highlighted) {
        (None, _) => TypedKey::Escape,
        (Some(number), Some(highlighted)) if number == highlighted => TypedKey::Enter,
        (Some(number), Some(highlighted)) if number > highlighted => TypedKey::Down,
        (Some(_), Some(_)) => TypedKey::Up,
        (Some(_), None) => return held(BlockCode::Unsupported, "which choice is highlighted cannot be told"),
    };
    Ok((permit_for(operation, to, pane, words), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(choices: &[&str]) -> AgentQuestion {
        let choices = choices.iter().map(|it| (*it).to_owned()).collect();
        AgentQuestion { text: "Run it?".to_owned(), choices, highlighted: Some(1) }
    }

    #[test]
    fn only_what_grants_is_granted_and_a_number_is_one_of_the_list() {
        let code = |choice, choices: &[&str]| number(choice, &asked(choices), &["Yes"]).map_err(|blocked| blocked.code);
        assert_eq!(code(AnswerChoice::Approve, &["Yes", "No"]), Ok(Some(1)));
        assert_eq!(code(AnswerChoice::Approve, &["Red", "Blue"]), Err(BlockCode::Dialog));
        assert_eq!(code(AnswerChoice::Approve, &[]), Err(BlockCode::Unsupported));
        assert_eq!(code(AnswerChoice::Deny, &["Yes", "No"]), Ok(None));
        assert_eq!(code(AnswerChoice::Number(2), &["Yes", "No"]), Ok(Some(2)));
        for number in [0, 3] {
            assert_eq!(code(AnswerChoice::Number(number), &["Yes", "No"]), Err(BlockCode::Dialog));
        }
    }

    #[test]
    fn a_pattern_of_a_question_is_letters_digits_and_marks_that_stand_for_one() {
        let question = AgentQuestion { text: "a\nrm -rf #{pid} $(x); `y` *".to_owned(), ..asked(&[]) };
        assert_eq!(question.pattern(), "rm ?rf ??pid? ??x?? ?y? ?");
    }
}

//! Answering a question that an agent asks on its screen: lock, look, press a key at a time, and see that the question is gone. What may
//! be pressed is decided in `core::lead::send`.

use std::time::{Duration, Instant};

use super::addressee::{Found, find_patiently};
use super::pane::view;
use super::unknown;
use crate::agent::Agents;
use crate::control::lead::act::{self, Deed};
use crate::control::lead::{LeadError, LeadRequest, effects, recover};
use crate::control::observe::Observer;
use crate::control::pass::PassError;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::send::{
    ANSWER_SCHEMA, AgentQuestion, AnswerChoice, AnswerOutcome, AnswerReport, ComposerTable, is_asking, may_choose, number,
};
use crate::core::lead::{ActionKind, BlockCode, Blocked, OperationId, OperationReport, Outcome, TypedKey};
use crate::core::observe::Activity;
use crate::store::TextHash;
use crate::store::operations::Operations;

/// How long a screen may take to show what a key did.
const SETTLING: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(40);
/// The most keys that lead to a choice.
const KEYS: usize = 20;

/// What is answered, and how.
#[derive(Debug, Clone)]
pub struct AnswerRequest {
    /// The session.
    pub session: SessionKey,
    /// Its agent, as its entry says.
    pub agent: AgentKind,
    /// What is chosen; `None`: the question is only shown.
    pub choice: Option<AnswerChoice>,
    /// The beginning of the hash of the only question that is meant.
    pub expect: Option<String>,
    /// Whether the screen is enough where nothing else tells that the agent asks.
    pub is_screen_enough: bool,
}

/// Answers a question, or only looks at it.
///
/// # Errors
/// The manifest or the world cannot be looked at.
pub fn answer(world: &Observer, request: &LeadRequest, wanted: &AnswerRequest) -> Result<AnswerReport, LeadError> {
    let begun = Instant::now();
    let mut report = AnswerReport {
        schema: ANSWER_SCHEMA.to_owned(),
        id: None,
        session: wanted.session.clone(),
        agent: wanted.agent,
        question: None,
        hash: None,
        chosen: None,
        outcome: AnswerOutcome::Held,
        code: None,
        message: String::new(),
        took_ms: 0,
    };
    let operations = Operations::new(&request.pass.state_home);
    let end = try_to(world, request, wanted, (&operations, &mut report))?;
    (report.outcome, report.code, report.message) = match end {
        Ok((outcome, message)) => (outcome, None, message),
        Err(blocked) => (AnswerOutcome::Held, Some(blocked.code), blocked.message),
    };
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Some(past) = report.id.as_ref().and_then(|id| operations.of(id))
        && let Err(error) = past.files.end(&journaled(&report))
    {
        tracing::warn!(error = PassError::line(&error), "cannot keep the end of an answer");
    }
    Ok(report)
}

type AnswerEnd = Result<(AnswerOutcome, String), Blocked>;

fn try_to(
    world: &Observer,
    request: &LeadRequest,
    wanted: &AnswerRequest,
    (operations, report): (&Operations, &mut AnswerReport),
) -> Result<AnswerEnd, LeadError> {
    let key = &wanted.session;
    let lock = match act::lock(world, request, key) {
        Ok(lock) => lock,
        Err(blocked) => return Ok(Err(blocked)),
    };
    if let Err(blocked) = recover::resolve(world, operations, key, true) {
        return Ok(Err(blocked));
    }
    let found = match find_patiently(world, request, key)? {
        Ok(found) => found,
        Err(missed) => return Ok(Err(missed.why)),
    };
    report.agent = found.to.agent;
    let agents = Agents::with(&found.declared);
    let table = agents.of(found.to.agent).and_then(|adapter| adapter.composer()).filter(|table| table.questions.is_some());
    let Some(table) = table else {
        let why = format!("how {} asks has not been measured", found.to.agent);
        return Ok(Err(Blocked::new(BlockCode::Unsupported, why)));
    };
    let conversation = found.conversation.as_ref();
    let deed = Deed { action: ActionKind::Answer, session: key, agent: found.to.agent, conversation };
    let operation = act::operation(world, request, &deed);
    let end = (|| {
        let asked = asked(world, &found, table, (wanted, report))?;
        let Some(choice) = wanted.choice else { return Ok((AnswerOutcome::Asked, "nothing was pressed".to_owned())) };
        is_asking(&found.to, wanted.is_screen_enough)?;
        let number = number(choice, &asked, table.questions.map_or(&[][..], |questions| questions.grants))?;
        report.chosen = match number {
            None => Some("Esc".to_owned()),
            Some(number) => asked.choices.get(number - 1).map(|label| format!("{number}. {label}")),
        };
        operations.begin(&operation).map_err(|error| unknown(PassError::line(&error)))?;
        report.id = Some(operation.id.clone());
        press(world, &found, (table, &operation.id), (&asked, number))
    })();
    drop(lock);
    Ok(end)
}

/// The question that stands there, if it is the one that is meant. An agent says that it asks before it has drawn that.
fn asked(
    world: &Observer,
    found: &Found,
    table: &ComposerTable,
    (wanted, report): (&AnswerRequest, &mut AnswerReport),
) -> Result<AgentQuestion, Blocked> {
    let mut tries = if found.to.activity == Some(Activity::Waiting) { 25 } else { 3 };
    let asked = loop {
        match table.question(&view(world, &found.to)?.screen) {
            Some(asked) => break asked,
            None if tries == 0 => {
                return Err(Blocked::new(BlockCode::Dialog, format!("{} shows no question that is known", found.to.agent)));
            }
            None => {
                tries -= 1;
                std::thread::sleep(Duration::from_millis(80));
            }
        }
    };
    let hash = TextHash::of(asked.whole().as_bytes()).to_string();
    let hash: String = hash.rsplit(':').next().unwrap_or_default().chars().take(12).collect();
    report.question = Some(asked.clone());
    report.hash = Some(hash.clone());
    match &wanted.expect {
        Some(expected) if !hash.starts_with(expected.as_str()) => {
            Err(Blocked::new(BlockCode::Dialog, format!("it asks something else by now ({hash})")))
        }
        _ => Ok(asked),
    }
}

/// Presses the keys that lead to a choice, one at a time, and sees that the question is gone.
fn press(
    world: &Observer,
    found: &Found,
    (table, operation): (&ComposerTable, &OperationId),
    (asked, number): (&AgentQuestion, Option<usize>),
) -> AnswerEnd {
    for _ in 0..KEYS {
        let pane = view(world, &found.to)?;
        let (permit, key) = may_choose(operation, &found.to, &pane, table, (asked, number))?;
        match effects::press_behind(world, &permit, key) {
            Ok(true) => {}
            // Nothing was pressed.
            Ok(false) => {
                std::thread::sleep(LOOK);
                continue;
            }
            Err(why) => return Ok((AnswerOutcome::Unverified, format!("whether it was answered cannot be told: {why}"))),
        }
        let before = table.question(&pane.screen);
        let moved = |now: &Option<AgentQuestion>| match key {
            TypedKey::Up | TypedKey::Down => *now != before,
            TypedKey::Enter | TypedKey::Escape => !now.as_ref().is_some_and(|now| now.is_same(asked)),
        };
        let begun = Instant::now();
        let has_moved = loop {
            std::thread::sleep(LOOK);
            if view(world, &found.to).is_ok_and(|pane| moved(&table.question(&pane.screen))) {
                break true;
            }
            if begun.elapsed() > SETTLING {
                break false;
            }
        };
        match (key, has_moved) {
            (TypedKey::Up | TypedKey::Down, true) => {}
            (TypedKey::Up | TypedKey::Down, false) => {
                return Err(Blocked::new(
                    BlockCode::Unknown,
                    "its choices did not move when a key was pressed; nothing was chosen",
                ));
            }
            (_, true) => return Ok((AnswerOutcome::Answered, "the question is gone from its screen".to_owned())),
            (_, false) => {
                let why = "the key was pressed, and the question still stands; look with `headcount screen`";
                return Ok((AnswerOutcome::Unverified, why.to_owned()));
            }
        }
    }
    Err(Blocked::new(BlockCode::Unknown, "the choice could not be reached; nothing was chosen"))
}

/// The same for the record of all operations. What was asked stays on the screen.
fn journaled(report: &AnswerReport) -> OperationReport {
    let outcome = match report.outcome {
        AnswerOutcome::Answered | AnswerOutcome::Asked => Outcome::Done,
        AnswerOutcome::Held => Outcome::Refused,
        AnswerOutcome::Unverified => Outcome::Unverified,
    };
    OperationReport {
        id: report.id.clone(),
        session: report.session.clone(),
        agent: report.agent,
        action: ActionKind::Answer,
        outcome,
        conversation: None,
        verified_by: Vec::new(),
        why: Some(report.message.clone()),
        code: report.code,
        failure: None,
        screen_tail: None,
        took_ms: report.took_ms,
    }
}

//! `headcount read`: the last turns of a conversation.

use super::{document_line, is_unknown, shown_turn, source};
use crate::cli::Context;
use crate::cli::args::ReadArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::turn;
use crate::control::lead::{self, SentMark};
use crate::core::lead::OperationId;
use crate::core::lead::turns::{TURN_SCHEMA, Turn, TurnEnd, TurnReport, TurnStepKind};
use crate::core::text::printable;
use crate::store::paths::StateHome;

/// In so many of the newest turns a text is looked for.
const SEARCHED: usize = 64;

/// Prints them.
pub(crate) fn run(args: &ReadArgs, context: &Context) -> Result<Exit, CliError> {
    show(args, context).or_else(|error| is_unknown(error, context))
}

fn show(args: &ReadArgs, context: &Context) -> Result<Exit, CliError> {
    let receipt = args.receipt.as_deref().map(sent).transpose()?;
    let meant = |sent: &SentMark| sent.conversation.as_ref().map_or(sent.session.name.as_str(), |id| id.as_str()).to_owned();
    let reference = receipt.as_ref().map(meant).or_else(|| args.reference.clone()).unwrap_or_default();
    let source = source(&reference, &args.source, context)?;
    let page = source.turns(receipt.as_ref().map_or(args.last, |_| SEARCHED), None)?;
    let turns = match &receipt {
        None => page.last(args.last),
        Some(receipt) => std::slice::from_ref(receipt.turn(&page).ok_or_else(not_yet)?),
    };
    let (Some((agent, conversation)), Some(last)) = (source.conversation(), turns.last()) else {
        return Err(source.is_silent());
    };
    let mut text = String::new();
    match args.source.format.document() {
        Some(format) => {
            for turn in turns {
                let report = TurnReport {
                    schema: TURN_SCHEMA.to_owned(),
                    session: source.subject.session.clone(),
                    agent,
                    conversation: conversation.clone(),
                    turn: if args.full { turn.clone() } else { without_thoughts(turn) },
                };
                text.push_str(&document_line(&report, format).map_err(|error| CliError::caused_by(Exit::Failure, &error))?);
            }
        }
        None => {
            let show = |turn| turn::markdown(&shown_turn(turn, args.source.raw), args.full, &context.out.look);
            text.push_str(&turns.iter().map(show).collect::<Vec<_>>().join("\n"));
        }
    }
    context.out.answer(&text)?;
    if last.end == TurnEnd::Open {
        context.out.note("the last turn has no end yet");
    }
    Ok(Exit::Done)
}

/// The text of a receipt.
fn sent(text: &str) -> Result<SentMark, CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name));
    sent_mark(&state.map_err(|error| CliError::caused_by(Exit::Failure, &error))?, text)
}

/// The same of what is kept in this directory.
pub(crate) fn sent_mark(state: &StateHome, text: &str) -> Result<SentMark, CliError> {
    match OperationId::parse(text).map_or(Ok(None), |id| lead::sent_mark(state, &id)) {
        Ok(Some(sent)) => Ok(sent),
        Ok(None) => Err(CliError::new(Exit::Failure, format!("{} names no receipt of a text", printable(text)))),
        Err(receipt) => {
            let why = format!("the text of {} was not delivered: {}", printable(text), printable(&receipt.message));
            Err(CliError::new(Exit::Failure, why))
        }
    }
}

fn not_yet() -> CliError {
    let error = CliError::new(Exit::Failure, "no turn has taken that text in yet, or it is long past");
    error.hint("`headcount queue` lists the texts that still wait")
}

fn without_thoughts(turn: &Turn) -> Turn {
    let steps = turn.steps.iter().filter(|step| step.kind != TurnStepKind::Thinking).cloned().collect();
    Turn { steps, ..turn.clone() }
}

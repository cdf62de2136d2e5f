//! `headcount read`: the last turns of a conversation.

use super::{document_line, is_unknown, shown_turn, source};
use crate::cli::Context;
use crate::cli::args::ReadArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::turn;
use crate::core::lead::turns::{TURN_SCHEMA, Turn, TurnEnd, TurnReport, TurnStepKind};

/// Prints them.
pub(crate) fn run(args: &ReadArgs, context: &Context) -> Result<Exit, CliError> {
    show(args, context).or_else(|error| is_unknown(error, context))
}

fn show(args: &ReadArgs, context: &Context) -> Result<Exit, CliError> {
    let source = source(&args.source, context)?;
    let page = source.turns(args.last, None)?;
    let turns = page.last(args.last);
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

fn without_thoughts(turn: &Turn) -> Turn {
    let steps = turn.steps.iter().filter(|step| step.kind != TurnStepKind::Thinking).cloned().collect();
    Turn { steps, ..turn.clone() }
}

//! `headcount answer`: shows what an agent asks, or answers it.

use super::failed;
use super::send::addressed;
use crate::cli::Context;
use crate::cli::args::AnswerArgs;
use crate::cli::asker::is_person;
use crate::cli::commands::print_document;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::answer as render;
use crate::control::lead::{self, AnswerRequest};
use crate::core::lead::send::AnswerOutcome;

/// Answers it.
pub(crate) fn run(args: &AnswerArgs, context: &Context) -> Result<Exit, CliError> {
    let (mut lead, session, agent) = addressed(&args.reference, &args.whom, context)?;
    if args.screen_only && !is_person() {
        let why = "`--screen-only` is for a person at a terminal, who sees the screen";
        return Err(CliError::new(Exit::Refused, why.to_owned()));
    }
    // Whoever only looks disturbs nobody.
    lead.request.is_automatic &= args.choice.is_some();
    let wanted =
        AnswerRequest { session, agent, choice: args.choice, expect: args.expect.clone(), is_screen_enough: args.screen_only };
    let report = lead::answer(&lead.world, &lead.request, &wanted).map_err(|error| failed(error, context))?;
    match args.whom.format.document() {
        Some(format) => print_document(&report, format, context)?,
        None => context.out.answer(&render::report(&report, &context.out.look))?,
    }
    Ok(match report.outcome {
        AnswerOutcome::Asked | AnswerOutcome::Answered => Exit::Done,
        AnswerOutcome::Held => Exit::Refused,
        AnswerOutcome::Unverified => Exit::Failure,
    })
}

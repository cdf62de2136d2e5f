//! `headcount screen`: what a session's pane shows now.

use super::{Source, is_unknown, print_document, shown, source};
use crate::cli::Context;
use crate::cli::args::ScreenArgs;
use crate::cli::error::{CliError, Exit};
use crate::control::lead::reading;
use crate::core::report::screen::{SCREEN_SCHEMA, ScreenReport};
use crate::core::text::printable;

/// Prints it.
pub(crate) fn run(args: &ScreenArgs, context: &Context) -> Result<Exit, CliError> {
    let source = source(&args.reference, &args.source, context)?;
    let seen = look(&source)?;
    if let Some(format) = args.source.format.document() {
        let pane = source.subject.pane.as_ref().map(|(server, placed)| format!("{server}:{}", placed.pane));
        let (text, why) = match &seen {
            Ok(text) => (Some(text.clone()), None),
            Err(error) => (None, Some(error.message())),
        };
        let (session, agent) = (source.subject.session.clone(), source.subject.agent);
        print_document(&ScreenReport { schema: SCREEN_SCHEMA.to_owned(), session, agent, pane, text, why }, format, context)?;
    }
    match seen {
        Ok(text) if args.source.format.document().is_none() => {
            context.out.answer(&format!("{}\n", shown(&text, args.source.raw)))?;
            Ok(Exit::Done)
        }
        Ok(_) => Ok(Exit::Done),
        Err(error) => is_unknown(error, context),
    }
}

/// What the pane shows, or why that cannot be said.
fn look(source: &Source) -> Result<Result<String, CliError>, CliError> {
    let name = &source.name;
    if source.subject.pane.is_none() {
        let why = source.subject.doubt.as_deref().or_else(|| source.subject.conversation.why_unknown());
        let error = match why {
            Some(why) => CliError::new(Exit::Unknown, format!("cannot tell which pane {name} is in: {}", printable(why))),
            None => CliError::new(Exit::Failure, format!("{name} runs in no pane that could be shown")),
        };
        return Ok(Err(error.hint("`headcount status` shows what runs")));
    }
    let text = reading::screen(&super::world(), &source.subject);
    Ok(text.ok_or_else(|| CliError::new(Exit::Failure, format!("the pane of {name} shows nothing, or has just ended"))))
}

//! `headcount send` and `ask`: a text from the command line to an agent, and its receipt or the answer to whoever sent it.

use std::io::Read as _;
use std::path::Path;

use super::{Lead, begin_any, confirm, failed};
use crate::cli::args::{AskArgs, SendArgs, WhomArgs};
use crate::cli::asker::{is_automatic, is_person};
use crate::cli::commands::print_document;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::send as render;
use crate::cli::{Context, signals};
use crate::control::lead::{self, Queueing, SendRequest, SentText};
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::OperationId;
use crate::core::lead::send::{AskEnd, LONGEST, SendOutcome, SendReceipt, TextOptions};
use crate::core::text::{printable, printable_lines};

/// Sends it.
pub(crate) fn run(args: &SendArgs, context: &Context) -> Result<Exit, CliError> {
    let what = what(args)?;
    let (lead, session, agent) = addressed(&args.reference, &args.whom, context)?;
    let send = SendRequest {
        session,
        agent,
        what,
        key: args.id.clone(),
        is_preview: args.dry_run,
        submits: !args.no_submit,
        interrupts: args.interrupt,
        mid_turn: args.mid_turn,
        queueing: if args.queue { Queueing::Waits { keeps: args.keep } } else { Queueing::Never },
    };
    if args.queue && lead.undeclared.is_some() {
        let why = "a text waits only for a session of the manifest: a watch delivers it, and watches those";
        return Err(
            CliError::new(Exit::Refused, why).hint("`headcount record` adds a session of a known name, `init` all that run")
        );
    }
    ask_the_watched(args.whom.yes || args.dry_run, &lead, &send, context)?;
    let receipt = lead::send(&lead.world, &lead.request, &send).map_err(|error| failed(error, context))?;
    match args.whom.format.document() {
        Some(format) => print_document(&receipt, format, context)?,
        None => context.out.answer(&render::receipt(&receipt, &context.out.look))?,
    }
    Ok(exit(&receipt, args.no_submit))
}

/// Sends it, and prints the answer.
pub(crate) fn run_ask(args: &AskArgs, context: &Context) -> Result<Exit, CliError> {
    let text = text(args.file.as_deref(), args.text.as_deref())?;
    let (lead, session, agent) = addressed(&args.reference, &args.whom, context)?;
    let send = SendRequest {
        session,
        agent,
        what: SentText::New(text, TextOptions { strip: args.strip, command: false }),
        key: args.id.clone(),
        is_preview: false,
        submits: true,
        interrupts: args.interrupt,
        mid_turn: false,
        queueing: Queueing::Never,
    };
    ask_the_watched(args.whom.yes, &lead, &send, context)?;
    // From here on an interrupt leaves nothing half done.
    let sent = |receipt: &SendReceipt| {
        signals::end_on_interrupt();
        let id = receipt.id.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::info!(receipt = id, "the text was delivered");
    };
    let report = lead::ask(&lead.world, &lead.request, &send, args.timeout, &sent).map_err(|error| failed(error, context))?;
    let is_answered = report.end == AskEnd::Answered;
    match (args.whom.format.document(), &report.answer) {
        (Some(format), _) => print_document(&report, format, context)?,
        (None, Some(answer)) if is_answered || args.partial => {
            let shown = if context.out.look.tty { printable_lines(answer) } else { answer.clone() };
            context.out.answer(&format!("{shown}\n"))?;
        }
        (None, _) => {}
    }
    let exit = match report.end {
        AskEnd::Answered => Exit::Done,
        AskEnd::NotDelivered => exit(&report.receipt, false),
        AskEnd::NeedsInput => Exit::Refused,
        AskEnd::Failed | AskEnd::Interrupted => Exit::Failure,
        AskEnd::TimedOut => Exit::Busy,
    };
    if is_answered || args.whom.format.document().is_some() {
        return Ok(exit);
    }
    let id = report.receipt.id.as_ref().map(|id| format!(" (receipt {id})")).unwrap_or_default();
    Err(CliError::new(exit, format!("{}{id}", printable(&report.message))))
}

/// The one session that a REF means, and its agent.
pub(super) fn addressed(
    reference: &str,
    whom: &WhomArgs,
    context: &Context,
) -> Result<(Lead, SessionKey, AgentKind), CliError> {
    let (mut lead, key) = begin_any(reference, &whom.judge, context)?;
    (lead.request.own, lead.request.is_automatic) = (whom.own, is_automatic(whom.yes));
    lead.request.passes_hold = whom.yes && is_person();
    if let Some(holder) = &whom.holder {
        lead.request.holder.clone_from(holder);
    }
    let agent = lead.manifest.find(&key).map(|session| session.agent);
    let gone = || CliError::new(Exit::Failure, format!("the entry of {} is gone", printable(&key.name)));
    let agent = agent.ok_or_else(gone)?;
    Ok((lead, key, agent))
}

/// A person is told when somebody else is there; everybody else is refused then.
fn ask_the_watched(is_sure: bool, lead: &Lead, send: &SendRequest, context: &Context) -> Result<(), CliError> {
    if is_sure || !is_person() {
        return Ok(());
    }
    let is_watched = lead::is_shown(&lead.world, &lead.request, &send.session).map_err(|error| failed(error, context))?;
    if !is_watched {
        return Ok(());
    }
    let name = printable(&send.session.name).into_owned();
    confirm(&format!("Somebody is at a terminal that shows {name}. Send it all the same?"), false, context)
}

/// What is sent.
fn what(args: &SendArgs) -> Result<SentText, CliError> {
    let Some(receipt) = &args.submit else {
        let text = text(args.file.as_deref(), args.text.as_deref())?;
        return Ok(SentText::New(text, TextOptions { strip: args.strip, command: args.command }));
    };
    let odd = || CliError::new(Exit::Failure, format!("{} names no receipt", printable(receipt)));
    OperationId::parse(receipt).map(SentText::Staged).ok_or_else(odd)
}

/// The text, from wherever it comes. As a shell does, it leaves out the line feed at the end of a file.
fn text(file: Option<&Path>, text: Option<&str>) -> Result<String, CliError> {
    let unreadable = |what: &str, error: std::io::Error| CliError::new(Exit::Failure, format!("cannot read {what}: {error}"));
    let read = |what: &str, from: &mut dyn std::io::Read| {
        let mut text = Vec::new();
        from.take(LONGEST as u64 * 4).read_to_end(&mut text).map_err(|error| unreadable(what, error))?;
        String::from_utf8(text).map_err(|_| CliError::new(Exit::Refused, format!("{what} is not UTF-8; nothing was typed")))
    };
    let mut text = match (file, text) {
        (Some(path), _) if path.as_os_str() != "-" => {
            let what = path.display().to_string();
            let mut file = std::fs::File::open(path).map_err(|error| unreadable(&what, error))?;
            read(&what, &mut file)?
        }
        (Some(_), _) | (None, Some("-") | None) => read("the standard input", &mut std::io::stdin().lock())?,
        (None, Some(text)) => return Ok(text.to_owned()),
    };
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

pub(in crate::cli::commands) fn exit(receipt: &SendReceipt, is_asked_to_stage: bool) -> Exit {
    use SendOutcome::{Delivered, Duplicate, Held, Preview, Queued, Refused, Rejected, Staged, Unverified, Waiting};
    // A duplicate ends as the first one did.
    match receipt.first_outcome.unwrap_or(receipt.outcome) {
        Delivered | Queued | Waiting | Preview => Exit::Done,
        Staged if is_asked_to_stage => Exit::Done,
        Held | Refused => Exit::Refused,
        Staged | Unverified | Rejected | Duplicate => Exit::Failure,
    }
}

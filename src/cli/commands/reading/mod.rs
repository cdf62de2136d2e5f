//! The verbs that show what an agent wrote, or what its pane shows: from a REF to what is read. They type nothing and record nothing.

pub(crate) mod logs;
pub(crate) mod read;
pub(crate) mod screen;

use std::io::IsTerminal as _;

use chrono::Utc;

use super::{document_line, lead, print_document};
use crate::agent::TurnQuery;
use crate::cli::Context;
use crate::cli::args::{JudgeArgs, SourceArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::run_pass::{self, PassRequest};
use crate::control::lead::reading::{self, ReadSubject, SeveralMeant};
use crate::control::observe::Observer;
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::pane_of;
use crate::core::lead::turns::{LogEntry, TranscriptPosition, Turn, TurnError, TurnPage, TurnStep};
use crate::core::manifest::select::Selection;
use crate::core::text::{printable, printable_lines};
use crate::host::Environ;
use crate::store::paths::StateHome;

/// What is read, and what it is called.
struct Source {
    name: String,
    declared: Declared,
    subject: ReadSubject,
}

/// What a REF means, and a word where that may be something else by now: an entry of the manifest, else a pane, else a conversation.
fn source(reference: &str, args: &SourceArgs, context: &Context) -> Result<Source, CliError> {
    if args.raw && std::io::stdout().is_terminal() {
        let error = CliError::new(Exit::Usage, "--raw would let the text control this terminal");
        return Err(error.hint("send it to a file or another program, or leave --raw out"));
    }
    let source = resolve(reference, context)?;
    if let (Some(why), Fact::Seen(_)) = (&source.subject.doubt, &source.subject.conversation) {
        context.out.note(&format!("{why}; this is the conversation that was recorded of {}", source.name));
    }
    Ok(source)
}

fn resolve(text: &str, context: &Context) -> Result<Source, CliError> {
    let manifest = run_pass::manifest(context)?;
    if let Some(manifest) = &manifest {
        match lead::meant(manifest, text).as_slice() {
            [] => {}
            [session] => {
                let name = printable(&session.key.name).into_owned();
                let selection = Selection { names: vec![session.key.name.clone()], ..Selection::default() };
                let pass = run_pass::pass(PassRequest::look(selection, &JudgeArgs::default()), context)?;
                let subject = reading::of_entry(&pass, &session.key)
                    .ok_or_else(|| CliError::new(Exit::Failure, format!("{name} left the manifest while it was read")))?;
                return Ok(Source { name, declared: manifest.agents.clone(), subject });
            }
            several => {
                let names = several.iter().map(|it| format!("{}:{}:{}", it.key.mux, it.key.server, printable(&it.key.name)));
                return Err(ambiguous(text, &names.collect::<Vec<_>>()));
            }
        }
    }
    let declared = manifest.map(|manifest| manifest.agents).unwrap_or_default();
    let name = printable(text).into_owned();
    let world = world();
    let found = match pane_of(text) {
        Some((server, pane)) => reading::of_pane(&world, &declared, &server, pane),
        None => reading::of_conversation(&world, &declared, text),
    };
    match found {
        Ok(Fact::Seen(subject)) => Ok(Source { name, declared, subject }),
        Ok(Fact::Unknown(why)) => Err(CliError::new(Exit::Unknown, format!("cannot look at {name}: {}", printable(&why)))),
        Ok(Fact::Absent) => {
            let what = if pane_of(text).is_some() { "no pane" } else { "no session, pane or conversation" };
            Err(CliError::new(Exit::Failure, format!("{what} {name}"))
                .hint("`headcount status -o name` lists the sessions; a conversation is given by its whole id"))
        }
        Err(SeveralMeant(all)) => Err(ambiguous(text, &all)),
    }
}

/// This machine, also where there is no place for state.
pub(crate) fn world() -> Observer {
    let state = StateHome::from_environment(|name| std::env::var_os(name));
    state.map_or_else(|_| Observer::local(Environ::of_this_process()), |state| run_pass::world(&state))
}

fn ambiguous(text: &str, candidates: &[String]) -> CliError {
    let candidates: Vec<_> = candidates.iter().map(|it| printable(it)).collect();
    CliError::new(Exit::Refused, format!("{} means several sessions", printable(text)))
        .hint(format!("say which one: {}", candidates.join(", ")))
}

impl Source {
    /// The newest turns.
    fn turns(&self, last: usize, after: Option<&TranscriptPosition>) -> Result<TurnPage, CliError> {
        let query = TurnQuery { last, after, now: Utc::now() };
        let name = &self.name;
        match reading::turns(&self.declared, &self.subject, &query) {
            Fact::Seen(page) => Ok(page),
            Fact::Absent if self.subject.agent.is_none() => {
                Err(CliError::new(Exit::Failure, format!("no agent runs in {name}")))
            }
            Fact::Absent if self.subject.conversation.is_absent() => {
                let error = CliError::new(Exit::Failure, format!("{name} does not run, and no conversation of it is recorded"));
                Err(error.hint("`headcount record` records them while they run"))
            }
            Fact::Absent => Err(self.is_silent()),
            Fact::Unknown(why) => {
                let error = CliError::new(Exit::Unknown, format!("cannot read what {name} said: {}", printable(&why)));
                Err(error.hint(format!("`headcount explain {name}` shows the evidence")))
            }
        }
    }

    fn is_silent(&self) -> CliError {
        CliError::new(Exit::Failure, format!("nothing was said in {} yet", self.name))
            .hint(format!("`headcount screen {}` shows its pane", self.name))
    }

    /// Whose conversation it is.
    fn conversation(&self) -> Option<(AgentKind, ConversationId)> {
        let (id, _) = self.subject.conversation.seen()?;
        Some((self.subject.agent?, id.clone()))
    }
}

/// What cannot be told is an answer, and no failure.
fn is_unknown(error: CliError, context: &Context) -> Result<Exit, CliError> {
    if error.exit() != Exit::Unknown {
        return Err(error);
    }
    context.out.note(&error.message());
    error.hints().for_each(|hint| context.out.note(&hint));
    Ok(Exit::Unknown)
}

/// Text of others as it is shown.
fn shown(text: &str, raw: bool) -> String {
    if raw { text.to_owned() } else { printable_lines(text) }
}

/// A turn whose texts can be shown.
fn shown_turn(turn: &Turn, raw: bool) -> Turn {
    let show = |text: &String| shown(text, raw);
    let step = |step: &TurnStep| TurnStep { tool: step.tool.as_ref().map(show), text: show(&step.text), ..step.clone() };
    let error = |error: &TurnError| TurnError { message: show(&error.message), ..error.clone() };
    Turn {
        prompt: turn.prompt.as_ref().map(show),
        steps: turn.steps.iter().map(step).collect(),
        error: turn.error.as_ref().map(error),
        text: show(&turn.text),
        ..turn.clone()
    }
}

/// The same of an entry of a log.
fn shown_entry(entry: &LogEntry, raw: bool) -> LogEntry {
    LogEntry { tool: entry.tool.as_ref().map(|tool| shown(tool, raw)), text: shown(&entry.text, raw), ..entry.clone() }
}

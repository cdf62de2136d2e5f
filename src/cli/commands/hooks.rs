//! `headcount hooks`: puts hooks into agents' own settings, takes them out, and shows where they are. What would change is shown first.

use super::lead::confirm;
use super::print_document;
use crate::cli::Context;
use crate::cli::args::{HooksArgs, HooksChangeArgs, HooksStatusArgs, HooksVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::{Style, patch};
use crate::control::hook_settings::{HookChange, HookPlace, HookSettingsError};
use crate::control::lead::launcher;
use crate::core::hooks::{AgentHooks, HOOKS_SCHEMA, HookStanding, HooksReport};
use crate::core::ids::AgentKind;
use crate::core::text::printable;
use crate::host::Environ;
use crate::store::paths::StateHome;
use crate::store::settings::SettingsFileError;
use crate::yaml::unified_diff;

/// Does what is asked.
pub(crate) fn run(args: &HooksArgs, context: &Context) -> Result<Exit, CliError> {
    let program = launcher().map_err(|why| CliError::new(Exit::Failure, why))?;
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let env = Environ::of_this_process();
    let place = HookPlace { program: &program, state: &state, env: &env };
    match &args.verb {
        HooksVerb::Install(args) => change(args, &place, Way::In, context),
        HooksVerb::Remove(args) => change(args, &place, Way::Out, context),
        HooksVerb::Status(args) => status(args, &place, context),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

fn change(args: &HooksChangeArgs, place: &HookPlace<'_>, way: Way, context: &Context) -> Result<Exit, CliError> {
    let mut changes: Vec<HookChange> = Vec::new();
    for agent in args.agent.map_or_else(|| AgentKind::ALL.to_vec(), |agent| vec![agent]) {
        let planned = match way {
            Way::In => place.installing(agent),
            Way::Out => place.removing(agent),
        };
        match planned {
            Ok(Some(change)) => changes.push(change),
            Ok(None) if way == Way::In => context.out.answer(&format!("{agent}: its hooks are there already\n"))?,
            Ok(None) if args.agent.is_some() => context.out.answer(&format!("{agent}: there are no hooks of headcount\n"))?,
            // Nobody asked for this one.
            Err(HookSettingsError::NoHome { .. } | HookSettingsError::Unsupported(_)) if args.agent.is_none() => {}
            Ok(None) => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    if changes.is_empty() {
        if args.agent.is_none() {
            context.out.answer("nothing to change\n")?;
        }
        return Ok(Exit::Done);
    }
    for change in &changes {
        let (before, after) = change.texts();
        let diff = unified_diff(before, after, &printable(&change.path.display().to_string()));
        context.out.stderr(&patch::render(&diff, &context.out.look));
    }
    confirm(if way == Way::In { "Put these in?" } else { "Take these out?" }, args.yes, context)?;
    for change in &changes {
        place.make(change).map_err(|error| refused(&error))?;
        let said = if way == Way::In {
            "has hooks; `headcount hooks remove` takes them out"
        } else {
            "has no hooks of headcount any more"
        };
        context.out.answer(&format!("{}: {} {said}\n", change.agent, printable(&change.path.display().to_string())))?;
        if let Some(note) = place.note(change.agent).filter(|_| way == Way::In) {
            context.out.note(note);
        }
    }
    Ok(Exit::Done)
}

fn refused(error: &HookSettingsError) -> CliError {
    let exit = match error {
        HookSettingsError::File(SettingsFileError::Busy(_)) => Exit::Busy,
        HookSettingsError::File(SettingsFileError::Io { .. })
        | HookSettingsError::NoHome { .. }
        | HookSettingsError::Receipt { .. } => Exit::Failure,
        HookSettingsError::File(SettingsFileError::Refused { .. })
        | HookSettingsError::Settings { .. }
        | HookSettingsError::Foreign(_)
        | HookSettingsError::Unsupported(_) => Exit::Refused,
    };
    let told = CliError::caused_by(exit, error);
    match error {
        HookSettingsError::File(SettingsFileError::Busy(_)) => told.hint("try again"),
        HookSettingsError::NoHome { agent, .. } => {
            told.hint(format!("start {agent} once, or set the variable that names its home"))
        }
        HookSettingsError::Unsupported(_) => told.hint("`headcount hooks status` lists the agents that can have them"),
        _ => told.hint("nothing was changed"),
    }
}

fn status(args: &HooksStatusArgs, place: &HookPlace<'_>, context: &Context) -> Result<Exit, CliError> {
    let wanted = args.agent.map_or_else(|| AgentKind::ALL.to_vec(), |agent| vec![agent]);
    let agents: Vec<AgentHooks> = wanted.into_iter().map(|agent| place.standing(agent)).collect();
    match args.format.document() {
        Some(format) => print_document(&HooksReport { schema: HOOKS_SCHEMA.to_owned(), agents }, format, context)?,
        None => context.out.answer(&agents.iter().map(|hooks| row(hooks, context)).collect::<String>())?,
    }
    Ok(Exit::Done)
}

fn row(hooks: &AgentHooks, context: &Context) -> String {
    let (style, word) = match hooks.standing {
        HookStanding::Installed => (Style::Good, "installed"),
        HookStanding::Other => (Style::Warn, "of another headcount"),
        HookStanding::Absent => (Style::Plain, "none"),
        HookStanding::NoHome => (Style::Dim, "not used here"),
        HookStanding::Unsupported => (Style::Dim, "cannot have them"),
        HookStanding::Unknown => (Style::Bad, "unknown"),
    };
    let why = hooks.why.as_deref().map(|why| format!(": {}", printable(why))).unwrap_or_default();
    let path = hooks.path.as_deref().map(|path| printable(&path.display().to_string()).into_owned()).unwrap_or_default();
    let word = context.out.look.paint(style, &format!("{word:<20}"));
    format!("{}\n", format!("{:<12} {word} {path}{why}", hooks.agent.as_str()).trim_end())
}

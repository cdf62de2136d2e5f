//! `headcount hooks`: puts hooks into agents' own settings, takes them out, and shows where they are. What would change is shown first.

use std::path::PathBuf;

use super::lead::confirm;
use crate::cli::Context;
use crate::cli::args::{HooksArgs, HooksChangeArgs, HooksStatusArgs, HooksVerb};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::{Style, patch};
use crate::control::hook_settings::{HookChange, HookPlace, HookSettingsError, HookStanding};
use crate::control::lead::launcher;
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
    let mut text = String::new();
    for agent in args.agent.map_or_else(|| AgentKind::ALL.to_vec(), |agent| vec![agent]) {
        let (standing, path) = place.standing(agent);
        let (style, word) = match &standing {
            HookStanding::Installed => (Style::Good, "installed".to_owned()),
            HookStanding::Other => (Style::Warn, "of another headcount".to_owned()),
            HookStanding::Absent => (Style::Plain, "none".to_owned()),
            HookStanding::NoHome => (Style::Dim, "not used here".to_owned()),
            HookStanding::Unsupported => (Style::Dim, "cannot have them".to_owned()),
            HookStanding::Unreadable(why) => (Style::Bad, format!("unknown: {}", printable(why))),
        };
        let shown = |path: PathBuf| printable(&path.display().to_string()).into_owned();
        let line = format!(
            "{:<12} {} {}",
            agent.as_str(),
            context.out.look.paint(style, &format!("{word:<20}")),
            path.map(shown).unwrap_or_default()
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    context.out.answer(&text)?;
    Ok(Exit::Done)
}

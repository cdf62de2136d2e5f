//! What makes an agent that is started tell headcount what it does. Writes the files that carry that; a start goes on without them.

use std::path::Path;

use crate::agent::Adapter;
use crate::agent::hooks::{HookCommand, HookConsent};
use crate::core::manifest::Session;
use crate::core::manifest::lead::Permissions;
use crate::store::hooks;
use crate::store::paths::StateHome;

/// What a start is given beside what its entry says.
#[derive(Debug, Default)]
pub(super) struct Hooking {
    /// Arguments before those of the entry.
    pub(super) args: Vec<String>,
    /// Variables.
    pub(super) set: Vec<(String, String)>,
}

/// Puts in place what tells of a session. `inherited` is asked for the value of a variable that it has anyway: that one stays. `own` gives
/// those of this process, which a server that is not there yet would hand on.
///
/// # Errors
/// One line: it cannot be put in place, or would hold the agent up.
pub(super) fn hooking(
    adapter: &dyn Adapter,
    session: &Session,
    (program, state, told): (&Path, &StateHome, Option<&Path>),
    inherited: impl Fn(&str) -> Option<String>,
    own: impl Fn(&str) -> Option<String>,
) -> Result<Hooking, String> {
    let consent = match session.lead.permissions {
        Some(Permissions::Bypass) => HookConsent::Unasked,
        _ => HookConsent::Asks,
    };
    let command = HookCommand::new(program, state.path(), session.agent).and_then(|command| command.telling(told));
    let Some(command) = command else { return Ok(Hooking::default()) };
    let Some(carrier) = adapter.hooks(&command, consent) else { return Ok(Hooking::default()) };
    let variable = |name: &str| session.env.get(name).cloned().or_else(|| inherited(name)).or_else(|| own(name));
    if let Some(why) = carrier.delay.and_then(|delay| delay(&variable, session.cwd.as_deref())) {
        return Err(why.to_owned());
    }
    let fail = |error| format!("hooks cannot be put into {}: {error}", state.hooks().display());
    let place = match carrier.files.is_empty() {
        true => hooks::prepare(state).map(|()| state.hooks()),
        false => hooks::place(state, session.agent.as_str(), &carrier.files),
    };
    let place = place.map_err(fail)?;
    let Some(place) = place.to_str() else { return Ok(Hooking::default()) };
    let set = (carrier.set)(place);
    let is_taken =
        |name: &str| session.env.contains_key(name) || session.lead.env_files.contains_key(name) || inherited(name).is_some();
    if set.iter().any(|(name, _)| is_taken(name)) {
        return Ok(Hooking::default());
    }
    Ok(Hooking { args: (carrier.args)(place), set: set.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() })
}

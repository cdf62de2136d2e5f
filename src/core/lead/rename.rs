//! Whether a session may have another name, and which running session gets it. Pure; what is renamed is pinned by immutable ids.

use super::action::{Action, ActionKind, BlockCode, Blocked, Renaming, Target};
use super::ledger::Ledger;
use super::own;
use crate::core::drift::{Inputs, Presence, Verdict};
use crate::core::fact::Fact;
use crate::core::ids::{MuxKind, SessionKey};
use crate::core::manifest::Session;
use crate::core::observe::{MuxSession, Server};
use crate::core::text::printable;

/// The longest name, in bytes.
const LONGEST: usize = 128;

/// What a rename is judged by.
pub struct RenameScene<'a> {
    /// What a pass judged.
    pub inputs: Inputs<'a>,
    /// What it concluded.
    pub verdict: &'a Verdict,
    /// What was done before.
    pub ledger: &'a Ledger,
    /// The manifest, symlinks resolved.
    pub manifest: &'a str,
    /// Whether a session that another manifest leads is taken over.
    pub take: bool,
    /// A rename of the same entry to the same name that was begun and never ended.
    pub begun: Option<&'a Renaming>,
}

/// Why a session may not be called so.
fn unfit(mux: MuxKind, name: &str) -> Option<String> {
    let shown = printable(name);
    match name {
        "" => Some("a session needs a name".to_owned()),
        _ if name.len() > LONGEST => Some(format!("a name has at most {LONGEST} bytes")),
        _ if name.chars().any(char::is_control) => Some(format!("{shown} holds a control character")),
        _ if name.trim() != name => Some(format!("{shown:?} begins or ends with a blank")),
        _ if mux == MuxKind::Tmux && name.contains('#') => Some(format!("tmux would read the `#` in {shown} as a format")),
        _ if mux == MuxKind::Zellij && name.contains('/') => Some(format!("zellij takes no `/` in a name, as in {shown}")),
        _ => None,
    }
}

/// What is done so that an entry and its session are called `to`: a running session is renamed first, else only the entry is.
///
/// # Errors
/// Why that may not be.
pub fn judge_rename(scene: &RenameScene<'_>, entry: &Session, to: &str) -> Result<Action, Blocked> {
    let RenameScene { inputs, verdict, ledger, .. } = scene;
    let key = &entry.key;
    let new = SessionKey { name: to.to_owned(), ..key.clone() };
    let refused = |code, message: String| Err(Blocked::new(code, message));
    if let Some(why) = unfit(key.mux, to) {
        return refused(BlockCode::Unsupported, why);
    }
    if let Some(doubt) = &entry.doubt {
        return refused(BlockCode::Unknown, doubt.why.clone());
    }
    let spelled = |key: &SessionKey| (key.host.clone(), key.server_key(), key.mux.spelling(&key.name).into_owned());
    let is_taken = |other: &&Session| other.index != entry.index && spelled(&other.key) == spelled(&new);
    if let Some(other) = inputs.manifest.entries().find(is_taken) {
        return refused(BlockCode::ForeignName, format!("{} has an entry already", printable(&other.key.to_string())));
    }
    let only_entry = || Action { kind: ActionKind::Rename, target: Target::InPlace, conversation: None, rung: None };
    if key.host != inputs.observation.host {
        let message = format!("it is on host {}; rename it there", printable(&key.host));
        return refused(BlockCode::Elsewhere, message);
    }
    let leader = ledger.of(key).and_then(|acted| acted.led_by.as_deref()).filter(|leader| *leader != scene.manifest);
    if let Some(leader) = leader.filter(|_| !scene.take) {
        return refused(BlockCode::LedElsewhere, format!("{} leads it; `--take` takes it over", printable(leader)));
    }
    let server = match inputs.observation.servers.get(&key.server_key()) {
        Some(Fact::Seen(server)) => server,
        Some(Fact::Unknown(why)) => return refused(BlockCode::Unknown, why.clone()),
        Some(Fact::Absent) | None => return Ok(only_entry()),
    };
    let named = server.sessions.iter().find(|it| new.names().any(|name| name == it.name.as_str()));
    // What was renamed already, by a person or by a headcount that was killed, only lacks its entry.
    let followed = scene.begun.filter(|begun| begun.to == to);
    let presence = verdict.entries.get(entry.index).map(|entry| (&entry.presence, entry.renamed_to.as_deref()));
    if let Some(named) = named {
        let is_same = |presence: &Presence| match presence {
            Presence::Alive(live) => live.session.id == named.id,
            Presence::Several { session, .. } | Presence::NoAgent { session, .. } => session.id == named.id,
            Presence::Unknown(_) | Presence::Absent { .. } => false,
        };
        let is_its = presence.is_some_and(|(presence, _)| is_same(presence))
            || followed.is_some_and(|begun| begun.is_of(server, named))
            || presence.is_some_and(|(_, renamed)| renamed.is_some_and(|it| new.names().any(|name| name == it)));
        if is_its {
            return Ok(only_entry());
        }
        let message = format!("a session called {} runs already", printable(to));
        return refused(BlockCode::ForeignName, message);
    }
    let session = match presence {
        None => return Ok(only_entry()),
        Some((Presence::Unknown(why), _)) => return refused(BlockCode::Unknown, why.clone()),
        Some((Presence::Absent { .. }, Some(other))) => {
            let (own, other) = (printable(&key.name), printable(other));
            let message = format!("its session seems to be renamed to {other}; `headcount rename {own} {other}` follows it");
            return refused(BlockCode::ForeignName, message);
        }
        Some((Presence::Absent { .. }, None)) => return Ok(only_entry()),
        Some((Presence::Alive(live), _)) => live.session.as_ref(),
        Some((Presence::Several { session, .. }, _)) => session.as_ref(),
        Some((Presence::NoAgent { session, .. }, _)) if is_own(scene, entry, session, server) => session.as_ref(),
        // Somebody else's session of that name keeps it.
        Some((Presence::NoAgent { .. }, _)) => return Ok(only_entry()),
    };
    let Some(pid) = session.served_by(Some(server)) else {
        return refused(BlockCode::Unknown, "the process of its server is not known".to_owned());
    };
    let renaming = Renaming { server: pid, session: session.id.clone(), to: to.to_owned() };
    Ok(Action { target: Target::Renamed(renaming), ..only_entry() })
}

fn is_own(scene: &RenameScene<'_>, entry: &Session, session: &MuxSession, server: &Server) -> bool {
    let boot = scene.inputs.observation.boot.seen().map(|boot| boot.id.as_str());
    own::has_recorded_pane(entry, session) || own::made_in(scene.ledger.of(&entry.key), session, (server.pid, boot)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_refused() {
        for name in ["", "a\nb", "a\u{1b}[2J", "#{pid}", "a#b", " a", "a ", &"x".repeat(129)] {
            assert!(unfit(MuxKind::Tmux, name).is_some(), "{name:?}");
        }
        for name in ["a", "-a", "a.b", "a b", "été", "$HOME", "`id`", "'; kill-server; '", "=a", "%1", "\\"] {
            assert_eq!(unfit(MuxKind::Tmux, name), None, "{name:?}");
        }
    }
}

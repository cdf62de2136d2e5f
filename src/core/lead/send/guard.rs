//! Whether something may be typed into a pane: everything that is seen of it has to say so. Pure; nothing else makes a permit.

use super::composer::{Composer, ComposerTable, composer, has_popup, is_busy};
use super::screen::PaneScreen;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::operation::OperationId;
use crate::core::lead::profiles::MERELY_READ;
use crate::core::lead::{BlockCode, Blocked, LeadProfile, LeadRule};
use crate::core::observe::Activity;

/// What a multiplexer says of a pane, and shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComposerPane {
    /// The process of its server.
    pub server: u32,
    /// The process it was made for.
    pub pid: u32,
    /// Whether that has ended.
    pub is_dead: bool,
    /// Whether it is in copy mode or another mode, which takes the keys.
    pub in_mode: bool,
    /// Whether what is typed goes to the other panes of its window as well.
    pub is_synchronized: bool,
    /// Whether it takes no keys.
    pub is_input_off: bool,
    /// What is in its foreground, as the multiplexer tells it from others.
    pub runs: String,
    /// What it shows.
    pub screen: PaneScreen,
}

/// A pane that something is typed into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaneAddress {
    /// Its session.
    pub session: SessionKey,
    /// The process of its server.
    pub server: u32,
    /// The multiplexer's id of it.
    pub id: String,
    /// The process it was made for.
    pub pid: u32,
}

/// The agent that something is to be typed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// Which agent.
    pub agent: AgentKind,
    /// Its pane.
    pub pane: PaneAddress,
    /// What it is doing; `None`: that cannot be told.
    pub activity: Option<Activity>,
    /// Whether nothing was said in its conversation, so that no file tells what it is doing.
    pub is_unspoken: bool,
    /// What else it says of that: what it waits for, or what runs on beside it.
    pub beside: Option<String>,
    /// Whether its process group has the terminal.
    pub is_foreground: Option<bool>,
}

/// The permission to type into one pane as it was seen.
#[derive(Debug)]
pub struct TypingPermit {
    operation: OperationId,
    pane: PaneAddress,
    runs: String,
    words: Vec<(bool, String)>,
}

impl TypingPermit {
    /// The operation it is given for.
    pub fn operation(&self) -> &str {
        self.operation.as_str()
    }

    /// The pane.
    pub fn pane(&self) -> &PaneAddress {
        &self.pane
    }

    /// What has to be in its foreground.
    pub fn runs(&self) -> &str {
        &self.runs
    }

    /// What has to be on its screen when a key is pressed, and what must not be. A question mark stands for any one character.
    pub fn words(&self) -> &[(bool, String)] {
        &self.words
    }
}

pub(super) fn held<T>(code: BlockCode, why: impl Into<String>) -> Result<T, Blocked> {
    Err(Blocked::new(code, why))
}

/// Whether an agent gets what is typed into its pane.
pub(super) fn has_its_terminal(to: &Addressee) -> Result<(), Blocked> {
    let agent = to.agent;
    match to.is_foreground {
        Some(true) => Ok(()),
        Some(false) => held(BlockCode::Dialog, format!("{agent} is not in the foreground of its terminal")),
        None => held(BlockCode::Unknown, format!("whether {agent} has its terminal cannot be told")),
    }
}

/// Whether an agent takes a prompt now, apart from what its pane shows.
///
/// # Errors
/// Why not.
pub fn is_listening(to: &Addressee, table: &ComposerTable, mid_turn: bool) -> Result<(), Blocked> {
    let agent = to.agent;
    has_its_terminal(to)?;
    match (to.activity, &to.beside) {
        (Some(Activity::Idle), _) => Ok(()),
        (Some(Activity::Working), _) if mid_turn => Ok(()),
        (Some(Activity::Working), _) => {
            let interrupt = if table.is_interrupted_by_esc { "; `--interrupt` ends the turn" } else { "" };
            let wait = "`headcount wait` waits for its end, and with `--queue` the text does";
            held(BlockCode::Working, format!("{agent} is working; {wait}{interrupt}"))
        }
        (Some(Activity::Waiting), Some(what)) => held(
            BlockCode::Dialog,
            format!("{agent} waits for an answer ({}); `headcount answer` gives one", crate::core::text::printable(what)),
        ),
        (Some(Activity::Waiting), None) => {
            held(BlockCode::Dialog, format!("{agent} waits for an answer; `headcount answer` gives one"))
        }
        (Some(Activity::Starting), _) => held(BlockCode::Busy, format!("{agent} is not ready yet")),
        (Some(Activity::Parked), _) => held(
            BlockCode::Dialog,
            format!("the conversation of {agent} went on in the background; its pane shows another one"),
        ),
        (Some(Activity::Suspended), _) => held(BlockCode::Dialog, format!("{agent} is stopped, as by Ctrl-Z")),
        (None, _) => held(BlockCode::Unknown, format!("what {agent} is doing cannot be told")),
    }
}

/// Whether a pane is that of the agent, and takes what is typed.
pub(super) fn is_its_pane(to: &Addressee, pane: &ComposerPane) -> Result<(), Blocked> {
    is_the_pane(&to.pane, pane)
}

/// Whether a pane is the one that is meant, and takes what is typed.
fn is_the_pane(meant: &PaneAddress, pane: &ComposerPane) -> Result<(), Blocked> {
    if (pane.server, pane.pid) != (meant.server, meant.pid) {
        return held(BlockCode::Busy, "its pane is another one by now; look again");
    }
    for (is_so, why) in [
        (pane.is_dead, "the program of its pane has ended"),
        (pane.in_mode, "its pane is in copy mode, which takes the keys; leave that first"),
        (pane.is_synchronized, "what is typed into its pane goes to others too (synchronize-panes)"),
        (pane.is_input_off, "its pane takes no keys"),
    ] {
        if is_so {
            return held(BlockCode::Dialog, why);
        }
    }
    Ok(())
}

/// The permission to paste into an empty composer.
///
/// # Errors
/// Why not: nothing may be typed.
pub fn may_paste(
    operation: &OperationId,
    to: &Addressee,
    pane: &ComposerPane,
    table: &ComposerTable,
    mid_turn: bool,
) -> Result<TypingPermit, Blocked> {
    is_listening(to, table, mid_turn)?;
    is_its_pane(to, pane)?;
    let agent = to.agent;
    if to.is_unspoken && is_busy(&pane.screen, table) {
        return held(BlockCode::Working, format!("{agent} is working on its first prompt"));
    }
    match composer(&pane.screen, table) {
        Composer::Empty => {}
        Composer::Holds(_) => {
            return held(BlockCode::Draft, format!("somebody has begun to write to {agent}; send or clear that first"));
        }
        Composer::Dialog(_) => return held(BlockCode::Dialog, format!("{agent} shows a dialog; answer it first")),
        Composer::Unseen(why) => return held(BlockCode::Dialog, format!("{agent}: {why}; `headcount screen` shows it")),
    }
    if has_popup(&pane.screen, table) {
        return held(BlockCode::Dialog, format!("{agent} shows a list to choose from; close it first"));
    }
    Ok(permit(operation, to, pane, table, table.popups))
}

fn permit(
    operation: &OperationId,
    to: &Addressee,
    pane: &ComposerPane,
    table: &ComposerTable,
    popups: &[&'static str],
) -> TypingPermit {
    let prompt = Some((true, table.prompt)).filter(|(_, prompt)| !prompt.trim().is_empty());
    let words = prompt.into_iter().chain(table.dialogs.iter().chain(popups).map(|word| (false, *word)));
    permit_for(operation, to, pane, words.map(|(is_there, word)| (is_there, word.to_owned())).collect())
}

pub(super) fn permit_for(
    operation: &OperationId,
    to: &Addressee,
    pane: &ComposerPane,
    words: Vec<(bool, String)>,
) -> TypingPermit {
    TypingPermit { operation: operation.clone(), pane: to.pane.clone(), runs: pane.runs.clone(), words }
}

/// The permission to type into a pane in which no agent is known, for a tool that does so.
///
/// # Errors
/// Why not.
pub fn may_type_blindly(
    operation: &OperationId,
    to: &PaneAddress,
    pane: &ComposerPane,
    profile: LeadProfile,
) -> Result<TypingPermit, Blocked> {
    if !profile.relaxes(LeadRule::AgentInPane) {
        return held(BlockCode::NoAgent, "no agent is known to be in it");
    }
    is_the_pane(to, pane)?;
    Ok(TypingPermit { operation: operation.clone(), pane: to.clone(), runs: pane.runs.clone(), words: Vec::new() })
}

/// The permission to type whatever somebody likes into a pane that they have read, for a tool that asks for no more.
///
/// # Errors
/// Why not.
pub fn may_type_as_read(
    operation: &OperationId,
    read: &PaneAddress,
    pane: &ComposerPane,
    profile: LeadProfile,
) -> Result<TypingPermit, Blocked> {
    if !MERELY_READ.iter().all(|rule| profile.relaxes(*rule)) {
        return held(BlockCode::Unknown, format!("that a pane was read is not enough for {}", profile.name));
    }
    is_the_pane(read, pane)?;
    Ok(TypingPermit { operation: operation.clone(), pane: read.clone(), runs: pane.runs.clone(), words: Vec::new() })
}

/// The permission to press Esc, which closes a list that is up above a text of ours.
///
/// # Errors
/// Why not.
pub fn may_close_popup(
    operation: &OperationId,
    to: &Addressee,
    pane: &ComposerPane,
    table: &ComposerTable,
    is_staged: impl Fn(&Composer) -> bool,
) -> Result<TypingPermit, Blocked> {
    is_its_pane(to, pane)?;
    if !has_popup(&pane.screen, table) || !is_staged(&composer(&pane.screen, table)) {
        return held(BlockCode::Draft, format!("the composer of {} holds something else", to.agent));
    }
    Ok(permit(operation, to, pane, table, &[]))
}

/// The permission to press Esc in a turn that goes on, which interrupts it.
///
/// # Errors
/// Why not.
pub fn may_interrupt(
    operation: &OperationId,
    to: &Addressee,
    pane: &ComposerPane,
    table: &ComposerTable,
) -> Result<TypingPermit, Blocked> {
    let agent = to.agent;
    if to.activity != Some(Activity::Working) || to.beside.is_some() {
        return held(BlockCode::Unknown, format!("no turn of {agent} is known to go on"));
    }
    if !table.is_interrupted_by_esc {
        return held(
            BlockCode::Unsupported,
            format!("how a turn of {agent} is interrupted has not been measured; wait for its end, or end it in its pane"),
        );
    }
    is_listening(to, table, true)?;
    is_its_pane(to, pane)?;
    match composer(&pane.screen, table) {
        Composer::Empty => {}
        Composer::Holds(_) => return held(BlockCode::Draft, format!("somebody has begun to write to {agent}")),
        Composer::Dialog(_) => {
            return held(BlockCode::Dialog, format!("{agent} shows a dialog; `headcount answer` answers it"));
        }
        Composer::Unseen(why) => return held(BlockCode::Dialog, format!("{agent}: {why}")),
    }
    if has_popup(&pane.screen, table) || pane.screen.first_of(table.queued).is_some() {
        let why = format!("{agent} has queued a prompt, which an interruption would send at once");
        return held(BlockCode::Working, why);
    }
    Ok(permit(operation, to, pane, table, table.popups))
}

/// The permission to press Enter behind a text of ours.
///
/// # Errors
/// Why not.
pub fn may_submit(
    operation: &OperationId,
    to: &Addressee,
    pane: &ComposerPane,
    table: &ComposerTable,
    is_staged: impl Fn(&Composer) -> bool,
) -> Result<TypingPermit, Blocked> {
    is_its_pane(to, pane)?;
    let agent = to.agent;
    if has_popup(&pane.screen, table) {
        return held(BlockCode::Dialog, format!("{agent} shows a list, and Enter would choose from it"));
    }
    match composer(&pane.screen, table) {
        Composer::Dialog(_) => held(BlockCode::Dialog, format!("{agent} shows a dialog, and Enter would answer it")),
        held if is_staged(&held) => Ok(permit(operation, to, pane, table, table.popups)),
        Composer::Unseen(why) => held(BlockCode::Dialog, format!("{agent}: {why}")),
        Composer::Empty | Composer::Holds(_) => held(BlockCode::Draft, format!("the composer of {agent} holds something else")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::core::ids::MuxKind;

    #[test]
    fn that_a_pane_was_read_is_enough_for_the_bridge_alone_and_only_for_that_pane() {
        let session = SessionKey { host: "h".into(), mux: MuxKind::Tmux, server: "default".into(), name: "s".into() };
        let read = PaneAddress { session, server: 1, id: "%1".into(), pid: 2 };
        let pane = ComposerPane {
            server: 1,
            pid: 2,
            is_dead: false,
            in_mode: false,
            is_synchronized: false,
            is_input_off: false,
            runs: "sh".into(),
            screen: PaneScreen { rows: Vec::new(), cursor: None },
        };
        let id = OperationId::new(chrono::DateTime::UNIX_EPOCH, 1, 0);
        let may =
            |pane: &ComposerPane, profile| may_type_as_read(&id, &read, pane, profile).map(|permit| permit.runs().to_owned());
        assert_eq!(may(&pane, LeadProfile::BRIDGE).unwrap(), "sh");
        for other in [LeadProfile::OWN, LeadProfile::CSD, LeadProfile::TASK] {
            assert!(may(&pane, other).is_err(), "{}", other.name);
        }
        for other in [
            ComposerPane { server: 3, ..pane.clone() },
            ComposerPane { pid: 3, ..pane.clone() },
            ComposerPane { is_dead: true, ..pane.clone() },
            ComposerPane { in_mode: true, ..pane.clone() },
            ComposerPane { is_synchronized: true, ..pane.clone() },
            ComposerPane { is_input_off: true, ..pane.clone() },
        ] {
            assert!(may(&other, LeadProfile::BRIDGE).is_err(), "{other:?}");
        }
    }
}

//! Typing into a pane in which no agent is known: pastes once, and presses Enter until whoever asked has heard of it. For a front end
//! whose tool does so; nothing of headcount's own comes here.

use std::time::{Duration, Instant};

use super::draft::{ReceiptDraft, report};
use super::unknown;
use crate::control::lead::act::{self, Deed};
use crate::control::lead::{HeardCheck, LeadRequest, effects, recover};
use crate::control::observe::{Observer, lookup};
use crate::control::pass::PassError;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, SessionKey};
use crate::core::lead::send::{
    LONGEST, PaneAddress, SendOutcome, SendReceipt, TypingPermit, may_type_blindly, without_controls,
};
use crate::core::lead::{ActionKind, BlockCode, Blocked, OperationId, TypedKey};
use crate::store::operations::{Operations, TextNote};

/// How long what runs there may take to read what was pasted before Enter.
const READS: Duration = Duration::from_millis(150);
/// How often whoever asked is asked.
const LOOK: Duration = Duration::from_millis(50);

/// How a text is typed where nothing but its hearing tells what became of it.
#[derive(Debug, Clone)]
pub struct TypedText {
    /// Whether it was heard.
    pub heard: HeardCheck,
    /// How long until Enter is pressed again.
    pub every: Duration,
    /// How long it is tried.
    pub most: Duration,
}

/// Types a text into the one pane of a session.
pub(in crate::control::lead) fn type_to(
    world: &Observer,
    request: &LeadRequest,
    (key, agent): (&SessionKey, AgentKind),
    text: &str,
    typed: &TypedText,
) -> SendReceipt {
    let mut draft = ReceiptDraft::new(key, agent);
    let text = without_controls(text);
    let text = text.trim_end_matches('\n');
    if text.trim().is_empty() || text.len() > LONGEST {
        return draft.end(SendOutcome::Refused, "the text is empty or too long");
    }
    let operations = Operations::new(&request.pass.state_home);
    let operation = act::operation(world, request, &Deed { action: ActionKind::Send, session: key, agent, conversation: None });
    let begun = act::lock(world, request, key).and_then(|lock| {
        recover::resolve(world, &operations, key, false)?;
        let pane = pane(world, request, key)?;
        let permit = permit(world, request, &operation.id, &pane)?;
        Ok((lock, pane, permit))
    });
    let (lock, pane, permit) = match begun {
        Ok(begun) => begun,
        Err(blocked) => return draft.held(blocked),
    };
    let files = match operations.begin(&operation).and_then(|files| files.note_text(&TextNote::of(text)).map(|()| files)) {
        Ok(files) => files,
        Err(error) => return draft.held(unknown(PassError::line(&error))),
    };
    draft.receipt.id = Some(operation.id.clone());
    let receipt = match effects::paste(world, &permit, text) {
        Ok(false) => draft.held(Blocked::new(BlockCode::Busy, "its pane has changed in this moment; try again")),
        Err(why) => draft.end(SendOutcome::Unverified, format!("it may have been typed or not: {why}")),
        Ok(true) => {
            std::thread::sleep(READS);
            let press = || permit_again(world, request, &operation.id, &pane);
            submit(world, draft, press, typed)
        }
    };
    drop(lock);
    // What became of it is in the receipt; that it cannot be kept changes nothing of that.
    let _ = files.write_receipt(&receipt).and_then(|()| files.end(&report(&receipt, true)));
    receipt
}

/// Presses Enter each time the pane is still the one that was typed into, until it was heard.
fn submit(
    world: &Observer,
    mut draft: ReceiptDraft,
    permit: impl Fn() -> Option<TypingPermit>,
    typed: &TypedText,
) -> SendReceipt {
    let begun = Instant::now();
    let mut pressed: Option<Instant> = None;
    while begun.elapsed() < typed.most {
        if typed.heard.is_so() {
            draft.receipt.phases.delivered = Some(world.host.now());
            return draft.end(SendOutcome::Delivered, "its hook has told of a prompt");
        }
        if pressed.is_none_or(|pressed| pressed.elapsed() >= typed.every) {
            pressed = Some(Instant::now());
            if permit().is_some_and(|permit| effects::press_behind(world, &permit, TypedKey::Enter) == Ok(true)) {
                draft.receipt.phases.submitted.get_or_insert(world.host.now());
            }
        }
        std::thread::sleep(LOOK);
    }
    draft.end(SendOutcome::Unverified, "it was typed, and no hook has told of a prompt")
}

fn permit_again(world: &Observer, request: &LeadRequest, operation: &OperationId, pane: &PaneAddress) -> Option<TypingPermit> {
    permit(world, request, operation, pane).ok()
}

fn permit(
    world: &Observer,
    request: &LeadRequest,
    operation: &OperationId,
    pane: &PaneAddress,
) -> Result<TypingPermit, Blocked> {
    let view = effects::composer_pane(world, pane).map_err(|why| unknown(format!("its pane cannot be looked at: {why}")))?;
    may_type_blindly(operation, pane, &view, request.front.profile)
}

/// The one pane of a session.
fn pane(world: &Observer, request: &LeadRequest, key: &SessionKey) -> Result<PaneAddress, Blocked> {
    let (server, session) = match lookup::session(world, key) {
        Fact::Seen((session, server)) => (server, session),
        Fact::Absent => return Err(Blocked::new(BlockCode::NoAgent, "there is no such session")),
        Fact::Unknown(why) => return Err(unknown(why)),
    };
    act::is_free(world, request, key, &session)?;
    let mut live = session.panes.iter().filter(|pane| pane.dead.is_none()).filter_map(|pane| Some((pane, pane.pid?)));
    match (live.next(), live.next()) {
        (Some((pane, pid)), None) => Ok(PaneAddress { session: key.clone(), server, id: pane.id.clone(), pid }),
        (None, _) => Err(Blocked::new(BlockCode::NoAgent, "no pane of it lives")),
        (Some(_), Some(_)) => Err(Blocked::new(BlockCode::Ambiguous, "it has several panes, and no agent is known in any")),
    }
}

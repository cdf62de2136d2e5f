//! Texts that wait: what is held is kept, and delivered later, once, to the conversation it was for. When that is decided in
//! `core::lead::send`.

use chrono::Utc;

use super::{Found, Missed, Queueing, ReceiptDraft, SendRequest, Sender, SentText, send, unknown};
use crate::agent::{Agents, TurnQuery};
use crate::control::lead::{LeadError, LeadRequest, act};
use crate::control::observe::Observer;
use crate::control::pass::PassError;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::send::{
    SendOutcome, SendReceipt, TextOptions, WaitingText, first_of_each, is_waited_out, may_wait, typable,
};
use crate::core::lead::turns::{TurnError, TurnErrorKind, refusal};
use crate::core::lead::{ActionKind, BlockCode, Blocked, OperationId};
use crate::core::text::stamp;
use crate::store::claim::{self, Claim};
use crate::store::queue::TextQueue;

/// The texts that wait, the earliest first; of one session, or of all. Those that waited too long are none.
pub fn waiting_texts(request: &LeadRequest, session: Option<&SessionKey>) -> Vec<WaitingText> {
    let queue = TextQueue::new(&request.pass.state_home);
    let mut texts = session.map_or_else(|| queue.all(), |session| queue.of(session));
    let now = Utc::now();
    texts.retain(|text| !text.is_expired(now));
    texts
}

/// Takes a text back. `false`: it does not wait any more.
///
/// # Errors
/// It is just being delivered, or cannot be removed.
pub fn drop_waiting(world: &Observer, request: &LeadRequest, text: &WaitingText) -> Result<bool, Blocked> {
    // Whoever delivers it has the session locked.
    let _lock = act::lock(world, request, &text.session)?;
    TextQueue::new(&request.pass.state_home).take(&text.id).map_err(|error| unknown(PassError::line(&error)))
}

/// Delivers a text that waits, if it can be delivered now. A receipt that says `held` says that it still waits.
///
/// # Errors
/// The manifest or the world cannot be looked at.
pub fn deliver_waiting(world: &Observer, request: &LeadRequest, text: &WaitingText) -> Result<SendReceipt, LeadError> {
    let queue = TextQueue::new(&request.pass.state_home);
    let mut receipt = if text.is_expired(world.host.now()) {
        let message = "it has waited for a day and is not delivered any more";
        let mut draft = ReceiptDraft::new(&text.session, text.agent);
        draft.receipt.conversation = Some(text.conversation.clone());
        draft.end(SendOutcome::Refused, message)
    } else {
        let carried = SendRequest {
            session: text.session.clone(),
            agent: text.agent,
            what: SentText::New(text.text.clone(), TextOptions::default()),
            key: Some(text.delivery_key()),
            is_preview: false,
            submits: true,
            interrupts: false,
            mid_turn: false,
            queueing: Queueing::Waited(Box::new(text.clone())),
        };
        send(world, request, &carried)?
    };
    receipt.id = Some(text.id.clone());
    if receipt.outcome == SendOutcome::Held {
        let held = Some((receipt.code.unwrap_or(BlockCode::Unknown), receipt.message.clone()));
        if held != text.held {
            queue.note(&WaitingText { held, ..text.clone() });
        }
    } else {
        queue.take(&text.id)?;
    }
    Ok(receipt)
}

impl Sender<'_> {
    fn queue(&self) -> TextQueue {
        TextQueue::new(&self.request.pass.state_home)
    }

    /// Whether nothing waits before a text that may wait, and one that has waited is still for the conversation that is open.
    pub(super) fn is_its_turn(&self, found: &Found) -> Result<(), Blocked> {
        match &self.send.queueing {
            Queueing::Never => Ok(()),
            Queueing::Waits { .. } => match self.before(found.conversation.as_ref(), found.to.agent) {
                0 => Ok(()),
                count => Err(Blocked::new(BlockCode::Busy, format!("{count} of the texts for it wait before it"))),
            },
            Queueing::Waited(text) if !self.queue().holds(&text.id) => {
                Err(Blocked::new(BlockCode::Busy, "it was taken back, or delivered by another headcount"))
            }
            Queueing::Waited(text) if found.conversation.as_ref() != Some(&text.conversation) => {
                let why = "another conversation is open in its session by now; it waits for its own";
                Err(Blocked::new(BlockCode::NoAgent, why))
            }
            Queueing::Waited(_) => self.is_not_refused(found),
        }
    }

    /// Whether what was said last was not refused by what refuses this as well. A person who delivers it knows better.
    fn is_not_refused(&self, found: &Found) -> Result<(), Blocked> {
        let (Some(id), Some(transcript), true) = (&found.conversation, &found.transcript, self.request.is_automatic) else {
            return Ok(());
        };
        let query = TurnQuery { last: 1, after: None, now: self.now() };
        let agents = Agents::with(&found.declared);
        let page = agents.of(found.to.agent).and_then(|agent| agent.turns(transcript, id, &query).into_seen());
        let why = match page.as_ref().and_then(|page| refusal(page.turns.last()?)) {
            Some(error) if error.kind == TurnErrorKind::AuthFailed => "is not signed in".to_owned(),
            Some(TurnError { resets_at: Some(until), .. }) if *until > query.now => {
                format!("is at a limit of use until {}", stamp(*until))
            }
            _ => return Ok(()),
        };
        let why =
            format!("{} {why}, as its last turn says; `headcount queue --now --yes` sends it all the same", found.to.agent);
        Err(Blocked::new(BlockCode::Backoff, why))
    }

    /// How many texts wait for a conversation.
    fn before(&self, conversation: Option<&ConversationId>, agent: AgentKind) -> usize {
        let now = self.now();
        let is_its = |text: &&WaitingText| Some(&text.conversation) == conversation && text.agent == agent;
        self.queue().all().iter().filter(is_its).filter(|text| !text.is_expired(now)).count()
    }

    /// What becomes of a text whose agent could not be found.
    pub(super) fn or_wait(&self, mut draft: ReceiptDraft, missed: Missed) -> SendReceipt {
        let Missed { why, conversation, declared } = missed;
        let (SentText::New(text, options), Queueing::Waits { .. }) = (&self.send.what, &self.send.queueing) else {
            return draft.held(why);
        };
        let Some((agent, id)) = conversation else { return draft.held(why) };
        let agents = Agents::with(&declared);
        let Some(table) = agents.of(agent).and_then(|adapter| adapter.composer()) else { return draft.held(why) };
        (draft.receipt.agent, draft.receipt.conversation) = (agent, Some(id));
        match typable(text, *options, table) {
            Ok(typable) => {
                draft.receipt.stripped = typable.stripped;
                self.or_keep(draft.held(why), &typable.text)
            }
            Err(refusal) => draft.end(SendOutcome::Refused, refusal.to_string()),
        }
    }

    /// Keeps a text that was held, if it may wait.
    pub(super) fn or_keep(&self, receipt: SendReceipt, text: &str) -> SendReceipt {
        let Queueing::Waits { keeps } = self.send.queueing else { return receipt };
        let is_held = receipt.outcome == SendOutcome::Held && receipt.code.is_some_and(is_waited_out);
        match &receipt.conversation {
            Some(id) if is_held && !self.send.is_preview => self.keep(receipt.clone(), id, text, keeps),
            _ => receipt,
        }
    }

    fn keep(&self, mut receipt: SendReceipt, id: &ConversationId, text: &str, keeps: bool) -> SendReceipt {
        let refused = |mut receipt: SendReceipt, blocked: Blocked| {
            (receipt.outcome, receipt.code) = (SendOutcome::Refused, Some(blocked.code));
            receipt.message = format!("{}; {}", receipt.message, blocked.message);
            receipt
        };
        let manifest = &self.request.pass.manifest;
        let is_carried = Claim::is_taken(&self.request.pass.state_home, &claim::of_deliverer(manifest));
        let named = shell_words::quote(&manifest.to_string_lossy()).into_owned();
        let waiting = self.before(Some(id), receipt.agent);
        if let Err(blocked) = may_wait(waiting, is_carried, keeps, &named) {
            return refused(receipt, blocked);
        }
        // Under one key one text waits.
        let mut under_key = self.queue().all().into_iter().filter(|it| it.conversation == *id && it.key == self.send.key);
        if let Some(first) = self.send.key.as_ref().and_then(|_| under_key.next()) {
            receipt.duplicate_of = Some(first.id.clone());
            receipt.id = Some(first.id.clone());
            if first.text != text {
                let why = format!("another text waits under this key, as {}; take another key", first.id);
                return refused(receipt, Blocked::new(BlockCode::Busy, why));
            }
            (receipt.outcome, receipt.message) = (SendOutcome::Waiting, "it waits already under this key".to_owned());
            return receipt;
        }
        let deed =
            act::Deed { action: ActionKind::Send, session: &self.send.session, agent: receipt.agent, conversation: Some(id) };
        let operation = act::operation(self.world, self.request, &deed);
        let held = receipt.code.map(|code| (code, receipt.message.clone()));
        let waiting = WaitingText {
            version: WaitingText::VERSION,
            id: operation.id.clone(),
            session: self.send.session.clone(),
            agent: receipt.agent,
            conversation: id.clone(),
            text: text.to_owned(),
            key: self.send.key.clone(),
            since: operation.begun,
            by: operation.by,
            held,
        };
        if let Err(error) = self.queue().put(&waiting) {
            return refused(receipt, unknown(PassError::line(&error)));
        }
        let name = shell_words::quote(&self.send.session.name).into_owned();
        let id = &waiting.id;
        let who = if is_carried { "" } else { ", as soon as `headcount watch --deliver` or `--enforce` runs" };
        let message = format!(
            "{}; it is delivered when that is over{who}. `headcount queue {name}` shows it, `headcount queue --drop {id}` takes it back",
            receipt.message
        );
        (receipt.outcome, receipt.message, receipt.id) = (SendOutcome::Waiting, message, Some(operation.id));
        receipt
    }
}

/// The text that is next in each conversation.
pub(in crate::control) fn next_texts(request: &LeadRequest) -> Vec<WaitingText> {
    // Those that waited too long are told once, by whoever delivers.
    first_of_each(&TextQueue::new(&request.pass.state_home).all()).into_iter().cloned().collect()
}

/// The text of this name, whoever it is for.
pub fn waiting_text(request: &LeadRequest, id: &OperationId) -> Option<WaitingText> {
    TextQueue::new(&request.pass.state_home).all().into_iter().find(|text| text.id == *id)
}

//! Sending a text to an agent: lock, look, stage, prove, submit, prove. What may be done is decided in `core::lead::send`.

mod addressee;
mod answer;
mod ask;
mod blind;
mod draft;
mod pane;
mod pause;
mod queue;
#[cfg(test)]
mod screens;
mod transcript;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::act::{self, Deed};
use super::{LeadError, LeadRequest, effects, recover};
use crate::agent::{Adapter, Agents};
use crate::control::observe::Observer;
use crate::control::pass::PassError;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::send::{
    Composer, ComposerTable, SendOutcome, SendReceipt, TextOptions, TypingPermit, WaitingText, composer, is_listening,
    may_interrupt, may_paste, typable,
};
use crate::core::lead::turns::TranscriptPosition;
use crate::core::lead::{ActionKind, BlockCode, Blocked, Operation, OperationId, TypedKey};
use crate::core::observe::Activity;
use crate::store::operations::{KeyClaim, OperationError, OperationFiles, Operations, SessionLock, TextNote};
pub use addressee::is_shown;
use addressee::{Found, Missed, find, find_patiently};
pub use answer::{AnswerRequest, answer};
pub use ask::ask;
pub use blind::TypedText;
pub(super) use blind::type_to;
use draft::{ReceiptDraft, report};
use pane::CONFIRMING;
use pause::GrowingPause;
pub(in crate::control) use queue::next_texts;
pub use queue::{deliver_waiting, drop_waiting, waiting_text, waiting_texts};
use transcript::SearchedTranscript;

/// How long an interrupted turn may take to end.
const INTERRUPTING: Duration = Duration::from_secs(10);

/// What is sent, and how.
#[derive(Debug, Clone)]
pub struct SendRequest {
    /// The session.
    pub session: SessionKey,
    /// Its agent, as its entry says.
    pub agent: AgentKind,
    /// What.
    pub what: SentText,
    /// A key under which the same text is sent only once.
    pub key: Option<String>,
    /// Whether nothing is typed.
    pub is_preview: bool,
    /// Whether Enter is pressed behind it.
    pub submits: bool,
    /// Whether a turn that goes on is interrupted first.
    pub interrupts: bool,
    /// Whether it may be typed into a turn that goes on, where the agent asks nobody for anything.
    pub mid_turn: bool,
    /// Whether it may wait where it is held.
    pub queueing: Queueing,
}

/// Whether a text may wait until its agent takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queueing {
    /// No: it is sent now, or not at all.
    Never,
    /// Yes. `keeps`: also where nobody would deliver it now.
    Waits {
        /// Also where nobody would deliver it now.
        keeps: bool,
    },
    /// It has waited, and is to be delivered now.
    Waited(Box<WaitingText>),
}

/// The text of a request.
#[derive(Debug, Clone)]
pub enum SentText {
    /// This.
    New(String, TextOptions),
    /// What another operation left in the composer.
    Staged(OperationId),
}

/// Somebody who sends.
struct Sender<'a> {
    world: &'a Observer,
    request: &'a LeadRequest,
    send: &'a SendRequest,
    operations: Operations,
    /// Whether it waits for the answer, and so sees by itself what becomes of the turn.
    is_asking: bool,
}

/// What is sent to whom.
struct Letter<'a> {
    found: &'a Found,
    note: &'a TextNote,
    adapter: &'a dyn Adapter,
    table: &'static ComposerTable,
    operation: OperationId,
    begun: DateTime<Utc>,
    /// Whether a turn went on as it was typed.
    mid_turn: bool,
}

/// Sends a text. The receipt says what became of it.
///
/// # Errors
/// The manifest or the world cannot be looked at.
pub fn send(world: &Observer, request: &LeadRequest, send: &SendRequest) -> Result<SendReceipt, LeadError> {
    let operations = Operations::new(&request.pass.state_home);
    Ok(Sender { world, request, send, operations, is_asking: false }.run()?.receipt)
}

/// What became of a text, and to whom it went: what was found before anything was typed, and where the transcript ended then.
struct Sent {
    receipt: SendReceipt,
    to: Option<(Found, TranscriptPosition)>,
}

impl Sent {
    /// Nobody was found.
    fn nothing(receipt: SendReceipt) -> Self {
        Self { receipt, to: None }
    }
}

fn unknown(why: impl Into<String>) -> Blocked {
    Blocked::new(BlockCode::Unknown, why)
}

impl Sender<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.world.host.now()
    }

    fn run(&self) -> Result<Sent, LeadError> {
        let key = &self.send.session;
        let mut draft = ReceiptDraft::new(key, self.send.agent);
        let lock = match self.lock() {
            Ok(lock) => lock,
            Err(blocked) => return Ok(Sent::nothing(draft.held(blocked))),
        };
        if let Err(blocked) = recover::resolve(self.world, &self.operations, key, false) {
            return Ok(Sent::nothing(draft.held(blocked)));
        }
        let mut found = match find_patiently(self.world, self.request, key)? {
            Ok(found) => found,
            Err(missed) => return Ok(Sent::nothing(self.or_wait(draft, missed))),
        };
        let agent = found.to.agent;
        draft.receipt.agent = agent;
        draft.receipt.phases.resolved = Some(self.now());
        draft.receipt.conversation.clone_from(&found.conversation);
        let agents = Agents::with(&found.declared);
        let adapter = agents.of(agent);
        let Some((adapter, table)) = adapter.and_then(|adapter| Some((adapter, adapter.composer()?))) else {
            let message = format!("how a text is typed to {agent} has not been measured");
            return Ok(Sent::nothing(draft.held(Blocked::new(BlockCode::Unsupported, message))));
        };
        let from = found.position(self.now());
        let receipt = match &self.send.what {
            SentText::Staged(first) => self.submit_staged(draft, (&found, adapter, table), first, lock),
            SentText::New(text, options) => match typable(text, *options, table) {
                Ok(typable) => {
                    draft.receipt.stripped = typable.stripped;
                    match self.is_its_turn(&found) {
                        Ok(()) => {
                            let receipt = self.deliver(draft, (&mut found, adapter, table), &typable.text, lock);
                            self.or_keep(receipt, &typable.text)
                        }
                        Err(blocked) => self.or_keep(draft.held(blocked), &typable.text),
                    }
                }
                Err(refusal) => draft.end(SendOutcome::Refused, refusal.to_string()),
            },
        };
        Ok(Sent { receipt, to: Some((found, from)) })
    }

    fn lock(&self) -> Result<SessionLock, Blocked> {
        act::lock(self.world, self.request, &self.send.session)
    }

    fn operation(&self, found: &Found) -> Operation {
        let conversation = found.conversation.as_ref();
        let (session, agent) = (&self.send.session, found.to.agent);
        let operation =
            act::operation(self.world, self.request, &Deed { action: ActionKind::Send, session, agent, conversation });
        match &self.send.queueing {
            Queueing::Waited(text) => Operation { id: text.id.clone(), by: text.by.clone(), ..operation },
            Queueing::Never | Queueing::Waits { .. } => operation,
        }
    }

    fn deliver(
        &self,
        mut draft: ReceiptDraft,
        (found, adapter, table): (&mut Found, &dyn Adapter, &'static ComposerTable),
        text: &str,
        lock: SessionLock,
    ) -> SendReceipt {
        let operation = self.operation(found);
        if self.send.interrupts
            && found.to.activity == Some(Activity::Working)
            && let Err(blocked) = self.interrupt(&operation.id, found, table)
        {
            return draft.held(blocked);
        }
        let is_working = found.to.activity == Some(Activity::Working);
        if self.send.mid_turn && is_working && !found.asks_nobody {
            let why = "its agent may ask for a permission in this moment, and Enter would grant it; `--interrupt` ends the turn first";
            return draft.held(Blocked::new(BlockCode::Working, why));
        }
        let note = TextNote::of(text);
        let letter = Letter {
            found,
            note: &note,
            adapter,
            table,
            operation: operation.id.clone(),
            begun: operation.begun,
            mid_turn: self.send.mid_turn && is_working,
        };
        let permit = match self.preflight(&letter, &mut draft) {
            Ok(permit) => permit,
            Err(blocked) => return draft.held(blocked),
        };
        if self.send.is_preview {
            let message = format!("{} would get {} bytes; nothing was typed", found.to.agent, text.len());
            return draft.end(SendOutcome::Preview, message);
        }
        let key = match self.claim(&operation, found.conversation.as_ref(), &note) {
            Ok(None) => None,
            Ok(Some(KeyClaim::New(key))) => Some(key),
            Ok(Some(KeyClaim::Same(first))) => return self.again(draft, &first),
            Ok(Some(KeyClaim::Other(first))) => {
                let message = format!("another text was sent under this key, by {first}; take another key");
                return draft.end(SendOutcome::Refused, message);
            }
            Err(error) => return draft.held(unknown(PassError::line(&error))),
        };
        let give_back = || key.into_iter().for_each(crate::store::operations::KeyFile::give_back);
        let files = match self.begin(&operation, &note) {
            Ok(files) => files,
            Err(error) => {
                give_back();
                return draft.held(unknown(PassError::line(&error)));
            }
        };
        draft.receipt.id = Some(operation.id.clone());
        let tail = SearchedTranscript::from(found, adapter, found.position(operation.begun));
        let receipt = match self.paste(&letter, &mut draft, permit, text) {
            // Nothing was typed, so the key is not spent.
            Err(blocked) => {
                give_back();
                draft.held(blocked)
            }
            Ok(doubt) => {
                draft.doubt = doubt;
                self.submit(draft, &letter, (lock, tail))
            }
        };
        self.end(&files, &receipt);
        receipt
    }

    /// Pastes a text once. A pane that had changed, or a server that was busy, got nothing, and is looked at again. Gives why nobody
    /// can tell whether it was typed, if so.
    fn paste(
        &self,
        letter: &Letter<'_>,
        draft: &mut ReceiptDraft,
        mut permit: TypingPermit,
        text: &str,
    ) -> Result<Option<String>, Blocked> {
        let (begun, mut pause) = (Instant::now(), GrowingPause::new());
        loop {
            match effects::paste(self.world, &permit, text) {
                Ok(false) if begun.elapsed() > CONFIRMING => {
                    return Err(Blocked::new(BlockCode::Busy, "its pane has changed in this moment; try again"));
                }
                Ok(false) => pause.wait(),
                typed => return Ok(typed.err()),
            }
            self.still_listens(letter)?;
            permit = self.preflight(letter, draft)?;
        }
    }

    /// Whether the same agent is there, in the same conversation, and takes a text still.
    fn still_listens(&self, letter: &Letter<'_>) -> Result<(), Blocked> {
        let again =
            find_patiently(self.world, self.request, &self.send.session).map_err(|error| unknown(PassError::line(&error)))?;
        let again = again.map_err(|missed| missed.why)?;
        if again.is_same(letter.found) && again.conversation == letter.found.conversation {
            is_listening(&again.to, letter.table, letter.mid_turn)
        } else {
            Err(Blocked::new(BlockCode::Busy, "another agent, or another conversation, is in its pane now; look again"))
        }
    }

    fn begin(&self, operation: &Operation, note: &TextNote) -> Result<OperationFiles, OperationError> {
        let files = match self.send.queueing {
            // A try that was held has left its files.
            Queueing::Waited(_) => self.operations.begin_again(operation)?,
            Queueing::Never | Queueing::Waits { .. } => self.operations.begin(operation)?,
        };
        files.note_text(note)?;
        Ok(files)
    }

    /// Presses Enter behind a text that an earlier operation left in the composer.
    fn submit_staged(
        &self,
        mut draft: ReceiptDraft,
        (found, adapter, table): (&Found, &dyn Adapter, &'static ComposerTable),
        first: &OperationId,
        lock: SessionLock,
    ) -> SendReceipt {
        let past = self.operations.of(first).filter(|past| past.operation.session == self.send.session);
        let earlier = past.and_then(|past| Some((past.files.text_note()?, past.files.send_receipt()?, past.files)));
        let Some((note, earlier, first_files)) = earlier.filter(|(_, it, _)| it.outcome == SendOutcome::Staged) else {
            return draft.end(SendOutcome::Refused, format!("{first} left no text in the composer of this session"));
        };
        if earlier.conversation != found.conversation {
            let why = "it is in another conversation by now; nothing was pressed";
            return draft.held(Blocked::new(BlockCode::Draft, why));
        }
        if let Err(blocked) = is_listening(&found.to, table, false) {
            return draft.held(blocked);
        }
        let operation = self.operation(found);
        let files = match self.begin(&operation, &note) {
            Ok(files) => files,
            Err(error) => return draft.held(unknown(PassError::line(&error))),
        };
        draft.receipt.id = Some(operation.id.clone());
        draft.receipt.phases.agent = Some(self.now());
        let begun = operation.begun;
        let letter = Letter { found, note: &note, adapter, table, operation: operation.id.clone(), begun, mid_turn: false };
        let tail = SearchedTranscript::from(found, adapter, found.position(operation.begun));
        let receipt = self.submit(draft, &letter, (lock, tail));
        self.end(&files, &receipt);
        // A key stands for the operation that typed it.
        let _ = first_files.write_receipt(&SendReceipt { id: Some(first.clone()), ..receipt.clone() });
        receipt
    }

    /// Whether its composer takes a text now. A screen may be drawn just now, so one that shows none is looked at again.
    fn preflight(&self, letter: &Letter<'_>, draft: &mut ReceiptDraft) -> Result<TypingPermit, Blocked> {
        let to = &letter.found.to;
        is_listening(to, letter.table, letter.mid_turn).map_err(|blocked| self.by_its_screen(letter, blocked))?;
        draft.receipt.phases.agent = Some(self.now());
        // That one in no conversation takes a prompt only its screen shows, and counts if it is so twice.
        let (mut tries, mut looks) = (3, if letter.found.conversation.is_none() { 2 } else { 1 });
        loop {
            let view = self.view(to)?;
            match may_paste(&letter.operation, to, &view, letter.table, letter.mid_turn) {
                Ok(_) if looks > 1 => {
                    looks -= 1;
                    std::thread::sleep(Duration::from_millis(80));
                }
                Ok(permit) => {
                    draft.receipt.phases.composer = Some(self.now());
                    return Ok(permit);
                }
                Err(blocked) if tries == 0 || blocked.code != BlockCode::Dialog => return Err(blocked),
                Err(_) => {
                    tries -= 1;
                    std::thread::sleep(Duration::from_millis(80));
                }
            }
        }
    }

    /// Of some agents only the screen tells that they wait for an answer.
    fn by_its_screen(&self, letter: &Letter<'_>, blocked: Blocked) -> Blocked {
        let to = &letter.found.to;
        let shows = || self.view(to).is_ok_and(|view| matches!(composer(&view.screen, letter.table), Composer::Dialog(_)));
        match blocked.code {
            BlockCode::Unknown if shows() => {
                Blocked::new(BlockCode::Dialog, format!("{} shows a dialog; answer it first", to.agent))
            }
            _ => blocked,
        }
    }

    /// Ends a turn by one Esc, and waits until it has ended.
    fn interrupt(&self, id: &OperationId, found: &mut Found, table: &ComposerTable) -> Result<(), Blocked> {
        let view = self.view(&found.to)?;
        let permit = may_interrupt(id, &found.to, &view, table)?;
        if self.send.is_preview {
            return Err(Blocked::new(BlockCode::Working, "a turn goes on, and would be interrupted first"));
        }
        match effects::press_behind(self.world, &permit, TypedKey::Escape) {
            Ok(true) => {}
            Ok(false) => return Err(Blocked::new(BlockCode::Busy, "its pane has changed in this moment; try again")),
            Err(why) => return Err(unknown(format!("whether the turn was interrupted cannot be told: {why}"))),
        }
        let begun = Instant::now();
        while begun.elapsed() < INTERRUPTING {
            std::thread::sleep(Duration::from_millis(100));
            if let Ok(Ok(again)) = find(self.world, self.request, &self.send.session)
                && again.to.activity == Some(Activity::Idle)
                && again.process == found.process
            {
                *found = again;
                return Ok(());
            }
        }
        Err(Blocked::new(BlockCode::Working, "Esc was pressed, and the turn goes on; nothing was typed"))
    }

    fn claim(
        &self,
        operation: &Operation,
        conversation: Option<&ConversationId>,
        note: &TextNote,
    ) -> Result<Option<KeyClaim>, OperationError> {
        let Some(key) = &self.send.key else { return Ok(None) };
        let whose = (conversation, &self.send.session, key.as_str());
        self.operations.claim(whose, note, (&operation.id, operation.begun)).map(Some)
    }

    /// What is told of a text that was sent before under the same key.
    fn again(&self, mut draft: ReceiptDraft, first: &OperationId) -> SendReceipt {
        draft.receipt.duplicate_of = Some(first.clone());
        draft.receipt.id = Some(first.clone());
        match self.operations.of(first).and_then(|past| past.files.send_receipt()) {
            Some(earlier) => {
                (draft.receipt.phases, draft.receipt.evidence) = (earlier.phases, earlier.evidence);
                draft.receipt.code = earlier.code;
                draft.receipt.first_outcome = Some(earlier.outcome);
                let message = format!("it was sent before: {}; nothing was typed now", earlier.outcome.as_str());
                draft.end(SendOutcome::Duplicate, message)
            }
            None => draft.end(
                SendOutcome::Unverified,
                "it was sent before under this key, and headcount ended before it saw what became of it; nothing was typed now",
            ),
        }
    }

    fn end(&self, files: &OperationFiles, receipt: &SendReceipt) {
        for result in [files.write_receipt(receipt), files.end(&report(receipt, self.send.submits))] {
            if let Err(error) = result {
                tracing::warn!(error = PassError::line(&error), "cannot keep a receipt");
            }
        }
    }
}

//! From a text that was pasted to one that was said: sees it stand in the composer, presses Enter, and sees it in the transcript.

use std::time::{Duration, Instant};

use super::addressee::find;
use super::draft::ReceiptDraft;
use super::pause::{GrowingPause, LONGEST_PAUSE};
use super::transcript::SearchedTranscript;
use super::{Letter, Sender, unknown};
use crate::control::lead::effects;
use crate::control::lead::patience::patiently;
use crate::control::observe::Observer;
use crate::core::lead::send::{
    Addressee, Composer, ComposerPane, SaidAs, SendOutcome, SendReceipt, Staged, TextShape, composer, has_popup,
    may_close_popup, may_submit, staged,
};
use crate::core::lead::turns::TranscriptPosition;
use crate::core::lead::{Blocked, TypedKey};
use crate::store::operations::SessionLock;

/// How long a text may take to stand in a composer that can be looked at, and how long its Enter is tried.
const STAGING: Duration = Duration::from_secs(4);
/// How long its transcript may take to hold it, and a busy server to show its pane.
pub(super) const CONFIRMING: Duration = Duration::from_secs(15);
/// When Enter is pressed once more if the text still stands there.
const AGAIN: Duration = Duration::from_millis(1500);
impl Letter<'_> {
    /// How far a composer holds just its text.
    fn staged(&self, held: &Composer) -> Staged {
        let note = self.note;
        let is_it = |held: &str| note.is_of(held);
        staged(held, &TextShape { is_it: &is_it, characters: note.characters, line_ends: note.line_ends }, self.table)
    }

    fn is_staged(&self, held: &Composer) -> bool {
        matches!(self.staged(held), Staged::Whole | Staged::Counted)
    }
}

/// What the pane of an agent is, and shows.
pub(super) fn view(world: &Observer, to: &Addressee) -> Result<ComposerPane, Blocked> {
    let view = patiently(Result::is_err, || effects::composer_pane(world, &to.pane));
    view.map_err(|why| unknown(format!("its pane cannot be looked at: {why}")))
}

impl Sender<'_> {
    pub(super) fn view(&self, to: &Addressee) -> Result<ComposerPane, Blocked> {
        view(self.world, to)
    }

    /// Presses Enter once the text stands in the composer, and sees what becomes of it.
    pub(super) fn submit(
        &self,
        mut draft: ReceiptDraft,
        letter: &Letter<'_>,
        (lock, tail): (SessionLock, Option<SearchedTranscript>),
    ) -> SendReceipt {
        let to = &letter.found.to;
        let (begun, mut pause, mut has_closed) = (Instant::now(), GrowingPause::new(), false);
        let mut looked = None;
        loop {
            let view = match self.view(to) {
                Ok(view) => view,
                Err(blocked) if begun.elapsed() > CONFIRMING => {
                    let unsure = |why| format!("it may have been typed or not ({why})");
                    let typed = draft.doubt.take().map_or_else(|| "it was typed".to_owned(), unsure);
                    return draft.end(SendOutcome::Unverified, format!("{typed}, and {}", blocked.message));
                }
                Err(_) => {
                    pause.wait();
                    continue;
                }
            };
            let looked = *looked.get_or_insert_with(Instant::now);
            let is_staged = |held: &Composer| letter.is_staged(held);
            let held = letter.staged(&composer(&view.screen, letter.table));
            if matches!(held, Staged::Whole | Staged::Counted) {
                draft.receipt.phases.staged.get_or_insert(self.now());
                draft.doubt = None;
                if !self.send.submits {
                    return draft.staged("it stands in the composer");
                }
                // Enter would choose from it.
                if has_popup(&view.screen, letter.table)
                    && !has_closed
                    && let Ok(permit) = may_close_popup(&letter.operation, to, &view, letter.table, is_staged)
                {
                    has_closed = effects::press_behind(self.world, &permit, TypedKey::Escape).is_ok();
                    pause.wait();
                    continue;
                }
            }
            let (last, patience) = match (held, may_submit(&letter.operation, to, &view, letter.table, is_staged)) {
                (Staged::Uncounted, _) => {
                    draft.receipt.phases.staged = Some(self.now());
                    let what = "it stands in the composer as a mark that tells no length, so nobody can see whether it is whole; \
                        look at it and press Enter there, or send it in shorter lines";
                    return draft.end(SendOutcome::Staged, what);
                }
                (_, Ok(permit)) => match effects::press_behind(self.world, &permit, TypedKey::Enter) {
                    Ok(false) => ("its pane has changed in this moment".to_owned(), CONFIRMING),
                    pressed => {
                        draft.doubt = pressed.err();
                        draft.receipt.phases.submitted = draft.doubt.is_none().then(|| self.now());
                        drop(lock);
                        return self.confirm(draft, letter, tail);
                    }
                },
                (_, Err(blocked)) => (blocked.message, STAGING),
            };
            if looked.elapsed() > patience {
                if let Some(why) = draft.doubt.take() {
                    let message =
                        format!("it may have been typed or not ({why}); look with `headcount screen` before you send it again");
                    return draft.end(SendOutcome::Unverified, message);
                }
                return draft.staged(&format!("it was typed, and Enter was not pressed: {last}"));
            }
            pause.wait();
        }
    }

    /// Waits until the transcript holds it.
    fn confirm(&self, mut draft: ReceiptDraft, letter: &Letter<'_>, mut tail: Option<SearchedTranscript>) -> SendReceipt {
        let (begun, mut pause) = (Instant::now(), GrowingPause::new());
        let (mut looked, mut pressed) = (begun, begun);
        while begun.elapsed() < CONFIRMING {
            if tail.is_none() && looked.elapsed() > LONGEST_PAUSE {
                tail = self.new_transcript(letter);
                looked = Instant::now();
            }
            let is_it = |said: &str| letter.note.is_of(said);
            let said = tail.as_mut().and_then(|tail| Some((tail.said(letter.adapter, self.now(), is_it)?, tail)));
            match said {
                Some((SaidAs::Prompt, tail)) => {
                    draft.receipt.phases.delivered = Some(self.now());
                    draft.receipt.phases.submitted.get_or_insert(self.now());
                    draft.receipt.evidence.push(format!("{} holds it as a prompt", tail.path().display()));
                    draft.receipt.conversation.get_or_insert_with(|| tail.id().clone());
                    draft.receipt.steered = letter.mid_turn;
                    let is_watched = !self.is_asking && !letter.mid_turn;
                    if let Some(error) = is_watched.then(|| tail.refusal(letter.adapter, || self.now(), is_it)).flatten() {
                        return draft.rejected(&error);
                    }
                    let message = if letter.mid_turn {
                        "its transcript holds it; the turn that went on takes it up"
                    } else {
                        "its transcript holds it"
                    };
                    return draft.end(SendOutcome::Delivered, message);
                }
                Some((SaidAs::Queued, tail)) => {
                    draft.receipt.evidence.push(format!("{} holds it as queued", tail.path().display()));
                    return draft.end(SendOutcome::Queued, "the agent has queued it, and says it at its turn's end");
                }
                None => {}
            }
            if pressed.elapsed() > AGAIN {
                pressed = Instant::now();
                self.press_again(letter);
            }
            pause.wait();
        }
        let is_there = self.view(&letter.found.to).is_ok_and(|view| letter.is_staged(&composer(&view.screen, letter.table)));
        let pressed = match draft.doubt.take() {
            None => "Enter was pressed behind it".to_owned(),
            Some(why) => format!("whether Enter was pressed behind it cannot be told ({why})"),
        };
        if is_there {
            return draft.staged(&format!("{pressed}, and it still stands in the composer"));
        }
        let message =
            format!("{pressed}, and its transcript does not hold it; look with `headcount screen` before you send it again");
        draft.end(SendOutcome::Unverified, message)
    }

    /// Presses Enter once more where it was lost: the text still stands there, alone.
    fn press_again(&self, letter: &Letter<'_>) {
        let to = &letter.found.to;
        let Ok(_lock) = self.lock() else { return };
        let Ok(view) = self.view(to) else { return };
        if let Ok(permit) = may_submit(&letter.operation, to, &view, letter.table, |held| letter.is_staged(held)) {
            let _ = effects::press_behind(self.world, &permit, TypedKey::Enter);
        }
    }

    /// The transcript of a conversation in which nothing had been said.
    fn new_transcript(&self, letter: &Letter<'_>) -> Option<SearchedTranscript> {
        let again = find(self.world, self.request, &self.send.session).ok()?.ok()?;
        let from = TranscriptPosition { end: 0, ..letter.found.position(letter.begun) };
        again.is_same(letter.found).then(|| SearchedTranscript::from(&again, letter.adapter, from)).flatten()
    }
}

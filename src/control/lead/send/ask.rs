//! Asking an agent: sends a text, and waits for the end of the turn that took it in. Which turn that is, the transcript says.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::addressee::{Found, find};
use super::{SendRequest, Sender, Sent, SentText};
use crate::agent::{Agents, TurnQuery};
use crate::control::lead::{LeadError, LeadRequest, effects};
use crate::control::observe::Observer;
use crate::core::ids::ConversationId;
use crate::core::lead::BlockCode;
use crate::core::lead::send::{
    ASK_SCHEMA, AskEnd, AskReport, Composer, ComposerTable, PaneScreen, SendOutcome, SendReceipt, composer, is_busy,
};
use crate::core::lead::turns::{
    AnswerSeen, EndVerdict, TranscriptPosition, Turn, TurnEnd, TurnPage, TurnReply, answer_to, judge_end,
};
use crate::core::observe::{Activity, Transcript};
use crate::store::operations::Operations;

/// How often the transcript is looked at, and how often the agent itself.
const LOOK: Duration = Duration::from_millis(15);
const LOOK_AT_AGENT: Duration = Duration::from_millis(400);

/// Sends a text, and waits for the answer to it. `told` hears of the receipt when the waiting begins.
///
/// # Errors
/// The manifest or the world cannot be looked at.
pub fn ask(
    world: &Observer,
    request: &LeadRequest,
    asked: &SendRequest,
    timeout: Duration,
    told: &dyn Fn(&SendReceipt),
) -> Result<AskReport, LeadError> {
    let begun = Instant::now();
    let operations = Operations::new(&request.pass.state_home);
    let Sent { receipt, to } = Sender { world, request, send: asked, operations, is_asking: true }.run()?;
    let report = |end, turn: Option<Turn>, answer, why| AskReport {
        schema: ASK_SCHEMA.to_owned(),
        end,
        answer,
        turn,
        receipt: receipt.clone(),
        message: why,
    };
    let (text, (found, from)) = match (&asked.what, to, receipt.outcome) {
        (SentText::New(text, _), Some(to), SendOutcome::Delivered) => (text, to),
        _ => return Ok(report(AskEnd::NotDelivered, None, None, receipt.message.clone())),
    };
    told(&receipt);
    let mut waiting = Waiting {
        world,
        request,
        asked,
        found: Some(found),
        has_left: false,
        dialog: None,
        from,
        seen: None,
        stamp: None,
        page: None,
    };
    let mut looked = Instant::now();
    let (mut turn, mut answer) = (None, None);
    while begun.elapsed() < timeout {
        if let Some((now_turn, text, verdict)) = waiting.look(text)? {
            (turn, answer) = (Some(now_turn), Some(text));
            if let EndVerdict::Ended(mark) = verdict {
                let end = turn.as_ref().map_or(TurnEnd::Open, |turn: &Turn| turn.end);
                let why = |what: &str| format!("{what}, says its transcript ({mark})");
                let error = turn.as_ref().and_then(|turn| turn.error.clone());
                return Ok(match (end, error) {
                    (TurnEnd::Error, error) => {
                        let what =
                            error.map_or_else(|| "its turn failed".to_owned(), |it| format!("its turn failed: {}", it.message));
                        report(AskEnd::Failed, turn, answer, why(&what))
                    }
                    (TurnEnd::Interrupted, _) => report(AskEnd::Interrupted, turn, answer, why("its turn was interrupted")),
                    (TurnEnd::Done | TurnEnd::Open, _) => report(AskEnd::Answered, turn, answer, why("its turn has ended")),
                });
            }
        }
        if looked.elapsed() > LOOK_AT_AGENT {
            looked = Instant::now();
            match waiting.find()? {
                Some(Activity::Waiting) => {
                    let what = waiting.found.as_ref().and_then(|found| found.to.beside.clone());
                    let why = format!("it waits for an answer{}", what.map(|what| format!(" ({what})")).unwrap_or_default());
                    return Ok(report(AskEnd::NeedsInput, turn, answer, why));
                }
                // Of some only the screen tells: twice the same.
                None if waiting.shows_a_dialog() => {
                    let why = "it shows a dialog; `headcount screen` shows what it asks".to_owned();
                    return Ok(report(AskEnd::NeedsInput, turn, answer, why));
                }
                _ if waiting.has_left => {
                    return Ok(report(
                        AskEnd::Interrupted,
                        turn,
                        answer,
                        "its agent has left before its turn ended".to_owned(),
                    ));
                }
                _ => {}
            }
        }
        std::thread::sleep(LOOK);
    }
    Ok(report(AskEnd::TimedOut, turn, answer, "its turn had not ended in time".to_owned()))
}

/// What is waited for, and what was seen so far.
struct Waiting<'a> {
    world: &'a Observer,
    request: &'a LeadRequest,
    asked: &'a SendRequest,
    found: Option<Found>,
    has_left: bool,
    dialog: Option<&'static str>,
    from: TranscriptPosition,
    seen: Option<AnswerSeen>,
    stamp: Option<[Option<(u64, SystemTime)>; 2]>,
    page: Option<TurnPage>,
}

impl Waiting<'_> {
    /// Looks at the agent; gives what it is doing.
    fn find(&mut self) -> Result<Option<Activity>, LeadError> {
        // Somebody who looks on does not keep it from being seen.
        let request = LeadRequest { is_automatic: false, ..self.request.clone() };
        match find(self.world, &request, &self.asked.session)? {
            Ok(found) => {
                let activity = found.to.activity;
                self.found = Some(found);
                Ok(activity)
            }
            // A look that could tell nothing changes nothing of what was known.
            Err(missed) => {
                self.has_left = missed.why.code == BlockCode::NoAgent;
                Ok(None)
            }
        }
    }

    /// The turn that took the text in, what the agent wrote since, and whether that turn has ended.
    fn look(&mut self, text: &str) -> Result<Option<(Turn, String, EndVerdict)>, LeadError> {
        if self.found.as_ref().is_none_or(|found| found.transcript.is_none()) {
            self.find()?;
        }
        let Some((id, transcript)) = self.place() else { return Ok(None) };
        let stamp = stamp(&transcript.path);
        if self.stamp != Some(stamp) || stamp == [None, None] {
            self.page = self.read(&transcript, &id);
            self.stamp = Some(stamp);
        } else if self.seen.is_none() {
            return Ok(None);
        }
        let Some(page) = self.page.clone() else { return Ok(None) };
        let TurnReply::InTurn(reply) = answer_to(&page, text, Some(&self.from)) else { return Ok(None) };
        let mut verdict = judge_end(reply.turn, false, None, self.world.host.now());
        if reply.turn.mark.is_none() && reply.turn.end != TurnEnd::Open {
            let is_idle = self.find()? == Some(Activity::Idle) && self.takes_a_prompt();
            verdict = judge_end(reply.turn, is_idle, self.seen.as_ref(), self.world.host.now());
        }
        self.seen = match &verdict {
            EndVerdict::Settling(seen) => Some(seen.clone()),
            EndVerdict::Ended(_) | EndVerdict::GoesOn => None,
        };
        Ok(Some((reply.turn.clone(), reply.text, verdict)))
    }

    /// What its composer shows, where that has been measured.
    fn screen(&self) -> Option<(PaneScreen, &'static ComposerTable)> {
        let found = self.found.as_ref()?;
        let table = Agents::with(&found.declared).of(found.to.agent)?.composer()?;
        Some((effects::composer_pane(self.world, &found.to.pane).ok()?.screen, table))
    }

    /// Whether nothing on its screen says that it goes on.
    fn takes_a_prompt(&self) -> bool {
        let is_free = |held: &Composer| matches!(held, Composer::Empty | Composer::Holds(_));
        self.screen().is_none_or(|(screen, table)| is_free(&composer(&screen, table)) && !is_busy(&screen, table))
    }

    /// Whether a dialog is up that was up at the last call too.
    fn shows_a_dialog(&mut self) -> bool {
        let now = self.screen().and_then(|(screen, table)| match composer(&screen, table) {
            Composer::Dialog(word) => Some(word),
            _ => None,
        });
        let before = std::mem::replace(&mut self.dialog, now);
        now.is_some() && now == before
    }

    fn place(&self) -> Option<(ConversationId, Transcript)> {
        let found = self.found.as_ref()?;
        Some((found.conversation.clone()?, found.transcript.clone()?))
    }

    fn read(&self, transcript: &Transcript, id: &ConversationId) -> Option<TurnPage> {
        let found = self.found.as_ref()?;
        let agents = Agents::with(&found.declared);
        let query = TurnQuery { last: 1, after: Some(&self.from), now: self.world.host.now() };
        agents.of(found.to.agent)?.turns(transcript, id, &query).into_seen()
    }
}

/// What tells that a transcript was written to. A database writes to the log beside it first.
fn stamp(path: &Path) -> [Option<(u64, SystemTime)>; 2] {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    [path, Path::new(&log)]
        .map(|path| path.metadata().ok().and_then(|metadata| Some((metadata.len(), metadata.modified().ok()?))))
}

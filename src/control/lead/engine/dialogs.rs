//! The dialogs in front of an agent that is being started: seen by their words, and answered where a person has permitted that, a key
//! at a time, each pressed only while the pane shows the very row that it is meant for.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Engine, Progress};
use crate::agent::dialogs::{DialogAnswer, StartDialog};
use crate::agent::drive::LaunchTable;
use crate::control::lead::effects::{self, KeyGuard, PaneView};
use crate::core::agents::Declared;
use crate::core::lead::{DialogSubject, Permit, Placed, StandingDialog, TypedKey};
use crate::core::manifest::Session;
use crate::core::manifest::lead::{Permissions, has_permission_flag};
use crate::host::Host;

/// More keys than this answer no dialog.
const MOST: u32 = 8;

/// How long a dialog stands before the first key: Codex 0.169.0 loses one that comes as it is drawn.
const SETTLED: TimeDelta = TimeDelta::milliseconds(1000);

/// What has become of the dialogs of one start.
pub(super) struct StartDialogs<'a> {
    table: &'a LaunchTable,
    /// What a person has permitted to be answered with yes.
    permitted: Vec<DialogSubject>,
    standing: Option<StandingDialog>,
    /// The row that was highlighted when the last key was pressed.
    left: Option<usize>,
    /// What was confirmed; what was answered is never answered again.
    confirmed: Vec<DialogSubject>,
    keys: u32,
}

impl<'a> StartDialogs<'a> {
    /// Of an entry that is started in this directory.
    pub(super) fn new(table: &'a LaunchTable, declared: &Declared, session: &Session, cwd: &Path) -> Self {
        let real = |path: &Path| path.canonicalize().ok();
        // It was said of the entry's own directory.
        let is_own = session.cwd.as_deref().and_then(real).is_some_and(|own| real(cwd) == Some(own));
        let trusts = session.lead.trust == Some(true) && is_own;
        let is_bold = session.lead.permissions == Some(Permissions::Bypass) || has_permission_flag(declared, session);
        let permitted = [(DialogSubject::Trust, trusts), (DialogSubject::Bypass, is_bold)];
        let permitted = permitted.into_iter().filter(|(_, is_permitted)| *is_permitted).map(|(subject, _)| subject).collect();
        Self { table, permitted, standing: None, left: None, confirmed: Vec::new(), keys: 0 }
    }

    /// Whether headcount answers, or has answered, the dialog that stands.
    pub(super) fn was_answered(&self) -> bool {
        self.standing.is_some_and(|it| it.is_answered || self.confirmed.contains(&it.subject))
    }

    /// The dialog on the screen, after what could be done about it.
    pub(super) fn attend(
        &mut self,
        engine: &Engine<'_>,
        (permit, placed, agent): (&Permit, &Placed, u32),
        view: &PaneView,
        now: DateTime<Utc>,
    ) -> Option<StandingDialog> {
        let Some(dialog) = self.table.dialog(&view.screen) else {
            self.standing = None;
            return None;
        };
        let subject = dialog.subject;
        let mut standing = self.standing.filter(|standing| standing.subject == subject).unwrap_or_else(|| {
            self.left = None;
            let is_answered =
                dialog.answer.is_some() && self.permitted.contains(&subject) && !self.confirmed.contains(&subject);
            StandingDialog { subject, since: now, is_answered }
        });
        if let Some(answer) = dialog.answer.as_ref().filter(|_| standing.is_answered)
            && let Err(why) = self.answer(engine, (permit, placed, agent), (dialog, answer), view, (standing.since, now))
        {
            (engine.tell)(Progress::Note(&why));
            standing.is_answered = false;
        }
        self.standing = Some(standing);
        self.standing
    }

    /// Presses the next key, if the screen shows what the last one did.
    fn answer(
        &mut self,
        engine: &Engine<'_>,
        (permit, placed, agent): (&Permit, &Placed, u32),
        (dialog, answer): (&StartDialog, &DialogAnswer),
        view: &PaneView,
        (since, now): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<(), String> {
        let Some(row) = answer.highlighted(&view.screen).filter(|row| self.left != Some(*row)) else { return Ok(()) };
        if now < since + SETTLED {
            return Ok(());
        }
        let (key, subject) = (answer.key(row), dialog.subject);
        if self.keys >= MOST || key == TypedKey::Enter && self.confirmed.contains(&subject) {
            return Ok(());
        }
        let Some(row_text) = answer.shown(row) else { return Ok(()) };
        if !is_in_front(engine.world.host.as_ref(), agent) {
            return Ok(());
        }
        // Whoever else acts on the session at this moment goes first.
        let Ok(_lock) = engine.lock(&permit.operation().session) else { return Ok(()) };
        if let Some(held) = engine.held(&permit.operation().session) {
            return Err(held.message);
        }
        let shows: Vec<&str> = dialog.shows.iter().chain([row_text.as_str()]).collect();
        let hides = self.table.other_screens(subject);
        let guard = KeyGuard { command: &view.command, cursor: None, shows: &shows, hides: &hides };
        let pressed = effects::press(engine.world, permit, placed, &guard, &[key.into()]);
        if pressed != Ok(false) {
            self.keys += 1;
            self.left = Some(row);
            if key == TypedKey::Enter {
                self.confirmed.push(subject);
            }
        }
        pressed.map(|_| ())
    }
}

/// Whether a process has its terminal to itself, so that what is typed goes to it.
pub(super) fn is_in_front(host: &dyn Host, agent: u32) -> bool {
    let foreground = host.stat(agent).into_seen().and_then(|process| process.foreground);
    foreground.is_some() && foreground == host.group(agent)
}

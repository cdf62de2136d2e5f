//! How an agent is asked to end, as its table says: by a signal, or by what is typed into its empty composer, and nowhere else.

use std::time::Duration;

use super::Engine;
use super::dialogs::is_in_front;
use crate::agent::drive::{LaunchTable, QuitForm};
use crate::control::lead::effects::{self, Ending, KeyGuard, PaneView};
use crate::control::pass::Pass;
use crate::core::drift::LiveAgent;
use crate::core::fact::Fact;
use crate::core::ids::SessionKey;
use crate::core::lead::{PaneKey, Permit, Placed};
use crate::core::observe::Process;
use crate::host::Host;

/// Why an agent that only keys quit is not asked to.
pub(super) const NOT_OPEN: &str =
    "keys quit it, and they are typed into its empty composer only, which it does not show; `--now --kill` ends it";

/// The time between two looks at a composer.
const BETWEEN: Duration = Duration::from_millis(300);

/// What is ended, and how its table says that.
pub(super) struct QuitTarget<'a> {
    pub(super) table: &'a LaunchTable,
    pub(super) process: Process,
    /// Its pane; `None`: not all of it is known.
    placed: Option<Placed>,
}

impl<'a> QuitTarget<'a> {
    /// A live agent of a session.
    pub(super) fn of(host: &dyn Host, table: &'a LaunchTable, pass: &Pass, (key, live): (&SessionKey, &LiveAgent)) -> Self {
        let server = pass.observation().servers.get(&key.server_key()).and_then(Fact::seen);
        let placed = live.session.served_by(server).zip(live.pane.pid).map(|(server, pid)| Placed {
            server,
            server_start: host.stat(server).into_seen().and_then(|server| server.start_ticks),
            session: live.session.id.clone(),
            pane: live.pane.id.clone(),
            pid,
            is_new_session: false,
        });
        Self { table, process: live.agent.process, placed }
    }

    /// Its process, and whether it stands for a group.
    pub(super) fn whom(&self) -> (Process, bool) {
        (self.process, self.table.is_group)
    }

    /// Whether only keys quit it.
    pub(super) fn is_by_keys(&self) -> bool {
        matches!(self.table.quit, QuitForm::Keys(_))
    }
}

impl Engine<'_> {
    /// Asks it to end. `false`: it is gone, or something has come between, and nothing was typed.
    ///
    /// # Errors
    /// One line.
    pub(super) fn ask_to_quit(&self, permit: &Permit, exit: &QuitTarget<'_>) -> Result<bool, String> {
        match &exit.table.quit {
            QuitForm::Signal(signal) => effects::end(self.world, permit, exit.whom(), Ending::Asked(*signal)),
            QuitForm::Keys(keys) => self.type_quit(permit, exit, keys),
            QuitForm::Unsaid(why) => Err(why.clone()),
        }
    }

    /// Whether the composer of an agent is known to be open and empty: the cursor stands right behind what it begins with, twice in
    /// a row.
    pub(super) fn is_open(&self, key: &SessionKey, exit: &QuitTarget<'_>) -> bool {
        let is_empty = || self.composer(key, exit).is_some();
        is_empty() && {
            std::thread::sleep(BETWEEN);
            is_empty()
        }
    }

    /// What its pane shows while its composer is empty.
    fn composer(&self, key: &SessionKey, exit: &QuitTarget<'_>) -> Option<PaneView> {
        let (begin, placed) = (exit.table.composer.as_deref()?.trim_end(), exit.placed.as_ref()?);
        let view = effects::view(self.world, &key.server_key(), placed)?;
        let (column, line) = view.cursor?;
        let text = view.screen.lines().nth(line)?;
        let behind = begin.chars().count();
        let is_its = text.trim_end() == begin && (behind..=behind + 1).contains(&column);
        (is_its && is_in_front(self.world.host.as_ref(), exit.process.pid)).then_some(view)
    }

    fn type_quit(&self, permit: &Permit, exit: &QuitTarget<'_>, keys: &[PaneKey]) -> Result<bool, String> {
        let composer = self.composer(&permit.operation().session, exit);
        let Some((placed, view)) = exit.placed.as_ref().zip(composer) else { return Ok(false) };
        let begin = exit.table.composer.as_deref().unwrap_or_default().trim_end();
        let guard = KeyGuard { command: &view.command, cursor: view.cursor, shows: &[begin], hides: &[] };
        effects::press(self.world, permit, placed, &guard, keys)
    }
}

//! How an agent is asked to end, as its table says: by a signal, or by what is typed into its empty composer, and nowhere else.

use std::time::Duration;

use super::Engine;
use super::dialogs::is_in_front;
use crate::agent::Agents;
use crate::agent::drive::{LaunchTable, QuitForm};
use crate::control::lead::effects::{self, Ending, KeyGuard, PaneView};
use crate::control::observe::Observer;
use crate::control::pass::Pass;
use crate::core::drift::LiveAgent;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, SessionKey};
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
    /// What ran below it and is the same agent: a script that starts an agent is taken for it, and agents begin others of their kind.
    below: Vec<Process>,
    kind: AgentKind,
    agents: &'a Agents,
}

impl<'a> QuitTarget<'a> {
    /// A live agent of a session.
    pub(super) fn of(
        host: &dyn Host,
        (agents, table): (&'a Agents, &'a LaunchTable),
        pass: &Pass,
        (key, live): (&SessionKey, &LiveAgent),
    ) -> Self {
        let server = pass.observation().servers.get(&key.server_key()).and_then(Fact::seen);
        let placed = live.session.served_by(server).zip(live.pane.pid).map(|(server, pid)| Placed {
            server,
            server_start: host.stat(server).into_seen().and_then(|server| server.start_ticks),
            session: live.session.id.clone(),
            pane: live.pane.id.clone(),
            pid,
            is_new_session: false,
        });
        let (process, kind) = (live.agent.process, live.agent.kind);
        let mut target = Self { table, process, placed, below: Vec::new(), kind, agents };
        target.below = below(host, process.pid).into_iter().filter(|process| target.is_kin(host, *process)).collect();
        target
    }

    /// Whether a process is there and the same agent: what an agent runs looks like that for a moment, before it is another program.
    fn is_kin(&self, host: &dyn Host, process: Process) -> bool {
        host.process(process.pid).seen().is_some_and(|now| {
            let identified = self.agents.identify(&now.argv, || host.exe(now.pid));
            Process::from(now) == process && identified.is_some_and(|(adapter, _)| adapter.kind() == self.kind)
        })
    }

    /// What is left of it.
    pub(super) fn left(&self, world: &Observer) -> Vec<Process> {
        let top = Some(self.process).filter(|_| !effects::is_gone(world, self.whom()));
        let below = self.below.iter().copied().filter(|process| self.is_kin(world.host.as_ref(), *process));
        top.into_iter().chain(below).collect()
    }

    /// Kills what is left of it.
    ///
    /// # Errors
    /// One line.
    pub(super) fn kill(&self, world: &Observer, permit: &Permit) -> Result<bool, String> {
        effects::end(world, permit, self.whom(), Ending::Killed)?;
        for process in self.left(world) {
            effects::end(world, permit, (process, false), Ending::Killed)?;
        }
        Ok(true)
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

/// What runs below a process.
fn below(host: &dyn Host, top: u32) -> Vec<Process> {
    let Fact::Seen(table) = host.table() else { return Vec::new() };
    let (mut above, mut all) = (vec![top], Vec::new());
    while let Some(parent) = above.pop() {
        let children = table.iter().filter(|row| row.parent == parent).map(|row| row.pid);
        for process in children.filter_map(|pid| host.stat(pid).into_seen()) {
            above.push(process.pid);
            all.push(Process::from(&process));
        }
    }
    all
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

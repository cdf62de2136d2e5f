//! `headcount ui`: every session on one screen. Owns the loop that reads keys, hears of what happened, and draws; what a key means is the
//! model's, what is done is done by the commands.

mod acts;
mod attention;
mod children;
mod columns;
mod draw;
mod input;
mod keys;
mod look;
mod model;
mod post;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::Utc;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use self::acts::Doer;
use self::children::{Children, command};
use self::look::{LookNow, ScreenWatch, WatchedScreen};
use self::model::{Effect, HostPicture, Shown, Ui};
use self::post::{PostBox, UiMessage};
use self::terminal::UiTerminal;
use super::args::JudgeArgs;
use super::error::{CliError, Exit};
use super::run_pass::{self, PassRequest};
use super::{Context, logging, signals};
use crate::control::lead::SeenFile;
use crate::core::ids::SessionKey;
use crate::core::lead::send::PaneAddress;
use crate::core::manifest::select::Selection;

/// How often ages are drawn afresh while nothing happens.
const TICK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// How long an end of a stop may take to show.
const STOPPED: Duration = Duration::from_secs(1);

/// How long what a command said last is waited for after its end.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// What the loop holds.
struct Running {
    ui: Ui,
    terminal: UiTerminal,
    post: PostBox,
    doer: Doer,
    now: LookNow,
    watch: ScreenWatch,
    panes: BTreeMap<SessionKey, PaneAddress>,
    seen: SeenFile,
    manifest: String,
    end: Option<Exit>,
}

/// Shows the sessions until a person leaves, or a signal ends it.
pub(super) fn run(judge: &JudgeArgs, context: &Context) -> Result<Exit, CliError> {
    let options = run_pass::options(PassRequest::look(Selection::default(), judge), context)?;
    let hosts: Vec<String> = run_pass::load(&options.manifest, context)?.hosts.into_keys().collect();
    let manifest = options.manifest.display().to_string();
    let failed = |error: io::Error| CliError::new(Exit::Failure, format!("cannot show the ui: {error}"));
    let (post_box, post) = PostBox::new().map_err(failed)?;
    let children = Children::default();
    let seen = SeenFile::new(&options.state_home);
    signals::keep();
    signals::default_on_interrupt();
    logging::hush();
    terminal::hear(post.clone()).map_err(failed)?;
    let watch = ScreenWatch::default();
    look::screens(&options, manifest.clone(), watch.clone(), post.clone()).map_err(failed)?;
    for host in &hosts {
        look::far(host.clone(), manifest.clone(), children.clone(), post.clone()).map_err(failed)?;
    }
    let ui = Ui {
        is_colored: context.out.look.color,
        seen: seen.read(),
        far: hosts.into_iter().map(|host| (host, HostPicture::Awaited)).collect(),
        cwd: std::env::current_dir().map(|cwd| cwd.display().to_string()).unwrap_or_default(),
        now: Utc::now(),
        ..Ui::default()
    };
    let terminal = UiTerminal::take().map_err(failed)?;
    let now = look::here(options, post.clone()).map_err(failed)?;
    let doer = Doer::new(manifest.clone(), post, children.clone());
    let panes = BTreeMap::new();
    let mut running = Running { ui, terminal, post: post_box, doer, now, watch, panes, seen, manifest, end: None };
    let ended = running.keep_on();
    drop(running);
    children.end_all();
    ended.map_err(failed)
}

impl Running {
    /// Draws, waits, and takes what came, until it is over.
    fn keep_on(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.end {
                return Ok(exit);
            }
            self.ui.tick(Utc::now());
            let ui = &mut self.ui;
            self.terminal.inner.draw(|frame| draw::draw(frame, ui))?;
            let watched = self.watched();
            self.watch.watch(watched);
            let is_gone = {
                let stdin = io::stdin();
                let mut fds = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(&self.post.woken, PollFlags::IN)];
                // An interrupted wait is a wait that has ended.
                let _ = poll(&mut fds, Some(&TICK));
                fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL)
            };
            if is_gone {
                return Ok(Exit::Done);
            }
            self.ui.tick(Utc::now());
            for message in self.post.take() {
                self.take(message)?;
            }
            while event::poll(Duration::ZERO)? {
                let effects = match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => self.ui.key(key),
                    Event::Paste(text) => {
                        self.ui.paste(&text);
                        Vec::new()
                    }
                    _ => Vec::new(),
                };
                for effect in effects {
                    self.carry_out(effect)?;
                }
            }
        }
    }

    /// The screen that is to be looked at.
    fn watched(&mut self) -> Option<(SessionKey, WatchedScreen)> {
        let row = self.ui.row()?;
        let (key, host) = (row.key.clone(), row.host.clone());
        let what = match host {
            Some(host) => Some(WatchedScreen::There { host, reference: row.reference.clone() }),
            None => self.panes.get(&key).cloned().map(WatchedScreen::Here),
        };
        if what.is_none() && (self.ui.shown_of.as_ref() != Some(&key) || matches!(self.ui.shown, Shown::Pane(_))) {
            let why = if self.ui.here.is_some() { "it runs in no pane that could be shown" } else { "…" };
            self.ui.showed(key.clone(), Shown::Nothing(why.to_owned()));
        }
        what.map(|what| (key, what))
    }

    /// Takes what another thread says.
    fn take(&mut self, message: UiMessage) -> io::Result<()> {
        match message {
            UiMessage::Looked(seen) => {
                let seen = seen.map(|overview| {
                    self.panes = overview.panes;
                    overview.report
                });
                self.ui.looked(seen);
            }
            UiMessage::Heard(host, picture) => self.ui.heard(host, picture),
            UiMessage::Screen(key, shown) => self.ui.showed(key, shown),
            UiMessage::Acted { id, act, said, question, is_bad } => {
                if !is_bad && question.is_none() && act.words.first().is_some_and(|verb| verb == "send") {
                    act.session.iter().for_each(|key| drop(self.ui.drafts.remove(key)));
                }
                self.ui.acted(id, act, &said, question, is_bad);
                self.now.wake();
            }
            UiMessage::Asked(key, question) => self.ui.asked(&key, question),
            UiMessage::Printed(view, lines) => self.ui.printed(view, lines),
            UiMessage::End { is_interrupt } => {
                self.end = Some(if is_interrupt { Exit::Interrupted } else { Exit::Done });
            }
            UiMessage::Resumed => self.terminal.retake()?,
            UiMessage::Resized => {}
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) -> io::Result<()> {
        match effect {
            Effect::Quit => self.end = Some(Exit::Done),
            Effect::Suspend => self.suspend()?,
            Effect::Attach(key) => self.attach(&key)?,
            Effect::Act(act) => {
                let label = act.label.clone();
                let id = self.doer.act(act);
                self.ui.said = None;
                self.ui.acts.insert(id, label);
            }
            Effect::Ask { key, is_screen_enough } => {
                let row = self.ui.row_of(&key).cloned();
                row.iter().for_each(|row| self.doer.ask(row, is_screen_enough));
            }
            Effect::View { view, host, words } => self.doer.view(view, host.as_deref(), &words),
            Effect::EndView => self.doer.end_views(),
            Effect::Look => self.now.wake(),
            Effect::Seen(key, at) => {
                if let Err(error) = self.seen.mark(&key, at) {
                    self.ui.say(format!("what you have seen is not remembered: {error}"), true);
                }
                self.ui.saw(&key, at);
            }
        }
        Ok(())
    }

    /// Lets the shell have the terminal until it gives it back.
    fn suspend(&mut self) -> io::Result<()> {
        let post = &self.post;
        let mut missed = Vec::new();
        self.terminal.lend(|| {
            let begun = Instant::now();
            terminal::stop_self();
            // The stop takes a moment; that it goes on is said by a signal.
            while begun.elapsed() < STOPPED && !missed.iter().any(|it| matches!(it, UiMessage::Resumed)) {
                missed.extend(post.take());
                std::thread::sleep(Duration::from_millis(20));
            }
        })?;
        missed.retain(|it| !matches!(it, UiMessage::Resumed));
        missed.into_iter().try_for_each(|message| self.take(message))
    }

    /// Opens a session as `headcount attach` does, and comes back when that ends.
    fn attach(&mut self, key: &SessionKey) -> io::Result<()> {
        let Some(row) = self.ui.row_of(key).cloned() else { return Ok(()) };
        let words = ["attach".to_owned(), "--".to_owned(), row.reference.clone()];
        let mut attach = command(&self.manifest, row.host.as_deref(), &words);
        attach.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::piped());
        let post = &self.post;
        let mut missed = Vec::new();
        self.watch.watch(None);
        let ended = self.terminal.lend(|| -> io::Result<(bool, String)> {
            let mut child = attach.spawn()?;
            let complaints = child.stderr.take();
            let (sender, said) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let mut text = String::new();
                let _ = complaints.map(|pipe| pipe.take(1 << 16).read_to_string(&mut text));
                let _ = sender.send(text);
            });
            let status = loop {
                if let Some(status) = child.try_wait()? {
                    break status;
                }
                missed.extend(post.take());
                if missed.iter().any(|it| matches!(it, UiMessage::End { .. })) {
                    // So that it leaves the terminal as it should.
                    let _ = kill_process(Pid::from_child(&child), Signal::TERM);
                }
                std::thread::sleep(Duration::from_millis(50));
            };
            // What it left in the background may keep its stderr open.
            Ok((status.success(), said.recv_timeout(LAST_WORDS).unwrap_or_default()))
        })?;
        missed.retain(|it| !matches!(it, UiMessage::Resumed));
        missed.into_iter().try_for_each(|message| self.take(message))?;
        if matches!(ended, Ok((true, _))) {
            self.carry_out(Effect::Seen(key.clone(), Some(Utc::now())))?;
        }
        self.now.wake();
        let is_inside = std::env::var_os("TMUX").is_some_and(|value| !value.is_empty());
        match ended {
            Ok((true, _)) if is_inside => {
                let back = "`switch-client -l` (C-b L) comes back here";
                self.ui.say(format!("this tmux client shows {} now; {back}", row.name), false);
            }
            Ok((true, _)) => {}
            Ok((false, said)) if said.trim().is_empty() => self.ui.say(format!("attach {}: it failed", row.name), true),
            Ok((false, said)) => self.ui.say(said.trim(), true),
            Err(error) => self.ui.say(format!("attach {}: {error}", row.name), true),
        }
        Ok(())
    }
}

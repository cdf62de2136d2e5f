//! The terminal while the ui has it: raw, on its alternate screen, and as it was before whatever happens. Never decides what is shown.

use std::io::{self, Stdout, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::post::{Post, UiMessage};
use crate::cli::signals;

/// Whether the terminal is ours now.
static IS_OURS: AtomicBool = AtomicBool::new(false);
/// How long what is going on may hold up the end that a signal asks for, in seconds.
const PATIENCE: u32 = 3;

/// The terminal.
pub(super) struct UiTerminal {
    pub(super) inner: Terminal<CrosstermBackend<Stdout>>,
}

impl UiTerminal {
    /// Takes it. It is given back when this is dropped, and before a panic of this thread is told.
    pub(super) fn take() -> io::Result<Self> {
        let owner = std::thread::current().id();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // What another thread runs into is said on the screen by whoever waits for it.
            if std::thread::current().id() == owner || !IS_OURS.load(Ordering::SeqCst) {
                give_back();
                before(info);
            }
        }));
        enter()?;
        let inner = Terminal::new(CrosstermBackend::new(io::stdout())).inspect_err(|_| give_back())?;
        Ok(Self { inner })
    }

    /// Lends it to something else for a while.
    pub(super) fn lend<T>(&mut self, to: impl FnOnce() -> T) -> io::Result<T> {
        give_back();
        let done = to();
        enter()?;
        self.inner.clear()?;
        Ok(done)
    }

    /// Takes it once more, after something else may have changed it.
    pub(super) fn retake(&mut self) -> io::Result<()> {
        self.lend(|| ())
    }
}

impl Drop for UiTerminal {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    IS_OURS.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste)
}

/// As it was. Once is enough, more does no harm.
fn give_back() {
    if IS_OURS.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = io::stdout().flush();
        let _ = disable_raw_mode();
    }
}

/// Stops this process as Ctrl-Z stops others.
pub(super) fn stop_self() {
    let _ = kill_process(getpid(), Signal::TSTP);
}

/// Hears signals, on a thread of its own.
pub(super) fn hear(post: Post) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listen = async move {
        let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
        let [mut term, mut hup, mut int] = kinds.map(signal);
        let mut resumed = signal(SignalKind::from_raw(libc::SIGCONT))?;
        let mut resized = signal(SignalKind::window_change())?;
        let (Ok(term), Ok(hup), Ok(int)) = (&mut term, &mut hup, &mut int) else {
            return Err(io::Error::other("signals cannot be heard"));
        };
        loop {
            let is_interrupt = tokio::select! {
                _ = term.recv() => false,
                _ = hup.recv() => false,
                _ = int.recv() => true,
                _ = resumed.recv() => { post.send(UiMessage::Resumed); continue }
                _ = resized.recv() => { post.send(UiMessage::Resized); continue }
            };
            post.send(UiMessage::End { is_interrupt });
            tokio::time::sleep(Duration::from_secs(u64::from(PATIENCE) - 1)).await;
            give_back();
            signals::end_well_after(1);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let _: io::Result<()> = runtime.block_on(listen);
    })?;
    Ok(())
}

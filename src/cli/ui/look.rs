//! The threads that look for the ui: at this host, at others, and at one screen. They change nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use unicode_width::UnicodeWidthChar as _;

use super::children::{Children, command};
use super::model::{HostPicture, Shown};
use super::post::{Post, UiMessage};
use crate::cli::run_pass;
use crate::control::lead::{overviews, reading};
use crate::control::pass::PassOptions;
use crate::core::ids::SessionKey;
use crate::core::lead::send::{PaneAddress, PaneScreen, ScreenCell, ScreenRow};
use crate::core::report::status::StatusReport;

/// How long after a host could not be asked it is asked again, and after a look that broke.
const AGAIN: Duration = Duration::from_secs(15);
/// The pause between two looks at a screen that changes, and at one that rests.
const SCREEN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// The longest one, however long the look at a screen takes.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a screen has not changed before it rests.
const RESTS: Duration = Duration::from_secs(3);

/// What makes the look at this host begin at once.
#[derive(Clone, Default)]
pub(super) struct LookNow(Arc<Mutex<Option<UnixStream>>>);

impl LookNow {
    pub(super) fn wake(&self) {
        if let Some(mut stream) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            let _ = stream.write(b"!");
        }
    }
}

/// Looks at this host until the program ends.
pub(super) fn here(options: PassOptions, post: Post) -> std::io::Result<LookNow> {
    let now = LookNow::default();
    let waker = now.clone();
    std::thread::Builder::new().name("look".to_owned()).spawn(move || {
        loop {
            let look = || {
                let wake = |stream| *waker.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
                overviews(run_pass::world(&options.state_home), &options, wake, |seen| {
                    let seen = seen.map_err(|error| error.line_with_places());
                    post.send(UiMessage::Looked(Box::new(seen)));
                    ControlFlow::Continue(())
                });
            };
            if catch_unwind(AssertUnwindSafe(look)).is_err() {
                post.send(UiMessage::Looked(Box::new(Err("the look broke off; headcount looks again".to_owned()))));
            }
            std::thread::sleep(AGAIN);
        }
    })?;
    Ok(now)
}

/// Asks another host until the program ends.
pub(super) fn far(host: String, manifest: String, children: Children, post: Post) -> std::io::Result<()> {
    std::thread::Builder::new().name("host".to_owned()).spawn(move || {
        loop {
            let words = ["status", "--json", "--watch", "--interval", "2s"].map(str::to_owned);
            let mut said = "it said nothing".to_owned();
            match children.start(&mut command(&manifest, Some(&host), &words)) {
                Ok((id, out, err)) => {
                    let complaint = std::thread::spawn(move || last_words(err));
                    for line in BufReader::new(out).lines().map_while(Result::ok) {
                        if let Ok(report) = serde_json::from_str::<StatusReport>(&line) {
                            post.send(UiMessage::Heard(host.clone(), HostPicture::Seen(Box::new(report))));
                        }
                    }
                    said = complaint.join().ok().flatten().unwrap_or(said);
                    children.end(id);
                }
                Err(error) => said = error.to_string(),
            }
            post.send(UiMessage::Heard(host.clone(), HostPicture::Blind(said)));
            std::thread::sleep(AGAIN);
        }
    })?;
    Ok(())
}

/// The first line that says what went wrong.
pub(super) fn last_words(from: impl std::io::Read) -> Option<String> {
    let mut text = String::new();
    let _ = from.take(1 << 16).read_to_string(&mut text);
    let is_error = |line: &&str| line.starts_with("error:");
    let line = text.lines().find(is_error).or_else(|| text.lines().rfind(|line| !line.trim().is_empty()))?;
    Some(line.trim_start_matches("error:").trim().to_owned())
}

/// The screen that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WatchedScreen {
    Here(PaneAddress),
    There { host: String, reference: String },
}

/// Of which session it is; `None`: none is watched.
type ScreenTarget = Option<(SessionKey, WatchedScreen)>;

/// Which one that is, as the thread that looks at it is told.
#[derive(Clone, Default)]
pub(super) struct ScreenWatch(Arc<(Mutex<ScreenTarget>, Condvar)>);

impl ScreenWatch {
    /// Looks at this one from now on.
    pub(super) fn watch(&self, what: ScreenTarget) {
        let mut held = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *held != what {
            *held = what;
            self.0.1.notify_all();
        }
    }

    /// What is watched now, or something else within that time.
    fn wait(&self, known: Option<&(SessionKey, WatchedScreen)>, at_most: Duration) -> ScreenTarget {
        let held = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |held: &mut ScreenTarget| held.as_ref() == known;
        let waited = self.0.1.wait_timeout_while(held, at_most, is_same);
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

/// Looks at screens until the program ends.
pub(super) fn screens(options: &PassOptions, manifest: String, watch: ScreenWatch, post: Post) -> std::io::Result<()> {
    let world = run_pass::world(&options.state_home);
    std::thread::Builder::new().name("screen".to_owned()).spawn(move || {
        let mut last: Option<((SessionKey, WatchedScreen), Shown)> = None;
        let mut changed = Instant::now();
        let mut pause = Duration::ZERO;
        loop {
            let known = last.as_ref().map(|(what, _)| what);
            let Some(what) = watch.wait(known, pause) else {
                (last, pause) = (None, Duration::from_secs(3600));
                continue;
            };
            let begun = Instant::now();
            let look = || match &what.1 {
                WatchedScreen::Here(pane) => match reading::pane_screen(&world, pane) {
                    Ok(screen) => Shown::Pane(screen),
                    Err(why) => Shown::Nothing(format!("its screen cannot be shown: {why}")),
                },
                WatchedScreen::There { host, reference } => there(&manifest, host, reference),
            };
            let broke = |_| Shown::Nothing("the look at its screen broke off".to_owned());
            let shown = catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(broke);
            let is_far = matches!(what.1, WatchedScreen::There { .. });
            if last.as_ref().is_none_or(|(known, before)| *known != what || *before != shown) {
                changed = Instant::now();
                post.send(UiMessage::Screen(what.0.clone(), shown.clone()));
            }
            last = Some((what, shown));
            let rests = if is_far || changed.elapsed() > RESTS { SCREEN[1] } else { SCREEN[0] };
            pause = rests.max((begun.elapsed() * 10).min(LONGEST));
        }
    })?;
    Ok(())
}

/// What a pane on another host shows.
fn there(manifest: &str, host: &str, reference: &str) -> Shown {
    let words = ["screen".to_owned(), "--".to_owned(), reference.to_owned()];
    let mut asking: Command = command(manifest, Some(host), &words);
    match asking.output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            let rows = text.lines().map(|line| ScreenRow { cells: line.chars().flat_map(cells).collect() }).collect();
            Shown::Pane(PaneScreen { rows, cursor: None })
        }
        Ok(output) => Shown::Nothing(last_words(output.stderr.as_slice()).unwrap_or_else(|| "it cannot be shown".to_owned())),
        Err(error) => Shown::Nothing(error.to_string()),
    }
}

/// A character in its columns.
fn cells(letter: char) -> impl Iterator<Item = ScreenCell> {
    let cell = |text: String| ScreenCell { text, ..ScreenCell::default() };
    let behind = (letter.width() == Some(2)).then(|| cell(String::new()));
    std::iter::once(cell(letter.to_string())).chain(behind)
}

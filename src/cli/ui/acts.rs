//! What the ui does: the same commands that a person would type, inside of this process, each on a thread of its own. What it shows of
//! what a command prints runs beside it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use super::children::{Children, arguments, command};
use super::model::{Act, AskedQuestion, UiRow};
use super::post::{Post, UiMessage};
use crate::cli::error::Exit;
use crate::cli::output::KeptText;
use crate::cli::run_kept;

/// As many lines are handed on at once.
const LINES: usize = 500;

/// Does things.
pub(super) struct Doer {
    manifest: String,
    post: Post,
    children: Children,
    /// The process of each view.
    views: BTreeMap<u64, u64>,
    next: u64,
}

impl Doer {
    pub(super) fn new(manifest: String, post: Post, children: Children) -> Self {
        Self { manifest, post, children, views: BTreeMap::new(), next: 0 }
    }

    /// Begins an act. Gives its number.
    pub(super) fn act(&mut self, act: Act) -> u64 {
        self.next += 1;
        let (id, post) = (self.next, self.post.clone());
        let mut words = act.words.clone();
        if act.is_sure {
            words.insert(1, "--yes".to_owned());
        }
        let arguments = arguments(&self.manifest, act.host.as_deref(), &words);
        let failed = act.clone();
        let begun = std::thread::Builder::new().name("act".to_owned()).spawn({
            let post = post.clone();
            move || {
                let (exit, said) = kept(&arguments);
                let text = format!("{}{}", said.out, said.err);
                let is_bad = exit != Exit::Done;
                post.send(UiMessage::Acted { id, act, said: text, question: said.question, is_bad });
            }
        });
        if let Err(error) = begun {
            let said = format!("nothing was done: {error}");
            post.send(UiMessage::Acted { id, act: failed, said, question: None, is_bad: true });
        }
        id
    }

    /// Reads what the agent of a session asks.
    pub(super) fn ask(&self, row: &UiRow, is_screen_enough: bool) {
        let (manifest, post, row) = (self.manifest.clone(), self.post.clone(), row.clone());
        let begun = std::thread::Builder::new().name("ask".to_owned()).spawn(move || {
            post.send(UiMessage::Asked(row.key.clone(), question(&manifest, &row, is_screen_enough)));
        });
        drop(begun);
    }

    /// Shows what a command prints.
    pub(super) fn view(&mut self, view: u64, host: Option<&str>, words: &[String]) {
        self.end_views();
        let begun = self.children.start(&mut command(&self.manifest, host, words));
        match begun {
            Ok((id, out, err)) => {
                self.views.insert(view, id);
                let post = self.post.clone();
                let complaints = std::thread::spawn({
                    let post = post.clone();
                    move || hand_on(err, view, &post)
                });
                std::thread::spawn(move || {
                    hand_on(out, view, &post);
                    let _ = complaints.join();
                    post.send(UiMessage::Printed(view, None));
                });
            }
            Err(error) => {
                self.post.send(UiMessage::Printed(view, Some(vec![format!("cannot be shown: {error}")])));
                self.post.send(UiMessage::Printed(view, None));
            }
        }
    }

    /// Ends what is shown.
    pub(super) fn end_views(&mut self) {
        for id in std::mem::take(&mut self.views).into_values() {
            self.children.end(id);
        }
    }
}

/// Hands on lines as they come, many at once where many come.
fn hand_on(from: impl Read, view: u64, post: &Post) {
    let mut reader = BufReader::new(from);
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let is_over = !reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0);
        if !is_over {
            lines.push(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned());
        }
        if (reader.buffer().is_empty() || lines.len() >= LINES || is_over) && !lines.is_empty() {
            post.send(UiMessage::Printed(view, Some(std::mem::take(&mut lines))));
        }
        if is_over {
            return;
        }
    }
}

/// Runs a command here. A panic in it is said, and ends nothing.
fn kept(arguments: &[String]) -> (Exit, KeptText) {
    let words: Vec<OsString> = std::iter::once("headcount".into()).chain(arguments.iter().map(OsString::from)).collect();
    catch_unwind(AssertUnwindSafe(|| run_kept(&words))).unwrap_or_else(|_| {
        let err = "headcount broke off; `headcount history` shows what became of it".to_owned();
        (Exit::Failure, KeptText { err, ..KeptText::default() })
    })
}

/// What an agent asks, or why that cannot be answered.
fn question(manifest: &str, row: &UiRow, is_screen_enough: bool) -> Result<AskedQuestion, String> {
    let mut words: Vec<String> = ["answer", "--json"].map(str::to_owned).into();
    words.extend(is_screen_enough.then(|| "--screen-only".to_owned()));
    words.extend(["--".to_owned(), row.reference.clone()]);
    let (_, said) = kept(&arguments(manifest, row.host.as_deref(), &words));
    let Ok(report) = serde_json::from_str::<Value>(&said.out) else {
        let why = said.err.lines().next().unwrap_or("nothing was said").to_owned();
        return Err(format!("{}: {why}", row.name));
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if report["outcome"] == "asked" {
        let choices = report["question"]["choices"].as_array();
        return Ok(AskedQuestion {
            text: text(&report["question"]["text"]),
            choices: choices.into_iter().flatten().map(text).collect(),
            hash: text(&report["hash"]),
            is_on_screen_only: is_screen_enough,
        });
    }
    let why = text(&report["message"]);
    match why.contains("--screen-only") && !is_screen_enough {
        true => question(manifest, row, true),
        false => Err(format!("{}: {why}", row.name)),
    }
}

//! What an agent writes while it does a job: read as it comes, and shown in the pane. Writes down which conversation it is.

use std::io::Write as _;
use std::sync::mpsc::SyncSender;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use serde_json::Value;

use super::{JobDoing, JobWake};
use crate::core::job::run::{AttemptStream, StreamNews};
use crate::core::text::printable;
use crate::store::job_files::{JobFiles, LineReader};

/// The output of an attempt.
pub(super) struct JobOutput {
    files: JobFiles,
    read: fn(&Value) -> StreamNews,
    reader: Option<LineReader>,
    stream: AttemptStream,
    /// Whether the conversation is written down as it is named.
    is_live: bool,
    is_shown: bool,
    is_in_parts: bool,
    _watcher: Option<RecommendedWatcher>,
}

impl JobOutput {
    /// From this byte on; wakes whoever listens when there is more.
    pub(super) fn new(files: &JobFiles, doing: JobDoing, from: u64, wake: &SyncSender<JobWake>) -> Self {
        let wake = wake.clone();
        let handler = move |event: notify::Result<Event>| {
            // Our own reading is no news; a full channel holds a wake already.
            if !matches!(event, Ok(Event { kind: EventKind::Access(_), .. })) {
                let _ = wake.try_send(JobWake::Output);
            }
        };
        // Without it the output is shown at the end.
        let path = files.output();
        let _ = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        let watcher = notify::recommended_watcher(handler).and_then(|mut watcher| {
            watcher.watch(&path, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        // The terminal is the agent's own, if it has one.
        let is_shown = matches!(doing, JobDoing::Headless(_));
        Self { is_live: true, is_shown, _watcher: watcher.ok(), ..Self::silent(files, doing, from) }
    }

    /// From this byte on, and nothing is shown.
    pub(super) fn silent(files: &JobFiles, doing: JobDoing, from: u64) -> Self {
        let reader = Some(LineReader::new(files.output(), from));
        Self { reader, ..Self::none(files, doing) }
    }

    /// None at all.
    pub(super) fn none(files: &JobFiles, doing: JobDoing) -> Self {
        Self {
            files: files.clone(),
            read: doing.read(),
            reader: None,
            stream: AttemptStream::default(),
            is_live: false,
            is_shown: false,
            is_in_parts: false,
            _watcher: None,
        }
    }

    pub(super) fn stream(&self) -> &AttemptStream {
        &self.stream
    }

    /// Reads what has come since.
    pub(super) fn drain(&mut self, is_last: bool) {
        let lines = self.reader.as_mut().map(|reader| reader.lines(is_last)).unwrap_or_default();
        for line in lines {
            match serde_json::from_str::<Value>(&line) {
                Ok(value @ Value::Object(_)) => {
                    let news = (self.read)(&value);
                    let before = self.stream.id.clone();
                    self.stream.take(&news);
                    if self.is_live && self.stream.id != before {
                        self.note_id();
                    }
                    if self.is_shown {
                        self.show(&news);
                    }
                }
                _ => {
                    self.stream.take_plain(&line);
                    if self.is_shown {
                        self.write(&format!("{}\n", printable(&line)));
                    }
                }
            }
        }
    }

    fn note_id(&self) {
        if let Some(id) = &self.stream.id
            && self.files.session_id().as_ref() != Some(id)
            && let Err(error) = self.files.note_session_id(id)
        {
            super::say(&format!("headcount: {error}"));
        }
    }

    fn show(&mut self, news: &StreamNews) {
        if let Some(text) = &news.text {
            let lines: Vec<_> = text.split('\n').map(printable).collect();
            let end = if news.is_part { "" } else { "\n" };
            self.write(&format!("{}{end}", lines.join("\n")));
            self.is_in_parts = news.is_part;
        }
        if let Some(deed) = &news.deed {
            let begin = if std::mem::take(&mut self.is_in_parts) { "\n" } else { "" };
            self.write(&format!("{begin}• {}\n", printable(deed)));
        }
        if news.end.is_some() && std::mem::take(&mut self.is_in_parts) {
            self.write("\n");
        }
    }

    /// The pane may be gone.
    fn write(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

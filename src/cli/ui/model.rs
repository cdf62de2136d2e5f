//! What the ui knows and shows: the sessions in their order, what is selected, what is open. Pure: it is told what was seen and
//! what was typed, and says what is to be done. Never looks, acts or draws.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::attention::{Attention, RowNotice, notice};
use super::columns::wrapped;
use super::input::TextInput;
use crate::core::class::Class;
use crate::core::ids::SessionKey;
use crate::core::lead::send::PaneScreen;
use crate::core::report::status::{Observed, SessionRow, StatusReport};
use crate::core::text::printable;

/// How many seconds the outcome of an act is shown.
const SHOWN_FOR: i64 = 10;

/// A session in the list.
#[derive(Debug, Clone)]
pub(super) struct UiRow {
    pub(super) key: SessionKey,
    /// The other host that it is on, by the name that commands use.
    pub(super) host: Option<String>,
    /// Its name as shown.
    pub(super) name: String,
    pub(super) agent: String,
    pub(super) notice: RowNotice,
    /// Who has it in hand.
    pub(super) hold: Option<String>,
    /// What commands call it.
    pub(super) reference: String,
    /// By what a filter finds it.
    haystack: String,
}

/// Where the screen of the selected session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Arrangement {
    /// Beside the list, or below it.
    #[default]
    Both,
    /// Instead of the list.
    Screen,
    /// Nowhere.
    List,
}

/// What the pane of the selected session shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Shown {
    #[default]
    Awaited,
    Pane(PaneScreen),
    /// Why it cannot be shown.
    Nothing(String),
}

/// A command that acts on a session, or begins one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Act {
    /// What it does, as the person reads it: `stop reviewer`.
    pub(super) label: String,
    pub(super) host: Option<String>,
    /// The words behind `headcount`.
    pub(super) words: Vec<String>,
    /// Whether a question of it was answered with yes.
    pub(super) is_sure: bool,
    pub(super) session: Option<SessionKey>,
}

/// What a person is asked before something is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Confirmed {
    Act(Act),
    Quit,
}

/// A question that an agent asks, as it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AskedSession {
    pub(super) key: SessionKey,
    pub(super) name: String,
    /// What it asks; `None`: it is being looked at.
    pub(super) question: Option<AskedQuestion>,
}

/// That question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AskedQuestion {
    pub(super) text: String,
    pub(super) choices: Vec<String>,
    /// By what it is known when it is answered.
    pub(super) hash: String,
    /// Whether only the screen tells that it is asked.
    pub(super) is_on_screen_only: bool,
}

/// What is typed into the form of a new session: name, agent, directory, prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewForm {
    pub(super) fields: [TextInput; 4],
    pub(super) at: usize,
}

impl NewForm {
    pub(super) const LABELS: [&'static str; 4] = ["name", "agent", "directory", "prompt"];
}

/// A text to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    /// All of it, and the same in lines of so many columns.
    pub(super) text: Vec<String>,
    pub(super) lines: Vec<String>,
    pub(super) columns: usize,
    /// The first line shown; `None`: the end is followed.
    pub(super) top: Option<usize>,
    /// The number of what writes it.
    pub(super) view: u64,
    pub(super) is_over: bool,
    pub(super) is_diff: bool,
}

impl Page {
    pub(super) fn add(&mut self, text: impl IntoIterator<Item = String>) {
        for line in text {
            self.lines.extend(wrapped(&line, self.columns));
            self.text.push(line);
        }
    }

    /// Breaks its lines anew, and stays at about the same place.
    pub(super) fn fit(&mut self, columns: usize) {
        let columns = columns.max(20);
        if self.columns == columns {
            return;
        }
        let before = self.lines.len().max(1);
        self.columns = columns;
        self.lines = self.text.iter().flat_map(|line| wrapped(line, columns)).collect();
        self.top = self.top.map(|top| top * self.lines.len() / before);
    }
}

/// What the keys mean now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum UiMode {
    #[default]
    List,
    Filter(TextInput),
    Send {
        key: SessionKey,
        name: String,
        text: TextInput,
    },
    Answer(AskedSession),
    New(NewForm),
    Confirm {
        question: Vec<String>,
        what: Confirmed,
    },
    Page(Page),
}

/// What a key asks of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Quit,
    Suspend,
    Attach(SessionKey),
    Act(Act),
    /// Reads what the agent of a session asks.
    Ask {
        key: SessionKey,
        is_screen_enough: bool,
    },
    /// Shows what a command prints.
    View {
        view: u64,
        host: Option<String>,
        words: Vec<String>,
    },
    EndView,
    Look,
    Seen(SessionKey, Option<DateTime<Utc>>),
}

/// What came of an act, or another line for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SaidLine {
    pub(super) text: String,
    pub(super) is_bad: bool,
    pub(super) at: DateTime<Utc>,
}

/// The picture of one host.
#[derive(Debug, Clone)]
pub(super) enum HostPicture {
    Seen(Box<StatusReport>),
    /// Nothing came yet.
    Awaited,
    /// Why it cannot be asked.
    Blind(String),
}

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Ui {
    pub(super) now: DateTime<Utc>,
    pub(super) rows: Vec<UiRow>,
    /// Those that the filter lets through.
    pub(super) visible: Vec<usize>,
    pub(super) selected: Option<SessionKey>,
    /// The first row of the list that is drawn, and how many are.
    pub(super) top: usize,
    pub(super) height: usize,
    pub(super) filter: String,
    pub(super) mode: UiMode,
    pub(super) arrangement: Arrangement,
    pub(super) shown: Shown,
    /// Of whom that is.
    pub(super) shown_of: Option<SessionKey>,
    pub(super) here: Option<StatusReport>,
    /// Why the last look here failed.
    pub(super) trouble: Option<String>,
    pub(super) far: BTreeMap<String, HostPicture>,
    pub(super) seen: BTreeMap<SessionKey, DateTime<Utc>>,
    /// The acts that go on.
    pub(super) acts: BTreeMap<u64, String>,
    pub(super) said: Option<SaidLine>,
    /// All that was said, oldest first.
    pub(super) log: Vec<SaidLine>,
    /// Texts that were begun and not sent.
    pub(super) drafts: BTreeMap<SessionKey, TextInput>,
    pub(super) views: u64,
    /// How wide the terminal is.
    pub(super) columns: usize,
    pub(super) is_colored: bool,
    pub(super) cwd: String,
}

impl Ui {
    /// The time, which takes away what was said a while ago, unless it went wrong.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) {
        self.now = now;
        if self.said.as_ref().is_some_and(|said| !said.is_bad && (now - said.at).num_seconds() >= SHOWN_FOR) {
            self.said = None;
        }
    }

    /// A look at this host has ended.
    pub(super) fn looked(&mut self, seen: Result<StatusReport, String>) {
        match seen {
            Ok(report) => {
                self.here = Some(report);
                self.trouble = None;
            }
            Err(why) => self.trouble = Some(why),
        }
        self.arrange();
    }

    /// Another host said something.
    pub(super) fn heard(&mut self, host: String, picture: HostPicture) {
        self.far.insert(host, picture);
        self.arrange();
    }

    /// Remembers when somebody looked at a session.
    pub(super) fn saw(&mut self, key: &SessionKey, at: Option<DateTime<Utc>>) {
        match at {
            Some(at) => self.seen.insert(key.clone(), at),
            None => self.seen.remove(key),
        };
        self.arrange();
    }

    /// Puts all sessions in order, and keeps what is selected.
    fn arrange(&mut self) {
        let at = self.position();
        let own = self.here.as_ref().map(|report| report.host.clone());
        let here = self.here.iter().flat_map(|report| &report.sessions).map(|row| (None, row));
        let far = self.far.iter().filter_map(|(host, picture)| match picture {
            HostPicture::Seen(report) => Some((host, report)),
            _ => None,
        });
        let far = far.flat_map(|(host, report)| {
            report.sessions.iter().filter(|row| row.session.host == report.host).map(move |row| (Some(host.as_str()), row))
        });
        // What another host says of itself stands for what is only declared of it here.
        let heard: BTreeSet<&str> = self.far.keys().map(String::as_str).collect();
        let is_doubled = |host: Option<&str>, row: &SessionRow| {
            host.is_none() && row.observed == Observed::Elsewhere && heard.contains(row.session.host.as_str())
        };
        let rows = here.chain(far).filter(|(host, row)| !is_doubled(*host, row));
        let mut rows: Vec<UiRow> = rows.map(|(host, row)| UiRow::new(host, row, own.as_deref(), &self.seen)).collect();
        rows.sort_by(|one, other| {
            let of = |row: &UiRow| (row.notice.attention, row.host.clone());
            of(one).cmp(&of(other)).then_with(|| one.name.cmp(&other.name))
        });
        self.rows = rows;
        self.refilter(at);
    }

    /// Applies the filter. What is selected stays so, else what stands where it stood is.
    pub(super) fn refilter(&mut self, at: usize) {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let is_meant = |row: &UiRow| words.iter().all(|word| row.haystack.contains(word));
        self.visible = (0..self.rows.len()).filter(|at| self.rows.get(*at).is_some_and(is_meant)).collect();
        let is_there = |key: &SessionKey| self.visible.iter().any(|at| self.rows[*at].key == *key);
        if !self.selected.as_ref().is_some_and(is_there) {
            let at = at.min(self.visible.len().saturating_sub(1));
            self.selected = self.visible.get(at).map(|at| self.rows[*at].key.clone());
        }
    }

    /// Where the selected one stands among those that are shown.
    pub(super) fn position(&self) -> usize {
        let is_it = |at: &usize| self.rows.get(*at).is_some_and(|row| Some(&row.key) == self.selected.as_ref());
        self.visible.iter().position(is_it).unwrap_or(0)
    }

    pub(super) fn row(&self) -> Option<&UiRow> {
        self.visible.get(self.position()).and_then(|at| self.rows.get(*at))
    }

    pub(super) fn row_of(&self, key: &SessionKey) -> Option<&UiRow> {
        self.rows.iter().find(|row| row.key == *key)
    }

    /// Selects the one that stands there.
    pub(super) fn select(&mut self, at: usize) {
        let at = at.min(self.visible.len().saturating_sub(1));
        self.selected = self.visible.get(at).and_then(|at| self.rows.get(*at)).map(|row| row.key.clone());
    }

    /// What the pane of a session shows.
    pub(super) fn showed(&mut self, key: SessionKey, shown: Shown) {
        if self.selected.as_ref() == Some(&key) {
            (self.shown_of, self.shown) = (Some(key), shown);
        }
    }

    /// Says something to the person.
    pub(super) fn say(&mut self, text: impl Into<String>, is_bad: bool) {
        let said = SaidLine { text: text.into(), is_bad, at: self.now };
        self.log.push(said.clone());
        if self.log.len() > 500 {
            self.log.remove(0);
        }
        self.said = Some(said);
    }

    /// An act has ended, and said this.
    pub(super) fn acted(&mut self, id: u64, act: Act, said: &str, question: Option<String>, is_bad: bool) {
        self.acts.remove(&id);
        let label = &act.label;
        match question {
            Some(question) if matches!(self.mode, UiMode::List) => {
                let question = vec![format!("{label}:"), question];
                self.mode = UiMode::Confirm { question, what: Confirmed::Act(Act { is_sure: true, ..act }) };
            }
            Some(question) => self.say(format!("{label}: not done, because it asks: {question}"), true),
            None if said.trim().is_empty() => self.say(format!("{label}: done"), is_bad),
            None => self.say(said.trim_end(), is_bad),
        }
    }

    /// What an agent asks is known.
    pub(super) fn asked(&mut self, key: &SessionKey, question: Result<AskedQuestion, String>) {
        match (&mut self.mode, question) {
            (UiMode::Answer(asked), Ok(question)) if asked.key == *key => asked.question = Some(question),
            (UiMode::Answer(asked), Err(why)) if asked.key == *key => {
                self.mode = UiMode::List;
                self.say(why, true);
            }
            _ => {}
        }
    }

    /// A command that is shown has printed something; `None`: it has ended.
    pub(super) fn printed(&mut self, view: u64, lines: Option<Vec<String>>) {
        let UiMode::Page(page) = &mut self.mode else { return };
        if page.view != view {
            return;
        }
        match lines {
            Some(lines) => {
                page.add(lines.iter().map(|line| printable(&line.replace('\t', "    ")).into_owned()));
            }
            None => page.is_over = true,
        }
        let over = |lines: &[String]| lines.len().saturating_sub(20_000);
        page.text.drain(..over(&page.text));
        let over = over(&page.lines);
        page.lines.drain(..over);
        page.top = page.top.map(|top| top.saturating_sub(over));
    }

    /// How many stand where.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Attention, usize)> + '_ {
        let count = |it: Attention| self.rows.iter().filter(|row| row.notice.attention == it).count();
        Attention::ALL.into_iter().map(move |it| (it, count(it))).filter(|(_, count)| *count > 0)
    }

    /// The jobs whose agents ask, one line each.
    pub(super) fn asking_jobs(&self) -> Vec<String> {
        let far = self.far.iter().filter_map(|(host, picture)| match picture {
            HostPicture::Seen(report) => Some((format!(" on {}", printable(host)), report.as_ref())),
            _ => None,
        });
        let all = self.here.iter().map(|report| (String::new(), report)).chain(far);
        let asking = all.flat_map(|(place, report)| {
            let asking = report.jobs.iter().filter(|job| job.state == "needs-input");
            asking.map(move |job| {
                let (name, mux) = (printable(&job.session.name), job.session.mux);
                format!("job {} waits for an answer in the {mux} session {name}{place}", job.job)
            })
        });
        asking.collect()
    }

    /// Whether something of this host cannot be seen.
    pub(super) fn is_blind_here(&self) -> bool {
        self.trouble.is_some() || self.here.as_ref().is_some_and(|report| !report.unknown.is_empty())
    }

    /// Of how many other hosts something cannot be seen.
    pub(super) fn blind_hosts(&self) -> usize {
        let is_blind = |picture: &&HostPicture| match picture {
            HostPicture::Blind(_) => true,
            HostPicture::Seen(report) => !report.unknown.is_empty(),
            HostPicture::Awaited => false,
        };
        self.far.values().filter(is_blind).count()
    }

    /// What cannot be seen, one line each.
    pub(super) fn blind(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.trouble.iter().map(|why| format!("cannot look: {}", printable(why))).collect();
        let unknown = self.here.iter().flat_map(|report| &report.unknown);
        lines.extend(unknown.map(|it| format!("{}: {}", printable(&it.scope), printable(&it.why))));
        for (host, picture) in &self.far {
            match picture {
                HostPicture::Blind(why) if why.starts_with(host.as_str()) => lines.push(printable(why).into_owned()),
                HostPicture::Blind(why) => lines.push(format!("{}: {}", printable(host), printable(why))),
                HostPicture::Seen(report) => lines.extend(
                    report
                        .unknown
                        .iter()
                        .map(|it| format!("{}: {}: {}", printable(host), printable(&it.scope), printable(&it.why))),
                ),
                HostPicture::Awaited => {}
            }
        }
        lines
    }
}

impl UiRow {
    fn new(host: Option<&str>, row: &SessionRow, own: Option<&str>, seen: &BTreeMap<SessionKey, DateTime<Utc>>) -> Self {
        let mut key = row.session.clone();
        if let Some(host) = host {
            host.clone_into(&mut key.host);
        }
        let notice = notice(row, seen.get(&key).copied());
        let prefix = match host {
            Some(host) => Some(host),
            None => own.filter(|own| row.session.host != **own).map(|_| row.session.host.as_str()),
        };
        let name = match prefix {
            Some(host) => format!("{}:{}", printable(host), printable(&key.name)),
            None => printable(&key.name).into_owned(),
        };
        let target = match (&row.pane, row.drifts.contains(&Class::Unregistered)) {
            (Some(pane), true) => pane,
            _ => &key.name,
        };
        let agent = printable(row.agent.as_str()).into_owned();
        let hold = row.hold.as_ref().map(|held| printable(&held.holder).into_owned());
        let haystack = format!("{name} {agent} {} {}", notice.word, row.cwd.as_deref().unwrap_or_default()).to_lowercase();
        Self {
            host: host.map(str::to_owned),
            reference: format!("{}:{}:{target}", key.mux, key.server),
            name,
            agent,
            notice,
            hold,
            haystack,
            key,
        }
    }
}

//! What a key does, by what is open. Pure: it changes the model and says what is to be done.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::attention::Attention;
use super::columns::{padded, wrapped};
use super::input::TextInput;
use super::model::{Act, Arrangement, AskedSession, Confirmed, Effect, NewForm, Page, Ui, UiMode, UiRow};
use crate::core::ids::SessionKey;

/// What every key does.
const KEYS: &[(&str, &str)] = &[
    ("j k ↓ ↑", "select; g G first and last; PgUp PgDn pages"),
    ("/", "show only what has these words; Esc shows all again"),
    ("Enter", "attach; C-b d comes back, in a tmux C-b L, in a zellij C-b C-b d; from a zellij session C-o d"),
    ("s", "send a text; what you typed is kept until it is sent"),
    ("a", "read what the agent asks, and approve, deny or choose"),
    ("n", "declare and start a new session"),
    ("S", "start, or resume its conversation"),
    ("X", "stop, after its turn; asks first"),
    ("R", "restart, after its turn; asks first"),
    ("l", "logs: the conversation as it grows"),
    ("d", "describe: all that is known of it"),
    ("D", "diff: what `record` would write"),
    ("h", "history: what was done to it"),
    ("p", "plan: what `apply` would do"),
    ("i", "mark a finished turn as seen, or as not seen"),
    ("m", "messages, and what is unknown and why"),
    ("v Tab", "list and screen, screen alone, list alone"),
    ("r", "look again now"),
    ("q Ctrl-C", "quit; Ctrl-Z suspends"),
];

/// The room for a key before what it does.
const KEY_ROOM: usize = 11;

impl Ui {
    /// Takes a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            match key.code {
                KeyCode::Char('c') => return self.quit(),
                KeyCode::Char('z') => return vec![Effect::Suspend],
                _ => {}
            }
        }
        match std::mem::take(&mut self.mode) {
            UiMode::List => self.list_key(key),
            UiMode::Filter(text) => self.filter_key(text, key),
            UiMode::Send { key: session, name, text } => self.send_key(session, name, text, key),
            UiMode::Answer(asked) => self.answer_key(asked, key),
            UiMode::New(form) => self.new_key(form, key),
            UiMode::Confirm { question, what } => self.confirm_key(question, what, key),
            UiMode::Page(page) => self.page_key(page, key),
        }
    }

    /// Takes what was pasted.
    pub(super) fn paste(&mut self, pasted: &str) {
        match &mut self.mode {
            UiMode::Send { text, .. } => text.insert(pasted, false),
            UiMode::Filter(text) => {
                text.insert(pasted, true);
                self.filter = text.text().to_owned();
                self.refilter(0);
            }
            UiMode::New(form) => form.fields[form.at].insert(pasted, form.at < 3),
            _ => {}
        }
    }

    fn quit(&mut self) -> Vec<Effect> {
        if self.acts.is_empty() || matches!(self.mode, UiMode::Confirm { what: Confirmed::Quit, .. }) {
            return vec![Effect::Quit];
        }
        let mut question: Vec<String> = self.acts.values().map(|label| format!("{label} still goes on.")).collect();
        question.push("Leave all the same? The next headcount finishes or reports it.".to_owned());
        self.mode = UiMode::Confirm { question, what: Confirmed::Quit };
        Vec::new()
    }

    fn list_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let at = self.position();
        let page = self.height.max(2) - 1;
        let row = self.row().cloned();
        match key.code {
            KeyCode::Char('q') => return self.quit(),
            KeyCode::Char('j') | KeyCode::Down => self.select(at + 1),
            KeyCode::Char('k') | KeyCode::Up => self.select(at.saturating_sub(1)),
            KeyCode::Char('g') | KeyCode::Home => self.select(0),
            KeyCode::Char('G') | KeyCode::End => self.select(usize::MAX),
            KeyCode::PageDown => self.select(at + page),
            KeyCode::PageUp => self.select(at.saturating_sub(page)),
            KeyCode::Char('/') => self.mode = UiMode::Filter(TextInput::new(self.filter.clone())),
            KeyCode::Char('?') => self.help(),
            KeyCode::Tab | KeyCode::Char('v') => {
                self.arrangement = match self.arrangement {
                    Arrangement::Both => Arrangement::Screen,
                    Arrangement::Screen => Arrangement::List,
                    Arrangement::List => Arrangement::Both,
                }
            }
            KeyCode::Esc if self.said.is_some() => self.said = None,
            KeyCode::Esc => {
                self.filter.clear();
                self.refilter(at);
            }
            KeyCode::Char('r') => return vec![Effect::Look],
            KeyCode::Char('m') => self.messages(),
            KeyCode::Char('n') => {
                let field = TextInput::default;
                let agent = row.map_or_else(|| "claude".to_owned(), |row| row.key_agent());
                let fields = [field(), TextInput::new(agent), TextInput::new(self.cwd.clone()), field()];
                self.mode = UiMode::New(NewForm { fields, at: 0 });
            }
            KeyCode::Char('p') => return self.view("what `apply` would do", None, &["plan"], false),
            KeyCode::Enter | KeyCode::Char('s' | 'a' | 'S' | 'X' | 'R' | 'd' | 'D' | 'l' | 'h' | 'i') => {
                return row.map_or_else(Vec::new, |row| self.session_key(key.code, &row));
            }
            _ => {}
        }
        Vec::new()
    }

    /// A key that is about the selected session.
    fn session_key(&mut self, code: KeyCode, row: &UiRow) -> Vec<Effect> {
        let (host, reference, name) = (row.host.clone(), row.reference.as_str(), row.name.as_str());
        let seen = Effect::Seen(row.key.clone(), Some(self.now));
        let page = |ui: &mut Self, title: &str, words: &[&str], is_diff| {
            let mut effects = ui.view(&format!("{title} · {name}"), host.clone(), words, is_diff);
            effects.push(seen.clone());
            effects
        };
        match code {
            KeyCode::Enter => return vec![Effect::Attach(row.key.clone())],
            KeyCode::Char('s') => {
                let text = self.drafts.get(&row.key).cloned().unwrap_or_default();
                self.mode = UiMode::Send { key: row.key.clone(), name: row.name.clone(), text };
            }
            KeyCode::Char('a') => {
                self.mode = UiMode::Answer(AskedSession { key: row.key.clone(), name: row.name.clone(), question: None });
                return vec![Effect::Ask { key: row.key.clone(), is_screen_enough: false }];
            }
            KeyCode::Char('S') => return vec![Effect::Act(row.act("start", &["start"]))],
            KeyCode::Char('X') => self.confirm(row, "Stop", "Its agent ends after its turn; its conversation is kept.", "stop"),
            KeyCode::Char('R') => {
                self.confirm(row, "Restart", "Its agent ends after its turn and resumes its conversation.", "restart");
            }
            KeyCode::Char('i') => {
                let at = (!self.seen.contains_key(&row.key)).then_some(self.now);
                return vec![Effect::Seen(row.key.clone(), at)];
            }
            KeyCode::Char('d') => return page(self, "describe", &["describe", "--", reference], false),
            KeyCode::Char('D') => return page(self, "diff", &["diff", "--", &row.key.name], true),
            KeyCode::Char('h') => return page(self, "history", &["history", "--", &row.key.name], false),
            KeyCode::Char('l') => return page(self, "logs", &["logs", "--follow", "--lines", "200", "--", reference], false),
            _ => {}
        }
        Vec::new()
    }

    fn confirm(&mut self, row: &UiRow, what: &str, means: &str, verb: &str) {
        let mut question = vec![format!("{what} {} ({}, {})?", row.name, row.agent, row.notice.word), means.to_owned()];
        question.extend(row.hold.iter().map(|holder| format!("{holder} has it in hand.")));
        self.mode = UiMode::Confirm { question, what: Confirmed::Act(row.act(verb, &[verb])) };
    }

    /// A text to read, which is all there is so far.
    fn page(&mut self, title: &str, top: Option<usize>) -> Page {
        self.views += 1;
        Page {
            title: title.to_owned(),
            text: Vec::new(),
            lines: Vec::new(),
            columns: self.columns.max(20),
            top,
            view: self.views,
            is_over: true,
            is_diff: false,
        }
    }

    /// Opens what a command prints.
    fn view(&mut self, title: &str, host: Option<String>, words: &[&str], is_diff: bool) -> Vec<Effect> {
        let top = if words.contains(&"--follow") { None } else { Some(0) };
        let page = self.page(title, top);
        self.mode = UiMode::Page(Page { is_over: false, is_diff, ..page });
        vec![Effect::View { view: self.views, host, words: words.iter().map(|&word| word.to_owned()).collect() }]
    }

    /// Every key, and what the marks mean: a text like any other, so that it is read on a small terminal too.
    fn help(&mut self) {
        let room = self.columns.max(20);
        let line = |(keys, does): (&str, &str)| {
            let does = wrapped(does, room.saturating_sub(KEY_ROOM));
            let keys = std::iter::once(format!(" {}", padded(keys, KEY_ROOM - 1)));
            let keys = keys.chain(std::iter::repeat(" ".repeat(KEY_ROOM)));
            keys.zip(does).map(|(keys, does)| keys + does.trim_end()).collect::<Vec<_>>()
        };
        let marks = Attention::ALL.map(|it| (it.mark(), it.counted()));
        let mut page = self.page("keys and marks", Some(0));
        page.add(KEYS.iter().copied().chain(marks).flat_map(line));
        self.mode = UiMode::Page(page);
    }

    /// Opens all that was said.
    fn messages(&mut self) {
        let stamp = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&chrono::Local).format("%H:%M:%S").to_string();
        let lines = self.log.iter().flat_map(|said| {
            let mut lines = said.text.lines();
            let first = format!("{}  {}", stamp(said.at), lines.next().unwrap_or_default());
            std::iter::once(first).chain(lines.map(|line| format!("          {line}")))
        });
        let mut lines: Vec<String> = lines.collect();
        lines.extend(self.asking_jobs().into_iter().map(|line| format!("asks      {line}")));
        lines.extend(self.blind().into_iter().map(|line| format!("unknown   {line}")));
        if lines.is_empty() {
            lines.push("nothing was said yet".to_owned());
        }
        let mut page = self.page("messages", None);
        page.add(lines);
        self.mode = UiMode::Page(page);
    }

    fn filter_key(&mut self, mut text: TextInput, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Esc => {
                self.filter.clear();
                self.refilter(self.position());
            }
            KeyCode::Enter => {}
            KeyCode::Up | KeyCode::Down => {
                let at = self.position();
                self.select(if key.code == KeyCode::Up { at.saturating_sub(1) } else { at + 1 });
                self.mode = UiMode::Filter(text);
            }
            _ => {
                if text.key(key, true) {
                    text.text().clone_into(&mut self.filter);
                    self.refilter(0);
                }
                self.mode = UiMode::Filter(text);
            }
        }
        Vec::new()
    }

    fn send_key(&mut self, session: SessionKey, name: String, mut text: TextInput, key: KeyEvent) -> Vec<Effect> {
        let is_plain = key.modifiers.is_empty();
        match key.code {
            KeyCode::Esc => {
                self.drafts.insert(session, text);
                return Vec::new();
            }
            KeyCode::Enter if is_plain => {
                let said = text.text().trim_end().to_owned();
                let Some(row) = self.row_of(&session).cloned() else {
                    self.say(format!("{name} is gone; nothing was sent"), true);
                    return Vec::new();
                };
                if said.trim().is_empty() || said == "-" {
                    self.say("there is nothing to send", true);
                    self.mode = UiMode::Send { key: session, name, text };
                    return Vec::new();
                }
                // Until it is known to have arrived it can be had back.
                self.drafts.insert(session.clone(), text);
                let mut act = row.act("send to", &["send"]);
                act.words.push(said);
                return vec![Effect::Act(act), Effect::Seen(session, Some(self.now))];
            }
            _ => {
                text.key(key, false);
                self.mode = UiMode::Send { key: session, name, text };
            }
        }
        Vec::new()
    }

    fn answer_key(&mut self, asked: AskedSession, key: KeyEvent) -> Vec<Effect> {
        if key.code == KeyCode::Esc {
            return Vec::new();
        }
        let choice = match (key.code, &asked.question) {
            (KeyCode::Char('y'), Some(_)) => Some("approve".to_owned()),
            (KeyCode::Char('n'), Some(_)) => Some("deny".to_owned()),
            (KeyCode::Char(digit @ '1'..='9'), Some(question)) => {
                let number = digit.to_digit(10).unwrap_or_default() as usize;
                (number <= question.choices.len()).then(|| digit.to_string())
            }
            _ => None,
        };
        match (choice, self.row_of(&asked.key).cloned(), &asked.question) {
            (Some(choice), Some(row), Some(question)) => {
                let mut act = row.act(&format!("answer {choice} to"), &["answer", "--expect", &question.hash]);
                if question.is_on_screen_only {
                    act.words.insert(1, "--screen-only".to_owned());
                }
                act.words.push(choice);
                vec![Effect::Act(act), Effect::Seen(asked.key, Some(self.now))]
            }
            _ => {
                self.mode = UiMode::Answer(asked);
                Vec::new()
            }
        }
    }

    fn new_key(&mut self, mut form: NewForm, key: KeyEvent) -> Vec<Effect> {
        let count = form.fields.len();
        match key.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Tab | KeyCode::Down => form.at = (form.at + 1) % count,
            KeyCode::BackTab | KeyCode::Up => form.at = (form.at + count - 1) % count,
            KeyCode::Enter if key.modifiers.is_empty() => {
                let [name, agent, cwd, prompt] = form.fields.each_ref().map(|field| field.text().trim().to_owned());
                if agent.is_empty() {
                    self.say("name an agent, such as claude", true);
                    form.at = 1;
                } else {
                    let mut words = vec!["new".to_owned(), format!("--agent={agent}")];
                    words.extend((!cwd.is_empty()).then(|| format!("--cwd={}", expanded(&cwd))));
                    words.extend((!prompt.is_empty()).then(|| format!("--prompt={prompt}")));
                    let label = if name.is_empty() { format!("new {agent}") } else { format!("new {name}") };
                    if !name.is_empty() {
                        // What stands behind `--` is for the agent.
                        words.insert(1, name);
                    }
                    return vec![Effect::Act(Act { label, host: None, words, is_sure: false, session: None })];
                }
            }
            _ => {
                let is_one_line = form.at < 3;
                form.fields[form.at].key(key, is_one_line);
            }
        }
        self.mode = UiMode::New(form);
        Vec::new()
    }

    fn confirm_key(&mut self, question: Vec<String>, what: Confirmed, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Char('y' | 'Y') => match what {
                Confirmed::Act(act) => vec![Effect::Act(act)],
                Confirmed::Quit => vec![Effect::Quit],
            },
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => Vec::new(),
            // A key that means nothing here decides nothing.
            _ => {
                self.mode = UiMode::Confirm { question, what };
                Vec::new()
            }
        }
    }

    fn page_key(&mut self, mut page: Page, key: KeyEvent) -> Vec<Effect> {
        let height = self.height.max(2);
        let last = page.lines.len().saturating_sub(height);
        let top = page.top.unwrap_or(last);
        let moved = match key.code {
            KeyCode::Char('q' | '?') | KeyCode::Esc => return vec![Effect::EndView],
            KeyCode::Char('j') | KeyCode::Down => top + 1,
            KeyCode::Char('k') | KeyCode::Up => top.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => top + height - 1,
            KeyCode::PageUp | KeyCode::Char('b') => top.saturating_sub(height - 1),
            KeyCode::Char('g') | KeyCode::Home => 0,
            KeyCode::Char('G') | KeyCode::End => usize::MAX,
            _ => top,
        };
        // What stands at its end stays there.
        let is_at_end = moved >= last && (page.top.is_none() || moved > top);
        page.top = if is_at_end { None } else { Some(moved.min(last)) };
        self.mode = UiMode::Page(page);
        Vec::new()
    }
}

impl UiRow {
    fn act(&self, verb: &str, words: &[&str]) -> Act {
        let mut words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        words.extend(["--".to_owned(), self.reference.clone()]);
        let label = format!("{verb} {}", self.name);
        Act { label, host: self.host.clone(), words, is_sure: false, session: Some(self.key.clone()) }
    }

    /// The agent that a new session beside it most likely has.
    fn key_agent(&self) -> String {
        self.agent.clone()
    }
}

/// A path as a shell would take it.
fn expanded(path: &str) -> String {
    match (path.strip_prefix('~'), std::env::var("HOME")) {
        (Some(rest), Ok(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        _ => path.to_owned(),
    }
}

//! A command of headcount as a tool asks for it: its words, its limits, and the part of its answer that is meant. Runs nothing.

/// The longest that a tool waits, in seconds.
pub(super) const LONGEST_WAIT: u64 = 600;
/// How long it waits where nothing else is said.
const USUAL_WAIT: u64 = 60;
/// The most sessions that a tool names.
const MOST_SESSIONS: usize = 100;
/// The most rows on a page, and how many there are where nothing else is said.
pub(super) const MOST_ROWS: usize = 200;
pub(super) const USUAL_ROWS: usize = 50;
/// The most turns on a page.
pub(super) const MOST_TURNS: usize = 20;
/// With these an agent may take a text for a command.
const COMMANDS: [char; 3] = ['/', '!', '#'];

/// A command of headcount, as a tool asks for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ToolCall {
    /// The command and its options.
    pub(super) words: Vec<String>,
    /// The sessions it names.
    pub(super) refs: Vec<String>,
    /// What stands behind them.
    pub(super) last: Vec<String>,
    /// What it reads.
    pub(super) input: Option<String>,
    /// How long it may wait, in seconds.
    pub(super) waits: Option<u64>,
    /// Which part of the answer is meant.
    pub(super) page: AnswerPage,
}

/// A part of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AnswerPage {
    /// At most so many.
    pub(super) limit: usize,
    /// Only what comes behind this.
    pub(super) cursor: Option<String>,
}

impl ToolCall {
    /// Whether an agent may take the text for a command.
    pub(super) fn is_command(&self) -> bool {
        self.input.as_ref().is_some_and(|text| text.trim_start().starts_with(COMMANDS))
    }

    pub(super) fn new(words: &[&str]) -> Self {
        Self { words: words.iter().map(|word| (*word).to_owned()).collect(), ..Self::default() }
    }

    pub(super) fn on(self, refs: Vec<String>) -> Result<Self, String> {
        if refs.len() > MOST_SESSIONS {
            return Err(format!("at most {MOST_SESSIONS} sessions are named at once"));
        }
        match refs.iter().find(|text| text.is_empty() || text.contains('\0')) {
            Some(_) => Err("the name of a session is empty, or holds a character that no name has".to_owned()),
            None => Ok(Self { refs, ..self }),
        }
    }

    pub(super) fn option(mut self, name: &str, value: Option<impl AsRef<str>>) -> Result<Self, String> {
        if let Some(value) = value {
            if value.as_ref().contains('\0') {
                return Err(format!("{name} holds a character that cannot be given"));
            }
            self.words.push(format!("--{name}={}", value.as_ref()));
        }
        Ok(self)
    }

    pub(super) fn flag(mut self, name: &str, is_set: bool) -> Self {
        if is_set {
            self.words.push(format!("--{name}"));
        }
        self
    }

    pub(super) fn page(
        mut self,
        limit: Option<usize>,
        most: usize,
        usual: usize,
        cursor: Option<String>,
    ) -> Result<Self, String> {
        let limit = limit.unwrap_or(usual);
        if limit == 0 || limit > most {
            return Err(format!("limit is from 1 to {most}"));
        }
        self.page = AnswerPage { limit, cursor };
        Ok(self)
    }

    pub(super) fn waiting(mut self, seconds: Option<u64>) -> Result<Self, String> {
        let seconds = seconds.unwrap_or(USUAL_WAIT);
        if seconds == 0 || seconds > LONGEST_WAIT {
            return Err(format!("timeout_seconds is from 1 to {LONGEST_WAIT}"));
        }
        self.waits = Some(seconds);
        self.option("timeout", Some(format!("{seconds}s")))
    }

    pub(super) fn text(mut self, text: String) -> Result<Self, String> {
        // The line feed at its end is left out again, as of a file.
        self.input = Some(text + "\n");
        self.words.push("--file=-".to_owned());
        Ok(self)
    }
}

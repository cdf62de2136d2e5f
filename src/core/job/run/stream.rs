//! What an agent says on its output while it does a job without a terminal, in one form for all of them. Never reads a line: adapters do.

/// What one line of an agent's output says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamNews {
    /// The conversation.
    pub id: Option<String>,
    /// It has taken the prompt.
    pub is_begun: bool,
    /// Something it says.
    pub text: Option<String>,
    /// Whether that is only a part, and more follows without a break.
    pub is_part: bool,
    /// Something it does, one line.
    pub deed: Option<String>,
    /// How its turn ended.
    pub end: Option<StreamEnd>,
    /// How many of its wishes were denied.
    pub denied: u32,
}

/// How an agent says that its turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEnd {
    /// It is done.
    Done,
    /// It failed; why.
    Failed(String),
}

/// What says that a failure is of the moment: a limit of use, a service that is busy or out of reach.
const PASSING: [&str; 14] = [
    "429",
    "rate limit",
    "rate_limit",
    "usage limit",
    "overloaded",
    "high demand",
    "try again",
    "timed out",
    "timeout",
    "connection",
    "network",
    "status 5",
    "server_error",
    "internal server error",
];

/// Whether a failure may pass, by what the agent says of it.
pub fn may_pass(why: &str) -> bool {
    let why = why.to_lowercase();
    PASSING.iter().any(|word| why.contains(word)) || ["500", "502", "503", "504", "529"].iter().any(|code| why.contains(code))
}

/// What is known of an attempt from its output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptStream {
    /// The conversation, as the agent names it.
    pub id: Option<String>,
    /// Whether it took the prompt.
    pub is_begun: bool,
    /// Whether it said or did something.
    pub is_heard: bool,
    /// The last thing it said.
    pub message: Option<String>,
    /// How its turn ended, if nothing followed.
    pub end: Option<StreamEnd>,
    /// How many of its wishes were denied.
    pub denied: u32,
    /// The last line that is none of its records: what it says when it cannot begin.
    pub plain: Option<String>,
    is_in_parts: bool,
}

/// The most of a message that is kept, in bytes.
const LONGEST: usize = 16 << 10;

impl AttemptStream {
    /// Takes what one more line says.
    pub fn take(&mut self, news: &StreamNews) {
        if news.id.is_some() {
            self.id.clone_from(&news.id);
        }
        self.is_begun |= news.is_begun || news.id.is_some();
        let is_active = news.text.is_some() || news.deed.is_some();
        if is_active {
            self.is_heard = true;
            // It goes on.
            self.end = None;
        }
        if let Some(text) = &news.text {
            match &mut self.message {
                Some(message) if news.is_part && self.is_in_parts => message.push_str(text),
                message => *message = Some(text.clone()),
            }
            if let Some(message) = self.message.as_mut().filter(|message| message.len() > LONGEST) {
                let end = (0..=LONGEST).rev().find(|at| message.is_char_boundary(*at)).unwrap_or_default();
                message.truncate(end);
            }
        }
        if is_active {
            self.is_in_parts = news.is_part;
        }
        if news.end.is_some() {
            self.end.clone_from(&news.end);
        }
        self.denied = self.denied.max(news.denied);
    }

    /// Takes a line that is no record.
    pub fn take_plain(&mut self, line: &str) {
        let line = line.trim();
        if !line.is_empty() {
            self.plain = Some(line.chars().take(400).collect());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn parts_are_one_message_and_an_end_that_something_follows_is_none() {
        let mut stream = AttemptStream::default();
        let part = |text: &str| StreamNews { text: Some(text.to_owned()), is_part: true, ..StreamNews::default() };
        for text in ["all ", "done"] {
            stream.take(&part(text));
        }
        assert_eq!(stream.message.as_deref(), Some("all done"));
        stream.take(&StreamNews { end: Some(StreamEnd::Done), ..StreamNews::default() });
        assert_eq!(stream.end, Some(StreamEnd::Done));
        stream.take(&StreamNews { deed: Some("ls".to_owned()), ..StreamNews::default() });
        assert_eq!(stream.end, None);
        stream.take(&part("more"));
        assert_eq!(stream.message.as_deref(), Some("more"));
    }

    #[test]
    fn a_message_is_kept_to_its_limit_and_stays_text() {
        let mut stream = AttemptStream::default();
        stream.take(&StreamNews { text: Some("é".repeat(LONGEST)), ..StreamNews::default() });
        let kept = stream.message.unwrap();
        assert!(kept.len() <= LONGEST && kept.chars().all(|c| c == 'é'));
    }
}

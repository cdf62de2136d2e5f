//! What the conversation of a job holds, once its agent has ended. Reads the agent's own files, and writes nothing.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::agent::{self, TranscriptIndex, TurnQuery};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::host::Environ;

/// So many turns are looked at for something that was asked.
const TURNS: usize = 20;

/// A conversation of a job.
#[derive(Debug)]
pub struct JobTalk<'a> {
    /// The agent.
    pub agent: AgentKind,
    /// What its agent has for an environment.
    pub env: &'a Environ,
    /// Where the job is done.
    pub cwd: &'a PathBuf,
    /// Its id.
    pub id: &'a str,
}

impl JobTalk<'_> {
    /// Whether something was asked in it, but for what an agent is told when it goes on. `Absent`: it can be read, and nothing was.
    pub fn asked(&self, continuing: &str, now: DateTime<Utc>) -> Fact<()> {
        let unreadable = || Fact::Unknown(format!("headcount does not read the turns of {}", self.agent));
        let Some(adapter) = agent::of(self.agent) else { return unreadable() };
        if !adapter.has_readable_turns() || !adapter.has_readable_transcripts() {
            return unreadable();
        }
        let Some(home) = adapter.home(self.env) else {
            return Fact::Unknown("where its agent keeps its files is not known".to_owned());
        };
        let id = ConversationId(self.id.to_owned());
        let transcript = match adapter.transcript(&TranscriptIndex::new(), &home, &id, &[self.cwd]) {
            Fact::Seen(transcript) => transcript,
            // Its agent says so itself when it is to go on there.
            Fact::Absent => return Fact::Unknown("it has no transcript".to_owned()),
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let page = match adapter.turns(&transcript, &id, &TurnQuery { last: TURNS, after: None, now }) {
            Fact::Seen(page) => page,
            Fact::Absent => return Fact::Unknown("it has no turns".to_owned()),
            Fact::Unknown(why) => return Fact::Unknown(why),
        };
        let mut asked = page.turns.iter().chain(&page.aside).flat_map(|turn| &turn.lines).chain(&page.queued);
        match asked.any(|line| line.text.trim() != continuing.trim()) {
            true => Fact::Seen(()),
            false if page.is_all => Fact::Absent,
            false => Fact::Unknown("its conversation is too long to be read".to_owned()),
        }
    }
}

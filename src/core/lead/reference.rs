//! Which entries a REF means: the first kind of name with a match counts, and nothing is guessed. Pure.

use crate::core::ids::{MuxKind, ServerKey, SessionKey};
use crate::core::manifest::pattern::glob;
use crate::core::manifest::{Manifest, Session};
use crate::core::task::TaskReference;

/// The shortest beginning of an id that may stand for it; Codex' ids begin with the time, so more of them is needed.
const SHORTEST: usize = 8;
const SHORTEST_CODEX: usize = 13;

/// The entries that a REF means, in the order of the manifest; none if it means nothing.
pub fn referred<'a>(manifest: &'a Manifest, text: &str) -> Vec<&'a Session> {
    let id = |session: &Session| session.recorded.session_id.as_ref().map(|id| id.as_str().to_owned());
    let has_wildcard = text.contains(['*', '?', '[']);
    let is_beginning = |session: &Session| {
        let shortest = if session.agent == crate::core::ids::AgentKind::Codex { SHORTEST_CODEX } else { SHORTEST };
        text.len() >= shortest && id(session).is_some_and(|id| id.starts_with(text))
    };
    let kinds: [&dyn Fn(&Session) -> bool; 7] = [
        &|session| session.key.name == text,
        &|session| is_placed(session, text),
        &|session| session.recorded.delegate_job_id.as_deref() == Some(text),
        &|session| id(session).is_some_and(|id| id == text),
        &|session| session.lead.task.as_deref().is_some_and(|task| is_task(task, text)),
        &|session| has_wildcard && glob(text, &session.key.name),
        &|session| is_beginning(session),
    ];
    let matching = |is: &dyn Fn(&Session) -> bool| {
        manifest.sessions.iter().map(AsRef::as_ref).filter(|session| is(session)).collect::<Vec<_>>()
    };
    kinds.into_iter().map(matching).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Whether a text means the work that an entry is about.
fn is_task(task: &str, text: &str) -> bool {
    task == text || TaskReference::parse(task).is_ok_and(|task| task.is_meant_by(text))
}

/// Whether a text is `MUX:SERVER:NAME` of a session, or `MUX:SERVER:PANE` of its recorded pane.
fn is_placed(session: &Session, text: &str) -> bool {
    let SessionKey { mux, server, name, .. } = &session.key;
    let rest = text.strip_prefix(&format!("{mux}:{server}:"));
    let pane = session.recorded.pane.as_ref().and_then(|pane| pane.id.as_deref());
    rest.is_some_and(|rest| rest == name || Some(rest) == pane)
}

/// The pane that a REF of the form `MUX:SERVER:PANE` means, whether or not an entry knows it.
pub fn pane_of(text: &str) -> Option<(ServerKey, &str)> {
    let (mux, rest) = text.split_once(':')?;
    let (server, pane) = rest.rsplit_once(':').filter(|(server, _)| !server.is_empty())?;
    let mux: MuxKind = mux.parse().ok()?;
    let number = match mux {
        MuxKind::Tmux => pane.strip_prefix('%'),
        MuxKind::Zellij => pane.strip_prefix("terminal_"),
    };
    let is_pane = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    is_pane.then(|| (ServerKey { mux, server: server.to_owned() }, pane))
}

/// Whether a REF may mean several sessions.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::PathBuf;

    use super::*;
    use crate::core::manifest::{Environment, read};

    #[test]
    fn a_pane_is_named_by_multiplexer_server_and_its_own_id() {
        let found = |text| pane_of(text).map(|(key, pane)| (key.mux, key.server, pane));
        assert_eq!(found("tmux:default:%3"), Some((MuxKind::Tmux, "default".to_owned(), "%3")));
        assert_eq!(found("tmux:/run/a:b:%12"), Some((MuxKind::Tmux, "/run/a:b".to_owned(), "%12")));
        assert_eq!(found("zellij:default:terminal_0"), Some((MuxKind::Zellij, "default".to_owned(), "terminal_0")));
        for odd in ["tmux:default:web", "tmux:default:%", "tmux:%3", "tmux::%3", "screen:default:%3", "tmux:default:%3x", "%3"]
        {
            assert_eq!(found(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_first_kind_with_a_match_counts() {
        let text = "version: 1\nsessions:\n\
            - {name: web, agent: claude, task: ENG-1, session_id: 7c1d52ce-0b1f-4c5e-9a63-2f6f1d7b8c90}\n\
            - {name: api, agent: codex, session_id: 01a1fc1b-b7b6-7361-96bb-4283a7de4ab6, delegate_job_id: web-2}\n\
            - {name: api, agent: claude, server: other}\n\
            - {name: 7c1d52ce, agent: claude}\n\
            - {name: fix, agent: claude, task: 'https://linear.app/acme/issue/ENG-1/fix-it'}\n\
            - {name: other, agent: claude, task: Write the docs}\n";
        let value = serde_yaml::from_str(text).unwrap();
        let environment = Environment { home: PathBuf::from("/h"), host: "h".into() };
        let (manifest, _) = read(&value, &value, &environment).unwrap();
        let found = |text: &str| referred(&manifest, text).iter().map(|session| session.index).collect::<Vec<_>>();
        assert_eq!(found("web"), [0]);
        assert_eq!(found("api"), [1, 2]);
        assert_eq!(found("tmux:other:api"), [2]);
        assert_eq!(found("web-2"), [1]);
        assert_eq!(found("ENG-1"), [0, 4], "an id means an issue wherever it is");
        assert_eq!(found("https://linear.app/acme/issue/ENG-1"), [0, 4]);
        assert_eq!(found("https://linear.app/acme/issue/ENG-2"), Vec::<usize>::new());
        assert_eq!(found("eng-1-fix-it"), [4]);
        assert_eq!(found("write-the-docs"), [5]);
        assert_eq!(found("a*"), [1, 2]);
        assert_eq!(found("7c1d52ce"), [3], "a name comes before the beginning of an id");
        assert_eq!(found("7c1d52ce-"), [0]);
        assert_eq!(found("01a1fc1b"), Vec::<usize>::new(), "too short for Codex");
        assert_eq!(found("01a1fc1b-b7b6"), [1]);
        assert_eq!(found("nothing"), Vec::<usize>::new());
    }
}

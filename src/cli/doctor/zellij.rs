//! zellij: whether it is there, whether its version can be used, and what is known of its sockets. Says nothing about it where
//! there is neither the program nor a session.

use std::path::Path;

use super::{Examiner, Finding};
use crate::core::fact::Fact;
use crate::core::ids::{MuxKind, ServerKey};
use crate::core::observe::Server;
use crate::host::RunError;
use crate::mux::{self, zellij};

const WHAT: &str = "zellij";

pub(super) fn rows(examiner: &Examiner) -> Vec<Finding> {
    let said = zellij::ask_version(&examiner.host);
    let found = mux::of(MuxKind::Zellij).list(&examiner.host, &examiner.env, ServerKey::DEFAULT);
    let mut rows: Vec<Finding> = program(said, &found).into_iter().collect();
    if !rows.is_empty() || !found.is_absent() {
        match zellij::address::base(ServerKey::DEFAULT, &examiner.env) {
            Ok(base) => rows.push(sessions(&zellij::address::sockets(&base), &found)),
            Err(why) => {
                rows.push(Finding::fail("zellij sockets", why, "set ZELLIJ_SOCKET_DIR to an absolute path, or unset it"))
            }
        }
    }
    rows
}

/// Whether there is a zellij that can be used.
pub(super) fn is_there(examiner: &Examiner) -> bool {
    zellij::ask_version(&examiner.host).is_ok_and(|said| matches!(zellij::version(&said), Ok(Some(_))))
}

/// The program; nothing where it is missing and nobody needs it.
fn program(said: Result<String, RunError>, found: &Fact<Server>) -> Option<Finding> {
    let upgrade =
        "its sessions need 0.44 or newer: before that, each version has sockets of its own and panes cannot be listed";
    match said {
        Err(RunError::NotFound(_)) if found.is_absent() => None,
        Err(RunError::NotFound(_)) => Some(Finding::fine(WHAT, "not in PATH, and not needed to see its sessions")),
        Err(error) => Some(Finding::fail(WHAT, error.to_string(), "`zellij --version` should answer at once")),
        Ok(said) => Some(match zellij::version(&said) {
            Ok(Some(version)) => Finding::fine(WHAT, version),
            Ok(None) => Finding::warn(
                WHAT,
                format!("{:?}, which is not a known version", said.trim()),
                "zellij 0.44 or newer is needed",
            ),
            Err(too_old) => Finding::fail(WHAT, too_old.to_string(), upgrade),
        }),
    }
}

/// What is alive at the default sockets.
fn sessions(sockets: &Path, found: &Fact<Server>) -> Finding {
    const WHAT: &str = "zellij sessions";
    let shown = sockets.display();
    match found {
        Fact::Absent => Finding::fine(WHAT, format!("none at {shown}")),
        Fact::Unknown(why) => Finding::fail(
            WHAT,
            why.clone(),
            "until you fix that, its sessions are unknown and headcount records nothing about them",
        ),
        Fact::Seen(server) => {
            let doubt = server.sessions.iter().find_map(|session| {
                let why = session.panes.iter().find_map(|pane| pane.agents.why_unknown())?;
                Some(format!("{}: {why}", session.name))
            });
            match doubt.or_else(|| server.unlisted.clone()) {
                None => Finding::fine(WHAT, format!("{} at {shown}", server.sessions.len())),
                Some(why) => {
                    Finding::warn(WHAT, why, "the sessions it hides are unknown, and headcount records nothing about them")
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::Grade;
    use super::*;
    use crate::core::observe::{MuxSession, Pane};

    fn said(text: &str) -> Result<String, RunError> {
        Ok(text.to_owned())
    }

    fn missing() -> Result<String, RunError> {
        Err(RunError::NotFound(WHAT.to_owned()))
    }

    #[test]
    fn each_version_gets_the_verdict_it_deserves() {
        for (answer, grade, part) in [
            (said("zellij 0.45.1\n"), Grade::Fine, "0.45.1"),
            (said("zellij 0.43.1\n"), Grade::Fail, "older than 0.44"),
            (said("something else\n"), Grade::Warn, "not a known version"),
        ] {
            let row = program(answer, &Fact::Absent).unwrap();
            assert_eq!(row.grade, grade, "{row:?}");
            assert!(row.found.contains(part), "{row:?}");
        }
    }

    #[test]
    fn a_machine_without_zellij_hears_nothing_of_it_unless_a_session_is_there() {
        assert_eq!(program(missing(), &Fact::Absent), None);
        assert_eq!(program(missing(), &Fact::Seen(Server::default())).unwrap().grade, Grade::Fine);
    }

    #[test]
    fn a_session_that_does_not_answer_is_named() {
        let silent = Pane {
            id: "terminal_?".to_owned(),
            pid: None,
            dead: None,
            runs: String::new(),
            agents: Fact::Unknown("silent".to_owned()),
            unread: None,
        };
        let session = |panes| MuxSession { id: "lab".to_owned(), name: "lab".to_owned(), created: None, process: None, panes };
        let row = |server: Server| sessions(Path::new("/z"), &Fact::Seen(server));
        let fine = row(Server { sessions: vec![session(Vec::new()).into()], ..Server::default() });
        assert_eq!((fine.grade, fine.found.as_str()), (Grade::Fine, "1 at /z"));
        let odd = row(Server { sessions: vec![session(vec![silent.into()]).into()], ..Server::default() });
        assert_eq!((odd.grade, odd.found.as_str()), (Grade::Warn, "lab: silent"));
        let hidden = row(Server { unlisted: Some("hidden".to_owned()), ..Server::default() });
        assert_eq!((hidden.grade, hidden.found.as_str()), (Grade::Warn, "hidden"));
    }
}

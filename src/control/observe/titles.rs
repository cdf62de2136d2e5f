//! What agents say by the titles of their panes, where their files do not tell. Asks a multiplexer only about those.

use std::collections::BTreeMap;

use super::Observer;
use super::transcripts::live_panes;
use crate::agent::{self, TitleReader};
use crate::core::fact::Fact;
use crate::core::ids::{ConversationId, ServerKey};
use crate::core::observe::{Activity, MuxSession, Observation, Process};
use crate::host::parallel::spread;
use crate::mux;

/// What live agents are doing, by conversation.
type Turns = BTreeMap<(Process, ConversationId), Fact<Activity>>;

/// An agent that says something by its title, and where that is shown.
struct Speaker<'a> {
    server: &'a ServerKey,
    session: &'a MuxSession,
    pane: &'a str,
    process: Process,
    read: TitleReader,
}

/// Completes what the files of agents told by the titles of their panes.
pub(super) fn heed(world: &Observer, seen: &Observation, turns: &mut Turns) {
    let speakers: Vec<Speaker<'_>> = live_panes(seen)
        .filter_map(|(server, session, pane, agent)| {
            let read = agent::of(agent.kind)?.title_reader()?;
            let mut own = turns.iter().filter(|((process, _), _)| *process == agent.process);
            let is_open = own.any(|(_, turn)| matches!(turn, Fact::Absent | Fact::Seen(Activity::Working)));
            is_open.then_some(Speaker { server, session, pane: &pane.id, process: agent.process, read })
        })
        .collect();
    let mut asked: BTreeMap<&ServerKey, Vec<&MuxSession>> = BTreeMap::new();
    for speaker in &speakers {
        let sessions = asked.entry(speaker.server).or_default();
        if !sessions.iter().any(|session| session.id == speaker.session.id) {
            sessions.push(speaker.session);
        }
    }
    let asked: Vec<_> = asked.into_iter().collect();
    let titles: BTreeMap<&ServerKey, mux::Titles> = spread(&asked, |(server, sessions)| {
        (*server, mux::of(server.mux).titles(world.host.as_ref(), &world.env, &server.server, sessions))
    })
    .into_iter()
    .collect();
    for Speaker { server, session, pane, process, read } in speakers {
        let title = titles.get(server).and_then(|titles| titles.get(&(session.id.clone(), pane.to_owned())));
        let Some(said) = title.and_then(|title| read(title)) else { continue };
        for (_, turn) in turns.iter_mut().filter(|((of, _), _)| *of == process) {
            complete(turn, said);
        }
    }
}

/// A title may be older than what the files say; that it waits for a person is not in them.
fn complete(turn: &mut Fact<Activity>, said: Activity) {
    match (&turn, said) {
        (Fact::Absent, _) | (Fact::Seen(Activity::Working), Activity::Waiting) => *turn = Fact::Seen(said),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_says_what_files_do_not_and_contradicts_them_only_about_waiting() {
        use Activity::{Idle, Waiting, Working};
        for (told, said, expected) in [
            (Fact::Absent, Idle, Fact::Seen(Idle)),
            (Fact::Absent, Waiting, Fact::Seen(Waiting)),
            (Fact::Seen(Working), Waiting, Fact::Seen(Waiting)),
            (Fact::Seen(Working), Idle, Fact::Seen(Working)),
            (Fact::Seen(Idle), Waiting, Fact::Seen(Idle)),
            (Fact::Seen(Idle), Working, Fact::Seen(Idle)),
            (Fact::Unknown("torn".to_owned()), Working, Fact::Unknown("torn".to_owned())),
        ] {
            let mut turn = told.clone();
            complete(&mut turn, said);
            assert_eq!(turn, expected, "{told:?} {said:?}");
        }
    }
}

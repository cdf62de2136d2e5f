//! Who a text is for: the live agent of an entry, its pane, its conversation and its transcript, as one pass sees them.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::agent::{Agents, TranscriptIndex};
use crate::control::lead::facts::{Ground, is_watched};
use crate::control::lead::patience::patiently;
use crate::control::lead::{LeadError, LeadRequest, about};
use crate::control::observe::Observer;
use crate::control::pass::{self, Mode, PassOptions};
use crate::core::agents::Declared;
use crate::core::drift::Presence;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, SessionKey};
use crate::core::lead::send::{Addressee, PaneAddress};
use crate::core::lead::turns::TranscriptPosition;
use crate::core::lead::{BlockCode, Blocked, Wish};
use crate::core::manifest::lead::Permissions;
use crate::core::observe::identity::{Ladder, Rung};
use crate::core::observe::{Activity, Process, Transcript};
use crate::store::operations::LedgerFile;

/// Whom a text is for.
#[derive(Debug)]
pub(super) struct Found {
    /// The agent and its pane.
    pub(super) to: Addressee,
    /// Its process.
    pub(super) process: Process,
    /// The conversation it is in.
    pub(super) conversation: Option<ConversationId>,
    /// The file of that, if it is there.
    pub(super) transcript: Option<Transcript>,
    /// Whether it runs in a mode in which it asks nobody for a permission, by its own arguments.
    pub(super) asks_nobody: bool,
    /// The agents that the manifest declares.
    pub(super) declared: Declared,
}

/// Nothing can be sent now, and why; and whom it was for, as far as that is known.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) why: Blocked,
    /// The conversation it would go to: that of its live agent, else the one that is recorded.
    pub(super) conversation: Option<(AgentKind, ConversationId)>,
    /// The agents that the manifest declares.
    pub(super) declared: Declared,
}

impl Found {
    /// Whether it is the same process in the same pane.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.to.pane == other.to.pane && self.process == other.process
    }

    /// Where its transcript ends.
    pub(super) fn position(&self, now: DateTime<Utc>) -> TranscriptPosition {
        let metadata = self.transcript.as_ref().and_then(|transcript| transcript.path.metadata().ok());
        TranscriptPosition {
            file: metadata.as_ref().map_or(0, MetadataExt::ino),
            end: metadata.as_ref().map_or(0, std::fs::Metadata::len),
            at: now,
        }
    }
}

/// Whether somebody has just done something at a terminal that shows a session. What cannot be told is said when it is sent to.
///
/// # Errors
/// The manifest or the ledger cannot be read.
pub fn is_shown(world: &Observer, request: &LeadRequest, key: &SessionKey) -> Result<bool, LeadError> {
    let request = LeadRequest { is_automatic: true, ..request.clone() };
    Ok(find(world, &request, key)?.is_err_and(|missed| missed.why.code == BlockCode::Attached))
}

/// Whether no rung knows a conversation of a process, and nothing was said in its workspace since it began.
fn has_said_nothing(ladder: &Ladder) -> bool {
    ladder.readings.iter().all(|reading| reading.fact.is_absent()) && ladder.said.seen().is_some_and(Vec::is_empty)
}

/// The same as `find`, where a multiplexer may be busy.
pub(super) fn find_patiently(
    world: &Observer,
    request: &LeadRequest,
    key: &SessionKey,
) -> Result<Result<Found, Missed>, LeadError> {
    let is_unknown = |missed: &Missed| missed.why.code == BlockCode::Unknown;
    patiently(|found| matches!(found, Ok(Err(missed)) if is_unknown(missed)), || find(world, request, key))
}

/// Looks for the agent of a session.
///
/// # Errors
/// The manifest or the ledger cannot be read. Inside: nothing can be sent to it, and why.
pub(super) fn find(world: &Observer, request: &LeadRequest, key: &SessionKey) -> Result<Result<Found, Missed>, LeadError> {
    let request = about(request, key, Wish::Manifest);
    let ledger = LedgerFile::new(&request.pass.state_home).read()?;
    let pass = pass::run(world, &PassOptions { mode: Mode::Look, ..request.pass.clone() })?;
    let (mut conversation, declared) = (None, pass.manifest().agents.clone());
    let missed = |why: Blocked, conversation: Option<(AgentKind, ConversationId)>| {
        Ok(Err(Missed { why, conversation, declared: declared.clone() }))
    };
    let Some(session) = pass.manifest().find(key) else {
        return missed(Blocked::new(BlockCode::NoAgent, "its entry is gone"), None);
    };
    let Some(verdict) = pass.verdict().entries.get(session.index) else {
        return missed(Blocked::new(BlockCode::Unknown, "nothing was concluded about it"), None);
    };
    let recorded = || session.recorded.session_id.clone().map(|id| (session.agent, id));
    let live = match &verdict.presence {
        Presence::Alive(live) => live,
        Presence::Unknown(why) => return missed(Blocked::new(BlockCode::Unknown, why.clone()), recorded()),
        Presence::Absent { how } => {
            return missed(Blocked::new(BlockCode::NoAgent, format!("it does not run: {how}")), recorded());
        }
        _ => return missed(Blocked::new(BlockCode::NoAgent, "its agent is not in it"), recorded()),
    };
    let lives_in = verdict.lives_in.clone().or_else(|| verdict.proven.as_ref().map(|(id, _)| id.clone()));
    if let Some(id) = &lives_in {
        conversation = Some((live.agent.kind, id.clone()));
    }
    let blocked = |code: BlockCode, why: String| missed(Blocked::new(code, why), conversation.clone());
    if let Some(why) = request.aim.as_ref().and_then(|aim| aim.is_missed(&live.pane.id, lives_in.as_ref())) {
        return blocked(BlockCode::NoAgent, why);
    }
    let seen = pass.observation();
    let server = live.session.served_by(seen.servers.get(&key.server_key()).and_then(Fact::seen));
    let (Some(server), Some(pane)) = (server, live.pane.pid) else {
        return blocked(BlockCode::Unknown, "the process of its server or its pane cannot be told".to_owned());
    };
    let agents = Agents::with(&pass.manifest().agents);
    let ground = Ground::new(world, &request, (&pass, &ledger), &agents);
    if !request.own && ground.is_our_own(session, live) {
        let why = "this command runs in that session; `--self` sends to it all the same".to_owned();
        return blocked(BlockCode::Attached, why);
    }
    if let Some(held) = ground.hold(session, &verdict.presence) {
        return missed(held, conversation);
    }
    if request.is_automatic {
        match is_watched(world, key, &live.session.id) {
            Some(false) => {}
            Some(true) => {
                let why = "somebody is at a terminal that shows it; `--yes` sends it all the same".to_owned();
                return blocked(BlockCode::Attached, why);
            }
            None => return blocked(BlockCode::Unknown, "whether somebody is attached to it cannot be told".to_owned()),
        }
    }
    let process = live.agent.process;
    let host = world.host.as_ref();
    let foreground = host.stat(process.pid).into_seen().and_then(|process| process.foreground);
    let place = lives_in.clone().map(|id| (process, id));
    let turn = place.as_ref().and_then(|place| seen.turns.get(place)?.seen().copied());
    let transcript = match (lives_in.as_ref(), &live.agent.home, agents.of(live.agent.kind)) {
        (Some(id), Fact::Seen(home), Some(adapter)) => {
            let cwds: Vec<&Path> =
                [live.agent.cwd.seen(), session.cwd.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
            adapter.transcript(&TranscriptIndex::new(), home, id, &cwds)
        }
        _ => Fact::Unknown("its conversation is not known".to_owned()),
    };
    // A conversation that its process is proven to be in, and that has no file yet, waits for its first prompt.
    let is_proven = verdict.proven.as_ref().is_some_and(|(_, rung)| *rung <= Rung::Start);
    let argv = host.process(process.pid).into_seen().map(|process| process.argv).unwrap_or_default();
    let adapter = agents.of(live.agent.kind);
    let is_blank =
        lives_in.is_none() && adapter.is_some_and(|it| it.begins_blank(&argv)) && has_said_nothing(&live.agent.ladder);
    let is_unspoken = turn.is_none() && (transcript.is_absent() && is_proven || is_blank);
    let turn = turn.or_else(|| is_unspoken.then_some(Activity::Idle));
    let transcript = transcript.into_seen();
    let to = Addressee {
        agent: live.agent.kind,
        pane: PaneAddress { session: key.clone(), server, id: live.pane.id.clone(), pid: pane },
        activity: seen.phases.get(&process).copied().or(turn),
        is_unspoken,
        beside: place.as_ref().and_then(|place| seen.awaited.get(place).cloned()),
        is_foreground: foreground.zip(host.group(process.pid)).map(|(has, is)| has == is),
    };
    let bypass: Vec<&str> = adapter
        .and_then(|adapter| adapter.drive()?.mode(Permissions::Bypass))
        .map(|flags| flags.iter().collect())
        .unwrap_or_default();
    let asks_nobody = !bypass.is_empty() && bypass.iter().all(|flag| argv.iter().any(|word| word == flag));
    Ok(Ok(Found { to, process, conversation: lives_in, transcript, asks_nobody, declared }))
}

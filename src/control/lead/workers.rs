//! Workers: sessions that a front end starts for its callers. Their entries stand in a manifest of headcount's own, in the state
//! directory, and everything that is done to them is an operation like any other.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::act::{self, Deed};
use super::reading::{ReadSubject, SeveralMeant, of_conversation, turns};
use super::send::{TypedText, type_to};
use super::{
    FrontRequest, LeadRequest, Queueing, SendRequest, SentText, append, ask, carry_out, effects, launcher, plan_to_act,
    remove_all, send,
};
use crate::agent::TurnQuery;
use crate::control::observe::{Observer, lookup};
use crate::control::pass::{self, PassError, PassOptions};
use crate::core::agents::Declared;
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId, MuxKind, ServerKey, SessionKey};
use crate::core::lead::send::{AskReport, PaneAddress, SendReceipt, TextOptions};
use crate::core::lead::turns::Turn;
use crate::core::lead::{ActionKind, BlockCode, LeadProfile, LeadRule, OperationReport, Outcome, Permit, Standing, Wish};
use crate::core::manifest::Session;
use crate::core::observe::{MuxSession, Transcript};
use crate::core::text::printable;
use crate::store::paths::StateHome;

/// What their manifest begins with.
const HEAD: &str = "\
# Sessions that were started through a front end of headcount, which edits this file itself.
version: 1
discovery: { names: [] }
lead: { spacing: 0s, ready: 50s }
sessions: []
";

/// How long a session that was closed may take to be gone.
const CLOSES: Duration = Duration::from_secs(3);

/// What is written of a worker.
#[derive(Debug, Clone)]
pub struct WorkerEntry {
    /// Its name.
    pub name: String,
    /// Its agent.
    pub agent: AgentKind,
    /// Where it works.
    pub cwd: Option<PathBuf>,
    /// The conversation that was recorded.
    pub conversation: Option<ConversationId>,
    /// The arguments of the caller that it was started with.
    pub arguments: Vec<String>,
}

/// The label of an entry that keeps the arguments of the caller.
const ARGUMENTS: &str = "arguments";

/// The arguments that an entry keeps.
fn arguments(session: &Session) -> Vec<String> {
    let kept = session.labels.get(ARGUMENTS).map(String::as_str);
    kept.and_then(|kept| serde_json::from_str(kept).ok()).unwrap_or_default()
}

/// The workers of one front end.
pub struct WorkerFleet {
    /// The world they are in.
    pub world: Observer,
    pass: PassOptions,
    profile: LeadProfile,
    by: String,
}

impl WorkerFleet {
    /// Those of a tool, on behalf of somebody. Their manifest is made if it is not there.
    ///
    /// # Errors
    /// One line.
    pub fn new(world: Observer, state_home: StateHome, profile: LeadProfile, by: String) -> Result<Self, String> {
        let manifest = state_home.frontends().join(format!("{}.yaml", profile.name));
        begin(&manifest).map_err(|error| format!("cannot make {}: {error}", manifest.display()))?;
        let pass = PassOptions::look(manifest, state_home);
        Ok(Self { world: Observer { activity: true, ..world }, pass, profile, by })
    }

    /// The session of a name, on the default server of tmux.
    pub fn key(&self, name: &str) -> SessionKey {
        let host = self.world.host.name().to_owned();
        SessionKey { host, mux: MuxKind::Tmux, server: ServerKey::DEFAULT.to_owned(), name: name.to_owned() }
    }

    /// The names of all sessions on that server.
    pub fn names(&self) -> Fact<BTreeSet<String>> {
        let server = lookup::server(&self.world, &self.key("").server_key());
        server.map(|server| server.sessions.iter().map(|session| session.name.clone()).collect())
    }

    fn request(&self, name: &str, wish: Wish, front: FrontRequest) -> Result<LeadRequest, String> {
        let relaxes = |rule| self.profile.relaxes(rule);
        Ok(LeadRequest {
            pass: self.pass.clone(),
            only: Some(BTreeSet::from([self.key(name)])),
            wish,
            take: true,
            reuse: false,
            fork: None,
            says_prompt: false,
            now: relaxes(LeadRule::TurnEnd),
            kill: relaxes(LeadRule::Kill),
            timeout: Duration::from_secs(30),
            own: false,
            is_automatic: !relaxes(LeadRule::Watched),
            is_found: false,
            by: self.by.clone(),
            holder: self.by.clone(),
            passes_hold: false,
            cause: None,
            parallel: 1,
            aim: None,
            launcher: launcher()?,
            front: FrontRequest { profile: self.profile, ..front },
        })
    }

    /// Declares a worker and starts it: in a new conversation, or to go on in the one that its entry names. `prepare` is done once it is
    /// known that it can be started, and before it is.
    ///
    /// # Errors
    /// One line: nothing was begun.
    pub fn start(
        &self,
        name: &str,
        entry: &serde_json::Value,
        is_fresh: bool,
        front: FrontRequest,
        prepare: &dyn Fn() -> Result<(), String>,
    ) -> Result<OperationReport, String> {
        let key = self.key(name);
        let was_known = self.entries()?.iter().any(|known| known.name == name);
        self.forget(name)?;
        let mut entry = entry.clone();
        if let (Some(fields), false) = (entry.as_object_mut(), front.arguments.is_empty()) {
            let kept = serde_json::Value::from(front.arguments.clone()).to_string();
            fields.insert("labels".to_owned(), serde_json::json!({ ARGUMENTS: kept }));
        }
        append(&self.world, &self.pass, &key, &entry).map_err(|error| line(&error))?;
        let request = LeadRequest { reuse: true, ..self.request(name, Wish::Start { fresh: is_fresh }, front)? };
        let planned = plan_to_act(&self.world, &request, &mut |_| {}).map_err(|error| line(&error))?;
        let standing = planned.judged.first().map(|one| &one.standing);
        let obstacle = match standing {
            Some(Standing::Planned(_)) => prepare().err(),
            Some(Standing::Blocked(blocked)) => Some(format!("{}: {}", blocked.code.as_str(), blocked.message)),
            Some(Standing::Met(_)) => Some("a live agent is in it already".to_owned()),
            Some(Standing::Unled) | None => Some("internal error: nothing was judged".to_owned()),
        };
        if let Some(why) = obstacle {
            // What was known of it stays, for the next time that somebody wants to bring it back.
            if is_fresh || !was_known {
                remove_all(&self.world, &request, &planned, true, &|_| {});
            }
            return Err(why);
        }
        let mut reports = carry_out(&self.world, &request, &planned, &|_| {});
        reports.pop().ok_or_else(|| "internal error: nothing was judged".to_owned())
    }

    /// Declares a worker that somebody else has started, unless it is declared.
    ///
    /// # Errors
    /// One line.
    pub fn declare(&self, name: &str, entry: &serde_json::Value) -> Result<(), String> {
        let key = self.key(name);
        match self.entries()?.iter().any(|known| known.name == name) {
            true => Ok(()),
            false => append(&self.world, &self.pass, &key, entry).map(drop).map_err(|error| line(&error)),
        }
    }

    /// Ends a worker, and takes its entry out unless that is to be kept. Its session goes too, whatever else is in it by now.
    ///
    /// # Errors
    /// One line: it may still be there.
    pub fn end(&self, name: &str, keeps_entry: bool) -> Result<(), String> {
        self.ended(name, keeps_entry)?;
        let key = self.key(name);
        match lookup::session(&self.world, &key) {
            Fact::Absent => Ok(()),
            Fact::Unknown(why) => Err(why),
            Fact::Seen((session, server)) => self.close(name, &session, server),
        }
    }

    /// Closes what is left of a session.
    fn close(&self, name: &str, session: &MuxSession, server: u32) -> Result<(), String> {
        let (key, request) = (self.key(name), self.request(name, Wish::Stop, FrontRequest::default())?);
        let _lock = act::lock(&self.world, &request, &key).map_err(|blocked| blocked.message)?;
        act::is_free(&self.world, &request, &key, session).map_err(|blocked| blocked.message)?;
        let deed = Deed { action: ActionKind::Stop, session: &key, agent: AgentKind::Claude, conversation: None };
        let operation = act::operation(&self.world, &request, &deed);
        let permit = Permit::of_session_end(&operation, self.profile).ok_or("headcount made no such session")?;
        effects::close(&self.world, &permit, (&session.id, server))?;
        let begun = Instant::now();
        while begun.elapsed() < CLOSES {
            if lookup::session(&self.world, &key).is_absent() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("the session {name} is still there"))
    }

    /// The entries of all workers: name, agent, working directory, and the conversation that was recorded.
    ///
    /// # Errors
    /// One line: their manifest cannot be read.
    pub fn entries(&self) -> Result<Vec<WorkerEntry>, String> {
        let pass = pass::run(&self.world, &self.pass).map_err(|error| line(&error))?;
        let entry = |session: &Arc<Session>| WorkerEntry {
            name: session.key.name.clone(),
            agent: session.agent,
            cwd: session.cwd.clone(),
            conversation: session.recorded.session_id.clone(),
            arguments: arguments(session),
        };
        Ok(pass.manifest().sessions.iter().map(entry).collect())
    }

    /// The last turn of a conversation that somebody asked something in.
    pub fn last_turn(&self, agent: AgentKind, id: &str, transcript: Option<&Path>) -> Fact<Turn> {
        let declared = Declared::default();
        let subject = match transcript {
            None => match of_conversation(&self.world, &declared, id) {
                Ok(Fact::Seen(subject)) => subject,
                Ok(Fact::Absent) => return Fact::Absent,
                Ok(Fact::Unknown(why)) => return Fact::Unknown(why),
                Err(SeveralMeant(several)) => return Fact::Unknown(format!("several have it: {}", several.join(", "))),
            },
            Some(path) => {
                let Some(modified) = path.metadata().and_then(|it| it.modified()).ok() else { return Fact::Absent };
                let transcript = Transcript { path: path.to_owned(), modified: modified.into(), is_archived: false };
                ReadSubject {
                    session: None,
                    agent: Some(agent),
                    conversation: Fact::Seen((ConversationId(id.to_owned()), Fact::Seen(transcript))),
                    pane: None,
                    is_alive: false,
                    doubt: None,
                }
            }
        };
        let query = TurnQuery { last: 2, after: None, now: self.world.host.now() };
        match turns(&declared, &subject, &query) {
            Fact::Seen(page) => {
                page.turns.into_iter().rev().find(|turn| turn.prompt.is_some()).map_or(Fact::Absent, Fact::Seen)
            }
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    /// What the pane of a worker shows.
    pub fn screen(&self, name: &str) -> Option<String> {
        let key = self.key(name);
        let (session, server) = lookup::session(&self.world, &key).into_seen()?;
        let pane = session.panes.first()?;
        let address = PaneAddress { session: key, server, id: pane.id.clone(), pid: pane.pid? };
        effects::composer_pane(&self.world, &address).ok().map(|view| view.screen.text())
    }

    /// The processes in the pane of a worker: pid, parent, arguments.
    pub fn processes(&self, name: &str) -> Vec<String> {
        let session = lookup::session(&self.world, &self.key(name)).into_seen();
        let roots: Vec<u32> = session.iter().flat_map(|(session, _)| &session.panes).filter_map(|pane| pane.pid).collect();
        let (host, mut known, mut lines) = (self.world.host.as_ref(), roots.clone(), Vec::new());
        let rows = host.table().into_seen().unwrap_or_default();
        // Children have been made after their parents, but may have smaller ids; a few rounds find them all.
        for _ in 0..8 {
            known.extend(rows.iter().filter(|row| known.contains(&row.parent)).map(|row| row.pid).collect::<Vec<_>>());
            known.sort_unstable();
            known.dedup();
        }
        for pid in known {
            if let Fact::Seen(process) = host.process(pid) {
                lines.push(printable(&format!("{pid} {} {}", process.parent, process.argv.join(" "))).into_owned());
            }
        }
        lines
    }

    /// Takes out the entry of a worker that does not run any more. Where nothing can be told of it, or it runs, it stays.
    ///
    /// # Errors
    /// One line: it stays.
    pub fn forget(&self, name: &str) -> Result<(), String> {
        let request = self.request(name, Wish::Stop, FrontRequest::default())?;
        let planned = plan_to_act(&self.world, &request, &mut |_| {}).map_err(|error| line(&error))?;
        match planned.judged.first().map(|one| &one.standing) {
            None => return Ok(()),
            Some(Standing::Planned(_)) => return Err("a live agent is in it".to_owned()),
            Some(Standing::Blocked(blocked)) => return Err(blocked.message.clone()),
            Some(Standing::Met(_) | Standing::Unled) => {}
        }
        self.ended(name, false)
    }

    /// Ends an agent if it runs, and takes its entry out unless that is to be kept.
    fn ended(&self, name: &str, keeps_entry: bool) -> Result<(), String> {
        let request = self.request(name, Wish::Stop, FrontRequest::default())?;
        let planned = plan_to_act(&self.world, &request, &mut |_| {}).map_err(|error| line(&error))?;
        let reports = match keeps_entry {
            true => carry_out(&self.world, &request, &planned, &|_| {}),
            false => remove_all(&self.world, &request, &planned, false, &|_| {}),
        };
        let wrong = reports.into_iter().find(|report| !matches!(report.outcome, Outcome::Done | Outcome::Skipped));
        wrong.map_or(Ok(()), |report| Err(report.why.unwrap_or_else(|| "it could not be stopped".to_owned())))
    }

    /// Sends a text to a worker. Where no agent is known to be in its pane, it is typed all the same if the profile says so.
    ///
    /// # Errors
    /// One line: nothing was typed.
    pub fn send(&self, name: &str, agent: AgentKind, text: &str, typed: &TypedText) -> Result<SendReceipt, String> {
        let (request, letter) = self.letter(name, agent, text)?;
        let receipt = send(&self.world, &request, &letter).map_err(|error| line(&error))?;
        if receipt.code == Some(BlockCode::NoAgent) && self.profile.relaxes(LeadRule::AgentInPane) {
            return Ok(type_to(&self.world, &request, (&self.key(name), agent), text, typed));
        }
        Ok(receipt)
    }

    /// Sends a text to a worker, and waits for the answer.
    ///
    /// # Errors
    /// One line: nothing was typed.
    pub fn ask(&self, name: &str, agent: AgentKind, text: &str, timeout: Duration) -> Result<AskReport, String> {
        let (request, letter) = self.letter(name, agent, text)?;
        ask(&self.world, &request, &SendRequest { mid_turn: false, ..letter }, timeout, &|_| {}).map_err(|error| line(&error))
    }

    fn letter(&self, name: &str, agent: AgentKind, text: &str) -> Result<(LeadRequest, SendRequest), String> {
        let request = self.request(name, Wish::Manifest, FrontRequest::default())?;
        let letter = SendRequest {
            session: self.key(name),
            agent,
            what: SentText::New(text.to_owned(), TextOptions { strip: true, command: true }),
            key: None,
            is_preview: false,
            submits: true,
            interrupts: false,
            mid_turn: self.profile.relaxes(LeadRule::TurnOver),
            queueing: Queueing::Never,
        };
        Ok((request, letter))
    }
}

/// Makes the manifest if it is not there, for its owner alone.
fn begin(path: &PathBuf) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    // Whole from the first moment on, and never over one that somebody else has just made.
    let whole = path.with_extension(format!("new.{}", std::process::id()));
    let _ = std::fs::remove_file(&whole);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&whole)?;
    let made = io::Write::write_all(&mut file, HEAD.as_bytes()).and_then(|()| std::fs::hard_link(&whole, path));
    let _ = std::fs::remove_file(&whole);
    made.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}

fn line(error: &dyn std::error::Error) -> String {
    PassError::line(error)
}

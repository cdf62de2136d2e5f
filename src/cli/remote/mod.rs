//! Commands that are done on another host: which one is meant, what is handed on, and how its answer is shown. What it says is shown and
//! never run; how it is reached is owned by `control::remote`.

mod reach;
mod status;
mod words;

use std::io::{self, IsTerminal as _, Read as _};
use std::ops::ControlFlow;
use std::path::Path;

use clap::{ArgMatches, Command};

use super::args::{JobVerb, Verb};
use super::asker::{self, asker, holder};
use super::error::{CliError, Exit};
use super::manifest_path::{self, Surroundings};
use super::{Context, run_pass, signals};
use crate::control::lead::{PermissionFile, scope_of};
use crate::control::remote::{AnswerWriter, RemoteConnection, RemoteError, RemotePiece};
use crate::core::lead::{OperationId, referred};
use crate::core::manifest::names::hosts::TAKEN;
use crate::core::manifest::{Manifest, RemoteHost};
use crate::core::remote::{LONGEST_LINE, ServeCall, ShownPieces};
use crate::store::manifest::ManifestFile;
use crate::store::paths::StateHome;
pub(crate) use reach::Reach;
pub(crate) use status::FarStatus;
pub(crate) use words::CommandWords;

/// The name that stands for every host.
const ALL: &str = "all";

/// Other hosts, and what they are asked.
#[derive(Debug)]
pub(crate) struct Away {
    /// The hosts, by the names that commands use.
    pub(crate) hosts: Vec<(String, RemoteHost)>,
    /// Whether every host is meant, and this one.
    pub(crate) is_all: bool,
    /// The command.
    pub(crate) words: CommandWords,
}

/// The hosts that a command is meant for; `None`: this one.
///
/// # Errors
/// There is no such host, several are meant, or the command is not done elsewhere.
pub(crate) fn away(
    verb: &Verb,
    (command, matches): (&Command, &ArgMatches),
    context: &Context,
) -> Result<Option<Away>, CliError> {
    let asked = context.globals.host.as_deref();
    if matches!(verb, Verb::Complete(_) | Verb::Serve(_) | Verb::Mcp(_)) && asked.is_none() {
        return Ok(None);
    }
    if asker::is_elsewhere() {
        return match asked {
            None => Ok(None),
            Some(_) => Err(CliError::new(Exit::Usage, "a host that is asked from elsewhere asks no other; nothing was done")),
        };
    }
    let mut words = CommandWords::of(command, matches)?;
    let prefixes = words.operands.iter().filter(|operand| operand.is_reference).filter_map(|operand| prefix(&operand.text));
    if asked.is_none() && prefixes.count() == 0 {
        return Ok(None);
    }
    let declared = match asked {
        Some(_) => Some(manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real())?),
        None => manifest_path::find(context.globals.manifest.as_deref(), &Surroundings::real()).ok(),
    };
    let Some(found) = declared else { return Ok(None) };
    let manifest = match asked {
        Some(_) => run_pass::load(&found.path, context)?,
        None => match run_pass::declared(&found.path) {
            Some(manifest) => manifest,
            None => return Ok(None),
        },
    };
    let Some(name) = meant(asked, &mut words, &manifest)? else { return Ok(None) };
    if let Reach::Never(why) = Reach::of(verb)
        && !matches!(verb, Verb::Attach(_))
    {
        let verb = words.verb.join(" ");
        return Err(CliError::new(Exit::Refused, format!("`headcount {verb}` is not done on another host: {why}")));
    }
    allowed(&found.path, found.is_found_here, &manifest)?;
    let is_all = name == ALL;
    let hosts = manifest.hosts.into_iter().filter(|(host, _)| is_all || *host == name).collect();
    Ok(Some(Away { hosts, is_all, words }))
}

/// What stands before a colon and may be the name of a host.
fn prefix(text: &str) -> Option<&str> {
    let (before, after) = text.split_once(':')?;
    (!before.is_empty() && !after.is_empty() && !TAKEN.contains(&before)).then_some(before)
}

/// The one host that is meant; its name is taken off the words.
fn meant(asked: Option<&str>, words: &mut CommandWords, manifest: &Manifest) -> Result<Option<String>, CliError> {
    let mut named: Vec<String> = Vec::new();
    let mut is_plain = false;
    for operand in words.operands.iter_mut().filter(|operand| operand.is_reference) {
        let host = prefix(&operand.text).filter(|host| manifest.hosts.contains_key(*host)).map(str::to_owned);
        // What is called so here is meant first.
        match host.filter(|_| asked.is_some() || referred(manifest, &operand.text).is_empty()) {
            Some(host) => {
                operand.text = operand.text.split_off(host.len() + 1);
                named.push(host);
            }
            None => is_plain = true,
        }
    }
    let several = || {
        CliError::new(Exit::Usage, "sessions of several hosts are named; nothing was done")
            .hint("name those of one host at a time; `headcount status -H all` shows every host")
    };
    match asked {
        None if named.is_empty() => return Ok(None),
        None if is_plain => return Err(several()),
        _ => {}
    }
    let name = asked.map(str::to_owned).or_else(|| named.first().cloned()).unwrap_or_default();
    if named.iter().any(|other| *other != name) {
        return Err(several());
    }
    if name == ALL {
        let is_status = words.verb.first().is_some_and(|verb| verb == "status");
        return match (is_status, manifest.hosts.is_empty()) {
            (true, false) => Ok(Some(name)),
            (true, true) => Err(CliError::new(Exit::Failure, "the manifest names no hosts").hint(EXAMPLE)),
            (false, _) => {
                Err(CliError::new(Exit::Usage, "only `headcount status` asks all hosts at once").hint("name one host"))
            }
        };
    }
    if !manifest.hosts.contains_key(&name) {
        let known = manifest.hosts.keys().cloned().collect::<Vec<_>>().join(", ");
        let error = CliError::new(Exit::Failure, format!("the manifest names no host {name}"));
        return Err(if known.is_empty() { error.hint(EXAMPLE) } else { error.hint(format!("its hosts: {known}")) });
    }
    Ok(Some(name))
}

const EXAMPLE: &str = "`hosts: { ml: { ssh: [ml] } }` in the manifest names one, by the name that ssh takes";

/// Whether the manifest may say which hosts are talked to.
fn allowed(path: &Path, is_found: bool, manifest: &Manifest) -> Result<(), CliError> {
    let home = StateHome::from_environment(|name| std::env::var_os(name))?;
    let resolved = ManifestFile::open(path)?.resolved()?;
    match PermissionFile::new(&home, &resolved).permission(&scope_of(manifest), is_found).refusal() {
        Some(refusal) => Err(CliError::new(Exit::Refused, format!("{}: {}", refusal.code.as_str(), refusal.message))),
        None => Ok(()),
    }
}

impl Away {
    /// Does it on the one host that is meant, and shows what that says.
    pub(crate) fn run(mut self, verb: &Verb, context: &Context) -> Result<Exit, CliError> {
        let reach = Reach::of(verb);
        let input = self.input(verb)?;
        let Some((name, host)) = self.hosts.into_iter().next() else { return Ok(Exit::Failure) };
        signals::end_on_interrupt();
        let mut connection = open(&name, &host, reach)?;
        odd(&name, &connection).iter().for_each(|note| context.out.note(note));
        let is_colored = context.out.look.color;
        let words = if is_colored { self.words.with("--color=always") } else { self.words };
        let asks = input.is_none() && asker::is_person() && !context.out.is_kept();
        let call = ServeCall { input, asks, ..call(words, &host)? };
        let mut shown = Shown::new(context, asks.then(|| connection.answers()));
        let ended = connection.call(call, reach.is_endless(), |piece| shown.show(piece));
        shown.finish()?;
        let ended = ended.map_err(|error| lost(&name, error, reach))?;
        match ended.why {
            Some(why) => Err(CliError::new(exit(ended.exit), format!("{name}: {why}"))),
            None => Ok(exit(ended.exit)),
        }
    }

    /// What the command reads here and is handed there: a file of this host, or the standard input.
    fn input(&mut self, verb: &Verb) -> Result<Option<String>, CliError> {
        let is_piped = match verb {
            Verb::Send(args) => args.text.as_deref() == Some("-"),
            Verb::Ask(args) => args.text.as_deref() == Some("-"),
            Verb::Job(args) => matches!(&args.verb, JobVerb::Submit(args) if args.prompt == "-"),
            _ => false,
        };
        let file = match verb {
            Verb::Send(args) => args.file.as_deref(),
            Verb::Ask(args) => args.file.as_deref(),
            _ => None,
        };
        if file.is_none() && !is_piped {
            return Ok(None);
        }
        let what = file.map_or_else(|| "the standard input".to_owned(), |file| file.display().to_string());
        let mut bytes = Vec::new();
        let most = LONGEST_LINE as u64;
        let read = match file.filter(|file| file.as_os_str() != "-") {
            Some(file) => std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes)),
            None => io::stdin().lock().take(most).read_to_end(&mut bytes),
        };
        read.map_err(|error| CliError::new(Exit::Failure, format!("cannot read {what}: {error}")))?;
        let odd = |_| CliError::new(Exit::Refused, format!("{what} is not UTF-8; nothing was sent"));
        let text = String::from_utf8(bytes).map_err(odd)?;
        if file.is_some() {
            self.words = std::mem::take(&mut self.words).without(&["file"]).with("--file=-");
        }
        Ok(Some(text))
    }
}

/// What a host is asked.
pub(crate) fn call(words: CommandWords, host: &RemoteHost) -> Result<ServeCall, CliError> {
    let state = StateHome::from_environment(|name| std::env::var_os(name))?;
    let here = run_pass::surroundings().host;
    let operation = std::env::var(asker::variable::OPERATION).ok().as_deref().and_then(OperationId::parse);
    Ok(ServeCall {
        words: words.typed(),
        manifest: host.manifest.clone(),
        by: format!("{here}: {}", asker()),
        holder: format!("{} on {here}", holder(&state)),
        is_agent: asker::is_agents(),
        operation: operation.map(|id| id.to_string()),
        ..ServeCall::default()
    })
}

/// Connects, or says why not.
pub(crate) fn open(name: &str, host: &RemoteHost, reach: Reach) -> Result<RemoteConnection, CliError> {
    RemoteConnection::open(name, host).map_err(|error| {
        let done = if reach.is_look() { "" } else { "; nothing was done" };
        let told = CliError::caused_by(failed(reach), &Told(&error, done));
        match error {
            RemoteError::Unreachable { .. } => {
                told.hint(format!("`ssh` to it by hand shows more; `hosts` of the manifest says how {name} is reached"))
            }
            RemoteError::NoHeadcount { .. } => told.hint(format!(
                "install it there, or say where it is: `hosts: {{ {name}: {{ headcount: ~/.cargo/bin/headcount }} }}`"
            )),
            RemoteError::TooOld { .. } | RemoteError::OtherVersion { .. } => told.hint("install the same version on both"),
            RemoteError::Garbled { .. } => told.hint("`headcount serve --stdio` there has to print nothing but its own lines"),
            RemoteError::NoSsh => told.hint("install OpenSSH's client"),
            _ => told,
        }
    })
}

/// An error and what it means for what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}{1}")]
struct Told<'a>(&'a RemoteError, &'a str);

/// What is said where a connection broke in the middle.
fn lost(name: &str, error: RemoteError, reach: Reach) -> CliError {
    let told = CliError::caused_by(failed(reach), &error);
    match (reach, error) {
        (_, RemoteError::TooLong) => told,
        (Reach::Act, _) => {
            told.hint(format!("what it began there goes on; `headcount -H {name} history` shows what became of it"))
        }
        (Reach::Keep, _) => told.hint("what was in flight there is done to its end"),
        _ => told,
    }
}

/// What is not known of a host is unknown; what could not be done has failed.
fn failed(reach: Reach) -> Exit {
    if reach.is_look() { Exit::Unknown } else { Exit::Failure }
}

/// The exit code that a host gives.
fn exit(code: u8) -> Exit {
    let all =
        [Exit::Done, Exit::Failure, Exit::Drift, Exit::Refused, Exit::Unknown, Exit::Usage, Exit::Busy, Exit::Interrupted];
    all.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Failure)
}

/// What a person should know of the headcount that answers.
fn odd(name: &str, connection: &RemoteConnection) -> Vec<String> {
    let (hello, own) = (connection.hello(), env!("CARGO_PKG_VERSION"));
    let version = (hello.version != own).then(|| format!("{name} runs headcount {}, this is {own}", hello.version));
    let clock = connection.skew().map(|ahead| format!("the clock of {name} is {}", skew(ahead)));
    version.into_iter().chain(clock).collect()
}

/// How far a clock is off, in words.
fn skew(ahead: chrono::TimeDelta) -> String {
    let seconds = ahead.num_seconds().unsigned_abs();
    let length = match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    };
    format!("{length} {}", if ahead.num_seconds() < 0 { "behind" } else { "ahead" })
}

/// What a host says, on its way to the streams of this process.
struct Shown<'a> {
    context: &'a Context,
    out: Option<ShownPieces>,
    err: Option<ShownPieces>,
    answers: Option<AnswerWriter>,
    failure: Option<CliError>,
}

impl<'a> Shown<'a> {
    fn new(context: &'a Context, answers: Option<AnswerWriter>) -> Self {
        // A pipe gets what the command says, as it would here.
        let on = |is_terminal: bool| is_terminal.then(ShownPieces::default);
        let is_shown = context.out.is_kept() || io::stderr().is_terminal();
        Self { context, out: on(context.out.look.tty || context.out.is_kept()), err: on(is_shown), answers, failure: None }
    }

    /// Shows a piece; breaks if nobody reads any more.
    fn show(&mut self, piece: RemotePiece<'_>) -> ControlFlow<()> {
        let is_read = match piece {
            RemotePiece::Out(text) => {
                let text = self.out.as_mut().map(|shown| shown.next(text)).unwrap_or_else(|| text.to_owned());
                self.context.out.go_on(&text, "the answer")
            }
            RemotePiece::Err(text) => {
                let shown = self.err.as_mut().map(|shown| shown.next(text)).unwrap_or_else(|| text.to_owned());
                self.context.out.stderr(&shown);
                self.answer(text);
                Ok(true)
            }
            RemotePiece::Beat => Ok(self.context.out.is_read()),
        };
        match is_read {
            Ok(true) => ControlFlow::Continue(()),
            Ok(false) => ControlFlow::Break(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Lets the person who is here answer a question.
    fn answer(&self, text: &str) {
        let Some(answers) = self.answers.as_ref().filter(|_| text.ends_with(asker::QUESTION)) else { return };
        let mut line = String::new();
        let _ = io::stdin().read_line(&mut line);
        if !line.ends_with('\n') {
            line.push('\n');
        }
        // If it cannot be handed on the connection is cut, which is told by whoever reads it.
        let _ = answers.answer(line);
    }

    fn finish(mut self) -> Result<(), CliError> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if let Some(rest) = self.out.as_mut().map(ShownPieces::rest).filter(|rest| !rest.is_empty()) {
            self.context.out.go_on(&rest, "the answer")?;
        }
        if let Some(rest) = self.err.as_mut().map(ShownPieces::rest) {
            self.context.out.stderr(&rest);
        }
        Ok(())
    }
}

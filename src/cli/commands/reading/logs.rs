//! `headcount logs`: a conversation step by step, as it goes on.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Source, document_line, is_unknown, resolve, shown_entry, source};
use crate::cli::args::LogsArgs;
use crate::cli::error::{CliError, Exit};
use crate::cli::render::turn;
use crate::cli::{Context, signals};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::lead::turns::{LOG_SCHEMA, LogEntry, LogKind, LogLine, log_of};
use crate::core::text::printable;

/// Without -n the log begins with so many steps.
const USUAL: usize = 20;
/// The most turns that are read to find them.
const MOST_TURNS: usize = 1000;
/// How often it is looked whether the transcript grew, and whether anybody still reads.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is looked whether the session still runs, and in which conversation.
const RESOLVE: Duration = Duration::from_secs(2);

/// Prints it; with `--follow` until the session has ended or nobody reads it any more.
pub(crate) fn run(args: &LogsArgs, context: &Context) -> Result<Exit, CliError> {
    show(args, context).or_else(|error| is_unknown(error, context))
}

fn show(args: &LogsArgs, context: &Context) -> Result<Exit, CliError> {
    let source = source(&args.reference, &args.source, context)?;
    signals::end_on_interrupt();
    let mut log = Log::default();
    let read = source.turns(wanted(args), None);
    let entries = match read {
        Ok(page) => log_of(&page.turns),
        // Something may yet be said.
        Err(_) if args.follow && source.subject.is_alive && is_silent(&source) => Vec::new(),
        Err(error) => return Err(error),
    };
    log.take(&entries);
    let fits = |entry: &&LogEntry| args.since.is_none_or(|since| entry.at.is_some_and(|at| at >= since));
    let meant: Vec<LogEntry> =
        entries.iter().filter(fits).filter(|entry| args.full || entry.kind != LogKind::Thinking).cloned().collect();
    let count = args.count.unwrap_or(if args.since.is_some() { usize::MAX } else { USUAL });
    let from = meant.len().saturating_sub(count);
    let is_read = say(meant.get(from..).unwrap_or_default(), &source, args, context)?;
    if args.follow && is_read {
        return follow(source, log, args, context);
    }
    Ok(Exit::Done)
}

/// Whether nothing was said in a conversation yet.
fn is_silent(source: &Source) -> bool {
    !matches!(&source.subject.conversation, Fact::Unknown(_) | Fact::Seen((_, Fact::Unknown(_))))
}

fn wanted(args: &LogsArgs) -> usize {
    // A turn has a prompt at least.
    if args.since.is_some() { MOST_TURNS } else { args.count.unwrap_or(USUAL).clamp(1, MOST_TURNS) }
}

/// What was printed. A step that was is not printed again, wherever reading begins: it is known by all it says.
#[derive(Default)]
struct Log(HashMap<LogEntry, usize>);

impl Log {
    /// Of these entries the ones that are new.
    fn take(&mut self, entries: &[LogEntry]) -> Vec<LogEntry> {
        let mut counted: HashMap<&LogEntry, usize> = HashMap::new();
        let mut new = Vec::new();
        for entry in entries {
            let count = counted.entry(entry).or_default();
            *count += 1;
            let known = self.0.entry(entry.clone()).or_default();
            if *count > *known {
                *known = *count;
                new.push(entry.clone());
            }
        }
        new
    }
}

fn follow(mut source: Source, mut log: Log, args: &LogsArgs, context: &Context) -> Result<Exit, CliError> {
    let mut stamp = None;
    let mut resolved = Instant::now();
    loop {
        let now = path_of(&source).and_then(|path| changed(&path));
        let has_changed = now != stamp;
        stamp = now;
        if has_changed {
            match source.turns(2, None) {
                Ok(page) => {
                    let new = log.take(&log_of(&page.turns));
                    let new: Vec<LogEntry> =
                        new.into_iter().filter(|entry| args.full || entry.kind != LogKind::Thinking).collect();
                    if !say(&new, &source, args, context)? {
                        return Ok(Exit::Done);
                    }
                }
                Err(error) if is_silent(&source) => tracing::debug!("{}", error.message()),
                Err(error) => return Err(error),
            }
        }
        if !context.out.is_read() {
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK);
        if resolved.elapsed() < RESOLVE || source.subject.session.is_none() {
            continue;
        }
        resolved = Instant::now();
        let next = match resolve(&args.reference, context) {
            Ok(next) => next,
            // What cannot be told now may be told later; a pane that is gone does not come back.
            Err(error) if error.exit() == Exit::Unknown => continue,
            Err(_) => return ended(&source, &mut log, args, context),
        };
        if !next.subject.is_alive {
            return ended(&source, &mut log, args, context);
        }
        match (source.conversation(), next.conversation()) {
            (Some(before), Some(after)) if before != after => {
                context.out.note(&format!("{} went on in conversation {}", next.name, printable(after.1.as_str())));
                (source, stamp) = (next, None);
            }
            // For a moment it may be unknown.
            (_, None) => {}
            (_, Some(_)) => source = next,
        }
    }
}

/// What was said last, and that no more will be.
fn ended(source: &Source, log: &mut Log, args: &LogsArgs, context: &Context) -> Result<Exit, CliError> {
    if let Ok(page) = source.turns(2, None) {
        let new = log.take(&log_of(&page.turns));
        say(&new, source, args, context)?;
    }
    context.out.note(&format!("{} has ended", source.name));
    Ok(Exit::Done)
}

fn path_of(source: &Source) -> Option<PathBuf> {
    match &source.subject.conversation {
        Fact::Seen((_, Fact::Seen(transcript))) => Some(transcript.path.clone()),
        _ => None,
    }
}

/// What changes whenever a transcript does. A database is written in a file beside it.
fn changed(path: &Path) -> Option<[i64; 4]> {
    let stamp = |metadata: &Metadata| [metadata.mtime(), metadata.mtime_nsec(), metadata.size().cast_signed()];
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    let own = stamp(&path.metadata().ok()?);
    let log = Path::new(&beside).metadata().ok().map(|it| stamp(&it)).unwrap_or_default();
    Some([own[0], own[1] ^ log[1], own[2], log[0] ^ log[2]])
}

/// Writes entries at once; tells whether anybody still reads.
fn say(entries: &[LogEntry], source: &Source, args: &LogsArgs, context: &Context) -> Result<bool, CliError> {
    let Some((agent, conversation)) = source.conversation() else { return Ok(true) };
    let mut text = String::new();
    for entry in entries {
        text.push_str(&match args.source.format.document() {
            Some(format) => {
                let line = log_line(entry, agent, &conversation);
                document_line(&line, format).map_err(|error| CliError::caused_by(Exit::Failure, &error))?
            }
            None => turn::log_entry(&shown_entry(entry, args.source.raw), args.full, &context.out.look),
        });
    }
    context.out.go_on(&text, "the log")
}

fn log_line(entry: &LogEntry, agent: AgentKind, conversation: &ConversationId) -> LogLine {
    LogLine { schema: LOG_SCHEMA.to_owned(), agent, conversation: conversation.clone(), entry: entry.clone() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn entry(text: &str) -> LogEntry {
        LogEntry { at: None, kind: LogKind::Text, tool: None, failed: false, text: text.into() }
    }

    #[test]
    fn a_step_is_printed_once_wherever_reading_begins() {
        let mut log = Log::default();
        let all = [entry("a"), entry("b"), entry("a")];
        assert_eq!(log.take(&all), all);
        assert_eq!(log.take(&all[1..]), [], "reading began later");
        assert_eq!(log.take(&[entry("a"), entry("b"), entry("a"), entry("a"), entry("c")]), [entry("a"), entry("c")]);
    }
}

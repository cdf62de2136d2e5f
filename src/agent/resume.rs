//! The command that resumes a conversation by hand, or why there is none. Looks at files and directories; runs nothing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Adapter, Agents};
use crate::core::fact::Fact;
use crate::core::observe::Transcript;
use crate::core::report::rows::Resumable;
use crate::core::text::printable;
use crate::host::Environ;

/// The command that resumes a conversation where it lives, ready to paste into a shell that has the variables of `env`. Its
/// home is named when it is not the one `env` leads to. It is printed, never run.
///
/// # Errors
/// Why no command does, in words that follow the name of the session.
pub fn command(agents: &Agents, conversation: &Resumable<'_>, env: &Environ) -> Result<String, String> {
    let Resumable { agent: kind, id, home, transcript, .. } = conversation;
    let unknown = || format!("how {kind} resumes a conversation is not known");
    let agent = agents.of(*kind).ok_or_else(unknown)?;
    let args = agent.resume_args(id).ok_or_else(unknown)?;
    if id.as_str().starts_with('-') {
        return Err(format!("{kind} would take its id for an option"));
    }
    let home = match home {
        Fact::Seen(home) => home,
        Fact::Unknown(why) => return Err(why.clone()),
        Fact::Absent => return Err(format!("where {kind} keeps its files is not known")),
    };
    let transcript = match transcript {
        Some(Fact::Seen(transcript)) => Some(transcript),
        Some(Fact::Absent) => return Err(format!("it has no transcript in {}", home.display())),
        Some(Fact::Unknown(why)) => return Err(why.clone()),
        None => None,
    };
    let cwd = place(agent, conversation, home, transcript)?;
    let mut words = assignments(agent, home, env)?;
    let program = agent.names().programs.first().ok_or_else(|| format!("what the program of {kind} is called is not known"))?;
    words.push(quoted(OsStr::new(program)));
    words.extend(args.iter().map(|arg| quoted_argument(arg)));
    Ok(format!("cd {} && {}", quoted(cwd.as_os_str()), words.join(" ")))
}

/// The directory to resume a conversation in.
///
/// # Errors
/// Why it cannot be resumed, in words that follow the name of the session.
pub fn place(
    agent: &dyn Adapter,
    conversation: &Resumable<'_>,
    home: &Path,
    transcript: Option<&Transcript>,
) -> Result<PathBuf, String> {
    if let Some(transcript) = transcript {
        may_resume(agent, conversation, transcript)?;
    }
    directory(agent, conversation, home, transcript)
}

/// Whether we may resume what lies there.
fn may_resume(agent: &dyn Adapter, conversation: &Resumable<'_>, transcript: &Transcript) -> Result<(), String> {
    if transcript.is_archived {
        // Codex is the only one that archives.
        let program = agent.names().programs.first().unwrap_or_default();
        return Err(format!("it is archived; `{program} unarchive {}` brings it back", conversation.id));
    }
    let (path, ours) = (&transcript.path, rustix::process::geteuid().as_raw());
    match path.metadata() {
        Ok(metadata) if metadata.uid() != ours => {
            Err(format!("{} belongs to another user (uid {})", path.display(), metadata.uid()))
        }
        // What was there a moment ago, and is not looked at here.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The directory to resume it in.
fn directory(
    agent: &dyn Adapter,
    conversation: &Resumable<'_>,
    home: &Path,
    transcript: Option<&Transcript>,
) -> Result<PathBuf, String> {
    let cwds = &conversation.cwds;
    let lived_in = match transcript {
        Some(transcript) => agent.lived_in(transcript, home, conversation.id, cwds),
        None => Fact::Absent,
    };
    let directory = match lived_in {
        Fact::Seen(directory) => directory,
        Fact::Unknown(why) => return Err(why),
        Fact::Absent => match cwds.first() {
            Some(first) => first.to_path_buf(),
            None => return Err("which directory it was in is not known".to_owned()),
        },
    };
    if !directory.is_absolute() {
        return Err(format!("it was in {}, wherever that is", directory.display()));
    }
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(directory),
        Ok(_) => Err(format!("{}, where it was, is no directory", directory.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(format!("the directory it was in, {}, is gone", directory.display()))
        }
        Err(error) => Err(format!("cannot look at {}: {}", directory.display(), super::files::reason(&error))),
    }
}

/// What stands before the program so that it uses `home`: nothing, a variable, or `env -u` for those that lead elsewhere.
fn assignments(agent: &dyn Adapter, home: &Path, env: &Environ) -> Result<Vec<String>, String> {
    let leads_there = |env: &Environ| {
        agent.home(env).is_some_and(|other| {
            other == home || other.canonicalize().is_ok_and(|it| home.canonicalize().is_ok_and(|home| it == home))
        })
    };
    if leads_there(env) {
        return Ok(Vec::new());
    }
    let variables = agent.home_variables();
    let bare = env.without(&variables);
    let unset =
        || variables.iter().filter(|name| env.path(name).is_some()).flat_map(|name| ["-u".to_owned(), (*name).to_owned()]);
    if leads_there(&bare) {
        return Ok(std::iter::once("env".to_owned()).chain(unset()).collect());
    }
    let by_variable = agent.home_assignment(home).and_then(|(name, value)| {
        let assigned = |env: &Environ| leads_there(&env.with(name, &value));
        let assignment = format!("{name}={}", quoted(value.as_os_str()));
        if assigned(env) {
            return Some(vec![assignment]);
        }
        let unset = unset().collect::<Vec<_>>();
        assigned(&bare).then(|| std::iter::once("env".to_owned()).chain(unset).chain([assignment]).collect())
    });
    by_variable.ok_or_else(|| format!("it is in {}, and no variable but HOME leads {} there", home.display(), agent.kind()))
}

/// A word as a shell takes it, and as a terminal shows it: what it would not show is escaped, as bash, zsh and ksh read it.
fn quoted(word: &OsStr) -> String {
    match word.to_str() {
        Some(text) if printable(text) == text => shell_words::quote(text).into_owned(),
        _ => {
            let mut escaped = "$'".to_owned();
            for byte in word.as_bytes() {
                match byte {
                    b'\'' | b'\\' => escaped.extend(['\\', char::from(*byte)]),
                    b' '..=b'~' => escaped.push(char::from(*byte)),
                    _ => escaped.push_str(&format!("\\{byte:03o}")),
                }
            }
            escaped + "'"
        }
    }
}

/// An argument as a shell takes it; of `--flag=value` only the value is quoted, as people would.
fn quoted_argument(arg: &str) -> String {
    match arg.split_once('=').filter(|(flag, _)| flag.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())) {
        Some((flag, value)) => format!("{flag}={}", quoted(OsStr::new(value))),
        None => quoted(OsStr::new(arg)),
    }
}

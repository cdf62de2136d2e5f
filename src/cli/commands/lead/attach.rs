//! `headcount attach`: hands this terminal over to a session.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::{begin_any, plan};
use crate::cli::Context;
use crate::cli::args::{AttachArgs, JudgeArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::remote::{self, Away, Reach};
use crate::control::remote::targets;
use crate::core::ids::{MuxKind, ServerKey};
use crate::core::manifest::lead::Attach;
use crate::core::remote::{mosh_arguments, shell_command, ssh_terminal_arguments};
use crate::core::text::printable;
use crate::mux::tmux::address;

/// Opens the session here.
pub(crate) fn run(args: &AttachArgs, context: &Context) -> Result<Exit, CliError> {
    let (lead, key) = begin_any(&args.reference, &JudgeArgs::default(), context)?;
    let planned = plan(&lead, context)?;
    let name = printable(&key.name).into_owned();
    let server = planned.pass.observation().servers.get(&key.server_key()).and_then(|server| server.seen());
    let session = server.and_then(|server| server.sessions.iter().find(|it| key.names().any(|name| name == it.name.as_str())));
    let Some(session) = session else {
        return Err(
            CliError::new(Exit::Failure, format!("{name} does not run")).hint(format!("`headcount start {name}` starts it"))
        );
    };
    let words: Vec<OsString> = match key.mux {
        MuxKind::Tmux => {
            let socket = address::socket(&key.server, &lead.world.env).map_err(|why| CliError::new(Exit::Failure, why))?;
            let inside = std::env::var("TMUX").ok().filter(|value| !value.is_empty());
            let is_same = inside.as_deref().and_then(|value| value.split(',').next()).is_some_and(|own| {
                let real = |path: &std::path::Path| path.canonicalize().ok();
                real(std::path::Path::new(own)) == real(&socket)
            });
            let verb = if is_same { "switch-client" } else { "attach-session" };
            let target = format!("{}:", session.id);
            let words = ["tmux".into(), "-S".into(), socket.into_os_string(), verb.into(), "-t".into(), target.into()];
            if inside.is_some() && !is_same && !args.print {
                return Err(not_from_here(&words, "this terminal is in another tmux server"));
            }
            words.into()
        }
        MuxKind::Zellij => {
            let mut words: Vec<OsString> = vec!["zellij".into(), "attach".into(), session.name.clone().into()];
            if key.server != ServerKey::DEFAULT {
                words.splice(0..0, ["env".into(), format!("ZELLIJ_SOCKET_DIR={}", key.server).into()]);
            }
            if std::env::var_os("ZELLIJ").is_some() && !args.print {
                return Err(not_from_here(&words, "zellij cannot be opened inside zellij"));
            }
            words
        }
    };
    if args.print {
        context.out.answer(&format!("{}\n", shown(&words)))?;
        return Ok(Exit::Done);
    }
    hand_over(&words)
}

/// Opens a session of another host here. The command is made of the manifest of here; nothing that the host says is run.
pub(crate) fn run_away(args: &AttachArgs, away: &Away, context: &Context) -> Result<Exit, CliError> {
    let (Some((name, host)), Some(session)) = (away.hosts.first(), away.words.operands.first()) else {
        return Ok(Exit::Failure);
    };
    let there = shell_command(host.headcount.as_deref(), host.manifest.as_deref(), &["attach", "--", &session.text]);
    let words = |target: &str, attach: Attach| {
        let (program, arguments) = match attach {
            Attach::Ssh => ("ssh", ssh_terminal_arguments(target, &there)),
            Attach::Mosh => ("mosh", mosh_arguments(target, &there)),
        };
        std::iter::once(program.to_owned()).chain(arguments).map(OsString::from).collect::<Vec<_>>()
    };
    let attach = host.attach.unwrap_or(Attach::Ssh);
    let first = targets(name, host).first().map(|target| words(target, attach)).unwrap_or_default();
    if args.print {
        context.out.answer(&format!("{}\n", shown(&first)))?;
        return Ok(Exit::Done);
    }
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(not_from_here(&first, "a session is opened in a terminal, and this is none"));
    }
    // Which of its names answers, and whether there is a headcount, is known before the terminal is handed over.
    let target = remote::open(name, host, Reach::Act)?.target().to_owned();
    if attach == Attach::Mosh {
        let words = words(&target, Attach::Mosh);
        let status = words.split_first().map(|(program, rest)| Command::new(program).args(rest).status());
        match status {
            Some(Ok(status)) if status.success() => return Ok(Exit::Done),
            Some(Ok(status)) => context.out.note(&format!("mosh did not get to {name} ({status}); ssh is used instead")),
            Some(Err(error)) => context.out.note(&format!("mosh cannot be started ({error}); ssh is used instead")),
            None => {}
        }
    }
    hand_over(&words(&target, Attach::Ssh))
}

/// Becomes another program.
fn hand_over(words: &[OsString]) -> Result<Exit, CliError> {
    let [program, rest @ ..] = words else { return Ok(Exit::Failure) };
    let error = Command::new(program).args(rest).exec();
    Err(CliError::new(Exit::Failure, format!("cannot start {}: {error}", program.to_string_lossy())))
}

fn not_from_here(words: &[OsString], why: &str) -> CliError {
    CliError::new(Exit::Refused, format!("{why}; nothing was opened")).hint(format!("in another terminal: {}", shown(words)))
}

/// A command as a shell takes it.
fn shown(words: &[OsString]) -> String {
    words.iter().map(|word| shell_words::quote(&word.to_string_lossy()).into_owned()).collect::<Vec<_>>().join(" ")
}

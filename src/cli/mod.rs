//! The command line: arguments, verbs, rendering, exit codes. The only part that prints.

mod args;
mod asker;
mod broker;
mod commands;
mod compat;
mod doctor;
mod elsewhere;
mod error;
mod exec;
mod heap;
mod hook;
mod logging;
mod manifest_path;
#[cfg(feature = "mcp")]
mod mcp;
mod outlet;
mod output;
mod registry;
mod remote;
mod render;
mod run_pass;
mod signals;
#[cfg(feature = "ui")]
mod ui;

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use args::{Globals, Typed, Verb};
use error::{CliError, Exit};
use output::Streams;
#[cfg(feature = "ui")]
use output::{KeptOutput, KeptText};

/// Runs the program and gives its exit code.
pub fn main() -> ExitCode {
    signals::disinherit();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(file) = exec::asked(&arguments) {
        return ExitCode::from(exec::run(&file));
    }
    if hook::is_asked(&arguments) {
        hook::run(&arguments);
        return ExitCode::SUCCESS;
    }
    if let Some(code) = compat::run(&arguments) {
        return ExitCode::from(code);
    }
    ExitCode::from(run(&arguments).code())
}

/// What every verb is given: the global options and the streams.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) out: Streams,
}

fn run(arguments: &[OsString]) -> Exit {
    let Typed { cli, matches, command } = match args::parse(arguments) {
        Ok(typed) => typed,
        Err(error) => return unparsed(&error, arguments),
    };
    // The process ends with it.
    let command = ManuallyDrop::new(command);
    let out = Streams::new(&cli.globals);
    let complaint = logging::start(&cli.globals, out.color_errors);
    let context = Context { globals: cli.globals, out };
    if let Some(complaint) = complaint {
        context.out.note(&complaint);
    }
    match dispatch(cli.verb, (&command, &matches), &context) {
        Ok(exit) => exit,
        Err(error) => {
            context.out.error(&error);
            error.exit()
        }
    }
}

/// Runs a command inside of this process, and gives what it said and how it ended. What it would ask a person it gives back instead.
#[cfg(feature = "ui")]
pub(crate) fn run_kept(arguments: &[OsString]) -> (Exit, KeptText) {
    let kept = KeptOutput::default();
    let exit = match args::parse(arguments) {
        Ok(Typed { cli, matches, command }) => {
            let context = Context { out: Streams::kept(&cli.globals, kept.clone()), globals: cli.globals };
            dispatch(cli.verb, (&command, &matches), &context).unwrap_or_else(|error| {
                if kept.held().question.is_none() {
                    context.out.error(&error);
                }
                error.exit()
            })
        }
        Err(error) => {
            kept.held().err.push_str(&error.render().to_string());
            Exit::Usage
        }
    };
    let said = kept.held().clone();
    (exit, said)
}

fn dispatch(verb: Option<Verb>, typed: (&Command, &ArgMatches), context: &Context) -> Result<Exit, CliError> {
    let verb = verb.unwrap_or_else(|| Verb::Status(args::StatusArgs::default().into()));
    if let Some(away) = remote::away(&verb, typed, context)? {
        return match verb {
            Verb::Status(args) => commands::status::run_away(&args, away, context),
            Verb::Attach(args) => commands::lead::attach::run_away(&args, &away, context),
            verb => away.run(&verb, context),
        };
    }
    match verb {
        Verb::Status(args) => commands::status::run(&args, context),
        Verb::Ui(args) => commands::ui::run(&args, context),
        Verb::Diff(args) => commands::diff::run(&args, context),
        Verb::Record(args) => commands::record::run(&args, context),
        Verb::Watch(args) => commands::watch::run(&args, context),
        Verb::Describe(args) => commands::lead::describe::run(&args, context),
        Verb::Explain(args) => commands::explain::run(&args, context),
        Verb::History(args) => commands::history::run(&args, context),
        Verb::Undo(args) => commands::undo::run(&args, context),
        Verb::Plan(args) => commands::lead::verbs::run_plan(&args, context),
        Verb::Apply(args) => commands::lead::verbs::run_apply(&args, context),
        Verb::Start(args) => commands::lead::verbs::run_start(&args, context),
        Verb::Stop(args) => commands::lead::verbs::run_stop(&args, context),
        Verb::Restart(args) => commands::lead::verbs::run_restart(&args, context),
        Verb::New(args) => commands::lead::new::run(&args, context),
        Verb::Rm(args) => commands::lead::remove::run_rm(&args, context),
        Verb::Forget(args) => commands::lead::remove::run_forget(&args, context),
        Verb::Rename(args) => commands::lead::rename::run(&args, context),
        Verb::Move(args) => commands::lead::rename::run_move(&args, context),
        Verb::Handoff(args) => commands::lead::hand::run_handoff(&args, context),
        Verb::Release(args) => commands::lead::hand::run_release(&args, context),
        Verb::Attach(args) => commands::lead::attach::run(&args, context),
        Verb::Read(args) => commands::reading::read::run(&args, context),
        Verb::Logs(args) => commands::reading::logs::run(&args, context),
        Verb::Screen(args) => commands::reading::screen::run(&args, context),
        Verb::Events(args) => commands::lead::events::run(&args, context),
        Verb::Hooks(args) => commands::hooks::run(&args, context),
        Verb::Send(args) => commands::lead::send::run(&args, context),
        Verb::Queue(args) => commands::lead::queue::run(&args, context),
        Verb::Ask(args) => commands::lead::send::run_ask(&args, context),
        Verb::Answer(args) => commands::lead::answer::run(&args, context),
        Verb::Wait(args) => commands::lead::wait::run(&args, context),
        Verb::Allow(args) => commands::lead::allow::run(&args, context),
        Verb::Consent(args) => commands::lead::allow::run_consent(&args, context),
        Verb::Links(args) => commands::links::run(&args, context),
        Verb::Init(args) => commands::init::run(&args, context),
        Verb::Import(args) => commands::import::run(&args, context),
        Verb::Check(args) => commands::check::run(&args, context),
        Verb::Job(args) => commands::job::run(&args, context),
        Verb::Crew(args) => commands::crew::run(&args, context),
        Verb::Fleet(args) => commands::fleet::run(&args, context),
        Verb::Demo(_) => commands::demo::run(context),
        Verb::Doctor(args) => commands::doctor::run(&args, context),
        Verb::Mcp(args) => commands::mcp::run(&args, context),
        Verb::Serve(_) => commands::serve::run(),
        Verb::Schema(args) => commands::schema::run(&args, context),
        Verb::Completions(args) => commands::completions::run(&args, context),
        Verb::Man(args) => commands::man::run(&args, context),
        Verb::Complete(args) => commands::complete::run(&args, context),
    }
}

/// Help, the version, or a usage error: what the parser has to say instead of a value.
fn unparsed(error: &clap::Error, arguments: &[OsString]) -> Exit {
    let globals = Globals::guess(arguments);
    let out = Streams::new(&globals);
    let text = error.render();
    if let Some(answer) = elsewhere::answer(error) {
        out.error(&answer);
        return answer.exit();
    }
    if error.use_stderr() {
        out.stderr(&if out.color_errors { text.ansi().to_string() } else { text.to_string() });
        return Exit::Usage;
    }
    let text = if out.look.color { text.ansi().to_string() } else { text.to_string() };
    match out.answer(&text) {
        Ok(()) => Exit::Done,
        Err(error) => {
            out.error(&error);
            error.exit()
        }
    }
}

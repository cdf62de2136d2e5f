//! `headcount status`: every session, declared and observed, once or as it changes. Records nothing.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;

use super::{document_line, drift_exit, print_document};
use crate::cli::Context;
use crate::cli::args::{StatusArgs, StatusForm};
use crate::cli::error::{CliError, Exit};
use crate::cli::remote::{Away, FarStatus};
use crate::cli::render::asked::Question;
use crate::cli::render::screen::Screen;
use crate::cli::render::{Style, Terminal, status};
use crate::cli::run_pass::{self, PassRequest};
use crate::cli::signals;
use crate::control::follow::{FollowEnd, follow};
use crate::control::job_runs;
use crate::control::observe::Observer;
use crate::control::pass::{self, PassError, PassOptions};
use crate::core::report::status::{JobRow, StatusReport};
use crate::core::text::{printable, stamp};
use crate::store::paths::StateHome;

/// Prints the sessions.
pub(crate) fn run(args: &StatusArgs, context: &Context) -> Result<Exit, CliError> {
    let report = here(args, context)?;
    if args.watch {
        let options = run_pass::options(request(args), context)?;
        let world = Observer { activity: true, ..run_pass::world(&options.state_home) };
        let color = context.out.color_errors;
        let look = move || look(&world, &options).map_err(|error| CliError::from_pass(error, color));
        return keep_showing(args, report, context, look);
    }
    show(args, &report, context)
}

/// Prints the sessions of other hosts, alone or beneath those of this one.
pub(crate) fn run_away(args: &StatusArgs, away: Away, context: &Context) -> Result<Exit, CliError> {
    signals::end_on_interrupt();
    let is_all = away.is_all;
    let mut far = FarStatus::of(away)?;
    let report = if is_all { far.merged(here(args, context))? } else { far.one()? };
    for said in far.news() {
        context.out.note(&said);
    }
    if !args.watch {
        return show(args, &report, context);
    }
    let options = run_pass::options(request(args), context)?;
    let world = Observer { activity: true, ..run_pass::world(&options.state_home) };
    let color = context.out.color_errors;
    keep_showing(args, report, context, move || match is_all {
        true => far.merged(look(&world, &options).map_err(|error| CliError::from_pass(error, color))),
        false => far.one(),
    })
}

/// The sessions of this host.
fn here(args: &StatusArgs, context: &Context) -> Result<StatusReport, CliError> {
    let pass = run_pass::pass(request(args), context)?;
    let mut report = pass.status();
    run_pass::complete_rows(&pass, report.sessions.iter_mut())?;
    report.jobs = jobs(args);
    Ok(report)
}

/// The same once more, while they are watched.
fn look(world: &Observer, options: &PassOptions) -> Result<StatusReport, PassError> {
    pass::run(world, options).map(|pass| {
        let mut report = pass.status();
        // Where there is no place for state there is no hold either.
        let _ = run_pass::complete_rows(&pass, report.sessions.iter_mut());
        if options.selection.is_everything() {
            report.jobs = job_runs::rows(&options.state_home, report.observed_at);
        }
        report
    })
}

fn show(args: &StatusArgs, report: &StatusReport, context: &Context) -> Result<Exit, CliError> {
    match args.form().and_then(StatusForm::format) {
        Some(format) => print_document(report, format, context)?,
        None => context.out.answer(&text(args, report, &Terminal { now: report.observed_at, ..context.out.look }))?,
    }
    Ok(if args.exit_code { drift_exit(&report.counts, report.in_sync) } else { Exit::Done })
}

fn request(args: &StatusArgs) -> PassRequest<'_> {
    let look = PassRequest::look(args.selection.with_names(&args.names), &args.judge);
    PassRequest { activity: true, ..look }
}

/// The jobs that headcount runs, where nobody asks for certain sessions.
fn jobs(args: &StatusArgs) -> Vec<JobRow> {
    let is_selected = Question::from(&args.selection.with_names(&args.names)) == Question::Selected;
    // Where there is no place for state there are none.
    let state = StateHome::from_environment(|name| std::env::var_os(name)).ok().filter(|_| !is_selected);
    state.map(|state| job_runs::rows(&state, chrono::Utc::now())).unwrap_or_default()
}

/// The answer for people, and the names for scripts.
fn text(args: &StatusArgs, report: &StatusReport, look: &Terminal) -> String {
    let asked = Question::from(&args.selection.with_names(&args.names));
    match args.form() {
        Some(StatusForm::Name) => status::names(report),
        form => status::render(report, asked, form == Some(StatusForm::Wide), look),
    }
}

/// Shows the report, then every one that differs, until something ends it.
fn keep_showing(
    args: &StatusArgs,
    first: StatusReport,
    context: &Context,
    look: impl FnMut() -> Result<StatusReport, CliError> + Send + 'static,
) -> Result<Exit, CliError> {
    signals::default_on_interrupt();
    let mut shown = Shown::new(args, context);
    if shown.show(Ok(first)).is_continue() {
        let output = io::stdout().as_fd().try_clone_to_owned().ok();
        let ended = follow(args.interval, output, look, |seen| shown.show(seen));
        shown.leave();
        let ended = ended.map_err(|error| CliError::caused_by(Exit::Failure, &error))?;
        if ended == FollowEnd::Interrupted {
            return Ok(Exit::Interrupted);
        }
    }
    shown.failed.map_or(Ok(Exit::Done), Err)
}

/// What has been shown, and where.
struct Shown<'a> {
    args: &'a StatusArgs,
    context: &'a Context,
    look: Terminal,
    /// A terminal, for people.
    screen: Option<Screen>,
    last: Option<StatusReport>,
    trouble: Option<String>,
    failed: Option<CliError>,
}

impl<'a> Shown<'a> {
    fn new(args: &'a StatusArgs, context: &'a Context) -> Self {
        let look = context.out.look;
        let is_table = matches!(args.form(), None | Some(StatusForm::Wide));
        let screen = (look.tty && is_table).then(Screen::new);
        Self { args, context, look, screen, last: None, trouble: None, failed: None }
    }

    /// Shows what a look saw; breaks if nobody reads any more.
    fn show(&mut self, seen: Result<StatusReport, CliError>) -> ControlFlow<()> {
        let text = match seen {
            Ok(report) => self.answer(report),
            Err(error) => Ok(self.complaint(error)),
        };
        let written = text.map_err(|error| CliError::caused_by(Exit::Failure, &error)).and_then(|text| write(&text));
        written.unwrap_or_else(|error| {
            self.failed = Some(error);
            ControlFlow::Break(())
        })
    }

    fn answer(&mut self, report: StatusReport) -> Result<String, serde_json::Error> {
        let is_news = self.last.as_ref().is_none_or(|last| comparable(last) != comparable(&report));
        let is_first = self.last.is_none();
        self.trouble = None;
        self.look.now = report.observed_at;
        self.last = Some(report);
        match (&self.last, self.args.form().and_then(StatusForm::format)) {
            _ if self.screen.is_some() => Ok(self.picture()),
            (Some(report), Some(format)) if is_news => document_line(report, format),
            (Some(report), None) if is_news => {
                Ok(format!("{}{}", if is_first { "" } else { "\n" }, text(self.args, report, &self.look)))
            }
            _ => Ok(String::new()),
        }
    }

    /// Why a look failed: on a terminal above the last picture, elsewhere once on stderr.
    fn complaint(&mut self, error: CliError) -> String {
        let message = error.message();
        let is_news = self.trouble.as_ref() != Some(&message);
        self.trouble = Some(message);
        if self.screen.is_some() {
            return self.picture();
        }
        if is_news {
            self.context.out.error(&error);
        }
        String::new()
    }

    fn picture(&mut self) -> String {
        let mut picture = String::new();
        if let Some(trouble) = &self.trouble {
            picture.push_str(&format!("{} {trouble}\n", self.look.paint(Style::Bad, "error:")));
        }
        let size = terminal_size::terminal_size_of(io::stdout());
        let Some(screen) = &mut self.screen else { return String::new() };
        screen.size(size.map(|(width, height)| (width.0.into(), height.0.into())), &mut self.look);
        if let Some(report) = &self.last {
            let head = format!("{}  {}", printable(&report.manifest), stamp(report.observed_at));
            picture.push_str(&format!("{}\n\n{}", self.look.paint(Style::Dim, &head), text(self.args, report, &self.look)));
        }
        screen.draw(&picture, &self.look)
    }

    /// The terminal as it was, and the last table below.
    fn leave(&self) {
        if let (Some(screen), Some(report)) = (&self.screen, &self.last) {
            let _ = write(&screen.leave(&text(self.args, report, &self.look)));
        }
    }
}

/// A report without what changes while nothing happens.
fn comparable(report: &StatusReport) -> StatusReport {
    let mut report = report.clone();
    report.observed_at = chrono::DateTime::UNIX_EPOCH;
    report.jobs.iter_mut().for_each(|job| job.elapsed = 0);
    for row in &mut report.sessions {
        row.last_activity = None;
        // A moment by itself is no news.
        row.conditions.iter_mut().for_each(|it| it.since = None);
        // Its end is put off as long as somebody is there.
        row.hold.iter_mut().for_each(|held| held.until = held.since);
    }
    report
}

/// Writes and flushes; breaks if nobody reads any more.
fn write(text: &str) -> Result<ControlFlow<()>, CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(CliError::new(Exit::Failure, format!("cannot write the sessions to stdout: {error}"))),
    }
}

//! `headcount describe`: everything that is known of one session, on one page. Changes nothing.

use super::{Lead, begin_any, failed, plan};
use crate::agent::TurnQuery;
use crate::cli::Context;
use crate::cli::args::DescribeArgs;
use crate::cli::commands::{history, print_document};
use crate::cli::error::{CliError, Exit};
use crate::cli::render::describe as render;
use crate::control::lead::{self, LeadError};
use crate::control::tasks::TaskPlaces;
use crate::core::ids::MuxKind;
use crate::core::lead::Standing;
use crate::core::manifest::Session;
use crate::core::report::describe::{Description, LastTurn, LedgerReport, NextStep, SCHEMA};
use crate::core::report::status::Observed;
use crate::core::report::task::TaskReport;
use crate::core::task::TaskReference;
use crate::core::text::printable;
use crate::store::operations::LedgerFile;

/// As many operations are listed.
const MOST: usize = 10;

/// Describes the session.
pub(crate) fn run(args: &DescribeArgs, context: &Context) -> Result<Exit, CliError> {
    let (lead, key) = begin_any(&args.reference, &args.judge, context)?;
    let planned = plan(&lead, context)?;
    let explained = planned.pass.explanations().into_iter().find(|one| one.row.session == key);
    let (Some(explained), Some(session)) = (explained, planned.pass.manifest().find(&key)) else {
        return Err(CliError::new(Exit::Failure, format!("the entry of {} is gone", printable(&key.name))));
    };
    let state = &lead.request.pass.state_home;
    let ledger = LedgerFile::new(state).read().map_err(|error| failed(LeadError::from(error), context))?;
    let mut operations = history::of_session(planned.pass.path(), state, &key)?;
    operations.truncate(args.last.unwrap_or(MOST));
    let mut row = explained.row;
    row.hold = planned.holds.get(&key).cloned();
    row.conditions =
        lead::conditions(&lead.world, state, &planned.pass).remove(&key).map(|it| it.conditions).unwrap_or_default();
    let standing = planned.judged.iter().find(|one| one.index == session.index).map(|one| &one.standing);
    let next = planned.plan.actions.iter().find(|action| action.session == key).cloned();
    let query = TurnQuery { last: 1, after: None, now: lead.world.host.now() };
    let subject = lead::reading::of_entry(&planned.pass, &key);
    let page = subject.and_then(|subject| lead::reading::turns(&planned.pass.manifest().agents, &subject, &query).into_seen());
    let runs = matches!(row.observed, Observed::Alive | Observed::NoAgent | Observed::Ambiguous);
    let description = Description {
        schema: SCHEMA.to_owned(),
        manifest: planned.pass.report.manifest.clone(),
        desired: session.lead.desired.map(|desired| desired.as_str().to_owned()),
        task: session.lead.task.clone(),
        about: about(session, &lead),
        tabs: lead::reading::tabs(&lead.world, &planned.pass, &key).unwrap_or_default(),
        entry: explained.manifest,
        observed: explained.observed,
        verdict: explained.verdict,
        job: explained.job,
        drifts: explained.drifts,
        next: NextStep::new(standing.unwrap_or(&Standing::Unled), next),
        ledger: ledger.of(&key).map(|acted| LedgerReport::of(acted, session)).unwrap_or_default(),
        operations,
        waiting_texts: lead::waiting_texts(&lead.request, Some(&key)).len(),
        last_turn: page.as_ref().and_then(|page| page.turns.last()).map(LastTurn::of),
        attach: runs.then(|| format!("headcount attach {}", shell_words::quote(&key.name))),
        row,
    };
    match args.format.document() {
        Some(format) => print_document(&description, format, context)?,
        None => context.out.answer(&render::render(&description, &context.out.look))?,
    }
    Ok(Exit::Done)
}

/// What is known of the work that a session is about: by its entry's reference, else by a task that names this zellij session.
fn about(session: &Session, lead: &Lead) -> Option<TaskReport> {
    let here = session.cwd.clone().unwrap_or_default();
    let places = TaskPlaces::around(&here, &lead.world.env);
    match &session.lead.task {
        Some(task) => {
            let reference = TaskReference::parse(task).ok();
            let homes = reference.as_ref().map(|reference| places.of(reference)).unwrap_or_default();
            Some(TaskReport::new(reference.as_ref(), &homes))
        }
        None if session.key.mux == MuxKind::Zellij => {
            let homes = places.of_session(&session.key.name);
            (!homes.is_empty()).then(|| TaskReport::new(None, &homes))
        }
        None => None,
    }
}

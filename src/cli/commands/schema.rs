//! `headcount schema`: the JSON Schemas of the documents headcount prints, and the manifest's as a page for people. Generated from
//! the types, never written by hand.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use super::print_document;
use crate::cli::Context;
use crate::cli::args::{Format, SchemaArgs, SchemaName};
use crate::cli::error::{CliError, Exit};
use crate::core::events::Event;
use crate::core::fleet::report::{FleetEvent, FleetReport};
use crate::core::fleet::{DriftNote, HostState, SessionState};
use crate::core::hooks::HooksReport;
use crate::core::import::ImportReport;
use crate::core::job::{JobEvent, Record};
use crate::core::lead::ApplyReport;
use crate::core::lead::conditions::WaitReport;
use crate::core::lead::plan::LeadPlan;
use crate::core::lead::send::{AnswerReport, AskReport, QueueReport, SendReceipt};
use crate::core::lead::turns::{LogLine, TurnReport};
use crate::core::links::LinksReport;
use crate::core::manifest::page::page;
use crate::core::manifest::schema::schema;
use crate::core::report::Report;
use crate::core::report::describe::Description;
use crate::core::report::history::HistoryReport;
use crate::core::report::said::HookEventReport;
use crate::core::report::screen::ScreenReport;
use crate::core::report::status::StatusReport;

/// Prints one schema, or the page.
pub(crate) fn run(args: &SchemaArgs, context: &Context) -> Result<Exit, CliError> {
    match (args.markdown, args.document) {
        (false, document) => print_document(&of(document), Format::Json, context)?,
        (true, SchemaName::Manifest) => context.out.answer(&page())?,
        (true, _) => {
            let error = CliError::new(Exit::Usage, "--markdown is available for `manifest` only");
            return Err(error.hint("headcount schema manifest --markdown"));
        }
    }
    Ok(Exit::Done)
}

/// The schema of a document.
pub(crate) fn of(document: SchemaName) -> Value {
    match document {
        SchemaName::Manifest => schema(),
        SchemaName::Report => generate::<Report>("headcount report v1"),
        SchemaName::Events => generate::<Event>("headcount watch event"),
        SchemaName::Job => generate::<Record>("headcount job record"),
        SchemaName::JobEvent => generate::<JobEvent>("headcount job event"),
        SchemaName::Host => generate::<HostState>("headcount host v1"),
        SchemaName::Session => generate::<SessionState>("headcount session v1"),
        SchemaName::Drift => generate::<DriftNote>("headcount drift v1"),
        SchemaName::Fleet => generate::<FleetReport>("headcount fleet v1"),
        SchemaName::FleetEvents => generate::<FleetEvent>("headcount fleet event"),
        SchemaName::Event => generate::<HookEventReport>("headcount event v1"),
        SchemaName::Plan => generate::<LeadPlan>("headcount plan v1"),
        SchemaName::Apply => generate::<ApplyReport>("headcount apply v1"),
        SchemaName::Turn => generate::<TurnReport>("headcount turn v1"),
        SchemaName::Log => generate::<LogLine>("headcount log v1"),
        SchemaName::Screen => generate::<ScreenReport>("headcount screen v1"),
        SchemaName::Ask => generate::<AskReport>("headcount ask v1"),
        SchemaName::Queue => generate::<QueueReport>("headcount queue v1"),
        SchemaName::Answer => generate::<AnswerReport>("headcount answer v1"),
        SchemaName::Hooks => generate::<HooksReport>("headcount hooks v1"),
        SchemaName::Import => generate::<ImportReport>("headcount import v1"),
        SchemaName::Links => generate::<LinksReport>("headcount links v1"),
        SchemaName::Wait => generate::<WaitReport>("headcount wait v1"),
        SchemaName::Receipt => generate::<SendReceipt>("headcount receipt v1"),
        SchemaName::Status => generate::<StatusReport>("headcount status v1"),
        SchemaName::Describe => generate::<Description>("headcount describe v1"),
        SchemaName::History => generate::<HistoryReport>("headcount history v1"),
    }
}

fn generate<T: JsonSchema>(title: &str) -> Value {
    // Documents are described as they are written, so a field that is always there is required.
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

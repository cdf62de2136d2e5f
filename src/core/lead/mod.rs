//! Making reality follow the manifest, as decisions over values: what is wanted, what may be done about it, and when it is done.
//! Never looks and never acts; `control::lead` does both.

mod action;
pub mod brake;
mod cause;
pub mod conditions;
mod dialog;
pub mod enforce;
mod entry_facts;
mod guard;
mod hold;
mod judge;
mod ledger;
mod operation;
mod own;
pub mod plan;
mod profiles;
mod reference;
mod relocate;
mod rename;
pub mod send;
mod series;
mod start;
mod stop;
pub mod turns;

pub use action::{Action, ActionKind, BlockCode, Blocked, Renaming, Standing, Target};
pub use cause::{FailureCause, LeadCause};
pub use dialog::{DialogSubject, PaneKey, TypedKey};
pub use entry_facts::EntryFacts;
pub use guard::Permit;
pub use hold::{HoldReport, SessionHold};
pub use judge::{Judged, Scene, Wish, judge};
pub use ledger::{ActedOn, AliveIn, LastStart, LastStop, Ledger, LeftRunning, Placed, lead_fields, wanted};
pub use operation::{ApplyReport, Operation, OperationBrief, OperationId, OperationReport, Outcome, REPORT_SCHEMA};
pub use profiles::{LeadProfile, LeadRule};
pub use reference::{is_pattern, pane_of, referred};
pub use relocate::kept_from;
pub use rename::{RenameScene, judge_rename};
pub use series::{Run, RunEnd, RunEnding, Series, StartWaits, due_after_loss};
pub use start::{ChildEnd, StandingDialog, StartEvidence, StartNext, next_start};
pub use stop::{StopEvidence, StopNext, StopOptions, next_stop};

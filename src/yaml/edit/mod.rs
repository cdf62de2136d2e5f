//! Edits of a manifest's text that leave every other byte alone. Decides how a change is written, never what is changed.
//!
//! An [`Edit`] becomes steps on single nodes (`model`), a step becomes splices of the text at places taken from the syntax
//! tree (`replace`, `insert`, `remove`), splices are collected as long as they do not disturb one another (`batch`), and the
//! guard judges the result.

mod annotate;
mod batch;
mod insert;
pub(super) mod layout;
pub(super) mod model;
mod place;
mod plain;
pub(super) mod refusal;
mod remove;
mod replace;
pub(super) mod splice;
mod take_out;

use std::ops::Range;

use serde_yaml::Value;

use super::load::{unreadable_text, wrong_shape};
use super::text::position;
use super::{guard, untyped};
use crate::core::edit::Edit;
pub use annotate::annotate;
use model::NodeChange;
pub use refusal::Refusal;
pub use take_out::{TakenOut, put_back, take_out};

/// Makes edits, in order, each seeing the ones before it.
///
/// Exactly the intended values change. Comments, anchors, order, quoting, line ends,
/// the byte order mark and the presence of a final newline stay. A node that holds a comment is not removed.
///
/// # Errors
/// The first thing that stands in the way; then nothing was changed.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, Refusal> {
    let value = untyped::read(text).map_err(|unreadable| {
        let diagnostic = unreadable_text(text, &unreadable);
        Refusal::Unreadable { reason: diagnostic.message, span: diagnostic.span }
    })?;
    if let Some(diagnostic) = wrong_shape(text, &value) {
        return Err(Refusal::Unreadable { reason: diagnostic.message, span: diagnostic.span });
    }
    Ok(whole(text, &value, edits)?.map_or_else(|| text.to_owned(), |(edited, _)| edited))
}

/// The same on a text whose value is known already; gives the new text with its value, or `None` if nothing changes.
pub(super) fn whole(text: &str, value: &Value, edits: &[Edit]) -> Result<Option<(String, Value)>, Refusal> {
    let mut intended = value.clone();
    let mut changes = Vec::with_capacity(edits.len());
    let mut problem = None;
    for edit in edits {
        match model::steps(edit, &intended) {
            Ok(steps) => steps.into_iter().for_each(|step| {
                model::take(&mut intended, &step);
                changes.push(step);
            }),
            Err(found) => {
                problem = Some(found.placed(text, edit));
                break;
            }
        }
    }
    if let (None, Some(edited)) = (&problem, plain::inserted(text, &changes))
        && let Ok(read) = guard::check(text, &edited, value, &intended, &changes)
    {
        debug_assert_eq!(batched(text, &changes, edits.len()).as_deref(), Ok(edited.as_str()), "plainly and by a tree");
        return Ok(Some((edited, read)));
    }
    let edited = if changes.is_empty() { None } else { Some(batched(text, &changes, edits.len())?) };
    if let Some(problem) = problem {
        return Err(problem);
    }
    let Some(edited) = edited else { return Ok(None) };
    let read = guard::check(text, &edited, value, &intended, &changes)?;
    Ok(Some((edited, read)))
}

/// The text with these changes, made in one go as far as they do not disturb one another.
fn batched(text: &str, changes: &[NodeChange], count: usize) -> Result<String, Refusal> {
    let mut batch = batch::EditBatch::new(text, count)?;
    changes.iter().try_for_each(|change| batch.add(change))?;
    batch.finish()
}

/// The line a span starts in, for messages.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    position(text, span.start).0
}
